//! The noise of a detector from its frames: variance by intensity, robust against a scene that moves, with confidence and doubts.

use crate::bins::{N_BINS, bin_of};
use crate::levels::Levels;
use crate::line::{Line, fit};
use crate::spread::Spread;
use crate::{Error, NoiseModel, Pixel, Result, Rules, Shape};

/// Fewer triples of pixels than this are no bin.
const MIN_TRIPLES: u64 = 300;

/// A measurement of the noise, to which frames are added in the order in which they were taken.
///
/// Of three frames a, b, c that follow each other, a − 2b + c has six times the variance of a pixel, also where the light drifts. It is
/// collected in bins of (a + b + c) / 3. The variance of a bin is from the median of |a − 2b + c|, which edges and spots that move hardly
/// change, or, where that is too coarse (few counts), from the squares.
///
/// ```
/// use darkchunk_metrics::{Rules, Shape, Transfer};
///
/// let shape = Shape { height: 64, width: 64 };
/// let mut transfer = Transfer::new(shape, Rules::default())?;
/// for n in 0..8_u32 {
///     // A photon counter, in light that drifts.
///     transfer.add(&darkchunk_sim::regimes::poisson_u16((64, 64), 100.0 + 0.5 * f64::from(n), n.into()))?;
/// }
/// let measured = transfer.measure()?;
/// assert!((measured.model.variance(100.0) - 100.0).abs() < 10.0);
/// # Ok::<(), darkchunk_metrics::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Transfer {
    shape: Shape,
    rules: Rules,
    n_frames: u64,
    /// The frame before the last one, and the last one.
    before: [Vec<i32>; 2],
    bins: Vec<Option<Box<Bin>>>,
    /// Neighbours in a row whose second differences have the same sign, and the opposite one.
    same: u64,
    opposite: u64,
    /// The greatest common divisor of all differences.
    divisor: u64,
    levels: Levels,
}

#[derive(Debug, Clone, Default)]
struct Bin {
    /// Σ(a + b + c).
    sum: i128,
    /// The values of |a − 2b + c|.
    spread: Spread,
}

/// The variance at one intensity.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Point {
    /// The mean intensity of the pixels, in counts.
    pub mean: f64,
    /// Their variance, in counts squared.
    pub variance: f64,
    /// Its standard error.
    pub error: f64,
    /// Triples of pixels.
    pub n: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measured {
    /// Gain, offset and read variance. Only the dark image tells offset and read noise from each other: without, one of them is 0.
    pub model: NoiseModel,
    /// The standard error of the gain.
    pub gain_error: f64,
    /// The variance at 0 counts by the line, read variance − gain · offset; and its standard error.
    pub variance_at_0: f64,
    /// The standard error of it.
    pub variance_at_0_error: f64,
    /// By how much the points are off the line, relative to it, in the median.
    pub misfit: f64,
    /// The correlation of the noise of neighbours in a row.
    pub neighbours: f64,
    /// The points.
    pub points: Vec<Point>,
    /// Why a bound by this model may not be what is wanted; empty where nothing speaks against it.
    pub doubts: Vec<String>,
}

impl Transfer {
    /// A measurement of frames of this shape. Pixels that do not count by the rules are left out.
    ///
    /// # Errors
    /// [`Error::Shape`] for frames without pixels, [`Error::Setting`] for a mask of another shape.
    pub fn new(shape: Shape, rules: Rules) -> Result<Self> {
        rules.check(shape)?;
        if shape.n_pixels() == 0 {
            return Err(Error::Shape { height: shape.height, width: shape.width, n_pixels: 0 });
        }
        let bins = (0..N_BINS).map(|_| None).collect();
        let before = [Vec::new(), Vec::new()];
        Ok(Self { shape, rules, n_frames: 0, before, bins, same: 0, opposite: 0, divisor: 0, levels: Levels::new() })
    }

