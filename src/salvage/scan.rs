//! DRLE containers found by their bytes, in a file whose index is lost.
//!
//! A container says itself what it is: it begins with four known bytes, its header and table are under one checksum, and each
//! frame (segment) is under its own. So frames can be found and proved without HDF5 and without the dataset's parameters,
//! wherever they are in the file. What cannot be found is which dataset they are of, which of its frames they are, and
//! whether a later copy of the same frame exists: a chunk that was written twice may be there twice.
//!
//! The bytes are read once and in order, through a window that is as long as the container that is looked at, at most
//! [`MAX_CONTAINER_BYTES`]. Bytes that claim to be a container and are not cost time: together, never more than a constant and four
//! times the bytes that were read. Where that is not enough, which only bytes made for it can bring about, claims are
//! skipped, and counted.

use crate::Result;
use crate::codec::drle::{Container, ContainerWriter, HEADER_BYTES, Header, MAGIC, PixelType};
use crate::element::ElementType;
use crate::memory::buffer;
use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;

/// Longer containers are skipped, and counted.
pub const MAX_CONTAINER_BYTES: usize = 1 << 30;

/// Bytes that are read at once.
const STEP_BYTES: usize = 1 << 20;

/// Bytes that may be looked at in vain, at first and for each byte that is read.
const FIRST_CREDIT: i64 = 1 << 30;
const CREDIT_PER_BYTE: i64 = 4;

/// A search for containers.
#[derive(Debug)]
pub struct Scan<R> {
    source: R,
    window: Vec<u8>,
    /// Where the window begins in the source.
    start: u64,
    /// What is looked at next, counted in the window.
    at: usize,
    is_at_end: bool,
    credit: i64,
    n_skipped: u64,
}

/// A container, of which header and table are as they were written.
#[derive(Debug, Clone)]
pub struct Found<'a> {
    /// Where it begins, counted from the first byte that was read.
    pub offset: u64,
    container: Container<'a>,
}

/// A frame that is as it was written: one segment of a container.
#[derive(Debug, Clone)]
pub struct FoundFrame<'a> {
    header: Header,
    stored: Cow<'a, [u8]>,
}

/// Where a container is in the window, and where the search goes on after it.
struct Place {
    len: usize,
    next: usize,
}

impl<R: Read> Scan<R> {
    /// A search of all that `source` has.
    pub fn new(source: R) -> Self {
        Self { source, window: Vec::new(), start: 0, at: 0, is_at_end: false, credit: FIRST_CREDIT, n_skipped: 0 }
    }

    /// Claims that were not looked at: containers that are too long, and what only looks like one.
    pub fn n_skipped(&self) -> u64 {
        self.n_skipped
    }

    /// Bytes that were read.
    pub fn n_bytes(&self) -> u64 {
        self.start + self.window.len() as u64
    }

    /// The next container. One that the end of the source cuts off is one, too.
    ///
    /// # Errors
    /// What the source says.
    pub fn next_container(&mut self) -> io::Result<Option<Found<'_>>> {
        let Some(place) = self.search()? else { return Ok(None) };
        let offset = self.start + place.start as u64;
        let container = Container::open_front(&self.window[place]);
        Ok(container.ok().map(|container| Found { offset, container }))
    }

    /// Where in the window the next container is.
    fn search(&mut self) -> io::Result<Option<Range<usize>>> {
        loop {
            self.fill(HEADER_BYTES)?;
            let Some(distance) = find(&self.window[self.at..]) else {
                // The last bytes may be the beginning of one.
                let rest = self.window.len() - self.at;
                self.advance(rest.saturating_sub(MAGIC.len() - 1));
                if self.is_at_end {
                    return Ok(None);
                }
                self.fill(STEP_BYTES)?;
                continue;
            };
            self.advance(distance);
            match self.look()? {
                Some(Place { len, next }) => {
                    let place = self.at..self.window.len().min(self.at + len);
                    self.advance(next);
                    return Ok(Some(place));
                }
                None => self.advance(1),
            }
        }
    }

    /// What is at the window's place, which begins like a container.
    fn look(&mut self) -> io::Result<Option<Place>> {
        self.fill(HEADER_BYTES)?;
        let Ok(front_len) = Container::front_len(&self.window[self.at..]) else { return Ok(None) };
        if !self.may_look_at(front_len) {
            return Ok(None);
        }
        self.fill(front_len)?;
        // No further than what was paid for: the tables of a packed container are after its front.
        let front_end = self.window.len().min(self.at + front_len);
        let Ok(container) = Container::open_front(&self.window[self.at..front_end]) else { return Ok(None) };
        let len = container.stored_len();
        if container.n_segments() == 0 || !container.ends_rise() || !self.may_look_at(len) {
            return Ok(None);
        }
        self.fill(len)?;
        let end = self.window.len().min(self.at + len);
        let container = Container::open_front(&self.window[self.at..end]);
        Ok(container.ok().map(|container| Place { len, next: sound_len(&container, front_len) }))
    }

    /// Whether `n_bytes` from here may be looked at. What comes of it is not known yet.
    fn may_look_at(&mut self, n_bytes: usize) -> bool {
        let is_allowed = n_bytes <= MAX_CONTAINER_BYTES && self.credit > 0;
        self.n_skipped += u64::from(!is_allowed);
        self.credit -= if is_allowed { n_bytes as i64 } else { 0 };
        is_allowed
    }

    fn advance(&mut self, n_bytes: usize) {
        self.at += n_bytes;
        self.credit = self.credit.saturating_add(CREDIT_PER_BYTE * n_bytes as i64);
    }

    /// Reads until the window has `n_bytes` from its place on, or the source ends.
    fn fill(&mut self, n_bytes: usize) -> io::Result<()> {
        let rest = self.window.len() - self.at;
        if rest >= n_bytes || self.is_at_end {
            return Ok(());
        }
        // What was looked at goes once it is more than what has to be moved.
        if self.at >= rest {
            self.window.drain(..self.at);
            self.start += self.at as u64;
            self.at = 0;
        }
        while self.window.len() - self.at < n_bytes && !self.is_at_end {
            let n_read = self.source.by_ref().take(STEP_BYTES as u64).read_to_end(&mut self.window)?;
            self.is_at_end = n_read < STEP_BYTES;
        }
        Ok(())
    }
}

