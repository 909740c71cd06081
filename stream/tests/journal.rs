//! The journal: what was noted and written is restored, whatever became of the file, and of the journal's end.

#[path = "../../hdf5/tests/common/mod.rs"]
mod common;
#[path = "common/sink.rs"]
mod sink;

use std::ffi::CStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{PATH, camera, compressions, library, path, path_of, read, read_all};
use darkchunk::chunk::{Compression, Processing};
use darkchunk::element::ElementType;
use darkchunk_hdf5::{Column, Columns, Dataset, File, Flush, FrameStatus, Number, Writer};
use darkchunk_stream::Error;
use darkchunk_stream::journal::{self, Journal, Note, Restored, restore, restore_file};
use darkchunk_stream::recorder::{Options, Recorder};
use darkchunk_stream::recover::Watch;
use sink::{GROUP, Sink, columns, dataset, row};

/// Records, and leaves the file as it is when nothing was flushed or closed: a copy, made before the end.
fn record(name: &str, dataset: &Dataset, n_frames: u64, flush_each: u64) -> PathBuf {
    let left = path(&format!("{name}-left"));
    let path = path(name);
    let file = File::create(&library(), &path).expect("a file");
    let mut sink = Sink::create(&library(), file.id(), &path, dataset, true);
    for frame in 0..n_frames {
        sink.push(&camera(frame as usize)).expect("written");
        if frame % flush_each == flush_each - 1 {
            sink.flush().expect("flushed");
        }
    }
    if !n_frames.is_multiple_of(dataset.frames_per_chunk as u64) {
        sink.write_chunk().expect("written");
    }
    std::fs::copy(&path, &left).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    left
}

fn restored(left: &Path) -> (Result<Restored, Error>, PathBuf) {
    let to = left.with_extension("restored.h5");
    let _ = std::fs::remove_file(&to);
    (restore(&library(), left, &to), to)
}

/// Whether a restored file has the first frames, and a row for each of them.
fn check(to: &Path, n_frames: u64, what: &str) {
    let file = File::open(&library(), to, false).expect("it opens");
    let frames = read::<i16>(&file, PATH);
    assert_eq!(frames.len() as u64, n_frames, "{what}");
    assert!(frames.iter().enumerate().all(|(index, frame)| *frame == camera(index)), "{what}: other pixels");
    let status = read_all(&file, &format!("{GROUP}/frame_status")).1;
    assert_eq!(status, vec![FrameStatus::Written as u8; n_frames as usize], "{what}");
    let times: Vec<u8> = (0..n_frames).flat_map(|frame| row(frame)[..8].to_vec()).collect();
    assert_eq!(read_all(&file, &format!("{GROUP}/time")).1, times, "{what}");
}

#[test]
fn a_file_that_was_never_flushed_is_restored_whole() {
    for (number, compression) in compressions(2).into_iter().enumerate() {
        if compression.filter == Some(36114) && compression.values[0] != 1 {
            continue; // It loses pixels, and these tests compare them.
        }
        for (per_chunk, flush_each) in [(1, u64::MAX), (1, 5), (4, u64::MAX), (4, 6)] {
            let what = format!("{compression:?}, {per_chunk} a chunk, flushed each {flush_each}");
            let name = format!("journal-{number}-{per_chunk}-{flush_each}");
            let left = record(&name, &dataset(compression.clone(), per_chunk), 90, flush_each);
            let is_open = File::open(&library(), &left, false).is_ok();
            assert!(flush_each != u64::MAX || !is_open, "{what}: a file that opens is no test");
            let (restored, to) = restored(&left);
            let restored = restored.expect(&what);
            assert_eq!((restored.n_chunks, restored.n_lost_chunks), (90_u64.div_ceil(per_chunk as u64), 0), "{what}");
            assert_eq!((restored.n_rows, restored.n_lost_rows, restored.n_unread_bytes), (90, 0, 0), "{what}");
            check(&to, 90, &what);
        }
    }
}

