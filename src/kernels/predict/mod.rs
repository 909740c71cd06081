//! What pixels are predicted from, and what they differ by: rows at a time, in integers that wrap around.
//!
//! Levels of pixels are moved to an origin, shifted, and clamped to 16 bits. A weighted sum of such pixels, with weights of 12 bits
//! after the point, is the prediction of a level. Clamping keeps a hot pixel from spoiling its neighbours, and sums within 32 bits.
//! What is clamped is only what is predicted from: the levels themselves are stored whole.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod classes;
pub(crate) mod least_squares;
#[cfg(test)]
mod tests;

use super::for_each_isa::for_each_isa;
use super::rans::FREQUENCY_BITS;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Isa;
use crate::cpu::Level;

/// Taps of a model at most.
pub(crate) const MAX_TAPS: usize = 16;

/// Bits of a weight after the point.
pub(crate) const WEIGHT_BITS: u32 = 12;

/// How levels become what is predicted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) origin: i32,
    pub(crate) shift: u32,
    pub(crate) least: i16,
    pub(crate) most: i16,
}

impl Scale {
    #[inline(always)]
    fn of(&self, level: i32) -> i16 {
        let moved = level.wrapping_sub(self.origin) >> self.shift;
        moved.clamp(self.least.into(), self.most.into()) as i16
    }

    fn steps(&self) -> Steps {
        match WEIGHT_BITS.checked_sub(self.shift) {
            Some(n_bits @ 1..) => Steps::Smaller(n_bits),
            Some(0) => Steps::Equal,
            None => Steps::Larger(self.shift - WEIGHT_BITS),
        }
    }
}

/// How sums become levels: they have this many bits after the point, none, or so many before it that are not there.
#[derive(Clone, Copy)]
enum Steps {
    Smaller(u32),
    Equal,
    Larger(u32),
}

/// The level that is nearest to what a weighted sum predicts, before the origin, and −1 where the next one above it is nearer than the one
/// below, or as near; else 0.
#[inline(always)]
fn nearest(steps: Steps, sum: i32) -> (i32, i32) {
    match steps {
        Steps::Smaller(n_bits) => {
            let nearest = sum.wrapping_add(1 << (n_bits - 1)) >> n_bits;
            (nearest, !(sum.wrapping_sub(nearest << n_bits) >> 31))
        }
        Steps::Equal => (sum, -1),
        Steps::Larger(n_bits) => (sum << n_bits, -1),
    }
}

/// 0, −1, 1, −2, … become 0, 1, 2, 3, …
#[inline(always)]
pub(crate) fn fold(difference: i32) -> u32 {
    (difference << 1 ^ difference >> 31).cast_unsigned()
}

/// The way back.
#[inline(always)]
pub(crate) fn unfold(folded: u32) -> i32 {
    (folded >> 1).cast_signed() ^ -((folded & 1).cast_signed())
}

for_each_isa! {
    /// Levels as what is predicted from; masked pixels are as those above.
    enter = enter_all(scale: &Scale, levels: &[i32], masked: Option<(&[u8], &[i16])>, to: &mut [i16])
}

#[inline(always)]
fn enter_all(scale: &Scale, levels: &[i32], masked: Option<(&[u8], &[i16])>, to: &mut [i16]) {
    let scale = *scale;
    for (to, level) in to.iter_mut().zip(levels) {
        *to = scale.of(*level);
    }
    if let Some((mask, above)) = masked {
        for ((to, masked), above) in to.iter_mut().zip(mask).zip(above) {
            *to = if *masked != 0 { *above } else { *to };
        }
    }
}

/// The weighted sums: the bias, and for each tap its weight times its pixel. Rows have as many pixels as there are sums.
pub(crate) fn sums(level: Level, bias: i32, taps: &[(&[i16], i16)], sums: &mut [i32]) {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if taps.len() <= MAX_TAPS => {
            // SAFETY: the level proves that the processor has these instructions.
            let n = unsafe { avx512::sums(bias, taps, sums) };
            if n == sums.len() {
                return;
            }
            let mut rest: [(&[i16], i16); MAX_TAPS] = [(&[], 0); MAX_TAPS];
            rest.iter_mut().zip(taps).for_each(|(rest, (row, weight))| *rest = (&row[n..], *weight));
            add_taps(bias, &rest[..taps.len()], &mut sums[n..]);
        }
        _ => plain_sums(level, bias, taps, sums),
    }
}

for_each_isa! {
    plain_sums = add_taps(bias: i32, taps: &[(&[i16], i16)], sums: &mut [i32])
}

