//! Numbers of each frame, beside the frames: time, pulse number, positions of motors. A group of datasets, one a column, in which
//! the row is the frame's number.
//!
//! * A row may be set in any order, late, or again. It is kept in memory, and HDF5 is called for many rows at once: 256 of them are
//!   a chunk of each column, written directly. A chunk that is complete is written, and whatever there is with a flush; a chunk
//!   that was written before it was complete is written again in its place.
//! * `frame_status` is always there, and says what became of each frame ([`FrameStatus`]). Rows that were never set are *missing*
//!   there, 0 in columns of integers, and NaN in columns of floating-point numbers.
//! * What HDF5 does not take is held and tried again by the next call. Nothing is lost by an error, and nothing is stored twice.
//! * A crash leaves the rows up to the last flush, as it leaves frames ([`ChunkWriter`](crate::ChunkWriter)).

mod batch;
mod mark;
mod stored;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::api::Hid;
use crate::chunk_writer::file_to_write;
use crate::library::Library;
use crate::object::{self, Id};
use crate::{Error, Result};
use batch::{Batch, ROWS};
pub use mark::mark_vetoed;
use stored::StoredColumn;
pub(crate) use stored::datatype;

/// Chunks that are not complete and wait for rows that are late.
const MAX_OPEN: usize = 4;

/// The largest number of a frame: more would be the chunks of no file.
const MAX_FRAME: u64 = 1 << 48;

/// The longest row: 256 of them are kept, several times. What is longer is to be a dataset of its own.
const MAX_ROW_BYTES: usize = 1 << 16;

/// The name of the column that says what became of the frames.
pub(crate) const STATUS: &str = "frame_status";

/// What else is in the group beside a dataset.
const RESERVED: [&str; 3] = ["dark", "sum", crate::changes::GROUP];

/// What a column is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Number {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Number {
    /// All of them.
    pub const ALL: [Self; 10] =
        [Self::I8, Self::U8, Self::I16, Self::U16, Self::I32, Self::U32, Self::I64, Self::U64, Self::F32, Self::F64];

    /// Bytes of one.
    #[must_use]
    pub fn n_bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// A column that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the group; or a path from the file's root, such as `/entry/sample/rotation_angle`.
    pub name: String,
    /// What it is made of.
    pub number: Number,
    /// Numbers a frame, where it is a vector; 0 for a single number, which makes a dataset of one axis.
    pub len: usize,
    /// Its unit, which becomes the attribute `units`; none where it is empty.
    pub units: String,
}

impl Column {
    /// A single number a frame, without a unit.
    #[must_use]
    pub fn new(name: &str, number: Number) -> Self {
        Self { name: name.to_owned(), number, len: 0, units: String::new() }
    }

    /// Bytes of a row.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.len.max(1) * self.number.n_bytes()
    }

    fn checked_row_bytes(&self) -> Option<usize> {
        self.len.max(1).checked_mul(self.number.n_bytes())
    }
}

/// What became of a frame: the numbers in the column `frame_status`, whose attribute `values` has these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameStatus {
    /// It did not come.
    Missing = 0,
    /// It is stored.
    Written = 1,
    /// A rule, or the user's program, said that it is not worth storing.
    Vetoed = 2,
    /// There was no room for it in memory.
    Dropped = 3,
    /// It could not be encoded: wrong size, or pixels that the codec does not hold.
    Refused = 4,
    /// It is stored, and its source said that parts of it did not come.
    Incomplete = 5,
    /// It came, and was lost with the process that recorded it: set by what restores the file.
    Lost = 6,
}

impl FrameStatus {
    /// All of them, by their numbers.
    pub const ALL: [Self; 7] =
        [Self::Missing, Self::Written, Self::Vetoed, Self::Dropped, Self::Refused, Self::Incomplete, Self::Lost];

    /// The words for 0, 1, 2 …
    pub const WORDS: [&str; 7] = ["missing", "written", "vetoed", "dropped", "refused", "incomplete", "lost"];
}

