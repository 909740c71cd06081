//! Encoded chunks into an HDF5 dataset: its extent, direct chunk writes, flushes. Nothing here knows pixels.
//!
//! * HDF5 is called on the thread that calls the writer, and on no other.
//! * The dataset never says that it has a frame which was not written: its extent is the number of stored frames. Where
//!   HDF5 fails, it is as before. Where HDF5 then fails to shorten it, too, the error says so ([`Error::TooLong`]), and so does
//!   each flush until it could be shortened; the number of stored frames is true all the while.
//! * What a crash leaves: with the default file format and [`Flush`], every frame up to the last flush, in a file that
//!   opens as usual. A kill *within* a flush can leave a file that does not open: HDF5 writes the nodes of its index in
//!   any order, and where a node is split, one refers to another that is not there yet.
//! * A chunk that is not full is written again when more frames are there, and the file is flushed at once. HDF5 may put
//!   the chunk where it was before, so that a kill between the two can cost the frames of this one chunk.
//!
//! # A write that fails
//!
//! When the write of a new chunk fails, HDF5 still remembers the chunk as the one that it used last. A second try is then
//! taken for a chunk that is stored already: it succeeds, and the chunk is in no index. To shrink the dataset removes
//! from the index what is remembered, and so the last chunk that is there. Therefore HDF5 is first made to forget, by a
//! question for another chunk. The memory in the file is lost; so before the next try the bytes are written to a dataset
//! without a name, which gives its memory back.

#![allow(unsafe_code)]

use std::path::PathBuf;
use std::time::Instant;

use super::api::Hid;
use super::chunk_map;
use super::chunk_map::locate;
use super::claim::Claim;
use super::dataset::{self, Frames};
use super::full_disk;
use super::layers::Layers;
use super::library::{Library, Session, h5, h5_optional};
use super::nexus::Layout;
use super::object::{self, Id};
use super::options::{Dataset, Flush};
use super::promise::Account;
use crate::{Error, Result};
use darkchunk::chunk::{ChunkShape, Filter};
use darkchunk::codec::Codec as _;
use darkchunk::codec::drle::Drle;
use darkchunk::element::ElementType;
use darkchunk_hdf5_abi::constants::{H5F_ACC_RDWR, H5F_SCOPE_LOCAL};

/// Writes encoded chunks of whole frames to one dataset.
#[derive(Debug)]
pub struct ChunkWriter {
    frames: Frames,
    element: ElementType,
    file: Id,
    place: Place,
    flush: Flush,
    last_flush: Instant,
    n_stored: u64,
    n_flushed: u64,
    stored_bytes: u64,
    /// The stored chunk that is not full, and will be written again.
    partial_chunk: Option<u64>,
    /// The chunk that HDF5 writes right only where its length changes.
    odd_chunk: Option<u64>,
    /// Whether the last chunk could not be written.
    has_failed: bool,
    /// Whether a chunk was written again since the last flush.
    must_flush: bool,
    /// The file once more, where it was to be written to the disk.
    opened: Option<std::fs::File>,
    /// What its chunks say, where the filter is the bounded codec.
    account: Option<Account>,
    /// Nobody else in this process writes to the dataset.
    _claim: Option<Claim>,
}

/// Where the dataset is.
#[derive(Debug)]
pub(super) struct Place {
    /// The file or group that `path` starts from.
    pub(super) at: Id,
    pub(super) path: String,
    pub(super) nexus: Option<Layout>,
}

impl ChunkWriter {
    /// Makes a dataset below the file or group `at`. It has no name before [`publish`](Self::publish): until then a drop
    /// leaves nothing of it.
    ///
    /// # Errors
    /// As [`Writer::create`](super::Writer::create).
    pub fn create(library: &Library, at: Hid, dataset: &Dataset, element: ElementType) -> Result<Self> {
        let file = file_to_write(library, at)?;
        check_path(&dataset.path)?;
        if object::exists(library, at, &dataset.path)? {
            let path = dataset.path.clone();
            return Err(Error::NameTaken { path, remedy: "give another name, or attach to it" });
        }
        let nexus = dataset.nexus.then(|| Layout::new(&dataset.path)).transpose()?;
        check_bricks(dataset)?;
        let frames = dataset::create(library, at, dataset, element)?;
        let account = Account::begin(&frames.rows.dataset, frames.filter.as_ref())?;
        Ok(Self { account, ..Self::over(frames, element, file, (at, &dataset.path), nexus)? })
    }

    /// Opens a dataset that is there, to write chunks after its last one.
    ///
    /// # Errors
    /// As [`Writer::attach`](super::Writer::attach).
    pub fn attach(library: &Library, at: Hid, path: &str, element: ElementType) -> Result<Self> {
        let file = file_to_write(library, at)?;
        check_path(path)?;
        let frames = dataset::attach(library, at, path, element)?;
        let mut writer = Self::over(frames, element, file, (at, path), None)?;
        let Frames { rows, filter, .. } = &writer.frames;
        writer.account = Account::resume(&rows.dataset, filter.as_ref(), writer.partial_chunk.is_some())?;
        Ok(writer)
    }

