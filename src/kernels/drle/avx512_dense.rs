//! AVX-512: the tokens of a block that is nearly all bright, as of a detector that is lit throughout.
//!
//! There, [keeping](super::avx512_bright) pixel by pixel copies everything twice. A group without a dark pixel is its own
//! tokens, and is copied; the others are few, and taken run by run.

#![allow(unsafe_code)]

use super::avx512::{LANES, load, store, subtract};
use super::pixel::Pixel;
use super::scan::{Bright, GROUP_PIXELS, Groups};
use super::tokens::Tokens;
use crate::Result;
use std::arch::x86_64::*;

/// Whether a block of so many pixels is dense.
pub(super) fn is_dense(n_bright: u32, n_pixels: usize) -> bool {
    n_bright as usize >= n_pixels - n_pixels / 8
}

impl Tokens<'_> {
    /// The next `n_pixels` come, which are `groups` or, less than one, the begin of one.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
    pub(super) fn push_dense<P: Pixel>(
        &mut self,
        groups: Groups<'_, P>,
        bright: &Bright,
        n_pixels: usize,
    ) -> Result<()> {
        let mut group = [P::default(); GROUP_PIXELS];
        for (at, (pixels, word)) in groups.pixels.iter().zip(bright.groups()).enumerate() {
            let values = [0, 1].map(|half| {
                let pixels = load(pixels, half);
                groups.dark.map_or(pixels, |dark| subtract::<P>(pixels, load(&dark[at], half)))
            });
            if *word == u64::MAX && self.n_dark == 0 && self.copy(values) {
                continue;
            }
            for (half, value) in values.into_iter().enumerate() {
                store(&mut group, half, _mm512_maskz_mov_epi16((word >> (half * LANES)) as u32, value));
            }
            self.push_group(&group, *word, GROUP_PIXELS.min(n_pixels - at * GROUP_PIXELS))?;
        }
        Ok(())
    }

    /// Writes a group without a dark pixel, where there is room.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn copy(&mut self, values: [__m512i; 2]) -> bool {
        let Some(room) = self.dst.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<{ 2 * GROUP_PIXELS }>())
        else {
            return false;
        };
        for (room, value) in room.as_chunks_mut::<{ 2 * LANES }>().0.iter_mut().zip(values) {
            // SAFETY: `room` is 64 writable bytes, and the store needs no alignment.
            unsafe { _mm512_storeu_epi16(room.as_mut_ptr().cast(), value) };
        }
        self.at += 2 * GROUP_PIXELS;
        true
    }

    /// The first `n_pixels` of a group whose bright pixels are the bits of `word`.
    #[inline(never)]
    fn push_group<P: Pixel>(&mut self, values: &[P; GROUP_PIXELS], word: u64, n_pixels: usize) -> Result<()> {
        let mut runs = [[0; 2]; GROUP_PIXELS / 2];
        let (mut n_runs, mut rest) = (0, word);
        while rest != 0 {
            let start = rest.trailing_zeros();
            // From the run's begin on all bits are set, so that its end is the first that is not.
            let end = (rest | ((1 << start) - 1)).trailing_ones();
            rest = rest.checked_shr(end).and_then(|rest| rest.checked_shl(end)).unwrap_or(0);
            runs[n_runs] = [start as u16, end as u16];
            n_runs += 1;
        }
        self.push(values, &runs[..n_runs], n_pixels)
    }
}
