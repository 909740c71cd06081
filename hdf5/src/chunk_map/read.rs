//! What is read through HDF5.

use super::{Storage, StoredDataset};
use crate::dataset;
use crate::library::{DEFAULT, h5, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::H5S_SELECT_SET;

impl StoredDataset {
    /// Reads `count[i]` elements from `start[i]` on along each axis, each `step[i]`-th (each one without `step`), as they are
    /// stored, into `dst`, which has their size. What HDF5 leaves as it was, is as it was in `dst`.
    ///
    /// # Errors
    /// [`Error::Hdf5`]; [`Error::Unsupported`] for a `dst` of another size, and for a selection of another rank.
    pub fn read(&self, start: &[u64], count: &[u64], step: Option<&[u64]>, dst: &mut [u8]) -> Result<()> {
        let (library, rank) = (self.dataset.library(), self.dims.len());
        let n_bytes = count.iter().try_fold(self.element().n_bytes as u64, |n, count| n.checked_mul(*count));
        let is_whole = start.len() == rank && count.len() == rank && step.is_none_or(|step| step.len() == rank);
        if !is_whole || n_bytes != Some(dst.len() as u64) {
            return Err(Error::Unsupported(format!(
                "{count:?} elements of {:?} do not fill {} bytes",
                self.dims,
                dst.len()
            )));
        }
        if dst.is_empty() {
            return Ok(());
        }
        let file = Id::new(library, h5!(library, H5Dget_space(self.dataset.get()))?);
        if rank > 0 {
            let step = step.map_or(std::ptr::null(), <[u64]>::as_ptr);
            let (start, count) = (start.as_ptr(), count.as_ptr());
            let block = std::ptr::null();
            h5_optional!(library, H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, start, step, count, block))?;
        }
        let memory = object::dataspace(library, count, false)?;
        let (dataset, datatype) = (self.dataset.get(), self.datatype.get());
        let data = dst.as_mut_ptr().cast();
        h5!(library, H5Dread(dataset, datatype, memory.get(), file.get(), DEFAULT, data)).map(drop)
    }

    /// The chunk that begins at `offset` as it is stored, with its filter mask; `None` where it is not.
    ///
    /// # Errors
    /// [`Error::Hdf5`]; [`Error::Unsupported`] where it claims more bytes than a chunk can have, or there are no chunks.
    pub fn read_stored(&self, offset: &[u64]) -> Result<Option<(u32, Vec<u8>)>> {
        let chunk = self.chunk_for(offset)?;
        let element_bytes = self.element().n_bytes;
        let chunk_bytes = chunk.iter().try_fold(element_bytes, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
        let is_filtered = !self.filters().is_empty();
        dataset::stored_chunk(&self.dataset, offset, chunk_bytes.unwrap_or(usize::MAX), is_filtered)
    }

    /// The shape of chunks, where an offset has as many axes.
    fn chunk_for(&self, offset: &[u64]) -> Result<&[u64]> {
        match &self.storage {
            Storage::Chunked { chunk, .. } if chunk.len() == offset.len() => Ok(chunk),
            Storage::Chunked { .. } => Err(Error::Unsupported(format!("{offset:?} is no place in {:?}", self.dims))),
            _ => Err(Error::Unsupported("it has no chunks".into())),
        }
    }
}
