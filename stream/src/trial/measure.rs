//! Chunks encoded and decoded on one thread, with the time that takes.

use std::collections::BTreeSet;
use std::time::Duration;

use darkchunk::Exec;
use darkchunk::codec::Filter;
use darkchunk::pipeline::{Pipeline, buffer};
use darkchunk_hdf5::inspect::DatasetInfo;

use super::shapes::Region;
use super::{Refused, Trial, clock};
use crate::Result;

/// How often a region is encoded and decoded: the least time counts.
const ROUNDS: usize = 5;

/// What takes longer for 4 MiB of a region is not done again: a disturbance is little of that.
const LONG: Duration = Duration::from_millis(60);

/// What encodes and decodes.
pub(super) enum Coder {
    /// One of our codecs, from memory to memory.
    Codec(Filter),
    /// Several filters, HDF5's own among them, or none.
    Several(Pipeline),
}

impl Coder {
    fn room(&self, n_bytes: usize) -> usize {
        match self {
            Self::Codec(filter) => filter.max_encoded_len(n_bytes),
            Self::Several(_) => 0,
        }
    }

    /// The encoded bytes are at the front of `encoded`.
    fn encode(&self, pixels: &[u8], encoded: &mut Vec<u8>) -> darkchunk::Result<usize> {
        match self {
            Self::Codec(filter) => filter.encode(Exec::current(), pixels, encoded),
            Self::Several(pipeline) => {
                *encoded = pipeline.encode(Exec::current(), pixels)?;
                Ok(encoded.len())
            }
        }
    }

    fn decode(&self, encoded: &[u8], pixels: &mut [u8]) -> darkchunk::Result<()> {
        match self {
            Self::Codec(filter) => filter.decode(Exec::current(), encoded, pixels),
            Self::Several(pipeline) => pipeline.decode(Exec::current(), 0, encoded, pixels).map(drop),
        }
    }
}

/// Bytes and times of what was encoded and decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes of pixels.
    pub n_bytes: u64,
    /// Bytes that are stored for them.
    pub n_stored: u64,
    /// Chunks.
    pub n_chunks: u64,
    /// The time to encode them.
    pub encode: Duration,
    /// The time to decode them.
    pub decode: Duration,
}

impl Cost {
    fn add(&mut self, other: &Self) {
        self.n_bytes += other.n_bytes;
        self.n_stored += other.n_stored;
        self.n_chunks += other.n_chunks;
        self.encode += other.encode;
        self.decode += other.decode;
    }

    /// Bytes of pixels by those that are stored.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.n_bytes as f64 / (self.n_stored as f64).max(1.0)
    }

    fn rate(&self, time: Duration) -> f64 {
        self.n_bytes as f64 / time.as_secs_f64().max(1e-9)
    }

    /// Bytes of pixels that one core encodes in a second.
    #[must_use]
    pub fn encode_rate(&self) -> f64 {
        self.rate(self.encode)
    }

    /// Bytes of pixels that one core decodes in a second.
    #[must_use]
    pub fn decode_rate(&self) -> f64 {
        self.rate(self.decode)
    }

    /// Cores that encode so many bytes of pixels a second.
    #[must_use]
    pub fn cores(&self, rate: f64) -> u64 {
        (rate / self.encode_rate()).ceil().max(1.0) as u64
    }
}

/// A trial that is going on.
pub(super) struct Trying {
    pub(super) spec: &'static str,
    pub(super) filters: Vec<(u32, Vec<u32>)>,
    pub(super) chunk: Vec<u64>,
    pub(super) coder: Coder,
    pub(super) is_exact: bool,
    pub(super) cost: Cost,
}

