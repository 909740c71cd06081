//! Whole arrays of numbers as datasets: one unfiltered chunk whose place in the file is reserved when the dataset is made,
//! and which is written directly.
//!
//! An array that is written through HDF5's buffers can fail when its dataset is closed, on a full disk, and then HDF5
//! crashes when the program ends. A chunk whose place is not reserved is lost where its write fails: see
//! [`chunk_writer`](super::chunk_writer).

use super::library::{DEFAULT, Library, h5, h5_optional};
use super::object::{self, Id, Stored};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{H5D_ALLOC_TIME_EARLY, H5D_CHUNKED, H5D_FILL_TIME_NEVER};

/// The largest chunk that HDF5 before 2.0 has.
const MAX_CHUNK_BYTES: usize = u32::MAX as usize;

/// Writes a whole dataset of `dims`, made where it is missing.
pub(super) fn write<T: Stored>(at: &Id, name: &str, dims: &[u64], numbers: &[T]) -> Result<Id> {
    assert_eq!(dims.iter().product::<u64>(), numbers.len() as u64, "dataset {name}");
    let (library, kind) = (at.library(), T::datatype(at.library()));
    let dataset = if object::exists(library, at.get(), name)? {
        object::open(library, at.get(), name)?
    } else {
        let (name, space) = (object::c_name(name)?, object::dataspace(library, dims, false)?);
        let properties = properties(library, dims, size_of_val(numbers))?;
        let (space, properties) = (space.get(), properties.get());
        let id = h5!(library, H5Dcreate2(at.get(), name.as_ptr(), kind, space, DEFAULT, properties, DEFAULT))?;
        Id::new(library, id)
    };
    check_extent(&dataset, name, dims)?;
    let data = numbers.as_ptr().cast();
    if is_one_chunk_of::<T>(&dataset, dims)? {
        let offset = vec![0; dims.len()];
        h5!(library, H5Dwrite_chunk(dataset.get(), DEFAULT, 0, offset.as_ptr(), size_of_val(numbers), data))?;
    } else {
        h5!(library, H5Dwrite(dataset.get(), kind, DEFAULT, DEFAULT, DEFAULT, data))?;
    }
    Ok(dataset)
}

/// Reads a whole dataset that must have the extent `dims`.
pub(super) fn read<T: Stored>(at: &Id, name: &str, dims: &[u64]) -> Result<Vec<T>> {
    let library = at.library();
    let dataset = object::open(library, at.get(), name)?;
    check_extent(&dataset, name, dims)?;
    let mut numbers = vec![T::default(); dims.iter().product::<u64>() as usize];
    let kind = T::datatype(library);
    h5!(library, H5Dread(dataset.get(), kind, DEFAULT, DEFAULT, DEFAULT, numbers.as_mut_ptr().cast()))?;
    Ok(numbers)
}

/// Creation properties: one chunk, or in one piece where the array is too large or the table of functions older.
fn properties(library: &Library, dims: &[u64], n_bytes: usize) -> Result<Id> {
    if n_bytes <= MAX_CHUNK_BYTES {
        match reserved_chunk(library, dims) {
            Err(Error::MissingFunction { .. }) => {}
            properties => return properties,
        }
    }
    object::property_list(library, library.ids().dataset_create)
}

/// Properties of a dataset of one chunk whose place in the file is reserved when it is made.
pub(super) fn reserved_chunk(library: &Library, dims: &[u64]) -> Result<Id> {
    let properties = object::property_list(library, library.ids().dataset_create)?;
    h5!(library, H5Pset_chunk(properties.get(), dims.len() as i32, dims.as_ptr()))?;
    h5_optional!(library, H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY))?;
    h5_optional!(library, H5Pset_fill_time(properties.get(), H5D_FILL_TIME_NEVER))?;
    Ok(properties)
}

/// Whether the dataset is one chunk that holds numbers as they are in memory.
fn is_one_chunk_of<T: Stored>(dataset: &Id, dims: &[u64]) -> Result<bool> {
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    if h5!(library, H5Pget_layout(properties.get()))? != H5D_CHUNKED
        || h5!(library, H5Pget_nfilters(properties.get()))? != 0
    {
        return Ok(false);
    }
    let mut chunk = vec![0; dims.len()];
    h5!(library, H5Pget_chunk(properties.get(), dims.len() as i32, chunk.as_mut_ptr()))?;
    let kind = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
    let is_same = object::element_type(library, kind.get())? == object::element_type(library, T::datatype(library))?;
    Ok(chunk == dims && is_same)
}

fn check_extent(dataset: &Id, name: &str, dims: &[u64]) -> Result<()> {
    let library = dataset.library();
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    let (found, _) = object::extent(&space)?;
    if found == dims {
        return Ok(());
    }
    Err(Error::Unsupported(format!("{name} has the shape {found:?}, {dims:?} is expected")))
}
