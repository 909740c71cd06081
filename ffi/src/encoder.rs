//! `dc_encoder`: chunk after chunk, in the same memory; with DRLE without copying a frame.

#![allow(unsafe_code)]

use std::ffi::c_void;

use darkchunk_core::chunk::FrameElement;
use darkchunk_core::chunk::FrameEncoder;
use darkchunk_core::kernels::drle::FrameCounts;

use crate::element::with_element;
use crate::frames::{self, Handle, Push};
use crate::status::{Failure, Status, free, guard, reference, reference_mut, require, set};
use crate::types::{CProcessing, Chunk, Counts, Plan, processing};

/// `dc_encoder`
pub(crate) struct Encoder(Box<dyn Chunks>);

impl Handle for Encoder {
    const NAME: &'static str = "encoder";

    fn frames(&mut self) -> &mut dyn Push {
        &mut *self.0
    }
}

/// An encoder of some element type.
trait Chunks: Push + Send {
    fn chunk(&mut self) -> Result<&[u8], Failure>;
    fn clear(&mut self);
    fn n_frames(&self) -> usize;
    fn counts(&self) -> FrameCounts;
}

impl<P: FrameElement> Chunks for FrameEncoder<P> {
    fn chunk(&mut self) -> Result<&[u8], Failure> {
        Ok(self.encode()?)
    }

    fn clear(&mut self) {
        FrameEncoder::clear(self);
    }

    fn n_frames(&self) -> usize {
        FrameEncoder::n_frames(self)
    }

    fn counts(&self) -> FrameCounts {
        self.totals().counts
    }
}

/// # Safety
/// `with` is as `darkchunk.h` says.
unsafe fn encoder<P: FrameElement>(plan: &Plan, with: *const CProcessing) -> Result<Box<dyn Chunks>, Failure> {
    // SAFETY: the caller's promise.
    let with = unsafe { processing::<P>(with, plan.shape.frame_pixels()) }?;
    let filter = plan.filter()?.map(|(filter, _)| filter);
    Ok(Box::new(FrameEncoder::new(plan.shape, filter, with)?))
}

/// Makes an encoder.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_new(
    chunk: *const Chunk,
    with: *const CProcessing,
    encoder: *mut *mut Encoder,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(chunk) }?;
        require(encoder, "encoder")?;
        // SAFETY: `chunk` was read.
        let element = unsafe { (*chunk).element };
        let chunks = with_element!(element, P => {
            // SAFETY: promised by the caller.
            unsafe { self::encoder::<P>(&plan, with) }
        })?;
        // SAFETY: promised by the caller.
        unsafe { set(encoder, Box::into_raw(Box::new(Encoder(chunks))), "encoder") }
    })
}

/// Takes a frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_push(encoder: *mut Encoder, frame: *const c_void) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push(encoder, frame) }
}

/// Takes several frames.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_push_frames(
    encoder: *mut Encoder,
    frames: *const *const c_void,
    n_frames: usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push_frames(encoder, frames, n_frames) }
}

/// Takes a frame that lies in several pieces.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_push_strips(
    encoder: *mut Encoder,
    strips: *const *const c_void,
    strip_pixels: *const usize,
    n_strips: usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push_strips(encoder, strips, strip_pixels, n_strips) }
}

/// The encoded chunk.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_chunk(
    encoder: *mut Encoder,
    bytes: *mut *const c_void,
    n_bytes: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let encoder = unsafe { reference_mut(encoder, "encoder") }?;
        require(bytes, "bytes")?;
        require(n_bytes, "n_bytes")?;
        let chunk = encoder.0.chunk()?;
        // SAFETY: promised by the caller.
        unsafe { set(bytes, chunk.as_ptr().cast(), "bytes") }?;
        // SAFETY: promised by the caller.
        unsafe { set(n_bytes, chunk.len(), "n_bytes") }
    })
}

/// Begins the next chunk.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_clear(encoder: *mut Encoder) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference_mut(encoder, "encoder") }?.0.clear();
        Ok(())
    })
}

/// Frames in the chunk.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_n_frames(encoder: *const Encoder, n_frames: *mut usize) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let n = unsafe { reference(encoder, "encoder") }?.0.n_frames();
        // SAFETY: promised by the caller.
        unsafe { set(n_frames, n, "n_frames") }
    })
}

/// What became of all pixels so far.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_counts(encoder: *const Encoder, counts: *mut Counts) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let found = unsafe { reference(encoder, "encoder") }?.0.counts();
        // SAFETY: promised by the caller.
        unsafe { set(counts, found.into(), "counts") }
    })
}

/// The sum of all frames so far.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_sum(
    encoder: *mut Encoder,
    sum: *mut *const i64,
    n_pixels: *mut usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::sum(encoder, sum, n_pixels) }
}

/// Ends an encoder.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_free(encoder: *mut Encoder) {
    // SAFETY: made by `dc_encoder_new`, and not used again.
    unsafe { free(encoder) };
}
