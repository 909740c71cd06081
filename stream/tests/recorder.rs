//! What the recorder promises: each frame at its number, none lost without a count, memory that is bounded, and errors that say
//! what to do.

mod common;

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::hdf5::{api, library};
use common::maker::{open, open_dataset};
use common::path;
use darkchunk::chunk::{Compression, Processing};
use darkchunk::element::as_bytes_mut;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, Column, Dataset, Error as Hdf5Error, File, FileElement, Flush, Library, Number};
use darkchunk_stream::recorder::{
    Buffer, Candidate, MAX_GAP, Measures, Options, PixelFormat, Policy, Pushed, Recorder, Veto,
};
use darkchunk_stream::{Error, Options as ReadOptions, Reader};

const HEIGHT: usize = 16;
const WIDTH: usize = 24;
const N_PIXELS: usize = HEIGHT * WIDTH;
const PATH: &str = "/entry/instrument/detector/data";
const THRESHOLD: u16 = 20;

/// Frame `number` of a camera: noise, and some bright pixels whose place depends on the number.
fn camera(number: u64) -> Vec<i16> {
    let mut state = number as u32 * 77 + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    (0..N_PIXELS).map(|_| (next() & 15) + if next() & 31 == 0 { next() & 1023 } else { 0 }).collect()
}

fn stored(frame: &[i16]) -> Vec<i16> {
    frame.iter().map(|pixel| if *pixel < THRESHOLD as i16 { 0 } else { *pixel }).collect()
}

fn dataset(compression: Compression, frames_per_chunk: usize) -> Dataset {
    Dataset { frames_per_chunk, ..Dataset::new(HEIGHT, WIDTH, compression) }
}

fn drle(frames_per_chunk: usize) -> Dataset {
    dataset(Compression::drle(THRESHOLD), frames_per_chunk)
}

/// The dataset, as any program gets it.
fn read<P: FileElement>(path: &Path, name: &str) -> Vec<P> {
    let file = open(path);
    let reader = Reader::open(&library(), open_dataset(&file, name).0, ReadOptions::default()).expect("a dataset");
    assert_eq!(reader.element(), P::TYPE);
    let mut pixels = vec![P::default(); reader.dims().iter().product::<u64>() as usize];
    reader.read(&vec![0; reader.dims().len()], reader.dims(), None, as_bytes_mut(&mut pixels)).expect("sound");
    pixels
}

fn frames(path: &Path) -> Vec<Vec<i16>> {
    read::<i16>(path, PATH).chunks_exact(N_PIXELS).map(<[i16]>::to_vec).collect()
}

fn create<B: Buffer>(path: &Path, dataset: &Dataset, options: Options<i16>) -> (File, Recorder<i16, B>) {
    create_with(&library(), path, dataset, options)
}

fn create_with<B: Buffer>(
    library: &Library,
    path: &Path,
    dataset: &Dataset,
    options: Options<i16>,
) -> (File, Recorder<i16, B>) {
    let file = File::create(library, path).expect("a file");
    let recorder = Recorder::create(library, file.id(), dataset, Processing::default(), options).expect("a recorder");
    (file, recorder)
}

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

/// The sum, which is `uint64` where there is a threshold.
fn read_sum(path: &Path, name: &str) -> Vec<i64> {
    let file = open(path);
    let reader = Reader::open(&library(), open_dataset(&file, name).0, ReadOptions::default()).expect("a sum");
    let mut bytes = vec![0; reader.dims().iter().product::<u64>() as usize * 8];
    reader.read(&[0, 0], reader.dims(), None, &mut bytes).expect("sound");
    bytes.chunks_exact(8).map(|number| i64::from_ne_bytes(number.try_into().expect("eight"))).collect()
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
        let options = Options { n_workers: 2, max_bytes: 8 * FRAME_BYTES, policy, writer_thread, ..Options::default() };
        let (file, mut recorder) = create_with::<Lent>(&slow_library(), &path, &drle(2), options);
        let lent = Arc::new(AtomicUsize::new(0));
        let mut taken = Vec::new();
        for number in 0..300 {
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
        assert_eq!(policy == Policy::Drop, found.n_dropped > 0, "the disk is slow");
        drop((recorder, file));
        let frames = frames(&path);
        taken.iter().for_each(|number| assert_eq!(frames[*number as usize], stored(&camera(*number)), "{number}"));
    }
}

