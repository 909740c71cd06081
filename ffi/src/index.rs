//! `dc_index`: where the blocks of chunks are, written to a file beside the dataset's, and used.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};
use std::path::Path;

use darkchunk_stream::IndexWriter;

use crate::reader::{Reader, seconds};
use crate::status::{Status, free, guard, reference, reference_mut, require, set, text};

/// `dc_index`
pub(crate) struct Index(IndexWriter);

/// Uses an index of blocks.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_load_index(
    reader: *const Reader,
    path: *const c_char,
    n_chunks: *mut u64,
) -> Status {
    guard(|| {
        require(n_chunks, "n_chunks")?;
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let n_known = state.core.load_index(Path::new(unsafe { text(path, "path") }?))?;
        // SAFETY: promised by the caller.
        unsafe { set(n_chunks, n_known, "n_chunks") }
    })
}

/// Begins to write one.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_index_begin(
    reader: *const Reader,
    path: *const c_char,
    index: *mut *mut Index,
) -> Status {
    guard(|| {
        require(index, "index")?;
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let made = IndexWriter::begin(&state.core, Path::new(unsafe { text(path, "path") }?))?;
        // SAFETY: promised by the caller.
        unsafe { set(index, Box::into_raw(Box::new(Index(made))), "index") }
    })
}

/// Walks chunks for some time.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_index_step(index: *mut Index, limit: f64, is_done: *mut c_int) -> Status {
    guard(|| {
        require(is_done, "is_done")?;
        // SAFETY: promised by the caller.
        let Index(writer) = unsafe { reference_mut(index, "index") }?;
        let done = writer.step(seconds(limit)?)?;
        // SAFETY: promised by the caller.
        unsafe { set(is_done, c_int::from(done), "is_done") }
    })
}

/// Ends it; what is not complete is removed.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_index_free(index: *mut Index) {
    // SAFETY: made by `dc_index_begin`, and not used again.
    unsafe { free(index) };
}
