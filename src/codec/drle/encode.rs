//! Pixels → container, a segment at a time.
//!
//! A segment is never longer than its pixels. So several threads can encode segments into the output at once, each where
//! they would stand if none of those before them had shrunk; then they are moved together.

use super::container::{HEADER_BYTES, Header, TABLE_ENTRY_BYTES};
use super::{ContainerWriter, pixels};
use crate::cpu::Level;
use crate::{Result, Threads};

/// Encodes `src`, the pixels of `header`, to the front of `dst`.
pub(super) fn container(level: Level, threads: Threads, header: Header, src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let per_part = threads.units_per_part(src.len(), header.segment_bytes());
    if per_part < header.n_segments() && dst.len() >= header.max_container_len() {
        return in_parts(level, threads, header, per_part, src, dst);
    }
    let mut writer = ContainerWriter::new(dst, header)?;
    for (index, segment) in src.chunks(header.segment_bytes()).enumerate() {
        let encoded = pixels::encode(level, header.element, header.threshold, segment, writer.segment_mut());
        let n_bytes = encoded.map_err(|error| error.behind(index * header.segment_pixels as usize))?;
        writer.finish_segment(n_bytes)?;
    }
    writer.finish()
}

/// Segments that one thread encodes one after the other.
struct Part<'a> {
    /// Its first pixel, counted in the chunk.
    first_pixel: usize,
    pixels: &'a [u8],
    room: &'a mut [u8],
    /// Its part of the table, for the length and the checksum of each segment's stream until its end is known.
    table: &'a mut [u8],
}

fn in_parts(
    level: Level,
    threads: Threads,
    header: Header,
    per_part: usize,
    src: &[u8],
    dst: &mut [u8],
) -> Result<usize> {
    let part_bytes = per_part * header.segment_bytes();
    let (table, rooms) = dst[HEADER_BYTES..].split_at_mut(header.payload_start() - HEADER_BYTES);
    let tables = table.chunks_mut(per_part * TABLE_ENTRY_BYTES);
    let parts = src.chunks(part_bytes).zip(rooms.chunks_mut(part_bytes)).zip(tables).enumerate();
    let part = |(part, ((pixels, room), table))| Part { first_pixel: part * part_bytes / 2, pixels, room, table };
    let encoded = threads.run(parts.map(part).collect(), || |part: Part<'_>| part.encode(level, &header));
    encoded.into_iter().collect::<Result<()>>()?;
    move_together(header, per_part, dst)
}

impl Part<'_> {
    fn encode(self, level: Level, header: &Header) -> Result<()> {
        let mut rest = self.room;
        let entries = self.table.chunks_mut(TABLE_ENTRY_BYTES);
        for ((index, segment), entry) in self.pixels.chunks(header.segment_bytes()).enumerate().zip(entries) {
            let encoded = pixels::encode(level, header.element, header.threshold, segment, rest);
            let first_pixel = self.first_pixel + index * header.segment_pixels as usize;
            let n_bytes = encoded.map_err(|error| error.behind(first_pixel))?;
            let (stream, behind) = rest.split_at_mut(n_bytes);
            entry[..4].copy_from_slice(&(n_bytes as u32).to_le_bytes());
            entry[4..].copy_from_slice(&crc32fast::hash(stream).to_le_bytes());
            rest = behind;
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
            from = header.payload_start() + index * header.segment_bytes();
        }
        from += writer.move_segment(from)?;
    }
    writer.finish()
}
