//! Frames that are encoded already, and frames that are given as the few pixels that are not 0.
//!
//! A detector that compresses by itself delivers what the filter would have made. It is written as it is, after a look at its header;
//! the first one and each n-th are decoded, so that chunks which no reader can read are noticed while the measurement runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use darkchunk::chunk::{ChunkShape, Filter, FrameElement, Processing};
use darkchunk::codec::drle::{ContainerWriter, Drle, Mode};
use darkchunk::element::{Element, as_bytes};
use darkchunk::{Exec, Result};
use darkchunk_hdf5::FileElement;

use super::buffer::{self, Buffer, Held, Pool, Pooled, pieces};
use super::inner::Admitted;
use super::options::Options;
use super::pixels::PixelFormat;
use super::{NotPushed, Pushed, Recorder};
use crate::Error;

/// What the bytes of an encoded frame are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// The chunk, as the dataset's filter makes it.
    Chunk,
    /// A DRLE stream of one frame, for a dataset with DRLE: what makes it a chunk is added.
    Stream,
}

/// Of how many encoded frames one is decoded, unless told otherwise.
const CHECK_EVERY: u64 = 100;

/// What a recorder knows of encoded frames.
#[derive(Debug)]
pub(super) struct Checks {
    filter: Option<Filter>,
    chunk_bytes: usize,
    element_bytes: usize,
    /// Why encoded frames cannot be taken.
    refused: Option<&'static str>,
    is_native: bool,
    /// Whether threshold or dark image were changed.
    is_changed: AtomicBool,
    every: AtomicU64,
    n_seen: AtomicU64,
}

impl Checks {
    pub(super) fn new<P: Element>(
        layer: &ChunkShape,
        shape: &ChunkShape,
        filter: Option<Filter>,
        processing: &Processing<P>,
        options: &Options<P>,
    ) -> Self {
        let refused = if shape.n_frames > 1 {
            Some("the dataset has several frames a chunk: make it with one")
        } else if layer != shape {
            Some("the dataset's chunks are of some rows of frames: make it with chunks of whole frames")
        } else if processing.dark.is_some() || processing.threshold.is_some() {
            Some("dark image and threshold are of pixels: make the recorder without them")
        } else if processing.sum {
            Some("they are not decoded to be summed: make the recorder without the sum")
        } else if options.veto.is_some() {
            Some("the veto is of pixels: make the recorder without it")
        } else {
            None
        };
        Self {
            filter,
            chunk_bytes: shape.chunk_pixels() * P::TYPE.n_bytes,
            element_bytes: P::TYPE.n_bytes,
            refused,
            is_native: options.format == PixelFormat::Native,
            is_changed: false.into(),
            every: CHECK_EVERY.into(),
            n_seen: 0.into(),
        }
    }

    /// Threshold or dark image were changed.
    pub(super) fn note_change(&self) {
        self.is_changed.store(true, Ordering::Relaxed);
    }

    fn accept(&self, kind: Encoded, n_bytes: usize) -> crate::Result<()> {
        let refuse = |why: &str| Err(Error::Argument(format!("a frame that is encoded already was not taken: {why}")));
        let changed = "dark image and threshold, one of which was changed, are of pixels: push pixels";
        let refused = self.refused.or(self.is_changed.load(Ordering::Relaxed).then_some(changed));
        match (refused, kind, &self.filter) {
            (Some(why), ..) => refuse(why),
            (_, Encoded::Stream, filter) if !matches!(filter, Some(Filter::Drle(_))) => {
                refuse("it is a DRLE stream, and the dataset has another filter")
            }
            _ if n_bytes == 0 => refuse("it has no bytes"),
            _ => Ok(()),
        }
    }

    /// The chunk of a frame, checked. `scratch` is memory for its pixels.
    pub(super) fn chunk(
        &self,
        kind: Encoded,
        frame: &impl Buffer,
        pool: &Pool,
        scratch: &mut Vec<u8>,
    ) -> Result<Pooled> {
        let mut chunk = pool.take();
        match (kind, &self.filter) {
            // A packed dataset may have chunks that are not.
            (Encoded::Stream, Some(Filter::Drle(drle))) if drle.mode() != Mode::Bare => {
                self.wrap(drle, frame, &mut chunk.bytes)?;
            }
            _ => pieces(frame).for_each(|piece| chunk.bytes.extend_from_slice(piece)),
        }
        let n_before = self.n_seen.fetch_add(1, Ordering::Relaxed);
        let every = self.every.load(Ordering::Relaxed);
        let is_decoded = n_before == 0 || every > 0 && n_before.is_multiple_of(every);
        self.check(&chunk.bytes, is_decoded, scratch)?;
        Ok(chunk)
    }

    /// Puts a stream into a container.
    fn wrap(&self, drle: &Drle, frame: &impl Buffer, container: &mut Vec<u8>) -> Result<()> {
        let header = drle.header(self.chunk_bytes)?;
        if header.n_segments() != 1 {
            let why = "the dataset's DRLE has several segments a frame: make it with one, or push whole chunks";
            return Err(darkchunk::Error::Unsupported(why.to_owned()));
        }
        let stream: Vec<u8> = pieces(frame).flatten().copied().collect();
        container.resize(header.payload_start() + stream.len(), 0);
        let mut writer = ContainerWriter::new(&mut container[..], header)?;
        writer.append_segment(&stream)?;
        let n_bytes = writer.finish()?;
        container.truncate(n_bytes);
        Ok(())
    }

