//! AVX2 with BMI1 and POPCNT.
//!
//! A group of 64 pixels is four vectors of 16. Two comparisons are packed to bytes and become 32 bits; the positions
//! where brightness changes are taken from the bits of a whole block ([`Changes`]).

#![allow(unsafe_code)]

use super::add::{self, STRIDE, Summand};
use super::exceptions::Sentinels;
use super::fill::{self, Frontier};
use super::pixel::Pixel;
use super::scan::{self, Changes, GROUP_PIXELS, Groups, Positions, Tally};
use std::arch::x86_64::*;

/// Pixels of a vector.
const LANES: usize = 16;

/// See [`scan`](super::block).
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn scan<P: Pixel>(
    groups: Groups<'_, P>,
    positions: &mut Positions,
    stored: Option<&mut [[P; GROUP_PIXELS]]>,
) -> Tally {
    match (groups.dark, stored) {
        (None, None) => scan_as::<P, false, false>(groups, &[], &mut [], positions),
        (None, Some(stored)) => scan_as::<P, false, true>(groups, &[], stored, positions),
        (Some(dark), None) => scan_as::<P, true, false>(groups, dark, &mut [], positions),
        (Some(dark), Some(stored)) => scan_as::<P, true, true>(groups, dark, stored, positions),
    }
}

/// Vectors that are carried from group to group, and looked at once a block.
struct Carried {
    /// Sums of the differences of dark pixels.
    removed: __m256i,
    /// Counts of the pixels that are equal to their dark image, in bytes.
    equal: __m256i,
    /// Not 0 where a difference does not fit 16 bits.
    inexact: __m256i,
    /// The unsigned pixels' bits.
    any: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
#[inline]
fn scan_as<P: Pixel, const DARK: bool, const STORE: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP_PIXELS]],
    stored: &mut [[P; GROUP_PIXELS]],
    positions: &mut Positions,
) -> Tally {
    assert!((!DARK || dark.len() >= groups.pixels.len()) && (!STORE || stored.len() >= groups.pixels.len()));
    let zero = _mm256_setzero_si256();
    let threshold = _mm256_set1_epi16(groups.threshold.cast_signed());
    let mut carried = Carried { removed: zero, equal: zero, inexact: zero, any: zero };
    let mut changes = Changes::new();
    for (at, pixels) in groups.pixels.iter().enumerate() {
        groups.prefetch(at);
        let mut bright = 0;
        for half in 0..2 {
            let (mut is_bright, mut differences) = ([zero; 2], [zero; 2]);
            for side in 0..2 {
                let part = 2 * half + side;
                let pixels = load(pixels, part);
                let dark = if DARK { load(&dark[at], part) } else { zero };
                let value = if DARK { subtract::<P>(pixels, dark) } else { pixels };
                is_bright[side] = reaches::<P>(value, threshold);
                differences[side] = if DARK { _mm256_sub_epi16(pixels, dark) } else { pixels };
                carried.add::<P, DARK>(pixels, dark, value, differences[side], is_bright[side]);
                if STORE {
                    store(&mut stored[at], part, _mm256_and_si256(is_bright[side], value));
                }
            }
            // A difference that is not 0 is not 0 either when it is held to a byte.
            let differences = _mm256_packs_epi16(differences[0], differences[1]);
            carried.equal = _mm256_sub_epi8(carried.equal, _mm256_cmpeq_epi8(differences, zero));
            bright |= u64::from(bits(is_bright)) << (2 * half * LANES);
        }
        changes.push(bright);
    }
    changes.find(positions);
    carried.tally::<P>(changes.n_bright, groups.pixels.len() * GROUP_PIXELS)
}

