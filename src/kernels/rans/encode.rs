//! Tokens to a stream, from the last one to the first.

use super::model::{FREQUENCY_BITS, Frequencies, MAX_LANES, MIN_STATE, TOTAL};

/// A symbol that is none: a pixel that has no token.
pub(crate) const NOTHING: u16 = u16::MAX;

/// Words that may be written before the first one.
const ROOM: usize = 16;

/// The tables of an encoder, and a stream that begins at its end.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// For each symbol, a table times 64 plus a token: 2^(31 + shift) / frequency, rounded up; and the frequency (12 bits), the shift
    /// (4 bits), and what is added to a state (12 bits).
    pub(super) symbols: Vec<[u32; 2]>,
    pub(super) states: [u32; MAX_LANES],
    pub(super) n_lanes: usize,
    /// Written from the end on; the first of them is at `at`.
    words: Vec<u16>,
    at: usize,
}

impl Encoder {
    /// An encoder for tables of frequencies that add up to [`TOTAL`].
    pub(crate) fn new(tables: &[Frequencies]) -> Self {
        let symbols = tables.iter().flat_map(symbols_of).collect();
        Self { symbols, states: [MIN_STATE; MAX_LANES], n_lanes: 1, words: Vec::new(), at: 0 }
    }

    /// Begins a stream of `n_lanes`, a power of two of at most [`MAX_LANES`], and at most `n_tokens` tokens.
    pub(crate) fn start(&mut self, n_lanes: usize, n_tokens: usize) {
        self.states = [MIN_STATE; MAX_LANES];
        self.n_lanes = n_lanes;
        // No token gives out more than a word.
        let n = n_tokens + ROOM;
        if self.words.len() < n {
            self.words = vec![0; n];
        }
        self.at = self.words.len();
    }

    /// The token before all that were put.
    #[inline]
    pub(crate) fn put(&mut self, lane: usize, table: usize, token: u8) {
        self.put_symbol(lane, table << 6 | usize::from(token));
    }

    #[inline]
    fn put_symbol(&mut self, lane: usize, symbol: usize) {
        let Some([reciprocal, packed]) = self.symbols.get(symbol) else { return };
        let frequency = packed & 0xfff;
        let state = &mut self.states[lane % MAX_LANES];
        let mut x = *state;
        let is_full = x >= frequency << 20;
        if let Some(word) = self.words.get_mut(self.at.wrapping_sub(1)) {
            *word = x as u16;
        }
        self.at -= usize::from(is_full);
        x >>= u32::from(is_full) * 16;
        let quotient = ((u64::from(x) * u64::from(*reciprocal)) >> 32) as u32 >> (packed >> 12 & 0xf);
        *state = x.wrapping_add(packed >> 16).wrapping_add(quotient.wrapping_mul(TOTAL - frequency));
    }

    pub(super) fn put_one_by_one(&mut self, symbols: &[u16]) {
        let lanes = self.n_lanes - 1;
        for (n, symbol) in symbols.iter().enumerate().rev().filter(|(_, symbol)| **symbol != NOTHING) {
            self.put_symbol(n & lanes, (*symbol).into());
        }
    }

    /// Room for the `n` words before all that were given out.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    pub(super) fn before(&mut self, n: usize) -> &mut [u16] {
        self.at -= n;
        &mut self.words[self.at..][..n]
    }

    /// The states, u32 a lane, and the words; little-endian.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let states = self.states[..self.n_lanes].iter().flat_map(|state| state.to_le_bytes());
        let mut stream = Vec::with_capacity(4 * self.n_lanes + 2 * (self.words.len() - self.at));
        stream.extend(states);
        let (words, start) = (&self.words[self.at..], stream.len());
        stream.resize(start + 2 * words.len(), 0);
        for (to, word) in stream[start..].as_chunks_mut::<2>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        stream
    }
}

fn symbols_of(frequencies: &Frequencies) -> [[u32; 2]; 64] {
    let mut symbols = [[0; 2]; 64];
    let mut start = 0;
    for (symbol, frequency) in symbols.iter_mut().zip(frequencies) {
        let frequency = u32::from(*frequency);
        let (reciprocal, shift, added) = match frequency {
            0 => (0, 0, 0),
            1 => (u32::MAX, 0, start + TOTAL - 1),
            _ => {
                let bits = (frequency - 1).ilog2() + 1;
                ((1_u64 << (bits + 31)).div_ceil(frequency.into()) as u32, bits - 1, start)
            }
        };
        *symbol = [reciprocal, frequency | shift << 12 | added << 16];
        start += frequency;
    }
    symbols
}

const _: () = assert!(FREQUENCY_BITS == 11 && MIN_STATE >> FREQUENCY_BITS << 16 == 1 << 20);
