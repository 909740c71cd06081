//! The writer of a stream: dark runs and bright pixels in, tokens out.
//!
//! This is the one place that knows the canonical form: a dark run is written when the bright pixel behind it comes (or
//! the frame ends), as tokens of 32768 pixels and one of the rest; a rest of one pixel is the value 0.

use super::MAX_RUN_PIXELS;
use super::pixel::Pixel;
use crate::{Error, Result};

/// Pixels copied at once: runs are mostly shorter, and a copy of fixed length needs no branch.
const STRIDE: usize = 16;

/// A stream that is being written to the front of `dst`.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    dst: &'a mut [u8],
    at: usize,
    /// Dark pixels since the last bright one.
    n_dark: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(dst: &'a mut [u8]) -> Self {
        Self { dst, at: 0, n_dark: 0 }
    }

    /// Dark pixels come next.
    #[inline(always)]
    pub(super) fn dark(&mut self, n_pixels: usize) {
        self.n_dark += n_pixels;
    }

    /// The bright pixels `values[start..end]` come next; all are from 1 to 32767.
    #[inline(always)]
    pub(super) fn bright<P: Pixel>(&mut self, values: &[P], start: usize, end: usize) -> Result<()> {
        while self.n_dark > MAX_RUN_PIXELS {
            self.token(MAX_RUN_PIXELS)?;
        }
        let n_dark = self.n_dark;
        let n_bytes = 2 * (end - start);
        let room = self.dst.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut::<{ 2 * STRIDE + 2 }>());
        let source = values.get(start..).and_then(|rest| rest.first_chunk::<STRIDE>());
        let (Some(room), Some(source), true) = (room, source, end - start <= STRIDE) else {
            return self.bright_exactly(&values[start..end]);
        };
        room[..2].copy_from_slice(&run_token(n_dark));
        let skip = if n_dark == 0 { 0 } else { 2 };
        let room: &mut [u8; 2 * STRIDE] = room[skip..].first_chunk_mut().expect("34 bytes less 2");
        for (to, value) in room.as_chunks_mut::<2>().0.iter_mut().zip(source) {
            *to = value.to_le_bytes();
        }
        self.n_dark = 0;
        self.at += skip + n_bytes;
        Ok(())
    }

    /// [`bright`](Self::bright) that reads and writes nothing beyond the run.
    #[cold]
    #[inline(never)]
    fn bright_exactly<P: Pixel>(&mut self, run: &[P]) -> Result<()> {
        self.flush()?;
        let (dst, n_bytes) = (&mut *self.dst, 2 * run.len());
        let available = dst.len();
        let Some(room) = dst.get_mut(self.at..).and_then(|rest| rest.get_mut(..n_bytes)) else {
            return Err(Error::OutputTooSmall { needed: self.at + n_bytes, available });
        };
        for (to, value) in room.as_chunks_mut::<2>().0.iter_mut().zip(run) {
            *to = value.to_le_bytes();
        }
        self.at += n_bytes;
        Ok(())
    }

    /// Ends the stream and returns its bytes.
    pub(super) fn finish(mut self) -> Result<usize> {
        self.flush()?;
        Ok(self.at)
    }

    fn flush(&mut self) -> Result<()> {
        while self.n_dark > 0 {
            self.token(self.n_dark.min(MAX_RUN_PIXELS))?;
        }
        Ok(())
    }

    #[cold]
    fn token(&mut self, n_dark: usize) -> Result<()> {
        let available = self.dst.len();
        let Some(room) = self.dst.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) else {
            return Err(Error::OutputTooSmall { needed: self.at + 2, available });
        };
        *room = run_token(n_dark);
        self.at += 2;
        self.n_dark -= n_dark;
        Ok(())
    }
}

/// The token of a run of 1 to 32768 dark pixels.
#[inline(always)]
fn run_token(n_dark: usize) -> [u8; 2] {
    let token = if n_dark == 1 { 0 } else { (n_dark as u16).wrapping_neg() };
    token.to_le_bytes()
}
