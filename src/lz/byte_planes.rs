//! The search for repetitions after our BloscLZ and LZ4 encoders, made for shuffled detector data.
//!
//! Such streams are long runs of zeros with a few bytes between them. A run of zeros is found and measured with vector
//! compares and never goes through the hash table: it becomes one copy, from the longest run that lies in reach, or of
//! its own first byte. Everything else is looked up by the hash of five bytes, with longer steps the longer nothing is
//! found.
//!
//! The result depends on the input only: the instruction set decides how wide the compares are, never what they say.

#![forbid(unsafe_code)]

use super::vector::dispatch::{Work, with_lanes};
use super::vector::{Lanes, common_prefix};
use super::zero_runs::{MIN_RUN, ZeroRuns};
use crate::cpu::Level;
use std::ops::Range;

/// What a format allows, and how it is written.
pub(crate) trait Format {
    /// Bytes at the end that are always literals.
    const END_LITERALS: usize;
    /// The largest distance of a copy.
    const MAX_DISTANCE: usize;

    /// Whether a copy of `len` bytes is worth its operation.
    fn is_worth(len: usize, distance: usize) -> bool;

    /// Writes the literals from `start` to `end` of `src`, then a copy. `None` where there is no room.
    fn sequence(&mut self, src: &[u8], start: usize, end: usize, distance: usize, len: usize) -> Option<()>;

    /// Writes the literals from `start` on, which end the stream. `None` where there is no room.
    fn end(&mut self, src: &[u8], start: usize) -> Option<()>;
}

/// No copy begins in the last bytes of the input.
const TAIL: usize = 12;
/// Inputs shorter than this are not searched.
pub(crate) const MIN_INPUT: usize = 32;
/// Slots of the hash table: 16 KiB, so that it stays in the first-level cache.
const HASH_BITS: u32 = 12;
/// After 2^SKIP_BITS positions without a match, steps get longer.
const SKIP_BITS: u32 = 6;
/// Stretches between runs of zeros that are not searched for anything that begins within them.
const SHORT: usize = 12;
/// Copies that let the search start over with short steps.
const LONG: usize = 8;
/// Farther than any format reaches: slots begin as 0.
const FIRST_BASE: u32 = 1 << 20;

/// The hash table, kept over the streams of a chunk.
///
/// A slot holds a position plus `base`. The next stream's base lies so far after the positions of this one that none of
/// them is in reach: nothing need be cleared.
#[derive(Debug)]
pub(crate) struct Search {
    slots: Box<[u32; 1 << HASH_BITS]>,
    base: u32,
    runs: ZeroRuns,
}

impl Search {
    pub(crate) fn new() -> Self {
        Self { slots: Box::new([0; 1 << HASH_BITS]), base: FIRST_BASE, runs: ZeroRuns::default() }
    }

    /// Writes `src` to `out` in one stream. `stride` is the first step where nothing is found, 1 for the most thorough
    /// search. `None` where `out` has no room, or `src` is too short to be searched.
    pub(crate) fn encode<F: Format>(&mut self, level: Level, stride: usize, src: &[u8], out: &mut F) -> Option<()> {
        if src.len() < MIN_INPUT {
            return None;
        }
        let next_base = src.len() + F::MAX_DISTANCE;
        if u32::try_from(next_base).ok().and_then(|n| self.base.checked_add(n)).is_none() {
            *self = Self::new();
        }
        self.runs.find(level, &src[..src.len() - F::END_LITERALS]);
        let result = with_lanes(level, Encode { search: self, stride, src, out });
        self.base += next_base as u32;
        result
    }

    /// Puts `at` in the slot of `word` and returns the position that stood there, if it is at most `reach` back.
    #[inline(always)]
    fn replace(&mut self, reach: usize, word: u64, at: usize) -> Option<usize> {
        let slot = ((word << 24).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - HASH_BITS)) as usize;
        let here = self.base + at as u32;
        let distance = (here - std::mem::replace(&mut self.slots[slot], here)) as usize;
        (distance <= reach).then(|| at - distance)
    }
}

struct Encode<'a, F> {
    search: &'a mut Search,
    stride: usize,
    src: &'a [u8],
    out: &'a mut F,
}

impl<F: Format> Work for Encode<'_, F> {
    type Output = Option<()>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Option<()> {
        encode_with(lanes, self.search, self.stride, self.src, self.out)
    }
}

