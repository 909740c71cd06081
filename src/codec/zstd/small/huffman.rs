//! Literals in Huffman codes (RFC 8878, 4.2).

use super::bits::{Backward, PEEKED};
use super::fse::{Counts, MAX_SYMBOLS, State, Table};
use std::ops::Range;

/// The longest code.
const MAX_BITS: u32 = 11;
const MAX_CODES: usize = 1 << MAX_BITS;

/// Symbols that are decoded from what is read at once.
const AT_ONCE: usize = 5;

/// Weights go up to the longest code; 0 is a symbol that does not occur.
const N_WEIGHTS: usize = MAX_BITS as usize + 1;

/// The most states of the table that weights are coded with, as a power of two.
const WEIGHTS_LOG: u32 = 6;

/// Weights that are decoded from what is read at once.
const WEIGHTS_AT_ONCE: usize = 8;

/// A weight stands for itself.
const WEIGHTS: [State; MAX_SYMBOLS] = {
    let mut codes = [State::new(0, 0); MAX_SYMBOLS];
    let mut weight = 0;
    while weight < N_WEIGHTS {
        codes[weight] = State::new(weight as u32, 0);
        weight += 1;
    }
    codes
};

/// Streams of a block's literals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    One,
    Four,
}

/// The symbol that each beginning of [`MAX_BITS`] or fewer bits has, and its length.
pub(super) struct Huffman {
    codes: [Code; MAX_CODES],
    /// Bits that a beginning has.
    log: u32,
    weights: Table<{ 1 << WEIGHTS_LOG }>,
}

impl Huffman {
    pub(super) fn new() -> Self {
        Self { codes: [Code::default(); MAX_CODES], log: 1, weights: Table::new() }
    }

    /// Reads the tree's description at the front of `bytes` of `frame` and returns its length.
    #[inline(always)]
    pub(super) fn read(&mut self, frame: &[u8], bytes: Range<usize>) -> Option<usize> {
        let head = usize::from(*frame.get(bytes.clone())?.first()?);
        let start = bytes.start + 1;
        let mut weights = [0; 256];
        let (n_weights, n_bytes) = if head < 128 {
            let end = start + head;
            (self.coded_weights(frame.get(..end.min(bytes.end))?, start..end, &mut weights)?, head)
        } else {
            let n_weights = head - 127;
            let n_bytes = n_weights.div_ceil(2);
            let nibbles = frame.get(start..start + n_bytes)?.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            // A nibble that is left over is no weight.
            weights.iter_mut().zip(nibbles.take(n_weights)).for_each(|(weight, nibble)| *weight = nibble);
            (n_weights, n_bytes)
        };
        self.build(&weights, n_weights)?;
        Some(1 + n_bytes)
    }

    /// Weights that are coded by two states which take turns, until the bits are used up. `frame` ends with them.
    #[inline(always)]
    fn coded_weights(&mut self, frame: &[u8], bytes: Range<usize>, weights: &mut [u8; 256]) -> Option<usize> {
        let (counts, n_bytes) = Counts::read(frame.get(bytes.clone())?, WEIGHTS_LOG, N_WEIGHTS)?;
        self.weights.build(&counts, &WEIGHTS);
        let (table, mut bits) = (&self.weights, Backward::new(frame, bytes.start + n_bytes..bytes.end)?);
        let mut now = bits.read(table.log())? as usize;
        let mut then = bits.read(table.log())? as usize;
        if bits.is_past_start() {
            return None;
        }
        // The last symbol's weight is not coded.
        let most = weights.len() - 1;
        let mut n = 0;
        while n + WEIGHTS_AT_ONCE < most && bits.has(PEEKED) {
            let mut word = bits.word()?;
            for pair in weights[n..n + WEIGHTS_AT_ONCE].as_chunks_mut::<2>().0 {
                let states = [table.state(now), table.state(then)];
                *pair = states.map(|state| state.number(0) as u8);
                now = states[0].next(word.take(states[0].n_bits()));
                then = states[1].next(word.take(states[1].n_bits()));
            }
            bits.take_over(word);
            n += WEIGHTS_AT_ONCE;
        }
        while n < most - 1 {
            let state = table.state(now);
            weights[n] = state.number(0) as u8;
            n += 1;
            now = then;
            then = state.next(bits.read(state.n_bits())?);
            if bits.is_past_start() {
                weights[n] = table.state(now).number(0) as u8;
                return Some(n + 1);
            }
        }
        None
    }

