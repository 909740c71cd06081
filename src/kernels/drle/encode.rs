//! A frame on its way into a stream, strip by strip.

use super::block::{self, Block, Step, block_pixels, steps};
use super::exceptions::Exceptions;
use super::pixel::Pixel;
use super::tokens::Tokens;
use super::types::{Correction, Encoded, FrameCounts, check, check_threshold};
use super::{scalar, sum};
use crate::cpu::Level;
use crate::cpu::tuning::{ScanPrefetch, Tuning};
use crate::{Error, Result};

/// Encodes one frame, given as strips whose concatenation it is, as a DRLE stream at the front of `tokens`.
///
/// `sum`, as long as the frame, is increased by the stored pixels; it holds 65 536 frames and wraps beyond that
/// ([`chunk::Sum`](crate::chunk::Sum) does not). At most [`max_encoded_len`](super::max_encoded_len) bytes are written; what stands after the
/// stream is scratch. Allocates nothing. On an error `sum` is as it was, and `tokens` unspecified.
///
/// # Errors
/// [`Error::TooBright`] for a stored pixel above 32767, which only `u16` has: `i16` is held there and
/// [counted](FrameCounts::n_saturated). [`Error::OutputTooSmall`] where the stream does not fit,
/// [`Error::BufferSize`] where `dark` or `sum` is not as long as the frame, [`Error::Argument`] for a threshold that
/// is missing or out of range.
pub fn encode<P: Pixel>(
    level: Level,
    strips: &[&[P]],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    tokens: &mut [u8],
) -> Result<Encoded> {
    encode_with(level, strips, correction, None, sum, tokens)
}

/// [`encode()`], in which what a stream cannot say is noted in `exceptions`, where there are these, and not refused.
///
/// What was in `exceptions` is forgotten. Memory is allocated only where there is something to note.
///
/// # Errors
/// As [`encode()`], but for [`Error::TooBright`] where there are `exceptions`.
pub fn encode_with<P: Pixel>(
    level: Level,
    strips: &[&[P]],
    correction: &Correction<'_, P>,
    mut exceptions: Option<&mut Exceptions>,
    sum: Option<&mut [u32]>,
    tokens: &mut [u8],
) -> Result<Encoded> {
    check(strips.iter().map(|strip| strip.len()).sum(), correction, sum.as_deref())?;
    let mut block = Block::new();
    let mut encoder = Encoder::new(level, *correction, exceptions.as_deref_mut(), tokens, &mut block)?;
    strips.iter().try_for_each(|strip| encoder.push(strip))?;
    let encoded = encoder.finish()?;
    add(level, &tokens[..encoded.n_bytes], exceptions, sum);
    Ok(encoded)
}

/// [`encode()`] for a frame in one piece, which is overwritten with the stored pixels.
///
/// # Errors
/// As [`encode()`]. On an error the frame is overwritten in part.
pub fn encode_in_place<P: Pixel>(
    level: Level,
    frame: &mut [P],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    tokens: &mut [u8],
) -> Result<Encoded> {
    encode_in_place_with(level, frame, correction, None, sum, tokens)
}

/// [`encode_in_place`], in which what a stream cannot say is noted, as in [`encode_with`]. Sentinels are left as they are.
///
/// # Errors
/// As [`encode_with`]. On an error the frame is overwritten in part.
pub fn encode_in_place_with<P: Pixel>(
    level: Level,
    frame: &mut [P],
    correction: &Correction<'_, P>,
    mut exceptions: Option<&mut Exceptions>,
    sum: Option<&mut [u32]>,
    tokens: &mut [u8],
) -> Result<Encoded> {
    check(frame.len(), correction, sum.as_deref())?;
    let mut block = Block::new();
    let mut encoder = Encoder::new(level, *correction, exceptions.as_deref_mut(), tokens, &mut block)?;
    encoder.push_in_place(frame)?;
    let encoded = encoder.finish()?;
    add(level, &tokens[..encoded.n_bytes], exceptions, sum);
    Ok(encoded)
}

/// Adds a frame's stream and exceptions to the sum, where there is one.
fn add(level: Level, stream: &[u8], exceptions: Option<&mut Exceptions>, sum: Option<&mut [u32]>) {
    if let Some(sum) = sum {
        sum::add(level, std::iter::once(stream), sum);
        exceptions.into_iter().for_each(|exceptions| exceptions.add_to(sum));
    }
}

/// A frame on its way into a stream, strip by strip.
#[derive(Debug)]
pub(crate) struct Encoder<'a, P> {
    pass: EncodePass<'a, P>,
    stream: Stream<'a>,
}

impl<'a, P: Pixel> Encoder<'a, P> {
    /// A stream at the front of `dst`. The `block` is the caller's, as it is large to move. Without `exceptions` a pixel that
    /// does not fit a stream is refused.
    pub(crate) fn new(
        level: Level,
        correction: Correction<'a, P>,
        exceptions: Option<&'a mut Exceptions>,
        dst: &'a mut [u8],
        block: &'a mut Block<P>,
    ) -> Result<Self> {
        Ok(Self { pass: EncodePass::new(level, correction, block)?, stream: Stream::new(dst).with(exceptions) })
    }

    /// Encodes the next strip.
    pub(crate) fn push(&mut self, strip: &[P]) -> Result<()> {
        self.pass.push(&mut self.stream, strip, strip.len())
    }

    /// Encodes the next strip and overwrites it with the stored pixels.
    pub(crate) fn push_in_place(&mut self, strip: &mut [P]) -> Result<()> {
        self.pass.push_in_place(&mut self.stream, strip)
    }

