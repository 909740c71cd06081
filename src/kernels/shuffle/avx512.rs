//! AVX-512 VBMI: 64 elements at a time.
//!
//! [`deinterleave`] makes registers of whole elements into registers of one byte of each, [`interleave`] the reverse. The
//! bit transpose is made of them too: what it does to the rows of 64 groups is the byte transpose of 64 8-byte elements.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::avx2;
use super::marks::for_each_marked;
use crate::cpu::tuning::Tuning;

/// Elements in a tile: one register for each of their bytes.
const TILE: usize = 64;

/// See [`super::shuffle`].
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    match element_size {
        2 if src.len() >= TILE * 2 => shuffle_tiles::<2>(src, dst),
        4 if src.len() >= TILE * 4 => shuffle_tiles::<4>(src, dst),
        8 if src.len() >= TILE * 8 => shuffle_tiles::<8>(src, dst),
        _ => avx2::shuffle(element_size, src, dst),
    }
}

/// See [`super::unshuffle`].
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn unshuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    match element_size {
        2 if src.len() >= TILE * 2 => unshuffle_tiles::<2>(src, dst),
        4 if src.len() >= TILE * 4 => unshuffle_tiles::<4>(src, dst),
        8 if src.len() >= TILE * 8 => unshuffle_tiles::<8>(src, dst),
        _ => avx2::unshuffle(element_size, src, dst),
    }
}

/// See [`super::unshuffle_marked`].
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(super) fn unshuffle_marked(element_size: usize, marks: &[u64], src: &[u8], dst: &mut [u8]) {
    let n_elements = src.len() / element_size;
    match element_size {
        2 => for_each_marked::<2>(marks, |first| unshuffle_tile::<2>(src, n_elements, first, dst)),
        4 => for_each_marked::<2>(marks, |first| unshuffle_tile::<4>(src, n_elements, first, dst)),
        8 => for_each_marked::<2>(marks, |first| unshuffle_tile::<8>(src, n_elements, first, dst)),
        _ => avx2::unshuffle_marked(element_size, marks, src, dst),
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
fn shuffle_tiles<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let (n_elements, prefetch) = (src.len() / N, Tuning::current().prefetch);
    for tile in (0..n_elements).step_by(TILE) {
        // The last tile is moved back so that it is whole: it repeats some of the one before.
        let first = tile.min(n_elements - TILE);
        let (registers, _) = src[first * N..][..TILE * N].as_chunks::<64>();
        if prefetch.is_of_every_line() {
            prefetch.ahead(registers.as_ptr(), TILE * N);
        }
        let mut elements = [_mm512_setzero_si512(); N];
        for (element, register) in elements.iter_mut().zip(registers) {
            *element = load(register);
        }
        for (byte, plane) in deinterleave::<N, false>(elements).into_iter().enumerate() {
            store(chunk_mut(dst, byte * n_elements + first), plane);
        }
    }
}

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
fn unshuffle_tiles<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let (n_elements, prefetch) = (src.len() / N, Tuning::current().prefetch);
    for tile in (0..n_elements).step_by(TILE) {
        if prefetch.is_of_every_line() {
            prefetch.ahead(dst.as_ptr().wrapping_add(tile * N), TILE * N);
        }
        unshuffle_tile::<N>(src, n_elements, tile.min(n_elements - TILE), dst);
    }
}

/// The elements of the tile that begins with element `first`.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
fn unshuffle_tile<const N: usize>(src: &[u8], n_elements: usize, first: usize, dst: &mut [u8]) {
    let mut planes = [_mm512_setzero_si512(); N];
    for (byte, plane) in planes.iter_mut().enumerate() {
        *plane = load(chunk(src, byte * n_elements + first));
    }
    let (registers, _) = dst[first * N..][..TILE * N].as_chunks_mut::<64>();
    for (register, element) in registers.iter_mut().zip(interleave::<N, false>(planes)) {
        store(register, element);
    }
}

/// The 64 bytes from `at` on, of a tile that lies inside its block.
#[inline]
pub(in crate::kernels) fn chunk(src: &[u8], at: usize) -> &[u8; 64] {
    src[at..].first_chunk().expect("a tile lies inside its block")
}

/// As [`chunk`], to be written.
#[inline]
pub(in crate::kernels) fn chunk_mut(dst: &mut [u8], at: usize) -> &mut [u8; 64] {
    dst[at..].first_chunk_mut().expect("a tile lies inside its block")
}

/// Register `i` of 64 `N`-byte elements → register of byte `i` of each. `TURNED` turns every 8 bytes of the results round.
///
/// First the bytes of two neighbours are brought together, so that a lane of 16 bytes holds one byte of 16 elements; then
/// lanes change places.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(in crate::kernels) fn deinterleave<const N: usize, const TURNED: bool>(mut v: [__m512i; N]) -> [__m512i; N] {
    if N == 1 {
        return v.map(|v| _mm512_shuffle_epi8(v, load(&Places::<N, TURNED>::EVEN)));
    }
    v = permute_pairs::<N, 1>(v, &Places::<N, TURNED>::EVEN, &Places::<N, TURNED>::ODD);
    if N >= 4 {
        v = exchange_lanes::<N, 2>(v);
    }
    if N >= 8 {
        v = exchange_lanes::<N, 4>(v);
    }
    v
}

