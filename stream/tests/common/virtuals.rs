//! Virtual datasets made at random of boxes of another dataset, each with what it holds.

use super::cases::{Case, index, place};
use super::hdf5::{LOCK, h5d, h5p, h5s};
use super::maker::Handle;
use darkchunk_sim::Rng;
use std::ffi::CString;

/// A virtual dataset: boxes of one size, one after the other along a new first axis, some of them left out, with a border
/// that no source has.
pub(crate) struct VirtualCase {
    pub(crate) dims: Vec<u64>,
    pub(crate) elements: Vec<u8>,
    fill: Vec<u8>,
    shape: Vec<u64>,
    border: Vec<u64>,
    /// Which entry of the first axis is of the box that begins here.
    entries: Vec<(u64, Vec<u64>)>,
}

fn is_one_in(rng: &mut Rng, n: usize) -> bool {
    rng.below(n) == 0
}

impl VirtualCase {
    pub(crate) fn random(rng: &mut Rng, case: &Case) -> Self {
        let source = &case.spec.dims;
        let is_whole = is_one_in(rng, 3);
        let shape: Vec<u64> =
            source.iter().map(|dim| if is_whole { *dim } else { 1 + rng.below(*dim as usize) as u64 }).collect();
        let border: Vec<u64> = source.iter().map(|_| if is_one_in(rng, 3) { 1 } else { 0 }).collect();
        let n_entries = 1 + rng.below(4) as u64;
        let (has_all, mut entries) = (is_one_in(rng, 2), Vec::new());
        for entry in 0..n_entries {
            if has_all || is_one_in(rng, 2) {
                let at = source.iter().zip(&shape).map(|(dim, n)| rng.below((dim - n + 1) as usize) as u64).collect();
                entries.push((entry, at));
            }
        }
        let inner = shape.iter().zip(&border).map(|(n, border)| n + border);
        let dims: Vec<u64> = std::iter::once(n_entries).chain(inner).collect();
        let fill: Vec<u8> = (0..case.element_bytes).map(|_| rng.below(100) as u8).collect();
        let elements = fill.repeat(dims.iter().product::<u64>() as usize);
        let mut made = Self { dims, elements, fill, shape, border, entries };
        made.put_elements(case);
        made
    }

    pub(crate) fn has_parts(&self) -> bool {
        !self.entries.is_empty()
    }

    fn put_elements(&mut self, case: &Case) {
        let n_bytes = case.element_bytes;
        for (entry, at) in &self.entries {
            for number in 0..self.shape.iter().product() {
                let inside = place(&self.shape, number);
                let from: Vec<u64> = inside.iter().zip(at).map(|(inside, at)| inside + at).collect();
                let shifted = inside.iter().zip(&self.border).map(|(inside, border)| inside + border);
                let to: Vec<u64> = std::iter::once(*entry).chain(shifted).collect();
                let from = index(&case.spec.dims, &from).expect("inside") * n_bytes;
                let to = index(&self.dims, &to).expect("inside") * n_bytes;
                self.elements[to..to + n_bytes].copy_from_slice(&case.elements[from..from + n_bytes]);
            }
        }
    }

    /// Makes the dataset, of `dataset` in the file `source`.
    #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
    pub(crate) fn make(&self, file: &Handle, name: &str, case: &Case, (source, dataset): (&str, &str)) {
        let _lock = LOCK.lock();
        let text = |text: &str| CString::new(text).expect("a name");
        let (source, dataset, name) = (text(source), text(dataset), text(name));
        let space = |dims: &[u64]| {
            // SAFETY: an array of the rank that is said.
            Handle(unsafe { h5s::H5Screate_simple(dims.len() as i32, dims.as_ptr(), dims.as_ptr()) })
        };
        // SAFETY: as HDF5 documents; arrays have the rank that is said.
        unsafe {
            let list = Handle(h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE));
            assert!(h5p::H5Pset_fill_value(list.0, case.spec.datatype, self.fill.as_ptr().cast()) >= 0);
            for (entry, at) in &self.entries {
                let (here, there) = (space(&self.dims), space(&case.spec.dims));
                let start: Vec<u64> = std::iter::once(*entry).chain(self.border.iter().copied()).collect();
                let count: Vec<u64> = std::iter::once(1).chain(self.shape.iter().copied()).collect();
                let none = std::ptr::null();
                assert!(h5s::H5Sselect_hyperslab(here.0, 0, start.as_ptr(), none, count.as_ptr(), none) >= 0);
                assert!(h5s::H5Sselect_hyperslab(there.0, 0, at.as_ptr(), none, self.shape.as_ptr(), none) >= 0);
                assert!(h5p::H5Pset_virtual(list.0, here.0, source.as_ptr(), dataset.as_ptr(), there.0) >= 0);
            }
            if self.entries.is_empty() {
                assert!(h5p::H5Pset_layout(list.0, 3) >= 0);
            }
            let (kind, all) = (case.spec.datatype, space(&self.dims));
            let made = Handle(h5d::H5Dcreate2(file.0, name.as_ptr(), kind, all.0, 0, list.0, 0));
            assert!(made.0 > 0, "H5Dcreate2");
        }
    }
}
