//! A chunk taken apart: all of it, or block by block.

use std::ops::Range;

use super::compressor::Format;
use super::filter;
use super::header::{HEADER_BYTES, Header, Shuffle};
use super::sparse::{SparseBlock, Streams};
use super::stream::Decoder;
use crate::codec::cursor::Cursor;
use crate::cpu::Level;
use crate::kernels::shuffle;
use crate::memory::scratch::Scratch;
use crate::{Error, Exec, Result};

/// What is in the output before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Anything.
    Any,
    /// Zeros.
    Zeroed,
}

impl Output {
    pub(super) fn is_zeroed(self) -> bool {
        self == Self::Zeroed
    }
}

/// A chunk whose header has been checked. Its blocks are independent of each other, so that the good ones can be saved
/// where one is broken.
#[derive(Debug, Clone)]
pub struct Chunk<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> Chunk<'a> {
    /// Reads the header of `bytes`. Bytes after the end that the header states are left alone.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Corrupt`] and [`Error::Unsupported`], for what is wrong with the header.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let header = Header::read(bytes)?;
        Ok(Self { bytes: &bytes[..header.stored_len], header })
    }

    /// The size that the chunk says it decodes to.
    #[must_use]
    pub fn decoded_len(&self) -> usize {
        self.header.n_bytes
    }

    /// Bytes of an element.
    pub(super) fn type_size(&self) -> usize {
        self.header.type_size
    }

    /// Whether the data follows the header as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.header.format.is_none()
    }

    /// How many blocks there are.
    #[must_use]
    pub fn n_blocks(&self) -> usize {
        self.header.n_blocks()
    }

    /// The decoded bytes that block `index` holds. Empty where there is no such block.
    #[must_use]
    pub fn decoded_range(&self, index: usize) -> Range<usize> {
        if index < self.n_blocks() { self.header.block_range(index) } else { 0..0 }
    }

    /// The bytes of the chunk that block `index` is stored in.
    ///
    /// # Errors
    /// [`Error::Corrupt`] and [`Error::Truncated`], where the block is not within the chunk.
    pub fn stored_range(&self, index: usize) -> Result<Range<usize>> {
        let decoded = self.block_range(index)?;
        let Some(_) = self.header.format else {
            return Ok(HEADER_BYTES + decoded.start..HEADER_BYTES + decoded.end);
        };
        let start = self.block_start(index)?;
        let mut streams = self.streams(index, start)?;
        for _ in 0..self.header.n_streams(decoded.len()) {
            next_stream(&mut streams)?;
        }
        Ok(start..start + streams.at())
    }

    /// Decodes block `index` into the whole of `dst`, which has the length of its [`decoded_range`](Self::decoded_range).
    /// Allocates that much again, and a little.
    ///
    /// # Errors
    /// Everything that can be wrong with a block; [`Error::BufferSize`] where `dst` has another length.
    pub fn decode_block_at(&self, level: Level, index: usize, dst: &mut [u8]) -> Result<()> {
        let expected = self.block_range(index)?.len();
        if dst.len() != expected {
            return Err(Error::BufferSize { what: "the output for a Blosc block", expected, found: dst.len() });
        }
        BlockDecoder::new(level, Output::Any).decode(self, index, dst).map(|_| ())
    }

    /// Decodes the whole chunk into `dst`, which has [`decoded_len`](Self::decoded_len) bytes.
    pub(super) fn decode_with(&self, exec: Exec, output: Output, dst: &mut [u8]) -> Result<()> {
        if dst.len() != self.header.n_bytes {
            return Err(Error::WrongSize { expected: dst.len(), found: self.header.n_bytes });
        }
        let Some(format) = self.header.format else {
            for (to, from) in dst.chunks_mut(128 << 10).zip(self.bytes[HEADER_BYTES..].chunks(128 << 10)) {
                to.copy_from_slice(from);
            }
            return Ok(());
        };
        let exec = exec.worth_decoding(format.pace(), self.bytes.len(), dst.len());
        let per_part = exec.threads.units_per_part(dst.len(), self.header.block_bytes);
        // Where a place in the chunk is damaged, one thread alone knows what is to be said of it.
        if per_part < self.n_blocks() && self.blocks_overlap() == Ok(false) {
            return self.decode_parts(exec, output, per_part, dst);
        }
        self.decode_in_turn(exec.level, output, dst)
    }

    /// Decodes blocks that are known not to overlap.
    fn decode_parts(&self, exec: Exec, output: Output, per_part: usize, dst: &mut [u8]) -> Result<()> {
        let parts = dst.chunks_mut(per_part.saturating_mul(self.header.block_bytes)).enumerate().collect();
        let decoded = exec.threads.run(parts, || {
            let mut decoder = BlockDecoder::new(exec.level, output);
            move |(part, dst): (usize, &mut [u8])| {
                let mut blocks = (part * per_part..).zip(dst.chunks_mut(self.header.block_bytes));
                blocks.try_for_each(|(index, block)| decoder.decode(self, index, block).map(|_| ()))
            }
        });
        decoded.into_iter().collect()
    }

    fn decode_in_turn(&self, level: Level, output: Output, dst: &mut [u8]) -> Result<()> {
        let mut decoder = BlockDecoder::new(level, output);
        // Blocks lie side by side in some order. That they do not overlap is what keeps the work within a multiple of the
        // chunk's length.
        let mut left = self.bytes.len() - self.header.front_bytes();
        let (mut end, mut in_order) = (self.header.front_bytes(), true);
        for (index, block) in dst.chunks_mut(self.header.block_bytes).enumerate() {
            let stored_len = decoder.decode(self, index, block)?;
            left = left.checked_sub(stored_len).ok_or(Error::Corrupt {
                at: HEADER_BYTES + 4 * index,
                what: "blocks overlap: together they have more bytes than the chunk",
            })?;
            let start = self.block_start(index)?;
            in_order &= start >= end;
            end = start + stored_len;
        }
        if !in_order && self.blocks_overlap()? {
            return Err(Error::Corrupt { at: HEADER_BYTES, what: "blocks overlap" });
        }
        Ok(())
    }

    /// Whether blocks that are compressed share bytes.
    pub(super) fn overlaps(&self) -> Result<bool> {
        if self.is_plain() { Ok(false) } else { self.blocks_overlap() }
    }

    /// Refuses a decoded size that no chunk of this length can have.
    pub(super) fn check_expansion(&self) -> Result<()> {
        let Some(format) = self.header.format else { return Ok(()) };
        let n_stored = self.bytes.len() - self.header.front_bytes();
        if self.header.n_bytes.div_ceil(format.max_expansion()) > n_stored {
            return Err(Error::Corrupt { at: 4, what: "the decoded size is more than the chunk's bytes can hold" });
        }
        Ok(())
    }

    /// Whether any two blocks share bytes. Allocates 8 bytes a block, which has 4 in the table, where they do not stand in
    /// order.
    fn blocks_overlap(&self) -> Result<bool> {
        let stored = || (0..self.n_blocks()).map(|index| self.stored_range(index));
        let (mut end, mut in_order) = (self.header.front_bytes(), true);
        for place in stored() {
            let place = place?;
            in_order &= place.start >= end;
            end = place.end;
        }
        if in_order {
            return Ok(false);
        }
        let places = stored().map(|place| place.map(|place| [place.start as u32, place.end as u32]));
        let mut places = places.collect::<Result<Vec<_>>>()?;
        places.sort_unstable();
        Ok(places.windows(2).any(|pair| pair[0][1] > pair[1][0]))
    }

    fn block_range(&self, index: usize) -> Result<Range<usize>> {
        if index >= self.n_blocks() {
            return Err(Error::Corrupt { at: HEADER_BYTES, what: "the chunk has no block of this number" });
        }
        Ok(self.header.block_range(index))
    }

    /// Where block `index` begins, in bytes from the start of the chunk.
    fn block_start(&self, index: usize) -> Result<usize> {
        let at = HEADER_BYTES + 4 * index;
        let mut cursor = Cursor::new(&self.bytes[at..]);
        let start = cursor.u32_le()? as usize;
        if start < self.header.front_bytes() || start > self.bytes.len() {
            return Err(Error::Corrupt { at, what: "a block begins outside the chunk" });
        }
        Ok(start)
    }

    fn streams(&self, index: usize, start: usize) -> Result<Cursor<'a>> {
        let n_bytes = self.header.block_range(index).len();
        if !n_bytes.is_multiple_of(self.header.n_streams(n_bytes)) {
            return Err(Error::Corrupt { at: 8, what: "the block size is not a multiple of the element size" });
        }
        Ok(Cursor::new(&self.bytes[start..]))
    }
}

