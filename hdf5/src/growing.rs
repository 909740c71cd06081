//! A dataset that becomes longer along its first axis, chunk by chunk: its extent, and what makes it right again after a chunk
//! could not be written. The reason is in [`chunk_writer`](super::chunk_writer).

use super::layers::Layers;
use super::library::{DEFAULT, Session, h5};
use super::object::Id;
use crate::{Error, Result};

/// An open dataset of up to three axes, whose chunks have the whole of all but the first; of the second perhaps a part, in *bricks*. They are
/// numbered in [`Layers`].
#[derive(Debug)]
pub(super) struct Growing {
    pub(super) dataset: Id,
    pub(super) layers: Layers,
    /// The other axes. HDF5 reads as many numbers as the dataset has axes.
    row: [u64; 2],
    /// Rows the dataset says it has.
    pub(super) n_rows: u64,
    /// The most it may have.
    pub(super) max_rows: Option<u64>,
}

impl Growing {
    /// A dataset without rows and without a limit.
    pub(super) fn new(dataset: Id, rows_per_chunk: u64, row: &[u64]) -> Self {
        let row = [0, 1].map(|axis| row.get(axis).copied().unwrap_or(0));
        Self { dataset, layers: Layers::new(rows_per_chunk, row[0], row[0]), row, n_rows: 0, max_rows: None }
    }

    /// The same with other chunks.
    pub(super) fn in_layers(self, layers: Layers) -> Self {
        Self { layers, ..self }
    }

    /// Whether the dataset has no room for a chunk after the rows of chunk `index`.
    pub(super) fn is_last(&self, index: u64) -> bool {
        self.max_rows.is_some_and(|max| self.layers.end(index).saturating_add(self.layers.n_frames()) > max)
    }

    /// Refuses a dataset that somebody else has made longer or shorter.
    pub(super) fn check_extent(&self, session: &Session<'_>) -> Result<()> {
        let found = self.extent(session)?;
        if found == self.n_rows { Ok(()) } else { Err(Error::Resized { found, expected: self.n_rows }) }
    }

    /// Rows that HDF5 says the dataset has.
    fn extent(&self, session: &Session<'_>) -> Result<u64> {
        let mut dims = [0; 3];
        let space = h5!(session, H5Dget_space(self.dataset.get()))?;
        let found = h5!(session, H5Sget_simple_extent_dims(space, dims.as_mut_ptr(), std::ptr::null_mut()));
        h5!(session, H5Idec_ref(space))?;
        found.map(|_| dims[0])
    }

    pub(super) fn set_extent(&mut self, session: &Session<'_>, n_rows: u64) -> Result<()> {
        if n_rows != self.n_rows {
            let dims = [n_rows, self.row[0], self.row[1]];
            let set = h5!(session, H5Dset_extent(self.dataset.get(), dims.as_ptr()));
            // HDF5 may have changed the extent before it failed, where it allocates chunks early.
            self.n_rows = if set.is_ok() { n_rows } else { self.extent(session).unwrap_or(self.n_rows) };
            set?;
        }
        Ok(())
    }

    /// After chunk `index` could not be written: makes HDF5 forget it, and the dataset have `n_rows` again. Says whether HDF5
    /// has forgotten it; [`n_rows`](Self::n_rows) says how long the dataset is now.
    pub(super) fn forget_last_chunk(&mut self, session: &Session<'_>, index: u64, n_rows: u64) -> bool {
        let n_chunks = self.n_rows.div_ceil(self.layers.n_frames()) * self.layers.n_bricks();
        let end = self.layers.end(n_chunks);
        // The chunk after the last is surely not in HDF5's cache of chunks. Without room for it any other has to do; so it has where the
        // last row is within chunks: to shrink a dataset to such a row, HDF5 decodes those of them that are there.
        let is_within = !n_rows.is_multiple_of(self.layers.n_frames()) && n_chunks > 1;
        let other = match self.max_rows {
            _ if is_within || !index.is_multiple_of(self.layers.n_bricks()) => index.checked_sub(1).unwrap_or(1),
            Some(max) if end > max => 0,
            _ => self.set_extent(session, end).map_or(0, |()| n_chunks),
        };
        let mut n_bytes = 0;
        // HDF5 2.x fails here for a chunk that was never written.
        let _ = h5!(
            session,
            H5Dget_chunk_storage_size(self.dataset.get(), self.layers.offset(other).as_ptr(), &raw mut n_bytes)
        );
        let _ = self.set_extent(session, n_rows);
        other != index
    }

    /// Makes the dataset no longer than `n_stored` rows: it is where that failed after a chunk that could not be written.
    pub(super) fn shorten(&mut self, session: &Session<'_>, n_stored: u64) -> Result<()> {
        if self.n_rows <= n_stored {
            return Ok(());
        }
        self.set_extent(session, n_stored).map_err(|error| self.too_long(error, n_stored))
    }

    /// `error`, and that the dataset shows rows after the first `n_stored`, where it does.
    pub(super) fn too_long(&self, error: Error, n_stored: u64) -> Error {
        let n_frames = self.n_rows;
        if n_frames <= n_stored { error } else { Error::TooLong { source: Box::new(error), n_frames, n_stored } }
    }

    /// Writes a whole chunk, which has been through all filters but those of `mask`.
    pub(super) fn put(&self, session: &Session<'_>, index: u64, mask: u32, chunk: &[u8]) -> Result<()> {
        let (dataset, offset, data) = (self.dataset.get(), self.layers.offset(index), chunk.as_ptr().cast());
        h5!(session, H5Dwrite_chunk(dataset, DEFAULT, mask, offset.as_ptr(), chunk.len(), data)).map(drop)
    }
}
