//! What can be wrong with what is compared.

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why frames cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A frame has another number of pixels than its shape says, or none.
    #[error(
        "a frame of {height} x {width} pixels has {n_pixels}: both frames must have that shape, and a pixel at least"
    )]
    Shape {
        /// Rows that were said.
        height: usize,
        /// Columns that were said.
        width: usize,
        /// Pixels that there were.
        n_pixels: usize,
    },
    /// A setting that means nothing.
    #[error("{0}")]
    Setting(String),
}
