//! HDF5 itself, for the tests: the functions of the library that they run on, also those that darkchunk does not use.
//!
//! It is the one that [`load`](darkchunk_hdf5::load) finds: `DARKCHUNK_HDF5` runs the tests on another.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(non_snake_case, clippy::too_many_arguments, reason = "they are HDF5's")]

use std::ffi::{c_char, c_int, c_uint, c_void};
use std::sync::{LazyLock, OnceLock};

use darkchunk_hdf5::api::{Hid, PrintFn};
use darkchunk_hdf5::load::{self, Loaded};
use darkchunk_hdf5::{Api, Library};

static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    load::find().unwrap_or_else(|error| panic!("{error}. `cargo xtask test --quick` installs an h5py for these tests"))
});

pub(crate) fn library() -> Library {
    LOADED.library().expect("an HDF5")
}

pub(crate) fn api() -> Api {
    *LOADED.api()
}

/// The library's file.
pub(crate) fn origin() -> &'static str {
    LOADED.origin()
}

/// The lock of the table that the library has.
pub(crate) struct Lock;

pub(crate) static LOCK: Lock = Lock;

pub(crate) struct Guard(());

impl Lock {
    pub(crate) fn lock(&self) -> Guard {
        // SAFETY: the lock of this table; `Guard` leaves it.
        unsafe { api().enter.expect("a lock")() };
        Guard(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: entered by this thread.
        unsafe { api().leave.expect("a lock")() };
    }
}

/// The address of what the library has under this name.
fn address(name: &str) -> Option<*mut c_void> {
    static FILE: OnceLock<libloading::Library> = OnceLock::new();
    // SAFETY: it is loaded already.
    let file = FILE.get_or_init(|| unsafe { libloading::Library::new(LOADED.origin()) }.expect("it is loaded"));
    // SAFETY: only the address is taken.
    let symbol = unsafe { file.get::<*mut c_void>(name.as_bytes()) }.ok()?;
    // SAFETY: the library stays loaded.
    unsafe { symbol.try_as_raw_ptr() }
}

macro_rules! functions {
    ($(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)*) => {$(
        pub(crate) unsafe fn $name($($arg: $type),*) -> $result {
            let address = address(stringify!($name)).expect(stringify!($name));
            // SAFETY: the function of this name has this type since HDF5 1.10.
            let function = unsafe {
                std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) -> $result>(address)
            };
            // Tests are threads: none may forget it.
            let _lock = LOCK.lock();
            // SAFETY: the caller's promise.
            unsafe { function($($arg),*) }
        }
    )*};
}

macro_rules! identifiers {
    ($($name:ident = $variable:ident;)*) => {$(
        pub(crate) static $name: LazyLock<Hid> = LazyLock::new(|| {
            let address = address(stringify!($variable)).expect(stringify!($variable)).cast::<Hid>();
            // SAFETY: a `hid_t`, which has its value since the library was initialised.
            unsafe { address.read() }
        });
    )*};
}

pub(crate) mod h5a {
    use super::*;
    functions! {
        fn H5Aopen_by_name(at: Hid, object: *const c_char, name: *const c_char, aapl: Hid, lapl: Hid) -> Hid;
        fn H5Acreate_by_name(
            at: Hid, object: *const c_char, name: *const c_char, kind: Hid, space: Hid, acpl: Hid, aapl: Hid, lapl: Hid,
        ) -> Hid;
        fn H5Aexists_by_name(at: Hid, object: *const c_char, name: *const c_char, lapl: Hid) -> c_int;
        fn H5Aget_type(attribute: Hid) -> Hid;
        fn H5Aread(attribute: Hid, kind: Hid, data: *mut c_void) -> c_int;
        fn H5Awrite(attribute: Hid, kind: Hid, data: *const c_void) -> c_int;
    }
}

