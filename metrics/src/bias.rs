//! Bias by intensity, which decides wherever many pixels are averaged: by a pixel's own value, and by its neighbours'.

use crate::bins::{N_BINS, bin_of, bin_range};
use crate::block::{Block, SMALL, blocks};
use crate::isa::widest;
use crate::scatter::{MAX_ERROR, NONE, PART_PIXELS, Part, Scatter, Sums};
use crate::{NoiseModel, Pixel, Shape, statistics};

/// The mean error of pixels of about the same intensity.
///
/// Bin k of x (one value each up to 15, then eight to an octave): ⟨e⟩_k / σ(x_k) with the standard error s_e / (√n σ), x_k the middle of the bin.
/// For a photon counter σ(x_k) is √x_k.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiasByIntensity {
    bins: Box<[Sums; N_BINS]>,
}

/// Bins with fewer pixels are no place to look for a bias.
const MIN_PIXELS: u64 = 30;

/// The bias of one bin.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Bias {
    /// The least and the greatest x of the bin.
    pub range: (i64, i64),
    /// Pixels.
    pub n: u64,
    /// ⟨e⟩, in counts.
    pub mean_error: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// ⟨e⟩ / σ; `None` where the model has no σ.
    pub in_sigma: Option<f64>,
    /// The standard error of that.
    pub in_sigma_error: Option<f64>,
}

/// The bias of pixels of one mean: what an average of many of them is off by.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct BiasAtMean {
    /// The mean, in counts.
    pub mean: f64,
    /// Pixels.
    pub n: u64,
    /// ⟨e⟩ / σ.
    pub in_sigma: f64,
    /// The standard error of that.
    pub error: f64,
}

/// y = a + s x, fitted to the bins with their numbers of pixels as weights.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Line {
    /// a, in counts.
    pub intercept: f64,
    /// s − 1.
    pub slope_excess: f64,
}

impl Default for BiasByIntensity {
    fn default() -> Self {
        Self { bins: Box::new([Sums::default(); N_BINS]) }
    }
}

impl BiasByIntensity {
    /// Adds the pairs that are valid; all of them where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        let mut scatter = Scatter::default();
        blocks(x, y, valid, |block| self.add_block(block, &mut scatter));
        self.end(&mut scatter);
    }

    pub(crate) fn add_block<P: Pixel>(&mut self, block: &Block<'_, P>, scatter: &mut Scatter) {
        if !block.is_small() || block.max_error > MAX_ERROR as u64 {
            let pairs = block.x.iter().zip(block.y).map(|(x, y)| (x.value(), y.value()));
            pairs.for_each(|(x, y)| self.bins[bin_of(x)].add(y - x));
            return;
        }
        let mut part = Part::default();
        for (x, y) in block.x.chunks(PART_PIXELS).zip(block.y.chunks(PART_PIXELS)) {
            fill_part(&mut part, x, y);
            scatter.add(&part, x.len(), &mut self.bins);
        }
    }

    /// Adds what was scattered.
    pub(crate) fn end(&mut self, scatter: &mut Scatter) {
        scatter.flush(&mut self.bins);
    }

    /// Adds what another one has of other pixels.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(other.bins.iter()) {
            bin.merge(other);
        }
    }

    /// The mean error of a bin; 0 where it has no pixels.
    pub(crate) fn mean(&self, bin: usize) -> f64 {
        statistics::quotient(self.bins[bin].e as f64, self.bins[bin].n as f64)
    }

    /// The bins that have pixels, by intensity.
    #[must_use]
    pub fn bins(&self, noise: Option<&NoiseModel>) -> Vec<Bias> {
        (0..N_BINS).filter(|bin| self.bins[*bin].n > 0).map(|bin| self.bias(bin, noise)).collect()
    }

    fn bias(&self, bin: usize, noise: Option<&NoiseModel>) -> Bias {
        let (n, range) = (self.bins[bin].n, bin_range(bin));
        let (mean_error, standard_error) = (self.mean(bin), self.standard_error(bin));
        let sigma = noise.map(|noise| noise.sigma(middle(range))).filter(|sigma| *sigma > 0.0);
        Bias {
            range,
            n,
            mean_error,
            standard_error,
            in_sigma: sigma.map(|sigma| mean_error / sigma),
            in_sigma_error: sigma.map(|sigma| standard_error / sigma),
        }
    }

    /// The standard error of a bin's mean.
    fn standard_error(&self, bin: usize) -> f64 {
        let Sums { n, e, ee } = self.bins[bin];
        let scaled = statistics::scaled_covariance(n, ee, e, e);
        let variance = statistics::quotient(scaled, n as f64 * (n as f64 - 1.0));
        statistics::quotient(variance, n as f64).sqrt()
    }

    /// The line through the bins; `None` where all pixels are in one.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        let (mut n, mut x, mut e, mut xx, mut xe) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let filled = (0..N_BINS).filter(|bin| self.bins[*bin].n > 0);
        let points: Vec<_> =
            filled.map(|bin| (self.bins[bin].n as f64, middle(bin_range(bin)), self.mean(bin))).collect();
        for (weight, at, mean) in &points {
            (n, x, e) = (n + weight, x + weight * at, e + weight * mean);
        }
        let (mean_x, mean_e) = (statistics::quotient(x, n), statistics::quotient(e, n));
        for (weight, at, mean) in &points {
            xx += weight * (at - mean_x) * (at - mean_x);
            xe += weight * (at - mean_x) * (mean - mean_e);
        }
        let slope_excess = (xx > 0.0).then(|| xe / xx)?;
        Some(Line { intercept: mean_e - slope_excess * mean_x, slope_excess })
    }
}

