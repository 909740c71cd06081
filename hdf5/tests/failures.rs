//! What is left when things fail: an HDF5 that refuses, a writer that is killed, a disk that is full.

mod common;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, Error, File, Flush, Library, Processing, Writer};
use std::ffi::{c_int, c_void};

static REFUSE_CHUNKS: AtomicBool = AtomicBool::new(false);
static REFUSE_FLUSHES: AtomicBool = AtomicBool::new(false);

unsafe extern "C" fn write_chunk(
    dataset: Hid,
    dxpl: Hid,
    mask: u32,
    offset: *const u64,
    n_bytes: usize,
    data: *const c_void,
) -> c_int {
    if REFUSE_CHUNKS.load(Ordering::Relaxed) {
        return -1;
    }
    let write_chunk = common::api().H5Dwrite_chunk.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { write_chunk(dataset, dxpl, mask, offset, n_bytes, data) }
}

unsafe extern "C" fn flush(object: Hid, scope: c_int) -> c_int {
    if REFUSE_FLUSHES.load(Ordering::Relaxed) {
        return -1;
    }
    let flush = common::api().H5Fflush.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { flush(object, scope) }
}

/// The linked HDF5, but it refuses chunks or flushes when told to.
fn unreliable_library() -> Library {
    let api = Api { H5Dwrite_chunk: Some(write_chunk), H5Fflush: Some(flush), ..common::api() };
    // SAFETY: the two functions do what HDF5's do, or fail as those may.
    unsafe { Library::new(&api) }.expect("a library")
}

#[test]
fn a_refused_chunk_is_held_and_tried_again() {
    let file = new_file("refused");
    let dataset = dataset(Compression::drle(1), 2);
    let writer = Writer::create(&unreliable_library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    let mut writer = writer.with_flush(Flush::NEVER);
    (0..3).for_each(|index| writer.push(&camera(index)).unwrap());

    REFUSE_CHUNKS.store(true, Ordering::Relaxed);
    let refused = writer.push(&camera(3)).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 2, n_held: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains("H5Dwrite_chunk"), "{refused}");
    assert_eq!(writer.summary().n_pushed, 4);
    assert_eq!(read::<i16>(&file, PATH).len(), 2, "the dataset has no frame that was not written");
    let refused = writer.push(&camera(4)).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 2, n_held: 2, .. }), "{refused:?}");
    assert_eq!(writer.summary().n_pushed, 4, "this one was not taken");
    assert!(writer.finish().is_err());
    REFUSE_CHUNKS.store(false, Ordering::Relaxed);

    writer.push(&camera(4)).unwrap();
    REFUSE_FLUSHES.store(true, Ordering::Relaxed);
    let refused = writer.finish().unwrap_err();
    assert!(refused.to_string().contains("H5Fflush"), "{refused}");
    assert_eq!(writer.summary().n_flushed, 0);
    REFUSE_FLUSHES.store(false, Ordering::Relaxed);
    assert_eq!(writer.finish().unwrap().n_flushed, 5);
    assert_eq!(read::<i16>(&file, PATH), (0..5).map(camera).collect::<Vec<_>>());

    // The last chunk is in the file with one frame of two.
    REFUSE_CHUNKS.store(true, Ordering::Relaxed);
    let refused = writer.push(&camera(5)).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 5, n_held: 1, .. }), "{refused:?}");
    assert_eq!(read::<i16>(&file, PATH), (0..5).map(camera).collect::<Vec<_>>());
    REFUSE_CHUNKS.store(false, Ordering::Relaxed);
    assert_eq!(writer.finish().unwrap().n_stored, 6);
    assert_eq!(read::<i16>(&file, PATH), (0..6).map(camera).collect::<Vec<_>>());
}

#[test]
fn a_table_without_a_function_is_refused_by_its_name() {
    let api = Api { H5Dset_extent: None, ..common::api() };
    // SAFETY: the functions that are there are HDF5's.
    let refused = unsafe { Library::new(&api) }.unwrap_err();
    assert!(refused.to_string().contains("H5Dset_extent"), "{refused}");
}

#[test]
fn an_older_and_shorter_table_lacks_its_end_only() {
    let api = Api { n_bytes: std::mem::offset_of!(Api, H5Dread_chunk2), ..common::api() };
    // SAFETY: the table is longer than it says.
    let read = unsafe { Api::read(&raw const api) };
    assert!(read.H5Dread_chunk2.is_none() && read.H5Adelete.is_some());
}

const N_KILLED: u64 = 50;

/// Not a test by itself: what the tests below run as another process, by `DARKCHUNK_TEST_CHILD`.
#[test]
fn child() {
    let Ok(task) = std::env::var("DARKCHUNK_TEST_CHILD") else { return };
    let file = new_file(&task);
    let flush = Flush { frames: Some(10), interval: Some(Duration::from_secs(3600)) };
    let compression = if task == "killed" { Compression::drle(1) } else { Compression::NONE };
    let dataset = dataset(compression, 1);
    let writer = Writer::create(&library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    let mut writer = writer.with_flush(flush);
    for index in 0..if task == "killed" { N_KILLED + 3 } else { u64::MAX } {
        if let Err(error) = writer.push(&camera(index as usize)) {
            println!("error: {error}");
            break;
        }
    }
    println!("summary: {} {}", writer.summary().n_stored, writer.summary().n_flushed);
    std::process::abort();
}

/// Runs the child, which ends by a signal, and returns what it printed.
fn run_child(command: &mut Command, task: &str) -> String {
    let arguments = ["child", "--exact", "--nocapture", "--test-threads=1"];
    let output = command.args(arguments).env("DARKCHUNK_TEST_CHILD", task).output().expect("a child");
    assert!(!output.status.success(), "it was to be killed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn program() -> std::path::PathBuf {
    std::env::current_exe().expect("this program")
}

fn open_again(name: &str) -> File {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.h5"));
    File::open(&library(), &path, false).expect("it opens as usual")
}

#[test]
fn a_killed_writer_leaves_every_flushed_frame() {
    let printed = run_child(&mut Command::new(program()), "killed");
    assert!(printed.contains(&format!("summary: {} {N_KILLED}", N_KILLED + 3)), "{printed}");
    let frames = read::<i16>(&open_again("killed"), PATH);
    assert_eq!(frames, (0..N_KILLED as usize).map(camera).collect::<Vec<_>>());
}

/// A limit on the size of files stands for the full disk: the system refuses the bytes behind it.
#[test]
#[cfg(unix)]
fn a_full_disk_is_reported_and_the_flushed_frames_survive() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$@\"", "sh"]).arg(program());
    let printed = run_child(&mut shell, "full");
    let error = printed.lines().find(|line| line.contains("error: ")).unwrap_or_else(|| panic!("{printed}"));
    assert!(error.contains("frames are stored"), "{error}");
    let summary = printed.lines().find_map(|line| line.split("summary: ").nth(1)).expect("a summary");
    let n_flushed: usize = summary.split(' ').nth(1).and_then(|n| n.trim().parse().ok()).expect("a number");
    assert!(n_flushed >= 10, "{printed}");
    let frames = read::<i16>(&open_again("full"), PATH);
    assert!(frames.len() >= n_flushed, "{} of {n_flushed}", frames.len());
    assert_eq!(frames[..n_flushed], (0..n_flushed).map(camera).collect::<Vec<_>>());
}
