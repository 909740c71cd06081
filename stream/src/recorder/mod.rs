//! The recorder: frames by their number into one dataset, encoded by several threads, in bounded memory, and none lost
//! without a count.
//!
//! ```text
//!  push ──▶ order ──▶ queue ──▶ workers: dark image, threshold, sum, encoding ──▶ queue ──▶ sink: HDF5
//!            │                     └▶ the frame's memory is released
//!            └▶ duplicate, late, out of range, no memory: counted
//! ```
//!
//! * The index of a frame in the dataset is its number, less the first. Numbers that never come stay the fill value.
//! * Beside the dataset are its metadata, [`Columns`], with the column `frame_status` that says what became of each frame.
//! * A chunk is written to its place when it is encoded: in the order of completion.
//! * HDF5 is called by the thread that pushes, in [`push`](Recorder::push), [`poll`](Recorder::poll), [`flush`](Recorder::flush) and
//!   [`finish`](Recorder::finish); or, where HDF5 is handed over ([`Options::writer_thread`]), by one thread of the recorder.
//! * A frame that was taken is stored, or held and tried again, or counted as one that cannot be encoded. What HDF5 refuses is reported by
//!   the next call: [`NotPushed`].
//! * What a killed process leaves: the frames up to the last flush (`n_flushed` in [`Statistics`]), in a file that opens as usual; what
//!   else there is to know is in [`ChunkWriter`]. With the [journal](crate::journal), which is on unless told otherwise, every frame whose
//!   chunk was written, in a file that [`restore`](crate::journal::restore) makes. With several frames a chunk, those of a chunk that waits for others are in memory only. A
//!   power cut can also take what was flushed, but not what [`flush`](Recorder::flush) with `sync` has written.
//! * After a `fork` the recorder can be used in the parent only; the child is told so, and its copy does nothing.

mod buffer;
mod encoded;
mod noted;
mod numbers;
mod options;
mod order;
mod pixels;
mod sink;
mod statistics;
mod threads;
mod veto;
mod work;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use darkchunk::chunk::{FrameEncoder, Processing};
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{ChunkWriter, Columns, Dataset, FileElement, Library, Recording};

use crate::{Error, Result};
use buffer::{Held, Pool};
use encoded::Checks;
use noted::Noted;
use order::{Offer, Order};
use sink::{Shared, Sink};
use threads::Threads;
use veto::Meter;
use work::{Plan, Worker};

pub use buffer::Buffer;
pub use encoded::Encoded;
pub use options::{MAX_GAP, Options, Policy};
pub use pixels::PixelFormat;
pub use statistics::Statistics;
pub use veto::{Candidate, Measures, Veto};

/// What became of a frame that was pushed. All of it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It is stored, or will be.
    Taken,
    /// There was no memory for it ([`Policy::Drop`]).
    Dropped,
    /// A frame of this number has come already.
    Duplicate,
    /// Its chunk is closed.
    Late,
    /// Its number is before the first, or too far after the newest.
    OutOfRange,
}

/// Why a push failed, with the frame where it was not taken and is to be pushed again.
pub struct NotPushed<B> {
    /// `None` where it was taken: HDF5 did not take a chunk before it, and all is held.
    pub frame: Option<B>,
    /// What was wrong.
    pub error: Error,
}

impl<B> fmt::Debug for NotPushed<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_taken = self.frame.is_none();
        f.debug_struct("NotPushed").field("is_taken", &is_taken).field("error", &self.error).finish()
    }
}

impl<B> From<NotPushed<B>> for Error {
    fn from(refused: NotPushed<B>) -> Self {
        refused.error
    }
}

