//! AVX-512: what is done with the bright pixels of a block that [`avx512`](super::avx512) found.
//!
//! Of a block only those pixels are *kept* that give a token: the bright ones, and the last of each dark run between
//! them. Values and positions of the kept pixels are compressed to the front of two lists, both vector by vector and
//! without a branch on the pixels; the token of a dark run is then the difference of two neighbours in the list of
//! positions:
//!
//! ```text
//! pixels       0  1  9  8  0  0  7  0  …        threshold 5
//! bright       .  .  1  1  .  .  1  .
//! kept         .  1  1  1  .  1  1  .           bright | bright >> 1
//! values       0  9  8  0  7                    compressed, 0 where dark
//! positions    1  2  3  5  6                    compressed; -1 stands before
//! tokens      -2  9  8 -2  7                    the value, or where it is 0 the position before minus this one
//! ```
//!
//! Where stored pixels are written as they are, the sum gets the lines of the cache that change.

#![allow(unsafe_code)]

use super::avx512::{LANES, iota, load, subtract};
use super::pixel::Pixel;
use super::scan::{BLOCK_GROUPS, BLOCK_PIXELS, Bright, GROUP_PIXELS, Groups};
use super::tokens::{Tokens, flush};
use super::types::MAX_RUN_PIXELS;
use crate::kernels::prefetch::{self, NEAR};
use crate::{Error, Result};
use std::arch::x86_64::*;

/// Lanes of a vector of sums, which is a line of the cache.
const LINE_SUMS: usize = 16;

/// Vectors of 32 pixels in a block.
const VECTORS: usize = BLOCK_PIXELS / LANES;

/// The kept pixels of a block, with slack so that whole vectors may be stored and read.
pub(super) struct Kept {
    values: [i16; BLOCK_PIXELS + 2 * LANES],
    /// The position of the pixel at `k` is at `k + 1`.
    positions: [i16; BLOCK_PIXELS + 2 * LANES],
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { values: [0; BLOCK_PIXELS + 2 * LANES], positions: [0; BLOCK_PIXELS + 2 * LANES] }
    }
}

