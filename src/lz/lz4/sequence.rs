//! The form of an LZ4 block, for all that read or write one.
//!
//! ```text
//! sequence = token  [255 … n]  literals  offset (2 bytes, little-endian)  [255 … n]
//! token    = number of literals (upper 4 bits), length of the match less 4 (lower 4 bits);
//!            where either is 15, bytes follow that are added to it, up to the first that is not 255
//! block    = sequences; the last one ends after its literals
//! ```

#![forbid(unsafe_code)]

use crate::{Error, Result};

/// The shortest match.
pub(super) const MIN_MATCH: usize = 4;

/// A length in the token that says that more of it follows.
pub(super) const MORE: usize = 15;

/// The farthest that a match is copied from.
pub(crate) const MAX_DISTANCE: usize = 0xFFFF;

/// The bytes that an encoder leaves as literals at the end of a block: the reference decodes no match that reaches into them.
pub(crate) const END_LITERALS: usize = 5;

/// Literals that are copied whatever their number, where the token counts them.
pub(super) const SHORT_LITERALS: usize = 16;

/// The bytes of a sequence whose literals the token counts, up to the first byte of a long length.
const SHORT_SEQUENCE: usize = 1 + SHORT_LITERALS + 3;

/// The most bytes that encoding `n_bytes` can give. Saturates.
#[must_use]
pub fn max_encoded_len(n_bytes: usize) -> usize {
    n_bytes.saturating_add(n_bytes / 255).saturating_add(16)
}

/// The most bytes that a block of `n_bytes` can decode to. Saturates.
#[must_use]
pub fn max_decoded_len(n_bytes: usize) -> usize {
    n_bytes.saturating_mul(255)
}

#[cold]
pub(super) fn too_early(at: usize) -> Error {
    Error::Corrupt { at, what: "an LZ4 match begins before the block" }
}

#[cold]
pub(super) fn too_long(at: usize) -> Error {
    Error::Corrupt { at, what: "the LZ4 block decodes to more than its size" }
}

#[cold]
fn ends_early(at: usize) -> Error {
    Error::Truncated { at, needed: 1, available: 0 }
}

/// Refuses a block that is too short for `n_bytes`.
pub(super) fn check_len(src: &[u8], n_bytes: usize) -> Result<()> {
    if n_bytes > max_decoded_len(src.len()) {
        return Err(Error::Corrupt { at: 0, what: "the LZ4 block is too short for its decoded size" });
    }
    Ok(())
}

/// Refuses a block that was decoded up to `at`, to `found` bytes, where it does not end there with `expected` bytes.
pub(super) fn check_end(src: &[u8], at: usize, expected: usize, found: usize) -> Result<()> {
    if at != src.len() {
        return Err(Error::Truncated { at, needed: 2, available: 1 });
    }
    if found == expected { Ok(()) } else { Err(Error::WrongSize { expected, found }) }
}

/// The next token, and the number of literals after it, which `src` has.
#[inline(always)]
pub(super) fn token(src: &[u8], at: &mut usize) -> Result<(u8, usize)> {
    let token = *src.get(*at).ok_or_else(|| ends_early(*at))?;
    *at += 1;
    let mut n_literals = usize::from(token >> 4);
    if n_literals == MORE {
        n_literals += long_length(src, at)?;
    }
    let available = src.len() - *at;
    if n_literals > available {
        return Err(Error::Truncated { at: *at, needed: n_literals, available });
    }
    Ok((token, n_literals))
}

/// The offset at `at`; `None` where the block ends, or is cut.
#[inline(always)]
pub(super) fn offset(src: &[u8], at: &mut usize) -> Option<usize> {
    let offset = src[*at..].first_chunk()?;
    *at += 2;
    Some(usize::from(u16::from_le_bytes(*offset)))
}

/// The length of a match, after its offset. Where a byte of it is missing that is an error, so that `at` is in `src` or at its end.
#[inline(always)]
pub(super) fn match_len(token: u8, src: &[u8], at: &mut usize) -> Result<usize> {
    let length = usize::from(token & 15);
    let more = if length == MORE { long_length(src, at)? } else { 0 };
    Ok((length + MIN_MATCH).saturating_add(more))
}

