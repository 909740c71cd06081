//! Threshold and dark image that change while frames come: each frame is stored as its number says, and the file says what was done to it.

use std::path::PathBuf;

use darkchunk_hdf5::inspect::{self, Recorded};
use darkchunk_hdf5::{Change, Column, Number};
use darkchunk_sim::Rng;
use darkchunk_stream::recorder::{Encoded, Files, Measures, Pushed, Spread, Veto};
use darkchunk_stream::{Error, journal};

use super::*;
use crate::common::path;

/// From which frame on is done what: threshold (0: none) and dark image.
type Truth = Vec<(u64, u16, Vec<i16>)>;

fn dark(seed: i16) -> Vec<i16> {
    (0..N_PIXELS as i16).map(|at| (at * 7 + seed) % 11).collect()
}

fn of(truth: &Truth, index: u64) -> &(u64, u16, Vec<i16>) {
    truth.iter().rfind(|(first, ..)| *first <= index).expect("from 0 on")
}

/// A frame as it is to be stored.
fn expected(truth: &Truth, index: u64) -> Vec<i16> {
    let (_, threshold, dark) = of(truth, index);
    let kept = |pixel: i16| if *threshold > 0 && pixel < threshold.cast_signed() { 0 } else { pixel };
    camera(index).iter().zip(dark).map(|(pixel, dark)| kept(pixel - dark)).collect()
}

fn recorded(path: &Path) -> Recorded {
    let (library, file) = (library(), open(path));
    inspect::recorded(&library, file.0, PATH).expect("read").expect("recorded")
}

/// What the file says, with the images.
fn said(path: &Path) -> Truth {
    let recorded = recorded(path);
    let images = read::<i16>(path, &format!("{PATH}_darkchunk/changes/dark_images"));
    let images: Vec<&[i16]> = images.chunks_exact(N_PIXELS).collect();
    let image = |dark: Option<u64>| dark.map_or_else(|| vec![0; N_PIXELS], |dark| images[dark as usize].to_vec());
    let of = |Change { frame, threshold, dark, .. }: &Change| (*frame, threshold.unwrap_or(0), image(*dark));
    recorded.changes.iter().map(of).collect()
}

/// What was cost, by the frames that are stored.
fn check_counts(path: &Path, truth: &Truth, stored: &[u64]) {
    let recorded = recorded(path);
    let (mut n_zeroed, mut zeroed_sum) = (0, 0);
    for index in stored {
        let (_, _, dark) = of(truth, *index);
        for ((pixel, dark), kept) in camera(*index).iter().zip(dark).zip(expected(truth, *index)) {
            n_zeroed += u64::from(kept == 0 && pixel != dark);
            zeroed_sum += if kept == 0 { i64::from(pixel - dark) } else { 0 };
        }
    }
    assert_eq!((recorded.frames, recorded.pixels_zeroed), (Some(stored.len() as u64), Some(n_zeroed)));
    assert_eq!(recorded.zeroed_sum, Some(zeroed_sum));
}

/// Changes now and then, and notes what was said of it.
fn change(recorder: &mut Recorder<i16>, rng: &mut Rng, truth: &mut Truth) {
    let (_, threshold, image) = truth.last().expect("from 0 on").clone();
    let (number, threshold, image) = match rng.below(4) {
        0 => (recorder.set_dark(None).expect("changed"), threshold, vec![0; N_PIXELS]),
        1 => {
            let image = dark(rng.below(11) as i16);
            (recorder.set_dark(Some(image.clone())).expect("changed"), threshold, image)
        }
        _ => {
            let threshold = 1 + rng.below(60) as u16;
            (recorder.set_threshold(threshold).expect("changed"), threshold, image)
        }
    };
    truth.push((number, threshold, image));
}

#[test]
fn each_frame_is_stored_as_its_number_says_in_whatever_order_they_come() {
    let (drle, packed) = (Compression::drle(THRESHOLD), Compression::drle_packed(THRESHOLD));
    for (compression, frames_per_chunk, n_workers) in
        [(drle.clone(), 1, 2), (drle, 5, 0), (packed, 3, 2), (Compression::lz4(), 1, 0), (Compression::lz4(), 4, 3)]
    {
        let what = format!("{compression:?}, {frames_per_chunk} a chunk, {n_workers} workers");
        let path = path("recorder_changes");
        let options = Options { n_workers, reorder: 30, ..Options::default() };
        let is_drle = compression.filter == Some(36114);
        let (file, mut recorder) = create(&path, &dataset(compression, frames_per_chunk), options);
        let mut truth = vec![(0, if is_drle { THRESHOLD } else { 0 }, vec![0; N_PIXELS])];
        let (mut rng, mut newest) = (Rng::new(frames_per_chunk as u64), 0);
        let mut order: Vec<u64> = (0..400).filter(|_| rng.below(12) > 0).collect();
        order.chunks_mut(20).for_each(|few| (1..few.len()).for_each(|at| few.swap(at, rng.below(at + 1))));
        for number in &order {
            if rng.below(25) == 0 {
                change(&mut recorder, &mut rng, &mut truth);
                let (first, n) = (truth.last().expect("one").0, frames_per_chunk as u64);
                assert_eq!(first, u64::next_multiple_of(newest, n), "{what}: the first chunk that has no frame");
            }
            assert_eq!(recorder.push(*number, camera(*number)).expect("taken"), Pushed::Taken);
            newest = newest.max(number + 1);
        }
        assert!(truth.len() > 8, "{} changes", truth.len());
        let sum = recorder.live().sum(None).expect("ours");
        recorder.finish().expect("finished");
        drop((recorder, file));
        let frames = frames(&path);
        for number in &order {
            assert!(frames[*number as usize] == expected(&truth, *number), "{what}: frame {number}");
        }
        assert_eq!(said(&path), truth, "{what}");
        check_counts(&path, &truth, &order);
        let mut total = vec![0; N_PIXELS];
        for number in &order {
            total.iter_mut().zip(expected(&truth, *number)).for_each(|(sum, pixel)| *sum += i64::from(pixel));
        }
        assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum")), total, "{what}");
        assert!(sum.is_some_and(|sum| sum.n_frames <= order.len() as u64));
    }
}

