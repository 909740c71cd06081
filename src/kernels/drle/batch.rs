//! Frames that are encoded several at once.
//!
//! Some of them take turns, a block each: the first block of each, then the second of each, and so on. A dark image is
//! larger than the inner caches; what a block needs of it is loaded once and serves them all. When all streams are written, the
//! frames are [added](super::sum) to the sum together.

use super::block::Block;
use super::encode::{EncodePass, Stream};
use super::exceptions::Exceptions;
use super::pixel::Pixel;
use super::scan::BLOCK_PIXELS;
use super::sum;
use super::types::{Correction, Encoded};
use crate::Result;
use crate::cpu::Level;
use crate::cpu::tuning::Tuning;
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

    /// The same with exceptions, which are noted there and not refused.
    #[must_use]
    pub fn with_exceptions(self, exceptions: &'a mut Exceptions) -> Self {
        Self { stream: self.stream.with(Some(exceptions)), ..self }
    }

    /// Parts of `part_pixels`, but for a shorter last one, each for a stream of its own: at the front of the bytes of the
    /// output that its pixels would take. Each has one of the `exceptions`, where the frame has some.
    pub(super) fn parts<'b>(
        &'b mut self,
        part_pixels: usize,
        exceptions: &'b mut [Exceptions],
    ) -> impl Iterator<Item = BatchFrame<'b, P>> {
        let (whole, part) = (self.whole, self.part.clone());
        let starts = part.clone().step_by(part_pixels);
        let mut exceptions = exceptions.iter_mut();
        starts.zip(self.stream.tokens.dst.chunks_mut(2 * part_pixels)).map(move |(start, tokens)| {
            let part = start..part.end.min(start + part_pixels);
            let stream = Stream::new(tokens).with(exceptions.next());
            BatchFrame { strips: whole, at: 0, whole, part, stream }
        })
    }

    /// All the bytes that there are for the stream.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.stream.tokens.dst
    }

    /// Where exceptions are noted, if they are.
    pub(super) fn exceptions(&mut self) -> Option<&mut Exceptions> {
        self.stream.exceptions.as_deref_mut()
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

    /// What was encoded.
    pub(super) fn summand(&self) -> (&[u8], Option<&Exceptions>) {
        (&self.stream.tokens.dst[..self.stream.tokens.at], self.stream.exceptions.as_deref())
    }

    /// Encodes up to the pixel `end` of the frame, at most a block.
    fn advance(&mut self, pass: &mut EncodePass<'_, P>, end: usize) -> Result<()> {
        while self.stream.n_done < end {
            let pixels = self.strips.first().map_or(&[][..], |strip| &strip[self.at..]);
            let n_pixels = pixels.len().min(end - self.stream.n_done);
            pass.push(&mut self.stream, pixels, n_pixels)?;
            self.at += n_pixels;
            if n_pixels == pixels.len() {
                (self.strips, self.at) = (&self.strips[1..], 0);
            }
        }
        Ok(())
    }
}

/// [`encode_frames`](super::encode_frames) by the calling thread. All frames are as long as dark image and sum, where there are
/// these.
pub(super) fn encode_frames<P: Pixel>(
    level: Level,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    encode_at_once(Tuning::current().frames_at_once.get(level.isa()), level, frames, correction, sum, encoded)
}

/// [`encode_frames`], `n` of which take turns.
fn encode_at_once<P: Pixel>(
    n: usize,
    level: Level,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    let mut block = Block::new();
    let mut pass = EncodePass::new(level, *correction, &mut block)?;
    for (frames, encoded) in frames.chunks_mut(n).zip(encoded.chunks_mut(n)) {
        if in_turns(&mut pass, frames, encoded).is_err() {
            // Which fails first depends on the turns: the error is to be one of the first frame that has one.
            let mut each = frames.chunks_mut(1).zip(encoded.chunks_mut(1));
            each.try_for_each(|(frame, encoded)| in_turns(&mut pass, frame, encoded))?;
        }
    }
    if let Some(sum) = sum {
        sum::add(level, frames.iter().map(|frame| frame.summand().0), sum);
        frames.iter().filter_map(|frame| frame.summand().1).for_each(|exceptions| exceptions.add_to(sum));
    }
    Ok(())
}

