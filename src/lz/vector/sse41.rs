//! [`Lanes`](super::Lanes) with SSE4.1: its repeats.

#![allow(unsafe_code)]

use super::portable::PlainLanes;
use super::{N, PERIODS, halves};
use crate::cpu::{Isa, Level};
use std::arch::x86_64::{
    __m128i, _mm_blendv_epi8, _mm_loadu_si128, _mm_shuffle_epi8, _mm_slli_epi16, _mm_storeu_si128,
};

/// A processor with SSE4.1 as [`Isa::Sse41`] has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sse41(());

impl Sse41 {
    /// Where `level` stands for it.
    pub(crate) fn new(level: Level) -> Option<Self> {
        (level.isa() == Isa::Sse41).then_some(Self(()))
    }
}

impl PlainLanes for Sse41 {
    #[inline(always)]
    fn repeat(self, from: &[u8; N], period: usize) -> [u8; N] {
        // SAFETY: `self` proves SSE4.1.
        unsafe { repeat(from, &PERIODS[period]) }
    }
}

/// The bytes at `places` of `from`.
#[inline]
#[target_feature(enable = "sse4.1")]
fn repeat(from: &[u8; N], places: &[u8; N]) -> [u8; N] {
    let [low, high] = halves(from).map(|half| load(half));
    let mut repeated = [0; N];
    let (repeated_halves, _) = repeated.as_chunks_mut::<16>();
    for (to, places) in repeated_halves.iter_mut().zip(halves(places)) {
        let places = load(places);
        // Bit 4 of a place says which half it is in: moved to the top of the byte.
        let which = _mm_slli_epi16::<3>(places);
        store(to, _mm_blendv_epi8(_mm_shuffle_epi8(low, places), _mm_shuffle_epi8(high, places), which));
    }
    repeated
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn load(from: &[u8; 16]) -> __m128i {
    // SAFETY: `from` is 16 readable bytes, and the load needs no alignment.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn store(to: &mut [u8; 16], bytes: __m128i) {
    // SAFETY: `to` is 16 writable bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), bytes) }
}
