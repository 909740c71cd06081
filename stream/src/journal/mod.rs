//! A journal beside a file that is recorded, from which it is restored after a crash.
//!
//! `run.h5.journal` says what `run.h5` is made of: its datasets, its columns, and, before each chunk is written, which chunk it is,
//! how long, its checksum, and where HDF5 will most likely put it. It is written with plain writes, one a chunk, and never read or
//! moved back to; rows of columns go out with the next chunk. When the file is closed the journal is [removed](Journal::remove).
//!
//! # What is promised
//!
//! After the process is killed, at any moment, [`restore()`] makes a new file in which is
//!
//! * every chunk that HDF5 had written, as it was written, whether or not the file opens;
//! * every row that was given before such a chunk, or before a [`flush`](Journal::flush).
//!
//! A row whose frame was not written is marked *lost* in `frame_status`. The file that was left is only read. What the file had
//! besides (dark image, attributes of one's own, what an earlier recording has finished) is not in the journal: [`restore_file`] copies
//! it from a file that opens, and [`restore_in_place`] puts the new file in the old one's place.
//!
//! A recorder notes paths from the file's root. What was recorded below a group that has no name is restored below the root; where two
//! datasets have the same path then, the second is put below `/restored_NUMBER`.
//!
//! A journal that a crash has left is never replaced: a recorder to the same file is refused until it is restored or removed. One that
//! is written to is locked: [`restore_in_place`] is refused then. Where the file system has no locks nobody is.
//!
//! A killed process is not a power cut: what the system had not put on the disk is gone then, of the journal as of the file.
//! [`sync`](Journal::sync) waits until the journal is on the disk.
//!
//! # Format
//!
//! The eight bytes of `MAGIC`, then records: length of what follows the checksum (`u32`), CRC-32 of that (`u32`), and a kind (`u8`)
//! with its numbers, all little-endian. What follows a record that is not whole is not read. Of frames in bricks each brick is a chunk; the rows of
//! its frames are before the last one.

mod locate;
mod lock;
mod progress;
mod record;
mod restore;
mod shared;
mod whole;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use darkchunk::element::ElementType;
use darkchunk_hdf5::{Column, Dataset, FrameStatus};

use crate::{Error, Result};
pub use progress::{Noted, Progress};
use record::{Chunk, Record, Series};
pub use restore::{Restored, RestoredDataset, restore};
pub(crate) use shared::SharedJournal;
pub use whole::{Rest, RestoredFile, left_of, restore_file, restore_in_place};

/// How a journal begins; the last byte is the version.
const MAGIC: [u8; 8] = *b"DCJRNL\n\x01";

/// What a journal's name has after the file's.
const EXTENSION: &str = ".journal";

/// Rows that wait for a chunk go out when they are so many bytes.
const MAX_WAITING: usize = 1 << 16;

/// The checksum of a chunk's stored bytes, for [`Note`].
#[must_use]
pub fn checksum(stored: &[u8]) -> u32 {
    crc32fast::hash(stored)
}

/// The journal of the file `path`.
#[must_use]
pub fn path_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(EXTENSION);
    name.into()
}

/// A chunk that is about to be written.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// The dataset's number.
    pub dataset: u16,
    /// The chunk's number, as [`ChunkWriter::write`](darkchunk_hdf5::ChunkWriter::write) counts.
    pub index: u64,
    /// Frames that the dataset has when it is written.
    pub n_frames: u64,
    /// Its filter mask.
    pub mask: u32,
    /// [`ChunkWriter::file_end`](darkchunk_hdf5::ChunkWriter::file_end), asked just before.
    pub end: Option<u64>,
    /// The chunk as it is stored.
    pub stored: &'a [u8],
    /// Its [`checksum`].
    pub checksum: u32,
}

/// Writes a journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes of whole records that are in the file.
    n_bytes: u64,
    /// Whether the last write failed, and may have left a part of a record.
    is_torn: bool,
    waiting: Vec<u8>,
    n_datasets: u16,
    n_groups: u16,
}

impl Journal {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins the journal of `file`, which is being made. One in which nothing was noted is replaced.
    ///
    /// # Errors
    /// [`Error::Journal`], also where there is one of a recording that did not finish.
    pub fn create(file: &Path) -> Result<Self> {
        let path = path_of(file);
        let file = begin(&path)?;
        let waiting = MAGIC.to_vec();
        let mut journal = Self { path, file, n_bytes: 0, is_torn: false, waiting, n_datasets: 0, n_groups: 0 };
        journal.flush()?;
        Ok(journal)
    }

