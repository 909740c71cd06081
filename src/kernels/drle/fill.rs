//! Tokens back into pixels: what the instruction sets have in common.

use super::scan::Positions;
use super::tokens::run_pixels;
use crate::cpu::tuning::Tuning;
use crate::kernels::zero;

/// Tokens that are copied at once.
const STRIDE: usize = 16;

/// How far the pixels are written, in bytes. Handed on by value, to stay in registers.
#[derive(Clone, Copy)]
pub(super) struct Frontier {
    /// Decoded.
    pub(super) at: usize,
    /// Decoded or 0, where that is more.
    pub(super) clear: usize,
}

/// Decodes the next tokens, of which those at `runs` are negative: for inlining into a function of an instruction set.
#[inline(always)]
pub(super) fn fill_runs(pixels: &mut [u8], mut to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    let tokens = tokens.as_chunks::<2>().0;
    let mut done = 0;
    for run in &runs.at[..runs.n] {
        let run = usize::from(*run);
        to.at = copy(pixels, to.at, tokens, done, run)?;
        let end = to.at + 2 * run_pixels(tokens[run]);
        if end > to.clear {
            to.clear = clear(pixels, to, end, Tuning::current().clear_ahead_bytes)?;
        }
        to.at = end;
        done = run + 1;
    }
    to.at = copy(pixels, to.at, tokens, done, tokens.len())?;
    Some(to)
}

/// Copies `tokens[start..end]`, none of which is negative; returns the position after them.
#[inline(always)]
fn copy(pixels: &mut [u8], at: usize, tokens: &[[u8; 2]], start: usize, end: usize) -> Option<usize> {
    let n_tokens = end - start;
    let room = pixels.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<{ 2 * STRIDE }>());
    let source = tokens.get(start..).and_then(|rest| rest.first_chunk::<STRIDE>());
    let (Some(room), Some(source), true) = (room, source, n_tokens <= STRIDE) else {
        return copy_exactly(pixels, at, tokens[start..end].as_flattened());
    };
    // What stands after the run is decoded later: zeros do no harm there.
    for (lane, (to, token)) in room.as_chunks_mut::<2>().0.iter_mut().zip(source).enumerate() {
        let keep = if (lane as i16) < n_tokens as i16 { u16::MAX } else { 0 };
        *to = (u16::from_ne_bytes(*token) & keep).to_ne_bytes();
    }
    Some(at + 2 * n_tokens)
}

/// [`copy`] that reads and writes nothing beyond the run.
#[inline(never)]
fn copy_exactly(pixels: &mut [u8], at: usize, tokens: &[u8]) -> Option<usize> {
    pixels.get_mut(at..at + tokens.len())?.copy_from_slice(tokens);
    Some(at + tokens.len())
}

/// Clears from where the pixels are written to `end` and beyond, a `piece` at least where there is so much; returns the position up to
/// which.
#[inline(never)]
fn clear(pixels: &mut [u8], to: Frontier, end: usize, piece: usize) -> Option<usize> {
    if end > pixels.len() {
        return None;
    }
    let start = to.clear.max(to.at);
    let ahead = end.max(start + piece).min(pixels.len());
    zero::clear(&mut pixels[start..ahead]);
    Some(ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much is cleared at once depends on the processor.
    #[test]
    fn all_up_to_an_end_is_cleared_and_at_most_a_piece_more() {
        const LEN: usize = 3000;
        for piece in [16, 1000, LEN] {
            for (at, clear_to, end) in [(0, 0, 2), (10, 4, 500), (100, 700, 900), (0, 0, LEN), (2990, 2990, 2999)] {
                let mut pixels = vec![9; LEN];
                let cleared = clear(&mut pixels, Frontier { at, clear: clear_to }, end, piece).unwrap();
                let start = at.max(clear_to);
                assert_eq!(cleared, end.max(start + piece).min(LEN));
                assert!(pixels[start..cleared].iter().all(|byte| *byte == 0));
                assert!(pixels[..start].iter().chain(&pixels[cleared..]).all(|byte| *byte == 9));
            }
            assert!(clear(&mut [9; LEN], Frontier { at: 0, clear: 0 }, LEN + 1, piece).is_none());
        }
    }
}
