//! Files and datasets, for programs that have no HDF5 binding of their own.
//!
//! A program that has one opens its files itself, and hands the writer the identifier.

use std::path::Path;

use super::api::Hid;
use super::library::{DEFAULT, Library, h5};
use super::object::{self, Id, c_name, property_list};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{
    H5F_ACC_RDONLY, H5F_ACC_RDWR, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110,
};

/// An open HDF5 file, closed when dropped.
#[derive(Debug)]
pub struct File(Id);

impl File {
    /// Makes a file; one that is there is replaced.
    ///
    /// The file's format is held to what HDF5 1.10 reads. Written in the default way (not `latest`), a file that is
    /// flushed opens again after its writer was killed.
    ///
    /// # Errors
    /// [`Error::Hdf5`], for instance where the folder is missing or the file is open already.
    pub fn create(library: &Library, path: &Path) -> Result<Self> {
        let access = property_list(library, library.ids().file_access)?;
        h5!(library, H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V110))?;
        let name = file_name(path)?;
        let id = h5!(library, H5Fcreate(name.as_ptr(), H5F_ACC_TRUNC, DEFAULT, access.get()))?;
        Ok(Self(Id::new(library, id)))
    }

    /// Opens a file that is there, to read or to write.
    ///
    /// # Errors
    /// [`Error::Hdf5`], for instance where it is missing, or not HDF5.
    pub fn open(library: &Library, path: &Path, to_write: bool) -> Result<Self> {
        let name = file_name(path)?;
        let id = h5!(library, H5Fopen(name.as_ptr(), if to_write { H5F_ACC_RDWR } else { H5F_ACC_RDONLY }, DEFAULT))?;
        Ok(Self(Id::new(library, id)))
    }

    /// HDF5's identifier of the file, which stays the property of this value.
    #[must_use]
    pub fn id(&self) -> Hid {
        self.0.get()
    }

    /// Closes the file. A drop does the same, but cannot say where it failed.
    ///
    /// # Errors
    /// [`Error::Hdf5`] where what was still in memory could not be written.
    pub fn close(self) -> Result<()> {
        self.0.close()
    }
}

/// An open dataset, closed when dropped.
#[derive(Debug)]
pub struct OpenDataset(Id);

impl OpenDataset {
    /// Opens the dataset `path` below the file or group `at`.
    ///
    /// # Errors
    /// [`Error::Hdf5`] where it is missing or damaged.
    pub fn open(library: &Library, at: Hid, path: &str) -> Result<Self> {
        object::open(library, at, path).map(Self)
    }

    /// HDF5's identifier of the dataset, which stays the property of this value.
    #[must_use]
    pub fn id(&self) -> Hid {
        self.0.get()
    }
}

fn file_name(path: &Path) -> Result<std::ffi::CString> {
    let name = path.to_str().ok_or_else(|| Error::Unsupported(format!("{} is not UTF-8", path.display())))?;
    c_name(name)
}
