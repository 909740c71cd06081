//! A reader in a process that forks. Alone: a child has the other tests' files open and locked for a moment.

#![cfg(target_os = "linux")]

mod common;

use common::hdf5::{h5t, library};
use common::maker::{self, Layout, Spec, create, open, open_dataset};
use common::path;
use darkchunk_stream::{Error, Options, Reader};

const DIMS: [u64; 2] = [12, 10];
const N_BYTES: usize = 240;

fn elements() -> Vec<u8> {
    (0..N_BYTES).map(|i| (i * 37 % 251) as u8).collect()
}

fn read(reader: &Reader) -> Result<Vec<u8>, Error> {
    let mut found = vec![0xEE; N_BYTES];
    reader.read(&[0; 2], &DIMS, None, &mut found).map(|()| found)
}

/// The parent's threads are not there in the child.
#[test]
fn a_process_that_forked_goes_on_reading() {
    let path = path("reader_fork");
    let layout = Layout::Chunked(vec![4, 10]);
    let filters = vec![(2, vec![2]), (1, vec![4])];
    let spec = Spec { filters, ..Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, layout) };
    maker::write(&spec.make(&create(&path, false, 0), "data"), spec.datatype, &elements());
    let options = Options { n_threads: 3, ..Options::default() };
    let reader = Reader::open(&library(), open_dataset(&open(&path), "data").0, options).expect("a dataset");
    assert_eq!(read(&reader), Ok(elements()));
    // SAFETY: the child calls nothing of HDF5, and leaves by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_right = (0..50).all(|_| read(&reader) == Ok(elements()));
        // SAFETY: ends this process without anything of the parent's.
        unsafe { libc::_exit(i32::from(!is_right)) };
    }
    assert_eq!(read(&reader), Ok(elements()));
    let mut status = 0;
    // SAFETY: the child of this process, and a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child read something else");
}
