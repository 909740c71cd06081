//! What of a file of results is finished, so that a run that was ended goes on after it.
//!
//! ```text
//!  .out.h5.RANK.NUMBER.tmp      the file that is being written
//!  .out.h5.RANK.NUMBER.slabs    a line for each finished slab: its last slice, what became of its slices, its chunks: where they are in
//!                               the file above, and their checksums
//! ```
//!
//! A run that goes on copies these chunks, in their order, to a file of its own, which so becomes the same, byte by byte. What is not proved
//! by a checksum, a torn line or a chunk that did not get to the disk, is not finished, nor is all after it. Who writes a manifest holds
//! its lock.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::temporary::folder_of;
use crate::{Error, Result};

const ENDING: &str = "slabs";

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// What runs have in common that may go on with each other.
    run: String,
}

/// A chunk in the unfinished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub(super) output: usize,
    pub(super) offset: Vec<u64>,
    /// None until HDF5 was asked.
    pub(super) address: Option<u64>,
    n_bytes: u64,
    crc: u32,
}

impl Chunk {
    pub(super) fn new(output: usize, offset: &[u64], address: Option<u64>, bytes: &[u8]) -> Self {
        let crc = crc32fast::hash(bytes);
        Self { output, offset: offset.to_vec(), address, n_bytes: bytes.len() as u64, crc }
    }

    /// Its bytes, where they are still what was written.
    fn read(&self, file: &mut File) -> Option<Vec<u8>> {
        file.seek(SeekFrom::Start(self.address?)).ok()?;
        let mut bytes = Vec::new();
        file.take(self.n_bytes).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 == self.n_bytes && crc32fast::hash(&bytes) == self.crc).then_some(bytes)
    }
}

/// A chunk of several slices that was not complete yet: its first slices, encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) output: usize,
    pub(super) offset: Vec<u64>,
    pub(super) n: u64,
    pub(super) bytes: Vec<u8>,
}

/// A finished slab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slab {
    /// The slice after its last.
    pub(super) end: u64,
    /// What became of each of its slices.
    pub(super) status: Vec<u8>,
    /// The first slice that has failed so far, and why.
    pub(super) failure: Option<(u64, String)>,
    /// Of inputs that were growing: the state of the chunks that its slices were made of.
    pub(super) state: Option<u64>,
    /// Chunks that were written since the slab before, in their order.
    pub(super) chunks: Vec<Chunk>,
    pub(super) begun: Vec<Begun>,
}

/// The manifest of a file that is being written.
#[derive(Debug)]
pub(super) struct Manifest {
    /// Holds the lock.
    file: File,
    /// Whether each line was written.
    is_whole: bool,
    path: PathBuf,
    /// Where the last finished slab ends; 0 before the first.
    pub(super) end: u64,
}

impl Manifest {
    /// Begins that of the unfinished file `of`.
    pub(super) fn begin(of: &Path, run: &str) -> Result<Self> {
        let path = of.with_extension(ENDING);
        let failed = |error: std::io::Error| Error::Argument(format!("{}: {error}", path.display()));
        let file = File::create(&path).map_err(failed)?;
        // Not every file system has locks.
        let _ = file.try_lock();
        let mut manifest = Self { file, is_whole: true, path, end: 0 };
        manifest.line(&Head { run: run.to_owned() });
        Ok(manifest)
    }

    pub(super) fn slab(&mut self, slab: &Slab) {
        self.line(slab);
        if self.is_whole {
            self.end = slab.end;
        }
    }

    /// Where it cannot be written, such as on a full disk, it ends: after a torn line nothing counts.
    fn line(&mut self, what: &impl Serialize) {
        if !self.is_whole {
            return;
        }
        let text = serde_json::to_string(what).unwrap_or_default();
        let line = format!("{:08x} {text}\n", crc32fast::hash(text.as_bytes()));
        self.is_whole = self.file.write_all(line.as_bytes()).is_ok();
    }

    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// What an earlier run has left.
#[derive(Debug)]
pub(super) struct Left {
    path: PathBuf,
    /// Holds the lock.
    _manifest: File,
    slabs: Vec<Slab>,
}

impl Left {
    /// The slice after the last that is finished.
    pub(super) fn end(&self) -> u64 {
        self.slabs.last().map_or(0, |slab| slab.end)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its slabs with their chunks, as far as the chunks are what was written.
    pub(super) fn slabs(&self) -> impl Iterator<Item = (&Slab, Vec<Vec<u8>>)> {
        let mut file = File::open(self.path.with_extension("tmp")).ok();
        self.slabs.iter().map_while(move |slab| {
            let mut read = |chunk: &Chunk| chunk.read(file.as_mut()?);
            let chunks = slab.chunks.iter().map(&mut read).collect::<Option<Vec<_>>>()?;
            Some((slab, chunks))
        })
    }

    pub(super) fn remove(self) {
        for ending in ["tmp", ENDING] {
            let _ = fs::remove_file(self.path.with_extension(ending));
        }
    }
}

/// What earlier runs of the same kind have left of the file `to`, the one with the most slices last; where none of them is finished, too.
///
/// # Errors
/// [`Error::Argument`] where a process writes it at this moment.
pub(super) fn left(to: &Path, runs: &[&str]) -> Result<Vec<Left>> {
    let name = format!(".{}.", to.file_name().unwrap_or_default().to_string_lossy());
    let entries = fs::read_dir(folder_of(to)).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_of = |path: &PathBuf| {
        let found = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = found.strip_prefix(&name).and_then(|rest| rest.strip_suffix(".slabs"));
        numbers
            .is_some_and(|rest| rest.split('.').count() == 2 && rest.bytes().all(|c| c == b'.' || c.is_ascii_digit()))
    };
    let mut found = Vec::new();
    for path in entries.filter(is_of) {
        // For writing, too: without that no lock can be had on NFS.
        let Ok(mut file) = File::options().read(true).write(true).open(&path) else { continue };
        let Some(slabs) = read(&mut file, runs) else { continue };
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let words = "another process writes it at this moment: let that end, or end it, and start this again";
            return Err(Error::Argument(format!("{}: {words}", to.display())));
        }
        found.push(Left { path, _manifest: file, slabs });
    }
    found.sort_by_key(Left::end);
    Ok(found)
}

/// The slabs of a manifest, if it is of one of these runs.
fn read(file: &mut File, runs: &[&str]) -> Option<Vec<Slab>> {
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').map_while(proved);
    let head: Head = serde_json::from_slice(lines.next()?).ok()?;
    if !runs.contains(&&*head.run) {
        return None;
    }
    let mut end = None;
    let follows = |slab: &Slab| {
        let follows = end.is_none_or(|end: u64| end.checked_add(slab.status.len() as u64) == Some(slab.end));
        end = Some(slab.end);
        follows
    };
    Some(lines.map_while(|line| serde_json::from_slice(line).ok()).take_while(follows).collect())
}

/// What a line says, if it is whole.
fn proved(line: &[u8]) -> Option<&[u8]> {
    let (crc, text) = line.strip_suffix(b"\n")?.split_at_checked(9)?;
    let crc = u32::from_str_radix(std::str::from_utf8(crc.strip_suffix(b" ")?).ok()?, 16).ok()?;
    (crc32fast::hash(text) == crc).then_some(text)
}
