//! The driver of the vector levels: a pass in blocks that stay in the first-level cache.
//!
//! Per block of up to [`BLOCK_PIXELS`] pixels:
//!
//! 1. *scan* (one file an instruction set): subtract, compare, count, and collect the positions where brightness
//!    changes. The positions come in pairs, begin and end of a bright run. AVX-512 collects a bit a pixel instead, and
//!    does what follows by vectors, not by runs (`avx512_bright`; `avx512_dense` where nearly all pixels are bright).
//! 2. *emit*: for each pair a run token and a copy of fixed length.
//!
//! Where stored pixels are written as they are, a block is added to the sum (*add*: for each pair its pixels; for a block with
//! many runs, all of it). Of a stream that is done afterwards: see [`sum`](super::sum).
//!
//! The pixels after the last whole group of a strip are padded to one with pixels that are equal to their dark image,
//! hence dark and not counted. What is rare and would cost the scan an instruction is not counted there but noticed:
//! differences that do not fit 16 bits make [`Tally::is_exact`] false, and the block's counts are then `scalar`'s.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use super::avx512_bright::{Kept, Lines, keep};
#[cfg(target_arch = "x86_64")]
use super::avx512_dense::is_dense;
use super::exceptions::Exceptions;
use super::pixel::Pixel;
use super::scalar;
use super::scan::{BLOCK_GROUPS, BLOCK_PIXELS, Found, GROUP_PIXELS, Groups, Tally};
use super::tokens::Tokens;
use super::types::FrameCounts;
use crate::Result;
use crate::cpu::tuning::ScanPrefetch;
use crate::cpu::{Isa, Level};
use crate::kernels::prefetch::{self, NEAR};

/// From so many bright runs on, adding all pixels of a block is faster than adding run by run.
const DENSE_RUNS: usize = BLOCK_PIXELS / 24;

/// Scans `groups`, fills `found`, and writes the stored pixels to `stored` where it is given (as many groups).
fn scan<P: Pixel>(
    level: Level,
    groups: Groups<'_, P>,
    found: &mut Found,
    stored: Option<&mut [[P; GROUP_PIXELS]]>,
) -> Tally {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::scan(groups, &mut found.bright, stored) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::scan(groups, &mut found.positions, stored) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::scan(groups, &mut found.positions, stored) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::scan(groups, &mut found.positions, stored) },
        _ => unreachable!("the scalar level has no blocks"),
    }
}

/// Adds stored pixels, of which `runs` are bright and the others 0, to `sum`, which is as long.
fn add<P: Pixel>(level: Level, runs: &[[u16; 2]], stored: &[P], sum: &mut [u32]) {
    if runs.len() > DENSE_RUNS {
        return scalar::add(stored, sum);
    }
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::add(runs, stored, sum) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::add(runs, stored, sum) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::add(runs, stored, sum) },
        _ => unreachable!("the scalar level has no blocks, and AVX-512 no runs"),
    }
}

/// Whether a level has a driver here; the scalar one does without.
pub(super) fn has(level: Level) -> bool {
    level.isa() != Isa::Scalar
}

/// Whether a level finds bits, not positions.
#[inline(always)]
fn has_bits(level: Level) -> bool {
    level.isa() == Isa::Avx512
}

/// What was scanned last. A stream's pass needs one.
pub(crate) struct Block<P> {
    found: Found,
    #[cfg(target_arch = "x86_64")]
    kept: Kept,
    #[cfg(target_arch = "x86_64")]
    lines: Lines,
    stored: Stored<P>,
    /// The last block that had [exceptions](super::Exceptions), without them.
    pub(super) cleaned: Vec<P>,
}

/// The stored pixels of a block, aligned to lines of the caches: they are written in whole vectors.
#[repr(align(64))]
struct Stored<P>([[P; GROUP_PIXELS]; BLOCK_GROUPS]);

impl<P> std::fmt::Debug for Block<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").finish_non_exhaustive()
    }
}

/// Where a block is to be found.
#[derive(Clone, Copy)]
pub(super) struct Step<'a, P> {
    pub(super) level: Level,
    /// Where in the frame it begins.
    pub(super) at: usize,
    /// The block and what stands after it in the strip.
    pub(super) pixels: &'a [P],
    /// At most [`BLOCK_PIXELS`]: whole groups, or less than one.
    pub(super) n_pixels: usize,
    /// As long as the block, where there is one.
    pub(super) dark: Option<&'a [P]>,
    pub(super) threshold: u16,
    pub(super) prefetch: ScanPrefetch,
}

