//! The formats of length-prefixed blocks: bitshuffle with LZ4 or Zstd, and LZ4.
//!
//! A length that is damaged leaves the reader lost: where the next block begins is nowhere else. But the chunk ends with
//! its last block, so that the place can be found from after: one from which a row of lengths leads exactly to the end,
//! and every block on the way decodes. Of several such places the one with the most blocks is taken.

use super::damage::{Damage, push};
use crate::codec::bitshuffle::Bitshuffle;
use crate::codec::cursor::Cursor;
use crate::codec::framing::{Block, HEADER_BYTES, Header, LENGTH_BYTES, Storage};
#[cfg(feature = "lz4")]
use crate::codec::lz4::Lz4;
use crate::cpu::Level;
use crate::{Error, Result};
use std::ops::Range;

/// Places that are tried after a damaged length, and chunks' worth of decoding that may cost.
const MAX_TRIALS: usize = 256;
const MAX_DECODED: usize = 4;

const NO_END: u32 = u32::MAX;

pub(super) fn bitshuffle(level: Level, codec: &Bitshuffle, stored: &[u8], dst: &mut [u8]) -> Vec<Damage> {
    let decode = |block: &Block, dst: &mut [u8]| codec.decode_block(level, stored, block, dst);
    let (block_bytes, group_bytes) = (codec.block_bytes(), codec.group_bytes());
    Framed { stored, group_bytes, stores_raw: false, decode: &decode }.salvage(block_bytes.ok(), dst)
}

#[cfg(feature = "lz4")]
pub(super) fn lz4(level: Level, codec: &Lz4, stored: &[u8], dst: &mut [u8]) -> Vec<Damage> {
    let decode = |block: &Block, dst: &mut [u8]| codec.decode_block(level, stored, block, dst);
    let block_bytes = codec.block_bytes_of(dst.len());
    Framed { stored, group_bytes: 1, stores_raw: true, decode: &decode }.salvage(Some(block_bytes), dst)
}

/// A damaged chunk of length-prefixed blocks.
struct Framed<'a> {
    stored: &'a [u8],
    /// Blocks are multiples of this; what is left of the chunk stands raw after the last.
    group_bytes: usize,
    /// Whether a stored length that is the decoded one means bytes as they are.
    stores_raw: bool,
    decode: &'a dyn Fn(&Block, &mut [u8]) -> Result<()>,
}

/// The blocks of a chunk, of one size but for the last.
#[derive(Clone, Copy)]
struct Blocks {
    block_bytes: usize,
    n_bytes: usize,
    n_blocks: usize,
}

impl Blocks {
    fn range(&self, index: usize) -> Range<usize> {
        let start = index * self.block_bytes;
        start..(start + self.block_bytes).min(self.n_bytes)
    }

    fn ranges(&self, indices: Range<usize>) -> Range<usize> {
        self.range(indices.start).start..self.range(indices.end - 1).end
    }
}

/// What came of walking a chunk: the faults, and whether the last block ended with the chunk.
struct Walk {
    damage: Vec<Damage>,
    ends: bool,
}

