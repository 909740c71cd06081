//! A whole chunk encoded: blocks one after the other, or a plain copy where that is not larger.
//!
//! Several threads encode each part where it would stand if none before it had shrunk, and it is moved. Where the output
//! ends, what is written depends on the room that is left: there blocks are encoded in their places, one after the other.

use std::ops::Range;

use super::header::{HEADER_BYTES, Header, MAX_BYTES, Shuffle};
use super::params::Encoding;
use super::stream::Encoder;
use super::{filter, geometry};
use crate::cpu::Level;
use crate::memory::scratch::Scratch;
use crate::{Error, Exec, Result, Threads};

/// Encodes `src` to the front of `dst` and returns the bytes written, at most `src.len() + 16`. Several threads need
/// [`max_used`] bytes.
pub(super) fn encode(exec: Exec, encoding: &Encoding, type_size: usize, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    if src.len() > MAX_BYTES {
        let n = src.len();
        return Err(Error::Argument(format!("a chunk of {n} bytes is larger than Blosc's limit of {MAX_BYTES}")));
    }
    let mut header = header(encoding, type_size, src.len());
    let plain_len = src.len() + HEADER_BYTES;
    if !geometry::is_plain(encoding, src.len()) {
        let exec = exec.worth(encoding.compressor.pace(), src.len());
        if let Some(n) = encode_blocks(exec, encoding, &header, src, dst) {
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

/// The most bytes of the output that encoding makes use of.
pub(super) fn max_used(encoding: &Encoding, type_size: usize, n_bytes: usize) -> usize {
    let plain_len = n_bytes.saturating_add(HEADER_BYTES);
    if n_bytes > MAX_BYTES || geometry::is_plain(encoding, n_bytes) {
        return plain_len;
    }
    header(encoding, type_size, n_bytes).max_stored_in_all().max(plain_len)
}

/// Writes block starts and blocks after the header; `None` where they do not fit, or are no shorter than a plain copy.
fn encode_blocks(exec: Exec, encoding: &Encoding, header: &Header, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    let new_encoder = || BlockEncoder::new(exec.level, encoding, header);
    let room = dst.len().min(src.len() + HEADER_BYTES - 1);
    let per_part = exec.threads.units_per_part(src.len(), header.block_bytes);
    let (mut n_done, mut at) = (0, header.front_bytes());
    if per_part < header.n_blocks() && dst.len() >= header.max_stored_in_all() {
        let parts = encode_parts(exec.threads, new_encoder, header, per_part, src, dst)?;
        (n_done, at) = move_together(header, &parts, per_part, room, dst);
    }
    let dst = &mut dst[..room];
    let mut encoder = new_encoder();
    for index in n_done..header.n_blocks() {
        dst.get_mut(start_at(index))?.copy_from_slice(&(at as u32).to_le_bytes());
        at += encoder.encode(&src[header.block_range(index)], dst.get_mut(at..)?)?;
    }
    Some(at)
}

/// Encodes all blocks, each part into its room. Returns the blocks' lengths.
fn encode_parts<'a>(
    threads: Threads,
    new_encoder: impl Fn() -> BlockEncoder<'a> + Sync,
    header: &Header,
    per_part: usize,
    src: &[u8],
    dst: &mut [u8],
) -> Option<Vec<Vec<usize>>> {
    let rooms = dst[header.front_bytes()..].chunks_mut(per_part * header.max_stored(header.block_bytes));
    let parts = src.chunks(per_part * header.block_bytes).zip(rooms).collect();
    let encoded = threads.run(parts, || {
        let mut encoder = new_encoder();
        move |(part, room): (&[u8], &mut [u8])| {
            let (mut at, mut lens) = (0, Vec::new());
            for block in part.chunks(header.block_bytes) {
                let len = encoder.encode(block, &mut room[at..])?;
                lens.push(len);
                at += len;
            }
            Some(lens)
        }
    });
    encoded.into_iter().collect()
}

/// Moves blocks together, and writes their starts, as long as they are the same however much room is left in the first
/// `room` bytes. Returns how many they are, and where the next one begins.
fn move_together(
    header: &Header,
    parts: &[Vec<usize>],
    per_part: usize,
    room: usize,
    dst: &mut [u8],
) -> (usize, usize) {
    let (mut index, mut at) = (0, header.front_bytes());
    for (part, lens) in parts.iter().enumerate() {
        let mut from = header.front_bytes() + part * per_part * header.max_stored(header.block_bytes);
        for len in lens {
            if room.saturating_sub(at) < header.max_stored(header.block_range(index).len()) {
                return (index, at);
            }
            dst[start_at(index)].copy_from_slice(&(at as u32).to_le_bytes());
            dst.copy_within(from..from + len, at);
            (index, at, from) = (index + 1, at + len, from + len);
        }
    }
    (index, at)
}

/// Where the table has the start of block `index`.
fn start_at(index: usize) -> Range<usize> {
    HEADER_BYTES + 4 * index..HEADER_BYTES + 4 * (index + 1)
}

/// What encoding one block after the other needs: contexts, and a block of scratch.
struct BlockEncoder<'a> {
    level: Level,
    header: &'a Header,
    streams: Encoder,
    scratch: Scratch,
}

impl<'a> BlockEncoder<'a> {
    fn new(level: Level, encoding: &Encoding, header: &'a Header) -> Self {
        let streams = Encoder::new(level, encoding.compressor, encoding.level);
        let scratch = Scratch::new(if header.shuffle == Shuffle::None { 0 } else { header.block_bytes });
        Self { level, header, streams, scratch }
    }

    /// Encodes `block` to the front of `dst` and returns its bytes; `None` where they do not fit.
    fn encode(&mut self, block: &[u8], dst: &mut [u8]) -> Option<usize> {
        let header = self.header;
        let kind = filter::effective(header.shuffle, header.type_size, block.len());
        let shuffled = if kind == Shuffle::None {
            block
        } else {
            let shuffled = &mut self.scratch[..block.len()];
            filter::apply(self.level, kind, header.type_size, block, shuffled);
            shuffled
        };
        let mut at = 0;
        for stream in shuffled.chunks_exact(block.len() / header.n_streams(block.len())) {
            at += encode_stream(&mut self.streams, stream, dst.get_mut(at..)?)?;
        }
        Some(at)
    }
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
