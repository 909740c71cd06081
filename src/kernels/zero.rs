//! Bytes that are all 0: whether they are, one loop, compiled for each register width; and made so.

#![allow(unsafe_code)]

use super::prefetch::{self, NEAR, PAGE_BYTES};
#[cfg(target_arch = "x86_64")]
use crate::cpu::Isa;
use crate::cpu::Level;
use crate::cpu::tuning::{Clear, MEMSET_BYTES, Tuning};

/// Words that are looked at between two decisions: 256 bytes, which 4 AVX-512 registers hold.
const STEP: usize = 32;

/// Whether all of `bytes` are 0.
#[must_use]
pub(crate) fn is_zero(level: Level, bytes: &[u8]) -> bool {
    match level.isa() {
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(bytes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(bytes) },
        _ => plain(bytes),
    }
}

#[inline]
fn plain(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let (steps, rest) = words.as_chunks::<STEP>();
    let any = |bits: u64, word: &[u8; 8]| bits | u64::from_ne_bytes(*word);
    steps.iter().all(|step| step.iter().fold(0, any) == 0)
        && rest.iter().fold(0, any) == 0
        && tail.iter().all(|&byte| byte == 0)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(bytes: &[u8]) -> bool {
    plain(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl")]
fn avx512(bytes: &[u8]) -> bool {
    plain(bytes)
}

/// Makes all of `bytes` 0, which are in no cache, and whose neighbours after them come next.
pub(crate) fn clear(bytes: &mut [u8]) {
    match Tuning::current().clear {
        Clear::Plain => bytes.fill(0),
        Clear::InPieces => clear_in_pieces(bytes),
        Clear::Prefetched => clear_prefetched(bytes),
    }
}

/// Bytes for which `memset` takes other stores than `rep stosb`.
const PIECE_BYTES: usize = 1024;

fn clear_in_pieces(bytes: &mut [u8]) {
    let piece = if bytes.len() < MEMSET_BYTES { PIECE_BYTES } else { bytes.len() };
    bytes.chunks_mut(piece).for_each(|piece| piece.fill(0));
}

fn clear_prefetched(bytes: &mut [u8]) {
    for piece in bytes.chunks_mut(PAGE_BYTES) {
        prefetch::bytes::<_, NEAR>(piece.as_ptr().wrapping_add(PAGE_BYTES), piece.len());
        piece.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_are_cleared_and_no_others() {
        for (start, end) in [(0, 0), (3, 4), (5, 4096), (1, 4099), (7, 9_000), (2, 2 + MEMSET_BYTES), (1, 70_000)] {
            for clear in [clear, clear_in_pieces, clear_prefetched] {
                let (mut bytes, mut expected) = (vec![9; 70_001], vec![9; 70_001]);
                clear(&mut bytes[start..end]);
                expected[start..end].fill(0);
                assert!(bytes == expected, "{start}..{end}");
            }
        }
    }

    #[test]
    fn every_nonzero_byte_is_found_at_every_length() {
        for &level in Level::available() {
            for len in (0..70).chain([255, 256, 257, 600]) {
                let mut bytes = vec![0; len];
                assert!(is_zero(level, &bytes), "{level:?} {len}");
                for at in 0..len {
                    bytes[at] = 0x80;
                    assert!(!is_zero(level, &bytes), "{level:?} byte {at} of {len}");
                    bytes[at] = 0;
                }
            }
        }
    }
}
