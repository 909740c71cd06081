//! Small angle scattering and powder: the mean over rings.

use crate::fixed::FixedSum;
use crate::{Error, NoiseModel, Pixel, Result, Shape, statistics};

/// Rings that there may be.
const MAX_RINGS: f64 = 65_536.0;

/// The radial profile I(r): the mean of all pixels whose centres are from k · step to (k + 1) · step away from the centre, over all frames.
///
/// | metric | definition |
/// |---|---|
/// | σ of a ring | √Σσ² / n over its pixels: what its mean is uncertain by |
/// | residual | (I(y) − I(x)) / σ of the ring |
/// | bias | Σ(y − x) / Σx over all rings |
#[derive(Debug, Clone, PartialEq)]
pub struct Radial {
    step: f64,
    noise: NoiseModel,
    ring_of: Vec<u32>,
    rings: Vec<Sums>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    n: u64,
    sum_x: i128,
    sum_y: i128,
    variance: FixedSum,
}

/// A ring.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Ring {
    /// The middle of its radii, in pixels.
    pub radius: f64,
    /// Pixels that count, of all frames.
    pub n: u64,
    /// I of x.
    pub before: f64,
    /// I of y.
    pub after: f64,
    /// σ of I.
    pub sigma: f64,
    /// (I of y − I of x) / σ; `None` where σ is 0.
    pub residual: Option<f64>,
}

/// The numbers of [`Radial`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RadialReport {
    /// Rings that have pixels, from the centre.
    pub rings: Vec<Ring>,
    /// The root of the mean square of the residuals.
    pub rms_residual: f64,
    /// The ring with the largest residual.
    pub worst: Option<Ring>,
    /// Rings whose I changed though their σ is 0.
    pub n_changed_without_sigma: u64,
    /// Σ(y − x) / Σx.
    pub bias: Option<f64>,
}

impl Radial {
    /// For frames of this shape. The centre is a row and a column, 0, 0 the centre of the first pixel; `step` is in pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] for a centre that is not finite, and steps that are not above 0 or make more than 65536 rings.
    pub fn new(shape: Shape, centre: (f64, f64), step: f64, noise: NoiseModel) -> Result<Self> {
        let ring_of = rings_of(shape, centre, step)?;
        let n_rings = ring_of.iter().max().map_or(0, |last| *last as usize + 1);
        Ok(Self { step, noise, ring_of, rings: vec![Sums::default(); n_rings] })
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        let mut frame = vec![(0u64, 0i64, 0i64, 0.0f64); self.rings.len()];
        for (at, ((x, y), ring)) in x.iter().zip(y).zip(&self.ring_of).enumerate() {
            if valid.is_empty() || valid[at] {
                let (x, y, sums) = (x.value(), y.value(), &mut frame[*ring as usize]);
                *sums = (sums.0 + 1, sums.1 + x, sums.2 + y, sums.3 + self.noise.variance(x as f64));
            }
        }
        for (ring, (n, x, y, variance)) in self.rings.iter_mut().zip(frame) {
            ring.n += n;
            ring.sum_x += i128::from(x);
            ring.sum_y += i128::from(y);
            ring.variance.add(variance);
        }
    }

    /// Adds what another one, with the same settings, has of other frames.
    pub fn merge(&mut self, other: &Self) {
        for (ring, other) in self.rings.iter_mut().zip(&other.rings) {
            ring.n += other.n;
            ring.sum_x += other.sum_x;
            ring.sum_y += other.sum_y;
            ring.variance.merge(other.variance);
        }
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> RadialReport {
        let rings: Vec<Ring> =
            self.rings.iter().enumerate().filter_map(|(at, sums)| sums.ring(at, self.step)).collect();
        let residuals = || rings.iter().filter_map(|ring| ring.residual);
        let magnitude = |ring: &&Ring| ring.residual.map_or(-1.0, f64::abs);
        let worst = rings.iter().max_by(|a, b| magnitude(a).total_cmp(&magnitude(b))).copied();
        let total = |of: fn(&Sums) -> i128| self.rings.iter().map(of).sum::<i128>() as f64;
        let (before, change) = (total(|ring| ring.sum_x), total(|ring| ring.sum_y - ring.sum_x));
        let squares: f64 = residuals().map(|residual| residual * residual).sum();
        RadialReport {
            rms_residual: statistics::quotient(squares, residuals().count() as f64).sqrt(),
            worst: worst.filter(|ring| ring.residual.is_some()),
            n_changed_without_sigma: rings.iter().filter(|ring| ring.sigma == 0.0 && ring.before != ring.after).count()
                as u64,
            bias: (before > 0.0).then(|| change / before),
            rings,
        }
    }
}

/// The ring of each pixel.
pub(super) fn rings_of(shape: Shape, centre: (f64, f64), step: f64) -> Result<Vec<u32>> {
    let (row, column) = centre;
    let reach = |at: f64, length: usize| at.abs().max((length as f64 - at).abs());
    let most = reach(row, shape.height).hypot(reach(column, shape.width)) / step;
    if !(row.is_finite() && column.is_finite() && step > 0.0 && most < MAX_RINGS) {
        return Err(Error::Setting(format!(
            "rings round row {row}, column {column} in steps of {step} pixels: the centre must be a number, the step above 0, and there \
             may be 65536 rings"
        )));
    }
    let ring = |at: usize| {
        let (r, c) = ((at / shape.width) as f64 - row, (at % shape.width) as f64 - column);
        (r.hypot(c) / step) as u32
    };
    Ok((0..shape.n_pixels()).map(ring).collect())
}

impl Sums {
    fn ring(&self, at: usize, step: f64) -> Option<Ring> {
        let n = self.n as f64;
        let (before, after) = (self.sum_x as f64 / n, self.sum_y as f64 / n);
        let sigma = self.variance.value().sqrt() / n;
        let change = (self.sum_y - self.sum_x) as f64 / n;
        let residual = (sigma > 0.0).then(|| change / sigma);
        (self.n > 0).then_some(Ring { radius: (at as f64 + 0.5) * step, n: self.n, before, after, sigma, residual })
    }
}
