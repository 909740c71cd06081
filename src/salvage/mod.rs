//! What can be saved of a stored chunk, what is wrong with the rest, and how sure that is.
//!
//! Of a chunk that does not decode, each block or segment is decoded for itself, the good ones into their places; the rest is
//! filled, and reported. How much is saved depends on the codec:
//!
//! | format | saved where something is damaged | proof |
//! |---|---|---|
//! | DRLE container | every segment whose own bytes are there, also where header or table are damaged | checksums |
//! | bounded | every frame that its checksum proves, if the chunk's front is sound, and what it is predicted from | checksums |
//! | bitshuffle-LZ4/-Zstd, LZ4 | every block that decodes; after a damaged length, where the rest fits to the end | decoding |
//! | Blosc | every block that decodes and overlaps no other | decoding |
//! | not filtered, bitshuffle without compression | what is there of a chunk that is too short | none |
//! | DRLE bare stream, Zstd | nothing: a chunk is one piece | decoding, and a Zstd frame's checksum |
//! | HDF5's gzip | nothing, as above | checksum |
//!
//! **Only a checksum proves that a chunk is what was written**: DRLE's container has one for each part, gzip has one, a Zstd
//! frame may have one, and HDF5's fletcher32 filter adds one to any format. Such a chunk is *intact*. Of every other chunk it is only known that
//! it *decodes* to the right number of bytes: a flipped byte among literals, for example, cannot be seen by anyone.
//!
//! A header that contradicts the dataset is taken for damaged only where everything after it decodes by the dataset's
//! parameters; otherwise the chunk is another dataset's, or beyond repair, and nothing of it is used.

#![forbid(unsafe_code)]

#[cfg(feature = "blosc")]
mod blosc;
mod codec;
mod damage;
mod framed;
mod mask;
mod plain;
pub mod scan;
mod steps;

use crate::Result;
use crate::cpu::Level;
use crate::pipeline::Pipeline;
use std::ops::Range;

#[doc(hidden)]
pub use crate::memory::buffer;
pub use damage::{Damage, Verdict};

/// Decodes what can be decoded of `stored`, a chunk with its filter mask, to its places in `dst`, which has the bytes of the
/// dataset's chunk, and fills the rest with `fill`, the bytes of one element or more, repeated (zeros where it is empty).
///
/// Where a filter is not known, `dst` is not written; a checksum after that filter is checked all the same, and where it does not
/// match, all is filled. Allocates at most a small multiple of the chunk's stored and decoded bytes.
pub fn salvage(level: Level, pipeline: &Pipeline, mask: u32, stored: &[u8], fill: &[u8], dst: &mut [u8]) -> Verdict {
    let verdict = mask::examine(level, pipeline, mask, stored, dst);
    for lost in verdict.damage().iter().map(|damage| damage.lost.clone()) {
        fill_range(dst, lost, fill);
    }
    verdict
}

/// What is known of `stored`, the chunk of a dataset whose chunks have `n_bytes`. As [`salvage`], which is given memory
/// for it here.
///
/// # Errors
/// [`NoMemory`](crate::Error::NoMemory) where there is no memory for a decoded chunk.
pub fn verify(level: Level, pipeline: &Pipeline, mask: u32, stored: &[u8], n_bytes: usize) -> Result<Verdict> {
    Ok(mask::examine(level, pipeline, mask, stored, &mut buffer(n_bytes)?))
}

fn fill_range(dst: &mut [u8], range: Range<usize>, fill: &[u8]) {
    if fill.is_empty() {
        return dst[range].fill(0);
    }
    for (at, byte) in range.clone().zip(&mut dst[range]) {
        *byte = fill[at % fill.len()];
    }
}
