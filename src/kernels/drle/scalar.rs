//! The specification: every pixel on its own.

use super::exceptions::{Kind, MAX_TOKEN, Sentinels};
use super::pixel::Pixel;
use super::types::{FrameCounts, MAX_THRESHOLD};
use crate::{Error, Result};

/// What is stored for a pixel.
pub(super) fn stored<P: Pixel>(pixel: P, dark: P, threshold: Option<u16>) -> P {
    let difference = pixel.widen() - dark.widen();
    match threshold {
        Some(threshold) if difference < i32::from(threshold) => P::default(),
        _ => P::nearest(difference),
    }
}

/// What makes a pixel an exception, if something does, and what is stored for it.
#[inline]
pub(super) fn exception<P: Pixel>(pixel: P, dark: P, threshold: u16, sentinels: &Sentinels) -> Option<(Kind, P)> {
    let bits = pixel.to_bits();
    if sentinels.contains(bits) {
        return Some((Kind::Sentinel(bits), pixel));
    }
    let stored = stored(pixel, dark, Some(threshold));
    (stored.widen() > MAX_TOKEN.into()).then_some((Kind::Wide, stored))
}

/// What `n` exceptions count as.
pub(super) fn count_exceptions(kind: Kind, n: usize) -> FrameCounts {
    match kind {
        Kind::Sentinel(_) => FrameCounts { n_sentinels: n as u64, ..FrameCounts::default() },
        Kind::Wide => FrameCounts { n_bright: n as u64, ..FrameCounts::default() },
    }
}

/// What became of a pixel.
pub(super) fn count<P: Pixel>(pixel: P, dark: P, threshold: Option<u16>) -> FrameCounts {
    let difference = pixel.widen() - dark.widen();
    let stored = stored(pixel, dark, threshold).widen();
    let is_zeroed = stored == 0 && difference != 0;
    FrameCounts {
        n_bright: (stored != 0).into(),
        n_zeroed: is_zeroed.into(),
        zeroed_sum: if is_zeroed { difference.into() } else { 0 },
        n_saturated: (!is_zeroed && stored != 0 && stored != difference).into(),
        n_sentinels: 0,
    }
}

/// What became of the pixels of a strip; `dark` is as long, or `None`.
pub(super) fn count_strip<P: Pixel>(strip: &[P], dark: Option<&[P]>, threshold: Option<u16>) -> FrameCounts {
    let mut counts = FrameCounts::default();
    for (at, pixel) in strip.iter().enumerate() {
        counts += count(*pixel, dark.map_or(P::default(), |dark| dark[at]), threshold);
    }
    counts
}

/// Refuses a stored pixel that a stream cannot hold.
pub(super) fn fits_stream<P: Pixel>(stored: P, pixel: usize) -> Result<()> {
    if stored.widen() <= i32::from(MAX_THRESHOLD) {
        return Ok(());
    }
    Err(Error::TooBright { pixel, value: stored.widen().into() })
}

/// Writes what is stored for a strip.
pub(super) fn correct<P: Pixel>(strip: &[P], dark: Option<&[P]>, threshold: Option<u16>, out: &mut [P]) {
    for (at, (pixel, out)) in strip.iter().zip(out).enumerate() {
        *out = stored(*pixel, dark.map_or(P::default(), |dark| dark[at]), threshold);
    }
}

/// Adds stored pixels to the sum.
pub(super) fn add<P: Pixel>(stored: &[P], sum: &mut [u32]) {
    for (stored, sum) in stored.iter().zip(sum) {
        *sum = sum.wrapping_add(stored.widen().cast_unsigned());
    }
}
