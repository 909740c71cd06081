//! What can be had of a damaged container.
//!
//! Nothing is believed but what a checksum proves. The header's stands in for header and table; where it does not fit,
//! the dataset's parameters give the header, and every segment proves itself by its own checksum. A segment whose end is
//! damaged is looked for: it ends where its checksum fits. One whose checksum is damaged is proved by the header's
//! checksum, which fits once the right one is put into the table.

use super::container::{
    CHECKED_HEADER_BYTES, Container, HEADER_BYTES, VERSION, VERSION_PACKED, VERSION_WITH_EXCEPTIONS, entry_at,
};
use super::{Drle, Header, Mode, packed, segment};
use crate::cpu::Level;
use crate::{Error, Result};
use std::ops::Range;

/// What became of a damaged container.
pub(crate) struct Recovered {
    /// The segments that are lost: their numbers, their pixels, and why.
    pub(crate) failed: Vec<(usize, Range<usize>, Error)>,
    /// Whether header and table are as they were written.
    pub(crate) front_is_sound: bool,
}

impl Drle {
    /// Decodes every segment of the container `stored` that can be proved to its place in `dst`, which has the bytes of
    /// the dataset's chunk.
    ///
    /// # Errors
    /// What shows that no segment can be had: a sound header of another dataset, parameters without a threshold.
    pub(crate) fn recover(&self, level: Level, stored: &[u8], dst: &mut [u8]) -> Result<Recovered> {
        let front = Container::open_front(stored);
        let front_is_sound = front.is_ok();
        let container = match front {
            Ok(container) => {
                self.check(&container)?;
                let found = container.header().n_bytes as usize;
                if found != dst.len() {
                    return Err(Error::WrongSize { expected: dst.len(), found });
                }
                container
            }
            Err(_) => {
                let header = self.header(dst.len())?;
                if self.mode() == Mode::Packed
                    && let Some(header) = with_proved_threshold(stored, header)
                {
                    let failed = failed_of(level, &packed_container(stored, header), front_is_sound, dst);
                    if failed.len() < header.n_segments() {
                        return Ok(Recovered { failed, front_is_sound });
                    }
                }
                Container::salvage(stored, header)
            }
        };
        Ok(Recovered { failed: failed_of(level, &container, front_is_sound, dst), front_is_sound })
    }
}

/// The header with the threshold of a packed chunk, from which its values are counted. A recorder may have changed it, so that the
/// parameters' alone is not believed: it is the one with which the checksum fits, if only the threshold is damaged, in one byte. Where damage
/// is elsewhere, chunk and parameters must say the same. `None` where they do not.
fn with_proved_threshold(stored: &[u8], header: Header) -> Option<Header> {
    let said: [u8; 2] = stored.get(8..10)?.try_into().ok()?;
    let [low, high] = said;
    let near = (0..=u8::MAX).flat_map(|byte| [[byte, high], [low, byte]]);
    let candidates = [header.threshold].into_iter().chain(near.map(u16::from_le_bytes));
    let is_proved = |header: &Header| {
        let container = Container::salvage_as(stored, *header, VERSION_PACKED);
        container.table_entry(0).is_ok_and(|(_, checksum)| proves(&container, 0, checksum))
    };
    let mut headers = candidates.map(|threshold| Header { threshold, ..header });
    let proved = headers.find(|header| header.check().is_ok() && is_proved(header));
    proved.or_else(|| (u16::from_le_bytes(said) == header.threshold).then_some(header))
}

/// A packed container of which header or table is damaged, with its tables if they can be proved.
fn packed_container(stored: &[u8], header: Header) -> Container<'_> {
    let container = Container::salvage_as(stored, header, VERSION_PACKED);
    let bytes = stored.get(container.front_end()..).unwrap_or(&[]);
    let Ok((codes, n_bytes)) = packed::codes(bytes) else { return container };
    let checksum = crc32fast::hash(&bytes[..n_bytes]);
    let is_entered = container.table_entry(0).is_ok_and(|(_, entered)| entered == checksum);
    if is_entered || proves(&container, 0, checksum) { container.with_codes(codes) } else { container }
}

