//! Records of which a frame has any number: hits, peaks, photons, events. Their values one after the other, and where those of each
//! frame begin.
//!
//! ```text
//! /entry/hits          NXevent_data
//!   x, y, energy …     a value for each record, compressed
//!   event_index        for each frame: its first record
//!   event_count        for each frame: how many there are
//!   frame_status       for each frame: 1 where it was given
//! ```
//!
//! * Frames may come in any order, and once each; the records of one follow each other.
//! * Values are kept until there is a chunk of them, and written with a filter of ours. Index and counts are [`Columns`].
//! * What HDF5 does not take is held and tried again by the next call. Values are written before what leads to them.

use std::collections::BTreeMap;

use crate::api::Hid;
use crate::columns::{Column, Columns, FrameStatus, Number, datatype};
use crate::dataset::{self, StoredFilter};
use crate::growing::Growing;
use crate::library::{DEFAULT, Library, h5};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk::Exec;
use darkchunk::chunk::{Compression, Filter};
use darkchunk::codec::ChunkLayout;
use darkchunk::element::{ElementType, IntegerParts};

/// Records of a chunk.
const ROWS: usize = 16_384;

/// What the columns of the index are called.
const INDEX: [&str; 2] = ["event_index", "event_count"];

/// Writes records to the columns of one group.
#[derive(Debug)]
pub struct Events {
    file: Id,
    values: Vec<Values>,
    index: Columns,
    /// Records that were pushed.
    n_events: u64,
    /// One more than the greatest frame.
    n_frames: u64,
    /// Frames that were given: first and end of each run of them.
    given: BTreeMap<u64, u64>,
}

impl Events {
    /// Makes the group `path` below the file or group `at`, and in it a dataset for each of `columns`, compressed.
    ///
    /// # Errors
    /// As [`Columns::create`]; [`Error::Unsupported`] for columns called as those of the index, and where there are none;
    /// [`Error::Codec`] for a filter that the numbers cannot have: DRLE, or the bounded codec of floating-point numbers.
    pub fn create(
        library: &Library,
        at: Hid,
        path: &str,
        columns: &[Column],
        compression: &Compression,
    ) -> Result<Self> {
        check(library, columns)?;
        let made = columns.iter().map(|column| Values::create(library, at, column, compression));
        let values = made.collect::<Result<Vec<_>>>()?;
        let paths: Vec<String> = columns.iter().map(|column| format!("{path}/{}", column.name)).collect();
        for path in &paths {
            if object::exists(library, at, path)? {
                return Err(Error::NameTaken { path: path.clone(), remedy: "give another name, or delete it" });
            }
        }
        let group = object::group(library, at, path)?;
        if object::attribute_is_missing(&group, "NX_class")? {
            object::set_string(&group, "NX_class", "NXevent_data")?;
        }
        let index = Columns::create(library, at, path, &INDEX.map(|name| Column::new(name, Number::U64)))?;
        for (values, path) in values.iter().zip(&paths) {
            values.publish(at, path)?;
        }
        let file = object::file_of(&group)?;
        Ok(Self { file, values, index, n_events: 0, n_frames: 0, given: BTreeMap::new() })
    }

    /// Records that were pushed.
    #[must_use]
    pub fn n_events(&self) -> u64 {
        self.n_events
    }

    /// Takes the records of a frame: the bytes of each column's values, as this machine has them. All have as many.
    ///
    /// # Errors
    /// [`Error::Codec`] and [`Error::Unsupported`] for values that are not whole or not as many, a frame that has been given, and a
    /// number that no frame has: nothing is taken. [`Error::Hdf5`]: all was taken, and what is not written is held.
    pub fn push(&mut self, frame: u64, values: &[&[u8]]) -> Result<()> {
        let n_records = self.n_records(values)?;
        if self.is_given(frame) {
            return Err(Error::Unsupported(format!("the records of frame {frame} were given already")));
        }
        let row = [self.n_events, n_records].map(u64::to_ne_bytes).concat();
        self.index.set(frame, FrameStatus::Written, &row)?;
        self.note(frame);
        self.n_frames = self.n_frames.max(frame + 1);
        self.n_events += n_records;
        for (column, values) in self.values.iter_mut().zip(values) {
            column.waiting.extend_from_slice(values);
        }
        self.write_full()
    }

