//! `dc_sparse`, and what else is made of frames without an image.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;

use darkchunk_stream::Sparse as Core;

use crate::reader::Reader;
use crate::status::{Failure, Status, free, guard, reference, require, set, slice, slice_mut};

/// `dc_sparse`
pub(crate) struct Sparse(Core);

/// # Safety
/// `ignore` is null or a number.
pub(crate) unsafe fn ignored(ignore: *const i64) -> Option<i64> {
    // SAFETY: the caller's promise.
    unsafe { ignore.as_ref() }.copied()
}

/// Copies numbers to where they are wanted.
///
/// # Safety
/// `to` is null, or has room for as many.
pub(crate) unsafe fn put<T: Copy>(to: *mut T, from: &[T], name: &'static str) -> Result<(), Failure> {
    if !to.is_null() {
        // SAFETY: the caller's promise.
        unsafe { slice_mut(to, from.len(), name) }?.copy_from_slice(from);
    }
    Ok(())
}

/// How many frames are stored without a gap.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_n_stored(reader: *const Reader, n_frames: *mut u64) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let n_stored = unsafe { reference(reader, "reader") }?.state().core.n_stored_frames();
        // SAFETY: promised by the caller.
        unsafe { set(n_frames, n_stored, "n_frames") }
    })
}

/// The pixels of frames that are not 0.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_sparse(
    reader: *const Reader,
    begin: u64,
    end: u64,
    ignore: *const i64,
    sparse: *mut *mut Sparse,
) -> Status {
    guard(|| {
        require(sparse, "sparse")?;
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let found = state.core.sparse(begin..end, unsafe { ignored(ignore) })?;
        // SAFETY: promised by the caller.
        unsafe { set(sparse, Box::into_raw(Box::new(Sparse(found))), "sparse") }
    })
}

/// Where the parts of a `dc_sparse` are.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_sparse_get(
    sparse: *const Sparse,
    offsets: *mut *const u64,
    indices: *mut *const u32,
    values: *mut *const c_void,
    n_pixels: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let Sparse(found) = unsafe { reference(sparse, "sparse") }?;
        require(offsets, "offsets")?;
        require(indices, "indices")?;
        require(values, "values")?;
        require(n_pixels, "n_pixels")?;
        // SAFETY: promised by the caller.
        unsafe { set(offsets, found.offsets.as_ptr(), "offsets") }?;
        // SAFETY: promised by the caller.
        unsafe { set(indices, found.indices.as_ptr(), "indices") }?;
        // SAFETY: promised by the caller.
        unsafe { set(values, found.values.as_ptr().cast(), "values") }?;
        // SAFETY: promised by the caller.
        unsafe { set(n_pixels, found.indices.len(), "n_pixels") }
    })
}

/// Ends a `dc_sparse`.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_sparse_free(sparse: *mut Sparse) {
    // SAFETY: made by `dc_reader_sparse`, and not used again.
    unsafe { free(sparse) };
}

/// Sums over frames.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_reduce(
    reader: *const Reader,
    begin: u64,
    end: u64,
    ignore: *const i64,
    sum: *mut i64,
    max: *mut i64,
    count: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let mut all = state.core.reduction(unsafe { ignored(ignore) })?;
        all.add(&state.core, begin..end, None)?;
        // SAFETY: promised by the caller.
        unsafe { crate::reduction::put(&all, sum, max, count) }
    })
}

/// Sums over regions of each frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_regions(
    reader: *const Reader,
    begin: u64,
    end: u64,
    ignore: *const i64,
    labels: *const u32,
    n_labels: usize,
    sums: *mut i64,
    squares: *mut f64,
    counts: *mut u64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        let frames: Range<u64> = begin..end;
        // SAFETY: promised by the caller.
        let labels = unsafe { slice(labels, state.core.frame_pixels()?, "labels") }?;
        // SAFETY: promised by the caller.
        let found = state.core.regions(frames, unsafe { ignored(ignore) }, labels, n_labels)?;
        // SAFETY: promised by the caller: room for frames and labels.
        unsafe { put(sums, &found.sums, "sums") }?;
        // SAFETY: as above.
        unsafe { put(squares, &found.squares, "squares") }?;
        // SAFETY: as above.
        unsafe { put(counts, &found.counts, "counts") }
    })
}