pub(crate) mod h5d {
    use super::*;
    functions! {
        fn H5Dcreate2(
            at: Hid, name: *const c_char, kind: Hid, space: Hid, lcpl: Hid, dcpl: Hid, dapl: Hid,
        ) -> Hid;
        fn H5Dget_create_plist(dataset: Hid) -> Hid;
        fn H5Dget_space(dataset: Hid) -> Hid;
        fn H5Dopen2(at: Hid, name: *const c_char, dapl: Hid) -> Hid;
        fn H5Dread(dataset: Hid, kind: Hid, memory: Hid, file: Hid, dxpl: Hid, data: *mut c_void) -> c_int;
        fn H5Dset_extent(dataset: Hid, dims: *const u64) -> c_int;
        fn H5Dwrite(dataset: Hid, kind: Hid, memory: Hid, file: Hid, dxpl: Hid, data: *const c_void) -> c_int;
        fn H5Dwrite_chunk(
            dataset: Hid, dxpl: Hid, mask: u32, offset: *const u64, n_bytes: usize, data: *const c_void,
        ) -> c_int;
    }

    /// Before HDF5 2.0 without the size, which another function gives.
    pub(crate) unsafe fn H5Dread_chunk2(
        dataset: Hid,
        dxpl: Hid,
        offset: *const u64,
        mask: *mut u32,
        data: *mut c_void,
        n_bytes: *mut usize,
    ) -> c_int {
        let _lock = LOCK.lock();
        match (api().H5Dread_chunk2, api().H5Dread_chunk) {
            // SAFETY: the caller's promise.
            (Some(read), _) => unsafe { read(dataset, dxpl, offset, mask, data, n_bytes) },
            (None, Some(read)) => {
                let (ask, mut stored) = (api().H5Dget_chunk_storage_size.expect("in the table"), 0);
                // SAFETY: the caller's promise.
                assert!(unsafe { ask(dataset, offset, &raw mut stored) } >= 0);
                // SAFETY: the caller's promise.
                let room = unsafe { n_bytes.replace(stored as usize) };
                assert!(stored as usize <= room);
                // SAFETY: the caller's promise, and there is room.
                unsafe { read(dataset, dxpl, offset, mask, data) }
            }
            (None, None) => panic!("an HDF5 without H5Dread_chunk"),
        }
    }
}

pub(crate) mod h5e {
    use super::*;
    functions! { fn H5Eset_auto2(stack: Hid, print: Option<PrintFn>, data: *mut c_void) -> c_int; }
}

pub(crate) mod h5f {
    use super::*;
    functions! {
        fn H5Fcreate(name: *const c_char, flags: c_uint, fcpl: Hid, fapl: Hid) -> Hid;
        fn H5Fopen(name: *const c_char, flags: c_uint, fapl: Hid) -> Hid;
        fn H5Fstart_swmr_write(file: Hid) -> c_int;
    }
}

pub(crate) mod h5g {
    use super::*;
    functions! { fn H5Gcreate2(at: Hid, name: *const c_char, lcpl: Hid, gcpl: Hid, gapl: Hid) -> Hid; }
}

pub(crate) mod h5i {
    use super::*;
    functions! { fn H5Idec_ref(id: Hid) -> c_int; }
}

pub(crate) mod h5l {
    use super::*;
    functions! { fn H5Ldelete(at: Hid, name: *const c_char, lapl: Hid) -> c_int; }
}

