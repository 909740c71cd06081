//! How a datatype is read: once, so that what the writer takes is what the plugins take.

use core::ffi::{c_int, c_uint};

use crate::Hid;
use crate::constants::{
    H5T_ARRAY, H5T_COMPOUND, H5T_FLOAT, H5T_INTEGER, H5T_ORDER_BE, H5T_ORDER_LE, H5T_REFERENCE, H5T_SGN_NONE,
    H5T_STRING, H5T_VLEN,
};

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
    /// `H5Tget_fields`: where sign and exponent begin, the bits of the exponent, where the mantissa begins, and its bits; `None` where the
    /// library cannot be asked.
    fn fields(&self, datatype: Hid) -> Option<[usize; 5]>;
    /// The size of what `H5Tget_super` gives, which is closed again.
    ///
    /// # Errors
    /// There is no such type, or its size is 0.
    fn base_size(&self, datatype: Hid) -> Result<usize, Self::Error>;
}

/// What is asked about datatypes that are made of others.
pub trait AskParts: Ask {
    /// `H5Tget_super`: what an array is made of. It is closed by [`close`](Self::close).
    ///
    /// # Errors
    /// There is no such type.
    fn base(&self, datatype: Hid) -> Result<Hid, Self::Error>;
    /// `H5Tget_nmembers`.
    ///
    /// # Errors
    /// The answer is negative.
    fn n_members(&self, datatype: Hid) -> Result<c_uint, Self::Error>;
    /// `H5Tget_member_type`: one member of a compound. It is closed by [`close`](Self::close).
    ///
    /// # Errors
    /// There is no such type.
    fn member(&self, datatype: Hid, index: c_uint) -> Result<Hid, Self::Error>;
    /// `H5Tis_variable_str`.
    ///
    /// # Errors
    /// The answer is negative.
    fn is_variable_string(&self, datatype: Hid) -> Result<bool, Self::Error>;
    /// `H5Tclose`.
    fn close(&self, datatype: Hid);
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
    /// Of a float of 16, 32 or 64 bits as IEEE 754 has it, whether the most significant byte comes first; `None` for all else.
    pub float: Option<bool>,
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
    let float = if class == H5T_FLOAT { float(library, datatype, n_bytes)? } else { None };
    Ok(Datatype { class, n_bytes, base_bytes, integer, float })
}

/// What [`Ask::fields`] says of the floats of IEEE 754, by their bytes.
const FLOATS: [(usize, [usize; 5]); 3] = [(2, [15, 10, 5, 0, 10]), (4, [31, 23, 8, 0, 23]), (8, [63, 52, 11, 0, 52])];

fn float<A: Ask>(library: &A, datatype: Hid, n_bytes: usize) -> Result<Option<bool>, A::Error> {
    let Some((_, fields)) = FLOATS.into_iter().find(|(of, _)| *of == n_bytes) else { return Ok(None) };
    let is_big_endian = is_big_endian(library, datatype)?;
    Ok(is_big_endian.filter(|_| library.fields(datatype) == Some(fields)))
}

/// `None` for an order that no filter knows.
fn is_big_endian<A: Ask>(library: &A, datatype: Hid) -> Result<Option<bool>, A::Error> {
    Ok(match library.order(datatype)? {
        H5T_ORDER_LE => Some(false),
        H5T_ORDER_BE => Some(true),
        _ => None,
    })
}

fn integer<A: Ask>(library: &A, datatype: Hid) -> Result<Integer, A::Error> {
    Ok(Integer {
        is_signed: library.sign(datatype)? != H5T_SGN_NONE,
        n_bits: library.precision(datatype)?,
        is_big_endian: is_big_endian(library, datatype)?,
    })
}

/// So deep may types stand in types; more is not looked into.
const MAX_NESTING: usize = 16;

/// Whether each value has as many bytes in the file as in memory: not so where sequences and strings of any length or
/// references are among its parts.
///
/// # Errors
/// What [`Ask`] and [`AskParts`] say.
pub fn is_fixed<A: AskParts>(library: &A, datatype: Hid) -> Result<bool, A::Error> {
    is_fixed_within(library, datatype, MAX_NESTING)
}

