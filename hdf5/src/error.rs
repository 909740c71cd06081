//! What can go wrong with a file, by what the caller would do about it.

use std::fmt;

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
    /// Whoever was told of the progress asked for an end.
    #[error("it was stopped before its end, as was asked for")]
    Stopped,
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
    /// The system did not write the file to the disk.
    #[error(
        "the file was flushed, but the system could not write it to the disk: {message}. What is stored may be lost by a power cut"
    )]
    Sync {
        /// What the system says.
        message: String,
    },
    /// The file cannot be written to.
    #[error("the file is open for reading only: open it with H5F_ACC_RDWR")]
    ReadOnly,
    /// The dataset was made with a fixed number of frames.
    #[error("the dataset may not have more than {max} frames")]
    FrameLimit {
        /// The most it may have.
        max: u64,
    },
    /// The file is open with MPI-IO.
    #[error(
        "the file is open with MPI-IO, where HDF5 keeps the chunks of one rank only and reports success to all: \
         write a file for each rank, opened without MPI-IO"
    )]
    Parallel,
    /// Another writer of this process writes to the dataset.
    #[error("another writer of this process writes to {path}: end that one first, or write to another dataset")]
    InUse {
        /// The dataset.
        path: String,
    },
    /// A dataset that is to be refreshed is open a second time.
    #[error(
        "dataset {path} is open more than once in this process, and HDF5 breaks a dataset that is refreshed then: close what else \
         has it open"
    )]
    OpenTwice {
        /// The dataset.
        path: String,
    },
    /// The dataset has another extent than the writer gave it.
    #[error("the dataset has {found} frames, the writer left it with {expected}: somebody else writes to it, too")]
    Resized {
        /// Frames it has.
        found: u64,
        /// Frames it had after the last chunk.
        expected: u64,
    },
    /// A chunk could not be written, and then the dataset could not be made as short again as it was before. Each later chunk and
    /// each flush tries that again.
    #[error(
        "{source}; and the dataset could not be shortened: it says {n_frames} frames, of which only the first {n_stored} are \
         stored, until a flush or finish succeeds"
    )]
    TooLong {
        /// What HDF5 refused, and why.
        source: Box<Error>,
        /// Frames that the dataset says it has.
        n_frames: u64,
        /// Frames that are in the file.
        n_stored: u64,
    },
    /// The disk is full, and what was stored before is flushed, with room that was kept for this.
    #[error("{source}. The disk is full: {n_safe} frames are flushed and safe")]
    DiskFull {
        /// What could not be written, and why.
        source: Box<Error>,
        /// Frames that are in the file, and that nothing that follows can take away.
        n_safe: u64,
    },
    /// HDF5 did not take a chunk or could not flush. The frames were taken, all of them, and are not to be pushed again:
    /// those that are not stored are held, and tried again by the next call.
    #[error("{source}; {}", Held { n_stored: *n_stored, n_held: *n_held, remedy: "go on with the next frame, flush or finish" })]
    NotStored {
        /// What HDF5 refused, and why.
        source: Box<Error>,
        /// Frames that are in the file.
        n_stored: u64,
        /// Frames that were taken and are not in the file: none where only a flush failed.
        n_held: u64,
    },
    /// A recording was abandoned, and not even the counts of its frames could be stored.
    #[error(
        "{source}; {n_lost} frames are lost, {n_stored} are stored in the file, but not flushed: make room, then abandon it again"
    )]
    NotAbandoned {
        /// What HDF5 refused, and why.
        source: Box<Error>,
        /// Frames that are in the file.
        n_stored: u64,
        /// Frames that were taken, and are not held any more.
        n_lost: u64,
    },
    /// A frame was not taken, because HDF5 did not take a full chunk before it, which is held, or could not flush: it is to be
    /// pushed again.
    #[error(
        "{source}; {n_taken} of these frames were taken; {}",
        Held { n_stored: *n_stored, n_held: *n_held, remedy: "push again from the first that was not taken" }
    )]
    NotTaken {
        /// What HDF5 refused, and why.
        source: Box<Error>,
        /// Frames of this call that were taken.
        n_taken: usize,
        /// Frames that are in the file.
        n_stored: u64,
        /// Frames that were taken and are not in the file: none where only a flush failed.
        n_held: u64,
    },
    /// Something asked for that the writer, the file or the dataset does not have.
    #[error("{0}")]
    Unsupported(String),
}

impl Error {
    /// Whether the system says that there is no room on the disk, or no more for this user.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        // As HDF5 and as Rust write the system's numbers: ENOSPC, then Linux's EDQUOT.
        const TEXTS: [&str; 4] = ["errno = 28,", "(os error 28)", "errno = 122,", "(os error 122)"];
        match self {
            Self::Hdf5 { message, .. } => TEXTS.iter().any(|text| message.contains(text)),
            Self::DiskFull { .. } => true,
            Self::TooLong { source, .. }
            | Self::NotStored { source, .. }
            | Self::NotAbandoned { source, .. }
            | Self::NotTaken { source, .. } => source.is_disk_full(),
            _ => false,
        }
    }
}

/// What became of the frames that were taken, and what to do.
struct Held {
    n_stored: u64,
    n_held: u64,
    remedy: &'static str,
}

impl fmt::Display for Held {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_stored, n_held, remedy } = self;
        match n_held {
            0 => write!(
                text,
                "all {n_stored} frames of the dataset are stored, but not flushed: a crash may lose some; {remedy}"
            ),
            _ => write!(
                text,
                "{n_stored} frames are stored in the file, {n_held} more were taken and are held in memory: make room, then \
                 {remedy}"
            ),
        }
    }
}
