//! LZ4 blocks, written by our own search.
//!
//! The encoder of the LZ4 library spends most of its time on runs of zeros. Any LZ4 decoder reads both.

use super::lz77::{Format, Search};
use crate::cpu::Level;

/// Encodes `src` to the front of `dst` and returns the bytes written; `None` where they do not fit.
pub(super) fn encode(search: &mut Search, level: Level, stride: usize, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    let mut out = Block { dst, at: 0 };
    search.encode(level, stride, src, &mut out)?;
    Some(out.at)
}

/// Whether `src` is the block that encoders make of `n_bytes` zeros: a zero, repeated, and a few more. Another block that
/// decodes to zeros is not recognised.
pub(super) fn is_zeros(src: &[u8], n_bytes: usize) -> bool {
    let Some((&[0x1f, 0, 1, 0], rest)) = src.split_first_chunk() else { return false };
    let n_literals = rest.iter().rev().take_while(|byte| **byte == 0).count().min(MORE - 1);
    let (lengths, end) = rest.split_at(rest.len() - n_literals);
    let Some((&token, lengths)) = lengths.split_last() else { return false };
    if end.len() < 5 || usize::from(token) != n_literals << 4 {
        return false;
    }
    let Some((last, full)) = lengths.split_last() else { return false };
    let len = 1 + MIN_MATCH + MORE + 255 * full.len() + usize::from(*last) + n_literals;
    *last != 255 && full.iter().all(|byte| *byte == 255) && len == n_bytes
}

const MIN_MATCH: usize = 4;
/// A length in the token that says that more bytes of it follow.
const MORE: usize = 15;
/// Literals that are copied as one vector, whatever their number.
const WIDE: usize = 16;

struct Block<'a> {
    dst: &'a mut [u8],
    at: usize,
}

impl Format for Block<'_> {
    const END_LITERALS: usize = 5;
    const MAX_DISTANCE: usize = 0xFFFF;

    #[inline(always)]
    fn is_worth(len: usize, _distance: usize) -> bool {
        len >= MIN_MATCH
    }

    #[inline(always)]
    fn sequence(&mut self, src: &[u8], start: usize, end: usize, distance: usize, len: usize) -> Option<()> {
        let more = len - MIN_MATCH;
        let token = self.at;
        self.literals(src, start, end)?;
        let room = self.dst.get_mut(self.at..self.at + 2)?;
        room.copy_from_slice(&(distance as u16).to_le_bytes());
        self.at += 2;
        self.dst[token] |= more.min(MORE) as u8;
        self.length(more)
    }

    fn end(&mut self, src: &[u8], start: usize) -> Option<()> {
        self.literals(src, start, src.len())
    }
}

impl Block<'_> {
    /// The token, and the literals that it leads.
    #[inline(always)]
    fn literals(&mut self, src: &[u8], start: usize, end: usize) -> Option<()> {
        let n = end - start;
        *self.dst.get_mut(self.at)? = (n.min(MORE) << 4) as u8;
        self.at += 1;
        if n < MORE
            && let Some(from) = src[start..].first_chunk::<WIDE>()
            && let Some(to) = self.dst[self.at..].first_chunk_mut::<WIDE>()
        {
            *to = *from;
            self.at += n;
            return Some(());
        }
        self.length(n)?;
        self.dst.get_mut(self.at..self.at + n)?.copy_from_slice(&src[start..end]);
        self.at += n;
        Some(())
    }

    /// What of a length the token has no room for.
    #[inline(always)]
    fn length(&mut self, n: usize) -> Option<()> {
        if n < MORE {
            return Some(());
        }
        let n = n - MORE;
        if n >= 255 {
            self.dst.get_mut(self.at..self.at + n / 255)?.fill(255);
            self.at += n / 255;
        }
        *self.dst.get_mut(self.at)? = (n % 255) as u8;
        self.at += 1;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_zeros_is_recognised_by_its_exact_size_only() {
        for n_bytes in [64, 278, 279, 280, 281, 5000, 65_536] {
            let mut block = vec![0; 1000];
            let n = encode(&mut Search::new(), Level::SCALAR, 1, &vec![0; n_bytes], &mut block).unwrap();
            assert!(n_bytes % 8 != 0 || is_zeros(&block[..n], n_bytes), "{n_bytes} zeros");
            assert!(!is_zeros(&block[..n], n_bytes - 1) && !is_zeros(&block[..n - 1], n_bytes), "{n_bytes} zeros");
            block[1] = 1;
            assert!(!is_zeros(&block[..n], n_bytes), "{n_bytes} ones");
        }
    }
}
