//! The pixel types of the pass: 16 bits, signed or not.

#![allow(unsafe_code)]

use crate::element::Element;

/// A 16-bit pixel: `i16` or `u16`.
pub trait Pixel: Element + Eq + sealed::Sealed {
    /// Whether the type has negative values.
    const SIGNED: bool;

    /// The value.
    fn widen(self) -> i32;

    /// The value of this type nearest to `value`.
    fn nearest(value: i32) -> Self;

    /// The pixel as it stands in a little-endian buffer.
    fn to_le_bytes(self) -> [u8; 2];

    /// The pixel from a buffer of this machine's byte order.
    fn from_ne_bytes(bytes: [u8; 2]) -> Self;

    /// The pixel's bits.
    #[inline(always)]
    fn to_bits(self) -> u16 {
        u16::from_le_bytes(self.to_le_bytes())
    }
}

impl Pixel for i16 {
    const SIGNED: bool = true;

    #[inline(always)]
    fn widen(self) -> i32 {
        i32::from(self)
    }

    #[inline(always)]
    fn nearest(value: i32) -> Self {
        value.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }

    #[inline(always)]
    fn to_le_bytes(self) -> [u8; 2] {
        self.to_le_bytes()
    }

    #[inline(always)]
    fn from_ne_bytes(bytes: [u8; 2]) -> Self {
        Self::from_ne_bytes(bytes)
    }
}

impl Pixel for u16 {
    const SIGNED: bool = false;

    #[inline(always)]
    fn widen(self) -> i32 {
        i32::from(self)
    }

    #[inline(always)]
    fn nearest(value: i32) -> Self {
        value.clamp(Self::MIN.into(), Self::MAX.into()) as Self
    }

    #[inline(always)]
    fn to_le_bytes(self) -> [u8; 2] {
        self.to_le_bytes()
    }

    #[inline(always)]
    fn from_ne_bytes(bytes: [u8; 2]) -> Self {
        Self::from_ne_bytes(bytes)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for i16 {}
    impl Sealed for u16 {}
}

/// The pixels in a buffer of this machine's byte order, where it is aligned for them and holds whole ones.
pub(crate) fn pixels_of<P: Pixel>(bytes: &[u8]) -> Option<&[P]> {
    // SAFETY: a pixel is a 16-bit integer (the trait is sealed): every bit pattern is a value of it.
    let (before, pixels, after) = unsafe { bytes.align_to::<P>() };
    (before.is_empty() && after.is_empty()).then_some(pixels)
}
