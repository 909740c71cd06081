//! Frames for a `dc_recorder` that are encoded already, or given as the few pixels that are not 0.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use darkchunk_stream::recorder::Encoded;

use crate::push::{hand_out, row};
use crate::recorder::Recorder;
use crate::status::{Failure, Status, guard, reference, require, slice};

/// Takes a frame that is encoded already, and lent.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_push_encoded(
    recorder: *const Recorder,
    number: u64,
    kind: c_int,
    bytes: *const c_void,
    n_bytes: usize,
    buffer: *mut c_void,
    row_at: *const c_void,
    pushed: *mut c_int,
) -> Status {
    guard(|| {
        require(bytes, "bytes")?;
        let kind = match kind {
            1 => Encoded::Chunk,
            2 => Encoded::Stream,
            other => return Err(Failure::Argument(format!("kind is {other}: give a DC_ENCODED_..."))),
        };
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        let mut recording = recorder.lock()?;
        // SAFETY: promised by the caller.
        let row = unsafe { row(row_at, &**recording) }?;
        let made = recording.push_encoded(number, kind, recorder.lent((bytes, n_bytes), &[], buffer), row)?;
        // SAFETY: promised by the caller.
        unsafe { hand_out(pushed, made) }
    })
}

/// Takes a frame given as its pixels that are not 0.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_push_pixels(
    recorder: *const Recorder,
    number: u64,
    places: *const u32,
    values: *const c_void,
    n_pixels: usize,
    row_at: *const c_void,
    pushed: *mut c_int,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let places = unsafe { slice(places, n_pixels, "places") }?;
        let mut recording = recorder.lock()?;
        // SAFETY: promised by the caller.
        let row = unsafe { row(row_at, &**recording) }?;
        // SAFETY: promised by the caller.
        let made = unsafe { recording.push_pixels(number, places, values, row) }?;
        // SAFETY: promised by the caller.
        unsafe { hand_out(pushed, made) }
    })
}

/// Sets of how many encoded frames one is decoded.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_check_every(recorder: *const Recorder, n_frames: u64) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        recorder.lock()?.check_every(n_frames);
        Ok(())
    })
}
