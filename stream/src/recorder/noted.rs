//! The recorder's part of a journal.

use std::path::{Path, PathBuf};

use darkchunk::element::ElementType;
use darkchunk_hdf5::{ChunkWriter, Column, Dataset, Error, FrameStatus, Result};

use super::order::Job;
use super::sink::status_of;
use super::work::{Chunk, Done};
use crate::journal::{Journal, Note, SharedJournal};

/// One dataset and its columns in the journal of their file.
#[derive(Debug)]
pub(super) struct Noted {
    journal: SharedJournal,
    path: PathBuf,
    dataset: u16,
    group: u16,
}

impl Noted {
    /// Refuses a file beside which is the journal of a recording that did not finish.
    pub(super) fn check(chunks: &ChunkWriter) -> crate::Result<()> {
        file_of(chunks).map_or(Ok(()), |file| SharedJournal::check(&file))
    }

    /// Begins, or goes on with, the journal of the file; `None` where HDF5 does not write a plain file.
    pub(super) fn open(
        chunks: &ChunkWriter,
        dataset: &Dataset,
        element: ElementType,
        columns: &[Column],
    ) -> crate::Result<Option<Self>> {
        let Some(file) = file_of(chunks) else { return Ok(None) };
        let journal = SharedJournal::open(&file)?;
        let path = journal.get().path().to_owned();
        let dataset = Dataset { path: from_root(chunks, &dataset.path), ..dataset.clone() };
        let number = journal.get().dataset(&dataset, element, chunks.cd_values())?;
        let group = journal.get().columns(&format!("{}_darkchunk", dataset.path), columns, number)?;
        Ok(Some(Self { journal, path, dataset: number, group }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes chunk `at` of those of a job, which is about to be written; with the last one the rows of the frames, which have all their
    /// chunks then.
    pub(super) fn chunk<T>(&self, done: &Done<T>, at: usize, n_frames: u64, end: Option<u64>) -> Result<()> {
        let Some(Chunk { index, stored, checksum, .. }) = done.chunks.get(at) else { return Ok(()) };
        let (dataset, index, checksum) = (self.dataset, *index, *checksum);
        let note = Note { dataset, index, n_frames, mask: 0, end, stored: &stored.bytes, checksum };
        let is_last = at + 1 == done.chunks.len();
        let rows = done.job.rows().filter(|_| is_last);
        let rows = rows.map(|(slot, row)| (self.group, slot.index, status_of(slot.fate), row));
        self.call(|journal| journal.chunk(&note, rows))
    }

    /// Notes the rows of frames that are in no chunk.
    pub(super) fn rows<T>(&self, job: &Job<T>) {
        job.rows().for_each(|(slot, row)| self.row(slot.index, status_of(slot.fate), row));
    }

    /// Notes a row whose frame is in no chunk. It goes out with others; a failure shows with the next chunk or flush.
    pub(super) fn row(&self, index: u64, status: FrameStatus, row: &[u8]) {
        let _ = self.call(|journal| {
            journal.row(self.group, index, status, row);
            journal.flush_if_full()
        });
    }

    pub(super) fn flush(&self) -> Result<()> {
        self.call(Journal::flush)
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.call(Journal::sync)
    }

    /// The file is flushed and has everything: the journal goes, once all that record to the file have finished.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.journal.finish().map_err(as_hdf5)
    }

    fn call(&self, write: impl FnOnce(&mut Journal) -> crate::Result<()>) -> Result<()> {
        write(&mut self.journal.get()).map_err(as_hdf5)
    }
}

/// The path from the file's root, where the group has a name that it starts from; else as it is.
fn from_root(chunks: &ChunkWriter, path: &str) -> String {
    let group = chunks.group_path().filter(|_| !path.starts_with('/'));
    group.map_or_else(|| path.to_owned(), |group| format!("{}/{path}", group.trim_end_matches('/')))
}

/// The plain file that HDF5 writes; `None` where it is none.
pub(super) fn file_of(chunks: &ChunkWriter) -> Option<PathBuf> {
    chunks.file_path().ok().and_then(|path| std::path::absolute(path).ok())
}

/// What the journal's disk refuses is reported, held and tried again as what HDF5 refuses.
fn as_hdf5(error: crate::Error) -> Error {
    match error {
        crate::Error::Hdf5(error) => error,
        other => Error::Hdf5 { call: "write", message: other.to_string() },
    }
}
