//! Errors in standard deviations of the noise.

use crate::block::{Block, blocks};
use crate::fixed::FixedSum;
use crate::isa::widest;
use crate::{NoiseModel, Pixel, statistics};

/// Bins of the histogram to one σ.
pub(crate) const BINS_A_SIGMA: usize = 64;

/// Beyond so many σ errors are counted together.
pub(crate) const MAX_SIGMA: usize = 32;

/// The bin of an error of 0.
const ZERO: usize = MAX_SIGMA * BINS_A_SIGMA;

const N_HISTOGRAM: usize = 2 * ZERO + 1;

/// Values of a loop that are computed beside each other.
const LANES: usize = 8;

/// Pixels that follow each other have often the same error: they are counted apart, so that they do not wait for each other.
const COUNTERS: usize = 4;

/// Pixels whose bins are found before they are counted.
const PART_PIXELS: usize = 1024;

/// From here on the last bit of an `f32` is 1.
const WHOLE: f32 = (1 << 23) as f32;

/// A ratio is computed in `f32`: what is larger than a bin by less than this part is still in it.
const ROUNDING: f32 = 1e-6;

/// Errors over σ, of each pixel by its own x.
///
/// | metric | definition |
/// |---|---|
/// | [`max`](Self::max) | the largest \|e\| / σ(x) |
/// | [`quantile`](Self::quantile) | \|e\| / σ that a part of the pixels does not exceed, rounded up to a 64th (to a millionth of it) |
/// | [`inflation`](Self::inflation) | κ = √(1 + ⟨e² / σ²⟩): by how much the noise of a pixel grew |
///
/// Pixels whose σ is 0 are left out and counted; so are those of them that changed, which is an error of infinitely many σ.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorInSigma {
    noise: NoiseModel,
    n: u64,
    sum_of_squares: FixedSum,
    max_square: f64,
    /// By e / σ, rounded away from 0: the sum of the counters. Those without σ are counted with 0.
    histogram: Box<[[u64; COUNTERS]]>,
    n_without_sigma: u64,
    n_changed_without_sigma: u64,
}

impl ErrorInSigma {
    /// For a model of the noise.
    #[must_use]
    pub fn new(noise: NoiseModel) -> Self {
        Self {
            noise,
            n: 0,
            sum_of_squares: FixedSum::default(),
            max_square: 0.0,
            histogram: vec![[0; COUNTERS]; N_HISTOGRAM].into(),
            n_without_sigma: 0,
            n_changed_without_sigma: 0,
        }
    }

    /// Adds the pairs that are valid; all of them where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        blocks(x, y, valid, |block| self.add_block(block));
    }

    pub(crate) fn add_block<P: Pixel>(&mut self, block: &Block<'_, P>) {
        let (n_without, n_changed) = self.count_without(block);
        self.n += block.x.len() as u64 - n_without;
        self.n_without_sigma += n_without;
        self.n_changed_without_sigma += n_changed;
        if block.max_error == 0 {
            self.histogram[ZERO][0] += block.x.len() as u64;
            return;
        }
        let mut bins = [0; PART_PIXELS];
        for (x, y) in block.x.chunks(PART_PIXELS).zip(block.y.chunks(PART_PIXELS)) {
            let (sum, most) = squares(&self.noise, x, y, &mut bins);
            self.sum_of_squares.add(sum);
            self.max_square = self.max_square.max(most);
            self.count(&bins[..x.len()]);
        }
    }

    /// Pixels without σ, and those of them that changed.
    fn count_without<P: Pixel>(&self, block: &Block<'_, P>) -> (u64, u64) {
        // The variance does not fall where x rises.
        let least = self.noise.variance(block.range_x.0.value() as f64);
        if least > 0.0 { (0, 0) } else { count_without(&self.noise, block.x, block.y) }
    }

    fn count(&mut self, bins: &[u16]) {
        let (bins, rest) = bins.as_chunks::<COUNTERS>();
        for bins in bins {
            (0..COUNTERS).for_each(|at| self.histogram[usize::from(bins[at])][at] += 1);
        }
        rest.iter().for_each(|bin| self.histogram[usize::from(*bin)][0] += 1);
    }

    /// Adds what another one, with the same model, has of other pixels.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum_of_squares.merge(other.sum_of_squares);
        self.max_square = self.max_square.max(other.max_square);
        let counters = self.histogram.as_flattened_mut().iter_mut().zip(other.histogram.as_flattened());
        counters.for_each(|(counter, other)| *counter += other);
        self.n_without_sigma += other.n_without_sigma;
        self.n_changed_without_sigma += other.n_changed_without_sigma;
    }

    /// The model.
    #[must_use]
    pub fn noise(&self) -> &NoiseModel {
        &self.noise
    }

    /// Pixels that have a σ.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Pixels without σ, and those of them that changed.
    #[must_use]
    pub fn n_without_sigma(&self) -> (u64, u64) {
        (self.n_without_sigma, self.n_changed_without_sigma)
    }

    /// The largest |e| / σ.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.max_square.sqrt()
    }

    /// ⟨e² / σ²⟩.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        statistics::quotient(self.sum_of_squares.value(), self.n as f64)
    }

    /// κ = √(1 + ⟨e² / σ²⟩).
    #[must_use]
    pub fn inflation(&self) -> f64 {
        (1.0 + self.mean_square()).sqrt()
    }

    /// |e| / σ that `part` of the pixels (0 to 1) do not exceed, rounded up to a 64th; [`max`](Self::max) where it is beyond 32 σ.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let needed = (self.n as f64 * part).ceil() as u64;
        let mut n = 0;
        for distance in 0..ZERO {
            n += self.bin(ZERO + distance) + if distance > 0 { self.bin(ZERO - distance) } else { 0 };
            if n >= needed {
                return (distance as f64 / BINS_A_SIGMA as f64).min(self.max());
            }
        }
        self.max()
    }

    /// How many pixels have which e / σ: bins of a 64th, the middle one for exact pixels only, from −32 to 32. The bin of a number is that
    /// of its next 64th away from 0.
    #[must_use]
    pub fn histogram(&self) -> Vec<u64> {
        (0..N_HISTOGRAM).map(|bin| self.bin(bin)).collect()
    }

    fn bin(&self, at: usize) -> u64 {
        let n = self.histogram[at].iter().sum::<u64>();
        if at == ZERO { n - self.n_without_sigma } else { n }
    }
}

