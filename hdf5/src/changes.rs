//! What was done to frames from one on, where threshold or dark image were changed while frames came: the group `changes` in that beside
//! the frames. [The crate](crate) has the names.
//!
//! Each row is of the frames from its `frame` on, up to that of the next; of two with the same the later counts. The first row is what the
//! recording began with. The images are stored before the row that names them, and `frame` last: what it has is whole.

use darkchunk::chunk::ChunkShape;

use super::api::Hid;
use super::array;
use super::chunk_writer::ChunkWriter;
use super::growing::Growing;
use super::library::h5;
use super::object::{self, Id, Stored};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::H5I_GROUP;

/// The group's name.
pub(super) const GROUP: &str = "changes";

/// The columns, in the order in which they are written.
const COLUMNS: [&str; 3] = ["threshold", "dark", "frame"];

/// The images that were given later.
const IMAGES: &str = "dark_images";

/// Rows of a chunk.
const ROWS: usize = 64;

/// More rows are not read: nobody has changed so often.
const MAX_ROWS: u64 = 1 << 20;

/// What is done to frames from one on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The first of them, by its index.
    pub frame: u64,
    /// The least value that is kept; `None` where all are.
    pub threshold: Option<u16>,
    /// Which of the images in `dark_images` is subtracted; `None` for the one that the recording began with, if it did with one.
    pub dark: Option<u64>,
}

impl Change {
    /// Its numbers in [`COLUMNS`].
    fn row(self) -> [i64; 3] {
        let dark = self.dark.map_or(-1, u64::cast_signed);
        [self.threshold.unwrap_or(0).into(), dark, self.frame.cast_signed()]
    }

    /// The other way about; what no recorder has written becomes what was in the beginning.
    fn of_row([threshold, dark, frame]: [i64; 3]) -> Self {
        Self {
            frame: frame.cast_unsigned(),
            threshold: u16::try_from(threshold).ok().filter(|threshold| *threshold > 0),
            dark: u64::try_from(dark).ok(),
        }
    }
}

/// The group, written to.
#[derive(Debug)]
pub(super) struct Changes {
    columns: [Growing; 3],
    images: Growing,
    rows: Vec<Change>,
}

impl Changes {
    /// Makes the group in that beside the frames. What is there already, of a try that failed, is used.
    pub(super) fn create(beside: &Id, chunks: &ChunkWriter) -> Result<Self> {
        let library = beside.library();
        if open(beside)?.is_none() && object::exists(library, beside.get(), GROUP)? {
            let remedy = "a column of an earlier version; record to another dataset";
            return Err(Error::NameTaken { path: GROUP.to_owned(), remedy });
        }
        let group = object::group(library, beside.get(), GROUP)?;
        object::set_string(&group, "NX_class", "NXcollection")?;
        let column = |name| growing(&group, name, i64::datatype(library), ROWS as u64, &[]);
        let [threshold, dark, frame] = COLUMNS;
        let columns = [column(threshold)?, column(dark)?, column(frame)?];
        let ChunkShape { height, width, .. } = chunks.layer();
        let kind = object::native(library, chunks.element())?;
        let images = growing(&group, IMAGES, kind, 1, &[height as u64, width as u64])?;
        Ok(Self { columns, images, rows: Vec::new() })
    }

    /// Stores the first row.
    pub(super) fn begin(&mut self, threshold: Option<u16>) -> Result<()> {
        if self.rows.is_empty() { self.add(Change { frame: 0, threshold, dark: None }) } else { Ok(()) }
    }

    /// Stores what is done from `frame` on: another threshold, another image, or both. Where that fails it can be tried again.
    pub(super) fn change(&mut self, frame: u64, threshold: Option<u16>, dark: Option<&[u8]>) -> Result<()> {
        let before = self.rows.last().copied().unwrap_or(Change { frame, threshold: None, dark: None });
        let mut change = Change { frame, threshold: threshold.or(before.threshold), ..before };
        if let Some(image) = dark {
            let number = self.rows.iter().filter_map(|row| row.dark).max().map_or(0, |last| last + 1);
            put(&mut self.images, number, number + 1, image)?;
            change.dark = Some(number);
        }
        self.add(change)
    }

