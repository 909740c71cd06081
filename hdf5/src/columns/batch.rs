//! The rows of one chunk of all columns, in memory.

use super::FrameStatus;
use super::stored::StoredColumn;
use crate::Result;
use crate::full_disk;
use crate::object::Id;

/// Rows of a chunk. A flush a frame writes the open chunk of each column again, so it is small: 2 KB of 8-byte numbers.
pub(super) const ROWS: usize = 256;

/// Which rows are set.
type Rows = [u64; ROWS / 64];

/// A chunk of all columns.
#[derive(Debug)]
pub(super) struct Batch {
    /// One a column, `frame_status` first.
    chunks: Vec<Vec<u8>>,
    /// Rows whose status was set.
    statuses: Rows,
    /// Rows whose numbers were set.
    rows: Rows,
    /// Rows that were set since the last write.
    n_new: usize,
    /// Whether the file has rows of this chunk that are not here.
    is_part: bool,
}

impl Batch {
    /// A chunk without rows. `is_part`: there are some in the file.
    pub(super) fn new(columns: &[StoredColumn], is_part: bool) -> Self {
        let chunks = columns.iter().map(StoredColumn::empty_chunk).collect();
        Self { chunks, statuses: Rows::default(), rows: Rows::default(), n_new: 0, is_part }
    }

    /// Sets row `at`; its status alone where `row` is empty.
    pub(super) fn set(&mut self, at: usize, status: FrameStatus, row: &[u8]) {
        self.n_new += 1;
        mark(&mut self.statuses, at);
        let (statuses, columns) = self.chunks.split_first_mut().expect("there is always a column");
        statuses[at] = status as u8;
        if row.is_empty() {
            return;
        }
        mark(&mut self.rows, at);
        let mut rest = row;
        for chunk in columns {
            let n_bytes = chunk.len() / ROWS;
            let (field, others) = rest.split_at(n_bytes);
            chunk[at * n_bytes..][..n_bytes].copy_from_slice(field);
            rest = others;
        }
    }

    pub(super) fn n_new(&self) -> usize {
        self.n_new
    }

    /// Whether all rows were set.
    pub(super) fn is_full(&self) -> bool {
        self.statuses == [u64::MAX; ROWS / 64]
    }

    /// Stores the chunk of each column. `proves`: room is proved before, because a write has failed.
    pub(super) fn write(&mut self, file: &Id, columns: &mut [StoredColumn], index: u64, proves: bool) -> Result<()> {
        if self.is_part {
            self.complete(columns, index)?;
        }
        if proves {
            full_disk::prove_room(file, &self.chunks.concat())?;
        }
        let n_rows = index * ROWS as u64 + self.last() as u64 + 1;
        for (column, chunk) in columns.iter_mut().zip(&self.chunks) {
            column.write(index, n_rows, chunk)?;
        }
        self.n_new = 0;
        Ok(())
    }

    /// Adds the rows that only the file has.
    fn complete(&mut self, columns: &[StoredColumn], index: u64) -> Result<()> {
        let olds = columns.iter().zip(&self.chunks).map(|(column, chunk)| column.read(index, chunk.len()));
        let olds = olds.collect::<Result<Vec<_>>>()?;
        for (number, (old, chunk)) in olds.iter().zip(&mut self.chunks).enumerate() {
            let set = if number == 0 { &self.statuses } else { &self.rows };
            let n_bytes = chunk.len() / ROWS;
            let rows = chunk.chunks_exact_mut(n_bytes).zip(old.chunks_exact(n_bytes)).enumerate();
            rows.filter(|(at, _)| !is_marked(set, *at)).for_each(|(_, (new, old))| new.copy_from_slice(old));
        }
        self.is_part = false;
        Ok(())
    }

    /// The last row that was set.
    fn last(&self) -> usize {
        (0..ROWS).rev().find(|at| is_marked(&self.statuses, *at)).unwrap_or(0)
    }
}

fn mark(rows: &mut Rows, at: usize) {
    rows[at / 64] |= 1 << (at % 64);
}

fn is_marked(rows: &Rows, at: usize) -> bool {
    rows[at / 64] >> (at % 64) & 1 == 1
}
