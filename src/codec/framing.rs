//! The 12-byte header and length-prefixed blocks that filters 32008 and 32004 share.
//!
//! A chunk begins with its decoded size in bytes (u64, big-endian) and its block size in bytes (u32, big-endian). Each
//! block follows as a big-endian u32 length and that many bytes; every block but the last decodes to the block size.
//! Bytes after the last block are not looked at: the reference implementations do not either.
//!
//! Blocks know nothing of each other, so several threads can have some each. What is stored is one row all the same, and
//! the first block that fails is the one that is reported.

use super::cursor::Cursor;
use crate::{Error, Result, Threads};
use std::ops::Range;

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 12;

/// Bytes of the length before a block.
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
    /// Reads the header, and refuses a chunk of 4 GiB and more, which HDF5 before 2.0 does not have.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self> {
        let n_bytes = cursor.u64_be()?;
        let block_bytes = cursor.u32_be()?;
        let n_bytes = match u32::try_from(n_bytes).ok().and_then(|n| usize::try_from(n).ok()) {
            Some(n_bytes) => n_bytes,
            None => return Err(too_large(n_bytes, cursor)),
        };
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

/// A chunk that HDF5 2.0 or later can have, or one that is damaged.
fn too_large(n_bytes: u64, rest: &Cursor<'_>) -> Error {
    /// The most that any of the compressors makes of a byte.
    const MAX_EXPANSION: u64 = 1 << 15;
    if n_bytes / MAX_EXPANSION > rest.rest().len() as u64 {
        return Error::Corrupt { at: 0, what: "the decoded size is more than the chunk's bytes can hold" };
    }
    Error::Unsupported(format!(
        "the chunk decodes to {n_bytes} bytes; this filter reads chunks of less than 4 GiB, as \
                                all are in HDF5 before 2.0"
    ))
}

/// How the bytes of a [`Block`] are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// As the codec encodes a block.
    Encoded,
    /// As they are: LZ4's stored blocks, and the elements after the last bitshuffle block.
    Raw,
}

/// One block of a chunk: where its bytes stand, and where they decode to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The block's bytes in the stored chunk, without the length before them.
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
    /// Decoded bytes before the next block, and after the last one.
    next: usize,
    end: usize,
}

impl<'a> FramedBlocks<'a> {
    /// The blocks of `n_bytes` decoded bytes that `cursor` stands before. `block_bytes` is not 0.
    pub(crate) fn new(cursor: Cursor<'a>, block_bytes: usize, n_bytes: usize) -> Self {
        debug_assert_ne!(block_bytes, 0);
        Self { cursor, block_bytes, next: 0, end: n_bytes }
    }

    /// Where the walk stands: after the last block once all are taken.
    pub(crate) fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    /// Decodes all blocks into `dst`, the whole decoded chunk. `worker` makes what one thread decodes a block with.
    /// Returns where the last block ends.
    pub(crate) fn decode<W>(self, threads: Threads, dst: &mut [u8], worker: impl Fn() -> W + Sync) -> Result<Cursor<'a>>
    where
        W: FnMut(Block, &[u8], &mut [u8]) -> Result<()>,
    {
        let mut parts = Vec::new();
        let mut rest = dst;
        for blocks in self.split(threads) {
            let (part, after) = rest.split_at_mut(blocks.end - blocks.next);
            parts.push((blocks, part));
            rest = after;
        }
        let ends = threads.run(parts, || {
            let mut decode = worker();
            move |(mut blocks, part): (Self, &mut [u8])| {
                let start = blocks.next;
                for read in blocks.by_ref() {
                    let (block, bytes) = read?;
                    let place = block.decoded.start - start..block.decoded.end - start;
                    decode(block, bytes, &mut part[place])?;
                }
                Ok(blocks.cursor)
            }
        });
        let ends = ends.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(ends.into_iter().next_back().expect("there is a part, if an empty one"))
    }

    /// The same blocks in parts. A block whose length is damaged is in the last part, and so are all after it.
    fn split(self, threads: Threads) -> Vec<Self> {
        let n_bytes = self.end - self.next;
        let n_blocks = n_bytes.div_ceil(self.block_bytes);
        let per_part = threads.units_per_part(n_bytes, self.block_bytes);
        let (mut parts, mut rest) = (Vec::new(), self);
        for _ in 1..n_blocks.div_ceil(per_part) {
            let start = rest.clone();
            if rest.by_ref().take(per_part).any(|read| read.is_err()) {
                rest = start;
                break;
            }
            parts.push(Self { end: rest.next, ..start });
        }
        parts.push(rest);
        parts
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
    HEADER_BYTES.saturating_add(max_blocks_len(n_bytes, block_bytes, block_bound))
}

fn max_blocks_len(n_bytes: usize, block_bytes: usize, block_bound: impl Fn(usize) -> usize) -> usize {
    let (n_full, last) = (n_bytes / block_bytes.max(1), n_bytes % block_bytes.max(1));
    let full = LENGTH_BYTES.saturating_add(block_bound(block_bytes)).saturating_mul(n_full);
    let last = if last == 0 { 0 } else { LENGTH_BYTES.saturating_add(block_bound(last)) };
    full.saturating_add(last)
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

    /// Encodes `src` in blocks of `block_bytes`, each after its length. `worker` makes what one thread encodes a block
    /// with: to the front of its output, which has as much room as `bound` says where the caller's has it; the bytes
    /// written, or `None` where they do not fit.
    pub(crate) fn put_blocks<W>(
        &mut self,
        threads: Threads,
        src: &[u8],
        block_bytes: usize,
        bound: impl Fn(usize) -> usize,
        worker: impl Fn() -> W + Sync,
    ) -> Result<()>
    where
        W: FnMut(&[u8], &mut [u8]) -> Option<usize>,
    {
        let part_bytes = block_bytes.saturating_mul(threads.units_per_part(src.len(), block_bytes));
        let needed = max_blocks_len(src.len(), block_bytes, &bound);
        let rooms = if part_bytes < src.len() { self.dst[self.at..].get_mut(..needed) } else { None };
        let Some(rooms) = rooms else {
            let mut encode = worker();
            return src.chunks(block_bytes).try_for_each(|block| self.put_block(|dst| encode(block, dst)));
        };
        // Each part is encoded where it would stand if none of those before it had shrunk.
        let room_bytes = max_blocks_len(part_bytes, block_bytes, &bound);
        let parts = src.chunks(part_bytes).zip(rooms.chunks_mut(room_bytes)).collect();
        let encoded = threads.run(parts, || {
            let mut encode = worker();
            move |(src, room): (&[u8], &mut [u8])| {
                let mut part = Writer::new(room, needed);
                src.chunks(block_bytes).try_for_each(|block| part.put_block(|dst| encode(block, dst)))?;
                Ok(part.at)
            }
        });
        let start = self.at;
        for (index, n_bytes) in encoded.into_iter().enumerate() {
            let n_bytes = n_bytes.map_err(|_: Error| self.too_small())?;
            let from = start + index * room_bytes;
            self.dst.copy_within(from..from + n_bytes, self.at);
            self.at += n_bytes;
        }
        Ok(())
    }

    /// Lets `encode` put a block after its length. `encode` returns the block's bytes, `None` where they do not fit.
    fn put_block(&mut self, encode: impl FnOnce(&mut [u8]) -> Option<usize>) -> Result<()> {
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
