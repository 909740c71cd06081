//! A dataset examined chunk by chunk, and what is good of it saved into another.
//!
//! For chunked datasets of any rank whose filters are darkchunk's codecs, gzip, shuffle and fletcher32, in any order. HDF5 hands over the
//! chunks as they are stored; no plugin is used. What is saved of a damaged chunk, and which damage can be seen at all, is in
//! [`darkchunk::salvage`]. What cannot be examined is reported as such, and never as damaged: other filters (but
//! fletcher32 after them proves them, too), datasets without chunks, elements whose stored size is not known.
//!
//! Strings and sequences of variable length, and references, are stored as pointers to other places of the file. These
//! pointers are examined; what they point to is not.
//!
//! A chunk that was never written is *missing*, and no fault: it reads as the fill value. All chunks of the dataset's
//! extent are asked for, one by one, so an extent that no recording can have is refused.
//!
//! Where HDF5 cannot open the file or the dataset, [`scan`] saves the DRLE frames that are found by their bytes.

mod column;
mod found;
mod source;
mod target;
mod threads;
mod truncated;

pub use found::{FoundDataset, FoundFault, FoundReport, scan};
pub use truncated::stated_len;

use std::ops::Range;

use crate::api::Hid;
use crate::dataset;
use crate::library::Library;
use crate::object;
use crate::{Error, Result};
use darkchunk::salvage::{Verdict, buffer};
use source::{Opened, Source};
use target::Target;

/// Something wrong with a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The blocks or segments concerned, as [`darkchunk::salvage::Damage::blocks`].
    pub blocks: Range<usize>,
    /// The bytes of the decoded chunk that are lost by it. Empty where all of them could be had nevertheless.
    pub lost: Range<usize>,
    /// The bytes of the decoded chunk that are there but may be wrong, as [`darkchunk::salvage::Damage::doubtful`].
    pub doubtful: Range<usize>,
    /// What is wrong: with the chunk, or with what HDF5 has of it.
    pub reason: Error,
}

impl From<darkchunk::salvage::Damage> for Damage {
    fn from(damage: darkchunk::salvage::Damage) -> Self {
        let darkchunk::salvage::Damage { blocks, lost, doubtful, reason, .. } = damage;
        Self { blocks, lost, doubtful, reason: reason.into() }
    }
}

/// Something wrong with a chunk of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The chunk's number, in the order of the elements.
    pub chunk: u64,
    /// Where the chunk begins, in elements.
    pub offset: Vec<u64>,
    /// The frames with lost pixels, counted along the dataset's first dimension. Empty where none is lost.
    pub frames: Range<u64>,
    /// The frames with pixels that may be wrong. Empty where there are none.
    pub doubtful_frames: Range<u64>,
    /// What is wrong, and what of the decoded chunk is lost by it.
    pub damage: Damage,
}

/// A filter of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterName {
    /// Its number.
    pub id: u32,
    /// Its name, where it is known.
    pub name: Option<&'static str>,
}

/// What a walk over a dataset found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The dataset's filters, in the order in which HDF5 applies them.
    pub filters: Vec<FilterName>,
    /// Chunks in the dataset's extent. 0 where it has no chunks or they cannot be counted.
    pub n_chunks: u64,
    /// Chunks that are what was written: a checksum proves that.
    pub n_intact: u64,
    /// Chunks that decode to the right size, without a checksum.
    pub n_decoded: u64,
    /// Chunks with faults.
    pub n_damaged: u64,
    /// Chunks of which nothing is known.
    pub n_not_examined: u64,
    /// Why chunks, or the whole dataset, were not examined.
    pub not_examined: Option<String>,
    /// The numbers of the chunks that were never written.
    pub missing: Vec<Range<u64>>,
    /// All that is wrong, chunk by chunk.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether some chunk has a fault.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Whether nothing is wrong as far as can be known: every chunk is intact, decodes, or was never written.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.is_damaged() && self.not_examined.is_none()
    }

    /// Chunks that were never written.
    #[must_use]
    pub fn n_missing(&self) -> u64 {
        self.missing.iter().map(|range| range.end - range.start).sum()
    }

    fn add_missing(&mut self, chunk: u64) {
        match self.missing.last_mut().filter(|range| range.end == chunk) {
            Some(range) => range.end += 1,
            None => self.missing.push(chunk..chunk + 1),
        }
    }

    fn add(&mut self, source: &Source, chunk: u64, offset: &[u64], outcome: Outcome) {
        match outcome {
            Outcome::Intact => self.n_intact += 1,
            Outcome::Decodes => self.n_decoded += 1,
            Outcome::NotExamined(reason) => {
                self.n_not_examined += 1;
                self.not_examined.get_or_insert(reason);
            }
            Outcome::Damaged(damage) => {
                self.n_damaged += 1;
                self.faults.extend(damage.into_iter().map(|damage| source.fault(chunk, offset, damage)));
            }
        }
    }
}

/// Examines the dataset `path` below the file or group `at`.
///
/// # Errors
/// [`Error::Unsupported`] where there is no such dataset, or its extent is damaged; [`Error::CannotOpen`]. A damaged chunk, or a
/// dataset that cannot be examined, is no error.
pub fn verify(library: &Library, at: Hid, path: &str) -> Result<Report> {
    verify_with(library, at, path, 1, &|_| Ok(()))
}

