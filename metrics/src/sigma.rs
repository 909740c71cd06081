//! Errors in standard deviations of the noise.

use crate::block::blocks;
use crate::fixed::FixedSum;
use crate::{NoiseModel, Pixel, statistics};

/// Bins of the histogram to one σ.
pub(crate) const BINS_A_SIGMA: usize = 64;

/// Beyond so many σ errors are counted together.
pub(crate) const MAX_SIGMA: usize = 32;

/// The bin of an error of 0.
const ZERO: usize = MAX_SIGMA * BINS_A_SIGMA;

const N_HISTOGRAM: usize = 2 * ZERO + 1;

const LANES: usize = 4;

/// Errors over σ, of each pixel by its own x.
///
/// | metric | definition |
/// |---|---|
/// | [`max`](Self::max) | the largest \|e\| / σ(x) |
/// | [`quantile`](Self::quantile) | \|e\| / σ that a part of the pixels does not exceed, rounded up to a 64th |
/// | [`inflation`](Self::inflation) | κ = √(1 + ⟨e² / σ²⟩): by how much the noise of a pixel grew |
///
/// Pixels whose σ is 0 are left out and counted; so are those of them that changed, which is an error of infinitely many σ.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorInSigma {
    noise: NoiseModel,
    n: u64,
    sum_of_squares: FixedSum,
    max_square: f64,
    /// By e / σ, rounded away from 0.
    histogram: Box<[u64]>,
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
            histogram: vec![0; N_HISTOGRAM].into(),
            n_without_sigma: 0,
            n_changed_without_sigma: 0,
        }
    }

    /// Adds the pairs that are valid; all of them where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        blocks(x, y, valid, |x, y| self.add_block(x, y));
    }

    fn add_block<P: Pixel>(&mut self, x: &[P], y: &[P]) {
        if x == y {
            let n_without = x.iter().filter(|x| self.noise.variance(x.value() as f64) <= 0.0).count() as u64;
            let n = x.len() as u64 - n_without;
            (self.n, self.n_without_sigma) = (self.n + n, self.n_without_sigma + n_without);
            self.histogram[ZERO] += n;
            return;
        }
        let (x_lanes, y_lanes) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
        let (mut sums, mut most) = ([0.0; LANES], [0.0; LANES]);
        for (x, y) in x_lanes.0.iter().zip(y_lanes.0) {
            self.add_lanes(x, y, &mut sums, &mut most);
        }
        let (mut tail_sum, mut tail_most) = ([0.0], [0.0]);
        for (x, y) in x_lanes.1.iter().zip(y_lanes.1) {
            self.add_lanes(&[*x], &[*y], &mut tail_sum, &mut tail_most);
        }
        self.sum_of_squares.add(sums.iter().sum::<f64>() + tail_sum[0]);
        self.max_square = most.iter().fold(self.max_square.max(tail_most[0]), |a, b| a.max(*b));
    }

    #[inline(always)]
    fn add_lanes<P: Pixel, const N: usize>(
        &mut self,
        x: &[P; N],
        y: &[P; N],
        sums: &mut [f64; N],
        most: &mut [f64; N],
    ) {
        let (mut variances, mut ratios) = ([0.0; N], [0.0; N]);
        for lane in 0..N {
            let (x, y) = (x[lane].value() as f64, y[lane].value() as f64);
            let (variance, e) = (self.noise.variance(x), y - x);
            let square = if variance > 0.0 { e * e / variance } else { 0.0 };
            sums[lane] += square;
            most[lane] = if square > most[lane] { square } else { most[lane] };
            variances[lane] = variance;
            ratios[lane] = square.sqrt().copysign(e);
        }
        for lane in 0..N {
            if variances[lane] > 0.0 {
                self.n += 1;
                self.histogram[histogram_bin(ratios[lane])] += 1;
            } else {
                self.n_without_sigma += 1;
                self.n_changed_without_sigma += u64::from(x[lane] != y[lane]);
            }
        }
    }

    /// Adds what another one, with the same model, has of other pixels.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum_of_squares.merge(other.sum_of_squares);
        self.max_square = self.max_square.max(other.max_square);
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(bin, other)| *bin += other);
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
            n += self.histogram[ZERO + distance] + if distance > 0 { self.histogram[ZERO - distance] } else { 0 };
            if n >= needed {
                return (distance as f64 / BINS_A_SIGMA as f64).min(self.max());
            }
        }
        self.max()
    }

    /// How many pixels have which e / σ: bins of a 64th, the middle one for exact pixels only, from −32 to 32. The bin of a number is that
    /// of its next 64th away from 0.
    #[must_use]
    pub fn histogram(&self) -> &[u64] {
        &self.histogram
    }
}

#[inline]
fn histogram_bin(ratio: f64) -> usize {
    let steps = (ratio.abs() * BINS_A_SIGMA as f64).min(ZERO as f64);
    // Rounded up, without a call of the system's function.
    let whole = steps as usize;
    let distance = whole + usize::from(steps > whole as f64);
    if ratio < 0.0 { ZERO - distance } else { ZERO + distance }
}
