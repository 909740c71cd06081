//! A stream back into pixels: dark runs are filled, bright pixels copied.
//!
//! The vector levels collect the positions of the run tokens in some thousand tokens, which are the borders of the
//! bright runs; then each bright run is a copy of fixed length, cut to the run by zeros. Dark pixels are not filled run
//! by run but ahead of them, in pieces (`fill`), so that what is left of a dark run is to step over it.

#![allow(unsafe_code)]

use super::fill::Frontier;
use super::scan::{BLOCK_PIXELS, GROUP_PIXELS, Positions};
use super::tokens::run_pixels;
use super::types::MAX_RUN_PIXELS;
use crate::cpu::tuning::Tuning;
use crate::cpu::{Isa, Level};
use crate::kernels::zero;
use crate::{Error, Result};

/// Pixels for a token from which on each token on its own is as fast as any instruction set, or faster. Measured on streams
/// of 64 pixels a token, where it is not, and of 133 and more. On a Zen 5 it is not.
const SPARSE: usize = 100;

/// The same for SSE4.1, and for AVX2 on a processor that has no more: with 25 it is, with 15 it is not.
const SPARSE_BELOW_AVX512: usize = 20;

/// Decodes a DRLE stream into the whole of `pixels`, as little-endian 16-bit values.
///
/// Every byte of `pixels` is written where `Ok` is returned; on an error they are zeros and pixels of the stream, as far
/// as it was read, or untouched. Allocates nothing.
///
/// # Errors
/// [`Error::WrongSize`] where the stream has more or fewer pixels, [`Error::Corrupt`] where it ends within a token.
pub fn decode(level: Level, tokens: &[u8], pixels: &mut [u8]) -> Result<()> {
    decode_to(level, tokens, pixels, false)
}

/// [`decode()`] into `pixels` that are all zeros, of which the dark ones are then not written again.
///
/// # Errors
/// As [`decode()`].
pub fn decode_zeroed(level: Level, tokens: &[u8], pixels: &mut [u8]) -> Result<()> {
    decode_to(level, tokens, pixels, true)
}

/// [`decode`] and, where the pixels `are_zero`, [`decode_zeroed`].
fn decode_to(level: Level, tokens: &[u8], pixels: &mut [u8], are_zero: bool) -> Result<()> {
    if !tokens.len().is_multiple_of(2) {
        return count_pixels(tokens).map(|_| ());
    }
    if !pixels.len().is_multiple_of(2) {
        return Err(wrong_size(tokens, pixels.len()));
    }
    let n_bytes = pixels.len();
    let is_sparse = |sparse| n_bytes >= tokens.len().saturating_mul(sparse);
    let is_by_tokens = match level.isa() {
        Isa::Scalar => true,
        _ if !Tuning::current().sparse_by_tokens => false,
        Isa::Sse41 | Isa::Avx2 => is_sparse(SPARSE_BELOW_AVX512),
        _ => is_sparse(SPARSE),
    };
    let decoded =
        if is_by_tokens { by_tokens(tokens, pixels, are_zero) } else { by_runs(level, tokens, pixels, are_zero) };
    decoded.ok_or_else(|| wrong_size(tokens, n_bytes))
}

/// The specification: every token on its own. `None` where the stream has more or fewer pixels.
fn by_tokens(tokens: &[u8], pixels: &mut [u8], are_zero: bool) -> Option<()> {
    let mut rest = pixels;
    for token in tokens.as_chunks::<2>().0 {
        let (filled, after) = rest.split_at_mut_checked(2 * run_pixels(*token))?;
        rest = after;
        match i16::from_le_bytes(*token) {
            ..=0 if are_zero => {}
            ..=0 => zero::clear(filled),
            1.. => filled.copy_from_slice(token),
        }
    }
    rest.is_empty().then_some(())
}

/// Collects where `groups` of tokens have negative ones.
fn run_tokens(level: Level, groups: &[[u8; 2 * GROUP_PIXELS]], positions: &mut Positions) {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::run_tokens(groups, positions) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::run_tokens(groups, positions) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::run_tokens(groups, positions) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::run_tokens(groups, positions) },
        _ => unreachable!("the scalar level has no blocks"),
    }
}

fn by_runs(level: Level, tokens: &[u8], pixels: &mut [u8], are_zero: bool) -> Option<()> {
    let mut positions = Positions::new();
    let mut to = Frontier { at: 0, clear: if are_zero { pixels.len() } else { 0 } };
    for block in tokens.chunks(2 * BLOCK_PIXELS) {
        let (groups, tail) = block.as_chunks();
        run_tokens(level, groups, &mut positions);
        to = fill(level, pixels, to, &block[..groups.len() * 2 * GROUP_PIXELS], &positions)?;
        if !tail.is_empty() {
            let mut group = [0; 2 * GROUP_PIXELS];
            group[..tail.len()].copy_from_slice(tail);
            run_tokens(level, &[group], &mut positions);
            to = fill(level, pixels, to, tail, &positions)?;
        }
    }
    (to.at == pixels.len()).then_some(())
}

