//! Four words a compare.

use super::{BLOCK, edges_with};
use std::arch::x86_64::{
    _mm256_castsi256_pd, _mm256_cmpeq_epi64, _mm256_loadu_si256, _mm256_movemask_pd, _mm256_setzero_si256,
};

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn edges(bytes: &[u8], edges: &mut [u32]) -> usize {
    edges_with(bytes, edges, |block| nonzero(block))
}

#[inline]
#[target_feature(enable = "avx2")]
fn nonzero(block: &[u8; BLOCK]) -> u64 {
    let mut zeros = 0;
    for (i, words) in block.as_chunks::<32>().0.iter().enumerate() {
        zeros |= u64::from(zeros_of_four(words)) << (4 * i);
    }
    !zeros
}

#[inline]
#[target_feature(enable = "avx2")]
fn zeros_of_four(words: &[u8; 32]) -> u32 {
    // SAFETY: `words` is 32 readable bytes, and the load needs no alignment.
    let words = unsafe { _mm256_loadu_si256(words.as_ptr().cast()) };
    _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(words, _mm256_setzero_si256()))).cast_unsigned()
}
