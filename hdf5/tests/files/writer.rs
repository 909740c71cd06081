//! What the writer stores is what was pushed: all codecs, element types, chunk shapes and ways to hand over a frame.

use std::time::Duration;

use crate::common::{self, *};
use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Dataset, FileElement, Flush, Processing, Writer, promise};

const DARK: i16 = 100;

fn every_codec_gives_back<P: FileElement + PartialEq>(name: &str, frame: impl Fn(usize) -> Vec<P>) {
    for (at, compression) in compressions(size_of::<P>()).into_iter().enumerate() {
        for frames_per_chunk in [1, 3] {
            if compression.filter == Some(36114) && compression.values[0] != 1 {
                continue;
            }
            let file = new_file(&format!("{name}-{at}-{frames_per_chunk}"));
            let dataset = dataset(compression.clone(), frames_per_chunk);
            let mut writer = Writer::create(&library(), file.id(), &dataset, plain()).expect("a writer");
            let frames: Vec<Vec<P>> = (0..7).map(&frame).collect();
            frames.iter().for_each(|frame| writer.push(frame).expect("a frame"));
            let summary = writer.finish().expect("finished");
            assert_eq!((summary.n_pushed, summary.n_stored, summary.n_flushed), (7, 7, 7), "{compression:?}");
            assert_eq!(read::<P>(&file, PATH), frames, "{compression:?}, {frames_per_chunk} frames a chunk");
        }
    }
}

#[test]
fn every_codec_gives_back_every_element_type() {
    every_codec_gives_back::<i8>("i8", |index| camera(index).iter().map(|pixel| (*pixel - 100) as i8).collect());
    every_codec_gives_back::<u8>("u8", |index| camera(index).iter().map(|pixel| *pixel as u8).collect());
    every_codec_gives_back::<i16>("i16", camera);
    every_codec_gives_back::<u16>("u16", |index| camera(index).iter().map(|pixel| pixel.cast_unsigned()).collect());
    every_codec_gives_back::<i32>("i32", |index| camera(index).iter().map(|pixel| 99 - i32::from(*pixel)).collect());
    every_codec_gives_back::<u32>("u32", |index| camera(index).iter().map(|pixel| *pixel as u32 * 65537).collect());
}

#[test]
fn dark_threshold_sum_and_counts_are_the_same_for_every_codec() {
    let frames: Vec<Vec<i16>> = (0..5).map(camera).collect();
    let stored: Vec<Vec<i16>> = frames.iter().map(|frame| corrected(frame, DARK, THRESHOLD)).collect();
    let zeroed =
        frames.iter().flatten().zip(stored.iter().flatten()).filter(|(raw, kept)| **kept == 0 && **raw != DARK);
    let zeroed: Vec<i64> = zeroed.map(|(raw, _)| i64::from(raw - DARK)).collect();
    let n_bright = stored.iter().flatten().filter(|pixel| **pixel != 0).count();
    let sum: Vec<i64> = (0..N_PIXELS).map(|at| stored.iter().map(|frame| i64::from(frame[at])).sum()).collect();
    for (at, compression) in compressions(2).into_iter().enumerate() {
        if compression.filter == Some(36114) && compression.values[0] != u32::from(THRESHOLD) {
            continue;
        }
        let file = new_file(&format!("corrected-{at}"));
        let processing =
            Processing { dark: Some(vec![DARK; N_PIXELS].into()), threshold: Some(THRESHOLD), ..Processing::default() };
        let mut writer = Writer::create(&library(), file.id(), &dataset(compression.clone(), 2), processing).unwrap();
        for (index, frame) in frames.iter().enumerate() {
            // In one piece, in strips, and in place.
            match index % 3 {
                0 => writer.push(frame).unwrap(),
                1 => writer.push_strips(&frame.chunks(WIDTH * 4).collect::<Vec<_>>()).unwrap(),
                _ => {
                    let mut frame = frame.clone();
                    writer.push_in_place(&mut frame).unwrap();
                    assert_eq!(frame, stored[index], "the corrected frame, in place, {compression:?}");
                }
            }
        }
        assert_eq!(writer.sum(), Some(&sum[..]));
        let summary = writer.finish().unwrap();
        assert_eq!(read::<i16>(&file, PATH), stored, "{compression:?}");
        assert_eq!(summary.counts.n_zeroed, zeroed.len() as u64);
        let beside = format!("{PATH}_darkchunk");
        assert_eq!(image(&file, &format!("{beside}/sum")), sum);
        assert_eq!(image(&file, "/entry/sum_image/sum"), sum);
        assert_eq!(image(&file, &format!("{beside}/dark")), vec![i64::from(DARK); N_PIXELS]);
        let numbers = ["frames", "threshold", "pixels_bright", "pixels_zeroed", "zeroed_sum", "pixels_saturated"];
        let expected = [5, i64::from(THRESHOLD), n_bright as i64, zeroed.len() as i64, zeroed.iter().sum(), 0];
        assert_eq!(numbers.map(|name| attribute(&file, &beside, name)), expected, "{compression:?}");
    }
}