#[test]
fn of_a_journal_that_ends_anywhere_all_that_is_whole_is_restored() {
    let left = record("journal-cut", &dataset(Compression::bitshuffle_lz4(), 2), 6, u64::MAX);
    let journal = std::fs::read(journal::path_of(&left)).expect("the journal");
    let mut n_before = 0;
    for n_bytes in 0..=journal.len() {
        std::fs::write(journal::path_of(&left), &journal[..n_bytes]).expect("written");
        match restored(&left).0 {
            Ok(restored) => {
                assert!(restored.n_chunks >= n_before && restored.n_lost_chunks == 0, "{n_bytes} bytes");
                n_before = restored.n_chunks;
            }
            Err(error) => assert!(matches!(error, Error::Journal { .. }) && n_bytes < 8, "{n_bytes} bytes: {error}"),
        }
    }
    assert_eq!(n_before, 3);
}

#[test]
fn a_chunk_that_is_not_in_the_file_is_counted_and_its_rows_are_marked() {
    let left = record("journal-lost", &dataset(Compression::drle(1), 1), 20, u64::MAX);
    let mut bytes = std::fs::read(&left).expect("the file");
    let n_bytes = bytes.len();
    bytes.truncate(n_bytes * 3 / 4);
    std::fs::write(&left, &bytes).expect("written");
    let (restored, to) = restored(&left);
    let restored = restored.expect("the rest");
    assert!(restored.n_lost_chunks > 2 && restored.n_chunks > 10, "{restored:?}");
    assert_eq!((restored.n_chunks + restored.n_lost_chunks, restored.n_rows), (20, 20));
    assert_eq!(restored.n_lost_rows, restored.n_lost_chunks);
    let file = File::open(&library(), &to, false).expect("it opens");
    let mut status = vec![FrameStatus::Written as u8; restored.n_chunks as usize];
    status.resize(20, FrameStatus::Lost as u8);
    assert_eq!(read_all(&file, &format!("{GROUP}/frame_status")).1, status);
}

#[test]
fn chunks_are_found_wherever_they_are() {
    let left = record("journal-moved", &dataset(Compression::bitshuffle_lz4(), 1), 30, u64::MAX);
    let bytes = std::fs::read(&left).expect("the file");
    // All of it elsewhere: in two pieces, changed about, with something between.
    let (front, back) = bytes.split_at(bytes.len() / 2);
    let moved =
        [&vec![7; 200_000][..], back, &vec![0; 100_000], &bytes[front.len() - 5000..front.len()], front].concat();
    std::fs::write(&left, moved).expect("written");
    let restored = restored(&left).0.expect("restored");
    assert!(restored.n_chunks >= 29, "{restored:?}: one may be cut in two");
}

#[test]
fn what_cannot_be_a_journal_is_an_error_and_nothing_is_replaced() {
    let left = record("journal-refused", &dataset(Compression::NONE, 1), 3, u64::MAX);
    let (first, to) = restored(&left);
    first.expect("restored");
    assert!(matches!(restore(&library(), &left, &to), Err(Error::Restore { .. })), "it is there already");
    assert!(matches!(restore(&library(), &left, &left), Err(Error::Restore { .. })), "itself");
    std::fs::write(journal::path_of(&left), b"a text of another program").expect("written");
    assert!(matches!(restored(&left).0, Err(Error::Journal { .. })));
    std::fs::remove_file(journal::path_of(&left)).expect("removed");
    assert!(matches!(restored(&left).0, Err(Error::Journal { .. })));
    assert!(!path_of("journal-refused-left.restored").exists(), "what failed leaves nothing");
}

#[test]
fn a_journal_with_flipped_bits_is_read_up_to_them_or_refused() {
    let left = record("journal-flipped", &dataset(Compression::drle(1), 2), 12, 4);
    let journal = std::fs::read(journal::path_of(&left)).expect("the journal");
    for at in (0..journal.len()).step_by(13) {
        let mut bad = journal.clone();
        bad[at] ^= 1 << (at % 8);
        std::fs::write(journal::path_of(&left), &bad).expect("written");
        if let (Ok(restored), to) = restored(&left) {
            assert!(restored.n_chunks <= 6);
            let file = File::open(&library(), &to, false).expect("it opens");
            let has_dataset = restored.n_chunks > 0;
            assert!(!has_dataset || read::<i16>(&file, PATH)[0] == camera(0), "bit {at}");
        }
    }
}

