//! Bitshuffle, filter 32008: the bits of a block of elements transposed, then LZ4, Zstd or nothing.
//!
//! With LZ4 or Zstd a chunk is a header (see `framing`) and length-prefixed blocks of the block size; after the full
//! blocks one more of what is left, rounded down to a multiple of 8 elements; after that the last elements, fewer than
//! 8, as they are and without a length. The block size in the header wins over the parameters. Without compression
//! there is no header and there are no lengths: the same blocks, transposed in place, by the parameters' block size.

mod decode;
mod encode;
mod params;

use super::cursor::Cursor;
use super::framing::{self, Block, FramedBlocks, Header, Storage};
use super::{BlockIndex, ChunkLayout, Codec, DecodedSize, OpenChunk, Parts, zstd};
use crate::cpu::Level;
use crate::lz::lz4;
use crate::threads::Pace;
use crate::{Error, Exec, Result, Threads};
use std::ops::Range;

/// Elements whose bits share a byte: blocks are multiples of it.
const GROUP: usize = 8;

/// The default block's size. Files depend on it: it can never change.
const DEFAULT_BLOCK_BYTES: usize = 8192;

/// The default block's least elements. Files depend on it: it can never change.
const MIN_DEFAULT_ELEMENTS: usize = 128;

/// The largest block that is written.
const MAX_BLOCK_BYTES: usize = 1 << 30;

/// What follows the bit transpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Nothing: the chunk keeps its size.
    None,
    /// LZ4, a block each.
    Lz4,
    /// Zstd, a frame each.
    Zstd {
        /// Zstd's level; 0 is its default (3).
        level: i32,
    },
}

/// Bitshuffle, filter 32008. Compatible with the reference implementation both ways.
///
/// Parameters: `[0, 4, element bytes, block elements, compression, level, chunk bytes]`. Callers give none or some of
/// `[block elements, compression, level]`: block 0 is the default, 8 KiB; compression 0 is none, 2 LZ4 (which it is where it is left
/// out), 3 Zstd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitshuffle {
    element_bytes: usize,
    block_elements: u32,
    compression: Compression,
    chunk_bytes: Option<usize>,
}

impl Bitshuffle {
    /// Bitshuffle of elements of `element_bytes` in blocks of the default size.
    ///
    /// # Panics
    /// Where `element_bytes` is 0.
    #[must_use]
    pub fn new(element_bytes: usize, compression: Compression) -> Self {
        assert_ne!(element_bytes, 0, "an element has at least one byte");
        Self { element_bytes, block_elements: 0, compression, chunk_bytes: None }
    }

    /// The same with blocks of another size: a multiple of 8 elements, 0 for the default.
    #[must_use]
    pub fn with_block_elements(self, block_elements: u32) -> Self {
        Self { block_elements, ..self }
    }

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

