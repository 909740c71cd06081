//! Frames to a chunk: encoded where they will stand, padded, one filter.
//!
//! A chunk is `n_frames` frames of `height` x `width` elements. A [`ChunkEncoder`] takes them one by one. With DRLE each
//! frame is corrected and encoded in one pass, into its segment of the chunk that is being put together, and added to
//! the sum from there: no pixel is copied. The other codecs want whole chunks, so there the corrected frame goes into the
//! chunk's pixels first. A [`FrameEncoder`] is a `ChunkEncoder` that knows what is done to frames: it holds dark image and
//! threshold, and keeps the sum and the counts.

#![forbid(unsafe_code)]

mod compression;
mod encoder;
mod frame_encoder;
mod pixels;
mod sum;

/// Any codec by its number: what a chunk of frames is encoded with.
pub use crate::codec::Filter;
pub use compression::Compression;
pub use encoder::ChunkEncoder;
pub use frame_encoder::{FrameEncoder, Processing, Totals};
pub use pixels::FrameElement;
#[doc(hidden)]
pub use pixels::Kernels;
pub use sum::Sum;

use crate::codec::ChunkLayout;
use crate::element::ElementType;
use crate::{Error, Result};

/// The shape of a chunk of whole frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkShape {
    /// Frames a chunk.
    pub n_frames: usize,
    /// Rows a frame.
    pub height: usize,
    /// Elements a row.
    pub width: usize,
}

impl ChunkShape {
    /// Elements a frame.
    #[must_use]
    pub fn frame_pixels(&self) -> usize {
        self.height * self.width
    }

    /// Elements a chunk.
    #[must_use]
    pub fn chunk_pixels(&self) -> usize {
        self.n_frames * self.frame_pixels()
    }

    /// The shape as HDF5 takes it.
    #[must_use]
    pub fn dims(&self) -> [u64; 3] {
        [self.n_frames as u64, self.height as u64, self.width as u64]
    }

    /// What filters are told of such a chunk.
    ///
    /// # Errors
    /// [`Error::Argument`] where the chunk is empty, or larger than HDF5 allows.
    pub fn layout(&self, element: ElementType) -> Result<ChunkLayout> {
        if self.dims().contains(&0) {
            return Err(Error::Argument(format!("a chunk of shape {:?} is empty", self.dims())));
        }
        let layout = ChunkLayout::new(element, self.dims().to_vec());
        layout.chunk_bytes()?;
        Ok(layout)
    }
}

/// The threshold that frames are stored with: DRLE has its own, which another one may repeat but not contradict.
///
/// # Errors
/// [`Error::Argument`] where they contradict each other.
pub fn threshold(asked: Option<u16>, filter: Option<&Filter>) -> Result<Option<u16>> {
    let Some(Filter::Drle(drle)) = filter else { return Ok(asked) };
    match (asked, drle.threshold()) {
        (Some(asked), Some(stored)) if asked != stored => Err(Error::Argument(format!(
            "the threshold is {asked}, the DRLE dataset has {stored}: give the same, or none"
        ))),
        (_, stored) => Ok(stored),
    }
}
