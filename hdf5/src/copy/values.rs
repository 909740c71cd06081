//! Values that are read and written again: attributes, and datasets of references.

use std::ffi::c_void;

use super::{Copier, references};
use crate::api::Hid;
use crate::chunk_map::{self, Storage};
use crate::dataset;
use crate::element;
use crate::library::{DEFAULT, Library, h5, h5_optional, h5_tool};
use crate::object::{self, Id, c_name};
use crate::virtual_dataset::Blocks;
use crate::{Error, Result};
use darkchunk::salvage::buffer;
use darkchunk_hdf5_abi::constants::{H5D_CHUNKED, H5D_COMPACT, H5D_CONTIGUOUS, H5D_VIRTUAL, H5S_NULL, H5T_REFERENCE};

/// Elements in memory, with what they refer to there.
struct Values<'a> {
    library: &'a Library,
    kind: Hid,
    space: &'a Id,
    /// As many words as hold them: pointers among them are aligned.
    words: Vec<u64>,
    n_elements: usize,
}

impl<'a> Values<'a> {
    /// Room for the elements of a space.
    fn new(library: &'a Library, kind: &Id, space: &'a Id) -> Result<Self> {
        let n_elements = h5_tool!(library, H5Sget_simple_extent_npoints(space.get()))?;
        let n_elements = usize::try_from(n_elements).unwrap_or(usize::MAX);
        let n_bytes = h5!(library, H5Tget_size(kind.get()))?.saturating_mul(n_elements);
        // Refuses what there is no memory for.
        drop(buffer(n_bytes)?);
        Ok(Self { library, kind: kind.get(), space, words: vec![0; n_bytes.div_ceil(8)], n_elements })
    }

    fn data(&mut self) -> *mut c_void {
        self.words.as_mut_ptr().cast()
    }
}

impl Drop for Values<'_> {
    /// Gives back what HDF5 allocated for strings and sequences.
    fn drop(&mut self) {
        let (kind, space, data) = (self.kind, self.space.get(), self.data());
        object::reclaim(self.library, kind, space, data);
    }
}

/// Copies the attribute `name`.
pub(super) fn attribute(copier: &mut Copier, from: &Id, to: &Id, name: &str) -> Result<()> {
    let library = &copier.library.clone();
    let c_name = c_name(name)?;
    let original = Id::new(library, h5!(library, H5Aopen(from.get(), c_name.as_ptr(), DEFAULT))?);
    let kind = Id::new(library, h5_tool!(library, H5Aget_type(original.get()))?);
    let space = Id::new(library, h5!(library, H5Aget_space(original.get()))?);
    let properties = Id::new(library, h5_tool!(library, H5Aget_create_plist(original.get()))?);
    let datatype = copier.datatype(&kind)?;
    let (stored, list) = (datatype.get(), properties.get());
    let id = h5!(library, H5Acreate2(to.get(), c_name.as_ptr(), stored, space.get(), list, DEFAULT))?;
    let copy = Id::new(library, id);
    if h5_tool!(library, H5Sget_simple_extent_type(space.get()))? == H5S_NULL {
        return Ok(());
    }
    let mut values = Values::new(library, &kind, &space)?;
    h5!(library, H5Aread(original.get(), kind.get(), values.data()))?;
    if has_references(library, kind.get())? {
        let n_elements = values.n_elements;
        references::translate(copier, from, kind.get(), n_elements, &mut values.words)?;
    }
    h5!(library, H5Awrite(copy.get(), kind.get(), values.data())).map(drop)
}

/// Copies what is stored of a dataset into another of the same type and storage, which is empty: chunks as they are.
pub(super) fn stored(from: &Id, to: &Id) -> Result<()> {
    let library = from.library();
    let kind = Id::new(library, h5!(library, H5Dget_type(from.get()))?);
    let space = Id::new(library, h5!(library, H5Dget_space(from.get()))?);
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(from.get()))?);
    let refers = element::stored(from, kind.get())?.is_none_or(|stored| stored.refers);
    let dims = object::extent(&space)?.0;
    match chunk_map::storage(&properties, dims.len())? {
        Storage::Chunked { chunk, .. } if !refers => chunks(from, to, &space, &dims, &chunk, kind.get()),
        Storage::Chunked { chunk, .. } => referring(from, to, &space, (&dims, &chunk), &kind),
        Storage::Contiguous | Storage::Other(_) => all(library, from, to, &kind, &space),
        Storage::Virtual => Ok(()),
    }
}

fn chunks(from: &Id, to: &Id, space: &Id, dims: &[u64], chunk: &[u64], kind: Hid) -> Result<()> {
    let library = from.library();
    let is_filtered = !dataset::filters(from)?.is_empty();
    let n_bytes = chunk.iter().fold(h5!(library, H5Tget_size(kind))?, |n, dim| n.saturating_mul(*dim as usize));
    for (place, _) in chunk_map::list(from, space, dims, chunk)?.iter() {
        let offset: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
        if let Some((mask, bytes)) = dataset::stored_chunk(from, &offset, n_bytes, is_filtered)? {
            let (offset, data) = (offset.as_ptr(), bytes.as_ptr().cast());
            h5!(library, H5Dwrite_chunk(to.get(), DEFAULT, mask, offset, bytes.len(), data))?;
        }
    }
    Ok(())
}

