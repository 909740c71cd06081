//! The file itself, and the proof that addresses lead to what HDF5 reads.
//!
//! The file is opened once more, so that its reader has a descriptor of its own: by HDF5's own descriptor where the system has a
//! name for it, so that it is the same file whatever became of its path.
//!
//! Addresses count from the end of the user block in some versions of HDF5 (1.10), from the first byte in others: both are
//! tried where there is a user block, and one must agree with HDF5 and the other must not.

#![allow(unsafe_code)]

use std::ffi::{OsString, c_int, c_void};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::{ChunkMap, Storage, StoredDataset};
use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5, h5_optional};
use crate::object::{self, Id, property_list};
use crate::{Error, Result};
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::constants::{H5F_ACC_RDWR, HADDR_UNDEF};

/// Parts that are compared where there is a user block; without one, a single part tells.
const MAX_COMPARED: usize = 16;

/// Bytes of a part in one piece that are compared.
const COMPARED_BYTES: u64 = 1 << 16;

/// The file of a dataset, opened to be read beside HDF5.
#[derive(Debug)]
pub struct Located {
    /// The file.
    pub file: File,
    /// To be added to the address of a chunk.
    pub base: u64,
    /// Where a dataset in one piece begins; `None` where nothing is stored.
    pub contiguous: Option<u64>,
}

impl Located {
    /// Fills `dst` with what is in the file from `address` on, by HDF5's account of addresses.
    ///
    /// # Errors
    /// What the system says; `UnexpectedEof` where the file ends before.
    pub fn read_at(&self, dst: &mut [u8], address: u64) -> std::io::Result<()> {
        let address = address.checked_add(self.base).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        read_at(&self.file, dst, address)
    }
}

impl StoredDataset {
    /// Whether this process has the file open for writing: then not everything need be in it.
    ///
    /// # Errors
    /// [`Error::Hdf5`]
    pub fn is_writable(&self) -> Result<bool> {
        let (library, file, mut intent) = (self.dataset.library(), object::file_of(&self.dataset)?, 0);
        h5!(library, H5Fget_intent(file.get(), &raw mut intent))?;
        Ok(intent & H5F_ACC_RDWR != 0)
    }

    /// Opens the file and proves that the addresses in `map` (of a dataset in chunks) lead to its data.
    ///
    /// # Errors
    /// [`Error::Unsupported`] says why the file cannot be read but through HDF5.
    pub fn locate(&self, map: Option<&ChunkMap>) -> Result<Located> {
        let (library, file) = (self.dataset.library(), object::file_of(&self.dataset)?);
        let user_block = user_block(library, &file)?;
        let opened = open_again(library, &file)?;
        let bases = if user_block == 0 { vec![0] } else { vec![0, user_block] };
        match (&self.storage, map) {
            (Storage::Chunked { .. }, Some(map)) => {
                let base = self.base_of_chunks(&opened, map, &bases)?;
                Ok(Located { file: opened, base, contiguous: None })
            }
            (Storage::Contiguous, _) => {
                let (base, contiguous) = self.address_of_piece(&opened, &bases)?;
                Ok(Located { file: opened, base, contiguous })
            }
            _ => Err(unsupported("its data are not in one place of the file")),
        }
    }

    fn base_of_chunks(&self, file: &File, map: &ChunkMap, bases: &[u64]) -> Result<u64> {
        let Storage::Chunked { chunk, .. } = &self.storage else { return Ok(0) };
        let most = if bases.len() == 1 { 1 } else { MAX_COMPARED };
        let mut parts = Vec::new();
        for (place, stored) in map.iter().step_by(map.len().div_ceil(most).max(1)) {
            let offset: Vec<u64> = place.iter().zip(chunk).map(|(at, chunk)| at * chunk).collect();
            let Some((mask, bytes)) = self.read_stored(&offset)? else {
                return Err(unsupported("HDF5 lists a chunk that it does not find"));
            };
            if (mask, bytes.len() as u64) != (stored.mask, stored.n_bytes) {
                return Err(unsupported("HDF5 lists a chunk otherwise than it reads it"));
            }
            parts.push((stored.address, bytes));
        }
        base(file, &parts, bases)
    }

    fn address_of_piece(&self, file: &File, bases: &[u64]) -> Result<(u64, Option<u64>)> {
        let address = h5_optional!(self.dataset.library(), H5Dget_offset(self.dataset.get()))?;
        let n_elements = self.dims.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim));
        let n_elements = n_elements.ok_or_else(|| unsupported("it has more elements than there are numbers"))?;
        // HDF5 adds the user block to no address, too.
        let is_none = bases.iter().any(|base| address == HADDR_UNDEF.wrapping_add(*base));
        if is_none || n_elements == 0 {
            return Ok((0, None));
        }
        let (element_bytes, last) = (self.element().n_bytes as u64, self.dims.last().copied().unwrap_or(1));
        let row = last.min((COMPARED_BYTES / element_bytes).max(1));
        let n_rows = n_elements / last;
        let most = if bases.len() == 1 { 1 } else { MAX_COMPARED as u64 };
        let mut parts = Vec::new();
        for index in (0..n_rows).step_by(n_rows.div_ceil(most).max(1) as usize) {
            let mut bytes = buffer((row * element_bytes) as usize)?;
            self.read(&self.row(index), &self.row_count(row), None, &mut bytes)?;
            let at = index.checked_mul(last * element_bytes).and_then(|at| at.checked_add(address));
            parts.push((at.ok_or_else(|| unsupported("it ends after the last address"))?, bytes));
        }
        Ok((base(file, &parts, bases)?, Some(address)))
    }

    /// Where row `index` of the last axis begins.
    fn row(&self, mut index: u64) -> Vec<u64> {
        let mut start = vec![0; self.dims.len()];
        for (start, dim) in start.iter_mut().zip(&self.dims).rev().skip(1) {
            *start = index % dim;
            index /= dim;
        }
        start
    }

    fn row_count(&self, n: u64) -> Vec<u64> {
        let mut count = vec![1; self.dims.len()];
        count.last_mut().into_iter().for_each(|last| *last = n);
        count
    }
}

