//! The values of a chunk: which there are, and how often each comes.

use super::element::PixelType;

/// Pixels that are loaded at once.
pub(super) const BLOCK: usize = 1024;

/// Fewer pixels are not worth a table.
const MIN_PIXELS: usize = 2048;

/// The values of the pixels that are no sentinels.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// The least and the greatest one, and 0.
    pub(super) least: i64,
    pub(super) most: i64,
    /// How often each of those that are counted comes; empty where none are.
    pub(super) counts: Vec<u32>,
}

impl Values {
    /// The values of a chunk. They are not counted where the level of a value depends on more than the value, or pixels are few.
    pub(super) fn new(element: PixelType, src: &[u8], sentinels: &[u32], are_counted: bool) -> Self {
        let mut values = Self::default();
        if !are_counted || src.len() / element.n_bytes < MIN_PIXELS {
            for_pixels(element, src, |pixel| {
                if !sentinels.contains(&pixel.cast_unsigned()) {
                    values.widen(element.value(pixel));
                }
            });
            return values;
        }
        values.counts = values.count(element, src, sentinels);
        for sentinel in sentinels {
            if let Some(n) = values.counts.get_mut((sentinel & element.counted_bits()) as usize) {
                *n = 0;
            }
        }
        let ends = values.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        let ends = ends.map(|(at, _)| element.value(element.bits(at as u32).cast_signed()));
        let (least, most) = ends.fold((0, 0), |(least, most): (i64, i64), x| (least.min(x), most.max(x)));
        values.widen(least);
        values.widen(most);
        values
    }

    fn widen(&mut self, x: i64) {
        (self.least, self.most) = (self.least.min(x), self.most.max(x));
    }

    /// Counts of even pixels and of the others apart: a count that follows itself would wait for itself.
    fn count(&mut self, element: PixelType, src: &[u8], sentinels: &[u32]) -> Vec<u32> {
        let mut counts = vec![[0_u32; 2]; element.n_counted()];
        let bits = element.counted_bits();
        let mut add = |pixel: i32, half: usize| match counts.get_mut((pixel.cast_unsigned() & bits) as usize) {
            Some(count) => count[half] += 1,
            None if sentinels.contains(&pixel.cast_unsigned()) => {}
            None => self.widen(element.value(pixel)),
        };
        for_blocks(element, src, |pixels| {
            let (pairs, last) = pixels.as_chunks::<2>();
            for [even, odd] in pairs {
                add(*even, 0);
                add(*odd, 1);
            }
            last.iter().for_each(|pixel| add(*pixel, 0));
        });
        counts.iter().map(|[even, odd]| even + odd).collect()
    }

    /// Each value that was counted, from the least to the greatest, its place, and how often it comes.
    pub(super) fn for_counted(&self, element: PixelType, mut each: impl FnMut(i64, usize, u32)) {
        // Negative ones come after the others.
        let (positive, negative) = match element.is_signed && element.n_bytes <= 2 {
            true => self.counts.split_at(self.counts.len() / 2),
            false => (&self.counts[..], &[][..]),
        };
        let negative = (positive.len()..).zip(negative);
        for (at, n) in negative.chain((0..).zip(positive)).filter(|(_, n)| **n > 0) {
            each(element.value(element.bits(at as u32).cast_signed()), at, *n);
        }
    }
}

/// Calls `each` for every pixel.
pub(super) fn for_pixels(element: PixelType, src: &[u8], mut each: impl FnMut(i32)) {
    for_blocks(element, src, |pixels| pixels.iter().for_each(|pixel| each(*pixel)));
}

/// Calls `each` for blocks of pixels.
pub(super) fn for_blocks(element: PixelType, src: &[u8], mut each: impl FnMut(&[i32])) {
    let mut pixels = [0; BLOCK];
    for bytes in src.chunks(BLOCK * element.n_bytes) {
        let pixels = &mut pixels[..bytes.len() / element.n_bytes];
        element.load(bytes, pixels);
        each(pixels);
    }
}
