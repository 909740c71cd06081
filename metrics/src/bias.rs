//! Bias by intensity, which decides wherever many pixels are averaged: by a pixel's own value, and by its neighbours'.

use crate::bins::{N_BINS, bin_of, bin_range};
use crate::block::{BLOCK_PIXELS, blocks, is_small, range};
use crate::{NoiseModel, Pixel, Shape, statistics};

/// The mean error of pixels of about the same intensity.
///
/// Bin k of x (one value each up to 15, then eight to an octave): ⟨e⟩_k / σ(x_k) with the standard error s_e / (√n σ), x_k the middle of the bin.
/// For a photon counter σ(x_k) is √x_k.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiasByIntensity {
    bins: Box<[Sums; N_BINS]>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    n: u64,
    e: i128,
    ee: i128,
}

/// Bins with fewer pixels are no place to look for a bias.
const MIN_PIXELS: u64 = 30;

impl Sums {
    fn add(&mut self, e: i64) {
        let e = i128::from(e);
        self.n += 1;
        self.e += e;
        self.ee += e * e;
    }
}

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
        blocks(x, y, valid, |x, y| {
            if is_small(range(x), range(y)) {
                self.add_small(x, y);
            } else {
                x.iter().zip(y).for_each(|(x, y)| self.add_one(x.value(), y.value()));
            }
        });
    }

    fn add_one(&mut self, x: i64, y: i64) {
        self.bins[bin_of(x)].add(y - x);
    }

    fn add_small<P: Pixel>(&mut self, x: &[P], y: &[P]) {
        // Two tables: pixels that follow each other are often in the same bin, and would wait for each other.
        let mut tables = [[Packed::default(); N_BINS]; 2];
        let (x_pairs, y_pairs) = (x.as_chunks::<2>(), y.as_chunks::<2>());
        for (x, y) in x_pairs.0.iter().zip(y_pairs.0) {
            for (table, (x, y)) in tables.iter_mut().zip(x.iter().zip(y)) {
                table[bin_of(i64::from(x.small()))].add(y.small() - x.small());
            }
        }
        for (packed, bin) in
            tables.iter().flat_map(|table| table.iter().zip(0..)).filter(|(packed, _)| packed.has_any())
        {
            packed.add_to(&mut self.bins[bin]);
        }
        x_pairs.1.iter().zip(y_pairs.1).for_each(|(x, y)| self.add_one(x.value(), y.value()));
    }

    /// Adds what another one has of other pixels.
    pub fn merge(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(other.bins.iter()) {
            bin.n += other.n;
            bin.e += other.e;
            bin.ee += other.ee;
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
        for row in 0..shape.height {
            let at = row * shape.width..(row + 1) * shape.width;
            let valid = valid.get(at.clone()).unwrap_or_default();
            let (x, y) = (&x[at.clone()], &y[at]);
            if valid.is_empty() && is_small(range(x), range(y)) && x.len() <= BLOCK_PIXELS {
                self.add_small(x, y);
            } else {
                self.add_each(x, y, valid);
            }
        }
    }

    fn add_each<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        for (at, three) in x.windows(3).enumerate() {
            if valid.is_empty() || valid[at..at + 3].iter().all(|valid| *valid) {
                let key = (three[0].value() + three[2].value()) >> 1;
                self.0.bins[bin_of(key)].add(y[at + 1].value() - three[1].value());
            }
        }
    }

    fn add_small<P: Pixel>(&mut self, x: &[P], y: &[P]) {
        let mut table = [Packed::default(); N_BINS];
        for (three, y) in x.windows(3).zip(y.iter().skip(1)) {
            let key = (three[0].small() + three[2].small()) >> 1;
            table[bin_of(i64::from(key))].add(y.small() - three[1].small());
        }
        for (packed, bin) in table.iter().zip(self.0.bins.iter_mut()).filter(|(packed, _)| packed.has_any()) {
            packed.add_to(bin);
        }
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

/// The sums of a block's small values, in two numbers.
#[derive(Clone, Copy, Default)]
struct Packed {
    /// n · 2^40 + Σe.
    n_and_e: i64,
    ee: u64,
}

impl Packed {
    #[inline(always)]
    fn add(&mut self, e: i32) {
        self.n_and_e += (1 << 40) + i64::from(e);
        self.ee += u64::from(e.unsigned_abs()) * u64::from(e.unsigned_abs());
    }

    fn has_any(&self) -> bool {
        self.n_and_e != 0
    }

    fn add_to(&self, sums: &mut Sums) {
        let e = self.n_and_e << 24 >> 24;
        sums.n += ((self.n_and_e - e) >> 40) as u64;
        sums.e += i128::from(e);
        sums.ee += i128::from(self.ee);
    }
}
