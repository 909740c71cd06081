//! Frames in, chunks out: what is done to each frame before it is stored, and what is kept of all of them.
//!
//! [`ChunkEncoder`] encodes frames that others correct, sum and count for; this is the one who does. The writer of HDF5
//! files and the C library's encoder are both made of it.

use std::sync::Arc;

use super::pixels::{self, FrameElement};
use super::{ChunkEncoder, ChunkShape, Filter, Sum, threshold};
use crate::cpu::Level;
use crate::kernels::drle::{Correction, FrameCounts};
use crate::{Error, Exec, Result};

/// What is done to each frame before it is stored, and what is kept of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processing<P> {
    /// The image that is subtracted from each frame, `height * width` pixels. 16-bit frames only.
    pub dark: Option<Arc<[P]>>,
    /// The smallest value that is kept, 1 to 32767; smaller ones become 0. 16-bit frames only. With DRLE it is the
    /// filter's threshold, and can be left out.
    pub threshold: Option<u16>,
    /// Whether the frames are summed, as they are stored. 16-bit frames only.
    pub sum: bool,
    /// With which instructions and how many threads: [`ChunkEncoder::new`].
    pub exec: Exec,
}

impl<P> Default for Processing<P> {
    fn default() -> Self {
        Self { dark: None, threshold: None, sum: size_of::<P>() == 2, exec: Exec::current() }
    }
}

impl<P: FrameElement> Processing<P> {
    /// Refuses what the element type does not have, and a dark image of another size.
    fn check(&self, shape: &ChunkShape) -> Result<()> {
        // The kernels know what they take: an empty frame tells.
        let empty = self.dark.as_ref().map(|_| &[][..]);
        let mut no_sum = [0_u32; 0];
        let no_sum = self.sum.then_some(&mut no_sum[..]);
        pixels::correct::<P>(
            Level::SCALAR,
            &[],
            &Correction { dark: empty, threshold: self.threshold },
            no_sum,
            &mut [],
        )?;
        let (found, expected) = (self.dark.as_ref().map(|dark| dark.len()), shape.frame_pixels());
        match found {
            Some(found) if found != expected => Err(Error::BufferSize {
                what: "the dark image",
                expected: expected * size_of::<P>(),
                found: found * size_of::<P>(),
            }),
            _ => Ok(()),
        }
    }
}

/// What is kept of all frames so far.
#[non_exhaustive]
#[derive(Debug)]
pub struct Totals {
    /// Frames that `counts` are of.
    pub n_frames: u64,
    /// What became of their pixels.
    pub counts: FrameCounts,
    /// The sum of the frames as they are stored, which knows of how many; `None` where it is not kept.
    pub sum: Option<Sum>,
}

/// Puts chunks together from frames: dark image, threshold, sum, counts and encoding.
///
/// ```
/// use darkchunk::chunk::{ChunkShape, Compression, Filter, FrameEncoder, Processing};
/// use darkchunk::element::ElementType;
///
/// let shape = ChunkShape { n_frames: 2, height: 480, width: 640 };
/// // DRLE keeps pixels from 20 counts on; these are the parameters that the dataset stores.
/// let drle = Compression::drle(20);
/// let values = Filter::localise(36114, &drle.values, &shape.layout(ElementType::I16)?)?;
/// let filter = Filter::from_cd_values(36114, &values)?;
///
/// let processing = Processing { dark: Some(vec![100_i16; 480 * 640].into()), ..Processing::default() };
/// let mut encoder = FrameEncoder::new(shape, Some(filter), processing)?;
/// let mut frame = vec![103_i16; 480 * 640];
/// frame[7] = 900;
/// encoder.push(&frame)?;
/// encoder.push(&frame)?;
/// assert!(encoder.is_full());
/// let n_bytes = encoder.encode()?.len(); // what H5Dwrite_chunk takes
/// assert!(n_bytes < 100);
/// encoder.clear();
/// assert_eq!((encoder.totals().n_frames, encoder.totals().counts.n_bright), (2, 2));
/// assert_eq!(encoder.sum().map(|sum| sum[6..8].to_vec()), Some(vec![0, 1600]));
/// # Ok::<(), darkchunk::Error>(())
/// ```
#[derive(Debug)]
pub struct FrameEncoder<P> {
    chunk: ChunkEncoder<P>,
    shape: ChunkShape,
    processing: Arc<Processing<P>>,
    /// The threshold of `processing`, or the filter's.
    threshold: Option<u16>,
    /// The filter's own.
    filters_threshold: Option<u16>,
    totals: Totals,
}

