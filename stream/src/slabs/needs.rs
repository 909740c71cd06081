//! The memory that a run takes.

use super::Limits;
use super::input::{Geometry, Input};
use super::memory::lines;
use super::output::{self, Shape};
use super::slicing::Slicing;
use crate::{Reader, Way};

/// Bytes of a dataset in one piece, or by HDF5, that are read at once.
const PIECE_BYTES: u64 = 8 << 20;

/// What decodes alone in a bitshuffle chunk of the usual kind.
pub(super) const PART_BYTES: u64 = 8192;

/// The most that a reader keeps of where the blocks of chunks are.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// Memory that a run takes at most, in bytes, besides that of the program, of HDF5 and of the library.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryPlan {
    /// All slabs that are in memory at the same time.
    pub slabs: u64,
    /// Chunks that are read and decoded, where they are in the file, and where their blocks are.
    pub reading: u64,
    /// Outputs that are being made, encoded and written.
    pub outputs: u64,
}

impl MemoryPlan {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.slabs.saturating_add(self.reading).saturating_add(self.outputs)
    }
}

/// Memory of what reads: for each thread a chunk as it is stored and one that is decoded; the list of chunks; their blocks.
pub(super) fn reading(inputs: &[&Input], limits: Limits) -> u64 {
    let of = |input: &&Input| {
        let reader = &input.reader;
        let block = reader.largest_block().min(usize::MAX / 4) as u64;
        let once = match reader.way() {
            Way::Direct => block.saturating_mul(2).saturating_mul(limits.n_threads as u64),
            Way::Chunks => block.saturating_mul(3).saturating_mul(limits.n_threads as u64),
            Way::Hdf5 => block.max(PIECE_BYTES).saturating_mul(2),
        };
        let n_chunks = reader.stored().map_or(0, |(n_chunks, _)| n_chunks);
        let index = if is_partial(reader) { n_chunks.saturating_mul(block / PART_BYTES * 4 + 128) } else { 0 };
        once.saturating_add(n_chunks.saturating_mul(32)).saturating_add(index.min(MAX_INDEX_BYTES))
    };
    inputs.iter().map(of).fold(0, u64::saturating_add)
}

/// Memory of outputs, and of slices that are copied for a call.
pub(super) fn made(geometries: &[Geometry], outputs: &[Shape], n_task: u64, slicing: &Slicing, limits: Limits) -> u64 {
    let n_workers = limits.n_workers as u64;
    let copied = geometries.iter().map(|geometry| {
        let n = limits.max_block.saturating_add(geometry.padding.0).saturating_add(geometry.padding.1);
        if n > 1 { n.saturating_mul(geometry.slice_bytes) } else { 0 }
    });
    let copied = copied.fold(0, u64::saturating_add).saturating_mul(n_workers);
    let buffer = outputs.iter().map(|shape| shape.buffer_bytes(n_task, limits.max_block).saturating_mul(2));
    let buffers = buffer.fold(0, u64::saturating_add).saturating_mul(output::n_buffers(limits.n_workers) as u64);
    let chunks = outputs.iter().map(Shape::gathered_bytes).fold(0, u64::saturating_add);
    copied.saturating_add(buffers).saturating_add(chunks).saturating_add(slicing.n_slices())
}

/// Memory of a worker that is a process: a call's inputs, and its outputs after them, each at a cache line.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(unix), allow(dead_code, reason = "there are no such workers"))]
pub(super) struct Apart {
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
    n_bytes: u64,
}

impl Apart {
    pub(super) fn new(geometries: &[Geometry], outputs: &[Shape], max_block: u64) -> Self {
        let mut end = 0_u64;
        let mut place = |n_bytes: u64| {
            let at = end as usize;
            end = end.saturating_add(lines(n_bytes));
            at
        };
        let handed_in = |geometry: &Geometry| {
            let n = max_block.saturating_add(geometry.padding.0).saturating_add(geometry.padding.1);
            place(n.saturating_mul(geometry.slice_bytes))
        };
        let inputs = geometries.iter().map(handed_in).collect();
        let outputs = outputs.iter().map(|shape| place(max_block.saturating_mul(shape.slice_bytes))).collect();
        Self { inputs, outputs, n_bytes: end }
    }

    pub(super) fn n_bytes(&self) -> usize {
        usize::try_from(self.n_bytes).unwrap_or(usize::MAX)
    }
}

/// Whether parts of its chunks may be decoded alone: filters with an index of blocks.
pub(super) fn is_partial(reader: &Reader) -> bool {
    const BITSHUFFLE: u32 = 32008;
    let filters: Vec<u32> = reader.filters().collect();
    filters == [BITSHUFFLE] && reader.way() != Way::Hdf5
}
