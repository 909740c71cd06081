//! SSE4.1: one lane. See [`lanes`](super::lanes).

use std::arch::x86_64::*;

type Vector = __m128i;

super::lanes::lane_kernels!("sse4.1", 1, scalar);

#[inline]
#[target_feature(enable = "sse4.1")]
fn zero() -> Vector {
    _mm_setzero_si128()
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn load_lanes(src: &[u8], at: usize, _lane_step: usize) -> Vector {
    load_row(src, at)
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn store_lanes(dst: &mut [u8], at: usize, _lane_step: usize, v: Vector) {
    store_row(dst, at, v);
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn load_row(src: &[u8], at: usize) -> Vector {
    let bytes = &src[at..][..16];
    // SAFETY: `bytes` is 16 readable bytes and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn store_row(dst: &mut [u8], at: usize, v: Vector) {
    let bytes = &mut dst[at..][..16];
    // SAFETY: `bytes` is 16 writable bytes and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn unpack_low(a: Vector, b: Vector) -> Vector {
    _mm_unpacklo_epi8(a, b)
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn unpack_high(a: Vector, b: Vector) -> Vector {
    _mm_unpackhi_epi8(a, b)
}

/// The bits of `a` above `mask` change places with those of `b` under it, `SHIFT` places away.
#[inline]
#[target_feature(enable = "sse4.1")]
fn exchange<const SHIFT: i32>(a: Vector, b: Vector, mask: i8) -> (Vector, Vector) {
    let differences = _mm_xor_si128(_mm_srli_epi16::<SHIFT>(a), b);
    let differences = _mm_and_si128(differences, _mm_set1_epi8(mask));
    (_mm_xor_si128(a, _mm_slli_epi16::<SHIFT>(differences)), _mm_xor_si128(b, differences))
}
