//! The few bytes that a sequence of LZ4 or Zstd moves, at once.
//!
//! Most literals and matches of detector data are shorter than a vector. [`Lanes`] moves [`N`] bytes whatever the length
//! is, zeros after it, so that the length does not decide a branch. One file an instruction set; the decoder is generic
//! over them and has no other reason to know the processor.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod dispatch;
pub(crate) mod matches;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse41;
#[cfg(test)]
mod tests;

/// Bytes that are moved at once.
pub(crate) const N: usize = 32;

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

/// `MASKS[N - n..]` begins with `n` bytes of ones, and zeros after them.
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
pub(crate) trait Lanes: Copy {
    /// [`N`] bytes.
    type Bytes: Copy;

    /// The first `n_bytes` of `from`, and zeros after them. `n_bytes` is at most [`N`] and at most `from.len()`.
    fn load(self, from: &[u8], n_bytes: usize) -> Self::Bytes;

    /// `n_bytes` bytes that repeat the first `period` of `from`, and zeros after them. `n_bytes` is at most [`N`];
    /// `period` is at least 1, and `from` has as many.
    fn load_periodic(self, from: &[u8], period: usize, n_bytes: usize) -> Self::Bytes;

    /// [`N`] bytes that repeat the first `period` of `from`, 1 to [`N`].
    fn repeat(self, from: &[u8; N], period: usize) -> Self::Bytes;

    /// All [`N`] bytes.
    fn store(self, bytes: Self::Bytes, to: &mut [u8; N]);

    /// Copies `len` bytes from `offset` before `to` to `to`. Up to [`matches::SLACK_BYTES`] bytes after them are written too.
    ///
    /// # Panics
    /// Where the match does not [fit](matches::fits).
    #[inline(always)]
    fn copy_match(self, dst: &mut [u8], to: usize, offset: usize, len: usize) {
        matches::copy(self, dst, to, offset, len);
    }

    /// Which bytes are not 0: bit `i` for byte `i`.
    fn nonzero(self, bytes: Self::Bytes) -> u32;

    /// Which of 64 words of eight bytes are not 0: bit `i` for word `i`.
    fn nonzero_words(self, words: &[u8; 512]) -> u64;

    /// Which bytes differ: bit `i` for byte `i`.
    fn differ(self, a: &[u8; N], b: &[u8; N]) -> u32;
}

/// How many bytes from `a` on are those from `b` on, `a < b`, the latter before `limit`.
#[inline(always)]
pub(crate) fn common_prefix<L: Lanes>(lanes: L, src: &[u8], a: usize, b: usize, limit: usize) -> usize {
    let max_bytes = limit - b;
    let word = |at: usize| src[at..].first_chunk().map(|word| u64::from_le_bytes(*word));
    // Most end within eight bytes.
    if let (Some(x), Some(y)) = (word(a), word(b))
        && x != y
    {
        return ((x ^ y).trailing_zeros() as usize / 8).min(max_bytes);
    }
    let mut n = 0;
    while n < max_bytes {
        let (Some(x), Some(y)) = (src[a + n..].first_chunk(), src[b + n..].first_chunk()) else {
            let pairs = src[a + n..].iter().zip(&src[b + n..limit]);
            return n + pairs.take_while(|(x, y)| x == y).count();
        };
        let differ = lanes.differ(x, y);
        if differ != 0 {
            return (n + differ.trailing_zeros() as usize).min(max_bytes);
        }
        n += N;
    }
    max_bytes
}
