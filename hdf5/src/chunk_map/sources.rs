//! The datasets that a virtual one is made of.
//!
//! A mapping says that one box of a virtual dataset is one box of a source. That is what is understood here, with a source that is
//! found where HDF5 looks first: the same file, an absolute path, or one from the folder of the virtual dataset's file. What is not
//! so (steps, boxes without an end, patterns of names, a prefix that is set, a source that is missing) is refused, and left
//! to HDF5.

use std::collections::{HashMap, HashSet};
use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};

use super::{Storage, StoredDataset, locate};
use crate::library::{DEFAULT, Library, h5, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{H5F_ACC_SWMR_READ, H5S_SEL_ALL, H5S_SEL_HYPERSLABS};

/// More files are not opened: a process may have 1024 as a rule.
const MAX_SOURCES: usize = 256;

/// More mappings are not looked at.
const MAX_MAPPINGS: usize = 1 << 20;

/// Virtual datasets of virtual datasets, and so on.
const MAX_DEPTH: usize = 16;

/// Pairs of mappings that are compared: some milliseconds.
const MAX_COMPARED: usize = 1 << 22;

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

/// A box of a virtual dataset that is a box of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Which of the sources.
    pub source: usize,
    /// Where the box begins in the virtual dataset.
    pub start: Vec<u64>,
    /// Its elements along each axis.
    pub count: Vec<u64>,
    /// Where it begins in the source, and its elements along each axis of that; `None` for all of the source.
    source_box: Option<Part>,
}

/// Where a box begins, and its elements along each axis.
type Part = (Vec<u64>, Vec<u64>);

/// A box of a source that is one of a virtual dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePart {
    /// Where it begins in the source.
    pub start: Vec<u64>,
    /// For each axis of the source along which it has more than one element, the axis of the virtual dataset that it is.
    pub axes: Vec<Option<usize>>,
}

impl Mapping {
    /// Its box of the source, which has this extent.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where it has no such box, or one of another shape.
    pub fn part(&self, dims: &[u64]) -> Result<SourcePart> {
        let (start, count) = self.source_box.clone().unwrap_or_else(|| (vec![0; dims.len()], dims.to_vec()));
        if !is_inside(&start, &count, dims) {
            return Err(unsupported("it is smaller than what is taken of it"));
        }
        let axes = axes(&self.count, &count);
        let axes = axes.ok_or_else(|| unsupported("a part of it has another shape there"))?;
        Ok(SourcePart { start, axes })
    }
}

