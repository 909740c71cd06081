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
//! let processing = Processing { dark: Some(vec![100_i16; 480 * 640].into()), ..Processing::default() };
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

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, c_void};

use darkchunk_hdf5::api::{ChunkFn, Hid, Ids, ObjectInfo, PrintFn, WalkFn};
use darkchunk_hdf5::{Api, Library, Result, for_each_hdf5_function};
use hdf5_metno_sys::{LOCK, h5p, h5t};

/// An optional function: those of an HDF5 for MPI, and of older ones, are not in this library.
macro_rules! linked {
    (H5Dread_chunk) => {
        None
    };
    (H5Fget_mpi_atomicity) => {
        None
    };
    (H5Oget_info2) => {
        None
    };
    ($name:ident) => {
        Some($name)
    };
}

macro_rules! link {
    (required { $(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arg:ident: $extra_type:ty),* $(,)?) -> $extra_result:ty;)* }
     others { $($other:tt)* }) => {
        // The functions by their names, with the types of darkchunk's table: those of `hdf5-metno-sys` are the same
        // for the linker, but have other enumerations.
        #[allow(dead_code, reason = "some are not in this library")]
        unsafe extern "C" {
            $(fn $name($($arg: $type),*) -> $result;)*
            $(fn $extra($($extra_arg: $extra_type),*) -> $extra_result;)*
        }

        fn table(ids: Ids) -> Api {
            Api {
                enter: Some(enter),
                leave: Some(leave),
                ids,
                $($name: Some($name),)*
                $($extra: linked!($extra),)*
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
        native_float: *h5t::H5T_NATIVE_FLOAT,
        native_double: *h5t::H5T_NATIVE_DOUBLE,
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
