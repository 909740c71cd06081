//! Files of results: datasets of any rank whose chunks are written as they are encoded, and NeXus groups that say where they come from.
//!
//! No time is stored, so that the same results are the same bytes.

use std::ffi::{CString, c_char};

use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::{ByteOrder, ElementType};
use darkchunk_hdf5_abi::constants::{
    H5T_FLOAT, H5T_INTEGER, H5T_ORDER_BE, H5T_SGN_NONE, H5Z_FLAG_OPTIONAL, HADDR_UNDEF,
};

use super::api::Hid;
use super::chunk_map::{ChunkMap, list};
use super::dataset::{self, StoredFilter};
use super::library::{DEFAULT, Library, h5, h5_optional, h5_tool};
use super::object::{self, Id};
use crate::{Error, Result};

/// What kind of number an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberClass {
    /// Two's complement integer.
    Signed,
    /// Unsigned integer.
    Unsigned,
    /// IEEE 754.
    Float,
    /// None: a compound, a string, an integer that does not fill its bytes.
    Bytes,
}

/// An element as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberType {
    /// What kind.
    pub class: NumberClass,
    /// Bytes of an element.
    pub n_bytes: usize,
    /// Of [`NumberClass::Bytes`] always this machine's.
    pub order: ByteOrder,
}

impl NumberType {
    /// One in this machine's byte order.
    #[must_use]
    pub const fn native(class: NumberClass, n_bytes: usize) -> Self {
        Self { class, n_bytes, order: ByteOrder::NATIVE }
    }

    /// The element type of an open dataset.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn of(library: &Library, dataset: Hid) -> Result<Self> {
        let kind = Id::new(library, h5!(library, H5Dget_type(dataset))?);
        let kind = kind.get();
        let (class, n_bytes) = (h5!(library, H5Tget_class(kind))?, h5!(library, H5Tget_size(kind))?);
        let bytes = Self::native(NumberClass::Bytes, n_bytes);
        let class = match class {
            H5T_INTEGER if is_signed(library, kind)? => NumberClass::Signed,
            H5T_INTEGER => NumberClass::Unsigned,
            H5T_FLOAT => NumberClass::Float,
            _ => return Ok(bytes),
        };
        if h5_optional!(library, H5Tget_precision(kind))? != 8 * n_bytes {
            return Ok(bytes);
        }
        let is_big = n_bytes > 1 && h5!(library, H5Tget_order(kind))? == H5T_ORDER_BE;
        let found = Self { class, n_bytes, order: if is_big { ByteOrder::Big } else { ByteOrder::Little } };
        Ok(if found.is_known() { found } else { bytes })
    }

    /// Whether C has such a number.
    fn is_known(self) -> bool {
        match self.class {
            NumberClass::Signed | NumberClass::Unsigned => [1, 2, 4, 8].contains(&self.n_bytes),
            NumberClass::Float => [4, 8].contains(&self.n_bytes),
            NumberClass::Bytes => false,
        }
    }

    fn datatype(self, library: &Library) -> Result<Hid> {
        let ids = library.ids();
        Ok(match (self.class, self.n_bytes) {
            (NumberClass::Signed, 1) => ids.native_int8,
            (NumberClass::Unsigned, 1) => ids.native_uint8,
            (NumberClass::Signed, 2) => ids.native_int16,
            (NumberClass::Unsigned, 2) => ids.native_uint16,
            (NumberClass::Signed, 4) => ids.native_int32,
            (NumberClass::Unsigned, 4) => ids.native_uint32,
            (NumberClass::Signed, 8) => ids.native_int64,
            (NumberClass::Unsigned, 8) => ids.native_uint64,
            (NumberClass::Float, 4) => ids.native_float,
            (NumberClass::Float, 8) => ids.native_double,
            _ => return Err(Error::Unsupported(format!("results cannot be of elements of {} bytes", self.n_bytes))),
        })
    }
}

fn is_signed(library: &Library, kind: Hid) -> Result<bool> {
    Ok(h5!(library, H5Tget_sign(kind))? != H5T_SGN_NONE)
}