#[test]
fn a_drle_chunk_says_its_threshold_and_what_was_never_changed_says_nothing() {
    let path = path("recorder_changes_chunk");
    let (file, mut recorder) = create(&path, &drle(1), Options::default());
    recorder.push(0, camera(0)).expect("taken");
    assert_eq!(recorder.set_threshold(300).expect("changed"), 1);
    recorder.push(1, camera(1)).expect("taken");
    drop((recorder, file));
    let bytes = std::fs::read(&path).expect("the file");
    let at = |threshold: u16| [&b"DRLE\x01\x01\0\0"[..], &threshold.to_le_bytes()].concat();
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|found| found == wanted);
    assert!(has(&at(THRESHOLD)) && has(&at(300)) && !has(&at(40)));

    let (file, mut recorder) = create(&path, &drle(1), Options::default());
    recorder.push(0, camera(0)).expect("taken");
    drop((recorder, file));
    assert_eq!(recorded(&path).changes, []);
}

#[test]
fn what_cannot_be_changed_is_refused_and_nothing_is() {
    let at = path("recorder_changes_refused");
    let (file, mut recorder) = create(&at, &dataset(Compression::filter(36114, &[20, 1]), 1), Options::default());
    let error = recorder.set_threshold(30).expect_err("bare").to_string();
    assert!(error.contains("does not say its threshold") && error.contains("containers"), "{error}");
    assert_eq!(recorder.set_dark(Some(dark(1))).expect("of a bare stream, too"), 0);
    recorder.push(0, camera(0)).expect("taken");
    for threshold in [0, 32768] {
        assert!(recorder.set_threshold(threshold).is_err(), "{threshold}");
    }
    let error = recorder.set_dark(Some(vec![0; 7])).expect_err("another size").to_string();
    assert!(error.contains("the dark image has 14 bytes"), "{error}");
    recorder.push(1, camera(1)).expect("taken");
    recorder.finish().expect("finished");
    assert!(matches!(recorder.set_dark(None), Err(Error::Finished)));
    drop((recorder, file));
    let truth = vec![(0, 20, vec![0; N_PIXELS]), (0, 20, dark(1))];
    assert_eq!(said(&at), truth);
    assert_eq!(frames(&at), [expected(&truth, 0), expected(&truth, 1)]);

    let file = File::create(&library(), &at).expect("a file");
    let of_bytes = Dataset::new(HEIGHT, WIDTH, Compression::lz4());
    let mut recorder: Recorder<u8> =
        Recorder::create(&library(), file.id(), &of_bytes, Processing::default(), Options::default()).expect("made");
    let error = recorder.set_threshold(30).expect_err("bytes are no pixels").to_string();
    assert!(error.contains("int16 and uint16"), "{error}");
}

#[test]
fn after_a_change_frames_that_are_encoded_already_are_refused() {
    let path = path("recorder_changes_encoded");
    let file = File::create(&library(), &path).expect("a file");
    let processing = Processing { sum: false, ..Processing::default() };
    let mut recorder: Recorder<i16, Vec<u8>> =
        Recorder::create(&library(), file.id(), &drle(1), processing, Options::default()).expect("made");
    let stream = [-(N_PIXELS as i16)].map(i16::to_le_bytes).concat();
    assert_eq!(recorder.push_encoded(0, Encoded::Stream, stream.clone(), &[]).expect("taken"), Pushed::Taken);
    recorder.set_threshold(30).expect("changed");
    let refused = recorder.push_encoded(1, Encoded::Stream, stream, &[]).expect_err("refused");
    assert!(refused.error.to_string().contains("one of which was changed"), "{}", refused.error);
}

