//! The structs of the header, and what they mean to the core.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::time::Duration;

use darkchunk_core::Threads;
use darkchunk_core::chunk::FrameElement;
use darkchunk_core::chunk::{ChunkShape, Compression, Filter};
use darkchunk_core::codec::ChunkLayout;
use darkchunk_core::element::{Element as _, ElementType};
use darkchunk_core::kernels::drle::FrameCounts;
use darkchunk_hdf5::{Flush, Processing, Summary};

use crate::status::{Failure, reference, slice};

/// `dc_chunk`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Chunk {
    size: usize,
    pub(crate) element: c_int,
    filter: u32,
    values: *const u32,
    n_values: usize,
    n_frames: usize,
    height: usize,
    width: usize,
}

/// `dc_processing`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct CProcessing {
    size: usize,
    dark: *const c_void,
    threshold: u32,
    no_sum: c_int,
    flush_frames: u64,
    flush_seconds: f64,
    n_threads: usize,
}

/// `dc_counts`
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Counts {
    n_bright: u64,
    n_zeroed: u64,
    zeroed_sum: i64,
    n_saturated: u64,
    n_sentinels: u64,
}

/// `dc_summary`
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct CSummary {
    n_pushed: u64,
    n_stored: u64,
    n_flushed: u64,
    stored_bytes: u64,
    n_counted: u64,
    counts: Counts,
}

impl From<FrameCounts> for Counts {
    fn from(counts: FrameCounts) -> Self {
        let FrameCounts { n_bright, n_zeroed, zeroed_sum, n_saturated, n_sentinels, .. } = counts;
        Self { n_bright, n_zeroed, zeroed_sum, n_saturated, n_sentinels }
    }
}

impl From<Summary> for CSummary {
    fn from(summary: Summary) -> Self {
        let Summary { n_pushed, n_stored, n_flushed, stored_bytes, counts, n_counted, .. } = summary;
        Self { n_pushed, n_stored, n_flushed, stored_bytes, n_counted, counts: counts.into() }
    }
}

/// A chunk as the core knows it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) element: ElementType,
    pub(crate) shape: ChunkShape,
    pub(crate) layout: ChunkLayout,
    pub(crate) compression: Compression,
}

impl Plan {
    /// Reads a `dc_chunk`.
    ///
    /// # Safety
    /// `chunk` is null or a `dc_chunk` whose `values` are `n_values`.
    pub(crate) unsafe fn read(chunk: *const Chunk) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        let chunk = unsafe { reference(chunk, "chunk") }?;
        check_size(chunk.size, size_of::<Chunk>(), "dc_chunk")?;
        // SAFETY: the caller's promise.
        let values = unsafe { slice(chunk.values, chunk.n_values, "chunk.values") }?;
        let element = element_type(chunk.element)?;
        let shape = ChunkShape { n_frames: chunk.n_frames, height: chunk.height, width: chunk.width };
        let layout = shape.layout(element)?;
        let filter = (chunk.filter != 0).then_some(chunk.filter);
        Ok(Self { element, shape, layout, compression: Compression { filter, values: values.to_vec() } })
    }

    /// The filter with the parameters that are stored for such chunks, and those; `None` where there is no filter.
    pub(crate) fn filter(&self) -> Result<Option<(Filter, Vec<u32>)>, Failure> {
        let Some(id) = self.compression.filter else { return Ok(None) };
        let values = Filter::localise(id, &self.compression.values, &self.layout)?;
        Ok(Some((Filter::from_cd_values(id, &values)?, values)))
    }

    /// Bytes of the decoded chunk.
    pub(crate) fn n_bytes(&self) -> usize {
        self.shape.chunk_pixels() * self.element.n_bytes
    }
}

pub(crate) fn check_size(found: usize, expected: usize, what: &str) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(Failure::Argument(format!(
        "{what}.size is {found}, sizeof({what}) is {expected}: set it, best with its INIT macro"
    )))
}

fn element_type(code: c_int) -> Result<ElementType, Failure> {
    Ok(match code {
        1 => i8::TYPE,
        2 => u8::TYPE,
        3 => i16::TYPE,
        4 => u16::TYPE,
        5 => i32::TYPE,
        6 => u32::TYPE,
        _ => return Err(Failure::Argument(format!("{code} is no dc_element"))),
    })
}

/// Reads a `dc_processing`; null is the default.
///
/// # Safety
/// `processing` is null or a `dc_processing` whose `dark` is null or refers to `n_pixels` elements.
pub(crate) unsafe fn processing<P: FrameElement>(
    processing: *const CProcessing,
    n_pixels: usize,
) -> Result<Processing<P>, Failure> {
    if processing.is_null() {
        return Ok(Processing::default());
    }
    // SAFETY: the caller's promise.
    let given = unsafe { reference(processing, "processing") }?;
    check_size(given.size, size_of::<CProcessing>(), "dc_processing")?;
    let dark = if given.dark.is_null() {
        None
    } else {
        // SAFETY: the caller's promise.
        Some(unsafe { slice(given.dark.cast::<P>(), n_pixels, "processing.dark") }?.into())
    };
    let threshold = match u16::try_from(given.threshold) {
        Ok(0) => None,
        Ok(threshold) => Some(threshold),
        Err(_) => {
            return Err(Failure::Argument(format!("the threshold is {}: give one from 1 to 32767", given.threshold)));
        }
    };
    let exec = Threads::new(given.n_threads).into();
    Ok(Processing { dark, threshold, sum: size_of::<P>() == 2 && given.no_sum == 0, exec })
}

/// When a `dc_processing` has the file flushed.
///
/// # Safety
/// `processing` is null or a `dc_processing`.
pub(crate) unsafe fn flush(processing: *const CProcessing) -> Result<Flush, Failure> {
    if processing.is_null() {
        return Ok(Flush::default());
    }
    // SAFETY: the caller's promise.
    let given = unsafe { reference(processing, "processing") }?;
    check_size(given.size, size_of::<CProcessing>(), "dc_processing")?;
    let interval = match given.flush_seconds {
        0.0 => Flush::default().interval,
        // Longer than there is a time for is never.
        seconds if seconds > 0.0 => Duration::try_from_secs_f64(seconds).ok(),
        seconds => {
            let what = "give seconds, 0 for a flush every second, or DC_FLUSH_NEVER";
            return Err(Failure::Argument(format!("processing.flush_seconds is {seconds}: {what}")));
        }
    };
    Ok(Flush { frames: (given.flush_frames > 0).then_some(given.flush_frames), interval })
}
