//! A disk that is full: what the writer says agrees with the file at every step, and no frame is lost or stored twice.
//!
//! The disk is a limit on the size of files (`RLIMIT_FSIZE`): the system writes up to it and refuses the rest, as a full
//! disk does. It holds for the whole process, so the tests of this program take turns.
#![cfg(unix)]

mod common;

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::foreign::Foreign;
use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Column, Columns, Error, File, Flush, FrameStatus, Number, Processing, Writer};

const N_FRAMES: usize = 24;

/// The limit on the size of files, lifted when dropped.
struct Disk(#[expect(dead_code, reason = "one test at a time")] MutexGuard<'static, ()>);

impl Disk {
    fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: a write over the limit fails then, and ends no process.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Self(turn)
    }

    /// Lets files have no more than `n_bytes`.
    fn has(&self, n_bytes: u64) {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: room for the two numbers.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) }, 0);
        limit.rlim_cur = n_bytes.min(limit.rlim_max);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.has(u64::MAX);
    }
}

fn size(name: &str) -> u64 {
    std::fs::metadata(path_of(name)).expect("the file").len()
}

/// One recording on a disk that is full again and again.
struct Recording<'a> {
    disk: &'a Disk,
    file: File,
    name: String,
    writer: Writer<i16>,
    frames: Vec<Vec<i16>>,
    path: &'static str,
    limit: u64,
    n_failures: usize,
    looks: bool,
}

impl Recording<'_> {
    /// After a call that failed: the file has what it is said to have, and another try on the full disk changes nothing.
    fn check(&mut self, error: &Error, n_taken: usize) {
        let (Error::NotStored { n_stored, n_held, .. } | Error::NotTaken { n_stored, n_held, .. }) = *error else {
            panic!("{}: {error}", self.name)
        };
        self.n_failures += 1;
        assert!(self.n_failures < 1000, "{}: it never goes on: {error}", self.name);
        let summary = self.writer.summary();
        assert_eq!((summary.n_stored, summary.n_pushed), (n_stored, n_taken as u64), "{}: {error}", self.name);
        assert_eq!(n_stored + n_held, n_taken as u64, "{}: {error}", self.name);
        assert!(summary.n_flushed <= n_stored, "{}", self.name);
        if self.looks {
            assert!(read::<i16>(&self.file, self.path) == self.frames[..n_stored as usize], "{}: {error}", self.name);
        }
    }

    /// Pushes frame `index` as the header says it is to be done; after some failures the disk has room for a little more.
    fn push(&mut self, index: usize, more: u64) {
        loop {
            let pushed = self.writer.push(&self.frames[index]);
            match pushed {
                Ok(()) => return,
                Err(error @ Error::NotStored { .. }) => return self.check(&error, index + 1),
                Err(error) => self.check(&error, index),
            }
            if self.n_failures.is_multiple_of(3) {
                self.limit += more;
                self.disk.has(self.limit);
            }
        }
    }

    fn finish(mut self) {
        let n_frames = self.frames.len();
        if let Err(error) = self.writer.finish() {
            self.check(&error, n_frames);
        }
        self.disk.has(u64::MAX);
        let summary = self.writer.finish().expect("there is room");
        assert_eq!((summary.n_pushed, summary.n_flushed), (n_frames as u64, n_frames as u64), "{}", self.name);
        let beside = format!("{}_darkchunk", self.path);
        assert_eq!(attribute(&self.file, &beside, "frames"), n_frames as i64);
        let n_bright = self.frames.iter().flatten().filter(|pixel| **pixel != 0).count() as i64;
        assert_eq!(attribute(&self.file, &beside, "pixels_bright"), n_bright, "{}", self.name);
        let stored_bytes = summary.stored_bytes;
        drop(self.writer);
        self.file.close().expect("closed");
        let file = File::open(&library(), &path_of(&self.name), false).expect("it opens");
        assert!(read::<i16>(&file, self.path) == self.frames, "{}", self.name);
        // What failed has not made the file longer: a chunk at each new failure at most.
        let largest = stored_bytes + 16_384 + (self.n_failures as u64 + 1) * 4096;
        assert!(size(&self.name) <= largest, "{}: {} bytes of {largest}", self.name, size(&self.name));
    }
}

