//! `dc_recorder`: frames by their number, encoded in threads, over the HDF5 that the program hands in.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use darkchunk_core::chunk::Processing;
use darkchunk_hdf5::{Api, Column, Dataset, FileElement, Flush, Library, Number};
use darkchunk_stream::recorder::{
    Buffer, Candidate, Classes, Encoded, Measures, Monitor, NotPushed, Options, PixelFormat, Policy, Pushed,
    Recorder as Core, Statistics, Veto,
};

use crate::element::with_element;
use crate::live::View;
use crate::status::{Failure, Status, free, guard, reference, reference_mut, require, set, slice, slice_mut, text};
use crate::types::{CProcessing, Chunk, Plan, check_size, flush, processing};

/// `dc_recorder`. The lock tells two threads that push at the same time; statistics need none.
pub(crate) struct Recorder {
    recording: Mutex<Box<dyn Recording>>,
    monitor: Monitor<Lent>,
    view: Box<dyn View>,
    home: Arc<Home>,
}

/// `dc_measures`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct CMeasures {
    sum: i64,
    n_bright: u64,
    maximum: i64,
}

/// `dc_column`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CColumn {
    name: *const c_char,
    number: c_int,
    n: usize,
    units: *const c_char,
}

type Keep = unsafe extern "C" fn(*mut c_void, u64, *const CMeasures) -> c_int;
type Release = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// `dc_recorder_options`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct COptions {
    size: usize,
    n_workers: usize,
    max_bytes: u64,
    policy: c_int,
    format: c_int,
    writer_thread: c_int,
    has_least: c_int,
    least: CMeasures,
    keep: Option<Keep>,
    keep_context: *mut c_void,
    first_number: u64,
    reorder: u64,
    max_gap: u64,
    columns: *const CColumn,
    n_columns: usize,
    release: Option<Release>,
    release_context: *mut c_void,
    no_journal: c_int,
    reserve_bytes: u64,
    swmr: c_int,
    class_column: *const c_char,
    n_classes: usize,
}

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
}

/// A pointer of the caller's, for which nothing but the caller's promise stands.
#[derive(Debug, Clone, Copy)]
struct Context(*mut c_void);

// SAFETY: `darkchunk.h` says that the functions which get it are called by any thread, and the memory read by any.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// Where released buffers go: to the caller's function, or into a list that the caller asks for.
#[derive(Debug)]
struct Home {
    release: Option<Release>,
    context: Context,
    released: Mutex<Vec<Context>>,
}

impl Home {
    fn released(&self) -> MutexGuard<'_, Vec<Context>> {
        self.released.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame in the caller's memory.
#[derive(Debug)]
pub(crate) struct Lent {
    first: (Context, usize),
    others: Vec<(Context, usize)>,
    buffer: Context,
    /// `None` where the caller has it back already.
    home: Option<Arc<Home>>,
}

impl Buffer for Lent {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        let others = || self.others.get(index - 1).copied();
        let (at, n_bytes) = if index == 0 { self.first } else { others()? };
        // SAFETY: the caller promised so many bytes, unchanged until they are released; null was refused.
        Some(unsafe { std::slice::from_raw_parts(at.0.cast::<u8>(), n_bytes) })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(home) = self.home.take() else { return };
        match home.release {
            // SAFETY: the caller's function, which takes this.
            Some(release) => unsafe { release(home.context.0, self.buffer.0) },
            None => home.released().push(self.buffer),
        }
    }
}

/// A recorder of some element type.
pub(crate) trait Recording: Send {
    fn frame_bytes(&self) -> usize;
    fn row_bytes(&self) -> usize;
    fn push(&mut self, number: u64, frame: Lent, row: &[u8]) -> Result<Pushed, Failure>;
    fn push_copy(&mut self, number: u64, frame: &[u8], row: &[u8]) -> Result<Pushed, Failure>;
    fn push_encoded(&mut self, number: u64, kind: Encoded, frame: Lent, row: &[u8]) -> Result<Pushed, Failure>;
    /// # Safety
    /// `values` is as long as `places`, and of the recorder's pixels.
    unsafe fn push_pixels(
        &mut self,
        number: u64,
        places: &[u32],
        values: *const c_void,
        row: &[u8],
    ) -> Result<Pushed, Failure>;
    fn check_every(&self, n_frames: u64);
    fn poll(&mut self) -> Result<(), Failure>;
    fn flush(&mut self, sync: bool) -> Result<(), Failure>;
    fn finish(&mut self) -> Result<Statistics, Failure>;
    fn abandon(&mut self) -> Result<Statistics, Failure>;
}

impl<P: FileElement + Into<i64>> Recording for Core<P, Lent> {
    fn frame_bytes(&self) -> usize {
        Core::frame_bytes(self)
    }

    fn row_bytes(&self) -> usize {
        Core::row_bytes(self)
    }

