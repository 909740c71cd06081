//! Where the runs of zeros in a stream begin and end.
//!
//! Byte after byte this would be a mispredicted branch a run. Here 512 bytes become a mask of those words of eight that
//! are not zero, and the places where it changes are written out by counting bits. The bytes of the words around a run
//! that belong to it are counted the same way. So every run of 15 bytes is found, and shorter ones of 8 or more where
//! they fill a word.

#![forbid(unsafe_code)]

use super::vector::Lanes;
use super::vector::dispatch::{Work, with_lanes};
use crate::cpu::Level;

#[cfg(test)]
#[path = "zero_runs_tests.rs"]
mod tests;

/// The shortest run that is listed.
pub(super) const MIN_RUN: usize = WORD;

/// Bytes of a word.
const WORD: usize = 8;
/// Bytes of a mask.
const BLOCK: usize = 64 * WORD;
/// Positions that are written at once, whether there are as many or not.
const AT_ONCE: usize = 4;

/// The runs of one stream. Its memory is kept for the next one.
#[derive(Debug, Default)]
pub(super) struct ZeroRuns {
    /// The first word of the first run and the first word after it, then those of the second run, and so on. What
    /// follows the last one means nothing.
    edges: Vec<u32>,
    n_edges: usize,
}

impl ZeroRuns {
    /// Finds the runs of `bytes`.
    pub(super) fn find(&mut self, level: Level, bytes: &[u8]) {
        // An edge at every word, and what may be written after the last one.
        let n_most = bytes.len() / WORD + AT_ONCE + 2;
        if self.edges.len() < n_most {
            self.edges.resize(n_most, 0);
        }
        self.n_edges = with_lanes(level, Edges { bytes, edges: &mut self.edges });
    }

    /// The runs as start and end, in order. `bytes` are those that were searched.
    #[inline(always)]
    pub(super) fn iter(&self, bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
        let words = bytes.as_chunks::<WORD>().0;
        let word = |at: usize| words.get(at).map_or(u64::MAX, |word| u64::from_le_bytes(*word));
        self.edges[..self.n_edges].as_chunks::<2>().0.iter().map(move |[start, end]| {
            let (start, end) = (*start as usize, *end as usize);
            let before = word(start.wrapping_sub(1)).leading_zeros() as usize / 8;
            let after = word(end).trailing_zeros() as usize / 8;
            (start * WORD - before, end * WORD + after)
        })
    }
}

/// Writes the edges in `bytes` to the front of `edges` and returns their number.
struct Edges<'a> {
    bytes: &'a [u8],
    edges: &'a mut [u32],
}

impl Work for Edges<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> usize {
        edges(lanes, self.bytes, self.edges)
    }
}

#[inline(always)]
fn edges<L: Lanes>(lanes: L, bytes: &[u8], edges: &mut [u32]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    let (mut n, mut base, mut carry) = (0, 0, 0);
    for block in blocks {
        let zeros = !lanes.nonzero_words(block);
        n = put_edges(zeros ^ (zeros << 1 | carry), base, edges, n);
        carry = zeros >> 63;
        base += 64;
    }
    // What follows the last whole word ends every run.
    let mut last = [1; BLOCK];
    let n_whole = tail.len() - tail.len() % WORD;
    last[..n_whole].copy_from_slice(&tail[..n_whole]);
    let zeros = !lanes.nonzero_words(&last);
    put_edges(zeros ^ (zeros << 1 | carry), base, edges, n)
}

/// Appends the edges of one block, which begins at word `base`, to the `n` before it. Returns their number.
#[inline(always)]
fn put_edges(mut changes: u64, base: u32, edges: &mut [u32], mut n: usize) -> usize {
    let end = n + changes.count_ones() as usize;
    while n < end {
        let Some(room) = edges.get_mut(n..).and_then(|rest| rest.first_chunk_mut::<AT_ONCE>()) else { return n };
        for edge in room {
            *edge = base.wrapping_add(changes.trailing_zeros());
            changes &= changes.wrapping_sub(1);
        }
        n += AT_ONCE;
    }
    end
}
