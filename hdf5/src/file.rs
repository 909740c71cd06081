//! Files and datasets, for programs that have no HDF5 binding of their own.
//!
//! A program that has one opens its files itself, and hands the writer the identifier.

use std::ffi::c_uint;
use std::path::Path;

use super::api::Hid;
use super::library::{DEFAULT, Library, h5, h5_optional, h5_tool};
use super::object::{self, Id, c_name, property_list};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{
    H5F_ACC_RDONLY, H5F_ACC_RDWR, H5F_ACC_SWMR_READ, H5F_ACC_TRUNC, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110,
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
        Self::create_in(library, path, H5F_LIBVER_EARLIEST)
    }

    /// The same in the format of HDF5 1.10, which a file has to have that others read while it is written (SWMR). If its writer
    /// is killed before SWMR begins, it does not open any more.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_for_swmr(library: &Library, path: &Path) -> Result<Self> {
        Self::create_in(library, path, H5F_LIBVER_V110)
    }

    fn create_in(library: &Library, path: &Path, oldest: i32) -> Result<Self> {
        let access = property_list(library, library.ids().file_access)?;
        h5!(library, H5Pset_libver_bounds(access.get(), oldest, H5F_LIBVER_V110))?;
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

    /// Opens a file to read as SWMR has it, also one whose writer was killed. A block that was left half written is an error after some
    /// four seconds, in this call and in each later one that needs it.
    ///
    /// # Errors
    /// [`Error::Hdf5`], also where a program writes to it in another way.
    pub fn open_swmr(library: &Library, path: &Path) -> Result<Self> {
        let (access, name) = (access_to_growing(library)?, file_name(path)?);
        let id = h5!(library, H5Fopen(name.as_ptr(), H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access.get()))?;
        Ok(Self(Id::new(library, id)))
    }

    /// Opens a file that another program may be writing to, to read: as SWMR has it where its writer does
    /// ([`open_swmr`](Self::open_swmr)), and without HDF5's lock.
    ///
    /// # Errors
    /// [`Error::Hdf5`], also where it is being changed at this moment.
    pub fn open_growing(library: &Library, path: &Path) -> Result<Self> {
        let access = access_to_growing(library)?;
        // HDF5 before 1.10.7 has the variable HDF5_USE_FILE_LOCKING alone.
        let unlock = || h5_tool!(library, H5Pset_file_locking(access.get(), 0, 1));
        let _ = unlock();
        let name = file_name(path)?;
        let open = |flags| h5!(library, H5Fopen(name.as_ptr(), flags, access.get()));
        let id = open(H5F_ACC_RDONLY | H5F_ACC_SWMR_READ).or_else(|_| open(H5F_ACC_RDONLY))?;
        Ok(Self(Id::new(library, id)))
    }

    /// Makes a file as `source` is: its user block, the sizes of its addresses, the format of its version. One that is there is
    /// replaced.
    ///
    /// # Errors
    /// [`Error::Hdf5`]; [`Error::Read`].
    pub fn create_like(library: &Library, source: &Self, source_path: &Path, path: &Path) -> Result<Self> {
        let access = property_list(library, library.ids().file_access)?;
        let (low, high) = (oldest(source_path)?, newest(library)?);
        h5!(library, H5Pset_libver_bounds(access.get(), low.min(high), high))?;
        let like = Id::new(library, h5_optional!(library, H5Fget_create_plist(source.id()))?);
        keep_order(source, &like)?;
        let name = file_name(path)?;
        let id = h5!(library, H5Fcreate(name.as_ptr(), H5F_ACC_TRUNC, like.get(), access.get()))?;
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

/// How a file is opened that a writer adds to. Where a checksum does not fit, HDF5 reads again, and waits twice as long each time: so often
/// it is some four seconds. Its own hundred times are for ever, and where a writer was killed amid a write no checksum will fit.
fn access_to_growing(library: &Library) -> Result<Id> {
    const N_ATTEMPTS: c_uint = 32;
    let access = property_list(library, library.ids().file_access)?;
    let limit = || h5_tool!(library, H5Pset_metadata_read_attempts(access.get(), N_ATTEMPTS));
    match limit() {
        // A table that a program hands in: HDF5 waits for ever then.
        Err(Error::MissingFunction { .. }) => {}
        other => drop(other?),
    }
    Ok(access)
}

/// Has the root of a new file keep the order of links and attributes as that of `source` does.
fn keep_order(source: &File, like: &Id) -> Result<()> {
    let (library, mut links, mut attributes) = (like.library(), 0, 0);
    let root = object::open(library, source.id(), "/")?;
    let properties = Id::new(library, h5_tool!(library, H5Gget_create_plist(root.get()))?);
    h5_tool!(library, H5Pget_link_creation_order(properties.get(), &raw mut links))?;
    h5_tool!(library, H5Pget_attr_creation_order(properties.get(), &raw mut attributes))?;
    h5_tool!(library, H5Pset_link_creation_order(like.get(), links))?;
    h5_tool!(library, H5Pset_attr_creation_order(like.get(), attributes)).map(drop)
}

/// The format that a file's superblock is of, as a bound for `H5Pset_libver_bounds`.
fn oldest(path: &Path) -> Result<i32> {
    use std::io::{Read, Seek, SeekFrom};
    const MAX_USER_BLOCK: u64 = 1 << 40;
    let failed = |error: std::io::Error| Error::Read { name: path.display().to_string(), message: error.to_string() };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut at, mut found) = (0, [0; 9]);
    while at < MAX_USER_BLOCK {
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        if file.read_exact(&mut found).is_err() {
            break;
        }
        if found.starts_with(b"\x89HDF\r\n\x1a\n") {
            return Ok(i32::from(found[8].saturating_sub(1)).clamp(H5F_LIBVER_EARLIEST, H5F_LIBVER_V110));
        }
        at = if at == 0 { 512 } else { 2 * at };
    }
    Ok(H5F_LIBVER_EARLIEST)
}

/// The newest format that a library writes.
fn newest(library: &Library) -> Result<i32> {
    Ok(match library.version()? {
        (1, ..12, _) => H5F_LIBVER_V110,
        (1, 12..14, _) => 3,
        (1, _, _) => 4,
        _ => 5,
    })
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

/// An open group, closed when dropped.
#[derive(Debug)]
pub struct Group(Id);

impl Group {
    /// The group `path` below the file or group `at`, made with all groups above it where it is missing.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn open_or_create(library: &Library, at: Hid, path: &str) -> Result<Self> {
        object::group(library, at, path).map(Self)
    }

    /// HDF5's identifier of the group, which stays the property of this value.
    #[must_use]
    pub fn id(&self) -> Hid {
        self.0.get()
    }
}

fn file_name(path: &Path) -> Result<std::ffi::CString> {
    let name = path.to_str().ok_or_else(|| Error::Unsupported(format!("{} is not UTF-8", path.display())))?;
    c_name(name)
}
