//! [`Lanes`] with AVX-512: masked loads read exactly the bytes that are there.

use super::{Lanes, N, PERIODS};
use crate::cpu::{Isa, Level};
use std::arch::x86_64::{
    __m256i, _bzhi_u32, _mm256_cmpneq_epi8_mask, _mm256_loadu_si256, _mm256_maskz_loadu_epi8,
    _mm256_maskz_permutexvar_epi8, _mm256_permutexvar_epi8, _mm256_storeu_si256, _mm256_test_epi8_mask,
};

/// A processor with AVX-512 as [`Isa::Avx512`] has it.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct Avx512(());

impl Avx512 {
    /// Where `level` stands for it.
    pub(in crate::codec) fn new(level: Level) -> Option<Self> {
        (level.isa() == Isa::Avx512).then_some(Self(()))
    }
}

impl Lanes for Avx512 {
    type Bytes = __m256i;

    #[inline(always)]
    fn load(self, from: &[u8], n_bytes: usize) -> __m256i {
        debug_assert!(n_bytes <= N);
        // SAFETY: `self` proves AVX-512 and BMI2.
        unsafe { load(&from[..n_bytes]) }
    }

    #[inline(always)]
    fn load_periodic(self, from: &[u8], period: usize, n_bytes: usize) -> __m256i {
        debug_assert!(n_bytes <= N);
        let p = period.min(N);
        // SAFETY: `self` proves AVX-512 and BMI2.
        unsafe { load_periodic(&from[..p], &PERIODS[p], n_bytes) }
    }

    #[inline(always)]
    fn repeat(self, from: &[u8; N], period: usize) -> __m256i {
        // SAFETY: `self` proves AVX-512.
        unsafe { repeat(from, &PERIODS[period]) }
    }

    #[inline(always)]
    fn store(self, bytes: __m256i, to: &mut [u8; N]) {
        // SAFETY: `self` proves AVX-512; `to` is 32 writable bytes, and the store needs no alignment.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), bytes) }
    }

    #[inline(always)]
    fn nonzero(self, bytes: __m256i) -> u32 {
        // SAFETY: `self` proves AVX-512.
        unsafe { nonzero(bytes) }
    }

    #[inline(always)]
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32 {
        // SAFETY: `self` proves AVX-512.
        unsafe { differ(a, b) }
    }
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl,bmi2")]
fn load(from: &[u8]) -> __m256i {
    let mask = _bzhi_u32(u32::MAX, from.len() as u32);
    // SAFETY: the mask has a bit for each byte of `from` and none behind them (of 32 at most); a masked load touches
    // only the bytes whose bit is set, and needs no alignment.
    unsafe { _mm256_maskz_loadu_epi8(mask, from.as_ptr().cast()) }
}

/// The first `n_bytes` of the bytes of `period` at `places`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vbmi,bmi2")]
fn load_periodic(period: &[u8], places: &[u8; N], n_bytes: usize) -> __m256i {
    _mm256_maskz_permutexvar_epi8(_bzhi_u32(u32::MAX, n_bytes as u32), load_all(places), load(period))
}

/// The bytes at `places` of `from`.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vbmi")]
fn repeat(from: &[u8; N], places: &[u8; N]) -> __m256i {
    _mm256_permutexvar_epi8(load_all(places), load_all(from))
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl")]
fn nonzero(bytes: __m256i) -> u32 {
    _mm256_test_epi8_mask(bytes, bytes)
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl")]
fn differ(a: &[u8; N], b: &[u8; N]) -> u32 {
    _mm256_cmpneq_epi8_mask(load_all(a), load_all(b))
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl")]
fn load_all(from: &[u8; N]) -> __m256i {
    // SAFETY: `from` is 32 readable bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}
