//! Status codes, the message of the last failure, and the boundary that no panic crosses.

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use darkchunk_core::Error as Codec;
use darkchunk_hdf5::Error;
use darkchunk_stream::Error as Reading;

/// `dc_status`, as C has it.
pub(crate) type Status = c_int;

const OK: Status = 0;
const NULL: Status = 1;
const ARGUMENT: Status = 2;
const BUFFER_SIZE: Status = 3;
const DAMAGED: Status = 4;
const WRONG_SIZE: Status = 5;
const TOO_BRIGHT: Status = 6;
const UNSUPPORTED: Status = 7;
const HDF5: Status = 8;
const NOT_STORED: Status = 9;
const PANIC: Status = 10;
const NOT_TAKEN: Status = 11;
const MISSING: Status = 12;
const READ: Status = 13;
const OTHER: Status = 99;

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A pointer that must not be null is.
    Null(String),
    /// An argument that means nothing.
    Argument(String),
    /// What the library says.
    Library(Error),
    /// What the reader or the recorder says.
    Reading(Reading),
}

impl From<Reading> for Failure {
    fn from(error: Reading) -> Self {
        match error {
            Reading::Hdf5(error) => Self::Library(error),
            Reading::Argument(message) => Self::Argument(message),
            error => Self::Reading(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<Codec> for Failure {
    fn from(error: Codec) -> Self {
        Self::Library(error.into())
    }
}

impl Failure {
    fn null(what: impl Display) -> Self {
        Self::Null(what.to_string())
    }

    fn status(&self) -> Status {
        match self {
            Self::Null(_) => NULL,
            Self::Argument(_) => ARGUMENT,
            Self::Library(Error::Codec(error)) => codec_status(error),
            Self::Library(Error::Hdf5 { .. } | Error::TooLong { .. }) => HDF5,
            Self::Library(Error::NotStored { .. } | Error::NotAbandoned { .. }) => NOT_STORED,
            Self::Library(Error::NotTaken { .. }) => NOT_TAKEN,
            Self::Library(
                Error::Unsupported(_)
                | Error::MissingFunction { .. }
                | Error::NoLibrary { .. }
                | Error::NameTaken { .. }
                | Error::ReadOnly
                | Error::Parallel
                | Error::InUse { .. }
                | Error::OpenTwice { .. }
                | Error::Resized { .. }
                | Error::FrameLimit { .. },
            ) => UNSUPPORTED,
            Self::Reading(Reading::Chunk { source, .. }) => codec_status(source),
            Self::Reading(Reading::Missing { .. }) => MISSING,
            Self::Reading(Reading::Read { .. }) => READ,
            Self::Reading(Reading::Index { .. }) => UNSUPPORTED,
            Self::Reading(Reading::Forked | Reading::Finished) => ARGUMENT,
            Self::Library(_) | Self::Reading(_) => OTHER,
        }
    }

    /// Whether what the call was about was taken, and is held.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Library(Error::NotStored { .. }))
    }

    fn message(&self) -> String {
        match self {
            Self::Null(what) => format!("{what} is NULL"),
            Self::Argument(message) => message.clone(),
            Self::Library(error) => error.to_string(),
            Self::Reading(error) => error.to_string(),
        }
    }
}

fn codec_status(error: &Codec) -> Status {
    match error {
        Codec::Parameter { .. } => ARGUMENT,
        Codec::OutputTooSmall { .. } | Codec::BufferSize { .. } => BUFFER_SIZE,
        Codec::Truncated { .. } | Codec::Corrupt { .. } | Codec::Checksum { .. } => DAMAGED,
        Codec::WrongSize { .. } => WRONG_SIZE,
        Codec::TooBright { .. } => TOO_BRIGHT,
        Codec::Argument(_) | Codec::Unsupported(_) | Codec::SizeUnknown | Codec::NoMemory { .. } => UNSUPPORTED,
        _ => OTHER,
    }
}

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

fn remember(message: String) {
    // A message with a null byte in it (a name from a file) is cut there.
    let bytes: Vec<u8> = message.into_bytes().into_iter().take_while(|byte| *byte != 0).collect();
    let message = CString::new(bytes).unwrap_or_default();
    // A thread that is ending has no message any more, and nobody to read it.
    let _ = MESSAGE.try_with(|last| *last.borrow_mut() = message);
}

/// Runs the body of a C function.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> Status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => OK,
        Ok(Err(failure)) => {
            remember(failure.message());
            failure.status()
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            remember(format!("darkchunk has a bug: {text}"));
            PANIC
        }
    }
}

/// Refuses a null pointer.
pub(crate) fn require<T>(pointer: *const T, what: impl Display) -> Result<(), Failure> {
    if pointer.is_null() { Err(Failure::null(what)) } else { Ok(()) }
}

/// What a pointer refers to.
///
/// # Safety
/// `pointer` is null, or refers to a `T` that lives through `'a` and is not changed meanwhile.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T, what: &'static str) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| Failure::null(what))
}

