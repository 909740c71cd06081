//! Sequences: literals and a match each, their three numbers in three tables (RFC 8878, 3.1.1.3.2).

use super::bits::{Backward, PEEKED};
use super::fse::{Counts, MAX_STATES, MAX_SYMBOLS, State, Table};
use super::output::Output;
use crate::lz::vector::Lanes;
use std::hint::select_unpredictable as select;
use std::ops::Range;

/// The most states of a table that needs no description.
const KNOWN_STATES: usize = 64;

/// One kind of number: how it is coded.
struct Kind {
    codes: &'static [State; MAX_SYMBOLS],
    n_codes: usize,
    max_log: u32,
    /// The table that needs no description.
    known: &'static [i16],
    known_log: u32,
}

static LITERALS: Kind = Kind {
    codes: &codes(0, &[[16, 0], [4, 1], [2, 2], [2, 3], [1, 4], [11, 6]]),
    n_codes: 36,
    max_log: 9,
    known: &[
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
    ],
    known_log: 6,
};

static MATCHES: Kind = Kind {
    codes: &codes(3, &[[32, 0], [4, 1], [2, 2], [2, 3], [2, 4], [1, 5], [10, 7]]),
    n_codes: 53,
    max_log: 9,
    known: &[
        1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    known_log: 6,
};

static OFFSETS: Kind = Kind {
    codes: &offset_codes(),
    n_codes: 32,
    max_log: 8,
    known: &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    known_log: 5,
};

/// Codes of lengths from `first` on, each next to the one before it. `runs`: how many have so many more bits; those of the
/// last run have one bit more each.
const fn codes(first: u32, runs: &[[u8; 2]]) -> [State; MAX_SYMBOLS] {
    let mut codes = [State::new(0, 0); MAX_SYMBOLS];
    let (mut base, mut at, mut run) = (first, 0, 0);
    while run < runs.len() {
        let mut i = 0;
        while i < runs[run][0] {
            let n_extra = runs[run][1] + if run == runs.len() - 1 { i } else { 0 };
            codes[at] = State::new(base, n_extra);
            base += 1 << n_extra;
            at += 1;
            i += 1;
        }
        run += 1;
    }
    codes
}

const fn offset_codes() -> [State; MAX_SYMBOLS] {
    let mut codes = [State::new(0, 0); MAX_SYMBOLS];
    let mut i = 0;
    while i < 32 {
        codes[i] = State::new(1 << i, i as u8);
        i += 1;
    }
    codes
}

/// The table of one kind of number.
struct Coded {
    table: Table<MAX_STATES>,
    known: Table<KNOWN_STATES>,
    /// Whether `table` is `known`.
    is_known: bool,
}

impl Coded {
    #[inline(never)]
    fn new(kind: &Kind) -> Self {
        let mut known = Table::new();
        known.build(&Counts::known(kind.known, kind.known_log), kind.codes);
        Self { table: Table::new(), known, is_known: false }
    }

    /// Makes the table of `mode`. Its description is taken from the front of `src`.
    #[inline(always)]
    fn select(&mut self, mode: u8, kind: &Kind, src: &mut &[u8]) -> Option<()> {
        if mode == 0 && !self.is_known {
            self.table.copy(&self.known);
        }
        self.is_known = mode == 0;
        match mode {
            0 => {}
            1 => {
                let (symbol, rest) = src.split_first()?;
                self.table.repeat(*kind.codes[..kind.n_codes].get(usize::from(*symbol))?);
                *src = rest;
            }
            2 => {
                let (counts, n_bytes) = Counts::read(src, kind.max_log, kind.n_codes)?;
                self.table.build(&counts, kind.codes);
                *src = src.get(n_bytes..)?;
            }
            // The table of the block before.
            _ => return None,
        }
        Some(())
    }
}

/// Decodes the sequences of blocks.
pub(super) struct Sequences {
    literals: Coded,
    offsets: Coded,
    matches: Coded,
}

impl Sequences {
    pub(super) fn new() -> Self {
        Self { literals: Coded::new(&LITERALS), offsets: Coded::new(&OFFSETS), matches: Coded::new(&MATCHES) }
    }

    /// Appends to `output` what the sequences in `bytes` of `frame` say.
    #[inline(always)]
    pub(super) fn decode<L: Lanes>(
        &mut self,
        frame: &[u8],
        bytes: Range<usize>,
        recent: &mut Recent,
        output: &mut Output<'_, L>,
    ) -> Option<()> {
        let mut src = frame.get(bytes.clone())?;
        let n = number(&mut src)?;
        if n == 0 {
            return src.is_empty().then_some(());
        }
        self.tables(&mut src)?;
        let stream = Backward::new(frame, bytes.end - src.len()..bytes.end)?;
        States::new(self, stream)?.run(n, recent, output)
    }

    /// Reads the tables' modes and descriptions.
    #[inline(always)]
    fn tables(&mut self, src: &mut &[u8]) -> Option<()> {
        let (modes, rest) = src.split_first()?;
        *src = rest;
        if modes & 3 != 0 {
            return None;
        }
        let kinds = [&LITERALS, &OFFSETS, &MATCHES];
        let coded = [&mut self.literals, &mut self.offsets, &mut self.matches];
        for ((coded, kind), shift) in coded.into_iter().zip(kinds).zip([6, 4, 2]) {
            coded.select(modes >> shift & 3, kind, src)?;
        }
        Some(())
    }
}

/// The number of sequences, in one to three bytes.
fn number(src: &mut &[u8]) -> Option<usize> {
    let (number, n_bytes) = match **src {
        [n @ ..128, ..] => (usize::from(n), 1),
        [255, low, high, ..] => (0x7f00 + usize::from(u16::from_le_bytes([low, high])), 3),
        [high @ 128..=254, low, ..] => (usize::from(u16::from_be_bytes([high - 128, low])), 2),
        _ => return None,
    };
    *src = &src[n_bytes..];
    Some(number)
}

/// The last three offsets.
pub(super) struct Recent([u32; 3]);

impl Recent {
    /// What a frame begins with.
    pub(super) fn new() -> Self {
        Self([1, 4, 8])
    }

    /// The offset that `value` stands for, after literals or not. Without branches: which of them it is, nobody can guess.
    /// 0 where there is none.
    #[inline(always)]
    pub(super) fn offset(&mut self, value: u32, has_literals: bool) -> u32 {
        let [first, second, third] = self.0;
        // 1, 2, 3: the last ones; without literals the first of them would have been part of the match before.
        let index = value.wrapping_add((!has_literals).into());
        let (is_new, is_first, is_second) = (value > 3, index == 1, index == 2);
        let old = select(index == 3, third, first.wrapping_sub(1));
        let old = select(is_second, second, old);
        let old = select(is_first, first, old);
        let offset = select(is_new, value.wrapping_sub(3), old);
        self.0 = [offset, select(is_first, second, first), select(is_first | is_second, third, second)];
        offset
    }
}

/// The three numbers of a sequence, an offset as it is coded.
#[derive(Clone, Copy, Default)]
pub(super) struct Sequence {
    pub(super) n_literals: u32,
    pub(super) match_len: u32,
    pub(super) offset: u32,
}

/// The states of the three tables, and their stream.
struct States<'a> {
    tables: &'a Sequences,
    literals: usize,
    offset: usize,
    matching: usize,
    stream: Backward<'a>,
}