/// Writes the columns of one group.
///
/// Several groups may be in one file. HDF5 is called by [`create`](Self::create), [`write_full`](Self::write_full) and
/// [`write`](Self::write), not by [`set`](Self::set).
#[derive(Debug)]
pub struct Columns {
    file: Id,
    /// `frame_status`, then the user's.
    columns: Vec<StoredColumn>,
    row_bytes: usize,
    batches: BTreeMap<u64, Batch>,
    /// The numbers of chunks that are written and not kept.
    written: Vec<Range<u64>>,
    /// Whether the last write failed.
    has_failed: bool,
}

impl Columns {
    /// Makes the group `path` below the file or group `at`, and in it a dataset for each column.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Parallel`], [`Error::NameTaken`]: nothing is made then. [`Error::Unsupported`] for a name that
    /// is empty, there twice, or that of something else in the group (`dark`, `sum`, `changes`), and rows of more than 64 KB; [`Error::MissingFunction`]: the table of functions has no `H5Pset_fill_value`; [`Error::Hdf5`].
    pub fn create(library: &Library, at: Hid, path: &str, columns: &[Column]) -> Result<Self> {
        Self::create_but_for(&RESERVED, library, at, path, columns)
    }

    /// The same of columns that a journal has: an earlier version took one that is called `changes`.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_again(library: &Library, at: Hid, path: &str, columns: &[Column]) -> Result<Self> {
        let [others @ .., _changes] = &RESERVED;
        Self::create_but_for(others, library, at, path, columns)
    }

    fn create_but_for(reserved: &[&str], library: &Library, at: Hid, path: &str, columns: &[Column]) -> Result<Self> {
        let file = file_to_write(library, at)?;
        let columns = with_status(columns, reserved)?;
        let paths: Vec<String> = columns.iter().map(|column| path_of(path, &column.name)).collect();
        let from_root = from_root(library, at);
        let is_taken =
            |taken: &&String| reserved.iter().any(|name| from_root(taken) == from_root(&path_of(path, name)));
        if let Some(taken) = paths.iter().find(is_taken) {
            return Err(refused(taken));
        }
        for path in &paths {
            if object::exists(library, at, path)? {
                return Err(Error::NameTaken { path: path.clone(), remedy: "give another name, or delete it" });
            }
        }
        let made =
            columns.iter().map(|column| StoredColumn::create(library, at, column)).collect::<Result<Vec<_>>>()?;
        let group = object::group(library, at, path)?;
        if object::attribute_is_missing(&group, "NX_class")? {
            object::set_string(&group, "NX_class", "NXcollection")?;
        }
        for (column, path) in made.iter().zip(&paths) {
            column.publish(at, path)?;
        }
        let row_bytes = columns.iter().skip(1).map(Column::row_bytes).sum();
        Ok(Self { file, columns: made, row_bytes, batches: BTreeMap::new(), written: Vec::new(), has_failed: false })
    }

    /// Whether such columns can be made, as far as their names and sizes and the table of functions tell: what needs no file.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn check(library: &Library, columns: &[Column]) -> Result<()> {
        let needs_fill = columns.iter().any(|column| matches!(column.number, Number::F32 | Number::F64));
        if needs_fill && library.functions().H5Pset_fill_value.is_none() {
            return Err(Error::MissingFunction { name: "H5Pset_fill_value" });
        }
        with_status(columns, &RESERVED).map(drop)
    }

    /// Bytes of a row: those of all columns but `frame_status`, one after the other, as this machine has them.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Sets a frame's row, in memory. An empty `row` sets its status alone.
    ///
    /// # Errors
    /// [`Error::Codec`] for a row of another size, [`Error::Unsupported`] for a number that no frame has: nothing is set.
    pub fn set(&mut self, frame: u64, status: FrameStatus, row: &[u8]) -> Result<()> {
        if !row.is_empty() && row.len() != self.row_bytes {
            return Err(darkchunk::Error::WrongSize { expected: self.row_bytes, found: row.len() }.into());
        }
        if frame > MAX_FRAME {
            return Err(Error::Unsupported(format!("{frame} is no frame number: the largest is {MAX_FRAME}")));
        }
        let index = frame / ROWS as u64;
        let is_part = !self.batches.contains_key(&index) && self.is_written(index);
        let batch = self.batches.entry(index).or_insert_with(|| Batch::new(&self.columns, is_part));
        batch.set((frame % ROWS as u64) as usize, status, row);
        Ok(())
    }

    /// Rows that were set and are not in the file yet.
    #[must_use]
    pub fn n_held(&self) -> usize {
        self.batches.values().map(Batch::n_new).sum()
    }

    /// Writes the chunks that are complete, and those that others have overtaken. To be called after each [`set`](Self::set), or
    /// after some; mostly there is nothing to do.
    ///
    /// # Errors
    /// [`Error::Hdf5`], [`Error::Resized`]: all rows are held.
    pub fn write_full(&mut self) -> Result<()> {
        while let Some(index) = self.next_full() {
            self.write_batch(index)?;
            self.let_go(index);
        }
        Ok(())
    }

    /// Whether [`write_full`](Self::write_full) would write.
    pub(crate) fn has_full(&self) -> bool {
        self.next_full().is_some()
    }

    /// A chunk to be written and not to be kept.
    fn next_full(&self) -> Option<u64> {
        let oldest = (self.batches.len() > MAX_OPEN).then(|| self.batches.first_key_value()).flatten();
        let full = || self.batches.iter().find(|(_, batch)| batch.is_full());
        // Only the last ones can have become complete; the map is short.
        oldest.or_else(full).map(|(index, _)| *index)
    }

    /// Writes all rows that were set, and makes each column at least `n_frames` long. Does not flush the file.
    ///
    /// # Errors
    /// As [`write_full`](Self::write_full).
    pub fn write(&mut self, n_frames: u64) -> Result<()> {
        self.write_full()?;
        let new: Vec<u64> =
            self.batches.iter().filter(|(_, batch)| batch.n_new() > 0).map(|(index, _)| *index).collect();
        for index in new {
            self.write_batch(index)?;
        }
        self.columns.iter_mut().try_for_each(|column| column.grow(n_frames))
    }

    fn write_batch(&mut self, index: u64) -> Result<()> {
        let Some(batch) = self.batches.get_mut(&index).filter(|batch| batch.n_new() > 0) else { return Ok(()) };
        let written = batch.write(&self.file, &mut self.columns, index, self.has_failed);
        self.has_failed = written.is_err();
        written
    }

    fn let_go(&mut self, index: u64) {
        self.batches.remove(&index);
        if self.is_written(index) {
            return;
        }
        match self.written.last_mut() {
            Some(last) if last.end == index => last.end += 1,
            _ => self.written.push(index..index + 1),
        }
    }

    /// Whether a chunk is in the file and not here.
    fn is_written(&self, index: u64) -> bool {
        self.written.iter().any(|range| range.contains(&index))
    }
}

