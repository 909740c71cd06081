//! What a chunk of bitshuffle consists of: its blocks, and the elements after them.

use crate::codec::cursor::Cursor;
use crate::codec::framing::{self, Block, FramedBlocks, Header, Storage};
#[cfg(feature = "zstd")]
use crate::codec::zstd;
#[cfg(feature = "lz4")]
use crate::lz::lz4;
use crate::threads::Pace;
use crate::{Error, Result, Threads};
use std::ops::Range;

/// Elements whose bits share a byte: blocks are multiples of it.
pub(super) const GROUP_ELEMENTS: usize = 8;

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
    #[cfg(feature = "lz4")]
    Lz4,
    /// Zstd, a frame each.
    #[cfg(feature = "zstd")]
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
    pub(super) element_bytes: usize,
    pub(super) block_elements: u32,
    pub(super) compression: Compression,
    pub(super) chunk_bytes: Option<usize>,
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

    /// The blocks with a length, and what is left after them.
    pub(super) fn blocks_of<'a>(
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

    /// Whether a chunk has a header and length-prefixed blocks.
    pub(crate) fn is_compressed(&self) -> bool {
        self.compression != Compression::None
    }

    pub(super) fn pace(&self) -> Pace {
        match self.compression {
            Compression::None => Pace::Memory,
            #[cfg(feature = "lz4")]
            Compression::Lz4 => Pace::Fast,
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => Pace::Slow,
        }
    }

    /// Bytes of 8 elements, which blocks are multiples of.
    pub(crate) fn group_bytes(&self) -> usize {
        self.element_bytes.saturating_mul(GROUP_ELEMENTS)
    }

    /// The block size in bytes that chunks are written with.
    pub(crate) fn block_bytes(&self) -> Result<usize> {
        check_block_elements(self.block_elements, self.element_bytes, 3)?;
        if self.block_elements != 0 {
            return Ok(self.block_elements as usize * self.element_bytes);
        }
        let elements = (DEFAULT_BLOCK_BYTES / self.element_bytes) & !(GROUP_ELEMENTS - 1);
        let block_bytes = elements.max(MIN_DEFAULT_ELEMENTS).saturating_mul(self.element_bytes);
        if block_bytes > MAX_BLOCK_BYTES {
            let element_bytes = self.element_bytes;
            return Err(Error::Argument(format!("elements of {element_bytes} bytes are too large for bitshuffle")));
        }
        Ok(block_bytes)
    }

    /// The elements at the end of a chunk that fill no group of 8.
    pub(super) fn leftover(&self, n_bytes: usize) -> Range<usize> {
        let group_bytes = self.group_bytes();
        n_bytes - n_bytes % group_bytes..n_bytes
    }

    /// Refuses a chunk that ends within an element.
    pub(super) fn check_elements(&self, n_bytes: usize) -> Result<()> {
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
    pub(super) fn for_plain_blocks(
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
    pub(super) fn framed<'a>(&self, src: &'a [u8]) -> Result<(Header, FramedBlocks<'a>)> {
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
    pub(super) fn check_block(&self, Block { stored, decoded, storage }: &Block) -> Result<()> {
        if *storage == Storage::Encoded && decoded.len() > self.max_decoded_len(stored.len()) {
            let what = "the block is too short for its decoded size";
            return Err(Error::Corrupt { at: stored.start, what });
        }
        Ok(())
    }

    /// The most bytes of a chunk of `n_bytes` whose blocks have no more than `bound` says.
    pub(super) fn max_framed_len(&self, n_bytes: usize, bound: fn(usize) -> usize) -> usize {
        let Ok(block_bytes) = self.block_bytes() else { return n_bytes };
        let raw = self.leftover(n_bytes);
        framing::max_encoded_len(raw.start, block_bytes, bound).saturating_add(raw.len())
    }

    /// The most bytes that a compressed block can decode to.
    pub(super) fn max_decoded_len(&self, n_bytes: usize) -> usize {
        match self.compression {
            Compression::None => n_bytes,
            #[cfg(feature = "lz4")]
            Compression::Lz4 => lz4::max_decoded_len(n_bytes),
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => zstd::context::max_decoded_len(n_bytes),
        }
    }
}

/// Refuses a block size that no chunk can be written with. `index` is its slot.
pub(super) fn check_block_elements(block_elements: u32, element_bytes: usize, index: usize) -> Result<()> {
    if !block_elements.is_multiple_of(GROUP_ELEMENTS as u32) {
        let what = "a bitshuffle block is a multiple of 8 elements; give 0 for the default";
        return Err(Error::Parameter { index, value: block_elements, what });
    }
    let block_bytes = u64::from(block_elements).saturating_mul(element_bytes as u64);
    if block_bytes > MAX_BLOCK_BYTES as u64 {
        let what = "a bitshuffle block has at most 1 GiB; give 0 for the default";
        return Err(Error::Parameter { index, value: block_elements, what });
    }
    Ok(())
}