/// Collects the kept pixels of `groups`, and returns their number.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
pub(super) fn keep<P: Pixel>(groups: Groups<'_, P>, bright: &Bright, kept: &mut Kept) -> usize {
    match groups.dark {
        None => keep_as::<P, false>(groups, &[], bright, kept),
        Some(dark) => keep_as::<P, true>(groups, dark, bright, kept),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
#[inline]
fn keep_as<P: Pixel, const DARK: bool>(
    groups: Groups<'_, P>,
    dark: &[[P; GROUP_PIXELS]],
    bright: &Bright,
    kept: &mut Kept,
) -> usize {
    let mut keeps = [0; VECTORS];
    let active = kept_bits(bright, &mut keeps);
    let iota = iota();
    let mut n = 0;
    for (word, mut active) in active.into_iter().enumerate() {
        while active != 0 {
            let vector = word * 64 + active.trailing_zeros() as usize;
            active &= active - 1;
            let (group, half) = (vector / 2, vector % 2);
            let is_bright = (bright.groups()[group] >> (half * LANES)) as u32;
            let pixels = load(&groups.pixels[group], half);
            let value = if DARK { subtract::<P>(pixels, load(&dark[group], half)) } else { pixels };
            let value = _mm512_maskz_mov_epi16(is_bright, value);
            let keep = keeps[vector % VECTORS];
            let position = _mm512_add_epi16(iota, _mm512_set1_epi16((vector * LANES) as i16));
            write(&mut kept.values, n, _mm512_maskz_compress_epi16(keep, value));
            write(&mut kept.positions, n + 1, _mm512_maskz_compress_epi16(keep, position));
            n += keep.count_ones() as usize;
        }
    }
    n
}

/// The bits of the kept pixels, and for each vector whether it has any.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2")]
#[inline]
fn kept_bits(bright: &Bright, keeps: &mut [u32; VECTORS]) -> [u64; VECTORS.div_ceil(64)] {
    let mut active = [0; VECTORS.div_ceil(64)];
    let (words, _) = bright.groups().as_chunks::<8>();
    for (at, keeps) in keeps.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let next: &[u64; 8] = bright.groups()[8 * at + 1..].first_chunk().expect("a word stands after the groups");
        // SAFETY: 64 readable bytes, and the load needs no alignment.
        let word = unsafe { _mm512_loadu_epi64(words[at].as_ptr().cast()) };
        // SAFETY: as above.
        let next = unsafe { _mm512_loadu_epi64(next.as_ptr().cast()) };
        let keep = _mm512_or_si512(word, _mm512_shrdi_epi64::<1>(word, next));
        // SAFETY: `keeps` is 64 writable bytes, and the store needs no alignment.
        unsafe { _mm512_storeu_epi32(keeps.as_mut_ptr().cast(), keep) };
        active[at / 4] |= u64::from(_mm512_test_epi32_mask(keep, keep)) << (at % 4 * 16);
    }
    active
}

impl Tokens<'_> {
    /// The next `n_pixels` come, of which `n_kept` are kept.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,popcnt")]
    pub(super) fn push_kept(&mut self, kept: &mut Kept, n_kept: usize, n_pixels: usize) -> Result<()> {
        if n_kept == 0 {
            self.n_dark += n_pixels;
            return Ok(());
        }
        let first = kept.positions[1] as usize;
        if kept.values[0] != 0 {
            self.at = flush(self.dst, self.at, self.n_dark)?;
        } else {
            let n_dark = self.n_dark + first + 1;
            let n_rest = (n_dark - 1) % MAX_RUN_PIXELS + 1;
            self.at = flush(self.dst, self.at, n_dark - n_rest)?;
            kept.positions[0] = (first as i16).wrapping_sub(n_rest as i16);
        }
        let (needed, available) = (self.at + 2 * n_kept, self.dst.len());
        let room = self.dst.get_mut(self.at..).filter(|room| room.len() >= 2 * n_kept);
        write_tokens(kept, n_kept, room.ok_or(Error::OutputTooSmall { needed, available })?);
        self.at = needed;
        self.n_dark = n_pixels - 1 - kept.positions[n_kept] as usize;
        Ok(())
    }
}

/// Writes the tokens of the kept pixels, and after them, where there is room, anything.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,popcnt")]
#[inline]
fn write_tokens(kept: &Kept, n_kept: usize, room: &mut [u8]) {
    for (at, room) in (0..n_kept).step_by(LANES).zip(room.chunks_mut(2 * LANES)) {
        let (value, position) = (read(&kept.values, at), read(&kept.positions, at + 1));
        let run = _mm512_sub_epi16(read(&kept.positions, at), position);
        let is_run = _mm512_testn_epi16_mask(value, value);
        let is_one = _mm512_mask_cmpeq_epi16_mask(is_run, run, _mm512_set1_epi16(-1));
        let token = _mm512_maskz_mov_epi16(!is_one, _mm512_mask_mov_epi16(value, is_run, run));
        let lanes = _bzhi_u32(u32::MAX, (room.len() / 2) as u32);
        // SAFETY: as many lanes are written as there are whole tokens in `room`; the store needs no alignment.
        unsafe { _mm512_mask_storeu_epi16(room.as_mut_ptr().cast(), lanes, token) };
    }
}

