//! Blocks of frames that may have [exceptions](Exceptions).
//!
//! A scan notices unsigned pixels above 32767. Only then, or where that happened in the block before, or where a sentinel
//! is a value that a scan does not notice, a block is searched: exceptions are noted, and a copy of the block is encoded in which
//! they are equal to their dark image. So a frame without exceptions costs nothing more, and one with a mask, which is in
//! nearly every block, one search and one scan of each.

#![allow(unsafe_code)]

use super::block::{Block, Step};
use super::exceptions::{Exceptions, Kind, Sentinels};
use super::pixel::Pixel;
use super::scalar;
use super::scan::{self, GROUP_PIXELS, Groups, has_candidate};
use super::tokens::Tokens;
use super::types::FrameCounts;
use crate::Result;
#[cfg(target_arch = "x86_64")]
use crate::cpu::Isa;
use crate::cpu::Level;
use crate::cpu::tuning::ScanPrefetch;

/// Pixels of a group that are looked at one by one, if one of them may be an exception.
const CELL: usize = 16;

/// See [`scan::candidates`].
fn candidates<P: Pixel>(level: Level, groups: Groups<'_, P>, unnoticed: &Sentinels) -> u32 {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::candidates(groups, unnoticed) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::candidates(groups, unnoticed) },
        _ => scan::candidates(groups, unnoticed),
    }
}

impl<P: Pixel> Block<P> {
    /// Encodes a block in which a pixel may be too bright: refuses the first one that is.
    #[cold]
    #[inline(never)]
    pub(super) fn encode_if_it_fits(
        &mut self,
        step: &Step<'_, P>,
        tokens: &mut Tokens<'_>,
        overwrites: bool,
    ) -> Result<FrameCounts> {
        for (at, pixel) in step.pixels[..step.n_pixels].iter().enumerate() {
            let dark = step.dark.map_or(P::default(), |dark| dark[at]);
            scalar::fits_stream(scalar::stored(*pixel, dark, Some(step.threshold)), at)?;
        }
        self.encode_as_it_is(step, tokens, overwrites)
    }

    /// Searches a block for exceptions and encodes it.
    #[cold]
    #[inline(never)]
    pub(super) fn encode_with_exceptions(
        &mut self,
        exceptions: &mut Exceptions,
        step: &Step<'_, P>,
        tokens: &mut Tokens<'_>,
        overwrites: bool,
    ) -> Result<FrameCounts> {
        let mut cleaned = std::mem::take(&mut self.cleaned);
        let noted = Search { exceptions, step, cleaned: &mut cleaned }.note();
        exceptions.are_likely = noted.is_some();
        let pixels = if noted.is_some() { &cleaned[..] } else { step.pixels };
        let quiet = Step { pixels, prefetch: ScanPrefetch::Nothing, ..*step };
        let mut counts = self.encode_as_it_is(&quiet, tokens, overwrites)?;
        if let Some(noted) = noted {
            counts += noted;
            if overwrites {
                restore(exceptions, step, self.stored_mut());
            }
        }
        self.cleaned = cleaned;
        Ok(counts)
    }
}

impl<P: Pixel> Step<'_, P> {
    /// What makes the pixel at `at` an exception, if something does, and what is stored for it.
    #[inline]
    fn exception(&self, at: usize, sentinels: &Sentinels) -> Option<(Kind, P)> {
        let dark = self.dark.map_or(P::default(), |dark| dark[at]);
        scalar::exception(self.pixels[at], dark, self.threshold, sentinels)
    }
}

/// A block that is searched.
struct Search<'a, P> {
    exceptions: &'a mut Exceptions,
    step: &'a Step<'a, P>,
    /// The block without its exceptions; empty where there are none.
    cleaned: &'a mut Vec<P>,
}

impl<P: Pixel> Search<'_, P> {
    /// Notes the exceptions, and what they count as; `None` where there are none.
    fn note(mut self) -> Option<FrameCounts> {
        let n_pixels = self.step.n_pixels;
        let unnoticed = self.exceptions.unnoticed(P::SIGNED);
        let mut groups = match self.step.groups() {
            Some(groups) => candidates(self.step.level, groups, &unnoticed),
            None => 1,
        };
        self.cleaned.clear();
        let (mut counts, mut at) = (FrameCounts::default(), 0);
        while groups != 0 {
            let group = groups.trailing_zeros() as usize * GROUP_PIXELS;
            groups &= groups - 1;
            for cell in (group..n_pixels.min(group + GROUP_PIXELS)).step_by(CELL) {
                let end = n_pixels.min(cell + CELL);
                at = at.max(cell);
                if at < end && has_candidate(&self.step.pixels[at..end], &unnoticed) {
                    at = self.note_until(at, end, &mut counts);
                }
            }
        }
        (!self.cleaned.is_empty()).then_some(counts)
    }

    /// Notes the exceptions that begin from `at` to `end`, and returns the end of the last one, or `end`.
    fn note_until(&mut self, mut at: usize, end: usize, counts: &mut FrameCounts) -> usize {
        let (pixels, sentinels) = (&self.step.pixels[..self.step.n_pixels], self.exceptions.sentinels());
        while at < end {
            let Some((kind, stored)) = self.step.exception(at, &sentinels) else {
                at += 1;
                continue;
            };
            let n = if kind == Kind::Wide { 1 } else { n_equal(&pixels[at..], stored) };
            self.exceptions.push_equal(self.step.at + at, n, kind, stored.to_bits());
            *counts += scalar::count_exceptions(kind, n);
            self.clean(at, n);
            at += n;
        }
        at
    }

    /// Makes `n` pixels from `at` on equal to their dark image.
    fn clean(&mut self, at: usize, n: usize) {
        let Step { pixels, dark, n_pixels, .. } = *self.step;
        if self.cleaned.is_empty() {
            self.cleaned.extend_from_slice(&pixels[..n_pixels]);
        }
        let run = &mut self.cleaned[at..][..n];
        match dark {
            Some(dark) => run.copy_from_slice(&dark[at..][..n]),
            None => run.fill(P::default()),
        }
    }
}

/// The pixels that `pixels` begin with and that are equal to `value`.
fn n_equal<P: Pixel>(pixels: &[P], value: P) -> usize {
    let is_equal = |pixel: &P| *pixel == value;
    let groups = pixels.as_chunks::<GROUP_PIXELS>().0;
    // All of a group, as the compiler makes vectors of that.
    let is_all = |group: &&[P; GROUP_PIXELS]| group.iter().fold(true, |all, pixel| all & is_equal(pixel));
    let n = groups.iter().take_while(is_all).count() * GROUP_PIXELS;
    n + pixels[n..].iter().take_while(|pixel| is_equal(pixel)).count()
}

/// Puts the exceptions of a block into its stored pixels.
fn restore<P: Pixel>(exceptions: &Exceptions, step: &Step<'_, P>, stored: &mut [P]) {
    for (at, stored) in stored[..step.n_pixels].iter_mut().enumerate() {
        if let Some((_, value)) = step.exception(at, &exceptions.sentinels()) {
            *stored = value;
        }
    }
}
