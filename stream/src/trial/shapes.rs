//! Shapes of chunks that are sensible for a dataset, and the regions that a sample is made of.

use std::collections::BTreeSet;

use darkchunk_hdf5::chunk_map::StoredDataset;
use darkchunk_hdf5::inspect::DatasetInfo;

use super::Options;
use crate::convert::blocks::{Block, Blocks, two_buffers};
use crate::convert::plan;
use crate::{Error, Reader, Result};

/// Frames with fewer bytes are not a chunk each: the file's index would be as large as they are.
const MIN_CHUNK_BYTES: u64 = 16 << 10;

/// About so many bytes do chunks of several frames have, and parts of a large frame.
const CHUNK_BYTES: [u64; 2] = [1 << 20, 4 << 20];

/// A region has no more bytes: of a larger frame a part is tried.
const MAX_REGION_BYTES: u64 = 256 << 20;

/// Shapes of chunks, and a region of which all of them are parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shapes {
    pub(super) chunks: Vec<Vec<u64>>,
    pub(super) region: Vec<u64>,
    /// The chunk of one frame, or what comes next to it.
    pub(super) frame: Vec<u64>,
}

/// The axis along which frames follow each other.
fn stack_axis(rank: usize) -> usize {
    rank.saturating_sub(3)
}

/// Those of a dataset, or the one that was asked for.
pub(super) fn of(info: &DatasetInfo, asked: Option<&[u64]>) -> Result<Shapes> {
    let dims = info.dims.as_deref().unwrap_or_default();
    let own = match asked {
        Some(asked) => Some(plan::chunk(info, dims, Some(asked)).map_err(Error::Argument)?),
        None => info.chunk.clone(),
    };
    let own = own.map(|own| own.iter().zip(dims).map(|(chunk, dim)| *(chunk.min(dim))).collect::<Vec<u64>>());
    Ok(sensible(dims, info.element_bytes.max(1), own, asked.is_some()))
}

fn sensible(dims: &[u64], element_bytes: u64, own: Option<Vec<u64>>, only_own: bool) -> Shapes {
    let axis = stack_axis(dims.len());
    let mut region: Vec<u64> = dims.to_vec();
    region[..axis].fill(1);
    region[axis] = 1;
    fit(&mut region, element_bytes);
    let frame_bytes = bytes(&region, element_bytes);
    // How many frames a chunk may have; the most of them is the region's.
    let several = CHUNK_BYTES.map(|bytes| (bytes / frame_bytes).clamp(1, dims[axis]));
    let own_frames = own.as_ref().map_or(1, |own| own[axis]);
    let most = several[1].max(several[0]).next_multiple_of(own_frames).min(dims[axis]).max(own_frames);
    let mut frames = vec![1, divisor(most, several[0]), most];
    if frame_bytes < MIN_CHUNK_BYTES {
        frames.retain(|n| n * frame_bytes >= MIN_CHUNK_BYTES || *n == most);
    }
    let mut chunks: Vec<Vec<u64>> = own.into_iter().collect();
    if !only_own {
        let whole = frames.iter().map(|n| [&region[..axis], &[*n], &region[axis + 1..]].concat());
        chunks.extend(whole);
        chunks.extend(part_of_frame(&region, axis, element_bytes));
    }
    region[axis] = most;
    if let Some(own) = chunks.first() {
        region[..axis].copy_from_slice(&own[..axis]);
    }
    fit(&mut region, element_bytes);
    for chunk in &mut chunks {
        chunk.iter_mut().zip(&region).for_each(|(chunk, region)| *chunk = (*chunk).min(*region));
    }
    let mut known = BTreeSet::new();
    chunks.retain(|chunk| known.insert(chunk.clone()));
    let frame = chunks.iter().min_by_key(|chunk| chunk[axis]).cloned().unwrap_or_default();
    Shapes { chunks, region, frame }
}

/// Rows of a frame that is larger than a chunk is to be.
fn part_of_frame(frame: &[u64], axis: usize, element_bytes: u64) -> Option<Vec<u64>> {
    let rows = axis + 1;
    let n_bytes = bytes(frame, element_bytes);
    let n_rows = *frame.get(rows).filter(|n| **n > 1 && n_bytes > CHUNK_BYTES[1])?;
    let n_parts = n_bytes.div_ceil(CHUNK_BYTES[0]).min(n_rows);
    let mut part = frame.to_vec();
    part[rows] = n_rows.div_ceil(n_parts);
    Some(part)
}

/// The largest divisor of `n` that is not above `most`.
fn divisor(n: u64, most: u64) -> u64 {
    (1..=most.min(n)).rev().find(|divisor| n.is_multiple_of(*divisor)).unwrap_or(1)
}

fn bytes(shape: &[u64], element_bytes: u64) -> u64 {
    shape.iter().fold(element_bytes, |n, dim| n.saturating_mul(*dim))
}

/// Makes a region smaller that has too many bytes, from its first axis on.
fn fit(region: &mut [u64], element_bytes: u64) {
    for axis in 0..region.len() {
        let n_bytes = bytes(region, element_bytes);
        if n_bytes <= MAX_REGION_BYTES {
            return;
        }
        let of_one = bytes(&region[axis + 1..], element_bytes);
        region[axis] = (MAX_REGION_BYTES / of_one).clamp(1, region[axis]);
    }
}

