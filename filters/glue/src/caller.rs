//! Which HDF5 library is calling, and what it offers.
//!
//! An address in a library leads to the library, opened again without loading anything. A symbol counts only if it
//! lies in that very module: a look-up also searches what the module depends on, and, for a program, everything that
//! is loaded, where another HDF5 may be.

use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

#[cfg(unix)]
#[path = "caller/unix.rs"]
mod os;
#[cfg(windows)]
#[path = "caller/windows.rs"]
mod os;

pub(crate) use os::pin;

/// An address in the code that called a plugin; null where it could not be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(*const c_void);

impl Caller {
    pub(crate) fn at(return_address: *const c_void) -> Self {
        Self(return_address)
    }

    /// Where the plugin was called from, as a number.
    pub(crate) fn address(self) -> usize {
        self.0 as usize
    }

    /// The module that holds the caller, kept loaded as long as the value lives.
    pub(crate) fn module(self) -> Option<Module> {
        let address = NonNull::new(self.0.cast_mut())?;
        os::Module::containing(address).map(Module)
    }
}

/// A loaded library or program.
pub(crate) struct Module(os::Module);

impl Module {
    /// The address of what this module, and no other, exports under `name`.
    pub(crate) fn symbol(&self, name: &CStr) -> Option<NonNull<c_void>> {
        self.0.symbol(name)
    }

    /// The address of `name` in the main program, where this module's own may have been moved to: a program that
    /// names a library's variable gets the variable itself, and the library uses it there.
    pub(crate) fn program_symbol(name: &CStr) -> Option<NonNull<c_void>> {
        os::Module::program()?.symbol(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_library_is_found_from_an_address_in_it() {
        let caller = Caller::at((libc::malloc as *const ()).cast());
        let module = caller.module().expect("the C library is a module");
        assert_eq!(module.symbol(c"calloc").map(|p| p.as_ptr() as usize), Some(libc::calloc as *const () as usize));
        assert!(module.symbol(c"H5Pmodify_filter").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbol_of_another_module_does_not_count() {
        let here = Caller::at(a_symbol_of_another_module_does_not_count as *const c_void);
        let module = here.module().expect("the test program is a module");
        assert!(module.symbol(c"malloc").is_none(), "malloc is the C library's, though the program's look-up finds it");
    }

    #[test]
    fn no_address_is_no_module() {
        assert!(Caller::at(core::ptr::null()).module().is_none());
        assert!(Caller::at(core::ptr::dangling()).module().is_none());
    }
}
