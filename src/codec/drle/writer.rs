//! Puts a container together from segments that are encoded where they will stand.

use super::container::{HEADER_BYTES, Header, TABLE_ENTRY_BYTES, VERSION, VERSION_WITH_EXCEPTIONS, entry_at};
use super::segment;
use crate::codec::cursor::Cursor;
use crate::kernels::drle::Exceptions;
use crate::{Error, Result};
use std::ops::Range;

/// A container that is being written: for each segment, encode to the front of [`segment_mut`](Self::segment_mut) and
/// call [`finish_segment`](Self::finish_segment); then [`finish`](Self::finish).
///
/// ```
/// use darkchunk::codec::drle::{Container, ContainerWriter, Header, PixelType};
/// use darkchunk::cpu::Level;
/// use darkchunk::kernels::drle::{self, Correction};
///
/// let frames = [[0_i16, 7, 0, 0], [0, 0, 0, 9]];
/// let header = Header { element: PixelType::I16Le, threshold: 5, segment_pixels: 4, n_bytes: 16 };
/// let mut chunk = vec![0; header.max_container_len()];
/// let mut writer = ContainerWriter::new(&mut chunk, header)?;
/// for frame in &frames {
///     let tokens = writer.segment_mut();
///     let encoded = drle::encode(Level::current(), &[frame], &Correction::threshold(5), None, tokens)?;
///     writer.finish_segment(encoded.n_bytes)?;
/// }
/// let n_bytes = writer.finish()?;
///
/// let mut second = [0; 8];
/// Container::open(&chunk[..n_bytes])?.decode_segment(Level::current(), 1, &mut second)?;
/// assert_eq!(second, [0, 0, 0, 0, 0, 0, 9, 0]);
/// # Ok::<(), darkchunk::Error>(())
/// ```
#[derive(Debug)]
pub struct ContainerWriter<B> {
    dst: B,
    header: Header,
    front: Front,
}

/// How far a container is.
#[derive(Debug, Clone, Copy)]
struct Front {
    /// Segments finished.
    n_finished: usize,
    /// Where the next one begins.
    at: usize,
    /// Whether a segment has a list.
    has_list: bool,
}

impl Front {
    /// No segment yet.
    fn start(header: &Header) -> Self {
        Self { n_finished: 0, at: header.payload_start(), has_list: false }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> ContainerWriter<B> {
    /// A container at the front of `dst`, for which [`Header::max_container_len`] bytes are always enough.
    ///
    /// # Errors
    /// [`Error::OutputTooSmall`] where not even header and table fit, [`Error::Corrupt`] for a header that contradicts
    /// itself.
    pub fn new(dst: B, header: Header) -> Result<Self> {
        header.check()?;
        let (front, available) = (Front::start(&header), dst.as_ref().len());
        if available < front.at {
            return Err(Error::OutputTooSmall { needed: header.max_container_len(), available });
        }
        Ok(Self { dst, header, front })
    }

    /// What the container says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Has this and the following containers say that their pixels are kept from `threshold` on.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it is not from 1 to 32767; [`Error::Argument`] where segments are finished already.
    pub fn set_threshold(&mut self, threshold: u16) -> Result<()> {
        let header = Header { threshold, ..self.header };
        header.check()?;
        if self.front.n_finished > 0 {
            return Err(Error::Argument("the container has segments of another threshold".into()));
        }
        self.header = header;
        Ok(())
    }

    /// Begins the next container.
    pub fn clear(&mut self) {
        self.front = Front::start(&self.header);
    }

    /// All that is left of the output, for the next segment.
    pub fn segment_mut(&mut self) -> &mut [u8] {
        &mut self.dst.as_mut()[self.front.at..]
    }

    /// The pixels of the next segment, counted in the chunk. Empty where all are finished.
    #[must_use]
    pub fn next_pixels(&self) -> Range<usize> {
        self.header.pixels(self.front.n_finished)
    }

    /// The next segment's stream is the first `n_bytes` of [`segment_mut`](Self::segment_mut), and these are its exceptions.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn finish_segment_with(&mut self, n_bytes: usize, exceptions: &Exceptions) -> Result<()> {
        let n_pixels = self.next_pixels().len();
        let n_bytes = segment::close(self.segment_mut(), n_bytes, n_pixels, exceptions)?;
        self.finish_segment(n_bytes)
    }

    /// The next segment is the first `n_bytes` of [`segment_mut`](Self::segment_mut), as a rule a stream.
    ///
    /// # Errors
    /// [`Error::Argument`] where all segments are finished, or the container would pass the 4 GiB that it can have;
    /// [`Error::OutputTooSmall`] where the output has no `n_bytes` left.
    pub fn finish_segment(&mut self, n_bytes: usize) -> Result<()> {
        let (dst, at) = (self.dst.as_ref(), self.front.at);
        let (needed, available) = (at.saturating_add(n_bytes), dst.len());
        let segment = dst.get(at..needed).ok_or(Error::OutputTooSmall { needed, available })?;
        let checksum = crc32fast::hash(segment);
        self.enter_segment(n_bytes, checksum)
    }

    /// The next segment stands in the output from `from` on, at [`segment_mut`](Self::segment_mut) or after it;
    /// the table has its length and its checksum. Returns the length.
    pub(super) fn move_segment(&mut self, from: usize) -> Result<usize> {
        let (dst, Front { n_finished, at, .. }) = (self.dst.as_mut(), self.front);
        let mut entry = Cursor::new(&dst[entry_at(n_finished)..]);
        let (n_bytes, checksum) = (entry.u32_le()? as usize, entry.u32_le()?);
        dst.copy_within(from..from + n_bytes, at);
        self.enter_segment(n_bytes, checksum)?;
        Ok(n_bytes)
    }

    /// Enters the next segment, which is in its place, in the table.
    fn enter_segment(&mut self, n_bytes: usize, checksum: u32) -> Result<()> {
        let Front { n_finished, at, .. } = self.front;
        if n_finished == self.header.n_segments() {
            return Err(Error::Argument(format!("the chunk has {n_finished} segments, all are there")));
        }
        let end = u32::try_from(at + n_bytes).map_err(|_| {
            Error::Argument(
                "the encoded chunk is larger than the 4 GiB that a DRLE chunk can have: use smaller chunks".into(),
            )
        })?;
        let entry = &mut self.dst.as_mut()[entry_at(n_finished)..][..TABLE_ENTRY_BYTES];
        entry[..4].copy_from_slice(&end.to_le_bytes());
        entry[4..].copy_from_slice(&checksum.to_le_bytes());
        self.front.at += n_bytes;
        self.front.n_finished += 1;
        // A stream has an even number of bytes.
        self.front.has_list |= !n_bytes.is_multiple_of(2);
        Ok(())
    }

    /// The next segments are the first bytes, `lens` in turn, of pieces of `piece_bytes` of
    /// [`segment_mut`](Self::segment_mut). None is longer than its piece.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn finish_segments(&mut self, piece_bytes: usize, lens: &[usize]) -> Result<()> {
        let first = self.front.at;
        for (index, n_bytes) in lens.iter().enumerate() {
            let (start, dst) = (first + index * piece_bytes, self.dst.as_mut());
            let (needed, available) = (start.saturating_add(*n_bytes), dst.len());
            if needed > available {
                return Err(Error::OutputTooSmall { needed, available });
            }
            dst.copy_within(start..needed, self.front.at);
            self.finish_segment(*n_bytes)?;
        }
        Ok(())
    }

