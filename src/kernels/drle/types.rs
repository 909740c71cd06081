//! What is done to a frame, and what became of it.

use crate::{Error, Result};

/// The most pixels one run token stands for.
pub const MAX_RUN_PIXELS: usize = 1 << 15;

/// The largest threshold: a bright pixel must fit a stream.
pub const MAX_THRESHOLD: u16 = super::exceptions::MAX_TOKEN;

/// The most bytes that the stream of `n_pixels` pixels takes.
#[must_use]
pub fn max_encoded_len(n_pixels: usize) -> usize {
    n_pixels.saturating_mul(2)
}

/// What is done to a pixel before it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Correction<'a, P> {
    /// The dark image, as long as the frame.
    pub dark: Option<&'a [P]>,
    /// The least value that is kept, 1 to [`MAX_THRESHOLD`]. A DRLE stream needs one; [`correct`](super::correct()) can do without.
    pub threshold: Option<u16>,
}

impl<P> Correction<'_, P> {
    /// A threshold and no dark image.
    #[must_use]
    pub fn threshold(threshold: u16) -> Self {
        Self { dark: None, threshold: Some(threshold) }
    }
}

/// What became of a frame's pixels. Exact, and the same on every level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Pixels stored with a value other than 0, but for sentinels.
    pub n_bright: u64,
    /// Pixels whose difference to the dark image was not 0 and that are stored as 0.
    pub n_zeroed: u64,
    /// The sum of those differences: what was lost.
    pub zeroed_sum: i64,
    /// Pixels not zeroed whose difference does not fit the pixel type, stored as the nearest value that does.
    pub n_saturated: u64,
    /// Pixels that are no measurements, of [values](super::Sentinels) that are kept as they are. They are in no other number.
    pub n_sentinels: u64,
}

impl std::ops::AddAssign for FrameCounts {
    fn add_assign(&mut self, other: Self) {
        self.n_bright += other.n_bright;
        self.n_zeroed += other.n_zeroed;
        self.zeroed_sum += other.zeroed_sum;
        self.n_saturated += other.n_saturated;
        self.n_sentinels += other.n_sentinels;
    }
}

/// A frame's stream is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of the stream, at the front of the output.
    pub n_bytes: usize,
    /// What became of the pixels.
    pub counts: FrameCounts,
}

pub(super) fn check<P>(n_pixels: usize, correction: &Correction<'_, P>, sum: Option<&[u32]>) -> Result<()> {
    if let Some(threshold) = correction.threshold {
        check_threshold(threshold)?;
    }
    if let Some(dark) = correction.dark {
        check_len::<P>("the dark image", n_pixels, dark.len())?;
    }
    sum.map_or(Ok(()), |sum| check_len::<u32>("the sum image", n_pixels, sum.len()))
}

pub(super) fn check_threshold(threshold: u16) -> Result<()> {
    if (1..=MAX_THRESHOLD).contains(&threshold) {
        return Ok(());
    }
    Err(Error::Argument(format!("the threshold is {threshold}: give one from 1 to {MAX_THRESHOLD}")))
}

pub(super) fn check_len<T>(what: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::BufferSize { what, expected: expected * size_of::<T>(), found: found * size_of::<T>() })
}