    fn is_given(&self, frame: u64) -> bool {
        self.given.range(..=frame).next_back().is_some_and(|(_, end)| frame < *end)
    }

    /// Notes a frame that was not given before.
    fn note(&mut self, frame: u64) {
        let before = self.given.range(..=frame).next_back().map(|(first, end)| (*first, *end));
        let first = before.filter(|(_, end)| *end == frame).map_or(frame, |(first, _)| first);
        let end = self.given.remove(&(frame + 1)).unwrap_or(frame + 1);
        self.given.insert(first, end);
    }

    /// How many records there are in these values.
    fn n_records(&self, values: &[&[u8]]) -> Result<u64> {
        let refused = |why: String| Err(Error::Unsupported(why));
        if values.len() != self.values.len() {
            return refused(format!("values of {} columns are given, there are {}", values.len(), self.values.len()));
        }
        let mut n_records = None;
        for (column, values) in self.values.iter().zip(values) {
            let (found, rest) = (values.len() / column.row_bytes, values.len() % column.row_bytes);
            let name = &column.name;
            if rest != 0 {
                return refused(format!("{name}: {} bytes are no whole values of {}", values.len(), column.row_bytes));
            }
            match n_records {
                Some(n_records) if n_records != found => {
                    return refused(format!("{name}: {found} values are given, of the column before {n_records}"));
                }
                _ => n_records = Some(found),
            }
        }
        Ok(n_records.unwrap_or(0) as u64)
    }

    fn write_full(&mut self) -> Result<()> {
        self.values.iter_mut().try_for_each(Values::write_full)?;
        if self.index.has_full() {
            // Values are in the file before what leads to them.
            self.values.iter_mut().try_for_each(Values::write)?;
        }
        self.index.write_full()
    }

    /// Writes all that is held, and has index and counts for at least `n_frames` frames. Does not flush the file: see
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`Error::Hdf5`], [`Error::Resized`]: what is not written is held.
    pub fn write(&mut self, n_frames: u64) -> Result<()> {
        self.values.iter_mut().try_for_each(Values::write)?;
        self.index.write(n_frames.max(self.n_frames))
    }

    /// The same, and flushes the file.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flush(&mut self, n_frames: u64) -> Result<()> {
        use darkchunk_hdf5_abi::constants::H5F_SCOPE_LOCAL;
        self.write(n_frames)?;
        h5!(self.file.library(), H5Fflush(self.file.get(), H5F_SCOPE_LOCAL)).map(drop)
    }
}

fn check(library: &Library, columns: &[Column]) -> Result<()> {
    if columns.is_empty() {
        return Err(Error::Unsupported("records have at least one column: give one".to_owned()));
    }
    Columns::check(library, columns)?;
    match columns.iter().find(|column| INDEX.contains(&&*column.name) || column.name.starts_with('/')) {
        Some(column) => Err(Error::Unsupported(format!(
            "a column of records cannot be called {:?}: give a plain name, and none of {}",
            column.name,
            INDEX.join(", ")
        ))),
        None => Ok(()),
    }
}

/// The values of one column.
#[derive(Debug)]
struct Values {
    name: String,
    units: String,
    row_bytes: usize,
    rows: Growing,
    codec: Option<Filter>,
    /// Values that are not in a whole chunk of the file.
    waiting: Vec<u8>,
    /// How many bytes of them the file has, in a chunk that is not full.
    n_written: usize,
    /// The next chunk.
    index: u64,
    encoded: Vec<u8>,
}

