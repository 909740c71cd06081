//! Bit transpose of a block of elements, and back.
//!
//! A block of `n` elements becomes `8 * element_size` rows of `n / 8` bytes: for each byte of the element in memory
//! order, for each of its bits 0..8, one row. Bit `k` of byte `j` of a row belongs to element `8 * j + k`. So is it in
//! HDF5's filter 32008, and in Blosc 1 with bit shuffle.
//!
//! A *group* is 8 elements: one byte in every row. Every kernel works in tiles of groups; the last
//! tile is moved back so that it is whole, and a block of less than a tile goes to the next smaller kernel.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod bit_transpose;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod sse41;
#[cfg(test)]
mod tests;

use super::prefetch::{self, NEAR, PAGE_BYTES};
use super::zero;
use crate::cpu::tuning::Tuning;
use crate::cpu::{Isa, Level};

/// Elements in a group: those that share a byte in each row.
const GROUP_ELEMENTS: usize = 8;

/// Bit transpose of a block of elements of `element_size` bytes into `dst`, all of which is written.
///
/// Allocates nothing.
///
/// # Panics
/// Where `src` is not a whole number of groups of 8 elements, or `dst` has another length: the caller's mistake.
pub fn transpose(level: Level, element_size: usize, src: &[u8], dst: &mut [u8]) {
    check(element_size, src, dst);
    match level.isa() {
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::transpose(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::transpose(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Sse41 => unsafe { sse41::transpose(element_size, src, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::transpose(element_size, src, dst) },
        _ => scalar::transpose(element_size, src, dst),
    }
}

/// The inverse of [`transpose`]: the elements, from their rows of bits. All of `dst` is written.
///
/// Allocates nothing.
///
/// # Panics
/// As [`transpose`].
pub fn inverse(level: Level, element_size: usize, src: &[u8], dst: &mut [u8]) {
    inverse_rows(level, element_size, src, element_size.saturating_mul(8), dst);
}

/// [`inverse`] where only the first `n_rows` rows are in `src`, which is as long as ever: those after are all like the
/// last one of them, and what stands in their place is not read.
///
/// The rows above the largest value of unsigned elements are such, all zero; and so are they where elements are the
/// largest value or small.
///
/// # Panics
/// As [`transpose`], and where `n_rows` is 0 or more than the elements have.
pub fn inverse_rows(level: Level, element_size: usize, src: &[u8], n_rows: usize, dst: &mut [u8]) {
    check(element_size, src, dst);
    assert!((1..=8 * element_size).contains(&n_rows), "{n_rows} rows of elements of {element_size} bytes");
    let row_bytes = src.len() / (GROUP_ELEMENTS * element_size);
    if n_rows == 1 && src[..row_bytes].iter().fold(0, |bits, byte| bits | byte) == 0 {
        zero::clear(dst);
        return;
    }
    match level.isa() {
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::inverse(element_size, src, n_rows, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::inverse(element_size, src, n_rows, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Sse41 => unsafe { sse41::inverse(element_size, src, n_rows, dst) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => unsafe { neon::inverse(element_size, src, n_rows, dst) },
        _ => scalar::inverse(element_size, src, n_rows, dst),
    }
}

/// Prefetches the memory that the elements of a block are written to first, before the rows are there, where the
/// [tuning](Tuning::prefetch_output) says so. The kernels of [`inverse_rows`] that work on tiles prefetch what lies ahead of them,
/// and so the begin of the next block too, but not always all of it after a block that needed no kernel.
pub(crate) fn fetch_first(level: Level, dst: &[u8]) {
    if Tuning::current().prefetch_output.get(level.isa()) {
        prefetch::bytes::<_, NEAR>(dst.as_ptr(), dst.len().min(PAGE_BYTES));
    }
}

/// What every kernel relies on.
fn check(element_size: usize, src: &[u8], dst: &[u8]) {
    assert!(element_size > 0, "an element has at least one byte");
    let group_bytes = element_size.checked_mul(GROUP_ELEMENTS).expect("8 elements fit the address space");
    assert!(src.len().is_multiple_of(group_bytes), "{} bytes are no whole groups of {group_bytes}", src.len());
    assert!(src.len() == dst.len(), "{} bytes in, {} out", src.len(), dst.len());
}
