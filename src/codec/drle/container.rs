//! The container of a chunk: a header, a table of segments, the segments.
//!
//! Header and table stand under one checksum, each segment under its own, so that a damaged segment loses only itself.
//! A container is opened in one of two ways: [`Container::open`] refuses everything that is not exactly as the format
//! says; [`Container::salvage`] takes the header from the dataset's parameters and judges each segment on its own.

use super::list::List;
use super::packed;
use super::pixels::{self, PixelType};
use super::segment;
use crate::codec::cursor::Cursor;
use crate::cpu::Level;
use crate::kernels::drle::MAX_THRESHOLD;
use crate::kernels::rans::DecodingTables;
use crate::{Error, Exec, Result};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The first four bytes of a container.
pub const MAGIC: [u8; 4] = *b"DRLE";

/// The version of a container whose segments are streams.
pub const VERSION: u8 = 1;

/// The version of a container of which a segment has a list of exceptions.
pub const VERSION_WITH_EXCEPTIONS: u8 = 2;

/// The version of a packed container.
pub const VERSION_PACKED: u8 = 3;

/// Bytes before the table.
pub const HEADER_BYTES: usize = 24;

/// Bytes of one segment's entry in the table.
pub const TABLE_ENTRY_BYTES: usize = 8;

/// Bytes of the header that its checksum covers, and after which it stands.
pub(super) const CHECKED_HEADER_BYTES: usize = 20;

/// What a container says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Element type of the decoded chunk.
    pub element: PixelType,
    /// The threshold the pixels were encoded with.
    pub threshold: u16,
    /// Pixels a segment. The last one may have fewer.
    pub segment_pixels: u32,
    /// Bytes of the decoded chunk.
    pub n_bytes: u32,
}

impl Header {
    /// Number of segments.
    #[must_use]
    pub fn n_segments(&self) -> usize {
        (self.n_bytes / 2).div_ceil(self.segment_pixels.max(1)) as usize
    }

    /// The pixels of segment `index`, counted in the chunk. Empty after the last.
    #[must_use]
    pub fn pixels(&self, index: usize) -> Range<usize> {
        let n_pixels = self.n_bytes as usize / 2;
        let start = index.saturating_mul(self.segment_pixels as usize).min(n_pixels);
        start..start.saturating_add(self.segment_pixels as usize).min(n_pixels)
    }

    /// Bytes of the pixels of a segment, the last one perhaps excepted.
    pub(super) fn segment_bytes(&self) -> usize {
        (self.segment_pixels as usize).saturating_mul(2)
    }

    /// The most bytes of a segment.
    #[must_use]
    pub fn max_segment_len(&self) -> usize {
        segment::max_len(self.pixels(0).len())
    }

    /// Bytes of header and table: where the first segment begins, but in a packed container.
    #[must_use]
    pub fn payload_start(&self) -> usize {
        HEADER_BYTES + self.n_segments() * TABLE_ENTRY_BYTES
    }

    /// The most bytes a container with this header takes.
    #[must_use]
    pub fn max_container_len(&self) -> usize {
        let Some(last) = self.n_segments().checked_sub(1) else { return self.payload_start() };
        let segments = last.saturating_mul(self.max_segment_len());
        self.payload_start().saturating_add(segments).saturating_add(segment::max_len(self.pixels(last).len()))
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(1..=MAX_THRESHOLD).contains(&self.threshold) {
            return Err(Error::Corrupt { at: 8, what: "the threshold is not from 1 to 32767" });
        }
        if self.segment_pixels == 0 {
            return Err(Error::Corrupt { at: 12, what: "a segment has no pixels" });
        }
        if !self.n_bytes.is_multiple_of(2) {
            return Err(Error::Corrupt { at: 16, what: "the decoded size is odd" });
        }
        Ok(())
    }

