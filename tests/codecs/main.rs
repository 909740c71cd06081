//! What the codecs promise, and what can be saved of damaged chunks: a subject a file. They are one program, which is built faster than many.

mod bounded_chunks;
#[path = "../chunk_data/mod.rs"]
mod chunk_data;

mod bitshuffle;
mod blosc;
mod blosc_chunks;
mod bounded;
mod bounded_damage;
mod bounded_floats;
mod bounded_parameters;
mod decode_range;
mod drle_packed;
mod growth;
mod lz4_zstd;
mod salvage;
mod salvage_chains;
mod salvage_scan;
mod zstd_frames;
