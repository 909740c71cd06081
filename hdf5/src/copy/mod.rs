//! A whole file copied into another: groups, links, datatypes, datasets, attributes, references.
//!
//! A [`Copier`] makes the objects first: a dataset that stays as it is by `H5Ocopy`, which takes chunks as they are stored, one that is
//! to be stored otherwise as an empty one, whose chunks the caller writes. Attributes come last, and references with them: they lead to
//! the copies of what they led to.

mod beyond;
mod dataset;
mod recover;
mod references;
mod rest;
mod values;

use std::collections::HashMap;

use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5, h5_tool};
use crate::object::{self, Id, c_name};
use crate::tree::{self, Entry, Kind, Paths, Walked};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::H5O_COPY_WITHOUT_ATTR_FLAG;
pub use dataset::{NewDataset, NewStorage};
pub use recover::{Examined, Recovered, recover};
pub use rest::{Rest, rest};

/// The group in which named datatypes are made, before anything that has them. They get their own names in the order of the file.
const TYPES: &str = "/darkchunk: unfinished datatypes";

/// A file that is copied into another.
#[derive(Debug)]
pub struct Copier {
    library: Library,
    from: Hid,
    to: Hid,
    entries: Vec<Entry>,
    paths: Paths,
    /// Other files that are put into the new one, open until all is copied.
    _files: Vec<Id>,
    warnings: Vec<String>,
}

impl Copier {
    /// Looks at all of the file `from`, which is to be copied into `to`, a new file.
    ///
    /// # Errors
    /// What cannot be read: a copy would lack it.
    pub fn new(library: &Library, from: Hid, to: Hid) -> Result<Self> {
        Self::whole(Self::tolerant(library, from, to)?)
    }

    /// The same with what external links lead to in place of them.
    ///
    /// # Errors
    /// As [`new`](Self::new), also for a link that leads nowhere.
    pub fn merged(library: &Library, from: Hid, to: Hid) -> Result<Self> {
        Self::whole(Self::of(library, from, to, tree::walk_known(library, from, "/", true)?))
    }

    fn whole(copier: Self) -> Result<Self> {
        for Entry { path, kind } in &copier.entries {
            if let Kind::Unreadable(reason) = kind {
                return Err(Error::CannotOpen { path: path.clone(), source: Box::new(reason.clone()) });
            }
        }
        Ok(copier)
    }

    /// The same where not everything can be read.
    fn tolerant(library: &Library, from: Hid, to: Hid) -> Result<Self> {
        Ok(Self::of(library, from, to, tree::walk_known(library, from, "/", false)?))
    }

    fn of(library: &Library, from: Hid, to: Hid, walked: Walked) -> Self {
        let Walked { entries, paths, files } = walked;
        Self { library: library.clone(), from, to, entries, paths, _files: files, warnings: Vec::new() }
    }

    /// What could not be kept as it was, though the file is none the worse: references to what is not there.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Makes all objects and links, without attributes. A dataset that `changed` has is made as that says, and empty. `seen` is told each
    /// path; an error that it returns ends this.
    ///
    /// # Errors
    /// What HDF5 says, with the path.
    pub fn objects(
        &self,
        changed: &HashMap<String, NewStorage>,
        seen: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        self.make(changed, &mut |path, made| {
            seen(path)?;
            made.map_err(|error| at(path, error))
        })
    }

    /// Makes all objects, and tells `each` whether one could be made; an error that it returns ends this.
    fn make(
        &self,
        changed: &HashMap<String, NewStorage>,
        each: &mut dyn FnMut(&str, Result<()>) -> Result<()>,
    ) -> Result<()> {
        let types: Vec<&str> =
            self.entries.iter().filter(|entry| entry.kind == Kind::Datatype).map(|entry| &*entry.path).collect();
        let types: HashMap<&str, String> =
            types.into_iter().zip(0..).map(|(path, number)| (path, format!("{TYPES}/{number}"))).collect();
        if !types.is_empty() {
            drop(object::group(&self.library, self.to, TYPES)?);
        }
        for (path, place) in &types {
            let made = self.links(path).and_then(|links| self.copy(path, place, &links));
            if made.is_err() {
                each(path, made)?;
            }
        }
        let making = Making { copier: self, changed, types: &types };
        for entry in self.entries.iter().filter(|entry| entry.path != "/") {
            each(&entry.path, making.object(entry))?;
        }
        if types.is_empty() {
            return Ok(());
        }
        let name = c_name(TYPES)?;
        h5_tool!(&self.library, H5Ldelete(self.to, name.as_ptr(), DEFAULT)).map(drop)
    }

