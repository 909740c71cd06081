//! What a scan is given, and what it finds in a block.

use super::exceptions::{MAX_TOKEN, Sentinels};
use super::pixel::Pixel;
use super::types::FrameCounts;
use crate::cpu::tuning::{Prefetch, ScanPrefetch};
use crate::kernels::prefetch::{self, FAR, NEAR, PAGE_BYTES};

/// Pixels a scan takes at once: the bits of a word.
pub(super) const GROUP_PIXELS: usize = 64;

/// Bytes of a group.
const GROUP_BYTES: usize = 2 * GROUP_PIXELS;

/// Groups of a block.
pub(super) const BLOCK_GROUPS: usize = 32;

/// Pixels of a block.
pub(super) const BLOCK_PIXELS: usize = GROUP_PIXELS * BLOCK_GROUPS;

/// Words of slack after the positions, so that whole vectors or several positions may be stored at once.
const SLACK: usize = 64;

/// The next pixels for a scan: whole groups, at most [`BLOCK_GROUPS`].
#[derive(Clone, Copy)]
pub(super) struct Groups<'a, P> {
    pub(super) pixels: &'a [[P; GROUP_PIXELS]],
    /// As many.
    pub(super) dark: Option<&'a [[P; GROUP_PIXELS]]>,
    /// The least value that is bright; for `u16` without a threshold 1, which keeps all.
    pub(super) threshold: u16,
    pub(super) prefetch: ScanPrefetch,
}

impl<P> Groups<'_, P> {
    /// Prefetches what is scanned later, while the group `at` is.
    #[inline(always)]
    pub(super) fn prefetch(&self, at: usize) {
        match self.prefetch {
            ScanPrefetch::Nothing => {}
            ScanPrefetch::TwoLines => self.prefetch_two_lines(at),
            ScanPrefetch::EveryLine => self.prefetch_every_line(at),
            ScanPrefetch::AsKernels(prefetch) => self.prefetch_as_kernels(prefetch, at),
        }
    }

    #[inline(always)]
    fn prefetch_two_lines(&self, at: usize) {
        if at.is_multiple_of(BLOCK_GROUPS / 2) {
            prefetch_after::<_, FAR>(self.pixels, at, PAGE_BYTES, 1);
        }
    }

    #[inline(always)]
    fn prefetch_every_line(&self, at: usize) {
        if at > 0 {
            prefetch_after::<_, FAR>(self.pixels, at, 2 * PAGE_BYTES, GROUP_BYTES);
        }
        // Prefetched once a block, the pages are less often there in time.
        if at.is_multiple_of(BLOCK_GROUPS / 2) {
            for image in [Some(self.pixels), self.dark].into_iter().flatten() {
                prefetch_after::<_, NEAR>(image, 0, 2 * PAGE_BYTES, GROUP_BYTES);
            }
        }
    }

    #[inline(always)]
    fn prefetch_as_kernels(&self, prefetch: Prefetch, at: usize) {
        prefetch.ahead(self.pixels.as_ptr().wrapping_add(at), GROUP_BYTES);
        if let (Some(dark), Prefetch::Twice) = (self.dark, prefetch) {
            prefetch::late(dark.as_ptr().wrapping_add(at), GROUP_BYTES);
        }
    }
}

/// Prefetches `n_bytes` of an image, from `distance` bytes after the group `at` on.
#[inline(always)]
fn prefetch_after<P, const HINT: i32>(image: &[[P; GROUP_PIXELS]], at: usize, distance: usize, n_bytes: usize) {
    prefetch::bytes::<_, HINT>(image.as_ptr().wrapping_byte_add(at * GROUP_BYTES + distance), n_bytes);
}

/// Whether one of `pixels` may be an exception: unsigned and above [`MAX_TOKEN`], or one of the `unnoticed`.
#[inline(always)]
pub(super) fn has_candidate<P: Pixel>(pixels: &[P], unnoticed: &Sentinels) -> bool {
    let wide = if P::SIGNED { 0 } else { pixels.iter().fold(0, |any, pixel| any | pixel.to_bits()) & !MAX_TOKEN };
    let is_any = |value: &u16| pixels.iter().fold(0, |any, pixel| any | u16::from(pixel.to_bits() == *value));
    unnoticed.values().iter().fold(wide, |any, value| any | is_any(value)) != 0
}

/// The groups with a [candidate](has_candidate), a bit each: a loop that the compiler turns into vectors, for inlining into a
/// function of an instruction set. Prefetches what is scanned later.
#[inline(always)]
pub(super) fn candidates<P: Pixel>(groups: Groups<'_, P>, unnoticed: &Sentinels) -> u32 {
    let mut found = 0;
    for (at, pixels) in groups.pixels.iter().enumerate() {
        groups.prefetch(at);
        found |= u32::from(has_candidate(pixels, unnoticed)) << at;
    }
    found
}

/// Where brightness changes in a block.
pub(super) struct Positions {
    /// Begin and end of each bright run, in turn.
    pub(super) at: [u16; BLOCK_PIXELS + SLACK],
    pub(super) n: usize,
}