/// Decodes the segments that can be proved, the last one perhaps by the header; returns the others.
fn failed_of(
    level: Level,
    container: &Container<'_>,
    front_is_sound: bool,
    dst: &mut [u8],
) -> Vec<(usize, Range<usize>, Error)> {
    let mut failed = segments(level, container, front_is_sound, dst);
    if let ([(index, pixels, _)], false) = (&failed[..], front_is_sound)
        && let Ok(segment) = container.segment(*index)
        && proves(container, container.n_entries_before() + index, crc32fast::hash(segment.stored))
        && let dst = &mut dst[2 * pixels.start..2 * pixels.end]
        && container.decode_bytes(level, segment.bytes, dst, false).is_ok()
    {
        failed.clear();
    }
    failed
}

/// Decodes the segments that can be proved; returns the others.
fn segments(
    level: Level,
    container: &Container<'_>,
    front_is_sound: bool,
    dst: &mut [u8],
) -> Vec<(usize, Range<usize>, Error)> {
    let header = *container.header();
    let mut failed = Vec::new();
    // Where the next segment begins, where that is proved.
    let mut start = container.payload_start();
    for (index, dst) in dst.chunks_mut(2 * header.segment_pixels as usize).enumerate() {
        // Not even hashed: entries that do not rise would have the same bytes hashed for each of them.
        let most = 4 * longest(container, index);
        let decoded = match container.segment(index) {
            Ok(found) if found.stored.len() > most => {
                Err(Error::Corrupt { at: found.bytes.start, what: "a segment is longer than any writer's" })
            }
            _ => container.decode_segment(level, index, dst),
        };
        let end = match decoded {
            Ok(()) => container.entry(index).map(|(end, _)| end).ok(),
            Err(reason) => {
                let table_start = || container.entry(index.checked_sub(1)?).map(|(end, _)| end).ok();
                let start = start.or_else(table_start).filter(|_| !front_is_sound);
                let end = start.and_then(|start| find_end(level, container, index, start, dst));
                if end.is_none() {
                    failed.push((index, header.pixels(index), reason));
                }
                end
            }
        };
        start = end;
    }
    failed
}

/// Bytes that a segment has at most; one that is kept plain in a packed container has one more.
fn longest(container: &Container<'_>, index: usize) -> usize {
    segment::max_len(container.header().pixels(index).len()) + usize::from(container.is_packed())
}

/// The end of a segment that begins at `start`: where its checksum fits. Decodes it.
fn find_end(level: Level, container: &Container<'_>, index: usize, start: usize, dst: &mut [u8]) -> Option<usize> {
    let (_, checksum) = container.entry(index).ok()?;
    let bytes = container.bytes().get(start..)?;
    let most = longest(container, index);
    let mut hasher = crc32fast::Hasher::new();
    let n_bytes = 1 + bytes[..bytes.len().min(most)].iter().position(|byte| {
        hasher.update(std::slice::from_ref(byte));
        hasher.clone().finalize() == checksum
    })?;
    container.decode_bytes(level, start..start + n_bytes, dst, false).ok()?;
    Some(start + n_bytes)
}

/// Whether the header's checksum fits once this entry of the table has this checksum.
fn proves(container: &Container<'_>, entry: usize, checksum: u32) -> bool {
    let (stored, at) = (container.bytes(), entry_at(entry) + 4 - HEADER_BYTES);
    let (Some(table), Some(expected)) =
        (stored.get(HEADER_BYTES..container.front_end()), stored.get(CHECKED_HEADER_BYTES..HEADER_BYTES))
    else {
        return false;
    };
    let is_of_version = |version| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&container.header().to_bytes(version));
        hasher.update(&table[..at]);
        hasher.update(&checksum.to_le_bytes());
        hasher.update(&table[at + 4..]);
        hasher.finalize().to_le_bytes() == expected
    };
    let versions: &[u8] = if container.is_packed() { &[VERSION_PACKED] } else { &[VERSION, VERSION_WITH_EXCEPTIONS] };
    versions.iter().copied().any(is_of_version)
}