/// Records frames to one dataset.
///
/// ```no_run
/// # fn library() -> darkchunk_hdf5::Result<darkchunk_hdf5::Library> { unimplemented!() }
/// use darkchunk::chunk::{Compression, Processing};
/// use darkchunk_hdf5::{Dataset, File};
/// use darkchunk_stream::recorder::{Options, Recorder};
///
/// let library = library()?; // for instance `darkchunk_hdf5::load::library()`
/// let file = File::create(&library, "run.h5".as_ref())?;
/// let dataset = Dataset::new(1024, 1024, Compression::drle(20));
/// let mut recorder = Recorder::<i16>::create(&library, file.id(), &dataset, Processing::default(), Options::default())?;
/// for number in [0, 1, 3, 2] {
///     recorder.push(number, vec![0_i16; 1024 * 1024])?;
/// }
/// let statistics = recorder.finish()?;
/// assert_eq!((statistics.n_stored, statistics.n_missing), (4, 0));
/// # Ok::<(), darkchunk_stream::Error>(())
/// ```
#[derive(Debug)]
pub struct Recorder<P: FileElement + Into<i64>, B: Buffer = Vec<P>> {
    /// `None` only while it is dropped.
    inner: Option<Box<Inner<P, B>>>,
    monitor: Monitor<B>,
}

#[derive(Debug)]
struct Inner<P, B> {
    shared: Arc<Shared<Held<B>>>,
    threads: Threads<P, Held<B>>,
    pool: Pool,
    frame_bytes: usize,
    row_bytes: usize,
    journal: Option<PathBuf>,
    checks: Arc<Checks>,
    policy: Policy,
    /// No frame can be pushed any more.
    is_ended: bool,
    /// All is stored.
    is_finished: bool,
}

impl<P: FileElement + Into<i64>, B: Buffer> Recorder<P, B> {
    /// Makes a dataset below the file or group `at`, and records to it. The file is flushed, so that a crash leaves one that opens.
    ///
    /// # Errors
    /// As [`Writer::create`](darkchunk_hdf5::Writer::create); [`Error::Argument`] for options that do not fit the frames, and where the
    /// system starts no thread; [`Error::Journal`] where the journal of a recording that did not finish is beside the file.
    pub fn create(
        library: &Library,
        at: Hid,
        dataset: &Dataset,
        processing: impl Into<Arc<Processing<P>>>,
        options: Options<P>,
    ) -> Result<Self> {
        Columns::check(&options.columns)?;
        let mut chunks = ChunkWriter::create(library, at, dataset, P::TYPE)?;
        if options.journal {
            Noted::check(&chunks)?;
        }
        let (shape, filter, processing) = (*chunks.shape(), chunks.filter()?, processing.into());
        let rules = options.rules(&shape, P::TYPE)?;
        let encoder = || {
            let made = FrameEncoder::new(shape, filter.clone(), Arc::clone(&processing));
            made.map_err(darkchunk_hdf5::Error::from)
        };
        let own = encoder()?;
        let others = (0..options.n_workers).map(|_| encoder()).collect::<darkchunk_hdf5::Result<Vec<_>>>()?;
        let recording = Recording::publish(&own, &mut chunks)?;
        let group = format!("{}_darkchunk", dataset.path);
        let columns = Columns::create(library, at, &group, &options.columns)?;
        chunks.flush()?;
        let journal = if options.journal { Noted::open(&chunks, dataset, P::TYPE, &options.columns)? } else { None };
        let journal_path = journal.as_ref().map(|journal| journal.path().to_owned());
        let row_bytes = columns.row_bytes();
        let meter = Arc::new(Meter::new(&own, filter.as_ref()));
        let first_number = options.first_number;
        let checks = Arc::new(Checks::new(&shape, filter, &processing, &options));
        let (chunks_pool, own_checks) = (Pool::default(), Arc::clone(&checks));
        let plan = Plan {
            format: options.format,
            veto: options.veto,
            meter,
            first_number,
            chunks: chunks_pool,
            checks: own_checks,
        };
        let worker = |encoder| Worker::new(encoder, plan.clone());
        let shared = Arc::new(Shared::new(Order::new(rules)));
        let sink = Sink::new(chunks, columns, recording, journal, options.flush);
        let (own, others) = (worker(own), others.into_iter().map(worker).collect());
        let threads = Threads::start(Arc::clone(&shared), own, others, sink, options.writer_thread)
            .map_err(|error| Error::Argument(format!("the system starts no thread that writes: {error}")))?;
        let frame_bytes = options.format.frame_bytes(shape.frame_pixels(), P::TYPE);
        let (pool, policy) = (Pool::default(), options.policy);
        let monitor = Monitor { shared: Arc::clone(&shared), process: std::process::id() };
        let inner = Inner {
            shared,
            threads,
            pool,
            frame_bytes,
            row_bytes,
            journal: journal_path,
            checks,
            policy,
            is_ended: false,
            is_finished: false,
        };
        Ok(Self { inner: Some(Box::new(inner)), monitor })
    }

