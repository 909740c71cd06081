//! Tables of finite state entropy: how they are described, and what a state says (RFC 8878, 4.1).

use super::bits::Forward;
use std::hint::select_unpredictable as select;

/// The most states of a table, as a power of two: all logarithms here are of numbers of states.
const MAX_LOG: u32 = 9;
pub(super) const MAX_STATES: usize = 1 << MAX_LOG;

/// More symbols than any table here is for.
pub(super) const MAX_SYMBOLS: usize = 64;

/// How often each symbol occurs among the states of a table.
pub(super) struct Counts {
    /// -1 for a symbol that has one of the last states and leaves it for any other.
    counts: [i16; MAX_SYMBOLS],
    n_symbols: usize,
    log: u32,
}

impl Counts {
    /// Those of a table that is known.
    pub(super) fn known(known: &[i16], log: u32) -> Self {
        let mut counts = [0; MAX_SYMBOLS];
        counts[..known.len()].copy_from_slice(known);
        Self { counts, n_symbols: known.len(), log }
    }

    /// Reads the description at the front of `src`, of no more states and symbols than given. Returns its length too.
    /// `None` where it is not such a description.
    #[inline(always)]
    pub(super) fn read(src: &[u8], max_log: u32, max_symbols: usize) -> Option<(Self, usize)> {
        let mut bits = Forward::new(src);
        let log = 5 + (bits.peek() & 15) as u32;
        bits.skip(4);
        if log > max_log.min(MAX_LOG) {
            return None;
        }
        let max_symbols = max_symbols.min(MAX_SYMBOLS);
        let mut counts = [0; MAX_SYMBOLS];
        let (mut n_symbols, mut left) = (0, 1u32 << log);
        while left > 0 {
            if n_symbols >= max_symbols {
                return None;
            }
            let (count, n_bits) = count(bits.peek(), left);
            bits.skip(n_bits);
            counts[n_symbols] = count;
            n_symbols += 1;
            // `count` is no more than what is left.
            left -= u32::from(count.unsigned_abs());
            if count == 0 {
                n_symbols += zeros(&mut bits, max_symbols)?;
            }
        }
        // After the last symbol that occurs, none is described.
        let n_bytes = bits.n_bytes()?;
        Some((Self { counts, n_symbols, log }, n_bytes))
    }
}

/// Which symbol each state has: the first state that in the first place, the next one that `stride` places on, and so
/// on, round and round.
struct Spread {
    symbols: [u8; MAX_STATES + SYMBOLS_AT_ONCE],
    stride: usize,
}

/// Symbols that are written at once.
const SYMBOLS_AT_ONCE: usize = 8;

impl Counts {
    /// Symbols stand in order, each as often as it occurs; the states that they have are a fixed number of states apart.
    /// That is turned round here: from each state to the next, so many symbols are gone over.
    #[inline(always)]
    fn spread(&self) -> Spread {
        let (n_states, counts) = (1 << self.log, &self.counts[..self.n_symbols]);
        let step = n_states / 2 + n_states / 8 + 3;
        let mut symbols = [0; MAX_STATES + SYMBOLS_AT_ONCE];
        let mut n = 0;
        for (symbol, count) in counts.iter().enumerate() {
            let end = n + usize::from(count.cast_unsigned() * u16::from(*count > 0));
            let mut at = n;
            while at < end {
                symbols[at..at + SYMBOLS_AT_ONCE].fill(symbol as u8);
                at += SYMBOLS_AT_ONCE;
            }
            n = end;
        }
        if n == n_states {
            // The inverse of an odd number modulo a power of two: each round doubles the bits that are right, of three.
            let inverse = (0..2).fold(step, |x: usize, _| x.wrapping_mul(2usize.wrapping_sub(step.wrapping_mul(x))));
            return Spread { symbols, stride: inverse & (n_states - 1) };
        }
        self.spread_with_last(&symbols[..n], step)
    }

    /// Where `symbols` leave the last states to symbols that are less than rare, one each, the first of them the last.
    #[cold]
    fn spread_with_last(&self, symbols: &[u8], step: usize) -> Spread {
        let mut spread = Spread { symbols: [0; MAX_STATES + SYMBOLS_AT_ONCE], stride: 1 };
        let mut end = 1 << self.log;
        let rare = self.counts[..self.n_symbols].iter().enumerate().filter(|(_, count)| **count < 0);
        for (symbol, _) in rare {
            end -= 1;
            spread.symbols[end] = symbol as u8;
        }
        let mut at = 0;
        for symbol in symbols {
            spread.symbols[at] = *symbol;
            at = (at + step) % (1 << self.log);
            while at >= end {
                at = (at + step) % (1 << self.log);
            }
        }
        spread
    }
}

