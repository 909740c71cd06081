//! The two functions HDF5 calls, which learn who is calling.
//!
//! The first thing that happens in a call is that the return address is taken: it lies in the HDF5 library that made
//! the call. Only machine code can do so before a compiler moves things about, hence a few instructions for each
//! architecture; they hand the address on as one more argument and change nothing else. On an architecture without
//! them the caller stays unknown, with the consequences stated in [`crate`].
//!
//! The arguments stay in their registers (System V and AArch64 pass six, respectively eight, in registers; Windows
//! passes four and the rest after 32 bytes of shadow space).

#![allow(unsafe_code)]

use core::ffi::{c_int, c_uint, c_void};

use darkchunk::codec::Codec;

use crate::caller::Caller;
use darkchunk_hdf5_abi::Hid;

/// `H5Z_set_local_func_t`.
///
/// # Safety
/// Called by HDF5 with a dataset creation property list and a datatype.
#[cfg(all(target_arch = "x86_64", not(windows)))]
#[unsafe(naked)]
pub unsafe extern "C" fn set_local<C: Codec>(dcpl: Hid, datatype: Hid, dataspace: Hid) -> c_int {
    core::arch::naked_asm!(
        "mov rcx, qword ptr [rsp]",
        "jmp {then}",
        then = sym set_local_called_from::<C>,
    )
}

/// `H5Z_func_t`.
///
/// # Safety
/// Called by HDF5: `cd_values` holds `cd_nelmts` values, and `*buf` is its buffer of `*buf_size` bytes, from `malloc`.
#[cfg(all(target_arch = "x86_64", not(windows)))]
#[unsafe(naked)]
pub unsafe extern "C" fn filter<C: Codec>(
    flags: c_uint,
    cd_nelmts: usize,
    cd_values: *const c_uint,
    n_bytes: usize,
    buf_size: *mut usize,
    buf: *mut *mut c_void,
) -> usize {
    // The seventh argument goes on the stack; pushing it also makes up the 16 byte alignment a call needs.
    core::arch::naked_asm!(
        "push qword ptr [rsp]",
        "call {then}",
        "add rsp, 8",
        "ret",
        then = sym filter_called_from::<C>,
    )
}

/// `H5Z_set_local_func_t`.
///
/// # Safety
/// Called by HDF5 with a dataset creation property list and a datatype.
#[cfg(all(target_arch = "x86_64", windows))]
#[unsafe(naked)]
pub unsafe extern "C" fn set_local<C: Codec>(dcpl: Hid, datatype: Hid, dataspace: Hid) -> c_int {
    core::arch::naked_asm!(
        "mov r9, qword ptr [rsp]",
        "jmp {then}",
        then = sym set_local_called_from::<C>,
    )
}

/// `H5Z_func_t`.
///
/// # Safety
/// Called by HDF5: `cd_values` holds `cd_nelmts` values, and `*buf` is its buffer of `*buf_size` bytes.
#[cfg(all(target_arch = "x86_64", windows))]
#[unsafe(naked)]
pub unsafe extern "C" fn filter<C: Codec>(
    flags: c_uint,
    cd_nelmts: usize,
    cd_values: *const c_uint,
    n_bytes: usize,
    buf_size: *mut usize,
    buf: *mut *mut c_void,
) -> usize {
    // A frame of 32 bytes shadow space and three arguments; ours begin 40 bytes above the return address's own place.
    core::arch::naked_asm!(
        "sub rsp, 56",
        "mov rax, qword ptr [rsp + 96]",
        "mov qword ptr [rsp + 32], rax",
        "mov rax, qword ptr [rsp + 104]",
        "mov qword ptr [rsp + 40], rax",
        "mov rax, qword ptr [rsp + 56]",
        "mov qword ptr [rsp + 48], rax",
        "call {then}",
        "add rsp, 56",
        "ret",
        then = sym filter_called_from::<C>,
    )
}

/// `H5Z_set_local_func_t`.
///
/// # Safety
/// Called by HDF5 with a dataset creation property list and a datatype.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn set_local<C: Codec>(dcpl: Hid, datatype: Hid, dataspace: Hid) -> c_int {
    core::arch::naked_asm!(
        "mov x3, x30",
        "b {then}",
        then = sym set_local_called_from::<C>,
    )
}

/// `H5Z_func_t`.
///
/// # Safety
/// Called by HDF5: `cd_values` holds `cd_nelmts` values, and `*buf` is its buffer of `*buf_size` bytes, from `malloc`.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub unsafe extern "C" fn filter<C: Codec>(
    flags: c_uint,
    cd_nelmts: usize,
    cd_values: *const c_uint,
    n_bytes: usize,
    buf_size: *mut usize,
    buf: *mut *mut c_void,
) -> usize {
    core::arch::naked_asm!(
        "mov x6, x30",
        "b {then}",
        then = sym filter_called_from::<C>,
    )
}

/// `H5Z_set_local_func_t`, on an architecture where the caller cannot be told.
///
/// # Safety
/// Called by HDF5 with a dataset creation property list and a datatype.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub unsafe extern "C" fn set_local<C: Codec>(dcpl: Hid, datatype: Hid, dataspace: Hid) -> c_int {
    // SAFETY: passed on as they came.
    unsafe { set_local_called_from::<C>(dcpl, datatype, dataspace, core::ptr::null()) }
}

/// `H5Z_func_t`, on an architecture where the caller cannot be told.
///
/// # Safety
/// Called by HDF5: `cd_values` holds `cd_nelmts` values, and `*buf` is its buffer of `*buf_size` bytes, from `malloc`.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub unsafe extern "C" fn filter<C: Codec>(
    flags: c_uint,
    cd_nelmts: usize,
    cd_values: *const c_uint,
    n_bytes: usize,
    buf_size: *mut usize,
    buf: *mut *mut c_void,
) -> usize {
    // SAFETY: passed on as they came.
    unsafe { filter_called_from::<C>(flags, cd_nelmts, cd_values, n_bytes, buf_size, buf, core::ptr::null()) }
}

/// [`set_local`] with the address it returns to.
unsafe extern "C" fn set_local_called_from<C: Codec>(
    dcpl: Hid,
    datatype: Hid,
    _dataspace: Hid,
    return_address: *const c_void,
) -> c_int {
    crate::set_local::run::<C>(Caller::at(return_address), dcpl, datatype)
}

/// [`filter`] with the address it returns to.
unsafe extern "C" fn filter_called_from<C: Codec>(
    flags: c_uint,
    cd_nelmts: usize,
    cd_values: *const c_uint,
    n_bytes: usize,
    buf_size: *mut usize,
    buf: *mut *mut c_void,
    return_address: *const c_void,
) -> usize {
    let call = crate::filter::Call { flags, cd_nelmts, cd_values, n_bytes, buf_size, buf };
    // SAFETY: these are the arguments of `filter`, whose caller promises what `run` asks for.
    unsafe { crate::filter::run::<C>(Caller::at(return_address), &call) }
}

#[cfg(test)]
mod tests;
