//! What a recording leaves that is killed, at every moment: each write to the file and to its journal is recorded, and both are
//! put together again after each prefix of them. And what is left by one that is really killed, by SIGKILL.
//!
//! With `DARKCHUNK_PROVE` all states are looked at and each rule is killed 20 times, without it a sample.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

#[path = "../../hdf5/tests/common/mod.rs"]
mod common;
#[path = "common/sink.rs"]
mod sink;
#[path = "../../hdf5/tests/common/tape.rs"]
mod tape;

use std::ffi::{CString, c_int};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::hdf5::{LOCK, h5f, h5i};
use common::maker::Handle;
use common::{PATH, camera, library, maker, path, path_of, read_all_in, try_read_in};
use darkchunk::chunk::{Compression, Processing};
use darkchunk::element::as_bytes;
use darkchunk_hdf5::{Api, Dataset, File, Flush, FrameStatus, Library};
use darkchunk_stream::journal::{self, restore};
use darkchunk_stream::recorder::{Options, Recorder, Statistics};
use sink::{GROUP, Sink, columns, dataset, row};
use tape::Event;

/// How frames are recorded.
#[derive(Debug, Clone)]
struct Policy {
    compression: Compression,
    frames_per_chunk: usize,
    rows_per_chunk: Option<usize>,
    flush_each: u64,
    is_swmr: bool,
    has_columns: bool,
    by: By,
}

/// Who records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The parts of a recorder, one after the other.
    Parts,
    Recorder,
}

impl By {
    /// Where the columns are.
    fn group(self) -> String {
        if self == Self::Parts { GROUP.to_owned() } else { format!("{PATH}_darkchunk") }
    }
}

/// What is known between two writes.
#[derive(Debug, Clone, Copy)]
enum Note {
    /// So many frames are in chunks that HDF5 has written, and noted in the journal.
    Written(u64),
    /// So many frames are flushed.
    Flushed(u64),
    FlushBegins,
}

/// A file that is recorded to.
enum Recorded {
    Default(File),
    Swmr(Handle),
}

impl Recorded {
    fn create(path: &Path, is_swmr: bool) -> Self {
        if is_swmr {
            Self::Swmr(maker::create(path, true, 0))
        } else {
            Self::Default(File::create(&library(), path).expect("a file"))
        }
    }

    fn id(&self) -> i64 {
        match self {
            Self::Default(file) => file.id(),
            Self::Swmr(file) => file.0,
        }
    }

    /// The datasets are there: from now on others may read.
    fn start(&self) {
        if let Self::Swmr(file) = self {
            let _lock = LOCK.lock();
            // SAFETY: a file.
            assert!(unsafe { h5f::H5Fstart_swmr_write(file.0) } >= 0, "SWMR");
        }
    }
}

/// The first of the notes: HDF5 begins a flush.
const FLUSH_BEGINS: usize = 0;

unsafe extern "C" fn flush(object: i64, scope: c_int) -> c_int {
    tape::note(FLUSH_BEGINS);
    let flush = common::api().H5Fflush.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { flush(object, scope) }
}

/// The same as [`record`], by a recorder that does everything on this thread.
fn record_by_recorder(policy: &Policy, n_frames: u64) -> Vec<Event<Note>> {
    let path = path("taped");
    let file = Recorded::create(&path, policy.is_swmr);
    std::fs::write(journal::path_of(&path), []).expect("a journal");
    tape::start(&[&path, &journal::path_of(&path)]);
    let api = Api { H5Fflush: Some(flush), ..common::api() };
    // SAFETY: the function does what HDF5's does.
    let library = unsafe { Library::new(&api) }.expect("a library");
    let rows_per_chunk = policy.rows_per_chunk;
    let dataset = Dataset { rows_per_chunk, ..dataset(policy.compression.clone(), policy.frames_per_chunk) };
    let flush = Flush { frames: (policy.flush_each < u64::MAX).then_some(policy.flush_each), interval: None };
    let columns = if policy.has_columns { columns().to_vec() } else { Vec::new() };
    let options = Options { n_workers: 0, flush, columns, swmr: policy.is_swmr, ..Options::default() };
    let made = Recorder::<i16>::create(&library, file.id(), &dataset, Processing::default(), options);
    let mut recorder = made.expect("a recorder");
    assert_eq!(recorder.journal(), Some(&*journal::path_of(&path)));
    let mut notes = vec![Note::FlushBegins, Note::Flushed(0)];
    tape::note(1);
    for frame in 0..n_frames {
        let row = if policy.has_columns { row(frame) } else { Vec::new() };
        recorder.push_with(frame, camera(frame as usize), &row).expect("taken");
        let Statistics { n_stored, n_flushed, .. } = recorder.statistics().expect("this process");
        for note in [Note::Written(n_stored), Note::Flushed(n_flushed)] {
            tape::note(notes.len());
            notes.push(note);
        }
    }
    // The journal is removed then.
    tape::note(FLUSH_BEGINS);
    let events = tape::stop(&notes);
    recorder.finish().expect("finished");
    assert!(!journal::path_of(&path).exists(), "a recording that is finished has no journal");
    events
}

