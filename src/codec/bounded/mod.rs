//! The bounded codec, filter 36115: integers and float32, exact or with an error that no pixel exceeds; `docs/format.md` says how it is stored.
//!
//! Pixels are quantised first ([`quantise`](crate::kernels::quantise)), which decides all that is lost: each becomes a level, a whole
//! number. What follows is lossless. A level is predicted from rows above it, and from the frame before or a reference that is
//! stored, by a weighted sum with weights that are stored. What it differs from the prediction is entropy-coded, with a table for
//! each class of predictions. No pixel to the left is used, so that whole rows are worked on at once.
//!
//! Each frame has its own end and checksum. With a stored reference, or none, a frame is decoded without the others.
//!
//! Parameters (`cd_values`), as callers give them; all may be left out:
//!
//! | slot | meaning |
//! |---|---|
//! | 0 | the bound: 0 exact, 1 so many counts, 2 by the noise; of float32 3 so much, 4 a share of the range of a chunk's values |
//! | 1, 2 | the counts; or β = slot 1 / slot 2: an error is at most β / 2 standard deviations of the noise; or a float64, its lower half first |
//! | 3, 4 | gain: the variance is gain · (x − offset) + read variance |
//! | 5 | offset, in counts, signed |
//! | 6, 7 | read variance |
//! | 8 | options, added: 1 unbiased, 2 only zeros become 0, 4 negative values are exact, 8 those of `int32` are not, 16 each chunk is decoded again |
//! | 9 | reference: 0 the encoder's choice between none and mean, 1 none, 2 mean, 3 the frame before |
//! | 10 | saturation: values from it on are exact; 0 = none |

mod coding;
mod decode;
mod element;
mod encode;
mod fit;
mod floats;
mod frame;
mod front;
mod levels;
mod mask;
pub(crate) mod parameters;
mod planes;
mod salvage;
mod segment;
mod symbols;
mod values;
mod work;

pub use coding::Reference;
pub use element::PixelType;
pub use front::{Achieved, FloatErrors};
pub use parameters::MAX_NAMED_SENTINELS;

use super::entropy::{numbers, stream, tables, tokens};
use super::range::{Piece, Wanted};
use super::{ChunkLayout, Codec, DecodedSize, OpenChunk, Parts};
use crate::cpu::Level;
use crate::kernels::quantise::lattice::Lattice;
use crate::kernels::quantise::{Bound, Options};
use crate::{Error, Exec, Result, Threads};
use decode::Chunk;
use encode::ChunkEncoder;
use front::Header;
use std::cell::Cell;
use std::ops::Range;

/// The bounded codec with one set of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounded {
    /// As the caller gave them.
    asked: [u32; 11],
    bound: Bound,
    options: Options,
    reference: Option<Reference>,
    element: Option<PixelType>,
    /// Height and width.
    frame: Option<(u32, u32)>,
    chunk_bytes: Option<u32>,
    fill: Option<u32>,
    named: Vec<u32>,
}

/// What a stored chunk says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// What was promised.
    pub bound: Bound,
    /// What came of it.
    pub achieved: Achieved,
    /// Its frames.
    pub n_frames: usize,
}

thread_local! {
    /// Chunks that this thread has encoded.
    static N_ENCODED: Cell<u32> = const { Cell::new(0) };
}

/// One chunk in so many is decoded again when it is encoded.
const VERIFY_EACH: u32 = 64;

impl Bounded {
    /// The codec without loss.
    ///
    /// # Errors
    /// Never: as [`from_cd_values`](Codec::from_cd_values).
    pub fn exact() -> Result<Self> {
        Self::from_cd_values(&[])
    }

    /// No pixel is off by more than so many counts.
    ///
    /// # Errors
    /// As [`from_cd_values`](Codec::from_cd_values).
    pub fn absolute(counts: u32) -> Result<Self> {
        Self::from_cd_values(&[1, counts])
    }

    /// No pixel is off by more than so much, float32 or, rounded down, integers.
    ///
    /// # Errors
    /// As [`from_cd_values`](Codec::from_cd_values): it is negative or not finite.
    pub fn absolute_float(error: f64) -> Result<Self> {
        Self::from_cd_values(&parameters::absolute_float(error))
    }

    /// No pixel of float32 is off by more than this share of the greatest finite value of its chunk minus the least.
    ///
    /// # Errors
    /// As [`from_cd_values`](Codec::from_cd_values): it is negative or not finite.
    pub fn relative(share: f64) -> Result<Self> {
        Self::from_cd_values(&parameters::relative(share))
    }

