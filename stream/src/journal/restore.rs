//! A new file from a journal and the file that was left beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use darkchunk_hdf5::chunk_map::max_stored_len;
use darkchunk_hdf5::{ChunkWriter, Column, Columns, Dataset, FrameStatus, Group as Hdf5Group, Library};

use super::locate::Finder;
use super::record::{Chunk, Record, Series, fill};
use super::{MAGIC, failed, path_of, unopened};
use crate::recover::Watch;
use crate::{Error, Result};

/// What was restored.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restored {
    /// Chunks of frames that are in the new file.
    pub n_chunks: u64,
    /// Chunks that were noted, and that HDF5 had not written.
    pub n_lost_chunks: u64,
    /// Rows of columns that are in the new file.
    pub n_rows: u64,
    /// Rows whose frames were lost: marked so.
    pub n_lost_rows: u64,
    /// Bytes at the journal's end that are no whole record.
    pub n_unread_bytes: u64,
}

/// Makes the file `to` of what the journal of `file` has, and the chunks that are in `file`, which is only read.
///
/// A dataset whose name another of the journal has, as with two recorders below groups that have no name, is put below the group
/// `/restored_NUMBER`, where its number is that in the journal, from 0; so are its columns.
///
/// What is promised is said [above](super). The memory that is needed is some 200 bytes a chunk, and 30 a row. The time is mostly that of the
/// reading; where a noted chunk is not where it is likely to be, for instance because it was never written, the whole file is searched for it once.
///
/// # Errors
/// [`Error::Journal`]: there is none, or it is none. [`Error::Restore`]: `to` is there already, or `file` cannot be read.
/// [`Error::Hdf5`]: the new file cannot be written, or the journal says what no file has. Then `to` is removed.
pub fn restore(library: &Library, file: &Path, to: &Path) -> Result<Restored> {
    restore_datasets(library, file, to, &Watch::NONE).map(|(restored, _)| restored)
}

/// The same, and says which datasets.
pub(super) fn restore_datasets(
    library: &Library,
    file: &Path,
    to: &Path,
    watch: &Watch<'_>,
) -> Result<(Restored, Vec<RestoredDataset>)> {
    (watch.seen)("the journal");
    let contents = Contents::read(file, watch)?;
    let refused = |path: &Path, reason: String| Error::Restore { path: path.display().to_string(), reason };
    File::create_new(to).map_err(|error| refused(to, error.to_string()))?;
    let found =
        Finder::open(file, watch).and_then(|mut finder| contents.locate(&mut finder).map(|found| (finder, found)));
    let restored = found
        .map_err(|error| watch.check().err().map_or_else(|| refused(file, error.to_string()), Error::from))
        .and_then(|(finder, found)| Restorer { library, file, finder, contents, found, watch }.write(to));
    restored.inspect_err(|_| {
        // It is of no use, and the error says why.
        let _ = std::fs::remove_file(to);
    })
}

/// A dataset that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredDataset {
    /// Its path in the new file.
    pub path: String,
    /// Frames that it has, those between others that are missing among them.
    pub n_frames: u64,
    /// Chunks of it that are in the new file.
    pub n_chunks: u64,
}

/// What a journal has, but for the rows.
struct Contents {
    series: Vec<Series>,
    groups: Vec<Group>,
    /// In the order in which they were written.
    chunks: Vec<Chunk>,
    n_unread_bytes: u64,
}

struct Group {
    path: String,
    columns: Vec<Column>,
    dataset: u16,
}

/// The newest of each chunk that is in the file, with its address; by dataset and number.
type Found = BTreeMap<(u16, u64), (Chunk, u64)>;

impl Contents {
    fn read(file: &Path, watch: &Watch<'_>) -> Result<Self> {
        let mut contents = Self { series: Vec::new(), groups: Vec::new(), chunks: Vec::new(), n_unread_bytes: 0 };
        contents.n_unread_bytes = each_record(file, |record| {
            watch.check()?;
            match record {
                Record::Dataset(series) => contents.series.push(series),
                Record::Group { path, columns, dataset } => contents.groups.push(Group { path, columns, dataset }),
                Record::Chunk(chunk) => contents.chunks.push(chunk),
                Record::Row { .. } => {}
            }
            Ok(())
        })?;
        let series = &contents.series;
        contents
            .chunks
            .retain(|chunk| series.get(usize::from(chunk.dataset)).is_some_and(|series| can_be(series, chunk)));
        Ok(contents)
    }

