//! Blocks of shuffled bytes behind LZ4 that are mostly zeros: detector data.
//!
//! The byte planes are decoded into memory of zeros that knows where it is not zero ([`Sparse`]), the block is cleared, and
//! only those elements are put together that are not zero. Nothing goes over the zeros of a plane, neither to write them nor to
//! read them.

use super::decode::{damaged, next_stream};
use super::header::MAX_SPLIT;
use super::lz4_stream;
use crate::Result;
use crate::codec::cursor::Cursor;
use crate::codec::lz4::sparse::{LINE, Sparse};
use crate::cpu::Level;
use crate::kernels::shuffle::{GROUP, unshuffle_marked};

/// A block whose streams have more than one byte for so many is not decoded here. Measured: with 70 it is faster by a third
/// and more, with 20 slower.
const DENSE: usize = 40;

/// Larger blocks are not decoded here: marks and groups, up to three bytes for 64 of the block, are more scratch than the block's
/// length, and are to stay within the 256 KiB that a decoder may take beyond that.
const MOST_BYTES: usize = 4 << 20;

const _: () = assert!(MAX_SPLIT < DENSE, "a stream that is stored as it is makes a block dense");
const _: () = assert!(GROUP == LINE, "a mark is for as many elements as a plane's line has bytes");

/// Scratch for a block.
#[derive(Debug, Default)]
pub(super) struct SparseBlock {
    planes: Sparse,
    /// Which groups of elements are not all zero.
    groups: Vec<u8>,
}

impl SparseBlock {
    /// Whether the `n_streams` that `streams` stands before are of mostly zeros, and the block of `n_bytes` that they make has
    /// whole pairs of groups, so that no line belongs to two planes.
    pub(super) fn takes(type_size: usize, mut streams: Cursor<'_>, n_streams: usize, n_bytes: usize) -> bool {
        if n_bytes > MOST_BYTES {
            return false;
        }
        let stored = (0..n_streams).map_while(|_| next_stream(&mut streams).ok().map(<[u8]>::len));
        n_bytes.is_multiple_of(2 * GROUP * type_size) && stored.sum::<usize>() <= n_bytes / DENSE
    }

    /// Decodes the `n_streams` that `streams` stands before, which begin at `start` of the chunk, into the whole of `dst`,
    /// which is zero. Returns the bytes that they take. The block is one that is [taken](Self::takes): so none of its streams
    /// is stored as it is.
    pub(super) fn decode(
        &mut self,
        level: Level,
        type_size: usize,
        streams: Cursor<'_>,
        start: usize,
        n_streams: usize,
        dst: &mut [u8],
    ) -> Result<usize> {
        self.planes.reserve(dst.len());
        let result = self.decode_streams(level, streams, start, n_streams, dst.len() / n_streams);
        if result.is_ok() {
            self.unshuffle(level, type_size, dst);
        }
        self.planes.clear();
        result
    }

    fn decode_streams(
        &mut self,
        level: Level,
        mut streams: Cursor<'_>,
        start: usize,
        n_streams: usize,
        n_bytes: usize,
    ) -> Result<usize> {
        for part in 0..n_streams {
            let at = start + streams.at();
            let stream = next_stream(&mut streams)?;
            if !lz4_stream::is_zeros(stream, n_bytes) {
                self.planes.decode(level, stream, part * n_bytes, n_bytes).map_err(|_| damaged(at))?;
            }
        }
        Ok(streams.at())
    }

    fn unshuffle(&mut self, level: Level, type_size: usize, dst: &mut [u8]) {
        let n_lines = dst.len() / LINE;
        let mut marks = self.planes.marks()[..n_lines].chunks_exact(n_lines / type_size);
        self.groups.clear();
        self.groups.extend_from_slice(marks.next().unwrap_or_default());
        for marks in marks {
            self.groups.iter_mut().zip(marks).for_each(|(group, mark)| *group |= mark);
        }
        unshuffle_marked(level, type_size, &self.groups, &self.planes.bytes()[..dst.len()], dst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Threads;
    use crate::codec::Codec;
    use crate::codec::blosc::{Blosc, Chunk};

    fn mostly_zeros(n_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![0; n_bytes];
        for at in (7..n_bytes).step_by(4099) {
            bytes[at] = 1 + (at / 5 % 250) as u8;
        }
        bytes[n_bytes - 1] = 9;
        bytes
    }

    fn encoded(type_size: u32, bytes: &[u8]) -> (Blosc, Vec<u8>) {
        let codec = Blosc::from_cd_values(&[2, 2, type_size, bytes.len() as u32, 5, 1, 1]).unwrap();
        let mut chunk = vec![0; codec.max_encoded_len(bytes.len())];
        let n = codec.encode_with(Level::SCALAR, Threads::ONE, bytes, &mut chunk).unwrap();
        chunk.truncate(n);
        (codec, chunk)
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn scratch_is_the_block_and_no_more_than_256_kib() {
        let two_empty_streams = [0; 8];
        let takes = |n_bytes| SparseBlock::takes(2, Cursor::new(&two_empty_streams), 2, n_bytes);
        assert!(takes(MOST_BYTES) && !takes(MOST_BYTES + 4 * GROUP));
        let mut block = SparseBlock::default();
        block.planes.reserve(MOST_BYTES);
        let n_groups = MOST_BYTES / (2 * GROUP);
        let n_bytes = block.planes.bytes().len() + block.planes.marks().len() + n_groups;
        assert!(n_bytes <= MOST_BYTES + (256 << 10), "{n_bytes} bytes");
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn blocks_of_mostly_zeros_decode_at_every_level_whatever_was_in_the_output() {
        for type_size in [2, 3, 4, 8, 16, 17] {
            // Whole blocks, and a last one that has whole groups, or has not.
            for n_groups in [6000, 6001] {
                let bytes = mostly_zeros(n_groups * GROUP * type_size as usize);
                let (codec, chunk) = encoded(type_size, &bytes);
                assert!(chunk.len() < bytes.len() / DENSE, "type size {type_size}");
                for &level in Level::available() {
                    let mut dst = vec![0x5a; bytes.len()];
                    codec.decode_with(level, Threads::ONE, &chunk, &mut dst).unwrap();
                    assert!(dst == bytes, "{level:?} type size {type_size}, {n_groups} groups");
                    dst.fill(0);
                    codec.decode_zeroed_with(level, Threads::ONE, &chunk, &mut dst).unwrap();
                    assert!(dst == bytes, "{level:?} type size {type_size}, {n_groups} groups, zeroed");
                }
            }
        }
    }

    #[test]
    fn a_damaged_block_leaves_nothing_to_the_next_one() {
        let bytes = mostly_zeros(8 << 10);
        let (_, chunk) = encoded(2, &bytes);
        let start = u32::from_le_bytes(*chunk[16..].first_chunk().unwrap()) as usize;
        let streams = Cursor::new(&chunk[start..]);
        assert!(SparseBlock::takes(2, streams.clone(), 2, bytes.len()), "{} bytes", chunk.len());
        assert_eq!(Chunk::new(&chunk).unwrap().n_blocks(), 1);
        for &level in Level::available() {
            let mut block = SparseBlock::default();
            for at in start + 4..chunk.len() {
                let mut damaged = chunk.clone();
                damaged[at] ^= 0x41;
                let mut dst = vec![0; bytes.len()];
                let _ = block.decode(level, 2, Cursor::new(&damaged[start..]), start, 2, &mut dst);
                dst.fill(0);
                block.decode(level, 2, streams.clone(), start, 2, &mut dst).unwrap();
                assert!(dst == bytes, "{level:?} byte {at}");
            }
        }
    }
}
