//! Sums, extremes and counts over all valid pixels: what bias, RMSE, PSNR, Pearson r and many others are made of.

use crate::block::{BLOCK_PIXELS, Block, blocks};
use crate::isa::widest;
use crate::{Pixel, statistics};

/// Sums over pairs of pixels. All are integers, and exact.
///
/// | metric | definition |
/// |---|---|
/// | [`bias`](Self::bias) | ē = Σe / n |
/// | [`mse`](Self::mse), [`rmse`](Self::rmse) | Σe² / n, and its root |
/// | [`nrmse`](Self::nrmse) | RMSE / (max x − min x) |
/// | [`psnr`](Self::psnr) | 20 log10(range / RMSE), in dB; the range is the caller's to name |
/// | [`pearson`](Self::pearson) | correlation of x and y |
/// | [`error_correlation`](Self::error_correlation) | correlation of e and x |
/// | [`line`](Self::line) | least squares y = a + s x |
/// | [`flux`](Self::flux) | Σy / Σx − 1 |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// Pairs.
    pub n: u64,
    /// Σx.
    pub sum_x: i128,
    /// Σe.
    pub sum_e: i128,
    /// Σx².
    pub sum_xx: i128,
    /// Σxe.
    pub sum_xe: i128,
    /// Σe².
    pub sum_ee: i128,
    /// Least and greatest x.
    pub range_x: Option<(i64, i64)>,
    /// Least and greatest y.
    pub range_y: Option<(i64, i64)>,
    /// The largest |e|.
    pub max_error: u64,
    /// Pairs that differ.
    pub n_changed: u64,
    /// Zeros of x that are none in y.
    pub n_from_zero: u64,
    /// Zeros of y that are none in x.
    pub n_to_zero: u64,
    /// Σx of the latter.
    pub sum_to_zero: i128,
    /// How many x are 0, 1, 2.
    pub low_x: [u64; 3],
    /// How many y are 0, 1, 2.
    pub low_y: [u64; 3],
}

/// Lanes of an inner loop: several vectors, so that sums do not wait for each other.
const LANES: usize = 8;