fn record(disk: &Disk, compression: &Compression, frames_per_chunk: usize, room: u64, looks: bool) -> usize {
    let name = format!("full-{:?}-{frames_per_chunk}-{room}-{looks}", compression.filter.unwrap_or(0));
    disk.has(u64::MAX);
    let file = new_file(&name);
    let dataset = dataset(compression.clone(), frames_per_chunk);
    let writer = Writer::create(&library(), file.id(), &dataset, Processing::default()).expect("a writer");
    record_to(disk, (name, file, PATH, writer), N_FRAMES, room, looks)
}

fn record_to(
    disk: &Disk,
    (name, file, path, writer): (String, File, &'static str, Writer<i16>),
    n_frames: usize,
    room: u64,
    looks: bool,
) -> usize {
    let writer = writer.with_flush(Flush { frames: Some(5), interval: None });
    let frames = (0..n_frames).map(camera).collect();
    let limit = size(&name) + room;
    disk.has(limit);
    let mut recording = Recording { disk, file, name, writer, frames, path, limit, n_failures: 0, looks };
    for index in 0..n_frames {
        recording.push(index, 700 + room / 4);
        // A chunk that is not full is stored, and filled up later.
        if index % 4 == 1
            && let Err(error) = recording.writer.flush()
        {
            recording.check(&error, index + 1);
        }
    }
    let n_failures = recording.n_failures;
    recording.finish();
    n_failures
}

#[test]
fn a_full_disk_loses_no_frame_and_stores_none_twice() {
    let disk = Disk::new();
    let mut n_failures = 0;
    for compression in [Compression::drle(1), Compression::NONE, Compression::bitshuffle_lz4()] {
        for frames_per_chunk in [1, 3] {
            for room in [0, 300, 2000, 4500, 9000] {
                for looks in [true, false] {
                    n_failures += record(&disk, &compression, frames_per_chunk, room, looks);
                }
            }
        }
    }
    println!("{n_failures} failures");
    assert!(n_failures > 200, "{n_failures}: the disk was hardly ever full");
}

/// HDF5 is made to forget a chunk by a question for the one after it, for which such a dataset has no room.
#[test]
fn nor_does_a_dataset_that_may_not_grow_any_further() {
    let disk = Disk::new();
    let mut n_failures = 0;
    for (per_chunk, n_frames) in [(1, 1), (1, 4), (3, 3), (3, 7)] {
        for (room, looks) in [(0, false), (0, true), (1500, false), (1500, true), (4000, false)] {
            let name = format!("full-limited-{per_chunk}-{n_frames}-{room}-{looks}");
            let file = new_file(&name);
            let chunk = [per_chunk, HEIGHT as u64, WIDTH as u64];
            let drle: (i32, &[u32]) =
                (36114, &[1, 0, 0, 1, 1, N_PIXELS as u32, 2 * per_chunk as u32 * N_PIXELS as u32]);
            let filters = if room == 0 { &[drle][..] } else { &[] };
            Foreign { chunk: Some(&chunk), most: Some(n_frames), filters, ..Foreign::new() }.make(&file, "limited");
            let writer = Writer::attach(&library(), file.id(), "limited", Processing::default()).expect("a writer");
            n_failures += record_to(&disk, (name, file, "limited", writer), n_frames as usize, room, looks);
        }
    }
    assert!(n_failures > 50, "{n_failures}: the disk was hardly ever full");
}

/// Sets 2000 rows and returns how often the disk was full meanwhile.
fn fill_columns(disk: &Disk, room: u64) -> u64 {
    let name = format!("full-columns-{room}");
    disk.has(u64::MAX);
    let file = new_file(&name);
    let columns: Vec<Column> = (0..8).map(|index| Column::new(&format!("c{index}"), Number::U64)).collect();
    let mut writer = Columns::create(&library(), file.id(), "columns", &columns).expect("a group");
    let (mut limit, mut n_failures) = (size(&name) + room, 0);
    disk.has(limit);
    for frame in 0..2000_u64 {
        let row: Vec<u8> = (0..8).flat_map(|index| (frame * 10 + index).to_ne_bytes()).collect();
        writer.set(frame, FrameStatus::Written, &row).expect("a row");
        let written = if frame % 50 == 49 { writer.write(frame + 1) } else { writer.write_full() };
        if let Err(error) = written {
            assert!(matches!(error, Error::Hdf5 { .. }) && writer.n_held() > 0, "{error}");
            n_failures += 1;
            if n_failures % 5 == 0 {
                limit += 1500;
                disk.has(limit);
            }
        }
    }
    disk.has(u64::MAX);
    writer.write(2000).expect("there is room");
    drop(writer);
    file.close().expect("closed");
    let file = File::open(&library(), &path_of(&name), false).expect("it opens");
    for index in 0..8 {
        let expected: Vec<u8> = (0..2000_u64).flat_map(|frame| (frame * 10 + index).to_ne_bytes()).collect();
        assert!(read_all(&file, &format!("columns/c{index}")) == (vec![2000], expected), "{room}: c{index}");
    }
    assert_eq!(read_all(&file, "columns/frame_status").1, vec![1; 2000]);
    // What failed has not made the file much longer: each new failure a chunk at most.
    let largest = 8 * 8 * 2048 + 60_000 + n_failures * 2048;
    assert!(size(&name) <= largest, "{} bytes after {n_failures} failures", size(&name));
    n_failures
}

#[test]
fn nor_is_a_row_of_the_columns_lost() {
    let disk = Disk::new();
    let n_failures: u64 = (0..20).map(|index| fill_columns(&disk, index * index * 300)).sum();
    println!("{n_failures} failures");
    assert!(n_failures > 200, "{n_failures}: the disk was hardly ever full");
}

/// Not a test by itself: a recording that gives up, which the test below runs as another process.
#[test]
fn child() {
    let Ok(task) = std::env::var("DARKCHUNK_TEST_CHILD") else { return };
    let (room, frames) = task.split_once(',').expect("two numbers");
    let disk = Disk::new();
    let file = new_file("given-up");
    let dataset = dataset(Compression::NONE, 1);
    let writer = Writer::create(&library(), file.id(), &dataset, Processing::<i16>::default()).expect("a writer");
    let mut writer = writer.with_flush(Flush { frames: frames.parse().ok(), interval: None });
    disk.has(size("given-up") + room.parse::<u64>().expect("bytes"));
    let n_taken = (0..).find(|index| writer.push(&camera(*index)).is_err()).expect("the disk is full in the end");
    for _ in 0..5 {
        assert!(writer.push(&camera(n_taken + 1)).is_err() || writer.flush().is_err(), "nobody made room");
    }
    println!("flushed: {}", writer.summary().n_flushed);
    std::process::abort();
}

/// Frames that were flushed by a recording that had room for so many bytes and gave up, and whether the file has them.
fn give_up(room: u64, flush_frames: u64) -> (usize, bool) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["child", "--exact", "--nocapture"]).env("DARKCHUNK_TEST_CHILD", format!("{room},{flush_frames}"));
    let output = child.output().expect("a child");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let n_flushed = printed.lines().find_map(|line| line.split("flushed: ").nth(1)?.parse().ok());
    let n_flushed: usize = n_flushed.unwrap_or_else(|| panic!("{printed}{}", String::from_utf8_lossy(&output.stderr)));
    (n_flushed, has_frames("given-up", n_flushed as u64))
}

