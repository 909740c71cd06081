//! A stream back into pixels: dark runs are filled, bright pixels copied.

use crate::cpu::Level;
use crate::{Error, Result};

/// See [`decode`](super::decode).
pub(super) fn decode(level: Level, tokens: &[u8], pixels: &mut [u8]) -> Result<()> {
    let _ = level;
    scalar(tokens, pixels)
}

/// The specification: every token on its own.
fn scalar(tokens: &[u8], pixels: &mut [u8]) -> Result<()> {
    let n_pixels = pixels.len() / 2;
    let found = count_pixels(tokens)?;
    if found != n_pixels as u64 || !pixels.len().is_multiple_of(2) {
        return Err(wrong_size(found, pixels.len()));
    }
    let mut rest = pixels;
    for token in tokens.as_chunks::<2>().0 {
        let (filled, behind) = rest.split_at_mut(2 * run_pixels(*token));
        rest = behind;
        match i16::from_le_bytes(*token) {
            ..=0 => filled.fill(0),
            1.. => filled.copy_from_slice(token),
        }
    }
    Ok(())
}

/// Pixels that a token stands for.
fn run_pixels(token: [u8; 2]) -> usize {
    match i16::from_le_bytes(token) {
        dark @ ..0 => dark.unsigned_abs().into(),
        0.. => 1,
    }
}

/// Pixels that a stream stands for.
///
/// # Errors
/// [`Error::Corrupt`] where it ends within a token.
pub(crate) fn count_pixels(tokens: &[u8]) -> Result<u64> {
    let (tokens, rest) = tokens.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::Corrupt { at: 2 * tokens.len(), what: "the stream ends within a token" });
    }
    Ok(tokens.iter().map(|token| run_pixels(*token) as u64).sum())
}

#[cold]
fn wrong_size(n_pixels: u64, expected: usize) -> Error {
    Error::WrongSize { expected, found: usize::try_from(2 * n_pixels).unwrap_or(usize::MAX) }
}