/// What a pointer refers to, to be changed.
///
/// # Safety
/// `pointer` is null, or refers to a `T` that lives through `'a` and is used by nobody else meanwhile.
pub(crate) unsafe fn reference_mut<'a, T>(pointer: *mut T, what: &'static str) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| Failure::null(what))
}

/// The `n` values at a pointer, which may be null where there are none.
///
/// # Safety
/// `pointer` is null, or refers to `n` values of `T` that live through `'a` and are not changed meanwhile.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, n: usize, what: impl Display) -> Result<&'a [T], Failure> {
    check_slice(pointer, n, what)?;
    if n == 0 {
        return Ok(&[]);
    }
    // SAFETY: the caller's promise; not null, aligned and not longer than memory, as was just checked.
    Ok(unsafe { std::slice::from_raw_parts(pointer, n) })
}

/// The `n` values at a pointer, to be changed.
///
/// # Safety
/// As [`slice`], and nobody else uses them meanwhile.
pub(crate) unsafe fn slice_mut<'a, T>(pointer: *mut T, n: usize, what: impl Display) -> Result<&'a mut [T], Failure> {
    check_slice(pointer, n, what)?;
    if n == 0 {
        return Ok(&mut []);
    }
    // SAFETY: the caller's promise; not null, aligned and not longer than memory, as was just checked.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, n) })
}

fn check_slice<T>(pointer: *const T, n: usize, what: impl Display) -> Result<(), Failure> {
    if n == 0 {
        return Ok(());
    }
    require(pointer, &what)?;
    if !pointer.is_aligned() {
        return Err(Failure::Argument(format!("{what} is not aligned to {} bytes", align_of::<T>())));
    }
    match n.checked_mul(size_of::<T>()).and_then(|n_bytes| isize::try_from(n_bytes).ok()) {
        Some(_) => Ok(()),
        None => Err(Failure::Argument(format!("{what} cannot have {n} elements"))),
    }
}

/// A C string that must be UTF-8.
///
/// # Safety
/// `pointer` is null, or a C string that lives through `'a` and is not changed meanwhile.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &'static str) -> Result<&'a str, Failure> {
    require(pointer, what)?;
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Failure::Argument(format!("{what} is not UTF-8")))
}

/// Writes an output.
///
/// # Safety
/// `pointer` is null, or may be written a `T`.
pub(crate) unsafe fn set<T>(pointer: *mut T, value: T, what: &'static str) -> Result<(), Failure> {
    require(pointer, what)?;
    // SAFETY: the caller's promise.
    unsafe { pointer.write(value) };
    Ok(())
}

/// Writes the parameters of a filter, where there is room for them.
///
/// # Safety
/// `values` is null or may be written `capacity` numbers; `n_values` as of [`set`].
pub(crate) unsafe fn set_values(
    found: &[u32],
    values: *mut u32,
    capacity: usize,
    n_values: *mut usize,
) -> Result<(), Failure> {
    if capacity < found.len() {
        return Err(Codec::OutputTooSmall { needed: 4 * found.len(), available: 4 * capacity }.into());
    }
    // SAFETY: the caller's promise.
    let out = unsafe { slice_mut(values, found.len(), "values") }?;
    // SAFETY: the caller's promise.
    unsafe { set(n_values, found.len(), "n_values") }?;
    out.copy_from_slice(found);
    Ok(())
}

/// Ends an object, if there is one.
///
/// # Safety
/// `object` is null, or was made by this library with [`Box::into_raw`] and is not used again.
pub(crate) unsafe fn free<T>(object: *mut T) {
    if !object.is_null() {
        guard(|| {
            // SAFETY: the caller's promise.
            drop(unsafe { Box::from_raw(object) });
            Ok(())
        });
    }
}

/// Message of the last failure on this thread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dc_last_error() -> *const c_char {
    MESSAGE.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

/// The library's version.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dc_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}

/// The name of the instruction sets that are used.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dc_level() -> *const c_char {
    use darkchunk_core::cpu::{Isa, Level};
    match Level::current().isa() {
        Isa::Neon => c"neon",
        Isa::Sse41 => c"sse41",
        Isa::Avx2 => c"avx2",
        Isa::Avx512 => c"avx512",
        _ => c"scalar",
    }
    .as_ptr()
}
