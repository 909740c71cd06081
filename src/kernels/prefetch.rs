//! Memory that is asked for before it is needed. Only x86-64 is asked.

#[cfg(target_arch = "x86_64")]
pub(super) use std::arch::x86_64::{_MM_HINT_T0 as NEAR, _MM_HINT_T1 as FAR};

use crate::cpu;

/// Into which cache: the first, or the second.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const NEAR: i32 = 1;
#[cfg(not(target_arch = "x86_64"))]
pub(super) const FAR: i32 = 2;

/// Bytes of a line of the caches.
pub(super) const LINE: usize = 64;

/// Bytes of a page of memory, on most systems.
pub(super) const PAGE: usize = 4096;

/// Asks for the line in which `address` lies, which need not be anyone's.
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

/// Asks for the lines of the `n_bytes` from `start` on, which need not be anyone's: the one in which each 64 of them begin.
#[inline(always)]
pub(super) fn bytes<T, const HINT: i32>(start: *const T, n_bytes: usize) {
    (0..n_bytes).step_by(LINE).for_each(|at| line::<T, HINT>(start.wrapping_byte_add(at)));
}

/// Whether kernels ask for memory [early and late](far_and_near), and do so too where a Zen 4 is asked for nothing, as it fetches
/// ahead best by itself. It depends on the processor: to be asked once a block.
#[inline(always)]
pub(super) fn asks_twice() -> bool {
    cfg!(target_arch = "x86_64") && !cpu::is_amd()
}

/// While the `n_bytes` from `start` on are read or written, asks for as many that are some way behind them, [twice](asks_twice) or
/// once.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
pub(super) fn ahead<T>(twice: bool, start: *const T, n_bytes: usize) {
    if twice {
        far_and_near(start, n_bytes);
    } else {
        bytes::<_, NEAR>(start.wrapping_byte_add(PAGE), n_bytes);
    }
}

/// Asks for as many bytes late, into the first cache.
#[inline(always)]
pub(super) fn late<T>(start: *const T, n_bytes: usize) {
    bytes::<_, NEAR>(start.wrapping_byte_add(PAGE / 2), n_bytes);
}

/// [`ahead`] where every line is asked for twice, early into the second cache and late into the first.
///
/// An Emerald Rapids, whose own prefetching ends with each page, reads and writes about as fast as its memory is by this: what
/// waits for the second cache takes no place of the few that wait for the first. Those come first, as they are there soon.
#[inline(always)]
pub(super) fn far_and_near<T>(start: *const T, n_bytes: usize) {
    late(start, n_bytes);
    bytes::<_, FAR>(start.wrapping_byte_add(2 * PAGE), n_bytes);
}
