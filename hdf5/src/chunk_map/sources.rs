//! The datasets that a virtual one is made of.
//!
//! A [mapping](super::mapping) says that one box of a virtual dataset, or boxes at regular distances, are one box of a source. That is what is
//! understood here, with a source that is found where HDF5 looks first: the same file, an absolute path, or one from the folder of the
//! virtual dataset's file. What is not so (steps in a source, boxes without an end, patterns of names, a prefix that is set, a source that
//! is missing) is refused, and left to HDF5.

use std::collections::{HashMap, HashSet};
use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

use super::mapping::{Mapping, refuse_overlaps};
use super::{Storage, StoredDataset, locate};
use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{H5D_VIRTUAL, H5F_ACC_SWMR_READ};

/// More files are not opened: a process may have 1024 as a rule.
const MAX_SOURCES: usize = 256;

/// More mappings are not looked at.
const MAX_MAPPINGS: usize = 1 << 20;

/// Virtual datasets of virtual datasets, and so on.
pub(super) const MAX_DEPTH: usize = 16;

/// Where a source is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Its file; `None` for that of the virtual dataset.
    pub file: Option<PathBuf>,
    /// Its path in the file.
    pub dataset: String,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", file.display(), self.dataset),
            None => f.write_str(&self.dataset),
        }
    }
}

/// What a virtual dataset is made of. No two mappings have an element in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The sources, each once.
    pub sources: Vec<Source>,
    /// Which parts of them make it up.
    pub mappings: Vec<Mapping>,
}

