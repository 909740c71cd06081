//! Puts a container together from segments that are encoded where they will stand.

use super::container::{HEADER_BYTES, Header, TABLE_ENTRY_BYTES, VERSION, VERSION_WITH_EXCEPTIONS, entry_at};
use super::segment;
use crate::codec::cursor::Cursor;
use crate::kernels::dark::Exceptions;
use crate::{Error, Result};
use std::ops::Range;

/// How far a container is that is put together over time: what [`ContainerWriter`] knows without its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    n_finished: usize,
    at: usize,
    /// Whether a segment has a list.
    has_list: bool,
}

impl Progress {
    /// No segment yet.
    #[must_use]
    pub fn start(header: &Header) -> Self {
        Self { n_finished: 0, at: header.payload_start(), has_list: false }
    }
}

/// A container that is being written: for each segment, encode to the front of [`segment_mut`](Self::segment_mut) and
/// call [`finish_segment`](Self::finish_segment); then [`finish`](Self::finish).
///
/// ```
/// use darkchunk::codec::drle::{Container, ContainerWriter, Header, PixelType};
/// use darkchunk::cpu::Level;
/// use darkchunk::kernels::dark::{self, Correction};
///
/// let frames = [[0_i16, 7, 0, 0], [0, 0, 0, 9]];
/// let header = Header { element: PixelType::I16Le, threshold: 5, segment_pixels: 4, n_bytes: 16 };
/// let mut chunk = vec![0; header.max_container_len()];
/// let mut writer = ContainerWriter::new(&mut chunk, header)?;
/// for frame in &frames {
///     let tokens = writer.segment_mut();
///     let encoded = dark::encode(Level::current(), &[frame], &Correction::threshold(5), None, tokens)?;
///     writer.finish_segment(encoded.n_bytes)?;
/// }
/// let n_bytes = writer.finish()?;
///
/// let mut second = [0; 8];
/// Container::open(&chunk[..n_bytes])?.decode_segment(Level::current(), 1, &mut second)?;
/// assert_eq!(second, [0, 0, 0, 0, 0, 0, 9, 0]);
/// # Ok::<(), darkchunk::Error>(())
/// ```
#[derive(Debug)]
pub struct ContainerWriter<'a> {
    dst: &'a mut [u8],
    header: Header,
    /// Segments finished.
    n_finished: usize,
    /// Where the next one begins.
    at: usize,
    /// Whether a segment has a list.
    has_list: bool,
}

impl<'a> ContainerWriter<'a> {
    /// A container at the front of `dst`, for which [`Header::max_container_len`] bytes are always enough.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`] where not even header and table fit, [`Error::Corrupt`] for a header that contradicts
    /// itself.
    pub fn new(dst: &'a mut [u8], header: Header) -> Result<Self> {
        Self::resume(dst, header, Progress::start(&header))
    }

