//! The levels of a frame, each pixel held against its bound as it is quantised.

use super::front::{Achieved, Header};
use super::mask::MAX_SENTINELS;
use crate::kernels::quantise::{Bound, Noise, Quantiser};

/// A chunk's quantiser and what makes it fast.
pub(super) struct Leveller<'a> {
    header: &'a Header,
    quantiser: &'a Quantiser,
    /// Of the values from 0 to 65535, or of all values of a short type: the level, what it stands for, and the tolerance.
    table: Vec<Entry>,
    /// The sentinels that are masked.
    sentinels: &'a [u32],
    /// All values that stand for no measurement: no pixel may become one of them.
    kept: Vec<i64>,
    /// The levels from and to which a decoder is sure of.
    ends: (i64, i64),
}

#[derive(Clone, Copy, Default)]
struct Entry {
    level: i32,
    value: i32,
    tolerance: u32,
    /// Whether its value is a sentinel, and no level beside it is within the tolerance.
    is_taken: bool,
}

/// A frame as levels.
#[derive(Debug, Default)]
pub(super) struct Levels {
    pub(super) levels: Vec<i32>,
    /// For each pixel 0, or the bit of the sentinel that it is; empty where there is none.
    pub(super) mask: Vec<u8>,
}

/// The largest error against the noise: its square, and the variance.
#[derive(Debug, Clone, Copy)]
struct Worst {
    squared: u128,
    variance: u128,
}

/// What a chunk's errors come to.
#[derive(Debug, Default)]
pub(super) struct Errors {
    achieved: Achieved,
    sum_of_squares: u128,
    worst: Option<Worst>,
    /// About its quotient.
    worst_ratio: f64,
    /// Whether an error is larger than was promised.
    pub(super) is_broken: bool,
    /// Values that would become a sentinel: one more than can be masked at most.
    pub(super) taken: Vec<i64>,
}

impl<'a> Leveller<'a> {
    /// `sentinels` are masked, those of `kept` are not made of other values; `most` is the greatest value that there is.
    pub(super) fn new(
        header: &'a Header,
        quantiser: &'a Quantiser,
        (sentinels, kept): (&'a [u32], &[u32]),
        most: i64,
        ends: (i64, i64),
    ) -> Self {
        let kept = kept.iter().map(|bits| header.element.value(bits.cast_signed())).collect();
        let mut this = Self { header, quantiser, table: Vec::new(), sentinels, kept, ends };
        // A table for fewer pixels than it has entries costs more than it saves.
        let is_worth_it = header.n_bytes as usize / header.element.n_bytes > most as usize;
        if !quantiser.is_exact() && !header.options.unbiased && is_worth_it {
            let (least, greatest) = header.element.range();
            let n = 1 << (8 * header.element.n_bytes.min(2));
            let values = least.max(-n / 2)..=greatest.min(n - 1).min(most.max(0));
            this.table = vec![Entry::default(); n as usize];
            for x in values {
                this.table[(x & (n - 1)) as usize] = this.entry(x, 0);
            }
        }
        this
    }

    fn entry(&self, x: i64, chance: u16) -> Entry {
        let tolerance = self.header.bound.tolerance(x).clamp(0, u32::MAX.into());
        let level = self.quantiser.level(x, chance);
        let is_taken = |level| {
            let value = self.quantiser.value(level);
            value != x && self.kept.contains(&value)
        };
        let level = if is_taken(level) { self.beside(x, level, tolerance) } else { level };
        let value = self.quantiser.value(level) as i32;
        Entry { level: level as i32, value, tolerance: tolerance as u32, is_taken: is_taken(level) }
    }

    /// The level below or above `level`, whose value is a sentinel, if it may stand for `x`; else `level` itself.
    fn beside(&self, x: i64, level: i64, tolerance: i64) -> i64 {
        let (saturation, options) = (i64::from(self.header.saturation), self.header.options);
        let may_stand_for_it = |level: &i64| {
            let y = self.quantiser.value(*level);
            (self.ends.0..=self.ends.1).contains(level)
                && (y - x).abs() <= tolerance
                && !self.kept.contains(&y)
                && !(options.keep_zero && y == 0)
                && !(self.header.keep_negative && y < 0)
                && !(saturation > 0 && y >= saturation)
        };
        let beside = [level - 1, level + 1].into_iter().filter(may_stand_for_it);
        beside.min_by_key(|level| (self.quantiser.value(*level) - x).abs()).unwrap_or(level)
    }

    fn look_up(&self, x: i64, chance: u16) -> Entry {
        let is_short = self.header.element.n_bytes <= 2 || (0..1 << 16).contains(&x);
        match self.table.get((x & (self.table.len() as i64 - 1)) as usize) {
            Some(entry) if is_short => *entry,
            _ => self.entry(x, chance),
        }
    }

    /// The levels of a frame, and what they cost in `errors`.
    pub(super) fn frame(&self, src: &[u8], errors: &mut Errors) -> Levels {
        let mut pixels = vec![0; self.header.frame_pixels()];
        self.header.element.load(src, &mut pixels);
        let mask = self.mask(&pixels);
        let n_masked = mask.iter().filter(|masked| **masked != 0).count();
        errors.achieved.n_pixels += (pixels.len() - n_masked) as u64;
        if !self.quantiser.is_exact() {
            let chances = if self.header.options.unbiased { u64::from(crc32fast::hash(src)) << 32 | 1 } else { 0 };
            self.quantise(&mut pixels, &mask, chances, errors);
        }
        Levels { levels: pixels, mask }
    }

    fn quantise(&self, pixels: &mut [i32], mask: &[u8], mut state: u64, errors: &mut Errors) {
        let element = self.header.element;
        for (at, pixel) in pixels.iter_mut().enumerate() {
            if mask.get(at).is_some_and(|masked| *masked != 0) {
                continue;
            }
            if self.header.options.unbiased {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            }
            let x = element.value(*pixel);
            let entry = self.look_up(x, (state >> 48) as u16);
            errors.add(x, element.value(entry.value), &entry, &self.header.bound);
            *pixel = entry.level;
        }
    }

    fn mask(&self, pixels: &[i32]) -> Vec<u8> {
        let bits_of = |sentinel: u32| sentinel.cast_signed();
        if !pixels.iter().any(|pixel| self.sentinels.iter().any(|sentinel| bits_of(*sentinel) == *pixel)) {
            return Vec::new();
        }
        let bit = |pixel: &i32| match self.sentinels.iter().position(|sentinel| bits_of(*sentinel) == *pixel) {
            Some(at) => 1 << at,
            None => 0,
        };
        pixels.iter().map(bit).collect()
    }
}

impl Errors {
    #[inline]
    fn add(&mut self, x: i64, y: i64, entry: &Entry, bound: &Bound) {
        let error = y - x;
        if error == 0 {
            return;
        }
        if entry.is_taken && self.taken.len() <= MAX_SENTINELS && !self.taken.contains(&x) {
            self.taken.push(x);
        }
        let size = error.unsigned_abs();
        self.is_broken |= size > u64::from(entry.tolerance);
        self.achieved.most = self.achieved.most.max(size.min(u32::MAX.into()) as u32);
        self.achieved.sum += error;
        self.sum_of_squares += u128::from(size).pow(2);
        self.achieved.n_from_zero += u32::from(x == 0);
        self.achieved.n_to_zero += u32::from(y == 0);
        if let Bound::Noise(noise) = bound {
            self.add_sigma(size, x, noise);
        }
    }

