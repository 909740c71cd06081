//! Chunk → elements, a block at a time.

use super::OpenBitshuffle;
use super::geometry::{Bitshuffle, Compression};
use crate::codec::framing::{self, Block, FramedBlocks, Header, Storage};
use crate::codec::range::{Piece, Wanted};
#[cfg(feature = "zstd")]
use crate::codec::zstd;
use crate::cpu::Level;
use crate::kernels::bitshuffle::{fetch_first, inverse, inverse_rows};
#[cfg(feature = "zstd")]
use crate::kernels::zero;
#[cfg(feature = "lz4")]
use crate::lz::lz4;
use crate::lz::vector::matches::SLACK_BYTES;
use crate::memory::scratch::Scratch;
use crate::{Error, Exec, Result};
use std::ops::Range;

/// A chunk with a compression.
pub(super) fn framed(
    codec: &Bitshuffle,
    exec: Exec,
    (header, framed): (Header, FramedBlocks<'_>),
    dst: &mut [u8],
) -> Result<()> {
    if header.n_bytes != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found: header.n_bytes });
    }
    let (dst, raw) = dst.split_at_mut(codec.leftover(header.n_bytes).start);
    let mut end = framed.decode(exec.threads, dst, || {
        let mut blocks = Blocks::new(codec, exec.level, header.block_bytes.min(header.n_bytes));
        move |block, bytes, dst| {
            let decoded = blocks.decode(bytes, dst);
            decoded.map_err(|error| framing::offset_error(error, block.stored.start))
        }
    })?;
    raw.copy_from_slice(end.take(raw.len())?);
    Ok(())
}

/// A chunk without one.
pub(super) fn plain(codec: &Bitshuffle, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<()> {
    if src.len() != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found: src.len() });
    }
    codec.check_elements(src.len())?;
    codec.for_plain_blocks(exec.threads, src, dst, |from, to| inverse(exec.level, codec.element_bytes, from, to))
}

/// The bytes `range` of a chunk, of which it decodes no other blocks.
pub(super) fn range(chunk: &OpenBitshuffle<'_>, level: Level, range: Range<usize>, dst: &mut [u8]) -> Result<usize> {
    let OpenBitshuffle { codec, src, framed } = chunk;
    let Some((header, blocks)) = framed else {
        let mut wanted = Wanted::new(range, src.len(), dst)?;
        for block in codec.plain_blocks(src.len())? {
            take(codec, level, src, &block, &mut wanted)?;
        }
        return Ok(wanted.n_parts());
    };
    let mut wanted = Wanted::new(range, header.n_bytes, dst)?;
    for block in codec.blocks_of(*header, blocks.clone()) {
        let block = block?;
        if wanted.ends_before(block.decoded.start) {
            break;
        }
        take(codec, level, src, &block, &mut wanted)?;
    }
    Ok(wanted.n_parts())
}

/// Hands on one block after the other, of a chunk whose blocks are long enough for its size.
pub(super) fn visit(chunk: &OpenBitshuffle<'_>, level: Level, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
    let OpenBitshuffle { codec, src, framed } = chunk;
    let mut piece = Piece::default();
    let Some((header, blocks)) = framed else {
        for block in codec.plain_blocks(src.len())? {
            piece.visit(block.decoded.clone(), visit, |dst| codec.decode_block(level, src, &block, dst))?;
        }
        return Ok(());
    };
    let mut decoder = Blocks::new(codec, level, header.block_bytes.min(header.n_bytes));
    for block in codec.blocks_of(*header, blocks.clone()) {
        let Block { stored, decoded, storage } = block?;
        let bytes = &src[stored.clone()];
        piece.visit(decoded, visit, |dst| match storage {
            Storage::Raw => {
                dst.copy_from_slice(bytes);
                Ok(())
            }
            Storage::Encoded => decoder.decode(bytes, dst).map_err(|error| framing::offset_error(error, stored.start)),
        })?;
    }
    Ok(())
}

fn take(codec: &Bitshuffle, level: Level, src: &[u8], block: &Block, wanted: &mut Wanted<'_>) -> Result<()> {
    codec.check_block(block)?;
    wanted.take(block.decoded.clone(), |dst| codec.decode_block(level, src, block, dst))
}

/// Decodes blocks one after the other, with the same working memory.
pub(super) struct Blocks {
    level: Level,
    element_bytes: usize,
    compression: Compression,
    /// The rows of a block: as long as the largest block that will come.
    rows: Scratch,
    #[cfg(feature = "zstd")]
    zstd: zstd::context::Decoder,
}

impl Blocks {
    /// For blocks of at most `max_bytes`, which the caller's output is no shorter than.
    pub(super) fn new(codec: &Bitshuffle, level: Level, max_bytes: usize) -> Self {
        let &Bitshuffle { element_bytes, compression, .. } = codec;
        let n_scratch = if compression == Compression::None { 0 } else { max_bytes + SLACK_BYTES };
        let rows = Scratch::new(n_scratch);
        Self {
            level,
            element_bytes,
            compression,
            rows,
            #[cfg(feature = "zstd")]
            zstd: zstd::context::Decoder::new(level),
        }
    }

    /// Decodes `bytes` into the whole of `dst`, a multiple of 8 elements and not empty: no chunk has an empty block.
    pub(super) fn decode(&mut self, bytes: &[u8], dst: &mut [u8]) -> Result<()> {
        fetch_first(self.level, dst);
        let n_all = 8 * self.element_bytes;
        let row_bytes = dst.len() / n_all;
        let (rows, n_rows) = match self.compression {
            Compression::None if bytes.len() == dst.len() => (bytes, n_all),
            Compression::None => return Err(Error::WrongSize { expected: dst.len(), found: bytes.len() }),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => {
                let rows = &mut self.rows[..dst.len() + SLACK_BYTES];
                let n_rows = lz4::decode_rows(self.level, bytes, rows, dst.len(), row_bytes)?;
                (&rows[..dst.len()], n_rows)
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } if self.zstd.knows_zeros(bytes, dst.len()) => {
                zero::clear(dst);
                return Ok(());
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => (self.zstd.decode(bytes, &mut self.rows, dst.len())?, n_all),
        };
        let n_rows = if n_rows == n_all { without_repeats(rows, row_bytes) } else { n_rows };
        inverse_rows(self.level, self.element_bytes, rows, n_rows, dst);
        Ok(())
    }
}

/// How many rows there are up to the one that all after it are like.
fn without_repeats(rows: &[u8], row_bytes: usize) -> usize {
    let (after, before) = (rows.rchunks_exact(row_bytes), rows[..rows.len() - row_bytes].rchunks_exact(row_bytes));
    rows.len() / row_bytes - after.zip(before).take_while(|(row, before)| row == before).count()
}