    /// Goes on with a container that was [paused](Self::pause): the same header, and the output with what stands in it.
    /// Segments that were finished after the pause are written over.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn resume(dst: &'a mut [u8], header: Header, progress: Progress) -> Result<Self> {
        header.check()?;
        let Progress { n_finished, at, has_list } = progress;
        if dst.len() < at {
            return Err(Error::OutputTooSmall { needed: header.max_container_len(), available: dst.len() });
        }
        Ok(Self { dst, header, n_finished, at, has_list })
    }

    /// Gives the output back for a while.
    #[must_use]
    pub fn pause(self) -> Progress {
        Progress { n_finished: self.n_finished, at: self.at, has_list: self.has_list }
    }

    /// All that is left of the output, for the next segment.
    pub fn segment_mut(&mut self) -> &mut [u8] {
        &mut self.dst[self.at..]
    }

    /// The pixels of the next segment, counted in the chunk. Empty where all are finished.
    #[must_use]
    pub fn next_pixels(&self) -> Range<usize> {
        self.header.pixels(self.n_finished)
    }

    /// The next segment's stream is the first `n_bytes` of [`segment_mut`](Self::segment_mut), and these are its exceptions.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn finish_segment_with(&mut self, n_bytes: usize, exceptions: &Exceptions) -> Result<()> {
        let n_pixels = self.next_pixels().len();
        let n_bytes = segment::close(self.segment_mut(), n_bytes, n_pixels, exceptions)?;
        self.finish_segment(n_bytes)
    }

    /// The next segment is the first `n_bytes` of [`segment_mut`](Self::segment_mut), as a rule a stream.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where all segments are finished, or the container would pass the 4 GiB that it can have;
    /// [`Error::OutputTooSmall`] where the output has no `n_bytes` left.
    pub fn finish_segment(&mut self, n_bytes: usize) -> Result<()> {
        let (needed, available) = (self.at.saturating_add(n_bytes), self.dst.len());
        let stream = self.dst.get(self.at..needed).ok_or(Error::OutputTooSmall { needed, available })?;
        let checksum = crc32fast::hash(stream);
        self.enter_segment(n_bytes, checksum)
    }

    /// The next segment stands in the output from `from` on, at [`segment_mut`](Self::segment_mut) or behind it;
    /// the table has its length and its checksum. Returns the length.
    pub(super) fn move_segment(&mut self, from: usize) -> Result<usize> {
        let mut entry = Cursor::new(&self.dst[entry_at(self.n_finished)..]);
        let (n_bytes, checksum) = (entry.u32_le()? as usize, entry.u32_le()?);
        self.dst.copy_within(from..from + n_bytes, self.at);
        self.enter_segment(n_bytes, checksum)?;
        Ok(n_bytes)
    }

    /// Enters the next segment, which is in its place, in the table.
    fn enter_segment(&mut self, n_bytes: usize, checksum: u32) -> Result<()> {
        if self.n_finished == self.header.n_segments() {
            return Err(Error::Unsupported(format!("the chunk has {} segments, all are there", self.n_finished)));
        }
        let end = u32::try_from(self.at + n_bytes).map_err(|_| {
            Error::Unsupported(
                "the encoded chunk is larger than the 4 GiB that a DRLE chunk can have: use smaller chunks".into(),
            )
        })?;
        let entry = &mut self.dst[entry_at(self.n_finished)..][..TABLE_ENTRY_BYTES];
        entry[..4].copy_from_slice(&end.to_le_bytes());
        entry[4..].copy_from_slice(&checksum.to_le_bytes());
        self.at += n_bytes;
        self.n_finished += 1;
        // A stream has an even number of bytes.
        self.has_list |= !n_bytes.is_multiple_of(2);
        Ok(())
    }

    /// The next segments are the first bytes, `lens` in turn, of pieces of `piece_bytes` of
    /// [`segment_mut`](Self::segment_mut). None is longer than its piece.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn finish_segments(&mut self, piece_bytes: usize, lens: &[usize]) -> Result<()> {
        let first = self.at;
        for (index, n_bytes) in lens.iter().enumerate() {
            let start = first + index * piece_bytes;
            let (needed, available) = (start.saturating_add(*n_bytes), self.dst.len());
            if needed > available {
                return Err(Error::OutputTooSmall { needed, available });
            }
            self.dst.copy_within(start..needed, self.at);
            self.finish_segment(*n_bytes)?;
        }
        Ok(())
    }

    /// Appends a segment that was encoded elsewhere.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn append_segment(&mut self, stream: &[u8]) -> Result<()> {
        let (needed, available) = (self.at.saturating_add(stream.len()), self.dst.len());
        let room = self.segment_mut().get_mut(..stream.len());
        room.ok_or(Error::OutputTooSmall { needed, available })?.copy_from_slice(stream);
        self.finish_segment(stream.len())
    }

    /// Appends a segment all of whose pixels are 0 or, where there is a `fill`, sentinels of this value: padding behind the
    /// last frame of a dataset.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn append_padding(&mut self, fill: Option<u16>) -> Result<()> {
        let n_pixels = self.next_pixels().len();
        let mut exceptions = Exceptions::default();
        if let Some(fill) = fill {
            exceptions.push_sentinels(0, n_pixels, fill);
        }
        let room = self.segment_mut();
        let n_bytes = segment::put_dark(room, n_pixels)?;
        let n_bytes = segment::close(room, n_bytes, n_pixels, &exceptions)?;
        self.finish_segment(n_bytes)
    }

    /// Writes the header and returns the container's bytes, all at the front of the output.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where a segment is missing.
    pub fn finish(self) -> Result<usize> {
        if self.n_finished != self.header.n_segments() {
            let (found, expected) = (self.n_finished, self.header.n_segments());
            return Err(Error::Unsupported(format!("the chunk has {expected} segments, only {found} are there")));
        }
        let header = self.header.to_bytes(if self.has_list { VERSION_WITH_EXCEPTIONS } else { VERSION });
        self.dst[..header.len()].copy_from_slice(&header);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header);
        hasher.update(&self.dst[HEADER_BYTES..self.header.payload_start()]);
        self.dst[header.len()..HEADER_BYTES].copy_from_slice(&hasher.finalize().to_le_bytes());
        Ok(self.at)
    }
}
