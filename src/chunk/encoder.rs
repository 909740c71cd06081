//! Frames in, one encoded chunk out.

use super::pixels::{self, FrameElement};
use super::{ChunkShape, Filter};
use crate::codec::drle::{ContainerWriter, Drle, Mode, Packer, close_segment};
use crate::cpu::Level;
use crate::element::as_bytes;
use crate::kernels::drle::{BatchFrame, Correction, Encoded, Exceptions, FrameCounts};
use crate::{Error, Exec, Result};

/// Bytes from the room for a frame's stream to the next, where frames are encoded at once. Large frames have sizes such as
/// 2 MiB, a multiple of what a way of a cache holds: streams that begin so far apart, which are much shorter, would all share the same
/// places of the caches. So a few pages are left between them, and two lines, that not even their first lines do.
fn room_bytes(frame_bytes: usize) -> usize {
    const LARGE: usize = 256 << 10;
    if frame_bytes < LARGE { frame_bytes } else { frame_bytes.next_multiple_of(4096) + 2 * 4096 + 2 * 64 }
}

/// Puts chunks together. Its memory is that of one or two chunks, taken once.
#[derive(Debug)]
pub struct ChunkEncoder<P> {
    exec: Exec,
    shape: ChunkShape,
    n_frames: usize,
    store: Store<P>,
}

/// What is there of the chunk so far.
#[derive(Debug)]
enum Store<P> {
    /// DRLE: the container with the segments of the frames that are done. `exceptions` are those of the last frame, and `fill`
    /// is the dataset's fill value, where that is a sentinel. A `packer` packs the finished container.
    Container { writer: ContainerWriter<Vec<u8>>, exceptions: Exceptions, fill: Option<u16>, packer: Option<Packer> },
    /// DRLE without a container: the streams, one after the other, which are the stream of all the pixels.
    Bare { threshold: u16, n_bytes: usize, chunk: Vec<u8> },
    /// The corrected pixels, and room for the encoded chunk where there is a codec.
    Pixels { pixels: Vec<P>, codec: Option<(Filter, Vec<u8>)> },
}

/// One frame, as the caller has it.
enum Input<'a, P> {
    Strips(&'a [&'a [P]]),
    InPlace(&'a mut [P]),
}

impl<P: FrameElement> ChunkEncoder<P> {
    /// An encoder of chunks of `shape`; `filter` has been read from the dataset's stored parameters. The threads of `exec`
    /// work for a codec that gets whole chunks, and with DRLE on frames that are pushed several at once: a frame that is pushed
    /// alone is encoded by the calling thread.
    ///
    /// # Errors
    /// [`Error::Argument`] where the chunk is empty or too large, for DRLE parameters without a threshold or with
    /// segments that are not frames, and for DRLE of other elements than 16-bit integers.
    pub fn new(exec: Exec, shape: ChunkShape, filter: Option<Filter>) -> Result<Self> {
        shape.layout(P::TYPE)?;
        let store = match filter {
            Some(Filter::Drle(drle)) => Store::drle(&drle, shape)?,
            filter => {
                let n_bytes = shape.chunk_pixels() * size_of::<P>();
                let codec = filter.map(|filter| {
                    let room = vec![0; filter.max_encoded_len(n_bytes)];
                    (filter, room)
                });
                Store::Pixels { pixels: vec![P::default(); shape.chunk_pixels()], codec }
            }
        };
        Ok(Self { exec, shape, n_frames: 0, store })
    }

    /// Frames that are in the chunk.
    #[must_use]
    pub fn n_frames(&self) -> usize {
        self.n_frames
    }

    /// Frames that can still be added.
    #[must_use]
    pub fn n_free(&self) -> usize {
        self.shape.n_frames - self.n_frames
    }

