//! The filter parameters of DRLE: what callers give, what is stored.

use super::{Drle, Mode, PixelType};
use crate::codec::ChunkLayout;
use crate::kernels::drle::{MAX_SENTINELS, MAX_THRESHOLD, Sentinels};
use crate::{Error, Result};

/// The version of the parameters in slot 3 where sentinels are the usual ones.
const VERSION: u32 = 1;

/// The version where they are not.
const VERSION_WITH_SENTINELS: u32 = 2;

/// The version where containers are packed: all slots are there, or those of version 1.
const VERSION_PACKED: u32 = 3;

/// The fill value where it is a sentinel, the number of named sentinels, the first of these.
const FILL: usize = 7;
const N_NAMED: usize = 8;
const NAMED: usize = 9;

/// The most sentinels that can be named.
pub const MAX_NAMED_SENTINELS: usize = MAX_SENTINELS - 1;

/// What a caller decides, and what of it is stored as it is.
struct Asked {
    threshold: Option<u16>,
    mode: Mode,
    segment_pixels: u32,
    named: Sentinels,
    fill: Option<u16>,
}

pub(super) fn localise(cd_values: &[u32], layout: &ChunkLayout) -> Result<Vec<u32>> {
    if cd_values.is_empty() {
        return Err(Error::Argument("DRLE needs its threshold, 1 to 32767, in cd_values[0]".into()));
    }
    // A layout may be wrong in other ways, but what a caller gives is said first.
    let element = PixelType::try_from(layout.element);
    let cd_values = without_end(cd_values)?;
    let asked = asked(cd_values, element.as_ref().ok().copied())?;
    if layout.resized_before {
        return Err(Error::Argument("DRLE takes pixels: it must be the first filter of the dataset".into()));
    }
    let element = element?;
    let chunk_bytes = layout.chunk_bytes()?;
    let segment_pixels = match asked.segment_pixels {
        // The product of some of the dimensions is at most that of all, unless one of the others is 0.
        0 => layout.dims[layout.dims.len().saturating_sub(2)..].iter().product::<u64>().min(u64::from(chunk_bytes / 2)),
        n_pixels => n_pixels.into(),
    };
    let slot = |at: usize| cd_values.get(at).copied().unwrap_or(0);
    let mut values = vec![
        slot(0),
        slot(1),
        slot(2),
        VERSION,
        element.code().into(),
        u32::try_from(segment_pixels).unwrap_or(u32::MAX).max(1),
        chunk_bytes,
    ];
    let fill = match layout.fill {
        // The lowest bits are all that a pixel has.
        Some(fill) => Some(fill as u16).filter(|fill| asked.loses(*fill, element)),
        None => asked.fill,
    };
    if asked.mode == Mode::Packed {
        values[3] = VERSION_PACKED;
    }
    if fill.is_some() || asked.named != Sentinels::NONE {
        values[3] = values[3].max(VERSION_WITH_SENTINELS);
        values.extend([fill.map_or(0, u32::from), asked.named.values().len() as u32]);
        values.extend(asked.named.values().iter().map(|value| u32::from(*value)));
    }
    Ok(values)
}

pub(super) fn read(cd_values: &[u32]) -> Result<Drle> {
    // A dataset that was made where no plugin was found has what its maker gave: zeros after the values mean nothing there.
    let cd_values = given(cd_values).unwrap_or(cd_values);
    let slot = |at: usize| cd_values.get(at).copied();
    let refused = |index, what| Err(refusal(cd_values, index, what));
    let element = slot(4).map(PixelType::from_code);
    let asked = asked(cd_values, element.flatten())?;
    if element == Some(None) {
        return refused(4, "no such element type");
    }
    let segment_pixels = match slot(5) {
        Some(0) => return refused(5, "a segment must have pixels"),
        Some(n_pixels) => Some(n_pixels),
        None => Some(asked.segment_pixels).filter(|n_pixels| *n_pixels > 0),
    };
    if slot(6).is_some_and(|n_bytes| n_bytes % 2 != 0) {
        return refused(6, "a chunk of 16-bit pixels has an even number of bytes");
    }
    Ok(Drle {
        threshold: asked.threshold,
        mode: asked.mode,
        asked_segment_pixels: asked.segment_pixels,
        element: element.flatten(),
        segment_pixels,
        chunk_bytes: slot(6).filter(|n_bytes| *n_bytes > 0),
        named: asked.named,
        fill: asked.fill,
    })
}

/// The values in the first three slots, where there is nothing but zeros after them, not even a version.
fn given(cd_values: &[u32]) -> Option<&[u32]> {
    let (given, rest) = cd_values.split_at(cd_values.len().min(3));
    rest.iter().all(|value| *value == 0).then_some(given)
}