impl Trying {
    pub(super) fn finished(self, info: &DatasetInfo) -> Trial {
        let Self { spec, filters, chunk, is_exact, cost, .. } = self;
        let of_chunk = cost.n_stored as f64 / cost.n_chunks.max(1) as f64;
        let dims = info.dims.as_deref().unwrap_or_default();
        // How many chunks the last axes of the dataset cross.
        let crossed = |n_axes: usize| {
            let from = dims.len().saturating_sub(n_axes);
            let chunks = dims[from..].iter().zip(&chunk[from..]).map(|(dim, chunk)| dim.div_ceil(*chunk));
            (of_chunk * chunks.product::<u64>() as f64) as u64
        };
        let (row_bytes, frame_bytes) = (crossed(1), crossed(2));
        Trial { spec, filters, chunk, is_exact, cost, row_bytes, frame_bytes }
    }
}

/// Has all candidates encode and decode a region. Those that cannot are moved to `refused`.
pub(super) fn region(
    region: &Region<'_>,
    fill: Option<&[u8]>,
    trying: &mut Vec<Trying>,
    refused: &mut Vec<Refused>,
) -> Result<()> {
    let shapes: BTreeSet<Vec<u64>> = trying.iter().map(|trying| trying.chunk.clone()).collect();
    let mut failed: Vec<(usize, String)> = Vec::new();
    for shape in shapes {
        let chunks = Chunks::cut(region, &shape, fill)?;
        let long = LONG.mul_f64((chunks.n_bytes as f64 / 4_194_304.0).max(1.0));
        let mut turns: Vec<Turn> = trying
            .iter()
            .enumerate()
            .filter(|(_, trying)| trying.chunk == shape)
            .map(|(at, _)| Turn::new(at))
            .collect();
        for round in 0..ROUNDS {
            // One after the other in each round, so that a disturbance hits all of them.
            for turn in turns.iter_mut().filter(|turn| turn.spent < long && turn.failed.is_none()) {
                let candidate = &mut trying[turn.at];
                if let Err(error) = turn.go(candidate, &chunks, round == 0) {
                    turn.failed = Some(error.to_string());
                }
            }
        }
        for Turn { at, best, failed: why, .. } in turns {
            match why {
                Some(why) => failed.push((at, why)),
                None => trying[at].cost.add(&best),
            }
        }
    }
    failed.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, reason) in failed {
        let Trying { spec, chunk, .. } = trying.remove(at);
        refused.push(Refused { spec, chunk, reason });
    }
    Ok(())
}

/// What a candidate did in a region so far.
struct Turn {
    at: usize,
    best: Cost,
    spent: Duration,
    failed: Option<String>,
}

impl Turn {
    fn new(at: usize) -> Self {
        Self { at, best: Cost::default(), spent: Duration::ZERO, failed: None }
    }

    fn go(&mut self, candidate: &mut Trying, chunks: &Chunks, is_first: bool) -> Result<()> {
        let mut cost = Cost { n_bytes: chunks.n_bytes, n_chunks: chunks.len() as u64, ..Cost::default() };
        let mut encoded = buffer(candidate.coder.room(chunks.chunk_bytes))?;
        let mut decoded = buffer(chunks.chunk_bytes)?;
        for chunk in chunks.iter() {
            let (encode, n_encoded) = clock::time(|| candidate.coder.encode(chunk, &mut encoded));
            let n_encoded = n_encoded?;
            let (decode, done) = clock::time(|| candidate.coder.decode(&encoded[..n_encoded], &mut decoded));
            done?;
            (cost.encode, cost.decode) = (cost.encode + encode, cost.decode + decode);
            cost.n_stored += n_encoded as u64 + index_bytes(candidate.chunk.len());
            candidate.is_exact &= !is_first || decoded == chunk;
        }
        self.spent += cost.encode + cost.decode;
        if !is_first {
            cost.encode = cost.encode.min(self.best.encode);
            cost.decode = cost.decode.min(self.best.decode);
        }
        self.best = cost;
        Ok(())
    }
}

/// What a chunk takes in HDF5's usual index: its size, mask and place, and its address.
fn index_bytes(rank: usize) -> u64 {
    8 + 8 * (rank as u64 + 1) + 8
}

