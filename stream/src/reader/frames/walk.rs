//! All pixels of frames that are not 0, chunk by chunk in threads, or image by image.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use darkchunk::Threads;
use darkchunk::cpu::Level;

use super::gather::Gather;
use super::pixels::Kind;
use crate::reader::buffer::zeroed;
use crate::reader::partial::Counts;
use crate::reader::pool::Share;
use crate::reader::work::{Known, read_chunk};
use crate::reader::{Missing, Reader, Way};
use crate::{Error, Result};

/// Which frames are walked, and until when.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    /// Of a frame.
    pub(super) n_pixels: usize,
    pub(super) frames: Range<u64>,
    pub(super) deadline: Option<Instant>,
}

impl Wanted {
    pub(super) fn all(kind: Kind, n_pixels: usize, frames: Range<u64>) -> Self {
        Self { kind, n_pixels, frames, deadline: None }
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Has what `make` makes, one for each thread, take all pixels of the frames.
pub(super) fn walk_all<G: Gather>(
    reader: &Reader,
    wanted: Wanted,
    make: impl Fn() -> G + Send + Sync + 'static,
) -> Result<Vec<G>> {
    let mut gathered = Vec::new();
    walk(reader, wanted, &mut gathered, make)?;
    Ok(gathered)
}

/// Has what is in `gathered`, and what `make` makes for more threads, take pixels of the frames until the time is over, and returns the
/// first frame that is left.
pub(super) fn walk<G: Gather>(
    reader: &Reader,
    wanted: Wanted,
    gathered: &mut Vec<G>,
    make: impl Fn() -> G + Send + Sync + 'static,
) -> Result<u64> {
    if wanted.frames.is_empty() || wanted.n_pixels == 0 {
        return Ok(wanted.frames.end);
    }
    if !has_whole_frames(reader) {
        let mut one = gathered.pop().unwrap_or_else(make);
        let next = images(reader, &wanted, &mut one);
        gathered.push(one);
        return next;
    }
    let walk = Arc::new(Walk::new(reader, wanted, std::mem::take(gathered), Box::new(make)));
    let n_threads = (reader.options.n_threads as u64).min(walk.end - walk.begin) as usize;
    reader.pool.run(n_threads.saturating_sub(1), Arc::clone(&walk) as Arc<dyn Share>);
    let mut found = walk.found();
    *gathered = std::mem::take(&mut found.gathered);
    found.error.take().map_or_else(|| Ok(walk.first_left()), |(_, error)| Err(error))
}

/// Whether chunks are whole frames that are read directly.
fn has_whole_frames(reader: &Reader) -> bool {
    let known = &reader.known;
    reader.way == Way::Direct && known.is_chunked && known.map.is_some() && known.dims[1..] == known.block[1..]
}

/// Frames as images, one after the other.
fn images<G: Gather>(reader: &Reader, wanted: &Wanted, found: &mut G) -> Result<u64> {
    let mut image = zeroed(wanted.n_pixels * wanted.kind.n_bytes)?;
    let (mut start, mut count) = (vec![0; reader.dims().len()], reader.dims().to_vec());
    count[0] = 1;
    for frame in wanted.frames.clone() {
        if frame > wanted.frames.start && wanted.is_over() {
            return Ok(frame);
        }
        start[0] = frame;
        reader.read(&start, &count, None, &mut image)?;
        found.begin(1)?;
        found.take(frame, 0, &image);
    }
    Ok(wanted.frames.end)
}

struct Walk<G> {
    known: Arc<Known>,
    counts: Arc<Counts>,
    missing: Missing,
    wanted: Wanted,
    /// Chunks along the first axis.
    begin: u64,
    next: AtomicU64,
    end: u64,
    make: Box<dyn Fn() -> G + Send + Sync>,
    has_failed: AtomicBool,
    found: Mutex<Found<G>>,
}

struct Found<G> {
    /// Those that no thread is using.
    gathered: Vec<G>,
    /// Of the first chunk that failed.
    error: Option<(u64, Error)>,
}

impl<G: Gather> Share for Walk<G> {
    fn work(&self) {
        let (mut gather, mut stored, mut decoded) = (None, Vec::new(), Vec::new());
        while self.goes_on() {
            let index = self.next.fetch_add(1, Ordering::AcqRel);
            if index >= self.end {
                break;
            }
            let gather = gather.get_or_insert_with(|| self.gather());
            if let Err(error) = self.chunk(index, gather, &mut stored, &mut decoded) {
                self.fail(index, error);
            }
        }
        self.found().gathered.extend(gather);
    }
}

impl<G: Gather> Walk<G> {
    fn new(reader: &Reader, wanted: Wanted, gathered: Vec<G>, make: Box<dyn Fn() -> G + Send + Sync>) -> Self {
        let (known, counts, missing) = (Arc::clone(&reader.known), Arc::clone(&reader.counts), reader.options.missing);
        let per_chunk = known.block[0];
        let (begin, end) = (wanted.frames.start / per_chunk, wanted.frames.end.div_ceil(per_chunk));
        let (next, has_failed) = (AtomicU64::new(begin), AtomicBool::new(false));
        let found = Mutex::new(Found { gathered, error: None });
        Self { known, counts, missing, wanted, begin, next, end, make, has_failed, found }
    }

    /// The first frame of the chunks that nobody has taken.
    fn first_left(&self) -> u64 {
        let next = self.next.load(Ordering::Acquire).min(self.end);
        next.saturating_mul(self.known.block[0]).min(self.wanted.frames.end)
    }

    fn frame_bytes(&self) -> usize {
        self.wanted.n_pixels * self.wanted.kind.n_bytes
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Found<G>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gather(&self) -> G {
        let kept = self.found().gathered.pop();
        kept.unwrap_or_else(&self.make)
    }

    /// Whether another chunk is to be begun. The first one always is, so that every call gets on.
    fn goes_on(&self) -> bool {
        !self.has_failed.load(Ordering::Acquire)
            && (self.next.load(Ordering::Acquire) == self.begin || !self.wanted.is_over())
    }

    fn fail(&self, index: u64, error: Error) {
        let mut found = self.found();
        if found.error.as_ref().is_none_or(|(first, _)| index < *first) {
            found.error = Some((index, error));
        }
        self.has_failed.store(true, Ordering::Release);
    }

    fn chunk(&self, index: u64, gather: &mut G, stored: &mut Vec<u8>, decoded: &mut Vec<u8>) -> Result<()> {
        let known = &*self.known;
        let mut place = vec![0; known.dims.len()];
        place[0] = index;
        let mut offset = place.clone();
        offset[0] = index * known.block[0];
        let (Some(map), Some(located)) = (&known.map, &known.located) else { return Ok(()) };
        gather.begin(known.block[0])?;
        let mut take = |at: usize, bytes: &[u8]| self.take(offset[0], at, bytes, gather);
        let Some(chunk) = map.get(&place) else {
            if self.missing == Missing::Error {
                return Err(Error::Missing { offset });
            }
            if known.fill.iter().any(|byte| *byte != 0) {
                take(0, &known.fill.repeat(known.block_bytes / known.element_bytes));
            }
            return Ok(());
        };
        let bytes = read_chunk(known, located, chunk, &offset, stored)?;
        Counts::add(&self.counts.read_bytes, bytes.len());
        Counts::add(&self.counts.whole_chunks, 1);
        Counts::add(&self.counts.decoded_bytes, known.block_bytes);
        let is_edge = offset[0].saturating_add(known.block[0]) > known.dims[0];
        let is_raw = known.edges_are_raw && is_edge;
        let fault = |source| Error::Chunk { offset: offset.clone(), source };
        if let Some(filter) = known.chain.alone(chunk.mask).filter(|_| !is_raw) {
            let open = filter.open(bytes).map_err(fault)?;
            if open.parts().is_some_and(|parts| parts.n_bytes == known.block_bytes) {
                return open.visit(Level::current(), self.wanted.kind.n_bytes, &mut take).map_err(fault);
            }
        }
        if decoded.len() != known.block_bytes {
            *decoded = zeroed(known.block_bytes).map_err(fault)?;
        }
        let none = crate::filters::Chain::default();
        let chain = if is_raw { &none } else { &known.chain };
        chain.decode(Threads::ONE.into(), chunk.mask, bytes, decoded).map_err(fault)?;
        take(0, decoded);
        Ok(())
    }

    /// Hands on what a piece of a chunk has of each frame that is wanted.
    fn take(&self, first_frame: u64, mut at: usize, mut bytes: &[u8], gather: &mut G) {
        let frame_bytes = self.frame_bytes();
        while !bytes.is_empty() {
            let (frame, inside) = (first_frame + (at / frame_bytes) as u64, at % frame_bytes);
            let (piece, rest) = bytes.split_at(bytes.len().min(frame_bytes - inside));
            if self.wanted.frames.contains(&frame) {
                gather.take(frame, inside / self.wanted.kind.n_bytes, piece);
            }
            (at, bytes) = (at + piece.len(), rest);
        }
    }
}