impl<P: Pixel> Block<P> {
    pub(crate) fn new() -> Self {
        Self {
            found: Found::new(),
            #[cfg(target_arch = "x86_64")]
            kept: Kept::new(),
            #[cfg(target_arch = "x86_64")]
            lines: Lines::new(),
            stored: Stored([[P::default(); GROUP_PIXELS]; BLOCK_GROUPS]),
            cleaned: Vec::new(),
        }
    }

    /// Encodes a block. If it `overwrites`, the stored pixels are to be had afterwards. Without `exceptions` what would be one
    /// is refused.
    #[inline(always)]
    pub(super) fn encode(
        &mut self,
        exceptions: Option<&mut Exceptions>,
        step: &Step<'_, P>,
        tokens: &mut Tokens<'_>,
        overwrites: bool,
    ) -> Result<FrameCounts> {
        let mut exceptions = exceptions;
        if let Some(exceptions) = &mut exceptions
            && exceptions.are_expected(P::SIGNED)
        {
            return self.encode_with_exceptions(exceptions, step, tokens, overwrites);
        }
        let stores = step.stores(overwrites);
        let tally = self.scan(step, stores);
        if tally.may_be_wide {
            let Some(exceptions) = exceptions else { return self.encode_if_it_fits(step, tokens, overwrites) };
            // What follows was prefetched.
            let step = Step { prefetch: ScanPrefetch::Nothing, ..*step };
            return self.encode_with_exceptions(exceptions, &step, tokens, overwrites);
        }
        self.emit(step, stores, tally, tokens)
    }

    /// Encodes a block in which all fits a stream.
    #[inline(never)]
    pub(super) fn encode_as_it_is(
        &mut self,
        step: &Step<'_, P>,
        tokens: &mut Tokens<'_>,
        overwrites: bool,
    ) -> Result<FrameCounts> {
        let stores = step.stores(overwrites);
        let tally = self.scan(step, stores);
        self.emit(step, stores, tally, tokens)
    }

    /// Writes the tokens of a block that was scanned, with `stores` or without.
    #[inline(always)]
    fn emit(&mut self, step: &Step<'_, P>, stores: bool, tally: Tally, tokens: &mut Tokens<'_>) -> Result<FrameCounts> {
        if has_bits(step.level) {
            #[cfg(target_arch = "x86_64")]
            self.push_bright(step, stores, tally.n_bright, tokens)?;
        } else {
            let values = if stores { self.stored() } else { step.pixels };
            tokens.push(values, self.found.positions.runs(), step.n_pixels)?;
        }
        Ok(step.counts(tally))
    }

    /// Writes the stored pixels of a block to `out`, which is as long; keeps them to be added where it `keeps`.
    pub(super) fn write(&mut self, step: &Step<'_, P>, out: &mut [P], keeps: bool) -> FrameCounts {
        let tally = match step.groups() {
            Some(groups) if !keeps => scan(step.level, groups, &mut self.found, Some(out.as_chunks_mut().0)),
            _ => {
                let tally = self.scan(step, true);
                out.copy_from_slice(&self.stored()[..step.n_pixels]);
                tally
            }
        };
        step.counts(tally)
    }

    /// The stored pixels of a block that was scanned with `stores`.
    pub(super) fn stored(&self) -> &[P] {
        self.stored.0.as_flattened()
    }

    pub(super) fn stored_mut(&mut self) -> &mut [P] {
        self.stored.0.as_flattened_mut()
    }

    #[inline(always)]
    fn scan(&mut self, step: &Step<'_, P>, stores: bool) -> Tally {
        let Self { found, stored, .. } = self;
        if let Some(groups) = step.groups() {
            let stored = stores.then_some(&mut stored.0[..groups.pixels.len()]);
            return scan(step.level, groups, found, stored);
        }
        let (pixels, dark) = ([padded(&step.pixels[..step.n_pixels])], step.dark.map(|dark| [padded(dark)]));
        let dark = dark.as_ref().map(|dark| &dark[..]);
        let groups = Groups { pixels: &pixels, dark, threshold: step.threshold, prefetch: ScanPrefetch::Nothing };
        scan(step.level, groups, found, Some(&mut stored.0[..1]))
    }

