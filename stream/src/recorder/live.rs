//! A recording while it goes on, for any thread: its sums, its last frame, and what other thresholds would make of its frames.
//!
//! * The sums are the workers' own. A worker holds the lock of its sums while it encodes a chunk: who reads them waits so long, and a worker
//!   waits while they are copied. They are of whole chunks, and of all frames that are encoded, also of those that wait for HDF5.
//! * So are the maximum images, where they are kept.
//! * The last frame is decoded from the last chunk, of which the recorder keeps the bytes.
//! * For thresholds, the workers copy the next frames as they are pushed, and the asking thread encodes them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use darkchunk::Exec;
use darkchunk::chunk::{ChunkShape, Compression, Filter, FrameElement, FrameEncoder, Processing, Sum};
use darkchunk::element::as_bytes_mut;

use super::buffer::Pooled;
use super::changes::Changes;
use super::maximum::{self, Maximum, SharedMaximum};
use super::share::Numbering;
use super::sums::{ClassOf, SharedSums, lock};
use super::work::Chunk;
use crate::{Error, Result};

/// Bytes of frames that are copied for a preview: no more frames are.
const MAX_COPIED_BYTES: usize = 1 << 30;

/// A preview waits no longer.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// Exact sums, pixel by pixel, of frames as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSum {
    /// Frames that it is of.
    pub n_frames: u64,
    /// A number for each pixel.
    pub total: Vec<i64>,
}

impl LiveSum {
    /// The mean frame; NaN before the first.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        self.total.iter().map(|total| *total as f64 / self.n_frames as f64).collect()
    }
}

/// The greatest value of each pixel, of frames as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMaximum<P> {
    /// Frames that it is of.
    pub n_frames: u64,
    /// A number for each pixel; zeros before the first frame.
    pub pixels: Vec<P>,
}

/// What a threshold makes of frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preview {
    /// The smallest value that is kept.
    pub threshold: u16,
    /// Frames that were looked at.
    pub n_frames: usize,
    /// Share of the pixels that are kept.
    pub bright: f64,
    /// Bytes of a frame for each byte stored.
    pub ratio: f64,
    /// How many frames the asking thread encodes in a second.
    pub frames_per_s: f64,
}

/// The chunks of the last frames that were encoded.
#[derive(Debug)]
struct Last {
    /// The index of the last frame in them.
    index: u64,
    chunks: Vec<Arc<Pooled>>,
}

/// What workers show.
#[derive(Debug)]
pub(super) struct Viewed<P> {
    /// Of the frames of a chunk, whole.
    layer: ChunkShape,
    /// Of a chunk.
    shape: ChunkShape,
    filter: Option<Filter>,
    compression: Compression,
    changes: Arc<Changes<P>>,
    numbering: Numbering,
    pub(super) classes: Option<ClassOf>,
    last: Mutex<Option<Last>>,
    /// One preview at a time.
    turn: Mutex<()>,
    /// Frames that are still to be copied for it.
    n_wanted: AtomicUsize,
    copied: Mutex<Vec<Vec<P>>>,
    came: Condvar,
}

impl<P: FrameElement> Viewed<P> {
    pub(super) fn new(
        (layer, shape, filter): (ChunkShape, ChunkShape, Option<&Filter>),
        compression: &Compression,
        changes: &Arc<Changes<P>>,
        numbering: Numbering,
        classes: Option<ClassOf>,
    ) -> Arc<Self> {
        Arc::new(Self {
            layer,
            shape,
            filter: filter.cloned(),
            compression: compression.clone(),
            changes: Arc::clone(changes),
            numbering,
            classes,
            last: Mutex::default(),
            turn: Mutex::default(),
            n_wanted: AtomicUsize::new(0),
            copied: Mutex::default(),
            came: Condvar::new(),
        })
    }

    /// The chunks of some frames are encoded, of which the last has this index.
    pub(super) fn show(&self, index: u64, chunks: &[Chunk]) {
        let mut last = held(&self.last);
        if last.as_ref().is_none_or(|last| last.index < index) {
            *last = Some(Last { index, chunks: chunks.iter().map(|chunk| Arc::clone(&chunk.stored)).collect() });
        }
    }

