//! One block after the other: fetched, decoded, put where it belongs.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use darkchunk::Threads;
use darkchunk_hdf5::chunk_map::{ChunkMap, Located, StoredChunk, max_stored_len};

use super::buffer::zeroed;
use super::partial::{Counts, Indices};
use super::plan::{Plan, Virtual};
use super::pool::Share;
use super::selection::{Part, Selection};
use super::target::{Region, Source, Target, dense};
use super::{Missing, Options};
use crate::filters::Chain;
use crate::{Error, Result};

/// Bytes that the file may be asked for ahead of the block that is worked on.
const MAX_AHEAD: u64 = 64 << 20;

/// Less is not asked for ahead: the call would cost more than it saves.
const MIN_AHEAD: u64 = 64 << 10;

/// What all threads know of the dataset. Nothing of HDF5 is in it, so any of them may be the last to drop it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) dims: Vec<u64>,
    /// A chunk, or a part of a dataset in one piece.
    pub(super) block: Vec<u64>,
    pub(super) block_bytes: usize,
    pub(super) element_bytes: usize,
    pub(super) is_chunked: bool,
    pub(super) edges_are_raw: bool,
    pub(super) fill: Vec<u8>,
    pub(super) chain: Chain,
    pub(super) map: Option<ChunkMap>,
    pub(super) located: Option<Located>,
    /// Of a virtual dataset.
    pub(super) sources: Option<Virtual>,
    pub(super) indices: Indices,
}

/// What is read, and to where.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) known: Arc<Known>,
    pub(super) selection: Selection,
    pub(super) target: Target,
    pub(super) missing: Missing,
    pub(super) n_threads: usize,
    /// Threads that may work on one block.
    pub(super) threads_of_block: usize,
    /// What errors name, where it is a source of a virtual dataset.
    pub(super) source: Option<String>,
    pub(super) counts: Arc<Counts>,
}

/// Chunks as they are stored, read through HDF5; `None` where one is not.
pub(super) type Stored = Vec<Option<(u32, Vec<u8>)>>;

/// A number of blocks that several threads take from.
pub(super) struct Batch {
    plan: Arc<Plan>,
    /// The first and the last block, by their numbers in the selection.
    begin: u64,
    end: u64,
    next: AtomicU64,
    deadline: Option<Instant>,
    has_failed: AtomicBool,
    error: Mutex<Option<(u64, Error)>>,
    stored: Option<Stored>,
}

/// Working memory of a thread.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) stored: Vec<u8>,
    pub(super) decoded: Vec<u8>,
}

/// A block, and what the selection has of it.
pub(super) struct Block {
    parts: Vec<Part>,
    /// Where it begins in the dataset.
    offset: Vec<u64>,
    /// Its shape as it is stored.
    shape: Vec<u64>,
    /// Which elements of the selection it has.
    first: Vec<u64>,
    count: Vec<u64>,
}

impl Batch {
    pub(super) fn new(
        plan: Arc<Plan>,
        begin: u64,
        end: u64,
        deadline: Option<Instant>,
        stored: Option<Stored>,
    ) -> Self {
        let (next, has_failed, error) = (AtomicU64::new(begin), AtomicBool::new(false), Mutex::new(None));
        Self { plan, begin, end, next, deadline, has_failed, error, stored }
    }

    /// The first block that nobody has taken; or the error of the first that failed.
    pub(super) fn result(&self) -> Result<u64> {
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some((_, error)) => Err(error),
            None => Ok(self.next.load(Ordering::Acquire).min(self.end)),
        }
    }

    fn fail(&self, index: u64, error: Error) {
        let mut first = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(found, _)| index < *found) {
            *first = Some((index, error));
        }
        self.has_failed.store(true, Ordering::Release);
    }

    /// Whether another block is to be begun. The first one always is, so that every call gets on.
    fn goes_on(&self) -> bool {
        !self.has_failed.load(Ordering::Acquire)
            && (self.next.load(Ordering::Acquire) == self.begin
                || self.deadline.is_none_or(|deadline| Instant::now() < deadline))
    }
}

