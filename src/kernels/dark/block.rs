//! The driver of the vector levels: a pass in blocks that stay in the first-level cache.
//!
//! Per block of up to [`BLOCK`] pixels:
//!
//! 1. *scan* (one file an instruction set): subtract, compare, count, and collect the positions where brightness
//!    changes. The positions come in pairs, begin and end of a bright run.
//! 2. *emit*: for each pair a run token and a copy of fixed length.
//! 3. *add*: for each pair the stored pixels to the sum; for a block with many runs, all of it.
//!
//! The pixels behind the last whole group of a strip are padded to one with pixels that are equal to their dark image,
//! hence dark and not counted. What is rare and would cost the scan an instruction is not counted there but noticed:
//! differences that do not fit 16 bits make [`Tally::is_exact`] false, and the block's counts are then `scalar`'s.

use super::pixel::Pixel;
use super::tokens::Tokens;
use super::{FrameCounts, scalar};
use crate::Result;
use crate::cpu::{Isa, Level};

/// Pixels a scan takes at once: the bits of a word.
pub(super) const GROUP: usize = 64;

/// Groups of a block.
pub(super) const GROUPS: usize = 64;

/// Pixels of a block.
pub(super) const BLOCK: usize = GROUP * GROUPS;

/// Words of slack behind the positions, so that a scan may store whole vectors.
const SLACK: usize = 64;

/// From so many bright runs on, adding all pixels of a block is faster than adding run by run.
const DENSE_RUNS: usize = BLOCK / 24;

/// The next pixels for a scan: whole groups, at most [`GROUPS`].
#[derive(Clone, Copy)]
pub(super) struct Groups<'a, P> {
    pub(super) pixels: &'a [[P; GROUP]],
    /// As many.
    pub(super) dark: Option<&'a [[P; GROUP]]>,
    /// The least value that is bright; for `u16` without a threshold 1, which keeps all.
    pub(super) threshold: u16,
}

/// Where brightness changes in a block.
pub(super) struct Positions {
    /// Begin and end of each bright run, in turn.
    pub(super) at: [u16; BLOCK + SLACK],
    pub(super) n: usize,
}

impl Positions {
    pub(super) fn new() -> Self {
        Self { at: [0; BLOCK + SLACK], n: 0 }
    }

    /// `n` positions are there, the last block of `n_groups` ends bright or dark: a bright run ends with the block.
    #[inline(always)]
    pub(super) fn end(&mut self, n: usize, is_bright: bool, n_groups: usize) {
        self.at[n] = (n_groups * GROUP) as u16;
        self.n = n + usize::from(is_bright);
    }

    /// Writes `base` plus the index of each set bit from the `n`th position on; returns the position behind them.
    ///
    /// There are few bits as a rule: four are taken without a branch.
    #[inline(always)]
    pub(super) fn push_bits(&mut self, n: usize, mut bits: u64, base: usize) -> usize {
        let end = n + bits.count_ones() as usize;
        let mut at = n;
        loop {
            let room: &mut [u16; 4] = self.at[at..].first_chunk_mut().expect("there is slack behind the positions");
            for slot in room {
                *slot = base as u16 + bits.trailing_zeros() as u16;
                bits &= bits.wrapping_sub(1);
            }
            at += 4;
            if at >= end {
                return end;
            }
        }
    }

    fn runs(&self) -> &[[u16; 2]] {
        self.at[..self.n].as_chunks().0
    }
}

/// What a scan counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) n_bright: u32,
    /// Pixels that differ from their dark image.
    pub(super) n_different: u32,
    /// The sum of the differences of pixels that are not bright.
    pub(super) zeroed_sum: i64,
    /// Whether all differences that were added fit 16 bits.
    pub(super) is_exact: bool,
    /// Whether every stored pixel fits a stream.
    pub(super) fits_stream: bool,
}

impl Tally {
    fn counts(self) -> FrameCounts {
        FrameCounts {
            n_bright: self.n_bright.into(),
            n_zeroed: (self.n_different - self.n_bright).into(),
            zeroed_sum: self.zeroed_sum,
            n_saturated: 0,
        }
    }
}

/// Scans `groups`, fills `positions`, and writes the stored pixels to `stored` where it is given (as many groups).
fn scan<P: Pixel>(
    level: Level,
    groups: Groups<'_, P>,
    positions: &mut Positions,
    stored: Option<&mut [[P; GROUP]]>,
) -> Tally {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::scan(groups, positions, stored) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::scan(groups, positions, stored) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::scan(groups, positions, stored) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::scan(groups, positions, stored) },
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
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::add(runs, stored, sum) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::add(runs, stored, sum) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::add(runs, stored, sum) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::add(runs, stored, sum) },
        _ => unreachable!("the scalar level has no blocks"),
    }
}

