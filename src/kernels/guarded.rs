//! Test buffers between two pages that may not be touched: one byte read or written too far ends the test run.

#![allow(unsafe_code)]

/// Bytes at the very start or the very end of memory whose neighbours are out of bounds.
pub(crate) struct Guarded {
    map: *mut u8,
    map_bytes: usize,
    page_bytes: usize,
}

impl Guarded {
    /// Room for `n_bytes`, in whole pages.
    pub(crate) fn new(n_bytes: usize) -> Self {
        // A multiple of every page size in use.
        let page_bytes = 1 << 16;
        let map_bytes = (n_bytes.div_ceil(page_bytes).max(1) + 2) * page_bytes;
        let (access, kind) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping touches no memory that exists.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), map_bytes, access, kind, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        let map: *mut u8 = map.cast();
        let (inner, access) = (map.wrapping_add(page_bytes), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: the inner pages are part of the mapping just made.
        let status = unsafe { libc::mprotect(inner.cast(), map_bytes - 2 * page_bytes, access) };
        assert_eq!(status, 0);
        Self { map, map_bytes, page_bytes }
    }

    /// The first `n_bytes`, or the last.
    pub(crate) fn bytes(&mut self, n_bytes: usize, at_end: bool) -> &mut [u8] {
        let room = self.map_bytes - 2 * self.page_bytes;
        let start = self.page_bytes + if at_end { room - n_bytes } else { 0 };
        assert!(n_bytes <= room);
        // SAFETY: the range lies in the readable and writable pages, which are zeroed, and `self` is borrowed for it.
        unsafe { std::slice::from_raw_parts_mut(self.map.wrapping_add(start), n_bytes) }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing borrows it any more.
        unsafe { libc::munmap(self.map.cast(), self.map_bytes) };
    }
}
