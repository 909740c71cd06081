//! Why a plugin refused, said on the error stack of the HDF5 that is calling.
//!
//! HDF5 itself would say no more than "error during user callback". What is pushed here is the innermost entry of the
//! stack, the one that Python wrappers show and that tools print first.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ffi::CString;

use crate::abi::Hid;
use crate::caller::{Caller, Module};

type Push = unsafe extern "C" fn(Hid, *const c_char, *const c_char, c_uint, Hid, Hid, Hid, *const c_char, ...) -> c_int;

/// `H5E_DEFAULT`: the calling thread's stack.
const CURRENT_STACK: Hid = 0;

/// Puts `text` on the caller's error stack, where the caller has one; otherwise it is lost.
pub(crate) fn push(caller: Caller, filter: &str, function: &CStr, text: &str) {
    let _ = caller.module().and_then(|module| push_to(&module, filter, function, text));
}

fn push_to(module: &Module, filter: &str, function: &CStr, text: &str) -> Option<()> {
    let address = module.symbol(c"H5Epush2")?;
    // SAFETY: the function of this name has this type since HDF5 1.10; before, identifiers were shorter, and the
    // variables read below do not exist.
    let push = unsafe { core::mem::transmute::<*mut c_void, Push>(address.as_ptr()) };
    let class = identifier(module, c"H5E_ERR_CLS_g")?;
    let major = identifier(module, c"H5E_PLINE_g")?;
    let minor = identifier(module, c"H5E_CANTFILTER_g")?;
    let text = CString::new(format!("{filter}: {text}").replace('\0', " ")).ok()?;
    let (format, file) = (c"%s".as_ptr(), c"darkchunk".as_ptr());
    // SAFETY: all strings end in NUL and live until HDF5 has copied them; the format takes the one string that follows.
    unsafe { push(CURRENT_STACK, file, function.as_ptr(), 0, class, major, minor, format, text.as_ptr()) };
    Some(())
}

/// The value of one of HDF5's variables that hold an identifier.
fn identifier(module: &Module, name: &CStr) -> Option<Hid> {
    let read = |address: core::ptr::NonNull<c_void>| {
        // SAFETY: the variable of this name is a `hid_t` that is set when the library starts, and it is aligned as one.
        unsafe { address.cast::<Hid>().read() }
    };
    let valid = |id: &Hid| *id > 0;
    // A program that names the variable has it in its own memory, and the library's place for it stays unset.
    module.symbol(name).map(read).filter(valid).or_else(|| Module::program_symbol(name).map(read).filter(valid))
}
