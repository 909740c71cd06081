//! The 12-byte header and length-prefixed blocks that filters 32008 and 32004 share.
//!
//! A chunk begins with its decoded size in bytes (u64, big-endian) and its block size in bytes (u32, big-endian). Each
//! block follows as a big-endian u32 length and that many bytes; every block but the last decodes to the block size.
//! Bytes behind the last block are not looked at: the reference implementations do not either.

use super::cursor::Cursor;
use crate::{Error, Result};
use std::ops::Range;

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 12;

/// Bytes of the length in front of a block.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The header's two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Decoded size of the chunk.
    pub(crate) n_bytes: usize,
    /// Decoded size of every block but the last.
    pub(crate) block_bytes: usize,
}

impl Header {
    /// Reads the header, and refuses a chunk of 4 GiB and more, which HDF5 does not have.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let n_bytes = cursor.u64_be()?;
        let block_bytes = cursor.u32_be()?;
        let n_bytes = u32::try_from(n_bytes).ok().and_then(|n| usize::try_from(n).ok());
        let n_bytes = n_bytes.ok_or(Error::Corrupt { at: 0, what: "the decoded size is 4 GiB or more" })?;
        let block_bytes = usize::try_from(block_bytes).unwrap_or(usize::MAX);
        Ok(Self { n_bytes, block_bytes })
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&(self.n_bytes as u64).to_be_bytes());
        bytes[8..].copy_from_slice(&(self.block_bytes as u32).to_be_bytes());
        bytes
    }
}

/// How the bytes of a [`Block`] are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// As the codec encodes a block.
    Encoded,
    /// As they are: LZ4's stored blocks, and the elements behind the last bitshuffle block.
    Raw,
}

/// One block of a chunk: where its bytes stand, and where they decode to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The block's bytes in the stored chunk, without the length in front of them.
    pub stored: Range<usize>,
    /// The bytes of the decoded chunk that it holds.
    pub decoded: Range<usize>,
    /// How it is stored.
    pub storage: Storage,
}

/// Walks the length-prefixed blocks of a chunk. After the first error there are no more.
#[derive(Debug, Clone)]
pub(crate) struct FramedBlocks<'a> {
    cursor: Cursor<'a>,
    block_bytes: usize,
    /// Decoded bytes before the next block, and behind the last one.
    next: usize,
    end: usize,
}

impl<'a> FramedBlocks<'a> {
    /// The blocks of `n_bytes` decoded bytes that `cursor` stands before. `block_bytes` is not 0.
    pub(crate) fn new(cursor: Cursor<'a>, block_bytes: usize, n_bytes: usize) -> Self {
        debug_assert_ne!(block_bytes, 0);
        Self { cursor, block_bytes, next: 0, end: n_bytes }
    }

    /// Where the walk stands: behind the last block once all are taken.
    pub(crate) fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    fn read(&mut self) -> Result<(Block, &'a [u8])> {
        let stored_len = usize::try_from(self.cursor.u32_be()?).unwrap_or(usize::MAX);
        let at = self.cursor.at();
        let bytes = self.cursor.take(stored_len)?;
        let decoded = self.next..self.end.min(self.next + self.block_bytes);
        self.next = decoded.end;
        Ok((Block { stored: at..at + stored_len, decoded, storage: Storage::Encoded }, bytes))
    }
}

impl<'a> Iterator for FramedBlocks<'a> {
    type Item = Result<(Block, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        let read = self.read();
        if read.is_err() {
            self.next = self.end;
        }
        Some(read)
    }
}

/// Decoded and stored bytes of a whole framed chunk: the header, and per block a length and the block's bound.
pub(crate) fn max_encoded_len(n_bytes: usize, block_bytes: usize, block_bound: impl Fn(usize) -> usize) -> usize {
    let (n_full, last) = (n_bytes / block_bytes.max(1), n_bytes % block_bytes.max(1));
    let full = LENGTH_BYTES.saturating_add(block_bound(block_bytes)).saturating_mul(n_full);
    let last = if last == 0 { 0 } else { LENGTH_BYTES.saturating_add(block_bound(last)) };
    HEADER_BYTES.saturating_add(full).saturating_add(last)
}

/// Puts a header and blocks to the front of a buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    dst: &'a mut [u8],
    at: usize,
    /// What the caller should have brought, for the error.
    needed: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(dst: &'a mut [u8], needed: usize) -> Self {
        Self { dst, at: 0, needed }
    }

    /// Bytes written so far.
    pub(crate) fn n_bytes(&self) -> usize {
        self.at
    }

    fn too_small(&self) -> Error {
        Error::OutputTooSmall { needed: self.needed, available: self.dst.len() }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let too_small = self.too_small();
        let end = self.at + bytes.len();
        self.dst.get_mut(self.at..end).ok_or(too_small)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    /// Lets `encode` put a block behind its length. `encode` returns the block's bytes, `None` where they do not fit.
    pub(crate) fn put_block(&mut self, encode: impl FnOnce(&mut [u8]) -> Option<usize>) -> Result<()> {
        let too_small = self.too_small();
        let rest = self.dst.get_mut(self.at..).and_then(|rest| rest.split_at_mut_checked(LENGTH_BYTES));
        let (length, block) = rest.ok_or(too_small.clone())?;
        let n_bytes = encode(block).ok_or(too_small)?;
        length.copy_from_slice(&(n_bytes as u32).to_be_bytes());
        self.at += LENGTH_BYTES + n_bytes;
        Ok(())
    }
}

/// Moves an error's offset from within a block to within the chunk.
pub(crate) fn offset_error(error: Error, base: usize) -> Error {
    match error {
        Error::Corrupt { at, what } => Error::Corrupt { at: at + base, what },
        Error::Truncated { at, needed, available } => Error::Truncated { at: at + base, needed, available },
        other => other,
    }
}
