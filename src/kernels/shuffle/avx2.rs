//! AVX2: two lanes, the second one the tile after the first one's. See [`byte_transpose`](super::byte_transpose).

#![allow(unsafe_code)]

use std::arch::x86_64::*;

pub(in crate::kernels) type Vector = __m256i;

super::byte_transpose::lane_kernels!("avx2", 2, sse41);

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn zero() -> Vector {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn load_lanes(src: &[u8], at: usize, lane_step: usize) -> Vector {
    _mm256_set_m128i(load_lane(src, at + lane_step), load_lane(src, at))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_lane(src: &[u8], at: usize) -> __m128i {
    let bytes = &src[at..][..16];
    // SAFETY: `bytes` is 16 readable bytes and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn store_lanes(dst: &mut [u8], at: usize, lane_step: usize, v: Vector) {
    store_lane(dst, at, _mm256_castsi256_si128(v));
    store_lane(dst, at + lane_step, _mm256_extracti128_si256::<1>(v));
}

#[inline]
#[target_feature(enable = "avx2")]
fn store_lane(dst: &mut [u8], at: usize, v: __m128i) {
    let bytes = &mut dst[at..][..16];
    // SAFETY: `bytes` is 16 writable bytes and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn load_row(src: &[u8], at: usize) -> Vector {
    let bytes = &src[at..][..32];
    // SAFETY: `bytes` is 32 readable bytes and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn store_row(dst: &mut [u8], at: usize, v: Vector) {
    let bytes = &mut dst[at..][..32];
    // SAFETY: `bytes` is 32 writable bytes and the store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn unpack_low(a: Vector, b: Vector) -> Vector {
    _mm256_unpacklo_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
pub(in crate::kernels) fn unpack_high(a: Vector, b: Vector) -> Vector {
    _mm256_unpackhi_epi8(a, b)
}

#[inline]
#[target_feature(enable = "avx2")]
fn spread(v: Vector) -> Vector {
    _mm256_permute4x64_epi64::<0b11_01_10_00>(v)
}
