//! The LZ4 block decoder for long blocks that are mostly zeros: the byte planes of detector data.
//!
//! The memory that it decodes to is zero already, and has marks where it is not any more. Encoders copy a run of zeros from any
//! earlier one that is as long, and the marks of that one tell that there is nothing to be done. Who needs the bytes afterwards goes
//! by the marks too.

#![forbid(unsafe_code)]

mod decode;
mod marks;
#[cfg(test)]
mod tests;

pub(crate) use self::marks::{LINE, Marks, WORD};

use self::decode::Decode;
use super::{SLACK_BYTES, sequence};
use crate::Result;
use crate::cpu::Level;
use crate::lz::vector::N;
use crate::lz::vector::dispatch::with_lanes;
use crate::memory::scratch::Scratch;

const _: () = assert!(N == LINE, "what is stored at once is in two lines at most");

/// Memory of zeros but for what is marked. Its last [`N`] bytes are never anything else.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    bytes: Scratch,
    marks: Marks,
}

impl Sparse {
    /// Makes it as long as `n_bytes` at least.
    pub(crate) fn reserve(&mut self, n_bytes: usize) {
        let n_bytes = (n_bytes + SLACK_BYTES + N).next_multiple_of(LINE);
        self.bytes.reserve(n_bytes);
        self.marks.reserve(n_bytes / LINE);
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their marks.
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Decodes `src`, a block of `n_bytes`, to the bytes from `start` on, which are zero. About once in `stretch` bytes of `src`, at
    /// least 1, it does what there is to be done `meanwhile`.
    ///
    /// # Errors
    /// As [`super::decode()`]. What was decoded until then is marked.
    pub(crate) fn decode(
        &mut self,
        level: Level,
        src: &[u8],
        start: usize,
        n_bytes: usize,
        stretch: usize,
        meanwhile: impl FnMut(),
    ) -> Result<()> {
        sequence::check_len(src, n_bytes)?;
        with_lanes(level, Decode { src, sparse: self, start, n_bytes, stretch, meanwhile })
    }

    /// Makes all bytes zero again.
    pub(crate) fn clear(&mut self) {
        let (lines, _) = self.bytes.as_chunks_mut::<LINE>();
        self.marks.take(|line| lines[line] = [0; LINE]);
    }
}
