//! σ from repeats: frames of a scene that stands still.

use crate::bins::{N_BINS, bin_of};
use crate::{NoiseModel, Pixel};

/// The variance of pixels by intensity, from three frames a, b, c that follow each other: (a − 2b + c)² / 6 has the variance of a
/// pixel for its mean, also where the light drifts. A line through the bins of (a + b + c) / 3 is the [`NoiseModel`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeats {
    bins: Vec<Sums>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    n: u64,
    /// Σ(a + b + c).
    sum: i128,
    /// Σ(a − 2b + c)².
    squares: i128,
}

/// Fewer pixels than this are no bin.
const MIN_PIXELS: u64 = 100;

impl Default for Repeats {
    fn default() -> Self {
        Self { bins: vec![Sums::default(); N_BINS] }
    }
}

impl Repeats {
    /// Adds three frames; all their pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, frames: [&[P]; 3], valid: &[bool]) {
        let [a, b, c] = frames;
        for (at, ((a, b), c)) in a.iter().zip(b).zip(c).enumerate() {
            if valid.is_empty() || valid[at] {
                let (a, b, c) = (a.value(), b.value(), c.value());
                let (sum, second) = (a + b + c, i128::from(a - 2 * b + c));
                let bin = &mut self.bins[bin_of(sum.div_euclid(3))];
                bin.n += 1;
                bin.sum += i128::from(sum);
                bin.squares += second * second;
            }
        }
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.n += other.n;
            bin.sum += other.sum;
            bin.squares += other.squares;
        }
    }

    /// Mean, variance and number of pixels of each bin that has enough.
    #[must_use]
    pub fn points(&self) -> Vec<(f64, f64, u64)> {
        let filled = self.bins.iter().filter(|bin| bin.n >= MIN_PIXELS);
        filled
            .map(|bin| (bin.sum as f64 / 3.0 / bin.n as f64, bin.squares as f64 / 6.0 / bin.n as f64, bin.n))
            .collect()
    }

    /// The line through the bins, weighted by how well each variance is known; a constant where all are of one intensity or the line falls.
    /// `None` where nothing varies. Where the line is negative at 0 it is said as an offset, else as a read variance.
    #[must_use]
    pub fn model(&self) -> Option<NoiseModel> {
        let points: Vec<_> = self.points().into_iter().filter(|point| point.1 > 0.0).collect();
        let mut weights: Vec<f64> = points.iter().map(|(_, variance, n)| *n as f64 / (variance * variance)).collect();
        let mut line = (0.0, 0.0);
        // The weights of the second round come from the line, so that a bin which is low by chance counts no more for it.
        for _ in 0..3 {
            line = fit(&points, &weights)?;
            for ((weight, (mean, variance, n)), _) in weights.iter_mut().zip(&points).zip(0..) {
                let expected = (line.0 + line.1 * mean).max(variance / 10.0);
                *weight = *n as f64 / (expected * expected);
            }
        }
        let (intercept, gain) = line;
        if gain <= 0.0 {
            return NoiseModel::new(0.0, 0.0, intercept.max(f64::MIN_POSITIVE)).ok();
        }
        let (offset, read) = if intercept < 0.0 { (-intercept / gain, 0.0) } else { (0.0, intercept) };
        NoiseModel::new(gain, offset, read).ok()
    }
}

/// Intercept and slope of the weighted least squares; a constant where the slope is not known or negative.
fn fit(points: &[(f64, f64, u64)], weights: &[f64]) -> Option<(f64, f64)> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return None;
    }
    let mean =
        |of: fn(&(f64, f64, u64)) -> f64| points.iter().zip(weights).map(|(p, w)| of(p) * w).sum::<f64>() / total;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let (mut xx, mut xy) = (0.0, 0.0);
    for ((x, y, _), weight) in points.iter().zip(weights) {
        xx += weight * (x - mean_x) * (x - mean_x);
        xy += weight * (x - mean_x) * (y - mean_y);
    }
    let slope = if xx > 0.0 { (xy / xx).max(0.0) } else { 0.0 };
    Some((mean_y - slope * mean_x, slope))
}
