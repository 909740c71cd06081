//! What HDF5 refuses: held, told, tried again.

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::hdf5::api;
use crate::common::path;
use crate::{N_PIXELS, PATH, camera, column, create, create_with, dataset, drle, frames, read_sum, stored};
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, Column, Error as Hdf5Error, Flush, Library, Number};
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{Options, Policy, Pushed};

/// HDF5 on a disk that is full while `REFUSES`.
fn full_library() -> Library {
    library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        !REFUSES.load(Ordering::Acquire)
    })
}

static REFUSES: AtomicBool = AtomicBool::new(false);

#[test]
fn what_hdf5_refuses_is_held_reported_and_tried_again_and_nothing_is_lost() {
    for (n_workers, writer_thread, frames_per_chunk) in [(2, false, 1), (2, true, 1), (0, false, 3)] {
        let path = path("recorder_refused");
        let options =
            Options { n_workers, writer_thread, max_bytes: 1 << 14, flush: Flush::NEVER, ..Options::default() };
        let (file, mut recorder) = create_with(&full_library(), &path, &drle(frames_per_chunk), options);
        for number in 0..10 {
            assert_eq!(recorder.push(number, camera(number)).expect("no trouble"), Pushed::Taken);
        }
        REFUSES.store(true, Ordering::Release);
        let (mut n_not_stored, mut next) = (0, 10);
        let refused = loop {
            match recorder.push(next, camera(next)) {
                Ok(pushed) => assert_eq!(pushed, Pushed::Taken),
                Err(error) if error.frame.is_none() => {
                    assert!(matches!(&error.error, Error::Hdf5(Hdf5Error::NotStored { .. })), "{error:?}");
                    n_not_stored += 1;
                }
                Err(error) => break error,
            }
            next += 1;
        };
        assert!(n_not_stored > 0, "somebody is told before the memory is full");
        let text = refused.error.to_string();
        assert!(text.contains("H5Dwrite_chunk") && text.contains("push again"), "{text}");
        assert_eq!(refused.frame, Some(camera(next)), "it is handed back");
        let during = recorder.statistics().expect("ours");
        assert_eq!((during.n_received, during.n_stored + during.n_held), (next, next));
        assert!(recorder.flush(false).is_err());
        assert!(recorder.finish().is_err());
        REFUSES.store(false, Ordering::Release);

        let found = recorder.finish().expect("there is room again");
        assert_eq!((found.n_stored, found.n_held, found.n_received), (next, 0, next));
        assert!(matches!(recorder.push(next, camera(next)), Err(error) if error.error == Error::Finished));
        drop((recorder, file));
        let expected: Vec<_> = (0..next).map(|number| stored(&camera(number))).collect();
        assert_eq!(frames(&path), expected);
    }
}

#[test]
fn a_chunk_that_is_refused_again_and_again_is_noted_once() {
    static IS_FULL: AtomicBool = AtomicBool::new(false);
    let library = library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        !IS_FULL.load(Ordering::Acquire)
    });
    let path = path("recorder_noted_once");
    let options = Options { n_workers: 0, flush: Flush::NEVER, ..Options::default() };
    let (file, mut recorder) = create_with(&library, &path, &drle(1), options);
    let journal = recorder.journal().expect("a journal").to_owned();
    let n_bytes = || std::fs::metadata(&journal).expect("the journal").len();
    assert_eq!(recorder.push(0, camera(0)).expect("taken"), Pushed::Taken);
    let n_first = n_bytes();
    IS_FULL.store(true, Ordering::Release);
    recorder.push(1, camera(1)).expect_err("not stored");
    let n_noted = n_bytes();
    assert!(n_noted > n_first);
    (0..20).for_each(|_| drop(recorder.flush(false).expect_err("not stored")));
    assert_eq!(n_bytes(), n_noted, "it is there already");
    IS_FULL.store(false, Ordering::Release);
    assert_eq!(recorder.push(2, camera(2)).expect("taken"), Pushed::Taken);
    recorder.flush(false).expect("flushed");
    assert!(n_bytes() > n_noted, "the next is noted");
    drop((recorder, file));
    assert_eq!(frames(&path), (0..3).map(|number| stored(&camera(number))).collect::<Vec<_>>());
}