/// The mean error of pixels whose neighbours have about the same intensity.
///
/// A quantiser moves a value always the same way, and the one beside it the other way; that is no bias. What an average sees is the mean error of pixels
/// that have the same mean. It is not known from their own value, but from their neighbours', whose noise is another one: so the bins are those
/// of the mean of the pixels to the left and to the right. ⟨e⟩ / σ, with σ at the middle of the bin; only bins with 30 pixels or more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BiasByNeighbours(BiasByIntensity);

impl BiasByNeighbours {
    /// Adds a frame; all its pixels count where `valid` is empty. Those at the ends of a row have no two neighbours.
    pub fn add<P: Pixel>(&mut self, shape: Shape, x: &[P], y: &[P], valid: &[bool]) {
        let (mut scatter, mut part) = (Scatter::default(), Part::default());
        for row in 0..shape.height {
            let row = row * shape.width..(row + 1) * shape.width;
            for first in row.clone().step_by(PART_PIXELS) {
                // With the pixel before them and the one after.
                let at = first..(first + PART_PIXELS + 2).min(row.end);
                let threes = Threes { x: &x[at.clone()], y: &y[at.clone()], valid: valid.get(at).unwrap_or_default() };
                if threes.n() == 0 {
                    continue;
                }
                if fill_threes(&threes, &mut part) {
                    scatter.add(&part, threes.n(), &mut self.0.bins);
                } else {
                    threes.add_each(&mut self.0.bins);
                }
            }
        }
        scatter.flush(&mut self.0.bins);
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// The bias by intensity.
    #[must_use]
    pub fn at_means(&self, noise: &NoiseModel) -> Vec<BiasAtMean> {
        let bins = (0..N_BINS).filter(|bin| self.0.bins[*bin].n >= MIN_PIXELS);
        let at_mean = |bin: usize| {
            let mean = middle(bin_range(bin));
            let sigma = Some(noise.sigma(mean)).filter(|sigma| *sigma > 0.0)?;
            let in_sigma = self.0.mean(bin) / sigma;
            Some(BiasAtMean { mean, n: self.0.bins[bin].n, in_sigma, error: self.0.standard_error(bin) / sigma })
        };
        bins.filter_map(at_mean).collect()
    }
}

fn middle((first, last): (i64, i64)) -> f64 {
    (first + last) as f64 / 2.0
}

widest! {
    fn fill_part<P: Pixel>(part: &mut Part, x: &[P], y: &[P]) {
        let pixels = x.iter().zip(y);
        let error = |x: i32, y: i32| (y - x + MAX_ERROR) as u16;
        part.fill(pixels.map(|(x, y)| (x.small(), error(x.small(), y.small()))));
    }

    fn fill_threes<P: Pixel>(threes: &Threes<'_, P>, part: &mut Part) -> bool {
        threes.fill(part)
    }
}

/// Pixels that follow each other in a row; the first and the last one are neighbours only.
struct Threes<'a, P> {
    x: &'a [P],
    y: &'a [P],
    /// Empty where all count.
    valid: &'a [bool],
}

impl<P: Pixel> Threes<'_, P> {
    fn n(&self) -> usize {
        self.x.len().saturating_sub(2)
    }

    /// Makes a part of them; `false` where a value or an error is too large for that.
    #[inline(always)]
    fn fill(&self, part: &mut Part) -> bool {
        if self.valid.is_empty() { self.fill_if(part, |_| true) } else { self.fill_if(part, |at| self.valid[at]) }
    }

    #[inline(always)]
    fn fill_if(&self, part: &mut Part, counts: impl Fn(usize) -> bool) -> bool {
        let n = self.n();
        let (left, x, right, y) = (&self.x[..n], &self.x[1..=n], &self.x[2..], &self.y[1..=n]);
        let is_small = |x: P| P::N_BITS <= 16 || (-SMALL..SMALL).contains(&x.value());
        let error = |at: usize| y[at].small().wrapping_sub(x[at].small()).wrapping_add(MAX_ERROR);
        let count = |at: usize| counts(at) & counts(at + 1) & counts(at + 2);
        let fits = |at: usize| is_small(left[at]) & is_small(x[at]) & is_small(right[at]) & is_small(y[at]);
        let is_off = |at: usize| count(at) & (!fits(at) | ((error(at) as u32) > 2 * MAX_ERROR as u32));
        if (0..n).fold(false, |any, at| any | is_off(at)) {
            return false;
        }
        let key = |at: usize| left[at].small().wrapping_add(right[at].small()) >> 1;
        part.fill((0..n).map(|at| (key(at), if count(at) { error(at) as u16 } else { NONE })));
        true
    }

    fn add_each(&self, bins: &mut [Sums; N_BINS]) {
        for (at, three) in self.x.windows(3).enumerate() {
            if self.valid.is_empty() || self.valid[at..at + 3].iter().all(|valid| *valid) {
                let key = (three[0].value() + three[2].value()) >> 1;
                bins[bin_of(key)].add(self.y[at + 1].value() - three[1].value());
            }
        }
    }
}