/// Not a test by itself: reads what is left.
#[test]
fn reader() {
    read_for_another();
}

/// The default file format has one gap: where the disk is full within the flush in which HDF5 splits a node of its index.
/// That is when the 65th chunk is entered, and every 32nd after that.
#[test]
fn a_recording_that_gives_up_on_a_full_disk_leaves_every_flushed_frame() {
    let _turn = Disk::new();
    let n_rooms = if std::env::var_os("DARKCHUNK_PROVE").is_some() { 200 } else { 20 };
    let (mut n_lost, mut n_flushed_all) = (0, 0);
    for (index, flush_frames) in (0..n_rooms).flat_map(|index| [(index, 1), (index, 10)]) {
        let room = 500 + index * 150_000 / n_rooms;
        let (n_flushed, is_there) = give_up(room, flush_frames);
        n_flushed_all += n_flushed;
        if !is_there {
            n_lost += 1;
            let is_split = n_flushed >= 60 && (n_flushed % 32 == 0 || flush_frames > 1);
            assert!(is_split, "{room} bytes, a flush each {flush_frames}: {n_flushed} flushed frames are lost");
        }
    }
    println!("{n_lost} of {} files lack flushed frames", 2 * n_rooms);
    assert!(n_lost * 20 <= 2 * n_rooms && n_flushed_all > 100, "{n_lost}, {n_flushed_all}");
}
