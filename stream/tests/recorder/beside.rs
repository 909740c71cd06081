//! What is beside the frames, when the file is flushed, and what is refused at the beginning.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::common::hdf5::library;
use crate::common::path;
use crate::{N_PIXELS, camera, column, create, create_with, drle, gate, slow_library, wait_until};
use darkchunk::chunk::Processing;
use darkchunk_hdf5::{Column, Dataset, File, Flush, Number};
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{
    MAX_GAP, MAX_REORDER, Measures, Options, PixelFormat, Policy, Pushed, Recorder, Veto,
};

#[test]
fn what_cannot_be_right_is_refused_with_a_remedy() {
    let path = path("recorder_refusals");
    let file = File::create(&library(), &path).expect("a file");
    let refused = |options: Options<i16>, dataset: &Dataset| {
        let made = Recorder::<i16>::create(&library(), file.id(), dataset, Processing::default(), options);
        made.expect_err("refused").to_string()
    };
    let small = refused(Options { max_bytes: 1000, ..Options::default() }, &drle(4));
    assert!(small.contains("max_bytes is 1000") && small.contains("give more"), "{small}");
    let format = refused(Options { format: PixelFormat::Mono16, ..Options::default() }, &drle(1));
    assert!(format.contains("int16") && format.contains("record uint16"), "{format}");
    let gap = refused(Options { max_gap: MAX_GAP + 1, ..Options::default() }, &drle(1));
    assert!(gap.contains("max_gap is 1044481, and can be 1044480 at most"), "{gap}");
    let reorder = refused(Options { reorder: MAX_REORDER + 1, ..Options::default() }, &drle(2));
    assert!(reorder.contains("reorder is 522241, and can be 522240 at most"), "{reorder}");
    // Nothing is left of those: the name is free.
    let most = Options { max_gap: MAX_GAP, reorder: MAX_REORDER, ..Options::default() };
    let mut recorder =
        Recorder::<i16>::create(&library(), file.id(), &drle(1), Processing::default(), most).expect("made");
    let short = recorder.push(0, vec![0; 7]).expect_err("refused");
    assert_eq!(short.frame, Some(vec![0; 7]));
    assert!(short.error.to_string().contains("the frame has 14 bytes"), "{}", short.error);
    assert_eq!(recorder.statistics().expect("ours").n_received, 0);
    recorder.finish().expect("finished");
    recorder.finish().expect("once more changes nothing");
    assert!(matches!(recorder.flush(false), Err(Error::Finished)));
}

#[test]
fn the_file_says_what_became_of_each_frame_and_keeps_its_metadata() {
    for (n_workers, writer_thread) in [(0, false), (2, false), (2, true)] {
        let path = path("recorder_columns");
        let vector = Column { len: 2, ..Column::new("motors", Number::F32) };
        let options = Options {
            n_workers,
            writer_thread,
            veto: Some(Veto::AtLeast(Measures { n_bright: 1, ..Measures::default() })),
            columns: vec![Column::new("pulse", Number::U64), vector],
            ..Options::default()
        };
        let (file, mut recorder) = create(&path, &drle(3), options);
        let row = |number: u64| [&(7 * number).to_ne_bytes()[..], &[1, 2, 3, 4, 5, 6, 7, number as u8]].concat();
        let dark = vec![3; N_PIXELS];
        for number in (0..700).rev().filter(|number| number % 10 != 4) {
            let frame = if number % 10 == 7 { dark.clone() } else { camera(number) };
            let metadata = if number % 10 == 8 { vec![] } else { row(number) };
            assert_eq!(recorder.push_with(699 - number, frame, &metadata).expect("taken"), Pushed::Taken);
        }
        let short = recorder.push_with(2000, dark, &[0; 5]).expect_err("refused");
        assert!(short.error.to_string().contains("5 bytes, the columns have 16"), "{}", short.error);
        assert!(short.frame.is_some());
        let found = recorder.finish().expect("finished");
        assert_eq!((found.n_stored, found.n_vetoed, found.n_missing), (560, 70, 70));
        drop((recorder, file));

        let (status, pulses, motors) = (column(&path, "frame_status"), column(&path, "pulse"), column(&path, "motors"));
        assert_eq!((status.len(), pulses.len(), motors.len()), (700, 5600, 5600));
        for index in 0..700 {
            let number = 699 - index;
            let expected = match number % 10 {
                4 => 0,
                7 => 2,
                _ => 1,
            };
            assert_eq!(status[index], expected, "index {index}");
            let found = [&pulses[8 * index..][..8], &motors[8 * index..][..8]].concat();
            if matches!(number % 10, 4 | 8) {
                assert_eq!(found[..8], [0; 8], "index {index}");
                assert!(found[8..].chunks(4).all(|n| f32::from_ne_bytes(n.try_into().expect("four")).is_nan()));
            } else {
                assert_eq!(found, row(number as u64), "index {index}");
            }
        }
    }
}

