//! The writer: frames in, encoded chunks into an HDF5 dataset, by direct chunk writes.
//!
//! * HDF5 is called on the thread that calls the writer, and on no other.
//! * A frame that [`push`](Writer::push) has taken is stored, or still held and tried again: an error of HDF5
//!   ([`Error::NotStored`]) loses none and says how many are stored. A frame that is refused for itself (wrong size, a
//!   pixel that DRLE cannot hold) changes nothing.
//! * The dataset never says that it has a frame which was not written. The last chunk is padded with zeros; the
//!   dataset's extent is the number of frames.
//! * What a crash leaves: with the default file format and [`Flush`], every frame up to the last flush, in a file that
//!   opens as usual. Without a flush, nothing.

use std::time::Instant;

use super::api::Hid;
use super::dataset::{self, Frames};
use super::library::{Library, h5};
use super::nexus::Layout;
use super::object::{self, Id, Stored};
use super::options::{Dataset, Flush, Processing, Summary};
use super::recording::{self, Account, Done};
use crate::{Error, Result};
use darkchunk::chunk::{self, ChunkEncoder, ChunkShape, Sum};
use darkchunk::cpu::Level;
use darkchunk::frame::{Element, as_bytes_mut};
use darkchunk::kernels::dark::{Correction, FrameCounts};

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
/// let library = library()?; // for instance `darkchunk_hdf5_static::library()`
/// let file = File::create(&library, "run.h5".as_ref())?;
/// let dataset = Dataset::new(1024, 1024, Compression::drle(20));
/// let mut writer = Writer::create(&library, file.id(), &dataset, Processing::default())?;
/// writer.push(&vec![0_i16; 1024 * 1024])?;
/// writer.finish()?;
/// # Ok::<(), darkchunk_hdf5::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<P: FileElement> {
    frames: Frames,
    file: Id,
    /// The group that `path` starts from.
    place: Id,
    path: String,
    nexus: Option<Layout>,
    encoder: ChunkEncoder<P>,
    /// The chunk that `encoder` holds.
    chunk: u64,
    processing: Processing<P>,
    account: Account,
    summary: Summary,
    last_flush: Instant,
    is_finished: bool,
}

impl<P: FileElement> Writer<P> {
    /// Makes a dataset below the file or group `at`, and writes to it.
    ///
    /// # Errors
    /// [`Error::ReadOnly`]; [`Error::NameTaken`]; [`Error::Unsupported`] where something is asked for that the filter or
    /// NeXus does not have; [`Error::Codec`] for an element type that it does not have, for parameters out of range, for a
    /// dark image of another size; [`Error::Hdf5`]. The file has no such dataset then.
    pub fn create(library: &Library, at: Hid, dataset: &Dataset, processing: Processing<P>) -> Result<Self> {
        let file = file_to_write(library, at)?;
        if object::exists(library, at, &dataset.path)? {
            let remedy = "give another name, or attach to it";
            return Err(Error::NameTaken { path: dataset.path.clone(), remedy });
        }
        let nexus = dataset.nexus.then(|| Layout::new(&dataset.path)).transpose()?;
        let Dataset { frames_per_chunk: n_frames, height, width, .. } = *dataset;
        let shape = ChunkShape { n_frames, height, width };
        let element = (P::TYPE, P::datatype(library));
        let frames = dataset::create(library, at, shape, element, &dataset.compression)?;
        let mut writer = Self::over(frames, file, (at, &dataset.path), processing)?;
        if let Some(nexus) = &nexus {
            nexus.create(library, at)?;
        }
        object::link(&writer.frames.dataset, at, &dataset.path)?;
        if let Some(nexus) = &nexus {
            nexus.show(&writer.frames.dataset, at)?;
        }
        writer.nexus = nexus;
        Ok(writer.begun())
    }

    /// Continues a dataset that is there, behind its last frame.
    ///
    /// It must be `(frames, height, width)` of `P`, with chunks of whole frames and at most one filter, one of ours. Its
    /// first chunk is decoded once; a last chunk that is not full is read back and filled up. An earlier recording is
    /// continued with the same dark image and threshold, and its sum and counts where they are of all the frames.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`Error::Unsupported`] or [`Error::Codec`] that says in what the dataset is
    /// different.
    pub fn attach(library: &Library, at: Hid, path: &str, processing: Processing<P>) -> Result<Self> {
        let file = file_to_write(library, at)?;
        let frames = dataset::attach(library, at, path, P::TYPE)?;
        let mut writer = Self::over(frames, file, (at, path), processing)?;
        recording::agree(&writer.frames, at, path, &writer.done())?;
        writer.account.resume(&writer.frames, at, path)?;
        writer.take_up_last_chunk()?;
        Ok(writer.begun())
    }

