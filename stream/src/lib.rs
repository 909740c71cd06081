//! What keeps many chunks in flight: the reader of datasets, and the recorder.
//!
//! [`Reader`] reads any selection of a dataset into the caller's memory: the bytes of chunks from the file itself, decoded in
//! several threads, and through HDF5 whatever is unusual; [`Way`] says which. [`filters`] undoes all filters of a dataset, ours
//! and those of others.
//!
//! [`recorder`] takes frames by their number, and encodes them in threads.
//!
//! [`verify`] says whether a dataset is what was written; [`convert`] makes a file anew, with datasets stored otherwise; [`recover`] saves
//! what is good of a damaged one; [`diff`] says what two files differ in. [`hash`] has the same value for the same pixels, whatever they are stored with.
//!
//! [`extract`] writes a part of a dataset as an array or a picture; [`unpacked`] is a file without its filters, for a while; [`watch`] says what a recording in
//! progress has.
//!
//! [`journal`] notes what is written to a file, so that it can be restored after
//! a crash; [`Reserve`] keeps room on the disk to close it.
//!
//! [`master`] makes one dataset of the files of a measurement.
//!
//! [`compare`] says what a codec did to a dataset, with all cores, in bounded memory; [`trial`], which filter and which chunks are best for it; [`threshold`],
//! what thresholds would take away; [`noise`] measures the noise of its frames.
//!
//! [`slabs`] hands slices of datasets to a function that several threads call, each chunk read and decoded once.
//!
//! This crate has threads that outlive a call, so nothing that a plugin links may use it.

#![deny(unsafe_code)]

pub mod compare;
pub mod convert;
pub mod diff;
mod error;
pub mod extract;
pub mod filters;
pub mod hash;
mod identity;
pub mod journal;
pub mod master;
pub mod noise;
mod reader;
pub mod recorder;
pub mod recover;
mod reserve;
pub mod slabs;
mod temporary;
pub mod threshold;
pub mod trial;
pub mod unpacked;
pub mod verify;
pub mod watch;
mod writer;

pub use error::{Error, Result};
pub use reader::{
    Bins, IndexWriter, Integrated, Missing, Options, Read, Reader, Reduced, Reduction, Regions, Sparse, Statistics, Way,
};
pub use reserve::Reserve;
