//! What a recorder has done.

#![allow(unsafe_code)]

use std::ffi::c_char;

use crate::recorder::Recorder;
use crate::status::{Status, guard, reference, reference_mut, slice_mut};
use crate::types::check_size;

/// `dc_recorder_statistics`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CStatistics {
    size: usize,
    n_received: u64,
    n_stored: u64,
    n_vetoed: u64,
    n_refused: u64,
    n_held: u64,
    n_lost: u64,
    n_dropped: u64,
    n_late: u64,
    n_duplicate: u64,
    n_out_of_range: u64,
    n_missing: u64,
    n_flushed: u64,
    n_queued: u64,
    bytes_received: u64,
    bytes_stored: u64,
    bytes_held: u64,
    seconds_behind: f64,
    bytes_decoded: u64,
    seconds: f64,
    gb_per_s: f64,
    codec_ratio: f64,
    ratio: f64,
}
/// What has been done so far.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_statistics_of(
    recorder: *const Recorder,
    statistics: *mut CStatistics,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let found = unsafe { reference(recorder, "recorder") }?.statistics()?;
        // SAFETY: promised by the caller.
        let statistics = unsafe { reference_mut(statistics, "statistics") }?;
        check_size(statistics.size, size_of::<CStatistics>(), "dc_recorder_statistics")?;
        *statistics = CStatistics {
            size: statistics.size,
            n_received: found.n_received,
            n_stored: found.n_stored,
            n_vetoed: found.n_vetoed,
            n_refused: found.n_refused,
            n_held: found.n_held,
            n_lost: found.n_lost,
            n_dropped: found.n_dropped,
            n_late: found.n_late,
            n_duplicate: found.n_duplicate,
            n_out_of_range: found.n_out_of_range,
            n_missing: found.n_missing,
            n_flushed: found.n_flushed,
            n_queued: found.n_queued as u64,
            bytes_received: found.bytes_received,
            bytes_stored: found.bytes_stored,
            bytes_held: found.bytes_held as u64,
            seconds_behind: found.seconds_behind,
            bytes_decoded: found.bytes_decoded,
            seconds: found.seconds,
            gb_per_s: found.gb_per_s,
            codec_ratio: found.codec_ratio().unwrap_or(0.0),
            ratio: found.ratio().unwrap_or(0.0),
        };
        Ok(())
    })
}

/// Why the last frame that was refused was.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_fault(
    recorder: *const Recorder,
    text: *mut c_char,
    capacity: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let fault = unsafe { reference(recorder, "recorder") }?.fault()?.unwrap_or_default();
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(text.cast::<u8>(), capacity, "text") }?;
        let bytes = fault.bytes().filter(|byte| *byte != 0).take(capacity.saturating_sub(1));
        room.iter_mut().zip(bytes.chain([0])).for_each(|(place, byte)| *place = byte);
        Ok(())
    })
}