impl<P: FrameElement> FrameEncoder<P> {
    /// An encoder of chunks of `shape`; `filter` has been read from the dataset's stored parameters. Several encoders can
    /// share what they do to frames, in an [`Arc`].
    ///
    /// # Errors
    /// As [`ChunkEncoder::new`]; [`Error::Argument`] for a dark image, a threshold or a sum that the element type
    /// does not have, and for a threshold that is not the filter's; [`Error::BufferSize`] for a dark image of another
    /// size.
    pub fn new(shape: ChunkShape, filter: Option<Filter>, processing: impl Into<Arc<Processing<P>>>) -> Result<Self> {
        let processing = processing.into();
        let filters_threshold = threshold(None, filter.as_ref())?;
        let threshold = threshold(processing.threshold, filter.as_ref())?;
        processing.check(&shape)?;
        let chunk = ChunkEncoder::new(processing.exec, shape, filter)?;
        let sum = processing.sum.then(|| Sum::new::<P>(shape.frame_pixels()));
        let totals = Totals { n_frames: 0, counts: FrameCounts::default(), sum };
        Ok(Self { chunk, shape, processing, threshold, filters_threshold, totals })
    }

    /// From now on does to frames what `processing` says of dark image and threshold; with DRLE and without a threshold, that is the
    /// filter's. Sum and counts go on, and instructions and threads stay.
    ///
    /// # Errors
    /// As [`check_change`](Self::check_change), and [`Error::Argument`] where the chunk has frames. All is as it was then.
    pub fn change(&mut self, processing: impl Into<Arc<Processing<P>>>) -> Result<()> {
        let processing = processing.into();
        self.check_change(&processing)?;
        if self.n_frames() > 0 {
            return Err(Error::Argument("the chunk has frames with which something else was done".into()));
        }
        let threshold = processing.threshold.or(self.filters_threshold);
        threshold.map_or(Ok(()), |threshold| self.chunk.set_threshold(threshold))?;
        (self.threshold, self.processing) = (threshold, processing);
        Ok(())
    }

    /// Whether [`change`](Self::change) can be, once the chunk is empty.
    ///
    /// # Errors
    /// [`Error::Argument`] for a dark image or a threshold that the element type does not have, and another threshold for a bare DRLE stream;
    /// [`Error::BufferSize`] for a dark image of another size.
    pub fn check_change(&self, processing: &Processing<P>) -> Result<()> {
        processing.check(&self.shape)?;
        processing.threshold.map_or(Ok(()), |threshold| self.chunk.check_threshold(threshold))
    }

    /// Takes one frame, row by row.
    ///
    /// # Errors
    /// As [`ChunkEncoder::push`]: the frame is not taken, all else is as it was.
    pub fn push(&mut self, frame: &[P]) -> Result<()> {
        self.push_strips(&[frame])
    }