    /// Takes a frame, whose memory is released once it is encoded, and at once where it is not taken.
    ///
    /// # Errors
    /// The frame is handed back, and is to be pushed again, where it was not taken: [`Error::Hdf5`] with
    /// [`NotTaken`](darkchunk_hdf5::Error::NotTaken), HDF5 takes no chunks and the memory is full. Or it is of another size, or the
    /// recording is [finished](Error::Finished). [`Error::Hdf5`] with [`NotStored`](darkchunk_hdf5::Error::NotStored): it was taken; go on.
    pub fn push(&mut self, number: u64, frame: B) -> std::result::Result<Pushed, NotPushed<B>> {
        self.push_with(number, frame, &[])
    }

    /// The same with a frame's metadata: the bytes of its number in each column, one after the other, as this machine has them; or
    /// none. A frame that is vetoed, dropped or refused keeps its metadata, one that is late or a duplicate has none.
    ///
    /// # Errors
    /// As [`push`](Self::push); [`Error::Argument`] for a row of another size.
    pub fn push_with(&mut self, number: u64, frame: B, row: &[u8]) -> std::result::Result<Pushed, NotPushed<B>> {
        let inner = match self.inner() {
            Ok(inner) => inner,
            Err(error) => return Err(NotPushed { frame: Some(frame), error }),
        };
        let n_bytes = buffer::n_bytes(&frame);
        match inner.check_size(n_bytes).and_then(|()| inner.admit(number, n_bytes, row)) {
            Ok(Admitted::Yes(index)) => {
                inner.take(index, n_bytes, Held::Given(frame), row);
                inner.news().map(|()| Pushed::Taken).map_err(|error| NotPushed { frame: None, error })
            }
            Ok(Admitted::No(pushed)) => Ok(pushed),
            Err(error) => Err(NotPushed { frame: Some(frame), error }),
        }
    }

    /// Takes a copy of a frame, given in one or several pieces, with its metadata or none.
    ///
    /// # Errors
    /// As [`push_with`](Self::push_with).
    pub fn push_copy(&mut self, number: u64, pieces: &[&[u8]], row: &[u8]) -> Result<Pushed> {
        let inner = self.inner()?;
        let n_bytes = pieces.iter().map(|piece| piece.len()).sum();
        inner.check_size(n_bytes)?;
        match inner.admit(number, n_bytes, row)? {
            Admitted::Yes(index) => {
                let mut copy = inner.pool.take();
                pieces.iter().for_each(|piece| copy.bytes.extend_from_slice(piece));
                inner.take(index, n_bytes, Held::Copied(copy), row);
                inner.news().map(|()| Pushed::Taken)
            }
            Admitted::No(pushed) => Ok(pushed),
        }
    }

