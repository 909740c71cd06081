//! DRLE, filter 36114: darker-than-threshold run-length encoding for 16-bit images that are mostly dark.
//!
//! Pixels below the threshold are set to 0 and stored as run lengths, the others as they are; `docs/format.md` says how.
//! It is lossy there, and only there. A chunk is a [container](Container) of segments (one frame each, unless said),
//! or, where the parameters say so, one bare stream.
//!
//! *Sentinels* are values that are no measurements and are kept, dark or not: 65535 of `uint16`, or what the parameters
//! name instead, and the dataset's fill value where it would be lost. A bare stream has none.
//!
//! Parameters (`cd_values`); callers give the first one, two or three, or more to name sentinels:
//!
//! | slot | meaning |
//! |---|---|
//! | 0 | threshold, 1 to 32767: the least value that is kept |
//! | 1 | mode: 0 container, 1 bare stream, 2 packed container |
//! | 2 | pixels a segment; 0 = one frame, the product of the chunk's last two dimensions |
//! | 3 | version of these parameters: 1, or 2 where there are more slots than seven; 3 where containers are packed |
//! | 4 | element type: 1 int16 LE, 2 int16 BE, 3 uint16 LE, 4 uint16 BE |
//! | 5 | pixels a segment, resolved |
//! | 6 | bytes of a decoded chunk |
//! | 7 | the fill value, if it is a sentinel; otherwise 0 |
//! | 8 | number of the sentinels that are named, up to 7; 0 = 65535 of `uint16`, none of `int16` |
//! | 9… | these |

mod bright;
mod container;
mod encode;
mod list;
mod packed;
mod packer;
mod parameters;
mod pixels;
mod salvage;
mod segment;
mod writer;

pub use container::{
    Container, HEADER_BYTES, Header, MAGIC, Segment, TABLE_ENTRY_BYTES, VERSION, VERSION_PACKED,
    VERSION_WITH_EXCEPTIONS,
};
pub use packer::{Packer, unpack};
pub use parameters::MAX_NAMED_SENTINELS;
pub use pixels::PixelType;
pub(crate) use segment::close as close_segment;
pub use writer::ContainerWriter;

use super::range::{Piece, Wanted};
use super::{ChunkLayout, Codec, DecodedSize, OpenChunk, Parts};
use crate::cpu::Level;
use crate::kernels::drle::{self, Sentinels};
use crate::threads::Pace;
use crate::{Error, Exec, Result};
use encode::ChunkEncoding;
use list::List;
use pixels::Encoding;
use std::ops::Range;

/// How a chunk is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The self-describing container of segments.
    Container,
    /// One stream and nothing else.
    Bare,
    /// A container whose segments are entropy-coded, where it is shorter then.
    Packed,
}

/// DRLE with one set of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drle {
    threshold: Option<u16>,
    mode: Mode,
    /// As the caller gave it: 0 for one frame.
    asked_segment_pixels: u32,
    element: Option<PixelType>,
    /// Resolved; `None` for the whole chunk.
    segment_pixels: Option<u32>,
    chunk_bytes: Option<u32>,
    /// Those that the caller names; none for the usual ones.
    named: Sentinels,
    /// The fill value, where it is a sentinel.
    fill: Option<u16>,
}

impl Drle {
    /// DRLE that keeps pixels from `threshold` on, in containers with one segment a frame. Given a layout by
    /// [`cd_values`](Self::cd_values); used as it is, a chunk is one segment of little-endian `int16`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the threshold is not from 1 to 32767.
    pub fn new(threshold: u16) -> Result<Self> {
        Self::from_cd_values(&[threshold.into()])
    }

    /// The same with another mode.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// The same with `n_pixels` a segment; 0 for one frame.
    #[must_use]
    pub fn with_segment_pixels(self, n_pixels: u32) -> Self {
        Self { asked_segment_pixels: n_pixels, segment_pixels: Some(n_pixels).filter(|n| *n > 0), ..self }
    }

    /// The same with these sentinels, as the bits of a pixel, in place of the usual ones. Without any: the usual ones.
    ///
    /// # Errors
    /// [`Error::Argument`] where they are more than [`MAX_NAMED_SENTINELS`].
    pub fn with_sentinels(self, values: &[u16]) -> Result<Self> {
        if values.len() > MAX_NAMED_SENTINELS {
            return Err(Error::Argument(format!(
                "DRLE can have {MAX_NAMED_SENTINELS} sentinels beside the fill value"
            )));
        }
        Ok(Self { named: Sentinels::new(values.iter().copied())?, ..self })
    }

    /// The same for a dataset with chunks of this layout.
    ///
    /// # Errors
    /// As [`localise`](Codec::localise).
    pub fn for_layout(&self, layout: &ChunkLayout) -> Result<Self> {
        Self::from_cd_values(&self.cd_values(layout)?)
    }

