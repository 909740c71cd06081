//! Bits of a block: tables are described forwards, streams are read backwards (RFC 8878, 4.1 and 4.2).

use std::ops::Range;

/// Bits that [`Backward::peek`] has at least.
pub(super) const PEEKED: u32 = 57;

/// Reads from the lowest bit of the first byte on. Past the end are zeros, which [`n_bytes`](Self::n_bytes) tells.
pub(super) struct Forward<'a> {
    src: &'a [u8],
    at: usize,
}

impl<'a> Forward<'a> {
    pub(super) fn new(src: &'a [u8]) -> Self {
        Self { src, at: 0 }
    }

    /// The next 57 bits or more, the next one the lowest.
    #[inline(always)]
    pub(super) fn peek(&self) -> u64 {
        let rest = self.src.get(self.at / 8..).unwrap_or(&[]);
        let word = rest.first_chunk().copied().unwrap_or_else(|| padded(rest));
        u64::from_le_bytes(word) >> (self.at % 8)
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, n_bits: u32) {
        self.at += n_bits as usize;
    }

    /// The bytes that the bits up to here are in. `None` where there are not so many.
    pub(super) fn n_bytes(&self) -> Option<usize> {
        let n_bytes = self.at.div_ceil(8);
        (n_bytes <= self.src.len()).then_some(n_bytes)
    }
}

fn padded(rest: &[u8]) -> [u8; 8] {
    let mut word = [0; 8];
    word[..rest.len()].copy_from_slice(rest);
    word
}

/// Reads from the highest bit of the last byte down, after the bit that ends the stream.
///
/// A stream that is read past its beginning gives the bits before it, then nothing: at the end [`has_left`](Self::has_left)
/// says whether exactly the stream was read.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    frame: &'a [u8],
    start: usize,
    at: usize,
}

impl<'a> Backward<'a> {
    /// The stream in `bytes` of `frame`. `None` where there is none, or not in the frame.
    #[inline(always)]
    pub(super) fn new(frame: &'a [u8], bytes: Range<usize>) -> Option<Self> {
        let last = *frame.get(bytes.clone())?.last()?;
        let at = 8 * bytes.end - 1 - last.leading_zeros() as usize;
        (last != 0).then_some(Self { frame, start: 8 * bytes.start, at })
    }

    /// The next [`PEEKED`] bits or more. `None` where the 8 bytes are not in the frame: a header of as many stands before
    /// every stream.
    #[inline(always)]
    pub(super) fn word(&self) -> Option<Word> {
        let start = self.at.wrapping_sub(PEEKED as usize) / 8;
        let bits = u64::from_le_bytes(*self.frame.get(start..start + 8)?.first_chunk()?);
        Some(Word { bits, place: (self.at - 8 * start) as u32 })
    }

    /// The same, the next one the highest.
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u64> {
        let word = self.word()?;
        Some(word.bits << (64 - word.place))
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, n_bits: u32) {
        self.at = self.at.wrapping_sub(n_bits as usize);
    }

    /// Reads up to [`PEEKED`] bits.
    #[inline(always)]
    pub(super) fn read(&mut self, n_bits: u32) -> Option<u64> {
        let bits = self.word()?.take(n_bits);
        self.skip(n_bits);
        Some(bits)
    }

    /// Goes on after what has been taken of `word`, which was the next.
    #[inline(always)]
    pub(super) fn take_over(&mut self, word: Word) {
        let start = self.at.wrapping_sub(PEEKED as usize) / 8;
        self.at = 8 * start + word.place as usize;
    }

    /// Whether there are `n_bits` more.
    #[inline(always)]
    pub(super) fn has(&self, n_bits: u32) -> bool {
        self.at >= self.start + n_bits as usize
    }

    /// Whether all bits have been read but `n_bits`.
    #[inline(always)]
    pub(super) fn has_left(&self, n_bits: u32) -> bool {
        self.at == self.start + n_bits as usize
    }

    /// Whether more bits have been read than there are.
    #[inline(always)]
    pub(super) fn is_past_start(&self) -> bool {
        self.at.cast_signed() < self.start.cast_signed()
    }
}

/// Some of a stream's bits: those below `place` are still to be taken, the highest first.
#[derive(Clone, Copy)]
pub(super) struct Word {
    bits: u64,
    place: u32,
}

impl Word {
    /// The next `n_bits`, up to 63. Nothing of use where there are fewer.
    #[inline(always)]
    pub(super) fn take(&mut self, n_bits: u32) -> u64 {
        self.place = self.place.wrapping_sub(n_bits);
        (self.bits >> (self.place % 64)) & !(u64::MAX << (n_bits % 64))
    }
}
