//! Where the blocks of a chunk are, kept so that a part of it can be had from a part of its bytes.
//!
//! A chunk with length-prefixed blocks (filters 32008 with a compression, and 32004) says where a block begins only by the lengths of
//! all blocks before. Walked once, they are a [`BlockIndex`]: with it the bytes of the blocks that are wanted are all that has to
//! be read. Each length is compared again when it is used, so an index of another chunk is noticed.

use super::framing::{Block, HEADER_BYTES, LENGTH_BYTES, Storage};
use super::range::{Parts, Wanted};
use crate::{Error, Result};
use std::ops::Range;

/// The lengths of a chunk's blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockIndex {
    parts: Parts,
    /// Of the blocks with a length.
    lengths: Vec<u32>,
    /// Bytes after them, which are stored as they are.
    n_raw: usize,
}

impl BlockIndex {
    /// Of these blocks, each of which has a length, before `n_raw` bytes.
    pub(super) fn new(parts: Parts, n_raw: usize, blocks: impl Iterator<Item = Result<Block>>) -> Result<Self> {
        let lengths = blocks.map(|block| Ok(block?.stored.len() as u32)).collect::<Result<_>>()?;
        Ok(Self { parts, lengths, n_raw })
    }

    /// What the chunk and its blocks decode to.
    #[must_use]
    pub fn parts(&self) -> Parts {
        self.parts
    }

    /// Bytes of memory that it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.lengths.capacity() * size_of::<u32>()
    }

    /// The blocks that have any of `range`.
    fn blocks(&self, range: &Range<usize>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let end = range.end.div_ceil(self.parts.part_bytes).min(self.lengths.len());
        (range.start / self.parts.part_bytes).min(end)..end
    }

    fn stored_bytes(&self, blocks: Range<usize>) -> usize {
        self.lengths[blocks].iter().map(|n| LENGTH_BYTES + *n as usize).sum()
    }

    /// The decoded bytes that are in no block.
    fn raw(&self) -> Range<usize> {
        self.parts.n_bytes - self.n_raw..self.parts.n_bytes
    }

    /// The stored bytes that the decoded bytes `range` are in.
    #[must_use]
    pub fn stored(&self, range: &Range<usize>) -> Range<usize> {
        let blocks = self.blocks(range);
        let start = HEADER_BYTES + self.stored_bytes(0..blocks.start);
        let n_raw = if range.end > self.raw().start { self.n_raw } else { 0 };
        start..start + self.stored_bytes(blocks) + n_raw
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
        if bytes.len() != expected {
            return Err(Error::BufferSize { what: "the bytes of a part of a chunk", expected, found: bytes.len() });
        }
        let (mut wanted, mut at) = (Wanted::new(range, self.parts.n_bytes, dst)?, 0);
        for index in blocks {
            let block = self.block(index, at, bytes)?;
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
    fn block(&self, index: usize, at: usize, bytes: &[u8]) -> Result<Block> {
        let length = self.lengths[index];
        if bytes[at..at + LENGTH_BYTES] != length.to_be_bytes() {
            return Err(Error::Corrupt { at, what: "a block has another length than when the chunk was walked" });
        }
        let (first, start) = (at + LENGTH_BYTES, index * self.parts.part_bytes);
        let decoded = start..self.raw().start.min(start + self.parts.part_bytes);
        Ok(Block { stored: first..first + length as usize, decoded, storage: Storage::Encoded })
    }
}
