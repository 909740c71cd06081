//! A run whose process copies slices: its source, its outputs, and what is in them.

use darkchunk_hdf5::results::{NumberClass, NumberType};
use darkchunk_stream::Reader;
use darkchunk_stream::slabs::{Call, Input, Limits, OutputSpec, Plan, Provenance, Taken, Verdict};
use std::path::Path;

use super::hdf5::{h5t, library};
use super::maker::{self, Handle, Layout, Spec, create, open};
use super::path;

pub(crate) const DIMS: [u64; 4] = [5, 3, 130, 260];
/// So little that a slab has one place of the slower axis, or less.
pub(crate) const LIMITS: Limits = Limits { n_threads: 2, n_workers: 2, memory: 1 << 21, max_block: 1 };

pub(crate) fn source(name: &str) -> Handle {
    let file = path(name);
    let spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Chunked(vec![1, 1, 130, 260]));
    let values: Vec<u8> =
        (0..DIMS.iter().product::<u64>()).flat_map(|at| ((at * 7919 % 65521) as u16).to_ne_bytes()).collect();
    let made = create(&file, false, 0);
    maker::write(&spec.make(&made, "data"), spec.datatype, &values);
    drop(made);
    open(&file)
}

/// A slice that is a chunk, and numbers of which a chunk has several.
pub(crate) fn outputs() -> Vec<OutputSpec> {
    let number = |class, n_bytes| NumberType::native(class, n_bytes);
    vec![
        OutputSpec { path: "copies".into(), number: number(NumberClass::Unsigned, 2), shape: vec![130, -2, 260, -1] },
        OutputSpec { path: "out/firsts".into(), number: number(NumberClass::Unsigned, 2), shape: vec![-1, 2, -2] },
    ]
}

pub(crate) fn copy(call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
    let [copies, firsts] = outputs else { return Verdict::Failed("two outputs".into()) };
    copies.copy_from_slice(call.inputs[0].data);
    firsts.copy_from_slice(&call.inputs[0].data[..4]);
    if call.slice == 7 { Verdict::Skip } else { Verdict::Done }
}

pub(crate) fn provenance() -> Provenance {
    Provenance { facts: vec![("library".into(), "copy".into())], lists: Vec::new(), state: "written once".into() }
}

pub(crate) fn with_plan<T>(file: &Handle, n_workers: usize, then: impl FnOnce(&[Input], &Plan) -> T) -> T {
    with_limits(file, Limits { n_workers, n_threads: n_workers, ..LIMITS }, then)
}

pub(crate) fn with_limits<T>(file: &Handle, limits: Limits, then: impl FnOnce(&[Input], &Plan) -> T) -> T {
    let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
    let taken = Taken { map: vec![1, 2, 0, 0], padding: (0, 0) };
    let plan = Plan::new(&[(&inputs[0], &taken)], &outputs(), limits).expect("a plan");
    then(&inputs, &plan)
}

pub(crate) fn pixels(path: &Path, dataset: &str) -> Vec<u8> {
    let file = open(path);
    let reader = Reader::open_path(&library(), file.0, dataset, Default::default()).expect("a dataset");
    let mut all = vec![0; reader.dims().iter().product::<u64>() as usize * reader.element().n_bytes];
    let (start, shape) = (vec![0; reader.dims().len()], reader.dims().to_vec());
    reader.read(&start, &shape, None, &mut all).expect("all of it");
    all
}
