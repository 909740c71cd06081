//! Element types: what a pixel is, on disk and in memory.

#![allow(unsafe_code)]

use std::fmt;

/// What kind of number an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementClass {
    /// Two's complement integer.
    Signed,
    /// Unsigned integer.
    Unsigned,
    /// A number of IEEE 754, of 16, 32 or 64 bits.
    Float,
    /// Anything else (other floats, compounds, arrays, strings): bytes to us.
    Other,
}

/// Byte order of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

/// One element of a dataset, as HDF5 stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElementType {
    /// Kind of number.
    pub class: ElementClass,
    /// Bytes an element takes (the whole of a compound or array type).
    pub n_bytes: usize,
    /// Bytes of one element of an HDF5 array type; the same as `n_bytes` for every other type. Blosc shuffles by it.
    pub base_bytes: usize,
    /// Byte order. Means nothing where `class` is [`ElementClass::Other`] or `n_bytes` is 1.
    pub order: ByteOrder,
}

/// What a file says of an integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerParts {
    /// Two's complement.
    pub is_signed: bool,
    /// Bits that are the number; the others of its bytes are padding.
    pub n_bits: usize,
    /// Whether the most significant byte comes first; `None` for other orders than the two.
    pub is_big_endian: Option<bool>,
}

impl ElementType {
    /// `int8`.
    pub const I8: Self = Self::native(ElementClass::Signed, 1);
    /// `uint8`.
    pub const U8: Self = Self::native(ElementClass::Unsigned, 1);
    /// `int16` in this machine's byte order.
    pub const I16: Self = Self::native(ElementClass::Signed, 2);
    /// `uint16` in this machine's byte order.
    pub const U16: Self = Self::native(ElementClass::Unsigned, 2);
    /// `int32` in this machine's byte order.
    pub const I32: Self = Self::native(ElementClass::Signed, 4);
    /// `uint32` in this machine's byte order.
    pub const U32: Self = Self::native(ElementClass::Unsigned, 4);
    /// `float32` in this machine's byte order.
    pub const F32: Self = Self::native(ElementClass::Float, 4);

    /// The elements of a datatype of `n_bytes` with a base type of `base_bytes`. An integer that does not fill its bytes, or
    /// has an order that no codec knows, is bytes: to a codec of numbers its padding would be a part of the number.
    #[must_use]
    pub fn from_parts(n_bytes: usize, base_bytes: usize, integer: Option<IntegerParts>) -> Self {
        let bytes = Self { class: ElementClass::Other, n_bytes, base_bytes, order: ByteOrder::NATIVE };
        let Some(IntegerParts { is_signed, n_bits, is_big_endian: Some(is_big_endian) }) = integer else {
            return bytes;
        };
        if n_bits != 8 * n_bytes {
            return bytes;
        }
        let class = if is_signed { ElementClass::Signed } else { ElementClass::Unsigned };
        let order = if is_big_endian { ByteOrder::Big } else { ByteOrder::Little };
        Self { class, order: if n_bytes == 1 { ByteOrder::NATIVE } else { order }, ..bytes }
    }

    /// Whether it is an integer that fills its bytes.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(self.class, ElementClass::Signed | ElementClass::Unsigned)
    }

    /// The bits of an integer of up to four bytes, or of a float of so many, that `bytes` begin with, as a file has it; `None` for everything else.
    #[must_use]
    pub fn bits(&self, bytes: &[u8]) -> Option<u32> {
        let bytes = bytes.get(..self.n_bytes).filter(|bytes| self.class != ElementClass::Other && bytes.len() <= 4)?;
        let add = |bits: u32, byte: &u8| bits << 8 | u32::from(*byte);
        Some(match self.order {
            ByteOrder::Little => bytes.iter().rev().fold(0, add),
            ByteOrder::Big => bytes.iter().fold(0, add),
        })
    }

    /// The float of IEEE 754 of so many bytes, in this byte order.
    #[must_use]
    pub fn float(n_bytes: usize, is_big_endian: bool) -> Self {
        let order = if is_big_endian { ByteOrder::Big } else { ByteOrder::Little };
        Self { order, ..Self::native(ElementClass::Float, n_bytes) }
    }

    const fn native(class: ElementClass, n_bytes: usize) -> Self {
        Self { class, n_bytes, base_bytes: n_bytes, order: ByteOrder::NATIVE }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_bits = 8 * self.n_bytes;
        match self.class {
            ElementClass::Signed => write!(f, "int{n_bits}")?,
            ElementClass::Unsigned => write!(f, "uint{n_bits}")?,
            ElementClass::Float => write!(f, "float{n_bits}")?,
            ElementClass::Other if self.n_bytes > 8 => {
                return write!(f, "a type of {} bytes that is no number", self.n_bytes);
            }
            ElementClass::Other => {
                return write!(f, "a type of {} bytes that is no integer of {n_bits} bits", self.n_bytes);
            }
        }
        match self.order {
            ByteOrder::Big if self.n_bytes > 1 => write!(f, " (big-endian)"),
            _ => Ok(()),
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A number a frame can be made of.
///
/// Every bit pattern is a value, and there is no padding: a slice of elements is a slice of bytes.
pub trait Element: Copy + Default + Eq + fmt::Debug + Send + Sync + sealed::Sealed + 'static {
    /// The type as HDF5 stores it.
    const TYPE: ElementType;
}

macro_rules! elements {
    ($($number:ty => $constant:ident),*) => {$(
        impl sealed::Sealed for $number {}
        impl Element for $number {
            const TYPE: ElementType = ElementType::$constant;
        }
    )*};
}

elements!(i8 => I8, u8 => U8, i16 => I16, u16 => U16, i32 => I32, u32 => U32);

/// The bytes of a slice of elements, in this machine's order.
#[must_use]
pub fn as_bytes<P: Element>(elements: &[P]) -> &[u8] {
    // SAFETY: an `Element` is an integer without padding, and any alignment is enough for bytes.
    unsafe { std::slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) }
}