    /// Writes the tokens of a block that was scanned, with `stores` or without.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn push_bright(&mut self, step: &Step<'_, P>, stores: bool, n_bright: u32, tokens: &mut Tokens<'_>) -> Result<()> {
        let Self { found, stored, kept, .. } = self;
        let groups = match step.groups() {
            Some(groups) if !stores => groups,
            _ => Groups {
                pixels: &stored.0[..step.n_pixels.div_ceil(GROUP_PIXELS)],
                dark: None,
                threshold: 0,
                prefetch: ScanPrefetch::Nothing,
            },
        };
        if is_dense(n_bright, step.n_pixels) {
            // SAFETY: there are bits, which AVX-512 alone has found.
            return unsafe { tokens.push_dense(groups, &found.bright, step.n_pixels) };
        }
        // SAFETY: as above.
        let n_kept = unsafe { keep(groups, &found.bright, kept) };
        // SAFETY: as above.
        unsafe { tokens.push_kept(kept, n_kept, step.n_pixels) }
    }

    /// Prefetches what [`add`](Self::add) will change in `sum`, which begins as that will.
    pub(super) fn prefetch(&mut self, level: Level, sum: &[u32]) {
        #[cfg(target_arch = "x86_64")]
        if has_bits(level) {
            // SAFETY: the level proves that the processor has AVX-512.
            return unsafe { self.lines.find(&self.found.bright, sum) };
        }
        let _ = level;
        ask_for_runs(self.found.positions.runs(), sum);
    }

    /// Adds the stored pixels of the block that was written last to `sum`.
    pub(super) fn add(&self, level: Level, sum: &mut [u32]) {
        let stored = &self.stored()[..sum.len()];
        #[cfg(target_arch = "x86_64")]
        if has_bits(level) {
            // SAFETY: the level proves that the processor has AVX-512.
            return unsafe { self.lines.add(stored, sum) };
        }
        add(level, self.found.positions.runs(), stored, sum);
    }
}

impl<'a, P: Pixel> Step<'a, P> {
    /// Whether a scan writes the stored pixels.
    #[inline(always)]
    fn stores(&self, overwrites: bool) -> bool {
        overwrites || self.n_pixels < GROUP_PIXELS || !has_bits(self.level) && self.dark.is_some()
    }

    /// The block as groups; `None` where it is less than one.
    pub(super) fn groups(&self) -> Option<Groups<'a, P>> {
        let (pixels, tail) = self.pixels[..self.n_pixels].as_chunks();
        let dark = self.dark.map(|dark| dark.as_chunks().0);
        tail.is_empty().then_some(Groups { pixels, dark, threshold: self.threshold, prefetch: self.prefetch })
    }

    fn counts(&self, tally: Tally) -> FrameCounts {
        if tally.is_exact {
            return tally.counts();
        }
        scalar::count_strip(&self.pixels[..self.n_pixels], self.dark, Some(self.threshold))
    }
}

/// Asks for what [`add`] will change.
#[inline(always)]
fn ask_for_runs(runs: &[[u16; 2]], sum: &[u32]) {
    for [start, end] in runs {
        prefetch::line::<_, NEAR>(sum.as_ptr().wrapping_add(usize::from(*start)));
        prefetch::line::<_, NEAR>(sum.as_ptr().wrapping_add(usize::from(*end) - 1));
    }
}

/// Less than a group, filled up with zeros.
fn padded<P: Pixel>(pixels: &[P]) -> [P; GROUP_PIXELS] {
    let mut group = [P::default(); GROUP_PIXELS];
    group[..pixels.len()].copy_from_slice(pixels);
    group
}

/// Cuts the first `n_pixels` of a strip into blocks: whole groups, and at the end what is less than one. Each comes with
/// all that stands after it in the strip, and its length.
pub(super) fn steps<P>(strip: &[P], n_pixels: usize) -> impl Iterator<Item = (&[P], usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let n_pixels = block_pixels(n_pixels - at)?;
        let pixels = &strip[at..];
        at += n_pixels;
        Some((pixels, n_pixels))
    })
}

/// Pixels of the next block, where a strip has `n_pixels` left.
pub(super) fn block_pixels(n_pixels: usize) -> Option<usize> {
    match n_pixels {
        0 => None,
        1..GROUP_PIXELS => Some(n_pixels),
        _ => Some(BLOCK_PIXELS.min(n_pixels / GROUP_PIXELS * GROUP_PIXELS)),
    }
}
