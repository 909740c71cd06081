//! Any selection of a dataset, into the caller's memory.
//!
//! # Ways
//!
//! 1. *Direct*: a chunk's bytes from the file, by positioned reads beside HDF5, and decoded, both in several threads. HDF5 is
//!    not called.
//! 2. *Chunks*: the chunk as it is stored from HDF5, on the calling thread; decoded in several. Where the file cannot be read beside
//!    HDF5, or its chunks cannot be listed.
//! 3. *HDF5*: `H5Dread` on the calling thread. For everything else, and for files that this process has open for writing, of which
//!    not everything need be in the file.
//!
//! [`Reader::way`] says which, and [`Reader::reason`] why.
//!
//! # Pieces
//!
//! A [`Read`] goes on in [steps](Read::step) that the caller limits in time. Threads work within a step only, so between two steps
//! the caller may look for a signal, or give up.
//!
//! Elements are those of the file: its datatype, its byte order. Where a chunk is a contiguous part of the destination it is decoded
//! there; otherwise through a thread's own memory. Of a chunk of which a small part is wanted, and whose only filter can do that, no
//! other blocks are decoded; where its blocks are is kept, so that the next time no others are read. An [`IndexWriter`] writes that to a
//! file, for readers to come.

#![allow(unsafe_code)]

pub(crate) mod buffer;
mod by_hdf5;
mod frames;
mod open;
mod partial;
mod plan;
mod pool;
mod selection;
mod side;
mod target;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use darkchunk::element::ElementType;
use darkchunk_hdf5::Library;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::chunk_map::{ChunkMap, StoredChunk, StoredDataset};
use darkchunk_hdf5::inspect::{self, FilterInfo};

use crate::{Error, Result};
pub use frames::{Bins, Integrated, Reduced, Reduction, Regions, Sparse};
use partial::Counts;
pub use partial::Statistics;
use plan::Plan;
use pool::Pool;
use selection::Selection;
pub use side::IndexWriter;
pub(crate) use side::{IndexFile, Walked};
use target::Target;
use work::{Batch, Known};

/// More threads than this are of no use to one dataset.
const MAX_THREADS: usize = 256;

/// By which way a dataset is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the file, decoded in threads. HDF5 is not called.
    Direct,
    /// Chunks as they are stored through HDF5, decoded in threads.
    Chunks,
    /// By `H5Dread`.
    Hdf5,
}

/// What is done where a chunk was never stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Missing {
    /// The fill value takes its place, as HDF5 does it.
    #[default]
    Fill,
    /// It is an error: in a file that is still being written it is not known what will be there.
    Error,
}

/// How a dataset is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads that read and decode, the calling one among them, at most 256; 0: one for each processor.
    pub n_threads: usize,
    /// What is done where a chunk was never stored.
    pub missing: Missing,
    /// Always by `H5Dread`.
    pub only_hdf5: bool,
}

/// An open dataset that is read. Several threads may read with one reader at the same time.
///
/// It is for as long as HDF5 has the file open. Its memory is the list of chunks (24 bytes each); each read has a stored and a decoded
/// chunk for each thread.
#[derive(Debug)]
pub struct Reader {
    dataset: StoredDataset,
    known: Arc<Known>,
    way: Way,
    reason: String,
    options: Options,
    pool: Pool,
    counts: Arc<Counts>,
}

impl Reader {
    /// A reader of an open dataset, which it opens once more.
    ///
    /// # Errors
    /// What [`StoredDataset::open`] says.
    pub fn open(library: &Library, dataset: Hid, options: Options) -> Result<Self> {
        Self::of(StoredDataset::open(library, dataset)?, options)
    }

    /// A reader of the dataset `path` below the open file or group `at`.
    ///
    /// # Errors
    /// What [`StoredDataset::open_path`] says.
    pub fn open_path(library: &Library, at: Hid, path: &str, options: Options) -> Result<Self> {
        Self::of(StoredDataset::open_path(library, at, path)?, options)
    }

