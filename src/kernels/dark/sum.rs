//! The sum of frames, added from their streams.
//!
//! A sum has four bytes a pixel, more than the inner caches hold, and a frame's bright pixels lie all over it. Added while the
//! frame comes from memory, they disturb what the processor fetches ahead by itself, and that costs more than all else. So they
//! are added once the streams are written, which are short; those of several frames band by band, so that a band of the
//! sum is fetched once for all. And where a frame fails, its sum was never touched.

use super::block::{STRIDE, add_first};
use super::decode::run_pixels;
use super::found::GROUP;
use crate::cpu::{Isa, Level};
use crate::kernels::prefetch::{self, FAR};

/// Pixels of a band: their sum stays in the second-level cache.
const BAND: usize = 8192;

/// Frames that are added at once.
const AT_ONCE: usize = 16;

/// From so many frames on it is worth asking for all of a band before it is its turn: most of it will change.
const MANY: usize = 4;

/// A stream that has been written, and how far it is added.
#[derive(Debug)]
pub(super) struct Summand<'a> {
    tokens: &'a [u8],
    /// The pixel at which the next token begins.
    at: usize,
}

/// Adds frames to their sum, of which no stream has more pixels.
pub(super) fn add<'a>(level: Level, mut streams: impl Iterator<Item = &'a [u8]>, sum: &mut [u32]) {
    loop {
        let mut frames = [const { Summand::new(&[]) }; AT_ONCE];
        let n = frames.iter_mut().zip(&mut streams).map(|(frame, stream)| *frame = Summand::new(stream)).count();
        if n == 0 {
            return;
        }
        add_at_once(level, &mut frames[..n], sum);
    }
}

fn add_at_once(level: Level, frames: &mut [Summand<'_>], sum: &mut [u32]) {
    let asks = frames.len() >= MANY;
    let part = BAND.div_ceil(frames.len());
    for end in (0..sum.len()).step_by(BAND).map(|start| start + BAND) {
        for (index, frame) in frames.iter_mut().enumerate() {
            let next = sum.get(end + index * part..).filter(|_| asks).unwrap_or_default();
            prefetch::bytes::<_, FAR>(next.as_ptr(), size_of_val(&next[..part.min(next.len())]));
            frame.add_until(level, end, sum);
        }
    }
}

/// Takes a frame out of a sum again to which it was added.
pub(super) fn take_back(stream: &[u8], sum: &mut [u32]) {
    let mut at = 0;
    for token in stream.as_chunks().0 {
        sum[at] = sum[at].wrapping_sub(value(*token));
        at += run_pixels(*token);
    }
}

impl<'a> Summand<'a> {
    const fn new(stream: &'a [u8]) -> Self {
        Self { tokens: stream, at: 0 }
    }

    /// Adds the tokens that begin before the pixel `end`, and perhaps some more.
    fn add_until(&mut self, level: Level, end: usize, sum: &mut [u32]) {
        match level.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level proves that the processor has AVX-512.
            Isa::Avx512 => unsafe { super::avx512::add_groups(self, end, sum) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
            Isa::Avx2 => unsafe { super::avx2::add_groups(self, end, sum) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the level proves that the processor has SSE4.1.
            Isa::Sse41 => unsafe { super::sse41::add_groups(self, end, sum) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the level proves that the processor has NEON.
            Isa::Neon => unsafe { super::neon::add_groups(self, end, sum) },
            _ => {}
        }
        while self.at < end
            && let Some((token, rest)) = self.tokens.split_first_chunk()
        {
            sum[self.at] = sum[self.at].wrapping_add(value(*token));
            self.at += run_pixels(*token);
            self.tokens = rest;
        }
    }

    /// Adds whole groups of tokens, for inlining into a function of an instruction set: `negatives` has a bit for each negative
    /// token, and `add_first` adds as many of [`STRIDE`] tokens as it is told, none of which is negative.
    #[inline(always)]
    pub(super) fn add_groups(
        &mut self,
        end: usize,
        sum: &mut [u32],
        negatives: impl Fn(&[u8; 2 * GROUP]) -> u64,
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
fn value(token: [u8; 2]) -> u32 {
    i16::from_le_bytes(token).max(0).cast_unsigned().into()
}