    /// Appends a segment that was encoded elsewhere.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn append_segment(&mut self, stream: &[u8]) -> Result<()> {
        let (needed, available) = (self.front.at.saturating_add(stream.len()), self.dst.as_ref().len());
        let room = self.segment_mut().get_mut(..stream.len());
        room.ok_or(Error::OutputTooSmall { needed, available })?.copy_from_slice(stream);
        self.finish_segment(stream.len())
    }

    /// Appends a segment all of whose pixels are 0 or, where there is a `fill`, sentinels of this value: padding after the
    /// last frame of a dataset.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn append_padding(&mut self, fill: Option<u16>) -> Result<()> {
        let n_pixels = self.next_pixels().len();
        let mut exceptions = Exceptions::default();
        if let Some(fill) = fill {
            exceptions.push_sentinels(0, n_pixels, fill);
        }
        let room = self.segment_mut();
        let n_bytes = segment::put_dark(room, n_pixels)?;
        let n_bytes = segment::close(room, n_bytes, n_pixels, &exceptions)?;
        self.finish_segment(n_bytes)
    }

    /// Writes the header and returns the container's bytes, all at the front of the output.
    ///
    /// # Errors
    /// [`Error::Argument`] where a segment is missing.
    pub fn finish(&mut self) -> Result<usize> {
        let Front { n_finished, at, has_list } = self.front;
        if n_finished != self.header.n_segments() {
            let expected = self.header.n_segments();
            return Err(Error::Argument(format!("the chunk has {expected} segments, only {n_finished} are there")));
        }
        let (header, dst) =
            (self.header.to_bytes(if has_list { VERSION_WITH_EXCEPTIONS } else { VERSION }), self.dst.as_mut());
        dst[..header.len()].copy_from_slice(&header);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header);
        hasher.update(&dst[HEADER_BYTES..self.header.payload_start()]);
        dst[header.len()..HEADER_BYTES].copy_from_slice(&hasher.finalize().to_le_bytes());
        Ok(at)
    }

    /// The container with padding for the segments that are missing, as [`append_padding`](Self::append_padding) makes it.
    /// Segments that are finished later are written over the padding.
    ///
    /// # Errors
    /// As [`finish_segment`](Self::finish_segment).
    pub fn padded(&mut self, fill: Option<u16>) -> Result<&[u8]> {
        let front = self.front;
        let missing = front.n_finished..self.header.n_segments();
        let finished = missing.into_iter().try_for_each(|_| self.append_padding(fill)).and_then(|()| self.finish());
        self.front = front;
        finished.map(|n_bytes| &self.dst.as_ref()[..n_bytes])
    }
}