#[inline(always)]
fn add_taps(bias: i32, taps: &[(&[i16], i16)], sums: &mut [i32]) {
    sums.fill(bias);
    let n = sums.len();
    let (fours, rest) = taps.as_chunks::<4>();
    for [a, b, c, d] in fours {
        let rows = [&a.0[..n], &b.0[..n], &c.0[..n], &d.0[..n]];
        let weights = [a.1, b.1, c.1, d.1].map(i32::from);
        for (x, sum) in sums.iter_mut().enumerate() {
            let product = |tap: usize| i32::from(rows[tap][x]).wrapping_mul(weights[tap]);
            let pairs = (product(0).wrapping_add(product(1)), product(2).wrapping_add(product(3)));
            *sum = sum.wrapping_add(pairs.0).wrapping_add(pairs.1);
        }
    }
    for (row, weight) in rest {
        for (sum, pixel) in sums.iter_mut().zip(*row) {
            *sum = sum.wrapping_add(i32::from(*pixel).wrapping_mul(i32::from(*weight)));
        }
    }
}

/// For each sum where the table begins whose number is that of the thresholds below the sum.
pub(crate) fn tables(level: Level, thresholds: &[i32], sums: &[i32], tables: &mut [u32]) {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 if (2..=15).contains(&thresholds.len()) && thresholds.is_sorted() => {
            // SAFETY: the level proves that the processor has these instructions.
            let n = unsafe { avx512::tables(thresholds, sums, tables) };
            count_thresholds(thresholds, &sums[n..], &mut tables[n..]);
        }
        _ => plain_tables(level, thresholds, sums, tables),
    }
}

for_each_isa! {
    plain_tables = count_thresholds(thresholds: &[i32], sums: &[i32], tables: &mut [u32])
}

#[inline(always)]
fn count_thresholds(thresholds: &[i32], sums: &[i32], tables: &mut [u32]) {
    let ((blocks, rest), (to, to_rest)) = (sums.as_chunks::<32>(), tables.as_chunks_mut::<32>());
    for (sums, to) in blocks.iter().zip(to) {
        let mut numbers = [0; 32];
        for threshold in thresholds {
            for (number, sum) in numbers.iter_mut().zip(sums) {
                *number += u32::from(sum > threshold);
            }
        }
        *to = numbers.map(|number| number << FREQUENCY_BITS);
    }
    for (sum, to) in rest.iter().zip(to_rest) {
        *to = (thresholds.iter().filter(|threshold| sum > threshold).count() as u32) << FREQUENCY_BITS;
    }
}

for_each_isa! {
    /// Bytes as numbers. Returns the greatest one.
    widen = widen_all(bytes: &[u8], to: &mut [i32]) -> u8
}

#[inline(always)]
fn widen_all(bytes: &[u8], to: &mut [i32]) -> u8 {
    to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = (*byte).into());
    bytes.iter().fold(0, |most, byte| most.max(*byte))
}

for_each_isa! {
    /// Folded differences become the levels that are so far from their predictions.
    levels = add_differences(scale: &Scale, sums: &[i32], levels: &mut [i32])
}

#[inline(always)]
fn add_differences(scale: &Scale, sums: &[i32], levels: &mut [i32]) {
    match scale.steps() {
        Steps::Smaller(n_bits) => add(Steps::Smaller(n_bits), scale.origin, sums, levels),
        Steps::Equal => add(Steps::Equal, scale.origin, sums, levels),
        Steps::Larger(n_bits) => add(Steps::Larger(n_bits), scale.origin, sums, levels),
    }
}

#[inline(always)]
fn add(steps: Steps, origin: i32, sums: &[i32], levels: &mut [i32]) {
    for (level, sum) in levels.iter_mut().zip(sums) {
        let (nearest, flip) = nearest(steps, *sum);
        let difference = unfold(level.cast_unsigned());
        *level = origin.wrapping_add(nearest).wrapping_add((difference ^ flip).wrapping_sub(flip));
    }
}

for_each_isa! {
    /// The folded differences of levels from their predictions. Returns the bits of all together.
    differences = fold_differences(scale: &Scale, sums: &[i32], levels: &[i32], folded: &mut [u32]) -> u32
}

#[inline(always)]
fn fold_differences(scale: &Scale, sums: &[i32], levels: &[i32], folded: &mut [u32]) -> u32 {
    match scale.steps() {
        Steps::Smaller(n_bits) => subtract(Steps::Smaller(n_bits), scale.origin, sums, levels, folded),
        Steps::Equal => subtract(Steps::Equal, scale.origin, sums, levels, folded),
        Steps::Larger(n_bits) => subtract(Steps::Larger(n_bits), scale.origin, sums, levels, folded),
    }
}

#[inline(always)]
fn subtract(steps: Steps, origin: i32, sums: &[i32], levels: &[i32], folded: &mut [u32]) -> u32 {
    let mut any = 0;
    for ((to, level), sum) in folded.iter_mut().zip(levels).zip(sums) {
        let (nearest, flip) = nearest(steps, *sum);
        let difference = level.wrapping_sub(origin.wrapping_add(nearest));
        *to = fold((difference ^ flip).wrapping_sub(flip));
        any |= *to;
    }
    any
}
