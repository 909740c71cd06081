//! A recorder on a disk that becomes full: it says how many frames are safe, ends cleanly, and every frame that was written reads.
//! Counts, file and status column agree.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/disk.rs"]
mod disk;

use std::path::Path;
use std::time::Duration;

use common::hdf5::library;
use common::maker::{open, open_dataset};
use darkchunk::chunk::{Compression, Processing};
use darkchunk::element::as_bytes_mut;
use darkchunk_hdf5::{Column, Dataset, Error as Hdf5Error, File, Flush, FrameStatus, Number};
use darkchunk_stream::recorder::{Options, Policy, Pushed, Recorder, Statistics};
use darkchunk_stream::{Error, Options as ReadOptions, Reader};

const HEIGHT: usize = 24;
const WIDTH: usize = 32;
const N_PIXELS: usize = HEIGHT * WIDTH;
const PATH: &str = "/entry/instrument/detector/data";
const FOLDER: &str = "full-disk-recorder";

/// Frame `number`: noise that no codec makes small.
fn camera(number: u64) -> Vec<i16> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 50) as i16 + 1
    };
    (0..N_PIXELS).map(|_| next()).collect()
}

/// A case by its number: codec, frames a chunk, bricks, workers, who calls HDF5, flushes, what is done without memory.
fn case(number: usize) -> (Dataset, Options<i16>) {
    let compression = [Compression::drle(1), Compression::NONE, Compression::bitshuffle_lz4()][number % 3].clone();
    let frames_per_chunk = [1, 1, 3, 1, 4][number % 5];
    let flush_frames = [Some(1), Some(10), None][number / 3 % 3];
    let has_bricks = !number.is_multiple_of(3) && (number / 3).is_multiple_of(2);
    // Those of the workers count, too.
    let n_frames = if has_bricks { 24 + 6 * frames_per_chunk } else { 24 };
    let options = Options {
        n_workers: number % 3,
        writer_thread: number % 4 == 3,
        max_bytes: n_frames * 2 * N_PIXELS,
        policy: if number % 2 == 1 { Policy::Drop } else { Policy::Block },
        flush: Flush { frames: flush_frames, interval: None },
        reserve_bytes: 128 << 10,
        columns: vec![Column::new("pulse", Number::U64)],
        ..Options::default()
    };
    let rows_per_chunk = has_bricks.then_some(7);
    (Dataset { frames_per_chunk, rows_per_chunk, ..Dataset::new(HEIGHT, WIDTH, compression) }, options)
}

/// What an error says is safe on a full disk.
fn safe(error: &Error) -> Option<u64> {
    match error {
        Error::Hdf5(Hdf5Error::NotStored { source, .. } | Hdf5Error::NotTaken { source, .. }) => match **source {
            Hdf5Error::DiskFull { n_safe, .. } => Some(n_safe),
            _ => None,
        },
        _ => None,
    }
}

/// Pushes until the disk is full, and some more, as a camera does; then ends. Returns what was pushed, and what is safe by the error.
fn record(recorder: &mut Recorder<i16>) -> (u64, u64) {
    let (mut n_pushed, mut n_safe, mut n_after) = (0, None, 0);
    while n_after < 60 {
        match recorder.push_with(n_pushed, camera(n_pushed), &(n_pushed * 3 + 1).to_ne_bytes()) {
            Ok(Pushed::Taken) => {}
            // The disk is to be full, not the memory.
            Ok(Pushed::Dropped) => std::thread::sleep(Duration::from_millis(2)),
            Ok(other) => panic!("frame {n_pushed} is {other:?}"),
            Err(refused) => {
                n_safe = n_safe.or(safe(&refused.error));
                assert!(refused.error.to_string().contains("No space left"), "{}", refused.error);
                n_after += 1;
                if refused.frame.is_some() {
                    continue;
                }
            }
        }
        n_pushed += 1;
        n_after += u64::from(n_safe.is_some());
        assert!(n_pushed < 10_000, "the disk is not full");
    }
    let error = recorder.flush(true).expect_err("the disk is full");
    (n_pushed, n_safe.or(safe(&error)).unwrap_or_else(|| panic!("{error}")))
}

fn read(path: &Path, name: &str) -> Vec<u8> {
    let file = open(path);
    let reader = Reader::open(&library(), open_dataset(&file, name).0, ReadOptions::default()).expect("a dataset");
    let mut bytes = vec![0; reader.dims().iter().product::<u64>() as usize * reader.element().n_bytes];
    reader.read(&vec![0; reader.dims().len()], reader.dims(), None, &mut bytes).expect("sound");
    bytes
}

