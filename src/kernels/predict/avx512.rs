//! AVX-512: two taps a multiplication, and the table of a sum by halving.

#![allow(unsafe_code)]

use crate::kernels::rans::FREQUENCY_BITS;
use std::arch::x86_64::*;

/// Pixels of a vector of 16 bits.
const N_SHORT: usize = 32;
/// Sums of a vector.
const N_SUMS: usize = 16;

/// Two taps: their rows, and both weights in one element, the first one's in its lower half.
type Pair<'a> = (&'a [[i16; N_SHORT]], &'a [[i16; N_SHORT]], i32);

/// See [`sums`](super::sums). Returns how many sums it has made: all but fewer than a vector of pixels.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn sums(bias: i32, taps: &[(&[i16], i16)], sums: &mut [i32]) -> usize {
    let mut pairs: [Pair<'_>; 8] = [(&[], &[], 0); 8];
    let n_pairs = taps.len().div_ceil(2).min(pairs.len());
    for (pair, taps) in pairs.iter_mut().zip(taps.chunks(2)) {
        let (first, second) = (taps[0], taps.get(1).copied().unwrap_or((taps[0].0, 0)));
        let weights = i32::from(second.1) << 16 | i32::from(first.1) & 0xffff;
        *pair = (first.0.as_chunks().0, second.0.as_chunks().0, weights);
    }
    let (blocks, _) = sums.as_chunks_mut::<N_SHORT>();
    for (at, block) in blocks.iter_mut().enumerate() {
        let mut low = _mm512_set1_epi32(bias);
        let mut high = low;
        for (first, second, weights) in &pairs[..n_pairs] {
            let (a, b, weights) = (load(&first[at]), load(&second[at]), _mm512_set1_epi32(*weights));
            low = _mm512_add_epi32(low, _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), weights));
            high = _mm512_add_epi32(high, _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), weights));
        }
        // Quarters of the vectors are interleaved.
        let first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
        let second = _mm512_or_si512(first, _mm512_set1_epi32(8));
        let halves = block.as_chunks_mut().0.iter_mut().zip([first, second]);
        halves.for_each(|(to, half)| store(to, _mm512_permutex2var_epi32(low, half, high)));
    }
    blocks.len() * N_SHORT
}

/// See [`tables`](super::tables); for at most 15 thresholds that rise. Returns for how many sums it has done it: for all but fewer than a vector.
#[target_feature(enable = "avx512f")]
pub(super) fn tables(thresholds: &[i32], sums: &[i32], tables: &mut [u32]) -> usize {
    // No sum is above the last ones.
    let mut all = [i32::MAX; N_SUMS];
    for (to, threshold) in all.iter_mut().zip(thresholds) {
        *to = *threshold;
    }
    let all = load_sums(&all);
    let (blocks, _) = sums.as_chunks::<N_SUMS>();
    for (sums, to) in blocks.iter().zip(tables.as_chunks_mut::<N_SUMS>().0) {
        let sums = load_sums(sums);
        let mut number = _mm512_setzero_si512();
        for step in [8, 4, 2, 1] {
            let threshold = _mm512_permutexvar_epi32(_mm512_add_epi32(number, _mm512_set1_epi32(step - 1)), all);
            let is_above = _mm512_cmpgt_epi32_mask(sums, threshold);
            number = _mm512_mask_add_epi32(number, is_above, number, _mm512_set1_epi32(step));
        }
        store_tables(to, _mm512_slli_epi32::<FREQUENCY_BITS>(number));
    }
    blocks.len() * N_SUMS
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(pixels: &[i16; N_SHORT]) -> __m512i {
    // SAFETY: `pixels` is 64 readable bytes and the load needs no alignment.
    unsafe { _mm512_loadu_si512(pixels.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_sums(sums: &[i32; N_SUMS]) -> __m512i {
    // SAFETY: `sums` is 64 readable bytes and the load needs no alignment.
    unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(sums: &mut [i32; N_SUMS], vector: __m512i) {
    // SAFETY: `sums` is 64 writable bytes and the store needs no alignment.
    unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_tables(tables: &mut [u32; N_SUMS], vector: __m512i) {
    // SAFETY: `tables` is 64 writable bytes and the store needs no alignment.
    unsafe { _mm512_storeu_si512(tables.as_mut_ptr().cast(), vector) }
}
