//! The greatest value of each pixel, of frames as they are stored: each worker its own, from the chunks that it has encoded.
//!
//! DRLE's chunks say their bright pixels, so that no image is decoded. Those of other filters are decoded again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkchunk::chunk::{ChunkShape, Filter, FrameElement};
use darkchunk::codec::drle::Drle;
use darkchunk::element::{ElementClass, as_bytes_mut};
use darkchunk::{Exec, Result};

/// The maximum image of one worker.
#[derive(Debug)]
pub(super) struct Maximum<P> {
    pixels: Vec<P>,
    n_frames: u64,
    /// Memory for a decoded chunk.
    chunk: Vec<P>,
}

pub(super) type SharedMaximum<P> = Arc<Mutex<Maximum<P>>>;

pub(super) fn lock<P>(maximum: &Mutex<Maximum<P>>) -> MutexGuard<'_, Maximum<P>> {
    maximum.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: FrameElement + Into<i64>> Maximum<P> {
    /// Of no frame.
    pub(super) fn new(n_pixels: usize) -> Self {
        Self { pixels: vec![P::default(); n_pixels], n_frames: 0, chunk: Vec::new() }
    }

    /// Adds the frames at these places of a chunk, of which the others are zeros.
    pub(super) fn add(
        &mut self,
        exec: Exec,
        (shape, filter): (&ChunkShape, Option<&Filter>),
        stored: &[u8],
        places: impl Iterator<Item = usize>,
    ) -> Result<()> {
        if let Some(filter @ Filter::Drle(drle)) = filter
            && !has_negative::<P>(drle)
        {
            self.add_bright(exec, filter, stored)?;
            self.n_frames += places.count() as u64;
            return Ok(());
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.resize(shape.chunk_pixels(), P::default());
        match filter {
            Some(filter) => filter.decode(exec, stored, as_bytes_mut(&mut chunk))?,
            None => as_bytes_mut(&mut chunk).copy_from_slice(stored),
        }
        let n_pixels = shape.frame_pixels();
        places.for_each(|place| self.merge(&chunk[place * n_pixels..][..n_pixels], 1));
        self.chunk = chunk;
        Ok(())
    }

    /// Adds what is not 0 in a chunk of pixels of 16 bits, none of which is negative.
    fn add_bright(&mut self, exec: Exec, filter: &Filter, stored: &[u8]) -> Result<()> {
        let greatest = as_bytes_mut(&mut self.pixels);
        let n_bytes = greatest.len();
        filter.open(stored)?.visit(exec.level, 2, &mut |at, pixels| {
            // Of a bare stream all frames come in one piece.
            let mut place = at % n_bytes;
            for pixel in pixels.chunks_exact(2) {
                let (greatest, value) =
                    (&mut greatest[place..place + 2], |two: &[u8]| u16::from_ne_bytes([two[0], two[1]]));
                if value(pixel) > value(greatest) {
                    greatest.copy_from_slice(pixel);
                }
                place = (place + 2) % n_bytes;
            }
        })
    }

    /// Adds the maximum of other frames.
    pub(super) fn merge(&mut self, pixels: &[P], n_frames: u64) {
        if self.n_frames == 0 {
            self.pixels.copy_from_slice(pixels);
        } else {
            let is_less = |own: &P, other: &P| Into::<i64>::into(*own) < (*other).into();
            for (own, other) in self.pixels.iter_mut().zip(pixels) {
                *own = if is_less(own, other) { *other } else { *own };
            }
        }
        self.n_frames += n_frames;
    }

    /// Its pixels, and of how many frames.
    pub(super) fn get(&self) -> (&[P], u64) {
        (&self.pixels, self.n_frames)
    }
}

/// Whether what is stored may be negative: a sentinel of a signed type.
fn has_negative<P: FrameElement>(drle: &Drle) -> bool {
    let is_negative = |bits: &u16| bits.cast_signed() < 0;
    P::TYPE.class == ElementClass::Signed && drle.sentinels().values().iter().any(is_negative)
}
