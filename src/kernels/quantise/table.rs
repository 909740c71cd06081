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
pub struct LevelTable {
    quantiser: Quantiser,
    first: i64,
    values: Vec<i32>,
    /// Whether all levels in it are numbers that pixels may have, and so have lowest bits of their own.
    has_own_bits: bool,
}

impl LevelTable {
    /// The values of the levels from `first` to `last`: of some of them, if there are many.
    #[must_use]
    pub fn new(quantiser: Quantiser, first: i64, last: i64) -> Self {
        let n = (last - first + 1).clamp(0, MAX_VALUES as i64);
        let values = if quantiser.is_exact() {
            Vec::new()
        } else {
            (first..first + n).map(|level| quantiser.value(level) as i32).collect()
        };
        let has_own_bits = first >= quantiser.range.0 && first + n - 1 <= quantiser.range.1;
        Self { quantiser, first, values, has_own_bits }
    }

    /// The quantiser that it was made from.
    #[must_use]
    pub fn quantiser(&self) -> &Quantiser {
        &self.quantiser
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

    /// Levels, of which these are the lowest bits and `whole` gives all, become what they stand for, as its bits.
    pub fn values_of(&self, levels: &mut [i32], whole: impl Fn(i32) -> i64) {
        let values = if self.has_own_bits { &self.values[..] } else { &[] };
        for level in levels {
            let at = level.wrapping_sub(self.first as i32).cast_unsigned();
            *level = match values.get(at as usize) {
                Some(value) => *value,
                None => self.value(whole(*level)),
            };
        }
    }
}
