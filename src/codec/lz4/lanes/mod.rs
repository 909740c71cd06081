//! The few bytes that a sequence of an LZ4 block moves, at once.
//!
//! Most literals and matches of detector data are shorter than a vector. [`Lanes`] moves [`N`] bytes whatever the length
//! is, zeros behind it, so that the length does not decide a branch. One file an instruction set; the decoder is generic
//! over them and has no other reason to know the processor.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
pub(super) use portable::Portable;

/// Bytes that are moved at once.
pub(super) const N: usize = 32;

/// `PERIODS[p][i]` is `i` modulo `p`, the place in a period of `p` bytes that byte `i` repeats; row 0 is not used.
static PERIODS: [[u8; N]; N + 1] = {
    let mut periods = [[0; N]; N + 1];
    let mut p = 1;
    while p <= N {
        let mut i = 0;
        while i < N {
            periods[p][i] = (i % p) as u8;
            i += 1;
        }
        p += 1;
    }
    periods
};

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

/// Vectors of [`N`] bytes. A value of an implementing type is a proof that the processor has what it uses.
pub(super) trait Lanes: Copy {
    /// [`N`] bytes.
    type Bytes: Copy;

    /// The first `n_bytes` of `from`, and zeros behind them. `n_bytes` is at most [`N`] and at most `from.len()`.
    fn load(self, from: &[u8], n_bytes: usize) -> Self::Bytes;

    /// `n_bytes` bytes that repeat the first `period` of `from`, and zeros behind them. `n_bytes` is at most [`N`];
    /// `period` is at least 1, and `from` has as many.
    fn load_periodic(self, from: &[u8], period: usize, n_bytes: usize) -> Self::Bytes;

    /// [`N`] bytes that repeat the first `period` of `from`, 1 to 16.
    fn repeat(self, from: &[u8; 16], period: usize) -> Self::Bytes;

    /// All [`N`] bytes.
    fn store(self, bytes: Self::Bytes, to: &mut [u8; N]);

    /// The number of bytes up to the last one that is not 0: 0 where all are.
    fn used(self, bytes: Self::Bytes) -> usize;

    /// Which bytes differ: bit `i` for byte `i`.
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32;
}