pub(crate) mod h5p {
    use super::*;
    functions! {
        fn H5Pcreate(class: Hid) -> Hid;
        fn H5Pget_chunk(dcpl: Hid, rank: c_int, dims: *mut u64) -> c_int;
        fn H5Pget_filter2(
            dcpl: Hid, index: c_uint, flags: *mut c_uint, n_values: *mut usize, values: *mut c_uint, name_bytes: usize,
            name: *mut c_char, config: *mut c_uint,
        ) -> c_int;
        fn H5Pget_nfilters(dcpl: Hid) -> c_int;
        // A parallel HDF5 with Open MPI, whose communicators are pointers.
        fn H5Pset_fapl_mpio(fapl: Hid, communicator: *mut c_void, info: *mut c_void) -> c_int;
        fn H5Pset_chunk(dcpl: Hid, rank: c_int, dims: *const u64) -> c_int;
        fn H5Pset_alloc_time(dcpl: Hid, time: c_int) -> c_int;
        fn H5Pset_chunk_opts(dcpl: Hid, options: c_uint) -> c_int;
        fn H5Pset_external(dcpl: Hid, name: *const c_char, offset: i64, n_bytes: u64) -> c_int;
        fn H5Pset_fapl_core(fapl: Hid, increment: usize, is_stored: c_uint) -> c_int;
        fn H5Pset_fill_time(dcpl: Hid, time: c_int) -> c_int;
        fn H5Pset_layout(dcpl: Hid, layout: c_int) -> c_int;
        fn H5Pset_libver_bounds(fapl: Hid, low: c_int, high: c_int) -> c_int;
        fn H5Pset_userblock(fcpl: Hid, n_bytes: u64) -> c_int;
        fn H5Pset_virtual(dcpl: Hid, space: Hid, file: *const c_char, dataset: *const c_char, source: Hid) -> c_int;
        fn H5Pset_fill_value(dcpl: Hid, kind: Hid, value: *const c_void) -> c_int;
        fn H5Pset_filter(dcpl: Hid, id: c_int, flags: c_uint, n_values: usize, values: *const c_uint) -> c_int;
    }
    identifiers! {
        H5P_CLS_DATASET_CREATE = H5P_CLS_DATASET_CREATE_ID_g;
        H5P_CLS_FILE_ACCESS = H5P_CLS_FILE_ACCESS_ID_g;
        H5P_CLS_FILE_CREATE = H5P_CLS_FILE_CREATE_ID_g;
    }
}

pub(crate) mod h5s {
    use super::*;
    functions! {
        fn H5Screate(class: c_int) -> Hid;
        fn H5Screate_simple(rank: c_int, dims: *const u64, most: *const u64) -> Hid;
        fn H5Sget_simple_extent_dims(space: Hid, dims: *mut u64, most: *mut u64) -> c_int;
        fn H5Sselect_hyperslab(
            space: Hid, operation: c_int, start: *const u64, stride: *const u64, count: *const u64, block: *const u64,
        ) -> c_int;
    }
}

pub(crate) mod h5t {
    use super::*;
    functions! {
        fn H5Tarray_create2(base: Hid, rank: c_uint, dims: *const u64) -> Hid;
        fn H5Tcopy(kind: Hid) -> Hid;
        fn H5Tcreate(class: c_int, n_bytes: usize) -> Hid;
        fn H5Tget_size(kind: Hid) -> usize;
        fn H5Tis_variable_str(kind: Hid) -> c_int;
        fn H5Tset_precision(kind: Hid, n_bits: usize) -> c_int;
        fn H5Tset_size(kind: Hid, n_bytes: usize) -> c_int;
    }
    identifiers! {
        H5T_C_S1 = H5T_C_S1_g;
        H5T_NATIVE_DOUBLE = H5T_NATIVE_DOUBLE_g;
        H5T_NATIVE_FLOAT = H5T_NATIVE_FLOAT_g;
        H5T_IEEE_F32BE = H5T_IEEE_F32BE_g;
        H5T_STD_U16BE = H5T_STD_U16BE_g;
        H5T_NATIVE_UINT8 = H5T_NATIVE_UINT8_g;
        H5T_NATIVE_UINT32 = H5T_NATIVE_UINT32_g;
        H5T_NATIVE_INT16 = H5T_NATIVE_INT16_g;
        H5T_NATIVE_INT64 = H5T_NATIVE_INT64_g;
        H5T_NATIVE_UINT16 = H5T_NATIVE_UINT16_g;
        H5T_STD_I16BE = H5T_STD_I16BE_g;
    }
}
