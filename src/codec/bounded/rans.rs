//! The entropy coder: range asymmetric numeral systems, as many states side by side ("lanes") as a stream has.
//!
//! A table gives each token a frequency of 2048. A state is at least 2^15 and below 2^31, so that its quotient by a frequency is exact
//! as a product. The encoder goes backwards from a state of 2^15 a lane; the decoder ends there, which is checked. A stream is the
//! states, u32 a lane, and u16 words, each of which the decoder takes where a state has fallen below 2^15. All little-endian.

use super::tokens::N_TOKENS;
use crate::codec::cursor::Cursor;
use crate::{Error, Result};

/// Bits of a frequency, and the sum of all in a table.
pub(super) const FREQUENCY_BITS: u32 = 11;
pub(super) const TOTAL: u32 = 1 << FREQUENCY_BITS;

const MIN_STATE: u32 = 1 << 15;

/// Lanes at most.
pub(super) const MAX_LANES: usize = 32;

/// The frequencies of the tokens. They add up to [`TOTAL`].
pub(super) type Frequencies = [u16; N_TOKENS];

/// What the encoder knows of a token.
#[derive(Debug, Clone, Copy, Default)]
struct Symbol {
    /// 2^(31 + shift) / frequency, rounded up.
    reciprocal: u32,
    shift: u32,
    /// The state from which on a word is given out.
    limit: u32,
    bias: u32,
    /// 2048 − frequency.
    complement: u32,
}

/// The tables of an encoder.
#[derive(Debug)]
pub(super) struct Encoder {
    symbols: Vec<[Symbol; 64]>,
    states: [u32; MAX_LANES],
    n_lanes: usize,
    /// In the opposite order.
    words: Vec<u16>,
}

impl Encoder {
    pub(super) fn new(tables: &[Frequencies]) -> Self {
        let symbols = tables.iter().map(symbols_of).collect();
        Self { symbols, states: [MIN_STATE; MAX_LANES], n_lanes: 1, words: Vec::new() }
    }

    /// Begins a stream.
    pub(super) fn start(&mut self, n_lanes: usize) {
        self.states = [MIN_STATE; MAX_LANES];
        self.n_lanes = n_lanes;
        self.words.clear();
    }

    /// The token before all that were put.
    #[inline]
    pub(super) fn put(&mut self, lane: usize, table: usize, token: u8) {
        let symbol = &self.symbols[table][usize::from(token & 63)];
        let state = &mut self.states[lane % MAX_LANES];
        let mut x = *state;
        if x >= symbol.limit {
            self.words.push(x as u16);
            x >>= 16;
        }
        let quotient = ((u64::from(x) * u64::from(symbol.reciprocal)) >> 32) as u32 >> symbol.shift;
        *state = x.wrapping_add(symbol.bias).wrapping_add(quotient.wrapping_mul(symbol.complement));
    }

    /// The stream.
    pub(super) fn finish(&self) -> Vec<u8> {
        let states = self.states[..self.n_lanes].iter().flat_map(|state| state.to_le_bytes());
        states.chain(self.words.iter().rev().flat_map(|word| word.to_le_bytes())).collect()
    }
}

fn symbols_of(frequencies: &Frequencies) -> [Symbol; 64] {
    let mut symbols = [Symbol::default(); 64];
    let mut start = 0;
    for (symbol, frequency) in symbols.iter_mut().zip(frequencies) {
        let frequency = u32::from(*frequency);
        let limit = (MIN_STATE >> FREQUENCY_BITS << 16).wrapping_mul(frequency);
        let complement = TOTAL.wrapping_sub(frequency);
        *symbol = match frequency {
            0 => Symbol::default(),
            1 => Symbol { reciprocal: u32::MAX, shift: 0, limit, bias: start + TOTAL - 1, complement },
            _ => {
                let bits = (frequency - 1).ilog2() + 1;
                let reciprocal = (1_u64 << (bits + 31)).div_ceil(frequency.into()) as u32;
                Symbol { reciprocal, shift: bits - 1, limit, bias: start, complement }
            }
        };
        start += frequency;
    }
    symbols
}

/// For each number below [`TOTAL`] the token that it stands for (6 bits), the token's frequency (12 bits) and how far into it the
/// number is.
#[derive(Debug)]
pub(super) struct DecodingTables {
    slots: Vec<u32>,
}

