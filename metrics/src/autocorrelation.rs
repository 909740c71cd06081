//! Whether errors of pixels near each other are alike.

use crate::{Pixel, Shape};

/// Lags along each axis, at most.
const MAX_LAG: i32 = 4;

const LANES: usize = 8;

/// The errors of a frame, 0 where a pixel does not count.
#[derive(Debug, Clone)]
pub(crate) struct ErrorPlane {
    shape: Shape,
    e: Vec<f64>,
    /// 1 where a pixel counts; empty where all do.
    weight: Vec<f64>,
}

impl ErrorPlane {
    pub(crate) fn new<P: Pixel>(shape: Shape, x: &[P], y: &[P], valid: &[bool]) -> Self {
        let weight: Vec<f64> = valid.iter().map(|valid| f64::from(u8::from(*valid))).collect();
        let mut e: Vec<f64> = x.iter().zip(y).map(|(x, y)| (y.value() - x.value()) as f64).collect();
        e.iter_mut().zip(&weight).for_each(|(e, weight)| *e *= weight);
        Self { shape, e, weight }
    }
}

/// ρ(dx, dy, dt) = ⟨e(p) e(p + d)⟩ / ⟨e²⟩ over all pairs of pixels that count, for up to 4 columns, 4 rows and one frame. If errors are
/// independent |ρ| is below 3 / √n in all but 0.3 % of lags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Autocorrelation {
    /// Σ e(p) e(p + d), and the pairs, in the order of [`lags`].
    sums: Vec<(i128, u64)>,
}

/// One lag.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Lag {
    /// Columns.
    pub dx: i32,
    /// Rows.
    pub dy: i32,
    /// Frames.
    pub dt: i32,
    /// ρ.
    pub rho: f64,
    /// Pairs of pixels.
    pub n: u64,
}

impl Lag {
    /// |ρ| √n: below 3 if errors are independent.
    #[must_use]
    pub fn significance(&self) -> f64 {
        self.rho.abs() * (self.n as f64).sqrt()
    }
}

/// All lags: within a frame one of each two that are opposite, the first of them 0; then to the frame before.
fn lags() -> impl Iterator<Item = (i32, i32, i32)> {
    let rows =
        |first: i32, dt: i32| (first..=MAX_LAG).flat_map(move |dy| (-MAX_LAG..=MAX_LAG).map(move |dx| (dx, dy, dt)));
    rows(0, 0).filter(|(dx, dy, _)| *dy > 0 || *dx >= 0).chain(rows(-MAX_LAG, 1))
}

impl Autocorrelation {
    /// Adds a frame, and the pairs of its pixels with those of the frame before.
    pub(crate) fn add(&mut self, plane: &ErrorPlane, previous: Option<&ErrorPlane>) {
        self.sums.resize(lags().count(), (0, 0));
        for (sum, (dx, dy, dt)) in self.sums.iter_mut().zip(lags()) {
            let other = if dt == 0 { Some(plane) } else { previous };
            if let Some(other) = other {
                let (product, n) = products(plane, other, dx, dy);
                *sum = (sum.0 + product as i128, sum.1 + n);
            }
        }
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.sums.resize(self.sums.len().max(other.sums.len()), (0, 0));
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum = (sum.0 + other.0, sum.1 + other.1));
    }

    /// ρ of each lag but 0 that has pairs. Empty where there is no error at all.
    #[must_use]
    pub fn lags(&self) -> Vec<Lag> {
        let mean = |(sum, n): &(i128, u64)| if *n > 0 { *sum as f64 / *n as f64 } else { 0.0 };
        let square = self.sums.first().map_or(0.0, mean);
        let lag = |((dx, dy, dt), sum): ((i32, i32, i32), &(i128, u64))| Lag {
            dx,
            dy,
            dt,
            rho: mean(sum) / square,
            n: sum.1,
        };
        let other = lags().zip(&self.sums).skip(1).filter(|(_, sum)| sum.1 > 0 && square > 0.0);
        other.map(lag).collect()
    }

    /// The lag that is the least likely by chance.
    #[must_use]
    pub fn worst(&self) -> Option<Lag> {
        self.lags().into_iter().max_by(|a, b| a.significance().total_cmp(&b.significance()))
    }
}

/// Σ a(p) b(p + d) and the number of pairs. Sums of a row are exact for errors below 2^20.
fn products(a: &ErrorPlane, b: &ErrorPlane, dx: i32, dy: i32) -> (f64, u64) {
    let Shape { height, width } = a.shape;
    let (skip_x, skip_y) = (dx.unsigned_abs() as usize, dy.unsigned_abs() as usize);
    if skip_x >= width || skip_y >= height {
        return (0.0, 0);
    }
    let begin = |d: i32, other: bool| if (d < 0) != other { d.unsigned_abs() as usize } else { 0 };
    let (mut product, mut n) = (0.0, 0.0);
    for row in 0..height - skip_y {
        let range = |other: bool| {
            let at = (row + begin(dy, other)) * width + begin(dx, other);
            at..at + width - skip_x
        };
        product += dot(&a.e[range(false)], &b.e[range(true)]);
        n += match (a.weight.is_empty(), b.weight.is_empty()) {
            (true, true) => (width - skip_x) as f64,
            (true, false) => b.weight[range(true)].iter().sum::<f64>(),
            (false, true) => a.weight[range(false)].iter().sum::<f64>(),
            (false, false) => dot(&a.weight[range(false)], &b.weight[range(true)]),
        };
    }
    (product, n as u64)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (a, b) in a.0.iter().zip(b.0) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + a.1.iter().zip(b.1).map(|(a, b)| a * b).sum::<f64>()
}
