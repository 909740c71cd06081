//! The LZ4 block decoder: for blocks that are nearly all zeros; the others are left to `dense`.
//!
//! The output is cleared first, and the decoder remembers behind which byte it is still all zero. A match that copies
//! from there copies zeros onto zeros, however long it is and however it overlaps itself: nothing is done. In the bit
//! planes of detector data that is nearly every match. What is left, literals and matches of a few bytes, is moved
//! [`N`] bytes at a time, zeros behind, so that the bytes ahead stay clear.

use super::dense;
use crate::codec::lanes::{Lanes, N, Work, with_lanes};
use crate::cpu::Level;
use crate::{Error, Result};
use std::ops::Range;

/// Bytes behind the block in the output that let the decoder store whole vectors up to the end: with fewer it is right
/// but slower there.
pub const SLACK_BYTES: usize = 2 * N;

/// The shortest match.
pub(super) const MIN_MATCH: usize = 4;

/// A length in the token that says that more of it follows.
pub(super) const MORE: usize = 15;

/// Decodes `src`, a block of `n_bytes`, as [`super::block::decode_rows`] says.
pub(super) fn decode(level: Level, src: &[u8], dst: &mut [u8], n_bytes: usize, row_bytes: usize) -> Result<usize> {
    with_lanes(level, Decode { src, dst, n_bytes, row_bytes })
}

struct Decode<'a> {
    src: &'a [u8],
    dst: &'a mut [u8],
    n_bytes: usize,
    row_bytes: usize,
}

impl Work for Decode<'_> {
    type Output = Result<usize>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Result<usize> {
        let Self { src, dst, n_bytes, row_bytes } = self;
        if src.len() > n_bytes / DENSE {
            return dense::decode(lanes, src, dst, n_bytes, row_bytes);
        }
        decode_with(lanes, src, dst, n_bytes, row_bytes)
    }
}

/// A block of more than one byte for so many is decoded without looking for zeros. Measured, with 12, 24, 40 and 400
/// beside it: blocks of 0.1 % bright pixels stand on both sides.
const DENSE: usize = 100;

#[inline(always)]
fn decode_with<L: Lanes>(lanes: L, src: &[u8], dst: &mut [u8], n_bytes: usize, row_bytes: usize) -> Result<usize> {
    dst.fill(0);
    let mut output = Output { lanes, dst, at: 0, n_bytes, used: 0 };
    let mut at = 0;
    loop {
        let (token, n_literals) = token(src, &mut at)?;
        let rest = &src[at..];
        if n_literals != 0 {
            output.literals(rest, n_literals).ok_or_else(|| too_long(at))?;
        }
        at += n_literals;
        let Some(offset) = src[at..].first_chunk() else { break };
        let offset = usize::from(u16::from_le_bytes(*offset));
        at += 2;
        let len = match_len(token, src, &mut at)?;
        if offset.wrapping_sub(1) >= output.at {
            return Err(too_early(at));
        }
        if len > row_bytes
            && let Some(rest) = src.get(at..)
            && let Some(n_rows) = output.repeated_rows(offset, len, rest, row_bytes)
        {
            return Ok(n_rows);
        }
        output.matching(offset, len).ok_or_else(|| too_long(at))?;
    }
    if at != src.len() {
        return Err(Error::Truncated { at, needed: 2, available: 1 });
    }
    if output.at != n_bytes {
        return Err(Error::WrongSize { expected: n_bytes, found: output.at });
    }
    // The first row of zeros stands for all that follow.
    Ok((output.used.div_ceil(row_bytes) + 1).min(n_bytes / row_bytes))
}

/// The first whole row in a match of `len` bytes at `to`, where `rest`, what follows it in the stored block, is no more
/// than the literals that end the block of `n_bytes`.
#[inline(always)]
pub(super) fn first_row(to: usize, len: usize, n_bytes: usize, rest: &[u8], row_bytes: usize) -> Option<Range<usize>> {
    let (token, literals) = rest.split_first()?;
    let is_last = literals.len() < 15 && usize::from(*token) == literals.len() << 4;
    let start = to.next_multiple_of(row_bytes);
    let row = start..start + row_bytes;
    (is_last && row.end <= to + len && to + len + literals.len() == n_bytes).then_some(row)
}

/// Whether [`first_row`], of a match from `offset` back, is like all rows behind it.
#[inline(always)]
pub(super) fn is_repeated(row: &[u8], offset: usize, rest: &[u8]) -> bool {
    // A whole number of the match's periods, or zeros, as many as a period has at least.
    let is_periodic =
        row.len().is_multiple_of(offset) || offset < row.len() && row.iter().fold(0, |bits, byte| bits | byte) == 0;
    is_periodic && row.ends_with(&rest[1..])
}

#[cold]
pub(super) fn too_early(at: usize) -> Error {
    Error::Corrupt { at, what: "an LZ4 match begins before the block" }
}

#[cold]
pub(super) fn too_long(at: usize) -> Error {
    Error::Corrupt { at, what: "the LZ4 block decodes to more than its size" }
}

#[cold]
fn ends_early(at: usize) -> Error {
    Error::Truncated { at, needed: 1, available: 0 }
}

/// The next token, and the number of literals behind it, which `src` has.
#[inline(always)]
pub(super) fn token(src: &[u8], at: &mut usize) -> Result<(u8, usize)> {
    let token = *src.get(*at).ok_or_else(|| ends_early(*at))?;
    *at += 1;
    let mut n_literals = usize::from(token >> 4);
    if n_literals == MORE {
        n_literals += long_length(src, at)?;
    }
    let available = src.len() - *at;
    if n_literals > available {
        return Err(Error::Truncated { at: *at, needed: n_literals, available });
    }
    Ok((token, n_literals))
}

