//! Frames that several threads encode: each has some rows of all frames, and with them of the dark image and the sum.
//!
//! The stream of a part is never longer than the part's pixels. So it is written to where these would stand; then the
//! parts of a frame are moved together. A dark run that ends one part and one that begins the next become one, which
//! makes the stream that of a single thread.

use super::batch::{self, BatchFrame};
use super::exceptions::Exceptions;
use super::pixel::Pixel;
use super::scan::BLOCK_PIXELS;
use super::sum;
use super::tokens::{flush, run_pixels};
use super::types::{Correction, Encoded, FrameCounts, check, check_len, max_encoded_len};
use crate::cpu::Level;
use crate::threads::Pace;
use crate::{Exec, Result};

/// Some rows of all frames.
struct Part<'a, P> {
    frames: Vec<BatchFrame<'a, P>>,
    correction: Correction<'a, P>,
    sum: Option<&'a mut [u32]>,
    encoded: Vec<Encoded>,
}

/// [`encode()`](super::encode()) for several frames of one size at once, which share what is fetched of the sum and, with AVX-512, of the dark
/// image: faster than one after the other where these are larger than the caches. Streams, counts and sum are the same.
///
/// `encoded`, as many as frames, is what became of them. Several threads share the rows of all frames, if every frame has
/// room for [`max_encoded_len`] bytes. With one thread nothing is allocated.
///
/// ```
/// use darkchunk::Exec;
/// use darkchunk::kernels::drle::{self, BatchFrame, Correction, Encoded};
///
/// let (frames, dark_image) = ([[100_u16, 107, 101, 99], [100, 100, 103, 130]], [100; 4]);
/// let correction = Correction { dark: Some(&dark_image[..]), threshold: Some(5) };
/// let strips = frames.each_ref().map(|frame| [&frame[..]]);
/// let mut streams = [[0; 8]; 2];
/// let (mut sum, mut encoded) = ([0; 4], [Encoded::default(); 2]);
/// let batch = strips.iter().zip(&mut streams).map(|(strips, stream)| BatchFrame::new(strips, stream));
/// let mut batch: Vec<_> = batch.collect();
/// drle::encode_frames(Exec::current(), &mut batch, &correction, Some(&mut sum), &mut encoded)?;
///
/// assert_eq!(sum, [0, 7, 0, 30]);
/// let mut pixels = [0; 8];
/// drle::decode(Exec::current().level, &streams[0][..encoded[0].n_bytes], &mut pixels)?;
/// assert_eq!(pixels, [0, 0, 7, 0, 0, 0, 0, 0]);
/// # Ok::<(), darkchunk::Error>(())
/// ```
///
/// # Errors
/// As [`encode()`](super::encode()), for the first frame that has an error; [`Error::BufferSize`](crate::Error::BufferSize) where the frames are not all as long, or
/// `encoded` has another number. `sum` is as it was then, and `encoded` and the streams are unspecified: which frame it was is
/// found by encoding them one by one. Without frames nothing is checked.
pub fn encode_frames<P: Pixel>(
    exec: Exec,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    let Some(n_pixels) = frames.first().map(BatchFrame::n_pixels) else { return Ok(()) };
    check(n_pixels, correction, sum.as_deref())?;
    frames.iter().try_for_each(|frame| check_len::<P>("a frame", n_pixels, frame.n_pixels()))?;
    check_len::<Encoded>("the list of results", frames.len(), encoded.len())?;
    encode_checked(exec, frames, correction, sum, encoded)
}

/// [`encode_frames`] of frames that are all as long as dark image and sum, where there are these.
fn encode_checked<P: Pixel>(
    exec: Exec,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    mut sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    let n_pixels = frames.first().map_or(0, BatchFrame::n_pixels);
    let exec = exec.worth(Pace::Memory, frames.len() * size_of::<P>() * n_pixels);
    let part_pixels = BLOCK_PIXELS * exec.threads.units_per_part(n_pixels, BLOCK_PIXELS);
    let have_room = frames.iter_mut().all(|frame| frame.room().len() >= max_encoded_len(n_pixels));
    if part_pixels < n_pixels
        && have_room
        && in_parts(exec, part_pixels, frames, correction, sum.as_deref_mut(), encoded)
    {
        return Ok(());
    }
    // Where one part fails too: the error is that of one thread, whatever their number.
    batch::encode_frames(exec.level, frames, correction, sum, encoded)
}

/// Returns whether no part failed. If one did, the sum is as it was.
fn in_parts<P: Pixel>(
    exec: Exec,
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
    let mut parts = exec.threads.run(parts, || |part: Part<'_, P>| part.encode(exec.level));
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
        batch::encode_frames(level, &mut self.frames, &self.correction, sum, &mut self.encoded)?;
        Ok(self)
    }

    fn take_back(&mut self) {
        if let Some(sum) = self.sum.as_deref_mut() {
            for (stream, exceptions) in self.frames.iter().map(BatchFrame::summand) {
                sum::subtract(stream, sum);
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
