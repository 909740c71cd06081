//! A dataset as it is stored.

use super::{ChunkMap, list::list};
use crate::api::Hid;
use crate::chunk_writer::{ChunkWriter, Place};
use crate::dataset;
pub use crate::dataset::StoredFilter;
use crate::element::{self, StoredElement};
use crate::library::{Library, h5, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk::element::ElementType;
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::constants::{
    H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS, H5D_CHUNKED, H5D_COMPACT, H5D_CONTIGUOUS, H5D_FILL_TIME_NEVER,
    H5D_FILL_VALUE_USER_DEFINED, H5D_VIRTUAL, H5I_DATASET,
};

/// How a dataset is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In chunks.
    Chunked {
        /// The shape of a chunk. No axis is 0.
        chunk: Vec<u64>,
        /// Whether chunks that reach over the edge are not filtered.
        edges_are_raw: bool,
    },
    /// In one piece.
    Contiguous,
    /// In other datasets.
    Virtual,
    /// Otherwise, as this phrase says.
    Other(&'static str),
}

/// An open dataset of elements of a fixed size.
#[derive(Debug)]
pub struct StoredDataset {
    /// The caller's identifier, which may be closed by now.
    pub(super) given: Hid,
    pub(super) dataset: Id,
    pub(super) datatype: Id,
    pub(super) dims: Vec<u64>,
    element: ElementType,
    filters: Vec<StoredFilter>,
    fill: Option<Vec<u8>>,
    pub(super) storage: Storage,
    /// Where the file was opened for it. Closed last: with HDF5's strong close degree what is open in it goes with it.
    pub(super) file: Option<Id>,
}

impl StoredDataset {
    /// A dataset that is open. What is made here has it open, too, by an identifier of its own.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where elements refer to other places of the file: strings and sequences of variable length, and
    /// references. [`Error::Hdf5`], also where `dataset` is no dataset.
    pub fn open(library: &Library, dataset: Hid) -> Result<Self> {
        if h5!(library, H5Iget_type(dataset))? != H5I_DATASET {
            return Err(Error::Unsupported("the identifier is not one of a dataset".into()));
        }
        let given = dataset;
        let dataset = object::open(library, given, ".")?;
        let datatype = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
        // A type that has a name belongs to its file; a copy does not.
        let datatype = Id::new(library, h5!(library, H5Tcopy(datatype.get()))?);
        let Some(StoredElement { n_bytes, refers: false }) = element::stored(&dataset, datatype.get())? else {
            return Err(Error::Unsupported(
                "its elements refer to other places of the file (strings or sequences of variable length, or references), so \
                 that their stored bytes mean nothing: read it with H5Dread"
                    .into(),
            ));
        };
        let element = ElementType { n_bytes, ..object::element_type(library, datatype.get())? };
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
        let dims = extent(&dataset)?;
        let storage = storage(&properties, dims.len())?;
        // What no source has of a virtual dataset is filled whatever the fill time.
        let fill = fill(&properties, datatype.get(), n_bytes, storage == Storage::Virtual)?;
        let filters = dataset::filters(&dataset)?;
        Ok(Self { given, dataset, datatype, dims, element, filters, fill, storage, file: None })
    }

    /// The dataset `path` below the file or group `at`.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what HDF5 says of the path.
    pub fn open_path(library: &Library, at: Hid, path: &str) -> Result<Self> {
        let dataset = object::open(library, at, path)?;
        Self::open(library, dataset.get())
    }

    /// A dataset that is written by chunks. Those that are not flushed are not in the file.
    ///
    /// # Errors
    /// As [`open_path`](Self::open_path).
    pub fn of_writer(chunks: &ChunkWriter) -> Result<Self> {
        let Place { at, path, .. } = chunks.place();
        Self::open_path(chunks.library(), at.get(), path)
    }

    /// HDF5's identifier of the dataset, which stays the property of this value.
    #[must_use]
    pub fn id(&self) -> Hid {
        self.dataset.get()
    }

    /// Its extent along each axis, when it was opened or last refreshed.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        &self.dims
    }

    /// An element.
    #[must_use]
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// The filters, in the order in which they are applied.
    #[must_use]
    pub fn filters(&self) -> &[StoredFilter] {
        &self.filters
    }

    /// One element as HDF5 gives it where nothing is stored; `None` for zeros.
    #[must_use]
    pub fn fill(&self) -> Option<&[u8]> {
        self.fill.as_deref()
    }

    /// How it is stored.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// All its chunks that are stored, in one pass over its index.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it has no chunks, or they cannot be listed; what HDF5 says of a damaged index.
    pub fn map(&self) -> Result<ChunkMap> {
        let Storage::Chunked { chunk, .. } = &self.storage else {
            return Err(Error::Unsupported("it has no chunks".into()));
        };
        let library = self.dataset.library();
        let space = Id::new(library, h5!(library, H5Dget_space(self.dataset.get()))?);
        list(&self.dataset, &space, &self.dims, chunk)
    }
}

pub(super) fn extent(dataset: &Id) -> Result<Vec<u64>> {
    let library = dataset.library();
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    Ok(object::extent(&space)?.0)
}

/// How a dataset of these properties is stored.
pub(crate) fn storage(properties: &Id, rank: usize) -> Result<Storage> {
    let library = properties.library();
    Ok(match h5!(library, H5Pget_layout(properties.get()))? {
        H5D_CHUNKED if rank > 0 => {
            let (mut options, mut chunk) = (0, vec![0; rank]);
            h5!(library, H5Pget_chunk_opts(properties.get(), &raw mut options))?;
            h5!(library, H5Pget_chunk(properties.get(), rank as i32, chunk.as_mut_ptr()))?;
            if chunk.contains(&0) {
                return Err(Error::Unsupported(format!("its chunks are {chunk:?}: the file is damaged")));
            }
            Storage::Chunked { chunk, edges_are_raw: options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS != 0 }
        }
        H5D_CONTIGUOUS if h5_optional!(library, H5Pget_external_count(properties.get()))? > 0 => {
            Storage::Other("its data are in external files")
        }
        H5D_CONTIGUOUS => Storage::Contiguous,
        H5D_COMPACT => Storage::Other("its data are in the header of the dataset"),
        H5D_VIRTUAL => Storage::Virtual,
        _ => Storage::Other("its layout is not known"),
    })
}

/// Whether a fill value is set.
pub(crate) fn has_fill(properties: &Id) -> Result<bool> {
    let mut status = 0;
    h5_optional!(properties.library(), H5Pfill_value_defined(properties.get(), &raw mut status))?;
    Ok(status == H5D_FILL_VALUE_USER_DEFINED)
}

/// The fill value where one is set. An element may claim 2 GB, so that zeros are not made.
pub(crate) fn fill(properties: &Id, datatype: Hid, n_bytes: usize, is_always: bool) -> Result<Option<Vec<u8>>> {
    let (library, mut time) = (properties.library(), 0);
    h5_optional!(library, H5Pget_fill_time(properties.get(), &raw mut time))?;
    if !has_fill(properties)? || (time == H5D_FILL_TIME_NEVER && !is_always) {
        return Ok(None);
    }
    let mut value = buffer(n_bytes)?;
    h5_optional!(library, H5Pget_fill_value(properties.get(), datatype, value.as_mut_ptr().cast()))?;
    Ok(Some(value))
}
