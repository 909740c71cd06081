//! Files and datasets of every kind, made with HDF5 itself.

#![allow(dead_code, reason = "each test program uses its part")]

use std::ffi::CString;
use std::path::Path;

use super::hdf5::{LOCK, h5d, h5f, h5i, h5p, h5s, h5t};

/// An identifier that is closed when dropped.
pub(crate) struct Handle(pub(crate) i64);

impl Handle {
    fn new(id: i64, what: &str) -> Self {
        assert!(id > 0, "{what}");
        Self(id)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _lock = LOCK.lock();
        // SAFETY: an identifier of this value alone.
        unsafe { h5i::H5Idec_ref(self.0) };
    }
}

fn name(path: &Path) -> CString {
    CString::new(path.to_str().expect("UTF-8")).expect("no null byte")
}

/// A property list of a class.
fn list(class: i64) -> Handle {
    // SAFETY: a class of property lists.
    Handle::new(unsafe { h5p::H5Pcreate(class) }, "H5Pcreate")
}

/// Makes a file: in the oldest format, or that of HDF5 1.10 with its other indices of chunks; with a user block.
pub(crate) fn create(path: &Path, is_v110: bool, user_block: u64) -> Handle {
    let _lock = LOCK.lock();
    let (access, created) = (list(*h5p::H5P_CLS_FILE_ACCESS), list(*h5p::H5P_CLS_FILE_CREATE));
    // SAFETY: a property list; 0 is the oldest format, 2 that of 1.10.
    assert!(unsafe { h5p::H5Pset_libver_bounds(access.0, if is_v110 { 2 } else { 0 }, 2) } >= 0);
    // SAFETY: a property list.
    assert!(unsafe { h5p::H5Pset_userblock(created.0, user_block) } >= 0);
    // SAFETY: a C string; 2 replaces what is there.
    Handle::new(unsafe { h5f::H5Fcreate(name(path).as_ptr(), 2, created.0, access.0) }, "H5Fcreate")
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Handle {
    let _lock = LOCK.lock();
    // SAFETY: a C string.
    Handle::new(unsafe { h5f::H5Fopen(name(path).as_ptr(), 0, 0) }, "H5Fopen")
}

/// Opens a file for reading, of which HDF5 has a copy in memory.
pub(crate) fn open_in_memory(path: &Path) -> Handle {
    let _lock = LOCK.lock();
    let access = list(*h5p::H5P_CLS_FILE_ACCESS);
    // SAFETY: a property list.
    assert!(unsafe { h5p::H5Pset_fapl_core(access.0, 1 << 16, 0) } >= 0);
    // SAFETY: a C string.
    Handle::new(unsafe { h5f::H5Fopen(name(path).as_ptr(), 0, access.0) }, "H5Fopen")
}

pub(crate) fn open_dataset(file: &Handle, dataset: &str) -> Handle {
    let _lock = LOCK.lock();
    let dataset = CString::new(dataset).expect("a name");
    // SAFETY: a C string.
    Handle::new(unsafe { h5d::H5Dopen2(file.0, dataset.as_ptr(), 0) }, "H5Dopen2")
}

/// When HDF5 writes the fill value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FillTime {
    Allocated,
    Never,
    IfSet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    Compact,
    Contiguous,
    External(CString),
    Chunked(Vec<u64>),
    /// Of one source: file, dataset, its shape.
    Virtual(CString, CString, Vec<u64>),
}

/// A dataset.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) datatype: i64,
    pub(crate) dims: Vec<u64>,
    pub(crate) max_dims: Vec<u64>,
    pub(crate) layout: Layout,
    pub(crate) filters: Vec<(i32, Vec<u32>)>,
    pub(crate) raw_edges: bool,
    pub(crate) fill: Option<Vec<u8>>,
    pub(crate) fill_time: FillTime,
    pub(crate) is_early: bool,
}

impl Spec {
    pub(crate) fn new(datatype: i64, dims: &[u64], layout: Layout) -> Self {
        Self {
            datatype,
            dims: dims.to_vec(),
            max_dims: dims.to_vec(),
            layout,
            filters: Vec::new(),
            raw_edges: false,
            fill: None,
            fill_time: FillTime::IfSet,
            is_early: false,
        }
    }

