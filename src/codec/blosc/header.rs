//! The 16 bytes at the front of a Blosc chunk, and the blocks that they describe.
//!
//! Little-endian: format version (2), version of the compressor's format (1), flags, element size, then three u32:
//! decoded bytes, bytes a block, bytes of the whole chunk. Nothing here trusts them: a [`Header`] that was read is
//! consistent in itself and with the bytes that are there.

use std::ops::Range;

use super::compressor::Format;
use crate::codec::cursor::Cursor;
use crate::{Error, Result};

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 16;
/// The most bytes a chunk may hold: its size with the header must fit an `int32_t`.
pub(super) const MAX_BYTES: usize = i32::MAX as usize - HEADER_BYTES;
/// Inputs (and streams of a block) shorter than this are not compressed or split.
pub(super) const MIN_BYTES: usize = 128;
/// Elements larger than this are not split into a stream a byte.
pub(super) const MAX_SPLIT: usize = 16;

const FORMAT_VERSION: u8 = 2;
const COMPRESSOR_VERSION: u8 = 1;

const BYTE_SHUFFLED: u8 = 0x01;
const COPIED: u8 = 0x02;
const BIT_SHUFFLED: u8 = 0x04;
const RESERVED: u8 = 0x08;
const NOT_SPLIT: u8 = 0x10;
const FORMAT_SHIFT: u32 = 5;

/// What is done to a block before it is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// Nothing.
    None,
    /// The first bytes of all elements, then the second bytes, and so on.
    Byte,
    /// The first bits of all elements, then the second bits, and so on.
    Bit,
}

/// A checked header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The compressor's format; `None` where the chunk is a plain copy.
    pub(super) format: Option<Format>,
    /// What the flags say of shuffling.
    pub(super) shuffle: Shuffle,
    /// Whether blocks are one stream each.
    pub(super) whole_blocks: bool,
    /// Bytes of an element, 1 to 255.
    pub(super) type_size: usize,
    /// Decoded bytes.
    pub(super) n_bytes: usize,
    /// Decoded bytes of each block but the last, which may be shorter. At least 1, and at most `n_bytes` where that
    /// is not 0.
    pub(super) block_bytes: usize,
    /// Bytes of the whole chunk.
    pub(super) stored_len: usize,
}

impl Header {
    /// Reads and checks the header of `src`.
    pub(super) fn read(src: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(src);
        let version = cursor.u8()?;
        if version != FORMAT_VERSION {
            return Err(Error::Unsupported(format!(
                "the chunk has Blosc format {version}; format 2 (Blosc 1) is read"
            )));
        }
        let compressor_version = cursor.u8()?;
        let flags = cursor.u8()?;
        let type_size = usize::from(cursor.u8()?);
        let [n_bytes, block_bytes, stored_len] = [cursor.u32_le()?, cursor.u32_le()?, cursor.u32_le()?];
        let header = Self {
            format: read_format(flags, compressor_version)?,
            shuffle: read_shuffle(flags, type_size),
            whole_blocks: flags & NOT_SPLIT != 0,
            type_size,
            n_bytes: n_bytes as usize,
            block_bytes: block_bytes as usize,
            stored_len: stored_len as usize,
        };
        header.check(src.len())?;
        Ok(header)
    }

    fn check(&self, available: usize) -> Result<()> {
        let corrupt = |at, what| Err(Error::Corrupt { at, what });
        if self.type_size == 0 {
            return corrupt(3, "the element size is 0");
        }
        if self.n_bytes > MAX_BYTES {
            return corrupt(4, "the decoded size is more than Blosc can hold");
        }
        if self.block_bytes == 0 || self.block_bytes > self.n_bytes.max(1) {
            return corrupt(8, "the block size is 0 or more than the decoded size");
        }
        if self.stored_len > available {
            return Err(Error::Truncated { at: 0, needed: self.stored_len, available });
        }
        let front = match self.format {
            None if self.stored_len != HEADER_BYTES + self.n_bytes => {
                return corrupt(12, "the chunk is a plain copy, but its size is not that of its data");
            }
            None => HEADER_BYTES,
            Some(_) => self.front_bytes(),
        };
        if self.stored_len < front {
            return Err(Error::Truncated { at: HEADER_BYTES, needed: front, available: self.stored_len });
        }
        Ok(())
    }

