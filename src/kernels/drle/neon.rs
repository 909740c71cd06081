//! NEON: as AVX2, with vectors of 8 pixels; the bits of a comparison are added up from one weight a lane.

#![allow(unsafe_code)]

use super::add::{self, Summand, add_first_tokens};
use super::fill::{self, Frontier};
use super::pixel::Pixel;
use super::scan::{Changes, GROUP_PIXELS, Groups, Positions, Tally};
use std::arch::aarch64::*;

/// Pixels of a vector.
const LANES: usize = 8;

/// See [`block::scan`](super::block).
#[target_feature(enable = "neon")]
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
    removed: int32x4_t,
    /// Counts of the pixels that are equal to their dark image.
    equal: uint16x8_t,
    /// Not 0 where a difference does not fit 16 bits.
    inexact: uint16x8_t,
    /// The unsigned pixels' bits.
    any: uint16x8_t,
}

#[target_feature(enable = "neon")]
#[inline]
fn scan_as<P: Pixel, const DARK: bool, const STORE: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP_PIXELS]],
    stored: &mut [[P; GROUP_PIXELS]],
    positions: &mut Positions,
) -> Tally {
    assert!((!DARK || dark.len() >= groups.pixels.len()) && (!STORE || stored.len() >= groups.pixels.len()));
    let zero = vdupq_n_u16(0);
    let threshold = vdupq_n_u16(groups.threshold);
    let mut carried = Carried { removed: vdupq_n_s32(0), equal: zero, inexact: zero, any: zero };
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
                    store(&mut stored[at], part, vandq_u16(*is_bright, value));
                }
            }
            bright |= u64::from(bits(is_bright)) << (2 * quarter * LANES);
        }
        changes.push(bright);
    }
    changes.find(positions);
    carried.tally(changes.n_bright, groups.pixels.len() * GROUP_PIXELS)
}

impl Carried {
    #[target_feature(enable = "neon")]
    #[inline]
    fn add<P: Pixel, const DARK: bool>(
        &mut self,
        pixels: uint16x8_t,
        dark: uint16x8_t,
        value: uint16x8_t,
        bright: uint16x8_t,
    ) {
        let difference = if DARK { vsubq_u16(pixels, dark) } else { pixels };
        if DARK && P::SIGNED {
            self.inexact = vorrq_u16(self.inexact, veorq_u16(difference, value));
        } else if DARK {
            self.inexact = vorrq_u16(self.inexact, vshrq_n_u16::<15>(vqsubq_u16(dark, pixels)));
        }
        if !P::SIGNED {
            self.any = vorrq_u16(self.any, pixels);
        }
        self.equal = vsubq_u16(self.equal, vceqq_u16(pixels, dark));
        let removed = vreinterpretq_s16_u16(vbicq_u16(difference, bright));
        self.removed = vpadalq_s16(self.removed, removed);
    }

    #[target_feature(enable = "neon")]
    #[inline]
    fn tally(self, n_bright: u32, n_pixels: usize) -> Tally {
        Tally {
            n_bright,
            n_different: n_pixels as u32 - vaddlvq_u16(self.equal),
            zeroed_sum: vaddvq_s32(self.removed).into(),
            is_exact: vmaxvq_u16(self.inexact) == 0,
            may_be_wide: vmaxvq_u16(self.any) > super::types::MAX_THRESHOLD,
        }
    }
}

/// See [`block::add`](super::block).
#[target_feature(enable = "neon")]
pub(super) fn add<P: Pixel>(runs: &[[u16; 2]], stored: &[P], sum: &mut [u32]) {
    add::add_runs(runs, stored, sum, add::add_first);
}

/// See [`super::decode()`].
#[target_feature(enable = "neon")]
pub(super) fn run_tokens(groups: &[[u8; 2 * GROUP_PIXELS]], positions: &mut Positions) {
    let mut n = 0;
    for (at, group) in groups.iter().enumerate() {
        n = positions.push_bits::<4>(n, negatives(group), at * GROUP_PIXELS);
    }
    positions.n = n;
}

