//! Frames that several threads encode: each has some rows of all frames, and with them of the dark image and the sum.
//!
//! The stream of a part is never longer than the part's pixels. So it is written to where these would stand; then the
//! parts of a frame are moved together. A dark run that ends one part and one that begins the next become one, which
//! makes the stream that of a single thread.

use super::decode::run_pixels;
use super::encode::{self, BatchFrame};
use super::exceptions::Exceptions;
use super::found::BLOCK;
use super::pixel::Pixel;
use super::sum;
use super::tokens::flush;
use super::{Correction, Encoded, FrameCounts, max_encoded_len};
use crate::cpu::Level;
use crate::threads::Pace;
use crate::{Result, Threads};

/// Some rows of all frames.
struct Part<'a, P> {
    frames: Vec<BatchFrame<'a, P>>,
    correction: Correction<'a, P>,
    sum: Option<&'a mut [u32]>,
    encoded: Vec<Encoded>,
}

/// See [`encode_frames`](super::encode_frames). All frames are as long as dark image and sum, where there are these.
pub(super) fn encode_frames<P: Pixel>(
    level: Level,
    threads: Threads,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    mut sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    let n_pixels = frames.first().map_or(0, BatchFrame::n_pixels);
    let threads = threads.worth(Pace::Memory, frames.len() * size_of::<P>() * n_pixels);
    let part_pixels = BLOCK * threads.units_per_part(n_pixels, BLOCK);
    let have_room = frames.iter_mut().all(|frame| frame.room().len() >= max_encoded_len(n_pixels));
    if part_pixels < n_pixels
        && have_room
        && in_parts(level, threads, part_pixels, frames, correction, sum.as_deref_mut(), encoded)
    {
        return Ok(());
    }
    // Where one part fails too: the error is that of one thread, whatever their number.
    encode::encode_frames(level, frames, correction, sum, encoded)
}

/// Returns whether no part failed. If one did, the sum is as it was.
fn in_parts<P: Pixel>(
    level: Level,
    threads: Threads,
    part_pixels: usize,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> bool {
    let n_parts = frames.first().map_or(0, BatchFrame::n_pixels).div_ceil(part_pixels);
    let mut exceptions: Vec<Vec<Exceptions>> = frames
        .iter_mut()
        .map(|frame| vec![frame.exceptions().cloned(); n_parts].into_iter().flatten().collect())
        .collect();
    let parts = Part::all(part_pixels, frames, &mut exceptions, correction, sum);
    let mut parts = threads.run(parts, || |part: Part<'_, P>| part.encode(level));
    if parts.iter().any(Result::is_err) {
        parts.iter_mut().flatten().for_each(Part::take_back);
        return false;
    }
    let lists: Vec<Vec<Encoded>> = parts.into_iter().flatten().map(|part| part.encoded).collect();
    for (index, ((frame, encoded), parts)) in frames.iter_mut().zip(encoded).zip(&exceptions).enumerate() {
        *encoded = join(frame.room(), 2 * part_pixels, lists.iter().map(|list| list[index]));
        if let Some(exceptions) = frame.exceptions() {
            exceptions.clear();
            parts.iter().enumerate().for_each(|(part, list)| exceptions.append(part * part_pixels, list));
        }
    }
    true
}

impl<'a, P: Pixel> Part<'a, P> {
    fn all(
        part_pixels: usize,
        frames: &'a mut [BatchFrame<'_, P>],
        exceptions: &'a mut [Vec<Exceptions>],
        correction: &Correction<'a, P>,
        sum: Option<&'a mut [u32]>,
    ) -> Vec<Self> {
        let n_frames = frames.len();
        let mut sums = sum.map(|sum| sum.chunks_mut(part_pixels));
        let mut darks = correction.dark.map(|dark| dark.chunks(part_pixels));
        let mut parts: Vec<Self> = Vec::new();
        for (frame, exceptions) in frames.iter_mut().zip(exceptions) {
            for (index, frame) in frame.parts(part_pixels, exceptions).enumerate() {
                if index == parts.len() {
                    let correction = Correction { dark: darks.as_mut().and_then(Iterator::next), ..*correction };
                    let sum = sums.as_mut().and_then(Iterator::next);
                    let encoded = vec![Encoded::default(); n_frames];
                    parts.push(Self { frames: Vec::with_capacity(n_frames), correction, sum, encoded });
                }
                parts[index].frames.push(frame);
            }
        }
        parts
    }

    fn encode(mut self, level: Level) -> Result<Self> {
        let sum = self.sum.as_deref_mut();
        encode::encode_frames(level, &mut self.frames, &self.correction, sum, &mut self.encoded)?;
        Ok(self)
    }

    fn take_back(&mut self) {
        if let Some(sum) = self.sum.as_deref_mut() {
            for (stream, exceptions) in self.frames.iter().map(BatchFrame::summand) {
                sum::take_back(stream, sum);
                exceptions.into_iter().for_each(|exceptions| exceptions.take_from(sum));
            }
        }
    }
}

/// Moves the streams of a frame's parts, each at the front of its `part_bytes` of `dst`, together into one.
fn join(dst: &mut [u8], part_bytes: usize, parts: impl Iterator<Item = Encoded>) -> Encoded {
    let mut counts = FrameCounts::default();
    // The stream so far, without the dark pixels that end it.
    let (mut end, mut n_dark) = (0, 0);
    for (index, part) in parts.enumerate() {
        counts += part.counts;
        let start = index * part_bytes;
        let tokens = dst[start..][..part.n_bytes].as_chunks::<2>().0;
        let (n_first, first_pixels) = dark_run(tokens.iter());
        n_dark += first_pixels;
        if n_first == tokens.len() {
            continue;
        }
        let (n_last, last_pixels) = dark_run(tokens.iter().rev());
        let between = start + 2 * n_first..start + part.n_bytes - 2 * n_last;
        end = flush_run(dst, end, n_dark);
        dst.copy_within(between.clone(), end);
        end += between.len();
        n_dark = last_pixels;
    }
    Encoded { n_bytes: flush_run(dst, end, n_dark), counts }
}

/// Writes a dark run over the tokens that it was before, of which there were as many or more.
fn flush_run(dst: &mut [u8], at: usize, n_dark: usize) -> usize {
    flush(dst, at, n_dark).expect("no more tokens than before")
}

/// The tokens of the dark run that `tokens` begin with, and its pixels.
fn dark_run<'a>(tokens: impl Iterator<Item = &'a [u8; 2]>) -> (usize, usize) {
    let run = tokens.take_while(|token| i16::from_le_bytes(**token) <= 0);
    run.fold((0, 0), |(n_tokens, n_pixels), token| (n_tokens + 1, n_pixels + run_pixels(*token)))
}