impl<'a> States<'a> {
    #[inline(always)]
    fn new(tables: &'a Sequences, mut stream: Backward<'a>) -> Option<Self> {
        let literals = stream.read(tables.literals.table.log())? as usize;
        let offset = stream.read(tables.offsets.table.log())? as usize;
        let matching = stream.read(tables.matches.table.log())? as usize;
        Some(Self { tables, literals, offset, matching, stream })
    }

    #[inline(always)]
    fn run<L: Lanes>(mut self, n: usize, recent: &mut Recent, output: &mut Output<'_, L>) -> Option<()> {
        for _ in 1..n {
            output.sequence(self.next(true)?, recent)?;
        }
        // After the last sequence there are no states.
        output.sequence(self.next(false)?, recent)?;
        self.stream.has_left(0).then_some(())
    }

    #[inline(always)]
    fn next(&mut self, has_next: bool) -> Option<Sequence> {
        let literals = self.tables.literals.table.state(self.literals);
        let offset = self.tables.offsets.table.state(self.offset);
        let matching = self.tables.matches.table.state(self.matching);
        let (n_extra, n_bits) = State::all_bits([literals, offset, matching]);
        let mut word = self.stream.word()?;
        let sequence = Sequence {
            offset: offset.number(word.take(offset.n_extra())),
            match_len: matching.number(word.take(matching.n_extra())),
            n_literals: literals.number(word.take(literals.n_extra())),
        };
        self.stream.skip(n_extra);
        if n_extra + n_bits > PEEKED {
            // The numbers are longer than what is decoded here, or the next states must be read for themselves.
            if n_extra > PEEKED {
                return None;
            }
            word = self.stream.word()?;
        }
        if has_next {
            self.literals = literals.next(word.take(literals.n_bits()));
            self.matching = matching.next(word.take(matching.n_bits()));
            self.offset = offset.next(word.take(offset.n_bits()));
            self.stream.skip(n_bits);
        }
        Some(sequence)
    }
}