impl Positions {
    pub(super) fn new() -> Self {
        Self { at: [0; BLOCK_PIXELS + SLACK], n: 0 }
    }

    /// Writes `base` plus the index of each set bit of `bits` from the `n`th position on; returns the position after them.
    ///
    /// There are few bits as a rule: `AT_ONCE` are taken without a branch.
    #[inline(always)]
    pub(super) fn push_bits<const AT_ONCE: usize>(&mut self, n: usize, mut bits: u64, base: usize) -> usize {
        let end = n + bits.count_ones() as usize;
        let mut at = n;
        loop {
            let room: &mut [u16; AT_ONCE] = self.at[at..].first_chunk_mut().expect("slack stands after the positions");
            for slot in room {
                *slot = base as u16 + bits.trailing_zeros() as u16;
                bits &= bits.wrapping_sub(1);
            }
            at += AT_ONCE;
            if at >= end {
                return end;
            }
        }
    }

    pub(super) fn runs(&self) -> &[[u16; 2]] {
        self.at[..self.n].as_chunks().0
    }
}

/// Where brightness changes in the groups of a block, a bit a pixel. Most words are 0, and no branch is taken on those.
pub(super) struct Changes {
    words: [u64; BLOCK_GROUPS],
    n_groups: usize,
    /// The bright pixels of the last group.
    last: u64,
    pub(super) n_bright: u32,
}

impl Changes {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { words: [0; BLOCK_GROUPS], n_groups: 0, last: 0, n_bright: 0 }
    }

    /// The next group, of which the pixels with a bit are `bright`.
    #[inline(always)]
    pub(super) fn push(&mut self, bright: u64) {
        self.words[self.n_groups] = bright ^ (bright << 1 | self.last >> (GROUP_PIXELS - 1));
        self.n_groups += 1;
        self.last = bright;
        self.n_bright += bright.count_ones();
    }

    /// Writes the positions of the changes; a bright run ends with the block.
    #[inline(always)]
    pub(super) fn find(&self, positions: &mut Positions) {
        let words = &self.words[..self.n_groups];
        let mut with_bits = words.iter().rev().fold(0, |all, word| all << 1 | u32::from(*word != 0));
        let mut n = 0;
        while with_bits != 0 {
            let index = with_bits.trailing_zeros() as usize;
            n = positions.push_bits::<6>(n, words[index], index * GROUP_PIXELS);
            with_bits &= with_bits - 1;
        }
        positions.at[n] = (self.n_groups * GROUP_PIXELS) as u16;
        positions.n = n + usize::from(self.last >> (GROUP_PIXELS - 1) != 0);
    }
}

/// Where a block is bright: a word a group, and words that are 0 before and after them.
#[cfg(target_arch = "x86_64")]
pub(super) struct Bright([u64; BLOCK_GROUPS + 9]);

#[cfg(target_arch = "x86_64")]
impl Bright {
    pub(super) fn new() -> Self {
        Self([0; BLOCK_GROUPS + 9])
    }

    /// The words of the groups, and after them of none.
    #[inline(always)]
    pub(super) fn groups(&self) -> &[u64; BLOCK_GROUPS + 8] {
        self.0.last_chunk().expect("one word less")
    }

    /// The eight words from the `first`th on, and those that are each one before.
    #[inline(always)]
    pub(super) fn words(&self, first: usize) -> (&[u64; 8], &[u64; 8]) {
        let words: &[u64; 9] = self.0[first..].first_chunk().expect("words stand after those of the groups");
        (words.first_chunk().expect("8 of 9"), words.last_chunk().expect("8 of 9"))
    }

    /// The words of `n_groups` to be filled, after which all are 0.
    #[inline(always)]
    pub(super) fn for_groups(&mut self, n_groups: usize) -> &mut [u64] {
        let (groups, after) = self.0[1..].split_at_mut(n_groups);
        after.fill(0);
        groups
    }
}

/// What a scan found in a block. AVX-512 has the bits, the other levels have the positions.
pub(super) struct Found {
    pub(super) positions: Positions,
    #[cfg(target_arch = "x86_64")]
    pub(super) bright: Bright,
}

impl Found {
    pub(super) fn new() -> Self {
        Self {
            positions: Positions::new(),
            #[cfg(target_arch = "x86_64")]
            bright: Bright::new(),
        }
    }
}

/// What a scan counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) n_bright: u32,
    /// Pixels that differ from their dark image.
    pub(super) n_different: u32,
    /// The sum of the differences of pixels that are not bright.
    pub(super) zeroed_sum: i64,
    /// Whether all differences that were added fit 16 bits.
    pub(super) is_exact: bool,
    /// Whether a pixel is unsigned and above what a stream can hold, before the dark image is subtracted.
    pub(super) may_be_wide: bool,
}

impl Tally {
    pub(super) fn counts(self) -> FrameCounts {
        FrameCounts {
            n_bright: self.n_bright.into(),
            n_zeroed: (self.n_different - self.n_bright).into(),
            zeroed_sum: self.zeroed_sum,
            ..FrameCounts::default()
        }
    }
}
