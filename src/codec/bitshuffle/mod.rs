//! Bitshuffle, filter 32008: the bits of a block of elements transposed, then LZ4, Zstd or nothing.
//!
//! With LZ4 or Zstd a chunk is a header (see `framing`) and length-prefixed blocks of the block size; after the full
//! blocks one more of what is left, rounded down to a multiple of 8 elements; after that the last elements, fewer than
//! 8, as they are and without a length. The block size in the header wins over the parameters. Without compression
//! there is no header and there are no lengths: the same blocks, transposed in place, by the parameters' block size.

mod decode;
mod encode;
mod geometry;
mod params;

pub use geometry::{Bitshuffle, Compression};

use super::cursor::Cursor;
use super::framing::{self, Block, FramedBlocks, Header, Storage};
#[cfg(feature = "zstd")]
use super::zstd;
use super::{BlockIndex, ChunkLayout, Codec, DecodedSize, OpenChunk, Parts};
use crate::cpu::Level;
#[cfg(feature = "lz4")]
use crate::lz::lz4;
use crate::{Error, Exec, Result};
use std::ops::Range;

impl Bitshuffle {
    /// The exact `cd_values` that HDF5 stores for chunks of `layout`.
    ///
    /// # Errors
    /// As [`Codec::localise`].
    pub fn cd_values(&self, layout: &ChunkLayout) -> Result<Vec<u32>> {
        Self::localise(&params::to_caller_values(self), layout)
    }

    /// The blocks of a stored chunk, in order, for readers that want to save what can be saved.
    ///
    /// # Errors
    /// What is wrong with the header; the items are what is wrong with a block's length, after which there are no more.
    pub fn blocks<'a>(&self, src: &'a [u8]) -> Result<Box<dyn Iterator<Item = Result<Block>> + 'a>> {
        if self.compression == Compression::None {
            return Ok(Box::new(self.plain_blocks(src.len())?.map(Ok)));
        }
        let (header, blocks) = self.framed(src)?;
        Ok(Box::new(self.blocks_of(header, blocks)))
    }

    /// Decodes one of [`blocks`](Self::blocks) of `src` into `dst`, which has the bytes of `block.decoded`.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_block(&self, level: Level, src: &[u8], block: &Block, dst: &mut [u8]) -> Result<()> {
        let mut cursor = Cursor::new(src);
        cursor.take(block.stored.start)?;
        let bytes = cursor.take(block.stored.len())?;
        if dst.len() != block.decoded.len() {
            return Err(Error::WrongSize { expected: dst.len(), found: block.decoded.len() });
        }
        match block.storage {
            Storage::Raw if bytes.len() == dst.len() => dst.copy_from_slice(bytes),
            Storage::Raw => return Err(Error::WrongSize { expected: dst.len(), found: bytes.len() }),
            Storage::Encoded if dst.is_empty() || !dst.len().is_multiple_of(self.group_bytes()) => {
                let n_bytes = dst.len();
                return Err(Error::Argument(format!("a block of {n_bytes} bytes is not of groups of 8 elements")));
            }
            Storage::Encoded => decode::Blocks::new(self, level, dst.len())
                .decode(bytes, dst)
                .map_err(|error| framing::offset_error(error, block.stored.start))?,
        }
        Ok(())
    }
}

impl Codec for Bitshuffle {
    const FILTER_ID: u32 = 32008;
    const SHORT_NAME: &'static str = "bitshuffle";
    const NAME: &'static str = "bitshuffle; see darkchunk, docs/format.md";

    type Open<'a> = OpenBitshuffle<'a>;

    fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        params::localise(cd_values, layout, false)
    }

    fn localise_before_another(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
        params::localise(cd_values, layout, true)
    }

    fn from_cd_values(cd_values: &[u32]) -> Result<Self> {
        params::from_cd_values(cd_values)
    }

    fn chunk_bytes(&self) -> Option<usize> {
        self.chunk_bytes
    }

    fn keeps_size(&self) -> bool {
        !self.is_compressed()
    }

    fn has_index(&self) -> bool {
        self.is_compressed()
    }

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        match self.compression {
            Compression::None => n_bytes,
            #[cfg(feature = "lz4")]
            Compression::Lz4 => self.max_framed_len(n_bytes, lz4::max_encoded_len),
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => self.max_framed_len(n_bytes, zstd::context::max_encoded_len),
        }
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        self.check_elements(src.len())?;
        encode::chunk(self, exec.worth(self.pace(), src.len()), src, dst)
    }

    fn decode_indexed(&self, level: Level, src: &[u8], block: &Block, dst: &mut [u8]) -> Result<()> {
        self.decode_block(level, src, block, dst)
    }

    fn open<'a>(&'a self, src: &'a [u8]) -> Result<OpenBitshuffle<'a>> {
        let framed = if self.is_compressed() { Some(self.framed(src)?) } else { None };
        Ok(OpenBitshuffle { codec: self, src, framed })
    }
}

/// A chunk whose header is read, where it has one.
#[derive(Debug)]
pub struct OpenBitshuffle<'a> {
    codec: &'a Bitshuffle,
    src: &'a [u8],
    /// With a compression.
    framed: Option<(Header, FramedBlocks<'a>)>,
}

impl OpenChunk for OpenBitshuffle<'_> {
    fn decoded_size(&self) -> Result<DecodedSize> {
        let Self { codec, src, framed } = self;
        let Some((header, blocks)) = framed else {
            codec.check_elements(src.len())?;
            return Ok(DecodedSize::Exactly(src.len()));
        };
        for block in codec.blocks_of(*header, blocks.clone()) {
            codec.check_block(&block?)?;
        }
        Ok(DecodedSize::Exactly(header.n_bytes))
    }

    fn element_bytes(&self) -> Option<usize> {
        Some(self.codec.element_bytes)
    }

    fn parts(&self) -> Option<Parts> {
        let (n_bytes, part_bytes) = match &self.framed {
            Some((header, _)) => (header.n_bytes, header.block_bytes),
            None => (self.src.len(), self.codec.block_bytes().ok()?),
        };
        Some(Parts { n_bytes, part_bytes })
    }

    fn visit(&self, level: Level, _element_bytes: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        self.decoded_size()?;
        decode::visit(self, level, visit)
    }

    fn index(&self) -> Result<Option<BlockIndex>> {
        let Some((header, blocks)) = &self.framed else { return Ok(None) };
        let checked = blocks.clone().map(|read| {
            let (block, _) = read?;
            self.codec.check_block(&block).map(|()| block)
        });
        let parts = Parts { n_bytes: header.n_bytes, part_bytes: header.block_bytes };
        BlockIndex::new(parts, self.codec.leftover(header.n_bytes).len(), checked).map(Some)
    }

    fn decode_range(&self, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
        decode::range(self, level, range, dst)
    }

    fn decode(&self, exec: Exec, dst: &mut [u8]) -> Result<()> {
        let exec = exec.worth_decoding(self.codec.pace(), self.src.len(), dst.len());
        match &self.framed {
            Some((header, blocks)) => decode::framed(self.codec, exec, (*header, blocks.clone()), dst),
            None => decode::plain(self.codec, exec, self.src, dst),
        }
    }
}
