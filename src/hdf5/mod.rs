//! What speaks HDF5, through an injected table of functions: the writer, later the reader.
//!
//! [`api`] is the table, [`Library`] one HDF5 made of it. Nothing here links or loads a library.

pub mod api;
mod dataset;
mod file;
mod library;
mod nexus;
mod object;
mod recording;
mod writer;

pub use api::Api;
pub use file::File;
pub use library::Library;
pub use writer::{Dataset, FileElement, Flush, Processing, Summary, Writer};
