//! Quantisers that keep a bound: each value becomes a *level*, a whole number, and each level stands for one value.
//!
//! No value is further from what its level stands for than its own tolerance. That holds by construction, in integers, for every
//! value of the type; the encoder checks it again for every pixel. `docs/format.md` says which levels there are: they are stored
//! for ever.
//!
//! * Levels rise with the values, 0 is the level of 0, and 0 stays 0.
//! * Outside a range that is quantised values are exact: below it where the noise model has no variance, above it from the saturation on.
//! * Where it is to be unbiased, levels lie half as far apart, and a value goes up or down with a chance that makes its mean right.

mod build;
pub(crate) mod lattice;
#[cfg(test)]
mod lattice_tests;
mod table;
// They take minutes in Miri.
#[cfg(all(test, not(miri)))]
mod tests;

pub use table::LevelTable;

/// How far a decoded value may be from what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Not at all.
    Exact,
    /// So many counts.
    Absolute(u32),
    /// Half a step of some standard deviations of the noise.
    Noise(Noise),
    /// Float32: so much.
    AbsoluteFloat(f64),
    /// Float32: this share of the greatest finite value of its chunk minus the least; sentinels do not count.
    RelativeFloat(f64),
}

/// The noise of a detector: a value x has the variance gain · (x − offset) + read variance. The tolerance is β / 2 times the square
/// root of it, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noise {
    /// β: numerator and denominator, 1 to 65535.
    pub beta: (u32, u32),
    /// Gain: numerator and denominator, 1 to 65535.
    pub gain: (u32, u32),
    /// Offset, in counts.
    pub offset: i32,
    /// Variance of the read noise: numerator, and denominator, 1 to 65535.
    pub read_variance: (u32, u32),
}

impl Noise {
    /// The variance of a value, times [`variance_scale`](Self::variance_scale). Not negative.
    #[must_use]
    pub fn scaled_variance(&self, x: i64) -> u128 {
        let signal =
            i128::from(x - i64::from(self.offset)) * i128::from(self.gain.0) * i128::from(self.read_variance.1);
        let read = i128::from(self.gain.1) * i128::from(self.read_variance.0);
        u128::try_from(signal + read).unwrap_or(0)
    }

    /// See [`scaled_variance`](Self::scaled_variance).
    #[must_use]
    pub fn variance_scale(&self) -> u64 {
        u64::from(self.gain.1) * u64::from(self.read_variance.1)
    }

    fn tolerance(&self, x: i64) -> i64 {
        let above = u128::from(self.beta.0).pow(2) * self.scaled_variance(x);
        let below = 4 * u128::from(self.beta.1).pow(2) * u128::from(self.variance_scale());
        // Products of 128 bits take most of the time, and are rarely needed.
        let short = u64::try_from(above).ok().zip(u64::try_from(below).ok());
        let short = short.filter(|(above, below)| above.max(below) < &MAX_SHORT);
        let is_within = |tolerance: u64| match short {
            Some((above, below)) => tolerance * tolerance * below <= above,
            None => u128::from(tolerance).pow(2) * below <= above,
        };
        // Within 1 of the root: doubles are off by much less.
        let mut tolerance = ((double(above) / double(below)).sqrt() as u64).min(MAX_TOLERANCE);
        while !is_within(tolerance) {
            tolerance -= 1;
        }
        while tolerance < MAX_TOLERANCE && is_within(tolerance + 1) {
            tolerance += 1;
        }
        tolerance as i64
    }
}

/// About `n`. What is longer than 64 bits takes longer.
fn double(n: u128) -> f64 {
    u64::try_from(n).map_or_else(|_| n as f64, |n| n as f64)
}

/// Any more would be without effect.
const MAX_TOLERANCE: u64 = 1 << 33;

/// Where what is compared is less, so is the square of a root and 1 in 64 bits: it is at most four times that of the root, or 1.
const MAX_SHORT: u64 = 1 << 62;

impl Bound {
    /// The most that the value which is decoded may differ from the integer `x`; none where the bound is one of floats.
    #[must_use]
    pub fn tolerance(&self, x: i64) -> i64 {
        match self {
            Self::Exact | Self::AbsoluteFloat(_) | Self::RelativeFloat(_) => 0,
            Self::Absolute(counts) => i64::from(*counts),
            Self::Noise(noise) => noise.tolerance(x),
        }
    }
}

/// What there is to quantise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain {
    /// The least and the greatest value of the type.
    pub range: (i64, i64),
    /// Values from here on are exact.
    pub saturation: Option<u32>,
    /// Negative values are exact.
    pub keep_negative: bool,
}

/// What is asked of a quantiser beside its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The mean of many values is kept: see [`Quantiser::level`].
    pub unbiased: bool,
    /// Only 0 becomes 0.
    pub keep_zero: bool,
}

/// Up to which level, or which value, a quantiser is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upto {
    /// This level.
    Level(i64),
    /// This value.
    Value(i64),
}

/// A quantiser for the values of one type.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiser {
    bound: Bound,
    options: Options,
    range: (i64, i64),
    /// The values that are quantised, from and to, and their levels. All others are exact.
    low: (i64, i64),
    high: (i64, i64),
    inner: Inner,
}

/// The levels within the range.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Inner {
    /// Levels `step` apart.
    Uniform {
        step: i64,
    },
    Listed(List),
}

