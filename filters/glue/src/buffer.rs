//! Memory that changes hands with HDF5, and memory that does not.
//!
//! What HDF5 gets, it frees; what it gave, the filter frees. That takes the same allocator on both sides: `malloc` and
//! `free` where a process has one C library, and on Windows, where each library may have its own, HDF5's functions for
//! the purpose. Zeroing memory that a decoder then writes costs up to a quarter of the time of a read; so memory is also to be had
//! with whatever is in it. Decoders write every byte or fail, and what they write does not depend on what was there: the tests
//! and the fuzz targets hold them to it.

#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr::NonNull;
use std::cell::Cell;

use crate::caller::Caller;

/// Makes of new memory, which to the compiler has no values yet, memory with values that nobody knows.
#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
const FREEZE: Option<fn(*mut c_void)> = Some(|memory| {
    // SAFETY: there is no instruction in it. As far as the compiler knows, it has written what `memory` points to.
    unsafe { core::arch::asm!("/* {0} */", in(reg) memory, options(nostack, preserves_flags)) }
});

/// There is no assembler, or somebody watches what is written.
#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
const FREEZE: Option<fn(*mut c_void)> = None;

/// Whether memory that HDF5 allocated can be made larger.
pub(crate) const CAN_GROW: bool = cfg!(unix) && FREEZE.is_some();

/// The allocator that a calling HDF5 shares with its filters.
pub(crate) struct Allocator {
    #[cfg(windows)]
    host: os::Host,
}

impl Allocator {
    pub(crate) fn of(caller: Caller) -> Result<Self, String> {
        #[cfg(windows)]
        return Ok(Self { host: os::Host::of(caller)? });
        #[cfg(not(windows))]
        {
            let _ = caller;
            Ok(Self {})
        }
    }

    /// `n_bytes` zeros.
    pub(crate) fn zeroed(&self, n_bytes: usize) -> Result<Buffer<'_>, String> {
        self.buffer(self.allocate_zeroed(n_bytes.max(1)), n_bytes)
    }

    /// `n_bytes` to be written, with whatever is in them.
    pub(crate) fn to_be_written(&self, n_bytes: usize) -> Result<Buffer<'_>, String> {
        let Some(freeze) = FREEZE else { return self.zeroed(n_bytes) };
        let start = self.allocate(n_bytes.max(1));
        freeze(start);
        self.buffer(start, n_bytes)
    }

    /// The memory at `start`, made one of `n_bytes`: what is after what was there is whatever it is. Only if [`CAN_GROW`].
    ///
    /// # Safety
    /// `start` is memory that this allocator, or the HDF5 it belongs to, has allocated, not larger than `n_bytes`, and nobody
    /// uses it any more; unless there is an error, and then it is as it was.
    pub(crate) unsafe fn grown(&self, start: *mut c_void, n_bytes: usize) -> Result<Buffer<'_>, String> {
        #[cfg(unix)]
        if let Some(freeze) = FREEZE {
            // SAFETY: the caller's promise.
            let grown = unsafe { libc::realloc(start, n_bytes.max(1)) };
            freeze(grown);
            return self.buffer(grown, n_bytes);
        }
        let _ = start;
        Err(format!("no memory for {n_bytes} bytes: a buffer cannot be made larger here"))
    }

    /// A copy of `bytes`.
    pub(crate) fn copy_of(&self, bytes: &[u8]) -> Result<Buffer<'_>, String> {
        let start = self.allocate(bytes.len().max(1));
        if !start.is_null() {
            // SAFETY: new memory of this size.
            unsafe { start.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        }
        self.buffer(start, bytes.len())
    }

    /// The buffer of `n_bytes` that were allocated at `start`, if they were, and have values.
    fn buffer(&self, start: *mut c_void, n_bytes: usize) -> Result<Buffer<'_>, String> {
        NonNull::new(start)
            .map(|start| Buffer { start, n_bytes, allocator: self })
            .ok_or_else(|| format!("no memory for {n_bytes} bytes"))
    }

    #[cfg(not(windows))]
    fn allocate_zeroed(&self, n_bytes: usize) -> *mut c_void {
        // SAFETY: any sizes may be asked for.
        unsafe { libc::calloc(n_bytes, 1) }
    }

    #[cfg(not(windows))]
    fn allocate(&self, n_bytes: usize) -> *mut c_void {
        // SAFETY: any size may be asked for.
        unsafe { libc::malloc(n_bytes) }
    }

    #[cfg(windows)]
    fn allocate_zeroed(&self, n_bytes: usize) -> *mut c_void {
        self.host.allocate(n_bytes, true)
    }

    #[cfg(windows)]
    fn allocate(&self, n_bytes: usize) -> *mut c_void {
        self.host.allocate(n_bytes, false)
    }

    /// Frees what this allocator, or the HDF5 it belongs to, has allocated.
    ///
    /// # Safety
    /// `start` is such memory, and nobody uses it any more.
    pub(crate) unsafe fn free(&self, start: *mut c_void) {
        #[cfg(not(windows))]
        // SAFETY: the caller's promise.
        unsafe {
            libc::free(start);
        }
        #[cfg(windows)]
        // SAFETY: the caller's promise.
        unsafe {
            self.host.free(start);
        }
    }
}