    fn over(
        frames: Frames,
        element: ElementType,
        file: Id,
        (at, path): (Hid, &str),
        nexus: Option<Layout>,
    ) -> Result<Self> {
        let (n_stored, per_chunk) = (frames.rows.n_rows, frames.shape.n_frames as u64);
        Ok(Self {
            _claim: Claim::on(&frames.rows.dataset, path)?,
            place: Place { at: object::open(file.library(), at, ".")?, path: path.to_owned(), nexus },
            frames,
            element,
            file,
            flush: Flush::default(),
            last_flush: Instant::now(),
            n_stored,
            n_flushed: n_stored,
            stored_bytes: 0,
            partial_chunk: (n_stored % per_chunk != 0).then_some(n_stored / per_chunk),
            odd_chunk: None,
            has_failed: false,
            must_flush: false,
            opened: None,
            account: None,
        })
    }

    /// Gives a dataset that was [made](Self::create) its name, and NeXus groups if it was to have them.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn publish(&self) -> Result<()> {
        let (library, Place { at, path, nexus }) = (self.library(), &self.place);
        if let Some(nexus) = nexus {
            nexus.create(library, at.get())?;
        }
        object::link(&self.frames.rows.dataset, at.get(), path)?;
        nexus.as_ref().map_or(Ok(()), |nexus| nexus.show(&self.frames.rows.dataset, at.get()))
    }

    /// Sets when the file is flushed.
    pub fn set_flush(&mut self, flush: Flush) {
        self.flush = flush;
    }

    /// The chunks' shape.
    #[must_use]
    pub fn shape(&self) -> &ChunkShape {
        &self.frames.shape
    }

    /// The frames of a chunk, whole: the chunks' shape, but where these are [bricks](Dataset::rows_per_chunk).
    #[must_use]
    pub fn layer(&self) -> ChunkShape {
        ChunkShape { height: self.frames.height, ..self.frames.shape }
    }

    /// How the chunks are numbered.
    #[must_use]
    pub fn layers(&self) -> Layers {
        self.frames.rows.layers
    }

    /// The type of the dataset's elements.
    pub(super) fn element(&self) -> ElementType {
        self.element
    }

    /// The filter that chunks are encoded with; `None` where the dataset has none.
    ///
    /// # Errors
    /// What the codec refuses in the dataset's parameters.
    pub fn filter(&self) -> Result<Option<Filter>> {
        self.frames.codec(self.element)
    }

    /// The exact parameters of the dataset's filter; `None` where it has none.
    #[must_use]
    pub fn cd_values(&self) -> Option<(u32, &[u32])> {
        self.frames.filter.as_ref().map(|filter| (filter.id, &filter.values[..]))
    }

    /// Frames the dataset has.
    #[must_use]
    pub fn n_stored(&self) -> u64 {
        self.n_stored
    }

    /// The file's path.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where HDF5 writes it by another driver than the plain one, or it was moved;
    /// [`Error::MissingFunction`] with an earlier table of functions.
    pub fn file_path(&self) -> Result<PathBuf> {
        locate::path_of(self.library(), &self.file)
    }

    /// Where in the file the group is that the dataset's path starts from: `/` or `/group`; `None` where it has no name, and with an earlier
    /// table of functions.
    #[must_use]
    pub fn group_path(&self) -> Option<String> {
        object::name(self.place.at.library(), self.place.at.get()).ok().flatten()
    }

    /// The file's length by HDF5's account, in which it has not been written everywhere: where the next chunk will most likely
    /// begin. `None` where the table of functions has none to ask.
    #[must_use]
    pub fn file_end(&self) -> Option<u64> {
        self.file_size().ok()
    }

    fn file_size(&self) -> Result<u64> {
        let mut n_bytes = 0;
        h5_optional!(self.library(), H5Fget_filesize(self.file.get(), &raw mut n_bytes)).map(|_| n_bytes)
    }

    /// The most frames the dataset may have; `None` where it has no limit.
    pub(super) fn max_frames(&self) -> Option<u64> {
        self.frames.rows.max_rows
    }

    /// Frames that a crash of the process cannot lose any more.
    #[must_use]
    pub fn n_flushed(&self) -> u64 {
        self.n_flushed
    }

    /// Bytes of the chunks that were written.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    pub(super) fn library(&self) -> &Library {
        self.file.library()
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Decodes the last chunk, which is not full, into `pixels`, which has its size.
    pub(super) fn read_partial_chunk(&mut self, pixels: &mut [u8]) -> Result<()> {
        let Some(index) = self.partial_chunk else { return Ok(()) };
        if self.frames.read_chunk(index, pixels)? {
            // HDF5 keeps the filter mask of a chunk that is written over by one of the same length.
            self.odd_chunk = Some(index);
        }
        Ok(())
    }

    /// Stores chunk `index`, after which the dataset has at least `n_frames` frames. Where HDF5 fails, it has as many as
    /// before, and the same chunk can be written again. Bricks are numbered as [`Layers`] says;
    /// the dataset has frames as soon as it has one brick of them.
    ///
    /// # Errors
    /// [`Error::FrameLimit`], [`Error::Resized`], [`Error::Hdf5`], [`Error::TooLong`].
    pub fn write(&mut self, index: u64, n_frames: u64, chunk: &[u8]) -> Result<()> {
        self.write_masked(index, n_frames, 0, chunk)
    }

    /// The same, of a chunk that has not been through the filters of `mask`: bit i is filter i.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_masked(&mut self, index: u64, n_frames: u64, mask: u32, chunk: &[u8]) -> Result<()> {
        if let Some(max) = self.frames.rows.max_rows.filter(|max| n_frames > *max) {
            return Err(Error::FrameLimit { max });
        }
        let is_rewritten = self.partial_chunk == Some(index);
        if is_rewritten || self.frames.rows.is_last(index) || self.has_failed {
            // HDF5 frees the place of a chunk before it has written it elsewhere: a full disk would leave neither. And it
            // cannot be asked for the chunk after the last.
            full_disk::prove_room(&self.file, chunk)?;
        }
        if is_rewritten {
            // Also where it fails: what was flushed of the chunk may be written over by then.
            self.n_flushed = self.n_flushed.min(self.frames.rows.layers.offset(index)[0]);
        }
        let n_frames = n_frames.max(self.n_stored);
        let written = if is_rewritten {
            self.rewrite(index, n_frames, mask, chunk)
        } else {
            self.append(index, n_frames, mask, chunk)
        };
        self.has_failed = written.is_err();
        written?;
        let is_full = n_frames >= self.frames.rows.layers.end(index);
        self.account.iter_mut().for_each(|account| account.wrote(mask, chunk, is_rewritten, is_full));
        if !is_full {
            self.partial_chunk = Some(index);
        } else if is_rewritten {
            self.partial_chunk = None;
        }
        if is_rewritten {
            self.must_flush = true;
        }
        self.n_stored = n_frames;
        self.stored_bytes += chunk.len() as u64;
        Ok(())
    }

    /// Stores a chunk that is not there yet.
    fn append(&mut self, index: u64, n_frames: u64, mask: u32, chunk: &[u8]) -> Result<()> {
        let session = self.file.library().session();
        self.frames.rows.check_extent(&session)?;
        // Where that fails again, the frames are stored all the same, and the next flush reports it.
        let _ = self.frames.rows.shorten(&session, self.n_stored);
        let grown = self.frames.rows.set_extent(&session, n_frames.max(self.frames.rows.n_rows));
        let written = grown.and_then(|()| self.put(&session, index, mask, chunk));
        let Err(error) = written else {
            self.odd_chunk = self.odd_chunk.filter(|odd| *odd != index);
            return Ok(());
        };
        if !self.frames.rows.forget_last_chunk(&session, index, self.n_stored) {
            self.odd_chunk = Some(index);
        }
        Err(self.frames.rows.too_long(error, self.n_stored))
    }

    /// Stores a chunk that is there with fewer frames, before the dataset grows: to shrink a dataset again within a chunk,
    /// HDF5 decodes the chunk, and fails where the filter's plugin is not installed.
    fn rewrite(&mut self, index: u64, n_frames: u64, mask: u32, chunk: &[u8]) -> Result<()> {
        let session = self.file.library().session();
        self.frames.rows.check_extent(&session)?;
        let written = self.put(&session, index, mask, chunk);
        self.odd_chunk = if written.is_ok() { None } else { Some(index) };
        written?;
        self.frames.rows.set_extent(&session, n_frames)
    }

    fn put(&self, session: &Session<'_>, index: u64, mask: u32, chunk: &[u8]) -> Result<()> {
        if self.odd_chunk == Some(index) && chunk.len() > 1 {
            self.frames.rows.put(session, index, mask, &chunk[..chunk.len() - 1])?;
        }
        self.frames.rows.put(session, index, mask, chunk)
    }

    /// Makes the dataset at least `n_frames` long; those that were never written are the fill value.
    ///
    /// # Errors
    /// [`Error::FrameLimit`], [`Error::Resized`], [`Error::Hdf5`]: it is as long as before.
    pub fn extend(&mut self, n_frames: u64) -> Result<()> {
        if n_frames <= self.n_stored {
            return Ok(());
        }
        if let Some(max) = self.frames.rows.max_rows.filter(|max| n_frames > *max) {
            return Err(Error::FrameLimit { max });
        }
        let session = self.file.library().session();
        self.frames.rows.check_extent(&session)?;
        self.frames.rows.set_extent(&session, n_frames)?;
        self.n_stored = n_frames;
        Ok(())
    }

    /// Lets others read the file while it is written.
    pub(super) fn start_swmr(&self) -> Result<()> {
        h5_optional!(self.library(), H5Fstart_swmr_write(self.file.get())).map(drop).map_err(|error| match error {
            Error::Hdf5 { call, message } => {
                let remedy = "make the file in the format of HDF5 1.10 (File::create_for_swmr; h5py: libver=('v110', 'v110')), \
                              and have no attribute of it open";
                Error::Hdf5 { call, message: format!("{message}: {remedy}") }
            }
            other => other,
        })
    }

    /// Has the system write to the disk what was [flushed](Self::flush), so that a power cut does not lose it either.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the file is not one of the system's, or the table of functions too old to say so;
    /// [`Error::Sync`].
    pub fn sync(&mut self) -> Result<()> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => chunk_map::open_again(self.library(), &self.file)?,
        };
        let synced = opened.sync_all();
        self.opened = Some(opened);
        synced.map_err(|error| Error::Sync { message: error.to_string() })
    }

    /// Whether the file is to be flushed now: by the rule, after the first chunk of a dataset, and after a chunk that was
    /// written again.
    #[must_use]
    pub fn is_flush_due(&self) -> bool {
        let Flush { frames, interval } = self.flush;
        let n_new = self.n_stored - self.n_flushed;
        let is_first = self.n_flushed == 0 && self.flush != Flush::NEVER;
        let is_rule = || {
            frames.is_some_and(|max| n_new >= max)
                || interval.is_some_and(|interval| self.last_flush.elapsed() >= interval)
        };
        self.must_flush || (n_new > 0 && (is_first || is_rule()))
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// [`Error::Hdf5`]. [`Error::TooLong`]: the file is flushed, and shows more frames than are stored.
    pub fn flush(&mut self) -> Result<()> {
        let shortened = self.frames.rows.shorten(&self.file.library().session(), self.n_stored);
        let accounted = self.account.as_mut().map_or(Ok(()), |account| account.store(&self.frames.rows.dataset));
        let flush = || h5!(self.file.library(), H5Fflush(self.file.get(), H5F_SCOPE_LOCAL));
        // The flush after one that failed reports a failure even where it has written everything; the next does not.
        flush().or_else(|error| flush().map_err(|_| error))?;
        self.n_flushed = self.n_stored;
        self.must_flush = false;
        self.last_flush = Instant::now();
        shortened.and(accounted)
    }
}