/// The lines of the sum that a block changes.
pub(super) struct Lines {
    /// For each line the bits of the bright pixels in it.
    bright: [u16; 4 * (BLOCK_GROUPS + 8)],
    /// For each line whether it has any.
    active: [u64; BLOCK_GROUPS / 16 + 1],
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { bright: [0; 4 * (BLOCK_GROUPS + 8)], active: [0; BLOCK_GROUPS / 16 + 1] }
    }

    /// Finds the lines that change in `sum`, and asks for them.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
    pub(super) fn find(&mut self, bright: &Bright, sum: &[u32]) {
        let before = lanes_before(sum);
        let shift = _mm512_set1_epi64(before as i64);
        self.active = [0; BLOCK_GROUPS / 16 + 1];
        for (at, lines) in self.bright.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let (before, words) = bright.words(8 * at);
            // SAFETY: 64 readable bytes, and the load needs no alignment.
            let before = unsafe { _mm512_loadu_epi64(before.as_ptr().cast()) };
            // SAFETY: as above.
            let words = unsafe { _mm512_loadu_epi64(words.as_ptr().cast()) };
            let shifted = _mm512_shldv_epi64(words, before, shift);
            // SAFETY: `lines` is 64 writable bytes, and the store needs no alignment.
            unsafe { _mm512_storeu_epi16(lines.as_mut_ptr().cast(), shifted) };
            self.active[at / 2] |= u64::from(_mm512_test_epi16_mask(shifted, shifted)) << (at % 2 * 32);
        }
        let first = sum.as_ptr().wrapping_sub(before);
        for (word, mut active) in self.active.into_iter().enumerate() {
            while active != 0 {
                let line = word * 64 + active.trailing_zeros() as usize;
                active &= active - 1;
                prefetch::line::<_, NEAR>(first.wrapping_add(line * LINE_SUMS));
            }
        }
    }

    /// Adds the bright pixels among `stored` to `sum`, which is as long, and the one given to [`find`](Self::find).
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
    pub(super) fn add<P: Pixel>(&self, stored: &[P], sum: &mut [u32]) {
        let before = lanes_before(sum);
        let n = stored.len().min(sum.len()) + before;
        let (stored, sum) = (stored.as_ptr().wrapping_sub(before), sum.as_mut_ptr().wrapping_sub(before));
        for (word, mut active) in self.active.into_iter().enumerate() {
            while active != 0 {
                let line = word * 64 + active.trailing_zeros() as usize;
                active &= active - 1;
                let at = line * LINE_SUMS;
                let is_whole = at >= before && at + LINE_SUMS <= n;
                // Those that are in both, whatever was found.
                let inside = _bzhi_u32(0xffff, n.saturating_sub(at).min(LINE_SUMS) as u32) as u16
                    & (0xffff_u32 << before.saturating_sub(at).min(LINE_SUMS)) as u16;
                let lanes = self.bright[line % self.bright.len()] & inside;
                // SAFETY: the lanes of the mask are pixels in `stored`, of 16 bits.
                let values = unsafe { _mm256_maskz_loadu_epi16(lanes, stored.wrapping_add(at).cast()) };
                let values = _mm512_cvtepu16_epi32(values);
                let sum = sum.wrapping_add(at).cast();
                if is_whole {
                    // SAFETY: the whole line is in `sum`, and aligned.
                    let old = unsafe { _mm512_load_epi32(sum) };
                    let new = _mm512_add_epi32(old, values);
                    // SAFETY: as above.
                    unsafe { _mm512_store_epi32(sum, new) };
                } else {
                    // SAFETY: the lanes of the mask are in `sum`.
                    let old = unsafe { _mm512_maskz_loadu_epi32(lanes, sum) };
                    let new = _mm512_add_epi32(old, values);
                    // SAFETY: as above.
                    unsafe { _mm512_mask_storeu_epi32(sum, lanes, new) };
                }
            }
        }
    }
}

/// Lanes of the line in which `sum` begins that stand before it.
fn lanes_before(sum: &[u32]) -> usize {
    sum.as_ptr().addr() / size_of::<u32>() % LINE_SUMS
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn write(list: &mut [i16; BLOCK_PIXELS + 2 * LANES], at: usize, vector: __m512i) {
    let room = &mut list[at..][..LANES];
    // SAFETY: `room` is 32 integers of 16 bits, and the store needs no alignment.
    unsafe { _mm512_storeu_epi16(room.as_mut_ptr(), vector) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn read(list: &[i16; BLOCK_PIXELS + 2 * LANES], at: usize) -> __m512i {
    let values = &list[at..][..LANES];
    // SAFETY: `values` is 32 integers of 16 bits, and the load needs no alignment.
    unsafe { _mm512_loadu_epi16(values.as_ptr()) }
}
