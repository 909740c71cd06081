//! A codec that is applied in memory: frames are encoded and decoded as HDF5 would have it done, in whole chunks.

use std::time::{Duration, Instant};

use darkchunk::codec::{ChunkLayout, Filter};

use super::frames::Frames;
use crate::{Error, Result};

/// A filter and the chunks it is given.
#[derive(Debug)]
pub(super) struct Applied {
    filter: Filter,
    pub(super) chunk_frames: u64,
    chunk_bytes: usize,
}

/// What a chunk cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) n_encoded: u64,
    pub(super) n_bytes: u64,
    pub(super) encode: Duration,
    pub(super) decode: Duration,
}

impl Applied {
    pub(super) fn new(reference: &Frames, filter: u32, cd_values: &[u32], chunk_frames: u64) -> Result<Self> {
        let chunk_frames =
            if chunk_frames == 0 { reference.chunk_frames } else { chunk_frames.min(reference.n_frames) };
        let (height, width) = (reference.shape.height as u64, reference.shape.width as u64);
        let layout = ChunkLayout::new(reference.reader.element(), vec![chunk_frames, height, width]);
        let refused = |error: darkchunk::Error| Error::Argument(format!("filter {filter} with {cd_values:?}: {error}"));
        let chunk_bytes = layout.chunk_bytes().map_err(refused)? as usize;
        let stored = Filter::localise(filter, cd_values, &layout).map_err(refused)?;
        Ok(Self { filter: Filter::from_cd_values(filter, &stored).map_err(refused)?, chunk_frames, chunk_bytes })
    }

    /// What becomes of the frames of a chunk, of which the last one of a dataset may lack some; and what it cost.
    pub(super) fn round_trip(&self, first: u64, frames: &[u8]) -> Result<(Vec<u8>, Cost)> {
        let failed = |source: darkchunk::Error| Error::Chunk { offset: vec![first, 0, 0], source };
        // HDF5 gives a filter whole chunks, the rest of the last one filled.
        let mut chunk = frames.to_vec();
        chunk.resize(self.chunk_bytes, 0);
        let mut encoded = vec![0; self.filter.max_encoded_len(self.chunk_bytes)];
        let exec = darkchunk::Exec::default();
        let begin = Instant::now();
        let n_encoded = self.filter.encode(exec, &chunk, &mut encoded).map_err(failed)?;
        let (encode, begin) = (begin.elapsed(), Instant::now());
        self.filter.decode(exec, &encoded[..n_encoded], &mut chunk).map_err(failed)?;
        let decode = begin.elapsed();
        let n_bytes = chunk.len() as u64;
        chunk.truncate(frames.len());
        Ok((chunk, Cost { n_encoded: n_encoded as u64, n_bytes, encode, decode }))
    }
}

impl Cost {
    pub(super) fn add(&mut self, other: &Self) {
        self.n_encoded += other.n_encoded;
        self.n_bytes += other.n_bytes;
        self.encode += other.encode;
        self.decode += other.decode;
    }
}
