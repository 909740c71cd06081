//! Elements → chunk, a block at a time, so that a block's rows stay in the processor's nearest cache.

use super::{Bitshuffle, Compression};
use crate::codec::framing::{Header, Writer};
use crate::codec::{Codec, lz4, zstd};
use crate::cpu::Level;
use crate::kernels::bitshuffle::transpose;
use crate::{Error, Result};

pub(super) fn chunk(codec: &Bitshuffle, level: Level, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let needed = codec.max_encoded_len(src.len());
    match codec.compression {
        Compression::None => plain(codec, level, src, dst),
        Compression::Lz4 => {
            let mut encoder = lz4::block::Encoder::new(level);
            framed(codec, level, src, Writer::new(dst, needed), |rows, dst| encoder.encode(rows, dst))
        }
        Compression::Zstd { level: zstd_level } => {
            zstd::check_level(zstd_level.cast_unsigned(), 5)?;
            let mut encoder = zstd::context::Encoder::new(zstd_level);
            framed(codec, level, src, Writer::new(dst, needed), |rows, dst| encoder.encode_block(rows, dst))
        }
    }
}

fn plain(codec: &Bitshuffle, level: Level, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let (needed, available) = (src.len(), dst.len());
    let dst = dst.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, available })?;
    let raw = codec.leftover(needed);
    let block_bytes = codec.block_bytes()?;
    for (from, to) in src[..raw.start].chunks(block_bytes).zip(dst.chunks_mut(block_bytes)) {
        transpose(level, codec.element_bytes, from, &mut to[..from.len()]);
    }
    dst[raw.clone()].copy_from_slice(&src[raw]);
    Ok(needed)
}

fn framed(
    codec: &Bitshuffle,
    level: Level,
    src: &[u8],
    mut writer: Writer<'_>,
    mut encode: impl FnMut(&[u8], &mut [u8]) -> Option<usize>,
) -> Result<usize> {
    let block_bytes = codec.block_bytes()?;
    writer.put(&Header { n_bytes: src.len(), block_bytes }.to_bytes())?;
    let raw = codec.leftover(src.len());
    let mut rows = vec![0; block_bytes.min(raw.start)];
    for block in src[..raw.start].chunks(block_bytes) {
        let rows = &mut rows[..block.len()];
        transpose(level, codec.element_bytes, block, rows);
        writer.put_block(|dst| encode(rows, dst))?;
    }
    writer.put(&src[raw])?;
    Ok(writer.n_bytes())
}