impl Carried {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn add<P: Pixel, const DARK: bool>(
        &mut self,
        pixels: __m256i,
        dark: __m256i,
        value: __m256i,
        difference: __m256i,
        bright: __m256i,
    ) {
        if DARK && P::SIGNED {
            self.inexact = _mm256_or_si256(self.inexact, _mm256_xor_si256(difference, value));
        } else if DARK {
            let below = _mm256_srai_epi16::<15>(_mm256_subs_epu16(dark, pixels));
            self.inexact = _mm256_or_si256(self.inexact, below);
        }
        if !P::SIGNED {
            self.any = _mm256_or_si256(self.any, pixels);
        }
        let removed = _mm256_andnot_si256(bright, difference);
        self.removed = _mm256_add_epi32(self.removed, _mm256_madd_epi16(removed, _mm256_set1_epi16(1)));
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn tally<P: Pixel>(self, n_bright: u32, n_pixels: usize) -> Tally {
        let n_equal = add_lanes(_mm256_sad_epu8(self.equal, _mm256_setzero_si256()));
        let over = _mm256_srai_epi16::<15>(self.any);
        Tally {
            n_bright,
            n_different: n_pixels as u32 - n_equal.cast_unsigned(),
            zeroed_sum: add_lanes(self.removed).into(),
            is_exact: _mm256_testz_si256(self.inexact, self.inexact) != 0,
            may_be_wide: _mm256_testz_si256(over, over) == 0,
        }
    }
}

/// See [`scan::candidates`].
#[target_feature(enable = "avx2")]
pub(super) fn candidates<P: Pixel>(groups: Groups<'_, P>, unnoticed: &Sentinels) -> u32 {
    scan::candidates(groups, unnoticed)
}

/// See [`add`](super::block).
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn add<P: Pixel>(runs: &[[u16; 2]], stored: &[P], sum: &mut [u32]) {
    add::add_runs(runs, stored, sum, |n_pixels, stored, sum| {
        // SAFETY: `stored` is 16 pixels of 16 bits, and the load needs no alignment.
        add_first(n_pixels, widen::<P>(unsafe { _mm256_loadu_si256(stored.as_ptr().cast()) }), sum);
    });
}

/// See [`sum`](super::sum).
#[target_feature(enable = "avx2,bmi1,bmi2")]
pub(super) fn add_groups(frame: &mut Summand<'_>, end: usize, sum: &mut [u32]) {
    let add = |n_tokens, tokens: &[u8; 2 * STRIDE], sum: &mut [u32; STRIDE]| {
        // SAFETY: `tokens` is 32 readable bytes, and the load needs no alignment.
        add_first(n_tokens, widen::<i16>(unsafe { _mm256_loadu_si256(tokens.as_ptr().cast()) }), sum);
    };
    frame.add_groups(end, sum, |group| negatives(group), add);
}

/// 16 pixels as 32-bit integers.
#[target_feature(enable = "avx2")]
#[inline]
fn widen<P: Pixel>(values: __m256i) -> [__m256i; 2] {
    let halves = [_mm256_castsi256_si128(values), _mm256_extracti128_si256::<1>(values)];
    halves.map(|half| if P::SIGNED { _mm256_cvtepi16_epi32(half) } else { _mm256_cvtepu16_epi32(half) })
}

/// Adds the first `n_pixels`, at most 16.
#[target_feature(enable = "avx2")]
#[inline]
fn add_first(n_pixels: usize, values: [__m256i; 2], sum: &mut [u32; STRIDE]) {
    let mut lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (values, sum) in values.into_iter().zip(sum.as_chunks_mut::<{ STRIDE / 2 }>().0) {
        let keep = _mm256_cmpgt_epi32(_mm256_set1_epi32(n_pixels as i32), lanes);
        // SAFETY: `sum` is eight integers of 32 bits, and the load needs no alignment.
        let sums = unsafe { _mm256_loadu_si256(sum.as_ptr().cast()) };
        let sums = _mm256_add_epi32(sums, _mm256_and_si256(values, keep));
        // SAFETY: as above; the store needs no alignment.
        unsafe { _mm256_storeu_si256(sum.as_mut_ptr().cast(), sums) };
        lanes = _mm256_add_epi32(lanes, _mm256_set1_epi32(8));
    }
}

/// See [`super::decode()`].
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn run_tokens(groups: &[[u8; 2 * GROUP_PIXELS]], positions: &mut Positions) {
    let mut n = 0;
    for (at, group) in groups.iter().enumerate() {
        n = positions.push_bits::<4>(n, negatives(group), at * GROUP_PIXELS);
    }
    positions.n = n;
}

/// A bit for each negative token.
#[target_feature(enable = "avx2")]
#[inline]
fn negatives(group: &[u8; 2 * GROUP_PIXELS]) -> u64 {
    let (low, high) = group.as_chunks::<{ 4 * LANES }>().0.split_at(1);
    u64::from(bits(tokens(&low[0]))) | u64::from(bits(tokens(&high[0]))) << (2 * LANES)
}

/// See [`super::decode()`].
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn fill(pixels: &mut [u8], to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    fill::fill_runs(pixels, to, tokens, runs)
}

/// The sum of eight 32-bit lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn add_lanes(lanes: __m256i) -> i32 {
    let four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

/// The sign bits of 32 values, the first one lowest.
#[target_feature(enable = "avx2")]
#[inline]
fn bits([low, high]: [__m256i; 2]) -> u32 {
    // Packing works within 128-bit halves: the quarters come out as low, high, low, high.
    let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(low, high));
    _mm256_movemask_epi8(packed).cast_unsigned()
}

/// The difference, saturated to the pixel type.
#[target_feature(enable = "avx2")]
#[inline]
fn subtract<P: Pixel>(pixels: __m256i, dark: __m256i) -> __m256i {
    if P::SIGNED { _mm256_subs_epi16(pixels, dark) } else { _mm256_subs_epu16(pixels, dark) }
}

/// All ones where a value is at least the threshold, which is not 0.
#[target_feature(enable = "avx2")]
#[inline]
fn reaches<P: Pixel>(values: __m256i, threshold: __m256i) -> __m256i {
    if P::SIGNED {
        return _mm256_cmpgt_epi16(values, _mm256_sub_epi16(threshold, _mm256_set1_epi16(1)));
    }
    _mm256_cmpeq_epi16(_mm256_max_epu16(values, threshold), values)
}

#[target_feature(enable = "avx2")]
#[inline]
fn load<P: Pixel>(group: &[P; GROUP_PIXELS], part: usize) -> __m256i {
    let part = &group[part * LANES..][..LANES];
    // SAFETY: `part` is 16 pixels of 16 bits, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(part.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store<P: Pixel>(group: &mut [P; GROUP_PIXELS], part: usize, values: __m256i) {
    let part = &mut group[part * LANES..][..LANES];
    // SAFETY: `part` is 16 pixels of 16 bits, of which every pattern is a value; the store needs no alignment.
    unsafe { _mm256_storeu_si256(part.as_mut_ptr().cast(), values) }
}

/// 32 tokens.
#[target_feature(enable = "avx2")]
#[inline]
fn tokens(bytes: &[u8; 4 * LANES]) -> [__m256i; 2] {
    let (low, high) = bytes.split_at(2 * LANES);
    // SAFETY: `low` is 32 readable bytes, and the load needs no alignment.
    let low = unsafe { _mm256_loadu_si256(low.as_ptr().cast()) };
    // SAFETY: `high` is 32 readable bytes, and the load needs no alignment.
    [low, unsafe { _mm256_loadu_si256(high.as_ptr().cast()) }]
}
