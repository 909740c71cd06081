//! Differences as tokens, of which there are few, and bits.
//!
//! A difference d is first folded: 0, −1, 1, −2, … become z = 0, 1, 2, 3, …; all modulo 2^32. z below 16 is its own token. Above, an
//! octave of z has two tokens up to 4095, and one from there on; the bits of z below those that the token says follow as they are.

use crate::codec::cursor::Cursor;

/// Tokens that have no bits.
pub(super) const N_PLAIN: u8 = 16;

/// The first octave with one token, and that token.
const WIDE_OCTAVE: u32 = 12;
const FIRST_WIDE: u8 = 32;

/// The token of a folded difference, and how many of its lowest bits follow.
pub(super) fn token(folded: u32) -> (u8, u32) {
    if folded < u32::from(N_PLAIN) {
        return (folded as u8, 0);
    }
    let octave = folded.ilog2();
    if octave >= WIDE_OCTAVE {
        return (FIRST_WIDE + (octave - WIDE_OCTAVE) as u8, octave);
    }
    let half = folded >> (octave - 1) & 1;
    (N_PLAIN + (2 * (octave - 4) + half) as u8, octave - 1)
}

/// The least folded difference of a token that has bits, and how many bits there are.
pub(super) fn base(token: u8) -> (u32, u32) {
    if token >= FIRST_WIDE {
        let octave = u32::from(token - FIRST_WIDE) + WIDE_OCTAVE;
        return (1 << octave, octave);
    }
    let octave = 4 + u32::from(token - N_PLAIN) / 2;
    let half = u32::from(token - N_PLAIN) & 1;
    (1 << octave | half << (octave - 1), octave - 1)
}

/// Bits one after the other, the lowest of a byte first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    n_pending: u32,
}

impl BitWriter {
    /// The lowest `n_bits` of `bits`, at most 32.
    pub(super) fn put(&mut self, bits: u32, n_bits: u32) {
        let kept = u64::from(bits) & ((1 << n_bits) - 1);
        self.pending |= kept << self.n_pending;
        self.n_pending += n_bits;
        if self.n_pending >= 32 {
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.n_pending -= 32;
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let n_bytes = self.n_pending.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes()[..n_bytes]);
        self.bytes
    }
}

/// The way back. After the end all bits are 0, and [`is_at_end`](Self::is_at_end) says no.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    pending: u64,
    n_pending: u32,
    n_missing: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(cursor: &Cursor<'a>) -> Self {
        Self { rest: cursor.rest(), pending: 0, n_pending: 0, n_missing: 0 }
    }

    pub(super) fn get(&mut self, n_bits: u32) -> u32 {
        if self.n_pending < n_bits {
            self.fill();
        }
        let bits = (self.pending & ((1 << n_bits) - 1)) as u32;
        self.pending >>= n_bits;
        self.n_pending -= n_bits;
        bits
    }

    fn fill(&mut self) {
        let word = match self.rest.split_first_chunk() {
            Some((word, rest)) => {
                self.rest = rest;
                u32::from_le_bytes(*word)
            }
            None => {
                let mut word = [0; 4];
                word[..self.rest.len()].copy_from_slice(self.rest);
                self.n_missing += 8 * (4 - self.rest.len() as u32);
                self.n_missing = self.n_missing.min(1 << 16);
                self.rest = &[];
                u32::from_le_bytes(word)
            }
        };
        self.pending |= u64::from(word) << self.n_pending;
        self.n_pending += 32;
    }

    /// Whether no bit was read that is not there, and all that is left are zeros.
    pub(super) fn is_at_end(&self) -> bool {
        self.n_missing <= self.n_pending && self.pending == 0 && self.rest.iter().all(|byte| *byte == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::predict::{fold, unfold};
    use crate::kernels::rans::N_TOKENS;

    #[test]
    fn every_difference_comes_back() {
        let about = (0..32).flat_map(|n| (-40..40).map(move |near| (1_i32 << n).wrapping_add(near)));
        let mut writer = BitWriter::default();
        let differences: Vec<i32> = (-5000..5000).chain(about).chain([i32::MIN, i32::MAX]).collect();
        let mut tokens = Vec::new();
        for difference in &differences {
            let folded = fold(*difference);
            assert_eq!(unfold(folded), *difference);
            let (token, n_bits) = token(folded);
            assert!(usize::from(token) < N_TOKENS);
            writer.put(folded, n_bits);
            tokens.push(token);
        }
        let bytes = writer.finish();
        let mut reader = BitReader::new(&Cursor::new(&bytes));
        for (token, difference) in tokens.into_iter().zip(differences) {
            let folded = if token < N_PLAIN {
                token.into()
            } else {
                let (least, n_bits) = base(token);
                least | reader.get(n_bits)
            };
            assert_eq!(unfold(folded), difference);
        }
        assert!(reader.is_at_end());
        reader.get(32);
        assert!(!reader.is_at_end());
    }
}