/// Memory for HDF5, freed here unless it is handed over.
pub(crate) struct Buffer<'a> {
    start: NonNull<c_void>,
    n_bytes: usize,
    allocator: &'a Allocator,
}

impl Buffer<'_> {
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: `n_bytes` were allocated and have values, and are borrowed with `self`.
        unsafe { core::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.n_bytes) }
    }

    /// The memory, now HDF5's to free.
    pub(crate) fn hand_over(self) -> *mut c_void {
        let start = self.start.as_ptr();
        core::mem::forget(self);
        start
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        // SAFETY: allocated by this allocator, and gone with `self`.
        unsafe { self.allocator.free(self.start.as_ptr()) };
    }
}

/// The most scratch a thread keeps between chunks.
const KEPT_BYTES: usize = 64 << 20;

/// Lends `n_bytes` of this thread's scratch memory. Its content is zero, or what an earlier chunk left there.
///
/// An encoder needs room for the worst case and fills a hundredth of it: with scratch, HDF5 gets a buffer of the true
/// size, and the rest is neither allocated nor zeroed for each chunk.
pub(crate) fn with_scratch<T>(n_bytes: usize, work: impl FnOnce(&mut [u8]) -> T) -> Result<T, String> {
    thread_local! {
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // Gone at the end of a thread, when its thread-locals are: then it is made anew.
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    if scratch.len() < n_bytes {
        scratch.try_reserve_exact(n_bytes - scratch.len()).map_err(|_| format!("no memory for {n_bytes} bytes"))?;
        scratch.resize(n_bytes, 0);
    }
    let result = work(&mut scratch[..n_bytes]);
    if scratch.len() <= KEPT_BYTES {
        let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    }
    Ok(result)
}

#[cfg(windows)]
mod os {
    use core::ffi::c_void;

    use crate::caller::{Caller, Module};
    use crate::functions::functions;

    functions! {
        struct Functions {
            H5allocate_memory,
            H5free_memory,
        }
    }

    /// The calling HDF5's own allocator.
    pub(super) struct Host {
        functions: Functions,
        _module: Module,
    }

    impl Host {
        pub(super) fn of(caller: Caller) -> Result<Self, String> {
            let module = caller.module().ok_or("the calling HDF5 cannot be found, nor its memory functions")?;
            let functions = Functions::of(&module).ok_or("the calling HDF5 does not export its memory functions")?;
            Ok(Self { functions, _module: module })
        }

        pub(super) fn allocate(&self, n_bytes: usize, zeroed: bool) -> *mut c_void {
            // SAFETY: any size may be asked for; the module is held.
            unsafe { (self.functions.H5allocate_memory)(n_bytes, zeroed) }
        }

        /// # Safety
        /// `start` comes from this HDF5, and nobody uses it any more.
        pub(super) unsafe fn free(&self, start: *mut c_void) {
            // SAFETY: the caller's promise; the module is held.
            unsafe { (self.functions.H5free_memory)(start) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_kept_by_its_thread_and_may_be_lent_twice() {
        let outer = with_scratch(100, |scratch| {
            scratch.fill(7);
            with_scratch(50, |inner| inner.iter().all(|&byte| byte == 0)).unwrap()
        });
        assert_eq!(outer, Ok(true), "lent while lent: another buffer");
        let kept = with_scratch(20, |scratch| (scratch.len(), scratch[0])).unwrap();
        assert_eq!(kept.0, 20);
        assert_eq!(kept.1, 7, "the outer buffer was put back last");
    }

    #[test]
    fn an_absurd_size_is_an_error() {
        assert!(with_scratch(usize::MAX / 2, |_| ()).is_err());
        let allocator = Allocator::of(Caller::at(core::ptr::null())).unwrap();
        assert!(allocator.zeroed(usize::MAX / 2).is_err());
        assert!(allocator.to_be_written(usize::MAX / 2).is_err());
        assert_eq!(allocator.copy_of(&[1, 2, 3]).unwrap().as_mut_slice(), [1, 2, 3]);
        assert!(allocator.zeroed(1000).unwrap().as_mut_slice().iter().all(|&byte| byte == 0));
    }
}