    /// Takes one frame that lies in several pieces, in their order: rows, strips, or modules one above the other.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_strips(&mut self, strips: &[&[P]]) -> Result<()> {
        self.take(1, |chunk, correction, sum| chunk.push(strips, correction, sum))
    }

    /// Takes one frame, and overwrites it with the pixels that are stored: dark image subtracted, threshold applied.
    ///
    /// # Errors
    /// As [`push`](Self::push). A frame that is refused may be overwritten in part.
    pub fn push_in_place(&mut self, frame: &mut [P]) -> Result<()> {
        self.take(1, |chunk, correction, sum| chunk.push_in_place(frame, correction, sum))
    }

    /// Takes several frames, each in one piece, in their order: as [`push`](Self::push) of each, but faster with DRLE,
    /// because they share what is loaded of the sum and, with AVX-512, of the dark image.
    ///
    /// # Errors
    /// As [`push`](Self::push) of the first frame that is not taken; those before it are, and none after it.
    /// [`n_frames`](Self::n_frames) tells how many.
    pub fn push_frames(&mut self, frames: &[&[P]]) -> Result<()> {
        frames.chunks(Sum::MAX_FRAMES).try_for_each(|frames| {
            let at_once = self.take(frames.len(), |chunk, correction, sum| chunk.push_frames(frames, correction, sum));
            // One of them is refused: which one, and the error, is found one by one.
            at_once.or_else(|_| frames.iter().try_for_each(|frame| self.push(frame)))
        })
    }

    /// Takes several frames, in their order, and overwrites each with the pixels that are stored: as
    /// [`push_in_place`](Self::push_in_place) of each.
    ///
    /// # Errors
    /// As [`push_frames`](Self::push_frames). The frame that is refused may be overwritten in part, those after it are as they were.
    pub fn push_frames_in_place(&mut self, frames: &mut [&mut [P]]) -> Result<()> {
        frames.iter_mut().try_for_each(|frame| self.push_in_place(frame))
    }

    /// Takes a frame of the last chunk back, as it is stored: it is neither corrected, nor summed, nor counted.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn take_back(&mut self, stored: &[P]) -> Result<()> {
        self.chunk.push(&[stored], &Correction { dark: None, threshold: None }, None).map(drop)
    }

    /// Hands `n_frames` to the chunk and counts them, where it takes them.
    fn take(
        &mut self,
        n_frames: usize,
        push: impl FnOnce(&mut ChunkEncoder<P>, &Correction<'_, P>, Option<&mut [u32]>) -> Result<FrameCounts>,
    ) -> Result<()> {
        let correction = Correction { dark: self.processing.dark.as_deref(), threshold: self.threshold };
        let sum = self.totals.sum.as_mut().map(|sum| sum.partial_mut(n_frames));
        self.totals.counts += push(&mut self.chunk, &correction, sum)?;
        if let Some(sum) = &mut self.totals.sum {
            sum.added(n_frames);
        }
        self.totals.n_frames += n_frames as u64;
        Ok(())
    }

    /// The chunk as it is to be stored: [`ChunkEncoder::encode`].
    ///
    /// # Errors
    /// What the codec refuses.
    pub fn encode(&mut self) -> Result<&[u8]> {
        self.chunk.encode()
    }

    /// Begins the next chunk. Sum and counts go on.
    pub fn clear(&mut self) {
        self.chunk.clear();
    }

    /// Frames that are in the chunk.
    #[must_use]
    pub fn n_frames(&self) -> usize {
        self.chunk.n_frames()
    }

    /// Frames that can still be added.
    #[must_use]
    pub fn n_free(&self) -> usize {
        self.chunk.n_free()
    }

    /// Whether no other frame fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.chunk.is_full()
    }

    /// The chunk's shape.
    #[must_use]
    pub fn shape(&self) -> &ChunkShape {
        &self.shape
    }

    /// What is done to frames.
    #[must_use]
    pub fn processing(&self) -> &Arc<Processing<P>> {
        &self.processing
    }

    /// The dark image that is subtracted.
    #[must_use]
    pub fn dark(&self) -> Option<&[P]> {
        self.processing.dark.as_deref()
    }

    /// The smallest value that is kept, given or the filter's.
    #[must_use]
    pub fn threshold(&self) -> Option<u16> {
        self.threshold
    }

    /// What is kept of all frames so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The same, for who continues an earlier recording or stores the sum.
    pub fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// The sum of all frames so far, as they are stored: `height * width` numbers. `None` where it is not kept.
    pub fn sum(&mut self) -> Option<&[i64]> {
        self.totals.sum.as_mut().map(Sum::total)
    }
}
