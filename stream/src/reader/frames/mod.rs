//! What is asked of frames and is no image: the pixels that are not 0, sums over frames, sums over regions of a frame.
//!
//! Frames lie along the first axis; a frame is all that is at one place of it, and has a number of pixels. The chunks of the frames that
//! are asked for are decoded in threads, piece by piece, and each piece is used while it is in the cache; DRLE's pixels come out of its
//! streams. Where chunks are not whole frames, or the dataset is not read directly, frames are read as images.

mod gather;
mod integrate;
mod pixels;
mod reduce;
mod walk;

use std::ops::Range;

pub use gather::{Regions, Sparse};
pub use integrate::{Bins, Integrated};
pub use reduce::{Reduced, Reduction};

use super::Reader;
use crate::{Error, Result};
use gather::{Labelled, Select};
use pixels::Kind;
use walk::{Wanted, walk_all};

impl Reader {
    /// Pixels of a frame.
    ///
    /// # Errors
    /// [`Error::Argument`] where there are no frames, or pixels that are no integers of up to 32 bits.
    pub fn frame_pixels(&self) -> Result<usize> {
        Ok(self.frame()?.1)
    }

    /// How pixels are stored, and how many a frame has.
    fn frame(&self) -> Result<(Kind, usize)> {
        let kind = Kind::new(self.element()).ok_or_else(|| {
            let element = self.element();
            Error::Argument(format!(
                "this is for integers of up to 32 bits, its elements are {element}: read its frames"
            ))
        })?;
        let Some((_, frame)) = self.dims().split_first() else {
            return Err(Error::Argument("a dataset without axes has no frames".into()));
        };
        let n = frame.iter().try_fold(1_usize, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
        let n = n.filter(|n| u32::try_from(*n).is_ok());
        let n = n.ok_or_else(|| Error::Argument("a frame has more pixels than there are numbers of 32 bits".into()))?;
        Ok((kind, n))
    }

    fn check_frames(&self, frames: &Range<u64>) -> Result<()> {
        let n_frames = self.dims().first().copied().unwrap_or(0);
        if frames.start <= frames.end && frames.end <= n_frames {
            return Ok(());
        }
        Err(Error::Argument(format!("frames {frames:?} of a dataset that has {n_frames}")))
    }

    /// The pixels of these frames that are neither 0 nor `ignore`, frame by frame.
    ///
    /// # Errors
    /// As [`read`](Reader::read); [`Error::Argument`] for frames that are not there, and as [`frame_pixels`](Self::frame_pixels).
    pub fn sparse(&self, frames: Range<u64>, ignore: Option<i64>) -> Result<Sparse> {
        let (kind, n_pixels) = self.frame()?;
        self.check_frames(&frames)?;
        let found = walk_all(self, Wanted::all(kind, n_pixels, frames.clone()), move || Select::new(kind, ignore))?;
        Ok(Select::join(found, frames))
    }

    /// For each frame and each label the sum of its pixels, the sum of their squares, and how many there are; without those that are
    /// `ignore`. `labels` has a number for each pixel of a frame, those from `n_labels` on are of no region.
    ///
    /// # Errors
    /// As [`sparse`](Self::sparse); [`Error::Argument`] where there are not as many labels as pixels.
    pub fn regions(&self, frames: Range<u64>, ignore: Option<i64>, labels: &[u32], n_labels: usize) -> Result<Regions> {
        let (kind, n_pixels) = self.frame()?;
        self.check_frames(&frames)?;
        if labels.len() != n_pixels {
            return Err(Error::Argument(format!("{} labels for {n_pixels} pixels of a frame", labels.len())));
        }
        let labels: std::sync::Arc<[u32]> = labels.into();
        let shared = std::sync::Arc::clone(&labels);
        let make = move || Labelled::new(kind, &shared, n_labels, ignore);
        let found = walk_all(self, Wanted::all(kind, n_pixels, frames.clone()), make)?;
        Labelled::join(found, frames, (&labels, n_labels), ignore)
    }
}
