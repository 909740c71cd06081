//! The LZ4 block decoder for all blocks but those that are nearly all zeros.
//!
//! Copies are whole vectors, longer than what is asked for: what follows overwrites it. They are as narrow as the lengths
//! allow, because a load that reaches over two stores that are still on their way waits for both. The output is not
//! cleared, and where its zeros are is not known.

use super::decode::{MIN_MATCH, ends_early, first_row, is_repeated, long_length, too_early, too_long};
use super::lanes::{Lanes, N};
use crate::{Error, Result};

/// Literals that are copied whatever their number, where the token counts them.
const SHORT: usize = 16;

/// The longest match that the token counts.
const MOST_SHORT: usize = SHORT + 2;

/// As many whole periods as [`N`] bytes have, by period.
static STEPS: [usize; SHORT] = {
    let mut steps = [N; SHORT];
    let mut period = 1;
    while period < SHORT {
        steps[period] = N - N % period;
        period += 1;
    }
    steps
};

/// See [`super::block::decode_rows`]. `dst` has [`N`] bytes behind the block.
#[inline(always)]
pub(super) fn decode<L: Lanes>(
    lanes: L,
    src: &[u8],
    dst: &mut [u8],
    n_bytes: usize,
    row_bytes: usize,
) -> Result<usize> {
    let dst = &mut dst[..n_bytes + N];
    let (mut at, mut to) = (0, 0);
    loop {
        let token = *src.get(at).ok_or_else(|| ends_early(at))?;
        at += 1;
        let n_literals = usize::from(token >> 4);
        if n_literals < 15
            && let Some(literals) = src[at..].first_chunk::<{ SHORT + 2 }>()
        {
            // Behind them is an offset, so that these are not the last. A block that they overrun, the match does too.
            copy::<SHORT>(&literals[..SHORT], &mut dst[to..]);
            (at, to) = (at + n_literals, to + n_literals);
        } else {
            let n = n_literals + if n_literals == 15 { long_length(src, &mut at)? } else { 0 };
            let rest = &src[at..];
            if n > rest.len() {
                return Err(Error::Truncated { at, needed: n, available: rest.len() });
            }
            if n > n_bytes.saturating_sub(to) {
                return Err(too_long(at));
            }
            copy_literals(rest, n, &mut dst[to..]);
            (at, to) = (at + n, to + n);
        }
        let Some(offset) = src[at..].first_chunk() else { break };
        let offset = usize::from(u16::from_le_bytes(*offset));
        at += 2;
        let mut len = usize::from(token & 15) + MIN_MATCH;
        if token & 15 == 15 {
            len = len.saturating_add(long_length(src, &mut at)?);
        }
        if offset.wrapping_sub(1) >= to {
            return Err(too_early(at));
        }
        if len > n_bytes.saturating_sub(to) {
            return Err(too_long(at));
        }
        if len > row_bytes
            && let Some(n_rows) = repeated_rows(lanes, dst, to, offset, len, &src[at..], row_bytes)
        {
            return Ok(n_rows);
        }
        copy_match(lanes, dst, to, offset, len);
        to += len;
    }
    if at != src.len() {
        return Err(Error::Truncated { at, needed: 2, available: 1 });
    }
    if to == n_bytes { Ok(n_bytes / row_bytes) } else { Err(Error::WrongSize { expected: n_bytes, found: to }) }
}

/// Decodes the match only as far as its first whole row, if that row is repeated up to the end of the block, and returns
/// the number of rows up to there. `rest` is what follows the match in the stored block.
#[inline(always)]
fn repeated_rows<L: Lanes>(
    lanes: L,
    dst: &mut [u8],
    to: usize,
    offset: usize,
    len: usize,
    rest: &[u8],
    row_bytes: usize,
) -> Option<usize> {
    let row = first_row(to, len, dst.len() - N, rest, row_bytes)?;
    copy_match(lanes, dst, to, offset, row.end - to);
    is_repeated(&dst[row.clone()], offset, rest).then_some(row.end / row_bytes)
}

/// `to[..W] = from[..W]`.
#[inline(always)]
fn copy<const W: usize>(from: &[u8], to: &mut [u8]) {
    let from: &[u8; W] = from.first_chunk().expect("the caller has looked");
    *to.first_chunk_mut().expect("a vector fits behind the block") = *from;
}

/// `dst[to..][..W] = dst[from..][..W]`, as it was before.
#[inline(always)]
fn copy_within<const W: usize>(dst: &mut [u8], from: usize, to: usize) {
    let bytes: [u8; W] = *dst[from..].first_chunk().expect("a vector fits behind the block");
    *dst[to..].first_chunk_mut().expect("a vector fits behind the block") = bytes;
}

/// The first `n` bytes, and some more where they are there.
#[inline(always)]
fn copy_literals(from: &[u8], n: usize, to: &mut [u8]) {
    if n + N > from.len() {
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
    let from = to - offset;
    let near: &[u8; SHORT] = dst[from..].first_chunk().expect("a vector fits behind the block");
    if len <= MOST_SHORT {
        // Periods or none, the length decides no branch. The two bytes behind a vector have been copied by then.
        let bytes = lanes.repeat(near, offset.min(SHORT));
        lanes.store(bytes, dst[to..].first_chunk_mut().expect("a vector fits behind the block"));
        copy_within::<2>(dst, from + SHORT, to + SHORT);
    } else if offset < SHORT {
        let bytes = lanes.repeat(near, offset);
        for i in (0..len).step_by(STEPS[offset]) {
            lanes.store(bytes, dst[to + i..].first_chunk_mut().expect("a vector fits behind the block"));
        }
    } else if offset < N {
        for i in (0..len).step_by(SHORT) {
            copy_within::<SHORT>(dst, from + i, to + i);
        }
    } else {
        for i in (0..len).step_by(N) {
            copy_within::<N>(dst, from + i, to + i);
        }
    }
}
