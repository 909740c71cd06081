//! What a writer that is killed leaves, at every moment: each write to its file is recorded, and the file is opened and
//! read after each prefix of them.
//!
//! This program's own `pwrite64` and `ftruncate64` come before those of the C library, also for the HDF5 that is loaded into
//! it. With `DARKCHUNK_PROVE` all states are looked at, without it a sample.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod common;

use std::ffi::{c_int, c_void};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, File, Flush, Library, Processing, Writer};

/// What happened to the file, and what was promised meanwhile.
enum Event {
    Write {
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncate(u64),
    /// So many frames are flushed.
    Promise(u64),
    FlushBegins,
    FlushEnds,
    /// The chunk at this frame is written.
    Chunk(u64),
}

/// The file's device and inode, and its events.
struct Log {
    file: (u64, u64),
    events: Vec<Event>,
}

static LOG: Mutex<Option<Log>> = Mutex::new(None);

fn log() -> MutexGuard<'static, Option<Log>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(event: Event) {
    if let Some(log) = log().as_mut() {
        log.events.push(event);
    }
}

/// Notes what is done to a file descriptor, if it is of the recorded file.
fn note_of(descriptor: c_int, event: impl FnOnce() -> Event) {
    let Some(log) = &mut *log() else { return };
    // SAFETY: all zeros are a `stat`.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: room for the status.
    if unsafe { libc::fstat(descriptor, &raw mut status) } == 0 && (status.st_dev, status.st_ino) == log.file {
        log.events.push(event());
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(descriptor: c_int, data: *const c_void, n_bytes: usize, offset: i64) -> isize {
    // SAFETY: the caller's own arguments.
    let n_written = unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, data, n_bytes, offset) } as isize;
    if let Ok(n_written) = usize::try_from(n_written) {
        note_of(descriptor, || {
            // SAFETY: the system has just read so many bytes from there.
            let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), n_written) };
            Event::Write { offset: offset.cast_unsigned(), bytes: bytes.to_vec() }
        });
    }
    n_written
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(descriptor: c_int, data: *const c_void, n_bytes: usize, offset: i64) -> isize {
    // SAFETY: the caller's own arguments.
    unsafe { pwrite64(descriptor, data, n_bytes, offset) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(descriptor: c_int, n_bytes: i64) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, n_bytes) } as c_int;
    if result == 0 {
        note_of(descriptor, || Event::Truncate(n_bytes.cast_unsigned()));
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(descriptor: c_int, n_bytes: i64) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { ftruncate64(descriptor, n_bytes) }
}

unsafe extern "C" fn flush(object: Hid, scope: c_int) -> c_int {
    note(Event::FlushBegins);
    let flush = api().H5Fflush.expect("in the table");
    // SAFETY: the caller's own arguments.
    let result = unsafe { flush(object, scope) };
    note(Event::FlushEnds);
    result
}

unsafe extern "C" fn write_chunk(
    dataset: Hid,
    dxpl: Hid,
    mask: u32,
    offset: *const u64,
    n_bytes: usize,
    data: *const c_void,
) -> c_int {
    let api = api();
    let (get_space, get_rank) = (api.H5Dget_space.expect("in the table"), api.H5Sget_simple_extent_ndims);
    // SAFETY: a dataset.
    let space = unsafe { get_space(dataset) };
    // SAFETY: a dataspace.
    if unsafe { get_rank.expect("in the table")(space) } == 3 {
        // SAFETY: an offset has as many numbers as the dataset has dimensions.
        note(Event::Chunk(unsafe { *offset }));
    }
    let write_chunk = api.H5Dwrite_chunk.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { write_chunk(dataset, dxpl, mask, offset, n_bytes, data) }
}

/// The linked HDF5, which notes flushes and chunks.
fn noting_library() -> Library {
    let api = Api { H5Fflush: Some(flush), H5Dwrite_chunk: Some(write_chunk), ..api() };
    // SAFETY: the two functions do what HDF5's do.
    unsafe { Library::new(&api) }.expect("a library")
}

/// How frames are recorded.
#[derive(Debug, Clone)]
struct Policy {
    compression: Compression,
    frames_per_chunk: usize,
    flush_frames: u64,
    /// A chunk that is not full is stored after so many frames.
    flush_after: Option<usize>,
    n_frames: usize,
}

