//! Pixels → container, a segment at a time.
//!
//! How long a segment can be is known. So several threads can encode segments into the output at once, each where
//! they would stand if all of those before them were so long; then they are moved together.

use super::container::{HEADER_BYTES, Header, TABLE_ENTRY_BYTES};
use super::pixels::Encoding;
use super::{ContainerWriter, segment};
use crate::cpu::Level;
use crate::kernels::drle::{Exceptions, Sentinels};
use crate::{Result, Threads};

/// Pixels on their way into a container.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkEncoding {
    pub(super) level: Level,
    pub(super) header: Header,
    pub(super) sentinels: Sentinels,
}

impl ChunkEncoding {
    /// Encodes `src`, the pixels of the header, to the front of `dst`.
    pub(super) fn container(self, threads: Threads, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let header = self.header;
        let per_part = threads.units_per_part(src.len(), header.segment_bytes());
        if per_part < header.n_segments() && dst.len() >= header.max_container_len() {
            return self.in_parts(threads, per_part, src, dst);
        }
        let mut writer = ContainerWriter::new(dst, header)?;
        let mut exceptions = Exceptions::new(self.sentinels);
        for pixels in src.chunks(header.segment_bytes()) {
            let n_bytes = self.segment(pixels, &mut exceptions, writer.segment_mut())?;
            writer.finish_segment(n_bytes)?;
        }
        writer.finish()
    }

    /// Encodes the pixels of one segment to the front of `dst`.
    fn segment(&self, pixels: &[u8], exceptions: &mut Exceptions, dst: &mut [u8]) -> Result<usize> {
        let Self { level, header: Header { element, threshold, .. }, .. } = *self;
        let n_bytes = Encoding { level, element, threshold }.encode(pixels, Some(exceptions), dst)?;
        segment::close(dst, n_bytes, pixels.len() / 2, exceptions)
    }

    fn in_parts(self, threads: Threads, per_part: usize, src: &[u8], dst: &mut [u8]) -> Result<usize> {
        let header = self.header;
        let (table, rooms) = dst[HEADER_BYTES..].split_at_mut(header.payload_start() - HEADER_BYTES);
        let rooms = rooms.chunks_mut(per_part * header.max_segment_len());
        let tables = table.chunks_mut(per_part * TABLE_ENTRY_BYTES);
        let parts = src.chunks(per_part * header.segment_bytes()).zip(rooms).zip(tables);
        let parts = parts.map(|((pixels, room), table)| Part { pixels, room, table }).collect();
        let encoded = threads.run(parts, || {
            let mut exceptions = Exceptions::new(self.sentinels);
            move |part: Part<'_>| part.encode(&self, &mut exceptions)
        });
        encoded.into_iter().collect::<Result<()>>()?;
        move_together(header, per_part, dst)
    }
}

/// Segments that one thread encodes one after the other.
struct Part<'a> {
    pixels: &'a [u8],
    room: &'a mut [u8],
    /// Its part of the table, for the length and the checksum of each segment until its end is known.
    table: &'a mut [u8],
}

impl Part<'_> {
    fn encode(self, chunk: &ChunkEncoding, exceptions: &mut Exceptions) -> Result<()> {
        let mut rest = self.room;
        let entries = self.table.chunks_mut(TABLE_ENTRY_BYTES);
        for (pixels, entry) in self.pixels.chunks(chunk.header.segment_bytes()).zip(entries) {
            let n_bytes = chunk.segment(pixels, exceptions, rest)?;
            let (segment, after) = rest.split_at_mut(n_bytes);
            entry[..4].copy_from_slice(&(n_bytes as u32).to_le_bytes());
            entry[4..].copy_from_slice(&crc32fast::hash(segment).to_le_bytes());
            rest = after;
        }
        Ok(())
    }
}

/// Makes one container of parts that were encoded each in its room.
fn move_together(header: Header, per_part: usize, dst: &mut [u8]) -> Result<usize> {
    let mut writer = ContainerWriter::new(dst, header)?;
    let mut from = header.payload_start();
    for index in 0..header.n_segments() {
        if index.is_multiple_of(per_part) {
            from = header.payload_start() + index * header.max_segment_len();
        }
        from += writer.move_segment(from)?;
    }
    writer.finish()
}
