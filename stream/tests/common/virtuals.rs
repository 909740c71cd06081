//! Virtual datasets made at random of boxes of another dataset, each with what it holds.

use super::cases::{Case, index, place};
use super::hdf5::{LOCK, h5d, h5p, h5s};
use super::maker::Handle;
use darkchunk_sim::Rng;
use std::ffi::CString;

/// A virtual dataset: boxes of one size, one after the other along a new first axis, some of them left out, with a border
/// that no source has; perhaps each in pieces that are apart along one axis.
pub(crate) struct VirtualCase {
    pub(crate) dims: Vec<u64>,
    pub(crate) elements: Vec<u8>,
    fill: Vec<u8>,
    shape: Vec<u64>,
    border: Vec<u64>,
    /// The axis of a box along which it is in pieces, elements of a piece, and from one piece to the next.
    steps: Option<(usize, u64, u64)>,
    /// Which entry of the first axis is of the box that begins here.
    entries: Vec<(u64, Vec<u64>)>,
}

/// Pieces of a box along one of its axes, which may touch each other.
fn pieces(rng: &mut Rng, shape: &[u64]) -> Option<(usize, u64, u64)> {
    let axis = rng.below(shape.len());
    let n = 1 + rng.below(shape[axis] as usize) as u64;
    (is_one_in(rng, 2) && shape[axis].is_multiple_of(n)).then(|| (axis, n, n + rng.below(4) as u64))
}

/// The place of an element of a box along an axis.
fn spread(steps: Option<(usize, u64, u64)>, axis: usize, place: u64) -> u64 {
    steps.filter(|(at, ..)| *at == axis).map_or(place, |(_, n, step)| place / n * step + place % n)
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
        let steps = pieces(rng, &shape);
        let end = |axis: usize| border[axis] + spread(steps, axis, shape[axis] - 1) + 1;
        let dims: Vec<u64> = std::iter::once(n_entries).chain((0..shape.len()).map(end)).collect();
        let fill: Vec<u8> = (0..case.element_bytes).map(|_| rng.below(100) as u8).collect();
        let elements = fill.repeat(dims.iter().product::<u64>() as usize);
        let mut made = Self { dims, elements, fill, shape, border, steps, entries };
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
                let axes = inside.iter().zip(&self.border).enumerate();
                let shifted = axes.map(|(axis, (inside, border))| border + spread(self.steps, axis, *inside));
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
                let mut block: Vec<u64> = std::iter::once(1).chain(self.shape.iter().copied()).collect();
                let (mut stride, mut count) = (block.clone(), vec![1; block.len()]);
                if let Some((axis, n, step)) = self.steps {
                    (count[axis + 1], stride[axis + 1], block[axis + 1]) = (block[axis + 1] / n, step, n);
                }
                let none = std::ptr::null();
                let (begin, by) = (start.as_ptr(), stride.as_ptr());
                assert!(h5s::H5Sselect_hyperslab(here.0, 0, begin, by, count.as_ptr(), block.as_ptr()) >= 0);
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
