//! The recorder's index of blocks: what a worker has walked is written when its chunk is, and the addresses when all are there.
//!
//! It is a by-product: where it cannot be written the recording goes on without it.

use std::path::Path;

use darkchunk::chunk::Filter;
use darkchunk_hdf5::ChunkWriter;
use darkchunk_hdf5::chunk_map::StoredDataset;

use crate::reader::{IndexFile, Walked};
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Blocks(IndexFile);

impl Blocks {
    /// Begins an index in the file `path`.
    pub(super) fn begin(path: &Path, filter: Option<&Filter>) -> Result<Self> {
        if !filter.is_some_and(Filter::has_index) {
            let text = "chunks of this filter need no index of blocks, or have no blocks: leave it out, or take bitshuffle with a \
                        compression, or LZ4";
            return Err(Error::Argument(text.to_owned()));
        }
        IndexFile::create(path).map(Self)
    }

    /// Adds chunk `number`, which is stored.
    pub(super) fn add(&mut self, number: u64, walked: &Walked) -> Result<()> {
        self.0.add(number, walked)
    }

    /// Finishes the index of the chunks that HDF5 has; all is flushed.
    pub(super) fn finish(&mut self, chunks: &ChunkWriter) -> Result<()> {
        let dataset = StoredDataset::of_writer(chunks)?;
        let map = dataset.map()?;
        if map.is_empty() {
            return Ok(());
        }
        let base = dataset.locate(Some(&map))?.base;
        let layers = chunks.layers();
        self.0.locate(|number, n_bytes| {
            let [layer, brick] = layers.place(number);
            let chunk = map.get(&[layer, brick, 0]).filter(|chunk| (chunk.n_bytes, chunk.mask) == (n_bytes, 0))?;
            chunk.address.checked_add(base)
        });
        self.0.finish()
    }
}
