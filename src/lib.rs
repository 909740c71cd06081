//! HDF5 compression for detectors and cameras: the codecs, the frame encoder, and what saves damaged chunks.
//!
//! This crate knows no HDF5. Codecs work on whole buffers and write into the caller's output. What writes and examines files
//! is the crate `darkchunk-hdf5`; the plugins that HDF5 itself loads are in `filters/`, the C library in `ffi/`.
//!
//! # The way of a frame
//!
//! ```text
//! camera ──▶ chunk::FrameEncoder ───────────────────────────────────▶ ChunkWriter ────▶ HDF5 file ──▶ any reader
//! buffers    DRLE:   dark image, threshold, encode: one pass; sum      H5Dwrite_chunk                   + plugin ──▶ codec ──▶ pixels
//!            others: dark image, threshold, sum ──▶ chunk ──▶ encode   (darkchunk-hdf5)
//! ```
//!
//! * [`chunk::FrameEncoder`] takes frames and makes chunks: dark image, threshold, sum, counts and encoding.
//! * [`chunk::Compression`] is what a user asks for, [`chunk::Filter`] any codec by its HDF5 number.
//! * [`codec`] has the six codecs, [`codec::Codec`] their common interface.
//! * [`salvage`] gets what is good out of a damaged chunk, [`pipeline`] decodes a chunk through all filters of its dataset.
//! * [`Exec`] says with which instructions and how many threads a call works; the bytes are the same.
//!
//! # A round trip
//!
//! ```
//! use darkchunk::chunk::{ChunkShape, Compression, Filter};
//! use darkchunk::Exec;
//! use darkchunk::element::ElementType;
//!
//! let shape = ChunkShape { n_frames: 1, height: 512, width: 512 };
//! let asked = Compression::bitshuffle_lz4();
//! let values = Filter::localise(32008, &asked.values, &shape.layout(ElementType::U16)?)?; // what the dataset stores
//! let filter = Filter::from_cd_values(32008, &values)?;
//!
//! let pixels: Vec<u8> = (0..512 * 512_u32).flat_map(|i| ((i % 7) as u16).to_ne_bytes()).collect();
//! let mut chunk = vec![0; filter.max_encoded_len(pixels.len())];
//! let n_bytes = filter.encode(Exec::current(), &pixels, &mut chunk)?;
//!
//! let mut decoded = vec![0; filter.decoded_len(&chunk[..n_bytes])?];
//! filter.decode(Exec::current(), &chunk[..n_bytes], &mut decoded)?;
//! assert_eq!(decoded, pixels);
//! # Ok::<(), darkchunk::Error>(())
//! ```
//!
//! # A recording
//!
//! Frames go in, chunks come out, for `H5Dwrite_chunk` or for any other store. (The `Writer` of `darkchunk-hdf5` is made of this, and
//! of HDF5.)
//!
//! ```
//! use darkchunk::chunk::{ChunkShape, Compression, Filter, FrameEncoder, Processing};
//! use darkchunk::element::ElementType;
//!
//! # fn write_chunk(_: &[u8]) {}
//! let shape = ChunkShape { n_frames: 1, height: 512, width: 512 };
//! let values = Filter::localise(36114, &Compression::drle(20).values, &shape.layout(ElementType::I16)?)?; // threshold 20
//! let dark = vec![100_i16; 512 * 512];
//! let processing = Processing { dark: Some(dark.into()), ..Processing::default() };
//! let mut encoder = FrameEncoder::new(shape, Some(Filter::from_cd_values(36114, &values)?), processing)?;
//! for i in 0..10 {
//!     let frame = vec![100 + 10 * i; 512 * 512]; // the camera's
//!     encoder.push(&frame)?;
//!     write_chunk(encoder.encode()?);
//!     encoder.clear();
//! }
//! assert_eq!(encoder.totals().counts.n_bright, 8 * 512 * 512);
//! # Ok::<(), darkchunk::Error>(())
//! ```
//!
//! # Features
//!
//! `lz4` and `zstd` are codecs that need a C library of that name, `blosc` needs both and Snappy; all are on by default. Bitshuffle
//! has LZ4 and Zstd with them only. Without any, DRLE, bounded, and bitshuffle without a compression are built, and no C. What
//! is not built is refused with [`Error::Unsupported`].
//!
//! What is stored, byte by byte, is in `docs/format.md`; what is promised of hostile files, in `SECURITY.md`.

#![deny(unsafe_code)]
// Blosc uses all there is.
#![cfg_attr(not(feature = "blosc"), allow(dead_code, reason = "only codecs use it that are not built"))]

pub mod chunk;
pub mod codec;
pub mod cpu;
pub mod element;
mod error;
mod exec;
pub mod kernels;
#[doc(hidden)]
pub mod lz;
mod memory;
pub mod pipeline;
pub mod salvage;
mod threads;

pub use error::{Error, Result};
pub use exec::Exec;
pub use threads::Threads;
