//! Where the parts of a dataset are in its file: what a reader needs that reads and decodes them itself.
//!
//! [`StoredDataset`] is an open dataset as it is stored: shape, type, filters, fill value. [`StoredDataset::map`] asks HDF5 for
//! all of its chunks in one pass; [`StoredDataset::locate`] opens the file again and proves, on a part that is there, that the
//! addresses lead to what HDF5 reads. [`StoredDataset::sources`] are the datasets that a virtual one is made of, and
//! [`StoredDataset::files`] all files that its elements are in. What cannot be
//! located is read through HDF5: whole chunks as they are stored, or elements.
//!
//! All that comes from here is what the file says, and not trusted: a chunk may claim to be anywhere, and of any size.

mod describe;
mod files;
mod list;
pub(crate) mod locate;
mod mapping;
mod read;
mod refresh;
mod sources;

use std::collections::BTreeMap;

pub use crate::dataset::max_stored_len;
pub use describe::{Storage, StoredDataset, StoredFilter};
pub(crate) use describe::{fill, has_fill, storage};
pub(crate) use list::list;
pub use locate::{Located, read_at};
pub(crate) use locate::{open_again, user_block};
pub use mapping::{MappedBox, Mapping, SourcePart};
pub use sources::{Source, Sources, source_files};

/// One chunk as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredChunk {
    /// Where it begins, by HDF5's account: [`Located::base`] is to be added.
    pub address: u64,
    /// Its bytes.
    pub n_bytes: u64,
    /// The filters that were left out.
    pub mask: u32,
}

/// What is stored at one place along an axis of the grid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// How many chunks.
    pub n_chunks: u64,
    /// A number that is another one, but for chance, where a chunk is elsewhere, of another length, or was filtered otherwise.
    pub state: u64,
}

/// The chunks of a dataset that are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkMap {
    grid: Vec<u64>,
    /// By their number, which rises: row by row of the grid of chunks.
    chunks: Vec<(u64, StoredChunk)>,
}

impl ChunkMap {
    /// How many chunks there are room for along each axis.
    #[must_use]
    pub fn grid(&self) -> &[u64] {
        &self.grid
    }

    /// The chunk in this place of the grid, if it is stored. A place has as many numbers as the dataset has axes.
    #[must_use]
    pub fn get(&self, place: &[u64]) -> Option<StoredChunk> {
        let number = number_of(&self.grid, place)?;
        let found = self.chunks.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(self.chunks[found].1)
    }

    /// Chunks that are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The number of the first place, row by row of the grid, that has no chunk.
    #[must_use]
    pub fn first_missing(&self) -> u64 {
        let is_there = |(number, _): &(u64, StoredChunk), index: usize| *number == index as u64;
        let n = self.chunks.iter().enumerate().position(|(index, chunk)| !is_there(chunk, index));
        n.unwrap_or(self.chunks.len()) as u64
    }

    /// The bytes of all of them.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.chunks.iter().fold(0, |n_bytes, (_, chunk)| n_bytes.saturating_add(chunk.n_bytes))
    }

    /// All of them, with their places in the grid.
    pub fn iter(&self) -> impl Iterator<Item = (Vec<u64>, StoredChunk)> {
        self.chunks.iter().map(|(number, chunk)| (self.place(*number), *chunk))
    }

    /// What is stored at each place along an axis of the grid that has any chunk.
    #[must_use]
    pub fn rows(&self, axis: usize) -> BTreeMap<u64, Row> {
        // FNV-1a, by numbers in place of bytes.
        const PRIME: u64 = 0x100_0000_01b3;
        let after = self.grid.iter().skip(axis + 1).fold(1_u64, |after, n| after.saturating_mul(*n));
        let along = self.grid.get(axis).copied().unwrap_or(1);
        let mut rows = BTreeMap::<u64, Row>::new();
        for (number, chunk) in &self.chunks {
            let row = rows.entry(number / after % along).or_default();
            row.n_chunks += 1;
            for part in [*number, chunk.address, chunk.n_bytes, chunk.mask.into()] {
                row.state = (row.state ^ part).wrapping_mul(PRIME);
            }
        }
        rows
    }

    fn place(&self, mut number: u64) -> Vec<u64> {
        let mut place = vec![0; self.grid.len()];
        for (at, n) in place.iter_mut().zip(&self.grid).rev() {
            *at = number % n;
            number /= n;
        }
        place
    }
}

/// The number of a place in the grid; `None` where it is outside.
fn number_of(grid: &[u64], place: &[u64]) -> Option<u64> {
    let mut axes = grid.iter().zip(place);
    axes.try_fold(0_u64, |number, (n, at)| if at < n { number.checked_mul(*n)?.checked_add(*at) } else { None })
}
