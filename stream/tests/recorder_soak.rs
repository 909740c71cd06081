//! What a recorder takes of memory does not grow with the frames that it has recorded.
//!
//! With `DARKCHUNK_PROVE`: five million small frames, and two minutes at full rate; without, a sample.
#![cfg(target_os = "linux")]

mod common;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::hdf5::library;
use common::path;
use darkchunk::chunk::{Compression, Processing};
use darkchunk_hdf5::{Column, Dataset, File, Number};
use darkchunk_stream::recorder::{Options, Pushed, Recorder};

/// One at a time: the memory is that of the process.
static TURN: Mutex<()> = Mutex::new(());

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let n_pages: u64 = text.split_whitespace().nth(1).and_then(|field| field.parse().ok()).expect("a number");
    n_pages * 4096
}

fn is_prove() -> bool {
    std::env::var_os("DARKCHUNK_PROVE").is_some()
}

/// Frames of which every `one_in`th pixel is bright.
fn frames(n_pixels: usize, one_in: usize) -> Vec<Arc<[i16]>> {
    let bright = |n: usize| move |pixel: usize| if (pixel + n).is_multiple_of(one_in) { 1000 } else { 3 };
    (0..8).map(|n| (0..n_pixels).map(bright(n)).collect()).collect()
}

/// Records until `is_enough` of the number of frames and the time; memory after a fifth of it, and the most after that.
fn record(name: &str, side: usize, one_in: usize, share: impl Fn(u64, Duration) -> f64) -> (u64, u64, u64) {
    let path = path(name);
    let file = File::create(&library(), &path).expect("a file");
    let dataset = Dataset::new(side, side, Compression::drle(20));
    let options = Options { columns: vec![Column::new("time", Number::F64)], ..Options::default() };
    let made = Recorder::<i16, Arc<[i16]>>::create(&library(), file.id(), &dataset, Processing::default(), options);
    let (mut recorder, frames, start) = (made.expect("a recorder"), frames(side * side, one_in), Instant::now());
    let (mut number, mut early, mut most) = (0_u64, None, 0);
    loop {
        let pushed = recorder.push_with(number, Arc::clone(&frames[number as usize % 8]), &number.to_ne_bytes());
        assert_eq!(pushed.expect("no trouble"), Pushed::Taken);
        number += 1;
        if !number.is_multiple_of(256) {
            continue;
        }
        let share = share(number, start.elapsed());
        if share > 0.2 {
            most = most.max(resident());
            early.get_or_insert_with(resident);
        }
        if share >= 1.0 {
            break;
        }
    }
    let found = recorder.finish().expect("finished");
    assert_eq!((found.n_stored, found.n_held, found.n_missing), (number, 0, 0));
    println!("{name}: {number} frames in {:?}", start.elapsed());
    drop(recorder);
    file.close().expect("closed");
    std::fs::remove_file(path).expect("removed");
    (number, early.expect("long enough"), most)
}

/// HDF5 keeps some of the file's index in memory, up to a limit.
const FOR_HDF5: u64 = 24 << 20;

#[test]
fn memory_does_not_grow_with_the_number_of_frames() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let n_frames = if is_prove() { 5_000_000 } else { 40_000 };
    let (n_frames, early, most) = record("soak_small", 8, 4, |number, _| number as f64 / n_frames as f64);
    let growth = most.saturating_sub(early);
    println!("{} KiB after a fifth, {} KiB at most: {} bytes a frame", early >> 10, most >> 10, growth / n_frames);
    assert!(growth < FOR_HDF5, "{growth} bytes more, {n_frames} frames");
}

#[test]
fn memory_does_not_grow_at_full_rate() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = if is_prove() { 120.0 } else { 1.0 };
    let (n_frames, early, most) = record("soak_large", 1024, 500, |_, time| time.as_secs_f64() / seconds);
    let growth = most.saturating_sub(early);
    println!("{} KiB after a fifth, {} KiB at most, {n_frames} frames", early >> 10, most >> 10);
    // Encoded chunks and frames that wait are bounded by max_bytes, of which they take what the disk makes them.
    assert!(growth < FOR_HDF5 + (64 << 20), "{growth} bytes more");
}