    fn push(&mut self, number: u64, frame: Lent, row: &[u8]) -> Result<Pushed, Failure> {
        Core::push_with(self, number, frame, row).map_err(kept)
    }

    fn push_encoded(&mut self, number: u64, kind: Encoded, frame: Lent, row: &[u8]) -> Result<Pushed, Failure> {
        Core::push_encoded(self, number, kind, frame, row).map_err(kept)
    }

    unsafe fn push_pixels(
        &mut self,
        number: u64,
        places: &[u32],
        values: *const c_void,
        row: &[u8],
    ) -> Result<Pushed, Failure> {
        // SAFETY: the caller's promise.
        let values = unsafe { slice(values.cast::<P>(), places.len(), "values") }?;
        Ok(Core::push_pixels(self, number, places, values, row)?)
    }

    fn check_every(&self, n_frames: u64) {
        Core::check_every(self, n_frames);
    }

    fn push_copy(&mut self, number: u64, frame: &[u8], row: &[u8]) -> Result<Pushed, Failure> {
        Ok(Core::push_copy(self, number, &[frame], row)?)
    }

    fn poll(&mut self) -> Result<(), Failure> {
        Ok(Core::poll(self)?)
    }

    fn flush(&mut self, sync: bool) -> Result<(), Failure> {
        Ok(Core::flush(self, sync)?)
    }

    fn finish(&mut self) -> Result<Statistics, Failure> {
        Ok(Core::finish(self)?)
    }

    fn abandon(&mut self) -> Result<Statistics, Failure> {
        Ok(Core::abandon(self)?)
    }
}

/// A frame that was not taken stays the caller's.
fn kept(refused: NotPushed<Lent>) -> Failure {
    if let Some(mut frame) = refused.frame {
        frame.home = None;
    }
    refused.error.into()
}

impl From<Measures> for CMeasures {
    fn from(measures: Measures) -> Self {
        Self { sum: measures.sum, n_bright: measures.n_bright, maximum: measures.maximum }
    }
}

impl COptions {
    fn policy(&self) -> Result<Policy, Failure> {
        match self.policy {
            0 => Ok(Policy::Block),
            1 => Ok(Policy::Drop),
            other => Err(Failure::Argument(format!("options.policy is {other}: give a DC_POLICY_..."))),
        }
    }

    fn format(&self) -> Result<PixelFormat, Failure> {
        match self.format {
            0 => Ok(PixelFormat::Native),
            1 => Ok(PixelFormat::Mono8),
            2 => Ok(PixelFormat::Mono12p),
            3 => Ok(PixelFormat::Mono16),
            other => Err(Failure::Argument(format!("options.format is {other}: give a DC_FORMAT_..."))),
        }
    }

    fn veto<P>(&self) -> Option<Veto<P>> {
        if let Some(keep) = self.keep {
            let context = Context(self.keep_context);
            return Some(Veto::Ask(Arc::new(move |candidate: &Candidate<'_, P>| {
                let (Context(context), measures) = (context, candidate.measures.into());
                // SAFETY: the caller's function, which any thread may call.
                unsafe { keep(context, candidate.number, &raw const measures) != 0 }
            })));
        }
        let CMeasures { sum, n_bright, maximum } = self.least;
        (self.has_least != 0).then_some(Veto::AtLeast(Measures { sum, n_bright, maximum }))
    }

    /// # Safety
    /// `columns` are `n_columns` whose texts are null or C strings.
    unsafe fn columns(&self) -> Result<Vec<Column>, Failure> {
        // SAFETY: the caller's promise.
        let columns = unsafe { slice(self.columns, self.n_columns, "options.columns") }?;
        // SAFETY: the caller's promise.
        columns.iter().map(|column| unsafe { column.read() }).collect()
    }

    /// # Safety
    /// `class_column` is null or a C string.
    unsafe fn classes(&self) -> Result<Option<Classes>, Failure> {
        if self.class_column.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let column = unsafe { text(self.class_column, "options.class_column") }?.to_owned();
        Ok(Some(Classes { column, n: self.n_classes }))
    }

    /// # Safety
    /// As [`columns`](Self::columns) and [`classes`](Self::classes).
    unsafe fn read<P>(&self, flush: Flush) -> Result<Options<P>, Failure> {
        let default = Options::<P>::default();
        Ok(Options {
            n_workers: if self.n_workers == usize::MAX { default.n_workers } else { self.n_workers },
            max_bytes: match self.max_bytes {
                0 => default.max_bytes,
                max_bytes => usize::try_from(max_bytes).unwrap_or(usize::MAX),
            },
            policy: self.policy()?,
            flush,
            writer_thread: self.writer_thread != 0,
            first_number: self.first_number,
            share: None,
            reorder: self.reorder,
            max_gap: self.max_gap,
            format: self.format()?,
            veto: self.veto(),
            journal: self.no_journal == 0,
            reserve_bytes: self.reserve_bytes,
            swmr: self.swmr != 0,
            // SAFETY: the caller's promise.
            classes: unsafe { self.classes() }?,
            // SAFETY: the caller's promise.
            columns: unsafe { self.columns() }?,
        })
    }
}

