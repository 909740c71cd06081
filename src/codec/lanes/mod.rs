//! The few bytes that a sequence of LZ4 or Zstd moves, at once.
//!
//! Most literals and matches of detector data are shorter than a vector. [`Lanes`] moves [`N`] bytes whatever the length
//! is, zeros behind it, so that the length does not decide a branch. One file an instruction set; the decoder is generic
//! over them and has no other reason to know the processor.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(super) mod matches;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse41;
#[cfg(test)]
mod tests;

use crate::cpu::Level;
#[cfg(target_arch = "x86_64")]
use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use neon::Neon;
use portable::Portable;
#[cfg(target_arch = "x86_64")]
use sse41::Sse41;

/// Bytes that are moved at once.
pub(super) const N: usize = 32;

/// `PERIODS[p][i]` is `i` modulo `p`, the place in a period of `p` bytes that byte `i` repeats; row 0 is not used.
static PERIODS: [[u8; N]; N + 1] = periods();

/// Such a table of `ROWS` rows for `WIDTH` bytes.
const fn periods<const WIDTH: usize, const ROWS: usize>() -> [[u8; WIDTH]; ROWS] {
    let mut periods = [[0; WIDTH]; ROWS];
    let mut p = 1;
    while p < ROWS {
        let mut i = 0;
        while i < WIDTH {
            periods[p][i] = (i % p) as u8;
            i += 1;
        }
        p += 1;
    }
    periods
}

/// `MASKS[N - n..]` begins with `n` bytes of ones, and zeros behind them.
static MASKS: [u8; 2 * N] = {
    let mut masks = [0; 2 * N];
    let mut i = 0;
    while i < N {
        masks[i] = 0xff;
        i += 1;
    }
    masks
};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn halves(bytes: &[u8; N]) -> [&[u8; N / 2]; 2] {
    let (halves, _) = bytes.as_chunks();
    [&halves[0], &halves[1]]
}

/// Vectors of [`N`] bytes. A value of an implementing type is a proof that the processor has what it uses.
pub(super) trait Lanes: Copy {
    /// [`N`] bytes.
    type Bytes: Copy;

    /// The first `n_bytes` of `from`, and zeros behind them. `n_bytes` is at most [`N`] and at most `from.len()`.
    fn load(self, from: &[u8], n_bytes: usize) -> Self::Bytes;

    /// `n_bytes` bytes that repeat the first `period` of `from`, and zeros behind them. `n_bytes` is at most [`N`];
    /// `period` is at least 1, and `from` has as many.
    fn load_periodic(self, from: &[u8], period: usize, n_bytes: usize) -> Self::Bytes;

    /// [`N`] bytes that repeat the first `period` of `from`, 1 to [`N`].
    fn repeat(self, from: &[u8; N], period: usize) -> Self::Bytes;

    /// All [`N`] bytes.
    fn store(self, bytes: Self::Bytes, to: &mut [u8; N]);

    /// Copies `len` bytes from `offset` before `to` to `to`. Up to [`matches::SLACK`] bytes behind them are written too.
    ///
    /// # Panics
    /// Where the match does not [fit](matches::fits).
    #[inline(always)]
    fn copy_match(self, dst: &mut [u8], to: usize, offset: usize, len: usize) {
        matches::copy(self, dst, to, offset, len);
    }

    /// The number of bytes up to the last one that is not 0: 0 where all are.
    #[inline(always)]
    fn used(self, bytes: Self::Bytes) -> usize {
        N - self.nonzero(bytes).leading_zeros() as usize
    }

    /// Which bytes are not 0: bit `i` for byte `i`.
    fn nonzero(self, bytes: Self::Bytes) -> u32;

    /// Which bytes differ: bit `i` for byte `i`.
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32;
}

/// A whole block's work, compiled for each kind of lanes.
pub(super) trait Work {
    /// What comes of it.
    type Output;

    /// Does it. `#[inline(always)]`, so that it is compiled with what the lanes use.
    fn run<L: Lanes>(self, lanes: L) -> Self::Output;
}

/// Does the work with the best lanes of `level`.
pub(super) fn with_lanes<W: Work>(level: Level, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(lanes) = Avx512::new(level) {
            // SAFETY: `lanes` proves these features.
            return unsafe { with_avx512(lanes, work) };
        }
        if let Some(lanes) = Avx2::new(level) {
            // SAFETY: `lanes` proves these features.
            return unsafe { with_avx2(lanes, work) };
        }
        if let Some(lanes) = Sse41::new(level) {
            // SAFETY: `lanes` proves this feature.
            return unsafe { with_sse41(lanes, work) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(lanes) = Neon::new(level) {
        // SAFETY: `lanes` proves this feature.
        return unsafe { with_neon(lanes, work) };
    }
    let _ = level;
    work.run(Portable)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi")]
fn with_avx512<W: Work>(lanes: Avx512, work: W) -> W::Output {
    work.run(lanes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn with_avx2<W: Work>(lanes: Avx2, work: W) -> W::Output {
    work.run(lanes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.1")]
fn with_sse41<W: Work>(lanes: Sse41, work: W) -> W::Output {
    work.run(lanes)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn with_neon<W: Work>(lanes: Neon, work: W) -> W::Output {
    work.run(lanes)
}