#[test]
fn what_was_refused_for_a_while_goes_on_by_itself() {
    let path = path("recorder_recovers");
    // The table of the other test is another one: this flag is its own.
    static IS_FULL: AtomicBool = AtomicBool::new(false);
    let library = library_with!(H5Fflush(a: Hid, b: c_int), || !IS_FULL.load(Ordering::Acquire));
    let options = Options { flush: Flush { frames: Some(1), interval: None }, ..Options::default() };
    let (file, mut recorder) = create_with(&library, &path, &drle(1), options);
    assert_eq!(recorder.push(0, camera(0)).expect("taken"), Pushed::Taken);
    recorder.flush(false).expect("flushed");
    IS_FULL.store(true, Ordering::Release);
    let refused = (1..).find_map(|number| recorder.push(number, camera(number)).err()).expect("it is told");
    assert!(refused.frame.is_none() && refused.error.to_string().contains("H5Fflush"), "{refused:?}");
    IS_FULL.store(false, Ordering::Release);
    recorder.flush(true).expect("written to the disk");
    let found = recorder.statistics().expect("ours");
    assert_eq!((found.n_flushed, found.n_held), (found.n_received, 0));
    drop((recorder, file));
    assert_eq!(frames(&path).len() as u64, found.n_stored);
}

#[test]
fn a_recorder_that_is_dropped_stores_what_it_holds() {
    let path = path("recorder_dropped");
    let (file, mut recorder) = create(&path, &drle(4), Options::default());
    (0..6).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
    drop((recorder, file));
    assert_eq!(frames(&path), (0..6).map(|number| stored(&camera(number))).collect::<Vec<_>>());
}

#[test]
fn a_recorder_that_is_dropped_after_a_failed_finish_tries_once_more() {
    static IS_FULL: AtomicBool = AtomicBool::new(false);
    let library = library_with!(H5Fflush(a: Hid, b: c_int), || !IS_FULL.load(Ordering::Acquire));
    let path = path("recorder_dropped_again");
    let (file, mut recorder) = create_with(&library, &path, &drle(4), Options::default());
    (0..6).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
    IS_FULL.store(true, Ordering::Release);
    recorder.finish().expect_err("not flushed");
    assert!(matches!(recorder.poll(), Err(Error::Finished)));
    IS_FULL.store(false, Ordering::Release);
    let (monitor, journal) = (recorder.monitor(), recorder.journal().expect("a journal").to_owned());
    drop((recorder, file));
    assert_eq!(monitor.statistics().expect("ours").n_flushed, 6);
    assert!(!journal.exists(), "it has finished");
    assert_eq!(frames(&path), (0..6).map(|number| stored(&camera(number))).collect::<Vec<_>>());
}

#[test]
fn a_sum_that_cannot_be_stored_costs_no_frames_and_no_rows() {
    static IS_FULL: AtomicBool = AtomicBool::new(false);
    unsafe extern "C" fn create(
        at: Hid,
        name: *const c_char,
        datatype: Hid,
        space: Hid,
        links: Hid,
        properties: Hid,
        access: Hid,
    ) -> Hid {
        if IS_FULL.load(Ordering::Acquire) {
            return -1;
        }
        let create = api().H5Dcreate2.expect("in the table");
        // SAFETY: the caller's own arguments.
        unsafe { create(at, name, datatype, space, links, properties, access) }
    }
    let table = Api { H5Dcreate2: Some(create), ..api() };
    // SAFETY: the function does what HDF5's does, or fails as that may.
    let library = unsafe { Library::new(&table) }.expect("a library");
    let (path, copy) = (path("recorder_no_sum"), crate::common::path("recorder_no_sum_copy"));
    let columns = vec![Column::new("pulse", Number::U8)];
    let options = Options { flush: Flush::NEVER, columns, ..Options::default() };
    let (file, mut recorder) = create_with(&library, &path, &drle(2), options);
    for number in 0..5_u8 {
        let pushed = recorder.push_with(number.into(), camera(number.into()), &[number]).expect("no trouble");
        assert_eq!(pushed, Pushed::Taken);
    }
    IS_FULL.store(true, Ordering::Release);
    let error = recorder.finish().expect_err("no sum");
    assert!(error.to_string().contains("H5Dcreate2"), "{error}");
    std::fs::copy(&path, &copy).expect("a copy");
    assert_eq!(frames(&copy), (0..5).map(|number| stored(&camera(number))).collect::<Vec<_>>());
    assert_eq!((column(&copy, "pulse"), column(&copy, "frame_status")), (vec![0, 1, 2, 3, 4], vec![1; 5]));
    IS_FULL.store(false, Ordering::Release);
    recorder.finish().expect("finished");
    drop((recorder, file));
    assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum")).len(), N_PIXELS);
}

