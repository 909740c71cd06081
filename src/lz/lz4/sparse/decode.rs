//! The decoder of [`Sparse`].
//!
//! Two loops, one in the other. The inner one takes sequences as they usually are: few literals, and a match of less than
//! [`NEAR`] bytes that is zero, or zero after its first vector. What length and offset a match has is an unpredictable branch, so that a
//! branch by either costs more than all of the work: one branch, whether what is copied has marks, decides what is done. What the
//! inner loop leaves, the outer one takes, one sequence, and says what is wrong with a damaged one.

use super::super::sequence::{MIN_MATCH, MORE, check_end, match_len, offset, token, too_early, too_long};
use super::Sparse;
use super::marks::{MarksMut, NEAR};
use crate::Result;
use crate::lz::vector::dispatch::Work;
use crate::lz::vector::{Lanes, N};

/// Bytes of a length that are looked at together.
const LENGTHS: usize = 8;

/// So many of them may be 255.
const MAX_FULL: usize = 6;

/// What is looked at together: a token, and a vector with its literals.
const HEAD: usize = 1 + N;

const _: () = assert!(1 + (MORE - 1) + 2 + LENGTHS <= HEAD, "a head has the literals, the offset and the length");
const _: () = assert!(MORE + MIN_MATCH + 255 * MAX_FULL + 254 < NEAR, "the longest of its matches is near");

/// The work of [`Sparse::decode`].
pub(super) struct Decode<'a, F> {
    pub(super) src: &'a [u8],
    pub(super) sparse: &'a mut Sparse,
    pub(super) start: usize,
    pub(super) n_bytes: usize,
    pub(super) stretch: usize,
    pub(super) meanwhile: F,
}

impl<F: FnMut()> Work for Decode<'_, F> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Result<()> {
        let Self { src, sparse, start, n_bytes, stretch, meanwhile } = self;
        let Sparse { bytes, marks } = sparse;
        let mut output = Output { lanes, bytes, marks: marks.as_mut(), start, at: start, end: start + n_bytes };
        output.decode(src, stretch, meanwhile)
    }
}

/// A sequence as it usually is.
struct Usual {
    n_literals: usize,
    offset: usize,
    len: usize,
    /// What it takes of the stored block.
    n_stored: usize,
}

impl Usual {
    /// The sequence that `head` begins with.
    #[inline(always)]
    fn read(head: &[u8; HEAD]) -> Option<Self> {
        let (n_literals, length) = (usize::from(head[0] >> 4), usize::from(head[0] & 15));
        if n_literals == MORE {
            return None;
        }
        let after: &[u8; 2 + LENGTHS] = head[1 + n_literals..].first_chunk().expect("a head has them");
        let [low, high, lengths @ ..] = *after;
        let lengths = u64::from_le_bytes(lengths);
        let (is_long, n_full) = (length == MORE, lengths.trailing_ones() as usize / 8);
        if is_long && n_full > MAX_FULL {
            return None;
        }
        let more = 255 * n_full + (lengths >> (8 * n_full % 64)) as usize % 256;
        let (more, n_lengths) = if is_long { (more, n_full + 1) } else { (0, 0) };
        let offset = usize::from(u16::from_le_bytes([low, high]));
        Some(Self { n_literals, offset, len: length + MIN_MATCH + more, n_stored: 3 + n_literals + n_lengths })
    }
}

/// The block as far as it is decoded. Bytes without a mark are zero, and so are all from `at` on.
struct Output<'a, L> {
    lanes: L,
    bytes: &'a mut [u8],
    marks: MarksMut<'a>,
    start: usize,
    at: usize,
    end: usize,
}

