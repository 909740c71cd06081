//! [`Lanes`] in plain Rust: what the others agree with. The compiler makes vectors of all of it but the repeats, so that
//! instruction sets with vectors of 16 bytes bring those alone.

use super::{Lanes, MASKS, N, PERIODS};

/// [`Lanes`] that are plain but for the repeats.
pub(super) trait PlainLanes: Copy {
    /// As [`Lanes::repeat`].
    fn repeat(self, from: &[u8; N], period: usize) -> [u8; N];
}

/// What every processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

impl PlainLanes for Portable {
    #[inline(always)]
    fn repeat(self, from: &[u8; N], period: usize) -> [u8; N] {
        if period >= N { *from } else { PERIODS[period].map(|place| from[usize::from(place) % N]) }
    }
}

impl<L: PlainLanes> Lanes for L {
    type Bytes = [u8; N];

    #[inline(always)]
    fn load(self, from: &[u8], n_bytes: usize) -> [u8; N] {
        if let (Some(from), Some(mask)) = (from.first_chunk::<N>(), MASKS[N - n_bytes..].first_chunk::<N>()) {
            return std::array::from_fn(|i| from[i] & mask[i]);
        }
        let mut bytes = [0; N];
        bytes[..n_bytes].copy_from_slice(&from[..n_bytes]);
        bytes
    }

    #[inline(always)]
    fn load_periodic(self, from: &[u8], period: usize, n_bytes: usize) -> [u8; N] {
        if period >= n_bytes {
            return self.load(from, n_bytes);
        }
        let mut bytes = [0; N];
        for (byte, place) in bytes.iter_mut().zip(&PERIODS[period][..n_bytes]) {
            *byte = from[usize::from(*place)];
        }
        bytes
    }

    #[inline(always)]
    fn repeat(self, from: &[u8; N], period: usize) -> [u8; N] {
        PlainLanes::repeat(self, from, period)
    }

    #[inline(always)]
    fn store(self, bytes: [u8; N], to: &mut [u8; N]) {
        *to = bytes;
    }

    #[inline(always)]
    fn nonzero(self, bytes: [u8; N]) -> u32 {
        self.differ(&bytes, &[0; N])
    }

    #[inline(always)]
    fn nonzero_words(self, words: &[u8; 512]) -> u64 {
        let words = words.as_chunks::<8>().0.iter().enumerate();
        words.fold(0, |bits, (i, word)| bits | u64::from(*word != [0; 8]) << i)
    }

    #[inline(always)]
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32 {
        let words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
        let bits = words.map(|(a, b)| nonzero_bytes(u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b)));
        bits.enumerate().fold(0, |all, (i, bits)| all | bits << (8 * i))
    }
}

/// A bit for each byte of `word` that is not zero, the first byte's the lowest.
#[inline(always)]
fn nonzero_bytes(word: u64) -> u32 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // The highest bit of a byte is set where the byte is not zero: no carry leaves a byte.
    let high = (((word & LOW) + LOW) | word) & !LOW;
    // One product brings the eight of them to the highest byte.
    ((high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
}
