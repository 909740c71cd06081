//! Memory, and what the system is told of reads to come.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed};
use std::fs::File;

use darkchunk::{Error, Result};

/// Zeros that take no memory before they are written, so that a chunk which claims to be large and does not decode costs
/// nothing.
pub(super) fn zeroed(n_bytes: usize) -> Result<Vec<u8>> {
    let none = || Error::NoMemory { n_bytes };
    if n_bytes == 0 {
        return Ok(Vec::new());
    }
    let layout = Layout::array::<u8>(n_bytes).map_err(|_| none())?;
    // SAFETY: the layout has a size.
    let bytes = unsafe { alloc_zeroed(layout) };
    if bytes.is_null() {
        return Err(none());
    }
    // SAFETY: allocated just now, with this layout, all of it zeros.
    Ok(unsafe { Vec::from_raw_parts(bytes, n_bytes, n_bytes) })
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
