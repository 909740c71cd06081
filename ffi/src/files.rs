//! `dc_recorder_create_files`: one measurement in several files; `dc_master_make`: one dataset of them.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};
use std::path::{Path, PathBuf};

use darkchunk_hdf5::{Api, Library, load};
use darkchunk_stream::master;
use darkchunk_stream::recorder::Spread;

use crate::recorder::{COptions, Recorder, Where, create};
use crate::status::{Failure, Status, guard, reference, require, set, slice, slice_mut, text};
use crate::types::{CProcessing, Chunk, check_size};

/// `dc_spread`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CSpread {
    size: usize,
    frames: u64,
    bytes: u64,
    n_files: u64,
    first_own: u64,
    n_own: u64,
}

impl CSpread {
    fn read(&self) -> Result<Spread, Failure> {
        check_size(self.size, size_of::<Self>(), "dc_spread")?;
        Ok(match (self.n_files, self.bytes) {
            (0, 0) => Spread::Frames(self.frames),
            (0, bytes) => Spread::Bytes(bytes),
            (n_files, _) => {
                let own = self.first_own..self.first_own.saturating_add(self.n_own);
                Spread::Turns { n_files, frames: self.frames, own }
            }
        })
    }
}

/// The HDF5 of a table, with the functions for whole files.
///
/// # Safety
/// `hdf5` is null or such a table.
unsafe fn library(hdf5: *const Api) -> Result<Library, Failure> {
    require(hdf5, "hdf5")?;
    // SAFETY: the caller's promise.
    let api = unsafe { Api::read(hdf5) };
    // SAFETY: the caller's promise.
    Ok(unsafe { load::of_table(&api) }?)
}

/// Makes a recorder to several files.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_create_files(
    hdf5: *const Api,
    master: *const c_char,
    spread: *const CSpread,
    path: *const c_char,
    chunk: *const Chunk,
    nexus: c_int,
    with: *const CProcessing,
    options: *const COptions,
    recorder: *mut *mut Recorder,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let master = unsafe { text(master, "master") }?;
        // SAFETY: promised by the caller.
        let spread = unsafe { reference(spread, "spread") }?.read()?;
        // SAFETY: promised by the caller.
        let library = unsafe { library(hdf5) }?;
        // SAFETY: promised by the caller.
        unsafe { create(&library, &Where::Files(master, spread), path, (chunk, nexus), with, options, recorder) }
    })
}

/// Tells the next file that is complete.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_complete(
    recorder: *const Recorder,
    line: *mut c_char,
    capacity: usize,
    is_there: *mut c_int,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(line.cast::<u8>(), capacity, "line") }?;
        require(is_there, "is_there")?;
        // SAFETY: promised by the caller.
        let next = unsafe { reference(recorder, "recorder") }?.next_complete()?;
        write(next.as_deref().unwrap_or_default(), room);
        // SAFETY: promised by the caller.
        unsafe { set(is_there, c_int::from(next.is_some()), "is_there") }
    })
}

/// Makes the master of a measurement.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_master_make(
    hdf5: *const Api,
    master: *const c_char,
    parts: *const *const c_char,
    n_parts: usize,
    missing: *mut c_char,
    capacity: usize,
    n_missing: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let to = Path::new(unsafe { text(master, "master") }?);
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(missing.cast::<u8>(), if missing.is_null() { 0 } else { capacity }, "missing") }?;
        let parts = if parts.is_null() {
            master::parts_of(to)?
        } else {
            // SAFETY: promised by the caller.
            unsafe { paths(parts, n_parts) }?
        };
        let library = if hdf5.is_null() {
            load::library()?
        } else {
            // SAFETY: promised by the caller.
            unsafe { library(hdf5) }?
        };
        let made = master::make(&library, &parts, to)?;
        let unfinished =
            made.unfinished.iter().map(|part| format!("{}: not finished, or to be restored", part.display()));
        let lines: Vec<String> = made.gaps.into_iter().chain(unfinished).collect();
        write(&lines.join("\n"), room);
        // SAFETY: promised by the caller.
        if n_missing.is_null() { Ok(()) } else { unsafe { set(n_missing, lines.len(), "n_missing") } }
    })
}

/// # Safety
/// `parts` are `n` C strings.
unsafe fn paths(parts: *const *const c_char, n: usize) -> Result<Vec<PathBuf>, Failure> {
    // SAFETY: the caller's promise.
    let parts = unsafe { slice(parts, n, "parts") }?;
    // SAFETY: the caller's promise.
    parts.iter().map(|part| unsafe { text(*part, "parts") }.map(PathBuf::from)).collect()
}

/// Writes as much of a text as there is room for, and a null byte.
fn write(text: &str, room: &mut [u8]) {
    let bytes = text.bytes().filter(|byte| *byte != 0).take(room.len().saturating_sub(1));
    room.iter_mut().zip(bytes.chain([0])).for_each(|(place, byte)| *place = byte);
}
