//! Encoded chunks into an HDF5 dataset: its extent, direct chunk writes, flushes. Nothing here knows pixels.
//!
//! * HDF5 is called on the thread that calls the writer, and on no other.
//! * The dataset never says that it has a frame which was not written: its extent is the number of stored frames.
//! * What a crash leaves: with the default file format and [`Flush`], every frame up to the last flush, in a file that
//!   opens as usual.

use std::time::Instant;

use super::api::Hid;
use super::dataset::{self, Frames};
use super::library::{Library, h5};
use super::nexus::Layout;
use super::object::{self, Id};
use super::options::{Dataset, Flush};
use crate::{Error, Result};
use darkchunk::chunk::{ChunkShape, Filter};
use darkchunk::frame::ElementType;

/// Writes encoded chunks of whole frames to one dataset.
#[derive(Debug)]
pub struct ChunkWriter {
    pub(super) frames: Frames,
    element: ElementType,
    file: Id,
    /// The group that `path` starts from.
    place: Id,
    path: String,
    nexus: Option<Layout>,
    flush: Flush,
    last_flush: Instant,
    n_flushed: u64,
    stored_bytes: u64,
}

impl ChunkWriter {
    /// Makes a dataset below the file or group `at`. It has no name before [`publish`](Self::publish): until then a drop
    /// leaves nothing of it.
    ///
    /// # Errors
    /// As [`Writer::create`](super::Writer::create).
    pub fn create(library: &Library, at: Hid, dataset: &Dataset, element: ElementType) -> Result<Self> {
        let file = file_to_write(library, at)?;
        if object::exists(library, at, &dataset.path)? {
            return Err(Error::NameTaken { path: dataset.path.clone(), remedy: "give another name, or attach to it" });
        }
        let nexus = dataset.nexus.then(|| Layout::new(&dataset.path)).transpose()?;
        let Dataset { frames_per_chunk: n_frames, height, width, .. } = *dataset;
        let shape = ChunkShape { n_frames, height, width };
        let frames = dataset::create(library, at, shape, element, &dataset.compression)?;
        Self::over(frames, element, file, (at, &dataset.path), nexus)
    }

    /// Opens a dataset that is there, to write chunks after its last one.
    ///
    /// # Errors
    /// As [`Writer::attach`](super::Writer::attach).
    pub fn attach(library: &Library, at: Hid, path: &str, element: ElementType) -> Result<Self> {
        let file = file_to_write(library, at)?;
        let frames = dataset::attach(library, at, path, element)?;
        Self::over(frames, element, file, (at, path), None)
    }

    fn over(
        frames: Frames,
        element: ElementType,
        file: Id,
        (at, path): (Hid, &str),
        nexus: Option<Layout>,
    ) -> Result<Self> {
        Ok(Self {
            element,
            place: object::open(file.library(), at, ".")?,
            path: path.to_owned(),
            nexus,
            flush: Flush::default(),
            last_flush: Instant::now(),
            n_flushed: frames.n_frames,
            stored_bytes: 0,
            frames,
            file,
        })
    }

    /// Gives a dataset that was [made](Self::create) its name, and NeXus groups if it was to have them.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn publish(&self) -> Result<()> {
        let (library, at) = (self.file.library(), self.place.get());
        if let Some(nexus) = &self.nexus {
            nexus.create(library, at)?;
        }
        object::link(&self.frames.dataset, at, &self.path)?;
        self.nexus.as_ref().map_or(Ok(()), |nexus| nexus.show(&self.frames.dataset, at))
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
        self.frames.n_frames
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

    /// The file or group that [`path`](Self::path) starts from.
    pub(super) fn place(&self) -> Hid {
        self.place.get()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn nexus(&self) -> Option<&Layout> {
        self.nexus.as_ref()
    }

    /// Stores chunk `index`, after which the dataset has at least `n_frames` frames. Where HDF5 fails, it has as many as
    /// before.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Hdf5`].
    pub fn write(&mut self, index: u64, n_frames: u64, chunk: &[u8]) -> Result<()> {
        self.frames.write_chunk(index, n_frames, chunk)?;
        self.stored_bytes += chunk.len() as u64;
        Ok(())
    }

    /// Whether the rule asks for a flush now.
    #[must_use]
    pub fn is_flush_due(&self) -> bool {
        let Flush { frames, interval } = self.flush;
        let n_new = self.n_stored() - self.n_flushed;
        frames.is_some_and(|max| n_new >= max) || interval.is_some_and(|interval| self.last_flush.elapsed() >= interval)
    }

    /// Flushes the file.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn flush(&mut self) -> Result<()> {
        h5!(self.file.library(), H5Fflush(self.file.get(), 0))?;
        self.n_flushed = self.n_stored();
        self.last_flush = Instant::now();
        Ok(())
    }
}

/// The file that `at` is in, if it may be written to.
fn file_to_write(library: &Library, at: Hid) -> Result<Id> {
    const READ_WRITE: u32 = 1;
    let file = Id::new(library, h5!(library, H5Iget_file_id(at))?);
    let mut intent = 0;
    h5!(library, H5Fget_intent(file.get(), &raw mut intent))?;
    if intent & READ_WRITE == 0 {
        return Err(Error::ReadOnly);
    }
    Ok(file)
}
