//! The dataset that is read.

use super::{Damage, Fault, FilterName};
use crate::api::Hid;
use crate::dataset::{self, StoredFilter};
use crate::element::{self, StoredElement};
use crate::library::{Library, h5};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk::codec::ChunkLayout;
use darkchunk::cpu::Level;
use darkchunk::element::ElementType;
use darkchunk::pipeline::{Pipeline, Step};
use darkchunk::salvage::Verdict;
use darkchunk_hdf5_abi::constants::{
    H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, H5D_CHUNKED, H5D_COMPACT, H5D_CONTIGUOUS, H5D_VIRTUAL, H5I_DATASET,
};
use std::ops::Range;

/// A dataset that claims more chunks than this (a thousand a second for three days) has a damaged extent: asking for each
/// would not end.
const MAX_CHUNKS: u64 = 1 << 28;

/// A dataset that is there.
pub(super) enum Opened {
    /// It has chunks that can be examined.
    Source(Box<Source>),
    /// It has none, or nothing can be known of them.
    NotExamined { filters: Vec<FilterName>, reason: String },
}

/// A dataset whose chunks can be examined.
pub(super) struct Source {
    pub(super) dataset: Id,
    pub(super) properties: Id,
    pub(super) datatype: Id,
    pub(super) space: Id,
    pub(super) element: ElementType,
    /// Whether elements refer to other places of the file.
    pub(super) refers: bool,
    dims: Vec<u64>,
    pub(super) chunk: Vec<u64>,
    /// Bytes of a chunk that is not encoded.
    pub(super) chunk_bytes: usize,
    pub(super) filters: Vec<StoredFilter>,
    pub(super) pipeline: Pipeline,
    /// Whether chunks that reach over the edge are not filtered.
    pub(super) edges_are_raw: bool,
}

/// Opens the dataset `path` below `at`.
pub(super) fn open(library: &Library, at: Hid, path: &str) -> Result<Opened> {
    open_sound(library, at, path).map_err(|error| match error {
        Error::Hdf5 { .. } => Error::CannotOpen { path: path.to_owned(), source: Box::new(error) },
        other => other,
    })
}

fn open_sound(library: &Library, at: Hid, path: &str) -> Result<Opened> {
    let refused = |why: &str| Error::Unsupported(format!("dataset {path}: {why}"));
    if !object::exists(library, at, path)? {
        return Err(refused("there is none of this name"));
    }
    let dataset = object::open(library, at, path)?;
    if h5!(library, H5Iget_type(dataset.get()))? != H5I_DATASET {
        return Err(refused("this is no dataset"));
    }
    let filters = dataset::filters(&dataset)?;
    let pipeline = Pipeline::new(filters.iter().map(|filter| (filter.id, &filter.values[..])))?;
    let names = pipeline.steps().iter().map(name).collect();
    Ok(match Source::new(dataset, filters, pipeline)? {
        Ok(source) => Opened::Source(Box::new(source)),
        Err(reason) => Opened::NotExamined { filters: names, reason },
    })
}

fn name(step: &Step) -> FilterName {
    FilterName { id: step.id(), name: step.name() }
}