/// A bit for each negative token.
#[target_feature(enable = "neon")]
#[inline]
fn negatives(group: &[u8; 2 * GROUP_PIXELS]) -> u64 {
    let quarters = group.as_chunks::<{ 4 * LANES }>().0.iter().enumerate();
    quarters.fold(0, |all, (quarter, bytes)| all | u64::from(bits(negative(bytes))) << (2 * quarter * LANES))
}

/// See [`sum`](super::sum).
#[target_feature(enable = "neon")]
pub(super) fn add_groups(frame: &mut Summand<'_>, end: usize, sum: &mut [u32]) {
    frame.add_groups(end, sum, |group| negatives(group), add_first_tokens);
}

/// See [`super::decode()`].
#[target_feature(enable = "neon")]
pub(super) fn fill(pixels: &mut [u8], to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    fill::fill_runs(pixels, to, tokens, runs)
}

/// A bit for each of 16 lanes that are all ones or 0, the first one lowest.
#[target_feature(enable = "neon")]
#[inline]
fn bits([low, high]: [uint16x8_t; 2]) -> u16 {
    let weights: [u8; 8] = std::array::from_fn(|lane| 1 << lane);
    // SAFETY: `weights` is 8 readable bytes.
    let weights = unsafe { vld1_u8(weights.as_ptr()) };
    let low = vaddv_u8(vand_u8(vmovn_u16(low), weights));
    let high = vaddv_u8(vand_u8(vmovn_u16(high), weights));
    u16::from_le_bytes([low, high])
}

/// The difference, saturated to the pixel type.
#[target_feature(enable = "neon")]
#[inline]
fn subtract<P: Pixel>(pixels: uint16x8_t, dark: uint16x8_t) -> uint16x8_t {
    if P::SIGNED {
        vreinterpretq_u16_s16(vqsubq_s16(vreinterpretq_s16_u16(pixels), vreinterpretq_s16_u16(dark)))
    } else {
        vqsubq_u16(pixels, dark)
    }
}

/// All ones where a value is at least the threshold.
#[target_feature(enable = "neon")]
#[inline]
fn reaches<P: Pixel>(values: uint16x8_t, threshold: uint16x8_t) -> uint16x8_t {
    if P::SIGNED {
        vcgeq_s16(vreinterpretq_s16_u16(values), vreinterpretq_s16_u16(threshold))
    } else {
        vcgeq_u16(values, threshold)
    }
}

#[target_feature(enable = "neon")]
#[inline]
fn load<P: Pixel>(group: &[P; GROUP_PIXELS], part: usize) -> uint16x8_t {
    let part = &group[part * LANES..][..LANES];
    // SAFETY: `part` is 8 pixels of 16 bits.
    unsafe { vld1q_u16(part.as_ptr().cast()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn store<P: Pixel>(group: &mut [P; GROUP_PIXELS], part: usize, values: uint16x8_t) {
    let part = &mut group[part * LANES..][..LANES];
    // SAFETY: `part` is 8 pixels of 16 bits, of which every pattern is a value.
    unsafe { vst1q_u16(part.as_mut_ptr().cast(), values) }
}

/// All ones where one of 16 tokens is negative.
#[target_feature(enable = "neon")]
#[inline]
fn negative(bytes: &[u8; 4 * LANES]) -> [uint16x8_t; 2] {
    let (low, high) = bytes.split_at(2 * LANES);
    // SAFETY: `low` is 16 readable bytes.
    let low = unsafe { vld1q_u8(low.as_ptr()) };
    // SAFETY: `high` is 16 readable bytes.
    let high = unsafe { vld1q_u8(high.as_ptr()) };
    [vcltzq_s16(vreinterpretq_s16_u8(low)), vcltzq_s16(vreinterpretq_s16_u8(high))]
}