/// Records, and returns what happened to the file and its journal.
fn record(policy: &Policy, n_frames: u64) -> Vec<Event<Note>> {
    if policy.by == By::Recorder {
        return record_by_recorder(policy, n_frames);
    }
    let path = path("taped");
    let file = Recorded::create(&path, policy.is_swmr);
    let dataset = dataset(policy.compression.clone(), policy.frames_per_chunk);
    std::fs::write(journal::path_of(&path), []).expect("a journal");
    tape::start(&[&path, &journal::path_of(&path)]);
    let mut notes = Vec::new();
    let mut note = |note| {
        tape::note(notes.len());
        notes.push(note);
    };
    let mut sink = Sink::create(&library(), file.id(), &path, &dataset, policy.has_columns);
    sink.flush().expect("flushed");
    file.start();
    sink.flush().expect("flushed");
    note(Note::Flushed(0));
    for frame in 0..n_frames {
        if sink.push(&camera(frame as usize)).expect("written") {
            note(Note::Written(frame + 1));
        }
        if frame % policy.flush_each == policy.flush_each - 1 {
            note(Note::FlushBegins);
            sink.flush().expect("flushed");
            note(Note::Flushed(sink.chunks.n_flushed()));
        }
    }
    note(Note::FlushBegins);
    drop(sink);
    drop(file);
    tape::stop(&notes)
}

/// What was found in the states of one recording.
#[derive(Debug, Default)]
struct Found {
    n_states: usize,
    n_looked_at: usize,
    /// States in which the file alone lacks a flushed frame or its row, all of them within a flush.
    n_lost: usize,
}

/// Puts file and journal together again, write by write, and looks at them.
fn replay(policy: &Policy, events: &[Event<Note>], share: u64) -> Found {
    let left = path("left");
    let copies = [&left, &journal::path_of(&left)].map(|path| std::fs::File::create(path).expect("a file"));
    let (mut found, mut flushed, mut written, mut is_flushing) = (Found::default(), None, 0, false);
    let mut random = 12_345_u64;
    for event in events {
        if let Event::Note(note) = event {
            match note {
                Note::Written(n_frames) => written = *n_frames,
                Note::Flushed(n_frames) => (flushed, is_flushing) = (Some(*n_frames), false),
                Note::FlushBegins => is_flushing = true,
            }
        }
        let is_change = tape::play(event, &copies);
        let Some(flushed) = flushed.filter(|_| is_change) else { continue };
        found.n_states += 1;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if !(random >> 33).is_multiple_of(share) {
            continue;
        }
        found.n_looked_at += 1;
        let what = format!("{policy:?}, state {}, {flushed} frames flushed, {written} written", found.n_states);
        if !file_has(&left, policy, flushed) {
            found.n_lost += 1;
            assert!(is_flushing && !policy.is_swmr, "{what}: the file lacks flushed frames");
        }
        let group = policy.has_columns.then(|| policy.by.group());
        check_restored(&left, group.as_deref(), written, &what);
    }
    found
}

/// Whether the file that was left opens, and has the first frames and their rows.
fn file_has(left: &Path, policy: &Policy, n_frames: u64) -> bool {
    const SWMR_READ: u32 = 0x40;
    let name = CString::new(left.to_str().expect("UTF-8")).expect("a name");
    let lock = LOCK.lock();
    // SAFETY: a C string.
    let file = unsafe { h5f::H5Fopen(name.as_ptr(), if policy.is_swmr { SWMR_READ } else { 0 }, 0) };
    drop(lock);
    let has_all =
        file > 0 && has_frames(file, n_frames) && (!policy.has_columns || has_rows(file, &policy.by.group(), n_frames));
    if file > 0 {
        let _lock = LOCK.lock();
        // SAFETY: an identifier that is not used any more.
        unsafe { h5i::H5Idec_ref(file) };
    }
    has_all
}

