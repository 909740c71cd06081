//! How often each value occurs, before and after: the test of Kolmogorov and Smirnov.

use crate::{Pixel, statistics};

/// Values of a smaller magnitude are told from each other; of larger ones 16 bits after the first.
const EXACT: u64 = 1 << 16;

/// How often each value of x and of y occurs.
///
/// D is the largest difference of the two cumulative distributions, taken between values: as it must be where many pixels
/// have the same value. p is the probability of a larger √(n/2) D, by the limit distribution, if x and y were independent samples of one
/// distribution. They are not independent, and integers are not continuous: p is too large, so a small one means something and
/// a large one little.
///
/// Values of 65536 and more are taken together with those that have the same first 17 bits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueCounts {
    /// Of x and y each: from 0 up, and from −1 down.
    up: [Vec<u64>; 2],
    down: [Vec<u64>; 2],
    n: u64,
}

/// The result.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct KsTest {
    /// D.
    pub d: f64,
    /// p.
    pub p: f64,
}

impl ValueCounts {
    /// Adds the pairs that are valid; all of them where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        for (at, (x, y)) in x.iter().zip(y).enumerate() {
            if valid.is_empty() || valid[at] {
                self.count(0, x.value());
                self.count(1, y.value());
                self.n += 1;
            }
        }
    }

    fn count(&mut self, which: usize, value: i64) {
        let (list, magnitude) = if value < 0 {
            (&mut self.down[which], value.unsigned_abs() - 1)
        } else {
            (&mut self.up[which], value.unsigned_abs())
        };
        let place = place(magnitude);
        if place >= list.len() {
            list.resize(place + 1, 0);
        }
        list[place] += 1;
    }

    /// Adds what another one has of other pixels.
    pub fn merge(&mut self, other: &Self) {
        let lists = self.up.iter_mut().chain(&mut self.down).zip(other.up.iter().chain(&other.down));
        for (list, other) in lists {
            list.resize(list.len().max(other.len()), 0);
            list.iter_mut().zip(other).for_each(|(count, other)| *count += other);
        }
        self.n += other.n;
    }

    /// D and p; `None` without pixels.
    #[must_use]
    pub fn test(&self) -> Option<KsTest> {
        let at = |list: &Vec<u64>, place: usize| list.get(place).copied().unwrap_or(0) as i64;
        let n_down = self.down[0].len().max(self.down[1].len());
        let n_up = self.up[0].len().max(self.up[1].len());
        let below = (0..n_down).rev().map(|place| at(&self.down[1], place) - at(&self.down[0], place));
        let above = (0..n_up).map(|place| at(&self.up[1], place) - at(&self.up[0], place));
        let mut difference = 0i64;
        let most = below.chain(above).fold(0, |most: u64, step| {
            difference += step;
            most.max(difference.unsigned_abs())
        });
        let d = (self.n > 0).then(|| most as f64 / self.n as f64)?;
        Some(KsTest { d, p: statistics::kolmogorov((self.n as f64 / 2.0).sqrt() * d) })
    }
}

/// The place of a magnitude in a list: rises with it.
fn place(magnitude: u64) -> usize {
    if magnitude < EXACT {
        return magnitude as usize;
    }
    let octave = magnitude.ilog2() - EXACT.ilog2();
    ((u64::from(octave) << 16) + (magnitude >> octave)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_rise_with_the_magnitude_without_gaps() {
        let mut before = place(0);
        for magnitude in (1..300_000).chain((1 << 31) - 3..(1 << 31) + 3) {
            let found = place(magnitude);
            assert!(found == before || found == before + 1 || magnitude == (1 << 31) - 3, "{magnitude}");
            before = found;
        }
        assert!(place(u64::from(u32::MAX)) < 1_200_000);
    }
}