/// The bytes of the stream that `streams` stands before.
pub(super) fn next_stream<'a>(streams: &mut Cursor<'a>) -> Result<&'a [u8]> {
    let len = streams.u32_le()? as usize;
    streams.take(len)
}

pub(super) fn damaged(at: usize) -> Error {
    Error::Corrupt { at, what: "a stream is damaged, or does not decode to its part of the block" }
}

/// What decoding one block after the other needs: contexts, and a block of scratch.
struct BlockDecoder {
    level: Level,
    output: Output,
    streams: Decoder,
    scratch: Scratch,
    sparse: SparseBlock,
}

impl BlockDecoder {
    fn new(level: Level, output: Output) -> Self {
        Self {
            level,
            output,
            streams: Decoder::new(level),
            scratch: Scratch::default(),
            sparse: SparseBlock::default(),
        }
    }

    /// Decodes block `index` of `chunk` into the whole of `dst` and returns the bytes that it takes in the chunk.
    fn decode(&mut self, chunk: &Chunk<'_>, index: usize, dst: &mut [u8]) -> Result<usize> {
        let header = &chunk.header;
        let Some(format) = header.format else {
            dst.copy_from_slice(&chunk.bytes[chunk.stored_range(index)?]);
            return Ok(dst.len());
        };
        let start = chunk.block_start(index)?;
        let streams = chunk.streams(index, start)?;
        let n_streams = header.n_streams(dst.len());
        let kind = filter::effective(header.shuffle, header.type_size, dst.len());
        if kind == Shuffle::None {
            return self.decode_streams(format, streams, start, n_streams, dst);
        }
        if (format, kind) == (Format::Lz4, Shuffle::Byte) {
            let streams = Streams { cursor: streams.clone(), start, n: n_streams };
            if SparseBlock::takes(header.type_size, &streams, dst.len()) {
                return self.sparse.decode(self.level, header.type_size, streams, self.output, dst);
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.reserve(dst.len());
        let shuffled = &mut scratch[..dst.len()];
        let result = self.decode_streams(format, streams, start, n_streams, shuffled);
        if result.is_ok() {
            if kind == Shuffle::Byte && !self.output.is_zeroed() && shuffle::wants_cleared(self.level) {
                dst.fill(0);
            }
            filter::undo(self.level, kind, header.type_size, shuffled, dst);
        }
        self.scratch = scratch;
        result
    }

    fn decode_streams(
        &mut self,
        format: Format,
        mut streams: Cursor<'_>,
        start: usize,
        n_streams: usize,
        dst: &mut [u8],
    ) -> Result<usize> {
        for part in dst.chunks_exact_mut(dst.len() / n_streams) {
            let at = start + streams.at();
            let stream = next_stream(&mut streams)?;
            if stream.len() == part.len() {
                part.copy_from_slice(stream);
            } else {
                self.streams.decode(format, stream, part).ok_or_else(|| damaged(at))?;
            }
        }
        Ok(streams.at())
    }
}
