//! A small disk that becomes full: the recording gives its reserve back, closes its file, and every frame that was written reads.
//!
//! Without user namespaces the test says that it is not run.
#![cfg(target_os = "linux")]

#[path = "../../hdf5/tests/common/mod.rs"]
mod common;
#[path = "common/disk.rs"]
mod disk;
#[path = "common/sink.rs"]
mod sink;

use std::path::Path;

use common::{PATH, camera, library, read, read_all};
use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Error as Hdf5Error, File, FrameStatus};
use darkchunk_stream::{Error, Reserve, journal};
use sink::{GROUP, Sink, dataset, row};

const RESERVE_BYTES: u64 = 128 << 10;
const FOLDER: &str = "full-disk";

/// What a full disk is called by HDF5, and by the system to the journal.
fn is_full_disk(error: &Error) -> bool {
    match error {
        Error::Hdf5(Hdf5Error::Hdf5 { message, .. }) => message.contains("errno = 28"),
        Error::Journal { reason, .. } => reason.contains("os error 28"),
        _ => false,
    }
}

/// Records until the disk is full, and closes the file with the reserve. Returns how many frames are safe.
fn fill(path: &Path, compression: Compression, flush_each: u64) -> u64 {
    let mut reserve = Reserve::new(path, RESERVE_BYTES).expect("an empty disk");
    let file = File::create(&library(), path).expect("a file");
    let mut sink = Sink::create(&library(), file.id(), path, &dataset(compression, 1), true);
    let error = (0..).find_map(|frame| {
        let pushed = sink.push(&camera(frame as usize)).map(drop);
        let is_due = frame % flush_each == flush_each - 1;
        pushed.and_then(|()| if is_due { sink.flush() } else { Ok(()) }).err()
    });
    let error = error.expect("the disk is full in the end");
    assert!(is_full_disk(&error), "{error}");
    assert!(reserve.give_back() && !reserve.give_back());
    // A chunk that was refused is held.
    if sink.is_full() {
        sink.write_full().expect("there is room now");
    }
    sink.flush().expect("there is room now");
    let n_safe = sink.chunks.n_flushed();
    assert_eq!(n_safe, sink.chunks.n_stored());
    sink.finish();
    file.close().expect("closed");
    n_safe
}

/// Not a test by itself: what is run on the small disk.
#[test]
fn child() {
    let Ok(number) = std::env::var("DARKCHUNK_TEST_FULL_DISK") else { return };
    let number: usize = number.parse().expect("a number");
    let path = disk::folder(FOLDER).join("run.h5");
    let compression = [Compression::drle(1), Compression::NONE, Compression::bitshuffle_lz4()][number % 3].clone();
    let n_safe = fill(&path, compression, [1, 10, u64::MAX][number / 3 % 3]);
    let file = File::open(&library(), &path, false).expect("it opens");
    let frames = read::<i16>(&file, PATH);
    assert_eq!(frames.len() as u64, n_safe);
    assert!(frames.iter().enumerate().all(|(index, frame)| *frame == camera(index)));
    let statuses = read_all(&file, &format!("{GROUP}/frame_status")).1;
    assert_eq!(statuses, vec![FrameStatus::Written as u8; n_safe as usize]);
    let times: Vec<u8> = (0..n_safe).flat_map(|frame| row(frame)[..8].to_vec()).collect();
    assert_eq!(read_all(&file, &format!("{GROUP}/time")).1, times);
    let left: Vec<_> = std::fs::read_dir(disk::folder(FOLDER))
        .expect("a folder")
        .map(|entry| entry.expect("a file").file_name())
        .collect();
    assert_eq!(left, ["run.h5"], "journal and reserve are gone: {:?}", journal::path_of(&path));
    println!("safe: {n_safe} frames");
}

#[test]
fn on_a_full_disk_every_frame_that_was_written_is_safe() {
    let folder = disk::folder(FOLDER);
    if !disk::is_possible(&folder) {
        return;
    }
    for number in 0..disk::n_fills() {
        let n_bytes = 400_000 + 61_440 * number;
        let number = (number * 5 % 9).to_string();
        let output = disk::run("child", &folder, n_bytes, &number);
        let text = String::from_utf8_lossy(&output.stdout);
        let n_safe = text.lines().find_map(|line| line.split("safe: ").nth(1)).unwrap_or("none");
        println!("a disk of {n_bytes} bytes, case {number}: {n_safe} safe");
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(n_safe != "none", "{text}");
    }
}
