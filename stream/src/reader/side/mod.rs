//! Where the blocks of chunks are, in a file beside the dataset's: made by walking every chunk once, when it is read or when it is
//! recorded.
//!
//! With it a part of a chunk needs only the bytes of its blocks, also in a process that has never seen the chunk. `docs/format.md` has
//! the bytes. What the file says is a claim: it is compared with the chunk's address and stored size, and each block with its
//! length and its checksum. What does not agree is not used: the chunk is read as it is without an index.

mod write;

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use darkchunk::codec::{BlockIndex, Parts};
use darkchunk_hdf5::chunk_map::{Located, StoredChunk, read_at};

use super::work::Known;
use super::{Reader, Way};
use crate::{Error, Result};
pub use write::IndexWriter;
pub(crate) use write::{IndexFile, Walked};

const MAGIC: &[u8; 8] = b"DCBLOCKS";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 32;
/// Of a block: where it begins, and its checksum.
const RECORD_BYTES: usize = 8;
/// Of a chunk.
const ENTRY_BYTES: usize = 40;

/// What the file says of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// From the first byte of the dataset's file.
    address: u64,
    stored_bytes: u64,
    /// Where the records of its blocks are in the index.
    at: u64,
    n_bytes: u32,
    part_bytes: u32,
    n_raw: u32,
    n_blocks: u32,
}

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let (numbers, sizes) = bytes.split_at_mut(24);
        for (to, from) in numbers.as_chunks_mut::<8>().0.iter_mut().zip([self.address, self.stored_bytes, self.at]) {
            *to = from.to_le_bytes();
        }
        let from = [self.n_bytes, self.part_bytes, self.n_raw, self.n_blocks];
        for (to, from) in sizes.as_chunks_mut::<4>().0.iter_mut().zip(from) {
            *to = from.to_le_bytes();
        }
        bytes
    }

    /// An entry whose records lie before `end`, and whose numbers belong to one chunk.
    fn read(bytes: &[u8; ENTRY_BYTES], end: u64) -> Option<Self> {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let size = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let found = Self {
            address: number(0),
            stored_bytes: number(8),
            at: number(16),
            n_bytes: size(24),
            part_bytes: size(28),
            n_raw: size(32),
            n_blocks: size(36),
        };
        let in_blocks = found.n_bytes.checked_sub(found.n_raw).filter(|_| found.part_bytes > 0)?;
        let records = (u64::from(found.n_blocks) + 1) * RECORD_BYTES as u64;
        let is_sound = in_blocks.div_ceil(found.part_bytes) == found.n_blocks
            && found.at >= HEAD_BYTES as u64
            && found.at.checked_add(records).is_some_and(|records_end| records_end <= end);
        is_sound.then_some(found)
    }

    fn parts(&self) -> Parts {
        Parts { n_bytes: self.n_bytes as usize, part_bytes: self.part_bytes as usize }
    }
}

/// An index that is there.
#[derive(Debug)]
pub(super) struct Side {
    file: File,
    /// By their addresses, which rise.
    entries: Vec<Entry>,
}

/// Where blocks of a chunk are, and what their bytes must be.
#[derive(Debug)]
pub(super) struct Blocks {
    pub(super) index: Arc<BlockIndex>,
    /// How long each piece of the bytes is that the index says, and its checksum; `None` where this process has walked the chunk.
    pub(super) checks: Option<Vec<(usize, u32)>>,
}

impl Blocks {
    /// Whether these are the bytes that were walked.
    pub(super) fn agree(&self, mut bytes: &[u8]) -> bool {
        let Some(checks) = &self.checks else { return true };
        let is_right = checks.iter().all(|(n, check)| {
            bytes.split_at_checked(*n).is_some_and(|(piece, rest)| {
                bytes = rest;
                crc32fast::hash(piece) == *check
            })
        });
        is_right && bytes.is_empty()
    }
}