impl StoredDataset {
    /// What a virtual dataset is made of.
    ///
    /// # Errors
    /// [`Error::Unsupported`] says what only HDF5 reads of it.
    pub fn sources(&self) -> Result<Sources> {
        let library = self.dataset.library();
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(self.dataset.get()))?);
        self.check_prefix()?;
        let folder = self.folder()?;
        let mut n_mappings = 0;
        h5_optional!(library, H5Pget_virtual_count(properties.get(), &raw mut n_mappings))?;
        if n_mappings > MAX_MAPPINGS {
            return Err(unsupported("it is made of more than a million parts"));
        }
        let (mut found, mut known) = (Sources::default(), HashMap::new());
        for index in 0..n_mappings {
            let source = source(&properties, index, &folder)?;
            let next = found.sources.len();
            let number = *known.entry(source).or_insert_with_key(|source| {
                found.sources.push(source.clone());
                next
            });
            if found.sources.len() > MAX_SOURCES {
                return Err(unsupported("it is made of more than 256 datasets"));
            }
            found.mappings.push(self.mapping(&properties, index, number)?);
        }
        // A read lists those that it wants.
        if found.mappings.iter().fold(0, |n: u64, mapping| n.saturating_add(mapping.n_boxes())) > MAX_MAPPINGS as u64 {
            return Err(unsupported("it is made of more than a million parts"));
        }
        refuse_overlaps(&mut found.mappings)?;
        Ok(found)
    }

    /// The first source that is not there, of this dataset or of a source that is virtual, too; HDF5 reads it as the fill value.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it cannot be said; [`Error::Hdf5`].
    pub fn missing_source(&self) -> Result<Option<Source>> {
        self.missing_below(MAX_DEPTH)
    }

    fn missing_below(&self, depth: usize) -> Result<Option<Source>> {
        if self.storage != Storage::Virtual {
            return Ok(None);
        }
        let depth =
            depth.checked_sub(1).ok_or_else(|| unsupported("virtual datasets of virtual datasets have no end"))?;
        let library = self.dataset.library();
        for source in self.named_sources()? {
            let file = match &source.file {
                None => object::file_of(&self.dataset),
                Some(path) => self.open_file(path),
            };
            let Ok(opened) = file.and_then(|file| Ok((object::open(library, file.get(), &source.dataset)?, file)))
            else {
                return Ok(Some(source));
            };
            let missing = Self::open(library, opened.0.get())?.missing_below(depth)?;
            if missing.is_some() {
                return Ok(missing);
            }
        }
        Ok(None)
    }

    /// The files of its sources that are not there, each once; of a pattern of names the first.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it cannot be said; [`Error::Hdf5`].
    pub fn missing_files(&self) -> Result<Vec<PathBuf>> {
        let (mut missing, mut seen) = (Vec::new(), HashSet::new());
        for file in self.named_sources()?.into_iter().filter_map(|source| source.file) {
            if seen.insert(file.clone()) && !file.is_file() {
                missing.push(file);
            }
        }
        Ok(missing)
    }

    /// Its sources, each once, whether or not they are there; of a pattern of names the first.
    fn named_sources(&self) -> Result<Vec<Source>> {
        let library = self.dataset.library();
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(self.dataset.get()))?);
        self.check_prefix()?;
        let (folder, mut n_mappings) = (self.folder()?, 0);
        h5_optional!(library, H5Pget_virtual_count(properties.get(), &raw mut n_mappings))?;
        let (mut sources, mut seen) = (Vec::new(), HashSet::new());
        for index in 0..n_mappings.min(MAX_MAPPINGS) {
            let (file, dataset) = names(&properties, index)?;
            let file = (file != ".").then(|| place(&folder, &first(&file)));
            let source = Source { file, dataset: first(&dataset) };
            if seen.insert(source.clone()) {
                sources.push(source);
            }
        }
        Ok(sources)
    }

    fn mapping(&self, properties: &Id, index: usize, source: usize) -> Result<Mapping> {
        let library = properties.library();
        let here = Id::new(library, h5_optional!(library, H5Pget_virtual_vspace(properties.get(), index))?);
        let there = Id::new(library, h5_optional!(library, H5Pget_virtual_srcspace(properties.get(), index))?);
        Mapping::read(source, (&here, &self.dims), &there)
    }

    /// Opens one of its sources, which must have its type of elements.
    ///
    /// # Errors
    /// [`Error::Hdf5`], [`Error::Unsupported`].
    pub fn open_source(&self, source: &Source) -> Result<Self> {
        let library = self.dataset.library();
        let file = match &source.file {
            None => object::file_of(&self.dataset)?,
            Some(path) => self.open_file(path)?,
        };
        let dataset = object::open(library, file.get(), &source.dataset)?;
        let mut opened = Self::open(library, dataset.get())?;
        if h5_optional!(library, H5Tequal(self.datatype.get(), opened.datatype.get()))? == 0 {
            return Err(unsupported("a source has elements of another type, which HDF5 converts"));
        }
        opened.file = source.file.is_some().then_some(file);
        Ok(opened)
    }

    fn open_file(&self, path: &Path) -> Result<Id> {
        let (library, own, mut intent) = (self.dataset.library(), object::file_of(&self.dataset)?, 0);
        h5!(library, H5Fget_intent(own.get(), &raw mut intent))?;
        let text = path.to_str().ok_or_else(|| unsupported("the name of a source is not UTF-8"))?;
        let name = object::c_name(text)?;
        let open = |access: Hid| h5!(library, H5Fopen(name.as_ptr(), intent & H5F_ACC_SWMR_READ, access));
        if intent & H5F_ACC_SWMR_READ == 0 {
            return Ok(Id::new(library, open(DEFAULT)?));
        }
        // How often HDF5 reads again what is half written is as of the own file. One that is open in another way does not take it.
        let access = Id::new(library, h5_optional!(library, H5Fget_access_plist(own.get()))?);
        Ok(Id::new(library, open(access.get()).or_else(|_| open(DEFAULT))?))
    }

    /// The folder of its file, from which relative names count; the file must be one that is read by plain reads.
    fn folder(&self) -> Result<PathBuf> {
        let (library, file) = (self.dataset.library(), object::file_of(&self.dataset)?);
        let opened = locate::open_again(library, &file)?;
        let name = std::path::absolute(locate::name(library, &file)?);
        let name = name.ok().filter(|name| locate::is_file(&opened, name));
        let folder = name.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        folder.ok_or_else(|| unsupported("the folder of its file is not known any more"))
    }

    /// Refuses where a prefix says in which folders HDF5 looks first.
    fn check_prefix(&self) -> Result<()> {
        let library = self.dataset.library();
        let is_set = std::env::var_os("HDF5_VDS_PREFIX").is_some_and(|prefix| !prefix.is_empty());
        let mut n_bytes = 0;
        for dataset in [self.given, self.dataset.get()] {
            // The caller's identifier may be closed.
            let Ok(access) = h5_optional!(library, H5Dget_access_plist(dataset)) else { continue };
            let access = Id::new(library, access);
            n_bytes |= h5_optional!(library, H5Pget_virtual_prefix(access.get(), std::ptr::null_mut(), 0))?;
        }
        if is_set || n_bytes > 0 {
            return Err(unsupported("a prefix is set for the names of its sources"));
        }
        Ok(())
    }
}

