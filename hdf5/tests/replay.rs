//! What a writer that is killed leaves, at every moment: each write to its file is recorded, and the file is opened and
//! read after each prefix of them.
//!
//! With `DARKCHUNK_PROVE` all states are looked at, without it a sample.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod common;
#[path = "common/tape.rs"]
mod tape;

use std::ffi::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, File, Flush, Library, Processing, Writer};
use tape::Event;

/// What is known between two writes.
#[derive(Debug, Clone, Copy)]
enum Note {
    /// So many frames are flushed.
    Promise(u64),
    FlushBegins,
    FlushEnds,
    /// The chunk at this frame is written.
    Chunk(u64),
}

static NOTES: Mutex<Vec<Note>> = Mutex::new(Vec::new());

fn notes() -> MutexGuard<'static, Vec<Note>> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(note: Note) {
    let mut notes = notes();
    tape::note(notes.len());
    notes.push(note);
}

unsafe extern "C" fn flush(object: Hid, scope: c_int) -> c_int {
    note(Note::FlushBegins);
    let flush = api().H5Fflush.expect("in the table");
    // SAFETY: the caller's own arguments.
    let result = unsafe { flush(object, scope) };
    note(Note::FlushEnds);
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
        note(Note::Chunk(unsafe { *offset }));
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
fn record(policy: &Policy) -> Vec<Event<Note>> {
    let file = new_file("recorded");
    notes().clear();
    tape::start(&[&path_of("recorded")]);
    let dataset = dataset(policy.compression.clone(), policy.frames_per_chunk);
    let processing = Processing { dark: Some(vec![0; N_PIXELS].into()), ..Processing::default() };
    let writer = Writer::create(&noting_library(), file.id(), &dataset, processing).expect("a writer");
    note(Note::Promise(0));
    let mut writer = writer.with_flush(Flush { frames: Some(policy.flush_frames), interval: None });
    for index in 0..policy.n_frames {
        writer.push(&camera(index)).expect("taken");
        if policy.flush_after.is_some_and(|after| index % after == 0) {
            writer.flush().expect("flushed");
        }
        note(Note::Promise(writer.summary().n_flushed));
    }
    writer.finish().expect("finished");
    note(Note::Promise(policy.n_frames as u64));
    drop(writer);
    file.close().expect("closed");
    tape::stop(&notes())
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
fn replay(policy: &Policy, events: &[Event<Note>], share: u64) -> Found {
    let copies = [std::fs::File::create(path("replayed")).expect("a file")];
    let (mut found, mut promised, mut is_flushing) = (Found::default(), None, false);
    let mut random = 12_345_u64;
    for event in events {
        if let Event::Note(note) = event {
            match note {
                Note::Promise(n_frames) => promised = Some(*n_frames),
                Note::FlushBegins => is_flushing = true,
                Note::FlushEnds => is_flushing = false,
                // A chunk that is written again can be lost until the flush that follows in the same call.
                Note::Chunk(first) => promised = promised.map(|n_frames| n_frames.min(*first)),
            }
        }
        let is_change = tape::play(event, &copies);
        let Some(n_frames) = promised.filter(|_| is_change) else { continue };
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
    // A hundredth of all. How many states there are depends on time, as counts are stored ten times a second at most, and so a sample is
    // another one on a slow machine: it may have more of them.
    let one_in = if prove { 50 } else { 25 };
    assert!(
        all.n_lost * one_in <= all.n_looked_at,
        "more states within flushes than HDF5's splitting of nodes explains"
    );
}
