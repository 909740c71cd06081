//! Numbers as a file has them: of any size and order, with or without a sign, or real.

use std::fmt;

use crate::Result;
use crate::api::Hid;
use crate::library::{Library, h5, h5_optional};
use crate::object::{self, Id};
use darkchunk::element::{ByteOrder, ElementClass};
use darkchunk_hdf5_abi::constants::{H5T_ENUM, H5T_FLOAT, H5T_INTEGER, H5T_ORDER_BE, H5T_ORDER_LE};

/// What kind of number an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberClass {
    /// Two's complement.
    Signed,
    /// Without a sign.
    Unsigned,
    /// Of IEEE 754: half, single or double.
    Real,
}

/// Elements that are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberType {
    /// Its kind.
    pub class: NumberClass,
    /// Bytes of one, 1 to 8.
    pub n_bytes: usize,
    /// The order of its bytes.
    pub order: ByteOrder,
}

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// An integer.
    Integer(i128),
    /// A real number.
    Real(f64),
}

/// What elements of a datatype are, where they are numbers; the values of an enumeration are.
pub(crate) fn of_type(library: &Library, kind: Hid) -> Result<Option<NumberType>> {
    let class = h5!(library, H5Tget_class(kind))?;
    if class == H5T_ENUM {
        let base = Id::new(library, h5_optional!(library, H5Tget_super(kind))?);
        return of_type(library, base.get());
    }
    let n_bytes = h5!(library, H5Tget_size(kind))?;
    if class == H5T_INTEGER {
        let element = object::element_type(library, kind)?;
        let class = match element.class {
            ElementClass::Signed => NumberClass::Signed,
            ElementClass::Unsigned => NumberClass::Unsigned,
            ElementClass::Float | ElementClass::Other => return Ok(None),
        };
        return Ok((n_bytes <= 8).then_some(NumberType { class, n_bytes, order: element.order }));
    }
    if class != H5T_FLOAT || !is_ieee(library, kind, n_bytes)? {
        return Ok(None);
    }
    let order = match h5!(library, H5Tget_order(kind))? {
        H5T_ORDER_LE => ByteOrder::Little,
        H5T_ORDER_BE => ByteOrder::Big,
        _ => return Ok(None),
    };
    Ok(Some(NumberType { class: NumberClass::Real, n_bytes, order }))
}

/// Whether sign, exponent and mantissa are where IEEE 754 has them.
fn is_ieee(library: &Library, kind: Hid, n_bytes: usize) -> Result<bool> {
    let fields = object::float_fields(library, kind)?;
    Ok(match n_bytes {
        2 => fields == [15, 10, 5, 0, 10],
        4 => fields == [31, 23, 8, 0, 23],
        8 => fields == [63, 52, 11, 0, 52],
        _ => false,
    })
}

/// What the elements of the dataset `path` are, where they are numbers.
///
/// # Errors
/// What HDF5 says.
pub fn of_dataset(library: &Library, at: Hid, path: &str) -> Result<Option<NumberType>> {
    let dataset = object::open(library, at, path)?;
    let kind = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
    of_type(library, kind.get())
}

impl NumberType {
    /// The number that `bytes` are, which have its size.
    #[must_use]
    pub fn value(&self, bytes: &[u8]) -> Scalar {
        let add = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        let bits = match self.order {
            ByteOrder::Little => bytes.iter().rev().fold(0, add),
            ByteOrder::Big => bytes.iter().fold(0, add),
        };
        let n_bits = 8 * bytes.len() as u32;
        match (self.class, bytes.len()) {
            (NumberClass::Real, 2) => Scalar::Real(half(bits as u16)),
            (NumberClass::Real, 4) => Scalar::Real(f32::from_bits(bits as u32).into()),
            (NumberClass::Real, _) => Scalar::Real(f64::from_bits(bits)),
            (NumberClass::Signed, _) if bits >> (n_bits - 1) & 1 == 1 => {
                Scalar::Integer(i128::from(bits) - (1_i128 << n_bits))
            }
            _ => Scalar::Integer(bits.into()),
        }
    }

    /// The name that numpy has for it: `<u2`, `>f4`, `|i1`.
    #[must_use]
    pub fn numpy(&self) -> String {
        let class = match self.class {
            NumberClass::Signed => 'i',
            NumberClass::Unsigned => 'u',
            NumberClass::Real => 'f',
        };
        let order = match (self.n_bytes, self.order) {
            (1, _) => '|',
            (_, ByteOrder::Little) => '<',
            (_, ByteOrder::Big) => '>',
        };
        format!("{order}{class}{}", self.n_bytes)
    }
}

/// A number of 16 bits of IEEE 754.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match (exponent, mantissa) {
        (31, 0.0) => f64::INFINITY,
        (31, _) => f64::NAN,
        (0, mantissa) => mantissa * 2f64.powi(-24),
        (exponent, mantissa) => (1024.0 + mantissa) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

impl fmt::Display for Scalar {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(text),
            Self::Real(number) => number.fmt(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_orders_with_their_sign() {
        let of = |class, order, bytes: &[u8]| NumberType { class, n_bytes: bytes.len(), order }.value(bytes);
        let (little, big) = (ByteOrder::Little, ByteOrder::Big);
        assert_eq!(of(NumberClass::Signed, little, &[0xFE, 0xFF]), Scalar::Integer(-2));
        assert_eq!(of(NumberClass::Unsigned, big, &[0xFE, 0xFF]), Scalar::Integer(0xFEFF));
        assert_eq!(of(NumberClass::Unsigned, little, &[0xFF; 8]), Scalar::Integer(u64::MAX.into()));
        assert_eq!(of(NumberClass::Real, big, &1.5_f32.to_be_bytes()), Scalar::Real(1.5));
        for (bits, number) in [(0x3C00, 1.0), (0xC500, -5.0), (1, 2f64.powi(-24)), (0x7C00, f64::INFINITY)] {
            assert_eq!(half(bits), number);
        }
        assert!(half(0x7C01).is_nan());
        assert_eq!(NumberType { class: NumberClass::Real, n_bytes: 4, order: big }.numpy(), ">f4");
    }
}
