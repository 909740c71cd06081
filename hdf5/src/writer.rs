//! The writer: frames in, encoded chunks into an HDF5 dataset, and beside them what was done to the frames.
//!
//! It is a [`FrameEncoder`] and a [`ChunkWriter`].
//!
//! * A frame that [`push`](Writer::push) has taken is stored, or still held and tried again: an error of HDF5
//!   ([`Error::NotStored`]) loses none and says how many are stored. A frame that is refused for itself (wrong size, a
//!   pixel that DRLE cannot hold) changes nothing.
//! * The dataset never says that it has a frame which was not written. The last chunk is padded with zeros; the
//!   dataset's extent is the number of frames.
//! * What a crash leaves: see [`ChunkWriter`].

use super::api::Hid;
use super::chunk_writer::ChunkWriter;
use super::library::Library;
use super::object::Stored;
use super::options::{Dataset, Flush, Summary};
use super::recording;
use crate::{Error, Result};
use darkchunk::chunk::{FrameEncoder, Processing};
use darkchunk::frame::{Element, as_bytes_mut};

/// A number that frames in a file can be made of: 8, 16 or 32 bits, signed or not.
#[expect(private_bounds, reason = "sealed, as `Element` is")]
pub trait FileElement: Element + Stored {}

impl<P: Element + Stored> FileElement for P {}

/// Writes frames to one dataset.
///
/// ```no_run
/// # fn library() -> darkchunk_hdf5::Result<darkchunk_hdf5::Library> { unimplemented!() }
/// use darkchunk::chunk::Compression;
/// use darkchunk_hdf5::{Dataset, File, Processing, Writer};
///
/// let library = library()?; // for instance `darkchunk_hdf5::load::library()`
/// let file = File::create(&library, "run.h5".as_ref())?;
/// let dataset = Dataset::new(1024, 1024, Compression::drle(20));
/// let mut writer = Writer::create(&library, file.id(), &dataset, Processing::default())?;
/// writer.push(&vec![0_i16; 1024 * 1024])?;
/// writer.finish()?;
/// # Ok::<(), darkchunk_hdf5::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<P: FileElement> {
    encoder: FrameEncoder<P>,
    chunks: ChunkWriter,
    /// The chunk that `encoder` holds.
    chunk: u64,
    n_pushed: u64,
    is_finished: bool,
}

impl<P: FileElement> Writer<P> {
    /// Makes a dataset below the file or group `at`, and writes to it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::NameTaken`]; [`Error::Unsupported`] or [`Error::Codec`] for something that the element
    /// type, the filter or NeXus does not have, for filter parameters out of range and a dark image of another size;
    /// [`Error::Hdf5`]. The file has no such dataset then.
    pub fn create(library: &Library, at: Hid, dataset: &Dataset, processing: Processing<P>) -> Result<Self> {
        let chunks = ChunkWriter::create(library, at, dataset, P::TYPE)?;
        let mut writer = Self::over(chunks, processing)?;
        writer.chunks.publish()?;
        writer.is_finished = false;
        Ok(writer)
    }

    /// Continues a dataset that is there, after its last frame.
    ///
    /// It must be `(frames, height, width)` of `P`, with chunks of whole frames and at most one filter, one of ours. Its
    /// first chunk is decoded once; a last chunk that is not full is read back and filled up. An earlier recording is
    /// continued with the same dark image and threshold, and its sum and counts where they are of all the frames.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`Error::Unsupported`] or [`Error::Codec`] that says in what the dataset is
    /// different.
    pub fn attach(library: &Library, at: Hid, path: &str, processing: Processing<P>) -> Result<Self> {
        let chunks = ChunkWriter::attach(library, at, path, P::TYPE)?;
        let mut writer = Self::over(chunks, processing)?;
        recording::agree(&writer.encoder, &writer.chunks)?;
        recording::resume(writer.encoder.totals_mut(), &writer.chunks)?;
        writer.take_back_last_chunk()?;
        writer.is_finished = false;
        Ok(writer)
    }

    fn over(chunks: ChunkWriter, processing: Processing<P>) -> Result<Self> {
        Ok(Self {
            encoder: FrameEncoder::new(*chunks.shape(), chunks.filter()?, processing)?,
            chunk: chunks.n_stored() / chunks.shape().n_frames as u64,
            chunks,
            n_pushed: 0,
            // Until everything is in place: a drop must not store anything.
            is_finished: true,
        })
    }

    /// The same with another rule when the file is flushed.
    #[must_use]
    pub fn with_flush(mut self, flush: Flush) -> Self {
        self.chunks.set_flush(flush);
        self
    }

    /// Reads the frames of a last chunk that is not full back into the encoder.
    fn take_back_last_chunk(&mut self) -> Result<()> {
        let shape = *self.chunks.shape();
        let in_chunk = self.chunks.n_stored() % shape.n_frames as u64;
        if in_chunk == 0 {
            return Ok(());
        }
        let mut pixels = vec![P::default(); shape.chunk_pixels()];
        self.chunks.frames.read_chunk(self.chunk, as_bytes_mut(&mut pixels))?;
        let mut frames = pixels.chunks_exact(shape.frame_pixels()).take(in_chunk as usize);
        Ok(frames.try_for_each(|frame| self.encoder.take_back(frame))?)
    }

    /// Takes one frame, row by row.
    ///
    /// # Errors
    /// [`Error::Codec`] for a frame of another size or with a pixel that DRLE cannot hold: the frame is not taken, all else
    /// is as it was. [`Error::NotStored`]: the frame is held in memory if [`summary`](Self::summary) counts it.
    pub fn push(&mut self, frame: &[P]) -> Result<()> {
        self.push_strips(&[frame])
    }

