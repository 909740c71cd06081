//! Sums over bins that share pixels: each pixel has a weight in some of them, as where pixels are split among azimuthal bins.

use std::ops::Range;
use std::sync::Arc;

use super::gather::Gather;
use super::pixels::Kind;
use super::walk::{Wanted, walk_all};
use crate::reader::Reader;
use crate::{Error, Result};

/// Weights are also added up as integers: what is added and taken away again leaves nothing. Their sum stays below this.
const MOST: f64 = (1_u64 << 61) as f64;

/// How much of each pixel of a frame belongs to each bin: a sparse matrix.
#[derive(Debug, Clone)]
pub struct Bins {
    n_bins: usize,
    /// Where each pixel begins among the entries; one more than there are pixels.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// What a weight is multiplied with to be an integer.
    scale: f64,
    /// Of each bin, all pixels together.
    weights: Vec<i64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    bin: u32,
    weight: f32,
}

impl Bins {
    /// A matrix of frames with `n_pixels`, in compressed rows: row `i`, a bin, has the pixels `indices[k]` with `weights[k]` for `k` from
    /// `starts[i]` on, to before `starts[i + 1]`.
    ///
    /// # Errors
    /// [`Error::Argument`] where that is no matrix of such frames, or a weight is no number.
    pub fn new(n_pixels: usize, starts: &[u64], indices: &[u32], weights: &[f32]) -> Result<Self> {
        let rows = rows(n_pixels, starts, indices, weights)?;
        let total: f64 = weights.iter().map(|weight| f64::from(weight.abs())).sum();
        let scale = if total > 0.0 { (MOST / total).log2().floor().min(60.0).exp2() } else { 1.0 };
        let mut made = Self {
            n_bins: rows.len(),
            starts: columns(n_pixels, indices),
            entries: vec![Entry::default(); indices.len()],
            scale,
            weights: vec![0; rows.len()],
        };
        let mut next = made.starts.clone();
        for (bin, row) in rows.into_iter().enumerate() {
            for (pixel, weight) in indices[row.clone()].iter().zip(&weights[row]) {
                let at = &mut next[*pixel as usize];
                made.entries[*at as usize] = Entry { bin: bin as u32, weight: *weight };
                made.weights[bin] += made.whole(*weight);
                *at += 1;
            }
        }
        Ok(made)
    }

    /// Bins.
    #[must_use]
    pub fn n_bins(&self) -> usize {
        self.n_bins
    }

    fn n_pixels(&self) -> usize {
        self.starts.len() - 1
    }

    fn whole(&self, weight: f32) -> i64 {
        (f64::from(weight) * self.scale).round() as i64
    }

    fn of(&self, pixel: usize) -> &[Entry] {
        &self.entries[self.starts[pixel] as usize..self.starts[pixel + 1] as usize]
    }
}

/// The entries of each row, if the rows are those of a matrix.
fn rows(n_pixels: usize, starts: &[u64], indices: &[u32], weights: &[f32]) -> Result<Vec<Range<usize>>> {
    let refused = |why: &str| Err(Error::Argument(format!("no matrix of bins and {n_pixels} pixels: {why}")));
    let is_whole = starts.first() == Some(&0) && starts.last() == Some(&(indices.len() as u64));
    if !is_whole || !starts.is_sorted() || indices.len() != weights.len() {
        return refused("its rows are not all of its entries, one after the other");
    }
    if u32::try_from(indices.len()).is_err() || u32::try_from(starts.len()).is_err() {
        return refused("it has more entries than there are numbers of 32 bits");
    }
    if indices.iter().any(|pixel| *pixel as usize >= n_pixels) {
        return refused("an entry is of a pixel that a frame does not have");
    }
    if weights.iter().any(|weight| !weight.is_finite()) {
        return refused("a weight is no number");
    }
    Ok(starts.windows(2).map(|pair| pair[0] as usize..pair[1] as usize).collect())
}

/// Where each pixel begins, if entries are sorted by pixels.
fn columns(n_pixels: usize, indices: &[u32]) -> Vec<u32> {
    let mut starts = vec![0; n_pixels + 1];
    indices.iter().for_each(|pixel| starts[*pixel as usize + 1] += 1);
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}

