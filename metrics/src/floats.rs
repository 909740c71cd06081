//! What became of real numbers, of which no noise is known: of volumes, and of images that are corrected.
//!
//! x, y and e as for counts, all in `f64`. Pixels that are NaN or infinite count as little as masked ones: they must be the same.

use crate::statistics::quotient;
use crate::{Error, Exactness, Limits, Result, Settings, Shape, Verdict, limits};

/// The largest |e|, and where it is: the first, where there are several.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FloatError {
    /// |e|.
    pub magnitude: f64,
    /// The frame.
    pub frame: u64,
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
}

/// Takes pairs of frames of real numbers, and gives a [`FloatReport`].
///
/// Two that were filled with other frames are merged; the sums differ in the last bit at most, whatever the order.
#[derive(Debug, Clone)]
pub struct FloatComparison {
    settings: Settings,
    n_frames: u64,
    excluded: Exactness,
    n_valid: u64,
    n_changed: u64,
    n_from_zero: u64,
    n_to_zero: u64,
    sum_e: Sum,
    sum_ee: Sum,
    sum_magnitudes: Sum,
    range_x: Option<(f64, f64)>,
    range_y: Option<(f64, f64)>,
    largest: Option<FloatError>,
}

/// All numbers.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FloatReport {
    /// Frames.
    pub n_frames: u64,
    /// Pixels, by what became of them.
    pub pixels: FloatPixels,
    /// Errors, in the unit of the data.
    pub errors: FloatErrors,
}

/// How many pixels there are, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct FloatPixels {
    /// Pixels that count.
    pub n_valid: u64,
    /// Those that changed.
    pub n_changed: u64,
    /// Zeros that became another value.
    pub n_from_zero: u64,
    /// Other values that became 0.
    pub n_to_zero: u64,
    /// Pixels that do not count: `n_masked` are masked ones, sentinels, NaN and infinities.
    pub excluded: Exactness,
}

/// Those of [`Limits`] that are judged of real numbers.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FloatLimits {
    /// |Σe / Σ|x||.
    pub flux: Option<f64>,
    /// Pixels that do not count and changed, and such as became NaN and the like.
    pub changed_excluded: Option<u64>,
}

impl FloatLimits {
    /// Their names.
    pub const NAMES: [&str; 2] = ["flux", "changed_excluded"];
}

impl From<&Limits> for FloatLimits {
    fn from(limits: &Limits) -> Self {
        Self { flux: limits.flux, changed_excluded: limits.changed_excluded }
    }
}

/// Errors, in the unit of the data.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FloatErrors {
    /// The largest |e|.
    pub max_error: f64,
    /// Where it is; `None` without an error.
    pub largest: Option<FloatError>,
    /// The mean error.
    pub bias: f64,
    /// The root of the mean square error.
    pub rmse: f64,
    /// RMSE / (max x − min x); `None` where all x are the same.
    pub nrmse: Option<f64>,
    /// The range of PSNR.
    pub psnr_range: f64,
    /// 20 log10(range / RMSE), in dB; `None` without an error.
    pub psnr: Option<f64>,
    /// Σe / Σ|x|; `None` where all x are 0.
    pub flux: Option<f64>,
    /// Least and greatest x.
    pub range_before: Option<(f64, f64)>,
    /// Least and greatest y.
    pub range_after: Option<(f64, f64)>,
}

