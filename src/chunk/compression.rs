//! What a dataset is compressed with, as a user says it.

use crate::codec::Codec;
use crate::codec::bitshuffle::Bitshuffle;
#[cfg(feature = "blosc")]
use crate::codec::blosc::{Blosc, Compressor, Shuffle};
use crate::codec::bounded::{Bounded, parameters};
use crate::codec::drle::Drle;
#[cfg(feature = "lz4")]
use crate::codec::lz4::Lz4;
#[cfg(feature = "zstd")]
use crate::codec::zstd::Zstd;

/// A filter and the parameters that a caller gives for it, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compression {
    /// The filter's number; `None` stores the pixels as they are.
    pub filter: Option<u32>,
    /// The caller's `cd_values`, from which the stored ones are made.
    pub values: Vec<u32>,
}

impl Compression {
    /// No filter: the pixels as they are.
    pub const NONE: Self = Self { filter: None, values: Vec::new() };

    /// Any of our filters with the parameters a caller of HDF5 would give.
    #[must_use]
    pub fn filter(id: u32, values: &[u32]) -> Self {
        Self { filter: Some(id), values: values.to_vec() }
    }

    /// DRLE in its container. Pixels below `threshold` (at least 1) are stored as 0; a `threshold` of 1 loses only
    /// negative pixels.
    #[must_use]
    pub fn drle(threshold: u16) -> Self {
        Self::filter(Drle::FILTER_ID, &[threshold.into()])
    }

    /// The same with an entropy coder after it: about half as large, and slower to read. `Packer` does it to stored chunks.
    #[must_use]
    pub fn drle_packed(threshold: u16) -> Self {
        Self::filter(Drle::FILTER_ID, &[threshold.into(), 2])
    }

    /// Bitshuffle and LZ4, as detectors write it.
    #[must_use]
    pub fn bitshuffle_lz4() -> Self {
        Self::filter(Bitshuffle::FILTER_ID, &[0, 2])
    }

    /// Bitshuffle and Zstd.
    #[must_use]
    pub fn bitshuffle_zstd(level: i32) -> Self {
        Self::filter(Bitshuffle::FILTER_ID, &[0, 3, level.cast_unsigned()])
    }

    /// Blosc 1; `level` is 0 to 9.
    #[cfg(feature = "blosc")]
    #[must_use]
    pub fn blosc(level: u32, shuffle: Shuffle, compressor: Compressor) -> Self {
        Self::filter(Blosc::FILTER_ID, &[0, 0, 0, 0, level, shuffle as u32, compressor as u32])
    }

    /// LZ4 alone.
    #[cfg(feature = "lz4")]
    #[must_use]
    pub fn lz4() -> Self {
        Self::filter(Lz4::FILTER_ID, &[])
    }

    /// Zstd alone.
    #[cfg(feature = "zstd")]
    #[must_use]
    pub fn zstd(level: i32) -> Self {
        Self::filter(Zstd::FILTER_ID, &[level.cast_unsigned()])
    }

    /// The bounded codec without loss.
    #[must_use]
    pub fn bounded_exact() -> Self {
        Self::filter(Bounded::FILTER_ID, &[])
    }

    /// The bounded codec: no pixel is off by more than so many counts.
    #[must_use]
    pub fn bounded_absolute(counts: u32) -> Self {
        Self::filter(Bounded::FILTER_ID, &[1, counts])
    }

    /// The bounded codec: no pixel is off by more than so much, of float32 or, rounded down, of integers.
    #[must_use]
    pub fn bounded_absolute_float(error: f64) -> Self {
        Self::filter(Bounded::FILTER_ID, &parameters::absolute_float(error))
    }

    /// The bounded codec for float32: no pixel is off by more than this share of the greatest finite value of its chunk minus the least.
    #[must_use]
    pub fn bounded_relative(share: f64) -> Self {
        Self::filter(Bounded::FILTER_ID, &parameters::relative(share))
    }

    /// The bounded codec for photon counters: no pixel is off by more than `beta` / 2 standard deviations, `beta` a fraction. A
    /// detector with gain, offset and read noise has more parameters: [`filter`](Self::filter) takes them.
    #[must_use]
    pub fn bounded_noise(beta: (u16, u16)) -> Self {
        Self::filter(Bounded::FILTER_ID, &[2, beta.0.into(), beta.1.into()])
    }
}
