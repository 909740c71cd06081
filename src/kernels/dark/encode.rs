//! Frames on their way into streams: one, strip by strip, or several at once.
//!
//! Several frames take turns, a block each: the first block of every frame, then the second of every frame, and so on.
//! Dark image and sum are larger than the inner caches; what a block needs of them is fetched once and serves all frames.

use super::block::{self, Ahead, Block, Step};
use super::found::{self, BLOCK};
use super::pass::steps;
use super::pixel::Pixel;
use super::tokens::Tokens;
use super::{Correction, Encoded, FrameCounts, check_threshold, scalar, take_back};
use crate::cpu::Level;
use crate::{Error, Result};
use std::ops::Range;

/// A frame of several that are encoded at once, or a part of it: its pixels, and where its stream goes.
#[derive(Debug)]
pub struct BatchFrame<'a, P> {
    /// What is left of the frame.
    strips: &'a [&'a [P]],
    /// Pixels of the first of these strips that are done.
    at: usize,
    whole: &'a [&'a [P]],
    /// The pixels that are encoded, counted in the frame.
    part: Range<usize>,
    stream: Stream<'a>,
}

impl<'a, P> BatchFrame<'a, P> {
    /// A frame, given as strips whose concatenation it is, for a stream at the front of `tokens`.
    #[must_use]
    pub fn new(strips: &'a [&'a [P]], tokens: &'a mut [u8]) -> Self {
        let n_pixels = strips.iter().map(|strip| strip.len()).sum();
        Self { strips, at: 0, whole: strips, part: 0..n_pixels, stream: Stream::new(tokens) }
    }

    /// Parts of `part_pixels`, but for a shorter last one, each for a stream of its own: at the front of the bytes of the
    /// output that its pixels would take.
    pub(super) fn parts(&mut self, part_pixels: usize) -> impl Iterator<Item = BatchFrame<'_, P>> {
        let (whole, part) = (self.whole, self.part.clone());
        let starts = part.clone().step_by(part_pixels);
        starts.zip(self.stream.tokens.dst.chunks_mut(2 * part_pixels)).map(move |(start, tokens)| {
            let part = start..part.end.min(start + part_pixels);
            BatchFrame { strips: whole, at: 0, whole, part, stream: Stream::new(tokens) }
        })
    }

    /// All the bytes that there are for the stream.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.stream.tokens.dst
    }
}

impl<'a, P: Pixel> BatchFrame<'a, P> {
    pub(super) fn n_pixels(&self) -> usize {
        self.part.len()
    }

    fn begin(&mut self) {
        (self.strips, self.at) = (self.whole, self.part.start);
        while let Some((strip, rest)) = self.strips.split_first()
            && strip.len() <= self.at
        {
            (self.strips, self.at) = (rest, self.at - strip.len());
        }
        self.stream.begin();
    }

    /// Takes what was encoded out of the sum of its pixels again.
    pub(super) fn take_back(&self, correction: &Correction<'_, P>, sum: Option<&mut [u32]>) {
        let pixels = self.whole.iter().copied().flatten().skip(self.part.start).take(self.stream.n_done);
        take_back(pixels, correction, sum);
    }

    /// What comes next in the strip, empty at its end.
    fn next(&self) -> &'a [P] {
        self.strips.first().map_or(&[], |strip| &strip[self.at..])
    }

    /// Encodes up to the pixel `end` of the frame, at most a block; `next` is where the next frame goes on.
    fn advance(&mut self, pass: &mut Pass<'_, P>, end: usize, next: *const P) -> Result<()> {
        while self.stream.n_done < end {
            let pixels = self.next();
            let n_pixels = pixels.len().min(end - self.stream.n_done);
            let ahead = Ahead::Frames { next, later: pixels.as_ptr().wrapping_add(BLOCK) };
            pass.push(&mut self.stream, pixels, n_pixels, ahead)?;
            self.at += n_pixels;
            if n_pixels == pixels.len() {
                (self.strips, self.at) = (&self.strips[1..], 0);
            }
        }
        Ok(())
    }
}

/// Frames that take turns: more share no more to speak of, and are more places that memory is read from.
const AT_ONCE: usize = 16;

