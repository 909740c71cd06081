//! `dc_reduction`: sums over frames that go on from call to call.

#![allow(unsafe_code)]

use darkchunk_stream::Reduction as Core;

use crate::reader::{Reader, seconds};
use crate::sparse::ignored;
use crate::status::{Failure, Status, free, guard, reference, reference_mut, require, set, slice_mut};

/// `dc_reduction`
pub(crate) struct Reduction(Core);

/// Writes what was asked for.
///
/// # Safety
/// Each is null, or has room for the pixels of a frame.
pub(crate) unsafe fn put(all: &Core, sum: *mut i64, max: *mut i64, count: *mut u64) -> Result<(), Failure> {
    let n = all.n_pixels();
    // SAFETY: the caller's promise.
    let sum = unsafe { wanted(sum, n, "sum") }?;
    // SAFETY: as above.
    let max = unsafe { wanted(max, n, "max") }?;
    // SAFETY: as above.
    let count = unsafe { wanted(count, n, "count") }?;
    Ok(all.put(sum, max, count)?)
}

/// # Safety
/// `to` is null, or has room for `n`.
unsafe fn wanted<'a, T>(to: *mut T, n: usize, name: &'static str) -> Result<Option<&'a mut [T]>, Failure> {
    // SAFETY: the caller's promise.
    if to.is_null() { Ok(None) } else { unsafe { slice_mut(to, n, name) }.map(Some) }
}

/// Sums of no frame yet.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reduction_new(
    reader: *const Reader,
    ignore: *const i64,
    reduction: *mut *mut Reduction,
) -> Status {
    guard(|| {
        require(reduction, "reduction")?;
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let made = Reduction(state.core.reduction(unsafe { ignored(ignore) })?);
        // SAFETY: promised by the caller.
        unsafe { set(reduction, Box::into_raw(Box::new(made)), "reduction") }
    })
}

/// Adds frames for some time.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reduction_add(
    reduction: *mut Reduction,
    reader: *const Reader,
    begin: u64,
    end: u64,
    limit: f64,
    next: *mut u64,
) -> Status {
    guard(|| {
        require(next, "next")?;
        // SAFETY: promised by the caller.
        let Reduction(all) = unsafe { reference_mut(reduction, "reduction") }?;
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        let left = all.add(&state.core, begin..end, seconds(limit)?)?;
        // SAFETY: promised by the caller.
        unsafe { set(next, left, "next") }
    })
}

/// The sums of all frames that were added.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reduction_get(
    reduction: *const Reduction,
    sum: *mut i64,
    max: *mut i64,
    count: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let Reduction(all) = unsafe { reference(reduction, "reduction") }?;
        // SAFETY: promised by the caller.
        unsafe { put(all, sum, max, count) }
    })
}

/// Ends it.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reduction_free(reduction: *mut Reduction) {
    // SAFETY: made by `dc_reduction_new`, and not used again.
    unsafe { free(reduction) };
}
