//! One column as a dataset.

use super::batch::ROWS;
use super::{Column, FrameStatus, Number, STATUS};
use crate::Result;
use crate::api::Hid;
use crate::dataset;
use crate::growing::Growing;
use crate::library::{DEFAULT, Library, h5, h5_optional};
use crate::object::{self, Id, Stored};

/// A column that is written to.
#[derive(Debug)]
pub(super) struct StoredColumn {
    column: Column,
    rows: Growing,
}

impl StoredColumn {
    /// Makes the dataset, which has no name yet.
    pub(super) fn create(library: &Library, at: Hid, column: &Column) -> Result<Self> {
        let properties = object::property_list(library, library.ids().dataset_create)?;
        let (rank, row) = (1 + usize::from(column.len > 0), column.len as u64);
        h5!(library, H5Pset_chunk(properties.get(), rank as i32, [ROWS as u64, row].as_ptr()))?;
        let kind = datatype(library, column.number);
        if matches!(column.number, Number::F32 | Number::F64) {
            let nan = fill(column.number);
            h5_optional!(library, H5Pset_fill_value(properties.get(), kind, nan.as_ptr().cast()))?;
        }
        let space = object::dataspace(library, &[0, row][..rank], true)?;
        let id = h5!(library, H5Dcreate_anon(at, kind, space.get(), properties.get(), DEFAULT))?;
        Ok(Self { column: column.clone(), rows: Growing::new(Id::new(library, id), ROWS as u64, &[row]) })
    }

    /// Gives the dataset its name.
    pub(super) fn publish(&self, at: Hid, path: &str) -> Result<()> {
        let dataset = &self.rows.dataset;
        if self.column.name == STATUS {
            object::set_strings(dataset, "values", &[FrameStatus::WORDS.len() as u64], &FrameStatus::WORDS)?;
        }
        if !self.column.units.is_empty() {
            object::set_string(dataset, "units", &self.column.units)?;
        }
        object::link(dataset, at, path)
    }

    /// A chunk of rows that were never set.
    pub(super) fn empty_chunk(&self) -> Vec<u8> {
        fill(self.column.number).repeat(ROWS * self.column.len.max(1))
    }

    /// Makes the dataset at least `n_rows` long.
    pub(super) fn grow(&mut self, n_rows: u64) -> Result<()> {
        let n_rows = n_rows.max(self.rows.n_rows);
        self.rows.set_extent(&self.rows.dataset.library().clone().session(), n_rows)
    }

    /// Stores chunk `index`, of a dataset that has at least `n_rows`. Where it fails, the same chunk can be written again.
    pub(super) fn write(&mut self, index: u64, n_rows: u64, chunk: &[u8]) -> Result<()> {
        let library = self.rows.dataset.library().clone();
        let session = library.session();
        self.rows.check_extent(&session)?;
        let n_rows = n_rows.max(self.rows.n_rows);
        let grown = self.rows.set_extent(&session, n_rows);
        grown.and_then(|()| self.rows.put(&session, index, 0, chunk)).inspect_err(|_| {
            // A dataset that stays longer reads there as if nothing had been set, which is true.
            self.rows.forget_last_chunk(&session, index, n_rows);
        })
    }

    /// Chunk `index` as it is in the file.
    pub(super) fn read(&self, index: u64, n_bytes: usize) -> Result<Vec<u8>> {
        let stored = dataset::stored_chunk(&self.rows.dataset, &self.rows.layers.offset(index), n_bytes, false)?;
        Ok(stored.map_or_else(|| self.empty_chunk(), |(_, bytes)| bytes))
    }
}

/// The bytes of a number that was never set.
fn fill(number: Number) -> Vec<u8> {
    match number {
        Number::F32 => f32::NAN.to_ne_bytes().to_vec(),
        Number::F64 => f64::NAN.to_ne_bytes().to_vec(),
        _ => vec![0; number.n_bytes()],
    }
}

/// The type of a number in memory and in the file.
pub(crate) fn datatype(library: &Library, number: Number) -> Hid {
    match number {
        Number::I8 => i8::datatype(library),
        Number::U8 => u8::datatype(library),
        Number::I16 => i16::datatype(library),
        Number::U16 => u16::datatype(library),
        Number::I32 => i32::datatype(library),
        Number::U32 => u32::datatype(library),
        Number::I64 => i64::datatype(library),
        Number::U64 => u64::datatype(library),
        Number::F32 => f32::datatype(library),
        Number::F64 => f64::datatype(library),
    }
}