    fn space(dims: &[u64], max_dims: &[u64]) -> Handle {
        let rank = dims.len() as i32;
        // SAFETY: arrays of the rank that is said.
        Handle::new(unsafe { h5s::H5Screate_simple(rank, dims.as_ptr(), max_dims.as_ptr()) }, "H5Screate_simple")
    }

    /// Calls into HDF5 with checked results.
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
    fn properties(&self, space: &Handle) -> Handle {
        let rank = self.dims.len() as i32;
        // SAFETY: as HDF5 documents; arrays have the rank that is said.
        unsafe {
            let list = list(*h5p::H5P_CLS_DATASET_CREATE);
            let status = match &self.layout {
                Layout::Compact => h5p::H5Pset_layout(list.0, 0),
                Layout::Contiguous => h5p::H5Pset_layout(list.0, 1),
                Layout::External(name) => h5p::H5Pset_external(list.0, name.as_ptr(), 0, u64::MAX),
                Layout::Chunked(chunk) => h5p::H5Pset_chunk(list.0, rank, chunk.as_ptr()),
                Layout::Virtual(file, dataset, dims) => {
                    let source = Self::space(dims, dims);
                    h5p::H5Pset_virtual(list.0, space.0, file.as_ptr(), dataset.as_ptr(), source.0)
                }
            };
            assert!(status >= 0, "{:?}", self.layout);
            assert!(!self.raw_edges || h5p::H5Pset_chunk_opts(list.0, 2) >= 0);
            assert!(!self.is_early || h5p::H5Pset_alloc_time(list.0, 1) >= 0);
            for (id, values) in &self.filters {
                assert!(h5p::H5Pset_filter(list.0, *id, 1, values.len(), values.as_ptr()) >= 0, "filter {id}");
            }
            if let Some(fill) = &self.fill {
                assert!(h5p::H5Pset_fill_value(list.0, self.datatype, fill.as_ptr().cast()) >= 0);
            }
            assert!(h5p::H5Pset_fill_time(list.0, self.fill_time as i32) >= 0);
            list
        }
    }

    pub(crate) fn make(&self, file: &Handle, name: &str) -> Handle {
        let _lock = LOCK.lock();
        let name = CString::new(name).expect("a name");
        let space = Self::space(&self.dims, &self.max_dims);
        let properties = self.properties(&space);
        // SAFETY: a C string, and identifiers that are there.
        let id = unsafe { h5d::H5Dcreate2(file.0, name.as_ptr(), self.datatype, space.0, 0, properties.0, 0) };
        Handle::new(id, "H5Dcreate2")
    }
}

/// Stores a chunk as it is.
pub(crate) fn write_chunk(dataset: &Handle, offset: &[u64], mask: u32, bytes: &[u8]) {
    let _lock = LOCK.lock();
    let (at, data) = (offset.as_ptr(), bytes.as_ptr().cast());
    // SAFETY: an offset of the dataset's rank, and as many bytes as are said.
    let status = unsafe { h5d::H5Dwrite_chunk(dataset.0, 0, mask, at, bytes.len(), data) };
    assert!(status >= 0, "chunk at {offset:?}");
}

/// Writes all elements.
pub(crate) fn write(dataset: &Handle, datatype: i64, bytes: &[u8]) {
    let _lock = LOCK.lock();
    // SAFETY: the caller gives all of the dataset's elements.
    assert!(unsafe { h5d::H5Dwrite(dataset.0, datatype, 0, 0, 0, bytes.as_ptr().cast()) } >= 0);
}

/// A type of so many bytes that mean nothing to HDF5.
pub(crate) fn opaque(n_bytes: usize) -> i64 {
    let _lock = LOCK.lock();
    const OPAQUE: i32 = 5;
    // SAFETY: a class of datatypes.
    let id = unsafe { h5t::H5Tcreate(OPAQUE, n_bytes) };
    assert!(id > 0);
    id
}

/// Strings of any length.
pub(crate) fn strings() -> i64 {
    let _lock = LOCK.lock();
    // SAFETY: a datatype.
    let id = unsafe { h5t::H5Tcopy(*h5t::H5T_C_S1) };
    // SAFETY: a datatype; the size that means any.
    assert!(unsafe { h5t::H5Tset_size(id, usize::MAX) } >= 0);
    id
}