/// The file that `at` is in, if chunks may be written to it.
pub(super) fn file_to_write(library: &Library, at: Hid) -> Result<Id> {
    let file = Id::new(library, h5!(library, H5Iget_file_id(at))?);
    let mut intent = 0;
    h5!(library, H5Fget_intent(file.get(), &raw mut intent))?;
    if intent & H5F_ACC_RDWR == 0 {
        return Err(Error::ReadOnly);
    }
    if is_parallel(&file) { Err(Error::Parallel) } else { Ok(file) }
}

/// Whether a file is open with MPI-IO: no other knows an atomicity.
fn is_parallel(file: &Id) -> bool {
    let Some(get_mpi_atomicity) = file.library().functions().H5Fget_mpi_atomicity else { return false };
    let mut is_atomic = 0;
    let answer = file.library().call("H5Fget_mpi_atomicity", |_| {
        // SAFETY: `Library::new` was promised HDF5's own function, for whose truth value there is room.
        unsafe { get_mpi_atomicity(file.get(), &raw mut is_atomic) }
    });
    answer.is_ok()
}

fn check_bricks(dataset: &Dataset) -> Result<()> {
    let Some(rows) = dataset.rows_per_chunk else { return Ok(()) };
    let (height, is_drle) = (dataset.height, dataset.compression.filter == Some(Drle::FILTER_ID));
    let refused = |text: String| Err(Error::Unsupported(text));
    if rows == 0 || rows > height {
        refused(format!("{rows} rows a chunk of frames of {height} rows: give 1 to {height}, or none for whole frames"))
    } else if rows < height && is_drle {
        refused("DRLE stores whole frames, chunks of some rows are for other filters: give bitshuffle, or no rows_per_chunk".into())
    } else {
        Ok(())
    }
}

fn check_path(path: &str) -> Result<()> {
    if path.is_empty() {
        let example = "/entry/instrument/detector/data";
        return Err(Error::Unsupported(format!("the path of the dataset is empty: give one, such as {example}")));
    }
    Ok(())
}
