//! AVX-512: 16 lanes a vector. The words that the lanes of a vector take follow each other: they are loaded as one vector and spread to
//! the lanes that take one. The encoder packs them and stores them before those of later pixels.

#![allow(unsafe_code)]

use super::decode::{Decoder, padded};
use super::encode::{Encoder, NOTHING};
use super::model::{FREQUENCY_BITS, MIN_STATE, TOTAL};
use std::arch::x86_64::*;

const LANES: usize = 16;

/// See [`Decoder::tokens`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
pub(super) fn tokens(decoder: &mut Decoder<'_>, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
    if decoder.n_lanes == 2 * LANES {
        run::<2>(decoder, tables, mask, tokens)
    } else {
        run::<1>(decoder, tables, mask, tokens)
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn run<const N: usize>(decoder: &mut Decoder<'_>, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
    let (vectors, _) = decoder.states.as_chunks::<LANES>();
    let mut states = [_mm512_setzero_si512(); N];
    for (state, stored) in states.iter_mut().zip(vectors) {
        *state = load(stored);
    }
    for group in (0..tokens.len().div_ceil(LANES)).step_by(N) {
        for (n, state) in states.iter_mut().enumerate() {
            let from = (group + n) * LANES;
            let Some((tables, tokens)) = tables.get(from..).zip(tokens.get_mut(from..)) else { break };
            let mask = mask.map(|mask| &mask[from..]);
            match (tables.first_chunk(), tokens.first_chunk_mut(), mask.map(<[u8]>::first_chunk)) {
                (Some(tables), Some(tokens), None) => *tokens = step(decoder, state, tables, u16::MAX),
                (Some(tables), Some(tokens), Some(Some(mask))) => {
                    *tokens = step(decoder, state, tables, unmasked(mask))
                }
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn last(decoder: &mut Decoder<'_>, state: &mut __m512i, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
    let n = tokens.len().min(LANES - 1);
    let (tables, mask) = padded(&tables[..n], mask);
    let found = step(decoder, state, &tables, unmasked(&mask));
    tokens[..n].copy_from_slice(&found[..n]);
}

/// A token for each lane that is `active`, 0 for the others.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn step(decoder: &mut Decoder<'_>, state: &mut __m512i, tables: &[u32; LANES], active: __mmask16) -> [u8; LANES] {
    let number = _mm512_and_si512(*state, _mm512_set1_epi32((TOTAL - 1) as i32));
    let slot = slots(decoder.slots, _mm512_add_epi32(load(tables), number));
    let frequency = _mm512_and_si512(_mm512_srli_epi32::<6>(slot), _mm512_set1_epi32(0xfff));
    let quotient = _mm512_srli_epi32::<FREQUENCY_BITS>(*state);
    let next = _mm512_add_epi32(_mm512_mullo_epi32(frequency, quotient), _mm512_srli_epi32::<18>(slot));
    let low = _mm512_mask_cmplt_epu32_mask(active, next, _mm512_set1_epi32(MIN_STATE as i32));
    let words = _mm512_maskz_expand_epi32(low, words(decoder));
    decoder.at += low.count_ones() as usize;
    let next = _mm512_mask_or_epi32(next, low, _mm512_slli_epi32::<16>(next), words);
    *state = _mm512_mask_mov_epi32(*state, active, next);
    let tokens = _mm512_maskz_and_epi32(active, slot, _mm512_set1_epi32(63));
    let mut bytes = [0; LANES];
    store_bytes(&mut bytes, _mm512_cvtepi32_epi8(tokens));
    bytes
}

/// See [`Encoder::put_row`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
pub(super) fn put_row(encoder: &mut Encoder, symbols: &[u16]) {
    if encoder.n_lanes == 2 * LANES { put::<2>(encoder, symbols) } else { put::<1>(encoder, symbols) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn put<const N: usize>(encoder: &mut Encoder, symbols: &[u16]) {
    let (vectors, _) = encoder.states.as_chunks::<LANES>();
    let mut states = [_mm512_setzero_si512(); N];
    for (state, stored) in states.iter_mut().zip(vectors) {
        *state = load(stored);
    }
    for group in (0..symbols.len().div_ceil(LANES)).step_by(N).rev() {
        for (n, state) in states.iter_mut().enumerate().rev() {
            let Some(symbols) = symbols.get((group + n) * LANES..) else { continue };
            match symbols.first_chunk() {
                Some(symbols) => put_step(encoder, state, symbols),
                None => {
                    let mut all = [NOTHING; LANES];
                    all[..symbols.len()].copy_from_slice(symbols);
                    put_step(encoder, state, &all);
                }
            }
        }
    }
    let (vectors, _) = encoder.states.as_chunks_mut::<LANES>();
    for (state, stored) in states.iter().zip(vectors) {
        store(stored, *state);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
fn put_step(encoder: &mut Encoder, state: &mut __m512i, symbols: &[u16; LANES]) {
    let symbols = load_symbols(symbols);
    let active = _mm256_cmpneq_epi16_mask(symbols, _mm256_set1_epi16(NOTHING.cast_signed()));
    let index = _mm512_cvtepu16_epi32(symbols);
    let numbers = encoder.symbols.as_flattened();
    let at = _mm512_add_epi32(index, index);
    let (reciprocal, packed) = (slots(numbers, at), slots(numbers, _mm512_or_si512(at, _mm512_set1_epi32(1))));
    let frequency = _mm512_and_si512(packed, _mm512_set1_epi32(0xfff));
    let full = _mm512_mask_cmpge_epu32_mask(active, *state, _mm512_slli_epi32::<20>(frequency));
    let words = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, *state));
    store_words(encoder.before(full.count_ones() as usize), words);
    let x = _mm512_mask_srli_epi32::<16>(*state, full, *state);
    let shift = _mm512_and_si512(_mm512_srli_epi32::<12>(packed), _mm512_set1_epi32(0xf));
    let quotient = _mm512_srlv_epi32(high_product(x, reciprocal), shift);
    let complement = _mm512_sub_epi32(_mm512_set1_epi32(TOTAL as i32), frequency);
    let moved = _mm512_add_epi32(x, _mm512_srli_epi32::<16>(packed));
    let next = _mm512_add_epi32(moved, _mm512_mullo_epi32(quotient, complement));
    *state = _mm512_mask_mov_epi32(*state, active, next);
}

/// The upper halves of the products.
#[inline]
#[target_feature(enable = "avx512f")]
fn high_product(a: __m512i, b: __m512i) -> __m512i {
    let even = _mm512_srli_epi64::<32>(_mm512_mul_epu32(a, b));
    let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), _mm512_srli_epi64::<32>(b));
    _mm512_mask_mov_epi32(even, 0xaaaa, odd)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_symbols(symbols: &[u16; LANES]) -> __m256i {
    // SAFETY: `symbols` is 32 readable bytes and the load needs no alignment.
    unsafe { _mm256_loadu_si256(symbols.as_ptr().cast()) }
}

/// The first words, as many as there is room for, which is at most 16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn store_words(words: &mut [u16], vector: __m256i) {
    let first = (1_u32 << words.len()) - 1;
    // SAFETY: as many words are written as `words` has, which needs no alignment.
    unsafe { _mm256_mask_storeu_epi16(words.as_mut_ptr().cast(), first as __mmask16, vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn slots(slots: &[u32], index: __m512i) -> __m512i {
    let Some(last) = slots.len().checked_sub(1).and_then(|last| i32::try_from(last).ok()) else {
        return _mm512_setzero_si512();
    };
    let index = _mm512_min_epu32(index, _mm512_set1_epi32(last));
    // SAFETY: no index is above that of the last slot.
    unsafe { _mm512_i32gather_epi32::<4>(index, slots.as_ptr().cast()) }
}

/// The next words; after the end zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn words(decoder: &Decoder<'_>) -> __m512i {
    let rest = decoder.words.get(decoder.at..).unwrap_or(&[]);
    let words = match rest.first_chunk::<LANES>() {
        Some(words) => load_words(words),
        None => {
            let mut words = [[0; 2]; LANES];
            words[..rest.len()].copy_from_slice(rest);
            load_words(&words)
        }
    };
    _mm512_cvtepu16_epi32(words)
}

#[inline]
#[target_feature(enable = "avx512bw,avx512vl")]
fn unmasked(mask: &[u8; LANES]) -> __mmask16 {
    let mask = load_bytes(mask);
    _mm_testn_epi8_mask(mask, mask)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(lanes: &[u32; LANES]) -> __m512i {
    // SAFETY: `lanes` is 64 readable bytes and the load needs no alignment.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(lanes: &mut [u32; LANES], vector: __m512i) {
    // SAFETY: `lanes` is 64 writable bytes and the store needs no alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_words(words: &[[u8; 2]; LANES]) -> __m256i {
    // SAFETY: `words` is 32 readable bytes and the load needs no alignment.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_bytes(bytes: &[u8; LANES]) -> __m128i {
    // SAFETY: `bytes` is 16 readable bytes and the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_bytes(bytes: &mut [u8; LANES], vector: __m128i) {
    // SAFETY: `bytes` is 16 writable bytes and the store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), vector) }
}