impl Moments {
    /// Adds the pairs that are valid; all of them where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        blocks(x, y, valid, |block| self.add_block(block));
    }

    pub(crate) fn add_block<P: Pixel>(&mut self, block: &Block<'_, P>) {
        let (x, y) = (block.x, block.y);
        let ends = |range: (P, P)| (range.0.value(), range.1.value());
        self.n += x.len() as u64;
        self.range_x = Some(union(self.range_x, ends(block.range_x)));
        self.range_y = Some(union(self.range_y, ends(block.range_y)));
        self.max_error = self.max_error.max(block.max_error);
        self.add_counts(block);
        if block.is_small() {
            let (x, y) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
            self.add_lanes(&sums(x.0, y.0));
            self.add_each(x.1, y.1);
        } else {
            self.add_each(x, y);
        }
    }

    fn add_each<P: Pixel>(&mut self, x: &[P], y: &[P]) {
        for (x, y) in x.iter().zip(y) {
            let (x, e) = (i128::from(x.value()), i128::from(y.value() - x.value()));
            self.sum_x += x;
            self.sum_e += e;
            self.sum_xx += x * x;
            self.sum_xe += x * e;
            self.sum_ee += e * e;
        }
    }

    fn add_lanes(&mut self, lanes: &Lanes) {
        let whole = |lanes: &[i32; LANES]| lanes.iter().map(|lane| i128::from(*lane)).sum::<i128>();
        // Each is a whole number below 2^53.
        let real = |lanes: &[f64; LANES]| lanes.iter().map(|lane| *lane as i128).sum::<i128>();
        self.sum_x += whole(&lanes.x);
        self.sum_e += whole(&lanes.e);
        self.sum_xx += real(&lanes.xx);
        self.sum_xe += real(&lanes.xe);
        self.sum_ee += real(&lanes.ee);
    }

    /// What counts 0, 1 and 2, and what changed.
    fn add_counts<P: Pixel>(&mut self, block: &Block<'_, P>) {
        let has_low = |range: (P, P)| range.0 <= P::low(2) && range.1 >= P::default();
        if block.max_error > 0 {
            self.n_changed += n_changed(block.x, block.y);
        }
        if !has_low(block.range_x) && !has_low(block.range_y) {
            return;
        }
        let counts = low_counts(block.x, block.y);
        for number in 0..3 {
            self.low_x[number] += counts.x[number];
            self.low_y[number] += counts.y[number];
        }
        self.n_from_zero += counts.n_from_zero;
        self.n_to_zero += counts.n_to_zero;
        if counts.n_to_zero > 0 {
            let lost = block.x.iter().zip(block.y).filter(|(_, y)| **y == P::default());
            self.sum_to_zero += lost.map(|(x, _)| i128::from(x.value())).sum::<i128>();
        }
    }

    /// Adds what another one has of other pixels.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum_x += other.sum_x;
        self.sum_e += other.sum_e;
        self.sum_xx += other.sum_xx;
        self.sum_xe += other.sum_xe;
        self.sum_ee += other.sum_ee;
        self.range_x = other.range_x.map_or(self.range_x, |range| Some(union(self.range_x, range)));
        self.range_y = other.range_y.map_or(self.range_y, |range| Some(union(self.range_y, range)));
        self.max_error = self.max_error.max(other.max_error);
        self.n_changed += other.n_changed;
        self.n_from_zero += other.n_from_zero;
        self.n_to_zero += other.n_to_zero;
        self.sum_to_zero += other.sum_to_zero;
        for number in 0..3 {
            self.low_x[number] += other.low_x[number];
            self.low_y[number] += other.low_y[number];
        }
    }

    /// The mean error: Σe / n. 0 where there are no pixels, as for all that follow but where it says otherwise.
    #[must_use]
    pub fn bias(&self) -> f64 {
        statistics::quotient(self.sum_e as f64, self.n as f64)
    }

    /// The standard error of [`bias`](Self::bias) if errors are independent: the deviation of e / √n. Where they are not,
    /// [`Tiles`](crate::Tiles) has the one that holds.
    #[must_use]
    pub fn bias_error_if_independent(&self) -> f64 {
        statistics::quotient(self.variance_e(), self.n as f64).sqrt()
    }

    /// Σe² / n.
    #[must_use]
    pub fn mse(&self) -> f64 {
        statistics::quotient(self.sum_ee as f64, self.n as f64)
    }

    /// The root of [`mse`](Self::mse).
    #[must_use]
    pub fn rmse(&self) -> f64 {
        self.mse().sqrt()
    }

    /// max x − min x.
    #[must_use]
    pub fn span(&self) -> f64 {
        self.range_x.map_or(0.0, |(least, most)| (most - least) as f64)
    }

    /// RMSE / (max x − min x); `None` where all x are the same.
    #[must_use]
    pub fn nrmse(&self) -> Option<f64> {
        (self.span() > 0.0).then(|| self.rmse() / self.span())
    }

    /// 20 log10(range / RMSE), in dB; `None` without an error, where it is infinite.
    #[must_use]
    pub fn psnr(&self, range: f64) -> Option<f64> {
        (self.sum_ee > 0 && range > 0.0).then(|| 20.0 * (range / self.rmse()).log10())
    }

    /// Σy / Σx − 1; `None` where there are no counts.
    #[must_use]
    pub fn flux(&self) -> Option<f64> {
        (self.sum_x != 0).then(|| self.sum_e as f64 / self.sum_x as f64)
    }

    /// Pearson's r of x and y; `None` where one of them is constant.
    #[must_use]
    pub fn pearson(&self) -> Option<f64> {
        let (xx, xe, ee) = self.covariances();
        statistics::correlation(xx + xe, xx, xx + 2.0 * xe + ee)
    }

    /// Pearson's r of e and x; `None` where one of them is constant.
    #[must_use]
    pub fn error_correlation(&self) -> Option<f64> {
        let (xx, xe, ee) = self.covariances();
        statistics::correlation(xe, xx, ee)
    }

    /// The least-squares line y = a + s x: a and s; `None` where all x are the same.
    #[must_use]
    pub fn line(&self) -> Option<(f64, f64)> {
        let (xx, xe, _) = self.covariances();
        let excess = (xx > 0.0).then(|| xe / xx)?;
        let mean_x = self.sum_x as f64 / self.n as f64;
        Some((self.bias() - excess * mean_x, 1.0 + excess))
    }

    fn variance_e(&self) -> f64 {
        let n = self.n as f64;
        statistics::quotient(self.covariances().2, n * (n - 1.0))
    }

    /// n Σab − Σa Σb for xx, xe, ee.
    fn covariances(&self) -> (f64, f64, f64) {
        let of = |sum_ab, sum_a, sum_b| statistics::scaled_covariance(self.n, sum_ab, sum_a, sum_b);
        (
            of(self.sum_xx, self.sum_x, self.sum_x),
            of(self.sum_xe, self.sum_x, self.sum_e),
            of(self.sum_ee, self.sum_e, self.sum_e),
        )
    }
}

