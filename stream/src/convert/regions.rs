//! Where chunks of the new dataset have parts of many old ones: regions that are read at once, so that an old chunk is not decoded for each.
//!
//! A region is a box of whole new chunks. It grows from one of them, along the axis that saves most, until each old chunk is in one region,
//! or no larger one fits into memory. Sixteen frames of a stack, for instance, are a region of bricks that are 16 frames deep.

use darkchunk::pipeline::buffer;

use super::blocks::{Block, Blocks, Pixels, row_places};
use crate::{Reader, Result};

/// Regions along an axis that are looked at one by one.
const MOST: u64 = 1 << 20;

/// The shape of a region for chunks `new` of a dataset whose chunks are `old`, of at most `n_bytes` where there is a choice. `None`: new
/// chunks can be read one by one.
pub(super) fn shape(dims: &[u64], old: &[u64], new: &[u64], element_bytes: usize, n_bytes: u64) -> Option<Vec<u64>> {
    let mut region = new.to_vec();
    let is_cut = |axis: usize, height: u64| decoded(dims[axis], old[axis], height) > up(dims[axis], old[axis]);
    let bytes = |region: &[u64]| region.iter().fold(element_bytes as u64, |n, dim| n.saturating_mul(*dim));
    // Doubled, or what is left of the axis.
    let longer = |region: &[u64], axis: usize| {
        let aligned = multiple(old[axis], new[axis]).min(up(dims[axis], new[axis]));
        let mut longer = region.to_vec();
        longer[axis] = aligned.min(region[axis].saturating_mul(2));
        longer
    };
    loop {
        let axes = (0..dims.len()).filter(|axis| is_cut(*axis, region[*axis]));
        let grown = axes.map(|axis| (axis, longer(&region, axis))).filter(|(_, longer)| bytes(longer) <= n_bytes);
        let saved = |(axis, longer): &(usize, Vec<u64>)| {
            let (dim, old) = (dims[*axis], old[*axis]);
            decoded(dim, old, region[*axis]) as f64 / decoded(dim, old, longer[*axis]) as f64
        };
        let Some((_, best)) = grown.max_by(|a, b| saved(a).total_cmp(&saved(b))) else { break };
        region = best;
    }
    (region != new).then_some(region)
}

/// Places of an axis that are decoded, all regions of this height together.
fn decoded(dim: u64, old: u64, height: u64) -> u64 {
    let of = |region: u64| {
        let (first, end) = (region * height, (region * height).saturating_add(height).min(dim));
        ((end - 1) / old - first / old + 1) * old
    };
    let n = dim.div_ceil(height);
    if n <= MOST { (0..n).map(of).sum() } else { of(0).saturating_mul(n) }
}

/// `dim` in whole steps.
fn up(dim: u64, step: u64) -> u64 {
    dim.div_ceil(step).saturating_mul(step)
}

/// The least common multiple.
fn multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).saturating_mul(b)
}

/// The pixels of a region.
pub(super) struct Region {
    block: Block,
    element_bytes: usize,
    pixels: Vec<u8>,
}

impl Region {
    /// Memory for any of these.
    pub(super) fn new(regions: &Blocks<'_>, element_bytes: usize) -> Result<Self> {
        let block = Block { start: Vec::new(), count: Vec::new() };
        Ok(Self { block, element_bytes, pixels: buffer(regions.n_bytes())? })
    }

    /// Reads one, by all threads of the reader.
    pub(super) fn load(&mut self, regions: &Blocks<'_>, reader: &Reader, block: &Block) -> Result<()> {
        regions.read(reader, block, &mut self.pixels)?;
        self.block = block.clone();
        Ok(())
    }
}

impl Pixels for Region {
    fn read(&self, block: &Block, pixels: &mut [u8]) -> Result<()> {
        let within: Vec<u64> = block.start.iter().zip(&self.block.start).map(|(at, start)| at - start).collect();
        let row_bytes = block.count.last().map_or(1, |n| *n as usize) * self.element_bytes;
        let places = row_places(&within, &block.count, &self.block.count);
        for (row, place) in pixels.chunks_exact_mut(row_bytes).zip(places) {
            let at = place * self.element_bytes;
            row.copy_from_slice(&self.pixels[at..at + row_bytes]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_grows_until_each_old_chunk_is_in_one() {
        let of = |old: [u64; 3], new: [u64; 3], n_bytes| shape(&[100, 90, 64], &old, &new, 2, n_bytes);
        // Frames to bricks: so many frames as a brick is deep, whole.
        assert_eq!(of([1, 90, 64], [16, 16, 64], 1 << 20), Some(vec![16, 96, 64]));
        // Bricks to frames: as many frames as a brick has.
        assert_eq!(of([16, 16, 64], [1, 90, 64], 1 << 20), Some(vec![16, 90, 64]));
        // Chunks of other heights meet at 48.
        assert_eq!(of([100, 16, 64], [100, 12, 64], 1 << 30), Some(vec![100, 48, 64]));
        // Whole old chunks in a new one, or the same.
        assert_eq!(of([1, 90, 64], [10, 90, 64], 1), None);
        assert_eq!(of([7, 5, 3], [7, 5, 3], 1), None);
        // As much as fits.
        let tight = of([1, 90, 64], [16, 16, 64], 16 * 40 * 64 * 2).expect("two bricks");
        assert_eq!(tight, [16, 32, 64]);
    }

    #[test]
    fn regions_count_what_they_decode() {
        assert_eq!((decoded(90, 90, 16), decoded(90, 90, 96), decoded(90, 16, 16)), (6 * 90, 90, 96));
        assert_eq!((decoded(10, 4, 3), decoded(1 << 40, 1 << 40, 1)), (24, u64::MAX));
        assert_eq!((multiple(16, 12), multiple(1, 7), multiple(u64::MAX, 2)), (48, 7, u64::MAX));
    }

    #[test]
    fn a_part_of_a_region_is_what_a_part_of_the_dataset_is() {
        let block = Block { start: vec![4, 10, 0], count: vec![3, 5, 7] };
        let region = Region { block, element_bytes: 1, pixels: (0..105).collect() };
        let mut pixels = vec![0; 8];
        region.read(&Block { start: vec![5, 12, 3], count: vec![2, 2, 2] }, &mut pixels).expect("there");
        let at = |frame: u8, row: u8, column: u8| (frame * 5 + row) * 7 + column;
        let expected = [(1, 2), (1, 3), (2, 2), (2, 3)].map(|(frame, row)| [at(frame, row, 3), at(frame, row, 4)]);
        assert_eq!(pixels, expected.concat());
    }
}
