//! Memory that begins at a cache line, and is used again.

#![allow(unsafe_code)]

use darkchunk::Error;

use crate::reader::buffer::{Zero, zeros};

/// Bytes of a cache line: where the data of each call begin.
pub(super) const LINE: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

// SAFETY: bytes.
unsafe impl Zero for Line {}

/// Bytes that begin at a multiple of [`LINE`].
#[derive(Default)]
pub(super) struct Memory(Vec<Line>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({})", self.len())
    }
}

impl Memory {
    /// At least `n_bytes`, all of them 0.
    pub(super) fn new(n_bytes: usize) -> Result<Self, Error> {
        let mut memory = Self::default();
        memory.grow(n_bytes)?;
        Ok(memory)
    }

    /// Makes it `n_bytes` long where it is shorter. What is new is 0.
    pub(super) fn grow(&mut self, n_bytes: usize) -> Result<(), Error> {
        let n_lines = n_bytes.div_ceil(LINE);
        if self.0.is_empty() {
            self.0 = zeros(n_lines)?;
        }
        if let Some(more) = n_lines.checked_sub(self.0.len()) {
            self.0.try_reserve_exact(more).map_err(|_| Error::NoMemory { n_bytes })?;
            self.0.resize(n_lines, Line([0; LINE]));
        }
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() * LINE
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: lines are bytes without gaps, all of them initialised, and borrowed for as long.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.len()) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed mutably; any bytes are a line.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.len()) }
    }
}

/// `n_bytes`, rounded up to whole lines.
pub(super) fn lines(n_bytes: u64) -> u64 {
    n_bytes.div_ceil(LINE as u64).saturating_mul(LINE as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_begins_at_a_line_and_keeps_what_it_has() {
        let mut memory = Memory::new(100).expect("memory");
        assert_eq!((memory.len(), memory.bytes().as_ptr() as usize % LINE), (128, 0));
        memory.bytes_mut().fill(7);
        memory.grow(200).expect("memory");
        assert_eq!(memory.bytes()[..128], [7; 128]);
        assert_eq!(memory.bytes()[128..], [0; 128]);
        memory.grow(10).expect("memory");
        assert_eq!(memory.len(), 256);
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        assert!(Memory::new(usize::MAX / 2).is_err());
    }
}
