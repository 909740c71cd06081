//! A whole chunk encoded: blocks one after the other, or a plain copy where that is not larger.

use super::header::{HEADER_BYTES, Header, MAX_BYTES, Shuffle};
use super::stream::Encoder;
use super::{Encoding, filter, geometry};
use crate::cpu::Level;
use crate::{Error, Result};

/// Encodes `src` to the front of `dst` and returns the bytes written, at most `src.len() + 16`.
pub(super) fn encode(level: Level, encoding: &Encoding, type_size: usize, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    if src.len() > MAX_BYTES {
        let n = src.len();
        return Err(Error::Unsupported(format!("a chunk of {n} bytes is larger than Blosc's limit of {MAX_BYTES}")));
    }
    let mut header = header(encoding, type_size, src.len());
    let plain_len = src.len() + HEADER_BYTES;
    if !geometry::is_plain(encoding, src.len()) {
        let room = dst.len().min(plain_len - 1);
        if let Some(n) = encode_blocks(level, encoding, &header, src, &mut dst[..room]) {
            header.stored_len = n;
            header.write(encoding.compressor.format(), dst);
            return Ok(n);
        }
    }
    let available = dst.len();
    let dst = dst.get_mut(..plain_len).ok_or(Error::OutputTooSmall { needed: plain_len, available })?;
    header.format = None;
    header.stored_len = plain_len;
    header.write(encoding.compressor.format(), dst);
    dst[HEADER_BYTES..].copy_from_slice(src);
    Ok(plain_len)
}

/// The header of a chunk of `n_bytes` whose stored size is not known yet.
pub(super) fn header(encoding: &Encoding, type_size: usize, n_bytes: usize) -> Header {
    let block_bytes = geometry::block_bytes(encoding, type_size, n_bytes);
    Header {
        format: Some(encoding.compressor.format()),
        shuffle: encoding.shuffle,
        whole_blocks: !geometry::is_split(encoding.compressor, type_size, block_bytes),
        type_size,
        n_bytes,
        block_bytes,
        stored_len: 0,
    }
}

/// Writes block starts and blocks behind the header; `None` where they do not fit.
fn encode_blocks(level: Level, encoding: &Encoding, header: &Header, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    let mut streams = Encoder::new(level, encoding.compressor, encoding.level);
    let mut scratch = vec![0; if header.shuffle == Shuffle::None { 0 } else { header.block_bytes }];
    let mut at = header.front_bytes();
    for index in 0..header.n_blocks() {
        let block = &src[header.block_range(index)];
        let kind = filter::effective(header.shuffle, header.type_size, block.len());
        let shuffled = if kind == Shuffle::None {
            block
        } else {
            let shuffled = &mut scratch[..block.len()];
            filter::apply(level, kind, header.type_size, block, shuffled);
            shuffled
        };
        let start = HEADER_BYTES + 4 * index;
        dst.get_mut(start..start + 4)?.copy_from_slice(&(at as u32).to_le_bytes());
        for stream in shuffled.chunks_exact(block.len() / header.n_streams(block.len())) {
            at += encode_stream(&mut streams, stream, dst.get_mut(at..)?)?;
        }
    }
    Some(at)
}

/// One stream with its length before it. What does not get smaller is stored as it is, which its length tells.
fn encode_stream(streams: &mut Encoder, stream: &[u8], dst: &mut [u8]) -> Option<usize> {
    let (len, rest) = dst.split_first_chunk_mut::<4>()?;
    let room = rest.len().min(stream.len() - 1);
    let n = match streams.encode(stream, &mut rest[..room]) {
        Some(n) => n,
        None => {
            rest.get_mut(..stream.len())?.copy_from_slice(stream);
            stream.len()
        }
    };
    *len = (n as u32).to_le_bytes();
    Some(4 + n)
}
