//! Dark subtraction, threshold, sum and run detection in one pass over the pixels; and the way back.
//!
//! For every pixel of a frame, with `d` = pixel − dark image, computed without wrapping:
//!
//! ```text
//! stored = 0                          where a threshold is given and d < threshold   (the pixel is dark)
//!        = d, held to the pixel type  elsewhere                                      (the pixel is bright)
//! sum   += stored
//! ```
//!
//! [`encode()`] writes the stored pixels as a DRLE stream (`docs/format.md`), [`correct`] writes them as they are, for the
//! other codecs; [`encode_in_place`] does both. [`decode()`] turns a stream into pixels again. What a pass removed is
//! counted exactly ([`FrameCounts`]).
//!
//! Where they are asked for, [`Exceptions`] are a third class beside dark and bright: raw values that are no measurements, and
//! bright pixels that a stream cannot hold.
//!
//! `scalar` says this pixel by pixel and is the specification. The vector levels share one driver, `block`: the
//! kernel of an instruction set collects the positions where brightness changes (no branch per pixel or run), then the
//! runs between them are copied. `sum` adds frames from their streams.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bright;
#[cfg(target_arch = "x86_64")]
mod avx512_dense;
mod block;
mod decode;
mod encode;
mod exceptions;
mod find;
mod found;
#[cfg(target_arch = "aarch64")]
mod neon;
mod parts;
mod pass;
mod pixel;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod sse41;
mod sum;
mod tokens;

pub(crate) use block::Block;
pub(crate) use decode::count_pixels;
pub use encode::BatchFrame;
pub(crate) use encode::Encoder;
pub(crate) use exceptions::Kind;
pub use exceptions::{Exceptions, MAX_SENTINELS, Sentinels};
pub use pixel::Pixel;
pub(crate) use pixel::pixels_of;

use crate::cpu::Level;
use crate::{Error, Result, Threads};
use pass::Pass;

/// The most pixels one run token stands for.
pub const MAX_RUN_PIXELS: usize = 1 << 15;

/// The largest threshold: a bright pixel must fit a stream.
pub const MAX_THRESHOLD: u16 = exceptions::MAX_TOKEN;

/// The most bytes that the stream of `n_pixels` pixels takes.
#[must_use]
pub fn max_encoded_len(n_pixels: usize) -> usize {
    n_pixels.saturating_mul(2)
}

/// What is done to a pixel before it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a, P> {
    /// The dark image, as long as the frame.
    pub dark: Option<&'a [P]>,
    /// The least value that is kept, 1 to [`MAX_THRESHOLD`]. A DRLE stream needs one; [`correct`] can do without.
    pub threshold: Option<u16>,
}

impl<P> Correction<'_, P> {
    /// A threshold and no dark image.
    #[must_use]
    pub fn threshold(threshold: u16) -> Self {
        Self { dark: None, threshold: Some(threshold) }
    }
}

/// What became of a frame's pixels. Exact, and the same on every level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Pixels stored with a value other than 0, but for sentinels.
    pub n_bright: u64,
    /// Pixels whose difference to the dark image was not 0 and that are stored as 0.
    pub n_zeroed: u64,
    /// The sum of those differences: what was lost.
    pub zeroed_sum: i64,
    /// Pixels not zeroed whose difference does not fit the pixel type, stored as the nearest value that does.
    pub n_saturated: u64,
    /// Pixels that are no measurements, of [values](Sentinels) that are kept as they are. They are in no other number.
    pub n_sentinels: u64,
}

impl std::ops::AddAssign for FrameCounts {
    fn add_assign(&mut self, other: Self) {
        self.n_bright += other.n_bright;
        self.n_zeroed += other.n_zeroed;
        self.zeroed_sum += other.zeroed_sum;
        self.n_saturated += other.n_saturated;
        self.n_sentinels += other.n_sentinels;
    }
}

/// A frame's stream is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of the stream, at the front of the output.
    pub n_bytes: usize,
    /// What became of the pixels.
    pub counts: FrameCounts,
}

/// Encodes one frame, given as strips whose concatenation it is, as a DRLE stream at the front of `tokens`.
///
/// `sum`, as long as the frame, is increased by the stored pixels; it holds 65 536 frames and wraps beyond that
/// ([`chunk::Sum`](crate::chunk::Sum) does not). At most [`max_encoded_len`] bytes are written; what stands behind the
/// stream is scratch. Allocates nothing. On an error `sum` is as it was, and `tokens` unspecified.
///
/// # Errors
/// [`Error::TooBright`] for a stored pixel above 32767, which only `u16` has: `i16` is held there and
/// [counted](FrameCounts::n_saturated). [`Error::OutputTooSmall`] where the stream does not fit,
/// [`Error::BufferSize`] where `dark` or `sum` is not as long as the frame, [`Error::Unsupported`] for a threshold that
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

