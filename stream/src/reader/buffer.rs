//! Memory, and what the system is told of reads to come.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed};
use std::fs::File;

use darkchunk::{Error, Result};

/// A type of which all bytes may be zero.
///
/// # Safety
/// A value of zeros is one of its values.
pub(crate) unsafe trait Zero: Copy {}

// SAFETY: a number.
unsafe impl Zero for u8 {}
// SAFETY: a number.
unsafe impl Zero for u32 {}
// SAFETY: a number.
unsafe impl Zero for u64 {}
// SAFETY: numbers.
unsafe impl Zero for [u64; 2] {}

/// Zeros that take no memory before they are written, so that a chunk which claims to be large and does not decode costs
/// nothing.
pub(super) fn zeroed(n_bytes: usize) -> Result<Vec<u8>> {
    zeros(n_bytes)
}

/// The same, of any such type.
pub(crate) fn zeros<T: Zero>(n: usize) -> Result<Vec<T>> {
    let none = || Error::NoMemory { n_bytes: n.saturating_mul(size_of::<T>()) };
    if n == 0 {
        return Ok(Vec::new());
    }
    let layout = Layout::array::<T>(n).map_err(|_| none())?;
    // SAFETY: the layout has a size: no type of `Zero` is empty.
    let values = unsafe { alloc_zeroed(layout) };
    if values.is_null() {
        return Err(none());
    }
    // SAFETY: allocated just now, with this layout, all of it zeros, which are values of the type.
    Ok(unsafe { Vec::from_raw_parts(values.cast(), n, n) })
}

/// Tells the system that these bytes of a file will be read soon.
#[cfg(target_os = "linux")]
pub(super) fn will_need(file: &File, address: u64, n_bytes: u64) {
    use std::os::fd::AsRawFd;
    let (Ok(address), Ok(n_bytes)) = (i64::try_from(address), i64::try_from(n_bytes)) else { return };
    // SAFETY: an open descriptor; whatever the numbers are, nothing but time depends on the call.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), address, n_bytes, libc::POSIX_FADV_WILLNEED) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn will_need(_file: &File, _address: u64, _n_bytes: u64) {}
