//! What is seen of a recording while it goes on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Column, Number};
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{Classes, LiveSum, Options, Pushed, Recorder};

use crate::common::path;
use crate::{N_PIXELS, PATH, camera, create, dataset, drle, frames, read_sum, stored, wait_until};

fn expected(numbers: impl Iterator<Item = u64>) -> LiveSum {
    let (mut total, mut n_frames) = (vec![0; N_PIXELS], 0);
    for number in numbers {
        total.iter_mut().zip(stored(&camera(number))).for_each(|(sum, pixel)| *sum += i64::from(pixel));
        n_frames += 1;
    }
    LiveSum { n_frames, total }
}

#[test]
fn sums_by_class_and_the_last_frame_are_seen_by_other_threads_while_frames_are_pushed() {
    const N: u64 = 400;
    for (n_workers, frames_per_chunk) in [(0, 1), (2, 1), (2, 5)] {
        let path = path("recorder_live");
        let classes = Some(Classes { column: "pump".into(), n: 2 });
        let columns = vec![Column::new("pump", Number::U8)];
        let options = Options { n_workers, classes, columns, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(frames_per_chunk), options);
        let (live, is_done, n_looks) = (recorder.live(), AtomicBool::new(false), AtomicUsize::new(0));
        assert_eq!(live.last_frame().expect("ours"), None);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut n_frames = 0;
                while !is_done.load(Ordering::Acquire) {
                    let sum = live.sum(None).expect("ours").expect("it is kept");
                    assert!(sum.n_frames >= n_frames, "it goes on");
                    n_frames = sum.n_frames;
                    if let Some((number, frame)) = live.last_frame().expect("ours") {
                        assert_eq!(frame, stored(&camera(number)), "frame {number}");
                    }
                    n_looks.fetch_add(1, Ordering::AcqRel);
                }
            });
            for number in 0..N {
                if number % 100 == 50 {
                    // A thread that has just been started may wait for a processor until all frames are there.
                    let n_before = n_looks.load(Ordering::Acquire);
                    wait_until(|| watcher.is_finished() || n_looks.load(Ordering::Acquire) > n_before);
                }
                // Each third has a pulse; each tenth says nothing of it, or nonsense.
                let row: &[u8] = if number % 10 == 9 { &[] } else { &[(number % 3 == 0).into()] };
                let row = if number % 20 == 5 { &[7] } else { row };
                assert_eq!(recorder.push_with(number, camera(number), row).expect("taken"), Pushed::Taken);
            }
            recorder.finish().expect("finished");
            is_done.store(true, Ordering::Release);
            watcher.join().expect("no panic");
        });
        let of = |class: Option<usize>| live.sum(class).expect("ours").expect("it is kept");
        let has_class = |number: &u64| number % 10 != 9 && number % 20 != 5;
        assert_eq!(of(None), expected(0..N));
        assert_eq!(of(Some(0)), expected((0..N).filter(has_class).filter(|number| number % 3 != 0)));
        assert_eq!(of(Some(1)), expected((0..N).filter(has_class).filter(|number| number % 3 == 0)));
        assert!(matches!(live.sum(Some(2)), Err(Error::Argument(text)) if text.contains("there are 2")));
        assert_eq!(live.last_frame().expect("ours"), Some((N - 1, stored(&camera(N - 1)))));
        assert!((of(None).mean()[5] * N as f64 - of(None).total[5] as f64).abs() < 1e-6);
        drop((recorder, file));
        assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum")), of(None).total, "the file has the sum of all");
        assert_eq!(live.sum(None).expect("ours"), Some(expected(0..N)), "also after the end");
    }
}

#[test]
fn the_greatest_values_are_those_of_the_frames_as_they_are_stored() {
    // Named sentinels, one of them negative, are stored as they are; a bare stream has several frames in one.
    let sentinels = Compression::filter(36114, &[20, 0, 0, 2, 0, 0, 0, 0, 2, 65531, 7]);
    let lossy = Compression::bounded_absolute(3);
    let filters =
        [Compression::drle(20), Compression::drle_packed(20), Compression::filter(36114, &[20, 1]), sentinels];
    for compression in filters.into_iter().chain([lossy, Compression::bitshuffle_lz4(), Compression::NONE]) {
        for (n_workers, frames_per_chunk) in [(0, 1), (2, 4)] {
            let what = format!("{compression:?}, {frames_per_chunk} a chunk");
            let path = path("recorder_maximum");
            let options = Options { n_workers, maximum: true, ..Options::default() };
            let (file, mut recorder): (_, Recorder<i16>) =
                create(&path, &dataset(compression.clone(), frames_per_chunk), options);
            let live = recorder.live();
            let before = live.maximum().expect("ours").expect("it is kept");
            assert_eq!((before.n_frames, before.pixels), (0, vec![0; N_PIXELS]));
            let came: Vec<u64> = (0..90).filter(|number| number % 7 != 3).collect();
            for number in &came {
                let mut frame = camera(*number);
                (frame[0], frame[1]) = (-5, -(*number as i16) - 1);
                recorder.push(*number, frame).expect("taken");
            }
            recorder.finish().expect("finished");
            let found = live.maximum().expect("ours").expect("it is kept");
            drop((recorder, file));
            let frames = frames(&path);
            let greatest = |at: usize| came.iter().map(|number| frames[*number as usize][at]).max().expect("some");
            assert_eq!(found.n_frames, came.len() as u64, "{what}");
            assert_eq!(found.pixels, (0..N_PIXELS).map(greatest).collect::<Vec<_>>(), "{what}");
        }
    }
    let (_file, recorder): (_, Recorder<i16>) = create(&path("recorder_maximum"), &drle(1), Options::default());
    assert_eq!(recorder.live().maximum().expect("ours"), None, "nobody asked for it");
}

#[test]
fn thresholds_are_compared_on_frames_as_they_come() {
    for (compression, frames_per_chunk) in
        [(Compression::drle(20), 1), (Compression::drle(20), 4), (Compression::lz4(), 1)]
    {
        let path = path("recorder_preview");
        let (file, mut recorder): (_, Recorder<i16>) =
            create(&path, &dataset(compression, frames_per_chunk), Options::default());
        let (live, is_done) = (recorder.live(), AtomicBool::new(false));
        let error = live.preview(3, &[1], Duration::from_millis(10)).expect_err("nothing comes").to_string();
        assert!(error.contains("no frame came"), "{error}");
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let found = live.preview(12, &[1, 20, 300, 0], Duration::from_secs(60));
                let good = live.preview(12, &[1, 20, 300], Duration::from_secs(60));
                is_done.store(true, Ordering::Release);
                (found, good.expect("frames come"))
            });
            let mut number = 0;
            while !is_done.load(Ordering::Acquire) {
                assert_eq!(recorder.push(number, camera(7)).expect("taken"), Pushed::Taken);
                number += 1;
            }
            let (refused, found) = watcher.join().expect("no panic");
            assert!(refused.is_err(), "0 is no threshold");
            for (preview, threshold) in found.iter().zip([1_u16, 20, 300]) {
                let n_bright = camera(7).iter().filter(|pixel| **pixel >= threshold.cast_signed()).count();
                assert_eq!((preview.threshold, preview.n_frames), (threshold, 12));
                assert!((preview.bright - n_bright as f64 / N_PIXELS as f64).abs() < 1e-12, "{preview:?}");
                assert!(preview.frames_per_s > 0.0, "{preview:?}");
            }
            assert!(found[0].ratio < found[1].ratio && found[1].ratio < found[2].ratio, "{found:?}");
        });
        drop((recorder, file));
    }
}
