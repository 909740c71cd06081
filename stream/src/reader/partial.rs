//! Parts of chunks: only the blocks that have selected elements are decoded and, once it is known where they are, read.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkchunk::chunk::Filter;
use darkchunk::codec::{BlockIndex, Parts};
use darkchunk::cpu::Level;
use darkchunk_hdf5::chunk_map::{Located, StoredChunk};

use super::buffer::zeroed;
use super::side::{Blocks, Side};
use super::target::Source;
use super::work::{Block, Order, Scratch, is_dense, resized};
use crate::Result;

/// Bytes of indices that a reader keeps: those of 7000 chunks with 2000 blocks.
const MAX_INDEX_BYTES: usize = 64 << 20;

/// What a reader has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes that were read from the file beside HDF5.
    pub read_bytes: u64,
    /// Chunks that were decoded whole.
    pub whole_chunks: u64,
    /// Chunks of which a part was decoded.
    pub partial_chunks: u64,
    /// The blocks of these parts.
    pub partial_blocks: u64,
    /// Bytes that chunks and blocks were decoded to, and those that are stored as they are.
    pub decoded_bytes: u64,
}

/// [`Statistics`] that threads count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) read_bytes: AtomicU64,
    pub(super) whole_chunks: AtomicU64,
    partial_chunks: AtomicU64,
    partial_blocks: AtomicU64,
    pub(super) decoded_bytes: AtomicU64,
}

impl Counts {
    pub(super) fn part(&self, n_blocks: usize, part_bytes: usize) {
        self.partial_chunks.fetch_add(1, Ordering::Relaxed);
        self.partial_blocks.fetch_add(n_blocks as u64, Ordering::Relaxed);
        Self::add(&self.decoded_bytes, n_blocks.saturating_mul(part_bytes));
    }

    pub(super) fn add(count: &AtomicU64, n: usize) {
        count.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(super) fn statistics(&self) -> Statistics {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Statistics {
            read_bytes: get(&self.read_bytes),
            whole_chunks: get(&self.whole_chunks),
            partial_chunks: get(&self.partial_chunks),
            partial_blocks: get(&self.partial_blocks),
            decoded_bytes: get(&self.decoded_bytes),
        }
    }
}

/// Whether so small a part of a chunk is wanted that decoding its blocks alone is less work: the blocks at both ends are decoded
/// whole, and a chunk's fast path over all blocks is lost.
pub(super) fn is_worth(range: &Range<usize>, chunk_bytes: usize, parts: Option<Parts>) -> bool {
    let part_bytes = parts.map_or(0, |parts| parts.part_bytes);
    let is_of_chunk = parts.is_none_or(|parts| parts.n_bytes == chunk_bytes);
    is_of_chunk && range.len().saturating_add(part_bytes.saturating_mul(2)) <= chunk_bytes / 2
}

/// Where the blocks of chunks are that were walked, here or in what wrote a file beside the dataset's.
#[derive(Debug, Default)]
pub(super) struct Indices(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By the chunk's address, with its stored bytes.
    chunks: HashMap<u64, (u64, Arc<BlockIndex>)>,
    n_bytes: usize,
    side: Option<Arc<Side>>,
}

impl Indices {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_side(&self, side: Option<Arc<Side>>) {
        self.kept().side = side;
    }

    pub(super) fn side(&self) -> Option<Arc<Side>> {
        self.kept().side.clone()
    }

    /// The blocks that have `range` of a chunk of `n_bytes`, if it is known where they are.
    fn find(&self, located: &Located, chunk: StoredChunk, n_bytes: usize, range: &Range<usize>) -> Option<Blocks> {
        let kept = self.kept();
        let walked = kept.chunks.get(&chunk.address).filter(|(n_bytes, _)| *n_bytes == chunk.n_bytes);
        if let Some((_, index)) = walked {
            return Some(Blocks { index: Arc::clone(index), checks: None });
        }
        let side = kept.side.clone();
        drop(kept);
        side?.blocks(located, chunk, n_bytes, range)
    }

    /// Walks a chunk and keeps where its blocks are, if there is room.
    pub(super) fn keep(&self, chunk: StoredChunk, filter: &Filter, stored: &[u8]) {
        let Ok(Some(index)) = filter.open(stored).and_then(|open| open.index()) else { return };
        let mut kept = self.kept();
        if kept.n_bytes + index.memory() <= MAX_INDEX_BYTES {
            kept.n_bytes += index.memory();
            // Another thread may have walked the same chunk meanwhile.
            if let Some((_, other)) = kept.chunks.insert(chunk.address, (chunk.n_bytes, Arc::new(index))) {
                kept.n_bytes -= other.memory();
            }
        }
    }

