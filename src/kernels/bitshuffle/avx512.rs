//! AVX-512 with GFNI, for elements of 1, 2, 4 and 8 bytes: tiles of 64 groups, 64 bytes of every row.
//!
//! ```text
//! 64 elements      N registers ──deinterleave──▶ a register for each of their N bytes: 8 groups, 8 bytes each
//! 8x8 bits         each quadword ──gf2p8affineqb──▶ 8 bytes, one for each row
//! 8 such parts     8 registers ──deinterleave──▶ 8 rows of 64 bytes
//! ```
//!
//! `gf2p8affineqb` multiplies each byte by a matrix of 8x8 bits. With the data as the matrix and the unit vectors as
//! bytes it is the transpose, but for the order of the matrix' rows: so the permutation before it turns the bytes of each
//! quadword round. Other sizes, and blocks of less than a tile, are left to AVX2.

use std::arch::x86_64::*;

use super::avx2;
use crate::cpu::tuning::Tuning;
use crate::kernels::shuffle::avx512::{chunk, chunk_mut, deinterleave, interleave, load, store};

/// Groups in a tile.
const TILE: usize = 64;

/// See [`super::transpose`].
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
pub(super) fn transpose(element_size: usize, src: &[u8], dst: &mut [u8]) {
    match element_size {
        1 if src.len() >= TILE * 8 => transpose_tiles::<1>(src, dst),
        2 if src.len() >= TILE * 16 => transpose_tiles::<2>(src, dst),
        4 if src.len() >= TILE * 32 => transpose_tiles::<4>(src, dst),
        8 if src.len() >= TILE * 64 => transpose_tiles::<8>(src, dst),
        _ => avx2::transpose(element_size, src, dst),
    }
}

