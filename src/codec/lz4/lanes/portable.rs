//! [`Lanes`] in plain Rust: what the others agree with.

use super::{Lanes, N, PERIODS};

/// What every processor has.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec::lz4) struct Portable;

impl Lanes for Portable {
    type Bytes = [u8; N];

    #[inline(always)]
    fn load(self, from: &[u8], n_bytes: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes[..n_bytes].copy_from_slice(&from[..n_bytes]);
        bytes
    }

    #[inline(always)]
    fn load_periodic(self, period: &[u8], n_bytes: usize) -> [u8; N] {
        if period.len() >= n_bytes {
            return self.load(period, n_bytes);
        }
        let mut bytes = [0; N];
        for (i, place) in PERIODS[period.len()][..n_bytes].iter().enumerate() {
            bytes[i] = period[usize::from(*place)];
        }
        bytes
    }

    #[inline(always)]
    fn store(self, bytes: [u8; N], to: &mut [u8; N]) {
        *to = bytes;
    }

    #[inline(always)]
    fn used(self, bytes: [u8; N]) -> usize {
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    }

    #[inline(always)]
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32 {
        a.iter().zip(b).rev().fold(0, |bits, (a, b)| bits << 1 | u32::from(a != b))
    }
}