    /// Adds the last symbol's weight to `n_weights` of them, which fills up the tree, and makes the table.
    #[inline(always)]
    fn build(&mut self, weights: &[u8; 256], n_weights: usize) -> Option<()> {
        let mut symbols = Used::new(&weights[..n_weights.next_multiple_of(8)]);
        let ranks = &mut symbols.ranks;
        if ranks[N_WEIGHTS..].iter().any(|n| *n != 0) {
            return None;
        }
        let used: usize = (1..N_WEIGHTS).map(|weight| ranks[weight] << (weight - 1)).sum();
        let log = used.checked_ilog2()? + 1;
        let rest = (1usize << log) - used;
        if log > MAX_BITS || !rest.is_power_of_two() {
            return None;
        }
        let last = rest.ilog2() as usize + 1;
        ranks[last] += 1;
        // The two longest codes differ in their last bit.
        if ranks[1] < 2 || !ranks[1].is_multiple_of(2) {
            return None;
        }
        symbols.push(n_weights as u8, last as u8);
        self.log = log;
        self.fill(&symbols);
        Some(())
    }

    /// Long codes first, each weight's symbols in order.
    #[inline(always)]
    fn fill(&mut self, used: &Used) {
        let mut symbols = [0; 256];
        let mut ends = [0; 16];
        let mut n = 0;
        for (end, rank) in ends.iter_mut().zip(&used.ranks).skip(1) {
            *end = n;
            n += rank;
        }
        for [symbol, weight] in &used.symbols[..used.n] {
            let end = &mut ends[usize::from(*weight % 16)];
            symbols[*end % 256] = *symbol;
            *end += 1;
        }
        let mut codes = &mut self.codes[..];
        let mut symbols = &symbols[..];
        for weight in 1..=self.log as usize {
            let n_bits = self.log as u8 + 1 - weight as u8;
            let (these, others) = symbols.split_at(used.ranks[weight]);
            let (to, rest) = codes.split_at_mut(used.ranks[weight] << (weight - 1));
            fill_equal(to, weight, these, n_bits);
            (codes, symbols) = (rest, others);
        }
    }

    /// Decodes `bytes` of `frame` into the whole of `dst`.
    #[inline(always)]
    pub(super) fn decode(&self, frame: &[u8], bytes: Range<usize>, streams: Streams, dst: &mut [u8]) -> Option<()> {
        match streams {
            Streams::One => {
                let mut stream = Backward::new(frame, bytes)?;
                let (fives, rest) = dst.as_chunks_mut();
                for five in fives {
                    self.five(&mut stream, five)?;
                }
                self.rest(stream, rest)
            }
            Streams::Four => self.four(frame, bytes, dst),
        }
    }

    /// The first three streams are as long as each other when they are decoded, the last one has what is left.
    #[inline(always)]
    fn four(&self, frame: &[u8], bytes: Range<usize>, dst: &mut [u8]) -> Option<()> {
        let head: &[u8; 6] = frame.get(bytes.clone())?.first_chunk()?;
        let len = |i: usize| usize::from(u16::from_le_bytes([head[2 * i], head[2 * i + 1]]));
        let n = dst.len().div_ceil(4);
        let a = bytes.start + head.len();
        let (b, c, d) = (a + len(0), a + len(0) + len(1), a + len(0) + len(1) + len(2));
        if d > bytes.end || 3 * n > dst.len() {
            return None;
        }
        let mut streams = [
            Backward::new(frame, a..b)?,
            Backward::new(frame, b..c)?,
            Backward::new(frame, c..d)?,
            Backward::new(frame, d..bytes.end)?,
        ];
        let (dst_a, dst) = dst.split_at_mut(n);
        let (dst_b, dst) = dst.split_at_mut(n);
        let (dst_c, dst_d) = dst.split_at_mut(n);
        let n_fives = dst_d.len() / AT_ONCE;
        let (fives_a, rest_a) = dst_a.split_at_mut(n_fives * AT_ONCE);
        let (fives_b, rest_b) = dst_b.split_at_mut(n_fives * AT_ONCE);
        let (fives_c, rest_c) = dst_c.split_at_mut(n_fives * AT_ONCE);
        let (fives_d, rest_d) = dst_d.split_at_mut(n_fives * AT_ONCE);
        let fives = (fives_a.as_chunks_mut().0.iter_mut().zip(fives_b.as_chunks_mut().0))
            .zip(fives_c.as_chunks_mut().0.iter_mut().zip(fives_d.as_chunks_mut().0));
        for ((five_a, five_b), (five_c, five_d)) in fives {
            self.five_of_four(&mut streams, [five_a, five_b, five_c, five_d])?;
        }
        for (stream, rest) in streams.into_iter().zip([rest_a, rest_b, rest_c, rest_d]) {
            self.rest(stream, rest)?;
        }
        Some(())
    }

