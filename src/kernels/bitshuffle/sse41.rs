//! SSE4.1: one lane. See [`bit_transpose`](super::bit_transpose).

use std::arch::x86_64::*;

use crate::kernels::shuffle::sse41::{Vector, load_lanes, load_row, round, rounds, store_lanes, store_row, zero};

super::bit_transpose::lane_kernels!("sse4.1", 1, scalar);

/// The bits of `a` above `mask` change places with those of `b` under it, `SHIFT` places away.
#[inline]
#[target_feature(enable = "sse4.1")]
fn exchange<const SHIFT: i32>(a: Vector, b: Vector, mask: i8) -> (Vector, Vector) {
    let differences = _mm_xor_si128(_mm_srli_epi16::<SHIFT>(a), b);
    let differences = _mm_and_si128(differences, _mm_set1_epi8(mask));
    (_mm_xor_si128(a, _mm_slli_epi16::<SHIFT>(differences)), _mm_xor_si128(b, differences))
}

/// Whether all bytes are.
#[inline]
#[target_feature(enable = "sse4.1")]
fn are_zero(v: [Vector; 8]) -> bool {
    let or = |a, b| _mm_or_si128(a, b);
    let bits = or(or(or(v[0], v[1]), or(v[2], v[3])), or(or(v[4], v[5]), or(v[6], v[7])));
    _mm_testz_si128(bits, bits) != 0
}
