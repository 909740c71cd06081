//! AVX2: 8 lanes a vector. As [`avx512`](super::avx512), but the words are spread by a permutation that is looked up.

#![allow(unsafe_code)]

use super::decode::{Decoder, padded};
use super::model::{FREQUENCY_BITS, MIN_STATE, TOTAL};
use std::arch::x86_64::*;

const LANES: usize = 8;

/// For each set of lanes that take a word: for each of its lanes which one.
const SPREADS: [[u8; LANES]; 256] = spreads();

const fn spreads() -> [[u8; LANES]; 256] {
    let mut spreads = [[0; LANES]; 256];
    let mut set = 0;
    while set < 256 {
        let (mut lane, mut n) = (0, 0);
        while lane < LANES {
            spreads[set][lane] = n;
            n += (set >> lane & 1) as u8;
            lane += 1;
        }
        set += 1;
    }
    spreads
}

/// See [`Decoder::tokens`].
#[target_feature(enable = "avx2,popcnt")]
pub(super) fn tokens(decoder: &mut Decoder<'_>, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
    match decoder.n_lanes / LANES {
        1 => run::<1>(decoder, tables, mask, tokens),
        2 => run::<2>(decoder, tables, mask, tokens),
        _ => run::<4>(decoder, tables, mask, tokens),
    }
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn run<const N: usize>(decoder: &mut Decoder<'_>, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
    let (vectors, _) = decoder.states.as_chunks::<LANES>();
    let mut states = [_mm256_setzero_si256(); N];
    for (state, stored) in states.iter_mut().zip(vectors) {
        *state = load(stored);
    }
    for group in (0..tokens.len().div_ceil(LANES)).step_by(N) {
        for (n, state) in states.iter_mut().enumerate() {
            let from = (group + n) * LANES;
            let Some((tables, tokens)) = tables.get(from..).zip(tokens.get_mut(from..)) else { break };
            let mask = mask.map(|mask| &mask[from..]);
            match (tables.first_chunk(), tokens.first_chunk_mut(), mask.map(<[u8]>::first_chunk)) {
                (Some(tables), Some(tokens), None) => *tokens = step(decoder, state, tables, &[0; LANES]),
                (Some(tables), Some(tokens), Some(Some(mask))) => *tokens = step(decoder, state, tables, mask),
                _ => last(decoder, state, tables, mask, tokens),
            }
        }
    }
    let (vectors, _) = decoder.states.as_chunks_mut::<LANES>();
    for (state, stored) in states.iter().zip(vectors) {
        store(stored, *state);
    }
}

/// Fewer pixels than lanes.
#[target_feature(enable = "avx2,popcnt")]
fn last(decoder: &mut Decoder<'_>, state: &mut __m256i, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
    let n = tokens.len().min(LANES - 1);
    let (tables, mask) = padded(&tables[..n], mask);
    let found = step(decoder, state, &tables, &mask);
    tokens[..n].copy_from_slice(&found[..n]);
}

/// A token for each lane that is not masked, 0 for the others.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn step(decoder: &mut Decoder<'_>, state: &mut __m256i, tables: &[u32; LANES], mask: &[u8; LANES]) -> [u8; LANES] {
    let is_active = _mm256_cmpeq_epi32(widened(*mask), _mm256_setzero_si256());
    let number = _mm256_and_si256(*state, _mm256_set1_epi32((TOTAL - 1) as i32));
    let slot = slots(decoder.slots, _mm256_add_epi32(load(tables), number));
    let frequency = _mm256_and_si256(_mm256_srli_epi32::<6>(slot), _mm256_set1_epi32(0xfff));
    let quotient = _mm256_srli_epi32::<{ FREQUENCY_BITS as i32 }>(*state);
    let next = _mm256_add_epi32(_mm256_mullo_epi32(frequency, quotient), _mm256_srli_epi32::<18>(slot));
    // Both are below 2^31.
    let is_low = _mm256_and_si256(is_active, _mm256_cmpgt_epi32(_mm256_set1_epi32(MIN_STATE as i32), next));
    let low = _mm256_movemask_ps(_mm256_castsi256_ps(is_low)) as u8;
    let words = _mm256_permutevar8x32_epi32(words(decoder), widened(SPREADS[usize::from(low)]));
    decoder.at += low.count_ones() as usize;
    let refilled = _mm256_or_si256(_mm256_slli_epi32::<16>(next), words);
    let next = _mm256_blendv_epi8(next, refilled, is_low);
    *state = _mm256_blendv_epi8(*state, next, is_active);
    packed(_mm256_and_si256(is_active, _mm256_and_si256(slot, _mm256_set1_epi32(63))))
}

#[inline]
#[target_feature(enable = "avx2")]
fn slots(slots: &[u32], index: __m256i) -> __m256i {
    let Some(last) = slots.len().checked_sub(1).and_then(|last| i32::try_from(last).ok()) else {
        return _mm256_setzero_si256();
    };
    let index = _mm256_min_epu32(index, _mm256_set1_epi32(last));
    // SAFETY: no index is above that of the last slot.
    unsafe { _mm256_i32gather_epi32::<4>(slots.as_ptr().cast(), index) }
}

/// The next words; after the end zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn words(decoder: &Decoder<'_>) -> __m256i {
    let rest = decoder.words.get(decoder.at..).unwrap_or(&[]);
    let words = match rest.first_chunk::<LANES>() {
        Some(words) => load_words(words),
        None => {
            let mut words = [[0; 2]; LANES];
            words[..rest.len()].copy_from_slice(rest);
            load_words(&words)
        }
    };
    _mm256_cvtepu16_epi32(words)
}

#[inline]
#[target_feature(enable = "avx2")]
fn widened(bytes: [u8; LANES]) -> __m256i {
    _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(bytes)))
}

/// The lowest bytes of the lanes, which are below 128.
#[inline]
#[target_feature(enable = "avx2")]
fn packed(lanes: __m256i) -> [u8; LANES] {
    let words = _mm_packus_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    _mm_cvtsi128_si64(_mm_packus_epi16(words, words)).to_le_bytes()
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(lanes: &[u32; LANES]) -> __m256i {
    // SAFETY: `lanes` is 32 readable bytes and the load needs no alignment.
    unsafe { _mm256_loadu_si256(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(lanes: &mut [u32; LANES], vector: __m256i) {
    // SAFETY: `lanes` is 32 writable bytes and the store needs no alignment.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_words(words: &[[u8; 2]; LANES]) -> __m128i {
    // SAFETY: `words` is 16 readable bytes and the load needs no alignment.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}