    fn over(frames: Frames, file: Id, (at, path): (Hid, &str), processing: Processing<P>) -> Result<Self> {
        let filter = frames.codec(P::TYPE)?;
        let mut processing = processing;
        processing.threshold = chunk::threshold(processing.threshold, filter.as_ref())?;
        check(&processing, &frames.shape)?;
        let sum = processing.sum.then(|| Sum::new::<P>(frames.shape.frame_pixels()));
        Ok(Self {
            encoder: ChunkEncoder::new(Level::current(), frames.shape, filter)?.with_threads(processing.threads),
            chunk: frames.n_frames / frames.shape.n_frames as u64,
            account: Account::new(frames.n_frames, sum),
            summary: Summary { n_stored: frames.n_frames, n_flushed: frames.n_frames, ..Summary::default() },
            place: object::open(file.library(), at, ".")?,
            frames,
            file,
            path: path.to_owned(),
            nexus: None,
            processing,
            last_flush: Instant::now(),
            // Until everything is in place: a drop must not store anything.
            is_finished: true,
        })
    }

    fn begun(mut self) -> Self {
        self.is_finished = false;
        self
    }

    /// Reads the frames of a last chunk that is not full back into the encoder.
    fn take_up_last_chunk(&mut self) -> Result<()> {
        let (shape, in_chunk) = (self.frames.shape, self.frames.n_frames % self.frames.shape.n_frames as u64);
        if in_chunk == 0 {
            return Ok(());
        }
        let mut pixels = vec![P::default(); shape.chunk_pixels()];
        self.frames.read_chunk(self.chunk, as_bytes_mut(&mut pixels))?;
        for frame in pixels.chunks_exact(shape.frame_pixels()).take(in_chunk as usize) {
            self.encoder.push(&[frame], &Correction { dark: None, threshold: None }, None)?;
        }
        Ok(())
    }

    /// Takes one frame, row by row.
    ///
    /// # Errors
    /// [`Error::Codec`] for a frame of another size, or with a pixel that DRLE cannot hold: the frame is not taken, all
    /// else is as it was. [`Error::NotStored`]: the frame is held in memory if [`summary`](Self::summary) counts it.
    pub fn push(&mut self, frame: &[P]) -> Result<()> {
        self.push_strips(&[frame])
    }

