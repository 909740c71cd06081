//! The LZ4 block decoder for long blocks that are mostly zeros: the byte planes of detector data.
//!
//! The memory that it decodes to is zero already, and every [`LINE`] bytes of it have a mark, which is set where they are not
//! all zero. Encoders copy a run of zeros from any earlier one that is as long, and the marks of that one tell that there is
//! nothing to be done. A match's first and last bytes, which may share a line with others, are copied in any case, a vector
//! each. Who needs the bytes afterwards goes by the marks too.

use super::decode::{SLACK_BYTES, match_len, token, too_early, too_long};
use crate::codec::lanes::{Lanes, N, Work, with_lanes};
use crate::cpu::Level;
use crate::{Error, Result};

/// Bytes that have one mark.
pub(crate) const LINE: usize = N;

/// Memory of zeros but for the lines that are marked.
#[derive(Debug, Default)]
pub(crate) struct Sparse {
    bytes: Vec<u8>,
    marks: Vec<u8>,
}

impl Sparse {
    /// Makes it as long as `n_bytes` at least.
    pub(crate) fn reserve(&mut self, n_bytes: usize) {
        let n_bytes = (n_bytes + SLACK_BYTES).next_multiple_of(LINE);
        if self.bytes.len() < n_bytes {
            self.bytes.resize(n_bytes, 0);
            self.marks.resize((n_bytes / LINE + 1).next_multiple_of(8), 0);
        }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The marks: 0 for a line of zeros.
    pub(crate) fn marks(&self) -> &[u8] {
        &self.marks
    }

    /// Decodes `src`, a block of `n_bytes`, to the bytes from `start` on, which are zero.
    ///
    /// # Errors
    /// As [`super::block::decode`]. What was decoded until then is marked.
    pub(crate) fn decode(&mut self, level: Level, src: &[u8], start: usize, n_bytes: usize) -> Result<()> {
        super::block::check_len(src, n_bytes)?;
        with_lanes(level, Decode { src, sparse: self, start, n_bytes })
    }

    /// Makes all bytes zero again.
    pub(crate) fn clear(&mut self) {
        let (lines, _) = self.bytes.as_chunks_mut::<LINE>();
        for (marks, lines) in self.marks.as_chunks::<8>().0.iter().zip(lines.chunks_mut(8)) {
            let mut marks = u64::from_le_bytes(*marks);
            while marks != 0 {
                let line = marks.trailing_zeros() as usize / 8;
                if let Some(line) = lines.get_mut(line) {
                    *line = [0; LINE];
                }
                marks &= !(0xff << (8 * line));
            }
        }
        self.marks.fill(0);
    }
}

struct Decode<'a> {
    src: &'a [u8],
    sparse: &'a mut Sparse,
    start: usize,
    n_bytes: usize,
}

impl Work for Decode<'_> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Result<()> {
        let Self { src, sparse, start, n_bytes } = self;
        let Sparse { bytes, marks } = sparse;
        let mut output = Output { lanes, bytes, marks, start, at: start, end: start + n_bytes };
        output.decode(src)
    }
}

struct Output<'a, L> {
    lanes: L,
    bytes: &'a mut [u8],
    marks: &'a mut [u8],
    start: usize,
    at: usize,
    end: usize,
}