    /// Adds the frame after those that were added.
    ///
    /// # Errors
    /// [`Error::Shape`] for a frame of another shape, [`Error::Setting`] for one with a value of 2^31 or more that counts.
    pub fn add<P: Pixel>(&mut self, frame: &[P]) -> Result<()> {
        if frame.len() != self.shape.n_pixels() {
            let Shape { height, width } = self.shape;
            return Err(Error::Shape { height, width, n_pixels: frame.len() });
        }
        let (levels, [_, last]) = (&mut self.levels, &mut self.before);
        let mut new = Vec::with_capacity(frame.len());
        for (at, pixel) in frame.iter().enumerate() {
            let value = pixel.value();
            new.push(match i32::try_from(value) {
                _ if !self.rules.counts(at, value) => LEFT_OUT,
                Ok(count) if count != LEFT_OUT => {
                    levels.add(value);
                    count
                }
                _ => return Err(Error::Setting(format!("the value {value} is no count: say which values are masked"))),
            });
        }
        let last = std::mem::replace(last, new);
        let first = std::mem::replace(&mut self.before[0], last);
        self.n_frames += 1;
        if self.n_frames > 2 {
            self.add_triple(&first);
        }
        Ok(())
    }

    fn add_triple(&mut self, first: &[i32]) {
        let [middle, last] = [0, 1].map(|at| std::mem::take(&mut self.before[at]));
        for ((a, b), c) in
            first.chunks(self.shape.width).zip(middle.chunks(self.shape.width)).zip(last.chunks(self.shape.width))
        {
            let mut left = 0;
            for ((a, b), c) in a.iter().zip(b).zip(c) {
                if [*a, *b, *c].contains(&LEFT_OUT) {
                    left = 0;
                    continue;
                }
                let [a, b, c] = [*a, *b, *c].map(i64::from);
                let (sum, second) = (a + b + c, a - 2 * b + c);
                let bin = self.bins[bin_of(sum.div_euclid(3))].get_or_insert_default();
                bin.sum += i128::from(sum);
                bin.spread.add(second.unsigned_abs());
                let sign = second.signum() * left;
                self.same += u64::from(sign > 0);
                self.opposite += u64::from(sign < 0);
                left = second.signum();
                if self.divisor != 1 {
                    self.divisor = divisor(divisor(self.divisor, (a - b).unsigned_abs()), (c - b).unsigned_abs());
                }
            }
        }
        self.before = [middle, last];
    }

    /// The points of the bins that have enough pixels.
    fn points(&self) -> Vec<Point> {
        let filled = self.bins.iter().flatten().filter(|bin| bin.spread.n() >= MIN_TRIPLES);
        let point = |bin: &Bin| {
            let n = bin.spread.n();
            let (square, error) = bin.spread.square();
            // Triples that overlap are not independent: about half as many are.
            let error = error * f64::sqrt(2.0);
            Point { mean: bin.sum as f64 / 3.0 / n as f64, variance: square / 6.0, error: error / 6.0, n }
        };
        filled.map(|bin| point(bin)).collect()
    }

    /// What the frames so far say.
    ///
    /// # Errors
    /// [`Error::Setting`] where they are fewer than three, or have too few pixels that count, or nothing varies.
    pub fn measure(&self) -> Result<Measured> {
        let points = self.points();
        if self.n_frames < 3 || points.is_empty() {
            return Err(Error::Setting(format!(
                "{} frames, and {} pixels in each that are measured often enough: the noise needs three frames that follow each other, and {MIN_TRIPLES} \
                 pixels of about one intensity",
                self.n_frames,
                self.shape.n_pixels()
            )));
        }
        if points.iter().all(|point| point.variance <= 0.0) {
            return Err(Error::Setting(
                "nothing varies from frame to frame: there is no noise, or it was taken away".into(),
            ));
        }
        let line = fit(&points);
        let model = model(&line)?;
        let misfit = misfit(&points, &model);
        let neighbours = self.neighbours();
        let mut measured = Measured {
            model,
            gain_error: line.slope_error,
            variance_at_0: line.at_0,
            variance_at_0_error: line.at_0_error,
            misfit,
            neighbours,
            points,
            doubts: Vec::new(),
        };
        measured.doubts = self.doubts(&measured, &line);
        Ok(measured)
    }