fn is_fixed_within<A: AskParts>(library: &A, datatype: Hid, max_nesting: usize) -> Result<bool, A::Error> {
    let is_part_fixed = |part: Hid| {
        let is_fixed = if max_nesting > 0 { is_fixed_within(library, part, max_nesting - 1) } else { Ok(false) };
        library.close(part);
        is_fixed
    };
    match library.class(datatype)? {
        H5T_VLEN | H5T_REFERENCE => Ok(false),
        H5T_STRING => library.is_variable_string(datatype).map(|is_variable| !is_variable),
        H5T_ARRAY => is_part_fixed(library.base(datatype)?),
        H5T_COMPOUND => {
            for index in 0..library.n_members(datatype)? {
                if !is_part_fixed(library.member(datatype, index)?)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use crate::constants::H5T_SGN_2;
    use core::cell::Cell;
    use std::vec::Vec;

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

        fn fields(&self, _: Hid) -> Option<[usize; 5]> {
            FLOATS.into_iter().find(|(n_bytes, _)| 8 * n_bytes == self.precision).map(|(_, fields)| fields)
        }

        fn base_size(&self, _: Hid) -> Result<usize, Self::Error> {
            some(self.base, "base")
        }
    }

    #[test]
    fn an_integer_says_its_sign_its_bits_and_its_order() {
        let integer = Integer { is_signed: true, n_bits: 16, is_big_endian: Some(false) };
        let int16 = Datatype { class: H5T_INTEGER, n_bytes: 2, base_bytes: 2, integer: Some(integer), float: None };
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
        assert_eq!(
            read(&array, 1),
            Ok(Datatype { class: H5T_ARRAY, n_bytes: 24, base_bytes: 8, integer: None, float: None })
        );
    }

    #[test]
    fn a_float_is_one_where_its_fields_say_so() {
        let float = Library { class: H5T_FLOAT, size: 4, precision: 32, ..INT16 };
        let of = |library: &Library| read(library, 1).map(|found| found.float);
        assert_eq!(of(&float), Ok(Some(false)));
        assert_eq!(of(&Library { order: H5T_ORDER_BE, ..float }), Ok(Some(true)));
        assert_eq!(of(&Library { order: 2, ..float }), Ok(None));
        assert_eq!(of(&Library { precision: 24, ..float }), Ok(None));
        assert_eq!(of(&Library { size: 8, ..float }), Ok(None));
        assert_eq!(of(&Library { size: 8, precision: 64, ..float }), Ok(Some(false)));
        assert_eq!(of(&Library { size: 2, precision: 16, ..float }), Ok(Some(false)));
        assert_eq!(of(&Library { size: 16, precision: 80, ..float }), Ok(None));
        assert_eq!(of(&INT16), Ok(None));
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

    /// Datatypes by identifier: class, and what it is made of. A string of any length is a class of its own.
    struct Types {
        types: &'static [(c_int, &'static [Hid])],
        n_open: Cell<isize>,
    }

    const VARIABLE_STRING: c_int = 100;

    impl Types {
        fn open(&self, id: Hid) -> Result<Hid, &'static str> {
            self.n_open.set(self.n_open.get() + 1);
            Ok(id)
        }
    }

    impl Ask for Types {
        type Error = &'static str;

        fn class(&self, id: Hid) -> Result<c_int, Self::Error> {
            let class = self.types[id as usize].0;
            known(if class == VARIABLE_STRING { H5T_STRING } else { class }, "class")
        }

        fn size(&self, _: Hid) -> Result<usize, Self::Error> {
            Ok(4)
        }

        fn precision(&self, _: Hid) -> Result<usize, Self::Error> {
            Ok(32)
        }

        fn order(&self, _: Hid) -> Result<c_int, Self::Error> {
            Ok(H5T_ORDER_LE)
        }

        fn sign(&self, _: Hid) -> Result<c_int, Self::Error> {
            Ok(H5T_SGN_2)
        }

        fn fields(&self, _: Hid) -> Option<[usize; 5]> {
            None
        }

        fn base_size(&self, _: Hid) -> Result<usize, Self::Error> {
            Ok(4)
        }
    }

    impl AskParts for Types {
        fn base(&self, id: Hid) -> Result<Hid, Self::Error> {
            self.open(self.types[id as usize].1[0])
        }

        fn n_members(&self, id: Hid) -> Result<c_uint, Self::Error> {
            Ok(self.types[id as usize].1.len() as c_uint)
        }

        fn member(&self, id: Hid, index: c_uint) -> Result<Hid, Self::Error> {
            self.open(self.types[id as usize].1[index as usize])
        }

        fn is_variable_string(&self, id: Hid) -> Result<bool, Self::Error> {
            Ok(self.types[id as usize].0 == VARIABLE_STRING)
        }

        fn close(&self, _: Hid) {
            self.n_open.set(self.n_open.get() - 1);
        }
    }

    fn is_type_fixed(types: &'static [(c_int, &'static [Hid])]) -> Result<bool, &'static str> {
        let types = Types { types, n_open: Cell::new(0) };
        let found = is_fixed(&types, 0);
        assert_eq!(types.n_open.get(), 0, "what was opened is closed");
        found
    }

    #[test]
    fn sequences_strings_of_any_length_and_references_are_not_fixed_nor_what_has_them() {
        assert_eq!(
            is_type_fixed(&[(H5T_COMPOUND, &[1, 2]), (H5T_FLOAT, &[]), (H5T_ARRAY, &[3]), (H5T_STRING, &[])]),
            Ok(true)
        );
        for part in [H5T_VLEN, H5T_REFERENCE, VARIABLE_STRING] {
            let alone: [(c_int, &'static [Hid]); 1] = [(part, &[])];
            assert_eq!(is_type_fixed(Vec::from(alone).leak()), Ok(false), "{part}");
            let nested: [(c_int, &'static [Hid]); 4] =
                [(H5T_COMPOUND, &[1, 2]), (H5T_INTEGER, &[]), (H5T_ARRAY, &[3]), (part, &[])];
            assert_eq!(is_type_fixed(Vec::from(nested).leak()), Ok(false), "{part}");
        }
    }

    #[test]
    fn a_type_that_is_made_of_itself_ends() {
        assert_eq!(is_type_fixed(&[(H5T_ARRAY, &[0])]), Ok(false));
    }

    #[test]
    fn a_part_that_cannot_be_told_is_an_error_and_is_closed() {
        assert_eq!(is_type_fixed(&[(H5T_COMPOUND, &[1]), (-1, &[])]), Err("class"));
    }
}