/// HDF5 in which a function first asks `$is_to_be_called`, and fails where that says no.
macro_rules! library_with {
    ($function:ident($($argument:ident: $kind:ty),*), $is_to_be_called:expr) => {{
        unsafe extern "C" fn asking($($argument: $kind),*) -> c_int {
            let is_to_be_called: fn() -> bool = $is_to_be_called;
            if !is_to_be_called() {
                return -1;
            }
            let function = api().$function.expect("in the table");
            // SAFETY: the caller's own arguments.
            unsafe { function($($argument),*) }
        }
        let table = Api { $function: Some(asking), ..api() };
        // SAFETY: the function does what HDF5's does, or fails as that may.
        unsafe { Library::new(&table) }.expect("a library")
    }};
}

/// HDF5 on a slow disk.
fn slow_library() -> Library {
    library_with!(H5Dwrite_chunk(a: Hid, b: Hid, c: u32, d: *const u64, e: usize, f: *const c_void), || {
        std::thread::sleep(Duration::from_micros(500));
        true
    })
}

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
fn a_veto_keeps_frames_out_of_the_file_and_of_the_sum_and_counts_them() {
    let bright = |number: u64| number.is_multiple_of(3);
    let frame = move |number: u64| {
        let mut frame = vec![3_i16; N_PIXELS];
        if bright(number) {
            frame[number as usize % N_PIXELS] = 700;
        }
        frame
    };
    let by_rule = Veto::AtLeast(Measures { sum: 0, n_bright: 1, maximum: 700 });
    let by_call = Veto::Ask(Arc::new(move |candidate: &Candidate<'_, i16>| {
        assert_eq!(candidate.pixels.concat(), frame(candidate.number));
        assert_eq!(candidate.measures.sum, if bright(candidate.number) { 700 } else { 0 });
        candidate.measures.n_bright == 1 && candidate.number >= 5
    }));
    for (veto, first_number) in [(by_rule, 0), (by_call, 5)] {
        let path = path("recorder_veto");
        let options = Options { veto: Some(veto), first_number, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(2), options);
        for number in 0..20 {
            let expected = if number < first_number { Pushed::OutOfRange } else { Pushed::Taken };
            assert_eq!(recorder.push(number, frame(number)).expect("no trouble"), expected);
        }
        let found = recorder.finish().expect("finished");
        let kept: Vec<u64> = (first_number..20).filter(|number| bright(*number)).collect();
        assert_eq!((found.n_stored, found.n_out_of_range), (kept.len() as u64, first_number));
        assert_eq!((found.n_vetoed, found.n_missing), (20 - first_number - found.n_stored, 0));
        drop((recorder, file));
        let frames = frames(&path);
        assert_eq!(frames.len() as u64, 20 - first_number, "vetoed ones keep their numbers");
        for (frame_found, number) in frames.iter().zip(first_number..) {
            let expected = if bright(number) { stored(&frame(number)) } else { vec![0; N_PIXELS] };
            assert_eq!(*frame_found, expected, "{number}");
        }
        assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum")).iter().sum::<i64>(), 700 * kept.len() as i64);
    }
}

#[test]
fn a_veto_that_panics_costs_its_chunk_and_is_told() {
    let path = path("recorder_panic");
    let veto = Veto::Ask(Arc::new(|candidate: &Candidate<'_, i16>| {
        assert!(candidate.number != 7, "on purpose");
        true
    }));
    for n_workers in [0, 1] {
        let options = Options { veto: Some(veto.clone()), n_workers, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(1), options);
        (0..10).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
        let found = recorder.finish().expect("finished");
        assert_eq!((found.n_stored, found.n_refused, found.n_held), (9, 1, 0));
        let fault = recorder.fault().expect("ours").expect("told");
        assert!(fault.contains("on purpose") && fault.contains("chunk 7"), "{fault}");
        drop((recorder, file));
        let frames = frames(&path);
        assert_eq!((frames[7] == vec![0; N_PIXELS], frames[8] == stored(&camera(8))), (true, true));
    }
}

