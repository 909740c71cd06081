//! What is noted of finished slabs while outputs are written.
//!
//! Only HDF5 knows where it has put a chunk, and walks over all chunks of a dataset to say so. So it is asked for all at once, and where
//! there are so many that it takes long no more often than takes a fifth of the time: until then slabs wait to be noted.

use std::time::{Duration, Instant};

use super::manifest::{Chunk, Manifest, Slab};
use super::output::Open;
use crate::Result;

/// Asking that takes longer than this is not done again before so many times as long.
const SHORT: Duration = Duration::from_millis(10);
const TIMES: u32 = 4;

/// Notes that go to a manifest.
pub(super) struct Notes {
    manifest: Manifest,
    /// Chunks that were written since the last finished slab.
    chunks: Vec<Chunk>,
    waiting: Vec<Slab>,
    /// How long it took to ask the last time, and when that was.
    asked: Duration,
    since: Instant,
}

impl Notes {
    pub(super) fn new(manifest: Manifest) -> Self {
        let (chunks, waiting, since) = (Vec::new(), Vec::new(), Instant::now());
        Self { manifest, chunks, waiting, asked: Duration::ZERO, since }
    }

    /// A chunk was written.
    pub(super) fn chunk(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    /// A slab is finished.
    pub(super) fn slab(&mut self, slab: Slab, outputs: &[Open]) {
        self.waiting.push(Slab { chunks: std::mem::take(&mut self.chunks), ..slab });
        let is_asked = self.waiting.iter().flat_map(|slab| &slab.chunks).any(|chunk| chunk.address.is_none());
        if !is_asked || self.asked < SHORT || self.since.elapsed() >= self.asked * TIMES {
            self.write(outputs);
        }
    }

    /// Notes what waits. Where HDF5 cannot say where chunks are, that is none of it: nothing could be found again.
    fn write(&mut self, outputs: &[Open]) {
        let begin = Instant::now();
        for (output, open) in outputs.iter().enumerate() {
            let wanted = self.waiting.iter_mut().flat_map(|slab| &mut slab.chunks);
            let wanted = wanted.filter(|chunk| chunk.output == output && chunk.address.is_none());
            if locate(open, wanted.collect()).is_err() {
                break;
            }
        }
        (self.since, self.asked) = (Instant::now(), begin.elapsed());
        let is_known = |slab: &&Slab| slab.chunks.iter().all(|chunk| chunk.address.is_some());
        let n_known = self.waiting.iter().take_while(is_known).count();
        self.waiting.drain(..n_known).for_each(|slab| self.manifest.slab(&slab));
    }

    /// Notes all of it.
    pub(super) fn close(mut self, outputs: &[Open]) -> Option<Manifest> {
        self.write(outputs);
        Some(self.manifest)
    }
}

/// Finds where chunks of an output are.
fn locate(output: &Open, wanted: Vec<&mut Chunk>) -> Result<()> {
    let Some(dataset) = output.dataset.as_ref().filter(|_| !wanted.is_empty()) else { return Ok(()) };
    let map = dataset.chunks().ok();
    for chunk in wanted {
        let place: Vec<u64> = chunk.offset.iter().zip(&output.shape.chunk).map(|(at, dim)| at / dim).collect();
        chunk.address = match &map {
            Some(map) => map.get(&place).map(|stored| stored.address),
            // An HDF5 that lists few chunks only.
            None => Some(dataset.chunk_address(&chunk.offset)?),
        };
    }
    Ok(())
}
