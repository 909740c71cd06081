//! SSE4.1: one lane. See [`byte_transpose`](super::byte_transpose).

#![allow(unsafe_code)]

use std::arch::x86_64::*;

pub(in crate::kernels) type Vector = __m128i;

super::byte_transpose::lane_kernels!("sse4.1", 1, scalar);

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn zero() -> Vector {
    _mm_setzero_si128()
}

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn load_lanes(src: &[u8], at: usize, _lane_step: usize) -> Vector {
    load_row(src, at)
}

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn store_lanes(dst: &mut [u8], at: usize, _lane_step: usize, v: Vector) {
    store_row(dst, at, v);
}

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn load_row(src: &[u8], at: usize) -> Vector {
    let bytes = &src[at..][..16];
    // SAFETY: `bytes` is 16 readable bytes and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn store_row(dst: &mut [u8], at: usize, v: Vector) {
    let bytes = &mut dst[at..][..16];
    // SAFETY: `bytes` is 16 writable bytes and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn unpack_low(a: Vector, b: Vector) -> Vector {
    _mm_unpacklo_epi8(a, b)
}

#[inline]
#[target_feature(enable = "sse4.1")]
pub(in crate::kernels) fn unpack_high(a: Vector, b: Vector) -> Vector {
    _mm_unpackhi_epi8(a, b)
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn spread(v: Vector) -> Vector {
    v
}
