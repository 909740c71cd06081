//! A run that was ended goes on after its last finished slab, and the file is the same, byte by byte.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::common::copies::{LIMITS, copy, provenance, source, with_limits};
use crate::common::hdf5::library;
use crate::common::maker::Handle;
use crate::common::path;
use darkchunk_hdf5::results::{NumberClass, NumberType};
use darkchunk_stream::Error;
use darkchunk_stream::slabs::{Call, Input, Limits, OutputSpec, Plan, Provenance, Summary, Taken, Verdict, write};

const N_SLICES: u64 = 15;

/// Slices of a slab at most.
const HEIGHT: u64 = 6;

/// A folder without files.
fn folder(name: &str) -> PathBuf {
    let folder = path(name).with_extension("");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Copies slices, and fails at one; gives the slices that were asked for, too.
fn run(
    file: &Handle,
    to: &Path,
    fails: Option<u64>,
    limits: Limits,
    resume: bool,
) -> (Result<Summary, Error>, Vec<u64>) {
    run_as(file, to, fails, limits, (&provenance(), resume))
}

fn run_as(
    file: &Handle,
    to: &Path,
    fails: Option<u64>,
    limits: Limits,
    how: (&Provenance, bool),
) -> (Result<Summary, Error>, Vec<u64>) {
    let asked = Mutex::new(Vec::new());
    let process = |call: &Call<'_>, outputs: &mut [&mut [u8]]| {
        asked.lock().expect("no panic").push(call.slice);
        if fails == Some(call.slice) { Verdict::Failed("as it was told".into()) } else { copy(call, outputs) }
    };
    let done =
        with_limits(file, limits, |inputs, plan| write(&library(), to, (inputs, plan), &process, false, how, &|_| ()));
    (done, asked.into_inner().expect("no panic"))
}

fn only(folder: &Path, ending: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{ending}: {found:?}");
    found.remove(0)
}

fn is_alone(file: &Path) -> bool {
    std::fs::read_dir(file.parent().expect("a folder")).expect("a folder").count() == 1
}

fn whole(file: &Handle, name: &str) -> Vec<u8> {
    let to = folder(name).join("out.h5");
    assert_eq!(run(file, &to, None, LIMITS, false).0.expect("written").n_done, N_SLICES - 1);
    assert!(is_alone(&to));
    std::fs::read(to).expect("there")
}

#[test]
fn a_run_that_failed_goes_on_after_its_last_slab_to_the_same_bytes() {
    let file = source("resume-slabs-source");
    let whole = whole(&file, "resume-slabs-whole");
    for fails in 0..N_SLICES {
        let to = folder("resume-slabs").join("out.h5");
        let (failed, _) = run(&file, &to, Some(fails), LIMITS, false);
        let end = match failed.expect_err("it fails") {
            Error::Kept { end, error } => {
                assert!(error.to_string().contains("as it was told"), "{error}");
                end
            }
            _ => 0,
        };
        assert!(end <= fails && fails - end < HEIGHT, "{fails} {end}");
        // It may go on with other slabs and threads.
        let limits = if fails.is_multiple_of(2) {
            LIMITS
        } else {
            Limits { n_workers: 1, n_threads: 1, memory: 1 << 24, ..LIMITS }
        };
        let (done, mut asked) = run(&file, &to, None, limits, true);
        let summary = done.expect("goes on");
        asked.sort_unstable();
        assert_eq!(asked, (end..N_SLICES).collect::<Vec<_>>(), "only what was not finished");
        assert_eq!((summary.n_kept, summary.n_done, summary.n_skipped), (end, N_SLICES - 1, 1));
        assert!(std::fs::read(&to).expect("there") == whole, "{fails}");
        assert!(is_alone(&to), "nothing is left");
    }
}