    /// The correlation that signs of neighbours have, if both are normal.
    fn neighbours(&self) -> f64 {
        let n = self.same + self.opposite;
        if n == 0 {
            return 0.0;
        }
        let excess = (self.same as f64 - self.opposite as f64) / n as f64;
        (std::f64::consts::FRAC_PI_2 * excess).sin()
    }

    fn doubts(&self, measured: &Measured, line: &Line) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.divisor > 1 {
            doubts.push(format!(
                "all differences are multiples of {}: the counts were scaled or quantised; divide them by it, or give an absolute bound",
                self.divisor
            ));
        }
        let (n_levels, share) = self.levels.alone(&measured.model);
        if self.divisor == 1 && n_levels >= MIN_LEVELS && share > 0.5 {
            doubts.push(format!(
                "{:.0} % of the pixels have one of {n_levels} values with gaps on both sides: the counts were scaled, or stored with loss, and its steps \
                 are in these numbers; measure counts as they were read out",
                100.0 * share
            ));
        }
        let (means, n_errors) = (measured.points.iter().map(|point| point.mean), line.slope / line.slope_error);
        let (least, most) = means.fold((f64::MAX, f64::MIN), |(least, most), mean| (least.min(mean), most.max(mean)));
        let deviation = measured.model.read_variance.sqrt();
        if line.is_constant && most < ALIKE * least {
            doubts.push(format!(
                "intensities from {least:.0} to {most:.0} counts are too much alike to tell a gain: the deviation of all of them is {deviation:.2}"
            ));
        } else if line.is_constant {
            doubts.push(format!(
                "the variance does not rise with the intensity, from {least:.0} to {most:.0} counts: not photon noise, or corrected \
                 after it was counted; an absolute bound of about {:.1} counts is half of its deviation",
                deviation / 2.0
            ));
        } else if n_errors < 5.0 {
            doubts.push(format!(
                "the gain is known to {:.0} % only: intensities from {least:.0} to {most:.0} counts are too much alike, or pixels too few",
                100.0 / n_errors
            ));
        }
        if measured.misfit > 0.15 {
            doubts.push(format!(
                "the variance is off a straight line by {:.0} % in the median: the counts were corrected (flat field), scaled or filtered, or \
                 the scene moves",
                100.0 * measured.misfit
            ));
        }
        if measured.neighbours.abs() > 0.1 {
            doubts.push(format!(
                "the noise of neighbours is correlated, {:+.2}: it was filtered, interpolated or compressed with loss, or charge is shared",
                measured.neighbours
            ));
        }
        doubts
    }
}

/// Without intensities that are so many times others, a gain is hardly seen.
const ALIKE: f64 = 1.5;

/// Fewer values that stand alone are no lattice.
const MIN_LEVELS: usize = 3;

/// A pixel that does not count.
const LEFT_OUT: i32 = i32::MIN;

/// The greatest common divisor.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The model with the line's variance: where the line is negative at 0 that is said as an offset, else as a read variance.
fn model(line: &Line) -> Result<NoiseModel> {
    if line.is_constant {
        return NoiseModel::new(0.0, 0.0, line.at_0);
    }
    let (offset, read) = if line.at_0 < 0.0 { (-line.at_0 / line.slope, 0.0) } else { (0.0, line.at_0) };
    NoiseModel::new(line.slope, offset, read)
}

fn misfit(points: &[Point], model: &NoiseModel) -> f64 {
    let off = |point: &Point| {
        let expected = model.variance(point.mean);
        let allowed = 3.0 * point.error;
        ((point.variance - expected).abs() - allowed).max(0.0) / expected.max(point.variance).max(f64::MIN_POSITIVE)
    };
    let mut all: Vec<f64> = points.iter().map(off).collect();
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}