impl Share for Batch {
    fn work(&self) {
        let mut scratch = Scratch::default();
        while self.goes_on() {
            let index = self.next.fetch_add(1, Ordering::AcqRel);
            if index >= self.end {
                return;
            }
            let (order, block) = self.plan.find(index);
            if let Err(error) = self.one(index, (order, block), &mut scratch) {
                self.fail(index, order.named(error));
            }
        }
    }
}

impl Batch {
    fn one(&self, index: u64, (order, block): (&Order, u64), scratch: &mut Scratch) -> Result<()> {
        let known = &*order.known;
        let block = order.block(block);
        if let Some(stored) = &self.stored {
            return match &stored[(index - self.begin) as usize] {
                Some((mask, bytes)) => order.stored(&block, *mask, bytes, &mut scratch.decoded),
                None => order.missing(&block),
            };
        }
        let Some(located) = &known.located else { return order.missing(&block) };
        match known.find(&block, located)? {
            None => order.missing(&block),
            Some(chunk) if known.is_raw(&block, chunk.mask) => order.raw(&block, located, chunk, &mut scratch.decoded),
            Some(chunk) => {
                self.advise(index, order.n_threads);
                known.check_size(&block, chunk)?;
                order.chunk(&block, located, chunk, scratch)
            }
        }
    }

    /// Has the system fetch what will be wanted next, while this block is worked on.
    fn advise(&self, index: u64, n_threads: usize) {
        let ahead = index.saturating_add(2 * n_threads as u64);
        if ahead >= self.end {
            return;
        }
        let (order, block) = self.plan.find(ahead);
        let Some(located) = &order.known.located else { return };
        if let Ok(Some(chunk)) = order.known.find(&order.block(block), located)
            && (MIN_AHEAD..=MAX_AHEAD / n_threads as u64).contains(&chunk.n_bytes)
        {
            super::buffer::will_need(&located.file, located.base.saturating_add(chunk.address), chunk.n_bytes);
        }
    }
}

impl Known {
    /// Where a block is; `None` where it is not stored.
    fn find(&self, block: &Block, located: &Located) -> Result<Option<StoredChunk>> {
        if let Some(map) = self.map.as_ref().filter(|_| self.is_chunked) {
            let place: Vec<u64> = block.parts.iter().map(|part| part.place).collect();
            return Ok(map.get(&place));
        }
        let Some(begin) = located.contiguous else { return Ok(None) };
        let overflow = || Error::Argument("the dataset ends after the last address of a file".into());
        let mut element = 0_u64;
        for (offset, dim) in block.offset.iter().zip(&self.dims) {
            element = element.checked_mul(*dim).and_then(|n| n.checked_add(*offset)).ok_or_else(overflow)?;
        }
        let address = element.checked_mul(self.element_bytes as u64).and_then(|n| n.checked_add(begin));
        let n_bytes = block.shape.iter().fold(self.element_bytes as u64, |n, dim| n.saturating_mul(*dim));
        Ok(Some(StoredChunk { address: address.ok_or_else(overflow)?, n_bytes, mask: 0 }))
    }

    /// Whether a block is stored as it is.
    pub(super) fn is_raw(&self, block: &Block, mask: u32) -> bool {
        !self.is_chunked || self.chain.is_raw(mask) || (self.edges_are_raw && self.is_edge(block))
    }

    fn is_edge(&self, block: &Block) -> bool {
        let mut axes = block.offset.iter().zip(&self.block).zip(&self.dims);
        axes.any(|((offset, block), dim)| dim.saturating_sub(*offset) < *block)
    }

    /// Refuses a chunk that claims more bytes than any filter makes of one, before there is memory for it.
    fn check_size(&self, block: &Block, chunk: StoredChunk) -> Result<()> {
        if chunk.n_bytes <= max_stored_len(self.block_bytes) {
            return Ok(());
        }
        let reason = format!("a chunk of {} bytes is never stored as so many", self.block_bytes);
        Err(cannot_read(block, chunk, reason))
    }
}

impl Order {
    pub(super) fn new(
        known: Arc<Known>,
        selection: Selection,
        target: Target,
        (options, counts): (&Options, &Arc<Counts>),
    ) -> Self {
        let (missing, n_threads, counts) = (options.missing, options.n_threads, Arc::clone(counts));
        Self { known, selection, target, missing, n_threads, threads_of_block: 1, source: None, counts }
    }

