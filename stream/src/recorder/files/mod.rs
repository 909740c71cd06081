//! One measurement in several files.
//!
//! ```text
//!  run.h5                the master, made at the end: all files as one
//!  run_000000.h5 …       the parts, each with its journal while it is recorded
//!  run.h5.parts.jsonl    a line for each part that is complete: it may be moved, with the master's folder or before it is made
//! ```
//!
//! A part is closed when all its frames have come, or frames that are [`reorder`](super::Options::reorder) after its end. The next one is open
//! long before.

mod change;
mod complete;
mod parts;
mod spread;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use darkchunk::chunk::Processing;
use darkchunk_hdf5::{Dataset, FileElement, Library};

use super::changes::Wanted;
use super::rate::Rate;
use super::{Buffer, Encoded, NotPushed, Options, Pushed, Recorder, Statistics};
use crate::master::{self, Made};
use crate::{Error, Result};
pub use complete::Complete;
use complete::Hasher;
use parts::{Part, Way};
pub use spread::Spread;

/// Records one measurement to several files.
///
/// ```no_run
/// # fn library() -> darkchunk_hdf5::Result<darkchunk_hdf5::Library> { unimplemented!() }
/// use darkchunk::chunk::{Compression, Processing};
/// use darkchunk_hdf5::Dataset;
/// use darkchunk_stream::recorder::{Files, Options, Spread};
///
/// let library = library()?;
/// let dataset = Dataset::new(1024, 1024, Compression::drle(20));
/// let spread = Spread::Frames(10_000);
/// let mut files = Files::<i16>::create(&library, "run.h5", spread, &dataset, Processing::default(), Options::default())?;
/// for number in 0..100_000 {
///     files.push(number, vec![0_i16; 1024 * 1024])?;
///     for part in files.complete()? {
///         println!("{} may be moved", part.path.display());
///     }
/// }
/// let (statistics, master) = files.finish()?;
/// # Ok::<(), darkchunk_stream::Error>(())
/// ```
#[derive(Debug)]
pub struct Files<P: FileElement + Into<i64> + Clone, B: Buffer = Vec<P>> {
    library: Library,
    master: PathBuf,
    spread: Spread,
    dataset: Dataset,
    processing: Arc<Processing<P>>,
    options: Options<P>,
    /// The last change of threshold and of dark image, for files to come.
    changed: Vec<Wanted<P>>,
    open: Vec<Part<P, B>>,
    /// One more than the greatest index that has come.
    n_frames: u64,
    /// What the parts have done that are closed, and what was refused here.
    done: Statistics,
    rate: Rate,
    /// When the recording ended.
    end: Option<Instant>,
    parts: Vec<PathBuf>,
    hasher: Hasher,
    /// When a part could not be closed.
    failed: Option<Instant>,
    /// Why the last frame that was refused was, of parts that are closed.
    fault: Option<String>,
    frame_bytes: usize,
    row_bytes: usize,
    /// Of frames that are encoded already; [`u64::MAX`] where nobody has said.
    check_every: AtomicU64,
    /// The process that records.
    process: u32,
    made: Option<Made>,
}

impl<P: FileElement + Into<i64> + Clone, B: Buffer> Files<P, B> {
    /// Makes the first file, or those that have their turns, beside `master`, which is made at the end. `options` are those of
    /// each file, with its own [share](Options::share); memory and threads are divided among those that are open.
    ///
    /// # Errors
    /// As [`Recorder::create`]; [`Error::Part`] where a file of the name is there; [`Error::Argument`] for files that cannot be so.
    pub fn create(
        library: &Library,
        master: impl AsRef<Path>,
        spread: Spread,
        dataset: &Dataset,
        processing: impl Into<Arc<Processing<P>>>,
        mut options: Options<P>,
    ) -> Result<Self> {
        spread.check(dataset.frames_per_chunk as u64)?;
        if options.writer_thread && !library.has_lock() {
            let text = "several files with writer_thread call HDF5 from several threads: give a table of functions with a lock";
            return Err(Error::Argument(text.to_owned()));
        }
        let n_open = spread.n_open();
        options.max_bytes /= n_open;
        if matches!(spread, Spread::Turns { .. }) && options.n_workers > 0 {
            options.n_workers = (options.n_workers / n_open).max(1);
        }
        let master = master.as_ref().to_owned();
        let hasher = Hasher::start(with_extension(&master, ".parts.jsonl"))?;
        let (processing, done, failed, made) = (processing.into(), Statistics::default(), None, None);
        let (library, dataset, open, parts) = (library.clone(), dataset.clone(), Vec::new(), Vec::new());
        let n_frames = 0;
        let mut files = Self {
            library,
            master,
            spread,
            dataset,
            processing,
            options,
            changed: Vec::new(),
            open,
            n_frames,
            done,
            rate: Rate::default(),
            end: None,
            parts,
            hasher,
            failed,
            fault: None,
            frame_bytes: 0,
            row_bytes: 0,
            check_every: AtomicU64::new(u64::MAX),
            process: std::process::id(),
            made,
        };
        for (number, share) in files.spread.first() {
            // Those before it would be in the way of the next try.
            files.begin(number, share).inspect_err(|_| files.remove_open())?;
        }
        Ok(files)
    }