    pub(super) fn to_bytes(self, version: u8) -> [u8; CHECKED_HEADER_BYTES] {
        let mut bytes = [0; CHECKED_HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = version;
        bytes[5] = self.element.code();
        bytes[8..10].copy_from_slice(&self.threshold.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.segment_pixels.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.n_bytes.to_le_bytes());
        bytes
    }

    /// The header, and the version of the container.
    fn read(cursor: &mut Cursor<'_>) -> Result<(Self, u8)> {
        if cursor.take(MAGIC.len())? != MAGIC {
            return Err(Error::Corrupt { at: 0, what: "it does not begin as a DRLE container" });
        }
        let version = cursor.u8()?;
        if !(VERSION..=VERSION_PACKED).contains(&version) {
            return Err(Error::Unsupported(format!(
                "it is a DRLE container of version {version}, and up to {VERSION_PACKED} can be read: use a newer darkchunk"
            )));
        }
        let element = PixelType::from_code(cursor.u8()?.into());
        let element = element.ok_or(Error::Corrupt { at: 5, what: "no such element type" })?;
        let reserved = cursor.take(2)?;
        let threshold = u16::from_le_bytes([cursor.u8()?, cursor.u8()?]);
        let more_reserved = cursor.take(2)?;
        if reserved != [0; 2] || more_reserved != [0; 2] {
            return Err(Error::Corrupt { at: 6, what: "reserved bytes are not 0" });
        }
        let header = Self { element, threshold, segment_pixels: cursor.u32_le()?, n_bytes: cursor.u32_le()? };
        header.check()?;
        Ok((header, version))
    }
}

/// One segment of a container, as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its pixels, counted in the chunk.
    pub pixels: Range<usize>,
    /// Its bytes, counted in the chunk.
    pub bytes: Range<usize>,
    /// All of them: its stream and, where it has one, its list of exceptions; both packed, in a packed container.
    pub stored: &'a [u8],
    /// The checksum that the table has for it.
    pub checksum: u32,
}

impl Segment<'_> {
    /// Holds the bytes against their checksum.
    ///
    /// # Errors
    /// [`Error::Checksum`].
    pub fn verify(&self) -> Result<()> {
        verify_crc32(self.checksum, crc32fast::hash(self.stored))
    }
}

/// A chunk's container, opened.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    bytes: &'a [u8],
    header: Header,
    /// Its version; where that is not known, the one that may have more.
    version: u8,
    /// What the segments of a packed container are read with, where that is sound.
    codes: Option<Arc<DecodingTables>>,
    /// Whether every segment is known to be as its checksum says.
    is_proved: bool,
}

