//! The command `darkchunk`, for the Python package, which has no program of its own.

#![allow(unsafe_code)]

use std::ffi::{OsString, c_char, c_int};
use std::io::Write;

use crate::status::{Failure, Status, guard, require, set, slice};

/// Runs the command with these arguments, the program's name first, and gives its exit code.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_command(
    n_arguments: usize,
    arguments: *const *const c_char,
    code: *mut c_int,
) -> Status {
    guard(|| {
        require(code, "code")?;
        // SAFETY: promised by the caller.
        let pointers = unsafe { slice(arguments, n_arguments, "arguments") }?;
        // SAFETY: promised by the caller of each of them.
        let words = pointers.iter().map(|&pointer| unsafe { word(pointer) }).collect::<Result<Vec<_>, _>>()?;
        let found = darkchunk_cli::run(words);
        // Rust's own buffer of it is emptied only where a Rust program ends.
        let _ = std::io::stdout().flush();
        // SAFETY: promised by the caller.
        unsafe { set(code, c_int::from(found), "code") }
    })
}

/// An argument, which may be the name of a file that is no UTF-8.
///
/// # Safety
/// `pointer` is null, or a C string that is not changed meanwhile.
#[cfg(unix)]
unsafe fn word(pointer: *const c_char) -> Result<OsString, Failure> {
    use std::os::unix::ffi::OsStringExt;
    require(pointer, "an argument")?;
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::ffi::CStr::from_ptr(pointer) };
    Ok(OsString::from_vec(bytes.to_bytes().to_vec()))
}

/// An argument.
///
/// # Safety
/// `pointer` is null, or a C string that is not changed meanwhile.
#[cfg(not(unix))]
unsafe fn word(pointer: *const c_char) -> Result<OsString, Failure> {
    // SAFETY: the caller's promise.
    let text = unsafe { crate::status::text(pointer, "an argument") }?;
    Ok(text.into())
}
