//! Frames in bricks, chunks of some of their rows: what is in the file is what whole frames would be, in memory that is bounded, and a row of
//! all frames is read without the rest.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use darkchunk::codec::blosc::{Compressor, Shuffle};
use darkchunk_hdf5::chunk_map::StoredDataset;
use darkchunk_hdf5::{Error as Hdf5Error, Flush, FrameStatus, Writer};
use darkchunk_sim::Rng;
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{Encoded, Measures, Policy, Pushed, Veto};

use super::*;
use crate::common::path;

fn bricks(compression: Compression, frames_per_chunk: usize, rows: usize) -> Dataset {
    Dataset { rows_per_chunk: Some(rows), ..dataset(compression, frames_per_chunk) }
}

/// Everything but DRLE.
fn compressions() -> Vec<Compression> {
    vec![
        Compression::NONE,
        Compression::bitshuffle_lz4(),
        Compression::bitshuffle_zstd(1),
        Compression::blosc(5, Shuffle::Byte, Compressor::Lz4),
        Compression::lz4(),
        Compression::zstd(1),
        Compression::bounded_exact(),
    ]
}

/// Numbers up to `n`, some never, some twice, few far from their order.
fn numbers(rng: &mut Rng, n: u64) -> Vec<u64> {
    let mut keyed = Vec::new();
    for number in 0..n {
        let n_times = [0, 1, 1, 1, 1, 1, 1, 2][rng.below(8)];
        keyed.extend((0..n_times).map(|_| (number + rng.below(12) as u64, number)));
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, number)| number).collect()
}

/// The shape of the chunks in the file.
fn chunk_dims(path: &Path) -> Vec<u64> {
    let file = open(path);
    let info = darkchunk_hdf5::inspect::dataset(&library(), file.0, PATH).expect("a dataset");
    info.chunk.expect("chunks")
}

#[test]
fn frames_of_any_order_number_and_shape_of_bricks_are_in_the_file_as_they_came() {
    let mut rng = Rng::new(18);
    for (case, compression) in compressions().iter().cycle().take(28).enumerate() {
        let (frames_per_chunk, rows) = (1 + rng.below(6), 1 + rng.below(HEIGHT));
        let path = path("recorder_bricks");
        let least = Measures { maximum: 1000, ..Measures::default() };
        let options = Options {
            n_workers: case % 3,
            writer_thread: case % 2 == 1,
            veto: (case % 4 == 3).then_some(Veto::AtLeast(least)),
            reorder: 20,
            ..Options::default()
        };
        let what = format!("case {case}: {frames_per_chunk} x {rows}, {compression:?}");
        let processing =
            Processing { dark: Some(vec![3; N_PIXELS].into()), threshold: Some(5), ..Processing::default() };
        let file = File::create(&library(), &path).expect("a file");
        let dataset = bricks(compression.clone(), frames_per_chunk, rows);
        let made = Recorder::<i16>::create(&library(), file.id(), &dataset, processing, options);
        let mut recorder = made.expect(&what);
        let mut status = Vec::new();
        for number in numbers(&mut rng, 60) {
            let frame = camera(number);
            let is_kept = case % 4 != 3 || frame.iter().any(|pixel| pixel - 3 >= 1000);
            let pushed = recorder.push(number, frame).expect("no trouble");
            status.resize(status.len().max(number as usize + 1), FrameStatus::Missing as u8);
            let expected = if status[number as usize] == 0 { Pushed::Taken } else { Pushed::Duplicate };
            assert_eq!(pushed, expected, "{what}, frame {number}");
            status[number as usize] = if is_kept { FrameStatus::Written } else { FrameStatus::Vetoed } as u8;
        }
        let live = recorder.live();
        let found = recorder.finish().expect("finished");
        assert_eq!(found.n_stored, status.iter().filter(|status| **status == 1).count() as u64, "{what}");
        drop((recorder, file));
        let kept = |pixel: i16| if pixel - 3 < 5 { 0 } else { pixel - 3 };
        let truth = |(number, status): (usize, &u8)| match status {
            1 => camera(number as u64).into_iter().map(kept).collect(),
            _ => vec![0; N_PIXELS],
        };
        let expected: Vec<Vec<i16>> = status.iter().enumerate().map(truth).collect();
        assert_eq!(frames(&path), expected, "{what}");
        assert_eq!(column(&path, "frame_status"), status, "{what}");
        assert_eq!(chunk_dims(&path), [frames_per_chunk as u64, rows as u64, WIDTH as u64], "{what}");
        let sum = |at: usize| expected.iter().map(|frame| i64::from(frame[at])).sum();
        assert_eq!(
            read_sum(&path, &format!("{PATH}_darkchunk/sum")),
            (0..N_PIXELS).map(sum).collect::<Vec<i64>>(),
            "{what}"
        );
        let last = status.iter().rposition(|status| *status == 1).expect("one is stored");
        assert_eq!(live.last_frame().expect("decodes"), Some((last as u64, expected[last].clone())), "{what}");
    }
}