impl<'a> Container<'a> {
    /// Opens a container of which header and table are sound. Segments are not looked at yet.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Corrupt`] and [`Error::Checksum`] for what is wrong with header or table.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let container = Self::open_front(bytes)?;
        container.check_table()?;
        if container.is_packed() && container.codes.is_none() {
            container.read_codes()?;
        }
        Ok(container)
    }

    /// Opens a container of which header and table are as they were written. What the table says need not be there.
    pub(crate) fn open_front(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let (header, version) = Header::read(&mut cursor)?;
        let stored = cursor.u32_le()?;
        let table = cursor.take(n_entries(&header, version) * TABLE_ENTRY_BYTES)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&bytes[..CHECKED_HEADER_BYTES]);
        hasher.update(table);
        verify_crc32(stored, hasher.finalize())?;
        let mut container = Self::salvage_as(bytes, header, version);
        container.codes = container.read_codes().ok();
        Ok(container)
    }

    /// Bytes of the header and table that `bytes` begins with, if the header says the truth: nothing has been checked.
    pub(crate) fn front_len(bytes: &[u8]) -> Result<usize> {
        let (header, version) = Header::read(&mut Cursor::new(bytes))?;
        Ok(HEADER_BYTES + n_entries(&header, version) * TABLE_ENTRY_BYTES)
    }

    /// Opens what is left of a damaged container, with the header the dataset's parameters give it (see
    /// [`Drle::header`](super::Drle::header)). Nothing of the chunk is believed but what a segment's own checksum proves.
    #[must_use]
    pub fn salvage(bytes: &'a [u8], header: Header) -> Self {
        Self::salvage_as(bytes, header, VERSION_WITH_EXCEPTIONS)
    }

    /// [`salvage`](Self::salvage) of a container of this version; of a packed one without what its segments are read with.
    pub(super) fn salvage_as(bytes: &'a [u8], header: Header, version: u8) -> Self {
        Self { bytes, header, version, codes: None, is_proved: false }
    }

    /// The same with these tables.
    pub(super) fn with_codes(self, codes: DecodingTables) -> Self {
        Self { codes: Some(Arc::new(codes)), ..self }
    }

    /// The tables of a packed container, which the table of segments has the end and the checksum of.
    fn read_codes(&self) -> Result<Arc<DecodingTables>> {
        let (start, (end, checksum)) = (self.front_end(), self.table_entry(0)?);
        let available = self.bytes.len().saturating_sub(start);
        let stored = self.bytes.get(start..end.max(start));
        let stored = stored.ok_or(Error::Truncated { at: start, needed: end.saturating_sub(start), available })?;
        verify_crc32(checksum, crc32fast::hash(stored))?;
        match packed::codes(stored)? {
            (codes, n_bytes) if n_bytes == stored.len() => Ok(Arc::new(codes)),
            _ => Err(Error::Corrupt { at: start, what: "the tables of a packed container have another length" }),
        }
    }

    /// Whether each entry of the table ends where the one before it does, or after: otherwise bytes would be in many segments.
    pub(crate) fn ends_rise(&self) -> bool {
        let ends = (0..n_entries(&self.header, self.version)).map(|index| self.table_entry(index).map(|(end, _)| end));
        ends.collect::<Result<Vec<usize>>>().is_ok_and(|ends| ends.is_sorted())
    }

    /// Whether its segments are packed.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.version == VERSION_PACKED
    }

    /// Where the first segment begins, if that is proved: after the table and, in a packed container, after its tables.
    pub(super) fn payload_start(&self) -> Option<usize> {
        match &self.codes {
            Some(_) => {
                packed::codes(&self.bytes[self.front_end()..]).ok().map(|(_, n_bytes)| self.front_end() + n_bytes)
            }
            None => Some(self.front_end()).filter(|_| !self.is_packed()),
        }
    }

    /// Entries that the table has before those of the segments.
    pub(super) fn n_entries_before(&self) -> usize {
        usize::from(self.is_packed())
    }

    /// Where header and table end.
    pub(super) fn front_end(&self) -> usize {
        HEADER_BYTES + n_entries(&self.header, self.version) * TABLE_ENTRY_BYTES
    }

    /// The stored chunk.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the container says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Number of segments.
    #[must_use]
    pub fn n_segments(&self) -> usize {
        self.header.n_segments()
    }

    /// Segment `index`, counted from 0.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the table gives it no place in the chunk, [`Error::Truncated`] where the chunk ends
    /// before it, [`Error::Argument`] where there is no such segment.
    pub fn segment(&self, index: usize) -> Result<Segment<'a>> {
        if index >= self.n_segments() {
            let n_segments = self.n_segments();
            return Err(Error::Argument(format!("segment {index} of a chunk that has {n_segments}")));
        }
        let before = (self.n_entries_before() + index).checked_sub(1);
        let start = before.map_or(Ok(self.front_end()), |before| self.table_entry(before).map(|(end, _)| end))?;
        let (end, checksum) = self.entry(index)?;
        if end < start || start < self.front_end() {
            return Err(Error::Corrupt { at: entry_at(index), what: "a segment ends before the one before it" });
        }
        if self.version == VERSION && !(end - start).is_multiple_of(2) {
            return Err(Error::Corrupt { at: entry_at(index), what: "a segment ends within a token" });
        }
        let Some(stored) = self.bytes.get(start..end) else {
            let available = self.bytes.len().saturating_sub(start);
            return Err(Error::Truncated { at: start, needed: end - start, available });
        };
        Ok(Segment { pixels: self.header.pixels(index), bytes: start..end, stored, checksum })
    }

    /// Bytes of the whole container, as the table says.
    pub(crate) fn stored_len(&self) -> usize {
        let last = n_entries(&self.header, self.version).checked_sub(1);
        last.and_then(|last| self.table_entry(last).ok()).map_or(self.front_end(), |(end, _)| end)
    }

    /// Segment `index`, which is there, as its checksum says, and decodes to its pixels.
    ///
    /// # Errors
    /// As [`segment`](Self::segment); [`Error::Checksum`], [`Error::Corrupt`].
    pub(crate) fn sound_segment(&self, index: usize) -> Result<Segment<'a>> {
        let segment = self.segment(index)?;
        segment.verify()?;
        let mut scratch = Vec::new();
        let (stream, list) =
            self.open_segment(Level::current(), segment.bytes.clone(), segment.pixels.len(), &mut scratch)?;
        if !pixels::is_stream_of(stream, 2 * segment.pixels.len()) {
            return Err(segment::corrupt_segment(segment.bytes.start));
        }
        list.check(segment.pixels.len())?;
        Ok(segment)
    }

    /// Whether every segment is there, as its checksum says, and decodes to its pixels. Then no checksum is computed again.
    /// Of a packed container that is not found without unpacking it.
    pub(super) fn prove(&mut self) -> bool {
        self.is_proved = !self.is_packed() && (0..self.n_segments()).all(|index| self.sound_segment(index).is_ok());
        self.is_proved
    }

    /// Decodes segment `index` into the whole of `dst`, in the byte order of the header's element type.
    ///
    /// # Errors
    /// As [`segment`](Self::segment); [`Error::Checksum`], [`Error::WrongSize`].
    pub fn decode_segment(&self, level: Level, index: usize, dst: &mut [u8]) -> Result<()> {
        self.decode_segment_into(level, index, dst, false)
    }

    fn decode_segment_into(&self, level: Level, index: usize, dst: &mut [u8], is_zeroed: bool) -> Result<()> {
        let segment = self.segment(index)?;
        let expected = 2 * segment.pixels.len();
        if dst.len() != expected {
            return Err(Error::WrongSize { expected: dst.len(), found: expected });
        }
        if !self.is_proved {
            segment.verify()?;
        }
        self.decode_bytes(level, segment.bytes, dst, is_zeroed)
    }

    /// Decodes the bytes of a segment, wherever they are, into the whole of `dst`.
    pub(super) fn decode_bytes(
        &self,
        level: Level,
        bytes: Range<usize>,
        dst: &mut [u8],
        is_zeroed: bool,
    ) -> Result<()> {
        let mut scratch = Vec::new();
        let (stream, list) = self.open_segment(level, bytes, dst.len() / 2, &mut scratch)?;
        pixels::decode(level, self.header.element, (stream, &list), dst, is_zeroed)
    }

    /// The stream of the segment of `n_pixels` whose bytes are at `bytes`, where it is stored or, if it is packed, in `scratch`; and the
    /// list of its exceptions.
    pub(super) fn open_segment<'s>(
        &'s self,
        level: Level,
        bytes: Range<usize>,
        n_pixels: usize,
        scratch: &'s mut Vec<u8>,
    ) -> Result<(&'s [u8], List<'s>)> {
        if self.is_packed() {
            let threshold = self.header.threshold;
            return packed::open(level, self.codes.as_deref(), threshold, (self.bytes, bytes), n_pixels, scratch);
        }
        let (stream, list) = segment::split(self.bytes, bytes)?;
        Ok((&self.bytes[stream], list))
    }

    /// The bytes of a segment as they are in a container that is not packed.
    ///
    /// # Errors
    /// [`Error::Corrupt`] and others for a packed segment that does not unpack.
    pub(crate) fn plain_segment(&self, segment: &Segment<'a>) -> Result<Cow<'a, [u8]>> {
        if !self.is_packed() {
            return Ok(Cow::Borrowed(segment.stored));
        }
        let (mut scratch, mut plain) = (Vec::new(), Vec::new());
        let (stream, list) =
            self.open_segment(Level::current(), segment.bytes.clone(), segment.pixels.len(), &mut scratch)?;
        segment::join(stream, &list, &mut plain)?;
        Ok(Cow::Owned(plain))
    }

    /// Decodes all segments into the whole of `dst`.
    ///
    /// # Errors
    /// As [`decode_segment`](Self::decode_segment), for the first segment that is damaged.
    pub fn decode(&self, level: Level, dst: &mut [u8]) -> Result<()> {
        self.decode_into(level.into(), dst, false)
    }

    /// [`decode`](Self::decode) into a `dst` that is all zeros where it `is_zeroed`.
    pub(super) fn decode_into(&self, exec: Exec, dst: &mut [u8], is_zeroed: bool) -> Result<()> {
        let found = self.header.n_bytes as usize;
        if dst.len() != found {
            return Err(Error::WrongSize { expected: dst.len(), found });
        }
        let segment_bytes = self.header.segment_bytes();
        let per_part = exec.threads.units_per_part(dst.len(), segment_bytes);
        let parts = dst.chunks_mut(per_part.saturating_mul(segment_bytes)).enumerate().collect();
        let decoded = exec.threads.run(parts, || {
            |(part, dst): (usize, &mut [u8])| {
                let mut segments = (part * per_part..).zip(dst.chunks_mut(segment_bytes));
                segments.try_for_each(|(index, dst)| self.decode_segment_into(exec.level, index, dst, is_zeroed))
            }
        });
        decoded.into_iter().collect()
    }

    /// The decoded size, where the segments are long enough for it to be true.
    pub(super) fn justified_len(&self) -> Result<usize> {
        let n_stored = self.bytes.len() - self.front_end();
        let is_justified = if self.is_packed() {
            packed::is_justified(n_stored, self.header.n_bytes as usize)
        } else {
            n_stored as u64 / 2 * 0x1_0000 >= u64::from(self.header.n_bytes)
        };
        if !is_justified {
            return Err(Error::Corrupt { at: 16, what: "its segments are too short for its decoded size" });
        }
        Ok(self.header.n_bytes as usize)
    }

    /// End and checksum of a segment, as the table has them.
    pub(super) fn entry(&self, index: usize) -> Result<(usize, u32)> {
        self.table_entry(self.n_entries_before() + index)
    }

    /// An entry of the table, which may have one before those of the segments.
    pub(super) fn table_entry(&self, entry: usize) -> Result<(usize, u32)> {
        let mut cursor = Cursor::new(self.bytes);
        cursor.take(entry_at(entry))?;
        Ok((cursor.u32_le()? as usize, cursor.u32_le()?))
    }

    fn check_table(&self) -> Result<()> {
        let mut end = if self.is_packed() { self.table_entry(0)?.0 } else { self.front_end() };
        for index in 0..self.n_segments() {
            end = self.segment(index)?.bytes.end;
        }
        if end != self.bytes.len() {
            return Err(Error::Corrupt { at: end, what: "bytes follow the last segment" });
        }
        Ok(())
    }
}

