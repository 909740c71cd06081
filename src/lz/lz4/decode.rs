//! The decoder of LZ4 blocks.
//!
//! Copies are whole vectors, longer than the literals or the match: what follows overwrites the rest. A match of up to a vector is one
//! vector, whatever its length, and however it overlaps itself: so short lengths decide no branch.
//!
//! Two loops take turns. `FastPath` takes sequences with few literals that are far from the end of either side. It is a function of
//! its own, with little in it, so that all it has stays in registers: how soon the next token is known is what a sequence costs. What it
//! leaves, the slow path takes, one sequence, and says what is wrong with a damaged one.
//!
//! ```text
//! src   [token|literals|offset|length] …            HEAD_BYTES are read at once
//! dst   … match source … | literals | match |·······|   SLACK_BYTES after a match may be overwritten
//! ```

#![forbid(unsafe_code)]

use super::sequence::{
    MIN_MATCH, MORE, SHORT_LITERALS, check_end, is_zeros, match_len, offset, token, too_early, too_long,
};
use crate::Result;
use crate::cpu::Level;
use crate::lz::vector::dispatch::{Work, with_lanes};
use crate::lz::vector::matches::{self, SLACK_BYTES};
use crate::lz::vector::{Lanes, N};
use std::ops::Range;

/// A token, the literals that it counts and an offset.
const HEAD_BYTES: usize = 1 + MORE + 2;

/// Decodes `src` to the front of `dst`, as [`super::decode_rows`] says.
pub(super) fn decode(level: Level, src: &[u8], dst: &mut [u8], n_bytes: usize, row_bytes: usize) -> Result<usize> {
    if is_zeros(src, n_bytes) {
        dst[..row_bytes].fill(0);
        return Ok(1);
    }
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
        // With no more slack than a match needs, a match that fits into `dst` fits into the block. The last match, which may be rows that
        // repeat, is left to the slow path: it ends so many bytes before the block does.
        let fast_bytes = if row_bytes < n_bytes { n_bytes.saturating_sub(MORE) } else { n_bytes };
        let fast_end = dst.len().min(fast_bytes.saturating_add(SLACK_BYTES));
        let (mut at, mut to) = (0, 0);
        loop {
            (at, to) = fast_path(lanes, src, &mut dst[..fast_end], at, to);
            let (token, n_literals) = token(src, &mut at)?;
            if n_literals > n_bytes - to {
                return Err(too_long(at));
            }
            copy_literals(&src[at..], n_literals, &mut dst[to..]);
            (at, to) = (at + n_literals, to + n_literals);
            let Some(offset) = offset(src, &mut at) else { break };
            let len = match_len(token, src, &mut at)?;
            if offset.wrapping_sub(1) >= to {
                return Err(too_early(at));
            }
            if len > n_bytes - to {
                return Err(too_long(at));
            }
            if len > row_bytes
                && let Some(row) = first_row(to, len, n_bytes, &src[at..], row_bytes)
            {
                copy_match(lanes, dst, to, offset, row.end - to);
                if is_repeated(&dst[row.clone()], offset, &src[at..]) {
                    return Ok(row.end / row_bytes);
                }
            }
            copy_match(lanes, dst, to, offset, len);
            to += len;
        }
        check_end(src, at, n_bytes, to)?;
        Ok(n_bytes / row_bytes)
    }
}

/// The first whole row in a match of `len` bytes at `to`, where `rest`, what follows it in the stored block, is no more
/// than the literals that end the block of `n_bytes`.
fn first_row(to: usize, len: usize, n_bytes: usize, rest: &[u8], row_bytes: usize) -> Option<Range<usize>> {
    let (token, literals) = rest.split_first()?;
    let is_last = literals.len() < MORE && usize::from(*token) == literals.len() << 4;
    let start = to.next_multiple_of(row_bytes);
    let row = start..start + row_bytes;
    (is_last && row.end <= to + len && to + len + literals.len() == n_bytes).then_some(row)
}

