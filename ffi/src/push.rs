//! Frames for a `dc_recorder`: lent, in one piece, in strips or several at once, or copied.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use darkchunk_stream::recorder::Pushed;

use crate::recorder::{Lent, Recorder, Recording};
use crate::status::{Failure, Status, guard, reference, require, set, slice, slice_mut};

fn code(pushed: Pushed) -> c_int {
    match pushed {
        Pushed::Taken => 0,
        Pushed::Dropped => 1,
        Pushed::Duplicate => 2,
        Pushed::Late => 3,
        Pushed::OutOfRange => 4,
    }
}

/// The metadata at a pointer; none where it is null.
///
/// # Safety
/// `row` is null or has as many bytes as the recorder's columns.
pub(crate) unsafe fn row<'a>(row: *const c_void, recording: &dyn Recording) -> Result<&'a [u8], Failure> {
    if row.is_null() {
        return Ok(&[]);
    }
    // SAFETY: the caller's promise.
    unsafe { slice(row.cast::<u8>(), recording.row_bytes(), "row") }
}

/// Takes a frame that is lent.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_push(
    recorder: *const Recorder,
    number: u64,
    frame: *const c_void,
    buffer: *mut c_void,
    row_at: *const c_void,
    pushed: *mut c_int,
) -> Status {
    guard(|| {
        require(frame, "frame")?;
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        let mut recording = recorder.lock()?;
        let lent = recorder.lent((frame, recording.frame_bytes()), &[], buffer);
        // SAFETY: promised by the caller.
        unsafe { push(&mut **recording, number, lent, row_at, pushed) }
    })
}

/// Takes a frame that is lent in several pieces.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_push_strips(
    recorder: *const Recorder,
    number: u64,
    strips: *const *const c_void,
    strip_bytes: *const usize,
    n_strips: usize,
    buffer: *mut c_void,
    row_at: *const c_void,
    pushed: *mut c_int,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let strips = unsafe { slice(strips, n_strips, "strips") }?;
        // SAFETY: promised by the caller.
        let lens = unsafe { slice(strip_bytes, n_strips, "strip_bytes") }?;
        require_all(strips, "strips")?;
        let pieces: Vec<_> = strips.iter().copied().zip(lens.iter().copied()).collect();
        let mut recording = recorder.lock()?;
        let [first, others @ ..] = &pieces[..] else {
            return Err(Failure::Argument("n_strips is 0: a frame has at least one strip".into()));
        };
        let lent = recorder.lent(*first, others, buffer);
        // SAFETY: promised by the caller.
        unsafe { push(&mut **recording, number, lent, row_at, pushed) }
    })
}

fn require_all(pointers: &[*const c_void], what: &str) -> Result<(), Failure> {
    let mut indexed = pointers.iter().enumerate();
    indexed.try_for_each(|(index, pointer)| require(*pointer, format_args!("{what}[{index}]")))
}

/// # Safety
/// `row_at` as [`row`]; `pushed` may be null or written.
unsafe fn push(
    recording: &mut dyn Recording,
    number: u64,
    mut lent: Lent,
    row_at: *const c_void,
    pushed: *mut c_int,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let row = unsafe { row(row_at, recording) }.inspect_err(|_| lent.keep())?;
    let found = recording.push(number, lent, row)?;
    // SAFETY: the caller's promise.
    unsafe { hand_out(pushed, found) }
}

/// # Safety
/// `pushed` may be null or written.
pub(crate) unsafe fn hand_out(pushed: *mut c_int, found: Pushed) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    if pushed.is_null() { Ok(()) } else { unsafe { set(pushed, code(found), "pushed") } }
}

/// Takes several frames that are lent.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_push_frames(
    recorder: *const Recorder,
    numbers: *const u64,
    frames: *const *const c_void,
    n_frames: usize,
    buffers: *const *mut c_void,
    rows: *const c_void,
    pushed: *mut c_int,
    n_pushed: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let numbers = unsafe { slice(numbers, n_frames, "numbers") }?;
        // SAFETY: promised by the caller.
        let frames = unsafe { slice(frames, n_frames, "frames") }?;
        require_all(frames, "frames")?;
        // SAFETY: promised by the caller.
        let buffers = unsafe { slice(buffers, if_given(buffers, n_frames), "buffers") }?;
        // SAFETY: promised by the caller.
        let pushed = unsafe { slice_mut(pushed, if_given(pushed, n_frames), "pushed") }?;
        let mut recording = recorder.lock()?;
        let rows_len = n_frames.saturating_mul(recording.row_bytes());
        // SAFETY: promised by the caller.
        let rows = unsafe { slice(rows.cast::<u8>(), if_given(rows, rows_len), "rows") }?;
        let (frame_bytes, mut pushed, mut n_done) = (recording.frame_bytes(), pushed.iter_mut(), 0);
        let lent = frames.iter().enumerate().map(|(index, frame)| {
            let buffer = buffers.get(index).copied().unwrap_or(frame.cast_mut());
            recorder.lent((*frame, frame_bytes), &[], buffer)
        });
        let result = push_all(&mut **recording, numbers, lent, rows, |found| {
            pushed.next().into_iter().for_each(|place| *place = code(found));
            n_done += 1;
        });
        if !n_pushed.is_null() {
            // SAFETY: promised by the caller.
            unsafe { set(n_pushed, n_done, "n_pushed") }?;
        }
        result
    })
}

/// How many values there are at a pointer that may be null.
fn if_given<T>(pointer: *const T, n: usize) -> usize {
    if pointer.is_null() { 0 } else { n }
}

/// Pushes frames one after the other, and says what became of each. That HDF5 refuses something is told when all are held.
fn push_all(
    recording: &mut dyn Recording,
    numbers: &[u64],
    frames: impl Iterator<Item = Lent>,
    rows: &[u8],
    mut note: impl FnMut(Pushed),
) -> Result<(), Failure> {
    let (row_bytes, mut result) = (if rows.is_empty() { 0 } else { recording.row_bytes() }, Ok(()));
    for (index, (number, lent)) in numbers.iter().zip(frames).enumerate() {
        match recording.push(*number, lent, &rows[index * row_bytes..][..row_bytes]) {
            Ok(found) => note(found),
            Err(failure) if failure.is_held() => {
                note(Pushed::Taken);
                result = Err(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    result
}

/// Takes a copy of a frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_push_copy(
    recorder: *const Recorder,
    number: u64,
    frame: *const c_void,
    row_at: *const c_void,
    pushed: *mut c_int,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        let mut recording = recorder.lock()?;
        // SAFETY: promised by the caller.
        let frame = unsafe { slice(frame.cast::<u8>(), recording.frame_bytes(), "frame") }?;
        // SAFETY: promised by the caller.
        let row = unsafe { row(row_at, &**recording) }?;
        let found = recording.push_copy(number, frame, row)?;
        // SAFETY: promised by the caller.
        unsafe { hand_out(pushed, found) }
    })
}
