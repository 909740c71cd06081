//! AVX-512 with VBMI2 and VNNI.
//!
//! A group of 64 pixels is two vectors of 32; the comparison with the threshold gives a bit a pixel, and the bits of a
//! block are all that a scan leaves after: nothing in it depends on the pixels. What is done with the bright ones says
//! `avx512_bright`.

#![allow(unsafe_code)]

use super::add::{STRIDE, Summand};
use super::exceptions::Sentinels;
use super::fill::{self, Frontier};
use super::pixel::Pixel;
use super::scan::{self, BLOCK_GROUPS, Bright, GROUP_PIXELS, Groups, Positions, Tally};
use std::arch::x86_64::*;

/// Pixels of a vector.
pub(super) const LANES: usize = 32;

/// See [`block::scan`](super::block).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx512vnni,bmi1,bmi2,popcnt")]
pub(super) fn scan<P: Pixel>(
    groups: Groups<'_, P>,
    bright: &mut Bright,
    stored: Option<&mut [[P; GROUP_PIXELS]]>,
) -> Tally {
    match (groups.dark, stored) {
        (None, None) => scan_as::<P, false, false>(groups, &[], &mut [], bright),
        (None, Some(stored)) => scan_as::<P, false, true>(groups, &[], stored, bright),
        (Some(dark), None) => scan_as::<P, true, false>(groups, dark, &mut [], bright),
        (Some(dark), Some(stored)) => scan_as::<P, true, true>(groups, dark, stored, bright),
    }
}

/// Vectors that are carried from group to group, and looked at once a block.
struct Carried {
    /// Sums of what dark pixels lose, and of the threshold for each bright one; for each half of a group one, as each sum
    /// waits for the one before.
    removed: [__m512i; 2],
    /// Numbers of pixels that are as their dark image is.
    equal: __m512i,
    /// Not 0 where a difference does not fit 16 bits.
    inexact: __m512i,
    /// The unsigned pixels' bits.
    any: __m512i,
}

// A number in `Carried::equal` is a byte, and each group adds 1 at most.
const _: () = assert!(BLOCK_GROUPS <= u8::MAX as usize);

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx512vnni,bmi1,bmi2,popcnt")]
#[inline]
fn scan_as<P: Pixel, const DARK: bool, const STORE: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP_PIXELS]],
    stored: &mut [[P; GROUP_PIXELS]],
    bright: &mut Bright,
) -> Tally {
    assert!((!DARK || dark.len() >= groups.pixels.len()) && (!STORE || stored.len() >= groups.pixels.len()));
    let zero = _mm512_setzero_si512();
    let threshold = _mm512_set1_epi16(groups.threshold.cast_signed());
    let mut carried = Carried { removed: [zero; 2], equal: zero, inexact: zero, any: zero };
    let mut n_bright = 0;
    let words = bright.for_groups(groups.pixels.len());
    let darks = if DARK { dark } else { groups.pixels };
    for (at, ((pixels, dark), word)) in groups.pixels.iter().zip(darks).zip(words).enumerate() {
        groups.prefetch(at);
        let mut is_dark = 0;
        let mut removed = [zero; 2];
        for (half, removed) in removed.iter_mut().enumerate() {
            let pixels = load(pixels, half);
            let dark = if DARK { load(dark, half) } else { zero };
            let value = if DARK { subtract::<P>(pixels, dark) } else { pixels };
            let is_below = falls_short::<P>(value, threshold);
            *removed = carried.removed::<P, DARK>(pixels, dark, value, threshold);
            if STORE {
                store(&mut stored[at], half, _mm512_maskz_mov_epi16(!is_below, value));
            }
            is_dark |= u64::from(is_below) << (half * LANES);
        }
        carried.add(removed);
        n_bright += (!is_dark).count_ones();
        *word = !is_dark;
    }
    carried.tally::<P>(n_bright, &groups)
}

impl Carried {
    /// What a dark pixel loses, which is its difference to the dark image; the threshold for a bright one.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn removed<P: Pixel, const DARK: bool>(
        &mut self,
        pixels: __m512i,
        dark: __m512i,
        value: __m512i,
        threshold: __m512i,
    ) -> __m512i {
        if P::SIGNED {
            let difference = if DARK { _mm512_sub_epi16(pixels, dark) } else { pixels };
            if DARK {
                self.inexact = _mm512_or_si512(self.inexact, _mm512_xor_si512(difference, value));
            }
            return _mm512_min_epi16(difference, threshold);
        }
        self.any = _mm512_or_si512(self.any, pixels);
        let above = _mm512_min_epu16(value, threshold);
        if !DARK {
            return above;
        }
        let below = _mm512_subs_epu16(dark, pixels);
        self.inexact = _mm512_or_si512(self.inexact, below);
        _mm512_sub_epi16(above, below)
    }

    /// Adds what was [removed](Self::removed) of a group.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[inline]
    fn add(&mut self, removed: [__m512i; 2]) {
        for (sum, removed) in self.removed.iter_mut().zip(removed) {
            *sum = _mm512_dpwssd_epi32(*sum, removed, _mm512_set1_epi16(1));
        }
        // Packing keeps what is not 0, and the order does not matter.
        let [low, high] = removed;
        let is_equal = _mm512_subs_epu8(_mm512_set1_epi8(1), _mm512_packs_epi16(low, high));
        self.equal = _mm512_add_epi8(self.equal, is_equal);
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn tally<P: Pixel>(self, n_bright: u32, groups: &Groups<'_, P>) -> Tally {
        let inexact = if P::SIGNED {
            _mm512_test_epi16_mask(self.inexact, self.inexact)
        } else {
            _mm512_movepi16_mask(self.inexact)
        };
        let [low, high] = self.removed;
        let removed = _mm512_reduce_add_epi32(_mm512_add_epi32(low, high));
        let n_equal = _mm512_reduce_add_epi64(_mm512_sad_epu8(self.equal, _mm512_setzero_si512()));
        Tally {
            n_bright,
            n_different: (groups.pixels.len() * GROUP_PIXELS) as u32 - n_equal as u32,
            zeroed_sum: i64::from(removed) - i64::from(n_bright) * i64::from(groups.threshold),
            is_exact: inexact == 0,
            may_be_wide: _mm512_movepi16_mask(self.any) != 0,
        }
    }
}

