//! A dataset of one number for each frame, written as the frames come: it is not known how many there will be.

use crate::Result;
use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5};
use crate::object::{self, Id};

/// Numbers of a chunk.
const CHUNK: usize = 4096;

/// Numbers that are written chunk by chunk. They have no name yet.
pub(super) struct Column {
    dataset: Id,
    n_written: u64,
    rest: Vec<u64>,
}

impl Column {
    /// A column without numbers.
    pub(super) fn create(library: &Library, at: Hid) -> Result<Self> {
        let properties = object::property_list(library, library.ids().dataset_create)?;
        let chunk = CHUNK as u64;
        h5!(library, H5Pset_chunk(properties.get(), 1, &raw const chunk))?;
        let space = object::dataspace(library, &[0], true)?;
        let kind = library.ids().native_uint64;
        let id = h5!(library, H5Dcreate_anon(at, kind, space.get(), properties.get(), DEFAULT))?;
        Ok(Self { dataset: Id::new(library, id), n_written: 0, rest: Vec::new() })
    }

    /// Adds a number.
    pub(super) fn push(&mut self, number: u64) -> Result<()> {
        self.rest.push(number);
        if self.rest.len() == CHUNK { self.write() } else { Ok(()) }
    }

    /// Writes what is left, and gives the dataset its name.
    pub(super) fn publish(mut self, at: Hid, path: &str) -> Result<()> {
        if !self.rest.is_empty() {
            self.write()?;
        }
        object::link(&self.dataset, at, path)
    }

    fn write(&mut self) -> Result<()> {
        let (library, dataset) = (self.dataset.library(), self.dataset.get());
        let n_numbers = self.n_written + self.rest.len() as u64;
        h5!(library, H5Dset_extent(dataset, &raw const n_numbers))?;
        self.rest.resize(CHUNK, 0);
        let chunk: Vec<u8> = self.rest.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let (offset, data) = (&raw const self.n_written, chunk.as_ptr().cast());
        h5!(library, H5Dwrite_chunk(dataset, DEFAULT, 0, offset, chunk.len(), data))?;
        self.n_written = n_numbers;
        self.rest.clear();
        Ok(())
    }
}
