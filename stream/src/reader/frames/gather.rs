//! What is made of the pixels that are not 0.

use std::ops::Range;
use std::sync::Arc;

use super::pixels::Kind;
use crate::{Error, Result};

/// Takes pixels of frames, in any order of frames.
pub(super) trait Gather: Send + 'static {
    /// Up to so many frames follow, all of whose pixels come before it is called again.
    ///
    /// # Errors
    /// [`darkchunk::Error::NoMemory`]
    fn begin(&mut self, _n_frames: u64) -> darkchunk::Result<()> {
        Ok(())
    }

    /// Pixels of `frame` from its pixel `first` on. No pixel that is not 0 comes twice.
    fn take(&mut self, frame: u64, first: usize, bytes: &[u8]);
}

/// Pixels that are not 0, frame by frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sparse {
    /// Where each frame begins among the pixels; one more than there are frames.
    pub offsets: Vec<u64>,
    /// Which pixel of its frame each is; they rise within a frame.
    pub indices: Vec<u32>,
    /// Their values, as elements of the dataset.
    pub values: Vec<u8>,
}

pub(super) struct Select {
    kind: Kind,
    ignore: Option<i64>,
    frames: Vec<(u64, Pixels)>,
}

/// Places and values; values as their lowest 32 bits.
#[derive(Default)]
struct Pixels {
    indices: Vec<u32>,
    values: Vec<u32>,
}

impl Pixels {
    fn sort(&mut self) {
        let mut both: Vec<(u32, u32)> = self.indices.iter().copied().zip(self.values.iter().copied()).collect();
        both.sort_unstable_by_key(|(index, _)| *index);
        (self.indices, self.values) = both.into_iter().unzip();
    }
}

impl Select {
    pub(super) fn new(kind: Kind, ignore: Option<i64>) -> Self {
        Self { kind, ignore, frames: Vec::new() }
    }

    pub(super) fn join(found: Vec<Self>, frames: Range<u64>, kind: Kind) -> Sparse {
        let mut all: Vec<_> = found.into_iter().flat_map(|part| part.frames).collect();
        all.sort_by_key(|(frame, _)| *frame);
        let n: usize = all.iter().map(|(_, pixels)| pixels.indices.len()).sum();
        let (indices, values) = (Vec::with_capacity(n), Vec::with_capacity(n * kind.n_bytes));
        let mut joined = Sparse { offsets: vec![0], indices, values };
        let mut all = all.into_iter().peekable();
        for frame in frames {
            while let Some((_, mut pixels)) = all.next_if(|(found, _)| *found == frame) {
                if !pixels.indices.is_sorted() {
                    pixels.sort();
                }
                joined.indices.extend_from_slice(&pixels.indices);
                kind.put_all(&pixels.values, &mut joined.values);
            }
            joined.offsets.push(joined.indices.len() as u64);
        }
        joined
    }
}

impl Gather for Select {
    fn take(&mut self, frame: u64, first: usize, bytes: &[u8]) {
        if self.frames.last().is_none_or(|(last, _)| *last != frame) {
            self.frames.push((frame, Pixels::default()));
        }
        let (ignore, Some((_, pixels))) = (self.ignore, self.frames.last_mut()) else { return };
        self.kind.each(bytes, |index, value| {
            if value != 0 && Some(value) != ignore {
                pixels.indices.push((first + index) as u32);
                pixels.values.push(value as u32);
            }
        });
    }
}

/// Of each frame and each region: frame by frame, region by region.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Regions {
    /// The sum of the pixels.
    pub sums: Vec<i64>,
    /// The sum of their squares.
    pub squares: Vec<f64>,
    /// How many there are that are not ignored, zeros among them.
    pub counts: Vec<u64>,
}

pub(super) struct Labelled {
    kind: Kind,
    ignore: Option<i64>,
    labels: Arc<[u32]>,
    n_labels: usize,
    frames: Vec<(u64, Vec<Region>)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Region {
    sum: i64,
    squares: f64,
    ignored: u64,
    /// Pixels that are neither 0 nor ignored.
    n: u64,
}

impl Labelled {
    pub(super) fn new(kind: Kind, labels: &Arc<[u32]>, n_labels: usize, ignore: Option<i64>) -> Self {
        Self { kind, ignore, labels: Arc::clone(labels), n_labels, frames: Vec::new() }
    }

    pub(super) fn join(
        found: Vec<Self>,
        frames: Range<u64>,
        (labels, n_labels): (&[u32], usize),
        ignore: Option<i64>,
    ) -> Result<Regions> {
        let n = usize::try_from(frames.end - frames.start).ok().and_then(|n| n.checked_mul(n_labels));
        let n = n.filter(|n| isize::try_from(n.saturating_mul(8)).is_ok());
        let n = n.ok_or_else(|| Error::Argument("frames and labels are more than memory has".into()))?;
        let mut sizes = vec![0_u64; n_labels];
        // Where zeros are ignored, those are counted that are none.
        for label in labels.iter().filter(|_| ignore != Some(0)) {
            if let Some(size) = sizes.get_mut(*label as usize) {
                *size += 1;
            }
        }
        let mut joined = Regions { sums: vec![0; n], squares: vec![0.0; n], counts: sizes.repeat(n / n_labels.max(1)) };
        for (frame, regions) in found.into_iter().flat_map(|part| part.frames) {
            let first = (frame - frames.start) as usize * n_labels;
            for (index, region) in (first..).zip(regions) {
                joined.sums[index] += region.sum;
                joined.squares[index] += region.squares;
                if ignore == Some(0) {
                    joined.counts[index] += region.n;
                } else {
                    joined.counts[index] -= region.ignored;
                }
            }
        }
        Ok(joined)
    }
}

impl Gather for Labelled {
    fn take(&mut self, frame: u64, first: usize, bytes: &[u8]) {
        if self.frames.last().is_none_or(|(last, _)| *last != frame) {
            self.frames.push((frame, vec![Region::default(); self.n_labels]));
        }
        let (ignore, Some((_, regions))) = (self.ignore, self.frames.last_mut()) else { return };
        let labels = &self.labels[first..];
        self.kind.each(bytes, |index, value| {
            let Some(region) = regions.get_mut(labels[index] as usize) else { return };
            if Some(value) == ignore {
                region.ignored += 1;
                return;
            }
            region.n += u64::from(value != 0);
            region.sum += value;
            region.squares += value as f64 * value as f64;
        });
    }
}
