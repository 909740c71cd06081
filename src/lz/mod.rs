//! Bare blocks of the LZ77 family: LZ4 and BloscLZ, without containers.
//!
//! | file | what it is |
//! |---|---|
//! | `lz4/sequence.rs` | the form of an LZ4 block: token, lengths, offset; read and written |
//! | `lz4/decode.rs` | any block |
//! | `lz4/sparse/` | long blocks of mostly zeros, into memory that knows where it is not zero |
//! | `lz4/encode.rs` | blocks of bit planes |
//! | `lz4/library.rs` | the reference library, where it is faster |
//! | `blosclz.rs` | the form of a BloscLZ stream, both ways |
//! | `byte_planes.rs` | the search for repetitions in byte planes, for LZ4 and BloscLZ alike |
//! | `vector/` | 32 bytes at once, one file an instruction set; the decoder of Zstd frames uses them too |

pub(crate) mod blosclz;
pub(crate) mod byte_planes;
#[cfg(feature = "lz4")]
pub mod lz4;
pub(crate) mod vector;
mod zero_runs;