impl DecodingTables {
    /// Tables of frequencies that add up to [`TOTAL`].
    pub(super) fn new<'a>(tables: impl Iterator<Item = &'a Frequencies>) -> Self {
        let mut slots = Vec::new();
        for frequencies in tables {
            for (token, frequency) in (0..).zip(frequencies) {
                let frequency = u32::from(*frequency);
                slots.extend((0..frequency).map(|offset| token | frequency << 6 | offset << 18));
            }
        }
        Self { slots }
    }
}

/// A stream being decoded.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    slots: &'a [u32],
    states: [u32; MAX_LANES],
    words: &'a [[u8; 2]],
    at: usize,
}

impl<'a> Decoder<'a> {
    /// Begins with the states of `n_lanes`, at most [`MAX_LANES`].
    pub(super) fn new(tables: &'a DecodingTables, n_lanes: usize, stream: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(stream);
        let mut states = [MIN_STATE; MAX_LANES];
        for state in states.iter_mut().take(n_lanes) {
            *state = cursor.u32_le()?;
            if !(MIN_STATE..1 << 31).contains(state) {
                return Err(Error::Corrupt { at: cursor.at(), what: "a state of the entropy coder is out of range" });
            }
        }
        let (words, odd) = cursor.rest().as_chunks();
        if !odd.is_empty() {
            return Err(Error::Corrupt { at: stream.len(), what: "a stream of words ends within one" });
        }
        Ok(Self { slots: &tables.slots, states, words, at: 0 })
    }

    /// The next token of a lane. After the end anything: [`finish`](Self::finish) tells.
    #[inline]
    pub(super) fn get(&mut self, lane: usize, table: usize) -> u8 {
        let state = &mut self.states[lane % MAX_LANES];
        let at = table << FREQUENCY_BITS | (*state & (TOTAL - 1)) as usize;
        let slot = self.slots.get(at).copied().unwrap_or(0);
        let next = (slot >> 6 & 0xfff) * (*state >> FREQUENCY_BITS) + (slot >> 18);
        let word = self.words.get(self.at).map_or(0, |word| u32::from(u16::from_le_bytes(*word)));
        let is_low = next < MIN_STATE;
        *state = if is_low { next << 16 | word } else { next };
        self.at += usize::from(is_low);
        (slot & 63) as u8
    }

    /// Whether the stream was read to its end, and no further.
    pub(super) fn finish(&self) -> Result<()> {
        if self.at == self.words.len() && self.states.iter().all(|state| *state == MIN_STATE) {
            return Ok(());
        }
        Err(Error::Corrupt { at: 0, what: "a stream of the entropy coder does not end where its frame does" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(weights: &[u16]) -> Frequencies {
        let mut table = [0; N_TOKENS];
        table[..weights.len()].copy_from_slice(weights);
        assert_eq!(table.iter().map(|n| u32::from(*n)).sum::<u32>(), TOTAL);
        table
    }

    #[test]
    fn tokens_come_back_whatever_their_frequencies_and_lanes() {
        let tables = [
            table(&[2048]),
            table(&[1, 2047]),
            table(&[2046, 1, 1]),
            table(&[500, 500, 3, 1045]),
            table(&[1024, 1, 1023]),
        ];
        let n_of = [1, 2, 3, 4, 3];
        let mut state = 5_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for n_lanes in [1, 4, 32] {
            let n = if cfg!(miri) { 300 } else { 30_000 };
            let symbols: Vec<(usize, u8)> = (0..n).map(|_| (next() as usize % 5, next() as u8)).collect();
            let symbols: Vec<_> = symbols.into_iter().map(|(table, token)| (table, token % n_of[table])).collect();
            let mut encoder = Encoder::new(&tables);
            encoder.start(n_lanes);
            for (n, (table, token)) in symbols.iter().enumerate().rev() {
                encoder.put(n % n_lanes, *table, *token);
            }
            let stream = encoder.finish();
            let tables = DecodingTables::new(tables.iter());
            let mut decoder = Decoder::new(&tables, n_lanes, &stream).unwrap();
            for (n, (table, token)) in symbols.iter().enumerate() {
                assert_eq!(decoder.get(n % n_lanes, *table), *token);
            }
            assert_eq!(decoder.finish(), Ok(()));
            let cut = &stream[..stream.len() - 2];
            let is_refused = Decoder::new(&tables, n_lanes, cut).and_then(|mut decoder| {
                symbols.iter().enumerate().for_each(|(n, (table, _))| _ = decoder.get(n % n_lanes, *table));
                decoder.finish()
            });
            assert!(is_refused.is_err());
        }
    }
}