fn is_inside(start: &[u64], count: &[u64], dims: &[u64]) -> bool {
    let is_inside = |((start, count), dim): ((&u64, &u64), &u64)| start.checked_add(*count).is_some_and(|n| n <= *dim);
    start.len() == dims.len() && start.iter().zip(count).zip(dims).all(is_inside)
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
        let properties = Id::new(library, h5!(library, H5Dget_create_plist(self.dataset.get()))?);
        self.check_prefix()?;
        let (folder, mut n_mappings, mut seen) = (self.folder()?, 0, HashSet::new());
        h5_optional!(library, H5Pget_virtual_count(properties.get(), &raw mut n_mappings))?;
        for index in 0..n_mappings.min(MAX_MAPPINGS) {
            let (file, dataset) = names(&properties, index)?;
            let source =
                Source { file: (file != ".").then(|| place(&folder, &first(&file))), dataset: first(&dataset) };
            if !seen.insert(source.clone()) {
                continue;
            }
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

    fn mapping(&self, properties: &Id, index: usize, source: usize) -> Result<Mapping> {
        let library = properties.library();
        let here = Id::new(library, h5_optional!(library, H5Pget_virtual_vspace(properties.get(), index))?);
        let there = Id::new(library, h5_optional!(library, H5Pget_virtual_srcspace(properties.get(), index))?);
        let (start, count) = selected_box(&here)?.unwrap_or_else(|| (vec![0; self.dims.len()], self.dims.clone()));
        if !is_inside(&start, &count, &self.dims) {
            return Err(unsupported("a part of it is outside of it"));
        }
        Ok(Mapping { source, start, count, source_box: selected_box(&there)? })
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
        Ok(Id::new(library, h5!(library, H5Fopen(name.as_ptr(), intent & H5F_ACC_SWMR_READ, DEFAULT))?))
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

/// The box that is selected of a dataspace; `None` for all, whose extent HDF5 does not store.
fn selected_box(space: &Id) -> Result<Option<Part>> {
    let library = space.library();
    match h5_optional!(library, H5Sget_select_type(space.get()))? {
        H5S_SEL_ALL => Ok(None),
        H5S_SEL_HYPERSLABS if h5_optional!(library, H5Sis_regular_hyperslab(space.get()))? > 0 => {
            regular_box(library, space, object::extent(space)?.0.len()).map(Some)
        }
        _ => Err(unsupported("a part of it is no box")),
    }
}

fn regular_box(library: &Library, space: &Id, rank: usize) -> Result<Part> {
    let (mut start, mut stride, mut count, mut block) = (vec![0; rank], vec![0; rank], vec![0; rank], vec![0; rank]);
    let (at, strides, counts, blocks) =
        (start.as_mut_ptr(), stride.as_mut_ptr(), count.as_mut_ptr(), block.as_mut_ptr());
    h5_optional!(library, H5Sget_regular_hyperslab(space.get(), at, strides, counts, blocks))?;
    let axes = stride.iter().zip(&count).zip(&block);
    let shape = axes.map(|((stride, count), block)| match (*count, *block) {
        (u64::MAX, _) | (_, u64::MAX) => None,
        (1, block) => Some(block),
        (count, block) if *stride == block => count.checked_mul(block),
        _ => None,
    });
    let shape: Option<Vec<u64>> = shape.collect();
    Ok((start, shape.ok_or_else(|| unsupported("a part of it has steps, or grows"))?))
}

/// Which axes of two boxes are the same, if all with more than one element are.
fn axes(count: &[u64], source_count: &[u64]) -> Option<Vec<Option<usize>>> {
    let mut here = count.iter().enumerate().filter(|(_, n)| **n != 1);
    let mut axes = Vec::new();
    for n in source_count {
        axes.push(match n {
            1 => None,
            n => Some(here.next().filter(|(_, found)| *found == n)?.0),
        });
    }
    here.next().is_none().then_some(axes)
}

/// Refuses mappings that have elements in common: which of them counts is HDF5's matter.
fn refuse_overlaps(mappings: &mut Vec<Mapping>) -> Result<()> {
    mappings.retain(|mapping| !mapping.count.contains(&0));
    let Some(rank) = mappings.first().map(|mapping| mapping.start.len()) else { return Ok(()) };
    // Along the axis with most beginnings few have to be compared.
    let beginnings = |axis: usize| {
        let mut starts: Vec<u64> = mappings.iter().map(|mapping| mapping.start[axis]).collect();
        starts.sort_unstable();
        starts.dedup();
        starts.len()
    };
    let Some(axis) = (0..rank).max_by_key(|axis| beginnings(*axis)) else {
        return if mappings.len() > 1 { Err(unsupported("its parts overlap")) } else { Ok(()) };
    };
    mappings.sort_by_key(|mapping| mapping.start[axis]);
    let mut n_compared = 0;
    for (index, one) in mappings.iter().enumerate() {
        let end = one.start[axis] + one.count[axis];
        for other in mappings[index + 1..].iter().take_while(|other| other.start[axis] < end) {
            n_compared += 1;
            if n_compared > MAX_COMPARED {
                return Err(unsupported("it is made of too many parts to see whether they overlap"));
            }
            let meet = |axis: usize| {
                one.start[axis] < other.start[axis] + other.count[axis]
                    && other.start[axis] < one.start[axis] + one.count[axis]
            };
            if (0..rank).all(meet) {
                return Err(unsupported("its parts overlap"));
            }
        }
    }
    Ok(())
}

fn unsupported(why: &str) -> Error {
    Error::Unsupported(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(start: [u64; 2], count: [u64; 2]) -> Mapping {
        Mapping { source: 0, start: start.to_vec(), count: count.to_vec(), source_box: None }
    }

    #[test]
    fn parts_that_have_an_element_in_common_are_refused_and_others_are_not() {
        let apart = [([0, 0], [2, 3]), ([2, 0], [2, 3]), ([0, 3], [4, 1]), ([1, 9], [0, 5]), ([4, 0], [1, 4])];
        let mut mappings: Vec<Mapping> = apart.into_iter().map(|(start, count)| mapping(start, count)).collect();
        assert_eq!(refuse_overlaps(&mut mappings), Ok(()));
        assert_eq!(mappings.len(), 4, "one is empty");
        for (start, count) in apart.into_iter().filter(|(_, count)| !count.contains(&0)) {
            let mut more = mappings.clone();
            more.push(mapping([start[0] + count[0] - 1, start[1] + count[1] - 1], [7, 7]));
            assert!(refuse_overlaps(&mut more).is_err(), "{start:?} {count:?}");
        }
    }

    #[test]
    fn axes_of_one_element_may_be_left_out_and_put_in_and_others_not() {
        assert_eq!(axes(&[1, 5, 4], &[5, 1, 4]), Some(vec![Some(1), None, Some(2)]));
        assert_eq!(axes(&[5, 4], &[5, 4, 1]), Some(vec![Some(0), Some(1), None]));
        assert_eq!(axes(&[1, 1], &[1]), Some(vec![None]));
        for (here, there) in [(&[5, 4][..], &[4, 5][..]), (&[5, 4], &[20]), (&[20], &[5, 4]), (&[2, 1], &[1, 1])] {
            assert_eq!(axes(here, there), None, "{here:?} {there:?}");
        }
    }
}
