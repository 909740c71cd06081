//! Chunk → elements, a block at a time.

use super::{Bitshuffle, Compression};
use crate::codec::{framing, lz4, zstd};
use crate::cpu::Level;
use crate::kernels::bitshuffle::{inverse, inverse_planes, is_zero, prefetch_for_writing};
use crate::{Error, Result, Threads};

/// A chunk of this size is not in a cache when it is written. Measured: asking for its memory ahead gives a 18 MB frame a
/// seventh, and costs a 2 MB frame, which is in a cache, a tenth.
const LARGE_BYTES: usize = 8 << 20;

pub(super) fn chunk(codec: &Bitshuffle, level: Level, threads: Threads, src: &[u8], dst: &mut [u8]) -> Result<()> {
    if codec.compression == Compression::None {
        return plain(codec, level, threads, src, dst);
    }
    let (header, framed) = codec.framed(src)?;
    if header.n_bytes != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found: header.n_bytes });
    }
    let is_large = dst.len() >= LARGE_BYTES;
    let (dst, raw) = dst.split_at_mut(codec.leftover(header.n_bytes).start);
    let mut end = framed.decode(threads, dst, || {
        let mut blocks = Blocks::new(codec, level, header.block_bytes.min(header.n_bytes));
        move |block, bytes, dst| {
            if is_large {
                prefetch_for_writing(dst);
            }
            let decoded = blocks.decode(bytes, dst);
            decoded.map_err(|error| framing::offset_error(error, block.stored.start))
        }
    })?;
    raw.copy_from_slice(end.take(raw.len())?);
    Ok(())
}

fn plain(codec: &Bitshuffle, level: Level, threads: Threads, src: &[u8], dst: &mut [u8]) -> Result<()> {
    if src.len() != dst.len() {
        return Err(Error::WrongSize { expected: dst.len(), found: src.len() });
    }
    codec.check_elements(src.len())?;
    codec.for_plain_blocks(threads, src, dst, |from, to| inverse(level, codec.element_bytes, from, to))
}

/// Decodes blocks one after the other, with the same working memory.
pub(super) struct Blocks {
    level: Level,
    element_bytes: usize,
    compression: Compression,
    /// The rows of a block: as long as the largest block that will come.
    rows: Vec<u8>,
    zstd: zstd::context::Decoder,
}

impl Blocks {
    /// For blocks of at most `max_bytes`, which the caller's output is no shorter than.
    pub(super) fn new(codec: &Bitshuffle, level: Level, max_bytes: usize) -> Self {
        let &Bitshuffle { element_bytes, compression, .. } = codec;
        let rows =
            if compression == Compression::None { Vec::new() } else { vec![0; max_bytes + lz4::block::SLACK_BYTES] };
        Self { level, element_bytes, compression, rows, zstd: zstd::context::Decoder::new(level) }
    }

    /// Decodes `bytes` into the whole of `dst`, a multiple of 8 elements.
    pub(super) fn decode(&mut self, bytes: &[u8], dst: &mut [u8]) -> Result<()> {
        let (rows, used) = match self.compression {
            Compression::None if bytes.len() == dst.len() => (bytes, bytes.len()),
            Compression::None => return Err(Error::WrongSize { expected: dst.len(), found: bytes.len() }),
            Compression::Lz4 => {
                let rows = &mut self.rows[..dst.len() + lz4::block::SLACK_BYTES];
                let used = lz4::block::decode_prefix(self.level, bytes, rows, dst.len())?;
                (&rows[..dst.len()], used)
            }
            Compression::Zstd { .. } if self.zstd.knows_zeros(bytes, dst.len()) => {
                dst.fill(0);
                return Ok(());
            }
            Compression::Zstd { .. } => {
                self.zstd.decode_prefix(bytes, &mut self.rows, dst.len())?;
                (&self.rows[..dst.len()], dst.len())
            }
        };
        let nonzero_rows = nonzero_rows(self.level, self.element_bytes, rows, used);
        inverse_planes(self.level, self.element_bytes, rows, nonzero_rows, dst);
        Ok(())
    }
}

/// A bit for each row up to the last that is not zero. From `used` on, all bytes are.
fn nonzero_rows(level: Level, element_bytes: usize, rows: &[u8], used: usize) -> u64 {
    let row_bytes = rows.len() / (8 * element_bytes);
    if row_bytes == 0 || element_bytes > 8 {
        return u64::MAX;
    }
    let n_rows = used.div_ceil(row_bytes);
    let zeros = rows[..n_rows * row_bytes].rchunks(row_bytes).take_while(|row| is_zero(level, row));
    u64::MAX.checked_shr(64 - (n_rows - zeros.count()) as u32).unwrap_or(0)
}
