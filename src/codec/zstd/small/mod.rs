//! The decoder of small frames, such as the blocks of bit rows are.
//!
//! The library's decoder is made for frames of megabytes. In one of 8 KiB it spends its time on tables, on matches from a
//! short distance, which it copies byte by byte at first, and on branches that nobody can guess. Here the numbers of a
//! sequence are decoded without branches, and a match is repeated a vector at a time, whatever its distance. Tables are
//! made with few of them, too.
//!
//! Only frames as encoders write them of a few KiB are decoded here: the size is stated and is the window, there is no
//! checksum or dictionary, and no block uses a table of the one before it. Whatever else there is, and all that is
//! damaged, is left to the library, which also says what is an error; and so is everything at the level scalar. What is
//! decoded here, the library decodes to the same bytes.
//!
//! Sections are of RFC 8878.

mod bits;
mod fse;
mod huffman;
mod output;
mod sequences;
#[cfg(test)]
mod tests;

use crate::cpu::{Isa, Level};
use crate::lz::vector::Lanes;
use crate::lz::vector::dispatch::{Work, with_lanes};
use huffman::{Huffman, Streams};
use output::{MAX_BYTES, Output, Room};
use sequences::{Recent, Sequences};
use std::ops::Range;

/// Frames are decoded here that have one byte for so many, at most: others are little but literals, over which the
/// library's loops are faster.
const MIN_FOR_FRAME: usize = 2;

/// And so is it with literals in Huffman codes: one for so many bytes, at most.
const MIN_FOR_CODED: usize = 4;

/// Decodes `frame` to its content of `n_bytes`, with `memory` that is made when the first one needs it. `None` where that
/// is left to the library.
pub(super) fn decode<'a>(
    memory: &'a mut Option<Box<Decoder>>,
    level: Level,
    frame: &[u8],
    n_bytes: usize,
) -> Option<&'a [u8]> {
    let at = header_len(frame, n_bytes)?;
    if level.isa() == Isa::Scalar || frame.len() > n_bytes / MIN_FOR_FRAME {
        return None;
    }
    let decoder = memory.get_or_insert_default();
    let written = with_lanes(level, Blocks { decoder, frame, at, n_bytes, max_coded: n_bytes / MIN_FOR_CODED })?;
    (written == n_bytes).then(|| decoder.content.first(n_bytes))
}

/// What frames are decoded with.
pub(super) struct Decoder {
    tables: Tables,
    literals: Room,
    content: Room,
}

struct Tables {
    huffman: Huffman,
    sequences: Sequences,
}

impl Default for Decoder {
    fn default() -> Self {
        let tables = Tables { huffman: Huffman::new(), sequences: Sequences::new() };
        Self { tables, literals: Room::new(), content: Room::new() }
    }
}

/// Where the blocks of `frame` begin, if it has a header of the kind that is decoded here and states `n_bytes` (3.1.1.1).
fn header_len(frame: &[u8], n_bytes: usize) -> Option<usize> {
    /// Header, the largest one that is decoded here.
    const HEADER_BYTES: usize = 9;
    let header: &[u8; HEADER_BYTES] = frame.first_chunk()?;
    let [a, b, c, d] = [header[5], header[6], header[7], header[8]];
    let (stated, len) = match header[4] {
        0x20 => (u32::from(a), 6),
        0x60 => (u32::from(u16::from_le_bytes([a, b])) + 0x100, 7),
        0xa0 => (u32::from_le_bytes([a, b, c, d]), 9),
        _ => return None,
    };
    let is_ours = header[..4] == super::zeros::MAGIC && stated as usize == n_bytes && n_bytes <= MAX_BYTES;
    is_ours.then_some(len)
}

struct Blocks<'a> {
    decoder: &'a mut Decoder,
    frame: &'a [u8],
    at: usize,
    n_bytes: usize,
    max_coded: usize,
}