    /// An error, with the name of the source where there is one.
    fn named(&self, error: Error) -> Error {
        match &self.source {
            Some(source) => Error::Source { source_name: source.clone(), error: Box::new(error) },
            None => error,
        }
    }

    fn block(&self, index: u64) -> Block {
        let known = &*self.known;
        let parts = self.selection.block(index);
        let offset: Vec<u64> = parts.iter().zip(&known.block).map(|(part, block)| part.place * block).collect();
        let mut shape = known.block.clone();
        if !known.is_chunked {
            // The last part of a dataset in one piece is shorter; the last chunk is not.
            for ((shape, offset), dim) in shape.iter_mut().zip(&offset).zip(&known.dims) {
                *shape = (*shape).min(dim - offset);
            }
        }
        let first = parts.iter().map(|part| part.index).collect();
        let count = parts.iter().map(|part| part.count).collect();
        Block { parts, offset, shape, first, count }
    }

    /// Where chunk `index` of the selection begins in the dataset.
    pub(super) fn offset(&self, index: u64) -> Vec<u64> {
        self.block(index).offset
    }

    fn missing(&self, block: &Block) -> Result<()> {
        if self.missing == Missing::Error {
            return Err(Error::Missing { offset: block.offset.clone() });
        }
        // SAFETY: no other block has these elements, and each block is taken once.
        unsafe { self.target.fill(block.region(), &self.known.fill) };
        Ok(())
    }

    /// A block that is stored as it is: only the bytes from the first to the last selected element are read.
    fn raw(&self, block: &Block, located: &Located, chunk: StoredChunk, scratch: &mut Vec<u8>) -> Result<()> {
        let expected = self.bytes_of(block)?;
        if chunk.n_bytes != expected as u64 {
            return Err(block.fault(darkchunk::Error::WrongSize { expected, found: chunk.n_bytes as usize }));
        }
        let (first, n_bytes, strides) = self.hull(block)?;
        Counts::add(&self.counts.decoded_bytes, n_bytes);
        let mut target = self.target.clone();
        if is_dense(block, &strides, self.known.element_bytes) {
            // SAFETY: no other block has these elements, and each block is taken once.
            if let Some(piece) = unsafe { target.piece(block.region()) } {
                return self.fetch(located, piece, block, chunk, first as u64);
            }
        }
        let bytes = resized(scratch, n_bytes, block, chunk)?;
        self.fetch(located, bytes, block, chunk, first as u64)?;
        // SAFETY: as above.
        unsafe { self.target.copy(block.region(), Source { bytes, first: 0, strides: &strides }) };
        Ok(())
    }

    pub(super) fn decode(&self, block: &Block, mask: u32, stored: &[u8], scratch: &mut Vec<u8>) -> Result<()> {
        let raw = Chain::default();
        let is_raw = self.known.edges_are_raw && self.known.is_edge(block);
        let chain = if is_raw { &raw } else { &self.known.chain };
        let exec = Threads::new(self.threads_of_block).into();
        let n_bytes = self.bytes_of(block)?;
        let (first, _, strides) = self.hull(block)?;
        let fault = |source| block.fault(source);
        Counts::add(&self.counts.whole_chunks, 1);
        Counts::add(&self.counts.decoded_bytes, n_bytes);
        let mut target = self.target.clone();
        if is_dense(block, &strides, self.known.element_bytes) && block.is_whole() {
            // SAFETY: no other block has these elements, and each block is taken once.
            if let Some(piece) = unsafe { target.piece(block.region()) } {
                return chain.decode(exec, mask, stored, piece).map_err(fault);
            }
        }
        if scratch.len() < n_bytes {
            *scratch = zeroed(n_bytes).map_err(fault)?;
        }
        let decoded = &mut scratch[..n_bytes];
        chain.decode(exec, mask, stored, decoded).map_err(fault)?;
        // SAFETY: as above.
        unsafe { self.target.copy(block.region(), Source { bytes: decoded, first, strides: &strides }) };
        Ok(())
    }

