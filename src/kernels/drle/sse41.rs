//! SSE4.1: as AVX2, with vectors of 8 pixels.

#![allow(unsafe_code)]

use super::add::{self, Summand, add_first_tokens};
use super::fill::{self, Frontier};
use super::pixel::Pixel;
use super::scan::{Changes, GROUP_PIXELS, Groups, Positions, Tally};
use std::arch::x86_64::*;

/// Pixels of a vector.
const LANES: usize = 8;

/// See [`block::scan`](super::block).
#[target_feature(enable = "sse4.1")]
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
    removed: __m128i,
    /// Counts of the pixels that are equal to their dark image.
    equal: __m128i,
    /// Not 0 where a difference does not fit 16 bits.
    inexact: __m128i,
    /// The unsigned pixels' bits.
    any: __m128i,
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn scan_as<P: Pixel, const DARK: bool, const STORE: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP_PIXELS]],
    stored: &mut [[P; GROUP_PIXELS]],
    positions: &mut Positions,
) -> Tally {
    assert!((!DARK || dark.len() >= groups.pixels.len()) && (!STORE || stored.len() >= groups.pixels.len()));
    let zero = _mm_setzero_si128();
    let threshold = _mm_set1_epi16(groups.threshold.cast_signed());
    let mut carried = Carried { removed: zero, equal: zero, inexact: zero, any: zero };
    let mut changes = Changes::new();
    for (at, pixels) in groups.pixels.iter().enumerate() {
        groups.prefetch(at);
        let mut bright = 0;
        for quarter in 0..4 {
            let mut is_bright = [zero; 2];
            for (side, is_bright) in is_bright.iter_mut().enumerate() {
                let part = 2 * quarter + side;
                let pixels = load(pixels, part);
                let dark = if DARK { load(&dark[at], part) } else { zero };
                let value = if DARK { subtract::<P>(pixels, dark) } else { pixels };
                *is_bright = reaches::<P>(value, threshold);
                carried.add::<P, DARK>(pixels, dark, value, *is_bright);
                if STORE {
                    store(&mut stored[at], part, _mm_and_si128(*is_bright, value));
                }
            }
            bright |= u64::from(bits(is_bright)) << (2 * quarter * LANES);
        }
        changes.push(bright);
    }
    changes.find(positions);
    carried.tally::<P>(changes.n_bright, groups.pixels.len() * GROUP_PIXELS)
}

impl Carried {
    #[target_feature(enable = "sse4.1")]
    #[inline]
    fn add<P: Pixel, const DARK: bool>(&mut self, pixels: __m128i, dark: __m128i, value: __m128i, bright: __m128i) {
        let difference = if DARK { _mm_sub_epi16(pixels, dark) } else { pixels };
        if DARK && P::SIGNED {
            self.inexact = _mm_or_si128(self.inexact, _mm_xor_si128(difference, value));
        } else if DARK {
            let below = _mm_srai_epi16::<15>(_mm_subs_epu16(dark, pixels));
            self.inexact = _mm_or_si128(self.inexact, below);
        }
        if !P::SIGNED {
            self.any = _mm_or_si128(self.any, pixels);
        }
        self.equal = _mm_sub_epi16(self.equal, _mm_cmpeq_epi16(pixels, dark));
        let removed = _mm_andnot_si128(bright, difference);
        self.removed = _mm_add_epi32(self.removed, _mm_madd_epi16(removed, _mm_set1_epi16(1)));
    }

    #[target_feature(enable = "sse4.1")]
    #[inline]
    fn tally<P: Pixel>(self, n_bright: u32, n_pixels: usize) -> Tally {
        let n_equal = add_lanes(_mm_madd_epi16(self.equal, _mm_set1_epi16(1)));
        let over = _mm_srai_epi16::<15>(self.any);
        Tally {
            n_bright,
            n_different: n_pixels as u32 - n_equal.cast_unsigned(),
            zeroed_sum: add_lanes(self.removed).into(),
            is_exact: _mm_testz_si128(self.inexact, self.inexact) != 0,
            may_be_wide: _mm_testz_si128(over, over) == 0,
        }
    }
}

