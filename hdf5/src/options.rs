//! What a writer is told, and what it says of its work.

use std::time::Duration;

use darkchunk::Threads;
use darkchunk::chunk::Compression;
use darkchunk::kernels::dark::FrameCounts;

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
        Self { path, height, width, frames_per_chunk: 1, compression, nexus: true }
    }
}

/// What is done to each frame before it is stored, and what is kept of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processing<P> {
    /// The image that is subtracted from each frame, `height * width` pixels. 16-bit frames only.
    pub dark: Option<Vec<P>>,
    /// The least value that is kept, 1 to 32767; smaller ones become 0. 16-bit frames only. With DRLE it is the filter's
    /// threshold, and can be left out.
    pub threshold: Option<u16>,
    /// Whether the frames are summed, as they are stored. 16-bit frames only.
    pub sum: bool,
    /// When the file is flushed.
    pub flush: Flush,
    /// How many threads encode a chunk: [`ChunkEncoder::with_threads`](darkchunk::chunk::ChunkEncoder::with_threads). HDF5 is
    /// called on the calling one only.
    pub threads: Threads,
}

impl<P> Default for Processing<P> {
    fn default() -> Self {
        Self { dark: None, threshold: None, sum: size_of::<P>() == 2, flush: Flush::default(), threads: Threads::ONE }
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
    /// Only when asked to, and at the end: what a killed writer leaves cannot be opened.
    pub const NEVER: Self = Self { frames: None, interval: None };
}

impl Default for Flush {
    fn default() -> Self {
        Self { frames: None, interval: Some(Duration::from_secs(1)) }
    }
}

/// What a writer has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Frames that were taken.
    pub n_pushed: u64,
    /// Frames the dataset has, with those that were there before.
    pub n_stored: u64,
    /// Frames that a crash of the process cannot lose any more.
    pub n_flushed: u64,
    /// Bytes of the chunks that were written.
    pub stored_bytes: u64,
    /// What became of the pixels of the frames that `n_counted` counts.
    pub counts: FrameCounts,
    /// Frames that the counts and the sum are of: those taken, and those of an earlier recording that was continued.
    pub n_counted: u64,
}
