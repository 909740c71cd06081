//! LZ4 blocks: the bare format, without frame or length.
//!
//! Every block that is written here decodes with the reference library, and every block of the reference library
//! decodes here. An [`Encoder`] is reused over the blocks of a chunk.

use super::{decode, encode, library, runs};
use crate::cpu::{Isa, Level};
use crate::{Error, Result};

pub use super::decode::SLACK_BYTES;

/// The most bytes that encoding `n_bytes` can give. Saturates.
#[must_use]
pub fn max_encoded_len(n_bytes: usize) -> usize {
    n_bytes.saturating_add(n_bytes / 255).saturating_add(16)
}

/// The most bytes that a block of `n_bytes` can decode to. Saturates.
#[must_use]
pub fn max_decoded_len(n_bytes: usize) -> usize {
    n_bytes.saturating_mul(255)
}

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

/// Longer blocks are left to the library, but for those of [runs](is_of_runs) and those that are hardly more than one. Measured: with
/// one block a frame it is 1.5 times as fast where little repeats; the blocks of bit planes are shorter.
const LIBRARY_BYTES: usize = encode::MAX_BYTES;

/// A block of no more than one byte for so many is hardly more than one run: 255 is the most that there is.
const ONE_RUN: usize = 240;

/// Whether a long block is of many runs, and ours has the vectors for them. Measured: such blocks have one byte for six and more, those
/// where the library is faster one for two. With AVX2 ours wins where there is one for 50 (twice as fast where whole rows repeat), and
/// loses where there is one for 20.
fn is_of_runs(level: Level, src: &[u8], n_bytes: usize) -> bool {
    match level.isa() {
        Isa::Avx512 => src.len() <= n_bytes / 5,
        Isa::Avx2 => src.len() <= n_bytes / 32,
        _ => false,
    }
}

/// Decodes one block into the whole of `dst`. An offset of 0, which means nothing, is an error in blocks of up to 64 KiB,
/// and may be zeros in longer ones.
///
/// # Errors
/// [`Error::Corrupt`] and [`Error::Truncated`], with offsets in `src`, where the block is damaged or decodes to another
/// size. The content of `dst` is then unspecified, but never bytes from elsewhere.
pub fn decode(level: Level, src: &[u8], dst: &mut [u8]) -> Result<()> {
    let n_bytes = dst.len();
    // Where the library fails, ours says what is wrong.
    if n_bytes > LIBRARY_BYTES && src.len() > n_bytes / ONE_RUN {
        // What ours refuses the library may take, an offset of 0: so do all levels then.
        let is_decoded = is_of_runs(level, src, n_bytes) && runs::decode(level, src, dst).is_ok();
        if is_decoded || library::decode(src, dst).is_ok() {
            return Ok(());
        }
    }
    if n_bytes != 0 {
        decode_rows(level, src, dst, n_bytes, n_bytes)?;
        return Ok(());
    }
    check_len(src, 0)?;
    decode::decode(level, src, dst, 0, 1).map(|_| ())
}

/// [`decode()`] for blocks of rows of `row_bytes`, many of which may be alike at the end: decodes the first rows of the
/// block to the front of `dst`, and returns their number, at least 1. Those behind them are all like the last of them,
/// and what stands in their place is not said.
///
/// The block has `n_bytes`. What is behind them in `dst` is scratch, and makes the end of the block faster where it is
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
    check_len(src, n_bytes)?;
    decode::decode(level, src, dst, n_bytes, row_bytes)
}

pub(super) fn check_len(src: &[u8], n_bytes: usize) -> Result<()> {
    if n_bytes > max_decoded_len(src.len()) {
        return Err(Error::Corrupt { at: 0, what: "the LZ4 block is too short for its decoded size" });
    }
    Ok(())
}
