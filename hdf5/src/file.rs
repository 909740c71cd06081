//! Files, for programs that have no HDF5 binding of their own.
//!
//! A program that has one opens its files itself, and hands the writer the identifier.

use std::path::Path;

use super::api::Hid;
use super::library::{DEFAULT, Library, h5};
use super::object::{Id, c_name, property_list};
use crate::{Error, Result};

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
        const EARLIEST: i32 = 0;
        const V110: i32 = 2;
        const TRUNCATE: u32 = 2;
        let access = property_list(library, library.ids().file_access)?;
        h5!(library, H5Pset_libver_bounds(access.get(), EARLIEST, V110))?;
        let name = file_name(path)?;
        let id = h5!(library, H5Fcreate(name.as_ptr(), TRUNCATE, DEFAULT, access.get()))?;
        Ok(Self(Id::new(library, id)))
    }

    /// Opens a file that is there, to read or to write.
    ///
    /// # Errors
    /// [`Error::Hdf5`], for instance where it is missing, or not HDF5.
    pub fn open(library: &Library, path: &Path, to_write: bool) -> Result<Self> {
        let name = file_name(path)?;
        let id = h5!(library, H5Fopen(name.as_ptr(), u32::from(to_write), DEFAULT))?;
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

fn file_name(path: &Path) -> Result<std::ffi::CString> {
    let name = path.to_str().ok_or_else(|| Error::Unsupported(format!("{} is not UTF-8", path.display())))?;
    c_name(name)
}