    pub(super) fn forget(&self, chunk: StoredChunk) {
        let mut kept = self.kept();
        if let Some((_, index)) = kept.chunks.remove(&chunk.address) {
            kept.n_bytes -= index.memory();
        }
    }
}

/// A part of a chunk: its only filter, the bytes from the first to the last selected element, and from one of these to the next.
type Part<'a> = (&'a Filter, Range<usize>, Vec<usize>);

impl Order {
    /// A stored chunk, in part or whole.
    pub(super) fn chunk(
        &self,
        block: &Block,
        located: &Located,
        chunk: StoredChunk,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let part = self.part(block, chunk.mask)?;
        if let Some(part) = &part
            && self.by_index(block, located, chunk, part, scratch)?
        {
            return Ok(());
        }
        let Scratch { stored, decoded } = scratch;
        let stored = resized(stored, chunk.n_bytes as usize, block, chunk)?;
        self.fetch(located, stored, block, chunk, 0)?;
        if let Some((filter, ..)) = &part {
            self.known.indices.keep(chunk, filter, stored);
        }
        self.stored(block, chunk.mask, stored, decoded)
    }

    /// The bytes of a chunk, decoded in part or whole.
    pub(super) fn stored(&self, block: &Block, mask: u32, stored: &[u8], scratch: &mut Vec<u8>) -> Result<()> {
        let Some((filter, range, strides)) = self.part(block, mask)? else {
            return self.decode(block, mask, stored, scratch);
        };
        match filter.open(stored) {
            Ok(open) if open.parts().is_some_and(|parts| is_worth(&range, self.known.block_bytes, Some(parts))) => {
                let part_bytes = open.parts().map_or(0, |parts| parts.part_bytes);
                let decode = |dst: &mut [u8]| open.decode_range(Level::current(), range.clone(), dst);
                self.put(block, (&range, part_bytes), &strides, scratch, decode).map_err(|error| block.fault(error))
            }
            _ => self.decode(block, mask, stored, scratch),
        }
    }

    /// The part of a chunk that is wanted, where it is a small one and its filter may decode it alone.
    fn part(&self, block: &Block, mask: u32) -> Result<Option<Part<'_>>> {
        let (first, n_bytes, strides) = self.hull(block)?;
        let range = first..first + n_bytes;
        if !is_worth(&range, self.known.block_bytes, None) || self.known.is_raw(block, mask) {
            return Ok(None);
        }
        Ok(self.known.chain.alone(mask).map(|filter| (filter, range, strides)))
    }

    /// Reads and decodes no other blocks than those that are wanted, where it is known where they are. Says whether that is done.
    fn by_index(
        &self,
        block: &Block,
        located: &Located,
        chunk: StoredChunk,
        (filter, range, strides): &Part<'_>,
        scratch: &mut Scratch,
    ) -> Result<bool> {
        let found = self.known.indices.find(located, chunk, self.known.block_bytes, range);
        let Some(blocks) = found else { return Ok(false) };
        let index = &*blocks.index;
        let place = index.stored(range);
        if !is_worth(range, self.known.block_bytes, Some(index.parts())) || place.end as u64 > chunk.n_bytes {
            return Ok(false);
        }
        let Scratch { stored, decoded } = scratch;
        let bytes = resized(stored, place.len(), block, chunk)?;
        self.fetch(located, bytes, block, chunk, place.start as u64)?;
        let part_bytes = index.parts().part_bytes;
        let decode = |dst: &mut [u8]| filter.decode_by_index(index, Level::current(), range.clone(), bytes, dst);
        let is_done = blocks.agree(bytes) && self.put(block, (range, part_bytes), strides, decoded, decode).is_ok();
        if !is_done {
            // It is damaged, or another chunk than it was: what the whole of it says is what counts.
            self.known.indices.forget(chunk);
        }
        Ok(is_done)
    }

    /// Puts a part that `decode` gives where it belongs. Blocks that decode alone have `part_bytes`.
    fn put(
        &self,
        block: &Block,
        (range, part_bytes): (&Range<usize>, usize),
        strides: &[usize],
        scratch: &mut Vec<u8>,
        decode: impl FnOnce(&mut [u8]) -> darkchunk::Result<usize>,
    ) -> darkchunk::Result<()> {
        let mut target = self.target.clone();
        if is_dense(block, strides, self.known.element_bytes) {
            // SAFETY: no other block has these elements, and each block is taken once.
            if let Some(piece) = unsafe { target.piece(block.region()) } {
                self.counts.part(decode(piece)?, part_bytes);
                return Ok(());
            }
        }
        if scratch.len() < range.len() {
            *scratch = zeroed(range.len())?;
        }
        let bytes = &mut scratch[..range.len()];
        self.counts.part(decode(bytes)?, part_bytes);
        // SAFETY: as above.
        unsafe { self.target.copy(block.region(), Source { bytes, first: 0, strides }) };
        Ok(())
    }
}
