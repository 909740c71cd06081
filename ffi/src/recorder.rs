//! `dc_recorder`: frames by their number, encoded in threads, over the HDF5 that the program hands in.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use darkchunk_core::chunk::Processing;
use darkchunk_core::kernels::drle::MAX_THRESHOLD;
use darkchunk_hdf5::{Api, Dataset, Library};
use darkchunk_stream::recorder::{Complete, Files, Monitor, Recorder as Core, Spread, Statistics};

use crate::element::with_element;
use crate::live::View;
use crate::status::{Failure, Status, free, guard, reference, require, set, slice_mut, text};
use crate::types::{CProcessing, Chunk, Plan, check_size, flush, processing};
pub(crate) use lent::Lent;
use lent::{Context, Home};
pub(crate) use options::{CColumn, COptions};
pub(crate) use recording::Recording;

mod lent;
mod options;
mod recording;

/// Memory of the caller's, and how many bytes.
pub(crate) type Piece = (*const c_void, usize);

/// `dc_recorder`. The lock tells two threads that push at the same time; statistics need none.
pub(crate) struct Recorder {
    recording: Mutex<Box<dyn Recording>>,
    /// What is seen from other threads; of several files it is nothing.
    seen: Option<(Monitor<Lent>, Box<dyn View>)>,
    home: Arc<Home>,
    /// Files that are complete and that nobody has been told of.
    complete: Mutex<Vec<Complete>>,
}

impl Recorder {
    pub(crate) fn view(&self) -> Result<&dyn View, Failure> {
        let seen = self.seen.as_ref().map(|(_, view)| &**view);
        let text = "a recorder to several files has no live view: make one to one file";
        seen.ok_or_else(|| Failure::Argument(text.to_owned()))
    }

    pub(crate) fn statistics(&self) -> Result<Statistics, Failure> {
        match &self.seen {
            Some((monitor, _)) => Ok(monitor.statistics()?),
            None => self.lock()?.statistics(),
        }
    }

    /// Why the last frame that was refused was, or why there is no index of blocks.
    pub(crate) fn fault(&self) -> Result<Option<String>, Failure> {
        match &self.seen {
            Some((monitor, _)) => Ok(monitor.fault()?),
            None => self.lock()?.fault(),
        }
    }

    /// The next file that is complete, as a line of JSON.
    pub(crate) fn next_complete(&self) -> Result<Option<String>, Failure> {
        let mut complete = self.complete.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if complete.is_empty() {
            *complete = self.lock()?.complete()?;
        }
        Ok((!complete.is_empty()).then(|| complete.remove(0).json()))
    }

    /// Memory of the caller's, which goes home when it is dropped: pieces and their bytes.
    pub(crate) fn lent(&self, (first, n_bytes): Piece, others: &[Piece], buffer: *mut c_void) -> Lent {
        let piece = |(at, n_bytes): Piece| (Context(at.cast_mut()), n_bytes);
        let others = others.iter().copied().map(piece).collect();
        Lent { first: piece((first, n_bytes)), others, buffer: Context(buffer), home: Some(Arc::clone(&self.home)) }
    }

    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, Box<dyn Recording>>, Failure> {
        match self.recording.try_lock() {
            Ok(recording) => Ok(recording),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(Failure::Argument("another thread is in a call with this recorder: push from one thread".into()))
            }
        }
    }
}

/// Makes a dataset and a recorder to it.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_create(
    hdf5: *const Api,
    at: i64,
    path: *const c_char,
    chunk: *const Chunk,
    nexus: c_int,
    with: *const CProcessing,
    options: *const COptions,
    recorder: *mut *mut Recorder,
) -> Status {
    guard(|| {
        require(hdf5, "hdf5")?;
        // SAFETY: promised by the caller.
        let api = unsafe { Api::read(hdf5) };
        // SAFETY: promised by the caller.
        let library = unsafe { Library::new(&api) }?;
        // SAFETY: promised by the caller.
        unsafe { create(&library, &Where::File(at), path, (chunk, nexus), with, options, recorder) }
    })
}

/// What is recorded to.
pub(crate) enum Where<'a> {
    /// A dataset below this file or group.
    File(i64),
    /// Files beside this master.
    Files(&'a str, Spread),
}

