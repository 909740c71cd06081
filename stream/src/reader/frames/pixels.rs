//! Stored integers as numbers.

use darkchunk::element::{ByteOrder, ElementClass, ElementType};

/// Bytes that are looked at together: most are zeros.
const AT_ONCE: usize = 64;

/// Where at least one pixel of so many is not 0, all of them are taken.
const MANY: usize = 4;

/// An integer as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) n_bytes: usize,
    is_signed: bool,
    is_big: bool,
}

impl Kind {
    pub(super) fn new(element: ElementType) -> Option<Self> {
        let is_signed = match element.class {
            ElementClass::Signed => true,
            ElementClass::Unsigned => false,
            _ => return None,
        };
        let is_big = element.order == ByteOrder::Big;
        matches!(element.n_bytes, 1 | 2 | 4).then_some(Self { n_bytes: element.n_bytes, is_signed, is_big })
    }

    /// Calls `found` with the place and the value of each pixel that is not 0, and of zeros that are among many others: to leave
    /// these out would cost more than to take them.
    #[inline(always)]
    pub(super) fn each(self, bytes: &[u8], mut found: impl FnMut(usize, i64)) {
        match (self.n_bytes, self.is_signed, self.is_big) {
            (1, false, _) => each(bytes, |[byte]: [u8; 1]| byte.into(), &mut found),
            (1, true, _) => each(bytes, |byte: [u8; 1]| i8::from_ne_bytes(byte).into(), &mut found),
            (2, false, false) => each(bytes, |pixel| u16::from_le_bytes(pixel).into(), &mut found),
            (2, false, true) => each(bytes, |pixel| u16::from_be_bytes(pixel).into(), &mut found),
            (2, true, false) => each(bytes, |pixel| i16::from_le_bytes(pixel).into(), &mut found),
            (2, true, true) => each(bytes, |pixel| i16::from_be_bytes(pixel).into(), &mut found),
            (_, false, false) => each(bytes, |pixel| u32::from_le_bytes(pixel).into(), &mut found),
            (_, false, true) => each(bytes, |pixel| u32::from_be_bytes(pixel).into(), &mut found),
            (_, true, false) => each(bytes, |pixel| i32::from_le_bytes(pixel).into(), &mut found),
            (_, true, true) => each(bytes, |pixel| i32::from_be_bytes(pixel).into(), &mut found),
        }
    }

    /// The smallest value that it can have.
    pub(super) fn lowest(self) -> i64 {
        if self.is_signed { -(1 << (8 * self.n_bytes - 1)) } else { 0 }
    }

    /// A value as it is stored; `None` where no pixel can have it.
    pub(super) fn stored(self, value: i64) -> Option<[u8; 4]> {
        let most = self.lowest() + (1 << (8 * self.n_bytes)) - 1;
        if !(self.lowest()..=most).contains(&value) {
            return None;
        }
        let mut bytes = (value as u32).to_le_bytes();
        if self.is_big {
            bytes[..self.n_bytes].reverse();
        }
        Some(bytes)
    }
}

#[inline(always)]
fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> i64, found: &mut impl FnMut(usize, i64)) {
    for (part, bytes) in bytes.chunks(AT_ONCE).enumerate() {
        if bytes.iter().fold(0, |all, byte| all | byte) == 0 {
            continue;
        }
        let (first, pixels) = (part * (AT_ONCE / N), bytes.as_chunks::<N>().0);
        let n_bright = pixels.iter().filter(|pixel| **pixel != [0; N]).count();
        let is_dense = n_bright * MANY >= pixels.len();
        for (index, pixel) in pixels.iter().enumerate() {
            if is_dense || *pixel != [0; N] {
                found(first + index, value(*pixel));
            }
        }
    }
}
