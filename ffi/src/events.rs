//! `dc_events`: records of which a frame has any number.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::sync::Mutex;

use darkchunk_core::chunk::Compression;
use darkchunk_hdf5::{Api, Column, Events, Library};

use crate::recorder::CColumn;
use crate::status::{Failure, Status, free, guard, reference, require, set, slice, text};

/// `dc_events`
pub(crate) struct CEvents {
    events: Mutex<Events>,
    row_bytes: Vec<usize>,
}

impl CEvents {
    fn call<R>(&self, call: impl FnOnce(&mut Events) -> Result<R, Failure>) -> Result<R, Failure> {
        let mut events = self.events.try_lock().map_err(|_| {
            Failure::Argument("another thread is in a call with these events: push from one thread".into())
        })?;
        call(&mut events)
    }
}

/// Makes a group of records.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_events_create(
    hdf5: *const Api,
    at: i64,
    path: *const c_char,
    columns: *const CColumn,
    n_columns: usize,
    filter: u32,
    values: *const u32,
    n_values: usize,
    events: *mut *mut CEvents,
) -> Status {
    guard(|| {
        require(hdf5, "hdf5")?;
        require(events, "events")?;
        // SAFETY: promised by the caller.
        let api = unsafe { Api::read(hdf5) };
        // SAFETY: promised by the caller.
        let library = unsafe { Library::new(&api) }?;
        // SAFETY: promised by the caller.
        let path = unsafe { text(path, "path") }?;
        // SAFETY: promised by the caller.
        let columns = unsafe { slice(columns, n_columns, "columns") }?;
        // SAFETY: promised by the caller.
        let read = columns.iter().map(|column| unsafe { column.read() });
        let columns = read.collect::<Result<Vec<Column>, Failure>>()?;
        // SAFETY: promised by the caller.
        let values = unsafe { slice(values, n_values, "values") }?;
        let compression = if filter == 0 { Compression::NONE } else { Compression::filter(filter, values) };
        let made = Events::create(&library, at, path, &columns, &compression)?;
        let row_bytes = columns.iter().map(Column::row_bytes).collect();
        let made = CEvents { events: Mutex::new(made), row_bytes };
        // SAFETY: promised by the caller.
        unsafe { set(events, Box::into_raw(Box::new(made)), "events") }
    })
}

/// Takes the records of a frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_events_push(
    events: *const CEvents,
    frame: u64,
    values: *const *const c_void,
    n_records: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let events = unsafe { reference(events, "events") }?;
        // SAFETY: promised by the caller.
        let pointers = unsafe { slice(values, events.row_bytes.len(), "values") }?;
        let mut values = Vec::with_capacity(pointers.len());
        for (index, (pointer, row_bytes)) in pointers.iter().zip(&events.row_bytes).enumerate() {
            let n_bytes = n_records
                .checked_mul(*row_bytes)
                .ok_or_else(|| Failure::Argument(format!("n_records is {n_records}: so many are in no memory")))?;
            // SAFETY: promised by the caller.
            values.push(unsafe { slice(pointer.cast::<u8>(), n_bytes, format_args!("values[{index}]")) }?);
        }
        events.call(|events| Ok(events.push(frame, &values)?))
    })
}

/// Writes what is held, and flushes the file.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_events_flush(events: *const CEvents, n_frames: u64) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let events = unsafe { reference(events, "events") }?;
        events.call(|events| Ok(events.flush(n_frames)?))
    })
}

/// Ends the events.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_events_free(events: *mut CEvents) {
    // SAFETY: made by `dc_events_create`, and not used again.
    unsafe { free(events) };
}
