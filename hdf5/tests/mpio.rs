//! A parallel HDF5: a file that is open with MPI-IO is refused, any other is written to.
//!
//! It needs an HDF5 that is built for Open MPI (`DARKCHUNK_HDF5`). On the usual ones there is nothing to test; with
//! `DARKCHUNK_PROVE` that is a failure.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

mod common;

use std::ffi::{CString, c_int, c_void};

use common::hdf5::{h5f, h5i, h5p, origin};
use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Error, Processing, Writer};

/// Open MPI's communicator of all ranks, and its empty info: pointers to variables of the library.
fn start_mpi() -> (*mut c_void, *mut c_void) {
    // SAFETY: Open MPI, which the parallel HDF5 has loaded already.
    let mpi = Box::leak(Box::new(unsafe { libloading::Library::new("libmpi.so.40") }.expect("Open MPI")));
    // SAFETY: the function of this name has this type.
    let init = unsafe { mpi.get::<unsafe extern "C" fn(*mut c_int, *mut c_void) -> c_int>(b"MPI_Init") };
    // SAFETY: both may be null.
    assert_eq!(unsafe { init.expect("MPI_Init")(std::ptr::null_mut(), std::ptr::null_mut()) }, 0);
    let variable = |name: &[u8]| {
        // SAFETY: only the address is taken.
        let symbol = unsafe { mpi.get::<*mut c_void>(name) }.expect("a variable");
        // SAFETY: the library stays loaded.
        unsafe { symbol.try_as_raw_ptr() }.expect("an address")
    };
    (variable(b"ompi_mpi_comm_world"), variable(b"ompi_mpi_info_null"))
}

fn create_parallel(name: &str) -> Hid {
    let (world, info) = start_mpi();
    let path = CString::new(path(name).to_str().expect("UTF-8")).expect("a name");
    // SAFETY: a class of property lists.
    let access = unsafe { h5p::H5Pcreate(*h5p::H5P_CLS_FILE_ACCESS) };
    // SAFETY: the communicator and the info of the MPI that this HDF5 uses.
    assert!(unsafe { h5p::H5Pset_fapl_mpio(access, world, info) } >= 0);
    // SAFETY: a C string and a property list; 2 replaces a file that is there.
    let file = unsafe { h5f::H5Fcreate(path.as_ptr(), 2, 0, access) };
    assert!(file > 0);
    file
}

#[test]
fn of_a_parallel_hdf5_only_files_with_mpi_io_are_refused() {
    if api().H5Fget_mpi_atomicity.is_none() {
        assert!(std::env::var_os("DARKCHUNK_PROVE").is_none(), "this HDF5 is not parallel: {}", origin());
        println!("nothing to test: {} is not parallel", origin());
        return;
    }
    let dataset = dataset(Compression::drle(1), 1);
    let create = |file| Writer::create(&library(), file, &dataset, Processing::<i16>::default());
    let parallel = create_parallel("mpio");
    assert_eq!(create(parallel).expect_err("refused"), Error::Parallel);
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(parallel) };
    let file = new_file("not-mpio");
    let mut writer = create(file.id()).expect("a writer");
    writer.push(&camera(0)).expect("taken");
    writer.finish().expect("finished");
    assert_eq!(read::<i16>(&file, PATH), [camera(0)]);
}
