//! Blocks of shuffled bytes after LZ4 that are mostly zeros: detector data.
//!
//! The byte planes are decoded into memory of zeros that knows where it is not zero ([`Sparse`]), the block is cleared meanwhile,
//! and only those elements are put together that are not zero. Nothing goes over the zeros of a plane, neither to write them nor
//! to read them.

use super::decode::{Output, damaged, next_stream};
use super::header::MAX_SPLIT;
use crate::Result;
use crate::codec::cursor::Cursor;
use crate::cpu::Level;
use crate::kernels::shuffle::{GROUP_ELEMENTS, unshuffle_marked};
use crate::kernels::zero;
use crate::lz::lz4::sequence::is_zeros;
use crate::lz::lz4::sparse::{LINE, Sparse, WORD};

/// A block whose streams have more than one byte for so many is not decoded here. Measured, with 24 and 40 beside it: at 1 and 2 %
/// bright pixels, on both sides of it, that makes a tenth of a difference with AVX2, and hardly one with AVX-512.
const DENSE: usize = 32;

/// Bytes of the block that are cleared at once, between sequences: the memory takes them in while the next ones are decoded.
/// Measured at 0.56 % bright pixels: with 2, 8 and 16 KiB a tenth is lost.
const PIECE: usize = 4 << 10;

/// Larger blocks are not decoded here: marks are an eighth of the block and a little, which is more scratch than the block's
/// length, and is to stay within the 256 KiB that a decoder may take beyond that. Encoders make none that is larger unless told to.
const MAX_BYTES: usize = 1 << 20;

const _: () = assert!(MAX_SPLIT < DENSE, "a stream that is stored as it is makes a block dense");
const _: () = assert!(GROUP_ELEMENTS == LINE, "a mark is for as many elements as a plane's line has bytes");
const _: () = assert!(WORD == 64, "groups have a bit each in words of 64");

/// The streams of a block.
#[derive(Debug, Clone)]
pub(super) struct Streams<'a> {
    /// Stands before the first of them.
    pub(super) cursor: Cursor<'a>,
    /// Where that is in the chunk.
    pub(super) start: usize,
    /// How many they are.
    pub(super) n: usize,
}

impl Streams<'_> {
    /// The bytes stored in all of them, as far as they are there.
    fn stored_len(&self) -> usize {
        let mut cursor = self.cursor.clone();
        (0..self.n).map_while(|_| next_stream(&mut cursor).ok().map(<[u8]>::len)).sum()
    }
}

/// Scratch for a block.
#[derive(Debug, Default)]
pub(super) struct SparseBlock {
    planes: Sparse,
    /// Which groups of elements are not all zero: a bit each.
    groups: Vec<u64>,
}

impl SparseBlock {
    /// Whether the `streams` are of mostly zeros, and the block of `n_bytes` that they make has whole pairs of groups, so that
    /// no line belongs to two planes.
    pub(super) fn takes(type_size: usize, streams: &Streams<'_>, n_bytes: usize) -> bool {
        n_bytes <= MAX_BYTES
            && n_bytes.is_multiple_of(2 * GROUP_ELEMENTS * type_size)
            && streams.stored_len() <= n_bytes / DENSE
    }

    /// Decodes the `streams` into the whole of `dst`, in which is what `output` says. Returns the bytes that they take. The block
    /// is one that is [taken](Self::takes): so none of its streams is stored as it is.
    pub(super) fn decode(
        &mut self,
        level: Level,
        type_size: usize,
        streams: Streams<'_>,
        output: Output,
        dst: &mut [u8],
    ) -> Result<usize> {
        self.planes.reserve(dst.len());
        let n_bytes = dst.len();
        let mut clearing = Clearing { rest: if output.is_zeroed() { &mut [] } else { &mut *dst } };
        let result = self.decode_streams(level, streams, n_bytes, &mut clearing);
        clearing.all();
        if result.is_ok() {
            self.unshuffle(level, type_size, dst);
        }
        self.planes.clear();
        result
    }

    fn decode_streams(
        &mut self,
        level: Level,
        mut streams: Streams<'_>,
        n_bytes: usize,
        clearing: &mut Clearing<'_>,
    ) -> Result<usize> {
        let n_part = n_bytes / streams.n;
        let stretch = (streams.stored_len() * PIECE / n_bytes.max(1)).max(1);
        for part in 0..streams.n {
            let at = streams.start + streams.cursor.at();
            let stream = next_stream(&mut streams.cursor)?;
            if !is_zeros(stream, n_part) {
                let decoded = self.planes.decode(level, stream, part * n_part, n_part, stretch, || clearing.piece());
                decoded.map_err(|_| damaged(at))?;
            }
        }
        Ok(streams.cursor.at())
    }