impl<L: Lanes> Output<'_, L> {
    #[inline(always)]
    fn decode(&mut self, src: &[u8], stretch: usize, mut meanwhile: impl FnMut()) -> Result<()> {
        let (mut at, mut until) = (0, stretch);
        loop {
            at = self.usual(src, at, until);
            if at >= until {
                meanwhile();
                until += stretch;
                continue;
            }
            let (token, n_literals) = token(src, &mut at)?;
            if n_literals > self.end - self.at {
                return Err(too_long(at));
            }
            self.literals(&src[at..], n_literals);
            at += n_literals;
            let Some(offset) = offset(src, &mut at) else { break };
            let len = match_len(token, src, &mut at)?;
            if offset.wrapping_sub(1) >= self.at - self.start {
                return Err(too_early(at));
            }
            if len > self.end - self.at {
                return Err(too_long(at));
            }
            self.matching(offset, len);
        }
        check_end(src, at, self.end - self.start, self.at - self.start)
    }

    /// Takes sequences from `at` of `src` on, to the first that begins at `until` or after it, or that it leaves. Returns where
    /// that one begins.
    #[inline(always)]
    fn usual(&mut self, src: &[u8], mut at: usize, until: usize) -> usize {
        let zeros = self.bytes.len() - N;
        while at < until
            && let Some(head) = src.get(at..).and_then(|rest| rest.first_chunk())
            && let Some(Usual { n_literals, offset, len, n_stored }) = Usual::read(head)
        {
            let (to, start) = (self.at, self.at + n_literals);
            if offset.wrapping_sub(1) >= start - self.start || start + len > self.end {
                break;
            }
            // No literals, which are as likely as some, are stored where it costs nothing.
            self.store(self.lanes.load(&head[1..], n_literals), if n_literals == 0 { zeros } else { to });
            self.marks.set(to, !(u32::MAX << n_literals));
            let (from, n_read) = (start - offset, len.min(offset));
            if self.marks.any_near(from, from + n_read) {
                if len > N && (len > offset || self.marks.any_near(from + N, from + n_read)) {
                    break;
                }
                self.short(from, start, len);
            }
            (self.at, at) = (start + len, at + n_stored);
        }
        at
    }

    /// Appends the first `n` bytes of `from`, for which there is room.
    #[inline(always)]
    fn literals(&mut self, from: &[u8], n: usize) {
        for vector in from[..n].chunks(N) {
            self.put(self.lanes.load(vector, vector.len()), self.at);
            self.at += vector.len();
        }
    }

    /// Appends `len` bytes from `offset` back, for which there is room.
    #[inline(always)]
    fn matching(&mut self, offset: usize, len: usize) {
        let (from, to, n_read) = (self.at - offset, self.at, len.min(offset));
        self.at += len;
        if !self.marks.any(from, from + n_read) {
            return;
        }
        if len > N && (len > offset || self.marks.any(from + N, from + n_read)) {
            return self.copy(from, to, len);
        }
        self.short(from, to, len);
    }

    /// Copies a match that is zero after its first vector.
    #[inline(always)]
    fn short(&mut self, from: usize, to: usize, len: usize) {
        let bytes = self.lanes.load_periodic(&self.bytes[from..], (to - from).min(N), len.min(N));
        self.put(bytes, to);
    }

    /// Copies `n` bytes, however they overlap.
    #[inline(always)]
    fn copy(&mut self, from: usize, to: usize, n: usize) {
        let offset = to - from;
        let step = if offset < N { N - N % offset } else { N };
        for i in (0..n).step_by(step) {
            let bytes = self.lanes.load_periodic(&self.bytes[from + i..], offset, (n - i).min(step));
            if self.lanes.nonzero(bytes) != 0 {
                self.put(bytes, to + i);
            }
        }
    }

    /// Stores and marks `bytes`.
    #[inline(always)]
    fn put(&mut self, bytes: L::Bytes, at: usize) {
        self.store(bytes, at);
        self.marks.set(at, self.lanes.nonzero(bytes));
    }

    #[inline(always)]
    fn store(&mut self, bytes: L::Bytes, at: usize) {
        self.lanes.store(bytes, self.bytes[at..].first_chunk_mut().expect("there is slack after the block"));
    }
}