/// What a caller gives without the zeros after it, which mean nothing; anything else there is refused.
fn without_end(cd_values: &[u32]) -> Result<&[u32]> {
    let is_zero = |value: &u32| *value == 0;
    if let Some(given) = given(cd_values) {
        return Ok(given);
    }
    let end = match cd_values[3] {
        VERSION => FILL,
        // A number that is too large is refused for itself.
        VERSION_WITH_SENTINELS | VERSION_PACKED => {
            NAMED.saturating_add(cd_values.get(N_NAMED).map_or(0, |n| *n as usize))
        }
        _ => cd_values.len(),
    };
    match cd_values.iter().skip(end).position(|value| !is_zero(value)) {
        Some(past_end) => Err(refusal(
            cd_values,
            end + past_end,
            "DRLE takes [threshold, mode, segment]; sentinels are named with version 2 in cd_values[3]",
        )),
        None => Ok(&cd_values[..end.min(cd_values.len())]),
    }
}

fn refusal(cd_values: &[u32], index: usize, what: &'static str) -> Error {
    Error::Parameter { index, value: cd_values[index], what }
}

/// What the caller's slots say, of a dataset whose element type may not be known.
fn asked(cd_values: &[u32], element: Option<PixelType>) -> Result<Asked> {
    let slot = |at: usize| cd_values.get(at).copied();
    let refused = |index, what| refusal(cd_values, index, what);
    let version = slot(3).unwrap_or(VERSION);
    if !(VERSION..=VERSION_PACKED).contains(&version) {
        return Err(refused(3, "these are DRLE parameters of another version: use a newer darkchunk"));
    }
    let threshold = slot(0).map(|value| match u16::try_from(value) {
        Ok(threshold @ 1..=MAX_THRESHOLD) => Ok(threshold),
        _ => Err(refused(0, "the threshold must be from 1 to 32767")),
    });
    let mode = match slot(1).unwrap_or(0) {
        0 => Mode::Container,
        1 => Mode::Bare,
        2 => Mode::Packed,
        _ => return Err(refused(1, "the mode must be 0 (container), 1 (bare stream) or 2 (packed container)")),
    };
    if version == VERSION_PACKED && mode != Mode::Packed {
        return Err(refused(3, "version 3 is that of mode 2 (packed container)"));
    }
    let (fill, named) =
        if version >= VERSION_WITH_SENTINELS { sentinels(cd_values, element)? } else { (None, Sentinels::NONE) };
    if mode == Mode::Bare && (fill.is_some() || named != Sentinels::NONE) {
        return Err(refused(1, "a bare stream has no sentinels: give mode 0 (container)"));
    }
    Ok(Asked { threshold: threshold.transpose()?, mode, segment_pixels: slot(2).unwrap_or(0), named, fill })
}

/// The fill value where it is a sentinel, and the sentinels that are named.
fn sentinels(cd_values: &[u32], element: Option<PixelType>) -> Result<(Option<u16>, Sentinels)> {
    let bits = |index: usize| pixel_bits(cd_values, index, element);
    let fill = if cd_values.len() > FILL { Some(bits(FILL)?).filter(|fill| *fill != 0) } else { None };
    let n_named = cd_values.get(N_NAMED).map_or(0, |n| *n as usize);
    if n_named > MAX_NAMED_SENTINELS {
        return Err(refusal(cd_values, N_NAMED, "at most 7 sentinels can be named"));
    }
    if cd_values.len() < NAMED + n_named && n_named > 0 {
        return Err(refusal(cd_values, N_NAMED, "there are fewer sentinels after it"));
    }
    let mut named = Vec::new();
    for index in NAMED..NAMED + n_named {
        match bits(index)? {
            0 => return Err(refusal(cd_values, index, "0 is kept as 0 anyway: leave it out")),
            value => named.push(value),
        }
    }
    Ok((fill, Sentinels::new(named)?))
}

/// The bits of a pixel: its value, or, where that is negative, its two's complement with 16 or with 32 bits.
fn pixel_bits(cd_values: &[u32], index: usize, element: Option<PixelType>) -> Result<u16> {
    let (value, is_signed) = (cd_values[index], element.is_none_or(PixelType::is_signed));
    let is_negative = is_signed && i16::try_from(value.cast_signed()).is_ok();
    match u16::try_from(value) {
        Ok(bits) => Ok(bits),
        Err(_) if is_negative => Ok(value as u16),
        Err(_) => Err(refusal(cd_values, index, "it is no pixel of 16 bits")),
    }
}

impl Asked {
    /// Whether a pixel of these bits would not be stored as it is.
    fn loses(&self, bits: u16, element: PixelType) -> bool {
        let value = if element.is_signed() { i32::from(bits.cast_signed()) } else { i32::from(bits) };
        let is_dark = self.threshold.is_some_and(|threshold| value < threshold.into());
        self.mode != Mode::Bare && value != 0 && (is_dark || value > MAX_THRESHOLD.into())
    }
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
            Mode::Packed => 2,
        };
        let threshold = self.threshold.map_or(0, u32::from);
        let mut values = vec![threshold, mode, self.asked_segment_pixels];
        if self.fill.is_some() || self.named != Sentinels::NONE {
            values.extend([VERSION_WITH_SENTINELS, 0, 0, 0, self.fill.map_or(0, u32::from)]);
            values.push(self.named.values().len() as u32);
            values.extend(self.named.values().iter().map(|value| u32::from(*value)));
        }
        localise(&values, layout)
    }
}