#[test]
fn frames_at_once_are_frames_one_by_one() {
    let frames: Vec<Vec<i16>> = (0..11).map(camera).collect();
    let frames: Vec<&[i16]> = frames.iter().map(Vec::as_slice).collect();
    let stored: Vec<Vec<i16>> = frames.iter().map(|frame| corrected(frame, DARK, THRESHOLD)).collect();
    let sum: Vec<i64> = (0..N_PIXELS).map(|at| stored.iter().map(|frame| i64::from(frame[at])).sum()).collect();
    let (drle, other) = (Compression::drle(THRESHOLD), Compression::bitshuffle_lz4());
    for (compression, in_place) in [(drle.clone(), false), (other.clone(), false), (drle, true), (other, true)] {
        let file = new_file("at-once");
        let processing =
            Processing { dark: Some(vec![DARK; N_PIXELS].into()), threshold: Some(THRESHOLD), ..Processing::default() };
        let mut writer = Writer::create(&library(), file.id(), &dataset(compression.clone(), 4), processing).unwrap();
        // The first ones begin within a chunk and end in the one after the next.
        writer.push(frames[0]).unwrap();
        if in_place {
            let mut some: Vec<Vec<i16>> = frames[1..10].iter().map(|frame| frame.to_vec()).collect();
            writer.push_frames_in_place(&mut some.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
            assert_eq!(some, stored[1..10], "{compression:?}");
        } else {
            writer.push_frames(&frames[1..10]).unwrap();
        }
        writer.push_frames(&[]).unwrap();
        assert_eq!((writer.summary().n_pushed, writer.summary().n_stored), (10, 8), "{compression:?}");
        writer.push_frames(&frames[10..]).unwrap();
        assert_eq!(writer.sum(), Some(&sum[..]), "{compression:?}");
        let summary = writer.finish().unwrap();
        let n_bright = stored.iter().flatten().filter(|pixel| **pixel != 0).count();
        assert_eq!((summary.n_counted, summary.counts.n_bright), (11, n_bright as u64), "{compression:?}");
        assert_eq!(read::<i16>(&file, PATH), stored, "{compression:?}");
    }
}

#[test]
fn the_sum_of_negative_pixels_is_exact() {
    let file = new_file("negative");
    let dataset = dataset(Compression::lz4(), 1);
    let mut writer = Writer::create(&library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    (0..3).for_each(|_| writer.push(&[-7; N_PIXELS]).unwrap());
    writer.finish().unwrap();
    assert_eq!(image(&file, &format!("{PATH}_darkchunk/sum")), [-21; N_PIXELS]);
}

#[test]
fn a_chunk_that_is_not_full_is_stored_by_a_flush_and_filled_up_later() {
    for (at, compression) in compressions(2).into_iter().enumerate() {
        let file = new_file(&format!("partial-{at}"));
        let mut writer = Writer::create(&library(), file.id(), &dataset(compression.clone(), 4), plain()).unwrap();
        let threshold = if compression.values == [u32::from(THRESHOLD)] { THRESHOLD } else { 1 };
        let frames: Vec<Vec<i16>> = (0..6).map(|index| corrected(&camera(index), 0, threshold)).collect();
        for (index, frame) in frames.iter().enumerate() {
            writer.push(frame).unwrap();
            writer.flush().unwrap();
            assert_eq!(read::<i16>(&file, PATH), frames[..=index], "{compression:?}");
        }
    }
}

#[test]
fn a_dataset_is_continued_where_it_ends_with_its_sum_and_counts() {
    for (at, compression) in compressions(2).into_iter().enumerate() {
        let name = format!("continued-{at}");
        let file = new_file(&name);
        let threshold = if compression.values == [u32::from(THRESHOLD)] { THRESHOLD } else { 1 };
        let frames: Vec<Vec<i16>> = (0..11).map(|index| corrected(&camera(index), 0, threshold)).collect();
        let processing = Processing::<i16>::default;
        let mut writer = Writer::create(&library(), file.id(), &dataset(compression.clone(), 4), processing()).unwrap();
        frames[..5].iter().for_each(|frame| writer.push(frame).unwrap());
        writer.finish().unwrap();
        drop((writer, file));

        for (from, to) in [(5, 6), (6, 8), (8, 11)] {
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.h5"));
            let file = darkchunk_hdf5::File::open(&library(), &path, true).unwrap();
            let mut writer = Writer::attach(&library(), file.id(), PATH, processing()).unwrap();
            frames[from..to].iter().for_each(|frame| writer.push(frame).unwrap());
            let summary = writer.finish().unwrap();
            assert_eq!((summary.n_pushed, summary.n_stored), ((to - from) as u64, to as u64), "{compression:?}");
            assert_eq!(summary.n_counted, to as u64);
            assert_eq!(read::<i16>(&file, PATH), frames[..to], "{compression:?}");
            let sum: Vec<i64> =
                (0..N_PIXELS).map(|at| frames[..to].iter().map(|frame| i64::from(frame[at])).sum()).collect();
            assert_eq!(image(&file, "/entry/sum_image/sum"), sum, "{compression:?}");
        }
    }
}

#[test]
fn two_detectors_share_an_entry() {
    let file = new_file("two");
    for detector in ["detector", "second"] {
        let path = format!("/entry/instrument/{detector}/data");
        let dataset = Dataset { path, ..dataset(Compression::drle(1), 1) };
        let mut writer = Writer::create(&library(), file.id(), &dataset, Processing::default()).unwrap();
        writer.push(&camera(1)).unwrap();
        writer.finish().unwrap();
    }
    assert_eq!(read::<i16>(&file, "/entry/data/data"), [camera(1)]);
    assert_eq!(read::<i16>(&file, "/entry/data_second/data"), [camera(1)]);
}

#[test]
fn a_writer_that_is_dropped_stores_what_it_can() {
    let file = new_file("dropped");
    let mut writer =
        Writer::create(&library(), file.id(), &dataset(Compression::drle(1), 4), Processing::default()).unwrap();
    (0..6).for_each(|index| writer.push(&camera(index)).unwrap());
    drop(writer);
    assert_eq!(read::<i16>(&file, PATH).len(), 6);
    assert_eq!(attribute(&file, &format!("{PATH}_darkchunk"), "frames"), 6);
}

#[test]
fn a_dataset_without_nexus_lies_where_the_group_is() {
    let file = new_file("group");
    let group = {
        let _lock = common::hdf5::LOCK.lock();
        // SAFETY: a file and a C string.
        unsafe { common::hdf5::h5g::H5Gcreate2(file.id(), c"run 1".as_ptr(), 0, 0, 0) }
    };
    let dataset = Dataset { path: "camera/images".into(), nexus: false, ..dataset(Compression::drle(1), 1) };
    let mut writer = Writer::create(&library(), group, &dataset, Processing::default()).unwrap();
    writer.push(&camera(3)).unwrap();
    writer.finish().unwrap();
    assert_eq!(read::<i16>(&file, "/run 1/camera/images"), [camera(3)]);
    let sum: Vec<i64> = camera(3).into_iter().map(i64::from).collect();
    assert_eq!(image(&file, "/run 1/camera/images_darkchunk/sum"), sum);
}

#[test]
fn nexus_groups_of_a_relative_path_lie_in_the_group_it_starts_from() {
    let file = new_file("nexus-group");
    let group = {
        let _lock = common::hdf5::LOCK.lock();
        // SAFETY: a file and a C string.
        unsafe { common::hdf5::h5g::H5Gcreate2(file.id(), c"run 1".as_ptr(), 0, 0, 0) }
    };
    let path = "entry/instrument/detector/data".to_owned();
    let dataset = Dataset { path, ..dataset(Compression::drle(1), 1) };
    let mut writer = Writer::create(&library(), group, &dataset, Processing::default()).unwrap();
    writer.push(&camera(3)).unwrap();
    writer.finish().unwrap();
    assert_eq!(read::<i16>(&file, "/run 1/entry/data/data"), [camera(3)]);
    let sum: Vec<i64> = camera(3).into_iter().map(i64::from).collect();
    assert_eq!(image(&file, "/run 1/entry/sum_image/sum"), sum);
}

#[test]
fn the_file_is_flushed_by_number_and_by_time() {
    for (name, flush, n_flushed) in [
        // After the first frame, too.
        ("flush-frames", Flush { frames: Some(4), interval: None }, 5),
        ("flush-time", Flush { frames: None, interval: Some(Duration::ZERO) }, 7),
        ("flush-never", Flush::NEVER, 0),
    ] {
        let file = new_file(name);
        let dataset = dataset(Compression::drle(1), 1);
        let writer = Writer::create(&library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
        let mut writer = writer.with_flush(flush);
        (0..7).for_each(|index| writer.push(&camera(index)).unwrap());
        let summary = writer.summary();
        assert_eq!((summary.n_stored, summary.n_flushed), (7, n_flushed), "{name}");
    }
}

#[test]
fn what_is_known_is_stored_when_a_recording_begins_and_the_counts_with_flushes() {
    let file = new_file("beside");
    let beside = format!("{PATH}_darkchunk");
    let processing = Processing { dark: Some(vec![DARK; N_PIXELS].into()), ..Processing::default() };
    let dataset = dataset(Compression::drle(THRESHOLD), 1);
    let writer = Writer::create(&library(), file.id(), &dataset, processing).unwrap();
    let mut writer = writer.with_flush(Flush { frames: Some(3), interval: None });
    assert_eq!(attribute(&file, &beside, "threshold"), i64::from(THRESHOLD));
    assert_eq!(attribute(&file, &beside, "filter"), 36114);
    assert_eq!(image(&file, &format!("{beside}/dark")), vec![i64::from(DARK); N_PIXELS]);
    assert_eq!(attribute(&file, &beside, "frames"), 0);
    for index in 0..8 {
        if index == 3 {
            // Counts are stored ten times a second at most.
            std::thread::sleep(Duration::from_millis(110));
        }
        writer.push(&camera(index)).unwrap();
        let n_counted = attribute(&file, &beside, "frames");
        assert!(n_counted <= writer.summary().n_flushed as i64, "after frame {index}");
        let stored = (0..n_counted).flat_map(|index| corrected(&camera(index as usize), DARK, THRESHOLD));
        let n_bright = stored.filter(|pixel| *pixel != 0).count() as i64;
        assert_eq!(attribute(&file, &beside, "pixels_bright"), n_bright, "after frame {index}");
    }
    assert!(attribute(&file, &beside, "frames") >= 4);
    assert_eq!(writer.summary().n_flushed, 7);
    writer.flush().unwrap();
    assert_eq!(attribute(&file, &beside, "frames"), 8);
}

/// The file as a crash leaves it: a copy after a flush, without the sum.
#[test]
fn after_a_crash_the_counts_go_on_and_the_sum_says_of_which_frames_it_is() {
    let file = new_file("crashed");
    let dataset = dataset(Compression::drle(1), 1);
    let mut writer = Writer::create(&library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    (0..4).for_each(|index| writer.push(&camera(index)).unwrap());
    writer.flush().unwrap();
    std::fs::copy(path_of("crashed"), path("crashed-copy")).unwrap();

    let file = darkchunk_hdf5::File::open(&library(), &path_of("crashed-copy"), true).unwrap();
    let mut writer = Writer::attach(&library(), file.id(), PATH, Processing::<i16>::default()).unwrap();
    assert_eq!(writer.summary().n_counted, 4);
    (4..7).for_each(|index| writer.push(&camera(index)).unwrap());
    let summary = writer.finish().unwrap();
    assert_eq!((summary.n_stored, summary.n_counted), (7, 7));
    let beside = format!("{PATH}_darkchunk");
    assert_eq!(["frames", "first_frame"].map(|name| attribute(&file, &beside, name)), [7, 0]);
    let sum = format!("{beside}/sum");
    assert_eq!(["frames", "first_frame"].map(|name| attribute(&file, &sum, name)), [3, 4]);
    let expected: Vec<i64> = (0..N_PIXELS).map(|at| (4..7).map(|index| i64::from(camera(index)[at])).sum()).collect();
    assert_eq!(image(&file, &sum), expected);
}

#[test]
fn a_writer_holds_its_file_open() {
    let file = new_file("held-open");
    let mut writer =
        Writer::create(&library(), file.id(), &dataset(Compression::drle(1), 2), Processing::default()).unwrap();
    file.close().unwrap();
    writer.push(&camera(5)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("held-open.h5");
    let file = darkchunk_hdf5::File::open(&library(), &path, false).unwrap();
    assert_eq!(read::<i16>(&file, PATH), [camera(5)]);
}

#[test]
fn writers_on_several_threads_do_not_disturb_each_other() {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let file = new_file(&format!("thread-{thread}"));
                let dataset = dataset(Compression::drle(1), 2);
                let mut writer = Writer::create(&library(), file.id(), &dataset, Processing::default()).unwrap();
                (0..50).for_each(|index| writer.push(&camera(index + thread)).unwrap());
                writer.finish().unwrap();
                assert_eq!(read::<i16>(&file, PATH), (thread..thread + 50).map(camera).collect::<Vec<_>>());
            });
        }
    });
}

