//! Modules by `GetModuleHandleEx` and `GetProcAddress`.

#![allow(unsafe_code)]

use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use windows_sys::Win32::Foundation::{FreeLibrary, HMODULE};
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW, GetProcAddress,
};

/// A module, held open.
pub(super) struct Module(HMODULE);

impl Module {
    /// The module whose memory holds `address`.
    pub(super) fn containing(address: NonNull<c_void>) -> Option<Self> {
        handle(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, address.as_ptr()).map(Self)
    }

    /// The main program.
    pub(super) fn program() -> Option<Self> {
        handle(0, core::ptr::null()).map(Self)
    }

    pub(super) fn symbol(&self, name: &CStr) -> Option<NonNull<c_void>> {
        // SAFETY: the module is held open by `self`.
        let address = unsafe { GetProcAddress(self.0, name.as_ptr().cast()) }?;
        NonNull::new(address as *mut c_void)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: opened in `handle`, and closed once.
        unsafe { FreeLibrary(self.0) };
    }
}

/// Keeps this library loaded for good.
pub(crate) fn pin() {
    handle(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, pin as fn() as *const c_void);
}

fn handle(flags: u32, address: *const c_void) -> Option<HMODULE> {
    let mut module: HMODULE = core::ptr::null_mut();
    // SAFETY: with FROM_ADDRESS any address may be given, without it null is the program; `module` takes the answer.
    let found = unsafe { GetModuleHandleExW(flags, address.cast(), &raw mut module) };
    (found != 0 && !module.is_null()).then_some(module)
}