/// A dataset of results.
#[derive(Debug)]
pub struct ResultDataset {
    dataset: Id,
    datatype: Hid,
    dims: Vec<u64>,
    chunk: Option<Vec<u64>>,
}

/// What a dataset of results is to be.
#[derive(Debug, Clone, Copy)]
pub struct NewResult<'a> {
    /// Its path in the file; groups above it are made.
    pub path: &'a str,
    /// An element, in this machine's byte order.
    pub number: NumberType,
    /// Its extent along each axis.
    pub dims: &'a [u64],
    /// The shape of a chunk; `None` for a dataset in one piece.
    pub chunk: Option<&'a [u64]>,
    /// Filters with their stored parameters.
    pub filters: &'a [(u32, Vec<u32>)],
}

/// The parameters of bitshuffle with LZ4 that a dataset with such chunks stores.
///
/// # Errors
/// What the codec refuses.
pub fn bitshuffle_lz4(number: NumberType, chunk: &[u64]) -> Result<(u32, Vec<u32>)> {
    const BITSHUFFLE: u32 = 32008;
    const LZ4: u32 = 2;
    let element = ElementType::from_parts(number.n_bytes, number.n_bytes, None);
    let layout = ChunkLayout::new(element, chunk.to_vec());
    Ok((BITSHUFFLE, Filter::localise(BITSHUFFLE, &[0, LZ4], &layout)?))
}

impl ResultDataset {
    /// Makes a dataset.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; [`Error::Hdf5`].
    pub fn create(library: &Library, file: Hid, new: NewResult<'_>) -> Result<Self> {
        if object::exists(library, file, new.path)? {
            let path = new.path.to_owned();
            return Err(Error::NameTaken { path, remedy: "each output needs a name of its own" });
        }
        let datatype = new.number.datatype(library)?;
        let properties = without_times(library)?;
        if let Some(chunk) = new.chunk {
            h5!(library, H5Pset_chunk(properties.get(), chunk.len() as i32, chunk.as_ptr()))?;
        }
        for (id, values) in new.filters {
            let (n_values, at) = (values.len(), values.as_ptr());
            h5!(library, H5Pset_filter(properties.get(), id.cast_signed(), H5Z_FLAG_OPTIONAL, n_values, at))?;
        }
        let space = object::dataspace(library, new.dims, false)?;
        let id = object::create_dataset(library, file, new.path, datatype, &space, &properties)?;
        let found = dataset::filters(&id)?;
        let is_as_asked =
            |((id, values), found): (&(u32, Vec<u32>), &StoredFilter)| found.id == *id && found.values == *values;
        if found.len() != new.filters.len() || !new.filters.iter().zip(&found).all(is_as_asked) {
            return Err(Error::Unsupported(
                "the plugin that HDF5 found changes the filter's parameters: have HDF5_PLUGIN_PATH name darkchunk's plugins first, or none"
                    .to_owned(),
            ));
        }
        Ok(Self { dataset: id, datatype, dims: new.dims.to_vec(), chunk: new.chunk.map(<[u64]>::to_vec) })
    }

    /// Writes the chunk that begins at `offset`, encoded by all filters.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where `offset` has not a number for each axis; [`Error::Hdf5`], for instance where the disk is full.
    pub fn write_chunk(&self, offset: &[u64], chunk: &[u8]) -> Result<()> {
        self.check(offset)?;
        let (library, data) = (self.dataset.library(), chunk.as_ptr().cast());
        h5!(library, H5Dwrite_chunk(self.dataset.get(), DEFAULT, 0, offset.as_ptr(), chunk.len(), data)).map(drop)
    }

    /// All its chunks, in one pass over its index.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it is in one piece, or the chunks are many and cannot be listed in one pass (HDF5 before 1.12.3).
    pub fn chunks(&self) -> Result<ChunkMap> {
        let none = || Error::Unsupported("it has no chunks".to_owned());
        let (library, chunk) = (self.dataset.library(), self.chunk.as_deref().ok_or_else(none)?);
        let space = Id::new(library, h5!(library, H5Dget_space(self.dataset.get()))?);
        list(&self.dataset, &space, &self.dims, chunk)
    }