    /// Whether it is for a dataset of float32.
    #[must_use]
    pub fn is_of_float(&self) -> bool {
        self.element.is_some_and(|element| element.is_float)
    }

    /// The exact values that are stored for a dataset with chunks of this layout.
    ///
    /// # Errors
    /// As [`localise`](Codec::localise).
    pub fn cd_values(&self, layout: &ChunkLayout) -> Result<Vec<u32>> {
        let mut values = self.asked.to_vec();
        let element = self.element.map_or(0, PixelType::code);
        values.extend([1, element.into(), 0, 0, 0, self.fill.unwrap_or(0), self.named.len() as u32]);
        values.extend(&self.named);
        Self::localise(&values, layout)
    }

    /// The bound that is kept.
    #[must_use]
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// What frames are predicted from; `None`: none or the mean, as the encoder finds better.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        self.reference
    }

    /// What a stored chunk says of itself: proved by a checksum. The front and the table of the chunk are enough.
    ///
    /// # Errors
    /// What is wrong with the chunk's front.
    pub fn report(chunk: &[u8]) -> Result<Report> {
        let chunk = Chunk::open(chunk)?;
        let header = &chunk.front.header;
        Ok(Report { bound: header.bound, achieved: chunk.front.achieved, n_frames: header.n_frames() })
    }

    /// Decodes some frames of a chunk into the whole of `dst`. If frames are predicted from the one before, all before them are decoded,
    /// too.
    ///
    /// # Errors
    /// As [`decode`](Codec::decode); [`Error::Argument`] for frames that the chunk does not have.
    pub fn decode_frames(&self, threads: Threads, src: &[u8], frames: Range<usize>, dst: &mut [u8]) -> Result<()> {
        self.open(src)?.decode_frames(threads.into(), frames, dst)
    }

    fn header(&self, n_bytes: usize) -> Result<Header> {
        let Some(element) = self.element else {
            return Err(Error::Argument(
                "the parameters of the bounded codec lack the element type: store those that it makes of yours for the dataset".into(),
            ));
        };
        if n_bytes == 0 {
            return Err(Error::Argument("a chunk without a frame cannot be encoded".into()));
        }
        let n_pixels = n_bytes / element.n_bytes;
        let whole = (1, u32::try_from(n_pixels).unwrap_or(u32::MAX).max(1));
        let (height, width) = self.frame.unwrap_or(whole);
        let too_large =
            |_| Error::Argument(format!("a chunk of {n_bytes} bytes is larger than the 4 GiB that it can have"));
        let saturation = self.asked[parameters::SATURATION];
        let header = Header {
            element,
            bound: self.bound,
            lattice: Lattice::default(),
            options: self.options,
            keep_negative: self.keeps_negative(element),
            saturation,
            height,
            width,
            n_bytes: u32::try_from(n_bytes).map_err(too_large)?,
        };
        if n_bytes.checked_rem(header.frame_bytes()) != Some(0) {
            return Err(Error::Argument(format!(
                "a chunk of {n_bytes} bytes is not made of frames of {height} x {width} pixels of {} bytes",
                element.n_bytes
            )));
        }
        Ok(header)
    }

    /// Negative numbers are marks in the counters' `int32`, and measurements elsewhere, unless the options say otherwise.
    fn keeps_negative(&self, element: PixelType) -> bool {
        let options = self.asked[parameters::OPTIONS];
        let is_usual = element.n_bytes == 4 && options & parameters::NEGATIVE_IS_SIGNAL == 0;
        element.is_signed && !element.is_float && (options & parameters::KEEP_NEGATIVE != 0 || is_usual)
    }

    /// The values that are kept exactly: those that are named or else the greatest of an unsigned type, and the fill value.
    fn sentinels(&self, element: PixelType) -> Vec<u32> {
        let usual = if element.is_signed || element.n_bytes == 1 { None } else { Some(element.bits(u32::MAX)) };
        let mut sentinels: Vec<u32> = self.named.iter().map(|value| element.bits(*value)).collect();
        if sentinels.is_empty() {
            sentinels.extend(usual);
        }
        sentinels.extend(self.fill.map(|fill| element.bits(fill)).filter(|fill| *fill != 0));
        sentinels.sort_unstable();
        sentinels.dedup();
        sentinels
    }

    /// Whether it is this chunk's turn to be decoded again.
    fn is_to_verify(&self) -> bool {
        let n_encoded = N_ENCODED.get();
        N_ENCODED.set(n_encoded.wrapping_add(1));
        self.asked[parameters::OPTIONS] & parameters::VERIFY != 0 || n_encoded.is_multiple_of(VERIFY_EACH)
    }
}

