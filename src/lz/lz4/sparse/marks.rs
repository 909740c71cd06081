//! What is not zero in memory that mostly is: a mark for each byte, and one for each line of them.
//!
//! The bytes' marks say of any range exactly whether it is zero, at both of its ends; those of the lines say it of what is between,
//! many at a time. Both are so small that they stay in the nearest cache, which the memory does not: what is zero is not looked at.

/// Bytes that have one mark together.
pub(crate) const LINE: usize = u32::BITS as usize;

/// Lines whose marks share a word.
pub(crate) const WORD: usize = u64::BITS as usize;

/// The longest range that [`MarksMut::any_near`] takes: wherever it begins, it has no more lines than a word has marks.
pub(super) const NEAR: usize = (WORD - 1) * LINE + 1;

/// The marks. A byte or line without one is zero.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// A bit for each byte of a line, the first one's the lowest, and a line more.
    bytes: Vec<u32>,
    /// A bit for each line, and a word more.
    lines: Vec<u64>,
}

impl Marks {
    /// Makes it as long as `n_lines` at least.
    pub(super) fn reserve(&mut self, n_lines: usize) {
        self.bytes.resize(self.bytes.len().max(n_lines + 1), 0);
        self.lines.resize(self.lines.len().max(n_lines / WORD + 2), 0);
    }

    /// The marks of the [`WORD`] lines from `line` on, the first one's the lowest bit.
    pub(crate) fn word(&self, line: usize) -> u64 {
        word(&self.lines, line)
    }

    /// The same marks, for the decoder.
    pub(super) fn as_mut(&mut self) -> MarksMut<'_> {
        MarksMut { bytes: &mut self.bytes, lines: &mut self.lines }
    }

    /// Takes all marks away. `each` gets every line that had one.
    pub(super) fn take(&mut self, mut each: impl FnMut(usize)) {
        for (i, word) in self.lines.iter_mut().enumerate() {
            let mut lines = std::mem::take(word);
            while lines != 0 {
                let line = i * WORD + lines.trailing_zeros() as usize;
                self.bytes[line] = 0;
                each(line);
                lines &= lines - 1;
            }
        }
    }

    /// How many bytes it takes.
    #[cfg(test)]
    pub(crate) fn n_bytes(&self) -> usize {
        size_of_val(&*self.bytes) + size_of_val(&*self.lines)
    }
}

/// [`Marks`] that are worked on: slices, so that a loop need not look again and again where they are.
#[derive(Debug)]
pub(super) struct MarksMut<'a> {
    bytes: &'a mut [u32],
    lines: &'a mut [u64],
}

impl MarksMut<'_> {
    /// Marks those bytes from `at` on whose bit is set.
    #[inline(always)]
    pub(super) fn set(&mut self, at: usize, bits: u32) {
        let (line, bits) = (at / LINE, u64::from(bits) << (at % LINE));
        let pair = &mut self.bytes[line..line + 2];
        pair[0] |= bits as u32;
        pair[1] |= (bits >> LINE) as u32;
        let (first, second) = (u64::from(bits as u32 != 0), u64::from(bits >> LINE != 0));
        self.lines[line / WORD] |= (first | second << 1) << (line % WORD);
        if line % WORD == WORD - 1 {
            self.lines[line / WORD + 1] |= second;
        }
    }

    /// Whether any byte from `from` to `end` has a mark; these are 1 to [`NEAR`].
    #[inline(always)]
    pub(super) fn any_near(&self, from: usize, end: usize) -> bool {
        let (first, last) = (from / LINE, (end - 1) / LINE);
        let head = self.bytes[first] & u32::MAX << (from % LINE);
        let tail = self.bytes[last] & u32::MAX >> (LINE - 1 - (end - 1) % LINE);
        let ends = if first == last { head & tail } else { head | tail };
        let between = word(self.lines, first) & !(u64::MAX << ((last - first) % WORD)) & !1;
        u64::from(ends) | between != 0
    }

    /// Whether any byte from `from` to `end` has a mark, however many these are.
    #[inline(always)]
    pub(super) fn any(&self, from: usize, end: usize) -> bool {
        (from..end).step_by(NEAR).any(|from| self.any_near(from, end.min(from + NEAR)))
    }
}

#[inline(always)]
fn word(lines: &[u64], line: usize) -> u64 {
    let (pair, shift) = (&lines[line / WORD..line / WORD + 2], line % WORD);
    pair[0] >> shift | pair[1] << 1 << (WORD - 1 - shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_LINES: usize = 3 * WORD;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn what_is_marked_and_nothing_else_is_found_in_any_range() {
        let n_bytes = N_LINES * LINE;
        for (place, bits) in [0, 31, 32, 2015, 2016, 2040, 2047, 2048, 3001]
            .into_iter()
            .flat_map(|place| [0, 1, 1 << 31, 0x8000_0001, 1 << 17].map(|bits| (place, bits)))
        {
            let mut marks = Marks::default();
            marks.reserve(N_LINES);
            let mut near = marks.as_mut();
            near.set(place, bits);
            let is_marked = |at: usize| at >= place && at - place < LINE && bits >> (at - place) & 1 != 0;
            for from in (0..n_bytes).filter(|from| from.abs_diff(place) < 70 || from % 97 == 0) {
                let ends = (from + 1..(from + NEAR + 1).min(n_bytes)).filter(|end| end.abs_diff(place) < 70);
                for end in ends.chain([from + 1, (from + NEAR).min(n_bytes), n_bytes]) {
                    let expected = (from.max(place)..end.min(place + LINE)).any(is_marked);
                    let about = format!("{bits:x} at {place}, {from}..{end}");
                    assert!(end - from > NEAR || near.any_near(from, end) == expected, "{about}");
                    assert_eq!(near.any(from, end), expected, "{about}");
                }
            }
            let lines: Vec<usize> = (0..N_LINES).filter(|line| marks.word(*line) & 1 != 0).collect();
            let expected: Vec<usize> =
                (0..N_LINES).filter(|line| (line * LINE..(line + 1) * LINE).any(is_marked)).collect();
            assert_eq!(lines, expected, "{bits:x} at {place}");
            let mut taken = Vec::new();
            marks.take(|line| taken.push(line));
            assert_eq!(taken, expected, "{bits:x} at {place}");
            assert!(!marks.as_mut().any(0, n_bytes) && (0..N_LINES).all(|line| marks.word(line) == 0));
        }
    }

    #[test]
    fn a_word_has_the_marks_from_any_line_on() {
        let mut marks = Marks::default();
        marks.reserve(N_LINES);
        for line in [0, 5, 63, 64, 127, 130] {
            marks.as_mut().set(line * LINE + 9, 1);
        }
        for line in 0..2 * WORD {
            let expected = [0, 5, 63, 64, 127, 130].into_iter().filter(|at| (line..line + WORD).contains(at));
            assert_eq!(marks.word(line), expected.fold(0, |all, at| all | 1 << (at - line)), "line {line}");
        }
    }
}