    /// For times in which no frames come: stores what is encoded, and flushes the file if it is time to.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub fn poll(&mut self) -> Result<()> {
        let inner = self.inner()?;
        inner.threads.dispatch();
        inner.threads.store();
        inner.news()
    }

    /// Waits until all chunks that are full or closed are stored, and flushes the file; with `sync` the system writes it to the disk.
    ///
    /// # Errors
    /// [`Error::Hdf5`] with [`NotStored`](darkchunk_hdf5::Error::NotStored): all is held, and tried again by the next call.
    pub fn flush(&mut self, sync: bool) -> Result<()> {
        let inner = self.inner()?;
        inner.threads.encode_all();
        inner.threads.flush(sync).map_err(|error| inner.not_stored(error))
    }

    /// Stores every frame, also of chunks in which some are missing, the counts and the sum; then flushes the file. No frame can be
    /// pushed afterwards.
    ///
    /// # Errors
    /// [`Error::Hdf5`] with [`NotStored`](darkchunk_hdf5::Error::NotStored): make room, and call it again.
    pub fn finish(&mut self) -> Result<Statistics> {
        let inner = self.own()?;
        inner.is_ended = true;
        while inner.shared.lock().order.close_oldest() {}
        inner.threads.finish().map_err(|error| inner.not_stored(error))?;
        inner.is_finished = true;
        Ok(inner.statistics())
    }

    /// Bytes of a frame as it is pushed.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.frame_bytes)
    }

    /// Bytes of a frame's metadata.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.row_bytes)
    }

    /// The journal beside the file; `None` where there is none.
    #[must_use]
    pub fn journal(&self) -> Option<&Path> {
        self.inner.as_ref()?.journal.as_deref()
    }

    /// What has been done so far.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn statistics(&self) -> Result<Statistics> {
        self.monitor.statistics()
    }

    /// Why the last frame that was refused was; `None` where none was.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn fault(&self) -> Result<Option<String>> {
        self.monitor.fault()
    }

    /// What tells of the recorder's work, on any thread.
    #[must_use]
    pub fn monitor(&self) -> Monitor<B> {
        self.monitor.clone()
    }

    fn own(&mut self) -> Result<&mut Inner<P, B>> {
        self.monitor.check()?;
        self.inner.as_deref_mut().ok_or(Error::Finished)
    }

    fn inner(&mut self) -> Result<&mut Inner<P, B>> {
        let inner = self.own()?;
        if inner.is_ended { Err(Error::Finished) } else { Ok(inner) }
    }
}

impl<P: FileElement + Into<i64>, B: Buffer> Drop for Recorder<P, B> {
    fn drop(&mut self) {
        if self.monitor.check().is_err() {
            // Of its threads there is nothing here but the handles, and the file is the parent's.
            return std::mem::forget(self.inner.take());
        }
        if self.inner.as_ref().is_some_and(|inner| !inner.is_finished) {
            // Nobody is left to hear of a failure; `finish` is there for those who want to.
            let _ = self.finish();
        }
    }
}

enum Admitted {
    Yes(u64),
    No(Pushed),
}

impl<P: FileElement + Into<i64>, B: Buffer> Inner<P, B> {
    /// Refuses a frame of another size.
    fn check_size(&self, found: usize) -> Result<()> {
        let expected = self.frame_bytes;
        let size = darkchunk::Error::BufferSize { what: "the frame", expected, found };
        if found == expected { Ok(()) } else { Err(darkchunk_hdf5::Error::from(size).into()) }
    }

    /// Says what is to be done with a frame, and makes room for one that is to be taken.
    fn admit(&mut self, number: u64, n_bytes: usize, row: &[u8]) -> Result<Admitted> {
        if !row.is_empty() && row.len() != self.row_bytes {
            return Err(Error::Argument(format!(
                "the metadata of a frame has {} bytes, the columns have {}: give a number for each, or none",
                row.len(),
                self.row_bytes
            )));
        }
        let index = match self.offer(number, n_bytes) {
            Admitted::Yes(index) => index,
            no => return Ok(no),
        };
        if self.has_room(n_bytes) {
            return Ok(Admitted::Yes(index));
        }
        let has_room = self.make_room(index, n_bytes)?;
        // Chunks may have been closed meanwhile.
        let again = self.offer(number, n_bytes);
        if has_room || matches!(again, Admitted::No(_)) {
            return Ok(again);
        }
        self.shared.lock().order.drop_frame(index, n_bytes);
        self.threads.note_dropped(index, row);
        Ok(Admitted::No(Pushed::Dropped))
    }

