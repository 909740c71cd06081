//! Recording into HDF5 files, and examining and saving what is in them, with an HDF5 that the program chooses.
//!
//! Nothing here links one. [`Library`] is an HDF5 as a table of its functions ([`api`]): found at run time by
//! [`load`], handed in by a C program, or linked in by the crate `darkchunk-hdf5-static`. [`Writer`] takes frames,
//! [`ChunkWriter`] chunks that are encoded already, [`Columns`] numbers of each frame; [`salvage`] says what is wrong with a dataset, and saves the rest.
//!
//! # What is stored beside the frames
//!
//! In one group, the dataset's path with `_darkchunk` appended: the counts with flushes of the writer, the sum when the
//! recording is finished, all else when it begins.
//!
//! | name | kind | meaning |
//! |---|---|---|
//! | `sum` | dataset (height, width), uint64 (int64 where negative pixels are kept) | sum of the stored frames; its own attributes `frames` and `first_frame` say of which |
//! | `dark` | dataset (height, width) | the dark image that was subtracted |
//! | `changes/frame`, `changes/threshold`, `changes/dark` | datasets, int64 | where threshold or dark image were changed: from which frame on, the least value that is kept (0: all are), and the number of the dark image in `dark_images` (-1: the one above, or none) |
//! | `changes/dark_images` | dataset (n, height, width) | the dark images that were given later; zeros where none was to be subtracted |
//! | `frames` | attribute | frames that the counts are of: the last ones of the dataset at that time |
//! | `first_frame` | attribute | the first of them |
//! | `threshold` | attribute | the least value that was kept, in the beginning; missing where all were |
//! | `pixels_bright` | attribute | pixels stored with another value than 0 |
//! | `pixels_zeroed` | attribute | pixels set to 0 whose value (after the dark image) was not 0 |
//! | `zeroed_sum` | attribute | the sum of those values: what was lost |
//! | `pixels_saturated` | attribute | pixels saturated by the dark subtraction |
//! | `pixels_sentinel` | attribute | pixels that are no measurements, kept as they are: in no other number, nor in the sum |
//! | `software` | attribute | the software that wrote the frames, with its version |
//! | `part`, `part_columns` | attributes | of a file that is a part of a [`measurement`] |
//! | `filter`, `filter_name`, `filter_parameters` | attributes | number, name and stored parameters of the filter |
//!
//! A dataset with the bounded codec itself has attributes of what was promised and what was achieved ([`promise`]).

#![deny(unsafe_code)]

pub mod api;
mod array;
mod changes;
pub mod chunk_map;
mod chunk_writer;
mod claim;
mod columns;
pub mod copy;
mod dataset;
mod element;
mod error;
mod events;
mod file;
mod full_disk;
mod growing;
pub mod inspect;
mod layers;
mod library;
#[cfg(feature = "load")]
pub mod load;
pub mod measurement;
mod nexus;
pub mod number;
mod object;
mod options;
#[cfg(feature = "load")]
pub mod plugins;
pub mod promise;
mod recording;
pub mod results;
pub mod salvage;
pub mod text;
mod tools;
pub mod tree;
pub mod values;
pub mod virtual_dataset;
mod words;
mod writer;

pub use api::Api;
pub use changes::Change;
pub use chunk_writer::ChunkWriter;
pub use columns::{Column, Columns, FrameStatus, Number, mark_vetoed};
pub use darkchunk::chunk::Processing;
pub use darkchunk_hdf5_abi::{for_each_hdf5_function, for_each_hdf5_variable};
pub use error::{Error, Result};
pub use events::Events;
pub use file::{File, Group, OpenDataset};
pub use layers::Layers;
pub use library::Library;
pub use options::{Dataset, Flush, Summary};
pub use recording::Recording;
pub use writer::{FileElement, Writer};

/// The README's Rust code, compiled.
#[cfg(all(doctest, feature = "load"))]
#[doc = include_str!("../../README.md")]
struct Readme;