impl Side {
    fn open(path: &Path) -> Result<Self> {
        let failed = |reason: String| Error::Index { path: path.display().to_string(), reason };
        let io = |error: std::io::Error| failed(error.to_string());
        let file = File::open(path).map_err(io)?;
        let n_bytes = file.metadata().map_err(io)?.len();
        let mut head = [0; HEAD_BYTES];
        read_at(&file, &mut head, 0).map_err(|_| failed("it is no index of blocks".into()))?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
        let (version, check, table) = (number(8) as u32, (number(8) >> 32) as u32, number(16));
        if head[..8] != *MAGIC {
            return Err(failed("it is no index of blocks".into()));
        }
        if version != VERSION {
            return Err(failed(format!("it has version {version}, this is version {VERSION}: write it again")));
        }
        let damaged = || failed("it is damaged: write it again".into());
        let table_bytes = n_bytes.checked_sub(table).filter(|_| table >= HEAD_BYTES as u64).ok_or_else(damaged)?;
        if Some(table_bytes) != number(24).checked_mul(ENTRY_BYTES as u64) {
            return Err(damaged());
        }
        // As long as the file is.
        let mut bytes = super::buffer::zeroed(table_bytes as usize).map_err(|error| failed(error.to_string()))?;
        read_at(&file, &mut bytes, table).map_err(io)?;
        if checksum(&head[16..], &bytes) != check {
            return Err(damaged());
        }
        let entries = bytes.as_chunks().0.iter().map(|entry| Entry::read(entry, table)).collect::<Option<Vec<_>>>();
        let entries =
            entries.filter(|entries| entries.is_sorted_by(|a, b| a.address < b.address)).ok_or_else(damaged)?;
        Ok(Self { file, entries })
    }

    fn entry(&self, address: u64, stored_bytes: u64) -> Option<&Entry> {
        let found = self.entries.binary_search_by_key(&address, |entry| entry.address).ok()?;
        Some(&self.entries[found]).filter(|entry| entry.stored_bytes == stored_bytes)
    }

    /// The blocks of a chunk that have any of `range`, where it is a chunk of `n_bytes`.
    pub(super) fn blocks(
        &self,
        located: &Located,
        chunk: StoredChunk,
        n_bytes: usize,
        range: &Range<usize>,
    ) -> Option<Blocks> {
        let entry = self.entry(chunk.address.checked_add(located.base)?, chunk.n_bytes)?;
        let (parts, n_raw) = (entry.parts(), entry.n_raw as usize);
        if parts.n_bytes != n_bytes || range.end > n_bytes {
            return None;
        }
        let blocks = parts.blocks(n_raw, range);
        let mut records = vec![0; (blocks.len() + 1) * RECORD_BYTES];
        let at = entry.at + (blocks.start * RECORD_BYTES) as u64;
        read_at(&self.file, &mut records, at).ok()?;
        let number = |bytes: &[u8; RECORD_BYTES], at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let records: Vec<(usize, u32)> =
            records.as_chunks().0.iter().map(|record| (number(record, 0) as usize, number(record, 4))).collect();
        let places: Vec<usize> = records.iter().map(|(place, _)| *place).collect();
        let index = BlockIndex::of_some(parts, n_raw, blocks.start, &places).ok()?;
        let mut checks: Vec<(usize, u32)> =
            places.windows(2).zip(&records).map(|(pair, (_, check))| (pair[1] - pair[0], *check)).collect();
        if range.end > parts.n_bytes - n_raw {
            checks.push((n_raw, records.last()?.1));
        }
        Some(Blocks { index: Arc::new(index), checks: Some(checks) })
    }
}

fn checksum(head: &[u8], table: &[u8]) -> u32 {
    let mut check = crc32fast::Hasher::new();
    check.update(head);
    check.update(table);
    check.finalize()
}

impl Reader {
    /// Uses an index of blocks that [`IndexWriter`] has written for this dataset, and returns of how many of its chunks it says something.
    /// It is used until another one is, also after a refresh. A chunk that was written anew since is read as without an index.
    ///
    /// # Errors
    /// [`Error::Index`] where the file cannot be read, is damaged, or is no index; [`Error::Argument`] where chunks are not read directly.
    pub fn load_index(&self, path: &Path) -> Result<u64> {
        let (map, located) = indexed(&self.known, self.way)?;
        let side = Side::open(path)?;
        let is_known = |chunk: &StoredChunk| {
            let address = chunk.address.checked_add(located.base);
            address.is_some_and(|address| side.entry(address, chunk.n_bytes).is_some())
        };
        let n_known = map.iter().filter(|(_, chunk)| is_known(chunk)).count() as u64;
        self.known.indices.set_side(Some(Arc::new(side)));
        Ok(n_known)
    }
}

/// The chunks of a dataset that may have an index.
fn indexed(known: &Known, way: Way) -> Result<(&darkchunk_hdf5::chunk_map::ChunkMap, &Located)> {
    match (&known.map, &known.located) {
        (Some(map), Some(located)) if way == Way::Direct && known.is_chunked => Ok((map, located)),
        _ => Err(Error::Argument("an index is of chunks that are read directly; these are not".into())),
    }
}

fn failed(path: &Path, reason: &str) -> Error {
    Error::Index { path: path.display().to_string(), reason: reason.to_owned() }
}
