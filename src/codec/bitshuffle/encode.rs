//! Elements → chunk, a block at a time, so that a block's rows stay in the processor's nearest cache.

use super::geometry::{Bitshuffle, Compression};
use crate::codec::Codec;
use crate::codec::framing::{Header, Writer};
#[cfg(feature = "zstd")]
use crate::codec::zstd;
use crate::kernels::bitshuffle::transpose;
#[cfg(feature = "lz4")]
use crate::lz::lz4;
use crate::memory::scratch::Scratch;
use crate::{Error, Exec, Result};

pub(super) fn chunk(codec: &Bitshuffle, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    match codec.compression {
        Compression::None => plain(codec, exec, src, dst),
        #[cfg(feature = "lz4")]
        Compression::Lz4 => framed(codec, exec, src, dst, lz4::max_encoded_len, || {
            let mut encoder = lz4::Encoder::new(exec.level);
            move |rows: &[u8], dst: &mut [u8]| encoder.encode(rows, dst)
        }),
        #[cfg(feature = "zstd")]
        Compression::Zstd { level: zstd_level } => {
            zstd::check_level(zstd_level.cast_unsigned(), 5)?;
            let block_bytes = codec.block_bytes()?;
            framed(codec, exec, src, dst, zstd::context::max_encoded_len, || {
                let mut encoder = zstd::context::Encoder::for_bit_rows(exec.level, zstd_level, block_bytes);
                move |rows: &[u8], dst: &mut [u8]| encoder.encode_block(rows, dst)
            })
        }
    }
}

fn plain(codec: &Bitshuffle, exec: Exec, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let (needed, available) = (src.len(), dst.len());
    let dst = dst.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, available })?;
    codec.for_plain_blocks(exec.threads, src, dst, |from, to| transpose(exec.level, codec.element_bytes, from, to))?;
    Ok(needed)
}

fn framed<W>(
    codec: &Bitshuffle,
    exec: Exec,
    src: &[u8],
    dst: &mut [u8],
    bound: fn(usize) -> usize,
    encoder: impl Fn() -> W + Sync,
) -> Result<usize>
where
    W: FnMut(&[u8], &mut [u8]) -> Option<usize>,
{
    let block_bytes = codec.block_bytes()?;
    let mut writer = Writer::new(dst, codec.max_encoded_len(src.len()));
    writer.put(&Header { n_bytes: src.len(), block_bytes }.to_bytes())?;
    let raw = codec.leftover(src.len());
    writer.put_blocks(exec.threads, &src[..raw.start], block_bytes, bound, || {
        let mut rows = Scratch::new(block_bytes.min(raw.start));
        let mut encode = encoder();
        move |block, dst| {
            let rows = &mut rows[..block.len()];
            transpose(exec.level, codec.element_bytes, block, rows);
            encode(rows, dst)
        }
    })?;
    writer.put(&src[raw])?;
    Ok(writer.n_bytes())
}
