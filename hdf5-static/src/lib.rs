//! Hands the HDF5 that is linked into this program to darkchunk.
//!
//! HDF5 comes from `hdf5-metno-sys`, built from source and linked statically, the same that the crate `hdf5-metno`
//! uses: a program may open its files with that crate and hand the identifiers over. Both take the same lock around
//! HDF5, so that a writer may be used from any thread.
//!
//! ```
//! use darkchunk::chunk::Compression;
//! use darkchunk_hdf5::{Dataset, File, Processing, Writer};
//!
//! let library = darkchunk_hdf5_static::library()?;
//! let path = std::env::temp_dir().join("darkchunk-doctest.h5");
//! let file = File::create(&library, &path)?;
//!
//! // 480 x 640 pixels, four frames a chunk; DRLE keeps pixels from 20 counts on, after dark subtraction.
//! let dataset = Dataset { frames_per_chunk: 4, ..Dataset::new(480, 640, Compression::drle(20)) };
//! let processing = Processing { dark: Some(vec![100_i16; 480 * 640]), ..Processing::default() };
//! let mut writer = Writer::create(&library, file.id(), &dataset, processing)?;
//! for shot in 0..10 {
//!     let mut frame = vec![103_i16; 480 * 640]; // the camera's buffer
//!     frame[shot] = 900;
//!     writer.push(&frame)?;
//! }
//! let summary = writer.finish()?; // also stores the sum, the dark image, the threshold and the counts
//! assert_eq!((summary.n_stored, summary.counts.n_bright), (10, 10));
//! assert_eq!(summary.counts.zeroed_sum, 3 * (10 * 480 * 640 - 10)); // what the threshold took away
//! assert_eq!(writer.sum().map(|sum| sum[..11].to_vec()), Some([vec![800; 10], vec![0]].concat()));
//! drop(writer);
//! file.close()?;
//! # std::fs::remove_file(path).ok();
//! # Ok::<(), darkchunk_hdf5::Error>(())
//! ```

use std::ffi::{c_char, c_int, c_uint, c_void};

use darkchunk_hdf5::api::{ChunkFn, Hid, Ids, ObjectInfo, PrintFn, WalkFn};
use darkchunk_hdf5::{Api, Library, Result, for_each_hdf5_function};
use hdf5_metno_sys::{LOCK, h5p, h5t};

macro_rules! link {
    (required { $(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arg:ident: $extra_type:ty),* $(,)?) -> $extra_result:ty;)* }
     others { $($other:tt)* }) => {
        // The functions by their names, with the types of darkchunk's table: those of `hdf5-metno-sys` are the same
        // for the linker, but have other enumerations.
        unsafe extern "C" {
            $(fn $name($($arg: $type),*) -> $result;)*
            fn H5Dread_chunk2(
                dataset: Hid, dxpl: Hid, offset: *const u64, mask: *mut u32, data: *mut c_void, n_bytes: *mut usize,
            ) -> c_int;
            fn H5Pmodify_filter(
                dcpl: Hid, filter: c_int, flags: c_uint, n_values: usize, values: *const c_uint,
            ) -> c_int;
            fn H5Tdetect_class(kind: Hid, class: c_int) -> c_int;
            fn H5Tget_precision(kind: Hid) -> usize;
            fn H5Tget_super(kind: Hid) -> Hid;
            fn H5Tis_variable_str(kind: Hid) -> c_int;
            fn H5Tget_nmembers(kind: Hid) -> c_int;
            fn H5Tget_member_type(kind: Hid, index: c_uint) -> Hid;
            fn H5Fget_create_plist(file: Hid) -> Hid;
            fn H5Pget_sizes(fcpl: Hid, address_bytes: *mut usize, length_bytes: *mut usize) -> c_int;
            fn H5Pset_chunk_opts(dcpl: Hid, options: c_uint) -> c_int;
            fn H5Pset_alloc_time(dcpl: Hid, time: c_int) -> c_int;
            fn H5Pset_fill_time(dcpl: Hid, time: c_int) -> c_int;
            fn H5Oget_info3(object: Hid, info: *mut ObjectInfo, fields: c_uint) -> c_int;
            fn H5Pfill_value_defined(dcpl: Hid, status: *mut c_int) -> c_int;
            fn H5Pget_fill_value(dcpl: Hid, kind: Hid, value: *mut c_void) -> c_int;
            fn H5Pget_fill_time(dcpl: Hid, time: *mut c_int) -> c_int;
            fn H5Pget_external_count(dcpl: Hid) -> c_int;
            fn H5Pget_userblock(fcpl: Hid, n_bytes: *mut u64) -> c_int;
            fn H5Pget_driver(fapl: Hid) -> Hid;
            fn H5Pset_fapl_sec2(fapl: Hid) -> c_int;
            fn H5Fget_access_plist(file: Hid) -> Hid;
            fn H5Fget_vfd_handle(file: Hid, fapl: Hid, handle: *mut *mut c_void) -> c_int;
            fn H5Fget_name(object: Hid, name: *mut c_char, n_bytes: usize) -> isize;
            fn H5Sselect_hyperslab(
                space: Hid, operation: c_int, start: *const u64, stride: *const u64, count: *const u64,
                block: *const u64,
            ) -> c_int;
            fn H5Dget_offset(dataset: Hid) -> u64;
            fn H5Drefresh(dataset: Hid) -> c_int;
            fn H5Dget_num_chunks(dataset: Hid, space: Hid, n_chunks: *mut u64) -> c_int;
            fn H5Dget_chunk_info(
                dataset: Hid, space: Hid, index: u64, offset: *mut u64, mask: *mut c_uint, address: *mut u64,
                n_bytes: *mut u64,
            ) -> c_int;
            fn H5Dget_chunk_index_type(dataset: Hid, index: *mut c_int) -> c_int;
            fn H5Dchunk_iter(dataset: Hid, dxpl: Hid, visit: Option<ChunkFn>, data: *mut c_void) -> c_int;
            fn H5Dget_chunk_info_by_coord(
                dataset: Hid, offset: *const u64, mask: *mut c_uint, address: *mut u64, n_bytes: *mut u64,
            ) -> c_int;
        }

        fn table(ids: Ids) -> Api {
            Api {
                enter: Some(enter),
                leave: Some(leave),
                ids,
                $($name: Some($name),)*
                H5Dread_chunk2: Some(H5Dread_chunk2),
                H5Pmodify_filter: Some(H5Pmodify_filter),
                H5Tdetect_class: Some(H5Tdetect_class),
                H5Tget_precision: Some(H5Tget_precision),
                H5Tget_super: Some(H5Tget_super),
                H5Tis_variable_str: Some(H5Tis_variable_str),
                H5Tget_nmembers: Some(H5Tget_nmembers),
                H5Tget_member_type: Some(H5Tget_member_type),
                H5Fget_create_plist: Some(H5Fget_create_plist),
                H5Pget_sizes: Some(H5Pget_sizes),
                H5Pset_chunk_opts: Some(H5Pset_chunk_opts),
                H5Pset_alloc_time: Some(H5Pset_alloc_time),
                H5Pset_fill_time: Some(H5Pset_fill_time),
                H5Oget_info3: Some(H5Oget_info3),
                H5Pfill_value_defined: Some(H5Pfill_value_defined),
                H5Pget_fill_value: Some(H5Pget_fill_value),
                H5Pget_fill_time: Some(H5Pget_fill_time),
                H5Pget_external_count: Some(H5Pget_external_count),
                H5Pget_userblock: Some(H5Pget_userblock),
                H5Pget_driver: Some(H5Pget_driver),
                H5Pset_fapl_sec2: Some(H5Pset_fapl_sec2),
                H5Fget_access_plist: Some(H5Fget_access_plist),
                H5Fget_vfd_handle: Some(H5Fget_vfd_handle),
                H5Fget_name: Some(H5Fget_name),
                H5Sselect_hyperslab: Some(H5Sselect_hyperslab),
                H5Dget_offset: Some(H5Dget_offset),
                H5Drefresh: Some(H5Drefresh),
                H5Dget_num_chunks: Some(H5Dget_num_chunks),
                H5Dget_chunk_info: Some(H5Dget_chunk_info),
                H5Dget_chunk_index_type: Some(H5Dget_chunk_index_type),
                H5Dchunk_iter: Some(H5Dchunk_iter),
                H5Dget_chunk_info_by_coord: Some(H5Dget_chunk_info_by_coord),
                ..Api::EMPTY
            }
        }
    };
}