    /// The blocks with a length, and what is left after them.
    fn blocks_of<'a>(
        &self,
        header: Header,
        mut blocks: FramedBlocks<'a>,
    ) -> impl Iterator<Item = Result<Block>> + use<'a> {
        let raw = self.leftover(header.n_bytes);
        let mut raw = (!raw.is_empty()).then_some(raw);
        let mut failed = false;
        std::iter::from_fn(move || {
            if let Some(read) = blocks.next() {
                failed = read.is_err();
                return Some(read.map(|(block, _)| block));
            }
            let decoded = raw.take().filter(|_| !failed)?;
            let mut cursor = blocks.cursor().clone();
            let start = cursor.at();
            let stored = cursor.take(decoded.len()).map(|bytes| start..start + bytes.len());
            Some(stored.map(|stored| Block { stored, decoded, storage: Storage::Raw }))
        })
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

    /// Whether a chunk has a header and length-prefixed blocks.
    pub(crate) fn is_compressed(&self) -> bool {
        self.compression != Compression::None
    }

    fn pace(&self) -> Pace {
        match self.compression {
            Compression::None => Pace::Memory,
            Compression::Lz4 => Pace::Fast,
            Compression::Zstd { .. } => Pace::Slow,
        }
    }

    /// Bytes of 8 elements, which blocks are multiples of.
    pub(crate) fn group_bytes(&self) -> usize {
        self.element_bytes.saturating_mul(GROUP)
    }

    /// The block size in bytes that chunks are written with.
    pub(crate) fn block_bytes(&self) -> Result<usize> {
        params::check_block(self.block_elements, self.element_bytes, 3)?;
        if self.block_elements != 0 {
            return Ok(self.block_elements as usize * self.element_bytes);
        }
        let elements = (DEFAULT_BLOCK_BYTES / self.element_bytes) & !(GROUP - 1);
        let block_bytes = elements.max(MIN_DEFAULT_ELEMENTS).saturating_mul(self.element_bytes);
        if block_bytes > MAX_BLOCK_BYTES {
            let element_bytes = self.element_bytes;
            return Err(Error::Argument(format!("elements of {element_bytes} bytes are too large for bitshuffle")));
        }
        Ok(block_bytes)
    }

    /// The elements at the end of a chunk that fill no group of 8.
    fn leftover(&self, n_bytes: usize) -> Range<usize> {
        let group_bytes = self.group_bytes();
        n_bytes - n_bytes % group_bytes..n_bytes
    }

    /// Refuses a chunk that ends within an element.
    fn check_elements(&self, n_bytes: usize) -> Result<()> {
        if n_bytes.is_multiple_of(self.element_bytes) {
            return Ok(());
        }
        let element_bytes = self.element_bytes;
        Err(Error::Argument(format!("{n_bytes} bytes are no whole number of elements of {element_bytes} bytes")))
    }

    /// The blocks of a chunk without compression: each stands where it decodes to.
    pub(crate) fn plain_blocks(&self, n_bytes: usize) -> Result<impl Iterator<Item = Block> + use<>> {
        self.check_elements(n_bytes)?;
        let (block_bytes, raw) = (self.block_bytes()?, self.leftover(n_bytes));
        let starts = (0..raw.start).step_by(block_bytes);
        let encoded = {
            let end = raw.start;
            starts.map(move |start| (start..end.min(start + block_bytes), Storage::Encoded))
        };
        let raw = (!raw.is_empty()).then_some((raw, Storage::Raw));
        Ok(encoded.chain(raw).map(|(range, storage)| Block { stored: range.clone(), decoded: range, storage }))
    }

    /// Does `work` on the blocks of a chunk without compression, and copies what is after them.
    fn for_plain_blocks(
        &self,
        threads: Threads,
        src: &[u8],
        dst: &mut [u8],
        work: impl Fn(&[u8], &mut [u8]) + Sync,
    ) -> Result<()> {
        let (block_bytes, raw_start) = (self.block_bytes()?, self.leftover(src.len()).start);
        let (src, src_raw) = src.split_at(raw_start);
        let (dst, dst_raw) = dst.split_at_mut(raw_start);
        dst_raw.copy_from_slice(src_raw);
        let part_bytes = block_bytes.saturating_mul(threads.units_per_part(src.len(), block_bytes));
        let parts = src.chunks(part_bytes).zip(dst.chunks_mut(part_bytes)).collect();
        threads.run(parts, || {
            |(src, dst): (&[u8], &mut [u8])| {
                src.chunks(block_bytes).zip(dst.chunks_mut(block_bytes)).for_each(|(from, to)| work(from, to));
            }
        });
        Ok(())
    }

    /// The header of a chunk, and its length-prefixed blocks.
    fn framed<'a>(&self, src: &'a [u8]) -> Result<(Header, FramedBlocks<'a>)> {
        let mut cursor = Cursor::new(src);
        let header = Header::read(&mut cursor)?;
        self.check_elements(header.n_bytes)?;
        if header.block_bytes == 0 || !header.block_bytes.is_multiple_of(self.group_bytes()) {
            return Err(Error::Corrupt { at: 8, what: "the block size is not a multiple of 8 elements" });
        }
        let framed_bytes = self.leftover(header.n_bytes).start;
        Ok((header, FramedBlocks::new(cursor, header.block_bytes, framed_bytes)))
    }

    /// Refuses a block that claims to decode to more than its bytes can hold.
    fn check_block(&self, Block { stored, decoded, storage }: &Block) -> Result<()> {
        if *storage == Storage::Encoded && decoded.len() > self.max_decoded_len(stored.len()) {
            let what = "the block is too short for its decoded size";
            return Err(Error::Corrupt { at: stored.start, what });
        }
        Ok(())
    }

    /// The most bytes that a compressed block can decode to.
    fn max_decoded_len(&self, n_bytes: usize) -> usize {
        match self.compression {
            Compression::None => n_bytes,
            Compression::Lz4 => lz4::max_decoded_len(n_bytes),
            Compression::Zstd { .. } => zstd::context::max_decoded_len(n_bytes),
        }
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

    fn max_encoded_len(&self, n_bytes: usize) -> usize {
        let Ok(block_bytes) = self.block_bytes() else { return n_bytes };
        let raw = self.leftover(n_bytes);
        let bound = match self.compression {
            Compression::None => return n_bytes,
            Compression::Lz4 => lz4::max_encoded_len,
            Compression::Zstd { .. } => zstd::context::max_encoded_len,
        };
        framing::max_encoded_len(raw.start, block_bytes, bound).saturating_add(raw.len())
    }

    fn encode(&self, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        self.check_elements(src.len())?;
        encode::chunk(self, exec.worth(self.pace(), src.len()), src, dst)
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
