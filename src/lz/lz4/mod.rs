//! LZ4 blocks: the bare format, without frame or length.
//!
//! Every block that is written here decodes with the reference library, and every block of the reference library
//! decodes here. An [`Encoder`] is reused over the blocks of a chunk.

mod decode;
mod encode;
pub(crate) mod library;
pub(crate) mod sequence;
#[cfg(feature = "blosc")]
pub(crate) mod sparse;
#[cfg(test)]
mod tests;

use super::byte_planes::{Format, Search};
use crate::Result;
use crate::cpu::{Isa, Level};

pub use self::sequence::{max_decoded_len, max_encoded_len};

/// Bytes that the output of [`decode_rows`] has after the block's, to be written and not read.
pub const SLACK_BYTES: usize = super::vector::matches::SLACK_BYTES;

/// Encodes blocks, one after the other, with the same working memory.
#[derive(Debug)]
pub struct Encoder {
    level: Level,
    memory: encode::Memory,
}

impl Encoder {
    /// An encoder for `level`. All levels write the same bytes.
    #[must_use]
    pub fn new(level: Level) -> Self {
        Self { level, memory: encode::Memory::new() }
    }

    /// Encodes `src` to the front of `dst` and returns the bytes written; `None` where they do not fit. The rest of
    /// `dst` is scratch.
    pub fn encode(&mut self, src: &[u8], dst: &mut [u8]) -> Option<usize> {
        if src.len() <= encode::MAX_BYTES {
            return encode::encode(self.level, &mut self.memory, src, dst);
        }
        library::encode(src, dst)
    }
}

/// Encodes with high effort, 1 to 12 (LZ4 HC). As [`Encoder::encode`], but slow, and smaller.
pub fn encode_hc(src: &[u8], dst: &mut [u8], effort: i32) -> Option<usize> {
    library::encode_hc(src, dst, effort)
}

/// Encodes a byte plane: with `search`, of which `stride` is the first step, 1 for the most thorough one. `None` where it does not fit,
/// or is too short to be searched.
pub(crate) fn encode_byte_plane(
    search: &mut Search,
    level: Level,
    stride: usize,
    src: &[u8],
    dst: &mut [u8],
) -> Option<usize> {
    let mut out = sequence::Writer::new(dst);
    search.encode(level, stride, src, &mut out)?;
    Some(out.n_bytes())
}

impl Format for sequence::Writer<'_> {
    const END_LITERALS: usize = sequence::END_LITERALS;
    const MAX_DISTANCE: usize = sequence::MAX_DISTANCE;

    #[inline(always)]
    fn is_worth(len: usize, _distance: usize) -> bool {
        len >= sequence::MIN_MATCH
    }

    #[inline(always)]
    fn sequence(&mut self, src: &[u8], start: usize, end: usize, distance: usize, len: usize) -> Option<()> {
        self.sequence(src, start, end, distance, len)
    }

    fn end(&mut self, src: &[u8], start: usize) -> Option<()> {
        self.literals(&src[start..], 0)
    }
}

/// Longer blocks are left to the library, but for those in which much repeats.
const LIBRARY_BYTES: usize = encode::MAX_BYTES;

/// Whether ours is faster than the library with a long block, which then has one byte for so many. Measured with AVX-512 and AVX2;
/// other levels leave all to the library that are more than one run: 255 is the most that there is.
fn repeats_enough(level: Level, src: &[u8], n_bytes: usize) -> bool {
    let ratio = match level.isa() {
        Isa::Avx512 => 5,
        Isa::Avx2 => 32,
        _ => 240,
    };
    src.len() <= n_bytes / ratio
}

/// Decodes one block into the whole of `dst`. An offset of 0, which means nothing, is an error in blocks of up to 64 KiB,
/// and may be zeros in longer ones.
///
/// # Errors
/// [`Error::Corrupt`](crate::Error::Corrupt) and [`Error::Truncated`](crate::Error::Truncated), with offsets in `src`, where
/// the block is damaged or decodes to another size. The content of `dst` is then unspecified, but never bytes from elsewhere.
pub fn decode(level: Level, src: &[u8], dst: &mut [u8]) -> Result<()> {
    let n_bytes = dst.len();
    let is_long = n_bytes > LIBRARY_BYTES;
    if is_long && !repeats_enough(level, src, n_bytes) && library::decode(src, dst).is_ok() {
        return Ok(());
    }
    // Where the library fails, ours says what is wrong.
    sequence::check_len(src, n_bytes)?;
    match decode::decode(level, src, dst, n_bytes, n_bytes.max(1)) {
        // What ours refuses the library may take, an offset of 0: so do all levels then.
        Err(_) if is_long && library::decode(src, dst).is_ok() => Ok(()),
        result => result.map(|_| ()),
    }
}

/// [`decode()`] for blocks of rows of `row_bytes`, many of which may be alike at the end: decodes the first rows of the
/// block to the front of `dst`, and returns their number, at least 1. Those after them are all like the last of them,
/// and what stands in their place is not said.
///
/// The block has `n_bytes`. What is after them in `dst` is scratch, and makes the end of the block faster where it is
/// [`SLACK_BYTES`] long.
///
/// # Errors
/// As [`decode()`].
///
/// # Panics
/// Where `dst` is shorter than `n_bytes`, or these are no whole number of rows, at least one.
pub fn decode_rows(level: Level, src: &[u8], dst: &mut [u8], n_bytes: usize, row_bytes: usize) -> Result<usize> {
    assert!(n_bytes <= dst.len(), "{n_bytes} bytes into {}", dst.len());
    assert!(n_bytes != 0 && n_bytes.is_multiple_of(row_bytes), "{n_bytes} bytes in rows of {row_bytes}");
    sequence::check_len(src, n_bytes)?;
    decode::decode(level, src, dst, n_bytes, row_bytes)
}