    /// Takes one frame that lies in several pieces, in their order: rows, strips, or modules one above the other.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_strips(&mut self, strips: &[&[P]]) -> Result<()> {
        self.add(|encoder, correction, sum| encoder.push(strips, correction, sum))
    }

    /// Takes several frames, each in one piece, in their order: as [`push`](Self::push) of each, but faster with DRLE, for
    /// those of a chunk share what is fetched of the sum and, with AVX-512, of the dark image.
    ///
    /// # Errors
    /// As [`push`](Self::push) of the first frame that is not taken; those before it are, and none behind it. With
    /// [`Error::NotStored`] those that fill the chunk may have been taken, and are held. [`summary`](Self::summary) counts
    /// those that are.
    pub fn push_frames(&mut self, frames: &[&[P]]) -> Result<()> {
        let mut rest = frames;
        while !rest.is_empty() {
            self.make_room()?;
            let (frames, behind) = rest.split_at(rest.len().min(self.encoder.n_free()).min(Sum::MOST_FRAMES));
            let taken =
                self.take(frames.len(), |encoder, correction, sum| encoder.push_frames(frames, correction, sum));
            match taken {
                Ok(()) => self.store_if_full()?,
                // One of them is refused: which one, and the error, is found one by one.
                Err(_) => frames.iter().try_for_each(|frame| self.push(frame))?,
            }
            rest = behind;
        }
        Ok(())
    }

    /// Takes one frame, and overwrites it with the pixels that are stored: dark image subtracted, threshold applied.
    ///
    /// # Errors
    /// As [`push`](Self::push). A frame that is refused may be overwritten in part.
    pub fn push_in_place(&mut self, frame: &mut [P]) -> Result<()> {
        self.add(|encoder, correction, sum| encoder.push_in_place(frame, correction, sum))
    }

    fn add(
        &mut self,
        push: impl FnOnce(&mut ChunkEncoder<P>, &Correction<'_, P>, Option<&mut [u32]>) -> darkchunk::Result<FrameCounts>,
    ) -> Result<()> {
        self.make_room()?;
        self.take(1, push)?;
        self.store_if_full()
    }

    /// Hands `n_frames` to the encoder and counts them, where it takes them.
    fn take(
        &mut self,
        n_frames: usize,
        push: impl FnOnce(&mut ChunkEncoder<P>, &Correction<'_, P>, Option<&mut [u32]>) -> darkchunk::Result<FrameCounts>,
    ) -> Result<()> {
        let Processing { dark, threshold, .. } = &self.processing;
        let correction = Correction { dark: dark.as_deref(), threshold: *threshold };
        let sum = self.account.sum.as_mut().map(|sum| sum.partial_mut(n_frames));
        let counts = push(&mut self.encoder, &correction, sum)?;
        if let Some(sum) = &mut self.account.sum {
            sum.added(n_frames);
        }
        self.is_finished = false;
        self.account.counts += counts;
        self.account.n_frames += n_frames as u64;
        self.summary.n_pushed += n_frames as u64;
        Ok(())
    }

    fn make_room(&mut self) -> Result<()> {
        if self.encoder.is_full() { self.store_chunk() } else { Ok(()) }
    }

    fn store_if_full(&mut self) -> Result<()> {
        if self.encoder.is_full() {
            self.store_chunk()?;
            self.flush_if_due()?;
        }
        Ok(())
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
    /// [`Error::NotStored`], [`Error::Hdf5`]; may be called again.
    pub fn finish(&mut self) -> Result<Summary> {
        self.store_chunk()?;
        let done = Done { dark: self.processing.dark.as_deref(), threshold: self.processing.threshold };
        let (at, path) = (self.place.get(), self.path.as_str());
        let stored = self.account.store(&self.frames, at, path, &done, self.nexus.as_ref());
        stored.map_err(|error| self.not_stored(error))?;
        self.flush_file()?;
        self.is_finished = true;
        Ok(self.summary())
    }

    fn done(&self) -> Done<'_, P> {
        Done { dark: self.processing.dark.as_deref(), threshold: self.processing.threshold }
    }

    /// What has been done so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary { counts: self.account.counts, n_counted: self.account.n_frames, ..self.summary }
    }

    /// The sum of all frames so far, as they are stored: `height * width` numbers. `None` where it is not kept.
    pub fn sum(&mut self) -> Option<&[i64]> {
        self.account.sum.as_mut().map(Sum::total)
    }

    /// Pixels of a frame.
    #[must_use]
    pub fn frame_pixels(&self) -> usize {
        self.frames.shape.frame_pixels()
    }

    /// The exact parameters of the dataset's filter; `None` where it has none.
    #[must_use]
    pub fn cd_values(&self) -> Option<(u32, &[u32])> {
        self.frames.filter.as_ref().map(|filter| (filter.id, &filter.values[..]))
    }

    /// Writes the chunk that the encoder holds, full or not.
    fn store_chunk(&mut self) -> Result<()> {
        let in_chunk = self.encoder.n_frames() as u64;
        let n_frames = self.chunk * self.frames.shape.n_frames as u64 + in_chunk;
        if n_frames > self.summary.n_stored {
            let chunk = self.encoder.encode()?;
            let n_bytes = chunk.len() as u64;
            let written = self.frames.write_chunk(self.chunk, n_frames, chunk);
            written.map_err(|error| self.not_stored(error))?;
            self.summary.n_stored = n_frames;
            self.summary.stored_bytes += n_bytes;
        }
        if self.encoder.is_full() {
            self.encoder.clear();
            self.chunk += 1;
        }
        Ok(())
    }

    fn flush_if_due(&mut self) -> Result<()> {
        let Flush { frames, interval } = self.processing.flush;
        let n_new = self.summary.n_stored - self.summary.n_flushed;
        let due = frames.is_some_and(|most| n_new >= most)
            || interval.is_some_and(|interval| self.last_flush.elapsed() >= interval);
        if due { self.flush_file() } else { Ok(()) }
    }

    fn flush_file(&mut self) -> Result<()> {
        let flushed = h5!(self.file.library(), H5Fflush(self.file.get(), 0));
        flushed.map_err(|error| self.not_stored(error))?;
        self.summary.n_flushed = self.summary.n_stored;
        self.last_flush = Instant::now();
        Ok(())
    }

    fn not_stored(&self, error: Error) -> Error {
        let n_stored = self.summary.n_stored;
        let n_held = (self.chunk * self.frames.shape.n_frames as u64 + self.encoder.n_frames() as u64) - n_stored;
        Error::NotStored { source: Box::new(error), n_stored, n_held }
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

fn check<P: FileElement>(processing: &Processing<P>, shape: &ChunkShape) -> Result<()> {
    let Processing { dark, threshold, sum, .. } = processing;
    // The kernels know what they take: an empty frame tells.
    let empty = dark.as_ref().map(|_| &[][..]);
    let mut no_sum = [0_u32; 0];
    let no_sum = sum.then_some(&mut no_sum[..]);
    P::correct(Level::SCALAR, &[], &Correction { dark: empty, threshold: *threshold }, no_sum, &mut [])?;
    let (found, expected) = (dark.as_ref().map(Vec::len), shape.frame_pixels());
    match found {
        Some(found) if found != expected => Err(darkchunk::Error::BufferSize {
            what: "the dark image",
            expected: expected * size_of::<P>(),
            found: found * size_of::<P>(),
        }
        .into()),
        _ => Ok(()),
    }
}