/// Of each frame and each bin: frame by frame, bin by bin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Integrated {
    /// The sum of weight and pixel.
    pub sums: Vec<f64>,
    /// The sum of weight and the pixel's square.
    pub squares: Vec<f64>,
    /// The sum of the weights of the pixels that are not ignored.
    pub weights: Vec<f64>,
}

impl Reader {
    /// For each frame and each bin the weighted sum of its pixels, that of their squares, and that of their weights; without those that
    /// are `ignore`. The same whatever the number of threads.
    ///
    /// # Errors
    /// As [`sparse`](Self::sparse); [`Error::Argument`] for bins of frames with another number of pixels.
    pub fn integrate(&self, frames: Range<u64>, ignore: Option<i64>, bins: &Arc<Bins>) -> Result<Integrated> {
        let (kind, n_pixels) = self.frame()?;
        self.check_frames(&frames)?;
        if bins.n_pixels() != n_pixels {
            let of = bins.n_pixels();
            return Err(Error::Argument(format!("bins of {of} pixels, for {n_pixels} pixels of a frame")));
        }
        let shared = Arc::clone(bins);
        let make = move || Weigh { kind, ignore, bins: Arc::clone(&shared), frames: Vec::new() };
        let found = walk_all(self, Wanted::all(kind, n_pixels, frames.clone()), make)?;
        join(found, frames, bins, ignore)
    }
}

struct Weigh {
    kind: Kind,
    ignore: Option<i64>,
    bins: Arc<Bins>,
    frames: Vec<(u64, Vec<Bin>)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    sum: f64,
    squares: f64,
    /// Of ignored pixels; of those that are not 0, where zeros are ignored.
    weight: i64,
}

impl Gather for Weigh {
    fn take(&mut self, frame: u64, first: usize, bytes: &[u8]) {
        let bins = &*self.bins;
        if self.frames.last().is_none_or(|(last, _)| *last != frame) {
            self.frames.push((frame, vec![Bin::default(); bins.n_bins]));
        }
        let (ignore, Some((_, found))) = (self.ignore, self.frames.last_mut()) else { return };
        let zeros_are_ignored = ignore == Some(0);
        self.kind.each(bytes, |index, value| {
            let (is_ignored, pixel) = (Some(value) == ignore, value as f64);
            let entries = bins.of(first + index);
            if is_ignored || zeros_are_ignored {
                let counts = is_ignored != zeros_are_ignored;
                entries.iter().filter(|_| counts).for_each(|of| found[of.bin as usize].weight += bins.whole(of.weight));
            }
            for of in entries.iter().filter(|_| !is_ignored) {
                let (bin, part) = (&mut found[of.bin as usize], f64::from(of.weight) * pixel);
                bin.sum += part;
                bin.squares += part * pixel;
            }
        });
    }
}

fn join(found: Vec<Weigh>, frames: Range<u64>, bins: &Bins, ignore: Option<i64>) -> Result<Integrated> {
    let n_frames = usize::try_from(frames.end - frames.start).ok();
    let n = n_frames.and_then(|n| n.checked_mul(bins.n_bins)).filter(|n| isize::try_from(n.saturating_mul(8)).is_ok());
    let n = n.ok_or_else(|| Error::Argument("frames and bins are more than memory has".into()))?;
    // A frame of which nothing was taken is all zeros.
    let is_seen = ignore == Some(0);
    let of_zeros = if is_seen { vec![0; bins.n_bins] } else { bins.weights.clone() };
    let mut weights = of_zeros.repeat(n / bins.n_bins.max(1));
    let mut joined = Integrated { sums: vec![0.0; n], squares: vec![0.0; n], weights: Vec::new() };
    for (frame, of_bins) in found.into_iter().flat_map(|part| part.frames) {
        let first = (frame - frames.start) as usize * bins.n_bins;
        for (index, bin) in (first..).zip(of_bins) {
            joined.sums[index] += bin.sum;
            joined.squares[index] += bin.squares;
            weights[index] += if is_seen { bin.weight } else { -bin.weight };
        }
    }
    joined.weights = weights.into_iter().map(|weight| weight as f64 / bins.scale).collect();
    Ok(joined)
}