/// Copies the elements of chunks that refer to other places of the file. What was never stored stays so.
fn referring(from: &Id, to: &Id, space: &Id, (dims, chunk): (&[u64], &[u64]), kind: &Id) -> Result<()> {
    let library = from.library();
    for (place, _) in chunk_map::list(from, space, dims, chunk)?.iter() {
        let start: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
        let count = start.iter().zip(chunk).zip(dims).map(|((start, chunk), dim)| (*chunk).min(dim - start));
        let count: Vec<u64> = count.collect();
        let part = Blocks::one(&start, &count).select(library, dims)?;
        let memory = object::dataspace(library, &count, false)?;
        let mut values = Values::new(library, kind, &memory)?;
        h5!(library, H5Dread(from.get(), kind.get(), memory.get(), part.get(), DEFAULT, values.data()))?;
        h5!(library, H5Dwrite(to.get(), kind.get(), memory.get(), part.get(), DEFAULT, values.data()))?;
    }
    Ok(())
}

/// Whether a dataset of this type has a fill value that refers to another place of the file.
pub(super) fn fill_refers(dataset: &Id, datatype: &Id) -> Result<bool> {
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    let refers = || Ok(element::stored(dataset, datatype.get())?.is_none_or(|stored| stored.refers));
    if chunk_map::has_fill(&properties)? { refers() } else { Ok(false) }
}

/// Whether what is written to a dataset goes into its own file: that of a virtual one goes to its sources, and an external one may name
/// any file of the user's.
fn is_in_its_file(dataset: &Id) -> Result<bool> {
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    Ok(match h5!(library, H5Pget_layout(properties.get()))? {
        H5D_CHUNKED => true,
        H5D_COMPACT | H5D_CONTIGUOUS => h5_optional!(library, H5Pget_external_count(properties.get()))? == 0,
        _ => false,
    })
}

fn is_virtual(dataset: &Id) -> Result<bool> {
    let library = dataset.library();
    let properties = Id::new(library, h5!(library, H5Dget_create_plist(dataset.get()))?);
    Ok(h5!(library, H5Pget_layout(properties.get()))? == H5D_VIRTUAL)
}

/// Copies all elements at once: data without chunks are small or rare.
fn all(library: &Library, from: &Id, to: &Id, kind: &Id, space: &Id) -> Result<()> {
    if h5_tool!(library, H5Sget_simple_extent_npoints(space.get()))? <= 0 || !is_in_its_file(to)? {
        return Ok(());
    }
    let mut values = Values::new(library, kind, space)?;
    h5!(library, H5Dread(from.get(), kind.get(), DEFAULT, DEFAULT, DEFAULT, values.data()))?;
    h5!(library, H5Dwrite(to.get(), kind.get(), DEFAULT, DEFAULT, DEFAULT, values.data())).map(drop)
}

/// Writes the references of the dataset `path` anew, if its elements have any.
pub(super) fn references(copier: &mut Copier, path: &str, from: &Id, to: &Id) -> Result<()> {
    let library = &copier.library.clone();
    let kind = Id::new(library, h5!(library, H5Dget_type(from.get()))?);
    if !has_references(library, kind.get())? {
        return Ok(());
    }
    let space = Id::new(library, h5!(library, H5Dget_space(from.get()))?);
    if h5_tool!(library, H5Sget_simple_extent_npoints(space.get()))? <= 0 {
        return Ok(());
    }
    if !is_in_its_file(to)? {
        if !is_virtual(to)? {
            let why =
                "its references are in external files, which stay as they are: in the copy they may lead elsewhere";
            copier.warnings.push(format!("{path}: {why}"));
        }
        return Ok(());
    }
    let mut values = Values::new(library, &kind, &space)?;
    h5!(library, H5Dread(from.get(), kind.get(), DEFAULT, DEFAULT, DEFAULT, values.data()))?;
    let n_elements = values.n_elements;
    references::translate(copier, from, kind.get(), n_elements, &mut values.words)?;
    h5!(library, H5Dwrite(to.get(), kind.get(), DEFAULT, DEFAULT, DEFAULT, values.data())).map(drop)
}

/// Whether elements are references, or have some.
pub(super) fn has_references(library: &Library, kind: Hid) -> Result<bool> {
    Ok(h5_optional!(library, H5Tdetect_class(kind, H5T_REFERENCE))? > 0)
}

/// The type that a type is made of.
pub(super) fn base(library: &Library, kind: Hid) -> Result<Id> {
    Ok(Id::new(library, h5_optional!(library, H5Tget_super(kind))?))
}

/// Why references of a kind are not copied.
pub(super) fn unknown(n_bytes: usize) -> Error {
    Error::Unsupported(format!("references of {n_bytes} bytes (H5T_STD_REF) cannot be copied to another file yet"))
}