impl FloatComparison {
    /// Nothing compared yet. Sentinels and the saturation are whole numbers; of the settings the noise is not used.
    ///
    /// # Errors
    /// [`Error::Setting`] for a mask of another shape, and a range that is not above 0.
    pub fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        Ok(Self {
            settings,
            n_frames: 0,
            excluded: Exactness::default(),
            n_valid: 0,
            n_changed: 0,
            n_from_zero: 0,
            n_to_zero: 0,
            sum_e: Sum::default(),
            sum_ee: Sum::default(),
            sum_magnitudes: Sum::default(),
            range_x: None,
            range_y: None,
            largest: None,
        })
    }

    /// Adds a frame, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] where x or y has another number of pixels.
    pub fn add<P: Copy + Into<f64>>(&mut self, frame: u64, x: &[P], y: &[P]) -> Result<()> {
        let Shape { height, width } = self.settings.shape;
        if let Some(other) = [x, y].iter().find(|pixels| pixels.len() != self.settings.shape.n_pixels()) {
            return Err(Error::Shape { height, width, n_pixels: other.len() });
        }
        self.n_frames += 1;
        for (at, (x, y)) in x.iter().zip(y).enumerate() {
            let (x, y) = ((*x).into(), (*y).into());
            if self.is_measured(at, x) {
                self.measure(frame, at, x, y);
            } else {
                self.exclude(x, y);
            }
        }
        Ok(())
    }

    fn is_measured(&self, at: usize, x: f64) -> bool {
        let is_masked = self.settings.rules.mask.as_ref().is_some_and(|mask| mask[at]);
        !is_masked && x.is_finite() && !self.is_sentinel(x) && !self.is_saturated(x)
    }

    fn is_sentinel(&self, x: f64) -> bool {
        self.settings.rules.sentinels.iter().any(|sentinel| *sentinel as f64 == x)
    }

    fn is_saturated(&self, x: f64) -> bool {
        self.settings.rules.saturation.is_some_and(|saturation| x >= saturation as f64)
    }

    fn exclude(&mut self, x: f64, y: f64) {
        let has_changed = u64::from(x != y && !(x.is_nan() && y.is_nan()));
        if x.is_finite() && self.is_saturated(x) {
            self.excluded.n_saturated += 1;
            self.excluded.n_saturated_changed += has_changed;
        } else {
            self.excluded.n_masked += 1;
            self.excluded.n_masked_changed += has_changed;
        }
    }

    fn measure(&mut self, frame: u64, at: usize, x: f64, y: f64) {
        self.n_valid += 1;
        self.sum_magnitudes.add(x.abs());
        self.range_x = Some(union(self.range_x, (x, x)));
        if !y.is_finite() {
            self.n_changed += 1;
            self.excluded.n_became_invalid += 1;
            return;
        }
        self.range_y = Some(union(self.range_y, (y, y)));
        let e = y - x;
        if e == 0.0 {
            return;
        }
        self.n_changed += 1;
        self.n_from_zero += u64::from(x == 0.0);
        self.n_to_zero += u64::from(y == 0.0);
        self.excluded.n_became_invalid += u64::from(self.is_sentinel(y) || self.is_saturated(y));
        self.sum_e.add(e);
        self.sum_ee.add(e * e);
        let (row, column) = (at / self.settings.shape.width, at % self.settings.shape.width);
        self.take_largest(FloatError { magnitude: e.abs(), frame, row, column });
    }

    fn take_largest(&mut self, other: FloatError) {
        let place = |error: &FloatError| (error.frame, error.row, error.column);
        let is_larger = |kept: &FloatError| {
            other.magnitude > kept.magnitude || other.magnitude == kept.magnitude && place(&other) < place(kept)
        };
        if self.largest.as_ref().is_none_or(is_larger) {
            self.largest = Some(other);
        }
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.excluded.merge(&other.excluded);
        self.n_valid += other.n_valid;
        self.n_changed += other.n_changed;
        self.n_from_zero += other.n_from_zero;
        self.n_to_zero += other.n_to_zero;
        self.sum_e.merge(other.sum_e);
        self.sum_ee.merge(other.sum_ee);
        self.sum_magnitudes.merge(other.sum_magnitudes);
        self.range_x = other.range_x.map_or(self.range_x, |range| Some(union(self.range_x, range)));
        self.range_y = other.range_y.map_or(self.range_y, |range| Some(union(self.range_y, range)));
        if let Some(largest) = other.largest {
            self.take_largest(largest);
        }
    }

    /// All numbers.
    #[must_use]
    pub fn report(&self) -> FloatReport {
        let n = self.n_valid as f64;
        let span = self.range_x.map_or(0.0, |(least, most)| most - least);
        let rmse = quotient(self.sum_ee.value(), n).sqrt();
        let psnr_range = self.settings.data_range.unwrap_or(span);
        let magnitudes = self.sum_magnitudes.value();
        FloatReport {
            n_frames: self.n_frames,
            pixels: FloatPixels {
                n_valid: self.n_valid,
                n_changed: self.n_changed,
                n_from_zero: self.n_from_zero,
                n_to_zero: self.n_to_zero,
                excluded: self.excluded,
            },
            errors: FloatErrors {
                max_error: self.largest.map_or(0.0, |largest| largest.magnitude),
                largest: self.largest,
                bias: quotient(self.sum_e.value(), n),
                rmse,
                nrmse: (span > 0.0).then(|| rmse / span),
                psnr_range,
                psnr: (rmse > 0.0 && psnr_range > 0.0).then(|| 20.0 * (psnr_range / rmse).log10()),
                flux: (magnitudes > 0.0).then(|| self.sum_e.value() / magnitudes),
                range_before: self.range_x,
                range_after: self.range_y,
            },
        }
    }
}

