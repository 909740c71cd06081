//! One measurement in several files: as one dataset it is what was pushed, and each file says when it is complete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use darkchunk_hdf5::{Column, Number};
use darkchunk_sim::Rng;
use darkchunk_stream::recorder::{Files, Pushed, Share, Spread};
use darkchunk_stream::{Error, Way, master};

use super::*;

const STATUS: &str = "/entry/instrument/detector/data_darkchunk/frame_status";
const PULSE: &str = "/entry/instrument/detector/data_darkchunk/pulse";

/// The path of a master in an empty folder.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("a folder");
    folder.join("run.h5")
}

fn options() -> Options<i16> {
    let columns = vec![Column::new("pulse", Number::U32)];
    Options { n_workers: 1, first_number: 100, reorder: 10, columns, ..Options::default() }
}

fn files(at: &Path, spread: Spread, dataset: &Dataset) -> Files<i16> {
    Files::create(&library(), at, spread, dataset, Processing::default(), options()).expect("files")
}

fn push(files: &mut Files<i16>, index: u64) -> Pushed {
    let pulse = (index as u32 * 7 + 1).to_ne_bytes();
    files.push_with(100 + index, camera(index), &pulse).expect("no error")
}

/// Frames up to `n` in an order that is not theirs; one in ten never comes.
fn order(n: u64, seed: u64) -> Vec<u64> {
    let mut rng = Rng::new(seed);
    let mut order: Vec<u64> = (0..n).filter(|_| rng.below(10) > 0).collect();
    for few in order.chunks_mut(6) {
        (1..few.len()).for_each(|at| few.swap(at, rng.below(at + 1)));
    }
    order
}

/// Whether the master has these frames, with their rows, and fill values everywhere else.
fn check(at: &Path, came: &[u64], what: &str) {
    let found = frames(at);
    let pulses = read::<u32>(at, PULSE);
    let status = column_of(at, STATUS);
    assert_eq!((pulses.len(), status.len()), (found.len(), found.len()), "{what}");
    let came: BTreeMap<u64, ()> = came.iter().map(|index| (*index, ())).collect();
    assert!(came.keys().all(|index| (*index as usize) < found.len()), "{what}: {} frames", found.len());
    for (index, frame) in found.iter().enumerate() {
        let is_there = came.contains_key(&(index as u64));
        let expected = if is_there { stored(&camera(index as u64)) } else { vec![0; N_PIXELS] };
        let pulse = if is_there { index as u32 * 7 + 1 } else { 0 };
        assert!(*frame == expected, "{what}: frame {index}");
        assert_eq!((pulses[index], status[index]), (pulse, u8::from(is_there)), "{what}: frame {index}");
    }
}

fn column_of(path: &Path, name: &str) -> Vec<u8> {
    read::<u8>(path, name)
}

#[test]
fn a_measurement_in_files_of_some_frames_is_one_dataset_also_where_the_folder_is_moved() {
    let at = folder("frames");
    let mut files = files(&at, Spread::Frames(20), &drle(4));
    let came = order(110, 1);
    for index in &came {
        assert_eq!(push(&mut files, *index), Pushed::Taken, "{index}");
        let open = files.open_parts().len();
        assert!((1..=3).contains(&open), "{open} files are open");
    }
    assert_eq!(push(&mut files, came[0]), Pushed::Late, "its file is closed");
    let (statistics, made) = files.finish().expect("finished");
    assert_eq!((statistics.n_stored, statistics.n_late), (came.len() as u64, 1));
    assert_eq!(statistics.n_missing, came.iter().max().expect("some") + 1 - came.len() as u64);
    assert!(statistics.gb_per_s > 0.0 && statistics.seconds > 0.0 && statistics.codec_ratio() > Some(1.0));
    assert_eq!((made.gaps.len(), made.unfinished.len()), (0, 0), "{made:?}");
    assert_eq!(master::parts_of(&at).expect("a folder").len(), 6);
    check(&at, &came, "frames");
    assert_eq!(
        files.statistics().expect("after the end"),
        statistics,
        "it changes no more, how fast frames came neither"
    );
    let moved = at.parent().expect("a folder").with_file_name("files-frames, moved");
    let _ = std::fs::remove_dir_all(&moved);
    std::fs::rename(at.parent().expect("a folder"), &moved).expect("moved");
    check(&moved.join("run.h5"), &came, "moved");
}