/// One stretch between runs of zeros after the other, each followed by the run.
#[inline(always)]
fn encode_with<L: Lanes, F: Format>(
    lanes: L,
    search: &mut Search,
    stride: usize,
    src: &[u8],
    out: &mut F,
) -> Option<()> {
    let runs = std::mem::take(&mut search.runs);
    let mut zeros = ZeroRun { start: 0, len: 0 };
    let mut anchor = 0;
    search.replace(0, word(src, 0), 0);
    for (start, end) in runs.iter(&src[..src.len() - F::END_LITERALS]) {
        if anchor < start {
            anchor = search.stretch(lanes, stride, src, anchor, start..end, out)?;
        }
        // The first byte is always a literal, and a copy may have reached into the run.
        let start = start.max(anchor).max(1);
        if start + MIN_RUN > end {
            continue;
        }
        let copy = zeros.copy::<F>(src, start, end);
        out.sequence(src, anchor, copy.start, copy.distance, copy.len)?;
        anchor = end;
    }
    search.runs = runs;
    let anchor = search.lookup(lanes, stride, src, anchor, src.len() - TAIL, out)?;
    out.end(src, anchor)
}

impl Search {
    /// Writes what can be copied between `anchor` and the run of `zeros`, and returns the byte after the last copy.
    #[inline(always)]
    fn stretch<L: Lanes, F: Format>(
        &mut self,
        lanes: L,
        stride: usize,
        src: &[u8],
        anchor: usize,
        zeros: Range<usize>,
        out: &mut F,
    ) -> Option<usize> {
        let Range { start, end } = zeros;
        if start - anchor > SHORT {
            return self.lookup(lanes, stride, src, anchor, start, out);
        }
        // A few bytes are worth a copy only where it goes on after the run: where whole records repeat.
        let here = word(src, anchor);
        let Some(before) = self.replace(F::MAX_DISTANCE, here, anchor) else { return Some(anchor) };
        let after = |at: usize| src.get(at..at + 4);
        let is_record = word(src, before) == here && after(end) == after(before + end - anchor);
        if !is_record || anchor == 0 {
            return Some(anchor);
        }
        let copy = extend::<L, F>(lanes, src, anchor, before, anchor);
        if copy.start + copy.len <= end {
            return Some(anchor);
        }
        out.sequence(src, anchor, copy.start, copy.distance, copy.len)?;
        Some(copy.start + copy.len)
    }

    /// Looks up what begins between `anchor` and `stop`, and returns the byte after the last copy.
    #[inline(always)]
    fn lookup<L: Lanes, F: Format>(
        &mut self,
        lanes: L,
        stride: usize,
        src: &[u8],
        mut anchor: usize,
        stop: usize,
        out: &mut F,
    ) -> Option<usize> {
        let stop = stop.min(src.len() - TAIL);
        let mut at = anchor.max(1);
        let mut tries = stride << SKIP_BITS;
        let mut step = 1;
        while at < stop {
            let here = word(src, at);
            if let Some(before) = self.replace(F::MAX_DISTANCE, here, at)
                && word(src, before) as u32 == here as u32
            {
                let copy = extend::<L, F>(lanes, src, anchor, before, at);
                if F::is_worth(copy.len, copy.distance) {
                    out.sequence(src, anchor, copy.start, copy.distance, copy.len)?;
                    anchor = copy.start + copy.len;
                    at = anchor;
                    // A short copy does not make what follows any likelier to repeat.
                    if copy.len >= LONG {
                        tries = stride << SKIP_BITS;
                    }
                    step = 1;
                    if at < stop {
                        self.replace(0, word(src, at - 2), at - 2);
                    }
                    continue;
                }
            }
            at += step;
            step = tries >> SKIP_BITS;
            tries += 1;
        }
        Some(anchor)
    }
}

/// A part of the input that was there before.
struct Copy {
    start: usize,
    len: usize,
    distance: usize,
}

/// The longest run of zeros so far that later ones can be copied from.
struct ZeroRun {
    start: usize,
    len: usize,
}

impl ZeroRun {
    /// The copy that makes the zeros from `start` to `end`, the first of which may be left to a literal.
    #[inline(always)]
    fn copy<F: Format>(&mut self, src: &[u8], start: usize, end: usize) -> Copy {
        let len = end - start;
        if self.len >= len && start - self.start <= F::MAX_DISTANCE {
            return Copy { start, len, distance: start - self.start };
        }
        // Its own first byte, repeated; the byte before it, where that is zero too.
        *self = Self { start, len };
        let first = start + usize::from(src[start - 1] != 0);
        Copy { start: first, len: end - first, distance: 1 }
    }
}

/// The whole match around `at`, of which four bytes are known to be the same as at `before`.
#[inline(always)]
fn extend<L: Lanes, F: Format>(lanes: L, src: &[u8], anchor: usize, mut before: usize, mut at: usize) -> Copy {
    let limit = src.len() - F::END_LITERALS;
    let mut len = 4 + common_prefix(lanes, src, before + 4, at + 4, limit);
    while at > anchor.max(1) && before > 0 && src[at - 1] == src[before - 1] {
        at -= 1;
        before -= 1;
        len += 1;
    }
    Copy { start: at, len, distance: at - before }
}

#[inline(always)]
fn word(src: &[u8], at: usize) -> u64 {
    let bytes = src[at..].first_chunk().expect("the tail is longer than a word");
    u64::from_le_bytes(*bytes)
}
