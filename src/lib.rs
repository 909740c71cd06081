//! HDF5 compression for detectors and cameras.
//!
//! This crate links no HDF5. Codecs work on whole buffers and write into the caller's output; what speaks HDF5 does so
//! through a table of functions that the caller hands in ([`hdf5`]).

pub mod chunk;
pub mod codec;
pub mod cpu;
mod error;
pub mod frame;
pub mod hdf5;
pub mod kernels;
pub mod salvage;
mod threads;

pub use error::{Error, Result};
pub use threads::Threads;
