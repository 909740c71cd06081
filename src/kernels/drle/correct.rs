//! A pass that writes the stored pixels of a frame that comes in strips.

use super::block::{self, Block, Step, steps};
use super::pixel::Pixel;
use super::scalar;
use super::scan::BLOCK_PIXELS;
use super::types::{Correction, FrameCounts, check, check_len};
use crate::Result;
use crate::cpu::Level;
use crate::cpu::tuning::Tuning;

/// Writes the stored pixels of one frame, given as strips whose concatenation it is, to the whole of `out`.
///
/// `sum` is increased by the stored pixels. Where negative ones are kept (no threshold, `int16`) it is to be read as
/// `i32`. It holds 65 536 frames without overflow. Allocates nothing.
///
/// # Errors
/// [`Error::BufferSize`](crate::Error::BufferSize) where `dark`, `sum` or `out` is not as long as the frame, [`Error::Argument`](crate::Error::Argument) for a
/// threshold out of range. Nothing is written then.
pub fn correct<P: Pixel>(
    level: Level,
    strips: &[&[P]],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    out: &mut [P],
) -> Result<FrameCounts> {
    let n_pixels = strips.iter().map(|strip| strip.len()).sum();
    check(n_pixels, correction, sum.as_deref())?;
    check_len::<P>("the output frame", n_pixels, out.len())?;
    let mut pass = CorrectPass::new(level, *correction, sum);
    let mut rest = out;
    for strip in strips {
        let (to, after) = rest.split_at_mut(strip.len());
        pass.correct(strip, to);
        rest = after;
    }
    Ok(pass.counts)
}

/// Correction and sum of one frame. The lengths of `dark` and `sum` have been checked.
#[derive(Debug)]
struct CorrectPass<'a, P> {
    level: Level,
    correction: Correction<'a, P>,
    sum: Option<&'a mut [u32]>,
    counts: FrameCounts,
    /// Pixels done: the position in the frame.
    n_done: usize,
}

impl<'a, P: Pixel> CorrectPass<'a, P> {
    fn new(level: Level, correction: Correction<'a, P>, sum: Option<&'a mut [u32]>) -> Self {
        Self { level, correction, sum, counts: FrameCounts::default(), n_done: 0 }
    }

    /// Writes the stored pixels of the next strip to `out`, which is as long.
    fn correct(&mut self, strip: &[P], out: &mut [P]) {
        // Without a threshold every `u16` that is not 0 is kept, as with the threshold 1.
        let threshold = self.correction.threshold.or((!P::SIGNED).then_some(1));
        if !block::has(self.level) {
            return self.correct_scalar(strip, out);
        }
        let Some(threshold) = threshold else {
            return self.subtract(strip, out);
        };
        let mut blocks = Blocks::new();
        let tuning = Tuning::current();
        let by_isa = if self.sum.is_some() { &tuning.scan_to_pixels_and_sum } else { &tuning.scan_to_pixels };
        let prefetch = by_isa.get(self.level.isa());
        let mut rest = out;
        for (pixels, n_pixels) in steps(strip, strip.len()) {
            let (to, after) = rest.split_at_mut(n_pixels);
            rest = after;
            let (at, dark) = (self.n_done, self.dark(n_pixels));
            let step = Step { level: self.level, at, pixels, n_pixels, dark, threshold, prefetch };
            self.counts += blocks.correct(&step, to, self.sum.as_deref_mut());
            self.n_done += n_pixels;
        }
        blocks.settle(self.level, self.sum.as_deref_mut());
    }

    fn subtract(&mut self, strip: &[P], out: &mut [P]) {
        for (pixels, out) in strip.chunks(BLOCK_PIXELS).zip(out.chunks_mut(BLOCK_PIXELS)) {
            self.counts += subtract(pixels, self.dark(pixels.len()), out);
            if let Some(sum) = self.sum(out.len()) {
                scalar::add(out, sum);
            }
            self.n_done += pixels.len();
        }
    }

    fn correct_scalar(&mut self, strip: &[P], out: &mut [P]) {
        let dark = self.dark(strip.len());
        scalar::correct(strip, dark, self.correction.threshold, out);
        self.counts += scalar::count_strip(strip, dark, self.correction.threshold);
        if let Some(sum) = self.sum(out.len()) {
            scalar::add(out, sum);
        }
        self.n_done += strip.len();
    }

    /// The next `n_pixels` of the dark image.
    fn dark(&self, n_pixels: usize) -> Option<&'a [P]> {
        self.correction.dark.map(|dark| &dark[self.n_done..][..n_pixels])
    }

    /// The next `n_pixels` of the sum.
    fn sum(&mut self, n_pixels: usize) -> Option<&mut [u32]> {
        self.sum.as_deref_mut().map(|sum| &mut sum[self.n_done..][..n_pixels])
    }
}

/// What a pass that writes stored pixels as they are keeps: the last block and, where there is a sum, the one before, which waits
/// to be added. The sum is too large for the inner caches; by the time a block is added, what it changes has arrived.
struct Blocks<P> {
    blocks: [Block<P>; 2],
    /// Which of the two was scanned last.
    last: usize,
    /// Where in the frame the block begins that waits, and its pixels.
    waiting: Option<(usize, usize)>,
}

impl<P: Pixel> Blocks<P> {
    fn new() -> Self {
        Self { blocks: [Block::new(), Block::new()], last: 0, waiting: None }
    }

    /// Writes the stored pixels of a block to `out`, which is as long. `sum` is that of the frame; the block is added by the next call,
    /// or [`settle`](Self::settle).
    fn correct(&mut self, step: &Step<'_, P>, out: &mut [P], sum: Option<&mut [u32]>) -> FrameCounts {
        self.last = 1 - self.last;
        let block = &mut self.blocks[self.last];
        let counts = block.write(step, out, sum.is_some());
        if let Some(sum) = sum {
            self.wait(step, sum);
        }
        counts
    }

    /// Asks for what the last block will change in the sum, and adds the one before.
    fn wait(&mut self, step: &Step<'_, P>, sum: &mut [u32]) {
        self.blocks[self.last].prefetch(step.level, &sum[step.at..]);
        if let Some((at, n_pixels)) = self.waiting.replace((step.at, step.n_pixels)) {
            self.blocks[1 - self.last].add(step.level, &mut sum[at..][..n_pixels]);
        }
    }

    /// Adds the block that waits.
    fn settle(&mut self, level: Level, sum: Option<&mut [u32]>) {
        if let (Some((at, n_pixels)), Some(sum)) = (self.waiting.take(), sum) {
            self.blocks[self.last].add(level, &mut sum[at..][..n_pixels]);
        }
    }
}

/// Writes the differences of signed pixels where there is no threshold: loops that the compiler turns into vectors.
/// All slices are as long.
fn subtract<P: Pixel>(pixels: &[P], dark: Option<&[P]>, out: &mut [P]) -> FrameCounts {
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
