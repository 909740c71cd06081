//! HDF5's binary interface, as far as darkchunk uses it: once, for the writer and for the plugins.
//!
//! [`constants`] and the types have HDF5's names and values, the same from HDF5 1.10 to 2.2. [`for_each_hdf5_function!`] is
//! the list of functions with their signatures, of which [`signature`] has the types. [`datatype`] is how a datatype
//! is read. Nothing here calls or links HDF5.

#![forbid(unsafe_code)]
#![no_std]

pub mod constants;
pub mod datatype;
mod functions;
mod tools;
mod types;

pub use functions::{TABLE, signature};
pub use tools::tool_signature;
pub use types::{
    AttributeFn, ChunkFn, ErrorEntry, Hid, LinkFn, LinkInfo, ObjectInfo, PrintFn, PrintFn1, PushFn, WalkFn,
};
