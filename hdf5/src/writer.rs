//! The writer: frames in, encoded chunks into an HDF5 dataset, and beside them what was done to the frames.
//!
//! It is a [`FrameEncoder`] and a [`ChunkWriter`].
//!
//! * A frame that [`push`](Writer::push) has taken is stored, or still held and tried again. An error of HDF5 says which:
//!   [`Error::NotStored`], the frame was taken; [`Error::NotTaken`], it was not, and is to be pushed again. A frame that is
//!   refused for itself (wrong size, a pixel that DRLE cannot hold) changes nothing.
//! * The dataset never says that it has a frame which was not written. The last chunk is padded with zeros; the
//!   dataset's extent is the number of frames.
//! * What a crash leaves: see [`ChunkWriter`].

use std::ops::Range;

use super::api::Hid;
use super::chunk_writer::ChunkWriter;
use super::library::Library;
use super::object::Stored;
use super::options::{Dataset, Flush, Summary};
use super::recording::{self, Recording};
use crate::{Error, Result};
use darkchunk::chunk::{FrameElement, FrameEncoder, Processing};
use darkchunk::element::as_bytes_mut;

/// A number that frames in a file can be made of: 8, 16 or 32 bits, signed or not.
#[expect(private_bounds, reason = "sealed, as `Element` is")]
pub trait FileElement: FrameElement + Stored {}

impl<P: FrameElement + Stored> FileElement for P {}

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
    recording: Recording,
    /// The chunk that `encoder` holds.
    chunk: u64,
    n_pushed: u64,
    is_finished: bool,
}

impl<P: FileElement> Writer<P> {
    /// Makes a dataset below the file or group `at`, and writes to it. The file is flushed, so that a crash leaves one that
    /// opens.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Parallel`], [`Error::NameTaken`]; [`Error::Unsupported`] or [`Error::Codec`] for
    /// something that the element type, the filter or NeXus does not have, for filter parameters out of range and a dark
    /// image of another size: the file has no such dataset then. [`Error::Hdf5`]: it may have it, without frames, and then
    /// can be [attached](Self::attach) to.
    pub fn create(library: &Library, at: Hid, dataset: &Dataset, processing: Processing<P>) -> Result<Self> {
        if dataset.layers().n_bricks() > 1 {
            let text =
                "a writer stores whole frames: record chunks of some rows with a recorder, or give no rows_per_chunk";
            return Err(Error::Unsupported(text.to_owned()));
        }
        let chunks = ChunkWriter::create(library, at, dataset, P::TYPE)?;
        let encoder = FrameEncoder::new(*chunks.shape(), chunks.filter()?, processing)?;
        recording::check_no_group(&chunks)?;
        chunks.publish()?;
        Self::begin(encoder, chunks)
    }

    /// Continues a dataset that is there, after its last frame.
    ///
    /// It must be `(frames, height, width)` of `P`, with chunks of whole frames and at most one filter, one of ours. Its
    /// first chunk is decoded once; a last chunk that is not full is read back and filled up. An earlier recording is
    /// continued with the same dark image and threshold, and its sum and counts where they are of the last frames.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`Error::InUse`]; and [`Error::Unsupported`] or [`Error::Codec`] that says in what the
    /// dataset is different.
    pub fn attach(library: &Library, at: Hid, path: &str, processing: Processing<P>) -> Result<Self> {
        let mut chunks = ChunkWriter::attach(library, at, path, P::TYPE)?;
        let mut encoder = FrameEncoder::new(*chunks.shape(), chunks.filter()?, processing)?;
        recording::check_same_processing(&encoder, &chunks)?;
        recording::resume(encoder.totals_mut(), &chunks)?;
        take_back_last_chunk(&mut encoder, &mut chunks)?;
        Self::begin(encoder, chunks)
    }

    fn begin(encoder: FrameEncoder<P>, mut chunks: ChunkWriter) -> Result<Self> {
        let recording = Recording::begin(&encoder, &chunks)?;
        chunks.flush()?;
        let chunk = chunks.n_stored() / chunks.shape().n_frames as u64;
        Ok(Self { encoder, chunks, recording, chunk, n_pushed: 0, is_finished: false })
    }

    /// The same with another rule when the file is flushed.
    #[must_use]
    pub fn with_flush(mut self, flush: Flush) -> Self {
        self.chunks.set_flush(flush);
        self
    }