/// See [`block::add`](super::block).
#[target_feature(enable = "sse4.1")]
pub(super) fn add<P: Pixel>(runs: &[[u16; 2]], stored: &[P], sum: &mut [u32]) {
    add::add_runs(runs, stored, sum, add::add_first);
}

/// See [`super::decode()`].
#[target_feature(enable = "sse4.1")]
pub(super) fn run_tokens(groups: &[[u8; 2 * GROUP_PIXELS]], positions: &mut Positions) {
    let mut n = 0;
    for (at, group) in groups.iter().enumerate() {
        n = positions.push_bits::<4>(n, negatives(group), at * GROUP_PIXELS);
    }
    positions.n = n;
}

/// A bit for each negative token.
#[target_feature(enable = "sse4.1")]
#[inline]
fn negatives(group: &[u8; 2 * GROUP_PIXELS]) -> u64 {
    let quarters = group.as_chunks::<{ 4 * LANES }>().0.iter().enumerate();
    quarters.fold(0, |all, (quarter, bytes)| all | u64::from(bits(tokens(bytes))) << (2 * quarter * LANES))
}

/// See [`sum`](super::sum).
#[target_feature(enable = "sse4.1")]
pub(super) fn add_groups(frame: &mut Summand<'_>, end: usize, sum: &mut [u32]) {
    frame.add_groups(end, sum, |group| negatives(group), add_first_tokens);
}

/// See [`super::decode()`].
#[target_feature(enable = "sse4.1")]
pub(super) fn fill(pixels: &mut [u8], to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    fill::fill_runs(pixels, to, tokens, runs)
}

/// The sum of four 32-bit lanes.
#[target_feature(enable = "sse4.1")]
#[inline]
fn add_lanes(four: __m128i) -> i32 {
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}

/// The sign bits of 16 values, the first one lowest.
#[target_feature(enable = "sse4.1")]
#[inline]
fn bits([low, high]: [__m128i; 2]) -> u16 {
    _mm_movemask_epi8(_mm_packs_epi16(low, high)) as u16
}

/// The difference, saturated to the pixel type.
#[target_feature(enable = "sse4.1")]
#[inline]
fn subtract<P: Pixel>(pixels: __m128i, dark: __m128i) -> __m128i {
    if P::SIGNED { _mm_subs_epi16(pixels, dark) } else { _mm_subs_epu16(pixels, dark) }
}

/// All ones where a value is at least the threshold.
#[target_feature(enable = "sse4.1")]
#[inline]
fn reaches<P: Pixel>(values: __m128i, threshold: __m128i) -> __m128i {
    let larger = if P::SIGNED { _mm_max_epi16(values, threshold) } else { _mm_max_epu16(values, threshold) };
    _mm_cmpeq_epi16(larger, values)
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn load<P: Pixel>(group: &[P; GROUP_PIXELS], part: usize) -> __m128i {
    let part = &group[part * LANES..][..LANES];
    // SAFETY: `part` is 8 pixels of 16 bits, and the load needs no alignment.
    unsafe { _mm_loadu_si128(part.as_ptr().cast()) }
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn store<P: Pixel>(group: &mut [P; GROUP_PIXELS], part: usize, values: __m128i) {
    let part = &mut group[part * LANES..][..LANES];
    // SAFETY: `part` is 8 pixels of 16 bits, of which every pattern is a value; the store needs no alignment.
    unsafe { _mm_storeu_si128(part.as_mut_ptr().cast(), values) }
}

/// 16 tokens.
#[target_feature(enable = "sse4.1")]
#[inline]
fn tokens(bytes: &[u8; 4 * LANES]) -> [__m128i; 2] {
    let (low, high) = bytes.split_at(2 * LANES);
    // SAFETY: `low` is 16 readable bytes, and the load needs no alignment.
    let low = unsafe { _mm_loadu_si128(low.as_ptr().cast()) };
    // SAFETY: `high` is 16 readable bytes, and the load needs no alignment.
    [low, unsafe { _mm_loadu_si128(high.as_ptr().cast()) }]
}
