//! What a writer leaves that is really killed, by SIGKILL, at any time after its dataset was made.
#![cfg(unix)]

mod common;

use std::ffi::c_int;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, Flush, Library, Processing, Writer};

/// One line, at once: what the parent reads is what happened before the kill.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

unsafe extern "C" fn flush(object: Hid, scope: c_int) -> c_int {
    say("flush begins");
    let flush = api().H5Fflush.expect("in the table");
    // SAFETY: the caller's own arguments.
    let result = unsafe { flush(object, scope) };
    say("flush ends");
    result
}

/// Not a test by itself: the recording that is killed.
#[test]
fn child() {
    let Ok(task) = std::env::var("DARKCHUNK_TEST_CHILD") else { return };
    let (name, flush_frames) = task.split_once(',').expect("a name and a number");
    let api = Api { H5Fflush: Some(flush), ..api() };
    // SAFETY: the function does what HDF5's does.
    let library: Library = unsafe { Library::new(&api) }.expect("a library");
    let file = new_file(name);
    let dataset = dataset(Compression::drle(1), 1);
    let mut writer = Writer::create(&library, file.id(), &dataset, Processing::<i16>::default()).expect("a writer");
    if let Ok(frames) = flush_frames.parse() {
        writer = writer.with_flush(Flush { frames: Some(frames), interval: None });
    }
    say("flushed 0");
    let mut n_flushed = 0;
    for index in 0.. {
        writer.push(&camera(index)).expect("taken");
        if writer.summary().n_flushed != n_flushed {
            n_flushed = writer.summary().n_flushed;
            say(&format!("flushed {n_flushed}"));
        }
    }
}

/// Frames that were promised before a recording was killed after `delay`, whether the file has them, and whether it was
/// killed within a flush.
fn kill(name: &str, flush_frames: &str, delay: Duration) -> (u64, bool, bool) {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["child", "--exact", "--nocapture"]).env("DARKCHUNK_TEST_CHILD", format!("{name},{flush_frames}"));
    let mut child = child.stdout(Stdio::piped()).spawn().expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("flushed 0")), "the dataset is there");
    // Reads on, as the pipe must not be full.
    let reader = std::thread::spawn(move || lines.collect::<Vec<String>>());
    std::thread::sleep(delay);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let lines = reader.join().expect("lines");
    let promised = lines.iter().rev().find_map(|line| line.strip_prefix("flushed ")?.parse().ok()).unwrap_or(0);
    let last = lines.iter().rev().find(|line| line.starts_with("flush "));
    (promised, has_frames(name, promised), last.is_some_and(|line| line.as_str() == "flush begins"))
}

/// Not a test by itself: reads what a killed recording left.
#[test]
fn reader() {
    read_for_another();
}

#[test]
fn every_flushed_frame_survives_the_kill_of_its_writer() {
    let n_kills = if std::env::var_os("DARKCHUNK_PROVE").is_some() { 60 } else { 20 };
    let mut n_lost = 0;
    for index in 0..n_kills {
        // The default rule, once a second; and by number.
        let flush_frames = ["default", "1", "10", "100"][index % 4];
        let delay = Duration::from_millis(index as u64 * 977 % 150);
        let (promised, is_there, in_flush) = kill(&format!("killed-{index}"), flush_frames, delay);
        println!(
            "flush {flush_frames}, killed after {delay:?}: {promised} promised, there: {is_there}, within a flush: {in_flush}"
        );
        assert!(is_there || in_flush, "flush {flush_frames}, killed after {delay:?}: {promised} frames were promised");
        n_lost += usize::from(!is_there);
    }
    // Mostly none: one more than a tenth, as few kills say little.
    assert!(n_lost <= 1 + n_kills / 10, "{n_lost} of {n_kills}: HDF5 splits nodes in one flush of 32");
}