fn has_frames(file: i64, n_frames: u64) -> bool {
    let Some(frames) = try_read_in::<i16>(file, PATH, n_frames) else { return false };
    frames.len() as u64 == n_frames && frames.iter().enumerate().all(|(index, frame)| *frame == camera(index))
}

fn has_rows(file: i64, group: &str, n_frames: u64) -> bool {
    let expected: [Vec<u8>; 3] = [
        vec![FrameStatus::Written as u8; n_frames as usize],
        (0..n_frames).flat_map(|frame| row(frame)[..8].to_vec()).collect(),
        (0..n_frames).flat_map(|frame| row(frame)[8..].to_vec()).collect(),
    ];
    ["frame_status", "time", "pulse"].iter().zip(expected).all(|(name, expected)| {
        let found = read_all_in(file, &format!("{group}/{name}"));
        found.is_some_and(|(_, bytes)| bytes.starts_with(&expected))
    })
}

/// All that was written is in the file that is restored.
fn check_restored(left: &Path, group: Option<&str>, n_frames: u64, what: &str) {
    let to = left.with_extension("restored.h5");
    let _ = std::fs::remove_file(&to);
    let restored = restore(&library(), left, &to).unwrap_or_else(|error| panic!("{what}: {error}"));
    let file = File::open(&library(), &to, false).expect(what);
    assert!(has_frames(file.id(), n_frames), "{what}: not restored: {restored:?}");
    assert!(
        group.is_none_or(|group| has_rows(file.id(), group, n_frames)),
        "{what}: rows are not restored: {restored:?}"
    );
}

/// One test at a time: a child has the files that HDF5 has open when it is started, and so their locks.
static TURN: Mutex<()> = Mutex::new(());

fn is_prove() -> bool {
    std::env::var_os("DARKCHUNK_PROVE").is_some()
}

#[test]
fn all_that_was_written_is_restored_at_every_moment() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (n_frames, share) = if is_prove() { (400, 1) } else { (100, 50) };
    let (mut default, mut swmr) = (Found::default(), Found::default());
    for (number, flush_each) in [1, 10, u64::MAX].into_iter().enumerate() {
        let orders = [false, true].into_iter().flat_map(|is_swmr| [(is_swmr, By::Parts), (is_swmr, By::Recorder)]);
        for ((is_swmr, by), has_columns) in orders.flat_map(|order| [(order, false), (order, true)]) {
            let compression = [Compression::drle(1), Compression::NONE, Compression::bitshuffle_lz4()][number].clone();
            let frames_per_chunk = if is_swmr { 1 } else { [1, 1, 3][number] };
            // Bricks of a recorder, the last row of which is not full.
            let rows_per_chunk = (by == By::Recorder && number > 0).then_some(7);
            let policy = Policy { compression, frames_per_chunk, rows_per_chunk, flush_each, is_swmr, has_columns, by };
            let found = replay(&policy, &record(&policy, n_frames), share);
            println!("{policy:?}: {found:?}");
            let all = if is_swmr { &mut swmr } else { &mut default };
            all.n_states += found.n_states;
            all.n_looked_at += found.n_looked_at;
            all.n_lost += found.n_lost;
        }
    }
    println!("default format: {default:?}\nSWMR: {swmr:?}");
    assert!(default.n_looked_at > 50 && swmr.n_looked_at > 50);
    assert!(default.n_lost * 20 <= default.n_looked_at, "more than HDF5's splitting of nodes explains");
}

/// One line, at once: what the parent reads is what happened before the kill.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

/// Not a test by itself: the recording that is killed.
#[test]
fn child() {
    let Ok(task) = std::env::var("DARKCHUNK_TEST_CHILD") else { return };
    let (name, flush_each) = task.split_once(',').expect("a name and a number");
    if name.contains("recorder") {
        return record_for_ever(name, flush_each.parse().ok());
    }
    let flush_each = flush_each.parse().unwrap_or(u64::MAX);
    let path = path(name);
    let file = File::create(&library(), &path).expect("a file");
    let mut sink = Sink::create(&library(), file.id(), &path, &dataset(Compression::drle(1), 1), true);
    say("written 0");
    for frame in 0.. {
        sink.push(&camera(frame as usize)).expect("written");
        say(&format!("written {}", frame + 1));
        if frame % flush_each == flush_each - 1 {
            sink.flush().expect("flushed");
        }
    }
}