/// The bytes of a slice of elements, to be written to.
#[must_use]
pub fn as_bytes_mut<P: Element>(elements: &mut [P]) -> &mut [u8] {
    // SAFETY: as `as_bytes`; and any bytes are a valid `Element`.
    unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), size_of_val(elements)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_as_users_know_them() {
        let big = ElementType { order: ByteOrder::Big, ..ElementType::U16 };
        let other = |n_bytes| ElementType::from_parts(n_bytes, n_bytes, None).to_string();
        let little = ElementType { order: ByteOrder::Little, ..ElementType::I32 };
        assert_eq!(little.to_string(), "int32");
        assert_eq!(big.to_string(), "uint16 (big-endian)");
        assert_eq!(ElementType { order: ByteOrder::Little, ..ElementType::F32 }.to_string(), "float32");
        assert_eq!(ElementType::float(8, true).to_string(), "float64 (big-endian)");
        assert_eq!(other(8), "a type of 8 bytes that is no integer of 64 bits");
        assert_eq!(other(16), "a type of 16 bytes that is no number");
    }

    #[test]
    fn only_an_integer_that_fills_its_bytes_is_a_number() {
        let integer = |n_bits, is_big_endian| Some(IntegerParts { is_signed: true, n_bits, is_big_endian });
        let native = Some(cfg!(target_endian = "big"));
        assert_eq!(ElementType::from_parts(2, 2, integer(16, native)), ElementType::I16);
        let unsigned = IntegerParts { is_signed: false, n_bits: 32, is_big_endian: native };
        assert_eq!(ElementType::from_parts(4, 4, Some(unsigned)), ElementType::U32);
        let bytes = |n_bytes, base_bytes| ElementType::from_parts(n_bytes, base_bytes, None);
        assert_eq!(bytes(2, 2).class, ElementClass::Other);
        assert_eq!(ElementType::from_parts(2, 2, integer(12, native)), bytes(2, 2));
        assert_eq!(ElementType::from_parts(2, 2, integer(16, None)), bytes(2, 2));
        assert_eq!(bytes(24, 8).base_bytes, 8);
    }

    #[test]
    fn one_byte_has_no_order() {
        for is_big_endian in [false, true] {
            let integer = IntegerParts { is_signed: true, n_bits: 8, is_big_endian: Some(is_big_endian) };
            assert_eq!(ElementType::from_parts(1, 1, Some(integer)), ElementType::I8);
        }
    }

    #[test]
    fn the_bits_of_an_element_are_those_of_its_number_in_both_byte_orders() {
        let of = |n_bytes, order| ElementType { class: ElementClass::Signed, n_bytes, base_bytes: n_bytes, order };
        let bytes = [0xFE, 0xFF, 3, 4, 5];
        assert_eq!(of(2, ByteOrder::Little).bits(&bytes), Some(0xFFFE));
        assert_eq!(of(2, ByteOrder::Big).bits(&bytes), Some(0xFEFF));
        assert_eq!(of(4, ByteOrder::Big).bits(&bytes), Some(0xFEFF_0304));
        assert_eq!(of(1, ByteOrder::Little).bits(&bytes), Some(0xFE));
        assert_eq!(of(5, ByteOrder::Little).bits(&bytes), None);
        assert_eq!(of(4, ByteOrder::Little).bits(&bytes[..3]), None);
        assert_eq!(ElementType { class: ElementClass::Other, ..ElementType::I16 }.bits(&bytes), None);
    }

    #[test]
    fn bytes_are_the_elements() {
        let mut pixels = [0x0102_i16, -1];
        assert_eq!(as_bytes(&pixels)[..2], 0x0102_i16.to_ne_bytes());
        as_bytes_mut(&mut pixels)[2..].copy_from_slice(&7_i16.to_ne_bytes());
        assert_eq!(pixels, [0x0102, 7]);
    }
}
