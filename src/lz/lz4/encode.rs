//! The LZ4 block encoder: for blocks that are mostly zeros.
//!
//! A map with one bit a byte, set where the byte is not zero, is made first. With it a run of zeros is found and measured
//! by counting bits, not by looking at bytes, and is never hashed: it becomes a match with the longest run before it. What
//! stands between runs is looked up by the hash of its first five bytes; a match found there takes the zeros before
//! it along, as many as stand before both. Where there are no zeros, steps get longer the longer nothing is found,
//! as in the reference.
//!
//! What is written depends on the input alone: [`Lanes`] only say which bytes are equal.

#![forbid(unsafe_code)]

use super::sequence::{END_LITERALS, MIN_MATCH, Writer};
use crate::cpu::Level;
use crate::lz::vector::dispatch::{Work, with_lanes};
use crate::lz::vector::{Lanes, N, common_prefix};
use std::hint::black_box;

/// The longest input: every byte is in reach of every other, and a position fits 16 bits.
pub(super) const MAX_BYTES: usize = 1 << 16;

/// Inputs shorter than this are not searched: there is no room for a match.
const MIN_BYTES: usize = 2 * END_BYTES;

/// The reference decodes no match that begins in the last bytes of a block.
const END_BYTES: usize = 12;

const HASH_BITS: u32 = 11;

/// How far the search goes on where nothing is found: with 1, blocks get 3 % smaller, and are slower both ways.
const FIRST_STEP: usize = 2;

/// After 2^SKIP_BITS positions without a match, steps get longer.
const SKIP_BITS: u32 = 3;

/// Working memory, kept over the blocks of a chunk.
#[derive(Debug)]
pub(super) struct Memory {
    /// By hash, the last place where five bytes with it stood. 0, too, is a place, and compared like any other.
    slots: Box<[u16; 1 << HASH_BITS]>,
    /// Bit `i % 64` of word `i / 64` is set where byte `i` is not zero.
    map: Vec<u64>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { slots: Box::new([0; 1 << HASH_BITS]), map: Vec::new() }
    }

    /// Makes all slots 0, in pieces: with AVX-512 the compiler makes stores of each, below a `memset` that is too small for `rep stosb`.
    /// One `memset` of them all takes that, and is slow to begin: blocks took a Zen 5 1.07 times as long. Not measured on others.
    #[inline(always)]
    fn forget(&mut self) {
        const PIECE: usize = 512;
        const { assert!((1usize << HASH_BITS).is_multiple_of(PIECE)) };
        for piece in self.slots.as_chunks_mut::<PIECE>().0 {
            // Where the compiler sees that they are neighbours, it makes one `memset` of them.
            *black_box(piece) = [0; PIECE];
        }
    }
}

/// Encodes `src`, of at most [`MAX_BYTES`], to the front of `dst`. `None` where there is no room.
pub(super) fn encode(level: Level, memory: &mut Memory, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    with_lanes(level, Encode { memory, src, dst })
}

struct Encode<'a> {
    memory: &'a mut Memory,
    src: &'a [u8],
    dst: &'a mut [u8],
}

impl Work for Encode<'_> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Option<usize> {
        encode_with(lanes, self.memory, self.src, self.dst)
    }
}

#[inline(always)]
fn encode_with<L: Lanes>(lanes: L, memory: &mut Memory, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    let mut out = Output { src, block: Writer::new(dst), anchor: 0 };
    if src.len() >= MIN_BYTES {
        // 4 KiB, which costs little; a place in an earlier block would cost a branch that nobody can guess.
        memory.forget();
        fill_map(lanes, src, &mut memory.map);
        search(lanes, &mut memory.slots, &Map(&memory.map), src, &mut out)?;
    }
    out.end()
}

/// Finds the matches of `src` and hands them to `out`.
#[inline(always)]
fn search<L: Lanes>(
    lanes: L,
    slots: &mut [u16; 1 << HASH_BITS],
    map: &Map<'_>,
    src: &[u8],
    out: &mut Output<'_>,
) -> Option<()> {
    let (last_start, limit) = (src.len() - END_BYTES, src.len() - END_LITERALS);
    let mut zeros = Zeros { start: 0, n: 0 };
    let mut at = 0;
    let mut tries = FIRST_STEP << SKIP_BITS;
    while at < last_start {
        let mut gap = 0;
        if !map.is_set(at) {
            let end = map.next_set(at).min(limit);
            gap = end - at;
            if end >= last_start {
                zeros.put(out, at, gap)?;
                break;
            }
            at = end;
        }
        let word = word_at(src, at);
        let slot = &mut slots[hash(word)];
        let before = usize::from(std::mem::replace(slot, at as u16));
        if before < at && word_at(src, before) as u32 == word as u32 {
            let len = MIN_MATCH + common_prefix(lanes, src, before + MIN_MATCH, at + MIN_MATCH, limit);
            let back = map.zeros_before(before, gap);
            // Zeros that this match cannot take along are a match of their own, or too few for one: literals.
            if gap - back >= MIN_MATCH {
                zeros.put(out, at - gap, gap - back)?;
            }
            zeros.remember(at - gap, gap);
            out.sequence(at - back, at - before, back + len)?;
            at = out.anchor;
            tries = FIRST_STEP << SKIP_BITS;
        } else {
            if gap >= MIN_MATCH {
                zeros.put(out, at - gap, gap)?;
                tries = FIRST_STEP << SKIP_BITS;
            }
            at += tries >> SKIP_BITS;
            tries += 1;
        }
    }
    Some(())
}