/// The one of `bases` by which all parts are found in the file.
fn base(file: &File, parts: &[(u64, Vec<u8>)], bases: &[u64]) -> Result<u64> {
    if parts.is_empty() {
        // Nothing is stored, so that nothing will be read.
        return Ok(0);
    }
    let agrees = |base: &&u64| parts.iter().all(|(address, bytes)| is_there(file, address.checked_add(**base), bytes));
    let mut found = bases.iter().filter(agrees);
    match (found.next(), found.next()) {
        (Some(base), None) => Ok(*base),
        (None, _) => Err(unsupported("the bytes in the file are not those that HDF5 reads")),
        (Some(_), Some(_)) => {
            Err(unsupported("it cannot be told whether addresses count from the end of the user block"))
        }
    }
}

fn is_there(file: &File, address: Option<u64>, bytes: &[u8]) -> bool {
    let mut found = vec![0; bytes.len()];
    address.is_some_and(|address| read_at(file, &mut found, address).is_ok()) && found == bytes
}

/// Fills `dst` with what is in a file from `address` on, wherever other readers of it are.
///
/// # Errors
/// What the system says; `UnexpectedEof` where the file ends before.
pub fn read_at(file: &File, dst: &mut [u8], address: u64) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, dst, address);
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < dst.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut dst[done..], address + done as u64) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => done += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Bytes before HDF5's part of a file.
pub(crate) fn user_block(library: &Library, file: &Id) -> Result<u64> {
    let created = Id::new(library, h5_optional!(library, H5Fget_create_plist(file.get()))?);
    let mut n_bytes = 0;
    h5_optional!(library, H5Pget_userblock(created.get(), &raw mut n_bytes))?;
    Ok(n_bytes)
}

/// The same file, opened once more.
pub(crate) fn open_again(library: &Library, file: &Id) -> Result<File> {
    let access = Id::new(library, h5_optional!(library, H5Fget_access_plist(file.get()))?);
    let plain = property_list(library, library.ids().file_access)?;
    h5_optional!(library, H5Pset_fapl_sec2(plain.get()))?;
    let driver = |access: Hid| h5_optional!(library, H5Pget_driver(access));
    if driver(access.get())? != driver(plain.get())? {
        return Err(unsupported("the file is open by another way than plain reads (another driver of HDF5)"));
    }
    let mut handle: *mut c_void = std::ptr::null_mut();
    h5_optional!(library, H5Fget_vfd_handle(file.get(), DEFAULT, &raw mut handle))?;
    if handle.is_null() {
        return Err(unsupported("HDF5 does not tell the file's descriptor"));
    }
    // SAFETY: with this driver the handle is the place where HDF5 keeps the file's descriptor, an `int`, while the file is open.
    let descriptor = unsafe { handle.cast::<c_int>().read() };
    reopen(descriptor, &name(library, file)?)
        .map_err(|error| unsupported(&format!("the file cannot be opened again: {error}")))
}

/// The path of a file that HDF5 reads and writes plainly.
pub(crate) fn path_of(library: &Library, file: &Id) -> Result<PathBuf> {
    let (opened, name) = (open_again(library, file)?, name(library, file)?);
    if is_file(&opened, &name) { Ok(name) } else { Err(unsupported("there is another file of its name")) }
}

pub(super) fn name(library: &Library, file: &Id) -> Result<PathBuf> {
    let n_bytes = h5_optional!(library, H5Fget_name(file.get(), std::ptr::null_mut(), 0))?;
    let mut name = vec![0_u8; n_bytes as usize + 1];
    h5_optional!(library, H5Fget_name(file.get(), name.as_mut_ptr().cast(), name.len()))?;
    name.truncate(n_bytes as usize);
    Ok(path(name))
}

#[cfg(unix)]
fn path(name: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(name).into()
}

#[cfg(not(unix))]
fn path(name: Vec<u8>) -> PathBuf {
    OsString::from(String::from_utf8_lossy(&name).into_owned()).into()
}

#[cfg(unix)]
fn reopen(descriptor: c_int, name: &Path) -> std::io::Result<File> {
    use std::os::fd::BorrowedFd;
    use std::os::unix::fs::MetadataExt;
    if descriptor < 0 {
        return Err(std::io::ErrorKind::NotFound.into());
    }
    // SAFETY: HDF5 has the file open, and this thread is in no call of HDF5 that could close it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let theirs = File::from(borrowed.try_clone_to_owned()?).metadata()?;
    let ours = File::open(format!("/proc/self/fd/{descriptor}")).or_else(|_| File::open(name))?;
    let found = ours.metadata()?;
    if (theirs.dev(), theirs.ino()) == (found.dev(), found.ino()) {
        Ok(ours)
    } else {
        Err(std::io::Error::other("there is another file of its name"))
    }
}

/// Whether an open file is the one of this name.
#[cfg(unix)]
pub(super) fn is_file(file: &File, name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |found: std::fs::Metadata| (found.dev(), found.ino());
    file.metadata().map(identity).ok() == std::fs::metadata(name).map(identity).ok()
}

#[cfg(not(unix))]
pub(super) fn is_file(_file: &File, name: &Path) -> bool {
    name.is_file()
}

#[cfg(not(unix))]
fn reopen(_descriptor: c_int, name: &Path) -> std::io::Result<File> {
    File::open(name)
}

fn unsupported(why: &str) -> Error {
    Error::Unsupported(why.to_owned())
}