    fn unshuffle(&mut self, level: Level, type_size: usize, dst: &mut [u8]) {
        let (n_groups, marks) = (dst.len() / (GROUP_ELEMENTS * type_size), self.planes.marks());
        self.groups.clear();
        self.groups.extend((0..n_groups).step_by(WORD).map(|first| {
            let groups = (0..type_size).fold(0, |all, plane| all | marks.word(plane * n_groups + first));
            // After the last group of a plane is the next plane.
            groups & u64::MAX >> WORD.saturating_sub(n_groups - first)
        }));
        unshuffle_marked(level, type_size, &self.groups, &self.planes.bytes()[..dst.len()], dst);
    }
}

/// The part of a block that is not cleared yet.
struct Clearing<'a> {
    rest: &'a mut [u8],
}

impl Clearing<'_> {
    /// Clears [`PIECE`] bytes of it.
    fn piece(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        let (piece, rest) = rest.split_at_mut(PIECE.min(rest.len()));
        zero::clear(piece);
        self.rest = rest;
    }

    /// Clears all of it.
    fn all(self) {
        zero::clear(self.rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exec;
    use crate::codec::blosc::{Blosc, Chunk};
    use crate::codec::{Codec, OpenChunk};

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
        let n = codec.encode(Exec::SCALAR, bytes, &mut chunk).unwrap();
        chunk.truncate(n);
        (codec, chunk)
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn scratch_is_the_block_and_no_more_than_256_kib() {
        let empty = two_streams(&[0; 8], 0);
        let takes = |n_bytes| SparseBlock::takes(2, &empty, n_bytes);
        assert!(takes(MAX_BYTES) && !takes(MAX_BYTES + 4 * GROUP_ELEMENTS));
        let mut block = SparseBlock::default();
        block.planes.reserve(MAX_BYTES);
        let n_groups = MAX_BYTES / (2 * GROUP_ELEMENTS);
        let n_bytes = block.planes.bytes().len() + block.planes.marks().n_bytes() + n_groups / 8;
        assert!(n_bytes <= MAX_BYTES + (256 << 10), "{n_bytes} bytes");
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn blocks_of_mostly_zeros_decode_at_every_level_whatever_was_in_the_output() {
        for type_size in [2, 3, 4, 8, 16, 17] {
            // Whole blocks, and a last one that has whole groups, or has not.
            for n_groups in [6000, 6001] {
                let bytes = mostly_zeros(n_groups * GROUP_ELEMENTS * type_size as usize);
                let (codec, chunk) = encoded(type_size, &bytes);
                assert!(chunk.len() < bytes.len() / DENSE, "type size {type_size}");
                for &level in Level::available() {
                    let mut dst = vec![0x5a; bytes.len()];
                    codec.decode(level.into(), &chunk, &mut dst).unwrap();
                    assert!(dst == bytes, "{level:?} type size {type_size}, {n_groups} groups");
                    dst.fill(0);
                    codec.open(&chunk).and_then(|open| open.decode_zeroed(level.into(), &mut dst)).unwrap();
                    assert!(dst == bytes, "{level:?} type size {type_size}, {n_groups} groups, zeroed");
                }
            }
        }
    }

    fn two_streams(chunk: &[u8], start: usize) -> Streams<'_> {
        Streams { cursor: Cursor::new(&chunk[start..]), start, n: 2 }
    }

    #[test]
    fn a_damaged_block_leaves_nothing_to_the_next_one() {
        let bytes = mostly_zeros(8 << 10);
        let (_, chunk) = encoded(2, &bytes);
        let start = u32::from_le_bytes(*chunk[16..].first_chunk().unwrap()) as usize;
        assert!(SparseBlock::takes(2, &two_streams(&chunk, start), bytes.len()), "{} bytes", chunk.len());
        assert_eq!(Chunk::new(&chunk).unwrap().n_blocks(), 1);
        for &level in Level::available() {
            let mut block = SparseBlock::default();
            for at in start + 4..chunk.len() {
                let mut damaged = chunk.clone();
                damaged[at] ^= 0x41;
                let mut dst = vec![0; bytes.len()];
                let _ = block.decode(level, 2, two_streams(&damaged, start), Output::Any, &mut dst);
                dst.fill(0x5a);
                block.decode(level, 2, two_streams(&chunk, start), Output::Any, &mut dst).unwrap();
                assert!(dst == bytes, "{level:?} byte {at}");
            }
        }
    }
}
