//! Blosc 1, filter 32001.
//!
//! A chunk is a 16-byte header, a table of block starts, and the blocks. A block is byte- or bit-shuffled and then
//! compressed as one stream, or as one stream for each byte of an element. `docs/format.md` has all of it.
//!
//! The container, the shuffles and BloscLZ are ours; LZ4, Zstd, Snappy and zlib are libraries. Everything that c-blosc
//! 1.x writes is read, and everything written here is read by it: blocks are made and split by its rules.
//!
//! Decoding allocates one block of scratch a thread, all of them at most as large as the output, and what the compressor's
//! library needs.

mod compressor;
mod decode;
mod encode;
mod filter;
mod geometry;
mod header;
mod params;
mod sparse;
mod stream;

pub use self::compressor::Compressor;
pub use self::decode::Chunk;
pub use self::header::Shuffle;

pub(crate) use self::header::HEADER_BYTES;

use self::decode::Output;
use self::header::MAX_BYTES;
use self::params::{CHUNK_BYTES, Encoding, FORM, LEVEL, TYPE_SIZE, VERSIONS, check_encoding, given};
use crate::codec::range::{Piece, Wanted};
use crate::codec::{ChunkLayout, Codec, DecodedSize, OpenChunk, Parts};
use crate::cpu::Level;
use crate::{Error, Exec, Result};
use std::ops::Range;

/// The parameters of one dataset.
///
/// Decoding needs none of them but the chunk's size, so parameters that mean nothing are an error only when encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blosc {
    encoding: Result<Encoding>,
    type_size: usize,
    chunk_bytes: u32,
}

impl Blosc {
    /// Blocks compressed with `compressor` at `level` (0, a plain copy, to 9), for elements of `type_size` bytes. Sizes
    /// that Blosc cannot shuffle (0, and more than 255) are taken as single bytes.
    ///
    /// # Errors
    /// [`Error::Parameter`] where `level` is more than 9.
    pub fn new(compressor: Compressor, shuffle: Shuffle, level: u32, type_size: usize) -> Result<Self> {
        let encoding = check_encoding([level, shuffle as u32, compressor as u32], LEVEL)?;
        Ok(Self { encoding: Ok(encoding), type_size: usable_type_size(type_size), chunk_bytes: 0 })
    }

    /// The header that a chunk of `n_bytes` stored in `stored_len` has where it is written as the parameters say.
    pub(crate) fn usual_header(&self, n_bytes: usize, stored_len: usize) -> Option<[u8; HEADER_BYTES]> {
        let encoding = self.encoding.as_ref().ok()?;
        let header = encode::header(encoding, self.type_size, n_bytes);
        let mut bytes = [0; HEADER_BYTES];
        header::Header { stored_len, ..header }.write(encoding.compressor.format(), &mut bytes);
        Some(bytes)
    }

    /// The exact `cd_values` that a dataset of this layout stores.
    ///
    /// # Errors
    /// As [`localise`](Codec::localise).
    pub fn cd_values(&self, layout: &ChunkLayout) -> Result<Vec<u32>> {
        let Encoding { level, shuffle, compressor } = self.encoding.clone()?;
        Self::localise(&[level, shuffle as u32, compressor as u32], layout)
    }
}

impl Codec for Blosc {
    const FILTER_ID: u32 = 32001;
    const SHORT_NAME: &'static str = "Blosc";
    // PyTables knows Blosc by exactly this name.
    const NAME: &'static str = "blosc";

    type Open<'a> = Chunk<'a>;

    fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        let (at, given) = given(cd_values)?;
        let Encoding { level, shuffle, compressor } = check_encoding(given, at)?;
        let chunk_bytes = layout.chunk_bytes()?;
        if chunk_bytes as usize > MAX_BYTES {
            return Err(Error::Argument(format!(
                "a chunk of {chunk_bytes} bytes is larger than Blosc's limit of {MAX_BYTES}: make chunks smaller"
            )));
        }
        let chunk_bytes = layout.expected_bytes()?;
        let type_size = usable_type_size(layout.element.base_bytes) as u32;
        let [revision, format] = VERSIONS;
        Ok(vec![revision, format, type_size, chunk_bytes, level, shuffle as u32, compressor as u32])
    }

    fn from_cd_values(cd_values: &[u32]) -> Result<Self> {
        // Where no plugin could complete what the caller gave, it is stored as it was given.
        let Some((front, values)) = cd_values.split_first_chunk::<LEVEL>() else {
            let encoding = check_encoding(FORM.read_stored(cd_values), 0);
            return Ok(Self { encoding, type_size: 1, chunk_bytes: 0 });
        };
        let encoding = check_encoding(FORM.read_stored(values), LEVEL);
        Ok(Self { encoding, type_size: usable_type_size(front[TYPE_SIZE] as usize), chunk_bytes: front[CHUNK_BYTES] })
    }

    fn chunk_bytes(&self) -> Option<usize> {
        (self.chunk_bytes != 0).then_some(self.chunk_bytes as usize)
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        match &self.encoding {
            Ok(encoding) => encode::max_used(encoding, self.type_size, n_bytes),
            Err(_) => n_bytes.saturating_add(HEADER_BYTES),
        }
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let encoding = self.encoding.clone()?;
        encode::encode(exec, &encoding, self.type_size, src, dst)
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<Chunk<'a>> {
        Chunk::new(src)
    }
}

impl OpenChunk for Chunk<'_> {
    fn decoded_size(&self) -> Result<DecodedSize> {
        self.check_expansion()?;
        Ok(DecodedSize::Exactly(self.decoded_len()))
    }

    fn element_bytes(&self) -> Option<usize> {
        Some(self.type_size())
    }

    fn parts(&self) -> Option<Parts> {
        Some(Parts { n_bytes: self.decoded_len(), part_bytes: self.decoded_range(0).len().max(1) })
    }

    fn visit(&self, level: Level, element_bytes: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        self.check_expansion()?;
        let mut piece = Piece::default();
        // Blocks that overlap would be work without a limit.
        if self.overlaps()? || !self.decoded_range(0).len().is_multiple_of(element_bytes) {
            return piece.visit(0..self.decoded_len(), visit, |dst| self.decode(level.into(), dst));
        }
        for index in 0..self.n_blocks() {
            piece.visit(self.decoded_range(index), visit, |dst| self.decode_block_at(level, index, dst))?;
        }
        Ok(())
    }

    fn decode_range(&self, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
        self.check_expansion()?;
        let mut wanted = Wanted::new(range, self.decoded_len(), dst)?;
        for index in wanted.parts(self.decoded_range(0).len().max(1)) {
            wanted.take(self.decoded_range(index), |dst| self.decode_block_at(level, index, dst))?;
        }
        Ok(wanted.n_parts())
    }

    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        self.decode_with(exec, Output::Any, dst)
    }

    fn decode_zeroed(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        self.decode_with(exec, Output::Zeroed, dst)
    }
}

/// Elements that Blosc can shuffle have 1 to 255 bytes; others are taken as single bytes.
fn usable_type_size(n_bytes: usize) -> usize {
    if (1..=255).contains(&n_bytes) { n_bytes } else { 1 }
}