/// Levels in three parts: a list above, one below, and between them exact values and the interval of 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct List {
    /// The interval of 0.
    zero: (i64, i64),
    /// The levels of the first entries of the lists.
    first_up: i64,
    up: Vec<Entry>,
    /// From 0 down.
    down: Vec<Entry>,
}

/// A level: where its interval begins, and what it stands for, both by their distance from 0. Where it is unbiased both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    start: u32,
    value: u32,
}

impl Entry {
    fn new(start: i64, value: i64) -> Self {
        Self { start: start.unsigned_abs() as u32, value: value.unsigned_abs() as u32 }
    }
}

impl Quantiser {
    /// The level of `x`. Where it is unbiased and `x` lies between the values of two levels, `chance` decides: it is the upper one for as
    /// many of all chances as `x` is near to it.
    #[must_use]
    pub fn level(&self, x: i64, chance: u16) -> i64 {
        if x > self.high.0 {
            return self.high.1 + (x - self.high.0);
        }
        if x < self.low.0 {
            return self.low.1 - (self.low.0 - x);
        }
        let level = self.inner_level(x);
        if !self.options.unbiased {
            return level;
        }
        let (below, above) = (self.value(level), self.value(level + 1));
        let rises = i64::from(chance) * (above - below) < (x - below) << 16;
        level + i64::from(below < x && rises)
    }

    /// The level whose interval holds `x`; where it is unbiased, the highest one whose value is not above `x`.
    fn inner_level(&self, x: i64) -> i64 {
        match &self.inner {
            Inner::Uniform { step } => self.uniform_level(*step, x),
            Inner::Listed(list) => list.level(x),
        }
    }

    /// The levels of values that are asked for from the least to the greatest. Not for unbiased ones, which depend on more than the value.
    pub(crate) fn ascending(&self) -> Ascending<'_> {
        Ascending { quantiser: self, n_below: 0 }
    }

    fn uniform_level(&self, step: i64, x: i64) -> i64 {
        let (unbiased, keep_zero) = (self.options.unbiased, self.options.keep_zero);
        match (unbiased, keep_zero) {
            (false, false) => (x + step / 2).div_euclid(step),
            (false, true) => x.signum() * (x.abs() + step - 1).div_euclid(step),
            (true, false) => x.div_euclid(step),
            (true, true) if x > 0 => 1 + (x - 1).div_euclid(step),
            (true, true) if x < 0 => -1 - (step - 2 - x).div_euclid(step),
            (true, true) => 0,
        }
    }

    fn uniform_value(&self, step: i64, level: i64) -> i64 {
        if !self.options.keep_zero || level == 0 {
            return level * step;
        }
        let first = if self.options.unbiased { 1 } else { 1 + step / 2 };
        level.signum() * ((level.abs() - 1) * step + first)
    }

    /// What a level stands for. One that does not exist stands for the least or the greatest value.
    #[must_use]
    pub fn value(&self, level: i64) -> i64 {
        let value = if level > self.high.1 {
            self.high.0 + (level - self.high.1)
        } else if level < self.low.1 {
            self.low.0 - (self.low.1 - level)
        } else {
            let inner = match &self.inner {
                Inner::Uniform { step } => self.uniform_value(*step, level),
                Inner::Listed(list) => list.value(level),
            };
            inner.clamp(self.low.0, self.high.0)
        };
        value.clamp(self.range.0, self.range.1)
    }

    /// The bound that it keeps.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Whether every value is exact.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.bound == Bound::Exact
    }
}

/// See [`Quantiser::ascending`].
pub(crate) struct Ascending<'a> {
    quantiser: &'a Quantiser,
    /// Levels of the list above 0 that begin at the value before, or below it.
    n_below: usize,
}

impl Ascending<'_> {
    pub(crate) fn level(&mut self, x: i64) -> i64 {
        let quantiser = self.quantiser;
        match &quantiser.inner {
            Inner::Listed(list) if x > list.zero.1 && x <= quantiser.high.0 && !list.up.is_empty() => {
                while list.up.get(self.n_below).is_some_and(|entry| i64::from(entry.start) <= x) {
                    self.n_below += 1;
                }
                if self.n_below == 0 { x - list.zero.1 } else { list.first_up + self.n_below as i64 - 1 }
            }
            _ => quantiser.level(x, 0),
        }
    }
}

impl List {
    fn level(&self, x: i64) -> i64 {
        if x >= self.zero.0 && x <= self.zero.1 {
            return 0;
        }
        if x < self.zero.0 {
            return -1 - self.down.partition_point(|entry| i64::from(entry.start) < -x) as i64;
        }
        match self.up.partition_point(|entry| i64::from(entry.start) <= x) {
            0 => x - self.zero.1,
            n => self.first_up + n as i64 - 1,
        }
    }

    fn value(&self, level: i64) -> i64 {
        let entry = |entries: &[Entry], at: i64| {
            entries.get(at as usize).or(entries.last()).map_or(0, |entry| i64::from(entry.value))
        };
        match level {
            0 => 0,
            level if level < 0 => -entry(&self.down, -1 - level),
            level if level < self.first_up || self.up.is_empty() => self.zero.1 + level,
            level => entry(&self.up, level - self.first_up),
        }
    }
}
