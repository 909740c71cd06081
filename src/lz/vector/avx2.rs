//! [`Lanes`] with AVX2: a full load and a mask where enough bytes are there to be read.

#![allow(unsafe_code)]

use super::portable::Portable;
use super::{Lanes, MASKS, N, PERIODS};
use crate::cpu::{Isa, Level};
use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_blendv_epi8, _mm256_broadcastsi128_si256, _mm256_castsi256_pd,
    _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_cmpeq_epi64, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_movemask_pd, _mm256_permute2x128_si256, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_storeu_si256,
};

/// A processor with AVX2 as [`Isa::Avx2`] has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Where `level` stands for it.
    pub(crate) fn new(level: Level) -> Option<Self> {
        (level.isa() == Isa::Avx2).then_some(Self(()))
    }
}

impl Lanes for Avx2 {
    type Bytes = __m256i;

    #[inline(always)]
    fn load(self, from: &[u8], n_bytes: usize) -> __m256i {
        if let Some(from) = from.first_chunk() {
            let mask = MASKS[N - n_bytes..].first_chunk().expect("N of them follow any n_bytes up to N");
            // SAFETY: `self` proves AVX2.
            return unsafe { load_masked(from, mask) };
        }
        let mut bytes = [0; N];
        bytes[..n_bytes].copy_from_slice(&from[..n_bytes]);
        // SAFETY: `self` proves AVX2.
        unsafe { load(&bytes) }
    }

    #[inline(always)]
    fn load_periodic(self, from: &[u8], period: usize, n_bytes: usize) -> __m256i {
        if period >= n_bytes {
            return self.load(from, n_bytes);
        }
        if period <= N / 2 {
            let mask = MASKS[N - n_bytes..].first_chunk().expect("N of them follow any n_bytes up to N");
            // SAFETY: `self` proves AVX2.
            return unsafe { repeat(self.load(from, period), &PERIODS[period], mask) };
        }
        self.load(&Portable.load_periodic(from, period, n_bytes), n_bytes)
    }

    #[inline(always)]
    fn repeat(self, from: &[u8; N], period: usize) -> __m256i {
        // SAFETY: `self` proves AVX2.
        unsafe { repeat_any(from, &PERIODS[period]) }
    }

    #[inline(always)]
    fn store(self, bytes: __m256i, to: &mut [u8; N]) {
        // SAFETY: `self` proves AVX2; `to` is 32 writable bytes, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), bytes) }
    }

    #[inline(always)]
    fn nonzero(self, bytes: __m256i) -> u32 {
        // SAFETY: `self` proves AVX2.
        unsafe { nonzero(bytes) }
    }

    #[inline(always)]
    fn nonzero_words(self, words: &[u8; 512]) -> u64 {
        let mut zeros = 0;
        for (i, words) in words.as_chunks().0.iter().enumerate() {
            // SAFETY: `self` proves AVX2.
            zeros |= u64::from(unsafe { zero_words(words) }) << (4 * i);
        }
        !zeros
    }

    #[inline(always)]
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32 {
        // SAFETY: `self` proves AVX2.
        unsafe { differ(a, b) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(from: &[u8; N]) -> __m256i {
    // SAFETY: `from` is 32 readable bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_masked(from: &[u8; N], mask: &[u8; N]) -> __m256i {
    _mm256_and_si256(load(from), load(mask))
}

#[inline]
#[target_feature(enable = "avx2")]
fn nonzero(bytes: __m256i) -> u32 {
    (!_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256()))).cast_unsigned()
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero_words(words: &[u8; N]) -> u32 {
    let are_zero = _mm256_cmpeq_epi64(load(words), _mm256_setzero_si256());
    _mm256_movemask_pd(_mm256_castsi256_pd(are_zero)).cast_unsigned()
}

#[inline]
#[target_feature(enable = "avx2")]
fn differ(a: &[u8; N], b: &[u8; N]) -> u32 {
    (!_mm256_movemask_epi8(_mm256_cmpeq_epi8(load(a), load(b)))).cast_unsigned()
}

/// The bytes at `places` of `from`.
#[inline]
#[target_feature(enable = "avx2")]
fn repeat_any(from: &[u8; N], places: &[u8; N]) -> __m256i {
    let (bytes, places) = (load(from), load(places));
    let first_half = _mm256_permute2x128_si256::<0x00>(bytes, bytes);
    let second_half = _mm256_permute2x128_si256::<0x11>(bytes, bytes);
    // Bit 4 of a place says which half it is in: moved to the top of the byte.
    let halves = _mm256_slli_epi16::<3>(places);
    let (first, second) = (_mm256_shuffle_epi8(first_half, places), _mm256_shuffle_epi8(second_half, places));
    _mm256_blendv_epi8(first, second, halves)
}

/// The bytes at `places`, which are in the first half of `bytes`, where `mask` is set.
#[inline]
#[target_feature(enable = "avx2")]
fn repeat(bytes: __m256i, places: &[u8; N], mask: &[u8; N]) -> __m256i {
    let both = _mm256_broadcastsi128_si256(_mm256_castsi256_si128(bytes));
    _mm256_and_si256(_mm256_shuffle_epi8(both, load(places)), load(mask))
}