    /// Takes a frame, as [`Recorder::push`].
    ///
    /// # Errors
    /// As there; also where a file cannot be made, or cannot be closed.
    pub fn push(&mut self, number: u64, frame: B) -> std::result::Result<Pushed, NotPushed<B>> {
        self.push_with(number, frame, &[])
    }

    /// Takes a frame with its metadata, as [`Recorder::push_with`].
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_with(&mut self, number: u64, frame: B, row: &[u8]) -> std::result::Result<Pushed, NotPushed<B>> {
        let n_bytes = super::buffer::n_bytes(&frame);
        self.route(number, n_bytes, frame, |recorder, frame| recorder.push_with(number, frame, row))
    }

    /// Takes a frame that is encoded already, as [`Recorder::push_encoded`].
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_encoded(
        &mut self,
        number: u64,
        kind: Encoded,
        frame: B,
        row: &[u8],
    ) -> std::result::Result<Pushed, NotPushed<B>> {
        let n_bytes = super::buffer::n_bytes(&frame);
        self.route(number, n_bytes, frame, |recorder, frame| recorder.push_encoded(number, kind, frame, row))
    }

    /// Takes a copy of a frame, as [`Recorder::push_copy`].
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_copy(&mut self, number: u64, pieces: &[&[u8]], row: &[u8]) -> Result<Pushed> {
        let n_bytes = pieces.iter().map(|piece| piece.len()).sum();
        let push = |recorder: &mut Recorder<P, B>, ()| {
            recorder.push_copy(number, pieces, row).map_err(|error| NotPushed { frame: None, error })
        };
        self.route(number, n_bytes, (), push).map_err(|refused| refused.error)
    }

    /// Takes a frame given as its pixels that are not 0, as [`Recorder::push_pixels`].
    ///
    /// # Errors
    /// As there; as [`push`](Self::push).
    pub fn push_pixels(&mut self, number: u64, places: &[u32], values: &[P], row: &[u8]) -> Result<Pushed> {
        let push = |recorder: &mut Recorder<P, B>, ()| {
            recorder.push_pixels(number, places, values, row).map_err(|error| NotPushed { frame: None, error })
        };
        self.route(number, self.frame_bytes, (), push).map_err(|refused| refused.error)
    }

    /// Of frames that are encoded already every n-th is decoded, as [`Recorder::check_every`] says; also in files to come.
    pub fn check_every(&self, n_frames: u64) {
        self.check_every.store(n_frames, Ordering::Relaxed);
        self.open.iter().for_each(|part| part.recorder.check_every(n_frames));
    }

    fn route<T>(
        &mut self,
        number: u64,
        n_bytes: usize,
        frame: T,
        push: impl FnOnce(&mut Recorder<P, B>, T) -> std::result::Result<Pushed, NotPushed<T>>,
    ) -> std::result::Result<Pushed, NotPushed<T>> {
        if self.process != std::process::id() {
            return Err(NotPushed { frame: Some(frame), error: Error::Forked });
        }
        let index = number.checked_sub(self.options.first_number);
        let way = match index.map_or(Ok(Way::No(Pushed::OutOfRange)), |index| self.way(index)) {
            Ok(way) => way,
            Err(error) => return Err(NotPushed { frame: Some(frame), error }),
        };
        let at = match way {
            Way::Part(at) => at,
            Way::No(pushed) => {
                self.refuse(pushed, n_bytes);
                return Ok(pushed);
            }
        };
        let pushed = push(&mut self.open[at].recorder, frame);
        if !matches!(pushed, Err(NotPushed { frame: Some(_), .. })) {
            self.rate.add(Instant::now(), n_bytes);
        }
        let pushed = pushed?;
        if matches!(pushed, Pushed::Taken | Pushed::Dropped) {
            self.n_frames = self.n_frames.max(index.unwrap_or(0) + 1);
        }
        self.turn_over().map_err(|error| NotPushed { frame: None, error })?;
        Ok(pushed)
    }