    fn add_sigma(&mut self, size: u64, x: i64, noise: &Noise) {
        // What is far from the worst so far needs no exact comparison. Doubles are off by much less than a thousandth.
        let signal = (x - i64::from(noise.offset)) as f64 * f64::from(noise.gain.0) * f64::from(noise.read_variance.1);
        let near = signal + f64::from(noise.gain.1) * f64::from(noise.read_variance.0);
        if (size as f64) * (size as f64) < 0.999 * self.worst_ratio * near {
            return;
        }
        let (squared, variance) = (u128::from(size).pow(2), noise.scaled_variance(x));
        // Variances have fewer than 68 bits.
        let is_worse = self.worst.is_none_or(|worst| {
            match (squared.checked_mul(worst.variance), worst.squared.checked_mul(variance)) {
                (Some(this), Some(other)) => this > other,
                _ => squared / variance.max(1) > worst.squared / worst.variance.max(1),
            }
        });
        if is_worse {
            self.worst = Some(Worst { squared, variance });
            self.worst_ratio = squared as f64 / variance.max(1) as f64;
        }
    }

    pub(super) fn achieved(&self, bound: &Bound) -> Achieved {
        let mut achieved = self.achieved;
        achieved.sum_of_squares = u64::try_from(self.sum_of_squares).unwrap_or(u64::MAX);
        if let (Bound::Noise(noise), Some(worst)) = (bound, self.worst) {
            achieved.most_sigma = in_sigma(worst, noise);
        }
        achieved
    }
}

/// The root of the quotient times 65536, rounded up.
fn in_sigma(worst: Worst, noise: &Noise) -> u32 {
    let scaled = worst.squared.checked_mul(u128::from(noise.variance_scale()));
    let Some(scaled) = scaled.and_then(|scaled| scaled.checked_mul(1 << 32)) else { return u32::MAX };
    let squared = scaled.div_ceil(worst.variance.max(1));
    let root = squared.isqrt();
    u32::try_from(root + u128::from(root * root < squared)).unwrap_or(u32::MAX)
}
