//! `dc_bins`: sums over bins that share pixels.

#![allow(unsafe_code)]

use std::sync::Arc;

use darkchunk_stream::Bins as Core;

use crate::reader::Reader;
use crate::sparse::{ignored, put};
use crate::status::{Failure, Status, free, guard, reference, require, set, slice};

/// `dc_bins`
pub(crate) struct Bins(Arc<Core>);

/// Bins of a matrix in compressed rows.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_bins_new(
    n_pixels: usize,
    n_bins: usize,
    starts: *const u64,
    indices: *const u32,
    weights: *const f32,
    bins: *mut *mut Bins,
) -> Status {
    guard(|| {
        require(bins, "bins")?;
        let too_many = || Failure::Argument("more bins or entries than memory has".into());
        // SAFETY: promised by the caller.
        let starts = unsafe { slice(starts, n_bins.checked_add(1).ok_or_else(too_many)?, "starts") }?;
        let n = usize::try_from(starts[n_bins]).map_err(|_| too_many())?;
        // SAFETY: promised by the caller: as many entries as the last of `starts` says.
        let indices = unsafe { slice(indices, n, "indices") }?;
        // SAFETY: as above.
        let weights = unsafe { slice(weights, n, "weights") }?;
        let made = Bins(Arc::new(Core::new(n_pixels, starts, indices, weights)?));
        // SAFETY: promised by the caller.
        unsafe { set(bins, Box::into_raw(Box::new(made)), "bins") }
    })
}

/// Weighted sums over bins of each frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_integrate(
    reader: *const Reader,
    begin: u64,
    end: u64,
    ignore: *const i64,
    bins: *const Bins,
    sums: *mut f64,
    squares: *mut f64,
    weights: *mut f64,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let Bins(bins) = unsafe { reference(bins, "bins") }?;
        // SAFETY: promised by the caller.
        let found = state.core.integrate(begin..end, unsafe { ignored(ignore) }, bins)?;
        // SAFETY: promised by the caller: room for frames and bins.
        unsafe { put(sums, &found.sums, "sums") }?;
        // SAFETY: as above.
        unsafe { put(squares, &found.squares, "squares") }?;
        // SAFETY: as above.
        unsafe { put(weights, &found.weights, "weights") }
    })
}

/// Ends it.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_bins_free(bins: *mut Bins) {
    // SAFETY: made by `dc_bins_new`, and not used again.
    unsafe { free(bins) };
}