#[test]
fn each_file_is_told_once_when_it_is_complete_with_its_hash_and_a_line() {
    use sha2::{Digest, Sha256};
    let at = folder("complete");
    let mut files = files(&at, Spread::Frames(10), &drle(1));
    let mut complete = Vec::new();
    for index in 0..35 {
        push(&mut files, index);
        complete.extend(files.complete().expect("hashed"));
    }
    files.finish().expect("finished");
    complete.extend(files.complete().expect("hashed"));
    assert_eq!(complete.iter().map(|file| file.n_frames).collect::<Vec<_>>(), [10, 10, 10, 5]);
    let lines = std::fs::read_to_string(at.with_file_name("run.h5.parts.jsonl")).expect("lines");
    assert_eq!(lines.lines().count(), 4);
    for (file, line) in complete.iter().zip(lines.lines()) {
        let bytes = std::fs::read(&file.path).expect("it is there");
        assert_eq!((file.n_bytes, file.sha256), (bytes.len() as u64, Sha256::digest(&bytes).into()));
        let line: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(line, serde_json::from_str::<serde_json::Value>(&file.json()).expect("JSON"));
        assert_eq!(line["sha256"].as_str().map(str::len), Some(64));
        assert_eq!(Some(file.path.file_name().expect("a name").to_str().expect("UTF-8")), line["path"].as_str());
    }
}

#[test]
fn files_of_some_bytes_are_about_that_long_and_one_dataset() {
    let at = folder("bytes");
    let mut files = files(&at, Spread::Bytes(40_000), &dataset(Compression::NONE, 2));
    let came: Vec<u64> = (0..300).collect();
    came.iter().for_each(|index| assert_eq!(push(&mut files, *index), Pushed::Taken));
    files.finish().expect("finished");
    let parts = master::parts_of(&at).expect("a folder");
    assert!((5..=8).contains(&parts.len()), "{} files of 300 frames of 768 bytes", parts.len());
    let found = frames(&at);
    assert_eq!(found.len(), 300);
    assert!(found.iter().enumerate().all(|(index, frame)| *frame == camera(index as u64)));
}

#[test]
fn files_in_turn_are_one_dataset_whoever_records_them() {
    let at = folder("turns");
    let came = order(203, 3);
    // Two receivers, of three files each two frames in turn, in bricks.
    let owns = [0..1, 1..3];
    let bricks = Dataset { rows_per_chunk: Some(5), ..dataset(Compression::bitshuffle_lz4(), 2) };
    let mut receivers = owns.map(|own| files(&at, Spread::Turns { n_files: 3, frames: 2, own }, &bricks));
    for index in &came {
        let owner = usize::from(index / 2 % 3 > 0);
        assert_eq!(push(&mut receivers[owner], *index), Pushed::Taken);
        assert_eq!(push(&mut receivers[1 - owner], *index), Pushed::OutOfRange, "it is the other's");
    }
    receivers.iter_mut().for_each(|files| drop(files.finish().expect("finished")));
    assert!(!at.exists(), "neither has all files");
    let parts = master::parts_of(&at).expect("a folder");
    let made = master::make(&library(), &parts, &at).expect("a master");
    let n_frames = came.iter().max().expect("some") + 1;
    assert_eq!((made.datasets, made.gaps), (vec![(PATH.to_owned(), n_frames)], vec![]));
    let file = open(&at);
    let reader = Reader::open(&library(), open_dataset(&file, PATH).0, ReadOptions::default()).expect("a dataset");
    assert_eq!(reader.way(), Way::Direct, "{}", reader.reason());
    let found = frames(&at);
    for (index, frame) in found.iter().enumerate() {
        let expected = if came.contains(&(index as u64)) { camera(index as u64) } else { vec![0; N_PIXELS] };
        assert!(*frame == expected, "frame {index}");
    }
    let made = master::make(&library(), &parts[1..], &at).expect("of the rest");
    assert_eq!(made.gaps, [format!("{PATH}: the part of turn 0 of 3")]);
    let status = column_of(&at, STATUS);
    let is_right =
        |(index, status): (usize, &u8)| *status == u8::from(index / 2 % 3 > 0 && came.contains(&(index as u64)));
    assert!(status.iter().enumerate().all(is_right), "{status:?}");
}

#[test]
fn of_a_recorder_that_was_killed_a_master_is_made_of_what_is_left_and_again_after_a_restore() {
    let (at, left) = (folder("killed"), folder("killed-left"));
    let mut files = files(&at, Spread::Frames(20), &drle(2));
    (0..70).for_each(|index| assert_eq!(push(&mut files, index), Pushed::Taken));
    files.flush(false).expect("flushed");
    (70..76).for_each(|index| assert_eq!(push(&mut files, index), Pushed::Taken));
    files.poll().expect("stored");
    // What a kill leaves: the files as they are.
    for entry in std::fs::read_dir(at.parent().expect("a folder")).expect("read") {
        let path = entry.expect("a file").path();
        std::fs::copy(&path, left.with_file_name(path.file_name().expect("a name"))).expect("a copy");
    }
    drop(files);
    let parts = master::parts_of(&left).expect("a folder");
    let made = master::make(&library(), &parts, &left).expect("of what is left");
    assert!(!made.unfinished.is_empty(), "{made:?}");
    let n_before = frames(&left).len();
    for part in &made.unfinished {
        darkchunk_stream::journal::restore_in_place(&library(), part, &darkchunk_stream::recover::Watch::NONE)
            .expect("restored");
    }
    let made = master::make(&library(), &parts, &left).expect("again");
    assert_eq!((made.unfinished.len(), made.gaps.len()), (0, 0), "{made:?}");
    let n_frames = made.datasets[0].1;
    assert!(n_before >= 70 && n_frames >= n_before as u64, "{n_before}, then {n_frames}");
    check(&left, &(0..n_frames).collect::<Vec<_>>(), "restored");
}

