//! `dc_journal_restore`: what a recording that was killed has left.

#![allow(unsafe_code)]

use std::ffi::c_char;
use std::path::Path;

use darkchunk_hdf5::{Api, Library, load};
use darkchunk_stream::journal::{self, Rest, RestoredFile};
use darkchunk_stream::recover::Watch;

use crate::status::{Failure, Status, guard, reference_mut, slice_mut, text};
use crate::types::check_size;

/// `dc_restored`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CRestored {
    size: usize,
    n_chunks: u64,
    n_lost_chunks: u64,
    n_rows: u64,
    n_lost_rows: u64,
    n_unread_bytes: u64,
    n_copied: u64,
    n_lost: u64,
}

/// Restores a file from its journal.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_journal_restore(
    hdf5: *const Api,
    file: *const c_char,
    to: *const c_char,
    restored: *mut CRestored,
    lost: *mut c_char,
    capacity: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let file = unsafe { text(file, "file") }?;
        // SAFETY: promised by the caller.
        let summary = if restored.is_null() { None } else { Some(unsafe { reference_mut(restored, "restored") }?) };
        if let Some(summary) = &summary {
            check_size(summary.size, size_of::<CRestored>(), "dc_restored")?;
        }
        // SAFETY: promised by the caller.
        let to = if to.is_null() { None } else { Some(unsafe { text(to, "to") }?) };
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(lost.cast::<u8>(), if lost.is_null() { 0 } else { capacity }, "lost") }?;
        // SAFETY: promised by the caller.
        let made = restore(&unsafe { library(hdf5) }?, file, to)?;
        if let Some(summary) = summary {
            summarize(&made, summary);
        }
        let text = made.rest.lost().join("\n");
        let bytes = text.bytes().filter(|byte| *byte != 0).take(room.len().saturating_sub(1));
        room.iter_mut().zip(bytes.chain([0])).for_each(|(place, byte)| *place = byte);
        Ok(())
    })
}

fn restore(library: &Library, file: &str, to: Option<&str>) -> Result<RestoredFile, Failure> {
    let made = match to {
        Some(to) => journal::restore_file(library, Path::new(file), Path::new(to), &Watch::NONE),
        None => journal::restore_in_place(library, Path::new(file), &Watch::NONE),
    };
    Ok(made?)
}

/// The HDF5 of a table, or the first that is found.
///
/// # Safety
/// `hdf5` is null or such a table.
unsafe fn library(hdf5: *const Api) -> Result<Library, Failure> {
    if hdf5.is_null() {
        return Ok(load::library()?);
    }
    // SAFETY: the caller's promise.
    let api = unsafe { Api::read(hdf5) };
    // SAFETY: the caller's promise.
    Ok(unsafe { load::of_table(&api) }?)
}

fn summarize(made: &RestoredFile, to: &mut CRestored) {
    let restored = made.restored;
    *to = CRestored {
        size: to.size,
        n_chunks: restored.n_chunks,
        n_lost_chunks: restored.n_lost_chunks,
        n_rows: restored.n_rows,
        n_lost_rows: restored.n_lost_rows,
        n_unread_bytes: restored.n_unread_bytes,
        n_copied: if let Rest::Copied(rest) = &made.rest { rest.n_copied } else { 0 },
        n_lost: made.rest.lost().len() as u64,
    };
}