    /// The same where something is said of all elements: a virtual dataset with a source that is not there is refused, as HDF5 would give
    /// the fill value for what that has.
    ///
    /// # Errors
    /// As [`open_path`](Self::open_path); [`Error::Argument`] with the source.
    pub fn open_whole(library: &Library, at: Hid, path: &str, options: Options) -> Result<Self> {
        let dataset = StoredDataset::open_path(library, at, path)?;
        // Where it cannot be said, HDF5 is asked for the elements.
        if let Ok(Some(source)) = dataset.missing_source() {
            return Err(Error::Argument(format!(
                "{source} is not there, of which the virtual dataset is made: HDF5 would give the fill value for what it has"
            )));
        }
        Self::of(dataset, options)
    }

    fn of(dataset: StoredDataset, options: Options) -> Result<Self> {
        let n_threads = match options.n_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n_threads => n_threads,
        }
        .min(MAX_THREADS);
        let options = Options { n_threads, ..options };
        let (known, way, reason) = open::examine(&dataset, options)?;
        Ok(Self {
            dataset,
            known: Arc::new(known),
            way,
            reason,
            options,
            pool: Pool::default(),
            counts: Arc::default(),
        })
    }

    /// Asks HDF5 anew what the file has: its extent, and its chunks.
    ///
    /// # Errors
    /// What HDF5 says. The reader is as it was then.
    pub fn refresh(&mut self) -> Result<()> {
        self.dataset.refresh()?;
        let (mut known, mut way, mut reason) = open::examine(&self.dataset, self.options)?;
        if self.known.map.is_some() && known.map.is_none() {
            // Or all frames would count as stored.
            self.dataset.map()?;
            (known, way, reason) = open::examine(&self.dataset, self.options)?;
        }
        known.indices.set_side(self.known.indices.side());
        (self.known, self.way, self.reason) = (Arc::new(known), way, reason);
        Ok(())
    }

    /// The way by which it is read.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// Why it is read that way; nothing where it is read directly.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// How many of the first frames (places along the first axis) are stored, all of each, as of the last refresh: those before the
    /// first chunk that is not. Where it is not known which chunks are stored, as many as there are.
    #[must_use]
    pub fn n_stored_frames(&self) -> u64 {
        let (Some(n_frames), Some(chunk), Some(map)) = (self.dims().first(), self.chunk(), &self.known.map) else {
            return self.dims().first().copied().unwrap_or(0);
        };
        let per_row = map.grid()[1..].iter().product::<u64>().max(1);
        (map.first_missing() / per_row).saturating_mul(chunk[0]).min(*n_frames)
    }

    /// What it has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.counts.statistics()
    }

    /// Its extent along each axis, when it was opened or last refreshed.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        &self.known.dims
    }

    /// The shape of a chunk, where it has any.
    #[must_use]
    pub fn chunk(&self) -> Option<&[u64]> {
        match self.dataset.storage() {
            darkchunk_hdf5::chunk_map::Storage::Chunked { chunk, .. } => Some(chunk),
            _ => None,
        }
    }

    /// Bytes of the largest block that is decoded or read at once: a chunk, also of a virtual dataset's sources.
    pub(crate) fn largest_block(&self) -> usize {
        let sources = self.known.sources.iter().flat_map(|parts| &parts.sources).map(|(_, known)| known.block_bytes);
        sources.fold(self.known.block_bytes, usize::max)
    }

    /// An element.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.dataset.element()
    }

    /// The numbers of the filters, in the order in which they are applied.
    pub fn filters(&self) -> impl Iterator<Item = u32> {
        self.dataset.filters().iter().map(|filter| filter.id)
    }

    /// The first filter that took something away, in words; `None` where there is none, and of a virtual dataset.
    pub(crate) fn lossy_filter(&self) -> Option<String> {
        let mut filters = self.dataset.filters().iter().cloned().map(inspect::filter);
        filters.find(FilterInfo::is_lossy).map(|filter| filter.words)
    }

    /// Its chunks that are stored, as of the last refresh; `None` where they are not known.
    pub(crate) fn map(&self) -> Option<&ChunkMap> {
        self.known.map.as_ref()
    }

    /// How many chunks are stored, and their bytes; `None` where that is not known.
    #[must_use]
    pub fn stored(&self) -> Option<(u64, u64)> {
        self.known.map.as_ref().map(|map| (map.len() as u64, map.stored_bytes()))
    }

    /// Where the chunk is that begins at `offset`, its address from the file's first byte; `None` where it was never stored.
    ///
    /// # Errors
    /// [`Error::Argument`] where no chunk begins there, or addresses are not known.
    pub fn stored_chunk(&self, offset: &[u64]) -> Result<Option<StoredChunk>> {
        let (Some(map), Some(located)) = (&self.known.map, &self.known.located) else {
            return Err(Error::Argument("where its chunks are in the file is not known".into()));
        };
        let block = &self.known.block;
        let begins = |((offset, block), dim): ((&u64, &u64), &u64)| offset % block == 0 && offset < dim;
        if offset.len() != block.len() || !offset.iter().zip(block).zip(&self.known.dims).all(begins) {
            return Err(Error::Argument(format!("no chunk begins at {offset:?}: chunks are {block:?}")));
        }
        let place: Vec<u64> = offset.iter().zip(block).map(|(offset, block)| offset / block).collect();
        let add_base =
            |chunk: StoredChunk| StoredChunk { address: chunk.address.saturating_add(located.base), ..chunk };
        Ok(map.get(&place).map(add_base))
    }

    /// For each element of a selection, in order, 1 where its chunk was never stored, else 0.
    ///
    /// # Errors
    /// [`Error::Argument`] where that is not known, or the selection is not in the dataset or has not as many elements as `dst`.
    pub fn missing(&self, start: &[u64], count: &[u64], step: Option<&[u64]>, dst: &mut [u8]) -> Result<()> {
        let selection = self.chunks(start, count, step)?;
        let Some(map) = &self.known.map else {
            return Err(Error::Argument("which of its chunks are stored is not known".into()));
        };
        // SAFETY: `dst` is borrowed for the whole of this function, and its size is compared.
        let target = unsafe { target(dst, count, 1) }?;
        for index in 0..selection.n_blocks() {
            let parts = selection.block(index);
            let place: Vec<u64> = parts.iter().map(|part| part.place).collect();
            let first: Vec<u64> = parts.iter().map(|part| part.index).collect();
            let count: Vec<u64> = parts.iter().map(|part| part.count).collect();
            let region = target::Region { first: &first, count: &count };
            // SAFETY: within `dst`, which nobody else uses.
            unsafe { target.fill(region, &[u8::from(map.get(&place).is_none())]) };
        }
        Ok(())
    }

    /// A selection in chunks, whatever the way.
    fn chunks(&self, start: &[u64], count: &[u64], step: Option<&[u64]>) -> Result<Selection> {
        let block = self.chunk().unwrap_or(&self.known.block);
        Selection::new(self.dims(), block, start, count, step)
    }

    /// Reads `count[i]` elements from `start[i]` on along each axis, each `step[i]`-th (each one without `step`), as they are
    /// stored, in order into the whole of `dst`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a selection that is not in the dataset, or has not as many bytes as `dst`; what is wrong with a
    /// chunk, and of several the first; what HDF5 and the system say. On an error the content of `dst` is unspecified.
    pub fn read(&self, start: &[u64], count: &[u64], step: Option<&[u64]>, dst: &mut [u8]) -> Result<()> {
        // SAFETY: `dst` is borrowed until the read has ended, and its size is compared.
        let target = unsafe { target(dst, count, self.known.element_bytes) }?;
        let plan = self.plan(start, count, step, target)?;
        self.step(&Arc::new(plan), 0, None).map(drop)
    }

    fn plan(&self, start: &[u64], count: &[u64], step: Option<&[u64]>, target: Target) -> Result<Plan> {
        let selection = Selection::new(&self.known.dims, &self.known.block, start, count, step)?;
        Plan::new(&self.known, selection, target, (&self.options, &self.counts))
    }

    /// Reads blocks of a plan from `begin` on until the time is over, and returns the first that is left.
    fn step(&self, plan: &Arc<Plan>, begin: u64, deadline: Option<Instant>) -> Result<u64> {
        let end = plan.n_blocks();
        if begin == 0 {
            plan.prepare();
        }
        match self.way {
            _ if begin >= end => Ok(end),
            Way::Direct => self.run(Batch::new(Arc::clone(plan), begin, end, deadline, None), end - begin),
            Way::Chunks => self.chunks_by_hdf5(plan, begin, deadline),
            Way::Hdf5 => self.elements_by_hdf5(plan.only(), begin, deadline),
        }
    }

    fn run(&self, batch: Batch, n_blocks: u64) -> Result<u64> {
        let n_threads = (self.options.n_threads as u64).min(n_blocks) as usize;
        let batch = Arc::new(batch);
        self.pool.run(n_threads.saturating_sub(1), Arc::clone(&batch) as Arc<dyn pool::Share>);
        batch.result()
    }
}

