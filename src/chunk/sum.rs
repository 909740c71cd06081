//! The sum of all frames of a recording, exact.

use crate::frame::{Element, ElementClass};

/// Frames that a `u32` sum holds for certain.
const MOST_SUMMED: u32 = 1 << 16;

/// The sum of all frames, exact: 32 bits a pixel in the kernel, spilled into 64 before they can overflow.
#[derive(Debug)]
pub struct Sum {
    partial: Vec<u32>,
    n_partial: u32,
    total: Vec<i64>,
    signed: bool,
}

impl Sum {
    /// No frame yet.
    #[must_use]
    pub fn new<P: Element>(n_pixels: usize) -> Self {
        let signed = P::TYPE.class == ElementClass::Signed;
        Self { partial: vec![0; n_pixels], n_partial: 0, total: vec![0; n_pixels], signed }
    }

    /// Where the kernel adds the next frame, if it takes it: [`added`](Self::added) says so.
    pub fn partial_mut(&mut self) -> &mut [u32] {
        if self.n_partial == MOST_SUMMED {
            self.spill();
        }
        &mut self.partial
    }

    /// The kernel has added a frame.
    pub fn added(&mut self) {
        self.n_partial += 1;
    }

    /// Whether the frames may have negative pixels.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signed
    }

    fn spill(&mut self) {
        for (total, partial) in self.total.iter_mut().zip(&mut self.partial) {
            *total += if self.signed { i64::from(partial.cast_signed()) } else { i64::from(*partial) };
            *partial = 0;
        }
        self.n_partial = 0;
    }

    /// The sum so far.
    pub fn total(&mut self) -> &[i64] {
        self.spill();
        &self.total
    }

    /// Starts from an earlier sum of as many pixels instead of zeros.
    ///
    /// # Panics
    /// If it has another length.
    pub fn begin_with(&mut self, earlier: Vec<i64>) {
        assert_eq!(earlier.len(), self.total.len(), "pixels of the sum");
        self.total = earlier;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn the_sum_does_not_overflow_behind_65536_frames() {
        let mut sum = Sum::new::<u16>(1);
        for _ in 0..(1 << 16) + 3 {
            sum.partial_mut()[0] += u32::from(u16::MAX);
            sum.added();
        }
        assert_eq!(sum.total(), [i64::from(u16::MAX) * ((1 << 16) + 3)]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn negative_pixels_count_as_such() {
        let mut sum = Sum::new::<i16>(1);
        for _ in 0..1 << 16 {
            sum.partial_mut()[0] = sum.partial_mut()[0].wrapping_add(i32::from(i16::MIN).cast_unsigned());
            sum.added();
        }
        assert_eq!(sum.total(), [i64::from(i16::MIN) << 16]);
    }
}
