//! The sum of frames, added from their streams.
//!
//! A sum has four bytes a pixel, more than the inner caches hold, and a frame's bright pixels lie all over it. Added while the
//! frame comes from memory, they disturb what the processor fetches ahead by itself, and that costs more than all else. So they
//! are added once the streams are written, which are short; those of several frames band by band, so that a band of the
//! sum is fetched once for all. And where a frame fails, its sum was never touched.

#![allow(unsafe_code)]

use super::add::{Summand, value};
use super::tokens::run_pixels;
use crate::cpu::{Isa, Level};
use crate::kernels::prefetch::{self, FAR};

/// Pixels of a band: their sum stays in the second-level cache.
const BAND: usize = 8192;

/// Frames that are added at once.
const AT_ONCE: usize = 16;

/// From so many frames on it is worth asking for all of a band before it is its turn: most of it will change.
const MANY: usize = 4;

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
            add_until(frame, level, end, sum);
        }
    }
}

/// Takes a frame out of a sum again to which it was added.
pub(super) fn subtract(stream: &[u8], sum: &mut [u32]) {
    let mut at = 0;
    for token in stream.as_chunks().0 {
        sum[at] = sum[at].wrapping_sub(value(*token));
        at += run_pixels(*token);
    }
}

/// Adds the tokens that begin before the pixel `end`, and perhaps some more.
fn add_until(frame: &mut Summand<'_>, level: Level, end: usize, sum: &mut [u32]) {
    match level.isa() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX-512.
        Isa::Avx512 => unsafe { super::avx512::add_groups(frame, end, sum) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has AVX2, BMI and POPCNT.
        Isa::Avx2 => unsafe { super::avx2::add_groups(frame, end, sum) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has SSE4.1.
        Isa::Sse41 => unsafe { super::sse41::add_groups(frame, end, sum) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the level proves that the processor has NEON.
        Isa::Neon => unsafe { super::neon::add_groups(frame, end, sum) },
        _ => {}
    }
    while frame.at < end
        && let Some((token, rest)) = frame.tokens.split_first_chunk()
    {
        sum[frame.at] = sum[frame.at].wrapping_add(value(*token));
        frame.at += run_pixels(*token);
        frame.tokens = rest;
    }
}