impl<L: Lanes> Output<'_, L> {
    #[inline(always)]
    fn decode(&mut self, src: &[u8]) -> Result<()> {
        let mut at = 0;
        loop {
            let (token, n_literals) = token(src, &mut at)?;
            let rest = &src[at..];
            if n_literals > self.end - self.at {
                return Err(too_long(at));
            }
            self.literals(rest, n_literals);
            at += n_literals;
            let Some(offset) = src[at..].first_chunk() else { break };
            let offset = usize::from(u16::from_le_bytes(*offset));
            at += 2;
            let len = match_len(token, src, &mut at)?;
            if offset.wrapping_sub(1) >= self.at - self.start {
                return Err(too_early(at));
            }
            if len > self.end - self.at {
                return Err(too_long(at));
            }
            self.matching(offset, len);
        }
        if at != src.len() {
            return Err(Error::Truncated { at, needed: 2, available: 1 });
        }
        if self.at != self.end {
            return Err(Error::WrongSize { expected: self.end - self.start, found: self.at - self.start });
        }
        Ok(())
    }

    /// Appends the first `n` bytes of `from`, for which there is room. No bytes are as good as some: nothing is decided.
    #[inline(always)]
    fn literals(&mut self, mut from: &[u8], n: usize) {
        let mut left = n;
        while left > N {
            self.put(self.lanes.load(from, N), self.at);
            (self.at, from, left) = (self.at + N, &from[N..], left - N);
        }
        self.put(self.lanes.load(from, left), self.at);
        self.at += left;
    }

    /// Appends `n` bytes from `offset` back, for which there is room.
    #[inline(always)]
    fn matching(&mut self, offset: usize, n: usize) {
        let (from, to) = (self.at - offset, self.at);
        self.at += n;
        let first = self.lanes.load_periodic(&self.bytes[from..], offset, n.min(N));
        self.put(first, to);
        if n > N {
            self.long_match(from, to, n, first);
        }
    }

    /// What follows the `first` bytes of a match.
    #[inline(always)]
    fn long_match(&mut self, from: usize, to: usize, n: usize, first: L::Bytes) {
        let offset = to - from;
        if offset <= N {
            if self.lanes.nonzero(first) != 0 {
                self.copy(from, to, n);
            }
            return;
        }
        // What is repeated: less than is written, where they overlap.
        let n_read = n.min(offset);
        let last = self.lanes.load(&self.bytes[from + n_read - N..], N);
        let whole_lines = from.div_ceil(LINE)..(from + n_read) / LINE;
        if !self.is_zero(whole_lines) {
            return self.copy(from, to, n);
        }
        if n_read == n {
            self.put(last, to + n - N);
        } else if self.lanes.nonzero(first) != 0 || self.lanes.nonzero(last) != 0 {
            self.copy(from, to, n);
        }
    }

    /// Whether none of `lines` is marked.
    #[inline(always)]
    fn is_zero(&self, lines: std::ops::Range<usize>) -> bool {
        let Some(marks) = self.marks.get(lines) else { return true };
        if marks.len() <= N {
            return self.lanes.nonzero(self.lanes.load(marks, marks.len())) == 0;
        }
        marks.chunks(N).all(|marks| self.lanes.nonzero(self.lanes.load(marks, marks.len())) == 0)
    }

    /// Copies `n` bytes, however they overlap.
    #[inline(never)]
    fn copy(&mut self, from: usize, to: usize, n: usize) {
        let offset = to - from;
        let step = if offset < N { N - N % offset } else { N };
        for i in (0..n).step_by(step) {
            self.put(self.lanes.load_periodic(&self.bytes[from + i..], offset, (n - i).min(step)), to + i);
        }
    }

    /// Stores and marks `bytes`.
    #[inline(always)]
    fn put(&mut self, bytes: L::Bytes, at: usize) {
        self.lanes.store(bytes, self.bytes[at..].first_chunk_mut().expect("there is slack behind the block"));
        let nonzero = u64::from(self.lanes.nonzero(bytes)) << (at % LINE);
        let marks: &mut [u8; 2] = self.marks[at / LINE..].first_chunk_mut().expect("there is one behind the slack");
        marks[0] |= u8::from(nonzero as u32 != 0);
        marks[1] |= u8::from(nonzero >> 32 != 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{block, library};
    use super::*;

    /// Zeros, and now and then a few bytes, some of them again and again. What a stream of them is like changes with `seed`.
    fn mostly_zeros(n_bytes: usize, seed: u32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        let mut bytes = vec![0; n_bytes];
        let mut at = 0;
        loop {
            at += random(if seed.is_multiple_of(3) { 2000 } else { 150 }) as usize;
            let (n, period) = (1 + random(if seed.is_multiple_of(2) { 8 } else { 100 }), 1 + random(50));
            for i in 0..n {
                let Some(byte) = bytes.get_mut(at) else { return bytes };
                *byte = if seed.is_multiple_of(5) { random(256) as u8 } else { (i % period) as u8 };
                at += 1;
            }
        }
    }

    fn assert_all_zero(sparse: &Sparse, about: &str) {
        assert!(sparse.bytes.iter().chain(&sparse.marks).all(|byte| *byte == 0), "{about}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn every_level_decodes_what_the_library_encodes_and_marks_what_is_not_zero() {
        for &level in Level::available() {
            let mut sparse = Sparse::default();
            for (seed, n_bytes) in (0..60).flat_map(|seed| [(seed, 100_000), (seed, 4096 + seed as usize)]) {
                let expected = mostly_zeros(n_bytes, seed);
                let mut stored = vec![0; block::max_encoded_len(n_bytes)];
                let n = library::encode(&expected, &mut stored).unwrap();
                // Any line can be the first of it.
                let start = seed as usize % 3 * LINE;
                sparse.reserve(start + n_bytes);
                sparse.decode(level, &stored[..n], start, n_bytes).unwrap();
                let about = format!("{level:?} seed {seed}, {n_bytes} bytes");
                assert!(sparse.bytes[start..start + n_bytes] == expected, "{about}");
                for (line, mark) in sparse.bytes.chunks(LINE).zip(&sparse.marks) {
                    assert!(*mark != 0 || line.iter().all(|byte| *byte == 0), "{about}");
                }
                sparse.clear();
                assert_all_zero(&sparse, &about);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn matches_of_every_length_and_offset_are_copied() {
        for &level in Level::available() {
            let mut sparse = Sparse::default();
            for (offset, len) in
                (1..140).flat_map(|offset| [4, 18, 31, 32, 33, 63, 64, 65, 200].map(|len| (offset, len)))
            {
                // The literals are not zero at one place, anywhere; the match begins `offset` before their end.
                for place in [0, offset / 2, offset - 1, 139] {
                    let mut literals = [0; 140];
                    literals[139 - place] = 7;
                    let mut stored = vec![0xff, 140 - 15];
                    stored.extend(literals);
                    stored.extend([offset as u8, 0]);
                    if len < 19 {
                        stored[0] = 0xf0 | (len - 4) as u8;
                    } else {
                        stored.push((len - 19) as u8);
                    }
                    stored.extend([0x50, 1, 2, 3, 4, 5]);
                    let n_bytes = 140 + len + 5;
                    let mut expected = vec![0; n_bytes];
                    block::decode(Level::SCALAR, &stored, &mut expected).unwrap();
                    sparse.reserve(n_bytes);
                    sparse.decode(level, &stored, 0, n_bytes).unwrap();
                    assert_eq!(sparse.bytes[..n_bytes], expected, "{level:?} offset {offset}, {len} bytes, {place}");
                    sparse.clear();
                    assert_all_zero(&sparse, "cleared");
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn damaged_blocks_decode_as_elsewhere_and_leave_nothing() {
        let n_bytes = 3000;
        let mut stored = vec![0; block::max_encoded_len(n_bytes)];
        let n = library::encode(&mostly_zeros(n_bytes, 4), &mut stored).unwrap();
        stored.truncate(n);
        let truncated = (0..n).map(|len| stored[..len].to_vec());
        let changed = (0..n).flat_map(|at| [1, 0x10, 0x80, 0xff].map(|bits| (at, bits))).map(|(at, bits)| {
            let mut stored = stored.clone();
            stored[at] ^= bits;
            stored
        });
        let blocks: Vec<Vec<u8>> = truncated.chain(changed).collect();
        for &level in Level::available() {
            let mut sparse = Sparse::default();
            sparse.reserve(n_bytes);
            for (i, stored) in blocks.iter().enumerate() {
                let mut expected = vec![0; n_bytes];
                let result = block::decode(Level::SCALAR, stored, &mut expected);
                assert_eq!(sparse.decode(level, stored, 0, n_bytes).is_ok(), result.is_ok(), "{level:?} block {i}");
                assert!(result.is_err() || sparse.bytes[..n_bytes] == expected, "{level:?} block {i}");
                sparse.clear();
                assert_all_zero(&sparse, "cleared");
            }
        }
    }
}