/// What a block has of 0, 1 and 2.
struct LowCounts {
    x: [u64; 3],
    y: [u64; 3],
    n_from_zero: u64,
    n_to_zero: u64,
}

widest! {
    fn n_changed<P: Pixel>(x: &[P], y: &[P]) -> u64 {
        count(x, y, |x, y| x != y)
    }

    fn low_counts<P: Pixel>(x: &[P], y: &[P]) -> LowCounts {
        let (zero, known) = (P::default(), [0, 1, 2].map(P::low));
        LowCounts {
            x: known.map(|known| count(x, y, |x, _| x == known)),
            y: known.map(|known| count(x, y, |_, y| y == known)),
            n_from_zero: count(x, y, |x, y| (x == zero) & (y != zero)),
            n_to_zero: count(x, y, |x, y| (x != zero) & (y == zero)),
        }
    }
}

/// How many pairs of a block are so; in a number as wide as a pixel, so that a vector holds as many of both.
#[inline(always)]
fn count<P: Pixel>(x: &[P], y: &[P], is: impl Fn(P, P) -> bool) -> u64 {
    let pairs = x.iter().zip(y);
    if P::N_BITS <= 16 {
        const { assert!(BLOCK_PIXELS < 1 << 16) };
        return pairs.fold(0u16, |n, (x, y)| n + u16::from(is(*x, *y))).into();
    }
    pairs.fold(0u32, |n, (x, y)| n + u32::from(is(*x, *y))).into()
}

fn union(range: Option<(i64, i64)>, other: (i64, i64)) -> (i64, i64) {
    range.map_or(other, |range| (range.0.min(other.0), range.1.max(other.1)))
}

/// Sums of a block of small values, in lanes.
#[derive(Default)]
struct Lanes {
    x: [i32; LANES],
    e: [i32; LANES],
    xx: [f64; LANES],
    xe: [f64; LANES],
    ee: [f64; LANES],
}

impl Lanes {
    #[inline(always)]
    fn add<P: Pixel>(&mut self, x: &[P; LANES], y: &[P; LANES]) {
        for lane in 0..LANES {
            let (x, e) = (x[lane].small(), y[lane].small() - x[lane].small());
            self.x[lane] += x;
            self.e[lane] += e;
            let (x, e) = (f64::from(x), f64::from(e));
            self.xx[lane] += x * x;
            self.xe[lane] += x * e;
            self.ee[lane] += e * e;
        }
    }
}

widest! {
    fn sums<P: Pixel>(x: &[[P; LANES]], y: &[[P; LANES]]) -> Lanes {
        let mut lanes = Lanes::default();
        for (x, y) in x.iter().zip(y) {
            lanes.add(x, y);
        }
        lanes
    }
}
