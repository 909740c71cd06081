//! The driver of the vector levels: a pass in blocks that stay in the first-level cache.
//!
//! Per block of up to [`BLOCK`] pixels:
//!
//! 1. *scan* (one file an instruction set): subtract, compare, count, and collect the positions where brightness
//!    changes. The positions come in pairs, begin and end of a bright run. AVX-512 collects a bit a pixel instead, and
//!    does what follows by vectors, not by runs (`avx512_bright`; `avx512_dense` where nearly all pixels are bright).
//! 2. *emit*: for each pair a run token and a copy of fixed length.
//!
//! Where stored pixels are written as they are, a block is added to the sum (*add*: for each pair its pixels; for a block with
//! many runs, all of it). Of a stream that is done afterwards: see [`sum`](super::sum).
//!
//! The pixels behind the last whole group of a strip are padded to one with pixels that are equal to their dark image,
//! hence dark and not counted. What is rare and would cost the scan an instruction is not counted there but noticed:
//! differences that do not fit 16 bits make [`Tally::is_exact`] false, and the block's counts are then `scalar`'s.

#[cfg(target_arch = "x86_64")]
use super::avx512_bright::{Kept, Lines, keep};
#[cfg(target_arch = "x86_64")]
use super::avx512_dense::is_dense;
use super::exceptions::Exceptions;
use super::found::{Ahead, BLOCK, Found, GROUP, GROUPS, Groups, Tally};
use super::pixel::Pixel;
use super::tokens::Tokens;
use super::{FrameCounts, scalar};
use crate::Result;
use crate::cpu::{Isa, Level};
use crate::kernels::prefetch::{self, NEAR};

/// From so many bright runs on, adding all pixels of a block is faster than adding run by run.
const DENSE_RUNS: usize = BLOCK / 24;

/// Scans `groups`, fills `found`, and writes the stored pixels to `stored` where it is given (as many groups).
fn scan<P: Pixel>(level: Level, groups: Groups<'_, P>, found: &mut Found, stored: Option<&mut [[P; GROUP]]>) -> Tally {
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

/// Pixels of a run that are added at once.
pub(super) const STRIDE: usize = 16;

/// [`add`] for the instruction sets that have no masked loads: for inlining into a function of theirs. `add_first` adds as many of
/// [`STRIDE`] pixels as it is told.
#[inline(always)]
pub(super) fn add_runs<P: Pixel>(
    runs: &[[u16; 2]],
    stored: &[P],
    sum: &mut [u32],
    add_first: impl Fn(usize, &[P; STRIDE], &mut [u32; STRIDE]),
) {
    for [start, end] in runs {
        let (start, end) = (usize::from(*start), usize::from(*end));
        let values = stored.get(start..).and_then(|rest| rest.first_chunk::<STRIDE>());
        let sums = sum.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<STRIDE>());
        let (Some(values), Some(sums), true) = (values, sums, end - start <= STRIDE) else {
            scalar::add(&stored[start..end], &mut sum[start..end]);
            continue;
        };
        add_first(end - start, values, sums);
    }
}

/// Adds the first `n_pixels`: a loop that the compiler turns into vectors.
#[inline(always)]
pub(super) fn add_first<P: Pixel>(n_pixels: usize, stored: &[P; STRIDE], sum: &mut [u32; STRIDE]) {
    for (lane, (value, sum)) in stored.iter().zip(sum).enumerate() {
        let keep = if (lane as i32) < n_pixels as i32 { u32::MAX } else { 0 };
        *sum = sum.wrapping_add(value.widen().cast_unsigned() & keep);
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
struct Stored<P>([[P; GROUP]; GROUPS]);

/// What a pass that writes stored pixels as they are keeps: the last block and, where there is a sum, the one before, which waits
/// to be added. The sum is too large for the inner caches; by the time a block is added, what it changes has arrived.
pub(super) struct Blocks<P> {
    blocks: [Block<P>; 2],
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
#[derive(Clone, Copy)]
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
    pub(super) ahead: Ahead,
}

impl<P: Pixel> Blocks<P> {
    pub(super) fn new() -> Self {
        Self { blocks: [Block::new(), Block::new()], last: 0, waiting: None }
    }

    /// Writes the stored pixels of a block to `out`, which is as long. `sum` is that of the frame; the block is added by the next call,
    /// or [`settle`](Self::settle).
    pub(super) fn correct(&mut self, step: &Step<'_, P>, out: &mut [P], sum: Option<&mut [u32]>) -> FrameCounts {
        self.last = 1 - self.last;
        let block = &mut self.blocks[self.last];
        let tally = match (step.groups(), &sum) {
            (Some(groups), None) => scan(step.level, groups, &mut block.found, Some(out.as_chunks_mut().0)),
            _ => {
                let tally = block.scan(step, true);
                out.copy_from_slice(&block.stored()[..step.n_pixels]);
                tally
            }
        };
        if let Some(sum) = sum {
            self.wait(step, sum);
        }
        step.counts(tally)
    }

    /// Asks for what the last block will change in the sum, and adds the one before.
    fn wait(&mut self, step: &Step<'_, P>, sum: &mut [u32]) {
        self.blocks[self.last].prefetch(step.level, &sum[step.at..]);
        if let Some((at, n_pixels)) = self.waiting.replace((step.at, step.n_pixels)) {
            self.blocks[1 - self.last].add(step.level, &mut sum[at..][..n_pixels]);
        }
    }

    /// Adds the block that waits.
    pub(super) fn settle(&mut self, level: Level, sum: Option<&mut [u32]>) {
        if let (Some((at, n_pixels)), Some(sum)) = (self.waiting.take(), sum) {
            self.blocks[self.last].add(level, &mut sum[at..][..n_pixels]);
        }
    }
}

impl<P: Pixel> Block<P> {
    pub(crate) fn new() -> Self {
        Self {
            found: Found::new(),
            #[cfg(target_arch = "x86_64")]
            kept: Kept::new(),
            #[cfg(target_arch = "x86_64")]
            lines: Lines::new(),
            stored: Stored([[P::default(); GROUP]; GROUPS]),
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
            let step = Step { ahead: Ahead::Nothing, ..*step };
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
        let groups = Groups { pixels: &pixels, dark, threshold: step.threshold, ahead: Ahead::Nothing };
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
                pixels: &stored.0[..step.n_pixels.div_ceil(GROUP)],
                dark: None,
                threshold: 0,
                ahead: Ahead::Nothing,
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

    /// Asks for what [`add`](Self::add) will change in `sum`, which begins as that will.
    fn prefetch(&mut self, level: Level, sum: &[u32]) {
        #[cfg(target_arch = "x86_64")]
        if has_bits(level) {
            // SAFETY: the level proves that the processor has AVX-512.
            return unsafe { self.lines.find(&self.found.bright, sum) };
        }
        let _ = level;
        ask_for_runs(self.found.positions.runs(), sum);
    }

    fn add(&self, level: Level, sum: &mut [u32]) {
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
        overwrites || self.n_pixels < GROUP || !has_bits(self.level) && self.dark.is_some()
    }

    /// The block as groups; `None` where it is less than one.
    pub(super) fn groups(&self) -> Option<Groups<'a, P>> {
        let (pixels, tail) = self.pixels[..self.n_pixels].as_chunks();
        let dark = self.dark.map(|dark| dark.as_chunks().0);
        tail.is_empty().then_some(Groups { pixels, dark, threshold: self.threshold, ahead: self.ahead })
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