    /// Ends the stream.
    pub(crate) fn finish(mut self) -> Result<Encoded> {
        self.stream.finish()
    }
}

/// A stream, and what is known of its frame.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) tokens: Tokens<'a>,
    counts: FrameCounts,
    /// Pixels done: the position in the frame.
    pub(super) n_done: usize,
    /// Where what the stream cannot say is noted; `None` where it is refused.
    pub(super) exceptions: Option<&'a mut Exceptions>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(dst: &'a mut [u8]) -> Self {
        Self { tokens: Tokens::new(dst), counts: FrameCounts::default(), n_done: 0, exceptions: None }
    }

    /// The same with `exceptions`, of which there are none yet.
    pub(super) fn with(self, exceptions: Option<&'a mut Exceptions>) -> Self {
        let mut stream = Self { exceptions, ..self };
        stream.begin();
        stream
    }

    pub(super) fn begin(&mut self) {
        (self.tokens.at, self.tokens.n_dark) = (0, 0);
        (self.counts, self.n_done) = (FrameCounts::default(), 0);
        if let Some(exceptions) = &mut self.exceptions {
            exceptions.clear();
        }
    }

    pub(super) fn finish(&mut self) -> Result<Encoded> {
        Ok(Encoded { n_bytes: self.tokens.finish()?, counts: self.counts })
    }
}

/// What all frames share. The length of `dark` has been checked.
#[derive(Debug)]
pub(super) struct EncodePass<'a, P> {
    level: Level,
    correction: Correction<'a, P>,
    threshold: u16,
    prefetch: ScanPrefetch,
    block: &'a mut Block<P>,
}

impl<'a, P: Pixel> EncodePass<'a, P> {
    pub(super) fn new(level: Level, correction: Correction<'a, P>, block: &'a mut Block<P>) -> Result<Self> {
        let Some(threshold) = correction.threshold else {
            return Err(Error::Argument("a DRLE stream needs a threshold: give one from 1 to 32767".into()));
        };
        check_threshold(threshold)?;
        let prefetch = Tuning::current().scan_to_stream.get(level.isa());
        Ok(Self { level, correction, threshold, prefetch, block })
    }

    /// Encodes the first `n_pixels` of `pixels`.
    pub(super) fn push(&mut self, stream: &mut Stream<'_>, pixels: &[P], n_pixels: usize) -> Result<()> {
        if !block::has(self.level) {
            return self.push_scalar(stream, &pixels[..n_pixels]);
        }
        steps(pixels, n_pixels).try_for_each(|(pixels, n_pixels)| self.push_block(stream, pixels, n_pixels, false))
    }

    fn push_in_place(&mut self, stream: &mut Stream<'_>, strip: &mut [P]) -> Result<()> {
        if !block::has(self.level) {
            return self.push_in_place_scalar(stream, strip);
        }
        let mut at = 0;
        while let Some(n_pixels) = block_pixels(strip.len() - at) {
            self.push_block(stream, &strip[at..], n_pixels, true)?;
            strip[at..][..n_pixels].copy_from_slice(&self.block.stored()[..n_pixels]);
            at += n_pixels;
        }
        Ok(())
    }

    #[inline(always)]
    fn push_block(&mut self, stream: &mut Stream<'_>, pixels: &[P], n_pixels: usize, overwrites: bool) -> Result<()> {
        let at = stream.n_done;
        let dark = self.correction.dark.map(|dark| &dark[at..][..n_pixels]);
        let &mut Self { level, threshold, prefetch, .. } = self;
        let step = Step { level, at, pixels, n_pixels, dark, threshold, prefetch };
        let exceptions = stream.exceptions.as_deref_mut();
        let counts = self.block.encode(exceptions, &step, &mut stream.tokens, overwrites);
        stream.counts += counts.map_err(|error| error.later(at))?;
        stream.n_done += n_pixels;
        Ok(())
    }

    fn push_scalar(&mut self, stream: &mut Stream<'_>, strip: &[P]) -> Result<()> {
        for pixel in strip {
            let at = stream.n_done;
            let dark = self.correction.dark.map_or(P::default(), |dark| dark[at]);
            if let Some(exceptions) = &mut stream.exceptions
                && let Some((kind, stored)) = scalar::exception(*pixel, dark, self.threshold, &exceptions.sentinels())
            {
                exceptions.push_equal(at, 1, kind, stored.to_bits());
                stream.counts += scalar::count_exceptions(kind, 1);
                stream.tokens.n_dark += 1;
            } else {
                let stored = scalar::stored(*pixel, dark, Some(self.threshold));
                scalar::fits_stream(stored, at)?;
                let runs: &[[u16; 2]] = if stored == P::default() { &[] } else { &[[0, 1]] };
                stream.tokens.push(&[stored], runs, 1)?;
                stream.counts += scalar::count(*pixel, dark, Some(self.threshold));
            }
            stream.n_done += 1;
        }
        Ok(())
    }

    fn push_in_place_scalar(&mut self, stream: &mut Stream<'_>, strip: &mut [P]) -> Result<()> {
        for pixel in strip {
            let dark = self.correction.dark.map_or(P::default(), |dark| dark[stream.n_done]);
            self.push_scalar(stream, std::slice::from_ref(pixel))?;
            let sentinels = stream.exceptions.as_ref().map(|exceptions| exceptions.sentinels());
            let exception = sentinels.and_then(|all| scalar::exception(*pixel, dark, self.threshold, &all));
            *pixel = exception.map_or_else(|| scalar::stored(*pixel, dark, Some(self.threshold)), |(_, value)| value);
        }
        Ok(())
    }
}