/// The memory of a slice for a selection.
///
/// # Safety
/// `dst` lives, and nobody else uses it, as long as the target is used to write.
unsafe fn target(dst: &mut [u8], count: &[u64], element_bytes: usize) -> Result<Target> {
    let n_bytes = count.iter().try_fold(element_bytes as u64, |n, count| n.checked_mul(*count));
    if n_bytes != Some(dst.len() as u64) {
        let available = dst.len();
        return Err(Error::Argument(format!(
            "{count:?} elements of {element_bytes} bytes are not the {available} bytes of the destination"
        )));
    }
    // SAFETY: the caller's promise; the elements are those of `dst`, as was just compared.
    unsafe { Target::new(dst.as_mut_ptr(), count, None, element_bytes) }
}

/// A read that goes on in steps.
#[derive(Debug)]
pub struct Read {
    reader: Arc<Reader>,
    plan: Arc<Plan>,
    next: u64,
    has_failed: bool,
}

impl Read {
    /// Begins to read as [`Reader::read`], to memory at `dst` with `strides[i]` bytes from an element to the next along axis `i`, of any
    /// sign; without `strides` without gaps, the last axis the fastest. Reads nothing yet.
    ///
    /// # Errors
    /// [`Error::Argument`] for a selection that is not in the dataset, and for strides by which elements would overlap.
    ///
    /// # Safety
    /// The selected elements' places at `dst` may be written, from any thread, during each [`step`](Self::step), and nobody else
    /// uses them then.
    pub unsafe fn begin(
        reader: &Arc<Reader>,
        start: &[u64],
        count: &[u64],
        step: Option<&[u64]>,
        dst: *mut u8,
        strides: Option<&[i64]>,
    ) -> Result<Self> {
        // SAFETY: the caller's promise.
        let target = unsafe { Target::new(dst, count, strides, reader.known.element_bytes) }?;
        let plan = Arc::new(reader.plan(start, count, step, target)?);
        Ok(Self { reader: Arc::clone(reader), plan, next: 0, has_failed: false })
    }

    /// Reads on for about so long, at least one chunk, and says whether all is read. Without a limit it reads all.
    ///
    /// # Errors
    /// As [`Reader::read`]. There is nothing more to be read after an error.
    pub fn step(&mut self, limit: Option<Duration>) -> Result<bool> {
        if self.has_failed {
            return Err(Error::Argument("this read has failed before: begin another one".into()));
        }
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.has_failed = true;
        self.next = self.reader.step(&self.plan, self.next, deadline)?;
        self.has_failed = false;
        Ok(self.next >= self.plan.n_blocks())
    }
}