/// See [`scan::candidates`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn candidates<P: Pixel>(groups: Groups<'_, P>, unnoticed: &Sentinels) -> u32 {
    scan::candidates(groups, unnoticed)
}

/// See [`super::decode()`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(super) fn run_tokens(groups: &[[u8; 2 * GROUP_PIXELS]], positions: &mut Positions) {
    let (halves, _) = groups.as_flattened().as_chunks::<{ 2 * LANES }>();
    // Where there is no run at all, compressing takes a tenth of all time.
    let n_before = halves.iter().take_while(|half| negatives(half) == 0).count();
    let mut index = _mm512_add_epi16(iota(), _mm512_set1_epi16((n_before * LANES) as i16));
    let mut n = 0;
    for half in &halves[n_before..] {
        let runs = negatives(half);
        push(positions, n, _mm512_maskz_compress_epi16(runs, index));
        n += runs.count_ones() as usize;
        index = _mm512_add_epi16(index, _mm512_set1_epi16(LANES as i16));
    }
    positions.n = n;
}

/// See [`super::decode()`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(super) fn fill(pixels: &mut [u8], to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    fill::fill_runs(pixels, to, tokens, runs)
}

/// See [`sum`](super::sum).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,popcnt")]
pub(super) fn add_groups(frame: &mut Summand<'_>, end: usize, sum: &mut [u32]) {
    let negatives = |group: &[u8; 2 * GROUP_PIXELS]| {
        let (halves, _) = group.as_chunks();
        u64::from(negatives(&halves[1])) << LANES | u64::from(negatives(&halves[0]))
    };
    frame.add_groups(end, sum, negatives, |n_tokens, tokens, sum| add_first(n_tokens, tokens, sum));
}

/// A bit for each negative token.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn negatives(tokens: &[u8; 2 * LANES]) -> u32 {
    // SAFETY: `tokens` is 64 readable bytes, and the load needs no alignment.
    _mm512_movepi16_mask(unsafe { _mm512_loadu_epi16(tokens.as_ptr().cast()) })
}

/// Adds the first `n_tokens`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi2")]
#[inline]
fn add_first(n_tokens: usize, tokens: &[u8; 2 * STRIDE], sum: &mut [u32; STRIDE]) {
    let lanes = _bzhi_u32(0xffff, n_tokens as u32) as u16;
    // SAFETY: `tokens` is 32 readable bytes, and the load needs no alignment.
    let values = unsafe { _mm256_maskz_loadu_epi16(lanes, tokens.as_ptr().cast()) };
    // SAFETY: `sum` is 64 readable bytes, and the load needs no alignment.
    let old = unsafe { _mm512_loadu_epi32(sum.as_ptr().cast()) };
    let new = _mm512_add_epi32(old, _mm512_cvtepu16_epi32(values));
    // SAFETY: `sum` is 64 writable bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_epi32(sum.as_mut_ptr().cast(), new) };
}

/// The difference, saturated to the pixel type.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn subtract<P: Pixel>(pixels: __m512i, dark: __m512i) -> __m512i {
    if P::SIGNED { _mm512_subs_epi16(pixels, dark) } else { _mm512_subs_epu16(pixels, dark) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn falls_short<P: Pixel>(values: __m512i, threshold: __m512i) -> __mmask32 {
    if P::SIGNED { _mm512_cmplt_epi16_mask(values, threshold) } else { _mm512_cmplt_epu16_mask(values, threshold) }
}

/// 0, 1, 2, …
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn iota() -> __m512i {
    const LANE: [i16; LANES] = {
        let (mut numbers, mut lane) = ([0; LANES], 0);
        while lane < LANES {
            numbers[lane] = lane as i16;
            lane += 1;
        }
        numbers
    };
    // SAFETY: `LANE` is 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(LANE.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn load<P: Pixel>(group: &[P; GROUP_PIXELS], half: usize) -> __m512i {
    let half = &group[half * LANES..][..LANES];
    // SAFETY: `half` is 32 pixels of 16 bits, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(half.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(super) fn store<P: Pixel>(group: &mut [P; GROUP_PIXELS], half: usize, values: __m512i) {
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