    #[inline(always)]
    fn five_of_four(&self, streams: &mut [Backward<'_>; 4], mut to: [&mut [u8; AT_ONCE]; 4]) -> Option<()> {
        let mut words = [streams[0].peek()?, streams[1].peek()?, streams[2].peek()?, streams[3].peek()?];
        let mut n_bits = [0; 4];
        for i in 0..AT_ONCE {
            for ((to, word), n_bits) in to.iter_mut().zip(&mut words).zip(&mut n_bits) {
                let code = self.code(*word);
                to[i] = code.symbol();
                *word = code.after(*word);
                *n_bits += code.n_bits();
            }
        }
        streams.iter_mut().zip(n_bits).for_each(|(stream, n_bits)| stream.skip(n_bits));
        Some(())
    }

    #[inline(always)]
    fn five(&self, stream: &mut Backward<'_>, to: &mut [u8; AT_ONCE]) -> Option<()> {
        let mut word = stream.peek()?;
        let mut n_bits = 0;
        for to in to {
            let code = self.code(word);
            *to = code.symbol();
            word = code.after(word);
            n_bits += code.n_bits();
        }
        stream.skip(n_bits);
        Some(())
    }

    /// The last symbols of a stream, which ends with them.
    #[inline(always)]
    fn rest(&self, mut stream: Backward<'_>, dst: &mut [u8]) -> Option<()> {
        for to in dst {
            let code = self.code(stream.peek()?);
            *to = code.symbol();
            stream.skip(code.n_bits());
        }
        stream.has_left(0).then_some(())
    }

    /// The code that `word` begins with.
    #[inline(always)]
    fn code(&self, word: u64) -> Code {
        self.codes[(word >> (64 - self.log)) as usize % MAX_CODES]
    }
}

/// The symbols that occur, in order, each with its weight. Most do not: so these are looked for in words.
struct Used {
    symbols: [[u8; 2]; 256],
    n: usize,
    /// How many have each weight.
    ranks: [usize; 16],
}

impl Used {
    /// Those of `weights`, 256 at most and a multiple of 8.
    #[inline(always)]
    fn new(weights: &[u8]) -> Self {
        let mut used = Self { symbols: [[0; 2]; 256], n: 0, ranks: [0; 16] };
        for (i, words) in weights.chunks(64).enumerate() {
            let words = words.as_chunks().0.iter().enumerate();
            let mut bits = words.fold(0, |bits, (j, word)| bits | nonzero(*word) << (8 * j));
            while bits != 0 {
                let symbol = 64 * i + bits.trailing_zeros() as usize;
                let weight = weights[symbol % 256];
                used.ranks[usize::from(weight % 16)] += 1;
                used.push(symbol as u8, weight);
                bits &= bits - 1;
            }
        }
        used
    }

    fn push(&mut self, symbol: u8, weight: u8) {
        self.symbols[self.n % 256] = [symbol, weight];
        self.n += 1;
    }
}

/// A bit for each of eight weights, below 128, that is not 0: the first one's the lowest.
fn nonzero(weights: [u8; 8]) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let high = (u64::from_le_bytes(weights) + !HIGH) & HIGH;
    // One product brings the eight of them to the highest byte.
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// A symbol, and below it the bits of its code.
#[derive(Clone, Copy, Default)]
struct Code(u16);

impl Code {
    fn new(symbol: u8, n_bits: u8) -> Self {
        Self(u16::from_le_bytes([n_bits, symbol]))
    }

    #[inline(always)]
    fn symbol(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline(always)]
    fn n_bits(self) -> u32 {
        u32::from(self.0 as u8)
    }

    /// What follows the code that `word` begins with.
    #[inline(always)]
    fn after(self, word: u64) -> u64 {
        word << (self.0 % 64)
    }
}

/// Writes each of `symbols`, of `n_bits`, as often as `weight` says.
fn fill_equal(codes: &mut [Code], weight: usize, symbols: &[u8], n_bits: u8) {
    match weight {
        1 => fill_chunks::<1>(codes, 1, symbols, n_bits),
        2 => fill_chunks::<2>(codes, 1, symbols, n_bits),
        3 => fill_chunks::<4>(codes, 1, symbols, n_bits),
        4 => fill_chunks::<8>(codes, 1, symbols, n_bits),
        _ => fill_chunks::<16>(codes, 1 << (weight - 5), symbols, n_bits),
    }
}

/// Writes each `n_chunks` times `N` times.
fn fill_chunks<const N: usize>(codes: &mut [Code], n_chunks: usize, symbols: &[u8], n_bits: u8) {
    let chunks = codes.as_chunks_mut::<N>().0.chunks_exact_mut(n_chunks);
    for (chunks, symbol) in chunks.zip(symbols) {
        chunks.fill([Code::new(*symbol, n_bits); N]);
    }
}