#[test]
fn a_run_that_is_ended_again_and_again_leaves_one_unfinished_file() {
    let file = source("resume-again-source");
    let whole = whole(&file, "resume-again-whole");
    let to = folder("resume-again").join("out.h5");
    for fails in [7, 9, 9, 13] {
        let failed = run(&file, &to, Some(fails), LIMITS, true).0;
        assert!(
            matches!(failed.expect_err("it fails"), Error::Kept { end, .. } if end <= fails && fails - end < HEIGHT)
        );
        only(to.parent().expect("a folder"), ".slabs");
        only(to.parent().expect("a folder"), ".tmp");
    }
    run(&file, &to, None, LIMITS, true).0.expect("written");
    assert!(std::fs::read(&to).expect("there") == whole && is_alone(&to));
}

#[test]
fn what_is_torn_or_damaged_is_done_again() {
    let file = source("resume-torn-source");
    let whole = whole(&file, "resume-torn-whole");
    let to = folder("resume-torn").join("out.h5");
    run(&file, &to, Some(12), LIMITS, false).0.expect_err("it fails");
    let (manifest, unfinished) =
        (only(to.parent().expect("a folder"), ".slabs"), only(to.parent().expect("a folder"), ".tmp"));
    let (lines, bytes) = (std::fs::read(&manifest).expect("there"), std::fs::read(&unfinished).expect("there"));
    let mut kept = std::collections::BTreeSet::new();
    let mut check = |lines: &[u8], bytes: &[u8], what: &str| {
        let _ = std::fs::remove_file(&to);
        std::fs::write(&manifest, lines).expect("written");
        std::fs::write(&unfinished, bytes).expect("written");
        let (done, asked) = run(&file, &to, None, LIMITS, true);
        kept.insert(N_SLICES - asked.len() as u64);
        assert_eq!(done.expect(what).n_done, N_SLICES - 1, "{what}");
        assert!(std::fs::read(&to).expect("there") == whole, "{what}");
    };
    for end in (0..lines.len()).step_by(97) {
        check(&lines[..end], &bytes, &format!("torn at {end}"));
        let mut changed = lines.clone();
        changed[end] ^= 1;
        check(&changed, &bytes, &format!("byte {end} changed"));
    }
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        check(&lines, &bytes[..at], &format!("the file ends at {at}"));
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        check(&lines, &changed, &format!("byte {at} of the file changed"));
    }
    assert!(kept.len() >= 3 && kept.contains(&12) && kept.contains(&0), "more or less of it was used: {kept:?}");
}

#[test]
fn an_output_whose_name_is_taken_leaves_nothing() {
    let file = source("resume-taken-source");
    let to = folder("resume-taken").join("out.h5");
    let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
    let taken = Taken { map: vec![1, 2, 0, 0], padding: (0, 0) };
    let number = NumberType::native(NumberClass::Unsigned, 2);
    let output = OutputSpec { path: "entry/process/status".into(), number, shape: vec![-1, -2, 130, 260] };
    let plan = Plan::new(&[(&inputs[0], &taken)], &[output], LIMITS).expect("a plan");
    let done = write(&library(), &to, (&inputs, &plan), &copy, false, (&provenance(), false), &|_| ());
    assert!(done.expect_err("it is the run's").to_string().contains("a name of its own"));
    assert_eq!(std::fs::read_dir(to.parent().expect("a folder")).expect("a folder").count(), 0);
}

/// As one would who wants to harm: with a checksum that is right.
fn with_line(lines: &str, number: usize, change: impl Fn(&mut serde_json::Value)) -> String {
    let mut lines: Vec<_> = lines.lines().map(str::to_owned).collect();
    let mut value = serde_json::from_str(&lines[number][9..]).expect("JSON");
    change(&mut value);
    let text = value.to_string();
    lines[number] = format!("{:08x} {text}", crc32fast::hash(text.as_bytes()));
    lines.join("\n") + "\n"
}

