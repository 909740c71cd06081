//! Types that C programs get from `hdf5.h`.

use core::ffi::{c_char, c_int, c_uint, c_void};

/// `hid_t`, HDF5's identifier: 64 bits since 1.10.
pub type Hid = i64;

/// HDF5's call-back of `H5Ewalk2`: position, one entry of the error stack, the caller's pointer.
pub type WalkFn = unsafe extern "C" fn(c_uint, *const ErrorEntry, *mut c_void) -> c_int;

/// HDF5's call-back of `H5Dchunk_iter`: offset in elements, filter mask, address, stored bytes, the caller's pointer.
pub type ChunkFn = unsafe extern "C" fn(*const u64, c_uint, u64, u64, *mut c_void) -> c_int;

/// HDF5's call-back of `H5Literate`: the group, a link's name, what is known of it, the caller's pointer.
pub type LinkFn = unsafe extern "C" fn(Hid, *const c_char, *const LinkInfo, *mut c_void) -> c_int;

/// HDF5's call-back of `H5Aiterate2`: the object, an attribute's name, what is known of it, the caller's pointer.
pub type AttributeFn = unsafe extern "C" fn(Hid, *const c_char, *const c_void, *mut c_void) -> c_int;

/// HDF5's call-back that prints an error stack.
pub type PrintFn = unsafe extern "C" fn(Hid, *mut c_void) -> c_int;

/// The same as HDF5 1.6 had it.
pub type PrintFn1 = unsafe extern "C" fn(*mut c_void) -> c_int;

/// `H5Epush2`: stack, file, function, line, class, major and minor error number, format of the text and what it takes.
pub type PushFn =
    unsafe extern "C" fn(Hid, *const c_char, *const c_char, c_uint, Hid, Hid, Hid, *const c_char, ...) -> c_int;

/// One entry of HDF5's error stack (`H5E_error2_t`).
#[repr(C)]
#[derive(Debug)]
pub struct ErrorEntry {
    /// Error class.
    pub class: Hid,
    /// Major error number.
    pub major: Hid,
    /// Minor error number.
    pub minor: Hid,
    /// Line in HDF5's source.
    pub line: c_uint,
    /// HDF5's function.
    pub function: *const c_char,
    /// HDF5's source file.
    pub file: *const c_char,
    /// What went wrong.
    pub description: *const c_char,
}

/// What `H5Oget_info2` (`H5O_info1_t`) and `H5Oget_info3` (`H5O_info2_t`) fill in, and room for the longer of them. The structs
/// differ after their first 16 bytes, in which both have the file's number and the object's address.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy)]
pub struct ObjectInfo {
    /// The file's number and the object's address: which object it is.
    pub identity: [u8; 16],
    /// The rest, which is not read.
    pub rest: [u8; 496],
}

impl ObjectInfo {
    /// To be filled in.
    pub const EMPTY: Self = Self { identity: [0; 16], rest: [0; 496] };
}

/// `H5L_info1_t` and, since HDF5 1.12, `H5L_info2_t`, which differ in what a hard link has.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LinkInfo {
    /// Hard, soft, external, or the user's own.
    pub kind: c_int,
    /// Whether the next field is known: a truth value, of one byte or four by HDF5's version.
    pub has_order: u32,
    /// The link's number in the order in which links were made.
    pub order: i64,
    /// The character set of its name.
    pub character_set: c_int,
    /// Of a link that is not hard: the bytes of its value. Of a hard one, which object it is to, or the first part of that.
    pub value_bytes: usize,
    /// The rest of it.
    pub rest: u64,
}

impl LinkInfo {
    /// To be filled in.
    pub const EMPTY: Self = Self { kind: 0, has_order: 0, order: 0, character_set: 0, value_bytes: 0, rest: 0 };
}
