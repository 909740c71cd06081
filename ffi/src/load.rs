//! An HDF5 that is found at run time.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;

use darkchunk_hdf5::{Api, load};

use crate::status::{Failure, Status, guard, require, text};

/// Bytes of the table.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dc_hdf5_size() -> usize {
    size_of::<Api>()
}

/// Fills the table of an HDF5: of `handle`, of the file `path`, or of the first that is found.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_hdf5_load(path: *const c_char, handle: *mut c_void, hdf5: *mut Api) -> Status {
    guard(|| {
        require(hdf5, "hdf5")?;
        let loaded = match (path.is_null(), NonNull::new(handle)) {
            (true, None) => load::find(),
            // SAFETY: promised by the caller.
            (true, Some(handle)) => unsafe { load::of_handle(handle) },
            (false, None) => {
                // SAFETY: promised by the caller.
                let path = unsafe { text(path, "path") }?;
                // SAFETY: promised by the caller.
                unsafe { load::open(Path::new(path)) }
            }
            (false, Some(_)) => return Err(Failure::Argument("give path or handle, not both".into())),
        }?;
        // SAFETY: promised by the caller.
        unsafe { give(loaded.api(), hdf5) };
        Ok(())
    })
}

/// Writes as much of the table as the caller's has, and leaves the caller's size.
///
/// # Safety
/// `hdf5` begins with its size, and has as many bytes.
unsafe fn give(api: &Api, hdf5: *mut Api) {
    // SAFETY: the caller's promise.
    let known = unsafe { hdf5.cast::<usize>().read_unaligned() };
    let from = size_of::<usize>();
    let n_bytes = known.min(size_of::<Api>()).saturating_sub(from);
    // SAFETY: the table has as many bytes.
    let source = unsafe { std::ptr::from_ref(api).cast::<u8>().add(from) };
    // SAFETY: as the caller's has.
    let place = unsafe { hdf5.cast::<u8>().add(from) };
    // SAFETY: both have `n_bytes` after the size; they are different objects.
    unsafe { source.copy_to_nonoverlapping(place, n_bytes) };
}
