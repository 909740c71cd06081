//! What can go wrong with a read, and with a recording.

use thiserror::Error;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was not read or recorded. Every message says what was wrong and, where there is a remedy, what to do.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// What HDF5 says, and what the dataset does not have.
    #[error(transparent)]
    Hdf5(#[from] darkchunk_hdf5::Error),
    /// A chunk does not decode.
    #[error("the chunk at {offset:?}: {source}")]
    Chunk {
        /// Where it begins in the dataset.
        offset: Vec<u64>,
        /// What is wrong with it.
        source: darkchunk::Error,
    },
    /// A chunk was never stored, and that was to be an error.
    #[error("the chunk at {offset:?} was never stored: it may not be written yet")]
    Missing {
        /// Where it begins in the dataset.
        offset: Vec<u64>,
    },
    /// The bytes of a chunk could not be had from the file.
    #[error(
        "the chunk at {offset:?} has {n_bytes} bytes at address {address} of the file, which cannot be read: {reason}"
    )]
    Read {
        /// Where it begins in the dataset.
        offset: Vec<u64>,
        /// Where it is stored, by the file's own account.
        address: u64,
        /// Its bytes, by the file's own account.
        n_bytes: u64,
        /// What the system says.
        reason: String,
    },
    /// Something is wrong with a source of a virtual dataset.
    #[error("in the source {source_name}: {error}")]
    Source {
        /// Its file and its path there.
        source_name: String,
        /// What is wrong.
        error: Box<Self>,
    },
    /// A recorder of another process.
    #[error(
        "this recorder was made by the process of which this one is a fork: only that one can record; make another here, to another file"
    )]
    Forked,
    /// No frame can be pushed to a recording that is finished.
    #[error("the recording is finished: make another recorder, to another dataset")]
    Finished,
    /// A journal could not be written, read or removed.
    #[error("the journal {path}: {reason}")]
    Journal {
        /// The journal's file.
        path: String,
        /// What the system says, or what is wrong with it.
        reason: String,
    },
    /// A file could not be restored.
    #[error("{path} cannot be restored from, or to: {reason}")]
    Restore {
        /// The file that was left, or the new one.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A file is not the part of a measurement that it is to be.
    #[error("the part {path}: {reason}")]
    Part {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An index of blocks could not be written, or used.
    #[error("the index of blocks {path}: {reason}")]
    Index {
        /// The index's file.
        path: String,
        /// What the system says, or what is wrong with it.
        reason: String,
    },
    /// Room on the disk could not be kept.
    #[error("{n_bytes} bytes cannot be kept in reserve: {reason}")]
    Reserve {
        /// Bytes that were asked for.
        n_bytes: u64,
        /// What the system says.
        reason: String,
    },
    /// What is done with slices has failed.
    #[error("slice {slice}: {reason}")]
    Slice {
        /// The slice.
        slice: u64,
        /// What went wrong.
        reason: String,
    },
    /// A run over slices has failed, and what it has finished is kept.
    #[error("{error}; what is done up to slice {end} is kept, and --resume goes on with it")]
    Kept {
        /// What went wrong.
        error: Box<Self>,
        /// The slice after the last that is kept.
        end: u64,
    },
    /// A selection, a destination or an option that means nothing.
    #[error("{0}")]
    Argument(String),
}