impl Codec for Bounded {
    const FILTER_ID: u32 = 36115;
    const SHORT_NAME: &'static str = "bounded";
    const NAME: &'static str = "bounded: errors within a bound; see darkchunk, docs/format.md";
    const MUST_BE_FIRST: bool = true;

    type Open<'a> = Chunk<'a>;

    fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        parameters::localise(cd_values, layout)
    }

    fn from_cd_values(cd_values: &[u32]) -> Result<Self> {
        parameters::read(cd_values)
    }

    fn chunk_bytes(&self) -> Option<usize> {
        self.chunk_bytes.map(|n_bytes| n_bytes as usize)
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        let element_bytes = self.element.map_or(1, |element| element.n_bytes);
        let frame_bytes = self.frame.map(|(height, width)| (height as usize).saturating_mul(width as usize));
        let n_frames =
            frame_bytes.map_or(1, |n_pixels| n_bytes.div_ceil(n_pixels.saturating_mul(element_bytes).max(1)));
        encode::max_len(n_bytes, n_frames)
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let header = self.header(src.len())?;
        let sentinels = self.sentinels(header.element);
        let (reference, verify) = (self.reference, self.is_to_verify());
        ChunkEncoder { level: exec.level, header, reference, sentinels: &sentinels, verify }.encode(src, dst)
    }

    /// Opens a chunk, and refuses one that is not what the parameters say.
    fn open<'a>(&'a self, src: &'a [u8]) -> Result<Chunk<'a>> {
        let chunk = Chunk::open(src)?;
        let header = &chunk.front.header;
        if self.element.is_some_and(|element| element != header.element) {
            return Err(Error::Corrupt { at: 5, what: "its element type is not the dataset's" });
        }
        if let Some(expected) = self.chunk_bytes.filter(|n_bytes| *n_bytes != header.n_bytes) {
            return Err(Error::WrongSize { expected: expected as usize, found: header.n_bytes as usize });
        }
        Ok(chunk)
    }
}

impl OpenChunk for Chunk<'_> {
    fn decoded_size(&self) -> Result<DecodedSize> {
        self.justified_len().map(DecodedSize::Exactly)
    }

    fn element_bytes(&self) -> Option<usize> {
        Some(self.front.header.element.n_bytes)
    }

    fn has_checksum(&self) -> bool {
        true
    }

    fn parts(&self) -> Option<Parts> {
        let header = &self.front.header;
        let parts = Parts { n_bytes: header.n_bytes as usize, part_bytes: header.frame_bytes() };
        self.frames_are_alone().then_some(parts)
    }

    fn visit(&self, level: Level, _element_bytes: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        let n_bytes = self.justified_len()?;
        let (mut piece, frame_bytes) = (Piece::default(), self.front.header.frame_bytes());
        if !self.frames_are_alone() {
            return piece.visit(0..n_bytes, visit, |dst| self.decode(level.into(), dst));
        }
        for index in 0..self.front.header.n_frames() {
            let decoded = index * frame_bytes..(index + 1) * frame_bytes;
            piece.visit(decoded, visit, |dst| self.decode_frames(level.into(), index..index + 1, dst))?;
        }
        Ok(())
    }

    /// Where each frame is predicted from the one before, those before are decoded, too.
    fn decode_range(&self, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
        let frame_bytes = self.front.header.frame_bytes();
        let mut wanted = Wanted::new(range, self.justified_len()?, dst)?;
        let frames = wanted.parts(frame_bytes);
        if self.frames_are_alone() {
            for index in frames {
                let decoded = index * frame_bytes..(index + 1) * frame_bytes;
                wanted.take(decoded, |dst| self.decode_frames(level.into(), index..index + 1, dst))?;
            }
        } else {
            let decoded = frames.start * frame_bytes..frames.end * frame_bytes;
            wanted.take(decoded, |dst| self.decode_frames(level.into(), frames, dst))?;
        }
        Ok(wanted.n_parts())
    }

    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        let found = self.justified_len()?;
        if found != dst.len() {
            return Err(Error::WrongSize { expected: dst.len(), found });
        }
        self.decode_frames(exec, 0..self.front.header.n_frames(), dst)
    }
}
