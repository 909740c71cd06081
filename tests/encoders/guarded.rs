//! Buffers with an inaccessible page on each side: a read or write of one byte too many ends the test.

use std::ptr::NonNull;

/// The pages. `T` is a plain integer.
pub(crate) struct Guarded<T> {
    map: NonNull<u8>,
    page_bytes: usize,
    n_bytes: usize,
    element: std::marker::PhantomData<T>,
}

impl<T: Copy> Guarded<T> {
    /// Room for at least `n` elements.
    pub(crate) fn new(n: usize) -> Self {
        // SAFETY: asks for a number.
        let page_bytes = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
        let n_bytes = (n * size_of::<T>()).next_multiple_of(page_bytes).max(page_bytes);
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping overlaps nothing.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), n_bytes + 2 * page_bytes, protection, flags, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        for at in [0, page_bytes + n_bytes] {
            // SAFETY: both pages lie within the mapping, and nothing refers to them.
            let done = unsafe { libc::mprotect(map.wrapping_byte_add(at), page_bytes, libc::PROT_NONE) };
            assert_eq!(done, 0);
        }
        Self { map: NonNull::new(map.cast()).unwrap(), page_bytes, n_bytes, element: std::marker::PhantomData }
    }

    /// `data`, copied to end directly before the page after.
    pub(crate) fn at_end(&mut self, data: &[T]) -> &mut [T] {
        self.put(self.n_bytes - size_of_val(data), data)
    }

    /// `data`, copied to begin directly after the page before.
    pub(crate) fn at_start(&mut self, data: &[T]) -> &mut [T] {
        self.put(0, data)
    }

    fn put(&mut self, at: usize, data: &[T]) -> &mut [T] {
        assert!(at + size_of_val(data) <= self.n_bytes);
        // SAFETY: the offset is within the mapping.
        let start = unsafe { self.map.as_ptr().add(self.page_bytes + at) }.cast::<T>();
        // SAFETY: `start` begins as many accessible bytes as `data` has, and is aligned, for `at` is 0 or n_bytes less
        // whole elements; the borrow of `self` makes it the only reference.
        let placed = unsafe { std::slice::from_raw_parts_mut(start, data.len()) };
        placed.copy_from_slice(data);
        placed
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: it is the mapping of `new`, and borrows of it have ended.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.n_bytes + 2 * self.page_bytes) };
    }
}
