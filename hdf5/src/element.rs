//! How many bytes an element of a dataset takes in its file.
//!
//! HDF5 says how many it takes in memory. What refers to other places of the file takes another number there: strings and
//! sequences of variable length, and references. A compound or array of these differs by as much as its members do.

use crate::Result;
use crate::api::Hid;
use crate::library::{Library, h5, h5_optional};
use crate::object::{Id, file_of};
use darkchunk_hdf5_abi::constants::{
    H5T_ARRAY, H5T_COMPOUND, H5T_ENUM, H5T_FLOAT, H5T_INTEGER, H5T_REFERENCE, H5T_STRING, H5T_VLEN,
};

/// Types within types that are looked into. HDF5 has no limit; a damaged file may.
const MAX_DEPTH: usize = 32;

/// An element as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredElement {
    pub(crate) n_bytes: usize,
    /// Whether some of it is elsewhere in the file.
    pub(crate) refers: bool,
}

/// How an element of `dataset`, whose type is `datatype`, is stored. `None` where that is not known.
pub(crate) fn stored(dataset: &Id, datatype: Hid) -> Result<Option<StoredElement>> {
    let library = dataset.library();
    if !may_refer(library, datatype)? {
        return Ok(Some(StoredElement { n_bytes: h5!(library, H5Tget_size(datatype))?, refers: false }));
    }
    let file = file_of(dataset)?;
    let created = Id::new(library, h5_optional!(library, H5Fget_create_plist(file.get()))?);
    let (mut address_bytes, mut length_bytes) = (0, 0);
    h5_optional!(library, H5Pget_sizes(created.get(), &raw mut address_bytes, &raw mut length_bytes))?;
    Walk { library, address_bytes }.stored(datatype, 0)
}

/// Whether parts of a type are strings, which may be of variable length, sequences, or references.
fn may_refer(library: &Library, datatype: Hid) -> Result<bool> {
    if [H5T_INTEGER, H5T_FLOAT, H5T_ENUM].contains(&h5!(library, H5Tget_class(datatype))?) {
        return Ok(false);
    }
    for class in [H5T_STRING, H5T_VLEN, H5T_REFERENCE] {
        if h5_optional!(library, H5Tdetect_class(datatype, class))? != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Walk<'a> {
    library: &'a Library,
    /// Bytes of an address in this file.
    address_bytes: usize,
}

impl Walk<'_> {
    fn stored(&self, datatype: Hid, depth: usize) -> Result<Option<StoredElement>> {
        let library = self.library;
        let n_bytes = h5!(library, H5Tget_size(datatype))?;
        if depth > MAX_DEPTH {
            return Ok(None);
        }
        let refers = |n_bytes| Ok(Some(StoredElement { n_bytes, refers: true }));
        // A length, and the address and number of what is in the file's global heap.
        let variable = 4 + self.address_bytes + 4;
        match h5!(library, H5Tget_class(datatype))? {
            H5T_STRING if h5_optional!(library, H5Tis_variable_str(datatype))? != 0 => refers(variable),
            H5T_VLEN => refers(variable),
            // Before 1.12 a reference in memory is as it is stored.
            H5T_REFERENCE if library.version()? < (1, 12, 0) => refers(n_bytes),
            H5T_REFERENCE => match n_bytes {
                // To an object: its address. To a region: an address and a number, in memory 12 bytes.
                8 => refers(self.address_bytes),
                12 => refers(self.address_bytes + 4),
                _ => Ok(None),
            },
            H5T_COMPOUND => self.compound(datatype, n_bytes, depth),
            H5T_ARRAY => self.array(datatype, n_bytes, depth),
            _ => Ok(Some(StoredElement { n_bytes, refers: false })),
        }
    }

    fn compound(&self, datatype: Hid, n_bytes: usize, depth: usize) -> Result<Option<StoredElement>> {
        let n_members = h5_optional!(self.library, H5Tget_nmembers(datatype))?.cast_unsigned();
        let mut element = StoredElement { n_bytes, refers: false };
        for index in 0..n_members {
            let member = Id::new(self.library, h5_optional!(self.library, H5Tget_member_type(datatype, index))?);
            let in_memory = h5!(self.library, H5Tget_size(member.get()))?;
            let Some(stored) = self.stored(member.get(), depth + 1)? else { return Ok(None) };
            // A compound has room for each member, and may have more.
            let Some(n_bytes) = (element.n_bytes + stored.n_bytes).checked_sub(in_memory) else { return Ok(None) };
            element = StoredElement { n_bytes, refers: element.refers || stored.refers };
        }
        Ok(Some(element))
    }

    fn array(&self, datatype: Hid, n_bytes: usize, depth: usize) -> Result<Option<StoredElement>> {
        let base = Id::new(self.library, h5_optional!(self.library, H5Tget_super(datatype))?);
        let in_memory = h5!(self.library, H5Tget_size(base.get()))?;
        let Some(stored) = self.stored(base.get(), depth + 1)? else { return Ok(None) };
        let n_bytes = (n_bytes / in_memory).checked_mul(stored.n_bytes);
        Ok(n_bytes.map(|n_bytes| StoredElement { n_bytes, ..stored }))
    }
}
