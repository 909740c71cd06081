//! Threshold and dark image that change while frames come.
//!
//! A change is of whole chunks: it holds from the first chunk after all frames that have come. It is kept here until no frame before it can
//! come any more, so that a late frame is encoded as its own number wants it; and the one that calls HDF5 stores it before the first
//! chunk that it is of ([`Pending`]).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use darkchunk::chunk::Processing;
use darkchunk::element::as_bytes;
use darkchunk_hdf5::FileElement;

use super::Recorder;
use super::buffer::Buffer;
use crate::Result;

/// What is done to frames, by the index of the first of them.
#[derive(Debug)]
pub(super) struct Changes<P>(Mutex<VecDeque<(u64, Arc<Processing<P>>)>>);

impl<P> Changes<P> {
    pub(super) fn new(processing: &Arc<Processing<P>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(VecDeque::from([(0, Arc::clone(processing))]))))
    }

    /// What is done to a frame.
    pub(super) fn at(&self, index: u64) -> Arc<Processing<P>> {
        let all = self.lock();
        let at = all.partition_point(|(first, _)| *first <= index);
        Arc::clone(&all[at.max(1) - 1].1)
    }

    /// What is done to frames that are still to come.
    pub(super) fn newest(&self) -> Arc<Processing<P>> {
        self.at(u64::MAX)
    }

    /// From `first` on this is done. No frame before `oldest` can come any more.
    fn push(&self, first: u64, processing: Arc<Processing<P>>, oldest: u64) {
        let mut all = self.lock();
        all.push_back((first, processing));
        while all.get(1).is_some_and(|(second, _)| *second <= oldest) {
            all.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Arc<Processing<P>>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change that is to be stored.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) frame: u64,
    pub(super) threshold: Option<u16>,
    /// The new dark image; `None` where that stays.
    pub(super) dark: Option<Arc<[u8]>>,
}

/// What a caller wants to be done from now on.
#[derive(Debug, Clone)]
pub(super) enum Wanted<P> {
    Threshold(u16),
    Dark(Option<Arc<[P]>>),
}

impl<P: FileElement> Wanted<P> {
    fn apply(self, processing: &mut Processing<P>) {
        match self {
            Self::Threshold(threshold) => processing.threshold = Some(threshold),
            Self::Dark(dark) => processing.dark = dark,
        }
    }

    /// What the file is to say, of frames of so many pixels. There no dark image is one of zeros.
    fn pending(&self, frame: u64, n_pixels: usize) -> Pending {
        match self {
            Self::Threshold(threshold) => Pending { frame, threshold: Some(*threshold), dark: None },
            Self::Dark(dark) => {
                let zeros = if dark.is_none() { vec![P::default(); n_pixels] } else { Vec::new() };
                let image = as_bytes(dark.as_deref().unwrap_or(&zeros)).into();
                Pending { frame, threshold: None, dark: Some(image) }
            }
        }
    }
}

impl<P: FileElement + Into<i64>, B: Buffer> Recorder<P, B> {
    /// Keeps pixels from `threshold` on, 1 to 32767, in the chunks after all frames that have come: returns the number of the first frame
    /// that this is of. A frame before it that comes later is stored as it would have been. The file has what was changed, in the group
    /// `changes` beside the frames, and a DRLE chunk says its threshold.
    ///
    /// A program that has the dataset's own filter encode frames again, such as one that copies them to other chunks, applies the
    /// threshold that the dataset was made with: what a lower one has kept is lost in the copy. So make the dataset with the lowest.
    ///
    /// # Errors
    /// [`Error::Hdf5`](crate::Error::Hdf5) for a threshold out of range, elements that are no pixels, and a bare DRLE stream, which does not say its threshold;
    /// [`Error::Finished`](crate::Error::Finished), [`Error::Forked`](crate::Error::Forked). Nothing is changed then.
    pub fn set_threshold(&mut self, threshold: u16) -> Result<u64> {
        self.change_from(0, Wanted::Threshold(threshold)).map(|(number, _)| number)
    }

    /// Subtracts another dark image, or none, in the same way.
    ///
    /// # Errors
    /// As [`set_threshold`](Self::set_threshold); [`Error::Hdf5`](crate::Error::Hdf5) for an image of another size.
    pub fn set_dark(&mut self, dark: Option<Vec<P>>) -> Result<u64> {
        self.change_from(0, Wanted::Dark(dark.map(Arc::from))).map(|(number, _)| number)
    }

    /// The same, and not before the frame `index` of the measurement. Returns the number of the first frame of this file that it is of,
    /// and the index in the measurement after which there is no frame as before.
    pub(super) fn change_from(&mut self, index: u64, wanted: Wanted<P>) -> Result<(u64, u64)> {
        let inner = self.inner()?;
        let mut processing = Processing::clone(&inner.changes.newest());
        wanted.clone().apply(&mut processing);
        let encoder = inner.threads.encoder();
        encoder.check_change(&processing).map_err(darkchunk_hdf5::Error::from)?;
        inner.checks.note_change();
        let mut shown = inner.shared.lock();
        let (numbering, (frame, oldest)) = (shown.order.numbering(), shown.order.next_start(index));
        shown.changes.push_back(wanted.pending(frame, encoder.shape().frame_pixels()));
        drop(shown);
        inner.changes.push(frame, Arc::new(processing), oldest);
        let end = frame.checked_sub(1).map_or(0, |last| numbering.share.index(last).saturating_add(1));
        Ok((numbering.number(frame), end))
    }
}