#[test]
fn a_frame_that_cannot_be_encoded_is_counted_and_those_beside_it_are_stored() {
    let path = path("recorder_bright");
    // A bare stream, which holds no pixel above 32767.
    let bare = dataset(Compression::filter(36114, &[1, 1]), 3);
    let file = File::create(&library(), &path).expect("a file");
    let mut recorder = Recorder::<u16>::create(&library(), file.id(), &bare, Processing::default(), Options::default())
        .expect("a recorder");
    for number in 0..9_u16 {
        let pixel = if number == 4 { 40_000 } else { number + 1 };
        assert_eq!(recorder.push(number.into(), vec![pixel; N_PIXELS]).expect("taken"), Pushed::Taken);
    }
    let found = recorder.finish().expect("finished");
    assert_eq!((found.n_stored, found.n_refused), (8, 1));
    let fault = recorder.fault().expect("ours").expect("told");
    assert!(fault.contains("frame 4") && fault.contains("40000"), "{fault}");
    drop((recorder, file));
    let firsts: Vec<u16> = read::<u16>(&path, PATH).chunks_exact(N_PIXELS).map(|frame| frame[0]).collect();
    assert_eq!(firsts, [1, 2, 3, 4, 0, 6, 7, 8, 9]);
    assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum"))[0], 40);
}

#[test]
fn packed_pixels_are_unpacked() {
    let path = path("recorder_packed");
    let pixels: Vec<u16> = (0..N_PIXELS as u16).map(|i| i * 11 % 4096).collect();
    let mono12p: Vec<u8> = pixels
        .chunks(2)
        .flat_map(|pair| [pair[0] as u8, (pair[0] >> 8) as u8 | (pair[1] << 4) as u8, (pair[1] >> 4) as u8])
        .collect();
    let mono16: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    let mono8: Vec<u8> = pixels.iter().map(|pixel| *pixel as u8).collect();
    let low: Vec<u16> = mono8.iter().map(|byte| u16::from(*byte)).collect();
    for (format, packed, expected) in [
        (PixelFormat::Mono12p, mono12p, &pixels),
        (PixelFormat::Mono16, mono16, &pixels),
        (PixelFormat::Mono8, mono8, &low),
    ] {
        let file = File::create(&library(), &path).expect("a file");
        let options = Options { format, ..Options::default() };
        let at = (&library(), file.id(), &dataset(Compression::bitshuffle_lz4(), 1));
        let mut recorder =
            Recorder::<u16, Vec<u8>>::create(at.0, at.1, at.2, Processing::default(), options).expect("a recorder");
        assert_eq!(recorder.push(0, packed.clone()).expect("taken"), Pushed::Taken);
        let (left, right) = packed.split_at(101);
        assert_eq!(recorder.push_copy(1, &[left, right], &[]).expect("taken"), Pushed::Taken);
        recorder.finish().expect("finished");
        drop((recorder, file));
        assert_eq!(read::<u16>(&path, PATH), [&expected[..], expected].concat(), "{format:?}");
    }
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
    // Nothing is left of those: the name is free.
    let most = Options { max_gap: MAX_GAP, ..Options::default() };
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

/// The bytes of a column.
fn column(path: &Path, name: &str) -> Vec<u8> {
    let file = open(path);
    let dataset = open_dataset(&file, &format!("{PATH}_darkchunk/{name}"));
    let reader = Reader::open(&library(), dataset.0, ReadOptions::default()).expect("a column");
    let mut bytes = vec![0; reader.dims().iter().product::<u64>() as usize * reader.element().n_bytes];
    reader.read(&vec![0; reader.dims().len()], reader.dims(), None, &mut bytes).expect("sound");
    bytes
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
        let options = Options {
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
            match recorder.push_with(number.into(), camera(number.into()), &number.to_ne_bytes()).expect("no trouble") {
                Pushed::Taken => {}
                Pushed::Dropped => dropped.push(number),
                other => panic!("frame {number} is {other:?}"),
            }
        }
        recorder.flush(false).expect("flushed");
        let again = dropped.pop().expect("the disk is slow");
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
    let (path, copy) = (path("recorder_no_sum"), common::path("recorder_no_sum_copy"));
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
        let start = std::time::Instant::now();
        while STALLS.load(Ordering::Acquire) && start.elapsed() < Duration::from_secs(10) {
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
fn the_rows_of_frames_that_are_not_stored_are_flushed_by_time() {
    let (path, copy) = (path("recorder_flush_rows"), common::path("recorder_flush_rows_copy"));
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
        let start = std::time::Instant::now();
        while recorder.statistics().expect("ours").n_flushed < 5 {
            assert!(start.elapsed() < Duration::from_secs(20), "nobody flushes");
            std::thread::sleep(Duration::from_millis(5));
            if !writer_thread {
                recorder.poll().expect("no trouble");
            }
        }
        drop((recorder, file));
    }
}
