//! What is seen of a recording while it goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Column, Number};
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{Classes, LiveSum, Options, Pushed, Recorder};

use crate::common::path;
use crate::{N_PIXELS, PATH, camera, create, dataset, drle, read_sum, stored};

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
        let (live, is_done) = (recorder.live(), AtomicBool::new(false));
        assert_eq!(live.last_frame().expect("ours"), None);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let (mut n_frames, mut n_looks) = (0, 0);
                while !is_done.load(Ordering::Acquire) {
                    let sum = live.sum(None).expect("ours").expect("it is kept");
                    assert!(sum.n_frames >= n_frames, "it goes on");
                    (n_frames, n_looks) = (sum.n_frames, n_looks + 1);
                    if let Some((number, frame)) = live.last_frame().expect("ours") {
                        assert_eq!(frame, stored(&camera(number)), "frame {number}");
                    }
                }
                n_looks
            });
            for number in 0..N {
                // Each third has a pulse; each tenth says nothing of it, or nonsense.
                let row: &[u8] = if number % 10 == 9 { &[] } else { &[(number % 3 == 0).into()] };
                let row = if number % 20 == 5 { &[7] } else { row };
                assert_eq!(recorder.push_with(number, camera(number), row).expect("taken"), Pushed::Taken);
            }
            recorder.finish().expect("finished");
            is_done.store(true, Ordering::Release);
            assert!(watcher.join().expect("no panic") > 0);
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