fn in_turns<P: Pixel>(
    pass: &mut EncodePass<'_, P>,
    frames: &mut [BatchFrame<'_, P>],
    encoded: &mut [Encoded],
) -> Result<()> {
    frames.iter_mut().for_each(BatchFrame::begin);
    let n_pixels = frames.first().map_or(0, BatchFrame::n_pixels);
    for end in (0..n_pixels).step_by(BLOCK_PIXELS).map(|start| n_pixels.min(start + BLOCK_PIXELS)) {
        frames.iter_mut().try_for_each(|frame| frame.advance(pass, end))?;
    }
    for (frame, encoded) in frames.iter_mut().zip(encoded) {
        *encoded = frame.stream.finish()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::block::{self, Step};
    use super::super::tokens::Tokens;
    use super::*;
    use crate::cpu::tuning::{Prefetch, ScanPrefetch};

    /// Frames of a few blocks and a rest, each another one; every seventh pixel or so is bright.
    fn frames(n: usize) -> Vec<Vec<u16>> {
        let pixel = |frame: usize, at: usize| ((at * 31 + frame * 17) % 101 / 7 * (at % 7 / 6) + 100 + at % 3) as u16;
        (0..n).map(|frame| (0..3 * BLOCK_PIXELS + 77).map(|at| pixel(frame, at)).collect()).collect()
    }

    /// How it is depends on the processor.
    #[test]
    fn a_block_is_encoded_alike_however_memory_is_prefetched() {
        let frame = &frames(1)[0];
        let dark = vec![100; BLOCK_PIXELS];
        for &level in Level::available().iter().filter(|level| block::has(**level)) {
            let encode = |prefetch| {
                let (mut block, mut stream) = (Block::new(), vec![0; 2 * BLOCK_PIXELS]);
                let mut tokens = Tokens::new(&mut stream);
                let dark = Some(&dark[..]);
                let step = Step { level, at: 0, pixels: frame, n_pixels: BLOCK_PIXELS, dark, threshold: 4, prefetch };
                let counts = block.encode(None, &step, &mut tokens, false).unwrap();
                let n_bytes = tokens.finish().unwrap();
                (stream[..n_bytes].to_vec(), counts)
            };
            let expected = encode(ScanPrefetch::Nothing);
            assert!(expected.1.n_bright > 100);
            let as_kernels = [Prefetch::Once, Prefetch::Twice].map(ScanPrefetch::AsKernels);
            for prefetch in [ScanPrefetch::TwoLines, ScanPrefetch::EveryLine].into_iter().chain(as_kernels) {
                assert!(encode(prefetch) == expected, "{level:?} {prefetch:?}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn streams_sum_and_counts_are_the_same_however_many_frames_take_turns() {
        let frames = frames(9);
        let dark = vec![100; frames[0].len()];
        let correction = Correction { dark: Some(&dark[..]), threshold: Some(4) };
        let strips: Vec<[&[u16]; 1]> = frames.iter().map(|frame| [&frame[..]]).collect();
        for &level in Level::available() {
            let encode = |n: usize| {
                let mut streams = vec![vec![0; 2 * dark.len()]; frames.len()];
                let (mut sum, mut encoded) = (vec![0; dark.len()], vec![Encoded::default(); frames.len()]);
                let batch = strips.iter().zip(&mut streams).map(|(strips, stream)| BatchFrame::new(strips, stream));
                let mut batch: Vec<_> = batch.collect();
                encode_at_once(n, level, &mut batch, &correction, Some(&mut sum), &mut encoded).unwrap();
                streams.iter_mut().zip(&encoded).for_each(|(stream, encoded)| stream.truncate(encoded.n_bytes));
                (streams, sum, encoded)
            };
            let expected = encode(1);
            assert!(expected.2.iter().all(|encoded| encoded.counts.n_bright > 100));
            for n in [2, 3, 4, 16] {
                assert!(encode(n) == expected, "{level:?}, {n} in turns");
            }
        }
    }
}
