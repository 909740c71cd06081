//! The search for repetitions behind our BloscLZ and LZ4 encoders, made for shuffled detector data.
//!
//! Such streams are long runs of zeros with a few bytes between them. A run of zeros is found and measured with vector
//! compares and never goes through the hash table: it becomes one copy, from the longest run that lies in reach, or of
//! its own first byte. Everything else is looked up by the hash of five bytes, with longer steps the longer nothing is
//! found.
//!
//! The result depends on the input only: the instruction set decides how wide the compares are, never what they say.

use crate::cpu::{Isa, Level};

/// What a format allows, and how it is written.
pub(super) trait Format {
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
pub(super) const MIN_INPUT: usize = 32;
/// Slots of the hash table: 16 KiB, so that it stays in the first-level cache.
const HASH_BITS: u32 = 12;
/// After 2^SKIP_BITS positions without a match, steps get longer.
const SKIP_BITS: u32 = 6;
/// Bytes compared at once.
const LANES: usize = 32;

/// The hash table, kept over the streams of a chunk.
///
/// A slot holds a position plus `base`. The next stream's base lies behind every position of this one, so that nothing
/// need be cleared: what is below it is from an earlier stream.
#[derive(Debug)]
pub(super) struct Search {
    slots: Box<[u32; 1 << HASH_BITS]>,
    base: u32,
}

impl Search {
    pub(super) fn new() -> Self {
        Self { slots: Box::new([0; 1 << HASH_BITS]), base: 1 }
    }

    /// Writes `src` to `out` in one stream. `stride` is the first step where nothing is found, 1 for the most thorough
    /// search. `None` where `out` has no room, or `src` is too short to be searched.
    pub(super) fn encode(&mut self, level: Level, stride: usize, src: &[u8], out: &mut impl Format) -> Option<()> {
        if src.len() < MIN_INPUT {
            return None;
        }
        if self.base.checked_add(src.len() as u32).is_none() {
            *self = Self::new();
        }
        let result = match level.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level proves that the processor has these features.
            Isa::Avx2 | Isa::Avx512 => unsafe { encode_avx2(self, stride, src, out) },
            _ => encode_with(self, stride, src, out),
        };
        self.base += src.len() as u32;
        result
    }

    /// Puts `at` in the slot of `word` and returns the position that stood there, if it is of this stream.
    #[inline(always)]
    fn replace(&mut self, word: u64, at: usize) -> Option<usize> {
        let slot = ((word << 24).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - HASH_BITS)) as usize;
        let before = std::mem::replace(&mut self.slots[slot], self.base + at as u32);
        before.checked_sub(self.base).map(|at| at as usize)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn encode_avx2(search: &mut Search, stride: usize, src: &[u8], out: &mut impl Format) -> Option<()> {
    encode_with(search, stride, src, out)
}

#[inline(always)]
fn encode_with<F: Format>(search: &mut Search, stride: usize, src: &[u8], out: &mut F) -> Option<()> {
    let end = src.len() - TAIL;
    let mut zeros = ZeroRun { start: 0, len: 0 };
    let mut anchor = 0;
    // The first operation must have a literal, so that the first byte never begins a copy.
    let mut at = 1;
    search.replace(word(src, 0), 0);
    let mut tries = stride << SKIP_BITS;
    let mut step = 1;
    while at < end {
        let here = word(src, at);
        let found = if here == 0 {
            Some(zeros.copy::<F>(src, anchor, at))
        } else {
            let before = search.replace(here, at).filter(|before| at - before <= F::MAX_DISTANCE);
            before.filter(|before| word(src, *before) as u32 == here as u32).and_then(|before| {
                let copy = extend::<F>(src, anchor, before, at);
                F::is_worth(copy.len, copy.distance).then_some(copy)
            })
        };
        let Some(copy) = found else {
            at += step;
            step = tries >> SKIP_BITS;
            tries += 1;
            continue;
        };
        out.sequence(src, anchor, copy.start, copy.distance, copy.len)?;
        anchor = copy.start + copy.len;
        at = anchor;
        tries = stride << SKIP_BITS;
        step = 1;
        if copy.distance > 1 && at < end {
            search.replace(word(src, at - 2), at - 2);
        }
    }
    out.end(src, anchor)
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
    /// The copy that makes the run of zeros around `at`, of which eight are known.
    #[inline(always)]
    fn copy<F: Format>(&mut self, src: &[u8], anchor: usize, at: usize) -> Copy {
        let mut start = at;
        while start > anchor.max(1) && src[start - 1] == 0 {
            start -= 1;
        }
        let limit = src.len() - F::END_LITERALS;
        let end = at + leading_zeros(&src[at..limit]);
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
fn extend<F: Format>(src: &[u8], anchor: usize, mut before: usize, mut at: usize) -> Copy {
    let limit = src.len() - F::END_LITERALS;
    let mut len = 4 + common_prefix(&src[before + 4..], &src[at + 4..limit]);
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

/// How many bytes at the front are zero.
#[inline(always)]
fn leading_zeros(bytes: &[u8]) -> usize {
    let (chunks, tail) = bytes.as_chunks::<LANES>();
    let n = chunks.iter().take_while(|chunk| **chunk == [0; LANES]).count();
    let rest = chunks.get(n).map_or(tail, |chunk| chunk);
    n * LANES + first_difference(rest, &[0; LANES])
}

/// How many bytes at the front of `b` are those of `a`, which is longer.
#[inline(always)]
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let (chunks_a, chunks_b) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
    let n = LANES * chunks_a.iter().zip(chunks_b).take_while(|(x, y)| x == y).count();
    let rest = &b[n..b.len().min(n + LANES)];
    n + first_difference(&a[n..n + rest.len()], rest)
}

/// Where two slices of at most `LANES` bytes begin to differ: the length of `a` where they do not, `b` being longer.
#[inline(always)]
fn first_difference(a: &[u8], b: &[u8]) -> usize {
    let (words_a, tail_a) = a.as_chunks::<8>();
    let (words_b, _) = b.as_chunks::<8>();
    for (i, (x, y)) in words_a.iter().zip(words_b).enumerate() {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return 8 * i + differ.trailing_zeros() as usize / 8;
        }
    }
    let n = 8 * words_a.len();
    n + tail_a.iter().zip(&b[n..]).take_while(|(x, y)| x == y).count()
}
