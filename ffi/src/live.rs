//! `dc_recorder_live_sum` and what else shows a recording while it goes on.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::time::Duration;

use darkchunk_core::chunk::FrameElement;
use darkchunk_core::element::as_bytes;
use darkchunk_stream::recorder::{Live, LiveSum, Preview};

use crate::recorder::Recorder;
use crate::status::{Failure, Status, guard, reference, set, slice, slice_mut};

const NO_SUM: &str = "no sum is kept: there is one of 16-bit frames only, and where the recorder was not made without (no_sum; in Python \
                      sum=False)";
const NO_MAXIMUM: &str = "no maximum is kept: make the recorder with options.maximum (in Python maximum=True)";

/// `dc_preview`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CPreview {
    threshold: u32,
    n_frames: u32,
    bright: f64,
    ratio: f64,
    frames_per_s: f64,
}

/// What is seen of a recording of some element type.
pub(crate) trait View: Send + Sync {
    fn sum(&self, class: Option<usize>) -> Result<Option<LiveSum>, Failure>;
    /// Writes the greatest values; of how many frames.
    fn maximum(&self, image: &mut [u8]) -> Result<u64, Failure>;
    /// Writes the frame's pixels; its number.
    fn last_frame(&self, frame: &mut [u8]) -> Result<Option<u64>, Failure>;
    fn preview(&self, n_frames: usize, thresholds: &[u16], time: Duration) -> Result<Vec<Preview>, Failure>;
}

impl<P: FrameElement + Into<i64>> View for Live<P> {
    fn sum(&self, class: Option<usize>) -> Result<Option<LiveSum>, Failure> {
        Ok(Live::sum(self, class)?)
    }

    fn maximum(&self, image: &mut [u8]) -> Result<u64, Failure> {
        let found = Live::maximum(self)?;
        let found = found.ok_or_else(|| Failure::Argument(NO_MAXIMUM.into()))?;
        let bytes = as_bytes(&found.pixels);
        check_room("maximum", image.len(), bytes.len())?;
        image.copy_from_slice(bytes);
        Ok(found.n_frames)
    }

    fn last_frame(&self, frame: &mut [u8]) -> Result<Option<u64>, Failure> {
        let Some((number, pixels)) = Live::last_frame(self)? else { return Ok(None) };
        let bytes = as_bytes(&pixels);
        check_room("frame", frame.len(), bytes.len())?;
        frame.copy_from_slice(bytes);
        Ok(Some(number))
    }

    fn preview(&self, n_frames: usize, thresholds: &[u16], time: Duration) -> Result<Vec<Preview>, Failure> {
        Ok(Live::preview(self, n_frames, thresholds, time)?)
    }
}

fn check_room(what: &'static str, found: usize, expected: usize) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(darkchunk_core::Error::BufferSize { what, expected, found }.into())
}

/// The sum so far.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_live_sum(
    recorder: *const Recorder,
    class: usize,
    sum: *mut i64,
    n_pixels: usize,
    n_frames: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(sum, n_pixels, "sum") }?;
        let found = recorder.view()?.sum((class != usize::MAX).then_some(class))?;
        let found = found.ok_or_else(|| Failure::Argument(NO_SUM.into()))?;
        check_room("sum", 8 * room.len(), 8 * found.total.len())?;
        room.copy_from_slice(&found.total);
        // SAFETY: promised by the caller.
        unsafe { set(n_frames, found.n_frames, "n_frames") }
    })
}

/// The greatest value of each pixel so far.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_live_maximum(
    recorder: *const Recorder,
    maximum: *mut c_void,
    n_bytes: usize,
    n_frames: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(maximum.cast::<u8>(), n_bytes, "maximum") }?;
        let found = recorder.view()?.maximum(room)?;
        // SAFETY: promised by the caller.
        unsafe { set(n_frames, found, "n_frames") }
    })
}

/// The newest frame that is encoded.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_last_frame(
    recorder: *const Recorder,
    frame: *mut c_void,
    n_bytes: usize,
    number: *mut u64,
    is_there: *mut c_int,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(frame.cast::<u8>(), n_bytes, "frame") }?;
        let found = recorder.view()?.last_frame(room)?;
        // SAFETY: promised by the caller.
        unsafe { set(number, found.unwrap_or(0), "number") }?;
        // SAFETY: promised by the caller.
        unsafe { set(is_there, c_int::from(found.is_some()), "is_there") }
    })
}

/// What thresholds would make of the next frames.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_preview(
    recorder: *const Recorder,
    n_frames: usize,
    thresholds: *const u16,
    n_thresholds: usize,
    seconds: f64,
    previews: *mut CPreview,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let thresholds = unsafe { slice(thresholds, n_thresholds, "thresholds") }?;
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(previews, n_thresholds, "previews") }?;
        let time = Duration::try_from_secs_f64(seconds)
            .map_err(|error| Failure::Argument(format!("seconds is {seconds}: {error}")))?;
        let found = recorder.view()?.preview(n_frames, thresholds, time)?;
        for (place, found) in room.iter_mut().zip(found) {
            let Preview { threshold, n_frames, bright, ratio, frames_per_s } = found;
            *place = CPreview { threshold: threshold.into(), n_frames: n_frames as u32, bright, ratio, frames_per_s };
        }
        Ok(())
    })
}
