//! HDF5 compression for detectors and cameras.
//!
//! This crate knows no HDF5. Codecs work on whole buffers and write into the caller's output. What writes and examines files
//! is the crate `darkchunk-hdf5`.

pub mod chunk;
pub mod codec;
pub mod cpu;
mod error;
pub mod frame;
pub mod kernels;
pub mod pipeline;
pub mod salvage;
mod threads;

pub use error::{Error, Result};
pub use threads::Threads;