widest! {
    fn count_without<P: Pixel>(noise: &NoiseModel, x: &[P], y: &[P]) -> (u64, u64) {
        let pairs = || x.iter().zip(y).filter(|(x, _)| noise.variance(x.value() as f64) <= 0.0);
        (pairs().count() as u64, pairs().filter(|(x, y)| x != y).count() as u64)
    }

    /// Σe² / σ², the largest of them, and the bin of each pixel; pixels without σ have 0.
    fn squares<P: Pixel>(noise: &NoiseModel, x: &[P], y: &[P], bins: &mut [u16; PART_PIXELS]) -> (f64, f64) {
        let (mut sums, mut most, mut ratios) = ([0.0; LANES], [0.0; LANES], [0.0; PART_PIXELS]);
        let (x_lanes, y_lanes) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
        let whole = ratios.as_chunks_mut::<LANES>().0.iter_mut();
        for ((x, y), ratios) in x_lanes.0.iter().zip(y_lanes.0).zip(whole) {
            for lane in 0..LANES {
                let (square, is_above) = square(noise, x[lane], y[lane]);
                sums[lane] += square;
                most[lane] = if square > most[lane] { square } else { most[lane] };
                ratios[lane] = steps(square, is_above);
            }
        }
        let n_whole = x.len() - x_lanes.1.len();
        for (lane, (x, y)) in x_lanes.1.iter().zip(y_lanes.1).enumerate() {
            let (square, is_above) = square(noise, *x, *y);
            sums[lane] += square;
            most[lane] = most[lane].max(square);
            ratios[n_whole + lane] = steps(square, is_above);
        }
        for (bin, ratio) in bins.iter_mut().zip(&ratios[..x.len()]) {
            *bin = histogram_bin(*ratio);
        }
        (sums.iter().sum(), most.iter().fold(0.0, |a: f64, b| a.max(*b)))
    }
}

/// e² / σ², 0 without σ; and whether e is above 0.
#[inline(always)]
fn square<P: Pixel>(noise: &NoiseModel, x: P, y: P) -> (f64, bool) {
    let (x, y) = (x.value() as f64, y.value() as f64);
    let (variance, e) = (noise.variance(x), y - x);
    (if variance > 0.0 { e * e / variance } else { 0.0 }, e > 0.0)
}

/// e / σ in bins.
#[inline(always)]
fn steps(square: f64, is_above: bool) -> f32 {
    let ratio = (square as f32).sqrt() * (BINS_A_SIGMA as f32 * (1.0 - ROUNDING));
    let ratio = ratio.min(ZERO as f32);
    if is_above { ratio } else { -ratio }
}

#[inline(always)]
fn histogram_bin(steps: f32) -> u16 {
    let magnitude = steps.abs();
    // Where the last bit of a number is 1, its bits are the nearest whole number; from there on it is rounded up.
    let nearest = magnitude + WHOLE;
    let distance = (nearest.to_bits() & 0xffff) as i32 + i32::from(magnitude > nearest - WHOLE);
    (if steps < 0.0 { ZERO as i32 - distance } else { ZERO as i32 + distance }) as u16
}