#[test]
fn a_dataset_says_what_was_promised_and_achieved() {
    let file = new_file("promise");
    let number = |name: &str| attribute(&file, PATH, &format!("bounded_{name}"));
    let frames: Vec<Vec<i16>> = (0..5).map(camera).collect();
    let with_bound = dataset(Compression::bounded_absolute(3), 2);
    let mut writer = Writer::create(&library(), file.id(), &with_bound, plain()).unwrap();
    assert_eq!((number("absolute"), number("chunks")), (3, 0), "before the first frame");
    frames[..3].iter().for_each(|frame| writer.push(frame).unwrap());
    writer.flush().unwrap();
    assert_eq!(number("chunks"), 2, "the second one is not full");
    writer.push(&frames[3]).unwrap();
    drop(writer);
    let mut writer = Writer::attach(&library(), file.id(), PATH, plain()).unwrap();
    writer.push(&frames[4]).unwrap();
    writer.finish().unwrap();

    let read = read::<i16>(&file, PATH).concat();
    // What a last chunk is filled up with is exact, as 0 is.
    let n_pixels = 6 * N_PIXELS;
    let errors = read.iter().zip(frames.iter().flatten()).map(|(now, then)| i64::from(*now) - i64::from(*then));
    let (most, sum, squares) =
        errors.fold((0, 0, 0), |(most, sum, squares), e| (e.abs().max(most), sum + e, squares + e * e));
    let found = promise::achieved(&library(), file.id(), PATH).unwrap().expect("the bounded codec");
    assert_eq!((found.n_chunks, found.n_exact, found.n_unknown), (3, 0, 0));
    assert_eq!((i64::from(found.most), found.sum, found.sum_of_squares), (most, sum.into(), squares as u128));
    assert_eq!(found.n_pixels, n_pixels as u64);
    assert!((1..=3).contains(&most));
    assert_eq!(["chunks", "chunks_exact", "largest_error", "pixels"].map(number), [3, 0, most, n_pixels as i64]);
    assert_eq!(number("mean_square_error"), squares / n_pixels as i64, "rounded down by HDF5");
}

#[test]
fn other_filters_promise_nothing() {
    let file = new_file("no-promise");
    Writer::create(&library(), file.id(), &dataset(Compression::drle(1), 2), plain::<i16>()).unwrap();
    assert_eq!(promise::achieved(&library(), file.id(), PATH), Ok(None));
}