    /// Reads from the file.
    pub(super) fn fetch(
        &self,
        located: &Located,
        dst: &mut [u8],
        block: &Block,
        chunk: StoredChunk,
        first: u64,
    ) -> Result<()> {
        Counts::add(&self.counts.read_bytes, dst.len());
        read(located, dst, block, chunk, first)
    }

    fn bytes_of(&self, block: &Block) -> Result<usize> {
        let n_bytes = block
            .shape
            .iter()
            .try_fold(self.known.element_bytes, |n, dim| usize::try_from(*dim).ok().and_then(|dim| n.checked_mul(dim)));
        n_bytes.ok_or_else(|| Error::Argument(format!("a chunk of {:?} is larger than memory can be", block.shape)))
    }

    /// The bytes from the first selected element of a block to the end of the last: where they begin, how many, and from one
    /// selected element to the next along each axis.
    pub(super) fn hull(&self, block: &Block) -> Result<(usize, usize, Vec<usize>)> {
        self.bytes_of(block)?;
        let strides = dense(&block.shape, self.known.element_bytes).unwrap_or_default();
        let (mut first, mut extent) = (0, self.known.element_bytes);
        let mut stepped = Vec::with_capacity(strides.len());
        for ((part, axis), stride) in block.parts.iter().zip(self.selection.axes()).zip(strides) {
            let step = if part.count > 1 { axis.step as usize } else { 1 };
            first += part.first as usize * stride;
            extent += (part.count as usize - 1) * step * stride;
            stepped.push(step * stride);
        }
        Ok((first, extent, stepped))
    }
}

impl Block {
    pub(super) fn region(&self) -> Region<'_> {
        Region { first: &self.first, count: &self.count }
    }

    fn is_whole(&self) -> bool {
        self.count == self.shape
    }

    pub(super) fn fault(&self, source: darkchunk::Error) -> Error {
        Error::Chunk { offset: self.offset.clone(), source }
    }
}

/// Whether the selected elements of a block are in one piece in it.
pub(super) fn is_dense(block: &Block, strides: &[usize], element_bytes: usize) -> bool {
    let mut n_bytes = element_bytes;
    block.count.iter().zip(strides).rev().all(|(count, stride)| {
        let follows = *count == 1 || *stride == n_bytes;
        n_bytes *= *count as usize;
        follows
    })
}

/// The first `n_bytes` of working memory, which is made larger where it must be.
pub(super) fn resized<'a>(
    memory: &'a mut Vec<u8>,
    n_bytes: usize,
    block: &Block,
    chunk: StoredChunk,
) -> Result<&'a mut [u8]> {
    if memory.len() < n_bytes {
        *memory = zeroed(n_bytes).map_err(|error| cannot_read(block, chunk, error.to_string()))?;
    }
    Ok(&mut memory[..n_bytes])
}

fn read(located: &Located, dst: &mut [u8], block: &Block, chunk: StoredChunk, first: u64) -> Result<()> {
    let address = chunk.address.checked_add(first).ok_or(std::io::ErrorKind::UnexpectedEof.into());
    let read = address.and_then(|address| located.read_at(dst, address));
    read.map_err(|error| {
        let ends = error.kind() == std::io::ErrorKind::UnexpectedEof;
        cannot_read(block, chunk, if ends { "the file ends before".into() } else { error.to_string() })
    })
}

/// The stored bytes of the chunk that begins at `offset`, in `memory`.
pub(super) fn read_chunk<'a>(
    known: &Known,
    located: &Located,
    chunk: StoredChunk,
    offset: &[u64],
    memory: &'a mut Vec<u8>,
) -> Result<&'a mut [u8]> {
    let block = Block { parts: vec![], offset: offset.to_vec(), shape: vec![], first: vec![], count: vec![] };
    known.check_size(&block, chunk)?;
    let bytes = resized(memory, chunk.n_bytes as usize, &block, chunk)?;
    read(located, bytes, &block, chunk, 0)?;
    Ok(bytes)
}

fn cannot_read(block: &Block, chunk: StoredChunk, reason: String) -> Error {
    Error::Read { offset: block.offset.clone(), address: chunk.address, n_bytes: chunk.n_bytes, reason }
}
