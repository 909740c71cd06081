//! The others: C bitshuffle, c-blosc, LZ4 and Zstd, each given what its interface offers.
//!
//! The C libraries are built by `cargo xtask bench` (or come from wheels) and are loaded here; a library that is missing
//! is an error that says so. [`Coder`] is the one face of peers and ours in the races: whole chunks as HDF5 stores
//! them, from and to buffers that are warm and large enough.

pub mod bitshuffle;
pub mod blosc;
pub mod libraries;

use std::path::Path;

use libloading::{Library, Symbol};
use serde_json::Value;

use crate::Failure;

/// From a frame to the front of a buffer; the bytes written.
pub type Encode = Box<dyn FnMut(&[u8], &mut [u8]) -> usize>;
/// From a chunk to a frame.
pub type Decode = Box<dyn FnMut(&[u8], &mut [u8])>;

/// One implementation of one format: how it is called in the races.
pub struct Coder {
    /// Whose code, version and build.
    pub by: String,
    /// Kernel level, or what the peer was built for.
    pub level: String,
    /// Threads it uses.
    pub threads: usize,
    /// The most bytes that `encode` writes.
    pub max_encoded_len: usize,
    /// Encodes a frame to the front of the buffer; the bytes written.
    pub encode: Encode,
    /// Decodes into the whole frame.
    pub decode: Decode,
}

/// A C library and what it is.
#[derive(Debug)]
pub struct Loaded {
    library: &'static Library,
    /// Name, version and build, for the tables.
    pub by: String,
    /// What it was compiled for: `native`, `sse2`.
    pub level: String,
}

impl Loaded {
    /// Loads the library that `list` (written by `cargo xtask bench`) has under `key`.
    ///
    /// # Errors
    /// Where the list lacks it or it does not load: a peer is never skipped silently.
    pub fn open(list: &Value, key: &str) -> Result<Self, Failure> {
        let text = |field: &str| {
            let missing = || format!("peer {key}: no {field} in the list of peers; run `cargo xtask bench`");
            list[key][field].as_str().map(str::to_owned).ok_or_else(missing)
        };
        let path = text("path")?;
        if !Path::new(&path).exists() {
            return Err(format!("peer {key}: {path} does not exist; remove target/bench and run again").into());
        }
        // SAFETY: the peers are C libraries whose initialisers do nothing but set tables.
        let library = unsafe { Library::new(&path) }.map_err(|e| format!("peer {key}: {path} does not load: {e}"))?;
        // Kept for the life of the program: function pointers into it are handed around.
        Ok(Self { library: Box::leak(Box::new(library)), by: text("by")?, level: text("level")? })
    }

    /// The function `name`.
    ///
    /// # Safety
    /// `F` must be its type.
    ///
    /// # Errors
    /// Where the library does not export it.
    pub(crate) unsafe fn function<F: Copy + 'static>(&self, name: &str) -> Result<F, Failure> {
        // SAFETY: the caller vouches for the type.
        let symbol: Result<Symbol<'static, F>, _> = unsafe { self.library.get(name.as_bytes()) };
        Ok(*symbol.map_err(|e| format!("{} has no {name}: {e}", self.by))?)
    }
}
