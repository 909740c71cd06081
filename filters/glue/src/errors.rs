//! Why a plugin refused, said on the error stack of the HDF5 that is calling.
//!
//! HDF5 itself would say no more than "error during user callback". What is pushed here is the innermost entry of the
//! stack, the one that Python wrappers show and that tools print first.
//!
//! From 1.14.5 on HDF5 pauses its stack while it calls a filter for writing, and drops what is pushed meanwhile, as the
//! failure of an optional filter is none. For a mandatory one the text goes on a stack of its own, which then becomes
//! the current one.

#![allow(unsafe_code)]

use core::ffi::{CStr, c_void};
use std::ffi::CString;

use darkchunk_hdf5_abi::constants::H5E_DEFAULT;
use darkchunk_hdf5_abi::{Hid, PushFn};

use crate::caller::{Caller, Module};
use crate::functions::function;
use crate::host;

/// Puts `text` on the caller's error stack, where the caller is HDF5 1.10 or later and shows its functions; otherwise it is lost.
pub(crate) fn push(caller: Caller, filter: &str, function: &CStr, text: &str) {
    // What a filter is called may go on to explain itself.
    let name = filter.split([':', ';']).next().unwrap_or(filter);
    let text = format!("{name}: {text}").replace('\0', " ");
    let _ = CString::new(text).ok().and_then(|text| {
        let module = caller.module().filter(host::is_known)?;
        if is_paused(&module) {
            push_past_pause(&module, function, &text)
        } else {
            push_to(&module, H5E_DEFAULT, function, &text)
        }
    });
}

fn push_to(module: &Module, stack: Hid, function: &CStr, text: &CStr) -> Option<()> {
    let address = module.symbol(c"H5Epush2")?;
    // SAFETY: the function of this name has this type since HDF5 1.10, and the library is no older.
    let push = unsafe { core::mem::transmute::<*mut c_void, PushFn>(address.as_ptr()) };
    let class = identifier(module, c"H5E_ERR_CLS_g")?;
    let major = identifier(module, c"H5E_PLINE_g")?;
    let minor = identifier(module, c"H5E_CANTFILTER_g")?;
    let (format, file) = (c"%s".as_ptr(), c"darkchunk".as_ptr());
    // SAFETY: all strings end in NUL and live until HDF5 has copied them; the format takes the one string that follows.
    unsafe { push(stack, file, function.as_ptr(), 0, class, major, minor, format, text.as_ptr()) };
    Some(())
}

/// Whether what is pushed now would be dropped.
fn is_paused(module: &Module) -> bool {
    let Some(ask) = function!(module, H5Eis_paused) else { return false };
    let mut is_paused = false;
    // SAFETY: a place for the answer, which is 0 or 1.
    let status = unsafe { ask(H5E_DEFAULT, &raw mut is_paused) };
    status >= 0 && is_paused
}

fn push_past_pause(module: &Module, function: &CStr, text: &CStr) -> Option<()> {
    let create = function!(module, H5Ecreate_stack)?;
    let set_current = function!(module, H5Eset_current_stack)?;
    // SAFETY: it takes nothing.
    let stack = unsafe { create() };
    if stack < 0 {
        return None;
    }
    let pushed = push_to(module, stack, function, text);
    // SAFETY: the stack was made above, and is closed by this.
    unsafe { set_current(stack) };
    pushed
}

/// The value of one of HDF5's variables that hold an identifier.
fn identifier(module: &Module, name: &CStr) -> Option<Hid> {
    let read = |address: core::ptr::NonNull<c_void>| {
        // SAFETY: the variable of this name is a `hid_t`, of 64 bits since HDF5 1.10, that is set when the library starts, and it
        // is aligned as one.
        unsafe { address.cast::<Hid>().read() }
    };
    let valid = |id: &Hid| *id > 0;
    // A program that names the variable has it in its own memory, and the library's place for it stays unset.
    module.symbol(name).map(read).filter(valid).or_else(|| Module::program_symbol(name).map(read).filter(valid))
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests;