    /// Whether no other frame fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.n_frames == self.shape.n_frames
    }

    /// Begins the next chunk.
    pub fn clear(&mut self) {
        self.n_frames = 0;
        match &mut self.store {
            Store::Container { writer, .. } => writer.clear(),
            Store::Bare { n_bytes, .. } => *n_bytes = 0,
            Store::Pixels { .. } => {}
        }
    }

    /// Refuses a threshold that chunks of a bare stream, which do not say theirs, cannot have.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn check_threshold(&self, threshold: u16) -> Result<()> {
        match self.store {
            Store::Bare { threshold: own, .. } if own != threshold => Err(Error::Argument(format!(
                "a bare DRLE stream does not say its threshold, so that all have that of the dataset, {own}: make the dataset \
                 with DRLE containers"
            ))),
            _ => Ok(()),
        }
    }

    /// Has DRLE keep pixels from `threshold` on, in this chunk, which has no frame yet, and the following ones. The other codecs take
    /// the threshold with each frame.
    ///
    /// # Errors
    /// As [`check_threshold`](Self::check_threshold), and [`ContainerWriter::set_threshold`].
    pub fn set_threshold(&mut self, threshold: u16) -> Result<()> {
        self.check_threshold(threshold)?;
        if let Store::Container { writer, .. } = &mut self.store { writer.set_threshold(threshold) } else { Ok(()) }
    }

    /// Adds a frame, given as strips whose concatenation it is: one strip is the whole frame.
    ///
    /// `sum`, as long as the frame, is increased by the stored pixels, but for DRLE's sentinels. With DRLE, the threshold is the
    /// filter's, whatever `correction` says.
    ///
    /// # Errors
    /// [`Error::BufferSize`] where the frame does not have the chunk's shape, [`Error::TooBright`] with DRLE's bare streams, and
    /// [`Error::Argument`] where the chunk is full or a correction is asked for that the element type does not have.
    /// The chunk and `sum` are as they were then.
    pub fn push(
        &mut self,
        strips: &[&[P]],
        correction: &Correction<'_, P>,
        sum: Option<&mut [u32]>,
    ) -> Result<FrameCounts> {
        self.add(Input::Strips(strips), correction, sum)
    }

    /// [`push`](Self::push) of several frames, each in one piece. With DRLE they share what is fetched of
    /// `sum` and, with AVX-512, of the dark image: faster than one by one. The chunk, `sum` and the counts are the same.
    ///
    /// # Errors
    /// As [`push`](Self::push). None of the frames is in the chunk or in `sum` then; pushed one by one, those that are good
    /// will be.
    pub fn push_frames(
        &mut self,
        frames: &[&[P]],
        correction: &Correction<'_, P>,
        mut sum: Option<&mut [u32]>,
    ) -> Result<FrameCounts> {
        frames.iter().try_for_each(|frame| self.check(frame.len()))?;
        if frames.len() > self.n_free() {
            return Err(Error::Argument(format!("the chunk has room for {} frames only", self.n_free())));
        }
        let exec = self.exec;
        let encode = |threshold: u16, exceptions: &mut [Exceptions], sum: Option<&mut [u32]>, room: Room<'_>| {
            let correction = Correction { threshold: Some(threshold), ..*correction };
            encode_frames(exec, frames, &correction, exceptions, sum, room)
        };
        let mut counts = FrameCounts::default();
        match &mut self.store {
            Store::Container { writer, exceptions, .. } => {
                let (header, mut exceptions) =
                    (*writer.header(), vec![Exceptions::new(exceptions.sentinels()); frames.len()]);
                let (room, room_bytes) = (writer.segment_mut(), room_bytes(header.max_segment_len()));
                let mut encoded = encode(header.threshold, &mut exceptions, sum, Room { bytes: room, room_bytes })?;
                let rooms = room.chunks_mut(room_bytes);
                for ((one, exceptions), room) in encoded.iter_mut().zip(&exceptions).zip(rooms) {
                    one.n_bytes = close_segment(room, one.n_bytes, header.segment_pixels as usize, exceptions)?;
                    counts += one.counts;
                }
                writer.finish_segments(room_bytes, &encoded.iter().map(|one| one.n_bytes).collect::<Vec<_>>())?;
            }
            Store::Bare { threshold, n_bytes, chunk } => {
                let (first, room_bytes) = (*n_bytes, room_bytes(self.shape.frame_pixels() * size_of::<P>()));
                let room = Room { bytes: &mut chunk[first..], room_bytes };
                for (index, encoded) in encode(*threshold, &mut [], sum, room)?.iter().enumerate() {
                    let start = first + index * room_bytes;
                    chunk.copy_within(start..start + encoded.n_bytes, *n_bytes);
                    *n_bytes += encoded.n_bytes;
                    counts += encoded.counts;
                }
            }
            Store::Pixels { pixels, .. } => {
                // What can be refused is, before the first frame.
                let places = pixels.chunks_exact_mut(self.shape.frame_pixels()).skip(self.n_frames);
                for (frame, place) in frames.iter().zip(places) {
                    counts += pixels::correct(self.exec.level, &[frame], correction, sum.as_deref_mut(), place)?;
                }
            }
        }
        self.n_frames += frames.len();
        Ok(counts)
    }

    /// [`push`](Self::push) of a frame in one piece, which is overwritten with the pixels that are stored.
    ///
    /// # Errors
    /// As [`push`](Self::push). The frame may be overwritten in part then.
    pub fn push_in_place(
        &mut self,
        frame: &mut [P],
        correction: &Correction<'_, P>,
        sum: Option<&mut [u32]>,
    ) -> Result<FrameCounts> {
        self.add(Input::InPlace(frame), correction, sum)
    }

    /// The chunk as it is to be stored. Frames that are missing are padded with zeros, or with the fill value where that is one of
    /// DRLE's sentinels; more can be pushed afterwards.
    ///
    /// # Errors
    /// What the codec refuses.
    pub fn encode(&mut self) -> Result<&[u8]> {
        let n_missing = self.shape.n_frames - self.n_frames;
        let frame_pixels = self.shape.frame_pixels();
        match &mut self.store {
            Store::Container { writer, fill, packer, .. } => {
                let container = writer.padded(*fill)?;
                packer.as_mut().map_or(Ok(container), |packer| packer.pack(self.exec.level, container))
            }
            Store::Bare { threshold, n_bytes, chunk } => {
                let (padding, correction) = (vec![P::default(); frame_pixels], Correction::threshold(*threshold));
                let mut end = *n_bytes;
                let kernels = pixels::kernels::<P>()?;
                for _ in 0..n_missing {
                    let room = &mut chunk[end..];
                    end += (kernels.encode)(self.exec.level, &[&padding], &correction, None, None, room)?.n_bytes;
                }
                Ok(&chunk[..end])
            }
            Store::Pixels { pixels, codec } => {
                pixels[self.n_frames * frame_pixels..].fill(P::default());
                let Some((filter, encoded)) = codec else { return Ok(as_bytes(pixels)) };
                let n_bytes = filter.encode(self.exec, as_bytes(pixels), encoded)?;
                Ok(&encoded[..n_bytes])
            }
        }
    }

    fn add(
        &mut self,
        frame: Input<'_, P>,
        correction: &Correction<'_, P>,
        sum: Option<&mut [u32]>,
    ) -> Result<FrameCounts> {
        self.check(frame.n_pixels())?;
        let counts = match &mut self.store {
            Store::Container { writer, exceptions, .. } => {
                let correction = Correction { threshold: Some(writer.header().threshold), ..*correction };
                let encoded =
                    frame.encode(self.exec.level, &correction, Some(exceptions), sum, writer.segment_mut())?;
                writer.finish_segment_with(encoded.n_bytes, exceptions)?;
                encoded.counts
            }
            Store::Bare { threshold, n_bytes, chunk } => {
                let correction = Correction { threshold: Some(*threshold), ..*correction };
                let encoded = frame.encode(self.exec.level, &correction, None, sum, &mut chunk[*n_bytes..])?;
                *n_bytes += encoded.n_bytes;
                encoded.counts
            }
            Store::Pixels { pixels, .. } => {
                let n_pixels = self.shape.frame_pixels();
                let place = &mut pixels[self.n_frames * n_pixels..][..n_pixels];
                frame.correct(self.exec.level, correction, sum, place)?
            }
        };
        self.n_frames += 1;
        Ok(counts)
    }

    fn check(&self, n_pixels: usize) -> Result<()> {
        let expected = self.shape.frame_pixels();
        if n_pixels != expected {
            let n_bytes = |n_pixels| n_pixels * size_of::<P>();
            return Err(Error::BufferSize { what: "the frame", expected: n_bytes(expected), found: n_bytes(n_pixels) });
        }
        if self.is_full() {
            return Err(Error::Argument(format!("the chunk holds {} frames, all are there", self.n_frames)));
        }
        Ok(())
    }
}