impl Source {
    /// A reason is why the dataset cannot be examined.
    fn new(dataset: Id, filters: Vec<StoredFilter>, pipeline: Pipeline) -> Result<std::result::Result<Self, String>> {
        let library = &dataset.library().clone();
        let datatype = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
        // A type that has a name belongs to its file; a copy does not.
        let datatype = Id::new(library, h5!(library, H5Tcopy(datatype.get()))?);
        let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
        let dims = object::extent(&space)?.0;
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
        let (chunk, edges_are_raw) = match chunks(&properties, dims.len())? {
            Ok(chunks) => chunks,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(StoredElement { n_bytes, refers }) = element::stored(&dataset, datatype.get())? else {
            return Ok(Err("how many bytes its elements take in the file is not known".into()));
        };
        let element = object::element_type(library, datatype.get())?;
        let layout = ChunkLayout::new(ElementType { n_bytes, ..element }, chunk.clone());
        let chunk_bytes = match layout.chunk_bytes() {
            Ok(n_bytes) => n_bytes as usize,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(Ok(Self {
            dataset,
            properties,
            datatype,
            space,
            element,
            refers,
            dims,
            chunk,
            chunk_bytes,
            filters,
            pipeline,
            edges_are_raw,
        }))
    }

    pub(super) fn filter_names(&self) -> Vec<FilterName> {
        self.pipeline.steps().iter().map(name).collect()
    }

    /// Chunks along each dimension, and all of them.
    pub(super) fn grid(&self) -> Result<(Vec<u64>, u64)> {
        let grid: Vec<u64> = self.dims.iter().zip(&self.chunk).map(|(dim, chunk)| dim.div_ceil(*chunk)).collect();
        let n_chunks = grid.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim));
        let too_many = || {
            let dims = &self.dims;
            Error::Unsupported(format!(
                "the shape {dims:?} has more than {MAX_CHUNKS} chunks, which no recording has: the extent is damaged, \
                 set it right first (H5Dset_extent)"
            ))
        };
        Ok((grid, n_chunks.filter(|n| *n <= MAX_CHUNKS).ok_or_else(too_many)?))
    }

    /// Whether the chunk at `offset` reaches over the dataset's edge, and such chunks are not filtered.
    pub(super) fn is_raw_edge(&self, offset: &[u64]) -> bool {
        let mut sizes = offset.iter().zip(&self.chunk).zip(&self.dims);
        self.edges_are_raw && sizes.any(|((offset, chunk), dim)| dim.saturating_sub(*offset) < *chunk)
    }

    /// Decodes a chunk as far as it can be; fills the rest.
    pub(super) fn decode(&self, offset: &[u64], mask: u32, stored: &[u8], fill: &[u8], dst: &mut [u8]) -> Verdict {
        let none = Pipeline::default();
        let pipeline = if self.is_raw_edge(offset) { &none } else { &self.pipeline };
        darkchunk::salvage::salvage(Level::current(), pipeline, mask, stored, fill, dst)
    }

    pub(super) fn fault(&self, chunk: u64, offset: &[u64], damage: Damage) -> Fault {
        let frames = self.frames(offset[0], &damage.lost);
        let doubtful_frames = self.frames(offset[0], &damage.doubtful);
        Fault { chunk, offset: offset.to_vec(), frames, doubtful_frames, damage }
    }

    /// The frames that these bytes of the chunk that begins at frame `first` belong to.
    fn frames(&self, first: u64, bytes: &Range<usize>) -> Range<u64> {
        let frame_bytes = (self.chunk_bytes as u64 / self.chunk[0]).max(1);
        let end = (first + (bytes.end as u64).div_ceil(frame_bytes)).min(self.dims[0]);
        let start = (first + bytes.start as u64 / frame_bytes).min(end);
        if bytes.is_empty() { start..start } else { start..end }
    }
}

/// The shape of the chunks, and whether those at the edge are not filtered; or why there are none.
fn chunks(properties: &Id, rank: usize) -> Result<std::result::Result<(Vec<u64>, bool), String>> {
    let library = properties.library();
    let none = |what: &str| Ok(Err(format!("{what}: it has no chunks that could be examined one by one")));
    match h5!(library, H5Pget_layout(properties.get()))? {
        H5D_CHUNKED if rank > 0 => {}
        H5D_COMPACT => return none("its data are in the header of the dataset"),
        H5D_CONTIGUOUS => return none("its data are in one piece"),
        H5D_VIRTUAL => return none("its data are in other datasets"),
        _ => return none("its layout is not known"),
    }
    let mut options = 0;
    h5!(library, H5Pget_chunk_opts(properties.get(), &raw mut options))?;
    let mut chunk = vec![0; rank];
    h5!(library, H5Pget_chunk(properties.get(), rank as i32, chunk.as_mut_ptr()))?;
    if chunk.contains(&0) {
        return Ok(Err(format!("its chunks are {chunk:?}")));
    }
    Ok(Ok((chunk, options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS != 0)))
}