    /// Makes the dataset `path` empty and stored as `storage` says, alone in the file `part`, as `name`.
    ///
    /// # Errors
    /// What HDF5 says, with the path.
    pub fn part(library: &Library, from: Hid, path: &str, storage: &NewStorage, part: Hid, name: &str) -> Result<()> {
        let original = object::open(library, from, path)?;
        let datatype = Id::new(library, h5!(library, H5Dget_type(original.get()))?);
        // A type that has a name belongs to its file; a copy does not.
        let datatype = Id::new(library, h5!(library, H5Tcopy(datatype.get()))?);
        let links = object::property_list(library, library.ids().link_create)?;
        let made = dataset::create(part, name, &original, &datatype, Some(storage), &links);
        made.map(drop).map_err(|error| at(path, error))
    }

    /// The properties of a link whose name has the character set that it had.
    fn links(&self, path: &str) -> Result<Id> {
        let links = object::property_list(&self.library, self.library.ids().link_create)?;
        let character_set = tree::character_set(&self.library, self.from, path)?;
        h5_tool!(&self.library, H5Pset_char_encoding(links.get(), character_set))?;
        Ok(links)
    }

    fn group(&self, path: &str, links: &Id) -> Result<()> {
        let (library, name) = (&self.library, c_name(path)?);
        let group = object::open(library, self.from, path)?;
        let properties = Id::new(library, h5_tool!(library, H5Gget_create_plist(group.get()))?);
        let id = h5!(library, H5Gcreate2(self.to, name.as_ptr(), links.get(), properties.get(), DEFAULT))?;
        drop(Id::new(library, id));
        Ok(())
    }

    /// A datatype or a dataset as it is.
    fn copy(&self, path: &str, to_path: &str, links: &Id) -> Result<()> {
        let (library, name, to_name) = (&self.library, c_name(path)?, c_name(to_path)?);
        let options = object::property_list(library, library.tools().object_copy)?;
        h5_tool!(library, H5Pset_copy_object(options.get(), H5O_COPY_WITHOUT_ATTR_FLAG))?;
        let (name, to_name) = (name.as_ptr(), to_name.as_ptr());
        h5_tool!(library, H5Ocopy(self.from, name, self.to, to_name, options.get(), links.get())).map(drop)
    }

    /// The path of a datatype that has a name in the file.
    fn name_of(&self, datatype: &Id) -> Result<Option<&str>> {
        if h5_tool!(&self.library, H5Tcommitted(datatype.get()))? == 0 {
            return Ok(None);
        }
        let identity = crate::claim::identity(datatype)?;
        Ok(identity.and_then(|identity| self.paths.get(&identity)).map(|path| &**path))
    }

    /// The datatype that the copy of an object has: in its file, where the original has a name there.
    fn datatype(&self, original: &Id) -> Result<Id> {
        match self.name_of(original)? {
            Some(path) => object::open(&self.library, self.to, path),
            None => Ok(Id::new(&self.library, h5!(&self.library, H5Tcopy(original.get()))?)),
        }
    }

    /// Copies the attributes of all objects, and the references in datasets.
    ///
    /// # Errors
    /// What HDF5 says, with the path; [`Error::Unsupported`] for a kind of reference that is not known.
    pub fn finish(&mut self) -> Result<()> {
        for index in 0..self.entries.len() {
            let Entry { path, kind } = &self.entries[index];
            let path = path.clone();
            if matches!(kind, Kind::Group | Kind::Dataset | Kind::Datatype) {
                let is_dataset = *kind == Kind::Dataset;
                self.values(&path, is_dataset).map_err(|error| at(&path, error))?;
            }
        }
        Ok(())
    }

