//! The writer of a stream: dark runs and bright pixels in, tokens out.
//!
//! This is the one place that knows the canonical form: a dark run is written when the bright pixel after it comes (or
//! the frame ends), as tokens of 32768 pixels and one of the rest; a rest of one pixel is the value 0.
//!
//! Runs are short and of all lengths, so that a branch on the length is mostly predicted wrong. Hence both token and
//! pixels are always written, the pixels as a copy of fixed length of which the next run overwrites what was too much.

use super::pixel::Pixel;
use super::types::MAX_RUN_PIXELS;
use crate::{Error, Result};

/// Pixels copied at once.
const STRIDE: usize = 16;

/// A stream that is being written to the front of `dst`.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    pub(super) dst: &'a mut [u8],
    pub(super) at: usize,
    /// Dark pixels since the last bright one.
    pub(super) n_dark: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(dst: &'a mut [u8]) -> Self {
        Self { dst, at: 0, n_dark: 0 }
    }

    /// The first `n_pixels` of `values` come next, of which `runs` (begin, end) are bright, with values from 1 to 32767.
    /// The others are dark, whatever their value; and `values` may be longer, to be read beyond a run in one go.
    #[inline(always)]
    pub(super) fn push<P: Pixel>(&mut self, values: &[P], runs: &[[u16; 2]], n_pixels: usize) -> Result<()> {
        // In registers for the loop: nothing in it takes their address.
        let (mut at, mut n_dark) = (self.at, self.n_dark);
        let mut done = 0;
        for [start, end] in runs {
            let (start, end) = (usize::from(*start), usize::from(*end));
            n_dark += start - done;
            done = end;
            let room = self.dst.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<{ 2 * STRIDE + 2 }>());
            let source = values.get(start..).and_then(|rest| rest.first_chunk::<STRIDE>());
            let is_short = n_dark <= MAX_RUN_PIXELS && end - start <= STRIDE;
            at = match (room, source, is_short) {
                (Some(room), Some(source), true) => at + push_run(room, source, n_dark, end - start),
                _ => push_run_exactly(self.dst, at, n_dark, &values[start..end])?,
            };
            n_dark = 0;
        }
        self.at = at;
        self.n_dark = n_dark + n_pixels - done;
        Ok(())
    }

    /// Ends the stream and returns its bytes.
    pub(super) fn finish(&mut self) -> Result<usize> {
        self.at = flush(self.dst, self.at, std::mem::take(&mut self.n_dark))?;
        Ok(self.at)
    }
}

/// Writes at most 32768 dark and at most [`STRIDE`] bright pixels; returns the bytes that count.
#[inline(always)]
fn push_run<P: Pixel>(room: &mut [u8; 2 * STRIDE + 2], source: &[P; STRIDE], n_dark: usize, n_bright: usize) -> usize {
    room[..2].copy_from_slice(&run_token(n_dark));
    let skip = if n_dark == 0 { 0 } else { 2 };
    // By way of an array: the compiler makes one copy of it, and not one a pixel.
    let mut bytes = [0; 2 * STRIDE];
    for (to, value) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(source) {
        *to = value.to_le_bytes();
    }
    room[skip..][..2 * STRIDE].copy_from_slice(&bytes);
    skip + 2 * n_bright
}

/// Writes any number of dark pixels and the bright ones of `run`, and nothing else; returns the position after them.
#[cold]
#[inline(never)]
fn push_run_exactly<P: Pixel>(dst: &mut [u8], at: usize, n_dark: usize, run: &[P]) -> Result<usize> {
    let at = flush(dst, at, n_dark)?;
    let (needed, available) = (at + 2 * run.len(), dst.len());
    let room = dst.get_mut(at..needed).ok_or(Error::OutputTooSmall { needed, available })?;
    for (to, value) in room.as_chunks_mut::<2>().0.iter_mut().zip(run) {
        *to = value.to_le_bytes();
    }
    Ok(needed)
}

/// Writes a dark run of any length; returns the position after it.
#[inline(never)]
pub(super) fn flush(dst: &mut [u8], mut at: usize, mut n_dark: usize) -> Result<usize> {
    while n_dark > 0 {
        let run = n_dark.min(MAX_RUN_PIXELS);
        let (needed, available) = (at + 2, dst.len());
        let room = dst.get_mut(at..needed).ok_or(Error::OutputTooSmall { needed, available })?;
        room.copy_from_slice(&run_token(run));
        at = needed;
        n_dark -= run;
    }
    Ok(at)
}

/// The token of a run of 1 to 32768 dark pixels.
#[inline(always)]
fn run_token(n_dark: usize) -> [u8; 2] {
    let token = if n_dark == 1 { 0 } else { (n_dark as u16).wrapping_neg() };
    token.to_le_bytes()
}

/// Pixels that a token stands for.
#[inline(always)]
pub(super) fn run_pixels(token: [u8; 2]) -> usize {
    match i16::from_le_bytes(token) {
        dark @ ..0 => dark.unsigned_abs().into(),
        0.. => 1,
    }
}
