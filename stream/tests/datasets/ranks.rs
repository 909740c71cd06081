//! Several processes that share a run: their files, and the master, show what one process writes.

use crate::common::copies::{copy, pixels, provenance, source, with_plan};
use crate::common::hdf5::library;
use crate::common::maker::Handle;
use crate::common::path;
use darkchunk_stream::Error;
use darkchunk_stream::slabs::{Part, Provenance, Rank, join_parts, write, write_part};
use std::path::Path;

const N_RANKS: u64 = 4;

fn part(file: &Handle, to: &Path, rank: u64, facts: &Provenance, resume: bool) -> Result<(Part, Vec<u64>), Error> {
    with_plan(file, 2, |inputs, plan| {
        let plan = plan.clone().with_rank(Rank { rank, n_ranks: N_RANKS });
        let part = write_part(&library(), to, (inputs, &plan), &copy, false, (facts, resume), &|_| ())?;
        Ok((part, join_parts(&library(), to, &plan, facts)?))
    })
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
        write(&library(), &alone, (inputs, plan), &copy, false, (&provenance(), false), &|_| ()).expect("written");
    });
    let mut missing = vec![0, 1, 2, 3];
    for rank in [2, 0, 3, 1] {
        assert!(!to.exists());
        let (done, left) = part(&file, &to, rank, &provenance(), false).expect("a part");
        missing.retain(|other| *other != rank);
        assert_eq!((left, done.path), (missing.clone(), part_path(&to, rank)));
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
    let first = part(&file, &to, 1, &provenance(), false).expect("a part").0.path;
    let bytes = std::fs::read(&first).expect("there");
    let refused = |done: Result<(Part, Vec<u64>), Error>, words: &str| {
        let error = done.expect_err(words).to_string();
        assert!(error.contains(words) && error.contains("resume_000001.h5"), "{error}");
    };
    refused(part(&file, &to, 1, &provenance(), false), "is there already");
    let other = Provenance { facts: vec![("library".into(), "other".into())], ..provenance() };
    refused(part(&file, &to, 1, &other, true), "of another run");
    let written_again = Provenance { state: "written twice".into(), ..provenance() };
    refused(part(&file, &to, 1, &written_again, true), "an input that has changed");
    assert!(part(&file, &to, 1, &provenance(), true).expect("kept").0.summary.is_none());
    for rank in [0, 2] {
        part(&file, &to, rank, &provenance(), true).expect("a part");
    }
    let (moved, place) = (part_path(&to, 0), part_path(&to, 3));
    std::fs::copy(&moved, &place).expect("copied");
    let error = part(&file, &to, 0, &provenance(), true).expect_err("it is not rank 3's").to_string();
    assert!(error.contains("another rank's") && !to.exists(), "{error}");
    std::fs::remove_file(&place).expect("removed");
    assert!(part(&file, &to, 3, &provenance(), true).expect("the last").1.is_empty());
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
        std::fs::read(part_path(&to, 0)).expect("there")
    };
    assert!(bytes(1) == bytes(4));
}
