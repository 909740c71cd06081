//! Frames at their numbers, in memory that is bounded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::path;
use crate::{
    N_PIXELS, PATH, THRESHOLD, WIDTH, camera, column, create, create_with, dataset, drle, frames, gate, read_sum,
    slow_library, stored,
};
use darkchunk::chunk::Compression;
use darkchunk_stream::recorder::{Buffer, Options, Policy, Pushed};

/// Numbers near their order, some lost, some doubled.
fn numbers(n: u64) -> Vec<u64> {
    let mut state = 7_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut keyed: Vec<(u64, u64)> = Vec::new();
    for number in 0..n {
        let n_times = [1, 1, 1, 1, 1, 1, 1, 1, 0, 2][next() as usize % 10];
        keyed.extend((0..n_times).map(|_| (number + next() % 20, number)));
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, number)| number).collect()
}

#[test]
fn frames_in_any_order_are_in_the_file_at_their_numbers_whoever_encodes_and_writes() {
    let path = path("recorder_order");
    for (compression, frames_per_chunk) in
        [(Compression::drle(THRESHOLD), 1), (Compression::drle(THRESHOLD), 40), (Compression::bitshuffle_lz4(), 3)]
    {
        for (n_workers, writer_thread) in [(0, false), (2, false), (0, true), (2, true)] {
            let options = Options { n_workers, writer_thread, ..Options::default() };
            let dataset = dataset(compression.clone(), frames_per_chunk);
            let (file, mut recorder) = create(&path, &dataset, options);
            let mut expected = BTreeMap::new();
            let mut n_duplicates = 0;
            let numbers = numbers(400);
            for number in &numbers {
                match recorder.push(*number, camera(*number)).expect("taken") {
                    Pushed::Taken => drop(expected.insert(*number, camera(*number))),
                    Pushed::Duplicate => n_duplicates += 1,
                    other => panic!("frame {number} is {other:?}"),
                }
            }
            let found = recorder.finish().expect("finished");
            drop((recorder, file));
            let length = numbers.iter().max().expect("some") + 1;
            assert_eq!(found.n_received, numbers.len() as u64);
            assert_eq!((found.n_stored, found.n_duplicate), (expected.len() as u64, n_duplicates));
            assert_eq!(found.n_missing, length - expected.len() as u64);
            assert_eq!((found.n_held, found.bytes_held, found.n_flushed), (0, 0, found.n_stored));

            let frames = frames(&path);
            assert_eq!(frames.len() as u64, length);
            let is_drle = dataset.compression.filter == Some(36114);
            let mut sum = vec![0_i64; N_PIXELS];
            for (frame, number) in frames.iter().zip(0..) {
                let expected = expected
                    .get(&number)
                    .map_or(vec![0; N_PIXELS], |frame| if is_drle { stored(frame) } else { frame.clone() });
                assert_eq!(*frame, expected, "frame {number}, {n_workers} workers, {frames_per_chunk} a chunk");
                sum.iter_mut().zip(&expected).for_each(|(sum, pixel)| *sum += i64::from(*pixel));
            }
            let name = format!("{PATH}_darkchunk/sum");
            if is_drle {
                assert_eq!(read_sum(&path, &name), sum);
            }
        }
    }
}

/// A frame whose memory is counted until it is released.
struct Lent(Vec<i16>, Arc<AtomicUsize>);

impl Buffer for Lent {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        let rows = self.0.chunks(5 * WIDTH);
        rows.map(darkchunk::element::as_bytes).nth(index)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::AcqRel);
    }
}

