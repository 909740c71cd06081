//! AVX-512 with VBMI2 and VNNI.
//!
//! A group of 64 pixels is two vectors of 32; the comparison with the threshold gives a bit a pixel, and the bits of a
//! block are all that a scan leaves behind: nothing in it depends on the pixels. What is done with the bright ones says
//! `avx512_bright`.

use super::decode::{self, Frontier};
use super::found::{Bright, GROUP, Groups, Positions, Tally};
use super::pixel::Pixel;
use std::arch::x86_64::*;

/// Pixels of a vector.
pub(super) const LANES: usize = 32;

/// See [`block::scan`](super::block).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx512vnni,bmi1,bmi2,popcnt")]
pub(super) fn scan<P: Pixel>(groups: Groups<'_, P>, bright: &mut Bright, stored: Option<&mut [[P; GROUP]]>) -> Tally {
    match (groups.dark, stored) {
        (None, None) => scan_as::<P, false, false>(groups, &[], &mut [], bright),
        (None, Some(stored)) => scan_as::<P, false, true>(groups, &[], stored, bright),
        (Some(dark), None) => scan_as::<P, true, false>(groups, dark, &mut [], bright),
        (Some(dark), Some(stored)) => scan_as::<P, true, true>(groups, dark, stored, bright),
    }
}

/// Vectors that are carried from group to group, and looked at once a block.
struct Carried {
    /// Sums of the differences of dark pixels.
    removed: __m512i,
    /// Not 0 where a difference does not fit 16 bits.
    inexact: __m512i,
    /// The stored pixels' bits.
    any: __m512i,
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx512vnni,bmi1,bmi2,popcnt")]
#[inline]
fn scan_as<P: Pixel, const DARK: bool, const STORE: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP]],
    stored: &mut [[P; GROUP]],
    bright: &mut Bright,
) -> Tally {
    assert!((!DARK || dark.len() >= groups.pixels.len()) && (!STORE || stored.len() >= groups.pixels.len()));
    let zero = _mm512_setzero_si512();
    let threshold = _mm512_set1_epi16(groups.threshold.cast_signed());
    let mut carried = Carried { removed: zero, inexact: zero, any: zero };
    let (mut n_bright, mut n_different) = (0, 0);
    let words = bright.for_groups(groups.pixels.len());
    for (at, (pixels, word)) in groups.pixels.iter().zip(words).enumerate() {
        groups.ask(at);
        let mut bright = 0;
        let mut differences = [zero; 2];
        for (half, difference) in differences.iter_mut().enumerate() {
            let pixels = load(pixels, half);
            let dark = if DARK { load(&dark[at], half) } else { zero };
            let value = if DARK { subtract::<P>(pixels, dark) } else { pixels };
            let is_bright = reaches::<P>(value, threshold);
            *difference = carried.add::<P, DARK>(pixels, dark, value, !is_bright);
            if STORE {
                store(&mut stored[at], half, _mm512_maskz_mov_epi16(is_bright, value));
            }
            bright |= u64::from(is_bright) << (half * LANES);
        }
        // Packing keeps what is not 0, and the order does not matter.
        let [low, high] = differences;
        let packed = _mm512_packs_epi16(low, high);
        n_different += _mm512_test_epi8_mask(packed, packed).count_ones();
        n_bright += bright.count_ones();
        *word = bright;
    }
    carried.tally::<P>(n_bright, n_different)
}

impl Carried {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn add<P: Pixel, const DARK: bool>(
        &mut self,
        pixels: __m512i,
        dark: __m512i,
        value: __m512i,
        is_dark: u32,
    ) -> __m512i {
        let difference = if DARK { _mm512_sub_epi16(pixels, dark) } else { pixels };
        if DARK && P::SIGNED {
            self.inexact = _mm512_or_si512(self.inexact, _mm512_xor_si512(difference, value));
        } else if DARK {
            self.inexact = _mm512_or_si512(self.inexact, _mm512_subs_epu16(dark, pixels));
        }
        if !P::SIGNED {
            self.any = _mm512_or_si512(self.any, value);
        }
        let removed = _mm512_maskz_mov_epi16(is_dark, difference);
        self.removed = _mm512_dpwssd_epi32(self.removed, removed, _mm512_set1_epi16(1));
        difference
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn tally<P: Pixel>(self, n_bright: u32, n_different: u32) -> Tally {
        let inexact = if P::SIGNED {
            _mm512_test_epi16_mask(self.inexact, self.inexact)
        } else {
            _mm512_movepi16_mask(self.inexact)
        };
        Tally {
            n_bright,
            n_different,
            zeroed_sum: _mm512_reduce_add_epi32(self.removed).into(),
            is_exact: inexact == 0,
            fits_stream: _mm512_movepi16_mask(self.any) == 0,
        }
    }
}

/// See [`decode`](super::decode).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(super) fn run_tokens(groups: &[[u8; 2 * GROUP]], positions: &mut Positions) {
    let mut index = iota();
    let mut n = 0;
    for half in groups.as_flattened().as_chunks::<{ 2 * LANES }>().0 {
        // SAFETY: `half` is 64 readable bytes, and the load needs no alignment.
        let tokens = unsafe { _mm512_loadu_epi16(half.as_ptr().cast()) };
        let runs = _mm512_movepi16_mask(tokens);
        push(positions, n, _mm512_maskz_compress_epi16(runs, index));
        n += runs.count_ones() as usize;
        index = _mm512_add_epi16(index, _mm512_set1_epi16(LANES as i16));
    }
    positions.n = n;
}

/// See [`decode`](super::decode).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(super) fn fill(pixels: &mut [u8], to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    decode::fill_runs(pixels, to, tokens, runs)
}

/// The difference, held to the pixel type.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn subtract<P: Pixel>(pixels: __m512i, dark: __m512i) -> __m512i {
    if P::SIGNED { _mm512_subs_epi16(pixels, dark) } else { _mm512_subs_epu16(pixels, dark) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn reaches<P: Pixel>(values: __m512i, threshold: __m512i) -> __mmask32 {
    if P::SIGNED { _mm512_cmpge_epi16_mask(values, threshold) } else { _mm512_cmpge_epu16_mask(values, threshold) }
}

/// 0, 1, 2, …
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn iota() -> __m512i {
    let indices: [i16; LANES] = std::array::from_fn(|lane| lane as i16);
    // SAFETY: `indices` is 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(indices.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn load<P: Pixel>(group: &[P; GROUP], half: usize) -> __m512i {
    let half = &group[half * LANES..][..LANES];
    // SAFETY: `half` is 32 pixels of 16 bits, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(half.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn store<P: Pixel>(group: &mut [P; GROUP], half: usize, values: __m512i) {
    let half = &mut group[half * LANES..][..LANES];
    // SAFETY: `half` is 32 pixels of 16 bits, of which every pattern is a value; the store needs no alignment.
    unsafe { _mm512_storeu_epi16(half.as_mut_ptr().cast(), values) }
}

/// Writes a vector of positions from the `n`th on.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn push(positions: &mut Positions, n: usize, vector: __m512i) {
    let room = &mut positions.at[n..][..LANES];
    // SAFETY: `room` is 32 integers of 16 bits, and the store needs no alignment.
    unsafe { _mm512_storeu_epi16(room.as_mut_ptr().cast(), vector) }
}
