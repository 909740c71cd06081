//! Tokens from a stream.

use super::model::{FREQUENCY_BITS, Frequencies, MAX_LANES, MIN_STATE, TOTAL};

/// For each number below [`TOTAL`] the token that it stands for (6 bits), the token's frequency (12 bits) and how far into it the
/// number is.
#[derive(Debug)]
pub(crate) struct DecodingTables {
    slots: Vec<u32>,
}

impl DecodingTables {
    /// Tables of frequencies that add up to [`TOTAL`].
    pub(crate) fn new<'a>(tables: impl Iterator<Item = &'a Frequencies>) -> Self {
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

/// The tables and the mask of fewer pixels than lanes; the lanes that have none are masked.
#[cfg(target_arch = "x86_64")]
pub(super) fn padded<const LANES: usize>(tables: &[u32], mask: Option<&[u8]>) -> ([u32; LANES], [u8; LANES]) {
    let n = tables.len();
    let (mut all_tables, mut all_masked) = ([0; LANES], [1; LANES]);
    all_tables[..n].copy_from_slice(tables);
    match mask {
        Some(mask) => all_masked[..n].copy_from_slice(&mask[..n]),
        None => all_masked[..n].fill(0),
    }
    (all_tables, all_masked)
}

/// A stream being decoded.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    pub(super) slots: &'a [u32],
    pub(super) states: [u32; MAX_LANES],
    pub(super) n_lanes: usize,
    pub(super) words: &'a [[u8; 2]],
    /// The next word.
    pub(super) at: usize,
}

impl<'a> Decoder<'a> {
    /// Begins with the states of `n_lanes`, a power of two of at most [`MAX_LANES`]; the others are [`MIN_STATE`].
    pub(crate) fn new(
        tables: &'a DecodingTables,
        n_lanes: usize,
        states: [u32; MAX_LANES],
        words: &'a [[u8; 2]],
    ) -> Self {
        Self { slots: &tables.slots, states, n_lanes, words, at: 0 }
    }

    /// The next token of a lane. After the end anything: [`is_at_end`](Self::is_at_end) tells.
    #[inline]
    pub(crate) fn get(&mut self, lane: usize, table: usize) -> u8 {
        self.get_at(lane, (table as u32) << FREQUENCY_BITS)
    }

    #[inline]
    fn get_at(&mut self, lane: usize, table: u32) -> u8 {
        let state = &mut self.states[lane % MAX_LANES];
        let slot = self.slots.get((table + *state % TOTAL) as usize).copied().unwrap_or(0);
        let next = (slot >> 6 & 0xfff) * (*state >> FREQUENCY_BITS) + (slot >> 18);
        let word = self.words.get(self.at).map_or(0, |word| u32::from(u16::from_le_bytes(*word)));
        let is_low = next < MIN_STATE;
        *state = if is_low { next << 16 | word } else { next };
        self.at += usize::from(is_low);
        (slot & 63) as u8
    }

    pub(super) fn tokens_one_by_one(&mut self, tables: &[u32], mask: Option<&[u8]>, tokens: &mut [u8]) {
        let lanes = self.n_lanes - 1;
        match mask {
            None => {
                for (n, (token, table)) in tokens.iter_mut().zip(tables).enumerate() {
                    *token = self.get_at(n & lanes, *table);
                }
            }
            Some(mask) => {
                for (n, ((token, table), masked)) in tokens.iter_mut().zip(tables).zip(mask).enumerate() {
                    *token = if *masked != 0 { 0 } else { self.get_at(n & lanes, *table) };
                }
            }
        }
    }

    /// Whether the stream was read to its end, and no further.
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.words.len() && self.states.iter().all(|state| *state == MIN_STATE)
    }
}