impl Values {
    fn create(library: &Library, at: Hid, column: &Column, compression: &Compression) -> Result<Self> {
        let element = element_of(column.number);
        let row: Vec<u64> = (column.len > 0).then_some(column.len as u64).into_iter().collect();
        let chunk = [&[ROWS as u64][..], &row].concat();
        let layout = ChunkLayout { fill: Some(0), ..ChunkLayout::new(element, chunk.clone()) };
        let filter = match compression.filter {
            Some(id) => Some(StoredFilter { id, values: Filter::localise(id, &compression.values, &layout)? }),
            None => None,
        };
        let codec = filter.as_ref().map(|filter| Filter::from_cd_values(filter.id, &filter.values)).transpose()?;
        let properties = object::property_list(library, library.ids().dataset_create)?;
        h5!(library, H5Pset_chunk(properties.get(), chunk.len() as i32, chunk.as_ptr()))?;
        if let Some(StoredFilter { id, values }) = &filter {
            const OPTIONAL: u32 = 1;
            let (id, values, n_values) = (id.cast_signed(), values.as_ptr(), values.len());
            h5!(library, H5Pset_filter(properties.get(), id, OPTIONAL, n_values, values))?;
        }
        let space = object::dataspace(library, &[&[0][..], &row].concat(), true)?;
        let kind = datatype(library, column.number);
        let id = Id::new(library, h5!(library, H5Dcreate_anon(at, kind, space.get(), properties.get(), DEFAULT))?);
        if dataset::filters(&id)? != filter.into_iter().collect::<Vec<_>>() {
            return Err(Error::Unsupported(
                "the plugin that HDF5 found changes the filter's parameters: have HDF5_PLUGIN_PATH name darkchunk's \
                 plugins first, or none"
                    .to_owned(),
            ));
        }
        Ok(Self {
            name: column.name.clone(),
            units: column.units.clone(),
            row_bytes: column.row_bytes(),
            rows: Growing::new(id, ROWS as u64, &row),
            codec,
            waiting: Vec::new(),
            n_written: 0,
            index: 0,
            encoded: Vec::new(),
        })
    }

    fn publish(&self, at: Hid, path: &str) -> Result<()> {
        if !self.units.is_empty() {
            object::set_string(&self.rows.dataset, "units", &self.units)?;
        }
        object::link(&self.rows.dataset, at, path)
    }

    fn chunk_bytes(&self) -> usize {
        ROWS * self.row_bytes
    }

    /// Writes the chunks that are full.
    fn write_full(&mut self) -> Result<()> {
        let n_bytes = self.chunk_bytes();
        let mut at = 0;
        let mut written = Ok(());
        while written.is_ok() && self.waiting.len() - at >= n_bytes {
            written = self.put(at..at + n_bytes);
            if written.is_ok() {
                (at, self.index, self.n_written) = (at + n_bytes, self.index + 1, 0);
            }
        }
        self.waiting.drain(..at);
        written
    }

    /// Writes all there is; a chunk that is not full is written again with more.
    fn write(&mut self) -> Result<()> {
        self.write_full()?;
        if self.waiting.len() > self.n_written {
            self.put(0..self.waiting.len())?;
            self.n_written = self.waiting.len();
        }
        Ok(())
    }

    /// Stores the next chunk, of these bytes that wait.
    fn put(&mut self, bytes: std::ops::Range<usize>) -> Result<()> {
        let n_rows = self.index * ROWS as u64 + (bytes.len() / self.row_bytes) as u64;
        let mut chunk = self.waiting[bytes].to_vec();
        chunk.resize(self.chunk_bytes(), 0);
        let stored = match &self.codec {
            Some(codec) => {
                self.encoded.resize(codec.max_encoded_len(chunk.len()), 0);
                let n_bytes = codec.encode(Exec::current(), &chunk, &mut self.encoded)?;
                &self.encoded[..n_bytes]
            }
            None => &chunk[..],
        };
        let library = self.rows.dataset.library().clone();
        let session = library.session();
        self.rows.check_extent(&session)?;
        let n_before = self.rows.n_rows;
        let grown = self.rows.set_extent(&session, n_rows.max(n_before));
        grown.and_then(|()| self.rows.put(&session, self.index, 0, stored)).inspect_err(|_| {
            self.rows.forget_last_chunk(&session, self.index, n_before);
        })
    }
}

/// The element type of a number.
fn element_of(number: Number) -> ElementType {
    let n_bytes = number.n_bytes();
    let is_signed = match number {
        Number::F32 | Number::F64 => return ElementType::from_parts(n_bytes, n_bytes, None),
        Number::I8 | Number::I16 | Number::I32 | Number::I64 => true,
        Number::U8 | Number::U16 | Number::U32 | Number::U64 => false,
    };
    let parts = IntegerParts { is_signed, n_bits: 8 * n_bytes, is_big_endian: Some(cfg!(target_endian = "big")) };
    ElementType::from_parts(n_bytes, n_bytes, Some(parts))
}