/// A recorder with all its threads, and chunks of several frames, of which each 50th does not come; in bricks where the name says so.
fn record_for_ever(name: &str, flush_each: Option<u64>) {
    let file = File::create(&library(), &path(name)).expect("a file");
    let flush = Flush { frames: flush_each, interval: None };
    let options = Options {
        n_workers: 2,
        writer_thread: true,
        flush,
        columns: columns().to_vec(),
        reserve_bytes: 0,
        ..Options::default()
    };
    // Not compressed: read by HDF5 itself, which fills in chunks that are missing.
    let rows_per_chunk = name.contains("bricks").then_some(7);
    let dataset = Dataset { rows_per_chunk, ..dataset(Compression::NONE, 3) };
    let made = Recorder::<i16>::create(&library(), file.id(), &dataset, Processing::default(), options);
    let mut recorder = made.expect("a recorder");
    say("written 0");
    for frame in (0..).filter(|frame| frame % 50 != 49) {
        recorder.push_with(frame, camera(frame as usize), &row(frame)).expect("taken");
        say(&format!("written {}", recorder.statistics().expect("this process").n_stored));
    }
}

/// What a recorder's file is restored to has at least `n_frames`, each as it was, and says of all others that they are not there.
fn check_recorder_restored(left: &Path, n_frames: u64, what: &str) {
    let to = left.with_extension("restored.h5");
    let _ = std::fs::remove_file(&to);
    let restored = restore(&library(), left, &to).unwrap_or_else(|error| panic!("{what}: {error}"));
    let file = File::open(&library(), &to, false).expect(what);
    let group = By::Recorder.group();
    let read = |path: &str| read_all_in(file.id(), path).expect(what).1;
    let (statuses, pulses) = (read(&format!("{group}/frame_status")), read(&format!("{group}/pulse")));
    let pixels = read(PATH);
    let frame_bytes = 2 * camera(0).len();
    let mut n_written = 0;
    for (index, status) in statuses.iter().enumerate() {
        let is_written = *status == FrameStatus::Written as u8;
        n_written += u64::from(is_written);
        let found = pixels.get(index * frame_bytes..(index + 1) * frame_bytes);
        let is_there = found.is_some_and(|found| found == as_bytes(&camera(index)));
        assert_eq!(is_there, is_written, "{what}: frame {index}");
        let is_right = pulses[index * 8..][..8] == row(index as u64)[8..];
        assert!(is_right || !is_written, "{what}: row of frame {index}");
        assert!(index % 50 != 49 || *status == FrameStatus::Missing as u8, "{what}: frame {index} never came");
    }
    assert!(n_written >= n_frames, "{what}: {n_written} of {n_frames} frames, {restored:?}");
}

/// Frames that were written by a recording when it was killed after `delay`.
fn kill(name: &str, flush_each: &str, delay: Duration) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["child", "--exact", "--nocapture"]).env("DARKCHUNK_TEST_CHILD", format!("{name},{flush_each}"));
    let mut child = child.stdout(Stdio::piped()).spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("written 0")), "the dataset is there");
    // Reads on, as the pipe must not be full.
    let reader = std::thread::spawn(move || lines.collect::<Vec<String>>());
    std::thread::sleep(delay);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let lines = reader.join().expect("lines");
    lines.iter().rev().find_map(|line| line.strip_prefix("written ")?.parse().ok()).unwrap_or(0)
}

#[test]
fn all_that_was_written_is_restored_after_a_kill() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let n_kills = if is_prove() { 20 } else { 2 };
    for (flush_each, is_recorder) in ["1", "10", "never"].into_iter().flat_map(|each| [(each, false), (each, true)]) {
        for index in 0..n_kills {
            let by = match index % 2 {
                _ if !is_recorder => "parts",
                0 => "recorder",
                _ => "recorder-bricks",
            };
            let name = format!("killed-{by}-{flush_each}-{index}");
            let delay = Duration::from_millis(index * 977 % 150 + 40);
            let n_frames = kill(&name, flush_each, delay);
            println!("{by}, flush {flush_each}, killed after {delay:?}: {n_frames} frames written");
            let what = format!("flush {flush_each}, {delay:?}");
            if is_recorder {
                check_recorder_restored(&path_of(&name), n_frames, &what);
            } else {
                check_restored(&path_of(&name), Some(GROUP), n_frames, &what);
            }
            for path in [path_of(&name), journal::path_of(&path_of(&name))] {
                std::fs::remove_file(path).expect("removed");
            }
        }
    }
}
