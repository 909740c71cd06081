//! Integers of up to 32 bits, of either sign and byte order, and float32, as bytes in a chunk.

use crate::element::{ByteOrder, ElementClass, ElementType};
use crate::{Error, Result};

/// What a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelType {
    pub(super) n_bytes: usize,
    /// Whether levels have a sign, as those of float32 do.
    pub(super) is_signed: bool,
    is_big_endian: bool,
    pub(super) is_float: bool,
}

/// In the order of their codes, from 1 on.
const TYPES: [PixelType; 12] = [
    integer(2, true, false),
    integer(2, true, true),
    integer(2, false, false),
    integer(2, false, true),
    integer(1, true, false),
    integer(1, false, false),
    integer(4, true, false),
    integer(4, true, true),
    integer(4, false, false),
    integer(4, false, true),
    float(false),
    float(true),
];

const fn integer(n_bytes: usize, is_signed: bool, is_big_endian: bool) -> PixelType {
    PixelType { n_bytes, is_signed, is_big_endian, is_float: false }
}

const fn float(is_big_endian: bool) -> PixelType {
    PixelType { n_bytes: 4, is_signed: true, is_big_endian, is_float: true }
}

impl PixelType {
    pub(super) fn from_code(code: u32) -> Option<Self> {
        TYPES.get((code as usize).checked_sub(1)?).copied()
    }

    pub(super) fn code(self) -> u8 {
        TYPES.iter().position(|other| *other == self).map_or(0, |at| at as u8 + 1)
    }

    /// The bits that [`load`](Self::load) gives for a pixel with these lowest bits.
    pub(super) fn bits(self, lowest: u32) -> u32 {
        let shift = 32 - 8 * self.n_bytes as u32;
        let moved = lowest << shift;
        if self.is_signed { (moved.cast_signed() >> shift).cast_unsigned() } else { moved >> shift }
    }

    /// Whether this is one of its values: as the bits of the pixel, or of an int32.
    pub(super) fn has(self, value: u32) -> bool {
        value == self.bits(value) || value <= self.counted_bits()
    }

    /// The least and the greatest value, or level of float32.
    pub(super) fn range(self) -> (i64, i64) {
        let n_bits = 8 * self.n_bytes as u32;
        if self.is_signed { (-(1 << (n_bits - 1)), (1 << (n_bits - 1)) - 1) } else { (0, (1 << n_bits) - 1) }
    }

    /// The value that these bits are, which may also be the low bits of a level.
    pub(super) fn value(self, bits: i32) -> i64 {
        if self.is_signed || self.n_bytes < 4 { bits.into() } else { bits.cast_unsigned().into() }
    }

    /// Values that are counted: all of a short type, else those from 0 to 65535.
    pub(super) fn n_counted(self) -> usize {
        1 << (8 * self.n_bytes.min(2))
    }

    /// The bits of a value that are its place among those that are counted, if these are so many.
    pub(super) fn counted_bits(self) -> u32 {
        u32::MAX >> (32 - 8 * self.n_bytes)
    }

    /// Reads pixels: their values, those of `uint32` and float32 as the bits that they are.
    pub(super) fn load(self, src: &[u8], out: &mut [i32]) {
        match (self.n_bytes, self.is_signed, self.is_big_endian) {
            (1, true, _) => load(src, out, |[byte]| byte.cast_signed().into()),
            (1, false, _) => load(src, out, |[byte]| byte.into()),
            (2, true, false) => load(src, out, |bytes| i16::from_le_bytes(bytes).into()),
            (2, true, true) => load(src, out, |bytes| i16::from_be_bytes(bytes).into()),
            (2, false, false) => load(src, out, |bytes| u16::from_le_bytes(bytes).into()),
            (2, false, true) => load(src, out, |bytes| u16::from_be_bytes(bytes).into()),
            (_, _, false) => load(src, out, i32::from_le_bytes),
            (_, _, true) => load(src, out, i32::from_be_bytes),
        }
    }

    /// The way back.
    pub(super) fn store(self, pixels: &[i32], out: &mut [u8]) {
        match (self.n_bytes, self.is_big_endian) {
            (1, _) => store(pixels, out, |pixel| [pixel as u8]),
            (2, false) => store(pixels, out, |pixel| (pixel as i16).to_le_bytes()),
            (2, true) => store(pixels, out, |pixel| (pixel as i16).to_be_bytes()),
            (_, false) => store(pixels, out, i32::to_le_bytes),
            (_, true) => store(pixels, out, i32::to_be_bytes),
        }
    }
}

fn load<const N: usize>(src: &[u8], out: &mut [i32], pixel: impl Fn([u8; N]) -> i32) {
    for (to, bytes) in out.iter_mut().zip(src.as_chunks().0) {
        *to = pixel(*bytes);
    }
}

fn store<const N: usize>(pixels: &[i32], out: &mut [u8], bytes: impl Fn(i32) -> [u8; N]) {
    for (to, pixel) in out.as_chunks_mut().0.iter_mut().zip(pixels) {
        *to = bytes(*pixel);
    }
}

impl TryFrom<ElementType> for PixelType {
    type Error = Error;

    fn try_from(element: ElementType) -> Result<Self> {
        let is_big_endian = element.n_bytes > 1 && element.order == ByteOrder::Big;
        match (element.class, element.n_bytes) {
            (ElementClass::Signed, 1 | 2 | 4) => Ok(integer(element.n_bytes, true, is_big_endian)),
            (ElementClass::Unsigned, 1 | 2 | 4) => Ok(integer(element.n_bytes, false, is_big_endian)),
            (ElementClass::Float, 4) => Ok(float(is_big_endian)),
            _ => Err(Error::Argument(format!(
                "the bounded codec takes integers of 8, 16 or 32 bits and float32, and this dataset has {element}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_code_and_its_bytes_come_back() {
        for code in 1..=TYPES.len() as u32 {
            let element = PixelType::from_code(code).unwrap();
            assert_eq!(u32::from(element.code()), code);
            let bytes: Vec<u8> = (0..64).map(|n: u8| n.wrapping_mul(37).wrapping_add(200)).collect();
            let mut pixels = vec![0; bytes.len() / element.n_bytes];
            element.load(&bytes, &mut pixels);
            let (least, most) = element.range();
            assert!(pixels.iter().all(|pixel| (least..=most).contains(&element.value(*pixel))));
            let mut back = vec![0; bytes.len()];
            element.store(&pixels, &mut back);
            assert_eq!(back, bytes);
        }
        assert_eq!(PixelType::from_code(0), None);
        assert_eq!(PixelType::from_code(13), None);
    }
}
