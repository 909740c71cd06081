//! The noise of a detector, measured from the frames of a dataset, or from frames in memory.

use darkchunk::element::{ElementClass, ElementType};
use darkchunk_metrics::Transfer;
pub use darkchunk_metrics::{Measured, NoiseModel, Point, Rules, Shape};

use crate::compare::frames::{Frames, Stored, for_element, order};
use crate::{Error, Reader, Result};

/// Which frames are looked at.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which pixels count. `None`: of unsigned elements not those with all bits set, of `int32` not those below 0.
    pub rules: Option<Rules>,
    /// The first frame.
    pub first: u64,
    /// As many frames as there are after it, but at most so many.
    pub n_frames: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rules: None, first: 0, n_frames: 100 }
    }
}

/// Measures the noise of frames that follow each other in a dataset, the last two axes of which are a frame.
///
/// # Errors
/// [`Error::Argument`] for elements that are no integers of up to 32 bits, and where the frames say nothing: fewer than three, or
/// nothing that varies; what cannot be read.
pub fn of_dataset(reader: Reader, name: &str, options: &Options, progress: &mut dyn FnMut(u64)) -> Result<Measured> {
    let frames = Frames::new(reader, name)?;
    let element = frames.reader.element();
    for_element!(element, read(&frames, element, options, progress))
}

fn read<P: Stored>(
    frames: &Frames,
    element: ElementType,
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Measured> {
    let mut transfer = transfer(frames.shape, element, options.rules.clone())?;
    let (mut bytes, mut pixels) = (darkchunk::pipeline::buffer(frames.frame_bytes())?, Vec::new());
    let end = options.first.saturating_add(options.n_frames).min(frames.n_frames);
    for number in options.first..end {
        frames.read(number, &mut bytes)?;
        P::read(&bytes, order(element), &mut pixels);
        transfer.add(&pixels).map_err(setting)?;
        progress(bytes.len() as u64);
    }
    let mut measured = transfer.measure().map_err(setting)?;
    if let Some(filter) = frames.reader.lossy_filter() {
        measured.doubts.push(format!(
            "the dataset was stored with loss ({filter}): what that added, or took away, is in these numbers; measure data that were stored without loss"
        ));
    }
    Ok(measured)
}

/// Measures the noise of frames that follow each other in `bytes`.
///
/// # Errors
/// As [`of_dataset`]; [`Error::Argument`] for a part of a frame.
pub fn of_frames(bytes: &[u8], element: ElementType, shape: Shape, rules: Option<Rules>) -> Result<Measured> {
    for_element!(element, in_memory(bytes, element, shape, rules))
}

fn in_memory<P: Stored>(bytes: &[u8], element: ElementType, shape: Shape, rules: Option<Rules>) -> Result<Measured> {
    let mut transfer = transfer(shape, element, rules)?;
    let frames = bytes.chunks_exact(shape.n_pixels().saturating_mul(element.n_bytes));
    if !frames.remainder().is_empty() {
        return Err(Error::Argument(format!("{} bytes are no whole number of frames", bytes.len())));
    }
    let mut pixels = Vec::new();
    for frame in frames {
        P::read(frame, order(element), &mut pixels);
        transfer.add(&pixels).map_err(setting)?;
    }
    transfer.measure().map_err(setting)
}

fn transfer(shape: Shape, element: ElementType, rules: Option<Rules>) -> Result<Transfer> {
    Transfer::new(shape, rules.unwrap_or_else(|| usual_rules(element))).map_err(setting)
}

/// The pixels that count where nothing is said: not those that detectors mark: by all bits set in unsigned elements, by negative values in `int32`.
#[must_use]
pub fn usual_rules(element: ElementType) -> Rules {
    let is_signed = element.class == ElementClass::Signed;
    let has_all_bits = !is_signed && matches!(element.n_bytes, 2 | 4);
    Rules {
        sentinels: if has_all_bits { vec![(1 << (8 * element.n_bytes)) - 1] } else { Vec::new() },
        negative_is_masked: is_signed && element.n_bytes == 4,
        ..Rules::default()
    }
}

fn setting(error: darkchunk_metrics::Error) -> Error {
    Error::Argument(error.to_string())
}
