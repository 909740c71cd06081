//! `dc_reader` and `dc_read`: datasets read beside the HDF5 that the program hands in.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use darkchunk_core::element::{ByteOrder, ElementClass, ElementType};
use darkchunk_hdf5::{Api, Library};
use darkchunk_stream::{Missing, Options, Read as Core, Reader as CoreReader, Way};

use crate::status::{Failure, Status, free, guard, reference, reference_mut, require, set, slice, slice_mut};
use crate::types::check_size;

const MAX_RANK: usize = 32;
const MAX_FILTERS: usize = 32;

/// `dc_reader`. The lock lets a refresh in only where no other call works on the core, and no read that has begun holds it.
pub(crate) struct Reader(RwLock<State>);

pub(crate) struct State {
    pub(crate) core: Arc<CoreReader>,
    reason: CString,
}

/// `dc_read`
pub(crate) struct Read(Core);

/// `dc_reader_options`
#[repr(C)]
pub(crate) struct COptions {
    size: usize,
    n_threads: usize,
    missing: c_int,
    only_hdf5: c_int,
}

/// `dc_reader_info`
#[repr(C)]
pub(crate) struct CInfo {
    size: usize,
    way: c_int,
    rank: c_int,
    shape: [u64; MAX_RANK],
    chunk: [u64; MAX_RANK],
    element_bytes: usize,
    element: c_int,
    is_big_endian: c_int,
    n_filters: c_int,
    filters: [u32; MAX_FILTERS],
    n_chunks: u64,
    stored_bytes: u64,
}

impl Reader {
    fn new(core: CoreReader) -> Self {
        let reason = reason(&core);
        Self(RwLock::new(State { core: Arc::new(core), reason }))
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh(&self) -> Result<(), Failure> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let busy = || Failure::Argument("a read of this reader has not ended: end it before the refresh".into());
        let core = Arc::get_mut(&mut state.core).ok_or_else(busy)?;
        core.refresh()?;
        state.reason = reason(&state.core);
        Ok(())
    }
}

impl State {
    fn rank(&self) -> usize {
        self.core.dims().len()
    }
}

fn reason(core: &CoreReader) -> CString {
    CString::new(core.reason().replace('\0', " ")).unwrap_or_default()
}

/// Reads a `dc_reader_options`; null is the default.
///
/// # Safety
/// `options` is null or a `dc_reader_options`.
unsafe fn options(options: *const COptions) -> Result<Options, Failure> {
    if options.is_null() {
        return Ok(Options::default());
    }
    // SAFETY: the caller's promise.
    let given = unsafe { reference(options, "options") }?;
    check_size(given.size, size_of::<COptions>(), "dc_reader_options")?;
    let missing = match given.missing {
        0 => Missing::Fill,
        1 => Missing::Error,
        other => return Err(Failure::Argument(format!("options.missing is {other}: give a DC_MISSING_..."))),
    };
    Ok(Options { n_threads: given.n_threads, missing, only_hdf5: given.only_hdf5 != 0 })
}

/// The `dc_element` of integers that have one, else 0.
fn element(found: ElementType) -> c_int {
    match (found.class, found.n_bytes) {
        (ElementClass::Signed, 1) => 1,
        (ElementClass::Unsigned, 1) => 2,
        (ElementClass::Signed, 2) => 3,
        (ElementClass::Unsigned, 2) => 4,
        (ElementClass::Signed, 4) => 5,
        (ElementClass::Unsigned, 4) => 6,
        _ => 0,
    }
}

/// Start, count and step of a selection.
type Selection<'a> = (&'a [u64], &'a [u64], Option<&'a [u64]>);

/// # Safety
/// Each is null or has `rank` numbers.
unsafe fn selection<'a>(
    rank: usize,
    start: *const u64,
    count: *const u64,
    step: *const u64,
) -> Result<Selection<'a>, Failure> {
    // SAFETY: the caller's promise.
    let start = unsafe { slice(start, rank, "start") }?;
    // SAFETY: the caller's promise.
    let count = unsafe { slice(count, rank, "count") }?;
    // SAFETY: the caller's promise.
    let step = if step.is_null() { None } else { Some(unsafe { slice(step, rank, "step") }?) };
    Ok((start, count, step))
}

/// A reader of an open dataset.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_open(
    hdf5: *const Api,
    dataset: i64,
    with: *const COptions,
    reader: *mut *mut Reader,
) -> Status {
    guard(|| {
        require(hdf5, "hdf5")?;
        require(reader, "reader")?;
        // SAFETY: promised by the caller.
        let api = unsafe { Api::read(hdf5) };
        // SAFETY: promised by the caller.
        let library = unsafe { Library::new(&api) }?;
        // SAFETY: promised by the caller.
        let with = unsafe { options(with) }?;
        let made = Reader::new(CoreReader::open(&library, dataset, with)?);
        // SAFETY: promised by the caller.
        unsafe { set(reader, Box::into_raw(Box::new(made)), "reader") }
    })
}

