//! An open dataset, and what its chunks may decode to.

use core::ffi::{c_int, c_uint};

use darkchunk_hdf5_abi::constants::{
    H5Z_FILTER_FLETCHER32, H5Z_FILTER_NBIT, H5Z_FILTER_SCALEOFFSET, H5Z_FILTER_SHUFFLE,
};

use crate::host::MAX_PARAMETERS;

const CHECKSUM_BYTES: u64 = 4;

/// The most that n-bit and scale-offset, which do not look at a chunk's length, read beyond the bytes of the pixels.
const THEIR_HEADER_BYTES: u64 = 64;

/// An open dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dataset {
    Chunked(Chunked),
    /// Its data are in other datasets, which need not be open.
    Virtual,
    /// Without chunks, and so without filters.
    Unfiltered,
    /// It could not be asked.
    Unknown,
}

/// A dataset with chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunked {
    /// Elements of a chunk.
    pub(super) n_elements: u64,
    /// Bytes of an element in memory.
    pub(super) element_bytes: u64,
    /// Whether it has as many in the file: not so for data of variable length, nor for references.
    pub(super) is_exact: bool,
    /// Whether it is HDF5's own file format.
    pub(super) is_native: bool,
    /// Numbers and parameters in the order of encoding.
    pub(super) filters: Vec<(c_int, Vec<c_uint>)>,
}

/// What the chunks of a dataset may decode to, by one filter with certain parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    n_elements: u64,
    /// Bytes of an element in memory.
    memory_bytes: u64,
    /// The least and most bytes of an element in the file. `None` where a filter before this one makes of them what it makes.
    element_bytes: Option<(u64, u64)>,
    /// Checksums that may follow. A chunk may have skipped one.
    n_checksums: u64,
    /// The most that is read of a decoded chunk, however short it is.
    pub(super) max_bytes: u64,
    /// Whether HDF5 reads on after a short chunk where this filter has put zeros: a filter that copies the chunk copies none.
    pub(super) sees_zeros: bool,
    pub(super) is_native: bool,
}

impl Sizes {
    /// Bytes of a chunk in memory.
    pub(super) fn whole(&self) -> u64 {
        self.n_elements.saturating_mul(self.memory_bytes)
    }

    /// Whether a chunk may decode to `n_bytes`.
    pub(super) fn may_be(&self, n_bytes: usize) -> bool {
        let Some((least, most)) = self.element_bytes else { return true };
        let is_whole = |n_bytes: u64| {
            n_bytes.is_multiple_of(self.n_elements) && (least..=most).contains(&(n_bytes / self.n_elements))
        };
        let checksums = (0..=self.n_checksums).map(|n| CHECKSUM_BYTES * n);
        checksums.filter_map(|n| (n_bytes as u64).checked_sub(n)).any(is_whole)
    }
}

impl Chunked {
    /// What the chunks decode to by `filter` with `values`. `None` where they do not go through it.
    pub(super) fn sizes(&self, filter: c_int, values: &[c_uint]) -> Option<Sizes> {
        let told = told(values);
        let mut places = self.filters.iter().enumerate().filter(|(_, other)| other.0 == filter && other.1 == told);
        let (at, _) = places.next()?;
        let before = self.filters[..at].iter().map(|other| other.0);
        let is_before = |id| before.clone().any(|other| other == id);
        let n_checksums = before.clone().filter(|other| *other == H5Z_FILTER_FLETCHER32).count() as u64;
        let is_resized = before.clone().any(|other| !matches!(other, H5Z_FILTER_SHUFFLE | H5Z_FILTER_FLETCHER32))
            || places.next().is_some();
        // In the file a string or reference has at most twice the bytes of a pointer.
        let most = if self.is_exact { self.element_bytes } else { self.element_bytes.saturating_mul(2) };
        let least = if self.is_exact { self.element_bytes } else { 1 };
        let whole = self.n_elements.saturating_mul(most).saturating_add(CHECKSUM_BYTES * n_checksums);
        Some(Sizes {
            n_elements: self.n_elements,
            memory_bytes: self.element_bytes,
            element_bytes: (!is_resized).then_some((least, most)),
            n_checksums,
            max_bytes: if is_before(H5Z_FILTER_NBIT) || is_before(H5Z_FILTER_SCALEOFFSET) {
                whole.saturating_add(THEIR_HEADER_BYTES)
            } else if is_resized {
                0
            } else {
                whole
            },
            sees_zeros: !is_before(H5Z_FILTER_SHUFFLE),
            is_native: self.is_native,
        })
    }
}

/// As many of a filter's parameters as HDF5 tells.
pub(super) fn told(values: &[c_uint]) -> &[c_uint] {
    &values[..values.len().min(MAX_PARAMETERS)]
}
