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
//! * Beside the dataset are its metadata, [`Columns`](darkchunk_hdf5::Columns), with the column `frame_status` that says what became of each frame.
//! * A chunk is written to its place when it is encoded: in the order of completion.
//! * HDF5 is called by the thread that pushes, in [`push`](Recorder::push), [`poll`](Recorder::poll), [`flush`](Recorder::flush) and
//!   [`finish`](Recorder::finish); or, where HDF5 is handed over ([`Options::writer_thread`]), by one thread of the recorder.
//! * A frame that was taken is stored, or held and tried again, or counted as one that cannot be encoded. What HDF5 refuses is reported by
//!   the next call: [`NotPushed`].
//! * Where the disk is full, room that was [kept](crate::Reserve) is given back, and all that is stored is flushed at once: it is safe, and the
//!   error says how many frames that is. Chunks are written again when there is room for another reserve. Who makes none
//!   [abandons](Recorder::abandon) what is held; so does a drop.
//! * What a killed process leaves: the frames up to the last flush (`n_flushed` in [`Statistics`]), in a file that opens as usual; what
//!   else there is to know is in [`ChunkWriter`](darkchunk_hdf5::ChunkWriter). With the [journal](crate::journal), which is on unless told otherwise, every frame whose
//!   chunk was written, in a file that [`restore`](crate::journal::restore) makes. With several frames a chunk, those of a chunk that waits for others are in memory only. A
//!   power cut can also take what was flushed, but not what [`flush`](Recorder::flush) with `sync` has written.
//! * After a `fork` the recorder can be used in the parent only; the child is told so, and its copy does nothing.

mod blocks;
mod bricks;
mod buffer;
mod changes;
mod create;
mod encoded;
mod files;
mod inner;
mod live;
mod maximum;
mod monitor;
mod noted;
mod numbers;
mod options;
mod order;
mod parked;
mod pixels;
mod rate;
mod room;
mod share;
mod shared;
mod sink;
mod statistics;
mod sums;
mod threads;
mod veto;
mod work;

use std::fmt;
use std::path::Path;

use darkchunk_hdf5::FileElement;

use crate::{Error, Result};
use buffer::Held;
use inner::{Admitted, Inner};

pub use buffer::Buffer;
pub use encoded::Encoded;
pub use files::{Complete, Files, Spread};
pub use live::{Live, LiveMaximum, LiveSum, Preview};
pub use monitor::Monitor;
pub use options::{MAX_GAP, MAX_REORDER, Options, Policy};
pub use pixels::PixelFormat;
pub use share::Share;
pub use statistics::Statistics;
pub use sums::Classes;
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
    live: Live<P>,
}

impl<P: FileElement + Into<i64>, B: Buffer> Recorder<P, B> {
    /// Takes a frame, whose memory is released once it is encoded, and at once where it is not taken.
    ///
    /// # Errors
    /// The frame is handed back, and is to be pushed again, where it was not taken: [`Error::Hdf5`] with
    /// [`NotTaken`](darkchunk_hdf5::Error::NotTaken), HDF5 takes no chunks and the memory is full; with [`Policy::Drop`] that is told once
    /// for each try of HDF5's, and frames between are dropped. Or it is of another size, or the
    /// recording is [finished](Error::Finished). [`Error::Hdf5`] with [`NotStored`](darkchunk_hdf5::Error::NotStored): it was taken; go on.
    pub fn push(&mut self, number: u64, frame: B) -> std::result::Result<Pushed, NotPushed<B>> {
        self.push_with(number, frame, &[])
    }

    /// The same with a frame's metadata: the bytes of its number in each column, one after the other, as this machine has them; or
    /// none. A frame that is vetoed, dropped or refused keeps its metadata, one that is late or a duplicate has none.
    ///
    /// # Errors
    /// As [`push`](Self::push); [`Error::Argument`] for a row of another size.
    pub fn push_with(&mut self, number: u64, mut frame: B, row: &[u8]) -> std::result::Result<Pushed, NotPushed<B>> {
        let inner = match self.inner() {
            Ok(inner) => inner,
            Err(error) => return Err(NotPushed { frame: Some(frame), error }),
        };
        let n_bytes = buffer::n_bytes(&frame);
        let checked = inner.check_size(n_bytes).and_then(|()| inner.check_writable(&mut frame));
        match checked.and_then(|()| inner.admit(number, n_bytes, row)) {
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
    /// [`Error::Hdf5`] with [`NotStored`](darkchunk_hdf5::Error::NotStored): make room, and call it again; or [abandon](Self::abandon)
    /// what is held.
    pub fn finish(&mut self) -> Result<Statistics> {
        let inner = self.own()?;
        inner.is_ended = true;
        while inner.shared.lock().order.close_oldest() {}
        inner.threads.finish().map_err(|error| inner.not_stored(error))?;
        inner.end();
        Ok(inner.statistics())
    }

    /// [Finishes](Self::finish), and where HDF5 does not take all, as on a full disk, ends without the frames that are held: they are
    /// counted as lost, and marked so in `frame_status`. The sum, which would have them in it, is not stored then.
    ///
    /// # Errors
    /// [`Error::Hdf5`] with [`NotAbandoned`](darkchunk_hdf5::Error::NotAbandoned): not even the counts could be stored, and what was not
    /// flushed may be lost. It may be called again.
    pub fn abandon(&mut self) -> Result<Statistics> {
        if let done @ (Ok(_) | Err(Error::Forked | Error::Finished)) = self.finish() {
            return done;
        }
        let inner = self.own()?;
        inner.threads.abandon().map_err(|error| inner.not_abandoned(error))?;
        inner.end();
        Ok(inner.statistics())
    }

    /// Bytes of a frame as it is pushed.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.frame_bytes)
    }

    /// Pixels of a frame.
    #[must_use]
    pub fn frame_pixels(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.threads.encoder().shape().frame_pixels())
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

    /// Why the last frame that was refused was, or why there is no index of blocks; `None` for neither.
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

    /// What shows the recording, on any thread.
    #[must_use]
    pub fn live(&self) -> Live<P> {
        self.live.clone()
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
            // Nobody is left to hear of a failure; `finish` and `abandon` are there for those who want to.
            let _ = self.abandon();
        }
    }
}