impl CColumn {
    /// # Safety
    /// The texts are null or C strings.
    pub(crate) unsafe fn read(&self) -> Result<Column, Failure> {
        // SAFETY: the caller's promise.
        let name = unsafe { text(self.name, "column.name") }?.to_owned();
        let units = if self.units.is_null() {
            String::new()
        } else {
            // SAFETY: the caller's promise.
            unsafe { text(self.units, "column.units") }?.to_owned()
        };
        Ok(Column { name, number: number(self.number)?, len: self.n, units })
    }
}

fn number(code: c_int) -> Result<Number, Failure> {
    Ok(match code {
        1 => Number::I8,
        2 => Number::U8,
        3 => Number::I16,
        4 => Number::U16,
        5 => Number::I32,
        6 => Number::U32,
        7 => Number::I64,
        8 => Number::U64,
        9 => Number::F32,
        10 => Number::F64,
        other => {
            return Err(Failure::Argument(format!("column.number is {other}: give a dc_element or a DC_INT64 ...")));
        }
    })
}

fn code(pushed: Pushed) -> c_int {
    match pushed {
        Pushed::Taken => 0,
        Pushed::Dropped => 1,
        Pushed::Duplicate => 2,
        Pushed::Late => 3,
        Pushed::OutOfRange => 4,
    }
}

impl Recorder {
    pub(crate) fn view(&self) -> &dyn View {
        &*self.view
    }

    /// Memory of the caller's, which goes home when it is dropped.
    pub(crate) fn lent(&self, bytes: *const c_void, n_bytes: usize, buffer: *mut c_void) -> Lent {
        let first = (Context(bytes.cast_mut()), n_bytes);
        Lent { first, others: Vec::new(), buffer: Context(buffer), home: Some(Arc::clone(&self.home)) }
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
        require(recorder, "recorder")?;
        // SAFETY: promised by the caller.
        let api = unsafe { Api::read(hdf5) };
        // SAFETY: promised by the caller.
        let library = unsafe { Library::new(&api) }?;
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
            compression: plan.compression,
            nexus: nexus != 0,
        };
        // SAFETY: `chunk` was read.
        let element = unsafe { (*chunk).element };
        let home = Arc::new(Home {
            release: options.release,
            context: Context(options.release_context),
            released: Mutex::default(),
        });
        with_element!(element, P => {
            // SAFETY: promised by the caller.
            let processing: Processing<P> = unsafe { processing(with, plan.shape.frame_pixels()) }?;
            // SAFETY: promised by the caller.
            let flush = unsafe { flush(with) }?;
            // SAFETY: promised by the caller.
            let options = unsafe { options.read::<P>(flush) }?;
            let core = Core::<P, Lent>::create(&library, at, &dataset, processing, options)?;
            let (monitor, view) = (core.monitor(), Box::new(core.live()));
            let made = Recorder { recording: Mutex::new(Box::new(core)), monitor, view, home };
            // SAFETY: promised by the caller.
            unsafe { set(recorder, Box::into_raw(Box::new(made)), "recorder") }
        })
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

/// Takes a frame that is lent.
///
/// # Safety
/// As `darkchunk.h` says.
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
        let first = (Context(frame.cast_mut()), recording.frame_bytes());
        let home = Some(Arc::clone(&recorder.home));
        let lent = Lent { first, others: Vec::new(), buffer: Context(buffer), home };
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
        let mut pieces = Vec::with_capacity(n_strips);
        for (index, (strip, n_bytes)) in strips.iter().zip(lens).enumerate() {
            require(*strip, format_args!("strips[{index}]"))?;
            pieces.push((Context(strip.cast_mut()), *n_bytes));
        }
        let mut recording = recorder.lock()?;
        let [first, others @ ..] = &pieces[..] else {
            return Err(Failure::Argument("n_strips is 0: a frame has at least one strip".into()));
        };
        let home = Some(Arc::clone(&recorder.home));
        let lent = Lent { first: *first, others: others.to_vec(), buffer: Context(buffer), home };
        // SAFETY: promised by the caller.
        unsafe { push(&mut **recording, number, lent, row_at, pushed) }
    })
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
    let row = unsafe { row(row_at, recording) }.inspect_err(|_| lent.home = None)?;
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
        let found = unsafe { reference(recorder, "recorder") }?.monitor.statistics()?;
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
        let fault = unsafe { reference(recorder, "recorder") }?.monitor.fault()?.unwrap_or_default();
        // SAFETY: promised by the caller.
        let room = unsafe { slice_mut(text.cast::<u8>(), capacity, "text") }?;
        let bytes = fault.bytes().filter(|byte| *byte != 0).take(capacity.saturating_sub(1));
        room.iter_mut().zip(bytes.chain([0])).for_each(|(place, byte)| *place = byte);
        Ok(())
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
