//! Two writers on one dataset, and two libraries in one process.

mod common;

use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::{Hid, ObjectInfo};
use darkchunk_hdf5::load;
use darkchunk_hdf5::{Api, Error, File, Library, Processing, Writer};
use std::ffi::{c_int, c_uint};

/// Refused, because there is another writer.
fn is_in_use(writer: darkchunk_hdf5::Result<Writer<i16>>) -> bool {
    matches!(writer.map(drop), Err(Error::InUse { path }) if path == PATH)
}

fn create(library: &Library, file: &File) -> darkchunk_hdf5::Result<Writer<i16>> {
    Writer::create(library, file.id(), &dataset(Compression::drle(1), 1), Processing::default())
}

fn attach(library: &Library, file: &File) -> darkchunk_hdf5::Result<Writer<i16>> {
    Writer::attach(library, file.id(), PATH, Processing::default())
}

// The functions at other addresses, as a program has them that takes them from its own headers.

unsafe extern "C" fn get_info2(object: Hid, info: *mut ObjectInfo, fields: c_uint) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { api().H5Oget_info2.expect("in the table")(object, info, fields) }
}

unsafe extern "C" fn get_info3(object: Hid, info: *mut ObjectInfo, fields: c_uint) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { api().H5Oget_info3.expect("in the table")(object, info, fields) }
}

#[test]
fn a_second_writer_with_another_table_of_the_same_library_is_refused() {
    let file = new_file("two-tables");
    let stubs = Api {
        H5Oget_info2: api().H5Oget_info2.map(|_| get_info2 as _),
        H5Oget_info3: api().H5Oget_info3.map(|_| get_info3 as _),
        ..api()
    };
    // SAFETY: the functions do what HDF5's do.
    let stubs = unsafe { Library::new(&stubs) }.expect("a library");
    let first = create(&library(), &file).expect("the first writer");
    assert!(is_in_use(attach(&stubs, &file)));
    drop(first);
    let second = attach(&stubs, &file).expect("the only writer");
    assert!(is_in_use(attach(&library(), &file)));
    drop(second);
    attach(&library(), &file).expect("the only writer").finish().expect("nothing to store");
}

/// Each library numbers its files for itself: the same dataset of files that are made alike has the same numbers in both.
#[test]
#[cfg(target_os = "linux")]
fn another_library_of_the_process_has_its_own_datasets() {
    let copy = std::env::temp_dir().join(format!("darkchunk-copy-{}-libhdf5.so", std::process::id()));
    let first = library();
    std::fs::copy(hdf5::origin(), &copy).expect("a copy");
    // SAFETY: it is a copy of an HDF5; what that needs is loaded.
    let other = unsafe { load::open(&copy) }.expect("a second library").library().expect("a library");
    let _ = std::fs::remove_file(&copy);
    // The other test has files open, too.
    let names = ["1", "2", "3", "4"];
    let files = [(&first, "first"), (&other, "other")].map(|(library, which)| {
        names.map(|number| {
            let file = File::create(library, &path(&format!("library-{which}-{number}"))).expect("a file");
            (create(library, &file).expect("a writer"), file)
        })
    });
    for (writer, file) in files.into_iter().flatten() {
        drop(writer);
        drop(file);
    }
}