/// Records, and returns what happened to the file.
fn record(policy: &Policy) -> Vec<Event> {
    let file = new_file("recorded");
    let status = std::fs::metadata(path_of("recorded")).expect("the file");
    *log() = Some(Log { file: (status.dev(), status.ino()), events: Vec::new() });
    let dataset = dataset(policy.compression.clone(), policy.frames_per_chunk);
    let processing = Processing { dark: Some(vec![0; N_PIXELS]), ..Processing::default() };
    let writer = Writer::create(&noting_library(), file.id(), &dataset, processing).expect("a writer");
    note(Event::Promise(0));
    let mut writer = writer.with_flush(Flush { frames: Some(policy.flush_frames), interval: None });
    for index in 0..policy.n_frames {
        writer.push(&camera(index)).expect("taken");
        if policy.flush_after.is_some_and(|after| index % after == 0) {
            writer.flush().expect("flushed");
        }
        note(Event::Promise(writer.summary().n_flushed));
    }
    writer.finish().expect("finished");
    note(Event::Promise(policy.n_frames as u64));
    drop(writer);
    file.close().expect("closed");
    log().take().expect("a log").events
}

/// What was found in the states of one recording.
#[derive(Debug, Default)]
struct Found {
    n_states: usize,
    n_looked_at: usize,
    /// States without a promised frame, all of them within a flush.
    n_lost: usize,
}

/// Puts the file together again, write by write, and looks at it.
fn replay(policy: &Policy, events: &[Event], share: u64) -> Found {
    let copy = std::fs::File::create(path("replayed")).expect("a file");
    let (mut found, mut promised, mut is_flushing) = (Found::default(), None, false);
    let mut random = 12_345_u64;
    for event in events {
        match event {
            Event::Write { offset, bytes } => copy.write_all_at(bytes, *offset).expect("written"),
            Event::Truncate(n_bytes) => copy.set_len(*n_bytes).expect("truncated"),
            Event::Promise(n_frames) => promised = Some(*n_frames),
            Event::FlushBegins => is_flushing = true,
            Event::FlushEnds => is_flushing = false,
            // A chunk that is written again can be lost until the flush that follows in the same call.
            Event::Chunk(first) => promised = promised.map(|n_frames| n_frames.min(*first)),
        }
        let Some(n_frames) = promised.filter(|_| matches!(event, Event::Write { .. } | Event::Truncate(_))) else {
            continue;
        };
        found.n_states += 1;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if !(random >> 33).is_multiple_of(share) {
            continue;
        }
        found.n_looked_at += 1;
        if !has_frames(n_frames as usize) {
            found.n_lost += 1;
            assert!(is_flushing, "{policy:?}: {n_frames} frames were promised, state {}", found.n_states);
        }
    }
    found
}

/// Whether the file that was put together opens, and has the first `n_frames` frames as they were pushed.
fn has_frames(n_frames: usize) -> bool {
    let Ok(file) = File::open(&library(), &path_of("replayed"), false) else { return false };
    let Some(frames) = try_read::<i16>(&file, PATH, n_frames as u64) else { return false };
    frames.len() == n_frames && (0..n_frames).all(|index| frames[index] == camera(index))
}

#[test]
fn a_killed_writer_leaves_every_flushed_frame_at_every_moment() {
    let prove = std::env::var_os("DARKCHUNK_PROVE").is_some();
    let (n_frames, share) = if prove { (500, 1) } else { (150, 5) };
    let policies = [(1, 1, None), (1, 10, None), (1, 100, None), (4, 8, None), (4, 20, Some(3))];
    let mut all = Found::default();
    for (frames_per_chunk, flush_frames, flush_after) in policies {
        for compression in [Compression::drle(1), Compression::NONE] {
            let policy = Policy { compression, frames_per_chunk, flush_frames, flush_after, n_frames };
            let found = replay(&policy, &record(&policy), share);
            println!("{policy:?}: {found:?}");
            all.n_states += found.n_states;
            all.n_looked_at += found.n_looked_at;
            all.n_lost += found.n_lost;
        }
    }
    println!("{all:?}");
    assert!(all.n_looked_at > 100);
    assert!(all.n_lost * 50 <= all.n_looked_at, "more states within flushes than HDF5's splitting of nodes explains");
}
