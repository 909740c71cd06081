//! An index of blocks is written: the records of each chunk as it is walked, the table when all are.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use darkchunk::chunk::Filter;
use darkchunk_hdf5::chunk_map::StoredChunk;

use super::{Entry, HEAD_BYTES, MAGIC, RECORD_BYTES, VERSION, checksum, failed, indexed};
use crate::Result;
use crate::reader::Reader;
use crate::reader::work::{Known, read_chunk};

/// What is said of a chunk, wherever it is in the dataset's file.
#[derive(Debug)]
pub(crate) struct Walked {
    records: Vec<u8>,
    stored_bytes: u64,
    n_bytes: u32,
    part_bytes: u32,
    n_raw: u32,
    n_blocks: u32,
}

impl Walked {
    /// Walks a stored chunk; `None` where it has no blocks, or does not say soundly where they are.
    pub(crate) fn of(filter: &Filter, stored: &[u8]) -> Option<Self> {
        let index = filter.open(stored).and_then(|open| open.index()).ok().flatten()?;
        let (parts, places) = (index.parts(), index.places().collect::<Vec<usize>>());
        let end = places.last()?.checked_add(index.n_raw()).filter(|end| *end <= stored.len())?;
        let small = |n: usize| u32::try_from(n).ok();
        small(end)?;
        let mut records = Vec::with_capacity(places.len() * RECORD_BYTES);
        for (begin, end) in places.iter().zip(places.iter().skip(1).chain([&end])) {
            records.extend((*begin as u32).to_le_bytes());
            records.extend(crc32fast::hash(&stored[*begin..*end]).to_le_bytes());
        }
        Some(Self {
            records,
            stored_bytes: stored.len() as u64,
            n_bytes: small(parts.n_bytes)?,
            part_bytes: small(parts.part_bytes)?,
            n_raw: small(index.n_raw())?,
            n_blocks: small(places.len() - 1)?,
        })
    }
}

/// The file, which has its name when it is [finished](Self::finish). One that is not goes away.
#[derive(Debug)]
pub(crate) struct IndexFile {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    at: u64,
    entries: Vec<Entry>,
    is_done: bool,
}

impl IndexFile {
    /// Begins the file `path`, which may be there: then it is replaced in the end.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if !may_be_replaced(path) {
            return Err(failed(path, "there is a file of that name which is no index: name another one"));
        }
        let path = std::path::absolute(path).map_err(|error| failed(path, &error.to_string()))?;
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let made = File::create(&part).and_then(|mut file| file.write_all(&[0; HEAD_BYTES]).map(|()| file));
        let file = BufWriter::new(made.map_err(|error| failed(&path, &error.to_string()))?);
        Ok(Self { path, part, file, at: HEAD_BYTES as u64, entries: Vec::new(), is_done: false })
    }

    /// Adds a chunk at this address, or at one that [`locate`](Self::locate) finds by this number.
    pub(crate) fn add(&mut self, address: u64, walked: &Walked) -> Result<()> {
        let Walked { ref records, stored_bytes, n_bytes, part_bytes, n_raw, n_blocks } = *walked;
        self.file.write_all(records).map_err(|error| failed(&self.path, &error.to_string()))?;
        self.entries.push(Entry { address, stored_bytes, at: self.at, n_bytes, part_bytes, n_raw, n_blocks });
        self.at += records.len() as u64;
        Ok(())
    }

    /// Gives each chunk the address that `address_of` says, by the number that it was added with and its stored bytes; leaves out those
    /// that have none.
    pub(crate) fn locate(&mut self, address_of: impl Fn(u64, u64) -> Option<u64>) {
        self.entries.retain_mut(|entry| {
            let found = address_of(entry.address, entry.stored_bytes);
            entry.address = found.unwrap_or_default();
            found.is_some()
        });
        self.entries.sort_unstable_by_key(|entry| entry.address);
    }

    /// Writes the table, of addresses that rise, and gives the file its name.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if self.entries.is_empty() {
            let reason = "none of its chunks has blocks that follow each other: they decode as a whole, or say where their parts are";
            return Err(failed(&self.path, reason));
        }
        self.close().map_err(|error| failed(&self.path, &error.to_string()))?;
        self.is_done = true;
        Ok(())
    }

    fn close(&mut self) -> std::io::Result<()> {
        use std::io::{Seek, SeekFrom};
        let table: Vec<u8> = self.entries.iter().flat_map(|entry| entry.to_bytes()).collect();
        self.file.write_all(&table)?;
        let mut rest = self.at.to_le_bytes().to_vec();
        rest.extend((self.entries.len() as u64).to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(MAGIC)?;
        self.file.write_all(&VERSION.to_le_bytes())?;
        self.file.write_all(&checksum(&rest, &table).to_le_bytes())?;
        self.file.write_all(&rest)?;
        self.file.flush()?;
        std::fs::rename(&self.part, &self.path)
    }
}

