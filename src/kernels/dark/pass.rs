//! A pass over a frame that comes in strips: what is carried from strip to strip.

use super::block::{self, Block, Step};
use super::found::{BLOCK, GROUP};
use super::pixel::Pixel;
use super::tokens::Tokens;
use super::{Correction, Encoded, FrameCounts, check_threshold, scalar};
use crate::cpu::Level;
use crate::{Error, Result};

/// Correction and sum of one frame. The lengths of `dark` and `sum` have been checked.
#[derive(Debug)]
pub(super) struct Pass<'a, P> {
    pub(super) level: Level,
    pub(super) correction: Correction<'a, P>,
    pub(super) sum: Option<&'a mut [u32]>,
    pub(super) counts: FrameCounts,
    /// Pixels done: the position in the frame.
    pub(super) n_done: usize,
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
        let mut block = Block::new();
        let mut rest = out;
        for (pixels, n_pixels) in steps(strip) {
            let (to, behind) = rest.split_at_mut(n_pixels);
            rest = behind;
            let (at, dark) = (self.n_done, self.dark(n_pixels));
            let step = Step { level: self.level, at, pixels, n_pixels, dark, threshold };
            self.counts += block.correct(&step, to, self.sum.as_deref_mut());
            self.n_done += n_pixels;
        }
        block.settle(self.level, self.sum.as_deref_mut());
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
    pub(super) fn dark(&self, n_pixels: usize) -> Option<&'a [P]> {
        self.correction.dark.map(|dark| &dark[self.n_done..][..n_pixels])
    }

    /// The next `n_pixels` of the sum.
    pub(super) fn sum(&mut self, n_pixels: usize) -> Option<&mut [u32]> {
        self.sum.as_deref_mut().map(|sum| &mut sum[self.n_done..][..n_pixels])
    }
}

/// Cuts a strip into blocks: whole groups, and at the end what is less than one. Each comes with all that stands behind
/// it in the strip, and its length.
fn steps<P>(strip: &[P]) -> impl Iterator<Item = (&[P], usize)> {
    let mut rest = strip;
    std::iter::from_fn(move || {
        let n_pixels = block_pixels(rest.len())?;
        let pixels = rest;
        rest = &rest[n_pixels..];
        Some((pixels, n_pixels))
    })
}

/// Pixels of the next block, where a strip has `n_pixels` left.
fn block_pixels(n_pixels: usize) -> Option<usize> {
    match n_pixels {
        0 => None,
        1..GROUP => Some(n_pixels),
        _ => Some(BLOCK.min(n_pixels / GROUP * GROUP)),
    }
}

/// A frame on its way into a stream, strip by strip.
#[derive(Debug)]
pub(crate) struct Encoder<'a, P> {
    pass: Pass<'a, P>,
    tokens: Tokens<'a>,
    block: Block<P>,
    threshold: u16,
}

impl<'a, P: Pixel> Encoder<'a, P> {
    /// A stream at the front of `dst`.
    pub(crate) fn new(
        level: Level,
        correction: Correction<'a, P>,
        sum: Option<&'a mut [u32]>,
        dst: &'a mut [u8],
    ) -> Result<Self> {
        let Some(threshold) = correction.threshold else {
            return Err(Error::Unsupported("a DRLE stream needs a threshold: give one from 1 to 32767".into()));
        };
        check_threshold(threshold)?;
        let pass = Pass::new(level, correction, sum);
        Ok(Self { pass, tokens: Tokens::new(dst), block: Block::new(), threshold })
    }

    /// Brings the sum up to date, and returns the pixels that are in it.
    pub(crate) fn settle(&mut self) -> usize {
        self.block.settle(self.pass.level, self.pass.sum.as_deref_mut());
        self.pass.n_done
    }

    /// Encodes the next strip.
    pub(crate) fn push(&mut self, strip: &[P]) -> Result<()> {
        if !block::has(self.pass.level) {
            return self.push_scalar(strip);
        }
        steps(strip).try_for_each(|(pixels, n_pixels)| self.push_block(pixels, n_pixels, false))
    }

    /// Encodes the next strip and overwrites it with the stored pixels.
    pub(crate) fn push_in_place(&mut self, strip: &mut [P]) -> Result<()> {
        if !block::has(self.pass.level) {
            return self.push_in_place_scalar(strip);
        }
        let mut at = 0;
        while let Some(n_pixels) = block_pixels(strip.len() - at) {
            self.push_block(&strip[at..], n_pixels, true)?;
            strip[at..][..n_pixels].copy_from_slice(&self.block.stored()[..n_pixels]);
            at += n_pixels;
        }
        Ok(())
    }

    fn push_block(&mut self, pixels: &[P], n_pixels: usize, overwrite: bool) -> Result<()> {
        let Self { pass, tokens, block, threshold } = self;
        let (level, at, dark) = (pass.level, pass.n_done, pass.dark(n_pixels));
        let step = Step { level, at, pixels, n_pixels, dark, threshold: *threshold };
        let counts = block.encode(&step, tokens, pass.sum.as_deref_mut(), overwrite);
        pass.counts += counts.map_err(|error| error.behind(at))?;
        pass.n_done += n_pixels;
        Ok(())
    }

    fn push_in_place_scalar(&mut self, strip: &mut [P]) -> Result<()> {
        for pixel in strip {
            let dark = self.pass.dark(1).map_or(P::default(), |dark| dark[0]);
            self.push_scalar(std::slice::from_ref(pixel))?;
            *pixel = scalar::stored(*pixel, dark, Some(self.threshold));
        }
        Ok(())
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> Result<Encoded> {
        self.settle();
        Ok(Encoded { n_bytes: self.tokens.finish()?, counts: self.pass.counts })
    }

    fn push_scalar(&mut self, strip: &[P]) -> Result<()> {
        for pixel in strip {
            let at = self.pass.n_done;
            let dark = self.pass.correction.dark.map_or(P::default(), |dark| dark[at]);
            let stored = scalar::stored(*pixel, dark, Some(self.threshold));
            scalar::fits_stream(stored, at)?;
            let runs: &[[u16; 2]] = if stored == P::default() { &[] } else { &[[0, 1]] };
            self.tokens.push(&[stored], runs, 1)?;
            self.pass.counts += scalar::count(*pixel, dark, Some(self.threshold));
            if let Some(sum) = self.pass.sum(1) {
                scalar::add(&[stored], sum);
            }
            self.pass.n_done += 1;
        }
        Ok(())
    }
}