    /// Writes the header to the front of `dst`, which is long enough. `format` is the compressor's even where the chunk
    /// is a plain copy.
    pub(super) fn write(&self, format: Format, dst: &mut [u8]) {
        let shuffle = match self.shuffle {
            Shuffle::None => 0,
            Shuffle::Byte => BYTE_SHUFFLED,
            Shuffle::Bit => BIT_SHUFFLED,
        };
        let copied = if self.format.is_none() { COPIED } else { 0 };
        let split = if self.whole_blocks { NOT_SPLIT } else { 0 };
        dst[0] = FORMAT_VERSION;
        dst[1] = COMPRESSOR_VERSION;
        dst[2] = shuffle | copied | split | ((format as u8) << FORMAT_SHIFT);
        dst[3] = self.type_size as u8;
        dst[4..8].copy_from_slice(&(self.n_bytes as u32).to_le_bytes());
        dst[8..12].copy_from_slice(&(self.block_bytes as u32).to_le_bytes());
        dst[12..16].copy_from_slice(&(self.stored_len as u32).to_le_bytes());
    }

    /// Blocks in the chunk.
    pub(super) fn n_blocks(&self) -> usize {
        self.n_bytes.div_ceil(self.block_bytes)
    }

    /// Bytes of the header and the table of block starts.
    pub(super) fn front_bytes(&self) -> usize {
        HEADER_BYTES + 4 * self.n_blocks()
    }

    /// The decoded bytes that block `index` holds.
    pub(super) fn block_range(&self, index: usize) -> Range<usize> {
        let start = index * self.block_bytes;
        start..(start + self.block_bytes).min(self.n_bytes)
    }

    /// The most bytes that a block of `n_bytes` is stored in: its streams as they are, each after its length.
    pub(super) fn max_stored(&self, n_bytes: usize) -> usize {
        n_bytes + 4 * self.n_streams(n_bytes)
    }

    /// The most bytes that header, table and all blocks are stored in.
    pub(super) fn max_stored_in_all(&self) -> usize {
        let last = self.n_bytes % self.block_bytes;
        let full = self.n_bytes / self.block_bytes * self.max_stored(self.block_bytes);
        self.front_bytes() + full + if last == 0 { 0 } else { self.max_stored(last) }
    }

    /// The streams that a block of `n_bytes` is stored as: one, or one for each byte of an element.
    ///
    /// Chunks older than the flag for whole blocks are split by the same rule, which only looks at sizes.
    pub(super) fn n_streams(&self, n_bytes: usize) -> usize {
        let is_short = n_bytes < self.block_bytes;
        if self.whole_blocks || is_short || !can_split(self.type_size, n_bytes) { 1 } else { self.type_size }
    }
}

/// Whether a block of `n_bytes` is large enough, and its elements small enough, for a stream a byte.
pub(super) fn can_split(type_size: usize, n_bytes: usize) -> bool {
    type_size <= MAX_SPLIT && n_bytes / type_size >= MIN_BYTES
}

fn read_format(flags: u8, compressor_version: u8) -> Result<Option<Format>> {
    if flags & RESERVED != 0 {
        return Err(Error::Unsupported("the chunk uses a flag of a later Blosc (0x08)".to_owned()));
    }
    if flags & COPIED != 0 {
        return Ok(None);
    }
    let number = flags >> FORMAT_SHIFT;
    let format = Format::from_number(number).ok_or_else(|| {
        Error::Unsupported(format!("the chunk uses compressor format {number}, which Blosc 1 does not have"))
    })?;
    if compressor_version != COMPRESSOR_VERSION {
        return Err(Error::Unsupported(format!(
            "the chunk uses version {compressor_version} of its compressor's format; version 1 is read"
        )));
    }
    Ok(Some(format))
}

/// Byte shuffle goes first where both flags are set, but does nothing to single bytes.
fn read_shuffle(flags: u8, type_size: usize) -> Shuffle {
    if flags & BYTE_SHUFFLED != 0 && type_size > 1 {
        Shuffle::Byte
    } else if flags & BIT_SHUFFLED != 0 {
        Shuffle::Bit
    } else {
        Shuffle::None
    }
}
