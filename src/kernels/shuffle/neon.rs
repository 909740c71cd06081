//! NEON: one lane. See [`byte_transpose`](super::byte_transpose).

#![allow(unsafe_code)]

use std::arch::aarch64::*;

pub(in crate::kernels) type Vector = uint8x16_t;

super::byte_transpose::lane_kernels!("neon", 1, scalar);

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn zero() -> Vector {
    vdupq_n_u8(0)
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn load_lanes(src: &[u8], at: usize, _lane_step: usize) -> Vector {
    load_row(src, at)
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn store_lanes(dst: &mut [u8], at: usize, _lane_step: usize, v: Vector) {
    store_row(dst, at, v);
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn load_row(src: &[u8], at: usize) -> Vector {
    let bytes = &src[at..][..16];
    // SAFETY: `bytes` is 16 readable bytes and the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn store_row(dst: &mut [u8], at: usize, v: Vector) {
    let bytes = &mut dst[at..][..16];
    // SAFETY: `bytes` is 16 writable bytes and the store needs no alignment.
    unsafe { vst1q_u8(bytes.as_mut_ptr(), v) }
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn unpack_low(a: Vector, b: Vector) -> Vector {
    vzip1q_u8(a, b)
}

#[inline]
#[target_feature(enable = "neon")]
pub(in crate::kernels) fn unpack_high(a: Vector, b: Vector) -> Vector {
    vzip2q_u8(a, b)
}

#[inline]
#[target_feature(enable = "neon")]
fn spread(v: Vector) -> Vector {
    v
}