    fn values(&mut self, path: &str, is_dataset: bool) -> Result<()> {
        let from = object::open(&self.library, self.from, path)?;
        let to = object::open(&self.library, self.to, path)?;
        for name in tree::attributes(&from)? {
            values::attribute(self, &from, &to, &name).map_err(|error| at(&format!("attribute {name}"), error))?;
        }
        if is_dataset { values::references(self, path, &from, &to) } else { Ok(()) }
    }

    /// The same, as far as it goes: `lost` is told what is not copied.
    fn values_left(&mut self, path: &str, is_dataset: bool, lost: &mut dyn FnMut(String, Error)) -> Result<()> {
        let from = object::open(&self.library, self.from, path)?;
        let to = object::open(&self.library, self.to, path)?;
        for name in tree::attributes(&from)? {
            if let Err(error) = values::attribute(self, &from, &to, &name) {
                lost(format!("{path} (attribute {name})"), error);
            }
        }
        if is_dataset { values::references(self, path, &from, &to) } else { Ok(()) }
    }
}

/// The objects that are being made.
struct Making<'a> {
    copier: &'a Copier,
    changed: &'a HashMap<String, NewStorage>,
    /// Where the named datatypes of the old file are in the new one now.
    types: &'a HashMap<&'a str, String>,
}

impl Making<'_> {
    fn object(&self, Entry { path, kind }: &Entry) -> Result<()> {
        let copier = self.copier;
        let (library, to, name) = (&copier.library, copier.to, c_name(path)?);
        let links = copier.links(path)?;
        let hard = |first: &str| {
            let first = c_name(first)?;
            let (at, name) = (first.as_ptr(), name.as_ptr());
            h5_tool!(library, H5Lcreate_hard(to, at, to, name, links.get(), DEFAULT)).map(drop)
        };
        match kind {
            Kind::Group => copier.group(path, &links),
            Kind::Dataset => self.dataset(path, &links),
            Kind::Datatype => hard(self.types.get(&**path).map_or(path, |place| place)),
            Kind::Same(first) => hard(first),
            Kind::Soft(target) => {
                let target = c_name(target)?;
                let (target, name) = (target.as_ptr(), name.as_ptr());
                h5_tool!(library, H5Lcreate_soft(target, to, name, links.get(), DEFAULT)).map(drop)
            }
            Kind::External { file, path } => {
                let (file, target) = (c_name(file)?, c_name(path)?);
                let (file, target, name) = (file.as_ptr(), target.as_ptr(), name.as_ptr());
                h5_tool!(library, H5Lcreate_external(file, target, to, name, links.get(), DEFAULT)).map(drop)
            }
            Kind::Unreadable(reason) => Err(reason.clone()),
        }
    }

    fn dataset(&self, path: &str, links: &Id) -> Result<()> {
        let copier = self.copier;
        let original = object::open(&copier.library, copier.from, path)?;
        let datatype = Id::new(&copier.library, h5!(&copier.library, H5Dget_type(original.get()))?);
        let named = copier.name_of(&datatype)?;
        let changed = self.changed.get(path);
        // HDF5 (1.10 to 2.2) copies the place of a fill value that is a string, which is another one in the new file: nothing can be read.
        if changed.is_none() && named.is_none() && !values::fill_refers(&original, &datatype)? {
            return copier.copy(path, path, links);
        }
        let datatype = match named.and_then(|named| self.types.get(named)) {
            Some(place) => object::open(&copier.library, copier.to, place)?,
            None => Id::new(&copier.library, h5!(&copier.library, H5Tcopy(datatype.get()))?),
        };
        // HDF5's own way to keep the name of a datatype (H5O_COPY_MERGE_COMMITTED_DTYPE_FLAG) crashes on sound files.
        let copy = dataset::create(copier.to, path, &original, &datatype, changed, links)?;
        let stored = if changed.is_none() { values::stored(&original, &copy) } else { Ok(()) };
        if stored.is_err() {
            recover::remove(&copier.library, copier.to, path)?;
        }
        stored
    }
}

fn at(path: &str, error: Error) -> Error {
    match error {
        Error::Hdf5 { call, message } => Error::Hdf5 { call, message: format!("{path}: {message}") },
        Error::Unsupported(why) => Error::Unsupported(format!("{path}: {why}")),
        other => other,
    }
}
