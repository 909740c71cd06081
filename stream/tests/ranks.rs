//! Several processes that share a run: their files, and the master, show what one process writes.

mod common;

use common::hdf5::{h5t, library};
use common::maker::{self, Handle, Layout, Spec, create, open};
use common::path;
use darkchunk_hdf5::results::{NumberClass, NumberType};
use darkchunk_stream::slabs::{
    Call, Input, Limits, OutputSpec, Part, Plan, Provenance, Rank, Taken, Verdict, write, write_part,
};
use darkchunk_stream::{Error, Reader};
use std::path::Path;

const DIMS: [u64; 4] = [5, 3, 130, 260];
/// So little that a slab has one place of the slower axis, or less.
const LIMITS: Limits = Limits { n_threads: 2, n_workers: 2, memory: 1 << 21, max_block: 1 };
const N_RANKS: u64 = 4;

fn source(name: &str) -> Handle {
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
fn outputs() -> Vec<OutputSpec> {
    let number = |class, n_bytes| NumberType::native(class, n_bytes);
    vec![
        OutputSpec { path: "copies".into(), number: number(NumberClass::Unsigned, 2), shape: vec![130, -2, 260, -1] },
        OutputSpec { path: "out/firsts".into(), number: number(NumberClass::Unsigned, 2), shape: vec![-1, 2, -2] },
    ]
}

fn copy(call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
    let [copies, firsts] = outputs else { return Verdict::Failed("two outputs".into()) };
    copies.copy_from_slice(call.inputs[0].data);
    firsts.copy_from_slice(&call.inputs[0].data[..4]);
    if call.slice == 7 { Verdict::Skip } else { Verdict::Done }
}

fn provenance() -> Provenance {
    Provenance { facts: vec![("library".into(), "copy".into())], lists: Vec::new(), state: "written once".into() }
}

fn with_plan<T>(file: &Handle, n_workers: usize, then: impl FnOnce(&[Input], &Plan) -> T) -> T {
    let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
    let taken = Taken { map: vec![1, 2, 0, 0], padding: (0, 0) };
    let limits = Limits { n_workers, n_threads: n_workers, ..LIMITS };
    let plan = Plan::new(&[(&inputs[0], &taken)], &outputs(), limits).expect("a plan");
    then(&inputs, &plan)
}

fn part(file: &Handle, to: &Path, rank: u64, facts: &Provenance, resume: bool) -> Result<Part, Error> {
    with_plan(file, 2, |inputs, plan| {
        let plan = plan.clone().with_rank(Rank { rank, n_ranks: N_RANKS });
        write_part(&library(), to, (inputs, &plan), &copy, false, (facts, resume), &|_| ())
    })
}

fn pixels(path: &Path, dataset: &str) -> Vec<u8> {
    let file = open(path);
    let reader = Reader::open_path(&library(), file.0, dataset, Default::default()).expect("a dataset");
    let mut all = vec![0; reader.dims().iter().product::<u64>() as usize * reader.element().n_bytes];
    let (start, shape) = (vec![0; reader.dims().len()], reader.dims().to_vec());
    reader.read(&start, &shape, None, &mut all).expect("all of it");
    all
}

/// A name, and no file of it or of a part.
fn fresh(name: &str) -> std::path::PathBuf {
    let to = path(name);
    for rank in 0..N_RANKS {
        let _ = std::fs::remove_file(part_path(&to, rank));
    }
    to
}

fn part_path(to: &Path, rank: u64) -> std::path::PathBuf {
    darkchunk_stream::master::part_path(to, rank)
}

#[test]
fn a_master_of_four_ranks_shows_what_one_process_writes() {
    let (file, alone, to) = (source("ranks-source"), path("ranks-alone"), fresh("ranks"));
    with_plan(&file, 2, |inputs, plan| {
        write(&library(), &alone, (inputs, plan), &copy, false, &provenance(), &|_| ()).expect("written");
    });
    let mut missing = vec![0, 1, 2, 3];
    for rank in [2, 0, 3, 1] {
        assert!(!to.exists());
        let done = part(&file, &to, rank, &provenance(), false).expect("a part");
        missing.retain(|other| *other != rank);
        assert_eq!((done.missing, done.path), (missing.clone(), part_path(&to, rank)));
        let summary = done.summary.expect("it was not there");
        assert!(summary.n_done > 0 && summary.n_not_reached == 0, "{summary:?}");
    }
    for dataset in ["copies", "out/firsts", "entry/process/status"] {
        assert!(pixels(&to, dataset) == pixels(&alone, dataset), "{dataset}");
    }
}

#[test]
fn a_part_that_is_there_is_kept_and_one_of_another_run_is_refused() {
    let (file, to) = (source("resume-source"), fresh("resume"));
    let first = part(&file, &to, 1, &provenance(), false).expect("a part").path;
    let bytes = std::fs::read(&first).expect("there");
    let refused = |done: Result<Part, Error>, words: &str| {
        let error = done.expect_err(words).to_string();
        assert!(error.contains(words) && error.contains("resume_000001.h5"), "{error}");
    };
    refused(part(&file, &to, 1, &provenance(), false), "is there already");
    let other = Provenance { facts: vec![("library".into(), "other".into())], ..provenance() };
    refused(part(&file, &to, 1, &other, true), "of another run");
    let written_again = Provenance { state: "written twice".into(), ..provenance() };
    refused(part(&file, &to, 1, &written_again, true), "an input that has changed");
    assert!(part(&file, &to, 1, &provenance(), true).expect("kept").summary.is_none());
    for rank in [0, 2] {
        part(&file, &to, rank, &provenance(), true).expect("a part");
    }
    let (moved, place) = (part_path(&to, 0), part_path(&to, 3));
    std::fs::copy(&moved, &place).expect("copied");
    let error = part(&file, &to, 0, &provenance(), true).expect_err("it is not rank 3's").to_string();
    assert!(error.contains("another rank's") && !to.exists(), "{error}");
    std::fs::remove_file(&place).expect("removed");
    assert!(part(&file, &to, 3, &provenance(), true).expect("the last").missing.is_empty());
    assert!(to.exists() && std::fs::read(&first).expect("there") == bytes);
}

#[test]
fn parts_are_the_same_bytes_with_any_number_of_threads() {
    let file = source("ranks-threads");
    let bytes = |n_workers: usize| {
        let to = fresh(&format!("ranks-threads-{n_workers}"));
        with_plan(&file, n_workers, |inputs, plan| {
            let plan = plan.clone().with_rank(Rank { rank: 0, n_ranks: 1 });
            write_part(&library(), &to, (inputs, &plan), &copy, false, (&provenance(), false), &|_| ())
                .expect("a part");
        });
        let bytes = std::fs::read(part_path(&to, 0)).expect("there");
        std::fs::remove_file(to).expect("a master");
        bytes
    };
    assert!(bytes(1) == bytes(4));
}