/// [`encode_frames`](super::encode_frames) by the calling thread. All frames are as long as dark image and sum, where there are
/// these.
pub(super) fn encode_frames<P: Pixel>(
    level: Level,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    mut sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    let mut block = Block::new();
    let mut pass = Pass::new(level, *correction, sum.as_deref_mut(), &mut block)?;
    frames.iter_mut().for_each(BatchFrame::begin);
    // As many each time, so that the last are not few.
    let at_once = frames.len().div_ceil(frames.len().div_ceil(AT_ONCE).max(1)).max(1);
    let outcome = frames.chunks_mut(at_once).try_for_each(|frames| in_turns(&mut pass, frames));
    pass.settle();
    let outcome = outcome.and_then(|()| {
        for (frame, encoded) in frames.iter_mut().zip(encoded) {
            *encoded = frame.stream.finish()?;
        }
        Ok(())
    });
    if outcome.is_err() {
        frames.iter().for_each(|frame| frame.take_back(correction, sum.as_deref_mut()));
    }
    outcome
}

fn in_turns<P: Pixel>(pass: &mut Pass<'_, P>, frames: &mut [BatchFrame<'_, P>]) -> Result<()> {
    let n_pixels = frames.first().map_or(0, BatchFrame::n_pixels);
    for end in (0..n_pixels).step_by(BLOCK).map(|start| n_pixels.min(start + BLOCK)) {
        for index in 0..frames.len() {
            let next = frames.get(index + 1).unwrap_or(&frames[0]).next().as_ptr();
            pass.ask_for_part(end, index, frames.len());
            frames[index].advance(pass, end, next)?;
        }
    }
    Ok(())
}

/// A frame on its way into a stream, strip by strip.
#[derive(Debug)]
pub(crate) struct Encoder<'a, P> {
    pass: Pass<'a, P>,
    stream: Stream<'a>,
}

impl<'a, P: Pixel> Encoder<'a, P> {
    /// A stream at the front of `dst`. The `block` is the caller's, as it is large to move.
    pub(crate) fn new(
        level: Level,
        correction: Correction<'a, P>,
        sum: Option<&'a mut [u32]>,
        dst: &'a mut [u8],
        block: &'a mut Block<P>,
    ) -> Result<Self> {
        Ok(Self { pass: Pass::new(level, correction, sum, block)?, stream: Stream::new(dst) })
    }

    /// Brings the sum up to date, and returns the pixels that are in it.
    pub(crate) fn settle(&mut self) -> usize {
        self.pass.settle();
        self.stream.n_done
    }

    /// Encodes the next strip.
    pub(crate) fn push(&mut self, strip: &[P]) -> Result<()> {
        self.pass.push(&mut self.stream, strip, strip.len(), Ahead::Behind)
    }

    /// Encodes the next strip and overwrites it with the stored pixels.
    pub(crate) fn push_in_place(&mut self, strip: &mut [P]) -> Result<()> {
        self.pass.push_in_place(&mut self.stream, strip)
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> Result<Encoded> {
        self.settle();
        self.stream.finish()
    }
}

/// A stream, and what is known of its frame.
#[derive(Debug)]
struct Stream<'a> {
    tokens: Tokens<'a>,
    counts: FrameCounts,
    /// Pixels done: the position in the frame.
    n_done: usize,
}

impl<'a> Stream<'a> {
    fn new(dst: &'a mut [u8]) -> Self {
        Self { tokens: Tokens::new(dst), counts: FrameCounts::default(), n_done: 0 }
    }

    fn begin(&mut self) {
        (self.tokens.at, self.tokens.n_dark) = (0, 0);
        (self.counts, self.n_done) = (FrameCounts::default(), 0);
    }

    fn finish(&mut self) -> Result<Encoded> {
        Ok(Encoded { n_bytes: self.tokens.finish()?, counts: self.counts })
    }
}

/// What all frames share. The lengths of `dark` and `sum` have been checked.
#[derive(Debug)]
struct Pass<'a, P> {
    level: Level,
    correction: Correction<'a, P>,
    threshold: u16,
    sum: Option<&'a mut [u32]>,
    block: &'a mut Block<P>,
}