/// The files of the sources of the virtual dataset `path` by the names that are written, each once, but for its own; of a pattern of names the
/// first. Of another dataset none.
///
/// # Errors
/// [`Error::Hdf5`]; [`Error::Unsupported`] for a name that is not UTF-8.
pub fn source_files(library: &Library, at: Hid, path: &str) -> Result<Vec<String>> {
    let dataset = object::open(library, at, path)?;
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    let (mut files, mut seen, mut n_mappings) = (Vec::new(), HashSet::new(), 0);
    if h5!(library, H5Pget_layout(properties.get()))? == H5D_VIRTUAL {
        h5_optional!(library, H5Pget_virtual_count(properties.get(), &raw mut n_mappings))?;
    }
    for index in 0..n_mappings.min(MAX_MAPPINGS) {
        let file = first(&names(&properties, index)?.0);
        if file != "." && seen.insert(file.clone()) {
            files.push(file);
        }
    }
    Ok(files)
}

/// The names of a source's file and dataset, as they are written.
fn names(properties: &Id, index: usize) -> Result<(String, String)> {
    let (library, list) = (properties.library(), properties.get());
    let file = text(|name, room| h5_optional!(library, H5Pget_virtual_filename(list, index, name, room)))?;
    let dataset = text(|name, room| h5_optional!(library, H5Pget_virtual_dsetname(list, index, name, room)))?;
    Ok((file, dataset))
}

/// The first name of a pattern.
fn first(pattern: &str) -> String {
    pattern.replace("%b", "0").replace("%%", "%")
}

/// Where HDF5 finds a file: an absolute name whose folder is gone is looked for beside the dataset's file.
fn place(folder: &Path, name: &str) -> PathBuf {
    let named = folder.join(name);
    let beside = named.file_name().map(|name| folder.join(name));
    match beside {
        Some(beside) if Path::new(name).is_absolute() && !named.is_file() && beside.is_file() => beside,
        _ => named,
    }
}

fn source(properties: &Id, index: usize, folder: &Path) -> Result<Source> {
    let (file, dataset) = names(properties, index)?;
    if file.contains('%') || dataset.contains('%') {
        return Err(unsupported("the names of its sources are a pattern"));
    }
    if file == "." {
        return Ok(Source { file: None, dataset });
    }
    // An absolute name replaces the folder.
    let file = folder.join(file);
    if !file.is_file() {
        return Err(unsupported(&format!("its source {} is not there", file.display())));
    }
    Ok(Source { file: Some(file), dataset })
}

/// What HDF5 writes as a C string, asked for its length first.
fn text(mut get: impl FnMut(*mut c_char, usize) -> Result<isize>) -> Result<String> {
    let n_bytes = get(std::ptr::null_mut(), 0)?.unsigned_abs();
    let mut bytes = darkchunk::salvage::buffer(n_bytes + 1)?;
    get(bytes.as_mut_ptr().cast(), n_bytes + 1)?;
    let text = CString::from_vec_with_nul(bytes).ok().and_then(|text| text.into_string().ok());
    text.ok_or_else(|| unsupported("the name of a source is not UTF-8"))
}

pub(super) fn unsupported(why: &str) -> Error {
    Error::Unsupported(why.to_owned())
}