fn check(path: &Path, n_pushed: u64, found: &Statistics, has_bricks: bool) {
    let statuses = read(path, &format!("{PATH}_darkchunk/frame_status"));
    let n = |status: FrameStatus| statuses.iter().filter(|found| **found == status as u8).count() as u64;
    assert_eq!(statuses.len() as u64, n_pushed);
    assert_eq!((n(FrameStatus::Written), n(FrameStatus::Lost)), (found.n_stored, found.n_lost));
    assert_eq!((n(FrameStatus::Dropped), n(FrameStatus::Missing)), (found.n_dropped, 0));
    let pulses: Vec<u8> = (0..n_pushed).flat_map(|number| (number * 3 + 1).to_ne_bytes()).collect();
    assert_eq!(read(path, &format!("{PATH}_darkchunk/pulse")), pulses);
    let mut frame = vec![0_i16; N_PIXELS];
    let pixels = read(path, PATH);
    assert_eq!(pixels.len() as u64, n_pushed * 2 * N_PIXELS as u64);
    for (number, bytes) in pixels.chunks_exact(2 * N_PIXELS).enumerate() {
        as_bytes_mut(&mut frame).copy_from_slice(bytes);
        let is_written = statuses[number] == FrameStatus::Written as u8;
        let whole = camera(number as u64);
        // Of a frame that was lost some bricks may be there.
        let mut rows = frame.chunks(WIDTH).zip(whole.chunks(WIDTH));
        let is_right = rows.all(|(found, row)| match is_written {
            true => found == row,
            false => found.iter().all(|pixel| *pixel == 0) || has_bricks && found == row,
        });
        assert!(is_right, "frame {number}, {}", statuses[number]);
    }
}

/// Not a test by itself: what is run on the small disk.
#[test]
fn child() {
    let Ok(number) = std::env::var("DARKCHUNK_TEST_FULL_DISK") else { return };
    let (dataset, options) = case(number.parse().expect("a number"));
    let path = disk::folder(FOLDER).join("run.h5");
    let file = File::create(&library(), &path).expect("a file");
    let made = Recorder::<i16>::create(&library(), file.id(), &dataset, Processing::default(), options);
    let mut recorder = made.expect("an empty disk");
    let (n_pushed, n_safe) = record(&mut recorder);
    let found = recorder.abandon().expect("there is room to end");
    assert_eq!(recorder.abandon().expect("once more changes nothing"), found);
    assert_eq!((found.n_held, found.bytes_held, found.n_received), (0, 0, n_pushed));
    assert_eq!(found.n_stored + found.n_lost + found.n_dropped, n_pushed);
    assert!(n_safe <= found.n_stored && found.n_flushed == found.n_stored && found.n_lost > 0, "{n_safe}, {found:?}");
    drop(recorder);
    file.close().expect("closed");
    check(&path, n_pushed, &found, dataset.rows_per_chunk.is_some());
    let left =
        std::fs::read_dir(disk::folder(FOLDER)).expect("a folder").map(|entry| entry.expect("a file").file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["run.h5"], "journal and reserve are gone");
    println!("safe: {n_safe}, stored: {}, lost: {}, dropped: {}", found.n_stored, found.n_lost, found.n_dropped);
}

#[test]
fn on_a_full_disk_a_recorder_says_what_is_safe_and_counts_file_and_status_agree() {
    let folder = disk::folder(FOLDER);
    if !disk::is_possible(&folder) {
        return;
    }
    for number in 0..disk::n_fills() {
        let n_bytes = 500_000 + 61_440 * number;
        let output = disk::run("child", &folder, n_bytes, &(number * 7).to_string());
        let text = String::from_utf8_lossy(&output.stdout);
        let said = text.lines().find(|line| line.contains("safe: ")).unwrap_or("nothing is said");
        println!("a disk of {n_bytes} bytes, case {}: {said}", number * 7);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("safe: "), "{text}");
    }
}

#[test]
fn where_room_is_made_a_recorder_goes_on_and_has_a_reserve_again() {
    let folder = disk::folder(FOLDER);
    if !disk::is_possible(&folder) {
        return;
    }
    let output = disk::run("child_that_makes_room", &folder, 700_000, "1");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("went on"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Not a test by itself.
#[test]
fn child_that_makes_room() {
    if std::env::var_os("DARKCHUNK_TEST_FULL_DISK").is_none() {
        return;
    }
    let path = disk::folder(FOLDER).join("run.h5");
    let (other, reserve) = (path.with_extension("other"), path.with_extension("h5.reserve"));
    std::fs::write(&other, vec![1; 300_000]).expect("room");
    let (dataset, options) = case(10);
    let file = File::create(&library(), &path).expect("a file");
    let made = Recorder::<i16>::create(&library(), file.id(), &dataset, Processing::default(), options);
    let mut recorder = made.expect("an empty disk");
    assert!(reserve.exists());
    let (n_pushed, n_safe) = record(&mut recorder);
    assert!(n_safe > 0 && !reserve.exists());
    std::fs::remove_file(&other).expect("removed");
    recorder.flush(false).expect("there is room again");
    assert!(reserve.exists(), "room is kept again");
    let found = recorder.finish().expect("all fits");
    assert_eq!((found.n_stored, found.n_lost), (n_pushed, 0));
    assert!(!reserve.exists());
    drop(recorder);
    file.close().expect("closed");
    check(&path, n_pushed, &found, dataset.rows_per_chunk.is_some());
    println!("went on");
}
