//! The pass over every pixel: the calling thread reads a block while threads compare the one before.

use std::sync::Mutex;
use std::sync::PoisonError;

use darkchunk_metrics::{Comparison, FloatComparison, Pair, Pixel, Shape};

use super::codec::Cost;
use super::frames::{Element, checksum, order};
use super::{Progress, Source, Speed, Work};
use crate::{Error, Result};

/// Bytes of the reference that are read at once, if a frame is not larger, nor the frames of a chunk.
const BLOCK_BYTES: usize = 32 << 20;

/// Frames of a chunk are read at once if they have no more than this.
const MAX_BLOCK_BYTES: usize = 256 << 20;

/// What takes pairs of frames.
pub(super) trait Takes<P>: Clone + Send + Sync {
    fn take(&mut self, frame: u64, shape: Shape, x: &[P], y: &[P]) -> darkchunk_metrics::Result<()>;

    /// Adds what another one has of other frames.
    fn join(&mut self, other: &Self);
}

impl<P: Pixel> Takes<P> for Comparison {
    fn take(&mut self, frame: u64, shape: Shape, x: &[P], y: &[P]) -> darkchunk_metrics::Result<()> {
        self.add(frame, &Pair::new(shape, x, y)?)
    }

    fn join(&mut self, other: &Self) {
        self.merge(other);
    }
}

impl<P: Copy + Into<f64>> Takes<P> for FloatComparison {
    fn take(&mut self, frame: u64, _: Shape, x: &[P], y: &[P]) -> darkchunk_metrics::Result<()> {
        self.add(frame, x, y)
    }

    fn join(&mut self, other: &Self) {
        self.merge(other);
    }
}

/// What the pass found beside the metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) reference_crc32: u32,
    pub(super) test_crc32: u32,
    pub(super) n_encoded: u64,
    cost: Cost,
}

impl Totals {
    pub(super) fn speed(&self) -> Option<Speed> {
        let speed = |time: std::time::Duration| self.cost.n_bytes as f64 / time.as_secs_f64().max(1e-9);
        (self.cost.n_bytes > 0).then(|| Speed { encode: speed(self.cost.encode), decode: speed(self.cost.decode) })
    }
}

/// Frames of both, read.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) first: u64,
    pub(super) x: Vec<u8>,
    /// Empty where a codec makes it.
    pub(super) y: Vec<u8>,
}

impl Work {
    /// Reads `n` frames from `first` on.
    pub(super) fn read(&self, first: u64, n: u64, block: &mut Block) -> Result<()> {
        let n_bytes = (n as usize).saturating_mul(self.reference.frame_bytes());
        block.first = first;
        resize(&mut block.x, n_bytes)?;
        self.reference.read(first, &mut block.x)?;
        if let Source::Dataset(test) = &self.test {
            resize(&mut block.y, n_bytes)?;
            test.read(first, &mut block.y)?;
        }
        Ok(())
    }

    /// Frames of a block: whole chunks and units.
    pub(super) fn block_frames(&self) -> u64 {
        let frame_bytes = self.reference.frame_bytes();
        let (unit, fitting) = (self.unit_frames(), (BLOCK_BYTES / frame_bytes).max(1) as u64);
        let chunk = self.reference.chunk_frames;
        let together =
            if chunk.saturating_mul(frame_bytes as u64) <= MAX_BLOCK_BYTES as u64 { chunk.max(unit) } else { unit };
        let n = fitting.max(together) / together * together;
        // Units are never cut; chunks that are read twice cost time only.
        n.div_ceil(unit) * unit
    }
}

/// Room for so many bytes. A file may claim more than there is memory for, which is an error.
fn resize(bytes: &mut Vec<u8>, n_bytes: usize) -> Result<()> {
    if bytes.len() < n_bytes {
        *bytes = darkchunk::pipeline::buffer(n_bytes)?;
    }
    bytes.truncate(n_bytes);
    Ok(())
}

/// What a thread has found.
struct Part<C> {
    comparison: C,
    cost: Cost,
    /// Of each unit: its first frame, and the checksums.
    checksums: Vec<(u64, crc32fast::Hasher, crc32fast::Hasher)>,
    failed: Option<(u64, Error)>,
}

