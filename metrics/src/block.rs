//! Frames in blocks of valid pixels without gaps, as the inner loops take them.

use crate::Pixel;

/// Pixels of a block: both frames' of it fit the cache, and sums of products of small values are exact in `f64`.
pub(crate) const BLOCK_PIXELS: usize = 4096;

/// Values of this magnitude are small: 4096 products of their differences are below 2^53 in each of eight lanes.
const SMALL: i64 = 1 << 20;

/// Calls `each` with the valid pixels of two frames, in blocks.
pub(crate) fn blocks<P: Pixel>(x: &[P], y: &[P], valid: &[bool], mut each: impl FnMut(&[P], &[P])) {
    let (x_blocks, y_blocks) = (x.chunks(BLOCK_PIXELS), y.chunks(BLOCK_PIXELS));
    if valid.is_empty() {
        x_blocks.zip(y_blocks).for_each(|(x, y)| each(x, y));
        return;
    }
    let mut dense = (vec![P::default(); BLOCK_PIXELS], vec![P::default(); BLOCK_PIXELS]);
    for ((x, y), valid) in x_blocks.zip(y_blocks).zip(valid.chunks(BLOCK_PIXELS)) {
        if !valid.contains(&false) {
            each(x, y);
            continue;
        }
        let mut n = 0;
        for ((x, y), is_valid) in x.iter().zip(y).zip(valid) {
            // Written in any case and kept only where it counts: no branch.
            (dense.0[n], dense.1[n]) = (*x, *y);
            n += usize::from(*is_valid);
        }
        if n > 0 {
            each(&dense.0[..n], &dense.1[..n]);
        }
    }
}

/// The least and the greatest value of a block.
pub(crate) fn range<P: Pixel>(pixels: &[P]) -> (P, P) {
    let first = pixels[0];
    let least = pixels.iter().fold(first, |least, pixel| least.min(*pixel));
    (least, pixels.iter().fold(first, |most, pixel| most.max(*pixel)))
}

/// Whether both blocks have small values only.
pub(crate) fn is_small<P: Pixel>(x: (P, P), y: (P, P)) -> bool {
    P::N_BITS <= 16 || [x.0, x.1, y.0, y.1].iter().all(|pixel| pixel.value().abs() < SMALL)
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
            blocks(&x, &y, valid, |x, y| {
                assert!(x.iter().zip(y).all(|(x, y)| x + 1 == *y));
                seen.extend_from_slice(x);
            });
            seen
        };
        assert_eq!(collect(&[]), x);
        let expected: Vec<u16> = x.iter().copied().filter(|x| valid[usize::from(*x)]).collect();
        assert_eq!(collect(&valid), expected);
    }
}