    fn add(&mut self, change: Change) -> Result<()> {
        let (index, n_rows) = (self.rows.len() / ROWS, self.rows.len() as u64 + 1);
        let rows: Vec<[i64; 3]> = self.rows[index * ROWS..].iter().chain([&change]).map(|row| row.row()).collect();
        for (at, column) in self.columns.iter_mut().enumerate() {
            let mut chunk: Vec<u8> = rows.iter().flat_map(|row| row[at].to_ne_bytes()).collect();
            chunk.resize(ROWS * size_of::<i64>(), 0);
            put(column, index as u64, n_rows, &chunk)?;
        }
        self.rows.push(change);
        Ok(())
    }
}

/// A dataset that grows from no rows, made where it is missing.
fn growing(group: &Id, name: &str, kind: Hid, rows_per_chunk: u64, row: &[u64]) -> Result<Growing> {
    let library = group.library();
    let dataset = if object::exists(library, group.get(), name)? {
        object::open(library, group.get(), name)?
    } else {
        let properties = object::property_list(library, library.ids().dataset_create)?;
        let chunk = [&[rows_per_chunk], row].concat();
        h5!(library, H5Pset_chunk(properties.get(), chunk.len() as i32, chunk.as_ptr()))?;
        let space = object::dataspace(library, &[&[0], row].concat(), true)?;
        object::create_dataset(library, group.get(), name, kind, &space, &properties)?
    };
    Ok(Growing::new(dataset, rows_per_chunk, row))
}

/// Stores chunk `index`, after which there are `n_rows`.
fn put(rows: &mut Growing, index: u64, n_rows: u64, chunk: &[u8]) -> Result<()> {
    let library = rows.dataset.library().clone();
    let (session, n_before) = (library.session(), rows.n_rows);
    rows.check_extent(&session)?;
    let grown = rows.set_extent(&session, n_rows.max(n_before));
    grown.and_then(|()| rows.put(&session, index, 0, chunk)).inspect_err(|_| {
        rows.forget_last_chunk(&session, index, n_before);
    })
}

/// The group in that beside the frames. `None` where there is none; a column that a program has called so, which an earlier version took, is none.
fn open(beside: &Id) -> Result<Option<Id>> {
    let library = beside.library();
    if !object::exists(library, beside.get(), GROUP)? {
        return Ok(None);
    }
    let found = object::open(library, beside.get(), GROUP)?;
    let is_group = h5!(library, H5Iget_type(found.get()))? == H5I_GROUP;
    Ok(is_group.then_some(found))
}

/// The rows in the group beside a dataset's frames; none where nothing was changed.
pub(super) fn read(beside: &Id) -> Result<Vec<Change>> {
    let Some(group) = open(beside)? else { return Ok(Vec::new()) };
    let column = |name| read_column(&group, name);
    let [threshold, dark, frame] = COLUMNS;
    let (threshold, dark, frame) = (column(threshold)?, column(dark)?, column(frame)?);
    let rows = threshold.into_iter().zip(dark).zip(frame);
    let changes: Vec<Change> =
        rows.map(|((threshold, dark), frame)| Change::of_row([threshold, dark, frame])).collect();
    // A row alone is what the recording began with.
    Ok(if changes.len() > 1 { changes } else { Vec::new() })
}

fn read_column(group: &Id, name: &str) -> Result<Vec<i64>> {
    let library = group.library();
    let dataset = object::open(library, group.get(), name)?;
    let space = Id::new(library, h5!(library, H5Dget_space(dataset.get()))?);
    match object::extent(&space)?.0[..] {
        [n_rows] if n_rows <= MAX_ROWS => array::read(group, name, &[n_rows]),
        ref dims => Err(Error::Unsupported(format!("{GROUP}/{name} has the shape {dims:?}: that is no recorder's"))),
    }
}