/// Entries of the table: one a segment and, in a packed container, one for its tables before them.
fn n_entries(header: &Header, version: u8) -> usize {
    header.n_segments() + usize::from(version == VERSION_PACKED)
}

/// Where the table has this entry.
pub(super) fn entry_at(entry: usize) -> usize {
    HEADER_BYTES + entry * TABLE_ENTRY_BYTES
}

fn verify_crc32(stored: u32, computed: u32) -> Result<()> {
    if stored == computed { Ok(()) } else { Err(Error::Checksum { stored, computed }) }
}

#[cfg(test)]
mod tests {
    use super::super::Drle;
    use super::*;
    use crate::codec::Codec;

    #[test]
    fn only_a_container_that_is_proved_is_decoded_without_its_checksums() {
        let pixels: Vec<u8> = (0..1000_u16).flat_map(|at| (at % 7 * 10).to_le_bytes()).collect();
        let codec = Drle::new(1).unwrap().with_segment_pixels(300);
        let mut chunk = vec![0; codec.max_encoded_len(pixels.len())];
        let n_bytes = codec.encode(Exec::current(), &pixels, &mut chunk).unwrap();
        let mut sound = Container::open(&chunk[..n_bytes]).unwrap();
        let decode = |container: &Container<'_>| {
            let mut dst = vec![0; pixels.len()];
            container.decode(Level::SCALAR, &mut dst).map(|()| dst)
        };
        assert!(sound.prove() && decode(&sound) == Ok(pixels.clone()));

        // A bright pixel of the last segment is another one: still as many pixels, and another checksum.
        let mut damaged = chunk[..n_bytes].to_vec();
        damaged[n_bytes - 2] ^= 1;
        let mut container = Container::open(&damaged).unwrap();
        assert!(!container.prove());
        assert!(matches!(decode(&container), Err(Error::Checksum { .. })));
        let unchecked = Container { is_proved: true, ..container };
        assert!(decode(&unchecked).is_ok_and(|dst| dst != pixels), "no checksum is computed");
    }
}
