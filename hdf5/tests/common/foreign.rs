//! Datasets and attributes that another program makes.

use std::ffi::CString;

use super::hdf5::{LOCK, h5a, h5d, h5g, h5i, h5p, h5s, h5t};
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

/// Makes a group with an attribute that is a string of fixed length.
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
pub(crate) fn fixed_string(file: &File, group: &str, name: &str, text: &str) {
    let _lock = LOCK.lock();
    let [group, name] = [group, name].map(|text| CString::new(text).expect("a name"));
    // SAFETY: as HDF5 documents; the text has the length of the type.
    unsafe {
        let kind = h5t::H5Tcopy(*h5t::H5T_C_S1);
        assert!(h5t::H5Tset_size(kind, text.len()) >= 0);
        let at = h5g::H5Gcreate2(file.id(), group.as_ptr(), 0, 0, 0);
        let attribute =
            h5a::H5Acreate_by_name(file.id(), group.as_ptr(), name.as_ptr(), kind, h5s::H5Screate(0), 0, 0, 0);
        assert!(h5a::H5Awrite(attribute, kind, text.as_ptr().cast()) >= 0);
        [attribute, at, kind].into_iter().for_each(|id| assert!(h5i::H5Idec_ref(id) >= 0));
    }
}

/// The bytes of a string of fixed length; `None` of one of any length.
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
pub(crate) fn string_bytes(file: &File, group: &str, name: &str) -> Option<usize> {
    let _lock = LOCK.lock();
    let [group, name] = [group, name].map(|text| CString::new(text).expect("a name"));
    // SAFETY: as HDF5 documents.
    unsafe {
        let attribute = h5a::H5Aopen_by_name(file.id(), group.as_ptr(), name.as_ptr(), 0, 0);
        let kind = h5a::H5Aget_type(attribute);
        assert!(kind >= 0, "{name:?}");
        let n_bytes = (h5t::H5Tis_variable_str(kind) == 0).then(|| h5t::H5Tget_size(kind));
        [attribute, kind].into_iter().for_each(|id| assert!(h5i::H5Idec_ref(id) >= 0));
        n_bytes
    }
}

pub(crate) fn has_attribute(file: &File, group: &str, name: &str) -> bool {
    let _lock = LOCK.lock();
    let [group, name] = [group, name].map(|text| CString::new(text).expect("a name"));
    // SAFETY: three C strings.
    unsafe { h5a::H5Aexists_by_name(file.id(), group.as_ptr(), name.as_ptr(), 0) > 0 }
}