    /// The least value that is kept, where the parameters have it.
    #[must_use]
    pub fn threshold(&self) -> Option<u16> {
        self.threshold
    }

    /// How chunks are laid out.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The dataset's element type, where the parameters have it.
    #[must_use]
    pub fn pixel_type(&self) -> Option<PixelType> {
        self.element
    }

    /// The values that are no measurements and are kept: those that are named, or 65535 of `uint16`; and the fill value, where
    /// it would be lost. A bare stream has none.
    #[must_use]
    pub fn sentinels(&self) -> Sentinels {
        let is_unsigned = self.element.is_some_and(|element| !element.is_signed());
        let usual: &[u16] = if is_unsigned { &[u16::MAX] } else { &[] };
        let named = if self.named == Sentinels::NONE { usual } else { self.named.values() };
        let fill = self.fill.filter(|fill| !named.contains(fill));
        match self.mode {
            // There is room for one more than can be named.
            Mode::Container | Mode::Packed => Sentinels::new(named.iter().copied().chain(fill)).unwrap_or(self.named),
            Mode::Bare => Sentinels::NONE,
        }
    }

    /// The fill value, where it is a sentinel.
    #[must_use]
    pub fn fill(&self) -> Option<u16> {
        self.fill
    }

    /// What the container of a chunk of `n_bytes` says of itself.
    ///
    /// # Errors
    /// [`Error::Argument`] where the parameters lack a threshold, or the size is not one of 16-bit pixels.
    pub fn header(&self, n_bytes: usize) -> Result<Header> {
        let threshold = self.threshold.ok_or_else(|| {
            Error::Argument("the DRLE parameters lack the threshold: give one from 1 to 32767".into())
        })?;
        let n_bytes = u32::try_from(n_bytes).map_err(|_| {
            Error::Argument(format!("a chunk of {n_bytes} bytes is larger than the 4 GiB that a DRLE chunk can have"))
        })?;
        if n_bytes % 2 != 0 {
            return Err(Error::Argument(format!("a chunk of 16-bit pixels cannot have {n_bytes} bytes")));
        }
        let segment_pixels = self.segment_pixels.unwrap_or(n_bytes / 2).max(1);
        let header = Header { element: self.element.unwrap_or(PixelType::I16Le), threshold, segment_pixels, n_bytes };
        header.check()?;
        Ok(header)
    }

    fn encode_bare(&self, level: Level, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let Header { element, threshold, .. } = self.header(src.len())?;
        Encoding { level, element, threshold }.encode(src, None, dst)
    }

    fn encode_container(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let exec = exec.worth(Pace::Memory, src.len());
        let header = self.header(src.len())?;
        ChunkEncoding { level: exec.level, header, sentinels: self.sentinels() }.container(exec.threads, src, dst)
    }

    /// A bare stream says nothing of its size: it is what the parameters say, or else what its tokens add up to.
    fn bare_len(&self, src: &[u8]) -> Result<usize> {
        if let Some(n_bytes) = self.chunk_bytes() {
            let justified = (src.len() / 2).saturating_mul(2 * drle::MAX_RUN_PIXELS);
            return if n_bytes <= justified {
                Ok(n_bytes)
            } else {
                Err(Error::Corrupt { at: 0, what: "the stream is too short for the dataset's chunk" })
            };
        }
        let n_bytes = u32::try_from(2 * drle::count_pixels(src)?);
        let what = "the stream stands for more pixels than a chunk can have";
        n_bytes.map(|n_bytes| n_bytes as usize).map_err(|_| Error::Corrupt { at: 0, what })
    }

    fn check(&self, container: &Container<'_>) -> Result<()> {
        let found = container.header();
        if self.element.is_some_and(|element| element != found.element) {
            return Err(Error::Corrupt { at: 5, what: "its element type is not the dataset's" });
        }
        match self.chunk_bytes() {
            Some(expected) if expected != found.n_bytes as usize => {
                Err(Error::WrongSize { expected, found: found.n_bytes as usize })
            }
            _ => Ok(()),
        }
    }
}

impl Codec for Drle {
    const FILTER_ID: u32 = 36114;
    const SHORT_NAME: &'static str = "DRLE";
    const NAME: &'static str = "DRLE: dark run-length encoding; see darkchunk, docs/format.md";
    const MUST_BE_FIRST: bool = true;
    const WANTS_ZEROS: bool = true;
    const CAN_PROVE: bool = true;

