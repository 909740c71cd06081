//! The LZ4 block decoder for all blocks but those that are nearly all zeros.
//!
//! Copies are whole vectors, longer than what is asked for: what follows overwrites it. A match of up to [`N`] bytes is one
//! vector, whatever its length, and however it overlaps itself: the length decides no branch. The output is not cleared,
//! and where its zeros are is not known. Near the end of either side nothing is copied but what is asked for.

use super::decode::{MIN_MATCH, first_row, is_repeated, long_length, token, too_early, too_long, whole_match_len};
use crate::codec::lanes::{Lanes, N, matches};
use crate::{Error, Result};

/// Literals that are copied whatever their number, where the token counts them.
const SHORT: usize = 16;

/// A token, its literals and a match with one more byte of length.
const HEAD: usize = 1 + SHORT + 3;

/// What is written at most at once: [`SHORT`] literals, and a match of two vectors behind those that count.
const ROOM: usize = SHORT + 2 * N;

/// See [`super::block::decode_rows`].
#[inline(always)]
pub(super) fn decode<L: Lanes>(
    lanes: L,
    src: &[u8],
    dst: &mut [u8],
    n_bytes: usize,
    row_bytes: usize,
) -> Result<usize> {
    let (mut at, mut to) = (0, 0);
    loop {
        let (offset, mut len);
        if let Some(head) = src[at..].first_chunk::<HEAD>()
            && head[0] < 0xf0
            && dst.len().saturating_sub(to) >= ROOM
        {
            // Behind the literals is an offset, so that these are not the last. A block that they overrun, the match does
            // too. Whether the length goes on is anyone's guess: so its next byte is read in any case.
            let n_literals = usize::from(head[0] >> 4);
            copy::<SHORT>(&head[1..], &mut dst[to..]);
            let is_long = head[0] & 15 == 15;
            let next = if is_long { head[3 + n_literals] } else { 0 };
            offset = usize::from(u16::from_le_bytes([head[1 + n_literals], head[2 + n_literals]]));
            len = usize::from(head[0] & 15) + MIN_MATCH + usize::from(next);
            (at, to) = (at + 3 + n_literals + usize::from(is_long), to + n_literals);
            if next == 255 {
                len = len.saturating_add(long_length(src, &mut at)?);
            }
        } else {
            let token = careful_literals(src, &mut at, dst, &mut to, n_bytes)?;
            let Some(bytes) = src[at..].first_chunk() else { break };
            offset = usize::from(u16::from_le_bytes(*bytes));
            at += 2;
            len = whole_match_len(token, src, &mut at)?;
        }
        if offset.wrapping_sub(1) >= to {
            return Err(too_early(at));
        }
        if len > n_bytes.saturating_sub(to) {
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
    if at != src.len() {
        return Err(Error::Truncated { at, needed: 2, available: 1 });
    }
    if to == n_bytes { Ok(n_bytes / row_bytes) } else { Err(Error::WrongSize { expected: n_bytes, found: to }) }
}

/// Takes a token and its literals, whatever their number and whatever room there is. Returns the token.
#[inline(always)]
fn careful_literals(src: &[u8], at: &mut usize, dst: &mut [u8], to: &mut usize, n_bytes: usize) -> Result<u8> {
    let (token, n) = token(src, at)?;
    let rest = &src[*at..];
    if n > n_bytes.saturating_sub(*to) {
        return Err(too_long(*at));
    }
    copy_literals(rest, n, &mut dst[*to..]);
    (*at, *to) = (*at + n, *to + n);
    Ok(token)
}

/// `to[..W] = from[..W]`.
#[inline(always)]
fn copy<const W: usize>(from: &[u8], to: &mut [u8]) {
    let from: &[u8; W] = from.first_chunk().expect("the caller has looked");
    *to.first_chunk_mut().expect("the caller has looked") = *from;
}

/// The first `n` bytes, and some more where there is room on both sides.
#[inline(always)]
fn copy_literals(from: &[u8], n: usize, to: &mut [u8]) {
    if n + N > from.len().min(to.len()) {
        to[..n].copy_from_slice(&from[..n]);
        return;
    }
    for i in (0..n).step_by(N) {
        copy::<N>(&from[i..], &mut to[i..]);
    }
}

/// Copies `len` bytes from `offset` before `to` to `to`, which are both in the block.
#[inline(always)]
fn copy_match<L: Lanes>(lanes: L, dst: &mut [u8], to: usize, offset: usize, len: usize) {
    if matches::fits(dst, to, offset, len) {
        lanes.copy_match(dst, to, offset, len);
    } else {
        matches::copy_exactly(dst, to, offset, len);
    }
}
