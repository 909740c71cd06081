//! Where noted chunks are in a file: where HDF5 most likely put them, near there, or anywhere. A place is right where the bytes have
//! the chunk's checksum.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use darkchunk::salvage::buffer;

use super::record::{Chunk, TAIL, fill};
use crate::recover::Watch;

/// Before and after the likely end: HDF5 takes small chunks and nodes of its index from blocks of 2 KB.
const NEAR: u64 = 32 << 10;

/// Bytes that are searched at once.
const BLOCK: usize = 1 << 20;

/// The bits of a hash by which most places are passed over.
const HASH_BITS: u32 = 16;

/// A file in which chunks are looked for.
pub(super) struct Finder<'a> {
    watch: &'a Watch<'a>,
    file: File,
    n_bytes: u64,
    /// The end of the chunk that was found last.
    last_end: u64,
    /// Bytes that may still be read for places that prove wrong: a file full of a chunk's last bytes would take for ever.
    n_spare: u64,
    bytes: Vec<u8>,
}

impl<'a> Finder<'a> {
    pub(super) fn open(path: &Path, watch: &'a Watch<'a>) -> io::Result<Self> {
        let file = File::open(path)?;
        let n_bytes = file.metadata()?.len();
        let n_spare = n_bytes.saturating_mul(16).saturating_add(1 << 30);
        Ok(Self { watch, file, n_bytes, last_end: 0, n_spare, bytes: Vec::new() })
    }

    /// The chunk's bytes, if they are at `address`.
    pub(super) fn read(&mut self, chunk: &Chunk, address: u64) -> io::Result<Option<&[u8]>> {
        if chunk.n_bytes <= TAIL as u64 {
            self.bytes = chunk.tail[TAIL - chunk.n_bytes as usize..].to_vec();
        } else {
            let is_inside = address.checked_add(chunk.n_bytes).is_some_and(|end| end <= self.n_bytes);
            if !is_inside || !self.fill(chunk.n_bytes, address)? {
                return Ok(None);
            }
        }
        Ok((crc32fast::hash(&self.bytes) == chunk.checksum).then_some(&self.bytes))
    }

    /// Reads the bytes at a place that is in the file.
    fn fill(&mut self, n_bytes: u64, address: u64) -> io::Result<bool> {
        let n_bytes = usize::try_from(n_bytes).map_err(io::Error::other)?;
        if n_bytes > self.bytes.len() {
            self.bytes = buffer(n_bytes).map_err(io::Error::other)?;
        }
        self.bytes.truncate(n_bytes);
        self.file.seek(SeekFrom::Start(address))?;
        fill(&mut self.file, &mut self.bytes)
    }

    fn is_at(&mut self, chunk: &Chunk, address: u64) -> io::Result<bool> {
        let Some(n_spare) = self.n_spare.checked_sub(chunk.n_bytes) else { return Ok(false) };
        let is_at = self.read(chunk, address)?.is_some();
        self.n_spare = if is_at { self.n_spare } else { n_spare };
        Ok(is_at)
    }

    /// Where the chunk is, if it is where it is likely to be or near that.
    pub(super) fn near(&mut self, chunk: &Chunk) -> io::Result<Option<u64>> {
        self.watch.check().map_err(io::Error::other)?;
        let mut found = None;
        for address in [chunk.address, self.last_end] {
            if found.is_none() && self.is_at(chunk, address)? {
                found = Some(address);
            }
        }
        for end in [chunk.address, self.last_end].map(|address| address.saturating_add(chunk.n_bytes)) {
            if found.is_none() {
                found = self.search(end.saturating_sub(NEAR)..end.saturating_add(NEAR), &[chunk])?[0];
            }
        }
        self.last_end = found.map_or(self.last_end, |address| address.saturating_add(chunk.n_bytes));
        Ok(found)
    }

    /// Where the chunks are, wherever that is.
    pub(super) fn anywhere(&mut self, chunks: &[&Chunk]) -> io::Result<Vec<Option<u64>>> {
        if chunks.is_empty() { Ok(Vec::new()) } else { self.search(0..self.n_bytes, chunks) }
    }

    /// Looks for the last bytes of the chunks in this range of the file.
    fn search(&mut self, range: Range<u64>, chunks: &[&Chunk]) -> io::Result<Vec<Option<u64>>> {
        let mut wanted = Wanted::new(chunks);
        let (mut start, end) = (range.start, range.end.min(self.n_bytes));
        let n_block = range.end.saturating_sub(range.start).min(BLOCK as u64) as usize;
        let mut block = buffer(n_block).map_err(io::Error::other)?;
        while start.saturating_add(TAIL as u64) <= end && wanted.n_left > 0 {
            self.watch.check().map_err(io::Error::other)?;
            let n_bytes = (end - start).min(n_block as u64) as usize;
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut block[..n_bytes])?;
            for (at, tail) in block[..n_bytes].windows(TAIL).enumerate() {
                if wanted.may_be(tail) {
                    self.try_all(&mut wanted, tail, start + (at + TAIL) as u64)?;
                }
            }
            start += (n_bytes - TAIL + 1) as u64;
        }
        Ok(wanted.found)
    }

    /// Tries the chunks that have this tail, which ends at `end` of the file.
    fn try_all(&mut self, wanted: &mut Wanted<'_>, tail: &[u8], end: u64) -> io::Result<()> {
        let Some(numbers) = wanted.by_tail.get(tail) else { return Ok(()) };
        for number in numbers.clone() {
            let chunk = wanted.chunks[number];
            let Some(address) = end.checked_sub(chunk.n_bytes).filter(|_| wanted.found[number].is_none()) else {
                continue;
            };
            if self.is_at(chunk, address)? {
                wanted.found[number] = Some(address);
                wanted.n_left -= 1;
            }
        }
        Ok(())
    }
}

/// Chunks that are looked for.
struct Wanted<'a> {
    chunks: &'a [&'a Chunk],
    found: Vec<Option<u64>>,
    n_left: usize,
    by_tail: HashMap<[u8; TAIL], Vec<usize>>,
    /// Whether a tail with this hash is among them.
    hashes: Vec<bool>,
}

impl<'a> Wanted<'a> {
    fn new(chunks: &'a [&'a Chunk]) -> Self {
        let (mut by_tail, mut hashes) = (HashMap::<_, Vec<usize>>::new(), vec![false; 1 << HASH_BITS]);
        for (number, chunk) in chunks.iter().enumerate() {
            hashes[hash(&chunk.tail)] = true;
            by_tail.entry(chunk.tail).or_default().push(number);
        }
        Self { chunks, found: vec![None; chunks.len()], n_left: chunks.len(), by_tail, hashes }
    }

    fn may_be(&self, tail: &[u8]) -> bool {
        self.hashes[hash(tail)]
    }
}

fn hash(tail: &[u8]) -> usize {
    let number = tail.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - HASH_BITS)) as usize
}