    /// The address in the file of a chunk that was written. HDF5 walks over all chunks for it.
    ///
    /// # Errors
    /// As [`write_chunk`](Self::write_chunk), and [`Error::MissingFunction`] before HDF5 1.10.5.
    pub fn chunk_address(&self, offset: &[u64]) -> Result<u64> {
        self.check(offset)?;
        let (library, mut mask, mut address, mut n_bytes) = (self.dataset.library(), 0, HADDR_UNDEF, 0);
        let (mask, address_out, n_bytes) = (&raw mut mask, &raw mut address, &raw mut n_bytes);
        let (dataset, offset) = (self.dataset.get(), offset.as_ptr());
        h5_optional!(library, H5Dget_chunk_info_by_coord(dataset, offset, mask, address_out, n_bytes))?;
        Ok(address)
    }

    /// HDF5 reads a number for each axis.
    fn check(&self, offset: &[u64]) -> Result<()> {
        let (n, n_axes) = (offset.len(), self.dims.len());
        let words = || format!("the offset {offset:?} of a chunk has {n} axes, the dataset has {n_axes}");
        if n == n_axes { Ok(()) } else { Err(Error::Unsupported(words())) }
    }

    /// Writes all elements of a dataset that is in one piece.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where `elements` has not as many bytes; [`Error::Hdf5`].
    pub fn write(&self, elements: &[u8]) -> Result<()> {
        let library = self.dataset.library();
        let space = Id::new(library, h5!(library, H5Dget_space(self.dataset.get()))?);
        let n_bytes = h5!(library, H5Tget_size(self.datatype))? as u64;
        let expected = object::extent(&space)?.0.iter().fold(n_bytes, |n, dim| n.saturating_mul(*dim));
        if expected != elements.len() as u64 {
            return Err(Error::Unsupported(format!("the dataset has {expected} bytes, not {}", elements.len())));
        }
        let (dataset, data) = (self.dataset.get(), elements.as_ptr().cast());
        h5!(library, H5Dwrite(dataset, self.datatype, DEFAULT, DEFAULT, DEFAULT, data)).map(drop)
    }

    /// Sets an attribute to a text.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn describe(&self, name: &str, text: &str) -> Result<()> {
        object::set_string(&self.dataset, name, text)
    }
}

/// Makes a NeXus group of a class, where it is missing.
///
/// # Errors
/// [`Error::Hdf5`].
pub fn nexus_group(library: &Library, file: Hid, path: &str, class: &str) -> Result<()> {
    let group = object::group(library, file, path)?;
    object::set_string(&group, "NX_class", class)
}

/// Makes a dataset of texts, one or, with `is_list`, a list of them.
///
/// # Errors
/// [`Error::Hdf5`].
pub fn texts(library: &Library, file: Hid, path: &str, texts: &[&str], is_list: bool) -> Result<()> {
    const ANY_LENGTH: usize = usize::MAX;
    const UTF_8: i32 = 1;
    let kind = Id::new(library, h5!(library, H5Tcopy(library.ids().c_s1))?);
    h5!(library, H5Tset_size(kind.get(), ANY_LENGTH))?;
    h5!(library, H5Tset_cset(kind.get(), UTF_8))?;
    let strings: Vec<CString> = texts.iter().map(|text| object::c_name(text)).collect::<Result<_>>()?;
    let pointers: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
    let dims = [pointers.len() as u64];
    let space = object::dataspace(library, if is_list { &dims } else { &[] }, false)?;
    let properties = without_times(library)?;
    let dataset = object::create_dataset(library, file, path, kind.get(), &space, &properties)?;
    if pointers.is_empty() {
        return Ok(());
    }
    let (dataset, data) = (dataset.get(), pointers.as_ptr().cast());
    h5!(library, H5Dwrite(dataset, kind.get(), DEFAULT, DEFAULT, DEFAULT, data)).map(drop)
}

/// Properties of a dataset that keeps no time of its making.
fn without_times(library: &Library) -> Result<Id> {
    let properties = object::property_list(library, library.ids().dataset_create)?;
    h5_tool!(library, H5Pset_obj_track_times(properties.get(), 0))?;
    Ok(properties)
}
