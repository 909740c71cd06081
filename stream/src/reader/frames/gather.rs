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

/// Pixels that are looked at together, where many are taken.
const AT_ONCE: usize = 512;

/// One thread's pixels. Where it has all of them in order they are the result, without a copy.
pub(super) struct Select {
    n_bytes: usize,
    /// As it is stored; zeros where none is.
    ignore: [u8; 4],
    found: Pixels,
    /// With the place of the first pixel of each in what was found.
    frames: Vec<(u64, usize)>,
    /// For as many pixels as are looked at together.
    part: Box<([u32; AT_ONCE], [u8; 4 * AT_ONCE])>,
}

/// Places and values, which are elements of the dataset.
#[derive(Default)]
struct Pixels {
    indices: Vec<u32>,
    values: Vec<u8>,
}

impl Select {
    pub(super) fn new(kind: Kind, ignore: Option<i64>) -> Self {
        let ignore = ignore.and_then(|ignore| kind.stored(ignore)).unwrap_or_default();
        let part = Box::new(([0; AT_ONCE], [0; 4 * AT_ONCE]));
        Self { n_bytes: kind.n_bytes, ignore, found: Pixels::default(), frames: Vec::new(), part }
    }

    /// Where the pixels of each frame are.
    fn places(&self) -> impl Iterator<Item = (u64, Range<usize>)> {
        let ends = self.frames.iter().skip(1).map(|(_, begin)| *begin).chain([self.found.indices.len()]);
        self.frames.iter().zip(ends).map(|((frame, begin), end)| (*frame, *begin..end))
    }

    /// Puts the pixels of each frame in order.
    fn sort(&mut self) {
        let places: Vec<_> = self.places().map(|(_, place)| place).collect();
        let Pixels { indices, values } = &mut self.found;
        for place in places {
            let of = &mut values[place.start * self.n_bytes..place.end * self.n_bytes];
            let indices = &mut indices[place];
            if indices.is_sorted() {
                continue;
            }
            let mut order: Vec<usize> = (0..indices.len()).collect();
            order.sort_unstable_by_key(|at| indices[*at]);
            let (old_indices, old) = (indices.to_vec(), of.to_vec());
            for ((index, value), at) in indices.iter_mut().zip(of.chunks_mut(self.n_bytes)).zip(order) {
                *index = old_indices[at];
                value.copy_from_slice(&old[at * self.n_bytes..][..self.n_bytes]);
            }
        }
    }

    pub(super) fn join(mut found: Vec<Self>, frames: Range<u64>) -> Sparse {
        found.iter_mut().for_each(Self::sort);
        let mut all: Vec<_> =
            found.iter().flat_map(|part| part.places().map(move |(frame, place)| (frame, part, place))).collect();
        let is_in_order = found.len() == 1 && all.is_sorted_by_key(|(frame, ..)| *frame);
        all.sort_by_key(|(frame, ..)| *frame);
        let (mut offsets, mut n, mut rest) = (vec![0], 0, all.iter().peekable());
        for frame in frames {
            while let Some((_, _, place)) = rest.next_if(|(found, ..)| *found == frame) {
                n += place.len();
            }
            offsets.push(n as u64);
        }
        let joined = if is_in_order { None } else { Some(Pixels::join(&all, n)) };
        let Pixels { mut indices, mut values } =
            joined.or_else(|| found.pop().map(|one| one.found)).unwrap_or_default();
        indices.shrink_to_fit();
        values.shrink_to_fit();
        Sparse { offsets, indices, values }
    }

    /// Takes the pixels that are wanted. Where it is not known whether most are, no branch asks for each.
    fn select<const N: usize>(&mut self, first: usize, bytes: &[u8]) {
        let ignore: [u8; N] = std::array::from_fn(|i| self.ignore[i]);
        let is_wanted = |pixel: [u8; N]| pixel != [0; N] && pixel != ignore;
        let Pixels { indices, values } = &mut self.found;
        let (places, kept) = (&mut self.part.0, self.part.1.as_chunks_mut::<N>().0);
        for (part, pixels) in bytes.as_chunks::<N>().0.chunks(AT_ONCE).enumerate() {
            let (mut n, mut at) = (0, first + part * AT_ONCE);
            for pixels in pixels.chunks(64 / N) {
                // Most are zeros, in most frames.
                if pixels.as_flattened().iter().fold(0, |all, byte| all | byte) != 0 {
                    for (index, pixel) in (at..).zip(pixels) {
                        (places[n], kept[n]) = (index as u32, *pixel);
                        n += usize::from(is_wanted(*pixel));
                    }
                }
                at += pixels.len();
            }
            indices.extend_from_slice(&places[..n]);
            values.extend_from_slice(kept[..n].as_flattened());
        }
    }
}

impl Pixels {
    /// Those of several threads.
    fn join(all: &[(u64, &Select, Range<usize>)], n: usize) -> Self {
        let n_bytes = all.first().map_or(1, |(_, part, _)| part.n_bytes);
        let mut joined = Self { indices: Vec::with_capacity(n), values: Vec::with_capacity(n * n_bytes) };
        for (_, part, place) in all {
            joined.indices.extend_from_slice(&part.found.indices[place.clone()]);
            joined.values.extend_from_slice(&part.found.values[place.start * n_bytes..place.end * n_bytes]);
        }
        joined
    }
}

impl Gather for Select {
    fn take(&mut self, frame: u64, first: usize, bytes: &[u8]) {
        if self.frames.last().is_none_or(|(last, _)| *last != frame) {
            self.frames.push((frame, self.found.indices.len()));
        }
        match self.n_bytes {
            1 => self.select::<1>(first, bytes),
            2 => self.select::<2>(first, bytes),
            _ => self.select::<4>(first, bytes),
        }
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
