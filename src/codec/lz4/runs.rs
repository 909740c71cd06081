//! The LZ4 block decoder for long blocks of many runs: the byte planes of detector data, and whole frames.
//!
//! Copies are whole vectors, longer than what is asked for: what follows overwrites it. A match of up to a vector is one,
//! whatever its length, and however it overlaps itself: so short lengths decide no branch.
//!
//! Two loops take turns. [`Easy`] takes sequences whose lengths are usual and that are far from the end of either side. It is a
//! function of its own, with little in it, so that all it has stays in registers: how soon the next token is known is what a
//! sequence costs. What it leaves, the other loop takes, one sequence, and says what is wrong with a damaged one.

use super::decode::{MIN_MATCH, MORE, token, too_early, too_long, whole_match_len};
use crate::codec::lanes::{Lanes, N, Work, matches, with_lanes};
use crate::cpu::Level;
use crate::{Error, Result};

/// Literals that are copied whatever their number, where the token counts them.
const SHORT: usize = 16;

/// A token, the literals that it counts and an offset.
const HEAD: usize = 1 + MORE + 2;

/// Decodes `src` into the whole of `dst`, as [`super::block::decode`] says.
pub(super) fn decode(level: Level, src: &[u8], dst: &mut [u8]) -> Result<()> {
    let (mut at, mut to) = (0, 0);
    loop {
        (at, to) = with_lanes(level, Easy { src, dst, at, to });
        let (token, n_literals) = token(src, &mut at)?;
        let literals = &src[at..at + n_literals];
        let room = dst[to..].get_mut(..n_literals).ok_or_else(|| too_long(at))?;
        room.copy_from_slice(literals);
        (at, to) = (at + n_literals, to + n_literals);
        let Some(bytes) = src[at..].first_chunk() else { break };
        let offset = usize::from(u16::from_le_bytes(*bytes));
        at += 2;
        let len = whole_match_len(token, src, &mut at)?;
        if offset.wrapping_sub(1) >= to {
            return Err(too_early(at));
        }
        if len > dst.len() - to {
            return Err(too_long(at));
        }
        with_lanes(level, Match { dst, to, offset, len });
        to += len;
    }
    if at != src.len() {
        return Err(Error::Truncated { at, needed: 2, available: 1 });
    }
    if to == dst.len() { Ok(()) } else { Err(Error::WrongSize { expected: dst.len(), found: to }) }
}

/// The sequences from `at` on, to `to`. It comes out how far it got: at the end, or before a sequence that it leaves.
struct Easy<'a> {
    src: &'a [u8],
    dst: &'a mut [u8],
    at: usize,
    to: usize,
}

impl Work for Easy<'_> {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> (usize, usize) {
        let Self { src, dst, at, mut to } = self;
        let mut rest = &src[at..];
        while let Some(head) = rest.first_chunk::<HEAD>()
            && let Some(room) = dst.get_mut(to..)
            && let Some(first) = room.first_chunk_mut::<SHORT>()
        {
            let (mut n_literals, mut len) = (usize::from(head[0] >> 4), usize::from(head[0] & 15));
            let (offset, mut next): (&[u8; 2], &[u8]);
            if n_literals < MORE {
                *first = *head[1..].first_chunk().expect("literals and an offset are as many");
                offset = head[1 + n_literals..].first_chunk().expect("a head is as long");
                next = &rest[3 + n_literals..];
            } else {
                n_literals += usize::from(head[1]);
                let Some(behind) = long_literals(&rest[1..], room) else { break };
                (offset, next) = behind;
            }
            // A branch, though it is anyone's guess: the other way the next token would wait for it.
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
}

/// Copies literals whose number is [`MORE`] and the first byte of `src`, and gives the offset behind them and the rest. `None` where
/// their number goes on, and where there are not some more bytes on both sides.
#[inline(always)]
fn long_literals<'a>(src: &'a [u8], dst: &mut [u8]) -> Option<(&'a [u8; 2], &'a [u8])> {
    let (&more, literals) = src.split_first()?;
    let n = MORE + usize::from(more);
    let behind = literals.get(n..)?;
    if more == 255 || behind.len() < N || dst.len() < n + N {
        return None;
    }
    *dst.first_chunk_mut::<N>()? = *literals.first_chunk()?;
    if n > N {
        copy_behind(literals, dst, n);
    }
    behind.split_first_chunk()
}

/// What [`long_literals`] are more than a vector.
#[inline(never)]
fn copy_behind(from: &[u8], to: &mut [u8], n: usize) {
    to[N..n].copy_from_slice(&from[N..n]);
}

/// Takes what is added to [`MORE`]. `None` where `rest` ends before.
#[inline(always)]
fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    loop {
        let (&more, behind) = rest.split_first()?;
        (length, *rest) = (length + usize::from(more), behind);
        if more != 255 {
            return Some(length);
        }
    }
}

/// A match, all of which is in `dst`.
struct Match<'a> {
    dst: &'a mut [u8],
    to: usize,
    offset: usize,
    len: usize,
}

impl Work for Match<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { dst, to, offset, len } = self;
        let n = len.min((dst.len() - to).saturating_sub(matches::SLACK));
        if n != 0 {
            lanes.copy_match(dst, to, offset, n);
        }
        matches::copy_exactly(dst, to + n, offset, len - n);
    }
}
