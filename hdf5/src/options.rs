//! What a writer is told, and what it says of its work.

use std::time::Duration;

use darkchunk::chunk::{ChunkShape, Compression};
use darkchunk::kernels::drle::FrameCounts;

use super::layers::Layers;

/// The dataset that a writer is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its path, from the group or file that is handed over with it; groups that are missing are made.
    pub path: String,
    /// Rows of a frame.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Frames of a chunk.
    pub frames_per_chunk: usize,
    /// Rows of a chunk; `None`: all rows of a frame. A chunk of fewer is a *brick*: a row of all frames, such as a sinogram, is in few of
    /// them. A [`Recorder`](https://docs.rs/darkchunk-stream) writes bricks, a [`Writer`](crate::Writer) does not.
    pub rows_per_chunk: Option<usize>,
    /// What chunks are compressed with.
    pub compression: Compression,
    /// Whether NeXus groups are made around it, so that viewers show the frames. The path must then be of the form
    /// `/entry/instrument/detector/data`.
    pub nexus: bool,
}

impl Dataset {
    /// The usual place of NeXus, one frame a chunk.
    #[must_use]
    pub fn new(height: usize, width: usize, compression: Compression) -> Self {
        let path = "/entry/instrument/detector/data".to_owned();
        Self { path, height, width, frames_per_chunk: 1, rows_per_chunk: None, compression, nexus: true }
    }

    /// The shape of a chunk.
    #[must_use]
    pub fn chunk(&self) -> ChunkShape {
        let height = self.rows_per_chunk.unwrap_or(self.height);
        ChunkShape { n_frames: self.frames_per_chunk, height, width: self.width }
    }

    /// How its chunks are numbered.
    #[must_use]
    pub fn layers(&self) -> Layers {
        let ChunkShape { n_frames, height, .. } = self.chunk();
        Layers::new(n_frames as u64, height as u64, self.height as u64)
    }
}

/// After how many frames, and after how much time, the file is flushed, whichever comes first. It is looked at when a
/// chunk has been stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flush {
    /// After this many frames.
    pub frames: Option<u64>,
    /// After this much time.
    pub interval: Option<Duration>,
}

impl Flush {
    /// Only when the dataset is made, after a chunk that is written again, when asked to, and at the end: a killed writer may
    /// leave no frame.
    pub const NEVER: Self = Self { frames: None, interval: None };
}

impl Default for Flush {
    fn default() -> Self {
        Self { frames: None, interval: Some(Duration::from_secs(1)) }
    }
}

/// What a writer has done so far.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Frames that were taken.
    pub n_pushed: u64,
    /// Frames the dataset has, with those that were there before.
    pub n_stored: u64,
    /// Frames that a crash of the process cannot lose any more; [`ChunkWriter`](super::ChunkWriter) says what is between.
    pub n_flushed: u64,
    /// Bytes of the chunks that were written.
    pub stored_bytes: u64,
    /// What became of the pixels of the frames that `n_counted` counts.
    pub counts: FrameCounts,
    /// Frames that the counts are of: those taken, and those of an earlier recording that was continued.
    pub n_counted: u64,
}
