//! What can be saved of a stored chunk, and what is wrong with the rest.
//!
//! A chunk that decodes is intact. Of one that does not, each block or segment is decoded for itself, the good ones into
//! their places; the rest is filled, and reported. How much is saved, and how certain that is, depends on the format:
//!
//! | format | saved where something is damaged | proof |
//! |---|---|---|
//! | DRLE container | every segment whose own bytes are there, also where header or table are damaged | checksums |
//! | bitshuffle-LZ4/-Zstd, LZ4 | every block that decodes; behind a damaged length, where the rest fits to the end | decoding |
//! | Blosc | every block that decodes and overlaps no other | decoding |
//! | not filtered, bitshuffle without compression | what is there of a chunk that is too short | none |
//! | DRLE bare stream, Zstd | nothing: a chunk is one piece | decoding |
//!
//! **Only DRLE's container has checksums.** In every other format a damage that still decodes to the right number of
//! bytes, such as a flipped byte among literals, cannot be seen by anyone.
//!
//! A header that contradicts the dataset is taken for damaged only where everything behind it decodes by the dataset's
//! parameters; otherwise the chunk is another dataset's, or beyond repair, and nothing of it is used.

mod blosc;
mod framed;

use crate::chunk::Filter;
use crate::codec::DecodedSize;
use crate::codec::bitshuffle::Bitshuffle;
use crate::codec::drle::{Drle, Mode};
use crate::cpu::Level;
use crate::{Error, Result};
use std::ops::Range;

/// Something wrong with a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The blocks or segments concerned, counted from 0; several where they follow each other and have the same kind of
    /// fault, of which the first one's is the [`reason`](Self::reason). Empty where it is the chunk as a whole: its header, its length,
    /// or a format of one piece.
    pub blocks: Range<usize>,
    /// The bytes of the decoded chunk that are lost by it. Empty where all of them could be had nevertheless.
    pub lost: Range<usize>,
    /// What is wrong.
    pub reason: Error,
}

impl Damage {
    /// All of a chunk of `n_bytes` is lost.
    fn everything(n_bytes: usize, reason: Error) -> Self {
        Self { blocks: 0..0, lost: 0..n_bytes, reason }
    }

    /// The chunk has a fault that costs nothing.
    fn harmless(reason: Error) -> Self {
        Self { blocks: 0..0, lost: 0..0, reason }
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

/// Decodes what can be decoded of `stored` to its places in `dst`, which has the bytes of the dataset's chunk, and fills
/// the rest with `fill`, the bytes of one element or more, repeated (zeros where it is empty). Returns what is wrong: an
/// empty list means that the chunk is intact.
///
/// `filter` has the dataset's stored parameters; `None` is a chunk that is stored as it is. Allocates at most a small
/// multiple of the chunk's stored and decoded bytes.
pub fn salvage(level: Level, filter: Option<&Filter>, stored: &[u8], fill: &[u8], dst: &mut [u8]) -> Vec<Damage> {
    let damage = decode(level, filter, stored, dst);
    for lost in damage.iter().map(|damage| damage.lost.clone()) {
        fill_range(dst, lost, fill);
    }
    damage
}

/// What is wrong with `stored`, the chunk of a dataset whose chunks have `n_bytes`. As [`salvage`], which is given memory
/// for it here.
///
/// # Errors
/// [`Error::Unsupported`] where there is no memory for a decoded chunk.
pub fn verify(level: Level, filter: Option<&Filter>, stored: &[u8], n_bytes: usize) -> Result<Vec<Damage>> {
    Ok(decode(level, filter, stored, &mut buffer(n_bytes)?))
}

/// Zeros, where there is memory for them.
///
/// # Errors
/// [`Error::Unsupported`] where there is none.
#[doc(hidden)]
pub fn buffer(n_bytes: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reserved = bytes.try_reserve_exact(n_bytes);
    reserved.map_err(|_| Error::Unsupported(format!("there is no memory for a chunk of {n_bytes} bytes")))?;
    bytes.resize(n_bytes, 0);
    Ok(bytes)
}

/// Decodes what can be; the lost parts of `dst` hold anything.
fn decode(level: Level, filter: Option<&Filter>, stored: &[u8], dst: &mut [u8]) -> Vec<Damage> {
    let Some(filter) = filter else { return plain(stored, dst, dst.len()) };
    let Err(reason) = whole(level, filter, stored, dst) else { return Vec::new() };
    match filter {
        Filter::Drle(drle) if drle.mode() == Mode::Container => drle_container(level, drle, stored, dst, reason),
        Filter::Bitshuffle(codec) if codec.is_compressed() => framed::bitshuffle(level, codec, stored, dst),
        Filter::Bitshuffle(codec) => bitshuffled(level, codec, stored, dst, reason),
        Filter::Lz4(codec) => framed::lz4(level, codec, stored, dst),
        Filter::Blosc(codec) => blosc::salvage(level, codec, stored, dst, reason),
        Filter::Drle(_) | Filter::Zstd(_) => vec![Damage::everything(dst.len(), reason)],
    }
}

/// Decodes an intact chunk.
fn whole(level: Level, filter: &Filter, stored: &[u8], dst: &mut [u8]) -> Result<()> {
    match filter.decoded_size(stored)? {
        DecodedSize::Exactly(found) if found != dst.len() => Err(Error::WrongSize { expected: dst.len(), found }),
        _ => filter.decode_at(level, stored, dst),
    }
}

/// Bytes as they are, of which `usable` are good if they are there.
fn plain(stored: &[u8], dst: &mut [u8], usable: usize) -> Vec<Damage> {
    let n_bytes = stored.len().min(usable);
    dst[..n_bytes].copy_from_slice(&stored[..n_bytes]);
    if stored.len() == dst.len() {
        return Vec::new();
    }
    let reason = Error::WrongSize { expected: dst.len(), found: stored.len() };
    vec![Damage { blocks: 0..0, lost: n_bytes..dst.len(), reason }]
}

/// Bitshuffle without compression: blocks stand where they decode to.
fn bitshuffled(level: Level, codec: &Bitshuffle, stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let Ok(blocks) = codec.plain_blocks(dst.len()) else { return vec![Damage::everything(dst.len(), reason)] };
    let mut end = 0;
    for block in blocks.take_while(|block| block.stored.end <= stored.len()) {
        if codec.decode_block(level, stored, &block, &mut dst[block.decoded.clone()]).is_err() {
            break;
        }
        end = block.decoded.end;
    }
    vec![Damage { blocks: 0..0, lost: end..dst.len(), reason }]
}

fn drle_container(level: Level, drle: &Drle, stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let recovered = match drle.recover(level, stored, dst) {
        Ok(recovered) => recovered,
        // A sound container that is not the dataset's, or parameters that say too little.
        Err(reason) => return vec![Damage::everything(dst.len(), reason)],
    };
    let mut damage = Vec::new();
    for (index, pixels, reason) in recovered.failed {
        let lost = 2 * pixels.start..2 * pixels.end;
        push(&mut damage, Damage { blocks: index..index + 1, lost, reason });
    }
    if !recovered.front_is_sound || damage.is_empty() {
        damage.insert(0, Damage::harmless(reason));
    }
    damage
}

fn fill_range(dst: &mut [u8], range: Range<usize>, fill: &[u8]) {
    if fill.is_empty() {
        return dst[range].fill(0);
    }
    for (at, byte) in range.clone().zip(&mut dst[range]) {
        *byte = fill[at % fill.len()];
    }
}
