//! A pass that writes the stored pixels of a frame that comes in strips.

use super::block::{self, Blocks, Step};
use super::found::{Ahead, BLOCK, GROUP};
use super::pixel::Pixel;
use super::{Correction, FrameCounts, scalar};
use crate::cpu::Level;
use crate::kernels::prefetch::Way;

/// Correction and sum of one frame. The lengths of `dark` and `sum` have been checked.
#[derive(Debug)]
pub(super) struct Pass<'a, P> {
    level: Level,
    correction: Correction<'a, P>,
    sum: Option<&'a mut [u32]>,
    pub(super) counts: FrameCounts,
    /// Pixels done: the position in the frame.
    n_done: usize,
}

impl<'a, P: Pixel> Pass<'a, P> {
    pub(super) fn new(level: Level, correction: Correction<'a, P>, sum: Option<&'a mut [u32]>) -> Self {
        Self { level, correction, sum, counts: FrameCounts::default(), n_done: 0 }
    }

    /// Writes the stored pixels of the next strip to `out`, which is as long.
    pub(super) fn correct(&mut self, strip: &[P], out: &mut [P]) {
        // Without a threshold every `u16` that is not 0 is kept, as with the threshold 1.
        let threshold = self.correction.threshold.or((!P::SIGNED).then_some(1));
        if !block::has(self.level) {
            return self.correct_scalar(strip, out);
        }
        let Some(threshold) = threshold else {
            return self.subtract(strip, out);
        };
        let mut blocks = Blocks::new();
        let ahead = Ahead::of_pixels(Way::current(), self.level.isa(), self.sum.is_some());
        let mut rest = out;
        for (pixels, n_pixels) in steps(strip, strip.len()) {
            let (to, behind) = rest.split_at_mut(n_pixels);
            rest = behind;
            let (at, dark) = (self.n_done, self.dark(n_pixels));
            let step = Step { level: self.level, at, pixels, n_pixels, dark, threshold, ahead };
            self.counts += blocks.correct(&step, to, self.sum.as_deref_mut());
            self.n_done += n_pixels;
        }
        blocks.settle(self.level, self.sum.as_deref_mut());
    }

    fn subtract(&mut self, strip: &[P], out: &mut [P]) {
        for (pixels, out) in strip.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
            self.counts += block::subtract(pixels, self.dark(pixels.len()), out);
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

/// Cuts the first `n_pixels` of a strip into blocks: whole groups, and at the end what is less than one. Each comes with
/// all that stands behind it in the strip, and its length.
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
        1..GROUP => Some(n_pixels),
        _ => Some(BLOCK.min(n_pixels / GROUP * GROUP)),
    }
}
