//! How a datatype is read: once, so that what the writer takes is what the plugins take.

use core::ffi::c_int;

use crate::Hid;
use crate::constants::{H5T_ARRAY, H5T_INTEGER, H5T_ORDER_BE, H5T_ORDER_LE, H5T_SGN_NONE};

/// What is asked of an HDF5 library about a datatype. Each is the function of its name; what HDF5 cannot tell is an error.
pub trait Ask {
    /// Why there is no answer.
    type Error;
    /// `H5Tget_class`.
    ///
    /// # Errors
    /// The answer is negative.
    fn class(&self, datatype: Hid) -> Result<c_int, Self::Error>;
    /// `H5Tget_size`.
    ///
    /// # Errors
    /// The answer is 0.
    fn size(&self, datatype: Hid) -> Result<usize, Self::Error>;
    /// `H5Tget_precision`.
    ///
    /// # Errors
    /// The answer is 0.
    fn precision(&self, datatype: Hid) -> Result<usize, Self::Error>;
    /// `H5Tget_order`.
    ///
    /// # Errors
    /// The answer is negative.
    fn order(&self, datatype: Hid) -> Result<c_int, Self::Error>;
    /// `H5Tget_sign`.
    ///
    /// # Errors
    /// The answer is negative.
    fn sign(&self, datatype: Hid) -> Result<c_int, Self::Error>;
    /// The size of what `H5Tget_super` gives, which is closed again.
    ///
    /// # Errors
    /// There is no such type, or its size is 0.
    fn base_size(&self, datatype: Hid) -> Result<usize, Self::Error>;
}

/// A datatype, as far as a filter or a writer of pixels must know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datatype {
    /// `H5T_class_t`.
    pub class: c_int,
    /// Bytes of an element: the whole of a compound or array.
    pub n_bytes: usize,
    /// Bytes of what an array is made of; `n_bytes` for everything else.
    pub base_bytes: usize,
    /// What is known of integers; `None` for all else.
    pub integer: Option<Integer>,
}

/// An integer, which need not fill its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer {
    /// Two's complement.
    pub is_signed: bool,
    /// Bits that are the number. The others of its bytes are padding.
    pub n_bits: usize,
    /// Whether the most significant byte comes first; `None` for an order that no filter knows.
    pub is_big_endian: Option<bool>,
}

/// Reads a datatype.
///
/// # Errors
/// What [`Ask`] says.
pub fn read<A: Ask>(library: &A, datatype: Hid) -> Result<Datatype, A::Error> {
    let (n_bytes, class) = (library.size(datatype)?, library.class(datatype)?);
    let base_bytes = if class == H5T_ARRAY { library.base_size(datatype)? } else { n_bytes };
    let integer = if class == H5T_INTEGER { Some(integer(library, datatype)?) } else { None };
    Ok(Datatype { class, n_bytes, base_bytes, integer })
}

fn integer<A: Ask>(library: &A, datatype: Hid) -> Result<Integer, A::Error> {
    Ok(Integer {
        is_signed: library.sign(datatype)? != H5T_SGN_NONE,
        n_bits: library.precision(datatype)?,
        is_big_endian: match library.order(datatype)? {
            H5T_ORDER_LE => Some(false),
            H5T_ORDER_BE => Some(true),
            _ => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants::{H5T_FLOAT, H5T_SGN_2};

    /// Answers for one datatype; a negative or zero one is an error with the function's name.
    struct Library {
        class: c_int,
        size: usize,
        precision: usize,
        order: c_int,
        sign: c_int,
        base: usize,
    }

    const INT16: Library =
        Library { class: H5T_INTEGER, size: 2, precision: 16, order: H5T_ORDER_LE, sign: H5T_SGN_2, base: 0 };

    fn known(answer: c_int, name: &'static str) -> Result<c_int, &'static str> {
        if answer < 0 { Err(name) } else { Ok(answer) }
    }

    fn some(answer: usize, name: &'static str) -> Result<usize, &'static str> {
        if answer == 0 { Err(name) } else { Ok(answer) }
    }

    impl Ask for Library {
        type Error = &'static str;

        fn class(&self, _: Hid) -> Result<c_int, Self::Error> {
            known(self.class, "class")
        }

        fn size(&self, _: Hid) -> Result<usize, Self::Error> {
            some(self.size, "size")
        }

        fn precision(&self, _: Hid) -> Result<usize, Self::Error> {
            some(self.precision, "precision")
        }

        fn order(&self, _: Hid) -> Result<c_int, Self::Error> {
            known(self.order, "order")
        }

        fn sign(&self, _: Hid) -> Result<c_int, Self::Error> {
            known(self.sign, "sign")
        }

        fn base_size(&self, _: Hid) -> Result<usize, Self::Error> {
            some(self.base, "base")
        }
    }

    #[test]
    fn an_integer_says_its_sign_its_bits_and_its_order() {
        let integer = Integer { is_signed: true, n_bits: 16, is_big_endian: Some(false) };
        let int16 = Datatype { class: H5T_INTEGER, n_bytes: 2, base_bytes: 2, integer: Some(integer) };
        assert_eq!(read(&INT16, 1), Ok(int16));
        let padded = Library { precision: 12, sign: H5T_SGN_NONE, order: H5T_ORDER_BE, ..INT16 };
        let integer = Integer { is_signed: false, n_bits: 12, is_big_endian: Some(true) };
        assert_eq!(read(&padded, 1), Ok(Datatype { integer: Some(integer), ..int16 }));
        let vax = Library { order: 2, ..INT16 };
        assert_eq!(read(&vax, 1).map(|found| found.integer.map(|integer| integer.is_big_endian)), Ok(Some(None)));
    }

    #[test]
    fn an_array_says_what_it_is_made_of() {
        let array = Library { class: H5T_ARRAY, size: 24, base: 8, ..INT16 };
        assert_eq!(read(&array, 1), Ok(Datatype { class: H5T_ARRAY, n_bytes: 24, base_bytes: 8, integer: None }));
        let float = Library { class: H5T_FLOAT, size: 4, ..INT16 };
        assert_eq!(read(&float, 1), Ok(Datatype { class: H5T_FLOAT, n_bytes: 4, base_bytes: 4, integer: None }));
    }

    #[test]
    fn what_the_library_cannot_tell_is_an_error() {
        assert_eq!(read(&Library { size: 0, ..INT16 }, 1), Err("size"));
        assert_eq!(read(&Library { class: -1, ..INT16 }, 1), Err("class"));
        assert_eq!(read(&Library { precision: 0, ..INT16 }, 1), Err("precision"));
        assert_eq!(read(&Library { order: -1, ..INT16 }, 1), Err("order"));
        assert_eq!(read(&Library { sign: -1, ..INT16 }, 1), Err("sign"));
        assert_eq!(read(&Library { class: H5T_ARRAY, ..INT16 }, 1), Err("base"));
    }
}