/// The chunks of a region, one after the other.
struct Chunks {
    bytes: Vec<u8>,
    chunk_bytes: usize,
    /// Of their pixels that are in the dataset.
    n_bytes: u64,
}

impl Chunks {
    fn cut(region: &Region<'_>, shape: &[u64], fill: Option<&[u8]>) -> Result<Self> {
        let size = region.element_bytes;
        let chunk_bytes = shape.iter().fold(size, |n, dim| n.saturating_mul(*dim as usize));
        let grid: Vec<u64> = region.count.iter().zip(shape).map(|(count, chunk)| count.div_ceil(*chunk)).collect();
        let n_chunks = grid.iter().product::<u64>() as usize;
        let mut bytes = buffer(chunk_bytes.saturating_mul(n_chunks))?;
        if let Some(fill) = fill.filter(|fill| fill.len() == size) {
            bytes.chunks_exact_mut(size).for_each(|pixel| pixel.copy_from_slice(fill));
        }
        for (number, chunk) in bytes.chunks_exact_mut(chunk_bytes).enumerate() {
            let start: Vec<u64> = places(number as u64, &grid).zip(shape).map(|(place, chunk)| place * chunk).collect();
            copy_box(region, &start, shape, chunk);
        }
        let n_bytes = region.count.iter().fold(size as u64, |n, count| n * count);
        Ok(Self { bytes, chunk_bytes, n_bytes })
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.chunk_bytes)
    }

    fn len(&self) -> usize {
        self.iter().count()
    }
}

/// The place of a number in a grid, its first axis first.
fn places(mut number: u64, grid: &[u64]) -> impl Iterator<Item = u64> + use<> {
    let mut places: Vec<u64> = grid.iter().rev().map(|n| (number % n, number /= n).0).collect();
    places.reverse();
    places.into_iter()
}

/// Copies what of a chunk is in the dataset, row by row.
fn copy_box(region: &Region<'_>, start: &[u64], shape: &[u64], chunk: &mut [u8]) {
    let within = start.iter().zip(shape).zip(region.count);
    let count: Vec<u64> = within.map(|((start, shape), count)| (*shape).min(count - start)).collect();
    let (rows, row) = count.split_at(count.len().saturating_sub(1));
    let row_bytes = row.first().map_or(1, |n| *n as usize) * region.element_bytes;
    let offset = |shape: &[u64], place: &[u64]| {
        shape.iter().zip(place).fold(0, |at, (dim, place)| at * dim + place) as usize * region.element_bytes
    };
    for number in 0..rows.iter().product::<u64>() {
        let place: Vec<u64> = places(number, rows).chain([0]).collect();
        let from: Vec<u64> = place.iter().zip(start).map(|(place, start)| place + start).collect();
        let (from, to) = (offset(region.shape, &from), offset(shape, &place));
        chunk[to..to + row_bytes].copy_from_slice(&region.pixels[from..from + row_bytes]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_into_chunks_and_filled_beyond_the_edge() {
        let pixels: Vec<u8> = (0..2 * 3 * 4).collect();
        let region = Region { shape: &[2, 3, 4], count: &[2, 3, 3], element_bytes: 1, pixels: &pixels };
        let chunks = Chunks::cut(&region, &[1, 2, 2], Some(&[99])).expect("small");
        let chunks: Vec<&[u8]> = chunks.iter().collect();
        assert_eq!(chunks.len(), 2 * 2 * 2);
        assert_eq!(chunks[..4], [&[0, 1, 4, 5][..], &[2, 99, 6, 99], &[8, 9, 99, 99], &[10, 99, 99, 99]]);
        assert_eq!(chunks[4], [12, 13, 16, 17]);
    }

    #[test]
    fn cores_are_as_many_as_a_rate_takes() {
        let cost = Cost { n_bytes: 2_000_000_000, encode: Duration::from_secs(1), ..Cost::default() };
        assert_eq!([0.0, 2e9, 2.1e9, 9e9].map(|rate| cost.cores(rate)), [1, 1, 2, 5]);
    }
}
