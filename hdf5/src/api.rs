//! The table of HDF5 functions that a program hands in.
//!
//! An HDF5 identifier means something only to the library that made it, and one process may hold several. So nothing
//! here is looked up: the one who knows which HDF5 a file belongs to fills an [`Api`] from it. A C program does so from
//! its own `hdf5.h` (`dc_hdf5_from_headers` in `darkchunk.h`), a Rust program through the crate `darkchunk-hdf5-static`;
//! a loader would take the names from [`for_each_hdf5_function!`](crate::for_each_hdf5_function).
//!
//! The table is C's and only ever grows at its end. Its first field says how much of it the giver knows; what lies
//! beyond counts as absent. `H5Dwrite_chunk` and the rest keep HDF5's own names and types, with `hid_t` as `int64_t`:
//! HDF5 1.10 and later.

use std::ffi::{c_char, c_int, c_uint, c_void};

use crate::{Error, Result};

/// HDF5's identifier type since 1.10.
pub type Hid = i64;

/// HDF5's call-back of `H5Ewalk2`: position, one entry of the error stack, the caller's pointer.
pub type WalkFn = unsafe extern "C" fn(c_uint, *const ErrorEntry, *mut c_void) -> c_int;

/// HDF5's call-back that prints an error stack.
pub type PrintFn = unsafe extern "C" fn(Hid, *mut c_void) -> c_int;

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

