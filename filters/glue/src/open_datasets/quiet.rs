//! HDF5 kept from printing while it is asked, with the program's own function for errors put back whatever happens.

#![allow(unsafe_code)]

use core::ffi::c_void;
use core::ptr::null_mut;

use darkchunk_hdf5_abi::constants::H5E_DEFAULT;
use darkchunk_hdf5_abi::{PrintFn, PrintFn1};

use crate::functions::functions;

functions! {
    /// The functions of the error stack.
    pub(super) struct Errors {
        H5Eauto_is_v2,
        H5Eget_auto2,
        H5Eset_auto2,
        H5Eclear2,
        ; optional:
        /// Not where HDF5 was built without what is deprecated: then no program has set such a function.
        H5Eget_auto1,
        H5Eset_auto1,
    }
}

/// The function that the program has set for errors, and its argument.
#[derive(Clone, Copy)]
enum Handler {
    /// As HDF5 1.6 had it.
    V1(Option<PrintFn1>, *mut c_void),
    V2(Option<PrintFn>, *mut c_void),
}

impl Handler {
    fn prints(self) -> bool {
        matches!(self, Self::V1(Some(_), _) | Self::V2(Some(_), _))
    }

    fn silent(self) -> Self {
        match self {
            Self::V1(_, data) => Self::V1(None, data),
            Self::V2(_, data) => Self::V2(None, data),
        }
    }
}

impl Errors {
    fn handler(&self) -> Option<Handler> {
        let (mut is_v2, mut data) = (0, null_mut());
        // SAFETY: a place for one number.
        let status = unsafe { (self.H5Eauto_is_v2)(H5E_DEFAULT, &raw mut is_v2) };
        if status < 0 {
            return None;
        }
        if is_v2 != 0 {
            let mut print = None;
            // SAFETY: places for a function and its argument.
            let status = unsafe { (self.H5Eget_auto2)(H5E_DEFAULT, &raw mut print, &raw mut data) };
            return (status >= 0).then_some(Handler::V2(print, data));
        }
        let mut print = None;
        // SAFETY: places for a function and its argument.
        let status = unsafe { self.H5Eget_auto1?(&raw mut print, &raw mut data) };
        (status >= 0).then_some(Handler::V1(print, data))
    }

    fn set_handler(&self, handler: Handler) -> Option<()> {
        let status = match handler {
            // SAFETY: none, or the one that was set before, with its argument.
            Handler::V1(print, data) => unsafe { self.H5Eset_auto1?(print, data) },
            // SAFETY: none, or the one that was set before, with its argument.
            Handler::V2(print, data) => unsafe { (self.H5Eset_auto2)(H5E_DEFAULT, print, data) },
        };
        (status >= 0).then_some(())
    }
}

/// The time in which HDF5 prints nothing. It ends with an empty error stack and the program's function as it was, also where a
/// panic ends it.
pub(super) struct Quiet<'a> {
    errors: &'a Errors,
    /// What is to be put back.
    handler: Option<Handler>,
}

impl<'a> Quiet<'a> {
    pub(super) fn new(errors: &'a Errors) -> Option<Self> {
        // Where none is set nothing prints, and setting none could hide one that is set in the other way.
        let handler = Some(errors.handler()?).filter(|handler| handler.prints());
        if let Some(handler) = handler {
            errors.set_handler(handler.silent())?;
        }
        Some(Self { errors, handler })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // SAFETY: the default stack, which there always is.
        unsafe { (self.errors.H5Eclear2)(H5E_DEFAULT) };
        if let Some(handler) = self.handler {
            self.errors.set_handler(handler);
        }
    }
}

#[cfg(test)]
mod tests;
