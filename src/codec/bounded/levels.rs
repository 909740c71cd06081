//! The levels of a frame, each pixel held against its bound as it is quantised.

use super::front::{Achieved, Header};
use super::mask::MAX_SENTINELS;
use super::values::Values;
use crate::kernels::quantise::{Bound, Noise, Quantiser};

/// A chunk's quantiser and what makes it fast.
pub(super) struct Leveller<'a> {
    header: &'a Header,
    quantiser: &'a Quantiser,
    /// The level of each value that is counted; empty where values are not counted.
    table: Vec<i32>,
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
    /// Pixels of float32 that are not what their levels stand for, in order, and their bits.
    pub(super) exceptions: Vec<(usize, i32)>,
}

impl Levels {
    pub(super) fn n_unmasked(&self) -> usize {
        self.levels.len() - self.mask.iter().filter(|masked| **masked != 0).count()
    }
}

/// For each pixel 0, or the bit of the first of these sentinels that it is; empty where there is none.
pub(super) fn mask(pixels: &[i32], sentinels: &[u32]) -> Vec<u8> {
    let is_there = |sentinel: &u32| {
        let mut blocks = pixels.chunks(1024);
        blocks.any(|block| block.iter().fold(false, |any, pixel| any | (*pixel == sentinel.cast_signed())))
    };
    let mut mask = Vec::new();
    for (at, sentinel) in sentinels.iter().enumerate().filter(|(_, sentinel)| is_there(sentinel)) {
        mask.resize(pixels.len(), 0);
        for (masked, pixel) in mask.iter_mut().zip(pixels) {
            *masked |= u8::from(*pixel == sentinel.cast_signed()) << at;
        }
    }
    mask
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
    /// `sentinels` are masked, those of `kept` are not made of other values.
    pub(super) fn new(
        header: &'a Header,
        quantiser: &'a Quantiser,
        (sentinels, kept): (&'a [u32], &[u32]),
        ends: (i64, i64),
    ) -> Self {
        let kept = kept.iter().map(|bits| header.element.value(bits.cast_signed())).collect();
        Self { header, quantiser, table: Vec::new(), sentinels, kept, ends }
    }

    /// Finds the levels of all values that are counted, and adds what they cost to `errors`.
    pub(super) fn add_counted(&mut self, values: &Values, errors: &mut Errors) {
        let mut table = vec![0; values.counts.len()];
        let mut ascending = self.quantiser.ascending();
        values.for_counted(self.header.element, |x, at, n| {
            let entry = self.entry_of_level(x, ascending.level(x));
            errors.add(x, n, self.header.element.value(entry.value), &entry, &self.header.bound);
            table[at] = entry.level;
        });
        self.table = table;
    }

    fn entry(&self, x: i64, chance: u16) -> Entry {
        self.entry_of_level(x, self.quantiser.level(x, chance))
    }

    fn entry_of_level(&self, x: i64, level: i64) -> Entry {
        let tolerance = self.header.bound.tolerance(x).clamp(0, u32::MAX.into());
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

    /// The levels of a frame, and what they cost in `errors`.
    pub(super) fn frame(&self, src: &[u8], errors: &mut Errors) -> Levels {
        let mut pixels = vec![0; self.header.frame_pixels()];
        self.header.element.load(src, &mut pixels);
        let mask = mask(&pixels, self.sentinels);
        if !self.quantiser.is_exact() {
            let chances = if self.header.options.unbiased { u64::from(crc32fast::hash(src)) << 32 | 1 } else { 0 };
            self.quantise(&mut pixels, &mask, chances, errors);
        }
        let levels = Levels { levels: pixels, mask, exceptions: Vec::new() };
        errors.achieved.n_pixels += levels.n_unmasked() as u64;
        levels
    }

    fn quantise(&self, pixels: &mut [i32], mask: &[u8], mut state: u64, errors: &mut Errors) {
        let element = self.header.element;
        let bits = element.counted_bits();
        for (at, pixel) in pixels.iter_mut().enumerate() {
            if let Some(level) = self.table.get((pixel.cast_unsigned() & bits) as usize) {
                *pixel = *level;
                continue;
            }
            if mask.get(at).is_some_and(|masked| *masked != 0) {
                continue;
            }
            if self.header.options.unbiased {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            }
            let x = element.value(*pixel);
            let entry = self.entry(x, (state >> 48) as u16);
            errors.add(x, 1, element.value(entry.value), &entry, &self.header.bound);
            *pixel = entry.level;
        }
    }
}

impl Errors {
    #[inline]
    fn add(&mut self, x: i64, n: u32, y: i64, entry: &Entry, bound: &Bound) {
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
        self.achieved.sum += error * i64::from(n);
        self.sum_of_squares += u128::from(size).pow(2) * u128::from(n);
        self.achieved.n_from_zero += if x == 0 { n } else { 0 };
        self.achieved.n_to_zero += if y == 0 { n } else { 0 };
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