#[test]
fn a_veto_measures_by_the_threshold_of_the_frame() {
    let path = path("recorder_changes_veto");
    let veto = Some(Veto::AtLeast(Measures { n_bright: 1, sum: 0, maximum: 0 }));
    let (file, mut recorder) = create(&path, &drle(1), Options { veto, n_workers: 0, ..Options::default() });
    recorder.push(0, camera(0)).expect("taken");
    recorder.set_threshold(32767).expect("changed");
    recorder.push(1, camera(1)).expect("taken");
    recorder.set_threshold(1).expect("changed");
    recorder.push(2, camera(2)).expect("taken");
    let statistics = recorder.finish().expect("finished");
    drop((recorder, file));
    assert_eq!((statistics.n_stored, statistics.n_vetoed), (2, 1));
    assert_eq!(column(&path, "frame_status"), [1, 2, 1]);
}

/// A recording that ends without its end, as by a kill: of what is on the disk then a copy.
fn killed(name: &str, swmr: bool) -> (PathBuf, Truth) {
    let (path, copy) = (path(name), path(&format!("{name}_copy")));
    let _ = std::fs::remove_file(journal::path_of(&copy));
    let create = if swmr { File::create_for_swmr } else { File::create };
    let file = create(&library(), &path).expect("a file");
    let options =
        Options { swmr, n_workers: 0, columns: vec![Column::new("pulse", Number::U32)], ..Options::default() };
    let mut recorder: Recorder<i16> =
        Recorder::create(&library(), file.id(), &drle(2), Processing::default(), options).expect("a recorder");
    let mut truth = vec![(0, THRESHOLD, vec![0; N_PIXELS])];
    for number in 0..10 {
        if number == 3 {
            truth.push((recorder.set_threshold(200).expect("changed"), 200, vec![0; N_PIXELS]));
        }
        if number == 7 {
            truth.push((recorder.set_dark(Some(dark(3))).expect("changed"), 200, dark(3)));
        }
        recorder.push_with(number, camera(number), &(number as u32).to_ne_bytes()).expect("taken");
    }
    std::fs::copy(&path, &copy).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&copy)).expect("of the journal, too");
    recorder.finish().expect("finished");
    (copy, truth)
}

#[test]
fn what_a_kill_leaves_has_the_changes_of_all_frames_that_it_has_and_a_restore_keeps_them() {
    for swmr in [false, true] {
        let (left, truth) = killed(if swmr { "changes_killed_swmr" } else { "changes_killed" }, swmr);
        assert_eq!(truth.iter().map(|(first, ..)| *first).collect::<Vec<_>>(), [0, 4, 8]);
        let restored = path("recorder_changes_restored");
        let made = journal::restore_file(&library(), &left, &restored, &darkchunk_stream::recover::Watch::NONE)
            .expect("restored");
        assert_eq!(made.rest.lost(), [""; 0]);
        assert_eq!(said(&restored), truth, "swmr: {swmr}");
        let found = frames(&restored);
        assert_eq!(found.len(), 10);
        (0..10).for_each(|number| assert_eq!(found[number as usize], expected(&truth, number), "{number}"));
    }
}

#[test]
fn files_of_a_measurement_change_at_the_same_frame_also_those_to_come() {
    // HDF5 reads a master of files in turn, and has no plugin here.
    let in_turn = Spread::Turns { n_files: 3, frames: 4, own: 0..3 };
    let plain = dataset(Compression::NONE, 4);
    for (spread, dataset, n_expected) in
        [(Spread::Frames(20), drle(4), 4), (in_turn, plain, 3), (Spread::Bytes(2000), drle(4), 2)]
    {
        let threshold = if dataset.compression == Compression::NONE { 0 } else { THRESHOLD };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("files-changes");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).expect("a folder");
        let (at, options) = (folder.join("run.h5"), Options { first_number: 100, reorder: 8, ..Options::default() });
        let processing = Processing::default();
        let mut files: Files<i16> =
            Files::create(&library(), &at, spread.clone(), &dataset, processing, options).expect("files");
        let mut truth = vec![(0, threshold, vec![0; N_PIXELS])];
        for index in 0..80 {
            if index == 17 {
                truth.push((files.set_threshold(150).expect("changed") - 100, 150, vec![0; N_PIXELS]));
            }
            if index == 46 {
                truth.push((files.set_dark(Some(dark(2))).expect("changed") - 100, 150, dark(2)));
            }
            assert_eq!(files.push(100 + index, camera(index)).expect("no error"), Pushed::Taken, "{index}");
        }
        files.finish().expect("finished");
        let n_files = std::fs::read_dir(&folder).expect("the folder").count() - 2;
        assert!(n_files >= n_expected, "{n_files} files");
        assert!(truth[1].0 >= 17 && truth[1].0 <= 28 && truth[2].0 >= 46 && truth[2].0 <= 58, "{spread:?}");
        let found = frames(&at);
        for index in
            (0..80).filter(|index| (*index < 17 || *index >= truth[1].0) && (*index < 46 || *index >= truth[2].0))
        {
            assert!(found[index as usize] == expected(&truth, index), "{spread:?}: frame {index}");
        }
    }
}