fn hash(word: u64) -> usize {
    ((word << 24).wrapping_mul(0x9E37_79B1_85EB_CA87) >> (64 - HASH_BITS)) as usize
}

/// Eight bytes from `at` on, which are there: no search begins in the last [`END_BYTES`].
#[inline(always)]
fn word_at(src: &[u8], at: usize) -> u64 {
    src[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Makes `map` of `src`, and one word more. Bits that are no byte's are set.
#[inline(always)]
fn fill_map<L: Lanes>(lanes: L, src: &[u8], map: &mut Vec<u64>) {
    map.clear();
    let (chunks, rest) = src.as_chunks::<64>();
    map.extend(chunks.iter().map(|chunk| {
        let (low, high) = chunk.as_chunks::<N>().0.split_at(1);
        u64::from(lanes.differ(&low[0], &[0; N])) | u64::from(lanes.differ(&high[0], &[0; N])) << N
    }));
    let mut last = u64::MAX;
    for (i, byte) in rest.iter().enumerate() {
        last ^= u64::from(*byte == 0) << i;
    }
    map.extend([last, u64::MAX]);
}

/// Where bytes are not zero.
struct Map<'a>(&'a [u64]);

impl Map<'_> {
    #[inline(always)]
    fn is_set(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 != 0
    }

    /// The first set bit from `at` on. There is one: all bits of the last two words that are no byte's are set.
    #[inline(always)]
    fn next_set(&self, at: usize) -> usize {
        let (i, bit) = (at / 64, at % 64);
        let near = self.0[i] >> bit | self.0[i + 1] << 1 << (63 - bit);
        if near != 0 {
            return at + near.trailing_zeros() as usize;
        }
        let mut i = i + 1;
        while self.0[i] == 0 {
            i += 1;
        }
        64 * i + self.0[i].trailing_zeros() as usize
    }

    /// How many clear bits stand before `at`, `most` where they are more.
    #[inline(always)]
    fn zeros_before(&self, at: usize, most: usize) -> usize {
        let (mut i, bit) = (at / 64, at % 64);
        let below = if i == 0 { 0 } else { self.0[i - 1] };
        // The 64 bits before `at`.
        let near = self.0[i] << 1 << (63 - bit) | below >> bit;
        if near != 0 {
            return most.min(near.leading_zeros() as usize);
        }
        while i > 0 && self.0[i - 1] == 0 && at - 64 * i < most {
            i -= 1;
        }
        let last = if i == 0 { 0 } else { 64 * i - self.0[i - 1].leading_zeros() as usize };
        most.min(at - last)
    }
}

/// The longest run of zeros so far, which others are copied from.
struct Zeros {
    start: usize,
    n: usize,
}

impl Zeros {
    /// Writes the `n` zeros from `start` on as a match, where they are enough for one.
    #[inline(always)]
    fn put(&mut self, out: &mut Output<'_>, start: usize, n: usize) -> Option<()> {
        if self.n >= n && n >= MIN_MATCH {
            return out.sequence(start, start - self.start, n);
        }
        // A byte of its own, repeated.
        if n > MIN_MATCH {
            out.sequence(start + 1, 1, n - 1)?;
        }
        self.remember(start, n);
        Some(())
    }

    #[inline(always)]
    fn remember(&mut self, start: usize, n: usize) {
        if n > self.n {
            *self = Self { start, n };
        }
    }
}

/// The block as far as it is written. `src[anchor..]` is not yet in it.
struct Output<'a> {
    src: &'a [u8],
    block: Writer<'a>,
    anchor: usize,
}

impl Output<'_> {
    /// Writes the literals up to `start`, and a match of `len` bytes from there on.
    #[inline(always)]
    fn sequence(&mut self, start: usize, distance: usize, len: usize) -> Option<()> {
        self.block.sequence(self.src, self.anchor, start, distance, len)?;
        self.anchor = start + len;
        Some(())
    }

    /// Writes the literals that end the block, and returns its bytes.
    fn end(mut self) -> Option<usize> {
        self.block.literals(&self.src[self.anchor..], 0)?;
        Some(self.block.n_bytes())
    }
}