    fn offer(&self, number: u64, n_bytes: usize) -> Admitted {
        match self.shared.lock().order.offer(number, n_bytes) {
            Offer::Take(index) => Admitted::Yes(index),
            Offer::Duplicate => Admitted::No(Pushed::Duplicate),
            Offer::Late => Admitted::No(Pushed::Late),
            Offer::OutOfRange => Admitted::No(Pushed::OutOfRange),
        }
    }

    /// Whether there is room for the frame `index`; waits for it where frames are not to be dropped.
    fn make_room(&mut self, index: u64, n_bytes: usize) -> Result<bool> {
        self.threads.store();
        while !self.has_room(n_bytes) {
            if self.close_for_room(index) {
                self.threads.dispatch();
            } else if self.policy == Policy::Drop {
                return Ok(false);
            } else if let Some(error) = self.trouble() {
                return Err(self.not_taken(error));
            } else if !self.threads.help() {
                self.threads.wait();
            }
        }
        Ok(true)
    }

    /// Closes the oldest chunk that waits for other frames than `index`, where nothing else will make room.
    fn close_for_room(&self, index: u64) -> bool {
        let order = &mut self.shared.lock().order;
        order.is_idle() && order.close_oldest_beside(index)
    }

    fn has_room(&self, n_bytes: usize) -> bool {
        self.shared.lock().order.has_room(n_bytes)
    }

    fn take(&mut self, index: u64, n_bytes: usize, frame: Held<B>, row: &[u8]) {
        self.shared.lock().order.take(index, n_bytes, Instant::now(), frame, row);
        self.threads.dispatch();
        self.threads.store();
    }

    /// Why there will be no room before HDF5 takes chunks again.
    fn trouble(&self) -> Option<darkchunk_hdf5::Error> {
        let shown = self.shared.lock();
        shown.trouble.clone().filter(|_| shown.order.n_jobs() == 0)
    }

    /// What went wrong since somebody was told of it.
    fn news(&self) -> Result<()> {
        let mut shown = self.shared.lock();
        let trouble = if std::mem::take(&mut shown.is_news) { shown.trouble.clone() } else { None };
        drop(shown);
        trouble.map_or(Ok(()), |error| Err(self.not_stored(error)))
    }

    fn not_stored(&self, error: darkchunk_hdf5::Error) -> Error {
        let Statistics { n_stored, n_held, .. } = self.statistics();
        self.shared.lock().is_news = false;
        darkchunk_hdf5::Error::NotStored { source: Box::new(error), n_stored, n_held }.into()
    }

    fn not_taken(&self, error: darkchunk_hdf5::Error) -> Error {
        let Statistics { n_stored, n_held, .. } = self.statistics();
        self.shared.lock().is_news = false;
        darkchunk_hdf5::Error::NotTaken { source: Box::new(error), n_taken: 0, n_stored, n_held }.into()
    }

    fn statistics(&self) -> Statistics {
        self.shared.lock().order.statistics(Instant::now())
    }
}

/// Tells of a recorder's work, on any thread, also after it has ended.
#[derive(Debug)]
pub struct Monitor<B> {
    shared: Arc<Shared<Held<B>>>,
    process: u32,
}

impl<B> Clone for Monitor<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), process: self.process }
    }
}

impl<B> Monitor<B> {
    /// What has been done so far.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn statistics(&self) -> Result<Statistics> {
        self.check()?;
        Ok(self.shared.lock().order.statistics(Instant::now()))
    }

    /// Why the last frame that was refused was; `None` where none was.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn fault(&self) -> Result<Option<String>> {
        self.check()?;
        Ok(self.shared.lock().fault.clone())
    }

    /// A lock may be taken for ever in a process that was forked.
    fn check(&self) -> Result<()> {
        if self.process == std::process::id() { Ok(()) } else { Err(Error::Forked) }
    }
}
