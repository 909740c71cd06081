//! AVX-512 VBMI: 64 elements at a time.
//!
//! One step, repeated: two registers become the register of their even bytes and the register of their odd bytes
//! (`vpermi2b`). After log2(N) steps, N registers of 64 N-byte elements are N registers of one byte of each. The same
//! steps backwards interleave. The bit transpose is made of them too: what it does to the rows of a group is the byte
//! transpose of 64 8-byte elements.

use std::arch::x86_64::*;

use super::avx2;

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

#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
fn shuffle_tiles<const N: usize>(src: &[u8], dst: &mut [u8]) {
    let n_elements = src.len() / N;
    for tile in (0..n_elements).step_by(TILE) {
        // The last tile is moved back so that it is whole: it repeats some of the one before.
        let first = tile.min(n_elements - TILE);
        let (registers, _) = src[first * N..][..TILE * N].as_chunks::<64>();
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
    let n_elements = src.len() / N;
    for tile in (0..n_elements).step_by(TILE) {
        let first = tile.min(n_elements - TILE);
        let mut planes = [_mm512_setzero_si512(); N];
        for (byte, plane) in planes.iter_mut().enumerate() {
            *plane = load(chunk(src, byte * n_elements + first));
        }
        let (registers, _) = dst[first * N..][..TILE * N].as_chunks_mut::<64>();
        for (register, element) in registers.iter_mut().zip(interleave(planes)) {
            store(register, element);
        }
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
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(in crate::kernels) fn deinterleave<const N: usize, const TURNED: bool>(mut v: [__m512i; N]) -> [__m512i; N] {
    if N == 1 && TURNED {
        return v.map(|v| _mm512_shuffle_epi8(v, indices(|i| (i % 16) ^ 7)));
    }
    let mut distance = 1;
    while distance < N {
        let turn = if TURNED && 2 * distance == N { 7 } else { 0 };
        let (even, odd) = (indices(|i| 2 * (i ^ turn)), indices(|i| 2 * (i ^ turn) + 1));
        for i in (0..N).filter(|i| i & distance == 0) {
            let (a, b) = (v[i], v[i + distance]);
            v[i] = _mm512_permutex2var_epi8(a, even, b);
            v[i + distance] = _mm512_permutex2var_epi8(a, odd, b);
        }
        distance *= 2;
    }
    v
}

/// The inverse of [`deinterleave`].
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl,avx512vbmi")]
pub(in crate::kernels) fn interleave<const N: usize>(mut v: [__m512i; N]) -> [__m512i; N] {
    let low = indices(|i| i / 2 + 64 * (i % 2));
    let high = indices(|i| 32 + i / 2 + 64 * (i % 2));
    let mut distance = N / 2;
    while distance > 0 {
        for i in (0..N).filter(|i| i & distance == 0) {
            let (a, b) = (v[i], v[i + distance]);
            v[i] = _mm512_permutex2var_epi8(a, low, b);
            v[i + distance] = _mm512_permutex2var_epi8(a, high, b);
        }
        distance /= 2;
    }
    v
}

/// A register of byte indices.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw")]
pub(in crate::kernels) fn indices(index: impl Fn(usize) -> usize) -> __m512i {
    load(&std::array::from_fn(|i| index(i) as u8))
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
