//! What there is to know of a dataset without decoding a pixel.

use std::path::PathBuf;

use crate::api::Hid;
use crate::chunk_map::{self, Storage, StoredDataset};
use crate::dataset::{self, StoredFilter};
use crate::library::{h5, h5_tool};
use crate::object::{self, Id};
use crate::{Change, Error, Library, Result, changes, element, promise, tree, values, words};
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk_hdf5_abi::constants::{H5D_COMPACT, H5I_DATASET, H5S_NULL};

/// A filter of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterInfo {
    /// Its number.
    pub id: u32,
    /// Its parameters, as they are stored.
    pub values: Vec<u32>,
    /// What it does, in words.
    pub words: String,
    /// Who has the plugin that a reader needs; `None` where HDF5 itself has the filter.
    pub plugin_from: Option<&'static str>,
}

impl FilterInfo {
    /// Whether it takes something away.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        match self.id {
            // Scale-offset keeps integers whose width it finds itself.
            6 => self.values.get(..2) != Some(&[2, 0]),
            // ZFP and SZ may be without loss; that their parameters do not always say.
            32013 | 32017 | 32024 => true,
            36114 => self.values.first().is_some_and(|threshold| *threshold > 1),
            36115 => self.values.first().is_some_and(|bound| *bound != 0),
            _ => false,
        }
    }
}

/// The chunks of a dataset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChunkCount {
    /// For how many there is room in the extent.
    pub n_chunks: u64,
    /// How many are stored.
    pub n_stored: u64,
    /// Of these, how many without some filter: as their writer could not, or would not, encode them.
    pub n_unfiltered: u64,
    /// Bytes of those that are stored.
    pub n_bytes: u64,
}

/// What was recorded with a dataset by darkchunk's writer, as the crate's documentation has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The software that wrote them, with its version.
    pub software: Option<String>,
    /// Frames that the numbers are of.
    pub frames: Option<u64>,
    /// The least value that was kept, in the beginning.
    pub threshold: Option<u64>,
    /// Pixels set to 0 whose value was not 0.
    pub pixels_zeroed: Option<u64>,
    /// The sum of those values.
    pub zeroed_sum: Option<i64>,
    /// Pixels saturated by the dark subtraction.
    pub pixels_saturated: Option<u64>,
    /// What was done to frames, from which one on; none where nothing was changed.
    pub changes: Vec<Change>,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInfo {
    /// Its datatype, in words.
    pub datatype: String,
    /// Its extent; `None` where it has no elements and no shape.
    pub dims: Option<Vec<u64>>,
    /// The most it may become along each axis; `None` where there is no limit.
    pub max_dims: Vec<Option<u64>>,
    /// Bytes of an element in memory, but for what it refers to.
    pub element_bytes: u64,
    /// What an element is to a codec.
    pub element: ElementType,
    /// Whether elements refer to other places of the file: strings and sequences of variable length, references.
    pub refers: bool,
    /// The bits of the fill value, for a codec.
    pub fill: Option<u32>,
    /// Bytes of all elements.
    pub n_bytes: u64,
    /// Bytes that are stored.
    pub stored_bytes: u64,
    /// The shape of a chunk.
    pub chunk: Option<Vec<u64>>,
    /// How it is stored, where it is not in chunks.
    pub layout: &'static str,
    /// The files of a virtual dataset's sources that are not there: HDF5 reads what they have as the fill value.
    pub missing_files: Vec<PathBuf>,
    /// Whether its data are in this file and without chunks.
    pub is_in_one_piece: bool,
    /// Its filters, in the order in which they are applied.
    pub filters: Vec<FilterInfo>,
    /// Its chunks; an error says why they cannot be counted. `None` where it has none.
    pub chunks: Option<std::result::Result<ChunkCount, Error>>,
    /// The names of its attributes.
    pub attributes: Vec<String>,
}

/// The dataset `path` below `at`.
///
/// # Errors
/// What HDF5 says; [`Error::Unsupported`] where there is no such dataset; [`Error::MissingFunction`] where the library was not found by its
/// names.
pub fn dataset(library: &Library, at: Hid, path: &str) -> Result<DatasetInfo> {
    let dataset = object::open(library, at, path)?;
    if h5!(library, H5Iget_type(dataset.get()))? != H5I_DATASET {
        return Err(Error::Unsupported(format!("{path} is no dataset")));
    }
    let datatype = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    let (dims, max_dims) = object::extent(&space)?;
    let is_null = h5_tool!(library, H5Sget_simple_extent_type(space.get()))? == H5S_NULL;
    let storage = chunk_map::storage(&properties, dims.len())?;
    let is_contiguous = storage == Storage::Contiguous;
    let missing_files = if storage == Storage::Virtual { missing_files(library, dataset.get()) } else { Vec::new() };
    let (chunk, layout) = match storage {
        Storage::Chunked { chunk, .. } => (Some(chunk), "in chunks"),
        Storage::Contiguous => (None, "in one piece"),
        Storage::Virtual => (None, "in other datasets: it is virtual"),
        Storage::Other(words) => (None, words),
    };
    let is_compact = h5!(library, H5Pget_layout(properties.get()))? == H5D_COMPACT;
    let chunks = chunk.as_ref().map(|chunk| count(&dataset, &space, &dims, chunk));
    let element_bytes = h5!(library, H5Tget_size(datatype.get()))? as u64;
    let element = object::element_type(library, datatype.get())?;
    let n_bytes = dims.iter().fold(element_bytes, |n, dim| n.saturating_mul(*dim));
    Ok(DatasetInfo {
        datatype: words::datatype(library, datatype.get())?,
        element_bytes,
        element,
        refers: element::stored(&dataset, datatype.get())?.is_none_or(|stored| stored.refers),
        fill: object::fill_bits(&properties, datatype.get(), element)?,
        n_bytes: if is_null { 0 } else { n_bytes },
        stored_bytes: h5_tool!(library, H5Dget_storage_size(dataset.get()))?,
        dims: (!is_null).then_some(dims),
        max_dims,
        chunk,
        layout,
        missing_files,
        is_in_one_piece: is_contiguous || is_compact,
        filters: dataset::filters(&dataset)?.into_iter().map(filter).collect(),
        chunks,
        attributes: tree::attributes(&dataset)?,
    })
}