#[test]
fn a_row_of_all_frames_is_read_without_the_rest_of_them() {
    let path = path("recorder_sinogram");
    let (file, mut recorder) = create(&path, &bricks(Compression::bitshuffle_lz4(), 8, 4), Options::default());
    (0..80).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
    recorder.finish().expect("finished");
    drop((recorder, file));
    let file = open(&path);
    let map = StoredDataset::open_path(&library(), file.0, PATH).and_then(|dataset| dataset.map()).expect("chunks");
    let of_row: u64 = map.iter().filter(|(place, _)| place[1] == 2).map(|(_, chunk)| chunk.n_bytes).sum();
    assert!(of_row > 0 && of_row * 3 < map.stored_bytes(), "four rows of sixteen");
    let reader = Reader::open(&library(), open_dataset(&file, PATH).0, ReadOptions::default()).expect("a dataset");
    let mut sinogram = vec![0_i16; 80 * WIDTH];
    reader.read(&[0, 9, 0], &[80, 1, WIDTH as u64], None, as_bytes_mut(&mut sinogram)).expect("sound");
    let row = |number| camera(number)[9 * WIDTH..10 * WIDTH].to_vec();
    assert_eq!(sinogram, (0..80).flat_map(row).collect::<Vec<_>>());
    assert_eq!(reader.statistics().read_bytes, of_row, "the bytes of the bricks that have the row, and no other");
}

/// A frame whose memory is counted until it is released.
struct Lent(Vec<i16>, Arc<AtomicUsize>);