/// The count that `word` begins with, of a symbol for which `left` states are left, and its length in bits. As many
/// values as there are take the fewest bits that suffice; the smaller ones take one bit less where they can.
#[inline(always)]
fn count(word: u64, left: u32) -> (i16, u32) {
    // From -1 to `left`.
    let n_values = left + 2;
    let n_bits = u32::BITS - (n_values - 1).leading_zeros();
    let n_short = (1u32 << n_bits) - n_values;
    let half = 1 << (n_bits - 1);
    let (short, long) = (word as u32 & (half - 1), word as u32 & (2 * half - 1));
    let long = select(long >= half, long.wrapping_sub(n_short), long);
    let is_short = short < n_short;
    (select(is_short, short, long) as i16 - 1, n_bits - u32::from(is_short))
}

/// How many more symbols do not occur, after one that does not: two bits at a time, 3 for three and further ones.
fn zeros(bits: &mut Forward<'_>, max_symbols: usize) -> Option<usize> {
    let mut n = 0;
    loop {
        let more = (bits.peek() & 3) as usize;
        bits.skip(2);
        n += more;
        if more < 3 {
            return Some(n);
        }
        if n > max_symbols {
            return None;
        }
    }
}

/// What a symbol stands for: a number that begins at a base, with so many [extra bits](Self::n_extra). A state adds to
/// this how the next state is found.
///
/// One word: from the lowest bit on 8 bits of `n_extra` and of `n_bits`, 16 of the next state, 32 of the base. So sums of
/// words have the sums of bits in them.
#[derive(Clone, Copy, Default)]
pub(super) struct State(u64);

impl State {
    pub(super) const fn new(base: u32, n_extra: u8) -> Self {
        Self((base as u64) << 32 | n_extra as u64)
    }

    fn with_next(self, next: u32, n_bits: u32) -> Self {
        Self(self.0 | u64::from(next) << 16 | u64::from(n_bits) << 8)
    }

    /// The number of its symbol, where `extra` are the next [`n_extra`](Self::n_extra) bits.
    #[inline(always)]
    pub(super) fn number(self, extra: u64) -> u32 {
        (self.0 >> 32) as u32 + extra as u32
    }

    #[inline(always)]
    pub(super) fn n_extra(self) -> u32 {
        u32::from(self.0 as u8)
    }

    /// Bits that say which the next state is.
    #[inline(always)]
    pub(super) fn n_bits(self) -> u32 {
        u32::from((self.0 >> 8) as u8)
    }

    /// The next state, where `bits` are the next [`n_bits`](Self::n_bits).
    #[inline(always)]
    pub(super) fn next(self, bits: u64) -> usize {
        usize::from((self.0 >> 16) as u16) + bits as usize
    }

    /// All extra bits of `states`, and all bits of the next ones.
    #[inline(always)]
    pub(super) fn all_bits(states: [Self; 3]) -> (u32, u32) {
        let all = Self(states[0].0.wrapping_add(states[1].0).wrapping_add(states[2].0));
        (all.n_extra(), all.n_bits())
    }
}

/// The states of a table, `N` at most: a power of two.
pub(super) struct Table<const N: usize> {
    states: [State; N],
    log: u32,
}

impl<const N: usize> Table<N> {
    /// A table of one state, which says nothing.
    pub(super) fn new() -> Self {
        Self { states: [State::default(); N], log: 0 }
    }

    /// Bits of the first state.
    #[inline(always)]
    pub(super) fn log(&self) -> u32 {
        self.log
    }

    /// What a state says. There are as many as this table has; others say anything.
    #[inline(always)]
    pub(super) fn state(&self, state: usize) -> State {
        self.states[state % N]
    }

    /// Takes over the states of `other`.
    pub(super) fn copy<const M: usize>(&mut self, other: &Table<M>) {
        let n_states = 1 << other.log;
        self.states[..n_states].copy_from_slice(&other.states[..n_states]);
        self.log = other.log;
    }

    /// The table of one symbol that repeats.
    pub(super) fn repeat(&mut self, symbol: State) {
        self.log = 0;
        self.states[0] = symbol;
    }

    /// The table of `counts`, whose symbols stand for `codes`.
    ///
    /// # Panics
    /// Where it has more states than there is room for: the caller's mistake.
    #[inline(always)]
    pub(super) fn build(&mut self, counts: &Counts, codes: &[State; MAX_SYMBOLS]) {
        let (log, n_states) = (counts.log, 1 << counts.log);
        let Spread { symbols, stride } = counts.spread();
        let mut next = counts.counts.map(|count| u32::from(count.unsigned_abs()));
        let mut at = 0;
        for state in &mut self.states[..n_states] {
            let symbol = usize::from(symbols[at % MAX_STATES]) % MAX_SYMBOLS;
            let n_bits = log + next[symbol].leading_zeros() - (u32::BITS - 1);
            *state = codes[symbol].with_next((next[symbol] << n_bits) - n_states as u32, n_bits);
            next[symbol] += 1;
            at = (at + stride) & (n_states - 1);
        }
        self.log = log;
    }
}
