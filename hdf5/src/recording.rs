//! What is stored beside the frames, in a group: what was done to them, and what that cost. [The crate](crate) has the
//! names.
//!
//! What is known when a recording begins is stored then. The counts are stored with a flush, at most ten times a second: that
//! cannot be measured, but a program that flushes after each frame would notice more. The sum, which is as large as several
//! frames, is stored when the recording is finished.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::array;
use super::changes::{self, Changes};
use super::chunk_writer::ChunkWriter;
use super::library::h5;
use super::object::{self, Id, Stored};
use super::writer::FileElement;
use crate::{Error, Result};
use darkchunk::chunk::{Filter, FrameElement, FrameEncoder, Sum, Totals};
use darkchunk::kernels::drle::FrameCounts;

/// Between the counts that are stored with one flush and with the next.
const COUNTS_INTERVAL: Duration = Duration::from_millis(100);

/// The group beside a dataset that frames are written to: what was done to them, and what that cost.
#[derive(Debug)]
pub struct Recording {
    group: Id,
    counts: Counts,
    counts_stored: Cell<Instant>,
    /// What was changed since; `None` where nothing was.
    changes: Option<Changes>,
    /// The threshold in the beginning.
    threshold: Option<u16>,
    /// Whether others read the file meanwhile, so that nothing can be made any more.
    is_swmr: bool,
}

/// The attributes that the counts are in, open.
#[derive(Debug)]
struct Counts {
    frames: Id,
    first_frame: Id,
    pixels_bright: Id,
    pixels_zeroed: Id,
    zeroed_sum: Id,
    pixels_saturated: Id,
    pixels_sentinel: Id,
}

impl Counts {
    /// Opens the attributes, made where they are missing.
    fn open(group: &Id) -> Result<Self> {
        let unsigned = |name| object::number_to_write::<u64>(group, name);
        Ok(Self {
            frames: unsigned("frames")?,
            first_frame: unsigned("first_frame")?,
            pixels_bright: unsigned("pixels_bright")?,
            pixels_zeroed: unsigned("pixels_zeroed")?,
            zeroed_sum: object::number_to_write::<i64>(group, "zeroed_sum")?,
            pixels_saturated: unsigned("pixels_saturated")?,
            pixels_sentinel: unsigned("pixels_sentinel")?,
        })
    }
}

pub(super) fn group_path(chunks: &ChunkWriter) -> String {
    format!("{}_darkchunk", chunks.place().path)
}

/// The group that an earlier recording left.
fn earlier(chunks: &ChunkWriter) -> Result<Option<Id>> {
    let (library, at, path) = (chunks.library(), chunks.place().at.get(), group_path(chunks));
    let is_there = object::exists(library, at, &path)?;
    is_there.then(|| object::open(library, at, &path)).transpose()
}

/// Refuses the group of a dataset that is gone: nobody could tell its numbers from the new ones.
pub(super) fn check_no_group(chunks: &ChunkWriter) -> Result<()> {
    match earlier(chunks)? {
        None => Ok(()),
        Some(_) => Err(Error::NameTaken {
            path: group_path(chunks),
            remedy: "it is of a dataset that is gone; give another name, or delete it",
        }),
    }
}

/// Refuses to continue a recording in another way than it was begun: what is stored beside the frames is said of all. Where
/// there are none yet, as after a writer that could not be made, what is stored may be replaced, but not taken away.
pub(super) fn check_same_processing<P: FrameElement + Stored>(
    encoder: &FrameEncoder<P>,
    chunks: &ChunkWriter,
) -> Result<()> {
    let Some(group) = earlier(chunks)? else { return Ok(()) };
    let refused = |what: String| {
        let remedy = "give the same, or record to another dataset";
        Err(Error::Unsupported(format!("the frames of {} were recorded with {what}: {remedy}", chunks.place().path)))
    };
    if !changes::read(&group)?.is_empty() {
        return refused(format!("what {}/{} says, one after the other", group_path(chunks), changes::GROUP));
    }
    let has_frames = chunks.n_stored() > 0;
    match object::number::<u16>(&group, "threshold")? {
        found if found == encoder.threshold() => {}
        _ if !has_frames && encoder.threshold().is_some() => {}
        None => return refused("no threshold".into()),
        Some(threshold) => return refused(format!("the threshold {threshold}")),
    }
    let dims = &chunks.layer().dims()[1..];
    match (object::exists(chunks.library(), group.get(), "dark")?, encoder.dark()) {
        (false, None) => Ok(()),
        (_, Some(_)) if !has_frames => Ok(()),
        (false, Some(_)) => refused("no dark image".into()),
        (true, Some(dark)) if array::read::<P>(&group, "dark", dims)? == dark => Ok(()),
        (true, _) => refused(format!("the dark image {}/dark", group_path(chunks))),
    }
}

