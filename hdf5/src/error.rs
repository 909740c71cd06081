//! What can go wrong with a file, by what the caller would do about it.

use thiserror::Error;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was refused. Every message says what was wrong and, where there is a remedy, what to do.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// What the codecs say of pixels, parameters and chunks.
    #[error(transparent)]
    Codec(#[from] darkchunk::Error),
    /// A call into HDF5 failed; the text is HDF5's own, where it gave one.
    #[error("{call} failed: {message}")]
    Hdf5 {
        /// The HDF5 function.
        call: &'static str,
        /// HDF5's message, and what to do.
        message: String,
    },
    /// The table of HDF5 functions that was handed in is not complete.
    #[error("the table of HDF5 functions lacks {name}: fill it from HDF5 1.10.3 or later")]
    MissingFunction {
        /// The function that is not in it.
        name: &'static str,
    },
    /// No HDF5 was found that can be used.
    #[error(
        "no HDF5 could be used: {tried}. Install h5py (pip install h5py) and name its Python in DARKCHUNK_PYTHON, or name a \
         libhdf5 of 1.10.3 or later in DARKCHUNK_HDF5"
    )]
    NoLibrary {
        /// What was looked for, and where.
        tried: String,
    },
    /// There is something of this name already.
    #[error("the file has {path} already: {remedy}")]
    NameTaken {
        /// The name.
        path: String,
        /// What to do.
        remedy: &'static str,
    },
    /// HDF5 cannot open a dataset: what leads to it, or it itself, is damaged.
    #[error("dataset {path} cannot be opened: {source}")]
    CannotOpen {
        /// The dataset's path.
        path: String,
        /// What HDF5 says.
        source: Box<Error>,
    },
    /// The bytes of a file cannot be read.
    #[error("{name} cannot be read: {message}")]
    Read {
        /// The file.
        name: String,
        /// What the system says.
        message: String,
    },
    /// The file cannot be written to.
    #[error("the file is open for reading only: open it with H5F_ACC_RDWR")]
    ReadOnly,
    /// The dataset was made with a fixed number of frames.
    #[error("the dataset may not have more than {most} frames")]
    Full {
        /// The most it may have.
        most: u64,
    },
    /// HDF5 did not take a chunk or could not flush. No frame is lost: those that are held are tried again.
    #[error(
        "{source}; {n_stored} frames are stored in the file, {n_held} are held in memory: make room and flush or finish"
    )]
    NotStored {
        /// What HDF5 refused, and why.
        source: Box<Error>,
        /// Frames that are in the file.
        n_stored: u64,
        /// Frames that were taken and are not in the file.
        n_held: u64,
    },
    /// Something asked for that the writer, the file or the dataset does not have.
    #[error("{0}")]
    Unsupported(String),
}
