//! AVX-512 with VBMI2.
//!
//! A group of 64 pixels is two vectors of 32; the comparison with the threshold gives a bit a pixel. A bit that differs
//! from the one before is a change of brightness, and the indices of these bits are compressed to the front of a vector
//! which is stored whole, so that no branch depends on the pixels:
//!
//! ```text
//! pixels     0  1  9  8  0  0  7  0  …        threshold 5
//! bright     .  .  1  1  .  .  1  .
//! change     .  .  1  .  1  .  1  1           bright ^ (bright << 1)
//! positions  2  4  6  7                       compressed, 4 more
//! ```

use super::block::{GROUP, Groups, Positions, Tally};
use super::pixel::Pixel;
use std::arch::x86_64::*;

/// How far ahead of the scan pixels are asked of memory.
const PREFETCH_BYTES: usize = 4096;

/// Pixels of a vector.
const LANES: usize = 32;

/// See [`block::scan`](super::block).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(super) fn scan<P: Pixel>(
    groups: Groups<'_, P>,
    positions: &mut Positions,
    stored: Option<&mut [[P; GROUP]]>,
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
    removed: __m512i,
    /// Not 0 where a difference does not fit 16 bits.
    inexact: __m512i,
    /// The stored pixels' bits.
    any: __m512i,
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn scan_as<P: Pixel, const DARK: bool, const STORE: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP]],
    stored: &mut [[P; GROUP]],
    positions: &mut Positions,
) -> Tally {
    assert!((!DARK || dark.len() >= groups.pixels.len()) && (!STORE || stored.len() >= groups.pixels.len()));
    let zero = _mm512_setzero_si512();
    let threshold = _mm512_set1_epi16(groups.threshold.cast_signed());
    let mut carried = Carried { removed: zero, inexact: zero, any: zero };
    let mut index = iota();
    let (mut n, mut n_bright, mut n_different) = (0, 0, 0);
    let mut before = 0;
    for (at, pixels) in groups.pixels.iter().enumerate() {
        prefetch(pixels);
        if DARK {
            prefetch(&dark[at]);
        }
        let mut bright = 0;
        for half in 0..2 {
            let pixels = load(pixels, half);
            let dark = if DARK { load(&dark[at], half) } else { zero };
            let value = if DARK { subtract::<P>(pixels, dark) } else { pixels };
            let is_dark = less::<P>(value, threshold);
            carried.add::<P, DARK>(pixels, dark, value, is_dark);
            n_different += _mm512_cmpneq_epi16_mask(pixels, dark).count_ones();
            if STORE {
                store(&mut stored[at], half, _mm512_maskz_mov_epi16(!is_dark, value));
            }
            bright |= u64::from(!is_dark) << (half * LANES);
        }
        n_bright += bright.count_ones();
        let changes = bright ^ (bright << 1 | before >> (GROUP - 1));
        before = bright;
        for half in 0..2 {
            let changes = (changes >> (half * LANES)) as u32;
            push(positions, n, _mm512_maskz_compress_epi16(changes, index));
            n += changes.count_ones() as usize;
            index = _mm512_add_epi16(index, _mm512_set1_epi16(LANES as i16));
        }
    }
    positions.end(n, before >> (GROUP - 1) != 0, groups.pixels.len());
    carried.tally::<P>(n_bright, n_different)
}

impl Carried {
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn add<P: Pixel, const DARK: bool>(&mut self, pixels: __m512i, dark: __m512i, value: __m512i, is_dark: u32) {
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
        self.removed = _mm512_add_epi32(self.removed, _mm512_madd_epi16(removed, _mm512_set1_epi16(1)));
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

/// See [`block::add`](super::block).
///
/// Vectors of the sum are aligned to lines of the cache, so that none is touched but those that change.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi2")]
pub(super) fn add<P: Pixel>(runs: &[[u16; 2]], stored: &[P], sum: &mut [u32]) {
    const LANES: usize = 16;
    // Pixels of the line in which the sum begins that stand before it.
    let before = sum.as_ptr().addr() / size_of::<u32>() % LANES;
    for [start, end] in runs {
        let (mut at, end) = (usize::from(*start), usize::from(*end));
        let (stored, sum) = (&stored[..end], &mut sum[..end]);
        while at < end {
            let skip = (at + before) % LANES;
            let n = (end - at).min(LANES - skip);
            let lanes = (_bzhi_u32(0xffff, n as u32) << skip) as __mmask16;
            let stored = stored.as_ptr().wrapping_add(at).wrapping_sub(skip);
            // SAFETY: the lanes of the mask are the pixels `at..at + n`, which are in `stored` and have 16 bits.
            let values = unsafe { _mm256_maskz_loadu_epi16(lanes, stored.cast()) };
            let sum = sum.as_mut_ptr().wrapping_add(at).wrapping_sub(skip).cast();
            // SAFETY: the lanes of the mask are the pixels `at..at + n`, which are in `sum`.
            let old = unsafe { _mm512_maskz_loadu_epi32(lanes, sum) };
            let new = _mm512_add_epi32(old, _mm512_cvtepu16_epi32(values));
            // SAFETY: as for the load.
            unsafe { _mm512_mask_storeu_epi32(sum, lanes, new) };
            at += n;
        }
    }
}

/// The difference, held to the pixel type.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn subtract<P: Pixel>(pixels: __m512i, dark: __m512i) -> __m512i {
    if P::SIGNED { _mm512_subs_epi16(pixels, dark) } else { _mm512_subs_epu16(pixels, dark) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn less<P: Pixel>(values: __m512i, threshold: __m512i) -> __mmask32 {
    if P::SIGNED { _mm512_cmplt_epi16_mask(values, threshold) } else { _mm512_cmplt_epu16_mask(values, threshold) }
}

/// 0, 1, 2, …
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn iota() -> __m512i {
    let indices: [i16; LANES] = std::array::from_fn(|lane| lane as i16);
    // SAFETY: `indices` is 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(indices.as_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load<P: Pixel>(group: &[P; GROUP], half: usize) -> __m512i {
    let half = &group[half * LANES..][..LANES];
    // SAFETY: `half` is 32 pixels of 16 bits, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(half.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn store<P: Pixel>(group: &mut [P; GROUP], half: usize, values: __m512i) {
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

/// Asks for the group that stands [`PREFETCH_BYTES`] behind this one.
#[inline(always)]
fn prefetch<P>(group: &[P; GROUP]) {
    for line in 0..2 {
        let ahead = group.as_ptr().cast::<i8>().wrapping_add(PREFETCH_BYTES + line * 64);
        // SAFETY: a prefetch reads nothing, and may be given any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(ahead) }
    }
}
