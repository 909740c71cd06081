//! Differences as tokens, of which there are few, and bits.
//!
//! A difference d is first folded: 0, −1, 1, −2, … become z = 0, 1, 2, 3, …; all modulo 2^32. z below 16 is its own token. Above, an
//! octave of z has two tokens up to 4095, and one from there on; the bits of z below those that the token says follow as they are.

use crate::codec::cursor::Cursor;
use crate::kernels::rans::N_TOKENS;

/// Tokens that have no bits.
pub(crate) const N_PLAIN: u8 = 16;

/// The first octave with one token, and that token.
const WIDE_OCTAVE: u32 = 12;
const FIRST_WIDE: u8 = 32;

/// The token of a folded difference, and how many of its lowest bits follow.
pub(crate) const fn token(folded: u32) -> (u8, u32) {
    if folded < N_PLAIN as u32 {
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
pub(crate) const fn base(token: u8) -> (u32, u32) {
    if token >= FIRST_WIDE {
        let octave = (token - FIRST_WIDE) as u32 + WIDE_OCTAVE;
        return (1 << octave, octave);
    }
    let octave = 4 + (token - N_PLAIN) as u32 / 2;
    let half = (token - N_PLAIN) as u32 & 1;
    (1 << octave | half << (octave - 1), octave - 1)
}

/// A folded difference below this is looked up in [`SHORT`].
const N_SHORT: usize = 4096;

/// For each of these its token, and 256 times the number of its bits.
static SHORT: [u16; N_SHORT] = short();

/// For each token the least folded difference, and the number of bits.
static BASES: [(u32, u32); 64] = bases();

const fn short() -> [u16; N_SHORT] {
    let mut short = [0; N_SHORT];
    let mut folded = 0;
    while folded < N_SHORT {
        let (token, n_bits) = token(folded as u32);
        short[folded] = token as u16 | (n_bits as u16) << 8;
        folded += 1;
    }
    short
}

const fn bases() -> [(u32, u32); 64] {
    let mut bases = [(0, 0); 64];
    let mut token = 0;
    while token < N_TOKENS {
        bases[token] = if token < N_PLAIN as usize { (token as u32, 0) } else { base(token as u8) };
        token += 1;
    }
    bases
}

/// [`token`] without a branch that differences of a few bits take at times.
#[inline]
pub(crate) fn token_of(folded: u32) -> (u8, u32) {
    match SHORT.get(folded as usize) {
        Some(short) => (*short as u8, u32::from(short >> 8)),
        None => token(folded),
    }
}

/// The folded difference of a token and the bits that follow it.
#[inline]
pub(crate) fn folded(token: u8, bits: &mut BitReader<'_>) -> u32 {
    let (least, n_bits) = BASES[usize::from(token & 63)];
    least | bits.get(n_bits)
}

/// The most bits that are put or got at once.
const MOST_BITS: u32 = 56;

/// Bits one after the other, the lowest of a byte first. No branch depends on how many there are.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    /// Those up to `at` are written; after them there is room.
    bytes: Vec<u8>,
    at: usize,
    pending: u64,
    /// Less than 8.
    n_pending: u32,
}

impl BitWriter {
    /// The lowest `n_bits` of `bits`, at most 56.
    #[inline]
    pub(crate) fn put(&mut self, bits: u64, n_bits: u32) {
        debug_assert!(n_bits <= MOST_BITS);
        self.pending |= (bits & ((1 << n_bits) - 1)) << self.n_pending;
        let n_pending = self.n_pending + n_bits;
        if self.bytes.len() < self.at + 8 {
            self.grow();
        }
        if let Some(room) = self.bytes.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut()) {
            *room = self.pending.to_le_bytes();
        }
        self.at += (n_pending / 8) as usize;
        self.pending >>= n_pending & !7;
        self.n_pending = n_pending & 7;
    }

    #[cold]
    fn grow(&mut self) {
        let n_bytes = 2 * self.bytes.len().max(128);
        self.bytes.resize(n_bytes, 0);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.put(0, self.n_pending.wrapping_neg() & 7);
        self.bytes.truncate(self.at);
        self.bytes
    }

    /// Appends all bits to `out`, the last byte filled up with zeros, and begins again.
    pub(crate) fn move_to(&mut self, out: &mut Vec<u8>) {
        self.put(0, self.n_pending.wrapping_neg() & 7);
        out.extend_from_slice(&self.bytes[..self.at]);
        self.at = 0;
    }
}

/// The way back. After the end all bits are 0, and [`is_at_end`](Self::is_at_end) says no.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    at: u64,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(cursor: &Cursor<'a>) -> Self {
        Self { bytes: cursor.rest(), at: 0 }
    }

    /// The next `n_bits`, at most 32.
    #[inline]
    pub(crate) fn get(&mut self, n_bits: u32) -> u32 {
        let byte = usize::try_from(self.at / 8).unwrap_or(usize::MAX);
        let word = match self.bytes.get(byte..).and_then(|rest| rest.first_chunk()) {
            Some(word) => u64::from_le_bytes(*word),
            None => self.last(byte),
        };
        let bits = word >> (self.at & 7) & ((1 << n_bits) - 1);
        self.at += u64::from(n_bits);
        bits as u32
    }

    #[cold]
    fn last(&self, byte: usize) -> u64 {
        let mut word = [0; 8];
        let rest = self.bytes.get(byte..).unwrap_or(&[]);
        word[..rest.len()].copy_from_slice(rest);
        u64::from_le_bytes(word)
    }

    /// Whether no bit was read that is not there, and all that is left are zeros.
    pub(crate) fn is_at_end(&self) -> bool {
        let Some(rest) = self.bytes.get(usize::try_from(self.at.div_ceil(8)).unwrap_or(usize::MAX)..) else {
            return false;
        };
        let is_rest_of_byte_zero = self.at.is_multiple_of(8) || self.clone().get(8 - (self.at & 7) as u32) == 0;
        is_rest_of_byte_zero && rest.iter().all(|byte| *byte == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::predict::{fold, unfold};

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
            assert_eq!(token_of(folded), (token, n_bits));
            writer.put(folded.into(), n_bits);
            tokens.push(token);
        }
        let bytes = writer.finish();
        let mut reader = BitReader::new(&Cursor::new(&bytes));
        for (token, difference) in tokens.into_iter().zip(differences) {
            assert_eq!(unfold(folded(token, &mut reader)), difference);
        }
        assert!(reader.is_at_end());
        reader.get(32);
        assert!(!reader.is_at_end());
    }
}
