//! The C library: `include/darkchunk.h` says what each function does; here stands only how.
//!
//! Every function runs inside [`status::guard`]: a panic becomes `DC_PANIC`, an error its status and a message for the
//! calling thread. Outputs are written on success only. The layouts and numbers here are C's and never change; a struct
//! grows at its end, and says by its first field how much of it the caller knows.

#![deny(unsafe_code)]

mod array;
mod chunk;
mod class;
#[cfg(feature = "command")]
mod command;
mod element;
mod encoded;
mod encoder;
mod events;
mod files;
mod frames;
mod index;
mod integrate;
mod live;
mod load;
mod noise;
mod pipeline;
mod progress;
mod push;
mod reader;
mod recorder;
mod reduction;
mod restore;
mod slices;
mod sparse;
mod statistics;
mod status;
mod types;
mod writer;