#[test]
fn what_a_manifest_says_of_other_axes_or_slices_is_refused() {
    let file = source("resume-hostile-source");
    let to = folder("resume-hostile").join("out.h5");
    run(&file, &to, Some(12), LIMITS, false).0.expect_err("it fails");
    let manifest = only(to.parent().expect("a folder"), ".slabs");
    let lines = std::fs::read_to_string(&manifest).expect("there");
    let resumed = |lines: String| {
        std::fs::write(&manifest, lines).expect("written");
        run(&file, &to, None, LIMITS, true).0.map(|summary| summary.n_kept)
    };
    for offset in [serde_json::json!([]), serde_json::json!([0]), serde_json::json!([0, 0, 0, 0, 0])] {
        let changed = with_line(&lines, 1, |slab| slab["chunks"][0]["offset"] = offset.clone());
        let error = resumed(changed).expect_err("not the dataset's axes").to_string();
        assert!(error.contains("of a chunk has") && error.contains("the dataset has 4"), "{error}");
    }
    let error = resumed(with_line(&lines, 1, |slab| slab["end"] = u64::MAX.into())).expect_err("no such slice");
    assert!(error.to_string().contains("is of other slices"), "{error}");
}

#[test]
fn slabs_of_other_types_padding_or_blocks_are_not_taken() {
    let file = source("resume-types-source");
    let run = |to: &Path, fails: bool, class: NumberClass, padding: (u64, u64), max_block: u64, resume: bool| {
        let inputs = [Input::open(&library(), file.0, "data", 2).expect("a dataset")];
        let (taken, number) = (Taken { map: vec![1, 2, 0, 0], padding }, NumberType::native(class, 2));
        let output = OutputSpec { path: "copies".into(), number, shape: vec![-1, -2, 130, 260] };
        let limits = Limits { max_block, ..LIMITS };
        let plan = Plan::new(&[(&inputs[0], &taken)], &[output], limits).expect("a plan");
        let process = |call: &Call<'_>, outputs: &mut [&mut [u8]]| {
            if fails && call.slice >= 12 {
                return Verdict::Failed("as it was told".into());
            }
            let n_bytes = outputs[0].len();
            outputs[0].copy_from_slice(&call.inputs[0].data[..n_bytes]);
            Verdict::Done
        };
        write(&library(), to, (&inputs, &plan), &process, false, (&provenance(), resume), &|_| ())
    };
    let cases = [
        (NumberClass::Unsigned, (0, 0), 1, true),
        (NumberClass::Signed, (0, 0), 1, false),
        (NumberClass::Unsigned, (1, 0), 1, false),
        (NumberClass::Unsigned, (0, 0), 2, false),
    ];
    for (class, padding, max_block, is_kept) in cases {
        let to = folder("resume-types").join("out.h5");
        run(&to, true, NumberClass::Unsigned, (0, 0), 1, false).expect_err("it fails");
        let summary = run(&to, false, class, padding, max_block, true).expect("written");
        assert_eq!(summary.n_kept > 0, is_kept, "{class:?} {padding:?} {max_block}");
    }
}

#[test]
fn what_is_there_is_lost_neither_by_mistake_nor_to_another_run() {
    let file = source("resume-other-source");
    let to = folder("resume-other").join("out.h5");
    run(&file, &to, Some(12), LIMITS, false).0.expect_err("it fails");
    let (again, asked) = run(&file, &to, None, LIMITS, false);
    let error = again.expect_err("it is not to be resumed").to_string();
    assert!(error.contains("up to slice 12: --resume goes on") && asked.is_empty(), "{error}");
    let manifest = only(to.parent().expect("a folder"), ".slabs");
    assert!(error.contains(&manifest.display().to_string()), "{error}");
    // Somebody writes it.
    let lock = std::fs::File::open(&manifest).expect("there");
    lock.lock().expect("locked");
    let error = run(&file, &to, None, LIMITS, true).0.expect_err("it is being written").to_string();
    assert!(error.contains("another process writes it at this moment"), "{error}");
    drop(lock);
    // Another run begins anew, and leaves what is not its own.
    let other = Provenance { facts: vec![("library".into(), "other".into())], ..provenance() };
    let (done, asked) = run_as(&file, &to, None, LIMITS, (&other, true));
    assert_eq!((done.expect("written").n_kept, asked.len() as u64), (0, N_SLICES));
    assert!(manifest.exists());
}
