//! Memory that is asked for before it is needed. Only x86-64 is asked.

#[cfg(target_arch = "x86_64")]
pub(super) use std::arch::x86_64::{_MM_HINT_T0 as NEAR, _MM_HINT_T1 as FAR};

use crate::cpu::Cores;

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

/// Asks for as many bytes late, into the first cache.
#[inline(always)]
pub(super) fn late<T>(start: *const T, n_bytes: usize) {
    bytes::<_, NEAR>(start.wrapping_byte_add(PAGE / 2), n_bytes);
}

/// How memory is asked for that is read or written next. It depends on the processor: to be had once for many lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A page ahead, and only where that is measured to help: a Zen 4 fetches ahead best by itself. Other processors than x86-64 are
    /// not asked at all.
    Seldom,
    /// Every line, early and into the first cache. Between the instructions of a kernel a Zen 5 fetches little by itself: with this
    /// it reads as fast as its memory is. Asked for twice, it reads 0.8 to 0.9 as fast.
    Once,
    /// Every line early into the second cache and late into the first. An Emerald Rapids, whose own prefetching ends with each
    /// page, reads and writes about as fast as its memory is by this: what waits for the second cache takes no place of the few that
    /// wait for the first. Those come first, as they are there soon.
    Twice,
}

impl Way {
    /// That of this processor.
    #[inline(always)]
    pub(super) fn current() -> Self {
        match Cores::current() {
            Cores::Other if cfg!(target_arch = "x86_64") => Self::Twice,
            Cores::Zen5 => Self::Once,
            Cores::Zen4 | Cores::Other => Self::Seldom,
        }
    }

    /// Whether kernels ask for all that they read and write.
    #[inline(always)]
    pub(super) fn is_always(self) -> bool {
        self != Self::Seldom
    }

    /// While the `n_bytes` from `start` on are read or written, asks for as many that are some way behind them.
    #[inline(always)]
    pub(super) fn ahead<T>(self, start: *const T, n_bytes: usize) {
        match self {
            Self::Seldom => bytes::<_, NEAR>(start.wrapping_byte_add(PAGE), n_bytes),
            Self::Once => bytes::<_, NEAR>(start.wrapping_byte_add(2 * PAGE), n_bytes),
            Self::Twice => {
                late(start, n_bytes);
                bytes::<_, FAR>(start.wrapping_byte_add(2 * PAGE), n_bytes);
            }
        }
    }
}