/// What a reader knows.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_info_of(reader: *const Reader, info: *mut CInfo) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let reader = unsafe { reference(reader, "reader") }?;
        let core = &reader.state().core;
        // SAFETY: promised by the caller.
        let info = unsafe { reference_mut(info, "info") }?;
        check_size(info.size, size_of::<CInfo>(), "dc_reader_info")?;
        let found = core.element();
        let way = match core.way() {
            Way::Direct => 1,
            Way::Hdf5 => 2,
            Way::Chunks => 3,
        };
        let (mut shape, mut chunk, mut filters) = ([0; MAX_RANK], [0; MAX_RANK], [0; MAX_FILTERS]);
        shape.iter_mut().zip(core.dims()).for_each(|(to, from)| *to = *from);
        chunk.iter_mut().zip(core.chunk().unwrap_or_default()).for_each(|(to, from)| *to = *from);
        filters.iter_mut().zip(core.filters()).for_each(|(to, from)| *to = from);
        let (n_chunks, stored_bytes) = core.stored().unwrap_or_default();
        *info = CInfo {
            size: info.size,
            way,
            rank: core.dims().len() as c_int,
            shape,
            chunk,
            element_bytes: found.n_bytes,
            element: element(found),
            is_big_endian: c_int::from(element(found) != 0 && found.order == ByteOrder::Big),
            n_filters: core.filters().count() as c_int,
            filters,
            n_chunks,
            stored_bytes,
        };
        Ok(())
    })
}

/// Why a dataset is not read directly.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_reason(reader: *const Reader) -> *const c_char {
    // SAFETY: promised by the caller.
    unsafe { reader.as_ref() }.map_or(c"".as_ptr(), |reader| reader.state().reason.as_ptr())
}

/// Reads a selection.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_read(
    reader: *const Reader,
    start: *const u64,
    count: *const u64,
    step: *const u64,
    dst: *mut c_void,
    strides: *const i64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let mut read = unsafe { begin(reader, start, count, step, dst, strides) }?;
        read.step(None)?;
        Ok(())
    })
}

/// # Safety
/// As `darkchunk.h` says of `dc_read_begin`.
unsafe fn begin(
    reader: *const Reader,
    start: *const u64,
    count: *const u64,
    step: *const u64,
    dst: *mut c_void,
    strides: *const i64,
) -> Result<Core, Failure> {
    // SAFETY: the caller's promise.
    let state = unsafe { reference(reader, "reader") }?.state();
    // SAFETY: the caller's promise.
    let (start, count, step) = unsafe { selection(state.rank(), start, count, step) }?;
    require(dst, "dst")?;
    // SAFETY: the caller's promise.
    let strides = if strides.is_null() { None } else { Some(unsafe { slice(strides, count.len(), "strides") }?) };
    // SAFETY: the caller's promise.
    Ok(unsafe { Core::begin(&state.core, start, count, step, dst.cast(), strides) }?)
}

/// Begins to read a selection in pieces.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_read_begin(
    reader: *const Reader,
    start: *const u64,
    count: *const u64,
    step: *const u64,
    dst: *mut c_void,
    strides: *const i64,
    read: *mut *mut Read,
) -> Status {
    guard(|| {
        require(read, "read")?;
        // SAFETY: promised by the caller.
        let made = unsafe { begin(reader, start, count, step, dst, strides) }?;
        // SAFETY: promised by the caller.
        unsafe { set(read, Box::into_raw(Box::new(Read(made))), "read") }
    })
}

/// A limit in time; longer than there is a time for is without one.
pub(crate) fn seconds(seconds: f64) -> Result<Option<Duration>, Failure> {
    if seconds >= 0.0 {
        return Ok(Duration::try_from_secs_f64(seconds).ok());
    }
    Err(Failure::Argument(format!("{seconds} is no number of seconds")))
}

/// Reads on for some time.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_read_step(read: *mut Read, seconds: f64, is_done: *mut c_int) -> Status {
    guard(|| {
        require(is_done, "is_done")?;
        // SAFETY: promised by the caller.
        let read = unsafe { reference_mut(read, "read") }?;
        let done = read.0.step(self::seconds(seconds)?)?;
        // SAFETY: promised by the caller.
        unsafe { set(is_done, c_int::from(done), "is_done") }
    })
}

/// Ends a read.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_read_free(read: *mut Read) {
    // SAFETY: made by `dc_read_begin`, and not used again.
    unsafe { free(read) };
}

/// Which elements of a selection were never stored.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_missing(
    reader: *const Reader,
    start: *const u64,
    count: *const u64,
    step: *const u64,
    missing: *mut u8,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let (start, count, step) = unsafe { selection(state.rank(), start, count, step) }?;
        let n_elements = count.iter().try_fold(1_usize, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
        let n_elements = n_elements.ok_or_else(|| Failure::Argument("the selection is too large".into()))?;
        // SAFETY: promised by the caller.
        let missing = unsafe { slice_mut(missing, n_elements, "missing") }?;
        Ok(state.core.missing(start, count, step, missing)?)
    })
}

/// Where a chunk is.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_chunk(
    reader: *const Reader,
    offset: *const u64,
    address: *mut u64,
    n_bytes: *mut u64,
    mask: *mut u32,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let offset = unsafe { slice(offset, state.rank(), "offset") }?;
        let found = state.core.stored_chunk(offset)?;
        let (at, n, left_out) = found.map_or((0, 0, 0), |chunk| (chunk.address, chunk.n_bytes, chunk.mask));
        // SAFETY: promised by the caller.
        unsafe { set_if_wanted(address, at) };
        // SAFETY: promised by the caller.
        unsafe { set_if_wanted(n_bytes, n) };
        // SAFETY: promised by the caller.
        unsafe { set_if_wanted(mask, left_out) };
        Ok(())
    })
}

/// # Safety
/// `pointer` is null or may be written.
unsafe fn set_if_wanted<T>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        // SAFETY: the caller's promise.
        unsafe { pointer.write(value) };
    }
}

/// Sees what was added to the dataset.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_refresh(reader: *mut Reader) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference(reader, "reader") }?.refresh()
    })
}

/// Ends a reader.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_free(reader: *mut Reader) {
    // SAFETY: made by `dc_reader_open`, and not used again.
    unsafe { free(reader) };
}