impl Framed<'_> {
    fn salvage(&self, usual: Option<usize>, dst: &mut [u8]) -> Vec<Damage> {
        let (header, reason) = match Header::read(&mut Cursor::new(self.stored)) {
            Ok(header) if header.n_bytes == dst.len() => {
                (header, Error::Corrupt { at: 8, what: "its block size is not the one its blocks have" })
            }
            Ok(header) => (header, Error::WrongSize { expected: dst.len(), found: header.n_bytes }),
            Err(reason) if self.stored.len() < HEADER_BYTES => return vec![Damage::everything(dst.len(), reason)],
            Err(reason) => (Header { n_bytes: usize::MAX, block_bytes: 0 }, reason),
        };
        let is_usable = |n: usize| n != 0 && n.is_multiple_of(self.group_bytes);
        let stated = Some(header.block_bytes).filter(|n| is_usable(*n));
        // A header is taken for damaged only where everything after it proves that.
        let other = usual.filter(|n| is_usable(*n) && stated != Some(*n));
        let contradicted = [stated.filter(|_| header.n_bytes != dst.len()), other];
        for block_bytes in contradicted.into_iter().flatten() {
            let walk = self.walk(block_bytes, dst);
            if walk.damage.is_empty() && walk.ends {
                return vec![Damage::harmless(reason)];
            }
        }
        match stated.filter(|_| header.n_bytes == dst.len()) {
            Some(block_bytes) => self.walk(block_bytes, dst).damage,
            None => vec![Damage::everything(dst.len(), reason)],
        }
    }

    fn walk(&self, block_bytes: usize, dst: &mut [u8]) -> Walk {
        let raw = dst.len() - dst.len() % self.group_bytes..dst.len();
        let blocks = Blocks { block_bytes, n_bytes: raw.start, n_blocks: raw.start.div_ceil(block_bytes) };
        let is_consistent = self.leads_to_end(&blocks, raw.len());
        let (mut damage, mut at) = (Vec::new(), HEADER_BYTES);
        let mut index = 0;
        while index < blocks.n_blocks {
            let Err(reason) = self.decode_at(&blocks, index, at, dst) else {
                at = self.next(at).unwrap_or(at);
                index += 1;
                continue;
            };
            // Only where the lengths lead to the end is this block's own one beyond doubt.
            let next = self.next(at).filter(|_| is_consistent);
            if let Some(next) = next {
                push(&mut damage, Damage::new(index..index + 1, blocks.range(index), reason));
                (at, index) = (next, index + 1);
                continue;
            }
            self.resynchronise(&blocks, index, at, reason, dst, &mut damage);
            return Walk { damage, ends: false };
        }
        if !raw.is_empty() {
            match self.stored.get(at..at + raw.len()) {
                Some(bytes) => dst[raw.clone()].copy_from_slice(bytes),
                None => {
                    let available = self.stored.len().saturating_sub(at);
                    let reason = Error::Truncated { at, needed: raw.len(), available };
                    damage.push(Damage::new(index..index + 1, raw.clone(), reason));
                }
            }
        }
        Walk { damage, ends: at + raw.len() == self.stored.len() }
    }

    /// Saves what stands after a block that does not decode, and whose length cannot be relied on.
    fn resynchronise(
        &self,
        blocks: &Blocks,
        index: usize,
        at: usize,
        reason: Error,
        dst: &mut [u8],
        damage: &mut Vec<Damage>,
    ) {
        let n_blocks = blocks.n_blocks;
        let n_raw = dst.len() - blocks.n_bytes;
        let found = self.find_rest(blocks, index, at, dst);
        let Some((start, rest)) = found else {
            let first = blocks.range(index);
            damage.push(Damage::new(index..index + 1, first.clone(), reason));
            if first.end < dst.len() {
                let reason = Error::Corrupt { at, what: "where the next block begins is lost with the one before" };
                let others = index + 1..n_blocks + usize::from(n_raw > 0);
                damage.push(Damage::new(others, first.end..dst.len(), reason));
            }
            return;
        };
        let first = start == index + 1 && {
            let block = self.block(blocks, index, at + LENGTH_BYTES..rest);
            (self.decode)(&block, &mut dst[block.decoded.clone()]).is_ok()
        };
        if first {
            damage.push(Damage::new(index..start, 0..0, reason));
        } else {
            damage.push(Damage::new(index..start, blocks.ranges(index..start), reason));
        }
        dst[blocks.n_bytes..].copy_from_slice(&self.stored[self.stored.len() - n_raw..]);
    }

    /// The first block after `index` from which all blocks decode and lead to the end, decoded; and where it stands.
    fn find_rest(&self, blocks: &Blocks, index: usize, at: usize, dst: &mut [u8]) -> Option<(usize, usize)> {
        let end = self.stored.len().checked_sub(dst.len() - blocks.n_bytes)?;
        let from = at + LENGTH_BYTES;
        let most = blocks.n_blocks - index - 1;
        if from > end {
            return None;
        }
        if most == 0 {
            let block = self.block(blocks, index, from..end);
            return (self.decode)(&block, &mut dst[block.decoded.clone()]).ok().map(|()| (index + 1, end));
        }
        let n_steps = self.steps_to(end, from);
        let holds_bytes = |at| self.next(at).is_some_and(|next| next > at + LENGTH_BYTES);
        let candidates = n_steps.iter().zip(from..);
        let candidates = candidates.filter(|(n, at)| (1..=most).contains(&(**n as usize)) && holds_bytes(*at));
        let mut candidates: Vec<(usize, usize)> = candidates.map(|(n, place)| (*n as usize, place)).collect();
        candidates.sort_unstable_by_key(|(n, place)| (usize::MAX - n, *place));
        let mut budget = MAX_DECODED * dst.len();
        candidates.into_iter().take(MAX_TRIALS).find_map(|(n, place)| {
            let start = blocks.n_blocks - n;
            let mut next = place;
            for block in start..blocks.n_blocks {
                budget = budget.checked_sub(blocks.range(block).len())?;
                self.decode_at(blocks, block, next, dst).ok()?;
                next = self.next(next)?;
            }
            Some((start, place))
        })
    }

    /// For each place from `from` to `end`: how many blocks lead from there exactly to `end`.
    fn steps_to(&self, end: usize, from: usize) -> Vec<u32> {
        let mut n_steps = vec![NO_END; end - from + 1];
        n_steps[end - from] = 0;
        for at in (from..end).rev() {
            if let Some(next) = self.next(at).filter(|next| *next <= end) {
                n_steps[at - from] = n_steps[next - from].saturating_add(1);
            }
        }
        n_steps
    }

    /// Whether the lengths lead from the first block to the end of the chunk.
    fn leads_to_end(&self, blocks: &Blocks, n_raw: usize) -> bool {
        let end = (0..blocks.n_blocks).try_fold(HEADER_BYTES, |at, _| self.next(at));
        end.is_some_and(|end| end + n_raw == self.stored.len())
    }

    /// Where the block after the one at `at` stands, if that one is within the chunk.
    fn next(&self, at: usize) -> Option<usize> {
        let length = self.stored.get(at..)?.first_chunk::<LENGTH_BYTES>()?;
        let end = (at + LENGTH_BYTES).checked_add(u32::from_be_bytes(*length) as usize)?;
        (end <= self.stored.len()).then_some(end)
    }

    fn decode_at(&self, blocks: &Blocks, index: usize, at: usize, dst: &mut [u8]) -> Result<()> {
        let mut cursor = Cursor::new(self.stored);
        cursor.take(at)?;
        let length = cursor.u32_be()? as usize;
        cursor.take(length)?;
        let block = self.block(blocks, index, at + LENGTH_BYTES..at + LENGTH_BYTES + length);
        (self.decode)(&block, &mut dst[block.decoded.clone()])
    }

    fn block(&self, blocks: &Blocks, index: usize, stored: Range<usize>) -> Block {
        let decoded = blocks.range(index);
        let is_raw = self.stores_raw && stored.len() == decoded.len();
        Block { stored, decoded, storage: if is_raw { Storage::Raw } else { Storage::Encoded } }
    }
}