    /// Takes one frame, row by row.
    ///
    /// # Errors
    /// [`Error::Codec`] for a frame of another size or with a pixel that DRLE cannot hold: the frame is not taken, all else
    /// is as it was. [`Error::FrameLimit`]: the same, because the dataset may not have one more. [`Error::NotTaken`]: the same,
    /// because of a chunk before it; the frame is to be pushed again.
    /// [`Error::NotStored`]: the frame was taken, and is not to be pushed again.
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
        self.store_if_full().map_err(|error| self.not_taken(error, 0))?;
        self.n_allowed()?;
        push(&mut self.encoder)?;
        self.taken(1);
        self.store_if_full().map_err(|error| self.not_stored(error))
    }

    /// Takes several frames, each in one piece, in their order: as [`push`](Self::push) of each, but faster with DRLE, for
    /// those of a chunk share what is loaded of the sum and, with AVX-512, of the dark image.
    ///
    /// # Errors
    /// As [`push`](Self::push) of the first frame that is not taken; those before it are, and none after it.
    /// [`Error::NotTaken`] says how many, [`summary`](Self::summary) counts them in every case. [`Error::NotStored`]: all
    /// were taken.
    pub fn push_frames(&mut self, frames: &[&[P]]) -> Result<()> {
        self.add_several(frames.len(), |encoder, range| encoder.push_frames(&frames[range]))
    }

    /// Takes several frames, each in one piece, in their order, and overwrites each with the pixels that are stored: as
    /// [`push_in_place`](Self::push_in_place) of each.
    ///
    /// # Errors
    /// As [`push_frames`](Self::push_frames). A frame that is refused may be overwritten in part; those that were not taken are as they were.
    pub fn push_frames_in_place(&mut self, frames: &mut [&mut [P]]) -> Result<()> {
        self.add_several(frames.len(), |encoder, range| encoder.push_frames_in_place(&mut frames[range]))
    }

    /// Has frames pushed chunk by chunk.
    fn add_several(
        &mut self,
        n_frames: usize,
        mut push: impl FnMut(&mut FrameEncoder<P>, Range<usize>) -> darkchunk::Result<()>,
    ) -> Result<()> {
        let mut n_taken = 0;
        while n_taken < n_frames {
            self.store_if_full().map_err(|error| self.not_taken(error, n_taken))?;
            let n_before = self.encoder.n_frames();
            let n_at_once = (n_frames - n_taken).min(self.encoder.n_free()).min(self.n_allowed()?);
            let pushed = push(&mut self.encoder, n_taken..n_taken + n_at_once);
            let n_now = self.encoder.n_frames() - n_before;
            self.taken(n_now);
            n_taken += n_now;
            pushed?;
            let stored = self.store_if_full();
            stored.map_err(|error| match n_taken {
                all if all == n_frames => self.not_stored(error),
                some => self.not_taken(error, some),
            })?;
        }
        Ok(())
    }

    /// How many more frames the dataset may have, at least one.
    fn n_allowed(&self) -> Result<usize> {
        let Some(most) = self.chunks.max_frames() else { return Ok(usize::MAX) };
        match most.saturating_sub(self.n_taken()) {
            0 => Err(Error::FrameLimit { max: most }),
            n_allowed => Ok(usize::try_from(n_allowed).unwrap_or(usize::MAX)),
        }
    }

    fn taken(&mut self, n_frames: usize) {
        self.n_pushed += n_frames as u64;
        self.is_finished &= n_frames == 0;
    }

    fn store_if_full(&mut self) -> Result<()> {
        if !self.encoder.is_full() {
            return Ok(());
        }
        self.store_chunk()?;
        if !self.chunks.is_flush_due() {
            return Ok(());
        }
        self.recording.store_counts_if_due(self.encoder.totals(), &self.chunks)?;
        self.chunks.flush()
    }

    /// Writes the chunk that the encoder holds, full or not.
    fn store_chunk(&mut self) -> Result<()> {
        let n_frames = self.n_taken();
        if n_frames > self.chunks.n_stored() {
            self.chunks.write(self.chunk, n_frames, self.encoder.encode()?)?;
        }
        if self.encoder.is_full() {
            self.encoder.clear();
            self.chunk += 1;
        }
        Ok(())
    }

    fn flush_file(&mut self) -> Result<()> {
        self.recording.store_counts(self.encoder.totals(), &self.chunks)?;
        self.chunks.flush()
    }

    /// Stores every frame that was taken, also in a chunk that is not full yet, and the counts, and flushes the file.
    ///
    /// # Errors
    /// [`Error::NotStored`]; may be called again.
    pub fn flush(&mut self) -> Result<()> {
        self.store_chunk().and_then(|()| self.flush_file()).map_err(|error| self.not_stored(error))
    }

    /// Stores every frame, and beside them the sum and what was zeroed; then flushes the file. More frames may follow, and
    /// another `finish`.
    ///
    /// # Errors
    /// [`Error::NotStored`]; may be called again.
    pub fn finish(&mut self) -> Result<Summary> {
        let stored = self.store_chunk().and_then(|()| self.recording.store_sum(&mut self.encoder, &self.chunks));
        stored.and_then(|()| self.flush_file()).map_err(|error| self.not_stored(error))?;
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

    fn not_taken(&self, error: Error, n_taken: usize) -> Error {
        let n_stored = self.chunks.n_stored();
        Error::NotTaken { source: Box::new(error), n_taken, n_stored, n_held: self.n_taken() - n_stored }
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

/// Reads the frames of a last chunk that is not full back into the encoder.
fn take_back_last_chunk<P: FileElement>(encoder: &mut FrameEncoder<P>, chunks: &mut ChunkWriter) -> Result<()> {
    let shape = *chunks.shape();
    let in_chunk = chunks.n_stored() % shape.n_frames as u64;
    if in_chunk == 0 {
        return Ok(());
    }
    let mut pixels = vec![P::default(); shape.chunk_pixels()];
    chunks.read_partial_chunk(as_bytes_mut(&mut pixels))?;
    let mut frames = pixels.chunks_exact(shape.frame_pixels()).take(in_chunk as usize);
    Ok(frames.try_for_each(|frame| encoder.take_back(frame))?)
}
