//! A measurement in several files: what each says of its place in it, and one file that shows all.
//!
//! In the group beside the dataset, the attribute `part` has four numbers: the first number of the measurement, the index of the first
//! frame in this file, frames in a row (0: all that follow), and from the first of a row to the first of the next (0: there is one).
//! `part_columns` has the names of the columns.

use crate::api::Hid;
use crate::chunk_writer::ChunkWriter;
use crate::columns::{Column, FrameStatus, STATUS, path_of};
use crate::library::{Library, h5};
use crate::nexus::Layout;
use crate::object::{self, Id};
use crate::recording::group_path;
use crate::tree::{self, Kind};
use crate::values::{self, Objects, Value};
use crate::virtual_dataset::{self, Part};
use crate::{Error, Result};

const PART: &str = "part";
const COLUMNS: &str = "part_columns";
const SUFFIX: &str = "_darkchunk";

/// Numbers that the attribute `part` has.
const N_NUMBERS: usize = 4;

/// Says in a file that is recorded which part of a measurement it is.
///
/// # Errors
/// [`Error::Hdf5`].
pub fn mark(chunks: &ChunkWriter, part: [u64; 4], columns: &[Column]) -> Result<()> {
    let group = object::open(chunks.library(), chunks.place().at.get(), &group_path(chunks))?;
    object::set_numbers(&group, PART, &[4], &part)?;
    let names: Vec<&str> = std::iter::once(STATUS).chain(columns.iter().map(|column| &*column.name)).collect();
    object::set_strings(&group, COLUMNS, &[names.len() as u64], &names)
}

/// A dataset of a file that is a part of a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its path.
    pub path: String,
    /// As [above](self).
    pub part: [u64; 4],
    /// The paths of its columns.
    pub columns: Vec<String>,
    /// The path of its dark image, where it has one.
    pub dark: Option<String>,
    /// Whether it is in the groups of NeXus.
    pub is_nexus: bool,
}

/// The datasets of an open file that are parts of a measurement.
///
/// # Errors
/// [`Error::MissingFunction`] where the library was not found by its names; [`Error::Hdf5`].
pub fn recorded(library: &Library, file: Hid) -> Result<Vec<Recorded>> {
    let objects = Objects::of(library, file)?;
    let mut found = Vec::new();
    for entry in tree::walk(library, file, "/")? {
        if entry.kind != Kind::Group || !entry.path.ends_with(SUFFIX) {
            continue;
        }
        let group = object::open(library, file, &entry.path)?;
        let part = object::numbers::<u64>(&group, PART, N_NUMBERS)?;
        if let Some(part) = part.and_then(|part| part.try_into().ok()) {
            found.push(of_group(library, file, &objects, (&entry.path, &group), part)?);
        }
    }
    Ok(found)
}

fn of_group(
    library: &Library,
    file: Hid,
    objects: &Objects,
    (group_path, group): (&str, &Id),
    part: [u64; 4],
) -> Result<Recorded> {
    let path = group_path.trim_end_matches(SUFFIX).to_owned();
    let entry = path.split('/').find(|step| !step.is_empty()).unwrap_or_default();
    let is_nexus = Layout::new(&path).is_ok()
        && values::string(library, file, &format!("/{entry}"), "NX_class")?.as_deref() == Some("NXentry");
    let names = objects.attributes(group_path)?.into_iter().find(|attribute| attribute.name == COLUMNS);
    let names = names.map_or_else(Vec::new, |names| names.values.unwrap_or_default());
    let name = |value| match value {
        Value::Text(name) => String::from_utf8(name).ok(),
        _ => None,
    };
    let columns = names.into_iter().filter_map(name).map(|name| path_of(group_path, &name));
    let has_dark = object::exists(library, group.get(), "dark")?;
    let dark = has_dark.then(|| format!("{group_path}/dark"));
    Ok(Recorded { path, part, columns: columns.collect(), dark, is_nexus })
}

/// The extent of a dataset.
///
/// # Errors
/// [`Error::Hdf5`].
pub fn dims(library: &Library, file: Hid, path: &str) -> Result<Vec<u64>> {
    let dataset = object::open(library, file, path)?;
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    Ok(object::extent(&space)?.0)
}

/// Makes a virtual dataset in the file `at`, of the type of the dataset at the same path of the open file `like`, with its unit.
///
/// # Errors
/// As [`virtual_dataset::create`].
pub fn join(library: &Library, at: Hid, (like, path): (Hid, &str), dims: &[u64], parts: &[Part]) -> Result<()> {
    let source = object::open(library, like, path)?;
    virtual_dataset::create(library, at, path, source.get(), dims, parts)?;
    if let Some(units) = values::string(library, like, path, "units")? {
        values::set_string(library, at, path, "units", &units)?;
    }
    if path.rsplit('/').next() == Some(STATUS) {
        let dataset = object::open(library, at, path)?;
        object::set_strings(&dataset, "values", &[FrameStatus::WORDS.len() as u64], &FrameStatus::WORDS)?;
    }
    Ok(())
}

/// Makes the groups of a dataset that is going to be joined, as the recorder has them.
///
/// # Errors
/// [`Error::Hdf5`].
pub fn prepare(library: &Library, at: Hid, recorded: &Recorded) -> Result<()> {
    if recorded.is_nexus {
        Layout::new(&recorded.path)?.create(library, at)?;
    }
    let group = object::group(library, at, &format!("{}{SUFFIX}", recorded.path))?;
    object::set_string(&group, "NX_class", "NXcollection")
}

/// Shows a dataset that was joined as the recorder does.
///
/// # Errors
/// [`Error::Hdf5`].
pub fn show(library: &Library, at: Hid, recorded: &Recorded) -> Result<()> {
    if !recorded.is_nexus {
        return Ok(());
    }
    Layout::new(&recorded.path)?.show(&object::open(library, at, &recorded.path)?, at)
}

/// Refuses datasets whose elements are of different types.
///
/// # Errors
/// [`Error::Unsupported`]; what HDF5 says.
pub fn same_type(library: &Library, path: &str, one: Hid, other: Hid) -> Result<()> {
    if values::same_type(library, (one, path), (other, path))? {
        return Ok(());
    }
    Err(Error::Unsupported(format!("{path} has elements of another type than in the first file")))
}
