//! Bins of intensity: one value each up to 15, then eight to an octave; mirrored below 0.

/// Bins for magnitudes below 2^32.
const N_MAGNITUDES: usize = 240;

/// How many bins there are, for all values of 32 bits, signed or not.
pub const N_BINS: usize = 2 * N_MAGNITUDES;

/// Bits by which a bin is told from the others of its octave.
const OCTAVE_BITS: u32 = 3;

#[inline]
fn magnitude_bin(magnitude: u32) -> usize {
    // The octave of a value below 8 is that of 8: no special case.
    let octave = (magnitude | 8).ilog2() - OCTAVE_BITS;
    (octave << OCTAVE_BITS) as usize + (magnitude >> octave) as usize
}

/// The bin of a value of 32 bits. Bins rise with the values.
#[inline]
#[must_use]
pub fn bin_of(x: i64) -> usize {
    let bin = magnitude_bin(x.unsigned_abs().min(u32::MAX.into()) as u32);
    if x < 0 { N_MAGNITUDES - bin } else { N_MAGNITUDES + bin }
}

/// [`bin_of`] a value below 2^20, as vectors can compute it: exponent and first bits of a float are octave and place.
#[inline(always)]
pub(crate) fn small_bin(x: i32) -> u16 {
    let magnitude = x.wrapping_abs();
    let bits = (magnitude as f32).to_bits() >> (23 - OCTAVE_BITS);
    let bin = if magnitude < 8 { magnitude as u32 } else { bits.wrapping_sub((127 + 2) << OCTAVE_BITS) };
    let zero = N_MAGNITUDES as u32;
    (if x < 0 { zero.wrapping_sub(bin) } else { zero.wrapping_add(bin) }) as u16
}

/// The least and the greatest value of a bin.
#[must_use]
pub fn bin_range(bin: usize) -> (i64, i64) {
    if bin < N_MAGNITUDES {
        let (first, last) = magnitudes(N_MAGNITUDES - bin);
        return (-last, -first);
    }
    magnitudes(bin - N_MAGNITUDES)
}

fn magnitudes(bin: usize) -> (i64, i64) {
    let octave = (bin >> OCTAVE_BITS).saturating_sub(1);
    let first = ((bin - (octave << OCTAVE_BITS)) as i64) << octave;
    (first, first + (1 << octave) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_range_of_its_bin_and_bins_are_without_gaps() {
        for bin in 2..N_BINS {
            let (first, last) = bin_range(bin);
            assert!(first <= last, "{bin}");
            assert_eq!((bin_of(first), bin_of(last)), (bin, bin), "{first} to {last}");
            assert_eq!(bin_range(bin - 1).1 + 1, first, "{bin}");
        }
        assert_eq!(bin_range(N_BINS - 1).1, i64::from(u32::MAX));
        assert!(bin_range(bin_of(i64::from(i32::MIN))).0 <= i64::from(i32::MIN));
    }

    #[test]
    fn small_values_have_the_same_bins() {
        for x in -(1 << 20)..(1 << 20) {
            assert_eq!(usize::from(small_bin(x)), bin_of(x.into()), "{x}");
        }
    }

    #[test]
    fn counts_up_to_15_have_bins_of_their_own() {
        for x in -15..=15 {
            assert_eq!(bin_range(bin_of(x)), (x, x));
        }
        assert_eq!(bin_range(bin_of(1000)), (960, 1023));
    }
}
