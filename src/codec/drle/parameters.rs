//! The filter parameters of DRLE: what callers give, what is stored.

use super::{Drle, Mode, PixelType};
use crate::codec::ChunkLayout;
use crate::kernels::dark::MAX_THRESHOLD;
use crate::{Error, Result};

/// The version of the parameters in slot 3.
const PARAMETER_VERSION: u32 = 1;

pub(super) fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
    if cd_values.is_empty() {
        return Err(Error::Unsupported("DRLE needs its threshold, 1 to 32767, in cd_values[0]".into()));
    }
    let asked = read(&cd_values[..cd_values.len().min(4)])?;
    if layout.resized_before {
        return Err(Error::Unsupported("DRLE takes pixels: it must be the first filter of the dataset".into()));
    }
    let element = PixelType::try_from(layout.element)?;
    let chunk_bytes = layout.chunk_bytes()?;
    let segment_pixels = match asked.asked_segment_pixels {
        // The product of some of the dimensions is at most that of all, unless one of the others is 0.
        0 => layout.dims[layout.dims.len().saturating_sub(2)..].iter().product::<u64>().min(u64::from(chunk_bytes / 2)),
        n_pixels => n_pixels.into(),
    };
    let slot = |at: usize| cd_values.get(at).copied().unwrap_or(0);
    Ok(vec![
        slot(0),
        slot(1),
        slot(2),
        PARAMETER_VERSION,
        element.code().into(),
        u32::try_from(segment_pixels).unwrap_or(u32::MAX).max(1),
        chunk_bytes,
    ])
}

pub(super) fn read(cd_values: &[u32]) -> Result<Drle> {
    let refused = |index: usize, what| Error::Parameter { index, value: cd_values[index], what };
    let slot = |at: usize| cd_values.get(at).copied();
    if slot(3).is_some_and(|version| version != PARAMETER_VERSION) {
        return Err(refused(3, "these are DRLE parameters of another version: use a newer darkchunk"));
    }
    let threshold = slot(0).map(|value| match u16::try_from(value) {
        Ok(threshold @ 1..=MAX_THRESHOLD) => Ok(threshold),
        _ => Err(refused(0, "the threshold must be from 1 to 32767")),
    });
    let mode = match slot(1).unwrap_or(0) {
        0 => Mode::Container,
        1 => Mode::Bare,
        _ => return Err(refused(1, "the mode must be 0 (container) or 1 (bare stream)")),
    };
    let element = slot(4).map(|code| PixelType::from_code(code).ok_or_else(|| refused(4, "no such element type")));
    let asked_segment_pixels = slot(2).unwrap_or(0);
    let segment_pixels = match slot(5) {
        Some(0) => return Err(refused(5, "a segment must have pixels")),
        Some(n_pixels) => Some(n_pixels),
        None => Some(asked_segment_pixels).filter(|n_pixels| *n_pixels > 0),
    };
    if slot(6).is_some_and(|n_bytes| n_bytes % 2 != 0) {
        return Err(refused(6, "a chunk of 16-bit pixels has an even number of bytes"));
    }
    Ok(Drle {
        threshold: threshold.transpose()?,
        mode,
        asked_segment_pixels,
        element: element.transpose()?,
        segment_pixels,
        chunk_bytes: slot(6).filter(|n_bytes| *n_bytes > 0),
    })
}

impl Drle {
    /// The exact values that are stored for a dataset with chunks of this layout.
    ///
    /// # Errors
    /// As [`localise`](crate::codec::Codec::localise).
    pub fn cd_values(&self, layout: &ChunkLayout) -> Result<Vec<u32>> {
        let mode = match self.mode {
            Mode::Container => 0,
            Mode::Bare => 1,
        };
        let threshold = self.threshold.map_or(0, u32::from);
        localise(&[threshold, mode, self.asked_segment_pixels], layout)
    }
}
