//! What a frame has been decoded to, and a block's literals, which sequences take one after the other.

use super::sequences::{Recent, Sequence};
use crate::lz::vector::{Lanes, N};

/// The most content, a power of two: that of the default block of bit rows.
pub(in crate::codec::zstd) const MAX_BYTES: usize = 8 << 10;

/// Room for content, or for literals, and for a vector after it. Places are taken modulo [`MAX_BYTES`], so that none is
/// outside: where one is wrong, what is decoded is wrong, and is refused in the end.
///
/// Aligned to lines of the cache: rows of bits are read from here in whole ones.
#[repr(align(64))]
pub(super) struct Room([u8; MAX_BYTES + N]);

impl Room {
    pub(super) fn new() -> Self {
        Self([0; MAX_BYTES + N])
    }

    /// The first `n` bytes, which are no more than [`MAX_BYTES`].
    pub(super) fn first(&self, n: usize) -> &[u8] {
        &self.0[..n]
    }

    /// The bytes from `at` to `end`. `None` where they are not within the first [`MAX_BYTES`].
    pub(super) fn range(&mut self, at: usize, end: usize) -> Option<&mut [u8]> {
        self.0[..MAX_BYTES].get_mut(at..end)
    }

    #[inline(always)]
    fn vector(&self, at: usize) -> &[u8; N] {
        let at = at % MAX_BYTES;
        self.0[at..at + N].first_chunk().expect("it is as long")
    }

    #[inline(always)]
    fn vector_mut(&mut self, at: usize) -> &mut [u8; N] {
        let at = at % MAX_BYTES;
        self.0[at..at + N].first_chunk_mut().expect("it is as long")
    }
}

/// The content as far as it is decoded.
pub(super) struct Output<'a, L> {
    lanes: L,
    content: &'a mut Room,
    at: usize,
    n_bytes: usize,
    literals: &'a Room,
    literals_at: usize,
}

impl<'a, L: Lanes> Output<'a, L> {
    /// Goes on after the first `at` bytes of `content`, of which `n_bytes` are wanted, at most [`MAX_BYTES`].
    #[inline(always)]
    pub(super) fn new(lanes: L, content: &'a mut Room, at: usize, n_bytes: usize, literals: &'a Room) -> Self {
        Self { lanes, content, at, n_bytes, literals, literals_at: 0 }
    }

    /// Appends a sequence. `None` where there is no such match, or there is more than is wanted.
    #[inline(always)]
    pub(super) fn sequence(&mut self, sequence: Sequence, recent: &mut Recent) -> Option<()> {
        let (n_literals, n) = (sequence.n_literals as usize, sequence.match_len as usize);
        let offset = recent.offset(sequence.offset, n_literals != 0) as usize;
        let to = self.at + n_literals;
        let end = to + n;
        if end > self.n_bytes || offset.wrapping_sub(1) >= to {
            return None;
        }
        *self.content.vector_mut(self.at) = *self.literals.vector(self.literals_at);
        if n_literals > N {
            self.long_literals(n_literals);
        }
        self.literals_at += n_literals;
        let bytes = self.lanes.repeat(self.content.vector(to - offset), offset.min(N));
        self.lanes.store(bytes, self.content.vector_mut(to));
        if n > N {
            self.long_match(bytes, to, offset, end);
        }
        self.at = end;
        Some(())
    }

    /// Copies `n_literals` after the first vector.
    #[inline(always)]
    fn long_literals(&mut self, n_literals: usize) {
        for at in (N..n_literals).step_by(N) {
            *self.content.vector_mut(self.at + at) = *self.literals.vector(self.literals_at + at);
        }
    }

    /// Goes on after the first vector of a match, which is `bytes`, up to `end`.
    #[inline(always)]
    fn long_match(&mut self, bytes: L::Bytes, mut to: usize, offset: usize, end: usize) {
        if offset < N {
            // As many whole periods as a vector has, over and over.
            let step = N - N % offset;
            to += step;
            while to < end {
                self.lanes.store(bytes, self.content.vector_mut(to));
                to += step;
            }
            return;
        }
        to += N;
        while to < end {
            *self.content.vector_mut(to) = *self.content.vector(to - offset);
            to += N;
        }
    }

    /// Appends the literals that are left of `n_literals`, and returns the bytes that there are now.
    #[inline(always)]
    pub(super) fn finish(self, n_literals: usize) -> Option<usize> {
        let end = self.at + n_literals.checked_sub(self.literals_at)?;
        if end > self.n_bytes {
            return None;
        }
        let left = self.literals.0.get(self.literals_at..n_literals)?;
        self.content.range(self.at, end)?.copy_from_slice(left);
        Some(end)
    }
}