/// Decodes the next tokens, of which those at `runs` are negative.
fn fill(level: Level, pixels: &mut [u8], to: Frontier, tokens: &[u8], runs: &Positions) -> Option<Frontier> {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::fill(pixels, to, tokens, runs) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::fill(pixels, to, tokens, runs) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::fill(pixels, to, tokens, runs) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::fill(pixels, to, tokens, runs) },
        _ => unreachable!("the scalar level has no blocks"),
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
    // As many as fit 32 bits are added in these, several at once.
    let sum = |tokens: &[[u8; 2]]| tokens.iter().map(|token| run_pixels(*token) as u32).sum::<u32>();
    Ok(tokens.chunks(u32::MAX as usize / MAX_RUN_PIXELS).map(|tokens| u64::from(sum(tokens))).sum())
}

#[cold]
fn wrong_size(tokens: &[u8], expected: usize) -> Error {
    let n_pixels = tokens.as_chunks::<2>().0.iter().map(|token| run_pixels(*token) as u64).sum::<u64>();
    Error::WrongSize { expected, found: usize::try_from(2 * n_pixels).unwrap_or(usize::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::tuning::MEMSET_BYTES;

    /// The levels that decode by runs.
    fn vectors() -> impl Iterator<Item = Level> {
        Level::available().iter().copied().filter(|level| level.isa() != Isa::Scalar)
    }

    /// Pixels of some pieces, with a bright run every `gap` pixels; their stream.
    fn stream(gap: usize) -> (Vec<u8>, Vec<u8>) {
        let pixel = |at: usize| if at % gap < gap.div_ceil(20) { (1 + at % 1000) as u16 } else { 0 };
        let pixels: Vec<u8> = (0..3 * MEMSET_BYTES + 77).flat_map(|at| pixel(at).to_le_bytes()).collect();
        let mut tokens = Vec::new();
        let mut n_dark = 0;
        for pixel in pixels.as_chunks::<2>().0.iter().chain([&[1, 0]]) {
            if *pixel == [0; 2] && n_dark < MAX_RUN_PIXELS {
                n_dark += 1;
                continue;
            }
            if n_dark > 0 {
                tokens.extend((-(n_dark as i32) as i16).to_le_bytes());
            }
            n_dark = usize::from(*pixel == [0; 2]);
            tokens.extend(pixel.iter().filter(|_| *pixel != [0; 2]));
        }
        tokens.truncate(tokens.len() - 2);
        (pixels, tokens)
    }

    #[test]
    fn the_only_run_of_a_block_is_found_wherever_it_is() {
        let mut positions = Positions::new();
        for level in vectors() {
            for n_groups in [0, 1, 2, BLOCK_PIXELS / GROUP_PIXELS] {
                let mut block = vec![[[7, 0]; GROUP_PIXELS]; n_groups];
                let mut find = |block: &[[[u8; 2]; GROUP_PIXELS]]| {
                    let groups: Vec<[u8; 2 * GROUP_PIXELS]> =
                        block.iter().map(|group| group.as_flattened().try_into().expect("as many bytes")).collect();
                    run_tokens(level, &groups, &mut positions);
                    positions.at[..positions.n].to_vec()
                };
                assert_eq!(find(&block), [0; 0], "{level:?}");
                for at in 0..n_groups * GROUP_PIXELS {
                    block.as_flattened_mut()[at] = (-3_i16).to_le_bytes();
                    assert_eq!(find(&block), [at as u16], "{level:?}");
                    block.as_flattened_mut()[at] = [7, 0];
                }
            }
        }
    }

    /// Which way a stream is decoded depends on the processor.
    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn by_tokens_and_by_runs_give_the_same() {
        for gap in [1, 5, 60, 1000, 200_000] {
            let (expected, tokens) = stream(gap);
            for are_zero in [false, true] {
                let blank = || vec![if are_zero { 0 } else { 0x5a }; expected.len()];
                let check =
                    |decoded: Option<()>, pixels: Vec<u8>| assert!(decoded.is_some() && pixels == expected, "{gap}");
                let mut pixels = blank();
                check(by_tokens(&tokens, &mut pixels, are_zero), pixels);
                for level in vectors() {
                    let mut pixels = blank();
                    check(by_runs(level, &tokens, &mut pixels, are_zero), pixels);
                }
            }
            for len in [tokens.len() - 2, 0] {
                for level in vectors() {
                    assert!(by_runs(level, &tokens[..len], &mut vec![0; expected.len()], false).is_none());
                    let mut short = vec![0; expected.len() - 2];
                    assert!(by_runs(level, &tokens, &mut short, false).is_none());
                }
            }
        }
    }
}
