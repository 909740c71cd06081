//! One chunk through all filters of its dataset.

#![allow(unsafe_code)]

use std::ffi::c_void;

use darkchunk_core::Exec;
use darkchunk_stream::filters::Chain;

use crate::status::{Failure, Status, guard, slice, slice_mut};

/// `dc_filter`
#[repr(C)]
pub(crate) struct CFilter {
    id: u32,
    values: *const u32,
    n_values: usize,
}

/// Decodes a stored chunk through all filters of its dataset.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_decode_pipeline(
    filters: *const CFilter,
    n_filters: usize,
    mask: u32,
    src: *const c_void,
    src_len: usize,
    dst: *mut c_void,
    dst_len: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let filters = unsafe { slice(filters, n_filters, "filters") }?;
        // SAFETY: promised by the caller.
        let values = |filter: &CFilter| unsafe { slice(filter.values, filter.n_values, "filters[].values") };
        let filters = filters.iter().map(|filter| Ok((filter.id, values(filter)?)));
        let chain = Chain::new(filters.collect::<Result<Vec<_>, Failure>>()?)?;
        // SAFETY: promised by the caller.
        let src = unsafe { slice(src.cast::<u8>(), src_len, "src") }?;
        // SAFETY: promised by the caller.
        let dst = unsafe { slice_mut(dst.cast::<u8>(), dst_len, "dst") }?;
        Ok(chain.decode(Exec::current(), mask, src, dst)?)
    })
}