/// Hands the functions of the table, in its order, to the macro named: `required { fn …; } optional { fn …; }`.
///
/// The types are those of `std::ffi` and of [`api`](crate::api), which the place of use must have imported.
#[macro_export]
macro_rules! for_each_hdf5_function {
    ($callback:ident) => {
        $callback! {
            required {
                fn H5open() -> c_int;
                fn H5get_libversion(major: *mut c_uint, minor: *mut c_uint, release: *mut c_uint) -> c_int;
                fn H5Eget_auto2(stack: Hid, print: *mut Option<PrintFn>, data: *mut *mut c_void) -> c_int;
                fn H5Eset_auto2(stack: Hid, print: Option<PrintFn>, data: *mut c_void) -> c_int;
                fn H5Eclear2(stack: Hid) -> c_int;
                fn H5Ewalk2(stack: Hid, direction: c_int, visit: Option<WalkFn>, data: *mut c_void) -> c_int;
                fn H5Iget_type(id: Hid) -> c_int;
                fn H5Iget_file_id(id: Hid) -> Hid;
                fn H5Idec_ref(id: Hid) -> c_int;
                fn H5Fcreate(name: *const c_char, flags: c_uint, fcpl: Hid, fapl: Hid) -> Hid;
                fn H5Fopen(name: *const c_char, flags: c_uint, fapl: Hid) -> Hid;
                fn H5Fflush(id: Hid, scope: c_int) -> c_int;
                fn H5Fget_intent(file: Hid, intent: *mut c_uint) -> c_int;
                fn H5Gcreate2(at: Hid, name: *const c_char, lcpl: Hid, gcpl: Hid, gapl: Hid) -> Hid;
                fn H5Oopen(at: Hid, name: *const c_char, lapl: Hid) -> Hid;
                fn H5Olink(object: Hid, at: Hid, name: *const c_char, lcpl: Hid, lapl: Hid) -> c_int;
                fn H5Lexists(at: Hid, name: *const c_char, lapl: Hid) -> c_int;
                fn H5Dcreate2(
                    at: Hid, name: *const c_char, kind: Hid, space: Hid, lcpl: Hid, dcpl: Hid, dapl: Hid,
                ) -> Hid;
                fn H5Dcreate_anon(at: Hid, kind: Hid, space: Hid, dcpl: Hid, dapl: Hid) -> Hid;
                fn H5Dget_space(dataset: Hid) -> Hid;
                fn H5Dget_type(dataset: Hid) -> Hid;
                fn H5Dget_create_plist(dataset: Hid) -> Hid;
                fn H5Dset_extent(dataset: Hid, dims: *const u64) -> c_int;
                fn H5Dread(
                    dataset: Hid, kind: Hid, memory: Hid, file: Hid, dxpl: Hid, data: *mut c_void,
                ) -> c_int;
                fn H5Dwrite(
                    dataset: Hid, kind: Hid, memory: Hid, file: Hid, dxpl: Hid, data: *const c_void,
                ) -> c_int;
                fn H5Dwrite_chunk(
                    dataset: Hid, dxpl: Hid, mask: u32, offset: *const u64, n_bytes: usize, data: *const c_void,
                ) -> c_int;
                fn H5Dget_chunk_storage_size(dataset: Hid, offset: *const u64, n_bytes: *mut u64) -> c_int;
                fn H5Screate(class: c_int) -> Hid;
                fn H5Screate_simple(rank: c_int, dims: *const u64, max_dims: *const u64) -> Hid;
                fn H5Sget_simple_extent_ndims(space: Hid) -> c_int;
                fn H5Sget_simple_extent_dims(space: Hid, dims: *mut u64, max_dims: *mut u64) -> c_int;
                fn H5Pcreate(class: Hid) -> Hid;
                fn H5Pset_libver_bounds(fapl: Hid, low: c_int, high: c_int) -> c_int;
                fn H5Pset_create_intermediate_group(lcpl: Hid, create: c_uint) -> c_int;
                fn H5Pget_layout(dcpl: Hid) -> c_int;
                fn H5Pset_chunk(dcpl: Hid, rank: c_int, dims: *const u64) -> c_int;
                fn H5Pget_chunk(dcpl: Hid, max_rank: c_int, dims: *mut u64) -> c_int;
                fn H5Pget_chunk_opts(dcpl: Hid, options: *mut c_uint) -> c_int;
                fn H5Pset_filter(
                    dcpl: Hid, filter: c_int, flags: c_uint, n_values: usize, values: *const c_uint,
                ) -> c_int;
                fn H5Pget_nfilters(dcpl: Hid) -> c_int;
                fn H5Pget_filter2(
                    dcpl: Hid, index: c_uint, flags: *mut c_uint, n_values: *mut usize, values: *mut c_uint,
                    name_bytes: usize, name: *mut c_char, config: *mut c_uint,
                ) -> c_int;
                fn H5Tcopy(kind: Hid) -> Hid;
                fn H5Tset_size(kind: Hid, n_bytes: usize) -> c_int;
                fn H5Tset_cset(kind: Hid, character_set: c_int) -> c_int;
                fn H5Tget_class(kind: Hid) -> c_int;
                fn H5Tget_size(kind: Hid) -> usize;
                fn H5Tget_sign(kind: Hid) -> c_int;
                fn H5Tget_order(kind: Hid) -> c_int;
                fn H5Aexists(object: Hid, name: *const c_char) -> c_int;
                fn H5Acreate2(
                    object: Hid, name: *const c_char, kind: Hid, space: Hid, acpl: Hid, aapl: Hid,
                ) -> Hid;
                fn H5Aopen(object: Hid, name: *const c_char, aapl: Hid) -> Hid;
                fn H5Aget_space(attribute: Hid) -> Hid;
                fn H5Aread(attribute: Hid, kind: Hid, data: *mut c_void) -> c_int;
                fn H5Awrite(attribute: Hid, kind: Hid, data: *const c_void) -> c_int;
                fn H5Adelete(object: Hid, name: *const c_char) -> c_int;
            }
            optional {
                fn H5Dread_chunk(
                    dataset: Hid, dxpl: Hid, offset: *const u64, mask: *mut u32, data: *mut c_void,
                ) -> c_int;
                fn H5Dread_chunk2(
                    dataset: Hid, dxpl: Hid, offset: *const u64, mask: *mut u32, data: *mut c_void,
                    n_bytes: *mut usize,
                ) -> c_int;
                fn H5Pmodify_filter(
                    dcpl: Hid, filter: c_int, flags: c_uint, n_values: usize, values: *const c_uint,
                ) -> c_int;
                fn H5Tdetect_class(kind: Hid, class: c_int) -> c_int;
            }
        }
    };
}

