//! Packed containers: the segments of another container, entropy-coded with tables that all of them share.
//!
//! A segment is packed from its stream, and unpacked to its stream: pixels are not looked at. So a frame is encoded as ever, and
//! chunks that are stored can be packed, or unpacked, later.

use super::container::{CHECKED_HEADER_BYTES, Container, HEADER_BYTES, TABLE_ENTRY_BYTES, VERSION_PACKED};
use super::packed::{self, PairCounts, Place, Symbols};
use super::{ContainerWriter, segment as plain};
use crate::codec::entropy::tables;
use crate::cpu::Level;
use crate::kernels::rans::{Encoder, N_TOKENS};
use crate::{Error, Result};

/// Packs one container after the other, in the same memory.
#[derive(Debug, Default)]
pub struct Packer {
    symbols: Symbols,
    places: Vec<Option<Place>>,
    packed: Vec<u8>,
}

impl Packer {
    /// The container `stored`, packed; or as it is, where it is packed, or would not be shorter.
    ///
    /// # Errors
    /// What is wrong with the container or one of its segments: what is damaged gets no new checksum.
    pub fn pack<'a>(&'a mut self, level: Level, stored: &'a [u8]) -> Result<&'a [u8]> {
        let container = Container::open(stored)?;
        if container.is_packed() {
            return Ok(stored);
        }
        self.symbols.clear();
        self.places.clear();
        let mut counts: PairCounts = [[0; N_TOKENS]; 2];
        for index in 0..container.n_segments() {
            let segment = container.segment(index)?;
            segment.verify()?;
            let (stream, _) = plain::split(stored, segment.bytes)?;
            let threshold = container.header().threshold;
            let place = self.symbols.add(&stored[stream], segment.pixels.len(), threshold, &mut counts)?;
            self.places.push(place);
        }
        let is_shorter = self.write(level, &container, &counts)?;
        Ok(if is_shorter { &self.packed } else { stored })
    }

    /// Writes the packed container, and says whether it is shorter than the other.
    fn write(&mut self, level: Level, container: &Container<'_>, counts: &PairCounts) -> Result<bool> {
        let (header, stored) = (container.header(), container.bytes());
        let out = &mut self.packed;
        out.clear();
        out.extend_from_slice(&header.to_bytes(VERSION_PACKED));
        out.resize(HEADER_BYTES + (1 + header.n_segments()) * TABLE_ENTRY_BYTES, 0);
        let frequencies = counts.each_ref().map(tables::frequencies);
        let start = out.len();
        frequencies.iter().for_each(|table| tables::put(out, table));
        enter(out, 0, start)?;
        let mut encoder = Encoder::new(&frequencies);
        for (index, place) in self.places.iter().enumerate() {
            let (segment, start) = (container.segment(index)?, out.len());
            if let Some(place) = place {
                let (_, list) = plain::split(stored, segment.bytes.clone())?;
                self.symbols.put(level, place, &list, &mut encoder, out);
            }
            if place.is_none() || out.len() - start > segment.stored.len() {
                out.truncate(start);
                packed::put_plain(segment.stored, out);
            }
            enter(out, 1 + index, start)?;
            if out.len() >= stored.len() {
                return Ok(false);
            }
        }
        let (front, table) =
            out[..HEADER_BYTES + (1 + header.n_segments()) * TABLE_ENTRY_BYTES].split_at_mut(HEADER_BYTES);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&front[..CHECKED_HEADER_BYTES]);
        hasher.update(table);
        front[CHECKED_HEADER_BYTES..].copy_from_slice(&hasher.finalize().to_le_bytes());
        Ok(out.len() < stored.len())
    }
}

/// Enters what begins at `start` and ends here in the table.
fn enter(out: &mut [u8], entry: usize, start: usize) -> Result<()> {
    let end = u32::try_from(out.len())
        .map_err(|_| Error::Argument("the packed chunk is larger than the 4 GiB that a DRLE chunk can have".into()))?;
    let checksum = crc32fast::hash(&out[start..]);
    let entry = &mut out[HEADER_BYTES + entry * TABLE_ENTRY_BYTES..][..TABLE_ENTRY_BYTES];
    entry[..4].copy_from_slice(&end.to_le_bytes());
    entry[4..].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// The container `stored` with segments that are not packed: the streams as an encoder writes them.
///
/// # Errors
/// What is wrong with the container or one of its segments.
pub fn unpack(level: Level, stored: &[u8]) -> Result<Vec<u8>> {
    let container = Container::open(stored)?;
    let header = *container.header();
    let (mut scratch, mut segments, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..container.n_segments() {
        let found = container.sound_segment(index)?;
        let (stream, list) = container.open_segment(level, found.bytes, found.pixels.len(), &mut scratch)?;
        plain::join(stream, &list, &mut segments)?;
        ends.push(segments.len());
    }
    let mut unpacked = vec![0; header.payload_start() + segments.len()];
    let mut writer = ContainerWriter::new(&mut unpacked[..], header)?;
    let mut start = 0;
    for end in ends {
        writer.append_segment(&segments[start..end])?;
        start = end;
    }
    writer.finish()?;
    Ok(unpacked)
}