/// The bytes that continue a length of [`MORE`].
#[inline(always)]
pub(super) fn long_length(src: &[u8], at: &mut usize) -> Result<usize> {
    let mut length = 0usize;
    loop {
        let byte = *src.get(*at).ok_or_else(|| ends_early(*at))?;
        *at += 1;
        length = length.saturating_add(usize::from(byte));
        if byte != 255 {
            return Ok(length);
        }
    }
}

/// Whether `src` is the block that encoders make of `n_bytes` zeros: a zero, repeated, and a few more. Another block that
/// decodes to zeros is not recognised.
pub(crate) fn is_zeros(src: &[u8], n_bytes: usize) -> bool {
    if src.len() > n_bytes / 255 + 2 * MORE {
        return false;
    }
    let Some((&[0x1f, 0, 1, 0], rest)) = src.split_first_chunk() else { return false };
    let n_literals = rest.iter().rev().take_while(|byte| **byte == 0).count().min(MORE - 1);
    let (lengths, end) = rest.split_at(rest.len() - n_literals);
    let Some((&token, lengths)) = lengths.split_last() else { return false };
    if end.len() < END_LITERALS || usize::from(token) != n_literals << 4 {
        return false;
    }
    let Some((last, full)) = lengths.split_last() else { return false };
    let len = 1 + MIN_MATCH + MORE + 255 * full.len() + usize::from(*last) + n_literals;
    *last != 255 && full.iter().all(|byte| *byte == 255) && len == n_bytes
}

/// A block as far as it is written. `None` of any function is: there is no room for it.
pub(super) struct Writer<'a> {
    dst: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(dst: &'a mut [u8]) -> Self {
        Self { dst, at: 0 }
    }

    /// The bytes that are written.
    pub(super) fn n_bytes(&self) -> usize {
        self.at
    }

    /// Writes the literals from `anchor` to `start` of `src`, and a match of `len` bytes.
    #[inline(always)]
    pub(super) fn sequence(
        &mut self,
        src: &[u8],
        anchor: usize,
        start: usize,
        distance: usize,
        len: usize,
    ) -> Option<()> {
        let (n_literals, more) = (start - anchor, len - MIN_MATCH);
        if n_literals < MORE
            && let Some(literals) = src[anchor..].first_chunk::<SHORT_LITERALS>()
            && let Some(to) = self.dst.get_mut(self.at..).and_then(|to| to.first_chunk_mut::<SHORT_SEQUENCE>())
        {
            // All that may be needed is written, and as much of it as is needed is kept.
            to[0] = (n_literals << 4 | more.min(MORE)) as u8;
            to[1..1 + SHORT_LITERALS].copy_from_slice(literals);
            let [low, high] = (distance as u16).to_le_bytes();
            let end = &mut to[1 + n_literals..4 + n_literals];
            end.copy_from_slice(&[low, high, more.wrapping_sub(MORE) as u8]);
            if more < MORE + 255 {
                self.at += 3 + n_literals + usize::from(more >= MORE);
                return Some(());
            }
            self.at += 3 + n_literals;
            return self.length(more);
        }
        self.literals(&src[anchor..start], more.min(MORE) as u8)?;
        self.put(&(distance as u16).to_le_bytes())?;
        self.length(more)
    }

    /// Writes a token and literals: all of a sequence where that is the last.
    pub(super) fn literals(&mut self, literals: &[u8], match_bits: u8) -> Option<()> {
        self.put(&[(literals.len().min(MORE) as u8) << 4 | match_bits])?;
        self.length(literals.len())?;
        self.put(literals)
    }

    /// Writes what of a length the token has no room for.
    fn length(&mut self, n: usize) -> Option<()> {
        let Some(n) = n.checked_sub(MORE) else { return Some(()) };
        let whole = self.dst.get_mut(self.at..self.at + n / 255)?;
        whole.fill(255);
        self.at += n / 255;
        self.put(&[(n % 255) as u8])
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.dst.get_mut(self.at..self.at + bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }
}
