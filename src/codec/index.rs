//! Where the blocks of a chunk are, kept so that a part of it can be had from a part of its bytes.
//!
//! A chunk with length-prefixed blocks (filters 32008 with a compression, and 32004) says where a block begins only by the lengths of
//! all blocks before. Walked once, they are a [`BlockIndex`]: with it the bytes of the blocks that are wanted are all that has to
//! be read. Each length is compared again when it is used, so an index of another chunk is noticed.

use super::framing::{Block, HEADER_BYTES, LENGTH_BYTES, Storage};
use super::range::{Parts, Wanted};
use crate::{Error, Result};
use std::ops::Range;

/// Where the blocks of a chunk are: of all of them, or of some that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockIndex {
    parts: Parts,
    /// Blocks with a length that the chunk has.
    n_blocks: usize,
    /// Bytes after them, which are stored as they are.
    n_raw: usize,
    /// The first block that is known, and where its length is in the chunk.
    first: usize,
    at: usize,
    /// From `first` on.
    lengths: Vec<u32>,
}

impl BlockIndex {
    /// Of these blocks, each of which has a length, before `n_raw` bytes.
    pub(super) fn new(parts: Parts, n_raw: usize, blocks: impl Iterator<Item = Result<Block>>) -> Result<Self> {
        let lengths: Vec<u32> = blocks.map(|block| Ok(block?.stored.len() as u32)).collect::<Result<_>>()?;
        Ok(Self { parts, n_blocks: lengths.len(), n_raw, first: 0, at: HEADER_BYTES, lengths })
    }

    /// Of the blocks from `first` on of a chunk whose other numbers are those of [`parts`](Self::parts) and [`n_raw`](Self::n_raw):
    /// `places` says where each begins and, at its end, where the last ends.
    ///
    /// # Errors
    /// [`Error::Argument`] where no chunk has such blocks.
    pub fn of_some(parts: Parts, n_raw: usize, first: usize, places: &[usize]) -> Result<Self> {
        let refused = || Error::Argument("no chunk has blocks in these places".into());
        let n_blocks = parts.n_bytes.checked_sub(n_raw).and_then(|n| n.checked_next_multiple_of(parts.part_bytes));
        let n_blocks = n_blocks.ok_or_else(refused)? / parts.part_bytes;
        let lengths = places.windows(2).map(|pair| {
            let length = pair[1].checked_sub(pair[0]).and_then(|n| n.checked_sub(LENGTH_BYTES));
            length.and_then(|n| u32::try_from(n).ok()).ok_or_else(refused)
        });
        let lengths = lengths.collect::<Result<Vec<u32>>>()?;
        let at = *places.first().ok_or_else(refused)?;
        if at < HEADER_BYTES || first.checked_add(lengths.len()).is_none_or(|end| end > n_blocks) {
            return Err(refused());
        }
        Ok(Self { parts, n_blocks, n_raw, first, at, lengths })
    }

    /// What the chunk and its blocks decode to.
    #[must_use]
    pub fn parts(&self) -> Parts {
        self.parts
    }

    /// Bytes after the last block, which are stored as they are.
    #[must_use]
    pub fn n_raw(&self) -> usize {
        self.n_raw
    }

    /// Where each block begins in the stored chunk, with its length, and where the last ends.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        let ends = self.lengths.iter().scan(self.at, |at, n| {
            *at += LENGTH_BYTES + *n as usize;
            Some(*at)
        });
        std::iter::once(self.at).chain(ends)
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.lengths.capacity() * size_of::<u32>()
    }

    /// The blocks that have any of `range`.
    fn blocks(&self, range: &Range<usize>) -> Range<usize> {
        self.parts.blocks(self.n_raw, range)
    }

    /// Their lengths, if they are known.
    fn lengths(&self, blocks: &Range<usize>) -> Option<(&[u32], &[u32])> {
        let (start, end) = (blocks.start.checked_sub(self.first)?, blocks.end.checked_sub(self.first)?);
        Some((self.lengths.get(..start)?, self.lengths.get(start..end)?))
    }

    /// The decoded bytes that are in no block.
    fn raw(&self) -> Range<usize> {
        self.parts.n_bytes - self.n_raw..self.parts.n_bytes
    }

    /// The stored bytes that the decoded bytes `range` are in; none where their blocks are not known.
    #[must_use]
    pub fn stored(&self, range: &Range<usize>) -> Range<usize> {
        let n_bytes = |lengths: &[u32]| lengths.iter().map(|n| LENGTH_BYTES + *n as usize).sum::<usize>();
        let Some((before, inside)) = self.lengths(&self.blocks(range)) else { return 0..0 };
        let start = self.at + n_bytes(before);
        let n_raw = if range.end > self.raw().start { self.n_raw } else { 0 };
        start..start + n_bytes(inside) + n_raw
    }

    /// [`Filter::decode_by_index`](super::Filter::decode_by_index), where `decode_block` decodes one block of `bytes`.
    pub(super) fn decode(
        &self,
        range: Range<usize>,
        bytes: &[u8],
        dst: &mut [u8],
        decode_block: impl Fn(&Block, &mut [u8]) -> Result<()>,
    ) -> Result<usize> {
        let (blocks, expected) = (self.blocks(&range), self.stored(&range).len());
        let not_known = || Error::Argument(format!("it is not known where the blocks {blocks:?} are"));
        let (_, lengths) = self.lengths(&blocks).ok_or_else(not_known)?;
        if bytes.len() != expected {
            return Err(Error::BufferSize { what: "the bytes of a part of a chunk", expected, found: bytes.len() });
        }
        let (mut wanted, mut at) = (Wanted::new(range, self.parts.n_bytes, dst)?, 0);
        for (index, length) in blocks.zip(lengths) {
            let block = self.block(index, *length, at, bytes)?;
            at = block.stored.end;
            wanted.take(block.decoded.clone(), |dst| decode_block(&block, dst))?;
        }
        wanted.take(self.raw(), |dst| {
            dst.copy_from_slice(&bytes[at..]);
            Ok(())
        })?;
        Ok(wanted.n_parts())
    }

    /// Block `index`, whose length is at `at` in `bytes`.
    fn block(&self, index: usize, length: u32, at: usize, bytes: &[u8]) -> Result<Block> {
        if bytes[at..at + LENGTH_BYTES] != length.to_be_bytes() {
            return Err(Error::Corrupt { at, what: "a block has another length than when the chunk was walked" });
        }
        let (first, start) = (at + LENGTH_BYTES, index * self.parts.part_bytes);
        let decoded = start..self.raw().start.min(start + self.parts.part_bytes);
        Ok(Block { stored: first..first + length as usize, decoded, storage: Storage::Encoded })
    }
}