impl Limits {
    /// Whether a report of real numbers keeps `flux` and `changed_excluded`: no other limit is known without a model of the noise.
    #[must_use]
    pub fn judge_floats(&self, report: &FloatReport) -> Verdict {
        let mut checks = Vec::new();
        let FloatReport { errors, pixels, .. } = report;
        let flux = errors.flux.map_or(if pixels.n_changed > 0 { f64::INFINITY } else { 0.0 }, f64::abs);
        limits::check(&mut checks, "flux", self.flux, flux, || {
            "sum of all values, its change relative to that of their magnitudes".into()
        });
        self.judge_excluded(&pixels.excluded, &mut checks);
        Verdict { passes: checks.iter().all(|check| check.is_kept), checks }
    }
}

/// A sum with what was lost of it by rounding (Neumaier's).
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        let (large, small) = if self.sum.abs() >= number.abs() { (self.sum, number) } else { (number, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }

    fn merge(&mut self, other: Self) {
        self.add(other.sum);
        self.lost += other.lost;
    }

    fn value(self) -> f64 {
        self.sum + self.lost
    }
}

fn union(range: Option<(f64, f64)>, other: (f64, f64)) -> (f64, f64) {
    range.map_or(other, |range| (range.0.min(other.0), range.1.max(other.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rules;

    const SHAPE: Shape = Shape { height: 2, width: 4 };

    fn report(rules: Rules, x: &[f32], y: &[f32]) -> FloatReport {
        let mut comparison = FloatComparison::new(Settings { rules, ..Settings::new(SHAPE) }).unwrap();
        comparison.add(3, x, y).unwrap();
        comparison.report()
    }

    #[test]
    fn errors_are_those_of_the_pixels_that_count() {
        let (nan, infinite) = (f32::NAN, f32::INFINITY);
        let x = [0.0, -1.0, 2.5, nan, infinite, -9999.0, 4.0, 1e6];
        let y = [0.5, -1.0, 2.0, nan, infinite, -9999.0, 0.0, 1e6];
        let rules = Rules { sentinels: vec![-9999], saturation: Some(1_000_000), ..Rules::default() };
        let found = report(rules, &x, &y);
        let FloatReport { pixels, errors, n_frames } = found;
        assert_eq!((n_frames, pixels.n_valid, pixels.n_changed), (1, 4, 3));
        assert_eq!((pixels.n_from_zero, pixels.n_to_zero), (1, 1));
        let excluded = Exactness { n_masked: 3, n_saturated: 1, ..Exactness::default() };
        assert_eq!(pixels.excluded, excluded);
        assert_eq!(errors.largest, Some(FloatError { magnitude: 4.0, frame: 3, row: 1, column: 2 }));
        assert_eq!((errors.max_error, errors.bias), (4.0, -1.0));
        assert!((errors.rmse - (16.5_f64 / 4.0).sqrt()).abs() < 1e-15);
        assert_eq!((errors.range_before, errors.range_after), (Some((-1.0, 4.0)), Some((-1.0, 2.0))));
        assert_eq!(errors.flux, Some(-4.0 / 7.5));
        assert!((errors.psnr.unwrap() - 20.0 * (5.0 / errors.rmse).log10()).abs() < 1e-12);
        assert!(!Limits::default().judge_floats(&found).passes);
    }

    #[test]
    fn what_must_be_exact_and_is_not_is_counted_and_fails() {
        let nan = f32::NAN;
        let x = [nan, 1.0, 2.0, -1.0, 5.0, f32::INFINITY, 1.0, 1.0];
        let y = [0.0, nan, -1.0, -2.0, 5.0, f32::NEG_INFINITY, 1.0, 1.0];
        let found = report(Rules { sentinels: vec![-1], ..Rules::default() }, &x, &y);
        let excluded = Exactness { n_masked: 3, n_masked_changed: 3, n_became_invalid: 2, ..Exactness::default() };
        assert_eq!(found.pixels.excluded, excluded);
        let verdict = Limits { flux: None, ..Limits::default() }.judge_floats(&found);
        assert!(!verdict.passes && verdict.checks[0].name == "changed_excluded" && verdict.checks[0].found == 5.0);
    }

    #[test]
    fn nothing_is_lost_where_nothing_changed() {
        let x = [f32::NAN, 0.0, -0.0, 1.5, 3.0, f32::MIN_POSITIVE, f32::MAX, -2.0];
        let found = report(Rules::default(), &x, &x);
        assert_eq!((found.errors.max_error, found.errors.psnr, found.pixels.n_changed), (0.0, None, 0));
        assert!(Limits::default().judge_floats(&found).passes);
        let mut comparison = FloatComparison::new(Settings::new(SHAPE)).unwrap();
        assert!(comparison.add(0, &x[..7], &x).is_err() && comparison.add(0, &x, &x[..7]).is_err());
    }

    #[test]
    fn parts_that_are_merged_are_the_whole() {
        let pixel = |frame: u64, at: usize| (frame as f64 * 1.7 + at as f64).sin() * 10f64.powi(at as i32);
        let frames = |frame: u64| {
            let x: Vec<f64> = (0..8).map(|at| pixel(frame, at)).collect();
            let y: Vec<f64> = x.iter().map(|x| (x * 64.0).round() / 64.0).collect();
            (x, y)
        };
        let of = |numbers: &[u64]| {
            let mut comparison = FloatComparison::new(Settings::new(SHAPE)).unwrap();
            for frame in numbers {
                let (x, y) = frames(*frame);
                comparison.add(*frame, &x, &y).unwrap();
            }
            comparison
        };
        let (whole, mut parts) = (of(&[0, 1, 2, 3, 4]).report(), of(&[4, 2]));
        parts.merge(&of(&[3, 0, 1]));
        let parts = parts.report();
        assert_eq!((whole.pixels, whole.errors.largest), (parts.pixels, parts.errors.largest));
        let e: Vec<f64> = (0..5)
            .flat_map(|n| {
                let (x, y) = frames(n);
                x.into_iter().zip(y).map(|(x, y)| y - x).collect::<Vec<_>>()
            })
            .collect();
        let (mean, square) = (e.iter().sum::<f64>() / 40.0, e.iter().map(|e| e * e).sum::<f64>() / 40.0);
        for found in [whole.errors, parts.errors] {
            assert!((found.bias - mean).abs() < 1e-15 && (found.rmse - square.sqrt()).abs() < 1e-15);
        }
    }
}