pub(super) fn every_pixel<P: Element, C: Takes<P>>(
    work: &Work,
    comparison: &mut C,
    progress: &mut dyn FnMut(Progress),
) -> Result<Totals> {
    let empty = comparison.clone();
    let part = || Part { comparison: empty.clone(), cost: Cost::default(), checksums: Vec::new(), failed: None };
    let mut parts: Vec<Part<C>> = (0..work.n_threads()).map(|_| part()).collect();
    let (n_frames, step) = (work.reference.n_frames, work.block_frames());
    let frame_bytes = work.reference.frame_bytes() as u64;
    let mut totals = (crc32fast::Hasher::new(), crc32fast::Hasher::new());
    let (mut block, mut next) = (Block::default(), Block::default());
    work.read(0, step.min(n_frames), &mut block)?;
    let mut first = 0;
    while first < n_frames {
        let after = (first + step).min(n_frames);
        let n_next = step.min(n_frames - after);
        let queue = Mutex::new(units(work, &block));
        std::thread::scope(|scope| {
            let queue = &queue;
            let start = |part| scope.spawn(move || drain::<P, C>(work, queue, part));
            let threads: Vec<_> = parts.iter_mut().map(start).collect();
            let read = if n_next > 0 { work.read(after, n_next, &mut next) } else { Ok(()) };
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| super::sample::panicked()))?;
            read
        })?;
        finish_block(&mut parts, &mut totals)?;
        progress(Progress { n_done: after * frame_bytes, n_all: n_frames * frame_bytes });
        std::mem::swap(&mut block, &mut next);
        first = after;
    }
    let mut cost = Cost::default();
    for part in &parts {
        comparison.join(&part.comparison);
        cost.add(&part.cost);
    }
    let (x, y) = totals;
    Ok(Totals { reference_crc32: x.finalize(), test_crc32: y.finalize(), n_encoded: cost.n_encoded, cost })
}

/// The first of what failed, else the checksums in the order of the frames.
fn finish_block<C>(parts: &mut [Part<C>], totals: &mut (crc32fast::Hasher, crc32fast::Hasher)) -> Result<()> {
    let failed = parts.iter_mut().filter_map(|part| part.failed.take()).min_by_key(|(frame, _)| *frame);
    if let Some((_, error)) = failed {
        return Err(error);
    }
    let mut checksums: Vec<_> = parts.iter_mut().flat_map(|part| part.checksums.drain(..)).collect();
    checksums.sort_by_key(|(frame, ..)| *frame);
    for (_, x, y) in &checksums {
        totals.0.combine(x);
        totals.1.combine(y);
    }
    Ok(())
}

/// A unit: its first frame, x, y.
type Unit<'a> = (u64, &'a [u8], &'a [u8]);

fn units<'a>(work: &Work, block: &'a Block) -> std::vec::IntoIter<Unit<'a>> {
    let unit_bytes = work.unit_frames() as usize * work.reference.frame_bytes();
    let y = |at: usize, len: usize| block.y.get(at..at + len).unwrap_or_default();
    let unit = |(index, x): (usize, &'a [u8])| {
        (block.first + index as u64 * work.unit_frames(), x, y(index * unit_bytes, x.len()))
    };
    block.x.chunks(unit_bytes).enumerate().map(unit).collect::<Vec<_>>().into_iter()
}

fn drain<P: Element, C: Takes<P>>(work: &Work, queue: &Mutex<std::vec::IntoIter<Unit<'_>>>, part: &mut Part<C>) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut pixels = (Vec::new(), Vec::new());
    while let Some((first, x, y)) = next() {
        if let Err(error) = one_unit(work, (first, x, y), part, &mut pixels) {
            part.failed.get_or_insert((first, error));
            return;
        }
    }
}

fn one_unit<P: Element, C: Takes<P>>(
    work: &Work,
    unit: Unit<'_>,
    part: &mut Part<C>,
    pixels: &mut (Vec<P>, Vec<P>),
) -> Result<()> {
    let (first, x, y) = unit;
    let (y, element_y) = decoded(work, first, x, y, &mut part.cost)?;
    let element = work.reference.reader.element();
    part.checksums.push((first, checksum(x, element), checksum(&y, element_y)));
    let frame_bytes = work.reference.frame_bytes();
    for ((x, y), frame) in x.chunks_exact(frame_bytes).zip(y.chunks_exact(frame_bytes)).zip(first..) {
        P::read(x, order(element), &mut pixels.0);
        P::read(y, order(element_y), &mut pixels.1);
        let shape = work.reference.shape;
        part.comparison.take(frame, shape, &pixels.0, &pixels.1).map_err(super::setting)?;
    }
    Ok(())
}

/// y, and its element type.
pub(super) fn decoded<'a>(
    work: &Work,
    first: u64,
    x: &[u8],
    y: &'a [u8],
    cost: &mut Cost,
) -> Result<(std::borrow::Cow<'a, [u8]>, darkchunk::element::ElementType)> {
    match &work.test {
        Source::Dataset(test) => Ok((y.into(), test.reader.element())),
        Source::Codec(applied) => {
            let (decoded, more) = applied.round_trip(first, x)?;
            cost.add(&more);
            Ok((decoded.into(), work.reference.reader.element()))
        }
    }
}
