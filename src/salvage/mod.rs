//! What can be saved of a stored chunk, what is wrong with the rest, and how sure that is.
//!
//! Of a chunk that does not decode, each block or segment is decoded for itself, the good ones into their places; the rest is
//! filled, and reported. How much is saved depends on the codec:
//!
//! | format | saved where something is damaged | proof |
//! |---|---|---|
//! | DRLE container | every segment whose own bytes are there, also where header or table are damaged | checksums |
//! | bitshuffle-LZ4/-Zstd, LZ4 | every block that decodes; after a damaged length, where the rest fits to the end | decoding |
//! | Blosc | every block that decodes and overlaps no other | decoding |
//! | not filtered, bitshuffle without compression | what is there of a chunk that is too short | none |
//! | DRLE bare stream, Zstd | nothing: a chunk is one piece | decoding, and a Zstd frame's checksum |
//!
//! **Only a checksum proves that a chunk is what was written**: DRLE's container has one for each part, a Zstd frame may have one,
//! and HDF5's fletcher32 filter adds one to any format. Such a chunk is *intact*. Of every other chunk it is only known that
//! it *decodes* to the right number of bytes: a flipped byte among literals, for example, cannot be seen by anyone.
//!
//! A header that contradicts the dataset is taken for damaged only where everything after it decodes by the dataset's
//! parameters; otherwise the chunk is another dataset's, or beyond repair, and nothing of it is used.

mod blosc;
mod codec;
mod framed;
mod mask;

mod steps;

use crate::cpu::Level;
use crate::pipeline::Pipeline;
use crate::{Error, Result};
use std::ops::Range;

#[doc(hidden)]
pub use crate::pipeline::buffer;

/// Something wrong with a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The codec's blocks or segments concerned, counted from 0; several where they follow each other and have the same kind of
    /// fault, of which the first one's is the [`reason`](Self::reason). Empty where it is the chunk as a whole: its header, its length,
    /// its checksum, or a format of one piece.
    pub blocks: Range<usize>,
    /// The bytes of the decoded chunk that are lost by it. Empty where all of them could be had nevertheless. After a shuffle,
    /// different faults may cost the same bytes.
    pub lost: Range<usize>,
    /// The bytes of the decoded chunk that are there but may be wrong: they decode, a checksum over them does not match, and nothing
    /// says which of them are meant. Empty where there are none.
    pub doubtful: Range<usize>,
    /// What is wrong.
    pub reason: Error,
}

impl Damage {
    fn new(blocks: Range<usize>, lost: Range<usize>, reason: Error) -> Self {
        Self { blocks, lost, doubtful: 0..0, reason }
    }

    /// All of a chunk of `n_bytes` is lost.
    fn everything(n_bytes: usize, reason: Error) -> Self {
        Self::new(0..0, 0..n_bytes, reason)
    }

    /// The chunk has a fault that costs nothing.
    fn harmless(reason: Error) -> Self {
        Self::new(0..0, 0..0, reason)
    }

    /// All of a chunk of `n_bytes` decodes, and some of it may be wrong.
    fn doubt(n_bytes: usize, reason: Error) -> Self {
        Self { doubtful: 0..n_bytes, ..Self::harmless(reason) }
    }
}

/// Adds a fault; what follows another one of the same kind belongs to it.
fn push(damage: &mut Vec<Damage>, next: Damage) {
    let is_same = |a: &Error, b: &Error| std::mem::discriminant(a) == std::mem::discriminant(b);
    let is_proof = matches!(next.reason, Error::Checksum { .. });
    let last = damage.last_mut().filter(|last| {
        let follows = last.blocks.end == next.blocks.start && last.lost.end == next.lost.start;
        follows && !is_proof && !last.lost.is_empty() && !next.lost.is_empty() && is_same(&last.reason, &next.reason)
    });
    match last {
        Some(last) => (last.blocks.end, last.lost.end) = (next.blocks.end, next.lost.end),
        None => damage.push(next),
    }
}

/// What is known of a stored chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was written: a checksum proves that.
    Intact,
    /// It decodes to the right size. It has no checksum.
    Decodes,
    /// It has faults. Never empty.
    Damaged(Vec<Damage>),
    /// A filter is not known here, and no checksum was reached: the error says which. Nothing was decoded.
    NotExamined(Error),
}

impl Verdict {
    /// The faults.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        match self {
            Self::Damaged(damage) => damage,
            Self::Intact | Self::Decodes | Self::NotExamined(_) => &[],
        }
    }
}

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
/// [`Error::Unsupported`] where there is no memory for a decoded chunk.
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
