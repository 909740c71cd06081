//! [`Lanes`] with NEON: its repeats.

#![allow(unsafe_code)]

use super::portable::PlainLanes;
use super::{N, PERIODS, halves};
use crate::cpu::{Isa, Level};
use std::arch::aarch64::{uint8x16_t, uint8x16x2_t, vld1q_u8, vqtbl2q_u8, vst1q_u8};

/// A processor with NEON as [`Isa::Neon`] has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// Where `level` stands for it.
    pub(crate) fn new(level: Level) -> Option<Self> {
        (level.isa() == Isa::Neon).then_some(Self(()))
    }
}

impl PlainLanes for Neon {
    #[inline(always)]
    fn repeat(self, from: &[u8; N], period: usize) -> [u8; N] {
        // SAFETY: `self` proves NEON.
        unsafe { repeat(from, &PERIODS[period]) }
    }
}

/// The bytes at `places` of `from`.
#[inline]
#[target_feature(enable = "neon")]
fn repeat(from: &[u8; N], places: &[u8; N]) -> [u8; N] {
    let ([low, high], [first, second]) = (halves(from), halves(places));
    let from = uint8x16x2_t(load(low), load(high));
    let mut repeated = [0; N];
    let (to, _) = repeated.as_chunks_mut::<16>();
    store(&mut to[0], vqtbl2q_u8(from, load(first)));
    store(&mut to[1], vqtbl2q_u8(from, load(second)));
    repeated
}

#[inline]
#[target_feature(enable = "neon")]
fn load(from: &[u8; 16]) -> uint8x16_t {
    // SAFETY: `from` is 16 readable bytes, and the load needs no alignment.
    unsafe { vld1q_u8(from.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn store(to: &mut [u8; 16], bytes: uint8x16_t) {
    // SAFETY: `to` is 16 writable bytes, and the store needs no alignment.
    unsafe { vst1q_u8(to.as_mut_ptr(), bytes) }
}
