//! What can go wrong, with the numbers a user needs to put it right.

use thiserror::Error;

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something was refused. Every message says what was wrong and, where there is a remedy, what to do.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The caller's output buffer is too small.
    #[error("the output buffer holds {available} bytes, at least {needed} are needed")]
    OutputTooSmall {
        /// Bytes that are needed so far: the whole may need more. The codec's largest encoded size is always enough.
        needed: usize,
        /// Bytes the caller gave.
        available: usize,
    },
    /// The chunk ends before what its own fields announce.
    #[error("the chunk is cut short: {needed} bytes are announced at byte {at}, {available} are there")]
    Truncated {
        /// Offset in the chunk where the read began.
        at: usize,
        /// Bytes that were to be read.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// The chunk contradicts itself or its format.
    #[error("the chunk is damaged at byte {at}: {what}")]
    Corrupt {
        /// Offset in the chunk.
        at: usize,
        /// What was found, as a whole phrase.
        what: &'static str,
    },
    /// The chunk, or a part of it, decodes to another size than it should.
    #[error("the chunk decodes to {found} bytes where {expected} are expected")]
    WrongSize {
        /// Bytes that it should decode to.
        expected: usize,
        /// Bytes that it decodes to.
        found: usize,
    },
    /// The checksum over the payload does not fit.
    #[error("the chunk is damaged: its checksum is {stored:#010x}, its bytes give {computed:#010x}")]
    Checksum {
        /// The checksum in the chunk.
        stored: u32,
        /// The checksum of the bytes that are there.
        computed: u32,
    },
    /// A chunk that went through other filters than its filter mask says.
    #[error("the filter mask is {mask:#x}, which is wrong: {what}")]
    Mask {
        /// The mask as the file has it.
        mask: u32,
        /// What shows that, as a whole phrase.
        what: &'static str,
    },
    /// A bright pixel that a bare DRLE stream cannot hold.
    #[error(
        "pixel {pixel} has the value {value}, more than a bare DRLE stream can hold (32767): \
         subtract the offset, or use DRLE's container (mode 0) or bitshuffle for this dataset"
    )]
    TooBright {
        /// Index of the pixel in the buffer that was to be encoded, row by row.
        pixel: usize,
        /// Its value.
        value: i64,
    },
    /// Filter parameters (`cd_values`) that mean nothing.
    #[error("filter parameter cd_values[{index}] = {value}: {what}")]
    Parameter {
        /// Slot in `cd_values`.
        index: usize,
        /// What stands there.
        value: u32,
        /// What is wrong and what to give instead.
        what: &'static str,
    },
    /// A call that cannot be right: a shape, an element type or a number that the codec does not have, or a call out of
    /// order. The text says what to give instead.
    #[error("{0}")]
    Argument(String),
    /// A sound chunk or dataset of a format, a version or a filter that is not decoded here. Newer or other software may
    /// read it.
    #[error("{0}")]
    Unsupported(String),
    /// A chunk that does not say to how many bytes it decodes. The caller who knows gives it a buffer of that size.
    #[error("the chunk does not say its size: decode it to the size of the dataset's chunks")]
    SizeUnknown,
    /// There is no memory. Smaller chunks, or fewer at a time, need less.
    #[error("there is no memory for {n_bytes} bytes")]
    NoMemory {
        /// Bytes that were asked for.
        n_bytes: usize,
    },
    /// A buffer that does not have the size its shape says.
    #[error("{what} has {found} bytes, {expected} are expected")]
    BufferSize {
        /// Which buffer.
        what: &'static str,
        /// Bytes expected.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
}

impl Error {
    /// The same error for a pixel that stands `n_pixels` later.
    pub(crate) fn later(self, n_pixels: usize) -> Self {
        match self {
            Self::TooBright { pixel, value } => Self::TooBright { pixel: pixel + n_pixels, value },
            other => other,
        }
    }
}
