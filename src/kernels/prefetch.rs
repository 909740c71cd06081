//! Memory that is loaded before it is needed. Only x86-64 is sent prefetches.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(super) use std::arch::x86_64::{_MM_HINT_T0 as NEAR, _MM_HINT_T1 as FAR};

use crate::cpu::tuning::Prefetch;

/// Into which cache: the first, or the second.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const NEAR: i32 = 1;
#[cfg(not(target_arch = "x86_64"))]
pub(super) const FAR: i32 = 2;

/// Bytes of a cache line.
pub(super) const CACHE_LINE_BYTES: usize = 64;

/// Bytes of a page of memory, on most systems.
pub(super) const PAGE_BYTES: usize = 4096;

/// Prefetches the cache line in which `address` lies, which need not be allocated.
#[inline(always)]
pub(super) fn line<T, const HINT: i32>(address: *const T) {
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing, and may be given any address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<HINT>(address.cast());
    }
}

/// Prefetches the cache lines of the `n_bytes` from `start` on, which need not be allocated: the one in which each 64 of them begin.
#[inline(always)]
pub(super) fn bytes<T, const HINT: i32>(start: *const T, n_bytes: usize) {
    (0..n_bytes).step_by(CACHE_LINE_BYTES).for_each(|at| line::<T, HINT>(start.wrapping_byte_add(at)));
}

/// Prefetches as many bytes late, into the first-level cache.
#[inline(always)]
pub(super) fn late<T>(start: *const T, n_bytes: usize) {
    bytes::<_, NEAR>(start.wrapping_byte_add(PAGE_BYTES / 2), n_bytes);
}

impl Prefetch {
    /// While the `n_bytes` from `start` on are read or written, prefetches as many that are some way after them.
    #[inline(always)]
    pub(super) fn ahead<T>(self, start: *const T, n_bytes: usize) {
        match self {
            Self::Rarely => bytes::<_, NEAR>(start.wrapping_byte_add(PAGE_BYTES), n_bytes),
            Self::Once => bytes::<_, NEAR>(start.wrapping_byte_add(2 * PAGE_BYTES), n_bytes),
            Self::Twice => {
                late(start, n_bytes);
                bytes::<_, FAR>(start.wrapping_byte_add(2 * PAGE_BYTES), n_bytes);
            }
        }
    }
}