/// Continues the counts and the sum that an earlier recording left beside the frames, each where it is of the last
/// frames that are there.
pub(super) fn resume(totals: &mut Totals, chunks: &ChunkWriter) -> Result<()> {
    let Some(group) = earlier(chunks)? else { return Ok(()) };
    if let Some(n_frames) = span(&group, chunks)? {
        let number = |name| object::number::<u64>(&group, name);
        totals.counts = FrameCounts {
            n_bright: number("pixels_bright")?.unwrap_or(0),
            n_zeroed: number("pixels_zeroed")?.unwrap_or(0),
            zeroed_sum: object::number(&group, "zeroed_sum")?.unwrap_or(0),
            n_saturated: number("pixels_saturated")?.unwrap_or(0),
            n_sentinels: number("pixels_sentinel")?.unwrap_or(0),
        };
        totals.n_frames = n_frames;
    }
    let Some(sum) = &mut totals.sum else { return Ok(()) };
    if object::exists(chunks.library(), group.get(), "sum")? {
        let dataset = object::open(chunks.library(), group.get(), "sum")?;
        if let Some(n_frames) = span(&dataset, chunks)? {
            sum.begin_with(array::read(&group, "sum", &chunks.layer().dims()[1..])?, n_frames);
        }
    }
    Ok(())
}

/// How many frames the numbers of `object` are of, where they are the last ones of the dataset.
fn span(object: &Id, chunks: &ChunkWriter) -> Result<Option<u64>> {
    let (n_frames, first) = (object::number::<u64>(object, "frames")?, object::number::<u64>(object, "first_frame")?);
    Ok(n_frames.filter(|n_frames| first.and_then(|first| first.checked_add(*n_frames)) == Some(chunks.n_stored())))
}

impl Recording {
    /// Gives a dataset that was [made](ChunkWriter::create) its name, and makes the group beside it: with dark image,
    /// threshold and filter; the counts so far are none.
    ///
    /// # Errors
    /// [`Error::NameTaken`] where there is a group of a dataset that is gone; [`Error::Hdf5`].
    pub fn publish<P: FileElement>(encoder: &FrameEncoder<P>, chunks: &mut ChunkWriter) -> Result<Self> {
        check_no_group(chunks)?;
        chunks.publish()?;
        let recording = Self::begin(encoder, chunks)?;
        chunks.flush()?;
        Ok(recording)
    }

    /// Stores what is known before the first frame: dark image, threshold, filter; and the counts so far.
    pub(super) fn begin<P: FrameElement + Stored>(encoder: &FrameEncoder<P>, chunks: &ChunkWriter) -> Result<Self> {
        let group = object::group(chunks.library(), chunks.place().at.get(), &group_path(chunks))?;
        object::set_string(&group, "NX_class", "NXcollection")?;
        store_filter(&group, chunks)?;
        if let Some(threshold) = encoder.threshold() {
            object::set_number(&group, "threshold", threshold)?;
        }
        if let Some(dark) = encoder.dark() {
            array::write(&group, "dark", &chunks.layer().dims()[1..], dark)?;
        }
        let counts = Counts::open(&group)?;
        let (counts_stored, threshold) = (Cell::new(Instant::now()), encoder.threshold());
        let recording = Self { group, counts, counts_stored, changes: None, threshold, is_swmr: false };
        recording.store_counts(encoder.totals(), chunks)?;
        Ok(recording)
    }

    /// Lets others read the file while it is written (SWMR). Nothing can be made in it from now on, so the sum is made before, of no
    /// frames.
    ///
    /// # Errors
    /// [`Error::Hdf5`], for instance where the file is not in the format of HDF5 1.10; [`Error::MissingFunction`].
    pub fn start_swmr<P: FrameElement>(mut self, encoder: &FrameEncoder<P>, chunks: &mut ChunkWriter) -> Result<Self> {
        if encoder.totals().sum.is_some() {
            let mut nothing = Sum::new::<P>(chunks.layer().frame_pixels());
            self.store_sum_of(&mut nothing, 0, chunks)?;
        }
        self.changes(chunks)?;
        chunks.flush()?;
        // HDF5 does not begin while an attribute is open.
        let Self { group, counts, counts_stored, changes, threshold, .. } = self;
        drop(counts);
        chunks.start_swmr()?;
        self = Self { counts: Counts::open(&group)?, group, counts_stored, changes, threshold, is_swmr: true };
        chunks.flush()?;
        Ok(self)
    }

