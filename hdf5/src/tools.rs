//! Functions for whole files, of an HDF5 that was found by its names. A table that a program hands in has none of them.

use std::ffi::{c_char, c_int, c_uint, c_void};

use darkchunk_hdf5_abi::{AttributeFn, Hid, LinkFn, LinkInfo, for_each_hdf5_tool};

macro_rules! declare {
    ($(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)*) => {
        /// What was found of them.
        #[derive(Debug, Clone, Copy, Default)]
        #[allow(non_snake_case)]
        #[allow(dead_code, reason = "some are for a crate's feature")]
        pub(crate) struct Tools {
            $(pub(crate) $name: Option<unsafe extern "C" fn($($arg: $type),*) -> $result>,)*
            /// `H5P_OBJECT_COPY`
            pub(crate) object_copy: Hid,
        }
    };
}

for_each_hdf5_tool!(declare);