#[test]
fn memory_is_bounded_and_every_buffer_is_released() {
    const FRAME_BYTES: usize = 2 * N_PIXELS;
    for (policy, writer_thread) in [(Policy::Block, false), (Policy::Block, true), (Policy::Drop, false)] {
        let path = path(&format!("recorder_memory_{policy:?}_{writer_thread}"));
        let (is_open, veto) = gate();
        let veto = (policy == Policy::Drop).then_some(veto);
        let options =
            Options { n_workers: 2, max_bytes: 8 * FRAME_BYTES, policy, writer_thread, veto, ..Options::default() };
        let (file, mut recorder) = create_with::<Lent>(&slow_library(), &path, &drle(2), options);
        let lent = Arc::new(AtomicUsize::new(0));
        let mut taken = Vec::new();
        for number in 0..300 {
            if number == 20 {
                is_open.store(true, Ordering::Release);
            }
            lent.fetch_add(1, Ordering::AcqRel);
            match recorder.push(number, Lent(camera(number), Arc::clone(&lent))).expect("no trouble") {
                Pushed::Taken => taken.push(number),
                Pushed::Dropped if policy == Policy::Drop => {}
                other => panic!("frame {number} is {other:?}"),
            }
            assert!(lent.load(Ordering::Acquire) <= 8, "frame {number}");
            assert!(recorder.statistics().expect("ours").bytes_held <= 8 * FRAME_BYTES);
        }
        let found = recorder.finish().expect("finished");
        assert_eq!(lent.load(Ordering::Acquire), 0);
        assert_eq!((found.n_stored, found.n_dropped), (taken.len() as u64, 300 - taken.len() as u64));
        assert_eq!(policy == Policy::Drop, found.n_dropped > 0, "nothing was encoded at first");
        drop((recorder, file));
        let frames = frames(&path);
        taken.iter().for_each(|number| assert_eq!(frames[*number as usize], stored(&camera(*number)), "{number}"));
    }
}

#[test]
fn a_late_frame_and_a_number_that_jumps_are_told_and_change_nothing() {
    let path = path("recorder_late");
    let options = Options { reorder: 4, max_gap: 100, ..Options::default() };
    let (file, mut recorder) = create(&path, &drle(2), options);
    let mut push = |number| recorder.push(number, camera(number)).expect("no trouble");
    assert_eq!(
        [push(0), push(3), push(7), push(1), push(200)],
        [Pushed::Taken, Pushed::Taken, Pushed::Taken, Pushed::Late, Pushed::OutOfRange]
    );
    let found = recorder.finish().expect("finished");
    assert_eq!((found.n_stored, found.n_late, found.n_out_of_range, found.n_missing), (3, 1, 1, 5));
    drop((recorder, file));
    let nothing = vec![0; N_PIXELS];
    let expected: Vec<_> =
        (0..8).map(|n| if [0, 3, 7].contains(&n) { stored(&camera(n)) } else { nothing.clone() }).collect();
    assert_eq!(frames(&path), expected);
}

#[test]
fn the_chunk_of_a_frame_is_not_closed_to_make_room_for_that_frame() {
    for (policy, n_workers) in [(Policy::Block, 2), (Policy::Block, 0), (Policy::Drop, 0)] {
        let path = path("recorder_room");
        let options = Options { n_workers, max_bytes: 8 * 2 * N_PIXELS, policy, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(4), options);
        let numbers = [0, 1, 2, 4, 5, 6, 8, 9, 3];
        for number in numbers {
            assert_eq!(recorder.push(number, camera(number)).expect("no trouble"), Pushed::Taken);
        }
        assert_eq!(recorder.push(7, camera(7)).expect("no trouble"), Pushed::Late, "its chunk made the room");
        let found = recorder.finish().expect("finished");
        assert_eq!((found.n_stored, found.n_missing), (9, 1), "{policy:?}, {n_workers} workers");
        drop((recorder, file));
        let expected = |number| if number == 7 { vec![0; N_PIXELS] } else { stored(&camera(number)) };
        assert_eq!(frames(&path), (0..10).map(expected).collect::<Vec<_>>(), "{policy:?}, {n_workers} workers");
        assert_eq!(column(&path, "frame_status"), [1, 1, 1, 1, 1, 1, 1, 0, 1, 1]);
    }
}
