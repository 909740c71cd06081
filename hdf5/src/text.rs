//! Strings of fixed length, and what is after their end.

use crate::Result;
use crate::api::Hid;
use crate::library::{Library, h5, h5_optional, h5_tool};
use crate::object::{self, Id};
use darkchunk_hdf5_abi::constants::{H5T_STR_NULLTERM, H5T_STR_SPACEPAD, H5T_STRING};

/// What a string is filled up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// A null byte ends it, as in C; what is after that is none of it.
    NullTerminated,
    /// Null bytes, as by h5py and numpy; there may be some within it, too.
    NullPadded,
    /// Spaces, as in Fortran.
    SpacePadded,
}

impl Padding {
    /// The string that `bytes` have.
    #[must_use]
    pub fn text(self, bytes: &[u8]) -> &[u8] {
        let filled_with = |fill| bytes.iter().rposition(|byte| *byte != fill).map_or(0, |last| last + 1);
        let end = match self {
            Self::NullTerminated => bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()),
            Self::NullPadded => filled_with(0),
            Self::SpacePadded => filled_with(b' '),
        };
        &bytes[..end]
    }
}

/// What strings of a datatype are filled up with; `None` where its elements are none of fixed length.
pub(crate) fn of_type(library: &Library, kind: Hid) -> Result<Option<Padding>> {
    if h5!(library, H5Tget_class(kind))? != H5T_STRING || h5_optional!(library, H5Tis_variable_str(kind))? != 0 {
        return Ok(None);
    }
    Ok(Some(match h5_tool!(library, H5Tget_strpad(kind))? {
        H5T_STR_NULLTERM => Padding::NullTerminated,
        H5T_STR_SPACEPAD => Padding::SpacePadded,
        _ => Padding::NullPadded,
    }))
}

/// The same of the elements of the dataset `path`.
///
/// # Errors
/// What HDF5 says.
pub fn of_dataset(library: &Library, at: Hid, path: &str) -> Result<Option<Padding>> {
    let dataset = object::open(library, at, path)?;
    let kind = Id::new(library, h5!(library, H5Dget_type(dataset.get()))?);
    of_type(library, kind.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_where_its_padding_begins() {
        use Padding::{NullPadded, NullTerminated, SpacePadded};
        let of = |padding: Padding, bytes: &'static [u8]| padding.text(bytes);
        assert_eq!(of(NullTerminated, b"ab\0c "), b"ab");
        assert_eq!(of(NullTerminated, b"ab \n"), b"ab \n");
        assert_eq!(of(NullPadded, b"ab\0c \0\0"), b"ab\0c ");
        assert_eq!(of(SpacePadded, b"ab c  "), b"ab c");
        assert_eq!(of(SpacePadded, b"ab\0 "), b"ab\0");
        for padding in [NullTerminated, NullPadded, SpacePadded] {
            assert_eq!((of(padding, b""), of(padding, b"a")), (&b""[..], &b"a"[..]));
        }
    }
}