/// As [`verify`], with so many threads where the library [has a lock](Library::has_lock); `seen` is told the bytes of each chunk that was
/// examined, as they are stored; an error that it returns ends this.
///
/// # Errors
/// As there.
pub fn verify_with(
    library: &Library,
    at: Hid,
    path: &str,
    n_threads: usize,
    seen: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<Report> {
    match source::open(library, at, path)? {
        Opened::Source(source) => threads::walk(&source, if library.has_lock() { n_threads } else { 1 }, seen),
        Opened::NotExamined { filters, reason } => {
            Ok(Report { filters, not_examined: Some(reason), ..Report::default() })
        }
    }
}

/// Saves what is good of the dataset `path` below `at` into a new dataset `into_path` below `into`, usually in another
/// file, and says what was not.
///
/// The new dataset has the type, shape, chunks, filters and fill value of the old one. Chunks without a fault, and those that cannot be
/// examined, are copied as they are stored. Damaged ones are encoded anew, with the fill value where nothing could be had;
/// unfiltered, and marked so, where encoding would change a pixel. Pixels that may be wrong are saved, too: the report lists
/// them, and the new chunk's checksum only says that they were saved as they were found. Attributes, and other objects of
/// the file, are not copied. The dataset gets its name when all is written.
///
/// # Errors
/// As [`verify`]; [`Error::NameTaken`]; [`Error::Unsupported`] where the dataset cannot be examined or its elements refer to
/// other places of the file; [`Error::Hdf5`], for instance where the disk is full.
pub fn salvage(library: &Library, at: Hid, path: &str, into: Hid, into_path: &str) -> Result<Report> {
    let source = match source::open(library, at, path)? {
        Opened::Source(source) => source,
        Opened::NotExamined { reason, .. } => return Err(Error::Unsupported(format!("dataset {path}: {reason}"))),
    };
    if object::exists(library, into, into_path)? {
        let remedy = "give another name, or another output";
        return Err(Error::NameTaken { path: into_path.to_owned(), remedy });
    }
    let target = Target::create(&source, into)?;
    let (grid, n_chunks) = source.grid()?;
    let walked = walk(&source, Some(&target), &grid, 0..n_chunks, &|_| Ok(()))?;
    let report = Report { filters: source.filter_names(), n_chunks, ..walked };
    object::link(&target.dataset, into, into_path)?;
    Ok(report)
}

/// What became of one chunk.
enum Outcome {
    Intact,
    Decodes,
    Damaged(Vec<Damage>),
    NotExamined(String),
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Intact => Self::Intact,
            Verdict::Decodes => Self::Decodes,
            Verdict::Damaged(damage) => Self::Damaged(damage.into_iter().map(Damage::from).collect()),
            Verdict::NotExamined(reason) => Self::NotExamined(reason.to_string()),
        }
    }
}

/// These chunks of the source.
fn walk(
    source: &Source,
    target: Option<&Target>,
    grid: &[u64],
    chunks: Range<u64>,
    seen: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<Report> {
    let mut report = Report::default();
    let mut pixels = Vec::new();
    for index in chunks {
        let offset = offset(grid, &source.chunk, index);
        let stored =
            match dataset::stored_chunk(&source.dataset, &offset, source.chunk_bytes, !source.filters.is_empty()) {
                Ok(None) => {
                    report.add_missing(index);
                    continue;
                }
                Ok(Some(stored)) => Ok(stored),
                // The chunk may be sound.
                Err(error @ (Error::MissingFunction { .. } | Error::Codec(darkchunk::Error::NoMemory { .. }))) => {
                    return Err(error);
                }
                Err(reason) => Err(reason),
            };
        seen(stored.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64))?;
        if pixels.is_empty() {
            pixels = buffer(source.chunk_bytes)?;
        }
        let outcome = one_chunk(source, target, &offset, stored, &mut pixels)?;
        report.add(source, index, &offset, outcome);
    }
    Ok(report)
}

/// Decodes a chunk that HDF5 has, or cannot read, and writes what is good of it where there is a target.
fn one_chunk(
    source: &Source,
    target: Option<&Target>,
    offset: &[u64],
    stored: Result<(u32, Vec<u8>)>,
    pixels: &mut [u8],
) -> Result<Outcome> {
    let fill = target.map_or(&[][..], |target| &target.fill);
    let outcome = match &stored {
        Ok((mask, bytes)) => source.decode(offset, *mask, bytes, fill, pixels).into(),
        Err(reason) => {
            target.into_iter().for_each(|target| pixels.copy_from_slice(&target.fill));
            let lost = 0..pixels.len();
            Outcome::Damaged(vec![Damage { blocks: 0..0, lost, doubtful: 0..0, reason: reason.clone() }])
        }
    };
    let Some(target) = target else { return Ok(outcome) };
    match (&outcome, stored) {
        (Outcome::Intact | Outcome::Decodes | Outcome::NotExamined(_), Ok((mask, bytes))) => {
            target.write(offset, mask, &bytes)?;
        }
        _ => target.encode(offset, !source.is_raw_edge(offset), pixels)?,
    }
    Ok(outcome)
}

/// Where chunk `index` begins.
fn offset(grid: &[u64], chunk: &[u64], mut index: u64) -> Vec<u64> {
    let mut offset = vec![0; grid.len()];
    for ((place, n), size) in offset.iter_mut().zip(grid).zip(chunk).rev() {
        *place = index % n * size;
        index /= n;
    }
    offset
}