/// [`encode()`] for several frames of one size at once, which share what is fetched of the sum and, with AVX-512, of the dark
/// image: faster than one after the other where these are larger than the caches. Streams, counts and sum are the same.
///
/// `encoded`, as many as frames, is what became of them. Several `threads` share the rows of all frames, if every frame has
/// room for [`max_encoded_len`] bytes. With one thread nothing is allocated.
///
/// ```
/// use darkchunk::Threads;
/// use darkchunk::cpu::Level;
/// use darkchunk::kernels::dark::{self, BatchFrame, Correction, Encoded};
///
/// let (frames, dark_image) = ([[100_u16, 107, 101, 99], [100, 100, 103, 130]], [100; 4]);
/// let correction = Correction { dark: Some(&dark_image[..]), threshold: Some(5) };
/// let strips = frames.each_ref().map(|frame| [&frame[..]]);
/// let mut streams = [[0; 8]; 2];
/// let (mut sum, mut encoded) = ([0; 4], [Encoded::default(); 2]);
/// let batch = strips.iter().zip(&mut streams).map(|(strips, stream)| BatchFrame::new(strips, stream));
/// let mut batch: Vec<_> = batch.collect();
/// dark::encode_frames(Level::current(), Threads::ONE, &mut batch, &correction, Some(&mut sum), &mut encoded)?;
///
/// assert_eq!(sum, [0, 7, 0, 30]);
/// let mut pixels = [0; 8];
/// dark::decode(Level::current(), &streams[0][..encoded[0].n_bytes], &mut pixels)?;
/// assert_eq!(pixels, [0, 0, 7, 0, 0, 0, 0, 0]);
/// # Ok::<(), darkchunk::Error>(())
/// ```
///
/// # Errors
/// As [`encode()`], for the first frame that has an error; [`Error::BufferSize`] where the frames are not all as long, or
/// `encoded` has another number. `sum` is as it was then, and `encoded` and the streams are unspecified: which frame it was is
/// found by encoding them one by one. Without frames nothing is checked.
pub fn encode_frames<P: Pixel>(
    level: Level,
    threads: Threads,
    frames: &mut [BatchFrame<'_, P>],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    encoded: &mut [Encoded],
) -> Result<()> {
    let Some(n_pixels) = frames.first().map(BatchFrame::n_pixels) else { return Ok(()) };
    check(n_pixels, correction, sum.as_deref())?;
    frames.iter().try_for_each(|frame| check_len::<P>("a frame", n_pixels, frame.n_pixels()))?;
    check_len::<Encoded>("the list of results", frames.len(), encoded.len())?;
    parts::encode_frames(level, threads, frames, correction, sum, encoded)
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

/// Writes the stored pixels of one frame, given as strips whose concatenation it is, to the whole of `out`.
///
/// `sum` is increased by the stored pixels. Where negative ones are kept (no threshold, `int16`) it is to be read as
/// `i32`. It holds 65 536 frames without overflow. Allocates nothing.
///
/// # Errors
/// [`Error::BufferSize`] where `dark`, `sum` or `out` is not as long as the frame, [`Error::Unsupported`] for a
/// threshold out of range. Nothing is written then.
pub fn correct<P: Pixel>(
    level: Level,
    strips: &[&[P]],
    correction: &Correction<'_, P>,
    sum: Option<&mut [u32]>,
    out: &mut [P],
) -> Result<FrameCounts> {
    let n_pixels = strips.iter().map(|strip| strip.len()).sum();
    check(n_pixels, correction, sum.as_deref())?;
    check_len::<P>("the output frame", n_pixels, out.len())?;
    let mut pass = Pass::new(level, *correction, sum);
    let mut rest = out;
    for strip in strips {
        let (to, behind) = rest.split_at_mut(strip.len());
        pass.correct(strip, to);
        rest = behind;
    }
    Ok(pass.counts)
}

/// Decodes a DRLE stream into the whole of `pixels`, as little-endian 16-bit values.
///
/// Every byte of `pixels` is written where `Ok` is returned; on an error they are zeros and pixels of the stream, as far
/// as it was read, or untouched. Allocates nothing.
///
/// # Errors
/// [`Error::WrongSize`] where the stream has more or fewer pixels, [`Error::Corrupt`] where it ends within a token.
pub fn decode(level: Level, tokens: &[u8], pixels: &mut [u8]) -> Result<()> {
    decode::decode(level, tokens, pixels, false)
}

/// [`decode()`] into `pixels` that are all zeros, of which the dark ones are then not written again.
///
/// # Errors
/// As [`decode()`].
pub fn decode_zeroed(level: Level, tokens: &[u8], pixels: &mut [u8]) -> Result<()> {
    decode::decode(level, tokens, pixels, true)
}

fn check<P>(n_pixels: usize, correction: &Correction<'_, P>, sum: Option<&[u32]>) -> Result<()> {
    if let Some(threshold) = correction.threshold {
        check_threshold(threshold)?;
    }
    if let Some(dark) = correction.dark {
        check_len::<P>("the dark image", n_pixels, dark.len())?;
    }
    sum.map_or(Ok(()), |sum| check_len::<u32>("the sum image", n_pixels, sum.len()))
}

fn check_threshold(threshold: u16) -> Result<()> {
    if (1..=MAX_THRESHOLD).contains(&threshold) {
        return Ok(());
    }
    Err(Error::Unsupported(format!("the threshold is {threshold}: give one from 1 to {MAX_THRESHOLD}")))
}

fn check_len<T>(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::BufferSize { what, expected: expected * size_of::<T>(), found: found * size_of::<T>() })
}

/// Adds a frame's stream and exceptions to the sum, where there is one.
fn add(level: Level, stream: &[u8], exceptions: Option<&mut Exceptions>, sum: Option<&mut [u32]>) {
    if let Some(sum) = sum {
        sum::add(level, std::iter::once(stream), sum);
        exceptions.into_iter().for_each(|exceptions| exceptions.add_to(sum));
    }
}
