//! Byte transpose of a block of elements, and back.
//!
//! Byte `b` of element `i` goes to `b * n + i`, where `n` is the number of whole elements: first bytes first. What
//! remains after the last whole element stays where it is. So is it in HDF5's shuffle filter and in Blosc 1.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
mod scalar;
#[cfg(test)]
mod tests;

#[cfg(target_arch = "x86_64")]
use crate::cpu::Isa;
use crate::cpu::Level;

/// Byte transpose of elements of `element_size` bytes into `dst`, all of which is written. Allocates nothing.
///
/// # Panics
/// Where `element_size` is 0, or `dst` is not as long as `src`: the caller's mistake.
pub fn shuffle(level: Level, element_size: usize, src: &[u8], dst: &mut [u8]) {
    let (src, dst) = whole_elements(element_size, src, dst);
    match level.isa() {
        _ if element_size == 1 => dst.copy_from_slice(src),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has these instructions.
        Isa::Avx512 => unsafe { avx512::shuffle(element_size, src, dst) },
        _ => scalar::shuffle(element_size, src, dst, 0),
    }
}

/// The inverse of [`shuffle`]. All of `dst` is written. Allocates nothing.
///
/// # Panics
/// As [`shuffle`].
pub fn unshuffle(level: Level, element_size: usize, src: &[u8], dst: &mut [u8]) {
    let (src, dst) = whole_elements(element_size, src, dst);
    match level.isa() {
        _ if element_size == 1 => dst.copy_from_slice(src),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level proves that the processor has these instructions.
        Isa::Avx512 => unsafe { avx512::unshuffle(element_size, src, dst) },
        _ => scalar::unshuffle(element_size, src, dst, 0),
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