/// Bytes of a container up to its first segment that is not as it was written: the search goes on there.
fn sound_len(container: &Container<'_>, front_len: usize) -> usize {
    match (0..container.n_segments()).find(|index| frame(container, *index).is_err()) {
        Some(index) => container.segment(index).map_or(front_len, |segment| segment.bytes.start),
        None => container.stored_len(),
    }
}

/// Where the first container may begin.
fn find(bytes: &[u8]) -> Option<usize> {
    bytes.windows(MAGIC.len()).position(|bytes| bytes == MAGIC)
}

fn frame<'a>(container: &Container<'a>, index: usize) -> Result<FoundFrame<'a>> {
    let segment = container.sound_segment(index)?;
    let n_pixels = segment.pixels.len() as u32;
    let header = *container.header();
    // What is stored of pixels is the same in both byte orders.
    let element = PixelType::try_from(if header.element.is_signed() { ElementType::I16 } else { ElementType::U16 })?;
    let header = Header { element, segment_pixels: n_pixels, n_bytes: 2 * n_pixels, ..header };
    Ok(FoundFrame { header, stored: container.plain_segment(&segment)? })
}

impl<'a> Found<'a> {
    /// Bytes that it has, or had before it was cut off.
    #[must_use]
    pub fn stored_len(&self) -> usize {
        self.container.stored_len()
    }

    /// Its frames in their order, and for one that is damaged why.
    pub fn frames(&self) -> impl Iterator<Item = Result<FoundFrame<'a>>> + '_ {
        (0..self.container.n_segments()).map(|index| frame(&self.container, index))
    }
}

impl FoundFrame<'_> {
    /// Type of its pixels: `int16` or `uint16` of this machine, whatever order the dataset had.
    #[must_use]
    pub fn element(&self) -> ElementType {
        if self.header.element.is_signed() { ElementType::I16 } else { ElementType::U16 }
    }

    /// The threshold that it was encoded with.
    #[must_use]
    pub fn threshold(&self) -> u16 {
        self.header.threshold
    }

    /// Its pixels. Their rows and columns are not known.
    #[must_use]
    pub fn n_pixels(&self) -> usize {
        self.header.segment_pixels as usize
    }

    /// A container of this frame alone: a chunk of a dataset of [these elements](Self::element) that has one frame a chunk.
    ///
    /// # Errors
    /// [`Error::NoMemory`](crate::Error::NoMemory) where there is no memory for it.
    pub fn to_container(&self) -> Result<Vec<u8>> {
        let mut chunk = buffer(self.header.payload_start() + self.stored.len())?;
        let mut writer = ContainerWriter::new(&mut chunk, self.header)?;
        writer.append_segment(&self.stored)?;
        let n_bytes = writer.finish()?;
        chunk.truncate(n_bytes);
        Ok(chunk)
    }
}