/// The identifiers that HDF5 keeps in variables, not in functions. They exist once `H5open` has run.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Ids {
    /// `H5T_NATIVE_INT8`
    pub native_int8: Hid,
    /// `H5T_NATIVE_UINT8`
    pub native_uint8: Hid,
    /// `H5T_NATIVE_INT16`
    pub native_int16: Hid,
    /// `H5T_NATIVE_UINT16`
    pub native_uint16: Hid,
    /// `H5T_NATIVE_INT32`
    pub native_int32: Hid,
    /// `H5T_NATIVE_UINT32`
    pub native_uint32: Hid,
    /// `H5T_NATIVE_INT64`
    pub native_int64: Hid,
    /// `H5T_NATIVE_UINT64`
    pub native_uint64: Hid,
    /// `H5T_C_S1`
    pub c_s1: Hid,
    /// `H5P_FILE_ACCESS`
    pub file_access: Hid,
    /// `H5P_DATASET_CREATE`
    pub dataset_create: Hid,
    /// `H5P_LINK_CREATE`
    pub link_create: Hid,
}

macro_rules! declare_api {
    (required { $(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arg:ident: $extra_type:ty),* $(,)?) -> $extra_result:ty;)* }) => {
        /// Functions and identifiers of one HDF5 library, given by the one who knows which.
        #[repr(C)]
        #[derive(Debug, Clone, Copy)]
        #[allow(non_snake_case)]
        pub struct Api {
            /// Bytes of this table that the giver knows: its `sizeof`.
            pub n_bytes: usize,
            /// Called before each use of HDF5, where the giver guards it with a lock that one thread may take again.
            pub enter: Option<unsafe extern "C" fn()>,
            /// Called after each use of HDF5.
            pub leave: Option<unsafe extern "C" fn()>,
            /// What HDF5 keeps in variables.
            pub ids: Ids,
            $(#[doc = concat!("`", stringify!($name), "`")]
            pub $name: Option<unsafe extern "C" fn($($arg: $type),*) -> $result>,)*
            $(#[doc = concat!("`", stringify!($extra), "`, where the library has it.")]
            pub $extra: Option<unsafe extern "C" fn($($extra_arg: $extra_type),*) -> $extra_result>,)*
        }

        impl Api {
            /// A table in which nothing is filled in.
            pub const EMPTY: Self = Self {
                n_bytes: size_of::<Self>(),
                enter: None,
                leave: None,
                ids: Ids {
                    native_int8: 0, native_uint8: 0, native_int16: 0, native_uint16: 0,
                    native_int32: 0, native_uint32: 0, native_int64: 0, native_uint64: 0,
                    c_s1: 0, file_access: 0, dataset_create: 0, link_create: 0,
                },
                $($name: None,)*
                $($extra: None,)*
            };

            /// The names of the functions, in the order of the table.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)* $(stringify!($extra),)*];

            /// The functions, once it is sure that none is missing.
            pub(super) fn functions(&self) -> Result<Functions> {
                Ok(Functions {
                    $($name: self.$name.ok_or_else(|| missing(stringify!($name)))?,)*
                    $($extra: self.$extra,)*
                })
            }
        }

        /// The same functions, all there.
        #[derive(Debug, Clone, Copy)]
        #[allow(non_snake_case)]
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($arg: $type),*) -> $result,)*
            $(pub(super) $extra: Option<unsafe extern "C" fn($($extra_arg: $extra_type),*) -> $extra_result>,)*
        }
    };
}

for_each_hdf5_function!(declare_api);

fn missing(name: &'static str) -> Error {
    Error::MissingFunction { name }
}

impl Api {
    /// Copies as much of a caller's table as it has; the rest counts as absent.
    ///
    /// # Safety
    /// `table` points to a `usize`, and to as many bytes as that number says.
    #[must_use]
    pub unsafe fn read(table: *const Self) -> Self {
        let mut api = Self::EMPTY;
        // SAFETY: the caller's promise: the first field is there.
        let known = unsafe { table.cast::<usize>().read_unaligned() };
        // SAFETY: `known` bytes are readable by the caller's promise, and `api` has `size_of::<Self>()`. Any bytes that
        // form a C table form an `Api`: a null function is `None`.
        unsafe {
            std::ptr::copy_nonoverlapping(table.cast::<u8>(), (&raw mut api).cast(), known.min(size_of::<Self>()))
        };
        api.n_bytes = size_of::<Self>();
        api
    }
}