impl Work for Blocks<'_> {
    type Output = Option<usize>;

    /// Decodes the blocks up to the last one, which ends the frame (3.1.1.2). Returns the bytes that there are then, at most
    /// `n_bytes`.
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Option<usize> {
        let Self { decoder, frame, mut at, n_bytes, max_coded } = self;
        let (mut recent, mut written) = (Recent::new(), 0);
        loop {
            let header = frame.get(at..at + 3)?;
            let header = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            let (is_last, kind, size) = (header & 1 != 0, header >> 1 & 3, header >> 3);
            if size > n_bytes {
                return None;
            }
            at += 3;
            let stored = at..at + if kind == 1 { 1 } else { size };
            let block = frame.get(stored.clone())?;
            at = stored.end;
            written = match kind {
                0 => {
                    decoder.content.range(written, written + size)?.copy_from_slice(block);
                    written + size
                }
                1 => {
                    decoder.content.range(written, written + size)?.fill(block[0]);
                    written + size
                }
                2 => {
                    let Decoder { tables, literals, content } = &mut *decoder;
                    let (n_literals, sequences) = tables.literals(frame, stored, max_coded, literals)?;
                    let mut output = Output::new(lanes, content, written, n_bytes, literals);
                    tables.sequences.decode(frame, sequences, &mut recent, &mut output)?;
                    output.finish(n_literals)?
                }
                _ => return None,
            };
            if is_last {
                return (at == frame.len() && written <= n_bytes).then_some(written);
            }
        }
    }
}

impl Tables {
    /// Decodes the literals of the block in `bytes` of `frame` to the front of `to`. Returns their number, and where the
    /// sequences are (3.1.1.3.1). `None` where there are more than `max_coded` in Huffman codes.
    #[inline(always)]
    fn literals(
        &mut self,
        frame: &[u8],
        bytes: Range<usize>,
        max_coded: usize,
        to: &mut Room,
    ) -> Option<(usize, Range<usize>)> {
        let header = Literals::read(frame.get(bytes.clone())?)?;
        let stored = bytes.start + header.header_bytes..bytes.start + header.header_bytes + header.stored;
        if stored.end > bytes.end {
            return None;
        }
        let to = to.range(0, header.n_bytes)?;
        match header.kind {
            LiteralsKind::Plain => to.copy_from_slice(&frame[stored.clone()]),
            LiteralsKind::Repeated => to.fill(frame[stored.start]),
            LiteralsKind::Huffman(_) if header.n_bytes > max_coded => return None,
            LiteralsKind::Huffman(streams) => {
                let n = self.huffman.read(frame, stored.clone())?;
                self.huffman.decode(frame, stored.start + n..stored.end, streams, to)?;
            }
        }
        Some((header.n_bytes, stored.end..bytes.end))
    }
}

enum LiteralsKind {
    Plain,
    Repeated,
    Huffman(Streams),
}

/// The header of a block's literals (3.1.1.3.1.1).
struct Literals {
    kind: LiteralsKind,
    header_bytes: usize,
    n_bytes: usize,
    /// Bytes after the header.
    stored: usize,
}

impl Literals {
    fn read(block: &[u8]) -> Option<Self> {
        let first = *block.first()?;
        let (kind, format) = (first & 3, first >> 2 & 3);
        let number = |n: usize| -> Option<usize> {
            let bytes = block.get(..n)?.iter().rev();
            Some(bytes.fold(0, |number, byte| number << 8 | usize::from(*byte)))
        };
        if kind < 2 {
            let (header_bytes, n_bytes) = match format {
                1 => (2, number(2)? >> 4),
                3 => (3, number(3)? >> 4),
                _ => (1, number(1)? >> 3),
            };
            let (kind, stored) = if kind == 0 { (LiteralsKind::Plain, n_bytes) } else { (LiteralsKind::Repeated, 1) };
            return Some(Self { kind, header_bytes, n_bytes, stored });
        }
        // 3: with the tree of the block before.
        if kind == 3 {
            return None;
        }
        let (header_bytes, n_bits) = match format {
            0 | 1 => (3, 10),
            2 => (4, 14),
            _ => (5, 18),
        };
        let streams = if format == 0 { Streams::One } else { Streams::Four };
        let both = block.get(..header_bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)) >> 4;
        let n_bytes = (both & ((1 << n_bits) - 1)) as usize;
        let stored = (both >> n_bits) as usize;
        let is_decoded = n_bytes >= if format == 0 { 1 } else { 6 };
        is_decoded.then_some(Self { kind: LiteralsKind::Huffman(streams), header_bytes, n_bytes, stored })
    }
}