/// The columns of a group, `frame_status` first.
fn with_status(columns: &[Column], reserved: &[&str]) -> Result<Vec<Column>> {
    let mut all = vec![Column::new(STATUS, Number::U8)];
    for column in columns {
        let name = &column.name;
        if name.is_empty() || reserved.contains(&&**name) || all.iter().any(|other| other.name == *name) {
            return Err(refused(name));
        }
        all.push(column.clone());
    }
    let n_bytes = columns.iter().try_fold(0_usize, |sum, column| sum.checked_add(column.checked_row_bytes()?));
    if n_bytes.is_none_or(|n_bytes| n_bytes > MAX_ROW_BYTES) {
        return Err(Error::Unsupported(format!(
            "the columns of a frame have more than {MAX_ROW_BYTES} bytes: make a dataset of the longest"
        )));
    }
    Ok(all)
}

fn refused(name: &str) -> Error {
    let [dark, sum, changes] = RESERVED;
    Error::Unsupported(format!(
        "a column cannot be called {name:?}: give each another name, and none {STATUS}, {dark}, {sum} or {changes}"
    ))
}

/// Makes paths that begin at a group ones that begin at the root, where the group has a name.
fn from_root(library: &Library, at: Hid) -> impl Fn(&str) -> String {
    // A file's own identifier has no name, its root has.
    let group = object::open(library, at, ".").and_then(|group| object::name(library, group.get())).ok().flatten();
    move |path| group.as_ref().map_or_else(|| path.to_owned(), |group| path_of(group, path))
}

pub(super) fn path_of(group: &str, name: &str) -> String {
    if name.starts_with('/') { name.to_owned() } else { format!("{}/{name}", group.trim_end_matches('/')) }
}
