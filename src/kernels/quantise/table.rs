//! The levels of a quantiser as tables: values to levels for an encoder, levels to values for a decoder.

use super::Quantiser;

/// Entries of a table at most.
const MAX_VALUES: usize = 1 << 14;

impl Quantiser {
    /// The levels of all values from 0 or from the least value on, as their lowest 16 bits, which are all that a level of a
    /// value of 16 bits has. Not for unbiased ones, which depend on more than the value. The index is the value's bits.
    #[must_use]
    pub fn levels_of_bits(&self, n_bits: u32, most: i64) -> Vec<u16> {
        let n = 1_i64 << n_bits;
        let mut table = vec![0; n as usize];
        let least = self.range.0.max(-(n / 2));
        for x in least..=most.min(self.range.1).min(n - 1) {
            table[(x & (n - 1)) as usize] = self.level(x, 0) as u16;
        }
        table
    }
}

/// What the levels from a first to a last one stand for.
#[derive(Debug, Clone)]
pub struct LevelTable<'a> {
    quantiser: &'a Quantiser,
    first: i64,
    values: Vec<i32>,
    is_whole: bool,
}

impl<'a> LevelTable<'a> {
    /// The values of the levels from `first` to `last`: of some of them, if there are many.
    #[must_use]
    pub fn new(quantiser: &'a Quantiser, first: i64, last: i64) -> Self {
        let n = (last - first + 1).clamp(0, MAX_VALUES as i64);
        let values = if quantiser.is_exact() {
            Vec::new()
        } else {
            (first..first + n).map(|level| quantiser.value(level) as i32).collect()
        };
        Self { quantiser, first, is_whole: n == last - first + 1, values }
    }

    /// The values that are in the table, as their bits.
    #[must_use]
    pub fn values(&self) -> &[i32] {
        &self.values
    }

    /// What `level` stands for, as its bits.
    #[must_use]
    pub fn value(&self, level: i64) -> i32 {
        let at = level.wrapping_sub(self.first);
        match self.values.get(at as usize) {
            Some(value) => *value,
            None => self.quantiser.value(level) as i32,
        }
    }

    /// Whether the table has all levels that were asked for.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}
