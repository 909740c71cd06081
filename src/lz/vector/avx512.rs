//! [`Lanes`] with AVX-512: masked loads read exactly the bytes that are there.

#![allow(unsafe_code)]

use super::matches::{SLACK_BYTES, fits, steps};
use super::{Lanes, N, PERIODS, periods};
use crate::cpu::{Isa, Level};
use std::arch::x86_64::{
    __m256i, __m512i, _bzhi_u32, _mm256_cmpneq_epi8_mask, _mm256_loadu_si256, _mm256_maskz_loadu_epi8,
    _mm256_maskz_permutexvar_epi8, _mm256_permutexvar_epi8, _mm256_storeu_si256, _mm256_test_epi8_mask,
    _mm512_loadu_si512, _mm512_permutexvar_epi8, _mm512_storeu_si512, _mm512_test_epi64_mask,
};

/// Bytes of the vectors that long matches are copied in.
const WIDE: usize = 64;

const _: () = assert!(WIDE <= SLACK_BYTES, "what is stored of a match ends within its slack");

static WIDE_PERIODS: [[u8; WIDE]; WIDE + 1] = periods();
static WIDE_STEPS: [usize; WIDE + 1] = steps();

/// A processor with AVX-512 as [`Isa::Avx512`] has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// Where `level` stands for it.
    pub(crate) fn new(level: Level) -> Option<Self> {
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
    fn copy_match(self, dst: &mut [u8], to: usize, offset: usize, len: usize) {
        assert!(fits(dst, to, offset, len), "{len} bytes from {offset} before {to} of {}", dst.len());
        let (near, end) = (offset.min(WIDE), to + len);
        // SAFETY: `self` proves AVX-512; what is read begins before `to`, after which are `SLACK_BYTES` bytes, as many as a vector has.
        let bytes = unsafe { repeat_wide(dst, to - offset, &WIDE_PERIODS[near]) };
        // SAFETY: `self` proves AVX-512; after `to` are `SLACK_BYTES` bytes.
        unsafe { store_wide(dst, to, bytes) };
        if len <= WIDE {
            return;
        }
        let step = WIDE_STEPS[near];
        let mut at = to + step;
        if offset <= WIDE {
            while at < end {
                // SAFETY: `self` proves AVX-512; `at` is before `end`, after which are `SLACK_BYTES` bytes.
                unsafe { store_wide(dst, at, bytes) };
                at += step;
            }
        } else {
            while at < end {
                // SAFETY: `self` proves AVX-512; it is before `at`, which is before `end`, after which are `SLACK_BYTES` bytes.
                let bytes = unsafe { load_wide(dst, at - offset) };
                // SAFETY: as above.
                unsafe { store_wide(dst, at, bytes) };
                at += step;
            }
        }
    }

    #[inline(always)]
    fn nonzero(self, bytes: __m256i) -> u32 {
        // SAFETY: `self` proves AVX-512.
        unsafe { nonzero(bytes) }
    }

    #[inline(always)]
    fn nonzero_words(self, words: &[u8; 512]) -> u64 {
        let mut bits = [0; 8];
        for (bits, words) in bits.iter_mut().zip(words.as_chunks().0) {
            // SAFETY: `self` proves AVX-512.
            *bits = unsafe { nonzero_words(words) };
        }
        u64::from_le_bytes(bits)
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
    // SAFETY: the mask has a bit for each byte of `from` and none after them (of 32 at most); a masked load touches
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
#[target_feature(enable = "avx512f")]
fn nonzero_words(words: &[u8; WIDE]) -> u8 {
    // SAFETY: `words` is 64 readable bytes, and the load needs no alignment.
    let words = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    _mm512_test_epi64_mask(words, words)
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

/// The bytes at `places` of the vector from `at` on.
///
/// # Safety
/// `bytes` has a vector from `at` on.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi")]
unsafe fn repeat_wide(bytes: &[u8], at: usize, places: &[u8; WIDE]) -> __m512i {
    // SAFETY: `places` is 64 readable bytes, and the load needs no alignment.
    let places = unsafe { _mm512_loadu_si512(places.as_ptr().cast()) };
    // SAFETY: the caller promises it.
    _mm512_permutexvar_epi8(places, unsafe { load_wide(bytes, at) })
}

/// # Safety
/// `bytes` has a vector from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_wide(bytes: &[u8], at: usize) -> __m512i {
    // SAFETY: the caller promises that `at` is within `bytes`.
    let from = unsafe { bytes.as_ptr().add(at) };
    // SAFETY: the caller promises 64 bytes from there on, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// # Safety
/// `bytes` has a vector from `at` on.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_wide(bytes: &mut [u8], at: usize, v: __m512i) {
    // SAFETY: the caller promises that `at` is within `bytes`.
    let to = unsafe { bytes.as_mut_ptr().add(at) };
    // SAFETY: the caller promises 64 bytes from there on, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(to.cast(), v) }
}
