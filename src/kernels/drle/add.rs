//! Adding bright pixels to a sum: what the instruction sets have in common, for inlining into a function of theirs.

use super::pixel::Pixel;
use super::scalar;
use super::scan::GROUP_PIXELS;
use super::tokens::run_pixels;

/// Pixels of a run that are added at once.
pub(super) const STRIDE: usize = 16;

/// Adds stored pixels, of which `runs` are bright and the others 0, to `sum`, which is as long: for the instruction sets that
/// have no masked loads. `add_first` adds as many of [`STRIDE`] pixels as it is told.
#[inline(always)]
pub(super) fn add_runs<P: Pixel>(
    runs: &[[u16; 2]],
    stored: &[P],
    sum: &mut [u32],
    add_first: impl Fn(usize, &[P; STRIDE], &mut [u32; STRIDE]),
) {
    for [start, end] in runs {
        let (start, end) = (usize::from(*start), usize::from(*end));
        let values = stored.get(start..).and_then(|rest| rest.first_chunk::<STRIDE>());
        let sums = sum.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<STRIDE>());
        let (Some(values), Some(sums), true) = (values, sums, end - start <= STRIDE) else {
            scalar::add(&stored[start..end], &mut sum[start..end]);
            continue;
        };
        add_first(end - start, values, sums);
    }
}

/// Adds the first `n_pixels`: a loop that the compiler turns into vectors.
#[inline(always)]
pub(super) fn add_first<P: Pixel>(n_pixels: usize, stored: &[P; STRIDE], sum: &mut [u32; STRIDE]) {
    for (lane, (value, sum)) in stored.iter().zip(sum).enumerate() {
        let keep = if (lane as i32) < n_pixels as i32 { u32::MAX } else { 0 };
        *sum = sum.wrapping_add(value.widen().cast_unsigned() & keep);
    }
}

/// A stream that has been written, and how far it is added.
#[derive(Debug)]
pub(super) struct Summand<'a> {
    pub(super) tokens: &'a [u8],
    /// The pixel at which the next token begins.
    pub(super) at: usize,
}

impl<'a> Summand<'a> {
    pub(super) const fn new(stream: &'a [u8]) -> Self {
        Self { tokens: stream, at: 0 }
    }

    /// Adds whole groups of tokens, for inlining into a function of an instruction set: `negatives` has a bit for each negative
    /// token, and `add_first` adds as many of [`STRIDE`] tokens as it is told, none of which is negative.
    #[inline(always)]
    pub(super) fn add_groups(
        &mut self,
        end: usize,
        sum: &mut [u32],
        negatives: impl Fn(&[u8; 2 * GROUP_PIXELS]) -> u64,
        add_first: impl Fn(usize, &[u8; 2 * STRIDE], &mut [u32; STRIDE]),
    ) {
        while self.at < end
            && let Some((group, rest)) = self.tokens.split_first_chunk()
        {
            let mut runs = negatives(group);
            let mut done = 0;
            loop {
                // Of the group, or what ends it.
                let run = runs.trailing_zeros() as usize;
                self.add_values(done, run, sum, &add_first);
                let Some(token) = group.as_chunks::<2>().0.get(run) else { break };
                self.at += run_pixels(*token);
                done = run + 1;
                runs &= runs - 1;
            }
            self.tokens = rest;
        }
    }

    /// Adds the tokens from `start` to `end`, none of which is negative.
    #[inline(always)]
    fn add_values(
        &mut self,
        start: usize,
        end: usize,
        sum: &mut [u32],
        add_first: impl Fn(usize, &[u8; 2 * STRIDE], &mut [u32; STRIDE]),
    ) {
        let n_tokens = end - start;
        let values = self.tokens[2 * start..].first_chunk();
        let sums = sum.get_mut(self.at..).and_then(|rest| rest.first_chunk_mut());
        if let (Some(values), Some(sums), true) = (values, sums, n_tokens <= STRIDE) {
            add_first(n_tokens, values, sums);
        } else {
            let values = self.tokens[2 * start..2 * end].as_chunks().0;
            let sums = &mut sum[self.at..][..n_tokens];
            sums.iter_mut().zip(values).for_each(|(sum, token)| *sum = sum.wrapping_add(value(*token)));
        }
        self.at += n_tokens;
    }
}

/// [`add_first`] for tokens.
#[inline(always)]
pub(super) fn add_first_tokens(n_tokens: usize, tokens: &[u8; 2 * STRIDE], sum: &mut [u32; STRIDE]) {
    let mut values = [0_i16; STRIDE];
    for (value, token) in values.iter_mut().zip(tokens.as_chunks().0) {
        *value = i16::from_le_bytes(*token);
    }
    add_first(n_tokens, &values, sum);
}

/// What is added for a token: a bright pixel's value.
#[inline(always)]
pub(super) fn value(token: [u8; 2]) -> u32 {
    i16::from_le_bytes(token).max(0).cast_unsigned().into()
}
