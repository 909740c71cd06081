//! What a pixel is, and pairs of frames.

use crate::{Error, Result};

/// An integer that a detector counts in. Every value of it is an `i64`, and so is the difference of two.
pub trait Pixel: Copy + Default + Ord + Send + Sync + 'static {
    /// Bits of the type.
    const N_BITS: u32;

    /// The number.
    fn value(self) -> i64;

    /// A number from 0 to 127.
    fn low(number: u8) -> Self;

    /// The largest difference of two frames' pixels at the same place.
    fn max_difference(x: &[Self], y: &[Self]) -> u64;

    /// The number where it is known to fit.
    fn small(self) -> i32;
}

macro_rules! pixels {
    ($($number:ty),*) => {$(
        impl Pixel for $number {
            const N_BITS: u32 = <$number>::BITS;

            #[inline(always)]
            fn value(self) -> i64 {
                i64::from(self)
            }

            #[inline(always)]
            fn low(number: u8) -> Self {
                number as Self
            }

            #[inline(always)]
            fn max_difference(x: &[Self], y: &[Self]) -> u64 {
                x.iter().zip(y).fold(0, |most, (x, y)| x.abs_diff(*y).max(most)).into()
            }

            #[inline(always)]
            fn small(self) -> i32 {
                self as i32
            }
        }
    )*};
}

pixels!(i8, u8, i16, u16, i32, u32);

/// Height and width of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

impl Shape {
    /// Pixels of a frame; as many as there can be where they are more.
    #[must_use]
    pub fn n_pixels(self) -> usize {
        self.height.saturating_mul(self.width)
    }
}

/// A frame as it was measured, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a, P> {
    /// Height and width.
    pub shape: Shape,
    /// As measured: x.
    pub x: &'a [P],
    /// As decoded: y.
    pub y: &'a [P],
}

impl<'a, P: Pixel> Pair<'a, P> {
    /// Two frames of this shape, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] where a frame has another number of pixels.
    pub fn new(shape: Shape, x: &'a [P], y: &'a [P]) -> Result<Self> {
        for frame in [x, y] {
            if frame.len() != shape.n_pixels() || frame.is_empty() {
                return Err(Error::Shape { height: shape.height, width: shape.width, n_pixels: frame.len() });
            }
        }
        Ok(Self { shape, x, y })
    }
}
