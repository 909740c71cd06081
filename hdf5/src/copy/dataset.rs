//! A dataset made anew, to be stored otherwise.

use crate::Result;
use crate::api::Hid;
use crate::chunk_map;
use crate::dataset::{self, StoredFilter};
use crate::inspect::{self, DatasetInfo, FilterInfo};
use crate::library::{DEFAULT, Library, h5, h5_optional, h5_tool};
use crate::object::{self, Id, c_name};
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk_hdf5_abi::constants::H5Z_FLAG_OPTIONAL;

/// All filters, for `H5Premove_filter`.
const ALL: i32 = 0;

/// How a dataset is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStorage {
    /// The shape of a chunk.
    pub chunk: Vec<u64>,
    /// Filters with the parameters that a user gives.
    pub filters: Vec<(u32, Vec<u32>)>,
    /// Whether these are the parameters that are stored with such chunks already.
    pub is_localised: bool,
}

/// A dataset whose chunks are written as they are stored.
#[derive(Debug)]
pub struct NewDataset {
    dataset: Id,
    filters: Vec<StoredFilter>,
}

impl NewDataset {
    /// The dataset `path` of the file `file`.
    ///
    /// # Errors
    /// [`Error::Hdf5`](crate::Error::Hdf5).
    pub fn open(library: &Library, file: Hid, path: &str) -> Result<Self> {
        let dataset = object::open(library, file, path)?;
        let filters = dataset::filters(&dataset)?;
        Ok(Self { dataset, filters })
    }

    /// Its filters, with the parameters that it has.
    #[must_use]
    pub fn filters(&self) -> &[StoredFilter] {
        &self.filters
    }

    /// Writes the chunk that begins at `offset`.
    ///
    /// # Errors
    /// [`Error::Hdf5`](crate::Error::Hdf5), for instance where the disk is full.
    pub fn write(&self, offset: &[u64], mask: u32, chunk: &[u8]) -> Result<()> {
        let (library, data) = (self.dataset.library(), chunk.as_ptr().cast());
        h5!(library, H5Dwrite_chunk(self.dataset.get(), DEFAULT, mask, offset.as_ptr(), chunk.len(), data)).map(drop)
    }
}

/// An empty dataset of this type, as the original, or stored as `storage` says.
pub(super) fn create(
    to: Hid,
    path: &str,
    original: &Id,
    datatype: &Id,
    storage: Option<&NewStorage>,
    links: &Id,
) -> Result<Id> {
    let library = original.library();
    let space = Id::new(library, h5!(library, H5Dget_space(original.get()))?);
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(original.get()))?);
    let properties = if storage.is_some() { in_its_file(properties, datatype)? } else { properties };
    let filters = match storage {
        Some(storage) => localised(&properties, datatype, storage)?,
        None => dataset::filters(original)?,
    };
    if h5!(library, H5Pget_nfilters(properties.get()))? > 0 {
        h5_tool!(library, H5Premove_filter(properties.get(), ALL))?;
    }
    if let Some(NewStorage { chunk, .. }) = storage {
        h5!(library, H5Pset_chunk(properties.get(), chunk.len() as i32, chunk.as_ptr()))?;
    }
    for filter in filters {
        let (id, values) = (filter.id.cast_signed(), &filter.values);
        // Without its plugin HDF5 lets a dataset have a filter only if it may be left out.
        let (n_values, values) = (values.len(), values.as_ptr());
        h5!(library, H5Pset_filter(properties.get(), id, H5Z_FLAG_OPTIONAL, n_values, values))?;
    }
    let name = c_name(path)?;
    let (kind, space, links) = (datatype.get(), space.get(), links.get());
    let id = h5!(library, H5Dcreate2(to, name.as_ptr(), kind, space, links, properties.get(), DEFAULT))?;
    Ok(Id::new(library, id))
}

/// The properties of a dataset whose data are to be in its file: HDF5 cannot take external files out of a list.
fn in_its_file(properties: Id, datatype: &Id) -> Result<Id> {
    let (library, mut order) = (datatype.library(), 0);
    if h5_optional!(library, H5Pget_external_count(properties.get()))? == 0 {
        return Ok(properties);
    }
    let new = object::property_list(library, library.ids().dataset_create)?;
    let n_bytes = h5!(library, H5Tget_size(datatype.get()))?;
    if let Some(fill) = chunk_map::fill(&properties, datatype.get(), n_bytes, false)? {
        h5_optional!(library, H5Pset_fill_value(new.get(), datatype.get(), fill.as_ptr().cast()))?;
    }
    h5_tool!(library, H5Pget_attr_creation_order(properties.get(), &raw mut order))?;
    h5_tool!(library, H5Pset_attr_creation_order(new.get(), order))?;
    Ok(new)
}

/// The filters with the parameters that are stored.
fn localised(properties: &Id, datatype: &Id, storage: &NewStorage) -> Result<Vec<StoredFilter>> {
    let element = object::element_type(properties.library(), datatype.get())?;
    storage.localised(element, object::fill_bits(properties, datatype.get(), element)?)
}

impl NewStorage {
    /// The filters that a dataset gets, with the parameters that are stored and in words.
    ///
    /// # Errors
    /// Why it cannot have one.
    pub fn filters_of(&self, info: &DatasetInfo) -> Result<Vec<FilterInfo>> {
        Ok(self.localised(info.element, info.fill)?.into_iter().map(inspect::filter).collect())
    }

    fn localised(&self, element: ElementType, fill: Option<u32>) -> Result<Vec<StoredFilter>> {
        if self.is_localised {
            let stored = |(id, values): &(u32, Vec<u32>)| StoredFilter { id: *id, values: values.clone() };
            return Ok(self.filters.iter().map(stored).collect());
        }
        let mut layout = ChunkLayout { fill, ..ChunkLayout::new(element, self.chunk.clone()) };
        let mut filters = Vec::new();
        for (id, values) in &self.filters {
            let id = *id;
            let values = match id {
                2 => vec![element.n_bytes as u32],
                _ if Filter::is_known(id) => Filter::localise(id, values, &layout)?,
                _ => values.clone(),
            };
            layout.resized_before |= id != 2;
            filters.push(StoredFilter { id, values });
        }
        Ok(filters)
    }
}