#[test]
fn what_is_no_part_or_has_the_frames_of_another_is_refused_with_its_name() {
    let at = folder("refused");
    let record = |name: &str, share: Option<Share>, per_chunk: usize| {
        let path = at.with_file_name(name);
        let options = Options { share, ..options() };
        let (_file, mut recorder) = create::<Vec<i16>>(&path, &drle(per_chunk), options);
        for number in 100..110 {
            recorder.push(number, camera(number)).expect("no error");
        }
        recorder.finish().expect("finished");
        path
    };
    let refused = |parts: &[&PathBuf], text: &str| {
        let parts: Vec<PathBuf> = parts.iter().map(|path| (*path).clone()).collect();
        let error = master::make(&library(), &parts, &at).expect_err("refused");
        assert!(error.to_string().contains(text), "{error}");
        assert!(!at.exists(), "nothing is left");
    };
    let first = record("first.h5", Some(Share::row(0, 5)), 1);
    let again = record("again.h5", Some(Share::row(4, 6)), 1);
    let turn = record("turn.h5", Some(Share::turn(1, 2, 1)), 1);
    let whole = record("whole.h5", None, 1);
    refused(&[&first, &again], "again.h5 has, too");
    refused(&[&first, &turn], "two measurements");
    refused(&[&first, &whole], "no part");
    refused(&[&first, &at.with_file_name("gone.h5")], "gone.h5");
    refused(&[], "name the parts");
    let made = master::make(&library(), std::slice::from_ref(&again), &at).expect("a part of it");
    assert_eq!(made.gaps, [format!("{PATH}: frames 0 to 3")]);
    let bad = Options { share: Some(Share { first: 0, frames: 3, every: 2 }), ..options() };
    let file = File::create(&library(), &at.with_file_name("bad.h5")).expect("a file");
    let refused = Recorder::<i16>::create(&library(), file.id(), &drle(1), Processing::default(), bad);
    assert!(matches!(refused, Err(Error::Argument(_))));
}

#[test]
fn a_part_that_was_removed_is_named_by_the_reader_which_leaves_the_rest_to_hdf5() {
    let at = folder("removed");
    let mut files = files(&at, Spread::Frames(4), &drle(1));
    (0..8).for_each(|index| assert_eq!(push(&mut files, index), Pushed::Taken));
    files.finish().expect("finished");
    std::fs::remove_file(master::part_path(&at, 1)).expect("it was there");
    let file = open(&at);
    let reader = Reader::open(&library(), open_dataset(&file, PATH).0, ReadOptions::default()).expect("a dataset");
    assert_eq!(reader.way(), Way::Hdf5);
    assert!(reader.reason().contains("run_000001.h5 is not there"), "{}", reader.reason());
}

#[test]
fn a_file_that_is_there_already_is_not_replaced() {
    let at = folder("there");
    std::fs::write(master::part_path(&at, 0), b"somebody's").expect("written");
    let made = Files::<i16>::create(&library(), &at, Spread::Frames(4), &drle(1), Processing::default(), options());
    assert!(matches!(made, Err(Error::Part { .. })));
    assert_eq!(std::fs::read(master::part_path(&at, 0)).expect("it is there"), b"somebody's");
}

#[test]
fn where_a_file_cannot_be_made_those_before_it_are_removed() {
    let at = folder("unmade");
    std::fs::write(master::part_path(&at, 1), b"somebody's").expect("written");
    let spread = Spread::Turns { n_files: 3, frames: 2, own: 0..3 };
    let made = Files::<i16>::create(&library(), &at, spread, &drle(1), Processing::default(), options());
    assert!(matches!(made, Err(Error::Part { .. })));
    let left: Vec<_> = std::fs::read_dir(at.parent().expect("a folder")).expect("it is there").flatten().collect();
    assert_eq!(left.iter().map(std::fs::DirEntry::path).collect::<Vec<_>>(), [master::part_path(&at, 1)]);
}
