//! The sum of all frames of a recording, exact.

use crate::element::{Element, ElementClass};

/// The sum of all frames, exact: 32 bits a pixel in the kernel, spilled into 64 before they can overflow.
#[derive(Debug)]
pub struct Sum {
    partial: Vec<u32>,
    n_partial: usize,
    total: Vec<i64>,
    n_frames: u64,
    signed: bool,
}

impl Sum {
    /// No frame yet.
    #[must_use]
    pub fn new<P: Element>(n_pixels: usize) -> Self {
        let signed = P::TYPE.class == ElementClass::Signed;
        Self { partial: vec![0; n_pixels], n_partial: 0, total: vec![0; n_pixels], n_frames: 0, signed }
    }

    /// Frames that a `u32` sum holds for certain.
    pub const MAX_FRAMES: usize = 1 << 16;

    /// Where the kernel adds the next `n_frames`, at most [`MAX_FRAMES`](Self::MAX_FRAMES), if it takes them:
    /// [`added`](Self::added) says so.
    ///
    /// # Panics
    /// If there are more.
    pub fn partial_mut(&mut self, n_frames: usize) -> &mut [u32] {
        assert!(n_frames <= Self::MAX_FRAMES, "{n_frames} frames at once");
        if self.n_partial > Self::MAX_FRAMES - n_frames {
            self.spill();
        }
        &mut self.partial
    }

    /// The kernel has added `n_frames`.
    pub fn added(&mut self, n_frames: usize) {
        self.n_partial += n_frames;
        self.n_frames += n_frames as u64;
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

    /// Frames that the sum is of.
    #[must_use]
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Starts from an earlier sum of `n_frames` instead of zeros.
    ///
    /// # Panics
    /// If it has another number of pixels.
    pub fn begin_with(&mut self, earlier: Vec<i64>, n_frames: u64) {
        assert_eq!(earlier.len(), self.total.len(), "pixels of the sum");
        (self.total, self.n_frames) = (earlier, n_frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn the_sum_does_not_overflow_after_65536_frames() {
        let mut sum = Sum::new::<u16>(1);
        for _ in 0..(1 << 16) + 3 {
            sum.partial_mut(1)[0] += u32::from(u16::MAX);
            sum.added(1);
        }
        assert_eq!(sum.total(), [i64::from(u16::MAX) * ((1 << 16) + 3)]);
    }

    #[test]
    fn frames_at_once_do_not_overflow_either() {
        let mut sum = Sum::new::<u16>(1);
        for n_frames in [Sum::MAX_FRAMES - 1, 1, 2, Sum::MAX_FRAMES] {
            let added = u32::from(u16::MAX) * n_frames as u32;
            let partial = &mut sum.partial_mut(n_frames)[0];
            *partial = partial.checked_add(added).expect("it was emptied before");
            sum.added(n_frames);
        }
        assert_eq!(sum.total(), [i64::from(u16::MAX) * (2 * Sum::MAX_FRAMES as i64 + 2)]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes")]
    fn negative_pixels_count_as_such() {
        let mut sum = Sum::new::<i16>(1);
        for _ in 0..1 << 16 {
            sum.partial_mut(1)[0] = sum.partial_mut(1)[0].wrapping_add(i32::from(i16::MIN).cast_unsigned());
            sum.added(1);
        }
        assert_eq!(sum.total(), [i64::from(i16::MIN) << 16]);
    }
}