    /// Looks for each chunk as it was written last; where that is not there, as it was written before.
    fn locate(&self, finder: &mut Finder<'_>) -> std::io::Result<Found> {
        let newest: BTreeMap<(u16, u64), usize> =
            self.chunks.iter().enumerate().map(|(at, chunk)| (chunk.key(), at)).collect();
        let mut found = Found::new();
        for (at, chunk) in self.chunks.iter().enumerate() {
            if newest[&chunk.key()] == at
                && let Some(address) = finder.near(chunk)?
            {
                found.insert(chunk.key(), (*chunk, address));
            }
        }
        let missing: Vec<&Chunk> = self.chunks.iter().filter(|chunk| !found.contains_key(&chunk.key())).collect();
        for (chunk, address) in missing.iter().zip(finder.anywhere(&missing)?) {
            if let Some(address) = address {
                found.insert(chunk.key(), (**chunk, address));
            }
        }
        Ok(found)
    }
}

/// Whether a dataset may have such a chunk.
fn can_be(series: &Series, chunk: &Chunk) -> bool {
    let dataset = &series.dataset;
    let shape = dataset.chunk();
    let sizes = [shape.height, shape.width, series.element.n_bytes];
    let chunk_bytes = sizes.iter().try_fold(shape.n_frames, |n_bytes, size| n_bytes.checked_mul(*size));
    let has_frame = dataset.layers().offset(chunk.index)[0] < chunk.n_frames;
    has_frame && chunk.n_bytes > 0 && chunk_bytes.is_some_and(|n_bytes| chunk.n_bytes <= max_stored_len(n_bytes))
}

/// Hands over the records of the journal of `file`, one after the other, and returns how many bytes are left after the last.
fn each_record(file: &Path, mut take: impl FnMut(Record) -> Result<()>) -> Result<u64> {
    let path = path_of(file);
    let cannot = |error: std::io::Error| failed(&path, &error);
    let journal = File::open(&path).map_err(|error| unopened(&path, &error))?;
    let n_bytes = journal.metadata().map_err(cannot)?.len();
    let (mut journal, mut magic) = (BufReader::with_capacity(1 << 16, journal), MAGIC);
    if !fill(&mut journal, &mut magic).map_err(cannot)? || magic != MAGIC {
        return Err(cannot(std::io::Error::other("it is no journal of this version")));
    }
    let mut n_read = MAGIC.len() as u64;
    let mut journal = journal.by_ref().take(n_bytes);
    while let Some((record, n_record)) = Record::read(&mut journal).map_err(cannot)? {
        n_read += n_record;
        take(record)?;
    }
    Ok(n_bytes.saturating_sub(n_read))
}

/// Where something of dataset `number` is put whose name is taken.
fn moved(path: &str, number: u16) -> String {
    format!("/restored_{number}/{}", path.trim_start_matches('/'))
}

/// The group in which a dataset's NeXus entry is, where that is not the root, and its path from there.
fn below(dataset: &Dataset) -> (Option<&str>, &str) {
    let path = &dataset.path;
    let entry = path.rmatch_indices('/').nth(3).map_or(0, |(at, _)| at);
    if dataset.nexus && entry > 0 { (Some(&path[..entry]), &path[entry + 1..]) } else { (None, path) }
}

struct Restorer<'a> {
    library: &'a Library,
    file: &'a Path,
    finder: Finder<'a>,
    contents: Contents,
    found: Found,
    watch: &'a Watch<'a>,
}

