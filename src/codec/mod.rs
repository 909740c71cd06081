//! Codecs: whole buffers in, the caller's buffer out. One folder or file a filter.
//!
//! All codecs have the same face, [`Codec`], which is all that the HDF5 plugins, the writer and the C library know of
//! them. Bytes that come from a file are hostile: every length is read through one cursor, no allocation is sized by a
//! number that the chunk itself cannot justify, and the decoded size is always known and insisted on.

#![forbid(unsafe_code)]

pub mod bitshuffle;
#[cfg(feature = "blosc")]
pub mod blosc;
pub mod bounded;
pub(crate) mod cursor;
pub mod drle;
pub(crate) mod entropy;
pub(crate) mod framing;
mod index;
mod interface;
mod list;
#[cfg(feature = "lz4")]
pub mod lz4;
mod parameters;
mod range;
#[cfg(feature = "zstd")]
pub mod zstd;

pub use index::BlockIndex;
pub use interface::{ChunkLayout, Codec, DecodedSize, OpenChunk};
pub use list::{Filter, FilterChunk};
pub use range::Parts;