    /// Stores what is done to frames from `frame` on: another threshold, another dark image, which is given as its bytes, or both. Does
    /// not flush the file. Where HDF5 fails it can be called again.
    ///
    /// # Errors
    /// [`Error::Hdf5`], [`Error::Resized`]; [`Error::Codec`] for an image of another size than a frame.
    pub fn change(
        &mut self,
        frame: u64,
        threshold: Option<u16>,
        dark: Option<&[u8]>,
        chunks: &ChunkWriter,
    ) -> Result<()> {
        let expected = chunks.layer().frame_pixels() * chunks.element().n_bytes;
        if let Some(found) = dark.map(<[u8]>::len).filter(|found| *found != expected) {
            return Err(darkchunk::Error::BufferSize { what: "the dark image", expected, found }.into());
        }
        self.changes(chunks)?.change(frame, threshold, dark)
    }

    /// The group of changes, made where it is missing.
    fn changes(&mut self, chunks: &ChunkWriter) -> Result<&mut Changes> {
        let changes = match self.changes.take() {
            Some(changes) => changes,
            None => Changes::create(&self.group, chunks)?,
        };
        let changes = self.changes.insert(changes);
        changes.begin(self.threshold)?;
        Ok(changes)
    }

    /// Stores the counts if they were not stored a moment ago.
    pub(super) fn store_counts_if_due(&self, totals: &Totals, chunks: &ChunkWriter) -> Result<()> {
        if self.counts_stored.get().elapsed() < COUNTS_INTERVAL { Ok(()) } else { self.store_counts(totals, chunks) }
    }

    /// Stores the counts, which are of the last frames that are stored.
    pub(super) fn store_counts(&self, totals: &Totals, chunks: &ChunkWriter) -> Result<()> {
        self.store_counts_of(&totals.counts, totals.n_frames, chunks.n_stored() - totals.n_frames, chunks)
    }

    /// Stores the counts of `n_frames` frames, of which the first one is `first`.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn store_counts_of(&self, counts: &FrameCounts, n_frames: u64, first: u64, chunks: &ChunkWriter) -> Result<()> {
        let FrameCounts { n_bright, n_zeroed, zeroed_sum, n_saturated, n_sentinels, .. } = *counts;
        let session = chunks.library().session();
        let unsigned = chunks.library().ids().native_uint64;
        for (attribute, number) in [
            (&self.counts.frames, n_frames),
            (&self.counts.first_frame, first),
            (&self.counts.pixels_bright, n_bright),
            (&self.counts.pixels_zeroed, n_zeroed),
            (&self.counts.pixels_saturated, n_saturated),
            (&self.counts.pixels_sentinel, n_sentinels),
        ] {
            h5!(session, H5Awrite(attribute.get(), unsigned, (&raw const number).cast()))?;
        }
        self.counts_stored.set(Instant::now());
        let signed = chunks.library().ids().native_int64;
        h5!(session, H5Awrite(self.counts.zeroed_sum.get(), signed, (&raw const zeroed_sum).cast())).map(drop)
    }

    /// Stores the sum, which is of the last frames that are stored.
    pub(super) fn store_sum<P: FrameElement>(&self, encoder: &mut FrameEncoder<P>, chunks: &ChunkWriter) -> Result<()> {
        let Some(sum) = &mut encoder.totals_mut().sum else { return Ok(()) };
        let first = chunks.n_stored() - sum.n_frames();
        self.store_sum_of(sum, first, chunks)
    }

    /// Stores the sum of frames of which the first one is `first`.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn store_sum_of(&self, sum: &mut Sum, first: u64, chunks: &ChunkWriter) -> Result<()> {
        // A threshold may have come later, but none goes.
        let has_threshold = self.threshold.is_some();
        let (dims, n_frames) = (&chunks.layer().dims()[1..], sum.n_frames());
        let dataset = if sum.is_signed() && !has_threshold {
            array::write(&self.group, "sum", dims, sum.total())?
        } else {
            let total: Vec<u64> = sum.total().iter().map(|sum| sum.cast_unsigned()).collect();
            array::write(&self.group, "sum", dims, &total)?
        };
        object::set_number(&dataset, "frames", n_frames)?;
        object::set_number(&dataset, "first_frame", first)?;
        if self.is_swmr {
            return Ok(());
        }
        let place = chunks.place();
        place.nexus.as_ref().map_or(Ok(()), |nexus| nexus.show_sum(&dataset, place.at.get()))
    }
}

fn store_filter(group: &Id, chunks: &ChunkWriter) -> Result<()> {
    object::set_string(group, "software", concat!("darkchunk ", env!("CARGO_PKG_VERSION")))?;
    let Some((id, values)) = chunks.cd_values() else { return Ok(()) };
    object::set_number(group, "filter", id)?;
    object::set_string(group, "filter_name", Filter::from_cd_values(id, values)?.name())?;
    object::set_numbers(group, "filter_parameters", &[values.len() as u64], values)
}