#[test]
fn a_frame_that_was_dropped_keeps_its_metadata_and_can_come_again() {
    for writer_thread in [false, true] {
        let path = path(&format!("recorder_dropped_{writer_thread}"));
        let (is_open, veto) = gate();
        let options = Options {
            veto: Some(veto),
            n_workers: 1,
            max_bytes: 4 * 2 * N_PIXELS,
            policy: Policy::Drop,
            writer_thread,
            columns: vec![Column::new("pulse", Number::U16)],
            ..Options::default()
        };
        let (file, mut recorder) = create_with(&slow_library(), &path, &drle(1), options);
        let mut dropped = Vec::new();
        for number in 0..200_u16 {
            if number == 100 {
                is_open.store(true, Ordering::Release);
            }
            match recorder.push_with(number.into(), camera(number.into()), &number.to_ne_bytes()).expect("no trouble") {
                Pushed::Taken => {}
                Pushed::Dropped => dropped.push(number),
                other => panic!("frame {number} is {other:?}"),
            }
        }
        recorder.flush(false).expect("flushed");
        let again = dropped.pop().expect("nothing was encoded at first");
        assert_eq!(recorder.push(again.into(), camera(again.into())).expect("no trouble"), Pushed::Taken);
        let found = recorder.finish().expect("finished");
        assert_eq!((found.n_dropped, found.n_stored), (dropped.len() as u64 + 1, 200 - dropped.len() as u64));
        drop((recorder, file));
        let status = column(&path, "frame_status");
        let expected: Vec<u8> = (0..200).map(|number| if dropped.contains(&number) { 3 } else { 1 }).collect();
        assert_eq!(status, expected);
        let pulses = column(&path, "pulse");
        dropped.iter().for_each(|n| assert_eq!(pulses[2 * usize::from(*n)..][..2], n.to_ne_bytes()));
    }
}

#[test]
fn the_rows_of_frames_that_are_not_stored_are_flushed_by_time() {
    let (path, copy) = (path("recorder_flush_rows"), crate::common::path("recorder_flush_rows_copy"));
    let options = Options {
        n_workers: 0,
        flush: Flush { frames: None, interval: Some(Duration::from_millis(50)) },
        veto: Some(Veto::AtLeast(Measures { maximum: 30_000, ..Measures::default() })),
        ..Options::default()
    };
    let (file, mut recorder) = create(&path, &drle(1), options);
    (0..5).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
    std::thread::sleep(Duration::from_millis(60));
    recorder.poll().expect("no trouble");
    // As a process leaves it that is killed now.
    std::fs::copy(&path, &copy).expect("a copy");
    assert_eq!(recorder.statistics().expect("ours").n_vetoed, 5);
    assert_eq!(column(&copy, "frame_status"), [2; 5]);
    drop((recorder, file));
}

#[test]
fn the_file_is_flushed_by_frames_and_by_time_also_while_none_comes() {
    let path = path("recorder_flush");
    let flush = Flush { frames: Some(10), interval: None };
    let (file, mut recorder) = create(&path, &drle(1), Options { n_workers: 0, flush, ..Options::default() });
    let mut flushed = Vec::new();
    for number in 0..31 {
        assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken);
        flushed.push(recorder.statistics().expect("ours").n_flushed);
    }
    // After the first frame, and then after each tenth.
    let expected: Vec<u64> = (0..31).map(|number| 1 + number / 10 * 10).collect();
    assert_eq!(flushed, expected);
    drop((recorder, file));

    let flush = Flush { frames: None, interval: Some(Duration::from_millis(50)) };
    for writer_thread in [false, true] {
        let options = Options { writer_thread, flush, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(1), options);
        (0..5).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
        wait_until(|| {
            if !writer_thread {
                recorder.poll().expect("no trouble");
            }
            recorder.statistics().expect("ours").n_flushed == 5
        });
        drop((recorder, file));
    }
}
