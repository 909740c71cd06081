//! A part of what a chunk decodes to, from the blocks that have it.

use crate::{Error, Result};
use std::ops::Range;

/// What decodes alone in a chunk, as the chunk says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// What the whole chunk decodes to. Nothing has shown yet that this is true.
    pub n_bytes: usize,
    /// What one part decodes to; the last one may be shorter, and some of the chunk's last bytes may be in none.
    pub part_bytes: usize,
}

impl Parts {
    /// The parts that have any of `range`, where the last `n_raw` bytes are in none.
    #[must_use]
    pub fn blocks(self, n_raw: usize, range: &Range<usize>) -> Range<usize> {
        if range.is_empty() || self.part_bytes == 0 {
            return 0..0;
        }
        let n_blocks = self.n_bytes.saturating_sub(n_raw).div_ceil(self.part_bytes);
        let end = range.end.div_ceil(self.part_bytes).min(n_blocks);
        (range.start / self.part_bytes).min(end)..end
    }
}

/// A range of a chunk's decoded bytes, and where it goes.
pub(super) struct Wanted<'a> {
    range: Range<usize>,
    dst: &'a mut [u8],
    n_parts: usize,
    /// A part of which not all is wanted.
    scratch: Vec<u8>,
}

impl<'a> Wanted<'a> {
    /// `range` of the `n_bytes` that a chunk decodes to, into the whole of `dst`.
    pub(super) fn new(range: Range<usize>, n_bytes: usize, dst: &'a mut [u8]) -> Result<Self> {
        if range.start > range.end || range.end > n_bytes {
            return Err(Error::Argument(format!("bytes {range:?} of a chunk that decodes to {n_bytes}")));
        }
        if dst.len() != range.len() {
            let (expected, found) = (range.len(), dst.len());
            return Err(Error::BufferSize { what: "the output for a part of a chunk", expected, found });
        }
        Ok(Self { range, dst, n_parts: 0, scratch: Vec::new() })
    }

    /// The parts of `part_bytes` each that have any of the range.
    pub(super) fn parts(&self, part_bytes: usize) -> Range<usize> {
        if self.range.is_empty() {
            return 0..0;
        }
        self.range.start / part_bytes..self.range.end.div_ceil(part_bytes)
    }

    /// Whether nothing is wanted of what is decoded from `at` on.
    pub(super) fn ends_before(&self, at: usize) -> bool {
        self.range.end <= at || self.range.is_empty()
    }

    /// Has `decode` decode the part that `decoded` are the bytes of, if any of it is wanted.
    pub(super) fn take(&mut self, decoded: Range<usize>, decode: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<()> {
        let (start, end) = (decoded.start.max(self.range.start), decoded.end.min(self.range.end));
        if start >= end {
            return Ok(());
        }
        self.n_parts += 1;
        let dst = &mut self.dst[start - self.range.start..end - self.range.start];
        if dst.len() == decoded.len() {
            return decode(dst);
        }
        if self.scratch.len() < decoded.len() {
            self.scratch = crate::memory::buffer(decoded.len())?;
        }
        let scratch = &mut self.scratch[..decoded.len()];
        decode(scratch)?;
        dst.copy_from_slice(&scratch[start - decoded.start..end - decoded.start]);
        Ok(())
    }

    /// Parts that were decoded.
    pub(super) fn n_parts(&self) -> usize {
        self.n_parts
    }
}

/// Memory for one part after the other, each handed on once it is decoded.
#[derive(Default)]
pub(super) struct Piece(Vec<u8>);

impl Piece {
    /// Has `decode` decode the part that `decoded` are the bytes of, which the chunk is long enough for, and hands it to `visit`.
    pub(super) fn visit(
        &mut self,
        decoded: Range<usize>,
        visit: &mut dyn FnMut(usize, &[u8]),
        decode: impl FnOnce(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        if self.0.len() < decoded.len() {
            self.0 = crate::pipeline::buffer(decoded.len())?;
        }
        let piece = &mut self.0[..decoded.len()];
        decode(piece)?;
        visit(decoded.start, piece);
        Ok(())
    }
}