for_each_hdf5_function!(link);

/// The HDF5 that is linked into this program.
///
/// # Errors
/// [`darkchunk_hdf5::Error::Hdf5`] where it cannot be initialised.
pub fn library() -> Result<Library> {
    // SAFETY: the table is of the linked library, which is never unloaded, and carries the lock that guards it.
    unsafe { Library::new(&api()) }
}

/// The table of functions of the HDF5 that is linked into this program.
#[must_use]
pub fn api() -> Api {
    let guard = LOCK.lock();
    // SAFETY: may be called at any time, any number of times; makes the identifiers below.
    unsafe { H5open() };
    drop(guard);
    table(Ids {
        native_int8: *h5t::H5T_NATIVE_INT8,
        native_uint8: *h5t::H5T_NATIVE_UINT8,
        native_int16: *h5t::H5T_NATIVE_INT16,
        native_uint16: *h5t::H5T_NATIVE_UINT16,
        native_int32: *h5t::H5T_NATIVE_INT32,
        native_uint32: *h5t::H5T_NATIVE_UINT32,
        native_int64: *h5t::H5T_NATIVE_INT64,
        native_uint64: *h5t::H5T_NATIVE_UINT64,
        c_s1: *h5t::H5T_C_S1,
        file_access: *h5p::H5P_CLS_FILE_ACCESS,
        dataset_create: *h5p::H5P_CLS_DATASET_CREATE,
        link_create: *h5p::H5P_CLS_LINK_CREATE,
    })
}

unsafe extern "C" fn enter() {
    std::mem::forget(LOCK.lock());
}

unsafe extern "C" fn leave() {
    // SAFETY: `enter` has taken the lock on this thread, and forgot its guard.
    unsafe { LOCK.force_unlock() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_library_says_its_version() {
        let (major, minor, _) = library().and_then(|library| library.version()).expect("linked HDF5");
        assert!((major, minor) >= (1, 10), "{major}.{minor}");
    }

    #[test]
    fn a_failing_call_gives_hdf5s_own_words() {
        let library = library().expect("linked HDF5");
        let missing = std::path::Path::new("/no/such/folder/file.h5");
        let error = darkchunk_hdf5::File::open(&library, missing, false).expect_err("there is no such file");
        assert!(error.to_string().contains("H5Fopen") && error.to_string().contains("file.h5"), "{error}");
    }
}