    fn check(&self, chunk: &[u8], is_decoded: bool, scratch: &mut Vec<u8>) -> Result<()> {
        let expected = self.chunk_bytes;
        let right = |found: usize| {
            if found == expected { Ok(()) } else { Err(darkchunk::Error::WrongSize { expected, found }) }
        };
        let Some(filter) = &self.filter else { return right(chunk.len()) };
        let open = filter.open(chunk)?;
        right(open.decoded_len_as(Some(expected))?)?;
        let element_bytes = open.element_bytes().unwrap_or(self.element_bytes);
        if element_bytes != self.element_bytes {
            return Err(darkchunk::Error::Argument(format!(
                "it is of elements of {element_bytes} bytes, the dataset's have {}",
                self.element_bytes
            )));
        }
        if is_decoded {
            scratch.resize(expected, 0);
            open.decode(Exec::current(), scratch)?;
        }
        Ok(())
    }
}

impl<P: FileElement + Into<i64>, B: Buffer> Recorder<P, B> {
    /// Takes a frame that is encoded already, with its metadata or none: it is written as it is, once it has been looked at. One that is not
    /// what the dataset's filter would have made is refused, marked and counted, and [`fault`](Self::fault) says why. The first and
    /// each n-th are decoded for that: [`check_every`](Self::check_every).
    ///
    /// # Errors
    /// As [`push_with`](Self::push_with); [`Error::Argument`] where the recorder has several frames a chunk, or is to do something with
    /// pixels: a dark image, a threshold, a sum, a veto; and once threshold or dark image were [changed](Self::set_threshold).
    pub fn push_encoded(
        &mut self,
        number: u64,
        kind: Encoded,
        frame: B,
        row: &[u8],
    ) -> std::result::Result<Pushed, NotPushed<B>> {
        let n_bytes = buffer::n_bytes(&frame);
        let admitted = self.inner().and_then(|inner| {
            inner.checks.accept(kind, n_bytes)?;
            inner.admit(number, n_bytes, row).map(|admitted| (inner, admitted))
        });
        match admitted {
            Ok((inner, Admitted::Yes(index))) => {
                inner.take(index, n_bytes, Held::Encoded(kind, frame), row);
                inner.news().map(|()| Pushed::Taken).map_err(|error| NotPushed { frame: None, error })
            }
            Ok((_, Admitted::No(pushed))) => Ok(pushed),
            Err(error) => Err(NotPushed { frame: Some(frame), error }),
        }
    }

    /// Of how many frames that are encoded already one is decoded, to see whether it can be; 0: the first only. It is 100 unless told
    /// otherwise.
    pub fn check_every(&self, n_frames: u64) {
        if let Some(inner) = &self.inner {
            inner.checks.every.store(n_frames, Ordering::Relaxed);
        }
    }

    /// Takes a frame given as its pixels that are not 0: their places, row by row, and their values; with its metadata or none. The later
    /// one of two at the same place counts.
    ///
    /// # Errors
    /// As [`push_copy`](Self::push_copy); [`Error::Argument`] for a place that is not in the frame, another number of values than of
    /// places, and where the pixels are delivered in a format of a camera.
    pub fn push_pixels(&mut self, number: u64, places: &[u32], values: &[P], row: &[u8]) -> crate::Result<Pushed> {
        let inner = self.inner()?;
        let n_pixels = inner.frame_bytes / size_of::<P>();
        check_pixels(inner.checks.is_native, places, values.len(), n_pixels)?;
        match inner.admit(number, inner.frame_bytes, row)? {
            Admitted::Yes(index) => {
                let mut copy = inner.pool.take();
                scatter(&mut copy.bytes, inner.frame_bytes, places, values);
                inner.take(index, inner.frame_bytes, Held::Copied(copy), row);
                inner.news().map(|()| Pushed::Taken)
            }
            Admitted::No(pushed) => Ok(pushed),
        }
    }
}

fn check_pixels(is_native: bool, places: &[u32], n_values: usize, n_pixels: usize) -> crate::Result<()> {
    let refused = |why: String| Err(Error::Argument(why));
    if !is_native {
        return refused("pixels are given as the dataset has them: make the recorder without a camera's format".into());
    }
    if places.len() != n_values {
        return refused(format!("{} places are given, and {n_values} values", places.len()));
    }
    match places.iter().find(|place| **place as usize >= n_pixels) {
        Some(place) => refused(format!("pixel {place} is not in a frame of {n_pixels}")),
        None => Ok(()),
    }
}

fn scatter<P: FrameElement>(frame: &mut Vec<u8>, n_bytes: usize, places: &[u32], values: &[P]) {
    frame.resize(n_bytes, 0);
    let n = size_of::<P>();
    for (place, value) in places.iter().zip(as_bytes(values).chunks_exact(n)) {
        frame[*place as usize * n..][..n].copy_from_slice(value);
    }
}