/// Makes a recorder.
///
/// # Safety
/// As `darkchunk.h` says of the arguments of `dc_recorder_create`.
pub(crate) unsafe fn create(
    library: &Library,
    at: &Where<'_>,
    path: *const c_char,
    (chunk, nexus): (*const Chunk, c_int),
    with: *const CProcessing,
    options: *const COptions,
    recorder: *mut *mut Recorder,
) -> Result<(), Failure> {
    require(recorder, "recorder")?;
    // SAFETY: promised by the caller.
    let path = unsafe { text(path, "path") }?.to_owned();
    // SAFETY: promised by the caller.
    let plan = unsafe { Plan::read(chunk) }?;
    // SAFETY: promised by the caller.
    let options = unsafe { reference(options, "options") }?;
    check_size(options.size, size_of::<COptions>(), "dc_recorder_options")?;
    let dataset = Dataset {
        path,
        height: plan.shape.height,
        width: plan.shape.width,
        frames_per_chunk: plan.shape.n_frames,
        rows_per_chunk: (options.rows_per_chunk > 0).then_some(options.rows_per_chunk),
        compression: plan.compression,
        nexus: nexus != 0,
    };
    // SAFETY: `chunk` was read.
    let element = unsafe { (*chunk).element };
    let home = Home::new(options.release, options.release_context);
    with_element!(element, P => {
        // SAFETY: promised by the caller.
        let processing: Processing<P> = unsafe { processing(with, plan.shape.frame_pixels()) }?;
        // SAFETY: promised by the caller.
        let flush = unsafe { flush(with) }?;
        // SAFETY: promised by the caller.
        let options = unsafe { options.read::<P>(flush) }?;
        let (recording, seen): (Box<dyn Recording>, _) = match at {
            Where::File(at) => {
                let core = Core::<P, Lent>::create(library, *at, &dataset, processing, options)?;
                let seen: (_, Box<dyn View>) = (core.monitor(), Box::new(core.live()));
                (Box::new(core), Some(seen))
            }
            Where::Files(master, spread) => {
                let spread = spread.clone();
                (Box::new(Files::<P, Lent>::create(library, master, spread, &dataset, processing, options)?), None)
            }
        };
        let made = Recorder { recording: Mutex::new(recording), seen, home, complete: Mutex::default() };
        // SAFETY: promised by the caller.
        unsafe { set(recorder, Box::into_raw(Box::new(made)), "recorder") }
    })
}

/// Bytes of a frame's metadata.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_row_bytes(recorder: *const Recorder, row_bytes: *mut usize) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let n_bytes = unsafe { reference(recorder, "recorder") }?.lock()?.row_bytes();
        // SAFETY: promised by the caller.
        unsafe { set(row_bytes, n_bytes, "row_bytes") }
    })
}

/// Keeps pixels from another threshold on.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_set_threshold(
    recorder: *const Recorder,
    threshold: u32,
    number: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let mut recording = unsafe { reference(recorder, "recorder") }?.lock()?;
        let checked = u16::try_from(threshold).ok().filter(|threshold| (1..=MAX_THRESHOLD).contains(threshold));
        let refused = || Failure::Argument(format!("the threshold is {threshold}: give one from 1 to 32767"));
        let found = recording.set_threshold(checked.ok_or_else(refused)?)?;
        // SAFETY: promised by the caller.
        if number.is_null() { Ok(()) } else { unsafe { set(number, found, "number") } }
    })
}

/// Subtracts another dark image, or none.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_set_dark(
    recorder: *const Recorder,
    dark: *const c_void,
    number: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let mut recording = unsafe { reference(recorder, "recorder") }?.lock()?;
        // SAFETY: promised by the caller.
        let found = unsafe { recording.set_dark(dark) }?;
        // SAFETY: promised by the caller.
        if number.is_null() { Ok(()) } else { unsafe { set(number, found, "number") } }
    })
}

/// Buffers that were released.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_released(
    recorder: *const Recorder,
    buffers: *mut *mut c_void,
    capacity: usize,
    n_buffers: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let recorder = unsafe { reference(recorder, "recorder") }?;
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(buffers, capacity, "buffers") }?;
        require(n_buffers, "n_buffers")?;
        let mut released = recorder.home.released();
        let n = released.len().min(room.len());
        room.iter_mut().zip(released.drain(..n)).for_each(|(place, buffer)| *place = buffer.0);
        // SAFETY: promised by the caller.
        unsafe { set(n_buffers, n, "n_buffers") }
    })
}

/// Stores what is encoded.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_poll(recorder: *const Recorder) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference(recorder, "recorder") }?.lock()?.poll()
    })
}

/// Stores and flushes all chunks that are full or closed.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_flush(recorder: *const Recorder, sync: c_int) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference(recorder, "recorder") }?.lock()?.flush(sync != 0)
    })
}

/// Stores everything.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_finish(recorder: *const Recorder) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference(recorder, "recorder") }?.lock()?.finish().map(drop)
    })
}

/// Ends without what the disk does not take.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_abandon(recorder: *const Recorder) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference(recorder, "recorder") }?.lock()?.abandon().map(drop)
    })
}

/// Ends a recorder.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_recorder_free(recorder: *mut Recorder) {
    // SAFETY: made by `dc_recorder_create`, and not used again.
    unsafe { free(recorder) };
}
