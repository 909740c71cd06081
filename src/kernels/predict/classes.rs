//! Classes of predictions, by which the encoder counts tokens before it knows which predictions share a table: sixteen an octave where
//! these are small, then eight.

use super::{Scale, WEIGHT_BITS};
use crate::kernels::for_each_isa::for_each_isa;

pub(crate) const N_CLASSES: usize = 256;
const FINE_OCTAVE: u32 = 17;
const N_FINE: usize = 16 * (FINE_OCTAVE - MIN_OCTAVE) as usize;

/// Predictions are moved by so much before they are classed: what is nearer to 0 is about 0.
const MIN_OCTAVE: u32 = 8;
const MOVED: i32 = 1 << MIN_OCTAVE;

/// Bits of a token in a symbol.
pub(crate) const TOKEN_BITS: u32 = 6;

/// What a prediction of level 0 is as a sum.
pub(crate) fn offset(scale: &Scale) -> i32 {
    let offset = (i64::from(scale.origin) << WEIGHT_BITS) >> scale.shift;
    offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

#[inline(always)]
fn class(sum: i32, offset: i32) -> u32 {
    let moved = sum.saturating_add(offset).max(0).saturating_add(MOVED).cast_unsigned();
    let octave = 31 - moved.leading_zeros();
    let fine = ((octave.wrapping_sub(MIN_OCTAVE)) << 4) + (moved >> octave.wrapping_sub(4) & 15);
    let wide =
        (N_FINE as u32).wrapping_add(octave.wrapping_sub(FINE_OCTAVE) << 3) + (moved >> octave.wrapping_sub(3) & 7);
    if octave < FINE_OCTAVE { fine } else { wide }
}

/// The threshold below a class.
pub(crate) fn threshold(class: usize, scale: &Scale) -> i32 {
    let edge = match class.checked_sub(N_FINE) {
        None => (16 + class as i64 % 16) << (MIN_OCTAVE as usize + class / 16 - 4),
        Some(class) => (8 + class as i64 % 8) << (FINE_OCTAVE as usize + class / 8 - 3),
    };
    let threshold = edge - i64::from(MOVED) - i64::from(offset(scale)) - 1;
    threshold.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

for_each_isa! {
    /// Symbols: classes of predictions, and folded differences, or 63 where they are more.
    symbols = all_symbols(offset: i32, sums: &[i32], folded: &[u32], symbols: &mut [u16])
}

#[inline(always)]
fn all_symbols(offset: i32, sums: &[i32], folded: &[u32], symbols: &mut [u16]) {
    for ((to, sum), folded) in symbols.iter_mut().zip(sums).zip(folded) {
        *to = (class(*sum, offset) << TOKEN_BITS | (*folded).min((1 << TOKEN_BITS) - 1)) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_begins_after_its_threshold() {
        for (origin, shift) in [(0, 0), (19_500, 0), (-20_000, 0), (1 << 30, 15), (3, 7)] {
            let scale = Scale { origin, shift, least: i16::MIN, most: i16::MAX };
            let offset = offset(&scale);
            for at in 1..N_CLASSES {
                let threshold = threshold(at, &scale);
                if threshold < i32::MAX - 1 && threshold > i32::MIN {
                    let classes = [threshold, threshold + 1].map(|sum| class(sum, offset) as usize);
                    assert_eq!(classes, [at - 1, at], "{origin} {shift}");
                }
            }
        }
    }
}
