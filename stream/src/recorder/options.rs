//! What a recorder is told.

use std::path::PathBuf;

use darkchunk::chunk::ChunkShape;
use darkchunk::element::ElementType;
use darkchunk_hdf5::{Column, Flush};

use super::numbers::WINDOW;
use super::order::Rules;
use super::pixels::PixelFormat;
use super::share::{Numbering, Share};
use super::sums::Classes;
use super::veto::Veto;
use crate::{Error, Reserve, Result};

/// What is done with a frame for which there is no memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// [`push`](super::Recorder::push) helps to encode, and returns when there is room.
    #[default]
    Block,
    /// The frame is not taken, marked and counted.
    Drop,
}

/// How a recorder works.
#[derive(Debug, Clone)]
pub struct Options<P> {
    /// Threads that encode, beside the pushing one, which helps where it would have to wait. 0: it does everything.
    pub n_workers: usize,
    /// The most memory that frames and encoded chunks take, copied ones as well as those that are lent. The workers' own is not counted, but
    /// where chunks are [bricks](darkchunk_hdf5::Dataset::rows_per_chunk): then each has room for all frames of a chunk, whole, and
    /// the [live view](super::Live) as much.
    pub max_bytes: usize,
    /// What is done where that is not enough.
    pub policy: Policy,
    /// When the file is flushed.
    pub flush: Flush,
    /// Whether HDF5 is handed over: it is called on a thread of the recorder then, and nobody else may call it before
    /// [`finish`](super::Recorder::finish) has returned, unless the table of functions has a lock that everybody uses.
    pub writer_thread: bool,
    /// The number of the frame that has index 0 in the dataset, or in the measurement that the dataset is a part of.
    pub first_number: u64,
    /// Which frames of a measurement in several files this one has; others are out of range. `None`: it has all, and is no part.
    pub share: Option<Share>,
    /// With several frames a chunk: how many frames after the end of a chunk others may come before it is closed, and those that are
    /// missing in it are late. At most [`MAX_REORDER`].
    pub reorder: u64,
    /// How far after the newest frame another may be, at most [`MAX_GAP`]; one that is farther off is taken for an error of the source.
    pub max_gap: u64,
    /// How the pixels are delivered.
    pub format: PixelFormat,
    /// Whether the memory of a frame that is pushed is overwritten with the pixels that are stored, dark image subtracted and threshold applied,
    /// before it is released. A frame that is vetoed stays as it is; one that cannot be encoded may be overwritten in part. Not with a format of
    /// a camera.
    pub in_place: bool,
    /// Which frames are stored.
    pub veto: Option<Veto<P>>,
    /// Whether a [journal](crate::journal) is written beside the file, from which it is restored after a crash. It is removed when the
    /// recording is finished. There is none where HDF5 does not write a plain file: see [`Recorder::journal`](super::Recorder::journal).
    pub journal: bool,
    /// Bytes of the disk that are [kept](Reserve) beside the file, so that it can be closed when the disk is full; 0: none. They are in a
    /// file of its name with `.reserve` appended, which goes when the recording is finished. It is also to hold the
    /// metadata of frames that come after that. There is none where HDF5 does not write a plain file.
    pub reserve_bytes: u64,
    /// A file that is to have where the blocks of the chunks are (bitshuffle with a compression, LZ4): an index for
    /// [`Reader::load_index`](crate::Reader::load_index). It is there when the recording is finished, and nowhere after a kill, which leaves a
    /// file of this name with the process's number and `.part` appended; where it cannot be written, as on a full disk, the recording goes on without it, and
    /// [`fault`](super::Recorder::fault) says why. Of several files each has its own: its name with `.index` appended. It takes 40 bytes of memory
    /// a chunk.
    pub index: Option<PathBuf>,
    /// Whether others may read the file while it is written (SWMR). It must have been
    /// [made for that](darkchunk_hdf5::File::create_for_swmr), and nothing else may write to it. What is flushed is read by any program that
    /// opens the file so, also after a kill at any moment; but after a kill it opens in no other way (until `h5clear -s`). Nothing is made in
    /// the file after it has begun: the sum is there from the beginning, of no frames.
    pub swmr: bool,
    /// Frames whose sums are also to be seen apart, in the [live view](super::Live); the file has the sum of all.
    pub classes: Option<Classes>,
    /// Whether the greatest value of each pixel is kept, for the [live view](super::Live): an image in each worker. With other filters than DRLE
    /// each chunk is decoded again for it.
    pub maximum: bool,
    /// Numbers that each frame has beside its pixels. With the column `frame_status`, which is always there, they are in the group
    /// beside the dataset, whose name is the dataset's with `_darkchunk` appended.
    pub columns: Vec<Column>,
}