/// Whether [`first_row`], of a match from `offset` back, is like all rows after it.
fn is_repeated(row: &[u8], offset: usize, rest: &[u8]) -> bool {
    // A whole number of the match's periods, or zeros, as many as a period has at least.
    let is_periodic =
        row.len().is_multiple_of(offset) || offset < row.len() && row.iter().fold(0, |bits, byte| bits | byte) == 0;
    is_periodic && row.ends_with(&rest[1..])
}

/// The sequences from `at` on, to `to`. It comes out how far it got: at the end, or before a sequence that it leaves.
#[inline(always)]
fn fast_path<L: Lanes>(lanes: L, src: &[u8], dst: &mut [u8], at: usize, mut to: usize) -> (usize, usize) {
    let mut rest = &src[at..];
    while let Some(head) = rest.first_chunk::<HEAD_BYTES>()
        && let Some(room) = dst.get_mut(to..)
        && let Some(first) = room.first_chunk_mut::<SHORT_LITERALS>()
    {
        let (mut n_literals, mut len) = (usize::from(head[0] >> 4), usize::from(head[0] & 15));
        let (offset, mut next): (&[u8; 2], &[u8]);
        if n_literals < MORE {
            *first = *head[1..].first_chunk().expect("literals and an offset are as many");
            offset = head[1 + n_literals..].first_chunk().expect("a head is as long");
            next = &rest[3 + n_literals..];
        } else {
            let Some((n, after)) = long_literals(&rest[1..], room) else { break };
            let Some(after) = after.split_first_chunk() else { break };
            (n_literals, (offset, next)) = (n, after);
        }
        // An unpredictable branch; but without it the next token would wait for the length.
        if len == MORE {
            let Some(more) = take_length(&mut next) else { break };
            len += more;
        }
        let (start, offset) = (to + n_literals, usize::from(u16::from_le_bytes(*offset)));
        len += MIN_MATCH;
        if !matches::fits(dst, start, offset, len) {
            break;
        }
        lanes.copy_match(dst, start, offset, len);
        (rest, to) = (next, start + len);
    }
    (src.len() - rest.len(), to)
}

/// Copies `n` literals, which are there on both sides.
#[inline(always)]
fn copy_literals(from: &[u8], n: usize, to: &mut [u8]) {
    if n <= N
        && let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut())
    {
        *to = *from;
        return;
    }
    to[..n].copy_from_slice(&from[..n]);
}

/// Copies literals whose number is [`MORE`] and what `src` begins with, and gives the number and what is after them. `None` where there
/// are not some more bytes on both sides.
#[inline(always)]
fn long_literals<'a>(mut src: &'a [u8], dst: &mut [u8]) -> Option<(usize, &'a [u8])> {
    let n = take_length(&mut src)?.checked_add(MORE)?;
    let after = src.get(n..)?;
    if after.len() < N || dst.len().saturating_sub(N) < n {
        return None;
    }
    for i in (0..n).step_by(N) {
        *dst[i..].first_chunk_mut::<N>()? = *src[i..].first_chunk()?;
    }
    Some((n, after))
}

/// Takes what is added to [`MORE`]. `None` where `rest` ends before.
#[inline(always)]
fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    loop {
        let (&more, after) = rest.split_first()?;
        (length, *rest) = (length + usize::from(more), after);
        if more != 255 {
            return Some(length);
        }
    }
}

/// Copies a match, all of which is in `dst`.
#[inline(always)]
fn copy_match<L: Lanes>(lanes: L, dst: &mut [u8], to: usize, offset: usize, len: usize) {
    let n = len.min((dst.len() - to).saturating_sub(SLACK_BYTES));
    if n != 0 {
        lanes.copy_match(dst, to, offset, n);
    }
    if n != len {
        matches::copy_exactly(dst, to + n, offset, len - n);
    }
}
