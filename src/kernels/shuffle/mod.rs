//! Byte transpose of a block of elements, and back.
//!
//! Byte `b` of element `i` goes to `b * n + i`, where `n` is the number of whole elements: first bytes first. What
//! remains after the last whole element stays where it is. So is it in HDF5's shuffle filter and in Blosc 1.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) mod lanes;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
pub(super) mod sse41;
#[cfg(test)]
mod tests;

use crate::cpu::{Isa, Level};

/// Byte transpose of elements of `element_size` bytes into `dst`, all of which is written. Allocates nothing.
///
/// # Panics
/// Where `element_size` is 0, or `dst` is not as long as `src`: the caller's mistake.
pub fn shuffle(level: Level, element_size: usize, src: &[u8], dst: &mut [u8]) {
    let (src, dst) = whole_elements(element_size, src, dst);
    match level.isa() {
        _ if element_size == 1 => dst.copy_from_slice(src),
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::shuffle(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::shuffle(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Sse41 => unsafe { sse41::shuffle(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::shuffle(element_size, src, dst) },
        _ => scalar::shuffle(element_size, src, dst),
    }
}

/// The inverse of [`shuffle`]. All of `dst` is written. Allocates nothing.
///
/// # Panics
/// As [`shuffle`].
pub fn unshuffle(level: Level, element_size: usize, src: &[u8], dst: &mut [u8]) {
    let (src, dst) = whole_elements(element_size, src, dst);
    match level.isa() {
        // Measured: 16 registers of two lanes do not fit, so that one lane is faster; for 16 bytes they are even.
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 | Isa::Avx2 if element_size > 8 && element_size != 16 => unsafe {
            sse41::unshuffle(element_size, src, dst)
        },
        _ if element_size == 1 => dst.copy_from_slice(src),
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::unshuffle(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::unshuffle(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Sse41 => unsafe { sse41::unshuffle(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::unshuffle(element_size, src, dst) },
        _ => scalar::unshuffle(element_size, src, dst),
    }
}

/// Whether [`unshuffle`] into memory that is in no cache takes less when that is cleared first, a few hundred KiB at a time:
/// what is cleared is not fetched to be written. Measured: a fifth less with AVX-512, nothing gained with AVX2, and more where the
/// stores are narrower.
pub(crate) fn wants_cleared(level: Level) -> bool {
    level.isa() == Isa::Avx512
}

/// Elements that have one mark in [`unshuffle_marked`].
pub(crate) const GROUP: usize = 32;

/// [`unshuffle`] into a `dst` that is zero, where only those groups of [`GROUP`] elements are not zero that have a mark, one byte
/// each, other than 0. Of the others some are written and most are not.
///
/// # Panics
/// As [`shuffle`], and where the marks are not as many, or of an odd number.
pub(crate) fn unshuffle_marked(level: Level, element_size: usize, marks: &[u8], src: &[u8], dst: &mut [u8]) {
    assert!(src.len() == dst.len(), "{} bytes in, {} out", src.len(), dst.len());
    let n_marked_bytes = marks.len() * GROUP * element_size;
    assert!(src.len() == n_marked_bytes && marks.len().is_multiple_of(2), "{} bytes, {} marks", src.len(), marks.len());
    match level.isa() {
        _ if element_size == 1 => scalar::unshuffle_marked(1, marks, src, dst),
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::unshuffle_marked(element_size, marks, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::unshuffle_marked(element_size, marks, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Sse41 => unsafe { sse41::unshuffle_marked(element_size, marks, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::unshuffle_marked(element_size, marks, src, dst) },
        _ => scalar::unshuffle_marked(element_size, marks, src, dst),
    }
}

/// Does `each` for the first element of every `GROUPS` groups, 1 or 2, of which one is marked.
#[inline(always)]
fn for_each_marked<const GROUPS: usize>(marks: &[u8], mut each: impl FnMut(usize)) {
    let (words, rest) = marks.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    for (i, word) in words.iter().chain([&last]).enumerate() {
        let mut word = u64::from_le_bytes(*word);
        while word != 0 {
            let at = word.trailing_zeros() as usize / (8 * GROUPS) * GROUPS;
            each((8 * i + at) * GROUP);
            word &= !(((1 << (8 * GROUPS)) - 1) << (8 * at));
        }
    }
}

/// Copies what follows the last whole element, and gives back the rest: what every kernel relies on.
fn whole_elements<'a>(element_size: usize, src: &'a [u8], dst: &'a mut [u8]) -> (&'a [u8], &'a mut [u8]) {
    assert!(element_size > 0, "an element has at least one byte");
    assert!(src.len() == dst.len(), "{} bytes in, {} out", src.len(), dst.len());
    let n_bytes = src.len() - src.len() % element_size;
    let (src, src_rest) = src.split_at(n_bytes);
    let (dst, dst_rest) = dst.split_at_mut(n_bytes);
    dst_rest.copy_from_slice(src_rest);
    (src, dst)
}
