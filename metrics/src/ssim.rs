//! Structural similarity, as scikit-image computes it: uniform windows of 7 x 7, sample covariance, the windows that are whole.

use std::ops::{AddAssign, SubAssign};

use crate::fixed::FixedSum;
use crate::{Pixel, Shape, statistics};

/// Side of a window.
const SIDE: usize = 7;
const WINDOW_PIXELS: f64 = (SIDE * SIDE) as f64;

/// Sums of products of values below this fit 64 bits.
const SMALL: i64 = 1 << 28;

/// The mean SSIM of all windows without a pixel that does not count.
///
/// `skimage.metrics.structural_similarity(x, y, win_size=7, data_range=range)`: ((2 μx μy + C1)(2 σxy + C2)) / ((μx² + μy² + C1)(σx² + σy² + C2))
/// with C1 = (0.01 range)², C2 = (0.03 range)². The range must be one and the same for all frames, and it is to be printed: with the 65535 of
/// the type in place of the range of the data nearly everything has an SSIM of 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Ssim {
    range: f64,
    sum: FixedSum,
    n: u64,
    /// The mean of the worst frame, and which it is.
    worst: Option<(f64, u64)>,
}

impl Ssim {
    /// For a range of the data, above 0.
    #[must_use]
    pub fn new(range: f64) -> Self {
        Self { range, sum: FixedSum::default(), n: 0, worst: None }
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, shape: Shape, frame: u64, x: &[P], y: &[P], valid: &[bool]) {
        if shape.width < SIDE || shape.height < SIDE {
            return;
        }
        let is_small = |pixels: &[P]| pixels.iter().all(|pixel| pixel.value().abs() < SMALL);
        let (sum, n) = if P::N_BITS <= 16 || (is_small(x) && is_small(y)) {
            Columns::<i64>::new(shape.width).ssim(shape, x, y, valid, self.range)
        } else {
            Columns::<i128>::new(shape.width).ssim(shape, x, y, valid, self.range)
        };
        if n > 0 {
            self.sum.add(sum);
            self.n += n;
            self.take_worst(Some((sum / n as f64, frame)));
        }
    }

    fn take_worst(&mut self, other: Option<(f64, u64)>) {
        let both = self.worst.into_iter().chain(other);
        self.worst = both.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }

    /// Adds what another one, with the same range, has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.sum.merge(other.sum);
        self.n += other.n;
        self.take_worst(other.worst);
    }

    /// The range.
    #[must_use]
    pub fn range(&self) -> f64 {
        self.range
    }

    /// The mean over all windows; `None` where there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| statistics::quotient(self.sum.value(), self.n as f64))
    }

    /// The mean of the worst frame, and which frame it is.
    #[must_use]
    pub fn worst(&self) -> Option<(f64, u64)> {
        self.worst
    }
}

/// A whole number that is wide enough.
trait Whole: Copy + Default + AddAssign + SubAssign {
    fn product(a: i64, b: i64) -> Self;
    fn real(self) -> f64;
}

impl Whole for i64 {
    fn product(a: i64, b: i64) -> Self {
        a * b
    }
    fn real(self) -> f64 {
        self as f64
    }
}

impl Whole for i128 {
    fn product(a: i64, b: i64) -> Self {
        Self::from(a) * Self::from(b)
    }
    fn real(self) -> f64 {
        self as f64
    }
}

/// Sums of x, y, xx, yy, xy of a column, a window, …; and of the pixels that do not count.
#[derive(Clone, Copy, Default)]
struct Sums<W> {
    of: [W; 5],
    n_invalid: u32,
}

impl<W: Whole> Sums<W> {
    fn pixel<P: Pixel>(x: P, y: P, is_valid: bool) -> Self {
        if !is_valid {
            return Self { n_invalid: 1, ..Self::default() };
        }
        let (x, y) = (x.value(), y.value());
        let product = W::product;
        Self { of: [product(x, 1), product(y, 1), product(x, x), product(y, y), product(x, y)], n_invalid: 0 }
    }

    #[inline]
    fn add(&mut self, other: &Self) {
        self.of.iter_mut().zip(other.of).for_each(|(sum, other)| *sum += other);
        self.n_invalid += other.n_invalid;
    }

    #[inline]
    fn subtract(&mut self, other: &Self) {
        self.of.iter_mut().zip(other.of).for_each(|(sum, other)| *sum -= other);
        self.n_invalid -= other.n_invalid;
    }

    fn ssim(&self, range: f64) -> f64 {
        let [x, y, xx, yy, xy] = self.of.map(|sum| sum.real() / WINDOW_PIXELS);
        let sample = WINDOW_PIXELS / (WINDOW_PIXELS - 1.0);
        let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
        let (vx, vy, vxy) = (sample * (xx - x * x), sample * (yy - y * y), sample * (xy - x * y));
        (2.0 * x * y + c1) * (2.0 * vxy + c2) / ((x * x + y * y + c1) * (vx + vy + c2))
    }
}

/// The sums of the last seven rows, one a column.
struct Columns<W>(Vec<Sums<W>>);

impl<W: Whole> Columns<W> {
    fn new(width: usize) -> Self {
        Self(vec![Sums::default(); width])
    }

    /// The sum over all windows, and their number.
    fn ssim<P: Pixel>(mut self, shape: Shape, x: &[P], y: &[P], valid: &[bool], range: f64) -> (f64, u64) {
        let pixel = |row: usize, column: usize| {
            let at = row * shape.width + column;
            Sums::pixel(x[at], y[at], valid.is_empty() || valid[at])
        };
        let (mut sum, mut n) = (0.0, 0);
        for row in 0..shape.height {
            for (column, sums) in self.0.iter_mut().enumerate() {
                if row >= SIDE {
                    sums.subtract(&pixel(row - SIDE, column));
                }
                sums.add(&pixel(row, column));
            }
            if row + 1 >= SIDE {
                self.add_windows(range, &mut sum, &mut n);
            }
        }
        (sum, n)
    }

    fn add_windows(&self, range: f64, sum: &mut f64, n: &mut u64) {
        let mut window = Sums::default();
        for (column, sums) in self.0.iter().enumerate() {
            window.add(sums);
            if column >= SIDE {
                window.subtract(&self.0[column - SIDE]);
            }
            if column + 1 >= SIDE && window.n_invalid == 0 {
                *sum += window.ssim(range);
                *n += 1;
            }
        }
    }
}
