//! Modules by `dladdr`, `dlopen` without loading, and `dlsym`.

#![allow(unsafe_code)]

use core::ffi::{CStr, c_void};
use core::mem::MaybeUninit;
use core::ptr::NonNull;

/// A module, held open.
pub(super) struct Module {
    handle: NonNull<c_void>,
    base: *mut c_void,
}

impl Module {
    /// The module whose memory holds `address`.
    pub(super) fn containing(address: NonNull<c_void>) -> Option<Self> {
        let found = describe(address)?;
        // The main program's name is what it was started as, which need not lead to it: null does. Should that open the
        // wrong module, no symbol of it has the right base.
        let handle = open(found.dli_fname).or_else(|| open(core::ptr::null()))?;
        Some(Self { handle, base: found.dli_fbase })
    }

    /// The main program.
    pub(super) fn program() -> Option<ProgramModule> {
        open(core::ptr::null()).map(|handle| ProgramModule { handle })
    }

    pub(super) fn symbol(&self, name: &CStr) -> Option<NonNull<c_void>> {
        let address = look_up(self.handle, name)?;
        (describe(address)?.dli_fbase == self.base).then_some(address)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        close(self.handle);
    }
}

/// The main program: what it exports comes first in its own look-up.
pub(super) struct ProgramModule {
    handle: NonNull<c_void>,
}

impl ProgramModule {
    pub(super) fn symbol(&self, name: &CStr) -> Option<NonNull<c_void>> {
        look_up(self.handle, name)
    }
}

impl Drop for ProgramModule {
    fn drop(&mut self) {
        close(self.handle);
    }
}

/// Keeps this library loaded for good. On Linux the linker has been told so already; here is for the others.
pub(crate) fn pin() {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    if let Some(found) = NonNull::new(pin as fn() as *mut c_void).and_then(describe) {
        // SAFETY: `dli_fname` is a C string that lives as long as the module, which is this one.
        unsafe { libc::dlopen(found.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
    }
}

fn describe(address: NonNull<c_void>) -> Option<libc::Dl_info> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `dladdr` takes any address, and `info` is a place for its answer.
    let found = unsafe { libc::dladdr(address.as_ptr(), info.as_mut_ptr()) };
    // SAFETY: a result other than 0 says that `info` has been filled in.
    (found != 0).then(|| unsafe { info.assume_init() })
}

fn open(path: *const libc::c_char) -> Option<NonNull<c_void>> {
    // SAFETY: `path` is null or the name `dladdr` gave; with RTLD_NOLOAD nothing is loaded and nothing is run.
    NonNull::new(unsafe { libc::dlopen(path, libc::RTLD_LAZY | libc::RTLD_NOLOAD) })
}

fn look_up(handle: NonNull<c_void>, name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: `handle` is open.
    NonNull::new(unsafe { libc::dlsym(handle.as_ptr(), name.as_ptr()) })
}

fn close(handle: NonNull<c_void>) {
    // SAFETY: `handle` is open and closed once. The module stays: someone else loaded it, and is running in it.
    unsafe { libc::dlclose(handle.as_ptr()) };
}
