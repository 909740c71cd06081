//! Memory that is asked for before it is needed. Only x86-64 is asked.

#[cfg(target_arch = "x86_64")]
pub(super) use std::arch::x86_64::{_MM_HINT_T0 as NEAR, _MM_HINT_T1 as FAR};

/// Into which cache: the first, or the second.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const NEAR: i32 = 1;
#[cfg(not(target_arch = "x86_64"))]
pub(super) const FAR: i32 = 2;

/// Bytes of a line of the caches.
const LINE: usize = 64;

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