#[test]
fn frames_are_dropped_at_once_also_while_hdf5_takes_nothing_and_their_metadata_is_kept() {
    const N_FRAMES: u64 = 3000;
    static STALLS: AtomicBool = AtomicBool::new(true);
    let library = library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        let start = Instant::now();
        while STALLS.load(Ordering::Acquire) && start.elapsed() < Duration::from_secs(120) {
            std::thread::sleep(Duration::from_millis(1));
        }
        STALLS.store(false, Ordering::Release);
        true
    });
    let path = path("recorder_stalled");
    let options = Options {
        n_workers: 1,
        max_bytes: 4 * 2 * N_PIXELS,
        policy: Policy::Drop,
        writer_thread: true,
        columns: vec![Column::new("pulse", Number::U16)],
        ..Options::default()
    };
    let (file, mut recorder) = create_with(&library, &path, &drle(1), options);
    let mut push = |number: u64| {
        let row = (number as u16).to_ne_bytes();
        recorder.push_with(number, camera(number), &row).expect("no trouble") == Pushed::Dropped
    };
    let is_dropped: Vec<bool> = (0..N_FRAMES).map(&mut push).collect();
    assert!(STALLS.swap(false, Ordering::AcqRel), "push has waited for HDF5");
    let found = recorder.finish().expect("finished");
    assert!(found.n_dropped > 2000 && found.n_stored == N_FRAMES - found.n_dropped, "{found:?}");
    drop((recorder, file));
    let expected: Vec<u8> = is_dropped.iter().map(|is_dropped| if *is_dropped { 3 } else { 1 }).collect();
    assert_eq!(column(&path, "frame_status"), expected);
    assert_eq!(column(&path, "pulse"), (0..N_FRAMES as u16).flat_map(u16::to_ne_bytes).collect::<Vec<_>>());
}

#[test]
fn where_frames_are_dropped_because_hdf5_takes_none_somebody_is_told() {
    static IS_FULL: AtomicBool = AtomicBool::new(false);
    let library = library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        !IS_FULL.load(Ordering::Acquire)
    });
    let path = path("recorder_dropped_told");
    let options = Options {
        n_workers: 0,
        max_bytes: 4 * 2 * N_PIXELS,
        policy: Policy::Drop,
        flush: Flush::NEVER,
        ..Options::default()
    };
    // Without compression, so that what is held takes all the memory.
    let (file, mut recorder) = create_with(&library, &path, &dataset(Compression::NONE, 1), options);
    IS_FULL.store(true, Ordering::Release);
    // HDF5 is not tried again sooner.
    const RETRY: Duration = Duration::from_millis(100);
    let (mut n_told, mut n_dropped, mut number) = (0, 0, 0);
    while n_told < 2 {
        let mut begin = Instant::now();
        match recorder.push(number, camera(number)) {
            Ok(pushed) => n_dropped += u64::from(pushed == Pushed::Dropped),
            Err(refused) if refused.frame.is_some() => {
                assert!(refused.error.to_string().contains("push again"), "{}", refused.error);
                n_told += 1;
                // On a busy machine so much time may pass that HDF5 is tried once more, and that is told, too.
                let pushed = loop {
                    let before = std::mem::replace(&mut begin, Instant::now());
                    match recorder.push(number, camera(number)) {
                        Ok(pushed) => break pushed,
                        Err(again) => assert!(before.elapsed() >= RETRY, "told already: {}", again.error),
                    }
                };
                assert_eq!(pushed, Pushed::Dropped);
                n_dropped += 1;
            }
            Err(_) => {}
        }
        number += 1;
        std::thread::sleep(Duration::from_millis(5));
    }
    IS_FULL.store(false, Ordering::Release);
    let found = recorder.finish().expect("finished");
    assert_eq!((found.n_dropped, found.n_stored, found.n_received), (n_dropped, number - n_dropped, number));
    drop((recorder, file));
}