/// [`add`] for the instruction sets that have no masked loads: for inlining into a function of theirs.
#[inline(always)]
pub(super) fn add_runs<P: Pixel>(runs: &[[u16; 2]], stored: &[P], sum: &mut [u32]) {
    const STRIDE: usize = 16;
    for [start, end] in runs {
        let (start, end) = (usize::from(*start), usize::from(*end));
        let values = stored.get(start..).and_then(|rest| rest.first_chunk::<STRIDE>());
        let sums = sum.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<STRIDE>());
        let (Some(values), Some(sums), true) = (values, sums, end - start <= STRIDE) else {
            scalar::add(&stored[start..end], &mut sum[start..end]);
            continue;
        };
        for (lane, (value, sum)) in values.iter().zip(sums).enumerate() {
            let keep = if (lane as i32) < (end - start) as i32 { u32::MAX } else { 0 };
            *sum = sum.wrapping_add(value.widen().cast_unsigned() & keep);
        }
    }
}

/// Whether a level has a driver here; the scalar one does without.
pub(super) fn has(level: Level) -> bool {
    level.isa() != Isa::Scalar
}

/// A scanned block.
struct Scanned<P> {
    positions: Positions,
    stored: [[P; GROUP]; GROUPS],
}

/// What a pass over blocks keeps: the last block and the one before, which waits to be added to the sum. The sum is
/// too large for the inner caches; by the time a block is added, what it changes has arrived.
pub(super) struct Block<P> {
    scanned: [Scanned<P>; 2],
    /// Which of the two was scanned last.
    last: usize,
    /// Where in the frame the block begins that waits, and its pixels.
    waiting: Option<(usize, usize)>,
}

impl<P> std::fmt::Debug for Block<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Block").finish_non_exhaustive()
    }
}

/// Where a block is to be found.
pub(super) struct Step<'a, P> {
    pub(super) level: Level,
    /// Where in the frame it begins.
    pub(super) at: usize,
    /// The block and what stands behind it in the strip.
    pub(super) pixels: &'a [P],
    /// At most [`BLOCK`]: whole groups, or less than one.
    pub(super) n_pixels: usize,
    /// As long as the block, where there is one.
    pub(super) dark: Option<&'a [P]>,
    pub(super) threshold: u16,
}

impl<P: Pixel> Block<P> {
    pub(super) fn new() -> Self {
        let scanned = || Scanned { positions: Positions::new(), stored: [[P::default(); GROUP]; GROUPS] };
        Self { scanned: [scanned(), scanned()], last: 0, waiting: None }
    }

    /// Encodes a block. `sum` is that of the frame; the block is added by the next call, or [`settle`](Self::settle).
    #[inline]
    pub(super) fn encode(
        &mut self,
        step: &Step<'_, P>,
        tokens: &mut Tokens<'_>,
        sum: Option<&mut [u32]>,
        overwrite: bool,
    ) -> Result<FrameCounts> {
        let n_pixels = step.n_pixels;
        let stores = step.dark.is_some() || sum.is_some() || overwrite || n_pixels < GROUP;
        let scanned = &mut self.scanned[1 - self.last];
        let tally = scanned.scan(step, stores);
        if !tally.fits_stream {
            first_too_bright(step)?;
        }
        let values = if stores { scanned.stored.as_flattened() } else { step.pixels };
        tokens.push(values, scanned.positions.runs(), n_pixels)?;
        self.last = 1 - self.last;
        if let Some(sum) = sum {
            self.wait(step, sum);
        }
        Ok(step.counts(tally))
    }

    /// Writes the stored pixels of a block to `out`, which is as long; `sum` as for [`encode`](Self::encode).
    pub(super) fn correct(&mut self, step: &Step<'_, P>, out: &mut [P], sum: Option<&mut [u32]>) -> FrameCounts {
        self.last = 1 - self.last;
        let scanned = &mut self.scanned[self.last];
        let tally = match (step.groups(), &sum) {
            (Some(groups), None) => scan(step.level, groups, &mut scanned.positions, Some(out.as_chunks_mut().0)),
            _ => {
                let tally = scanned.scan(step, true);
                out.copy_from_slice(&scanned.stored.as_flattened()[..step.n_pixels]);
                tally
            }
        };
        if let Some(sum) = sum {
            self.wait(step, sum);
        }
        step.counts(tally)
    }

