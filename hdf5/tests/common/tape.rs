//! Every write to some files, in their order, so that what a killed process leaves can be made again, for each moment.
//!
//! This program's own `pwrite64`, `ftruncate64` and `write` come before those of the C library, also for the HDF5 that is loaded
//! into it.

use std::ffi::{c_int, c_void};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What happened to a file, or was noted meanwhile. Files are numbered as they were given.
pub(crate) enum Event<N> {
    Write { file: usize, offset: u64, bytes: Vec<u8> },
    Truncate { file: usize, n_bytes: u64 },
    Note(N),
}

/// The files by device and inode; what happened, with notes as numbers into a list that the test has.
struct Tape {
    files: Vec<(u64, u64)>,
    events: Vec<Event<usize>>,
}

static TAPE: Mutex<Option<Tape>> = Mutex::new(None);

fn tape() -> MutexGuard<'static, Option<Tape>> {
    TAPE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins with these files, which are there.
pub(crate) fn start(files: &[&Path]) {
    let identity = |path: &&Path| std::fs::metadata(path).map(|status| (status.dev(), status.ino())).expect("a file");
    *tape() = Some(Tape { files: files.iter().map(identity).collect(), events: Vec::new() });
}

/// Notes something between two writes. Without a tape nothing happens.
pub(crate) fn note(number: usize) {
    if let Some(tape) = tape().as_mut() {
        tape.events.push(Event::Note(number));
    }
}

/// Ends, and gives what happened, with `notes` in the place of their numbers.
pub(crate) fn stop<N: Copy>(notes: &[N]) -> Vec<Event<N>> {
    let events = tape().take().expect("a tape").events;
    let named = |event| match event {
        Event::Write { file, offset, bytes } => Event::Write { file, offset, bytes },
        Event::Truncate { file, n_bytes } => Event::Truncate { file, n_bytes },
        Event::Note(number) => Event::Note(notes[number]),
    };
    events.into_iter().map(named).collect()
}

/// Does to the copies what was done to the files. Says whether it was a change.
pub(crate) fn play<N>(event: &Event<N>, copies: &[std::fs::File]) -> bool {
    match event {
        Event::Write { file, offset, bytes } => copies[*file].write_all_at(bytes, *offset).expect("written"),
        Event::Truncate { file, n_bytes } => copies[*file].set_len(*n_bytes).expect("truncated"),
        Event::Note(_) => return false,
    }
    true
}

/// Notes what is done to a file descriptor, if it is of a recorded file.
fn note_of(descriptor: c_int, event: impl FnOnce(usize) -> Event<usize>) {
    let Some(tape) = &mut *tape() else { return };
    // SAFETY: all zeros are a `stat`.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: room for the status.
    if unsafe { libc::fstat(descriptor, &raw mut status) } != 0 {
        return;
    }
    if let Some(file) = tape.files.iter().position(|file| *file == (status.st_dev, status.st_ino)) {
        tape.events.push(event(file));
    }
}

fn note_write(descriptor: c_int, data: *const c_void, n_written: isize, offset: i64) {
    if let Ok(n_written) = usize::try_from(n_written) {
        note_of(descriptor, |file| {
            // SAFETY: the system has just read so many bytes from there.
            let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), n_written) };
            Event::Write { file, offset: offset.cast_unsigned(), bytes: bytes.to_vec() }
        });
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite64(descriptor: c_int, data: *const c_void, n_bytes: usize, offset: i64) -> isize {
    // SAFETY: the caller's own arguments.
    let n_written = unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, data, n_bytes, offset) } as isize;
    note_write(descriptor, data, n_written, offset);
    n_written
}

#[unsafe(no_mangle)]
unsafe extern "C" fn pwrite(descriptor: c_int, data: *const c_void, n_bytes: usize, offset: i64) -> isize {
    // SAFETY: the caller's own arguments.
    unsafe { pwrite64(descriptor, data, n_bytes, offset) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn write(descriptor: c_int, data: *const c_void, n_bytes: usize) -> isize {
    // SAFETY: the caller's own arguments.
    let n_written = unsafe { libc::syscall(libc::SYS_write, descriptor, data, n_bytes) } as isize;
    if descriptor > 2 && n_written > 0 {
        // SAFETY: only asks where the next write will be.
        let end = unsafe { libc::lseek(descriptor, 0, libc::SEEK_CUR) };
        note_write(descriptor, data, n_written, end - n_written as i64);
    }
    n_written
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate64(descriptor: c_int, n_bytes: i64) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, n_bytes) } as c_int;
    if result == 0 {
        note_of(descriptor, |file| Event::Truncate { file, n_bytes: n_bytes.cast_unsigned() });
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn ftruncate(descriptor: c_int, n_bytes: i64) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { ftruncate64(descriptor, n_bytes) }
}
