//! AVX2: two lanes, the second one the tile after the first one's. See [`bit_transpose`](super::bit_transpose).

use std::arch::x86_64::*;

use crate::kernels::shuffle::avx2::{Vector, load_lanes, load_row, round, rounds, store_lanes, store_row, zero};

super::bit_transpose::lane_kernels!("avx2", 2, sse41);

/// The bits of `a` above `mask` change places with those of `b` under it, `SHIFT` places away.
#[inline]
#[target_feature(enable = "avx2")]
fn exchange<const SHIFT: i32>(a: Vector, b: Vector, mask: i8) -> (Vector, Vector) {
    let differences = _mm256_xor_si256(_mm256_srli_epi16::<SHIFT>(a), b);
    let differences = _mm256_and_si256(differences, _mm256_set1_epi8(mask));
    (_mm256_xor_si256(a, _mm256_slli_epi16::<SHIFT>(differences)), _mm256_xor_si256(b, differences))
}

/// Whether all bytes are.
#[inline]
#[target_feature(enable = "avx2")]
fn are_zero(v: [Vector; 8]) -> bool {
    let or = |a, b| _mm256_or_si256(a, b);
    let bits = or(or(or(v[0], v[1]), or(v[2], v[3])), or(or(v[4], v[5]), or(v[6], v[7])));
    _mm256_testz_si256(bits, bits) != 0
}
