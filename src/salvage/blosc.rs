//! Blosc: blocks stand where a table says, in any order, usually one after the other.
//!
//! A block whose place in the table is damaged is looked for after the block before it. Two blocks that overlap cannot
//! both be right: the one that does not follow the block before it is looked for there, too.

use super::damage::{Damage, push};
use super::plain::plain;
use crate::codec::blosc::{Blosc, Chunk, HEADER_BYTES};
use crate::cpu::Level;
use crate::{Error, Result};
use std::ops::Range;

/// The fields of the header that are tried one by one where it contradicts the dataset.
const FIELDS: [Range<usize>; 8] = [0..16, 0..2, 2..3, 3..4, 4..8, 8..12, 12..16, 0..4];

/// What is read of a chunk, as a multiple of its length; and how many blocks are looked for.
const MAX_READ: usize = 4;
const MAX_TRIALS: usize = 256;

pub(super) fn salvage(level: Level, codec: &Blosc, stored: &[u8], dst: &mut [u8], reason: Error) -> Vec<Damage> {
    let mut bytes = stored.to_vec();
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>().copied() else {
        return vec![Damage::everything(dst.len(), reason)];
    };
    // A header is taken for damaged only where everything after it proves that.
    if let Some(usual) = codec.usual_header(dst.len(), stored.len()) {
        for field in FIELDS {
            bytes[..HEADER_BYTES].copy_from_slice(&header);
            bytes[field.clone()].copy_from_slice(&usual[field]);
            if bytes[..HEADER_BYTES] != header && fits(level, &bytes, dst) {
                return vec![Damage::harmless(reason)];
            }
        }
    }
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    blocks(level, &mut bytes, dst).unwrap_or_else(|| vec![Damage::everything(dst.len(), reason)])
}

/// Whether everything decodes, and no byte of the chunk is left over.
fn fits(level: Level, bytes: &[u8], dst: &mut [u8]) -> bool {
    let Ok(chunk) = Chunk::new(bytes) else { return false };
    let stored = (0..chunk.n_blocks()).map(|index| chunk.stored_range(index).map(|range| range.len()));
    let front = HEADER_BYTES + if chunk.is_plain() { 0 } else { 4 * chunk.n_blocks() };
    let total: Result<usize> = stored.sum();
    chunk.decoded_len() == dst.len()
        && total.is_ok_and(|total| front + total == bytes.len())
        && (0..chunk.n_blocks())
            .all(|index| chunk.decode_block_at(level, index, &mut dst[chunk.decoded_range(index)]).is_ok())
}

/// Decodes block by block, by a header that is believed. `None` where it cannot be.
fn blocks(level: Level, bytes: &mut [u8], dst: &mut [u8]) -> Option<Vec<Damage>> {
    const PLAIN_COPY: u8 = 2;
    let available = u32::try_from(bytes.len()).ok()?;
    let stated = u32::from_le_bytes(*bytes[12..].first_chunk()?);
    if u32::from_le_bytes(*bytes[4..].first_chunk()?) as usize != dst.len() {
        return None;
    }
    if bytes[0] == 2 && bytes[2] & PLAIN_COPY != 0 {
        return Some(plain(&bytes[HEADER_BYTES..], dst));
    }
    if stated > available {
        bytes[12..16].copy_from_slice(&available.to_le_bytes());
    }
    let (n_blocks, front) = {
        let chunk = Chunk::new(bytes).ok()?;
        (chunk.n_blocks(), HEADER_BYTES + 4 * chunk.n_blocks())
    };
    // Hostile tables have blocks overlap: what is decoded together is no more than a few times the chunk.
    let mut budget = MAX_READ * bytes.len();
    let mut places: Vec<Result<Range<usize>>> = (0..n_blocks)
        .map(|index| {
            let n_bytes = Chunk::new(bytes)?.stored_range(index)?.len();
            budget = budget.checked_sub(n_bytes).ok_or_else(|| overlapping(index))?;
            decode(level, bytes, index, dst)
        })
        .collect();
    refuse_overlaps(&mut places, front);
    let (mut damage, mut n_trials) = (Vec::new(), 0);
    for index in 0..n_blocks {
        let Err(reason) = places[index].clone() else { continue };
        let lost = Chunk::new(bytes).ok()?.decoded_range(index);
        let before = if index == 0 { Some(front) } else { places[index - 1].as_ref().ok().map(|place| place.end) };
        n_trials += 1;
        let before = before.filter(|_| n_trials <= MAX_TRIALS);
        let found = before.and_then(|start| decode_from(level, bytes, index, start, dst).ok());
        let lost = match found.filter(|found| places.iter().flatten().all(|place| !overlap(place, found))) {
            Some(found) => {
                places[index] = Ok(found);
                0..0
            }
            None => lost,
        };
        push(&mut damage, Damage::new(index..index + 1, lost, reason));
    }
    Some(damage)
}

/// Decodes a block to its place, and returns where it is stored.
fn decode(level: Level, bytes: &[u8], index: usize, dst: &mut [u8]) -> Result<Range<usize>> {
    let chunk = Chunk::new(bytes)?;
    chunk.decode_block_at(level, index, &mut dst[chunk.decoded_range(index)])?;
    chunk.stored_range(index)
}

/// As [`decode`], with another place in the table, which stays as it was where the block is not there.
fn decode_from(level: Level, bytes: &mut [u8], index: usize, start: usize, dst: &mut [u8]) -> Result<Range<usize>> {
    let entry = HEADER_BYTES + 4 * index..HEADER_BYTES + 4 * index + 4;
    let before = [bytes[entry.start], bytes[entry.start + 1], bytes[entry.start + 2], bytes[entry.start + 3]];
    bytes[entry.clone()].copy_from_slice(&(start as u32).to_le_bytes());
    decode(level, bytes, index, dst).inspect_err(|_| bytes[entry].copy_from_slice(&before))
}

fn overlapping(index: usize) -> Error {
    Error::Corrupt { at: HEADER_BYTES + 4 * index, what: "the block overlaps another one" }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// Of blocks that overlap, refuses those that do not follow the block before them; all where every one of them does.
fn refuse_overlaps(places: &mut [Result<Range<usize>>], front: usize) {
    let mut sorted: Vec<(Range<usize>, usize)> =
        places.iter().enumerate().filter_map(|(index, place)| Some((place.clone().ok()?, index))).collect();
    sorted.sort_unstable_by_key(|(place, index)| (place.start, *index));
    let follows = |places: &[Result<Range<usize>>], index: usize| {
        let before = if index == 0 { Some(front) } else { places[index - 1].as_ref().ok().map(|place| place.end) };
        places[index].as_ref().is_ok_and(|place| Some(place.start) == before)
    };
    let mut refused = Vec::new();
    let mut last: Option<(Range<usize>, usize)> = None;
    for (place, index) in sorted {
        if let Some((before, other)) = last.take().filter(|(before, _)| overlap(before, &place)) {
            let trusted = [other, index].map(|index| follows(places, index));
            let both = trusted[0] == trusted[1];
            refused
                .extend([other, index].into_iter().zip(trusted).filter(|(_, ok)| both || !ok).map(|(index, _)| index));
            last = Some(if before.end > place.end { (before, other) } else { (place, index) });
        } else {
            last = Some((place, index));
        }
    }
    for index in refused {
        places[index] = Err(overlapping(index));
    }
}