impl Drop for IndexFile {
    fn drop(&mut self) {
        if !self.is_done {
            // An index that is not complete is of no use.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

/// Whether nothing is lost where this file is replaced: there is none, it is empty, or an index.
fn may_be_replaced(path: &Path) -> bool {
    use std::io::Read;
    let Ok(mut file) = File::open(path) else { return path.symlink_metadata().is_err() };
    let mut head = Vec::new();
    let n_read = Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut head);
    n_read.is_ok_and(|n| n == 0) || head == MAGIC
}

/// Walks the chunks of a dataset and writes where their blocks are. The file is there when all are walked, not before.
#[derive(Debug)]
pub struct IndexWriter {
    known: Arc<Known>,
    /// With the offset of each.
    chunks: Vec<(Vec<u64>, StoredChunk)>,
    next: usize,
    file: IndexFile,
    memory: Vec<u8>,
}

impl IndexWriter {
    /// Begins an index of the dataset's chunks in the new file `path`, which may be there: then it is replaced in the end.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) where chunks are not read directly; [`Error::Index`](crate::Error::Index) where the file
    /// cannot be made.
    pub fn begin(reader: &Reader, path: &Path) -> Result<Self> {
        let known = Arc::clone(&reader.known);
        let (map, _) = indexed(&known, reader.way)?;
        let offset = |place: Vec<u64>| place.iter().zip(&known.block).map(|(at, block)| at * block).collect();
        let mut chunks: Vec<_> = map.iter().map(|(place, chunk)| (offset(place), chunk)).collect();
        chunks.sort_unstable_by_key(|(_, chunk)| chunk.address);
        chunks.dedup_by_key(|(_, chunk)| chunk.address);
        Ok(Self { known, chunks, next: 0, file: IndexFile::create(path)?, memory: Vec::new() })
    }

    /// Walks on for about so long, at least one chunk, and says whether the index is written. Without a limit it writes all.
    ///
    /// # Errors
    /// [`Error::Read`](crate::Error::Read) where the dataset's file cannot be read; [`Error::Index`](crate::Error::Index) where the index
    /// cannot be written, or no chunk has blocks that an index is of.
    pub fn step(&mut self, limit: Option<Duration>) -> Result<bool> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        while self.next < self.chunks.len() {
            self.chunk()?;
            self.next += 1;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
        }
        if !self.file.is_done {
            self.file.finish()?;
        }
        Ok(true)
    }

    /// Stored bytes of the chunks that are walked.
    #[must_use]
    pub fn walked_bytes(&self) -> u64 {
        self.chunks[..self.next].iter().map(|(_, chunk)| chunk.n_bytes).sum()
    }

    /// One chunk. What has no blocks, or does not say soundly where they are, is left out.
    fn chunk(&mut self) -> Result<()> {
        let known = &*self.known;
        let (offset, chunk) = &self.chunks[self.next];
        let is_edge = offset.iter().zip(&known.block).zip(&known.dims).any(|((at, block), dim)| dim - at < *block);
        let (Some(filter), Some(located)) = (known.chain.alone(chunk.mask), &known.located) else { return Ok(()) };
        if known.edges_are_raw && is_edge {
            return Ok(());
        }
        let stored = read_chunk(known, located, *chunk, offset, &mut self.memory)?;
        let address = chunk.address.saturating_add(located.base);
        Walked::of(filter, stored).map_or(Ok(()), |walked| self.file.add(address, &walked))
    }
}
