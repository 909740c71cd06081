//! The table of HDF5 functions that a program hands in.
//!
//! An HDF5 identifier means something only to the library that made it, and one process may hold several. So nothing
//! here is looked up: the one who knows which HDF5 a file belongs to fills an [`Api`] from it. A C program does so from
//! its own `hdf5.h` (`dc_hdf5_from_headers` in `darkchunk.h`), a Rust program through the crate `darkchunk-hdf5-static`;
//! a loader takes the names from [`for_each_hdf5_function!`].
//!
//! The table is C's and only ever grows at its end. Its first field says how much of it the giver knows; what lies
//! beyond counts as absent. `H5Dwrite_chunk` and the rest keep HDF5's own names and types, with `hid_t` as `int64_t`:
//! HDF5 1.10 and later.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, c_void};

pub use darkchunk_hdf5_abi::{ChunkFn, ErrorEntry, Hid, ObjectInfo, PrintFn, WalkFn};
use darkchunk_hdf5_abi::{for_each_hdf5_function, for_each_hdf5_variable};

use crate::{Error, Result};

macro_rules! declare_ids {
    ($($field:ident = $variable:ident as $name:literal;)*) => {
        /// The identifiers that HDF5 keeps in variables, not in functions. They exist once `H5open` has run.
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Ids {
            $(#[doc = concat!("`", $name, "`")]
            pub $field: Hid,)*
        }

        impl Ids {
            /// Nothing is filled in.
            pub const EMPTY: Self = Self { $($field: 0,)* };
        }
    };
}

for_each_hdf5_variable!(declare_ids);

macro_rules! declare_api {
    (required { $(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arg:ident: $extra_type:ty),* $(,)?) -> $extra_result:ty;)* }
     others { $($other:tt)* }) => {
        /// Functions and identifiers of one HDF5 library, given by the one who knows which.
        #[repr(C)]
        #[derive(Debug, Clone, Copy)]
        #[allow(non_snake_case)]
        pub struct Api {
            /// Bytes of this table that the giver knows: its `sizeof`.
            pub n_bytes: usize,
            /// Called before each use of HDF5, where the giver guards it with a lock that one thread may take again.
            pub enter: Option<unsafe extern "C" fn()>,
            /// Called after each use of HDF5.
            pub leave: Option<unsafe extern "C" fn()>,
            /// What HDF5 keeps in variables.
            pub ids: Ids,
            $(#[doc = concat!("`", stringify!($name), "`")]
            pub $name: Option<unsafe extern "C" fn($($arg: $type),*) -> $result>,)*
            $(#[doc = concat!("`", stringify!($extra), "`, where the library has it.")]
            pub $extra: Option<unsafe extern "C" fn($($extra_arg: $extra_type),*) -> $extra_result>,)*
        }

        impl Api {
            /// A table in which nothing is filled in.
            pub const EMPTY: Self = Self {
                n_bytes: size_of::<Self>(),
                enter: None,
                leave: None,
                ids: Ids::EMPTY,
                $($name: None,)*
                $($extra: None,)*
            };

            /// The names of the functions, in the order of the table.
            pub const NAMES: &'static [&'static str] = darkchunk_hdf5_abi::TABLE;

            /// The functions, once it is sure that none is missing.
            pub(super) fn functions(&self) -> Result<Functions> {
                Ok(Functions {
                    $($name: self.$name.ok_or_else(|| missing(stringify!($name)))?,)*
                    $($extra: self.$extra,)*
                })
            }
        }

        /// The same functions, all there.
        #[derive(Debug, Clone, Copy)]
        #[allow(non_snake_case)]
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($arg: $type),*) -> $result,)*
            $(pub(super) $extra: Option<unsafe extern "C" fn($($extra_arg: $extra_type),*) -> $extra_result>,)*
        }
    };
}

for_each_hdf5_function!(declare_api);

fn missing(name: &'static str) -> Error {
    Error::MissingFunction { name }
}

impl Api {
    /// Copies as much of a caller's table as it has; the rest counts as absent.
    ///
    /// # Safety
    /// `table` points to a `usize`, and to as many bytes as that number says.
    #[must_use]
    pub unsafe fn read(table: *const Self) -> Self {
        let mut api = Self::EMPTY;
        // SAFETY: the caller's promise: the first field is there.
        let known = unsafe { table.cast::<usize>().read_unaligned() };
        // SAFETY: `known` bytes are readable by the caller's promise, and `api` has `size_of::<Self>()`. Any bytes that
        // form a C table form an `Api`: a null function is `None`.
        unsafe {
            std::ptr::copy_nonoverlapping(table.cast::<u8>(), (&raw mut api).cast(), known.min(size_of::<Self>()))
        };
        api.n_bytes = size_of::<Self>();
        api
    }
}
