//! Which blocks an encoder makes: the reference's rules, so that sizes and speed are what users know.
//!
//! Readers follow the header, so these could be changed at any time.

use super::compressor::Compressor;
use super::header::{MIN_BYTES, can_split};
use super::params::Encoding;

const L1_BYTES: usize = 32 << 10;

/// Bytes a block, for a chunk of `n_bytes` with elements of `type_size`.
pub(super) fn block_bytes(encoding: &Encoding, type_size: usize, n_bytes: usize) -> usize {
    if n_bytes < type_size {
        return 1;
    }
    let mut block = if n_bytes < L1_BYTES { n_bytes } else { by_level(encoding) };
    if encoding.level > 0 && is_split(encoding.compressor, type_size, block) {
        block = (block.min(256 << 10) * type_size).clamp(64 << 10, 1 << 20);
    }
    let block = block.min(n_bytes);
    if block > type_size { block - block % type_size } else { block }
}

/// The block size of large chunks before splitting: larger for higher levels and for compressors that need long inputs.
fn by_level(encoding: &Encoding) -> usize {
    let is_thorough = matches!(encoding.compressor, Compressor::Lz4Hc | Compressor::Zlib | Compressor::Zstd);
    let base = if is_thorough { 2 * L1_BYTES } else { L1_BYTES };
    match encoding.level {
        0 => base / 4,
        1 => base / 2,
        2 => base,
        3 => base * 2,
        4 | 5 => base * 4,
        9 if is_thorough => base * 16,
        _ => base * 8,
    }
}

/// Whether full blocks are split into a stream for each byte of an element.
///
/// Zstd came to Blosc together with the flag that says "not split". What is older is split wherever that is possible, so
/// that readers from before the flag can decode it.
pub(super) fn is_split(compressor: Compressor, type_size: usize, block_bytes: usize) -> bool {
    compressor != Compressor::Zstd && can_split(type_size, block_bytes)
}

/// Whether a chunk of `n_bytes` is stored as a plain copy without trying.
pub(super) fn is_plain(encoding: &Encoding, n_bytes: usize) -> bool {
    encoding.level == 0 || n_bytes < MIN_BYTES
}