/// A sound journal that says what cannot be.
fn hostile(dataset: &Dataset, columns: &[Column], notes: &[Note<'_>], frame: u64) -> Result<Restored, Error> {
    let left = path("journal-hostile");
    std::fs::write(&left, vec![0; 5000]).expect("written");
    let mut journal = Journal::create(&left).expect("a journal");
    journal.dataset(dataset, ElementType::I16, None).expect("noted");
    journal.columns("frames", columns, 3).expect("noted");
    for note in notes {
        journal.row(0, frame, FrameStatus::Written, &[0; 8]);
        journal.row(9, frame, FrameStatus::Written, &[0; 8]);
        journal.chunk(note, []).expect("noted");
    }
    drop(journal);
    restored(&left).0
}

#[test]
fn a_hostile_journal_is_an_error_or_harmless() {
    let stored = [0; 1254];
    let note = Note {
        dataset: 0,
        index: 0,
        n_frames: 1,
        mask: 0,
        end: Some(9),
        stored: &stored,
        checksum: journal::checksum(&stored),
    };
    let good = dataset(Compression::NONE, 1);
    let column = Column::new("a", Number::U64);
    assert_eq!(hostile(&good, std::slice::from_ref(&column), &[note], 0).expect("sound").n_chunks, 1);
    let notes = [
        Note { end: Some(u64::MAX), ..note },
        Note { end: None, ..note },
        Note { index: u64::MAX / 2, n_frames: u64::MAX, ..note },
        Note { index: 1 << 47, n_frames: (1 << 47) + 1, ..note },
        Note { n_frames: 0, ..note },
        Note { dataset: 7, ..note },
        Note { mask: u32::MAX, ..note },
        Note { stored: &[], checksum: 0, ..note },
        Note { stored: &[0; 3], end: None, checksum: journal::checksum(&[0; 3]), ..note },
    ];
    for note in notes {
        for frame in [0, 1 << 47, u64::MAX] {
            let _ = hostile(&good, std::slice::from_ref(&column), &[note, note], frame);
        }
    }
    let huge = [
        Dataset { height: 1 << 40, width: 1 << 40, ..good.clone() },
        Dataset { frames_per_chunk: 1 << 47, ..good.clone() },
        Dataset { frames_per_chunk: 0, ..good.clone() },
        Dataset { height: 1 << 16, width: 1 << 16, ..good.clone() },
        Dataset { path: "a\0b".into(), ..good.clone() },
        Dataset { path: String::new(), ..good.clone() },
    ];
    for dataset in huge {
        assert!(hostile(&dataset, &[], &[note], 0).is_err(), "{dataset:?}");
    }
    for column in
        [Column { len: 1 << 47, ..column.clone() }, Column::new("a\0", Number::F32), Column::new("", Number::I8)]
    {
        assert!(hostile(&good, std::slice::from_ref(&column), &[note], 0).is_err(), "{column:?}");
    }
}

#[test]
fn a_journal_that_is_removed_is_gone_and_one_that_failed_goes_on() {
    let left = path("journal-removed");
    let journal = Journal::create(&left).expect("a journal");
    assert!(journal::path_of(&left).exists());
    journal.remove().expect("removed");
    assert!(!journal::path_of(&left).exists());
    assert!(matches!(Journal::create(Path::new("/nowhere/at/all.h5")), Err(Error::Journal { .. })));
    assert_eq!(columns().len(), 2);
}

#[test]
fn what_was_recorded_below_groups_is_restored_there() {
    let [path, left] = ["journal-taken", "journal-taken-left"].map(path);
    let file = File::create(&library(), &path).expect("a file");
    let group = |name: &CStr| {
        let _lock = common::hdf5::LOCK.lock();
        // SAFETY: a file and a C string.
        unsafe { common::hdf5::h5g::H5Gcreate2(file.id(), name.as_ptr(), 0, 0, 0) }
    };
    let data = Dataset { path: "data".into(), nexus: false, ..dataset(Compression::drle(1), 1) };
    let create = |at: i64| {
        let columns = vec![Column::new("pulse", Number::U8)];
        let options = Options { n_workers: 1, columns, ..Options::default() };
        Recorder::<i16>::create(&library(), at, &data, Processing::default(), options).expect("a recorder")
    };
    let mut recorders = [create(group(c"left")), create(group(c"right"))];
    for (first, recorder) in [0, 10].into_iter().zip(&mut recorders) {
        for frame in 0..4_u8 {
            recorder.push_with(frame.into(), camera((first + frame).into()), &[first + frame]).expect("taken");
        }
        recorder.flush(false).expect("flushed");
    }
    std::fs::copy(&path, &left).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    drop(recorders);

    let (restored, to) = restored(&left);
    let restored = restored.expect("all of it");
    assert_eq!((restored.n_chunks, restored.n_rows, restored.n_lost_rows), (8, 8, 0));
    let file = File::open(&library(), &to, false).expect("it opens");
    for (name, first) in [("left/data", 0), ("right/data", 10)] {
        let expected: Vec<_> = (first..first + 4).map(|frame| camera(frame.into())).collect();
        assert_eq!(read::<i16>(&file, name), expected, "{name}");
        let pulses = read_all(&file, &format!("{name}_darkchunk/pulse")).1;
        assert_eq!(pulses, (first..first + 4).collect::<Vec<u8>>(), "{name}");
    }
}

#[test]
fn the_journal_of_a_recording_that_did_not_finish_is_never_replaced() {
    let path = path("journal-kept");
    let journal = journal::path_of(&path);
    let file = File::create(&library(), &path).expect("a file");
    let create = |name: &str| {
        let dataset = Dataset { path: name.to_owned(), nexus: false, ..dataset(Compression::drle(1), 1) };
        Recorder::<i16>::create(&library(), file.id(), &dataset, Processing::default(), Options::default())
    };
    std::fs::write(&journal, b"DCJRNL\n\x01").expect("one in which nothing is");
    let mut first = create("first").expect("a recorder");
    first.push(0, camera(0)).expect("taken");
    first.flush(false).expect("flushed");
    let mut second = create("second").expect("another of this process");
    second.finish().expect("finished");
    let left = std::fs::read(&journal).expect("the journal");
    first.finish().expect("finished");
    assert!(!journal.exists());

    // What a crash leaves.
    std::fs::write(&journal, &left).expect("written");
    let refused = create("third").expect_err("refused");
    assert!(matches!(&refused, Error::Journal { .. }), "{refused}");
    assert!(refused.to_string().contains("did not finish: restore it"), "{refused}");
    assert!(matches!(Journal::create(&path), Err(Error::Journal { .. })));
    assert_eq!(std::fs::read(&journal).expect("the journal"), left);
    std::fs::remove_file(&journal).expect("removed");
    create("third").expect("nothing was made before").finish().expect("finished");
}

#[test]
fn recorders_of_one_file_have_one_journal_until_all_have_finished() {
    let [path, left] = ["journal-shared", "journal-shared-left"].map(path);
    let file = File::create(&library(), &path).expect("a file");
    let images = dataset(Compression::drle(1), 2);
    let spectra = Dataset {
        path: "/entry/instrument/spectrometer/data".into(),
        ..Dataset::new(1, 1000, Compression::bitshuffle_lz4())
    };
    let create = |dataset: &Dataset| {
        let options = Options { n_workers: 1, flush: Flush::NEVER, ..Options::default() };
        Recorder::<i16>::create(&library(), file.id(), dataset, Processing::default(), options).expect("a recorder")
    };
    let mut recorders = [create(&images), create(&spectra)];
    let spectrum = |frame: usize| (0..1000).map(|channel| channel % (frame as i16 + 7)).collect::<Vec<i16>>();
    for frame in 0..10 {
        recorders[0].push(frame as u64, camera(frame)).expect("taken");
        recorders[1].push(frame as u64, spectrum(frame)).expect("taken");
    }
    recorders.iter_mut().for_each(|recorder| recorder.flush(false).expect("flushed"));
    std::fs::copy(&path, &left).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    let [mut images, mut spectra] = recorders;
    images.finish().expect("finished");
    assert!(journal::path_of(&path).exists(), "another still needs it");
    spectra.finish().expect("finished");
    assert!(!journal::path_of(&path).exists());

    let (restored, to) = restored(&left);
    assert_eq!(restored.expect("restored").n_chunks, 5 + 10);
    let file = File::open(&library(), &to, false).expect("it opens");
    assert!((0..10).all(|frame| read::<i16>(&file, PATH)[frame] == camera(frame)));
    let spectra = read::<i16>(&file, "/entry/instrument/spectrometer/data");
    assert!((0..10).all(|frame| spectra[frame] == spectrum(frame)));
}

#[test]
fn nexus_below_a_group_and_two_datasets_of_one_name_are_restored() {
    let [path, left] = ["journal-nexus-group", "journal-nexus-group-left"].map(path);
    let file = File::create(&library(), &path).expect("a file");
    let group = darkchunk_hdf5::Group::open_or_create(&library(), file.id(), "scans/first").expect("a group");
    let data = Dataset { path: PATH.trim_start_matches('/').into(), ..dataset(Compression::drle(1), 1) };
    let made = Recorder::<i16>::create(&library(), group.id(), &data, Processing::default(), Options::default());
    let mut recorder = made.expect("a recorder");
    recorder.push(0, camera(3)).expect("taken");
    recorder.flush(false).expect("flushed");
    std::fs::copy(&path, &left).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    drop(recorder);
    let (restored, to) = restored(&left);
    assert_eq!(restored.expect("restored").n_chunks, 1);
    let file = File::open(&library(), &to, false).expect("it opens");
    for name in [PATH, "/entry/data/data"] {
        assert_eq!(read::<i16>(&file, &format!("/scans/first{name}")), [camera(3)], "{name}");
    }

    let twice = path_of("journal-twice");
    std::fs::copy(&left, &twice).expect("a copy");
    let _ = std::fs::remove_file(journal::path_of(&twice));
    let mut journal = Journal::create(&twice).expect("a journal");
    let plain = Dataset { nexus: false, ..dataset(Compression::NONE, 1) };
    for _ in 0..2 {
        let number = journal.dataset(&plain, ElementType::I16, None).expect("noted");
        journal.columns("beside", &[], number).expect("noted");
    }
    drop(journal);
    let to = twice.with_extension("restored.h5");
    let _ = std::fs::remove_file(&to);
    let made = restore_file(&library(), &twice, &to, &Watch::NONE).expect("restored");
    let paths: Vec<&str> = made.datasets.iter().map(|dataset| &*dataset.path).collect();
    assert_eq!(paths, [PATH.to_owned(), format!("/restored_1{PATH}")]);
}

#[test]
fn a_column_that_an_earlier_version_took_is_restored_and_is_not_taken_for_changes_of_the_threshold() {
    let [old, to] = ["journal-old-column", "journal-old-column-restored"].map(path_of);
    let _ = std::fs::remove_file(&to);
    let _ = std::fs::remove_file(journal::path_of(&old));
    let (group, column) = (format!("{PATH}_darkchunk"), Column::new("changes", Number::U16));
    let file = File::create(&library(), &old).expect("a file");
    let refused = Columns::create(&library(), file.id(), &group, std::slice::from_ref(&column)).expect_err("taken");
    assert!(refused.to_string().contains("changes"), "{refused}");
    file.close().expect("closed");
    let mut journal = Journal::create(&old).expect("a journal");
    let plain = Dataset { nexus: false, ..dataset(Compression::NONE, 1) };
    let number = journal.dataset(&plain, ElementType::I16, None).expect("noted");
    let noted = journal.columns(&group, &[column], number).expect("noted");
    for frame in 0..3 {
        journal.row(noted, frame, FrameStatus::Dropped, &(frame as u16 * 7).to_ne_bytes());
    }
    journal.flush().expect("flushed");
    drop(journal);
    let made = restore_file(&library(), &old, &to, &Watch::NONE).expect("restored");
    assert_eq!((made.restored.n_rows, made.rest.lost()), (3, vec![]));
    let file = File::open(&library(), &to, true).expect("it opens");
    let bytes: Vec<u8> = [0_u16, 7, 14].into_iter().flat_map(u16::to_ne_bytes).collect();
    assert_eq!(read_all(&file, &format!("{group}/changes")), (vec![3], bytes));
    let recorded = darkchunk_hdf5::inspect::recorded(&library(), file.id(), PATH).expect("it is read");
    assert_eq!(recorded.expect("the group").changes, []);
    // A writer goes on with it.
    let mut writer =
        Writer::attach(&library(), file.id(), PATH, Processing::<i16>::default()).expect("nothing was changed");
    writer.push(&camera(0)).expect("taken");
    writer.finish().expect("finished");
}

/// A recorder whose file others may read, with a dark image, after some frames.
fn swmr(path: &Path) -> (File, Recorder<i16>) {
    let file = File::create_for_swmr(&library(), path).expect("a file");
    let processing = Processing { dark: Some(vec![3; common::N_PIXELS].into()), ..Processing::default() };
    let options = Options { n_workers: 0, swmr: true, ..Options::default() };
    let dataset = dataset(Compression::drle(1), 1);
    let mut recorder = Recorder::create(&library(), file.id(), &dataset, processing, options).expect("a recorder");
    for frame in 0..5 {
        recorder.push(frame, camera(frame as usize)).expect("taken");
    }
    recorder.flush(false).expect("flushed");
    (file, recorder)
}

#[test]
fn the_dark_image_of_a_killed_recording_that_others_could_read_is_restored() {
    let [path, left] = ["journal-swmr", "journal-swmr-left"].map(path);
    let (_file, _recorder) = swmr(&path);
    std::fs::copy(&path, &left).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    assert!(File::open(&library(), &left, false).is_err(), "a file that opens is no test");
    let to = left.with_extension("restored.h5");
    let _ = std::fs::remove_file(&to);
    let made = restore_file(&library(), &left, &to, &Watch::NONE).expect("restored");
    assert_eq!((made.restored.n_chunks, made.rest.lost()), (5, vec![]));
    let file = File::open(&library(), &to, false).expect("it opens");
    let dark = read_all(&file, &format!("{PATH}_darkchunk/dark")).1;
    assert_eq!(dark, 3_i16.to_ne_bytes().repeat(common::N_PIXELS));
}

/// HDF5 by itself would read the header again for ever.
#[test]
fn a_header_that_the_kill_left_half_written_does_not_hold_a_restore_up() {
    let [path, left] = ["journal-half", "journal-half-left"].map(path);
    let (_file, _recorder) = swmr(&path);
    let mut bytes = std::fs::read(&path).expect("the file");
    let root = bytes.windows(4).position(|found| found == b"OHDR").expect("a header");
    bytes[root + 20] ^= 1;
    std::fs::write(&left, bytes).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    let to = left.with_extension("restored.h5");
    let _ = std::fs::remove_file(&to);
    let made = restore_file(&library(), &left, &to, &Watch::NONE).expect("restored");
    assert_eq!(made.restored.n_chunks, 5);
    let lost = made.rest.lost();
    assert!(matches!(&lost[..], [text] if text.contains("checksum")), "{lost:?}");
}

#[test]
fn a_recording_that_goes_on_is_not_restored_in_place_and_another_does_not_begin_its_journal() {
    let path = path("journal-locked");
    let (_file, mut recorder) = swmr(&path);
    let before = std::fs::read(&path).expect("the file");
    let refused = journal::restore_in_place(&library(), &path, &Watch::NONE).expect_err("a recorder writes to it");
    assert!(refused.to_string().contains("a recorder writes to it"), "{refused}");
    let refused = Journal::create(&path).expect_err("there is one");
    assert!(refused.to_string().contains("a recorder writes to it"), "{refused}");
    assert_eq!(std::fs::read(&path).expect("the file"), before);
    assert!(!journal::left_of(&path).exists());
    recorder.push(5, camera(5)).expect("taken");
    assert_eq!(recorder.finish().expect("finished").n_stored, 6);
}

#[test]
fn what_the_bounded_codec_achieved_is_stored_while_others_read() {
    let path = path("journal-swmr-bounded");
    let file = File::create_for_swmr(&library(), &path).expect("a file");
    let options = Options { n_workers: 0, swmr: true, ..Options::default() };
    let dataset = dataset(Compression::bounded_absolute(2), 1);
    let processing = Processing::<i16>::default();
    let mut recorder = Recorder::create(&library(), file.id(), &dataset, processing, options).expect("a recorder");
    let number = |name| common::attribute(&file, PATH, name);
    assert_eq!((number("bounded_absolute"), number("bounded_chunks")), (2, 0));
    for frame in 0..5_u64 {
        recorder.push(frame, camera(frame as usize)).expect("taken");
        recorder.flush(false).expect("flushed");
        assert_eq!(number("bounded_chunks"), frame as i64 + 1);
    }
    recorder.finish().expect("finished");
    assert_eq!(["bounded_chunks", "bounded_largest_error"].map(number), [5, 2]);
}

#[test]
fn a_restore_that_is_stopped_at_any_moment_leaves_the_file_and_no_new_one() {
    let [path, left] = ["journal-stopped", "journal-stopped-left"].map(path);
    let (_file, _recorder) = swmr(&path);
    std::fs::copy(&path, &left).expect("a copy");
    std::fs::copy(journal::path_of(&path), journal::path_of(&left)).expect("a copy");
    let before = [std::fs::read(&left), std::fs::read(journal::path_of(&left))].map(|bytes| bytes.expect("there"));
    let to = left.with_extension("restored.h5");
    // What an earlier run of this test has left.
    for old in ["restored.h5", "h5.left", "h5.left.journal"] {
        let _ = std::fs::remove_file(left.with_extension(old));
    }
    for in_place in [false, true] {
        let mut n_stops = 0;
        for n in 0.. {
            let (asked, at) = (AtomicUsize::new(0), Mutex::new(String::new()));
            let is_stopped = || asked.fetch_add(1, Ordering::Relaxed) >= n;
            let seen = |path: &str| path.clone_into(&mut at.lock().expect("not poisoned"));
            let watch = Watch { seen: &seen, is_stopped: &is_stopped };
            let made = match in_place {
                false => restore_file(&library(), &left, &to, &watch),
                true => journal::restore_in_place(&library(), &left, &watch),
            };
            if made.is_ok() {
                break;
            }
            assert_eq!(made, Err(Error::Hdf5(darkchunk_hdf5::Error::Stopped)), "{n}");
            assert!(!at.lock().expect("not poisoned").is_empty(), "it says where it stood");
            let names = std::fs::read_dir(left.parent().expect("a folder")).expect("listed").flatten();
            let is_new = |name: &str| name.contains("journal-stopped-left") && name.contains("restored");
            assert!(!names.map(|entry| entry.file_name()).any(|name| is_new(&name.to_string_lossy())), "{n}");
            let after = [std::fs::read(&left), std::fs::read(journal::path_of(&left))];
            assert_eq!(after.map(|bytes| bytes.expect("there")), before, "{n}");
            n_stops += 1;
        }
        assert!(n_stops > 20, "{n_stops} moments");
        let _ = std::fs::remove_file(&to);
    }
}
