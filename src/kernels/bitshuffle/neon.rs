//! NEON: one lane. See [`bit_transpose`](super::bit_transpose).

use std::arch::aarch64::*;

use crate::kernels::shuffle::neon::{Vector, load_lanes, load_row, round, rounds, store_lanes, store_row, zero};

super::bit_transpose::lane_kernels!("neon", 1, scalar);

/// The bits of `a` above `mask` change places with those of `b` under it, `SHIFT` places away.
#[inline]
#[target_feature(enable = "neon")]
fn exchange<const SHIFT: i32>(a: Vector, b: Vector, mask: u8) -> (Vector, Vector) {
    let mask = vdupq_n_u8(mask);
    (vbslq_u8(mask, a, vshlq_n_u8::<SHIFT>(b)), vbslq_u8(mask, vshrq_n_u8::<SHIFT>(a), b))
}

/// Whether all bytes are.
#[inline]
#[target_feature(enable = "neon")]
fn are_zero(v: [Vector; 8]) -> bool {
    let or = |a, b| vorrq_u8(a, b);
    let bits = or(or(or(v[0], v[1]), or(v[2], v[3])), or(or(v[4], v[5]), or(v[6], v[7])));
    vmaxvq_u8(bits) == 0
}
