//! Memory larger than the caches, cut into slots of one frame each.
//!
//! A contestant that walks over the slots finds its frame in main memory, never in a cache: between two visits of a
//! slot, the rest of the pool has gone by.
//!
//! Pages matter as much as caches: with small ones a core reads memory at a fraction of the speed, because it waits for
//! the address translation (more so in a virtual machine). [`Pages`] says which ones a pool has.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// A pool has at least this many bytes.
const MIN_POOL_BYTES: usize = 256 << 20;

/// A pool is at least this many times as large as the last-level cache. Some of these are not emptied in the order they
/// were filled: of a pool twice as large, half may still be there when its turn comes again.
const POOL_IN_CACHES: usize = 4;

const HUGE_PAGE: usize = 2 << 20;

/// The pages of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pages {
    #[default]
    /// What `malloc` gives, and with it most programs: 4 KiB, unless the system is set to huge pages always.
    Small,
    /// Asked for with `madvise`, as an acquisition program may: 2 MiB.
    Huge,
}

impl Pages {
    /// The name in tables and options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small pages",
            Self::Huge => "huge pages",
        }
    }
}

/// `n_slots` frames of `frame_bytes` bytes in one piece of memory.
#[derive(Debug)]
pub struct Pool {
    memory: NonNull<u8>,
    layout: Layout,
    pages: Pages,
    frame_bytes: usize,
    slot_bytes: usize,
    n_slots: usize,
}

impl Pool {
    /// As many slots as [`pool_bytes`] need. All bytes are 0 and every page is present.
    ///
    /// # Panics
    /// If `frame_bytes` is 0.
    #[must_use]
    pub fn new(frame_bytes: usize, pages: Pages) -> Self {
        Self::of_bytes(pool_bytes(), frame_bytes, pages)
    }

    fn of_bytes(pool_bytes: usize, frame_bytes: usize, pages: Pages) -> Self {
        assert!(frame_bytes > 0, "a frame without bytes");
        let slot_bytes = frame_bytes.next_multiple_of(4096);
        let n_slots = pool_bytes.div_ceil(slot_bytes);
        let n_bytes = (n_slots * slot_bytes).next_multiple_of(HUGE_PAGE);
        let layout = Layout::from_size_align(n_bytes, HUGE_PAGE).expect("a layout below isize::MAX");
        // SAFETY: `layout` has at least one huge page of bytes.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        advise(memory, n_bytes, pages);
        let mut pool = Self { memory, layout, pages, frame_bytes, slot_bytes, n_slots };
        // Touch every page now, so that no contestant pays for page faults.
        (0..n_slots).for_each(|slot| pool.frame_mut(slot).fill(0));
        pool
    }

    /// How many frames there are.
    #[must_use]
    pub fn n_slots(&self) -> usize {
        self.n_slots
    }

    /// The pages it asked for.
    #[must_use]
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Bytes of one frame.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// The frame in `slot`.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn frame(&self, slot: usize) -> &[u8] {
        assert!(slot < self.n_slots, "slot {slot} of {}", self.n_slots);
        let start = slot * self.slot_bytes;
        // SAFETY: the slot lies inside the allocation, which is initialised and borrowed through `self`.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().wrapping_add(start), self.frame_bytes) }
    }

    /// The frame in `slot`, to write to.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn frame_mut(&mut self, slot: usize) -> &mut [u8] {
        assert!(slot < self.n_slots, "slot {slot} of {}", self.n_slots);
        let start = slot * self.slot_bytes;
        // SAFETY: the slot lies inside the allocation, which is initialised and borrowed mutably through `self`.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr().wrapping_add(start), self.frame_bytes) }
    }

    /// The frame in `slot` as 16-bit pixels.
    ///
    /// # Panics
    /// If a frame is not a whole number of pixels.
    #[must_use]
    pub fn pixels(&self, slot: usize) -> &[i16] {
        let frame = self.frame(slot);
        assert!(frame.len().is_multiple_of(2), "{} bytes are not a whole number of pixels", frame.len());
        // SAFETY: slots start at multiples of 4096, the length is even, and every bit pattern is an i16.
        unsafe { std::slice::from_raw_parts(frame.as_ptr().cast(), frame.len() / 2) }
    }

    /// The frame in `slot` as 16-bit pixels, to write to.
    ///
    /// # Panics
    /// If a frame is not a whole number of pixels.
    pub fn pixels_mut(&mut self, slot: usize) -> &mut [i16] {
        let frame = self.frame_mut(slot);
        assert!(frame.len().is_multiple_of(2), "{} bytes are not a whole number of pixels", frame.len());
        // SAFETY: slots start at multiples of 4096, the length is even, and every bit pattern is an i16.
        unsafe { std::slice::from_raw_parts_mut(frame.as_mut_ptr().cast(), frame.len() / 2) }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and not handed out beyond the life of `self`.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

/// How many bytes a pool has at least: more than any cache of this machine holds.
#[must_use]
pub fn pool_bytes() -> usize {
    MIN_POOL_BYTES.max(POOL_IN_CACHES * last_level_cache().unwrap_or(0))
}

/// Bytes of the last-level cache, where the system says so.
#[cfg(target_os = "linux")]
fn last_level_cache() -> Option<usize> {
    let sizes = (0..8).filter_map(|index| {
        let size = std::fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size")).ok()?;
        kib(&size)
    });
    sizes.max().map(|kib| kib << 10)
}

/// A size as Linux writes that of a cache.
#[cfg(target_os = "linux")]
fn kib(size: &str) -> Option<usize> {
    size.trim().strip_suffix('K')?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn last_level_cache() -> Option<usize> {
    None
}

#[cfg(target_os = "linux")]
fn advise(memory: NonNull<u8>, n_bytes: usize, pages: Pages) {
    let advice = match pages {
        Pages::Small => libc::MADV_NOHUGEPAGE,
        Pages::Huge => libc::MADV_HUGEPAGE,
    };
    // SAFETY: the range is this pool's own allocation, and the advice does not change its content. Where the kernel
    // refuses, all contestants have the same pages still.
    unsafe { libc::madvise(memory.as_ptr().cast(), n_bytes, advice) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: NonNull<u8>, _: usize, _: Pages) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_size_of_a_cache_is_read() {
        assert_eq!(["266240K\n", "48K", "", "1M"].map(kib), [Some(266_240), Some(48), None, None]);
        assert!(pool_bytes() >= POOL_IN_CACHES * last_level_cache().unwrap_or(0) && pool_bytes() >= MIN_POOL_BYTES);
    }

    #[test]
    fn slots_do_not_overlap() {
        let mut pool = Pool::of_bytes(1 << 20, 5000, Pages::Small);
        assert!(pool.n_slots() * 8192 >= 1 << 20);
        pool.frame_mut(1).fill(1);
        assert!(pool.frame(0).iter().chain(pool.frame(2)).all(|byte| *byte == 0));
        assert!(pool.frame(1).iter().all(|byte| *byte == 1));
    }
}
