//! Datasets that another program makes.

use std::ffi::CString;

use super::hdf5::{LOCK, h5d, h5i, h5p, h5s, h5t};
use super::{HEIGHT, WIDTH};
use darkchunk_hdf5::File;

/// How another program makes a dataset.
#[derive(Clone)]
pub(crate) struct Foreign<'a> {
    pub(crate) datatype: i64,
    pub(crate) dims: &'a [u64],
    pub(crate) chunk: Option<&'a [u64]>,
    pub(crate) filters: &'a [(i32, &'a [u32])],
    pub(crate) whole_edges: bool,
    pub(crate) most: Option<u64>,
}

impl Foreign<'_> {
    pub(crate) fn new() -> Foreign<'static> {
        Foreign {
            datatype: *h5t::H5T_NATIVE_INT16,
            dims: &[0, HEIGHT as u64, WIDTH as u64],
            chunk: Some(&[2, HEIGHT as u64, WIDTH as u64]),
            filters: &[],
            whole_edges: false,
            most: None,
        }
    }

    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
    pub(crate) fn make(&self, file: &File, name: &str) {
        let _lock = LOCK.lock();
        let name = CString::new(name).expect("a name");
        let rank = self.dims.len() as i32;
        let mut most = self.dims.to_vec();
        most[0] = if self.chunk.is_some() { self.most.unwrap_or(u64::MAX) } else { most[0] };
        // SAFETY: as HDF5 documents; arrays have the rank that is said.
        unsafe {
            let space = h5s::H5Screate_simple(rank, self.dims.as_ptr(), most.as_ptr());
            let properties = h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE);
            if let Some(chunk) = self.chunk {
                assert!(h5p::H5Pset_chunk(properties, rank, chunk.as_ptr()) >= 0);
            }
            if self.whole_edges {
                assert!(h5p::H5Pset_chunk_opts(properties, 2) >= 0);
            }
            for (id, values) in self.filters {
                assert!(h5p::H5Pset_filter(properties, *id, 1, values.len(), values.as_ptr()) >= 0);
            }
            let dataset = h5d::H5Dcreate2(file.id(), name.as_ptr(), self.datatype, space, 0, properties, 0);
            assert!(dataset > 0);
            h5i::H5Idec_ref(dataset);
        }
    }
}
