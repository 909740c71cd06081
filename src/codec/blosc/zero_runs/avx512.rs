//! Eight words a test.

use super::{BLOCK, edges_with};
use std::arch::x86_64::{_mm512_loadu_si512, _mm512_test_epi64_mask};

#[target_feature(enable = "avx512f,avx512bw,avx512dq,bmi1,bmi2,popcnt")]
pub(super) fn edges(bytes: &[u8], edges: &mut [u32]) -> usize {
    edges_with(bytes, edges, |block| nonzero(block))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn nonzero(block: &[u8; BLOCK]) -> u64 {
    let mut mask = [0; 8];
    for (bits, words) in mask.iter_mut().zip(block.as_chunks().0) {
        *bits = nonzero_of_eight(words);
    }
    u64::from_le_bytes(mask)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn nonzero_of_eight(words: &[u8; 64]) -> u8 {
    // SAFETY: `words` is 64 readable bytes, and the load needs no alignment.
    let words = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    _mm512_test_epi64_mask(words, words)
}