impl Buffer for Lent {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        (index == 0).then(|| darkchunk::element::as_bytes(&self.0))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What `n_frames` frames take.
fn bytes(n_frames: usize) -> usize {
    n_frames * 2 * N_PIXELS
}

#[test]
fn memory_is_bounded_with_the_workers_own_and_too_little_is_refused_before_the_start() {
    let dataset = bricks(Compression::bitshuffle_lz4(), 5, 3);
    // Two layers that wait, one for each of two workers, the pushing thread and the live view; and six bricks.
    let least = bytes(6 * 5) + 6 * 2 * 5 * 3 * WIDTH;
    for policy in [Policy::Block, Policy::Drop] {
        let path = path(&format!("recorder_brick_memory_{policy:?}"));
        let options = Options { n_workers: 2, max_bytes: least, policy, ..Options::default() };
        let (file, mut recorder) = create_with::<Lent>(&slow_library(), &path, &dataset, options);
        let lent = Arc::new(AtomicUsize::new(0));
        let mut taken = Vec::new();
        for number in 0..200 {
            lent.fetch_add(1, Ordering::AcqRel);
            match recorder.push(number, Lent(camera(number), Arc::clone(&lent))).expect("no trouble") {
                Pushed::Taken => taken.push(number),
                Pushed::Dropped if policy == Policy::Drop => {}
                other => panic!("frame {number} is {other:?}"),
            }
            assert!(lent.load(Ordering::Acquire) <= 10, "frame {number}");
            assert!(recorder.statistics().expect("ours").bytes_held <= bytes(10));
        }
        let found = recorder.finish().expect("finished");
        assert_eq!((lent.load(Ordering::Acquire), found.n_stored), (0, taken.len() as u64));
        drop((recorder, file));
        let frames = frames(&path);
        taken.iter().for_each(|number| assert_eq!(frames[*number as usize], camera(*number), "{number}"));
    }
    let path = path("recorder_brick_memory_small");
    let file = File::create(&library(), &path).expect("a file");
    let options = Options { n_workers: 2, max_bytes: least - 1, ..Options::default() };
    let refused = Recorder::<i16>::create(&library(), file.id(), &dataset, Processing::default(), options);
    let text = refused.expect_err("refused").to_string();
    assert!(text.contains(&least.to_string()) && text.contains("fewer workers"), "{text}");
}

#[test]
fn bricks_that_hdf5_refuses_are_held_and_tried_again_and_none_is_written_twice() {
    static N_CALLS: AtomicUsize = AtomicUsize::new(0);
    static N_WRITTEN: AtomicUsize = AtomicUsize::new(0);
    static N_REFUSED: AtomicUsize = AtomicUsize::new(0);
    let library = library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        let is_taken = N_CALLS.fetch_add(1, Ordering::AcqRel) % 7 != 3;
        let count = if is_taken { &N_WRITTEN } else { &N_REFUSED };
        count.fetch_add(1, Ordering::AcqRel);
        is_taken
    });
    for (n_workers, writer_thread) in [(0, false), (2, true)] {
        [&N_WRITTEN, &N_REFUSED].iter().for_each(|count| count.store(0, Ordering::Release));
        let path = path("recorder_brick_refused");
        let options = Options { n_workers, writer_thread, flush: Flush::NEVER, ..Options::default() };
        let dataset = Dataset { path: "data".into(), nexus: false, ..bricks(Compression::bitshuffle_lz4(), 3, 3) };
        let file = File::create(&library, &path).expect("a file");
        let processing = Processing { sum: false, ..Processing::default() };
        let mut recorder =
            Recorder::<i16>::create(&library, file.id(), &dataset, processing, options).expect("a recorder");
        for number in 0..20 {
            if let Err(refused) = recorder.push(number, camera(number)) {
                assert!(refused.frame.is_none(), "there is memory");
                assert!(matches!(refused.error, Error::Hdf5(Hdf5Error::NotStored { .. })), "{refused:?}");
            }
        }
        let finished = (0..100).find_map(|_| recorder.finish().ok()).expect("finished");
        assert_eq!(finished.n_stored, 20);
        drop((recorder, file));
        let found: Vec<Vec<i16>> = read::<i16>(&path, "data").chunks_exact(N_PIXELS).map(<[i16]>::to_vec).collect();
        assert_eq!(found.len(), 20);
        let wrong: Vec<u64> = (0..20).filter(|number| camera(*number) != found[*number as usize]).collect();
        assert!(wrong.is_empty(), "{n_workers} workers: {wrong:?}");
        let n_bricks = 20_usize.div_ceil(3) * HEIGHT.div_ceil(3);
        let (n_written, n_refused) = (N_WRITTEN.load(Ordering::Acquire), N_REFUSED.load(Ordering::Acquire));
        // Each once, and the column at the end; after a refusal it is first proved that there is room, which is written, too.
        assert!(n_refused > 0 && n_written > n_bricks, "{n_written} written, {n_refused} refused");
        assert!(n_written <= n_bricks + 1 + n_refused, "{n_written} written, {n_refused} refused");
    }
}

#[test]
fn what_bricks_cannot_be_is_refused_before_anything_is_made() {
    let path = path("recorder_brick_bad");
    let file = File::create(&library(), &path).expect("a file");
    let bitshuffle = Compression::bitshuffle_lz4;
    let refused = |dataset: &Dataset, why: &str| {
        let made = Recorder::<i16>::create(&library(), file.id(), dataset, Processing::default(), Options::default());
        let text = made.expect_err("refused").to_string();
        assert!(text.contains(why), "{text}");
    };
    refused(&bricks(bitshuffle(), 4, 0), "give 1 to 16");
    refused(&bricks(bitshuffle(), 4, HEIGHT + 1), "give 1 to 16");
    refused(&bricks(Compression::drle(20), 4, 4), "DRLE stores whole frames");
    let huge = Dataset { height: 1 << 20, width: 1 << 12, ..bricks(bitshuffle(), 4, 4) };
    refused(&huge, "4 GiB");
    let written = Writer::create(&library(), file.id(), &bricks(bitshuffle(), 4, 4), Processing::<i16>::default());
    let text = written.expect_err("refused").to_string();
    assert!(text.contains("with a recorder"), "{text}");
    // All rows are whole frames, also of DRLE.
    let whole = Dataset { path: "whole".into(), nexus: false, ..bricks(Compression::drle(20), 4, HEIGHT) };
    Writer::create(&library(), file.id(), &whole, Processing::<i16>::default()).expect("whole frames");

    let processing = Processing { sum: false, ..Processing::default() };
    let one = bricks(bitshuffle(), 1, 4);
    let mut recorder =
        Recorder::<i16>::create(&library(), file.id(), &one, processing, Options::default()).expect("a recorder");
    let refused = recorder.push_encoded(0, Encoded::Chunk, vec![1_i16; 4], &[]).expect_err("refused");
    assert!(refused.error.to_string().contains("some rows of frames"), "{:?}", refused.error);
}