/// None where it cannot be said, as where a prefix says where HDF5 looks.
fn missing_files(library: &Library, dataset: Hid) -> Vec<PathBuf> {
    StoredDataset::open(library, dataset).and_then(|stored| stored.missing_files()).unwrap_or_default()
}

/// Whether the library has the filter `id`, as its own or by a plugin that it finds.
#[must_use]
pub fn has_filter(library: &Library, id: u32) -> bool {
    let ask = || Ok::<_, Error>(h5_tool!(library, H5Zfilter_avail(id.cast_signed()))?);
    ask().is_ok_and(|answer| answer > 0)
}

/// A filter as it is stored, in words.
#[must_use]
pub fn filter(stored: StoredFilter) -> FilterInfo {
    let words = words::filter(&stored);
    FilterInfo { id: stored.id, plugin_from: words::source(stored.id), values: stored.values, words }
}

fn count(dataset: &Id, space: &Id, dims: &[u64], chunk: &[u64]) -> Result<ChunkCount> {
    let map = chunk_map::list(dataset, space, dims, chunk)?;
    let n_chunks = map.grid().iter().fold(1_u64, |n, dim| n.saturating_mul(*dim));
    let n_unfiltered = map.iter().filter(|(_, chunk)| chunk.mask != 0).count() as u64;
    Ok(ChunkCount { n_chunks, n_stored: map.len() as u64, n_unfiltered, n_bytes: map.stored_bytes() })
}

/// What darkchunk's writer recorded with the dataset that has this name, in the group beside it; of several names the one that the writer
/// gave it.
///
/// # Errors
/// What HDF5 says.
pub fn recorded(library: &Library, at: Hid, path: &str) -> Result<Option<Recorded>> {
    let group = format!("{path}_darkchunk");
    if !object::exists(library, at, &group)? {
        return Ok(None);
    }
    let software = values::string(library, at, &group, "software")?;
    let group = object::open(library, at, &group)?;
    Ok(Some(Recorded {
        software,
        frames: object::number(&group, "frames")?,
        threshold: object::number(&group, "threshold")?,
        pixels_zeroed: object::number(&group, "pixels_zeroed")?,
        zeroed_sum: object::number(&group, "zeroed_sum")?,
        pixels_saturated: object::number(&group, "pixels_saturated")?,
        changes: changes::read(&group)?,
    }))
}

impl DatasetInfo {
    /// Bytes of the elements for each byte that is stored; `None` where nothing is stored, or elements refer to other places.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let n_bytes = match (&self.chunks, &self.chunk) {
            // Neither what was never written nor what is beyond the edge is a gain.
            (Some(Ok(count)), Some(chunk)) => {
                let chunk_bytes = chunk.iter().fold(self.element_bytes, |n, dim| n.saturating_mul(*dim));
                chunk_bytes.saturating_mul(count.n_stored).min(self.n_bytes)
            }
            _ => self.n_bytes,
        };
        (self.stored_bytes > 0).then(|| n_bytes as f64 / self.stored_bytes as f64)
    }

    /// What the bounded codec promises of its pixels, in words, where that is its only filter.
    #[must_use]
    pub fn promise(&self) -> Option<String> {
        let [FilterInfo { id, values, .. }] = &self.filters[..] else { return None };
        promise::words(&StoredFilter { id: *id, values: values.clone() })
    }

    /// The parameters that are stored with the dataset's chunks for a filter that a caller gives these; `None` where they mean nothing.
    #[must_use]
    pub fn localised(&self, id: u32, values: &[u32]) -> Option<Vec<u32>> {
        const SHUFFLE: u32 = 2;
        if id == SHUFFLE {
            return Some(vec![self.element_bytes as u32]);
        }
        if !Filter::is_known(id) {
            return Some(values.to_vec());
        }
        let layout = ChunkLayout { fill: self.fill, ..ChunkLayout::new(self.element, self.chunk.clone()?) };
        Filter::localise(id, values, &layout).ok()
    }

    /// What a reader needs who has only HDF5: each filter's words and where its plugin comes from.
    pub fn plugins(&self) -> impl Iterator<Item = (&FilterInfo, &'static str)> {
        self.filters.iter().filter_map(|filter| Some((filter, filter.plugin_from?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_that_take_something_away_are_known() {
        let of = |id, values: &[u32]| {
            FilterInfo { id, values: values.to_vec(), words: String::new(), plugin_from: None }.is_lossy()
        };
        assert!(of(6, &[0, 3]) && of(6, &[2, 5]) && of(6, &[]) && of(32013, &[]) && of(32017, &[1]) && of(32024, &[]));
        assert!(of(36114, &[20]) && of(36115, &[1, 3]));
        assert!(!of(6, &[2, 0, 100]) && !of(1, &[4]) && !of(36114, &[1]) && !of(36115, &[0]));
    }
}