    /// Notes a dataset of frames with its filter's exact parameters
    /// ([`ChunkWriter::cd_values`](darkchunk_hdf5::ChunkWriter::cd_values)), and returns its number.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn dataset(
        &mut self,
        dataset: &Dataset,
        element: ElementType,
        cd_values: Option<(u32, &[u32])>,
    ) -> Result<u16> {
        let number = self.n_datasets;
        let series = Series { dataset: dataset.clone(), element }.with_values(cd_values);
        self.note(&Record::Dataset(series))?;
        self.n_datasets += 1;
        Ok(number)
    }

    /// Notes a group of columns, whose rows are of the frames of `dataset`, and returns its number.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn columns(&mut self, path: &str, columns: &[Column], dataset: u16) -> Result<u16> {
        let number = self.n_groups;
        self.note(&Record::Group { path: path.to_owned(), columns: columns.to_vec(), dataset })?;
        self.n_groups += 1;
        Ok(number)
    }

    /// Notes a row whose frame is in no chunk, in memory: it goes out with the next chunk, or with a flush.
    pub fn row(&mut self, group: u16, frame: u64, status: FrameStatus, row: &[u8]) {
        record::append_row(&mut self.waiting, group, frame, status, row);
    }

    /// Notes a chunk that is about to be written, with the rows of its frames: group, frame, status and bytes. Where the write of the
    /// chunk fails, it is noted again before the next, unless `end` is as it was.
    ///
    /// # Errors
    /// [`Error::Journal`], for instance where the disk is full: neither chunk nor rows are noted, and may be once more.
    pub fn chunk<'r>(
        &mut self,
        note: &Note<'_>,
        rows: impl IntoIterator<Item = (u16, u64, FrameStatus, &'r [u8])>,
    ) -> Result<()> {
        let n_before = self.waiting.len();
        for (group, frame, status, row) in rows {
            self.row(group, frame, status, row);
        }
        Record::Chunk(Chunk::of(note)).append_to(&mut self.waiting);
        self.flush().inspect_err(|_| self.waiting.truncate(n_before))
    }

    /// Writes what waits. A record whose write fails is taken back.
    fn note(&mut self, record: &Record) -> Result<()> {
        let n_before = self.waiting.len();
        record.append_to(&mut self.waiting);
        self.flush().inspect_err(|_| self.waiting.truncate(n_before))
    }

    /// Writes the rows that wait for a chunk, if they are many.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn flush_if_full(&mut self) -> Result<()> {
        if self.waiting.len() < MAX_WAITING { Ok(()) } else { self.flush() }
    }

    /// Writes the rows that wait for a chunk.
    ///
    /// # Errors
    /// [`Error::Journal`]: they still wait.
    pub fn flush(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.write().map_err(|error| failed(&self.path, &error))?;
        self.n_bytes += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    fn write(&mut self) -> std::io::Result<()> {
        if std::mem::replace(&mut self.is_torn, true) {
            self.file.seek(SeekFrom::Start(self.n_bytes))?;
        }
        self.file.write_all(&self.waiting)?;
        self.is_torn = false;
        Ok(())
    }

    /// The same, and waits until the journal is on the disk.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_data().map_err(|error| failed(&self.path, &error))
    }

    /// Removes the journal of a file that was closed.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub fn remove(self) -> Result<()> {
        self.delete()
    }

    fn delete(&self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(|error| failed(&self.path, &error))
    }
}

/// Refuses a journal from which frames may still have to be restored, or that is written to. Says whether there is an empty one.
fn check_old(path: &Path) -> Result<bool> {
    let old = std::fs::metadata(path);
    if old.is_ok() {
        lock::of_left(path)?;
    }
    match old {
        Ok(old) if old.len() > MAGIC.len() as u64 => {
            let path = path.display().to_string();
            let file = path.strip_suffix(EXTENSION).unwrap_or(&path);
            let reason = format!(
                "it is of a recording that did not finish: restore it with `darkchunk recover {file} --in-place` (in Python \
                 darkchunk.restore, in C dc_journal_restore), or remove it"
            );
            Err(Error::Journal { reason, path })
        }
        old => Ok(old.is_ok()),
    }
}

/// Opens and locks a new journal, or one in which nothing was noted.
fn begin(path: &Path) -> Result<File> {
    let is_there = check_old(path)?;
    let file = lock::options().write(true).create_new(!is_there).open(path).map_err(|error| failed(path, &error))?;
    lock::take(&file, path)?;
    if file.metadata().is_ok_and(|begun| begun.len() > MAGIC.len() as u64) {
        return Err(lock::is_written(path)); // Somebody else was faster.
    }
    file.set_len(0).map_err(|error| failed(path, &error))?;
    Ok(file)
}

/// Of a journal that something was to be restored from.
fn unopened(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() != std::io::ErrorKind::NotFound {
        return failed(path, error);
    }
    let reason = "it is not there: a recording that is closed leaves none, and there is nothing to restore. Of a damaged file without a \
                  journal the command `darkchunk recover` saves what is whole";
    Error::Journal { path: path.display().to_string(), reason: reason.to_owned() }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::Journal { path: path.display().to_string(), reason: error.to_string() }
}
