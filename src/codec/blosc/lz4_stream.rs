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
