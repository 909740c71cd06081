//! Virtual datasets: one dataset that other files hold in parts.
//!
//! HDF5 reads the fill value where a part's file is missing, and says nothing. Names are stored as they are given: a name
//! without folders is looked for beside the master, so that the folder can be moved as a whole. Extents are fixed: HDF5 1.10
//! reads such a master, and no reader has to ask every part for its length.

use super::api::Hid;
use super::chunk_map;
use super::library::{Library, h5, h5_optional, h5_tool};
use super::object::{self, Id};
use crate::{Error, Result};

const H5S_SELECT_SET: i32 = 0;

/// Blocks of a dataset at regular distances; an entry for each axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The first place of the first block.
    pub start: Vec<u64>,
    /// From the start of one block to that of the next; at least 1.
    pub stride: Vec<u64>,
    /// How many blocks.
    pub count: Vec<u64>,
    /// The extent of a block.
    pub block: Vec<u64>,
}

impl Blocks {
    /// One block.
    #[must_use]
    pub fn one(start: &[u64], extent: &[u64]) -> Self {
        let ones = vec![1; start.len()];
        Self { start: start.to_vec(), stride: ones.clone(), count: ones, block: extent.to_vec() }
    }

    /// `count` blocks of `frames` frames along the first axis, the first at `first`, one each `stride` frames; whole along the
    /// other axes, which are those of `dims`.
    #[must_use]
    pub fn every(first: u64, stride: u64, count: u64, frames: u64, dims: &[u64]) -> Self {
        let mut blocks = Self::one(&vec![0; dims.len()], dims);
        if !dims.is_empty() {
            (blocks.start[0], blocks.stride[0]) = (first, stride);
            (blocks.count[0], blocks.block[0]) = (count, frames);
        }
        blocks
    }

    /// How many elements they have together.
    fn n_elements(&self) -> Option<u64> {
        self.count
            .iter()
            .zip(&self.block)
            .try_fold(1_u64, |n, (count, block)| n.checked_mul(*count)?.checked_mul(*block))
    }

    /// Whether they do not overlap and are inside of a dataset of `dims`.
    fn is_inside(&self, dims: &[u64]) -> bool {
        let axes = [&self.start, &self.stride, &self.count, &self.block];
        axes.iter().all(|axis| axis.len() == dims.len())
            && (0..dims.len()).all(|axis| {
                let (stride, block) = (self.stride[axis], self.block[axis]);
                let last = self.count[axis].checked_sub(1).and_then(|steps| steps.checked_mul(stride));
                let end = last.and_then(|last| last.checked_add(self.start[axis])?.checked_add(block));
                block > 0 && (stride >= block || self.count[axis] == 1) && end.is_some_and(|end| end <= dims[axis])
            })
    }

    /// The dataspace of a dataset of `dims` in which they are selected.
    pub(crate) fn select(&self, library: &Library, dims: &[u64]) -> Result<Id> {
        let space = object::dataspace(library, dims, false)?;
        let (start, stride) = (self.start.as_ptr(), self.stride.as_ptr());
        let (count, block) = (self.count.as_ptr(), self.block.as_ptr());
        h5_optional!(library, H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, stride, count, block))?;
        Ok(space)
    }
}

/// What a dataset of another file holds of the virtual one.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file's name as HDF5 looks for it: relative to the folder of the virtual dataset's file, or absolute.
    pub file: String,
    /// The dataset's path in that file.
    pub dataset: String,
    /// The dataset's extent.
    pub dims: Vec<u64>,
    /// Which elements of it.
    pub from: Blocks,
    /// Where they are in the virtual dataset; as many elements.
    pub to: Blocks,
}

/// Makes a virtual dataset at `path` of an open file, with the element type and the fill value of the open dataset `like`;
/// groups above it are made.
///
/// # Errors
/// [`Error::NameTaken`]; [`Error::Unsupported`] for a part that is not inside of its dataset or of `dims`, or that has not as
/// many elements here as there; [`Error::MissingFunction`]: the table of functions has no `H5Pset_virtual`; [`Error::Hdf5`].
pub fn create(library: &Library, file: Hid, path: &str, like: Hid, dims: &[u64], parts: &[Part]) -> Result<()> {
    if object::exists(library, file, path)? {
        return Err(Error::NameTaken { path: path.to_owned(), remedy: "choose another name for the virtual dataset" });
    }
    let properties = object::property_list(library, library.ids().dataset_create)?;
    if library.tools().H5Pset_obj_track_times.is_some() {
        h5_tool!(library, H5Pset_obj_track_times(properties.get(), 0))?;
    }
    let datatype = datatype_and_fill(library, like, &properties)?;
    for part in parts {
        map(library, &properties, dims, part)?;
    }
    let space = object::dataspace(library, dims, false)?;
    object::create_dataset(library, file, path, datatype.get(), &space, &properties).map(drop)
}

/// The type of a dataset's elements, and its fill value put into `properties`.
fn datatype_and_fill(library: &Library, like: Hid, properties: &Id) -> Result<Id> {
    let stored = Id::new(library, h5!(library, H5Dget_type(like))?);
    // A type with a name in another file cannot be that of a dataset here; a copy has no name.
    let datatype = Id::new(library, h5!(library, H5Tcopy(stored.get()))?);
    let created = Id::new(library, h5!(library, H5Dget_create_plist(like))?);
    let n_bytes = h5!(library, H5Tget_size(datatype.get()))?;
    if let Some(value) = chunk_map::fill(&created, datatype.get(), n_bytes, true)? {
        h5_optional!(library, H5Pset_fill_value(properties.get(), datatype.get(), value.as_ptr().cast()))?;
    }
    Ok(datatype)
}

fn map(library: &Library, properties: &Id, dims: &[u64], part: &Part) -> Result<()> {
    let Part { file, dataset, dims: source_dims, from, to } = part;
    let unsupported = |what: &str| Error::Unsupported(format!("part {file}:{dataset} of the virtual dataset: {what}"));
    if !from.is_inside(source_dims) {
        return Err(unsupported("what is taken is not inside of it"));
    }
    if !to.is_inside(dims) {
        return Err(unsupported("its place is outside of the virtual dataset"));
    }
    if from.n_elements() != to.n_elements() {
        return Err(unsupported("it has not as many elements as its place"));
    }
    let (here, there) = (to.select(library, dims)?, from.select(library, source_dims)?);
    // HDF5 takes `%b` in a name for the number of a block, and `%%` for a percent sign.
    let (file, dataset) = (object::c_name(&file.replace('%', "%%"))?, object::c_name(&dataset.replace('%', "%%"))?);
    let (file, dataset) = (file.as_ptr(), dataset.as_ptr());
    h5_optional!(library, H5Pset_virtual(properties.get(), here.get(), file, dataset, there.get())).map(drop)
}