/// The length of a match of sparse data, behind its offset. `at` may be one byte behind the end then.
///
/// Whether the length goes on is anyone's guess there: so its next byte is read in any case, and only a 255 decides a branch.
/// Past the end is the next token's error.
#[inline(always)]
pub(super) fn match_len(token: u8, src: &[u8], at: &mut usize) -> Result<usize> {
    let is_long = token & 15 == 15;
    let next = src.get(*at).copied().unwrap_or(0);
    let next = usize::from(if is_long { next } else { 0 });
    *at += usize::from(is_long);
    let len = usize::from(token & 15) + MIN_MATCH + next;
    if next == 255 { Ok(len.saturating_add(long_length(src, at)?)) } else { Ok(len) }
}

/// The length of a match, behind its offset. Where a byte of it is missing that is an error, so that `at` is in `src` or at its end.
#[inline(always)]
pub(super) fn whole_match_len(token: u8, src: &[u8], at: &mut usize) -> Result<usize> {
    let length = usize::from(token & 15);
    let more = if length == MORE { long_length(src, at)? } else { 0 };
    Ok((length + MIN_MATCH).saturating_add(more))
}

/// The bytes that continue a length of [`MORE`].
#[inline(always)]
pub(super) fn long_length(src: &[u8], at: &mut usize) -> Result<usize> {
    let mut length = 0usize;
    loop {
        let byte = *src.get(*at).ok_or_else(|| ends_early(*at))?;
        *at += 1;
        length = length.saturating_add(usize::from(byte));
        if byte != 255 {
            return Ok(length);
        }
    }
}

/// The block as far as it is decoded. `dst[used..]` is all zero.
struct Output<'a, L> {
    lanes: L,
    dst: &'a mut [u8],
    at: usize,
    n_bytes: usize,
    used: usize,
}

impl<L: Lanes> Output<'_, L> {
    /// Appends the first `n` bytes of `from`, which has them. `None` where the block has no room for them.
    #[inline(always)]
    fn literals(&mut self, from: &[u8], n: usize) -> Option<()> {
        if n > self.n_bytes - self.at {
            return None;
        }
        let to = &mut self.dst[self.at..];
        if n <= N
            && let Some(to) = to.first_chunk_mut()
        {
            let bytes = self.lanes.load(from, n);
            self.lanes.store(bytes, to);
            self.mark(bytes);
        } else {
            to[..n].copy_from_slice(&from[..n]);
            self.mark_long(n);
        }
        self.at += n;
        Some(())
    }

    /// Appends `n` bytes from `offset` back, which is within the block. `None` where the block has no room for them.
    #[inline(always)]
    fn matching(&mut self, offset: usize, n: usize) -> Option<()> {
        if n > self.n_bytes - self.at {
            return None;
        }
        let from = self.at - offset;
        if from < self.used {
            let bytes = self.lanes.load_periodic(&self.dst[from..], offset, n.min(N));
            if n <= N
                && let Some(to) = self.dst[self.at..].first_chunk_mut()
            {
                self.lanes.store(bytes, to);
                self.mark(bytes);
            } else {
                copy_long(self.lanes, self.dst, self.at, offset, n);
                self.mark_long(n);
            }
        }
        self.at += n;
        Some(())
    }

    /// Appends the match only as far as its first whole row, if that is like all behind it.
    #[inline(always)]
    fn repeated_rows(&mut self, offset: usize, len: usize, rest: &[u8], row_bytes: usize) -> Option<usize> {
        if self.at - offset >= self.used {
            return None;
        }
        let row = first_row(self.at, len, self.n_bytes, rest, row_bytes)?;
        copy_long(self.lanes, self.dst, self.at, offset, row.end - self.at);
        if is_repeated(&self.dst[row.clone()], offset, rest) {
            return Some(row.end / row_bytes);
        }
        self.dst[self.at..].fill(0);
        None
    }

    /// Remembers what was stored at `self.at`.
    #[inline(always)]
    fn mark(&mut self, bytes: L::Bytes) {
        let used = self.lanes.used(bytes);
        self.used = if used == 0 { self.used } else { self.at + used };
    }

    /// Remembers `n` bytes stored at `self.at`, by looking at the last of them.
    #[inline(always)]
    fn mark_long(&mut self, n: usize) {
        let tail = n.min(N);
        let start = self.at + n - tail;
        let used = self.lanes.used(self.lanes.load(&self.dst[start..], tail));
        if used != 0 || n > N {
            self.used = start + used;
        }
    }
}

/// Copies `n` bytes from `offset` before `at` to `at`; what is copied first is copied again where they overlap.
#[inline(always)]
fn copy_long<L: Lanes>(lanes: L, dst: &mut [u8], at: usize, offset: usize, n: usize) {
    let (mut to, end) = (at, at + n);
    if offset <= N
        && let Some(near) = dst[at - offset..].first_chunk()
    {
        // As many whole periods as a vector has, over and over.
        let (bytes, step) = (lanes.repeat(near, offset), N - N % offset);
        while end - to >= N
            && let Some(chunk) = dst[to..].first_chunk_mut()
        {
            lanes.store(bytes, chunk);
            to += step;
        }
    }
    let step = if offset < N { N - N % offset } else { N };
    while to < end {
        let bytes = lanes.load_periodic(&dst[to - offset..], offset, (end - to).min(step));
        let Some(chunk) = dst[to..].first_chunk_mut() else { break };
        lanes.store(bytes, chunk);
        to += step;
    }
    if to < end {
        copy_tail(dst, to, offset, end - to);
    }
}

/// Copies the few bytes that are left where the output ends.
#[cold]
fn copy_tail(dst: &mut [u8], to: usize, offset: usize, n: usize) {
    for to in to..to + n {
        dst[to] = dst[to - offset];
    }
}