    type Open<'a> = OpenDrle<'a>;

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
        match self.mode {
            Mode::Bare => n_bytes,
            Mode::Container | Mode::Packed => {
                let n_pixels = n_bytes / 2;
                let segment_pixels = self.segment_pixels.map_or(n_pixels, |n_pixels| n_pixels as usize).max(1);
                let (whole, rest) = (n_pixels / segment_pixels, n_pixels % segment_pixels);
                let segment = |n_pixels| segment::max_len(n_pixels).saturating_add(TABLE_ENTRY_BYTES);
                let rest = if rest > 0 { segment(rest) } else { 0 };
                whole.saturating_mul(segment(segment_pixels)).saturating_add(rest).saturating_add(HEADER_BYTES)
            }
        }
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        match self.mode {
            Mode::Bare => self.encode_bare(exec.level, src, dst),
            Mode::Container => self.encode_container(exec, src, dst),
            Mode::Packed => {
                let (n_bytes, mut packer) = (self.encode_container(exec, src, dst)?, Packer::default());
                let packed = packer.pack(exec.level, &dst[..n_bytes])?.to_vec();
                dst[..packed.len()].copy_from_slice(&packed);
                Ok(packed.len())
            }
        }
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<OpenDrle<'a>> {
        let content = match self.mode {
            Mode::Bare => Content::Bare(src),
            Mode::Container | Mode::Packed => {
                let container = Container::open(src)?;
                self.check(&container)?;
                Content::Container(container)
            }
        };
        Ok(OpenDrle { codec: self, content })
    }
}

/// A bare stream, or a container whose header and table are sound and what the parameters say.
#[derive(Debug)]
pub struct OpenDrle<'a> {
    codec: &'a Drle,
    content: Content<'a>,
}

#[derive(Debug)]
enum Content<'a> {
    Bare(&'a [u8]),
    Container(Container<'a>),
}

impl OpenDrle<'_> {
    fn decode_into(&self, exec: Exec, dst: &mut [u8], is_zeroed: bool) -> Result<()> {
        match &self.content {
            Content::Bare(src) => {
                let nothing = List { chunk: src, start: src.len() };
                pixels::decode(
                    exec.level,
                    self.codec.element.unwrap_or(PixelType::I16Le),
                    (src, &nothing),
                    dst,
                    is_zeroed,
                )
            }
            Content::Container(container) => {
                let exec = exec.worth(Pace::Memory, dst.len());
                container.decode_into(exec, dst, is_zeroed)
            }
        }
    }
}

impl OpenChunk for OpenDrle<'_> {
    fn decoded_size(&self) -> Result<DecodedSize> {
        let n_bytes = match &self.content {
            Content::Bare(src) => self.codec.bare_len(src),
            Content::Container(container) => container.justified_len(),
        };
        n_bytes.map(DecodedSize::Exactly)
    }

    fn element_bytes(&self) -> Option<usize> {
        Some(2)
    }

    fn has_checksum(&self) -> bool {
        matches!(self.content, Content::Container(_))
    }

    fn prove(&mut self) -> bool {
        match &mut self.content {
            Content::Bare(src) => self.codec.bare_len(src).is_ok_and(|n_bytes| pixels::is_stream_of(src, n_bytes)),
            Content::Container(container) => container.prove(),
        }
    }

    fn parts(&self) -> Option<Parts> {
        match &self.content {
            Content::Bare(_) => None,
            Content::Container(container) => {
                let header = container.header();
                Some(Parts { n_bytes: header.n_bytes as usize, part_bytes: header.segment_bytes() })
            }
        }
    }

    fn visit(&self, level: Level, _element_bytes: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        match &self.content {
            Content::Bare(src) => {
                let mut piece = Piece::default();
                let n_bytes = self.codec.bare_len(src)?;
                piece.visit(0..n_bytes, visit, |dst| self.decode(level.into(), dst))
            }
            Content::Container(container) => bright::visit(container, level, visit),
        }
    }

    fn decode_range(&self, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
        match &self.content {
            Content::Bare(src) => {
                let n_bytes = self.codec.bare_len(src)?;
                let mut wanted = Wanted::new(range, n_bytes, dst)?;
                wanted.take(0..n_bytes, |dst| self.decode(level.into(), dst))?;
                Ok(wanted.n_parts())
            }
            Content::Container(container) => {
                let mut wanted = Wanted::new(range, container.justified_len()?, dst)?;
                let header = container.header();
                for index in wanted.parts(header.segment_bytes()) {
                    let pixels = header.pixels(index);
                    let decoded = 2 * pixels.start..2 * pixels.end;
                    wanted.take(decoded, |dst| container.decode_segment(level, index, dst))?;
                }
                Ok(wanted.n_parts())
            }
        }
    }

    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        self.decode_into(exec, dst, false)
    }

    fn decode_zeroed(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        self.decode_into(exec, dst, true)
    }
}