impl<'a, P: Pixel> Pass<'a, P> {
    fn new(
        level: Level,
        correction: Correction<'a, P>,
        sum: Option<&'a mut [u32]>,
        block: &'a mut Block<P>,
    ) -> Result<Self> {
        let Some(threshold) = correction.threshold else {
            return Err(Error::Unsupported("a DRLE stream needs a threshold: give one from 1 to 32767".into()));
        };
        check_threshold(threshold)?;
        Ok(Self { level, correction, threshold, sum, block })
    }

    /// Asks for a part of what the block that begins at the pixel `start` needs of the dark image and the sum.
    fn ask_for_part(&self, start: usize, part: usize, n_parts: usize) {
        let n_pixels = BLOCK.div_ceil(n_parts);
        let pixels = start + part * n_pixels..;
        if let Some(dark) = self.correction.dark.and_then(|dark| dark.get(pixels.clone())) {
            found::ask_for(&dark[..n_pixels.min(dark.len())]);
        }
        if let Some(sum) = self.sum.as_deref().and_then(|sum| sum.get(pixels)) {
            found::ask_for(&sum[..n_pixels.min(sum.len())]);
        }
    }

    /// Brings the sum up to date.
    fn settle(&mut self) {
        self.block.settle(self.level, self.sum.as_deref_mut());
    }

    /// Encodes the first `n_pixels` of `pixels`.
    fn push(&mut self, stream: &mut Stream<'_>, pixels: &[P], n_pixels: usize, ahead: Ahead<P>) -> Result<()> {
        if !block::has(self.level) {
            return self.push_scalar(stream, &pixels[..n_pixels]);
        }
        steps(pixels, n_pixels)
            .try_for_each(|(pixels, n_pixels)| self.push_block(stream, pixels, n_pixels, ahead, false))
    }

    fn push_in_place(&mut self, stream: &mut Stream<'_>, strip: &mut [P]) -> Result<()> {
        if !block::has(self.level) {
            return self.push_in_place_scalar(stream, strip);
        }
        let mut at = 0;
        while let Some(n_pixels) = super::pass::block_pixels(strip.len() - at) {
            self.push_block(stream, &strip[at..], n_pixels, Ahead::Behind, true)?;
            strip[at..][..n_pixels].copy_from_slice(&self.block.stored()[..n_pixels]);
            at += n_pixels;
        }
        Ok(())
    }

    fn push_block(
        &mut self,
        stream: &mut Stream<'_>,
        pixels: &[P],
        n_pixels: usize,
        ahead: Ahead<P>,
        overwrite: bool,
    ) -> Result<()> {
        let at = stream.n_done;
        let dark = self.correction.dark.map(|dark| &dark[at..][..n_pixels]);
        let step = Step { level: self.level, at, pixels, n_pixels, dark, ahead, threshold: self.threshold };
        let counts = self.block.encode(&step, &mut stream.tokens, self.sum.as_deref_mut(), overwrite);
        stream.counts += counts.map_err(|error| error.behind(at))?;
        stream.n_done += n_pixels;
        Ok(())
    }

    fn push_scalar(&mut self, stream: &mut Stream<'_>, strip: &[P]) -> Result<()> {
        for pixel in strip {
            let at = stream.n_done;
            let dark = self.correction.dark.map_or(P::default(), |dark| dark[at]);
            let stored = scalar::stored(*pixel, dark, Some(self.threshold));
            scalar::fits_stream(stored, at)?;
            let runs: &[[u16; 2]] = if stored == P::default() { &[] } else { &[[0, 1]] };
            stream.tokens.push(&[stored], runs, 1)?;
            stream.counts += scalar::count(*pixel, dark, Some(self.threshold));
            if let Some(sum) = &mut self.sum {
                scalar::add(&[stored], &mut sum[at..=at]);
            }
            stream.n_done += 1;
        }
        Ok(())
    }

    fn push_in_place_scalar(&mut self, stream: &mut Stream<'_>, strip: &mut [P]) -> Result<()> {
        for pixel in strip {
            let dark = self.correction.dark.map_or(P::default(), |dark| dark[stream.n_done]);
            self.push_scalar(stream, std::slice::from_ref(pixel))?;
            *pixel = scalar::stored(*pixel, dark, Some(self.threshold));
        }
        Ok(())
    }
}
