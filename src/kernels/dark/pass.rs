//! A pass over a frame that comes in strips: what is carried from strip to strip.

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
        self.correct_scalar(strip, out);
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

/// A frame on its way into a stream, strip by strip.
#[derive(Debug)]
pub(crate) struct Encoder<'a, P> {
    pass: Pass<'a, P>,
    tokens: Tokens<'a>,
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
        Ok(Self { pass: Pass::new(level, correction, sum), tokens: Tokens::new(dst) })
    }

    /// Pixels that are in the stream and the sum.
    pub(crate) fn n_pixels(&self) -> usize {
        self.pass.n_done
    }

    /// Encodes the next strip.
    pub(crate) fn push(&mut self, strip: &[P]) -> Result<()> {
        self.push_scalar(strip)
    }

    /// Encodes the next strip and overwrites it with the stored pixels.
    pub(crate) fn push_in_place(&mut self, strip: &mut [P]) -> Result<()> {
        for pixel in strip {
            let dark = self.pass.dark(1).map_or(P::default(), |dark| dark[0]);
            self.push_scalar(std::slice::from_ref(pixel))?;
            *pixel = scalar::stored(*pixel, dark, self.pass.correction.threshold);
        }
        Ok(())
    }

    /// Ends the stream.
    pub(crate) fn finish(self) -> Result<Encoded> {
        Ok(Encoded { n_bytes: self.tokens.finish()?, counts: self.pass.counts })
    }

    fn push_scalar(&mut self, strip: &[P]) -> Result<()> {
        for pixel in strip {
            let at = self.pass.n_done;
            let dark = self.pass.correction.dark.map_or(P::default(), |dark| dark[at]);
            let stored = scalar::stored(*pixel, dark, self.pass.correction.threshold);
            scalar::fits_stream(stored, at)?;
            if stored == P::default() {
                self.tokens.dark(1);
            } else {
                self.tokens.bright(&[stored], 0, 1)?;
            }
            self.pass.counts += scalar::count(*pixel, dark, self.pass.correction.threshold);
            if let Some(sum) = self.pass.sum(1) {
                scalar::add(&[stored], sum);
            }
            self.pass.n_done += 1;
        }
        Ok(())
    }
}