    /// The stored pixels of the last block that was scanned with `stores`.
    pub(super) fn stored(&self) -> &[P] {
        self.scanned[self.last].stored.as_flattened()
    }

    /// Asks for what the last block will change in the sum, and adds the one before.
    fn wait(&mut self, step: &Step<'_, P>, sum: &mut [u32]) {
        prefetch(self.scanned[self.last].positions.runs(), &sum[step.at..]);
        if let Some((at, n_pixels)) = self.waiting.replace((step.at, step.n_pixels)) {
            self.scanned[1 - self.last].add(step.level, &mut sum[at..][..n_pixels]);
        }
    }

    /// Adds the block that waits.
    pub(super) fn settle(&mut self, level: Level, sum: Option<&mut [u32]>) {
        if let (Some((at, n_pixels)), Some(sum)) = (self.waiting.take(), sum) {
            // A block that failed was scanned, but is not the last.
            self.scanned[self.last].add(level, &mut sum[at..][..n_pixels]);
        }
    }
}

impl<P: Pixel> Scanned<P> {
    fn scan(&mut self, step: &Step<'_, P>, stores: bool) -> Tally {
        let Self { positions, stored } = self;
        if let Some(groups) = step.groups() {
            let stored = stores.then_some(&mut stored[..groups.pixels.len()]);
            return scan(step.level, groups, positions, stored);
        }
        let (pixels, dark) = ([padded(&step.pixels[..step.n_pixels])], step.dark.map(|dark| [padded(dark)]));
        let groups = Groups { pixels: &pixels, dark: dark.as_ref().map(|dark| &dark[..]), threshold: step.threshold };
        scan(step.level, groups, positions, Some(&mut stored[..1]))
    }

    fn add(&self, level: Level, sum: &mut [u32]) {
        add(level, self.positions.runs(), &self.stored.as_flattened()[..sum.len()], sum);
    }
}

impl<'a, P: Pixel> Step<'a, P> {
    /// The block as groups; `None` where it is less than one.
    fn groups(&self) -> Option<Groups<'a, P>> {
        let (pixels, tail) = self.pixels[..self.n_pixels].as_chunks();
        let dark = self.dark.map(|dark| dark.as_chunks().0);
        tail.is_empty().then_some(Groups { pixels, dark, threshold: self.threshold })
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
fn prefetch(runs: &[[u16; 2]], sum: &[u32]) {
    #[cfg(target_arch = "x86_64")]
    for [start, end] in runs {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = sum.as_ptr().wrapping_add(usize::from(*start));
        let last = sum.as_ptr().wrapping_add(usize::from(*end) - 1);
        // SAFETY: a prefetch reads nothing, and may be given any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.cast()) };
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(last.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (runs, sum);
}

/// Writes the differences of signed pixels where there is no threshold: loops that the compiler turns into vectors.
/// All slices are as long.
pub(super) fn subtract<P: Pixel>(pixels: &[P], dark: Option<&[P]>, out: &mut [P]) -> FrameCounts {
    let mut n_saturated = 0;
    if let Some(dark) = dark {
        for ((pixel, dark), out) in pixels.iter().zip(dark).zip(&mut *out) {
            let difference = pixel.widen() - dark.widen();
            *out = P::nearest(difference);
            n_saturated += u32::from(out.widen() != difference);
        }
    } else {
        out.copy_from_slice(pixels);
    }
    let n_bright: u32 = out.iter().map(|pixel| u32::from(*pixel != P::default())).sum();
    FrameCounts { n_bright: n_bright.into(), n_saturated: n_saturated.into(), ..FrameCounts::default() }
}

/// Less than a group, filled up with zeros.
fn padded<P: Pixel>(pixels: &[P]) -> [P; GROUP] {
    let mut group = [P::default(); GROUP];
    group[..pixels.len()].copy_from_slice(pixels);
    group
}

/// The error for the first pixel of a block that a stream cannot hold; its index counts from the block's begin.
#[cold]
fn first_too_bright<P: Pixel>(step: &Step<'_, P>) -> Result<()> {
    for (at, pixel) in step.pixels[..step.n_pixels].iter().enumerate() {
        let dark = step.dark.map_or(P::default(), |dark| dark[at]);
        scalar::fits_stream(scalar::stored(*pixel, dark, Some(step.threshold)), at)?;
    }
    Ok(())
}