/// The inverse of [`deinterleave`], but `TURNED` turns every 8 bytes of the results of this.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(in crate::kernels) fn interleave<const N: usize, const TURNED: bool>(mut v: [__m512i; N]) -> [__m512i; N] {
    if N == 1 {
        return deinterleave::<N, TURNED>(v);
    }
    if N == 4 {
        // Measured: bytes twice are faster here than lanes and bytes.
        v = permute_pairs::<N, 2>(v, &Places::<2, false>::FIRST, &Places::<2, false>::SECOND);
    }
    if N == 8 {
        v = exchange_lanes::<N, 4>(v);
        v = exchange_lanes::<N, 2>(v);
    }
    v = permute_pairs::<N, 1>(v, &Places::<N, TURNED>::FIRST, &Places::<N, TURNED>::SECOND);
    if N < 8 {
        return v;
    }
    // The exchanges of lanes have left two bits of the register's number in each other's place.
    let mut result = v;
    (result[2], result[3], result[4], result[5]) = (v[4], v[5], v[2], v[3]);
    result
}

/// Where the bytes of registers come from. Constants, as some programs ran such loops for each tile, which took
/// two thirds of their time.
struct Places<const N: usize, const TURNED: bool>;

impl<const N: usize, const TURNED: bool> Places<N, TURNED> {
    const EVEN: [u8; 64] = Self::gathered(0);
    const ODD: [u8; 64] = Self::gathered(1);
    const FIRST: [u8; 64] = Self::spread(0);
    const SECOND: [u8; 64] = Self::spread(1);
    const TURN: usize = if TURNED { 7 } else { 0 };

    const fn gathered(odd: usize) -> [u8; 64] {
        let (mut places, mut at) = ([0; 64], 0);
        while at < 64 {
            places[at] = (gathered_from(N, at ^ Self::TURN) + odd) as u8;
            at += 1;
        }
        places
    }

    const fn spread(second: usize) -> [u8; 64] {
        let (mut places, mut at) = ([0; 64], 0);
        while at < 64 {
            places[at] = spread_from(N, at ^ Self::TURN, second) as u8;
            at += 1;
        }
        places
    }
}

/// Where byte `at` of the even bytes of two registers comes from, if lane 0, 1, … shall hold byte 0, 2, … of elements of `n` bytes;
/// of one byte, in a lane.
const fn gathered_from(n: usize, at: usize) -> usize {
    let (lane, at_in_lane) = (at / 16, at % 16);
    match n {
        1 => at_in_lane,
        2 => 2 * at,
        4 => lane / 2 * 64 + at_in_lane * 4 + lane % 2 * 2,
        _ => at_in_lane / 8 * 64 + at_in_lane % 8 * 8 + lane * 2,
    }
}

/// Where byte `at` of the first or second of two registers of elements of `n` bytes comes from, after the exchanges of lanes.
const fn spread_from(n: usize, at: usize, second: usize) -> usize {
    if n < 8 {
        return second * 32 + at / 2 + at % 2 * 64;
    }
    let (element, byte) = (at / 8, at % 8);
    let lane = byte / 2 % 2 * 2 + byte / 4;
    byte % 2 * 64 + lane * 16 + second * 8 + element
}

/// Every two registers that are `DISTANCE` apart become what `first` and what `second` picks of their bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
fn permute_pairs<const N: usize, const DISTANCE: usize>(
    v: [__m512i; N],
    first: &[u8; 64],
    second: &[u8; 64],
) -> [__m512i; N] {
    let (first, second) = (load(first), load(second));
    let mut result = v;
    for i in 0..N {
        if i & DISTANCE == 0 {
            result[i] = _mm512_permutex2var_epi8(v[i], first, v[i + DISTANCE]);
            result[i + DISTANCE] = _mm512_permutex2var_epi8(v[i], second, v[i + DISTANCE]);
        }
    }
    result
}

/// Every two registers that are `DISTANCE` apart become their lanes 0 and 2, and their lanes 1 and 3.
#[inline]
#[target_feature(enable = "avx512f")]
fn exchange_lanes<const N: usize, const DISTANCE: usize>(v: [__m512i; N]) -> [__m512i; N] {
    let mut result = v;
    for i in 0..N {
        if i & DISTANCE == 0 {
            result[i] = _mm512_shuffle_i64x2::<0b10_00_10_00>(v[i], v[i + DISTANCE]);
            result[i + DISTANCE] = _mm512_shuffle_i64x2::<0b11_01_11_01>(v[i], v[i + DISTANCE]);
        }
    }
    result
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
pub(in crate::kernels) fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: `bytes` is 64 readable bytes and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
pub(in crate::kernels) fn store(bytes: &mut [u8; 64], v: __m512i) {
    // SAFETY: `bytes` is 64 writable bytes and the store needs no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), v) }
}