/// The regions that are tried.
pub(super) struct Sample<'a> {
    reader: &'a Reader,
    blocks: Blocks<'a>,
    region: &'a [u64],
    /// By their numbers.
    pub(super) numbers: Vec<u64>,
    /// How many have data.
    pub(super) n_all: u64,
}

/// Pixels of a region, padded to its whole.
pub(super) struct Region<'a> {
    pub(super) shape: &'a [u64],
    /// What of it is in the dataset.
    pub(super) count: &'a [u64],
    pub(super) element_bytes: usize,
    pub(super) pixels: &'a [u8],
}

impl<'a> Sample<'a> {
    pub(super) fn new(
        reader: &'a Reader,
        stored: &StoredDataset,
        region: &'a [u64],
        options: &Options,
    ) -> Result<Self> {
        let blocks = Blocks::new(reader.dims(), region, reader.element().n_bytes)?;
        let with_data = with_data(reader, stored, region);
        let n_all = with_data.as_ref().map_or(blocks.len(), |numbers| numbers.len() as u64);
        if n_all == 0 {
            return Err(Error::Argument("nothing of it is stored yet: there is nothing to try".into()));
        }
        let n = match options.all {
            true => n_all,
            false => (options.sample_bytes / (blocks.n_bytes() as u64).max(1)).clamp(1, n_all),
        };
        // In the middle of as many equal parts.
        let nth = |index: u64| (u128::from(2 * index + 1) * u128::from(n_all) / u128::from(2 * n)) as u64;
        let number = |nth: u64| with_data.as_ref().map_or(nth, |numbers| numbers[nth as usize]);
        Ok(Self { reader, blocks, region, numbers: (0..n).map(|index| number(nth(index))).collect(), n_all })
    }

    /// Reads a region, and returns the bytes of its pixels when `work` has seen them.
    pub(super) fn with_region(
        &self,
        number: u64,
        fill: Option<&[u8]>,
        work: impl FnOnce(&Region<'_>) -> Result<()>,
    ) -> Result<u64> {
        let (mut part, mut pixels) = two_buffers(self.blocks.n_bytes())?;
        let Block { start, count } = self.blocks.get(number);
        let block = Block { start, count: count.clone() };
        self.blocks.read_padded(self.reader, &block, fill, &mut part, &mut pixels)?;
        drop(part);
        let element_bytes = self.reader.element().n_bytes;
        work(&Region { shape: self.region, count: &count, element_bytes, pixels: &pixels })?;
        Ok(bytes(&count, element_bytes as u64))
    }
}

/// The numbers of the regions in which a chunk begins that is stored; `None` where that is not known.
fn with_data(reader: &Reader, stored: &StoredDataset, region: &[u64]) -> Option<Vec<u64>> {
    let (chunk, map) = (reader.chunk()?, stored.map().ok()?);
    let grid: Vec<u64> = reader.dims().iter().zip(region).map(|(dim, region)| dim.div_ceil(*region)).collect();
    let number = |place: &[u64]| {
        let places = place.iter().zip(chunk).zip(region).map(|((place, chunk), region)| place * chunk / region);
        places.zip(&grid).fold(0, |number, (place, n)| number * n + place.min(n - 1))
    };
    Some(map.iter().map(|(place, _)| number(&place)).collect::<BTreeSet<u64>>().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_frames_several_frames_and_parts_of_large_ones() {
        let of = |dims: &[u64], own: Option<&[u64]>| sensible(dims, 2, own.map(<[u64]>::to_vec), false).chunks;
        assert_eq!(of(&[1000, 512, 512], None), [[1, 512, 512], [2, 512, 512], [8, 512, 512]]);
        assert_eq!(of(&[1000, 512, 512], Some(&[3, 512, 512])), [[3, 512, 512], [1, 512, 512], [9, 512, 512]]);
        assert_eq!(of(&[7, 4096, 4096], None), [[1, 4096, 4096], [1, 128, 4096]]);
        assert_eq!(of(&[5, 9, 1024, 1024], None), [[1, 1, 1024, 1024], [1, 2, 1024, 1024]]);
        assert_eq!(of(&[1 << 30], None), [[1 << 19], [1 << 21]]);
        assert_eq!(of(&[3, 8, 8], None), [[3, 8, 8]]);
    }

    #[test]
    fn a_region_is_whole_chunks_and_never_too_large() {
        for (dims, own) in [(&[1 << 40, 1 << 20][..], None), (&[9, 50_000, 50_000], Some(vec![1, 50_000, 50_000]))] {
            let shapes = sensible(dims, 2, own, false);
            assert!(bytes(&shapes.region, 2) <= MAX_REGION_BYTES, "{shapes:?}");
            assert!(shapes.chunks.iter().flat_map(|chunk| chunk.iter().zip(&shapes.region)).all(|(c, r)| c <= r));
        }
        let shapes = sensible(&[1000, 100, 100], 2, Some(vec![7, 100, 100]), false);
        assert!(shapes.chunks.iter().all(|chunk| shapes.region[0].is_multiple_of(chunk[0])), "{shapes:?}");
    }
}
