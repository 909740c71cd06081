//! Velocity map imaging: what varies together from shot to shot.

use super::radial::rings_of;
use crate::{Error, Pixel, Result, Shape, statistics};

/// Rings that there may be: each pair of them has sums of its own.
const MAX_RINGS: usize = 512;

/// The radial distribution of each frame, S: the sums of all pixels whose centres are from k · step to (k + 1) · step away from the
/// centre; and its covariance map over the frames.
///
/// | metric | definition |
/// |---|---|
/// | covariance of rings i and j | C = (ΣSi Sj − ΣSi ΣSj / n) / (n − 1) over n frames: exact sums |
/// | σ of it | √((Cii Cjj + Cij²) / (n − 1)) of x: what n shots that have nothing to do with each other leave it uncertain by (Wishart) |
/// | residual | (C of y − C of x) / σ, of pairs of different rings: in the variances themselves each noise shows |
///
/// What a mask or a sentinel takes from a ring is missing in its sum, in x and in y.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    step: f64,
    ring_of: Vec<u32>,
    n_rings: usize,
    n_frames: u64,
    before: Sums,
    after: Sums,
}

/// Of all frames, for one of x and y.
#[derive(Debug, Clone, PartialEq)]
struct Sums {
    single: Vec<i128>,
    /// Of the pairs i ≤ j, row by row.
    products: Vec<i128>,
}

/// The sum of a ring.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct RingSum {
    /// The middle of its radii, in pixels.
    pub radius: f64,
    /// The mean of S of x, in counts a frame.
    pub before: f64,
    /// The same of y.
    pub after: f64,
}

/// A pair of rings.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct RingPair {
    /// The middles of their radii, in pixels.
    pub radii: (f64, f64),
    /// The covariance in x.
    pub before: f64,
    /// The covariance in y.
    pub after: f64,
    /// σ of that of x.
    pub sigma: f64,
    /// (after − before) / σ; `None` where σ is 0.
    pub residual: Option<f64>,
}

/// The numbers of [`Covariance`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CovarianceReport {
    /// Frames.
    pub n_frames: u64,
    /// Each ring, from the centre.
    pub distribution: Vec<RingSum>,
    /// The root of the mean square of the residuals.
    pub rms_residual: f64,
    /// The pair with the largest residual.
    pub worst: Option<RingPair>,
    /// Pairs whose covariance changed though σ is 0.
    pub n_changed_without_sigma: u64,
    /// The maps of x and y, a row for each ring; not in the JSON.
    #[serde(skip)]
    pub maps: [Vec<f64>; 2],
}

impl Covariance {
    /// For frames of this shape. The centre is a row and a column, 0, 0 the centre of the first pixel; `step` is in pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] for a centre that is not finite, and steps that are not above 0 or make more than 512 rings.
    pub fn new(shape: Shape, centre: (f64, f64), step: f64) -> Result<Self> {
        let ring_of = rings_of(shape, centre, step)?;
        let n_rings = ring_of.iter().max().map_or(0, |last| *last as usize + 1);
        if n_rings > MAX_RINGS {
            return Err(Error::Setting(format!(
                "{n_rings} rings: a covariance map has at most {MAX_RINGS}; take larger steps than {step} pixels"
            )));
        }
        let sums = Sums { single: vec![0; n_rings], products: vec![0; n_rings * (n_rings + 1) / 2] };
        Ok(Self { step, ring_of, n_rings, n_frames: 0, before: sums.clone(), after: sums })
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        let mut frame = vec![(0i64, 0i64); self.n_rings];
        for (at, ((x, y), ring)) in x.iter().zip(y).zip(&self.ring_of).enumerate() {
            if valid.is_empty() || valid[at] {
                let (before, after) = &mut frame[*ring as usize];
                (*before, *after) = (before.saturating_add(x.value()), after.saturating_add(y.value()));
            }
        }
        let (before, after): (Vec<i64>, Vec<i64>) = frame.into_iter().unzip();
        self.n_frames += 1;
        self.before.add(&before);
        self.after.add(&after);
    }

    /// Adds what another one, with the same settings, has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.before.merge(&other.before);
        self.after.merge(&other.after);
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> CovarianceReport {
        let maps = [&self.before, &self.after].map(|sums| self.map(sums));
        let mean = |sum: i128| statistics::quotient(sum as f64, self.n_frames as f64);
        let [before, after] = [&self.before, &self.after].map(|sums| sums.single.iter().map(|sum| mean(*sum)));
        let rings = before.zip(after).enumerate();
        let distribution =
            rings.map(|(at, (before, after))| RingSum { radius: self.radius(at), before, after }).collect();
        let pairs = (0..self.n_rings).flat_map(|i| (i + 1..self.n_rings).map(move |j| (i, j)));
        let (mut worst, mut squares, mut n, mut n_changed_without_sigma) = (None, 0.0, 0u64, 0);
        for pair in pairs.map(|(i, j)| self.pair(&maps, i, j)) {
            let Some(residual) = pair.residual else {
                n_changed_without_sigma += u64::from(pair.before != pair.after);
                continue;
            };
            (squares, n) = (squares + residual * residual, n + 1);
            let is_worse = |worst: &RingPair| residual.abs() > worst.residual.map_or(0.0, f64::abs);
            if worst.as_ref().is_none_or(is_worse) {
                worst = Some(pair);
            }
        }
        let rms_residual = statistics::quotient(squares, n as f64).sqrt();
        CovarianceReport { n_frames: self.n_frames, distribution, rms_residual, worst, n_changed_without_sigma, maps }
    }

    fn radius(&self, ring: usize) -> f64 {
        (ring as f64 + 0.5) * self.step
    }

    fn map(&self, sums: &Sums) -> Vec<f64> {
        let n = self.n_frames as f64;
        let mut map = vec![0.0; self.n_rings * self.n_rings];
        let pairs = (0..self.n_rings).flat_map(|i| (i..self.n_rings).map(move |j| (i, j)));
        for ((i, j), product) in pairs.zip(&sums.products) {
            let scaled = statistics::scaled_covariance(self.n_frames, *product, sums.single[i], sums.single[j]);
            let covariance = if self.n_frames > 1 { scaled / n / (n - 1.0) } else { 0.0 };
            (map[i * self.n_rings + j], map[j * self.n_rings + i]) = (covariance, covariance);
        }
        map
    }

    fn pair(&self, [before, after]: &[Vec<f64>; 2], i: usize, j: usize) -> RingPair {
        let of = |map: &[f64], i: usize, j: usize| map[i * self.n_rings + j];
        let (x, y) = (of(before, i, j), of(after, i, j));
        let variance = of(before, i, i) * of(before, j, j) + x * x;
        let sigma = statistics::quotient(variance, self.n_frames as f64 - 1.0).sqrt();
        let residual = (sigma > 0.0).then(|| (y - x) / sigma);
        RingPair { radii: (self.radius(i), self.radius(j)), before: x, after: y, sigma, residual }
    }
}

impl Sums {
    fn add(&mut self, frame: &[i64]) {
        let mut products = self.products.iter_mut();
        for (i, a) in frame.iter().enumerate() {
            self.single[i] += i128::from(*a);
            for (b, sum) in frame[i..].iter().zip(products.by_ref()) {
                *sum = sum.saturating_add(i128::from(*a) * i128::from(*b));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.single.iter_mut().zip(&other.single).for_each(|(sum, other)| *sum += other);
        self.products.iter_mut().zip(&other.products).for_each(|(sum, other)| *sum = sum.saturating_add(*other));
    }
}