    /// Takes one frame that lies in several pieces, in their order: rows, strips, or modules one above the other.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_strips(&mut self, strips: &[&[P]]) -> Result<()> {
        self.add(|encoder| encoder.push_strips(strips))
    }

    /// Takes one frame, and overwrites it with the pixels that are stored: dark image subtracted, threshold applied.
    ///
    /// # Errors
    /// As [`push`](Self::push). A frame that is refused may be overwritten in part.
    pub fn push_in_place(&mut self, frame: &mut [P]) -> Result<()> {
        self.add(|encoder| encoder.push_in_place(frame))
    }

    fn add(&mut self, push: impl FnOnce(&mut FrameEncoder<P>) -> darkchunk::Result<()>) -> Result<()> {
        self.make_room()?;
        push(&mut self.encoder)?;
        self.taken(1);
        self.store_if_full()
    }

    /// Takes several frames, each in one piece, in their order: as [`push`](Self::push) of each, but faster with DRLE, for
    /// those of a chunk share what is loaded of the sum and, with AVX-512, of the dark image.
    ///
    /// # Errors
    /// As [`push`](Self::push) of the first frame that is not taken; those before it are, and none after it. With
    /// [`Error::NotStored`] those that fill the chunk may have been taken, and are held. [`summary`](Self::summary) counts
    /// those that are.
    pub fn push_frames(&mut self, frames: &[&[P]]) -> Result<()> {
        let mut rest = frames;
        while !rest.is_empty() {
            self.make_room()?;
            let (frames, after) = rest.split_at(rest.len().min(self.encoder.n_free()));
            let n_before = self.encoder.n_frames();
            let pushed = self.encoder.push_frames(frames);
            self.taken(self.encoder.n_frames() - n_before);
            pushed?;
            self.store_if_full()?;
            rest = after;
        }
        Ok(())
    }

    fn taken(&mut self, n_frames: usize) {
        self.n_pushed += n_frames as u64;
        self.is_finished &= n_frames == 0;
    }

    fn make_room(&mut self) -> Result<()> {
        if self.encoder.is_full() { self.store_chunk() } else { Ok(()) }
    }

    fn store_if_full(&mut self) -> Result<()> {
        if !self.encoder.is_full() {
            return Ok(());
        }
        self.store_chunk()?;
        if self.chunks.is_flush_due() { self.flush_file() } else { Ok(()) }
    }

    /// Writes the chunk that the encoder holds, full or not.
    fn store_chunk(&mut self) -> Result<()> {
        let n_frames = self.n_taken();
        if n_frames > self.chunks.n_stored() {
            let written = self
                .encoder
                .encode()
                .map_err(Error::from)
                .and_then(|chunk| self.chunks.write(self.chunk, n_frames, chunk));
            written.map_err(|error| self.not_stored(error))?;
        }
        if self.encoder.is_full() {
            self.encoder.clear();
            self.chunk += 1;
        }
        Ok(())
    }

    fn flush_file(&mut self) -> Result<()> {
        self.chunks.flush().map_err(|error| self.not_stored(error))
    }

    /// Stores every frame that was taken, also in a chunk that is not full yet, and flushes the file.
    ///
    /// # Errors
    /// [`Error::NotStored`]; may be called again.
    pub fn flush(&mut self) -> Result<()> {
        self.store_chunk()?;
        self.flush_file()
    }

    /// Stores every frame, and beside them the sum, the dark image, the threshold, what was zeroed, and with what;
    /// then flushes the file. More frames may follow, and another `finish`.
    ///
    /// # Errors
    /// [`Error::NotStored`]; may be called again.
    pub fn finish(&mut self) -> Result<Summary> {
        self.store_chunk()?;
        let stored = recording::store(&mut self.encoder, &self.chunks);
        stored.map_err(|error| self.not_stored(error))?;
        self.flush_file()?;
        self.is_finished = true;
        Ok(self.summary())
    }

    /// What has been done so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let totals = self.encoder.totals();
        Summary {
            n_pushed: self.n_pushed,
            n_stored: self.chunks.n_stored(),
            n_flushed: self.chunks.n_flushed(),
            stored_bytes: self.chunks.stored_bytes(),
            counts: totals.counts,
            n_counted: totals.n_frames,
        }
    }

    /// The sum of all frames so far, as they are stored: `height * width` numbers. `None` where it is not kept.
    pub fn sum(&mut self) -> Option<&[i64]> {
        self.encoder.sum()
    }

    /// Pixels of a frame.
    #[must_use]
    pub fn frame_pixels(&self) -> usize {
        self.chunks.shape().frame_pixels()
    }

    /// The exact parameters of the dataset's filter; `None` where it has none.
    #[must_use]
    pub fn cd_values(&self) -> Option<(u32, &[u32])> {
        self.chunks.cd_values()
    }

    /// Frames in the dataset and in the encoder.
    fn n_taken(&self) -> u64 {
        self.chunk * self.chunks.shape().n_frames as u64 + self.encoder.n_frames() as u64
    }

    fn not_stored(&self, error: Error) -> Error {
        let n_stored = self.chunks.n_stored();
        Error::NotStored { source: Box::new(error), n_stored, n_held: self.n_taken() - n_stored }
    }
}

impl<P: FileElement> Drop for Writer<P> {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nobody is left to hear of a failure; `finish` is there for those who want to.
            let _ = self.finish();
        }
    }
}
