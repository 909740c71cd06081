//! `dc_reader_statistics`: what a reader has done.

#![allow(unsafe_code)]

use crate::reader::Reader;
use crate::status::{Status, guard, reference, reference_mut};
use crate::types::check_size;

/// `dc_reader_statistics`
#[repr(C)]
pub(crate) struct CStatistics {
    size: usize,
    read_bytes: u64,
    whole_chunks: u64,
    partial_chunks: u64,
    partial_blocks: u64,
}

/// What a reader has done.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_reader_statistics_of(reader: *const Reader, statistics: *mut CStatistics) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let state = unsafe { reference(reader, "reader") }?.state();
        // SAFETY: promised by the caller.
        let statistics = unsafe { reference_mut(statistics, "statistics") }?;
        check_size(statistics.size, size_of::<CStatistics>(), "dc_reader_statistics")?;
        let found = state.core.statistics();
        statistics.read_bytes = found.read_bytes;
        statistics.whole_chunks = found.whole_chunks;
        statistics.partial_chunks = found.partial_chunks;
        statistics.partial_blocks = found.partial_blocks;
        Ok(())
    })
}