/// See [`super::inverse_rows`].
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
pub(super) fn inverse(element_size: usize, src: &[u8], n_rows: usize, dst: &mut [u8]) {
    if src.len() < TILE * 8 * element_size {
        return avx2::inverse(element_size, src, n_rows, dst);
    }
    // Bytes of the elements that have another row than the last one: all bits of the others are the same.
    let n_bytes = (n_rows - 1).div_ceil(8);
    match (element_size, n_bytes) {
        (1, _) => inverse_tiles::<1, 1>(src, n_rows, dst),
        (2, 0 | 1) => inverse_tiles::<2, 1>(src, n_rows, dst),
        (2, _) => inverse_tiles::<2, 2>(src, n_rows, dst),
        (4, 0 | 1) => inverse_tiles::<4, 1>(src, n_rows, dst),
        (4, 2) => inverse_tiles::<4, 2>(src, n_rows, dst),
        (4, _) => inverse_tiles::<4, 4>(src, n_rows, dst),
        (8, 0 | 1) => inverse_tiles::<8, 1>(src, n_rows, dst),
        (8, 2) => inverse_tiles::<8, 2>(src, n_rows, dst),
        (8, 3 | 4) => inverse_tiles::<8, 4>(src, n_rows, dst),
        (8, _) => inverse_tiles::<8, 8>(src, n_rows, dst),
        _ => avx2::inverse(element_size, src, n_rows, dst),
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
fn transpose_tiles<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let (n_groups, prefetch) = (src.len() / (8 * N), Tuning::current().prefetch);
    for tile in (0..n_groups).step_by(TILE) {
        if prefetch.is_of_every_line() {
            prefetch.ahead(src.as_ptr().wrapping_add(tile * 8 * N), TILE * 8 * N);
        }
        // The last tile is moved back so that it is whole: it repeats some of the one before.
        transpose_tile::<N>(src, dst, n_groups, tile.min(n_groups - TILE));
    }
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
fn transpose_tile<const N: usize>(src: &[u8], dst: &mut [u8], n_groups: usize, group: usize) {
    let (registers, _) = src[group * 8 * N..][..TILE * 8 * N].as_chunks::<64>();
    let mut planes = [[_mm512_setzero_si512(); 8]; N];
    for (part, registers) in registers.chunks_exact(N).enumerate() {
        let mut elements = [_mm512_setzero_si512(); N];
        for (element, register) in elements.iter_mut().zip(registers) {
            *element = load(register);
        }
        for (plane, bytes) in planes.iter_mut().zip(deinterleave::<N, true>(elements)) {
            plane[part] = transpose_bits(bytes);
        }
    }
    for (byte, plane) in planes.iter().enumerate() {
        for (bit, row) in deinterleave::<8, false>(*plane).into_iter().enumerate() {
            store(chunk_mut(dst, (byte * 8 + bit) * n_groups + group), row);
        }
    }
}

/// The inverse of [`transpose_tiles`] where only the first `M` bytes of the elements have other rows than the last one.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
fn inverse_tiles<const N: usize, const M: usize>(src: &[u8], n_rows: usize, dst: &mut [u8]) {
    let (n_groups, prefetch) = (src.len() / (8 * N), Tuning::current().prefetch);
    for tile in (0..n_groups).step_by(TILE) {
        // On a Zen 4 what is written comes late where nothing else is waited for: measured with 4 bytes. With 2, and where few rows
        // are there, the other work hides it, and this costs a fifth.
        if prefetch.is_of_every_line() || N >= 4 && M == N {
            prefetch.ahead(dst.as_ptr().wrapping_add(tile * 8 * N), TILE * 8 * N);
        }
        inverse_tile::<N, M>(src, n_rows - 1, dst, n_groups, tile.min(n_groups - TILE));
    }
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi,gfni")]
fn inverse_tile<const N: usize, const M: usize>(
    src: &[u8],
    last_row: usize,
    dst: &mut [u8],
    n_groups: usize,
    group: usize,
) {
    let row = |row: usize| chunk(src, row.min(last_row) * n_groups + group);
    let mut planes = [[_mm512_setzero_si512(); 8]; M];
    for (byte, plane) in planes.iter_mut().enumerate() {
        let mut rows = [_mm512_setzero_si512(); 8];
        for (bit, register) in rows.iter_mut().enumerate() {
            *register = load(row(byte * 8 + bit));
        }
        if !are_zero(rows) {
            *plane = interleave::<8, true>(rows);
        }
    }
    let (repeated, _) = row(last_row).as_chunks::<8>();
    let (registers, _) = dst[group * 8 * N..][..TILE * 8 * N].as_chunks_mut::<64>();
    for ((part, registers), repeated) in registers.chunks_exact_mut(N).enumerate().zip(repeated) {
        let mut bytes = [_mm512_setzero_si512(); M];
        for (bytes, plane) in bytes.iter_mut().zip(&planes) {
            *bytes = transpose_bits(plane[part]);
        }
        let bytes = if M == 1 { bytes } else { interleave::<M, false>(bytes) };
        if M == N {
            for (register, element) in registers.iter_mut().zip(bytes) {
                store(register, element);
            }
            continue;
        }
        let repeated = _mm512_movm_epi8(u64::from_le_bytes(*repeated));
        for (i, (register, places)) in registers.iter_mut().zip(&Extend::<N, M>::PLACES).enumerate() {
            store(register, _mm512_permutex2var_epi8(bytes[i * M / N], load(places), repeated));
        }
    }
}

/// Whether all bytes are.
#[inline]
#[target_feature(enable = "avx512f")]
fn are_zero(v: [__m512i; 8]) -> bool {
    let or = |a, b| _mm512_or_si512(a, b);
    let bits = or(or(or(v[0], v[1]), or(v[2], v[3])), or(or(v[4], v[5]), or(v[6], v[7])));
    _mm512_test_epi64_mask(bits, bits) == 0
}

/// Elements of `M` bytes made as long as `N`, with bytes of their own.
struct Extend<const N: usize, const M: usize>;

impl<const N: usize, const M: usize> Extend<N, M> {
    /// Where the bytes of register `i` of 64 elements come from: the register that has their first `M` bytes, or, 64
    /// places after, one of a byte for each of the 64.
    const PLACES: [[u8; 64]; N] = {
        let mut places = [[0; 64]; N];
        let mut at = 0;
        while at < 64 * N {
            let (element, byte) = (at / N, at % N);
            places[at / 64][at % 64] = if byte < M { element % (64 / M) * M + byte } else { 64 + element } as u8;
            at += 1;
        }
        places
    };
}

/// Transposes the 8x8 bits of each quadword, whose bytes come last one first.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn transpose_bits(v: __m512i) -> __m512i {
    let unit_vectors = _mm512_set1_epi64(0x8040_2010_0804_0201_u64 as i64);
    _mm512_gf2p8affine_epi64_epi8::<0>(unit_vectors, v)
}