    /// Copies a frame, given in pieces, if somebody waits for some.
    pub(super) fn offer(&self, pieces: &[&[P]]) {
        if self.n_wanted.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut copied = held(&self.copied);
        // Others may have brought the last one meanwhile.
        let n_wanted = self.n_wanted.load(Ordering::Relaxed);
        if n_wanted > 0 {
            copied.push(pieces.concat());
            self.n_wanted.store(n_wanted - 1, Ordering::Relaxed);
            if n_wanted == 1 {
                self.came.notify_all();
            }
        }
    }

    /// The next frames as they are pushed; fewer where they do not come in time.
    fn next_frames(&self, n_frames: usize, time: Duration) -> Vec<Vec<P>> {
        let mut copied = held(&self.copied);
        copied.clear();
        let frame_bytes = self.layer.frame_pixels().saturating_mul(size_of::<P>()).max(1);
        let n_frames = n_frames.min((MAX_COPIED_BYTES / frame_bytes).max(1));
        self.n_wanted.store(n_frames, Ordering::Relaxed);
        let end = Instant::now() + time.min(MAX_WAIT);
        while copied.len() < n_frames
            && let Some(left) = end.checked_duration_since(Instant::now())
        {
            copied = self.came.wait_timeout(copied, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        self.n_wanted.store(0, Ordering::Relaxed);
        std::mem::take(&mut *copied)
    }

    /// One frame a chunk, with another threshold.
    fn encoder(&self, threshold: u16) -> darkchunk::Result<FrameEncoder<P>> {
        let shape = ChunkShape { n_frames: 1, ..self.layer };
        let filter = match (self.compression.filter, &self.filter) {
            (Some(id), Some(Filter::Drle(_))) => {
                let mut values = self.compression.values.clone();
                values.iter_mut().take(1).for_each(|value| *value = threshold.into());
                let exact = Filter::localise(id, &values, &shape.layout(P::TYPE)?)?;
                Some(Filter::from_cd_values(id, &exact)?)
            }
            (Some(id), Some(_)) => {
                let exact = Filter::localise(id, &self.compression.values, &shape.layout(P::TYPE)?)?;
                Some(Filter::from_cd_values(id, &exact)?)
            }
            _ => None,
        };
        let processing = Processing { threshold: Some(threshold), ..Processing::clone(&self.changes.newest()) };
        FrameEncoder::new(shape, filter, processing)
    }

    fn preview(&self, threshold: u16, frames: &[Vec<P>]) -> darkchunk::Result<Preview> {
        let mut encoder = self.encoder(threshold)?;
        let (start, mut n_stored) = (Instant::now(), 0);
        for frame in frames {
            encoder.push(frame)?;
            n_stored += encoder.encode()?.len();
            encoder.clear();
        }
        let (seconds, n_frames) = (start.elapsed().as_secs_f64(), frames.len());
        let n_pixels = n_frames * self.layer.frame_pixels();
        Ok(Preview {
            threshold,
            n_frames,
            bright: encoder.totals().counts.n_bright as f64 / n_pixels as f64,
            ratio: (n_pixels * size_of::<P>()) as f64 / n_stored as f64,
            frames_per_s: n_frames as f64 / seconds,
        })
    }
}

/// Shows a recording to any thread, while it goes on and after it has ended.
#[derive(Debug)]
pub struct Live<P> {
    viewed: Arc<Viewed<P>>,
    /// One for each worker.
    sums: Arc<[SharedSums]>,
    /// The same, where the greatest values are kept.
    maxima: Arc<[Option<SharedMaximum<P>>]>,
    /// The process that records.
    process: u32,
}

impl<P> Clone for Live<P> {
    fn clone(&self) -> Self {
        let (viewed, sums, maxima) = (Arc::clone(&self.viewed), Arc::clone(&self.sums), Arc::clone(&self.maxima));
        Self { viewed, sums, maxima, process: self.process }
    }
}

impl<P: FrameElement + Into<i64>> Live<P> {
    pub(super) fn new(viewed: Arc<Viewed<P>>, sums: Vec<SharedSums>, maxima: Vec<Option<SharedMaximum<P>>>) -> Self {
        Self { viewed, sums: sums.into(), maxima: maxima.into(), process: std::process::id() }
    }

    /// The sum of all frames so far, or of those of a [class](super::Classes). `None` where no sum is kept.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Argument`] for a class that there is not.
    pub fn sum(&self, class: Option<usize>) -> Result<Option<LiveSum>> {
        self.check()?;
        let n_classes = self.viewed.classes.map_or(0, |classes| classes.n());
        if let Some(class) = class.filter(|class| *class >= n_classes) {
            return Err(Error::Argument(format!("there is no class {class}: there are {n_classes}, from 0")));
        }
        let mut all = Sum::new::<P>(self.viewed.layer.frame_pixels());
        // All at once, so that nothing is moved from one to another meanwhile; in the order in which it would be moved.
        let mut sums: Vec<_> = self.sums.iter().map(|sums| lock(sums)).collect();
        let n_kept = sums.iter_mut().filter_map(|sums| sums.add_to(class, &mut all).then_some(())).count();
        Ok((n_kept > 0).then(|| LiveSum { n_frames: all.n_frames(), total: all.total().to_vec() }))
    }

    /// The greatest value of each pixel in all frames so far, as they are stored. `None` where it is not [kept](super::Options::maximum).
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn maximum(&self) -> Result<Option<LiveMaximum<P>>> {
        self.check()?;
        let mut all = Maximum::new(self.viewed.layer.frame_pixels());
        let mut is_kept = false;
        for one in self.maxima.iter().flatten() {
            let one = maximum::lock(one);
            let (pixels, n_frames) = one.get();
            is_kept = true;
            if n_frames > 0 {
                all.merge(pixels, n_frames);
            }
        }
        let (pixels, n_frames) = all.get();
        Ok(is_kept.then(|| LiveMaximum { n_frames, pixels: pixels.to_vec() }))
    }

    /// The frame of the greatest number that is encoded, as it is stored, and its number. `None` before the first.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Hdf5`] where it does not decode: it was [encoded already](super::Recorder::push_encoded).
    pub fn last_frame(&self) -> Result<Option<(u64, Vec<P>)>> {
        self.check()?;
        let Viewed { layer, shape, filter, numbering, last, .. } = &*self.viewed;
        let last = held(last).as_ref().map(|last| (last.index, last.chunks.clone()));
        let Some((index, chunks)) = last else { return Ok(None) };
        let (mut frame, mut chunk) =
            (vec![P::default(); layer.frame_pixels()], vec![P::default(); shape.chunk_pixels()]);
        let place = (index % shape.n_frames as u64) as usize * shape.frame_pixels();
        for (rows, stored) in frame.chunks_mut(shape.frame_pixels()).zip(&chunks) {
            match filter {
                Some(filter) => {
                    let decoded = filter.decode(Exec::current(), &stored.bytes, as_bytes_mut(&mut chunk));
                    decoded.map_err(darkchunk_hdf5::Error::from)?;
                }
                None => as_bytes_mut(&mut chunk).copy_from_slice(&stored.bytes),
            }
            rows.copy_from_slice(&chunk[place..][..rows.len()]);
        }
        Ok(Some((numbering.number(index), frame)))
    }

    /// What each of `thresholds` would make of the next `n_frames` that are encoded, of which copies are taken; of fewer where they do
    /// not come within `time`.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Argument`] where no frame comes; [`Error::Hdf5`] for a threshold that cannot be.
    pub fn preview(&self, n_frames: usize, thresholds: &[u16], time: Duration) -> Result<Vec<Preview>> {
        self.check()?;
        let _turn = held(&self.viewed.turn);
        let frames = self.viewed.next_frames(n_frames, time);
        if frames.is_empty() {
            return Err(Error::Argument(format!("no frame came within {time:?}: ask while frames come")));
        }
        let preview = |threshold: &u16| self.viewed.preview(*threshold, &frames);
        let made: darkchunk::Result<Vec<_>> = thresholds.iter().map(preview).collect();
        Ok(made.map_err(darkchunk_hdf5::Error::from)?)
    }

    fn check(&self) -> Result<()> {
        if self.process == std::process::id() { Ok(()) } else { Err(Error::Forked) }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