/// Room for the streams of several frames: `room_bytes` each.
struct Room<'a> {
    bytes: &'a mut [u8],
    room_bytes: usize,
}

/// Encodes frames to the front of their `room`; notes the `exceptions` of each, where there are these.
fn encode_frames<P: FrameElement>(
    exec: Exec,
    frames: &[&[P]],
    correction: &Correction<'_, P>,
    exceptions: &mut [Exceptions],
    sum: Option<&mut [u32]>,
    room: Room<'_>,
) -> Result<Vec<Encoded>> {
    let strips = frames.iter().map(std::slice::from_ref);
    let batch = strips.zip(room.bytes.chunks_mut(room.room_bytes));
    let mut exceptions = exceptions.iter_mut();
    let frame = |(strips, tokens)| match exceptions.next() {
        Some(exceptions) => BatchFrame::new(strips, tokens).with_exceptions(exceptions),
        None => BatchFrame::new(strips, tokens),
    };
    let mut batch: Vec<_> = batch.map(frame).collect();
    let mut encoded = vec![Encoded::default(); frames.len()];
    (pixels::kernels::<P>()?.encode_frames)(exec, &mut batch, correction, sum, &mut encoded)?;
    Ok(encoded)
}

impl<P> Store<P> {
    fn drle(drle: &Drle, shape: ChunkShape) -> Result<Self> {
        let header = drle.header(2 * shape.chunk_pixels())?;
        match drle.mode() {
            // A frame that is encoded, and so in the sum, must never be one too many for the chunk.
            Mode::Container | Mode::Packed if u32::try_from(header.max_container_len()).is_err() => Err(Error::Argument(
                "with its table, a DRLE chunk of this shape may pass the 4 GiB that it can have: use fewer frames a chunk"
                    .into(),
            )),
            Mode::Bare => Ok(Self::Bare {
                threshold: header.threshold,
                n_bytes: 0,
                chunk: vec![0; shape.n_frames * room_bytes(2 * shape.frame_pixels())],
            }),
            Mode::Container | Mode::Packed if header.segment_pixels as usize == shape.frame_pixels() => {
                let n_bytes = header.payload_start() + shape.n_frames * room_bytes(header.max_segment_len());
                let writer = ContainerWriter::new(vec![0; n_bytes], header)?;
                let packer = (drle.mode() == Mode::Packed).then(Packer::default);
                Ok(Self::Container { writer, exceptions: Exceptions::new(drle.sentinels()), fill: drle.fill(), packer })
            }
            Mode::Container | Mode::Packed => Err(Error::Argument(format!(
                "the DRLE parameters ask for segments of {} pixels: frames of {} pixels are pushed as one segment \
                 each, so give 0 or that number",
                header.segment_pixels,
                shape.frame_pixels()
            ))),
        }
    }
}

