//! Frames in blocks of valid pixels without gaps, as the inner loops take them.

use crate::Pixel;
use crate::isa::widest;

/// Pixels of a block: both frames' of it fit the cache, and sums of products of small values are exact in `f64`.
pub(crate) const BLOCK_PIXELS: usize = 4096;

/// Values of this magnitude are small: 4096 products of their differences are below 2^53 in each of eight lanes.
pub(crate) const SMALL: i64 = 1 << 20;

/// Valid pixels of both frames, one at least, and what decides how they are summed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a, P> {
    pub(crate) x: &'a [P],
    pub(crate) y: &'a [P],
    /// The least and the greatest value.
    pub(crate) range_x: (P, P),
    pub(crate) range_y: (P, P),
    /// The largest |e|.
    pub(crate) max_error: u64,
}

impl<'a, P: Pixel> Block<'a, P> {
    fn new(x: &'a [P], y: &'a [P]) -> Self {
        let (range_x, range_y, max_error) = ranges(x, y);
        Self { x, y, range_x, range_y, max_error }
    }

    /// Whether both have small values only.
    pub(crate) fn is_small(&self) -> bool {
        let ends = [self.range_x.0, self.range_x.1, self.range_y.0, self.range_y.1];
        P::N_BITS <= 16 || ends.iter().all(|pixel| pixel.value().abs() < SMALL)
    }
}

/// Calls `each` with the valid pixels of two frames, in blocks.
pub(crate) fn blocks<P: Pixel>(x: &[P], y: &[P], valid: &[bool], mut each: impl FnMut(&Block<'_, P>)) {
    let (x_blocks, y_blocks) = (x.chunks(BLOCK_PIXELS), y.chunks(BLOCK_PIXELS));
    if valid.is_empty() {
        x_blocks.zip(y_blocks).for_each(|(x, y)| each(&Block::new(x, y)));
        return;
    }
    let mut dense = (vec![P::default(); BLOCK_PIXELS], vec![P::default(); BLOCK_PIXELS]);
    for ((x, y), valid) in x_blocks.zip(y_blocks).zip(valid.chunks(BLOCK_PIXELS)) {
        if !valid.contains(&false) {
            each(&Block::new(x, y));
            continue;
        }
        let mut n = 0;
        for ((x, y), is_valid) in x.iter().zip(y).zip(valid) {
            // Written in any case and kept only where it counts: no branch.
            (dense.0[n], dense.1[n]) = (*x, *y);
            n += usize::from(*is_valid);
        }
        if n > 0 {
            each(&Block::new(&dense.0[..n], &dense.1[..n]));
        }
    }
}

/// Of x, of y, and the largest |e|.
type Ranges<P> = ((P, P), (P, P), u64);

widest! {
    fn ranges<P: Pixel>(x: &[P], y: &[P]) -> Ranges<P> {
        (range(x), range(y), P::max_difference(x, y))
    }
}

#[inline(always)]
fn range<P: Pixel>(pixels: &[P]) -> (P, P) {
    let first = pixels[0];
    let least = pixels.iter().fold(first, |least, pixel| least.min(*pixel));
    (least, pixels.iter().fold(first, |most, pixel| most.max(*pixel)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_all_valid_pixels_in_order() {
        let x: Vec<u16> = (0..10_000).collect();
        let y: Vec<u16> = x.iter().map(|x| x + 1).collect();
        let valid: Vec<bool> = (0..10_000).map(|i| !(i % 3 == 0 && (1000..5000).contains(&i))).collect();
        let collect = |valid: &[bool]| {
            let mut seen = Vec::new();
            blocks(&x, &y, valid, |block| {
                assert!(block.x.iter().zip(block.y).all(|(x, y)| x + 1 == *y) && block.max_error == 1);
                assert_eq!((block.range_x.0, block.range_y.1), (block.x[0], block.y[block.y.len() - 1]));
                seen.extend_from_slice(block.x);
            });
            seen
        };
        assert_eq!(collect(&[]), x);
        let expected: Vec<u16> = x.iter().copied().filter(|x| valid[usize::from(*x)]).collect();
        assert_eq!(collect(&valid), expected);
    }
}