impl<P> Default for Options<P> {
    fn default() -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            n_workers: n_cores.saturating_sub(1).max(1),
            max_bytes: 512 << 20,
            policy: Policy::Block,
            flush: Flush::default(),
            writer_thread: false,
            first_number: 0,
            share: None,
            reorder: 64,
            max_gap: 100_000,
            format: PixelFormat::Native,
            in_place: false,
            veto: None,
            journal: true,
            reserve_bytes: Reserve::DEFAULT_BYTES,
            index: None,
            swmr: false,
            classes: None,
            maximum: false,
            columns: Vec::new(),
        }
    }
}

/// The most that [`Options::max_gap`] can be: of so many frames is known what became of them.
pub const MAX_GAP: u64 = 1_044_480;

const _: () = assert!(MAX_GAP == WINDOW, "those are the frames of the window");

/// The most that [`Options::reorder`] can be: a chunk that waits longer would leave the window.
pub const MAX_REORDER: u64 = MAX_GAP / 2;

/// Chunks that may be under way. It bounds what queues take; the memory of frames is bounded by its bytes.
pub(super) const MAX_JOBS: usize = 1024;

impl<P> Options<P> {
    /// What workers, the pushing thread and the live view have of their own where chunks are bricks.
    fn own_bytes(&self, layer: &ChunkShape, shape: &ChunkShape, element: ElementType) -> usize {
        let bytes = |shape: &ChunkShape| shape.chunk_pixels().saturating_mul(element.n_bytes);
        // A brick, and room for it encoded, are small beside a layer.
        let n_layers = 1 + usize::from(self.maximum);
        let worker = bytes(layer).saturating_mul(n_layers).saturating_add(bytes(shape).saturating_mul(2));
        worker.saturating_mul(self.n_workers.saturating_add(1)).saturating_add(bytes(layer))
    }

    pub(super) fn numbering(&self) -> Numbering {
        Numbering { first_number: self.first_number, share: self.share.unwrap_or(Share::ALL) }
    }

    /// What is left of the memory for frames and encoded chunks; refuses where that is not enough for two chunks.
    fn memory(&self, layer: &ChunkShape, shape: &ChunkShape, element: ElementType) -> Result<usize> {
        let own_bytes = if layer == shape { 0 } else { self.own_bytes(layer, shape, element) };
        let frame_bytes = self.format.frame_bytes(layer.frame_pixels(), element);
        let least = frame_bytes.saturating_mul(2 * shape.n_frames).saturating_add(own_bytes);
        if self.max_bytes >= least {
            return Ok(self.max_bytes - own_bytes);
        }
        let (max_bytes, n, n_workers) = (self.max_bytes, shape.n_frames, self.n_workers);
        Err(Error::Argument(if own_bytes == 0 {
            format!(
                "max_bytes is {max_bytes}, two chunks of {n} frames have {least}: give more, or put fewer frames in a chunk"
            )
        } else {
            format!(
                "max_bytes is {max_bytes}, chunks of {} rows of {n} frames need {least} with {n_workers} workers: twice the {n} frames, \
                 as much as they are for each worker, for the pushing thread and for the live view: give more, or fewer workers, \
                 or put fewer frames in a chunk",
                shape.height
            )
        }))
    }

    pub(super) fn rules(&self, layer: &ChunkShape, shape: &ChunkShape, element: ElementType) -> Result<Rules> {
        self.format.check(element).map_err(darkchunk_hdf5::Error::from)?;
        layer.layout(element).map_err(darkchunk_hdf5::Error::from)?;
        let max_bytes = self.memory(layer, shape, element)?;
        if self.in_place && self.format != PixelFormat::Native {
            let text = format!(
                "in_place with {:?}: pixels are stored in another form than they came: give Native",
                self.format
            );
            return Err(Error::Argument(text));
        }
        if let Some(share) = self.share.filter(|share| !share.is_sound()) {
            return Err(Error::Argument(format!("{share:?}: give rows of frames that do not overlap")));
        }
        if self.max_gap > MAX_GAP {
            let found = self.max_gap;
            return Err(Error::Argument(format!("max_gap is {found}, and can be {MAX_GAP} at most: give less")));
        }
        if self.reorder > MAX_REORDER {
            let found = self.reorder;
            return Err(Error::Argument(format!("reorder is {found}, and can be {MAX_REORDER} at most: give less")));
        }
        Ok(Rules {
            frames_per_chunk: shape.n_frames as u64,
            numbering: self.numbering(),
            reorder: self.reorder,
            max_gap: self.max_gap,
            max_bytes,
            max_jobs: MAX_JOBS,
            pixel_bytes: (layer.frame_pixels() * element.n_bytes) as u64,
        })
    }
}