    /// Counts a frame that no part takes.
    fn refuse(&mut self, pushed: Pushed, n_bytes: usize) {
        self.done.n_received += 1;
        self.done.bytes_received += n_bytes as u64;
        self.rate.add(Instant::now(), n_bytes);
        match pushed {
            Pushed::Late => self.done.n_late += 1,
            _ => self.done.n_out_of_range += 1,
        }
    }

    /// For times in which no frames come, as [`Recorder::poll`].
    ///
    /// # Errors
    /// As there.
    pub fn poll(&mut self) -> Result<()> {
        self.open.iter_mut().try_for_each(|part| part.recorder.poll())?;
        self.turn_over()
    }

    /// Flushes all files that are open, as [`Recorder::flush`].
    ///
    /// # Errors
    /// As there.
    pub fn flush(&mut self, sync: bool) -> Result<()> {
        self.open.iter_mut().try_for_each(|part| part.recorder.flush(sync))
    }

    /// The files that have become complete since this was asked. Each is also a line of the file of the master's name with `.parts.jsonl`
    /// appended.
    ///
    /// # Errors
    /// [`Error::Part`] where one could not be read.
    pub fn complete(&self) -> Result<Vec<Complete>> {
        self.hasher.complete()
    }

    /// Finishes all files, and makes the master, unless others have files of the measurement.
    ///
    /// # Errors
    /// As [`Recorder::finish`]: make room, and call it again; as [`master::make`].
    pub fn finish(&mut self) -> Result<(Statistics, Made)> {
        while !self.open.is_empty() {
            self.close(0)?;
        }
        self.end()
    }

    /// As [`Recorder::abandon`]: ends without the frames that the disk does not take.
    ///
    /// # Errors
    /// As there; as [`master::make`].
    pub fn abandon(&mut self) -> Result<(Statistics, Made)> {
        while !self.open.is_empty() {
            let statistics = self.open[0].recorder.abandon()?;
            self.closed(0, &statistics)?;
        }
        self.end()
    }

    fn end(&mut self) -> Result<(Statistics, Made)> {
        self.end.get_or_insert_with(Instant::now);
        self.hasher.end();
        let made = match &self.made {
            Some(made) => made.clone(),
            None if self.spread.has_all() => self.make_master()?,
            None => Made::default(),
        };
        self.made = Some(made.clone());
        Ok((self.statistics()?, made))
    }

    /// Makes the master of the parts that are still there.
    fn make_master(&self) -> Result<Made> {
        let (there, moved): (Vec<PathBuf>, Vec<PathBuf>) = self.parts.iter().cloned().partition(|path| path.exists());
        let mut made =
            if there.is_empty() { Made::default() } else { master::make(&self.library, &there, &self.master)? };
        made.gaps.extend(moved.iter().map(|path| format!("{} is not there any more", path.display())));
        Ok(made)
    }

    /// What has been done so far, in all files.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn statistics(&self) -> Result<Statistics> {
        let mut all = self.done;
        for part in &self.open {
            all.add(&part.recorder.statistics()?);
        }
        let now = self.end.unwrap_or_else(Instant::now);
        (all.seconds, all.gb_per_s) = (self.rate.seconds(), self.rate.gb_per_s(now));
        if !matches!(self.spread, Spread::Turns { .. }) {
            // Files do not know how many frames are missing at their ends.
            let n_known = all.n_stored + all.n_vetoed + all.n_refused + all.n_held + all.n_lost + all.n_dropped;
            all.n_missing = self.n_frames.saturating_sub(n_known);
        }
        Ok(all)
    }

    /// The parts that are recorded to at this moment.
    #[must_use]
    pub fn open_parts(&self) -> Vec<&Path> {
        self.open.iter().map(|part| &*part.path).collect()
    }

    /// Why the last frame that was refused was, or why there is no index of blocks; `None` for neither.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn fault(&self) -> Result<Option<String>> {
        for part in self.open.iter().rev() {
            if let Some(fault) = part.recorder.fault()? {
                return Ok(Some(fault));
            }
        }
        Ok(self.fault.clone())
    }

    /// Bytes of a frame as it is pushed.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Pixels of a frame.
    #[must_use]
    pub fn frame_pixels(&self) -> usize {
        self.dataset.height * self.dataset.width
    }

    /// Bytes of a frame's metadata.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }
}

fn with_extension(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(extension);
    name.into()
}

impl<P: FileElement + Into<i64> + Clone, B: Buffer> Drop for Files<P, B> {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // Nothing of it runs on: a program may unload the library now.
            return self.hasher.end();
        }
        // The files, and the thread, are those of the process of which this one is a fork.
        std::mem::forget(std::mem::take(&mut self.open));
    }
}