impl<P: FrameElement> Input<'_, P> {
    fn n_pixels(&self) -> usize {
        match self {
            Self::Strips(strips) => strips.iter().map(|strip| strip.len()).sum(),
            Self::InPlace(frame) => frame.len(),
        }
    }

    fn encode(
        self,
        level: Level,
        correction: &Correction<'_, P>,
        exceptions: Option<&mut Exceptions>,
        sum: Option<&mut [u32]>,
        tokens: &mut [u8],
    ) -> Result<Encoded> {
        let kernels = pixels::kernels::<P>()?;
        match self {
            Self::Strips(strips) => (kernels.encode)(level, strips, correction, exceptions, sum, tokens),
            Self::InPlace(frame) => (kernels.encode_in_place)(level, frame, correction, exceptions, sum, tokens),
        }
    }

    fn correct(
        self,
        level: Level,
        correction: &Correction<'_, P>,
        sum: Option<&mut [u32]>,
        out: &mut [P],
    ) -> Result<FrameCounts> {
        match self {
            Self::Strips(strips) => pixels::correct(level, strips, correction, sum, out),
            Self::InPlace(frame) => {
                let counts = pixels::correct(level, &[frame], correction, sum, out)?;
                frame.copy_from_slice(out);
                Ok(counts)
            }
        }
    }
}
