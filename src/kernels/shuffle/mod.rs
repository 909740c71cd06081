//! Byte transpose of a block of elements, and back.
//!
//! Byte `b` of element `i` goes to `b * n + i`, where `n` is the number of whole elements: first bytes first. What
//! remains after the last whole element stays where it is. So is it in HDF5's shuffle filter and in Blosc 1.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) mod byte_transpose;
mod marks;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
pub(super) mod sse41;
#[cfg(test)]
mod tests;

use crate::cpu::tuning::Tuning;
use crate::cpu::{Isa, Level};

pub(crate) use marks::GROUP_ELEMENTS;

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

/// Whether [`unshuffle`] into memory that is in no cache takes less when that is cleared first, a few hundred KiB at a time.
pub(crate) fn wants_cleared(level: Level) -> bool {
    Tuning::current().clear_before_unshuffle.get(level.isa())
}

/// [`unshuffle`] into a `dst` that is zero, where only those groups of [`GROUP_ELEMENTS`] elements are not zero that have a mark, one bit
/// each, the first group's the lowest of the first word. Of the others some are written and most are not.
///
/// # Panics
/// As [`shuffle`], and where the groups are not whole and of an even number, or not all of the marks are theirs.
pub(crate) fn unshuffle_marked(level: Level, element_size: usize, marks: &[u64], src: &[u8], dst: &mut [u8]) {
    assert!(src.len() == dst.len(), "{} bytes in, {} out", src.len(), dst.len());
    assert!(src.len().is_multiple_of(2 * GROUP_ELEMENTS * element_size), "{} bytes", src.len());
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