impl Restorer<'_> {
    fn write(mut self, to: &Path) -> Result<(Restored, Vec<RestoredDataset>)> {
        let file = darkchunk_hdf5::File::create(self.library, to)?;
        let mut datasets = Vec::new();
        for number in 0..self.contents.series.len() {
            datasets.push(self.write_series(file.id(), number as u16)?);
        }
        let lengths: Vec<u64> = datasets.iter().map(|dataset| dataset.n_frames).collect();
        let (n_rows, n_lost_rows) = self.write_rows(file.id(), &lengths)?;
        file.close()?;
        let noted: BTreeSet<_> = self.contents.chunks.iter().map(Chunk::key).collect();
        let restored = Restored {
            n_chunks: self.found.len() as u64,
            n_lost_chunks: (noted.len() - self.found.len()) as u64,
            n_rows,
            n_lost_rows,
            n_unread_bytes: self.contents.n_unread_bytes,
        };
        Ok((restored, datasets))
    }

    /// Writes a dataset with its chunks.
    fn write_series(&mut self, at: i64, number: u16) -> Result<RestoredDataset> {
        let (path, mut writer) = self.create_series(at, number)?;
        (self.watch.seen)(&path);
        let mut n_chunks = 0;
        for ((_, index), (chunk, address)) in self.found.range((number, 0)..=(number, u64::MAX)) {
            self.watch.check()?;
            let cannot = |reason: String| Error::Restore { path: self.file.display().to_string(), reason };
            let bytes = self.finder.read(chunk, *address).map_err(|error| cannot(error.to_string()))?;
            let bytes = bytes.ok_or_else(|| cannot("it has changed meanwhile".to_owned()))?;
            writer.write_masked(*index, chunk.n_frames, chunk.mask, bytes)?;
            n_chunks += 1;
        }
        Ok(RestoredDataset { path, n_frames: writer.n_stored(), n_chunks })
    }

    /// Makes a dataset; one whose name is taken below [another group](moved).
    fn create_series(&self, at: i64, number: u16) -> Result<(String, ChunkWriter)> {
        let Series { dataset, element } = &self.contents.series[usize::from(number)];
        let create = |at: i64, dataset: &Dataset| ChunkWriter::create(self.library, at, dataset, *element);
        let (group, path) = below(dataset);
        let group = match group {
            Some(group) => Some(Hdf5Group::open_or_create(self.library, at, group)?),
            None => None,
        };
        let place = group.as_ref().map_or(at, Hdf5Group::id);
        let (path, writer) = match create(place, &Dataset { path: path.to_owned(), ..dataset.clone() }) {
            Err(darkchunk_hdf5::Error::NameTaken { .. }) => {
                let path = moved(&dataset.path, number);
                (path.clone(), create(at, &Dataset { path, nexus: false, ..dataset.clone() })?)
            }
            created => (dataset.path.clone(), created?),
        };
        writer.publish()?;
        Ok((path, writer))
    }

    /// Makes a group of columns, in the same way.
    fn create_group(&self, at: i64, Group { path, columns, dataset }: &Group) -> darkchunk_hdf5::Result<Columns> {
        match Columns::create_again(self.library, at, path, columns) {
            Err(darkchunk_hdf5::Error::NameTaken { .. }) => {
                let of = |column: &Column| match column.name.starts_with('/') {
                    true => Column { name: moved(&column.name, *dataset), ..column.clone() },
                    false => column.clone(),
                };
                let columns: Vec<Column> = columns.iter().map(of).collect();
                Columns::create_again(self.library, at, &moved(path, *dataset), &columns)
            }
            created => created,
        }
    }

    fn write_rows(&self, at: i64, lengths: &[u64]) -> Result<(u64, u64)> {
        let create = |group: &Group| self.create_group(at, group);
        let mut groups = self.contents.groups.iter().map(create).collect::<darkchunk_hdf5::Result<Vec<_>>>()?;
        // A frame's row is noted again with its chunk, where HDF5 did not take that at once.
        let mut rows = BTreeMap::new();
        each_record(self.file, |record| {
            self.watch.check()?;
            let Record::Row { group, frame, status, row } = record else { return Ok(()) };
            let Some(columns) = groups.get_mut(usize::from(group)) else { return Ok(()) };
            let is_lost = matches!(status, FrameStatus::Written | FrameStatus::Incomplete) && !self.has(group, frame);
            let status = if is_lost { FrameStatus::Lost } else { status };
            // A row that the columns do not have is none of this journal.
            if columns.set(frame, status, &row).is_ok() {
                rows.insert((group, frame), status == FrameStatus::Lost);
            }
            Ok(columns.write_full()?)
        })?;
        for (columns, group) in groups.iter_mut().zip(&self.contents.groups) {
            columns.write(lengths.get(usize::from(group.dataset)).copied().unwrap_or(0))?;
        }
        Ok((rows.len() as u64, rows.values().filter(|is_lost| **is_lost).count() as u64))
    }

    /// Whether all chunks of a frame were found.
    fn has(&self, group: u16, frame: u64) -> bool {
        let dataset = self.contents.groups[usize::from(group)].dataset;
        let Some(series) = self.contents.series.get(usize::from(dataset)) else { return false };
        let chunks = series.dataset.layers().chunks_of(frame);
        let found = self.found.range((dataset, chunks.start)..(dataset, chunks.end));
        found.count() as u64 == chunks.end - chunks.start
    }
}
