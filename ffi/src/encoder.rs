//! `dc_encoder`: chunk after chunk, in the same memory; with DRLE without copying a frame.

use std::ffi::c_void;

use darkchunk_core::Error;
use darkchunk_core::chunk::{self, ChunkEncoder, Sum};
use darkchunk_core::cpu::Level;
use darkchunk_core::frame::Element;
use darkchunk_core::kernels::dark::{Correction, FrameCounts};

use crate::element::{frames_of, with_element};
use crate::status::{Failure, Status, guard, reference, reference_mut, set, slice};
use crate::types::{CProcessing, Chunk, Counts, Plan, processing};

/// `dc_encoder`
pub(crate) struct Encoder(Box<dyn Frames>);

/// An encoder of some element type.
trait Frames: Send {
    /// # Safety
    /// Each strip is as many elements as `lens` says.
    unsafe fn push(&mut self, strips: &[*const c_void], lens: &[usize]) -> Result<(), Failure>;
    /// # Safety
    /// `frame` is a whole frame.
    unsafe fn push_frame(&mut self, frame: *const c_void) -> Result<(), Failure>;
    /// # Safety
    /// Each of `frames` is a whole frame.
    unsafe fn push_frames(&mut self, frames: &[*const c_void]) -> Result<(), Failure>;
    fn chunk(&mut self) -> Result<&[u8], Failure>;
    fn clear(&mut self);
    fn n_frames(&self) -> usize;
    fn counts(&self) -> FrameCounts;
    fn sum(&mut self) -> Option<&[i64]>;
}

struct Typed<P> {
    encoder: ChunkEncoder<P>,
    n_pixels: usize,
    dark: Option<Vec<P>>,
    threshold: Option<u16>,
    sum: Option<Sum>,
    counts: FrameCounts,
}

impl<P: Element> Typed<P> {
    /// # Safety
    /// `with` is as `darkchunk.h` says.
    unsafe fn new(plan: &Plan, with: *const CProcessing) -> Result<Self, Failure> {
        let n_pixels = plan.shape.frame_pixels();
        // SAFETY: the caller's promise.
        let with = unsafe { processing::<P>(with, n_pixels) }?;
        let filter = plan.filter()?.map(|(filter, _)| filter);
        let threshold = chunk::threshold(with.threshold, filter.as_ref())?;
        let sum = with.sum.then(|| Sum::new::<P>(n_pixels));
        let encoder = ChunkEncoder::new(Level::current(), plan.shape, filter)?.with_threads(with.threads);
        Ok(Self { encoder, n_pixels, dark: with.dark, threshold, sum, counts: FrameCounts::default() })
    }

    /// Adds `n_frames` in one of the encoder's ways.
    fn add(
        &mut self,
        n_frames: usize,
        push: impl FnOnce(&mut ChunkEncoder<P>, &Correction<'_, P>, Option<&mut [u32]>) -> Result<FrameCounts, Error>,
    ) -> Result<(), Failure> {
        let correction = Correction { dark: self.dark.as_deref(), threshold: self.threshold };
        let sum = self.sum.as_mut().map(|sum| sum.partial_mut(n_frames));
        let counts = push(&mut self.encoder, &correction, sum)?;
        if let Some(sum) = &mut self.sum {
            sum.added(n_frames);
        }
        self.counts += counts;
        Ok(())
    }
}

impl<P: Element> Frames for Typed<P> {
    unsafe fn push(&mut self, strips: &[*const c_void], lens: &[usize]) -> Result<(), Failure> {
        let strips: Vec<&[P]> = strips
            .iter()
            .zip(lens)
            .map(|(strip, len)| {
                // SAFETY: the caller's promise.
                unsafe { slice(strip.cast::<P>(), *len, "strips[…]") }
            })
            .collect::<Result<_, _>>()?;
        self.add(1, |encoder, correction, sum| encoder.push(&strips, correction, sum))
    }

    unsafe fn push_frame(&mut self, frame: *const c_void) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frame = unsafe { slice(frame.cast::<P>(), self.n_pixels, "frame") }?;
        self.add(1, |encoder, correction, sum| encoder.push(&[frame], correction, sum))
    }

    unsafe fn push_frames(&mut self, frames: &[*const c_void]) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frames = unsafe { frames_of::<P>(frames, self.n_pixels) }?;
        for frames in frames.chunks(Sum::MOST_FRAMES) {
            let at_once =
                self.add(frames.len(), |encoder, correction, sum| encoder.push_frames(frames, correction, sum));
            if at_once.is_err() {
                // One of them is refused: which one, and the failure, is found one by one.
                for frame in frames {
                    self.add(1, |encoder, correction, sum| encoder.push(&[frame], correction, sum))?;
                }
            }
        }
        Ok(())
    }

    fn chunk(&mut self) -> Result<&[u8], Failure> {
        Ok(self.encoder.encode()?)
    }

    fn clear(&mut self) {
        self.encoder.clear();
    }

    fn n_frames(&self) -> usize {
        self.encoder.n_frames()
    }

    fn counts(&self) -> FrameCounts {
        self.counts
    }

    fn sum(&mut self) -> Option<&[i64]> {
        self.sum.as_mut().map(Sum::total)
    }
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
        if encoder.is_null() {
            return Err(Failure::Null("encoder"));
        }
        // SAFETY: `chunk` was read.
        let element = unsafe { (*chunk).element };
        let frames: Box<dyn Frames> = with_element!(element, P => {
            // SAFETY: promised by the caller.
            unsafe { Typed::<P>::new(&plan, with) }.map(|typed| Box::new(typed) as Box<dyn Frames>)
        })?;
        // SAFETY: promised by the caller.
        unsafe { set(encoder, Box::into_raw(Box::new(Encoder(frames))), "encoder") }
    })
}

/// Takes a frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_push(encoder: *mut Encoder, frame: *const c_void) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let encoder = unsafe { reference_mut(encoder, "encoder") }?;
        // SAFETY: promised by the caller.
        unsafe { encoder.0.push_frame(frame) }
    })
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
    guard(|| {
        // SAFETY: promised by the caller.
        let encoder = unsafe { reference_mut(encoder, "encoder") }?;
        // SAFETY: promised by the caller.
        let frames = unsafe { slice(frames, n_frames, "frames") }?;
        // SAFETY: promised by the caller.
        unsafe { encoder.0.push_frames(frames) }
    })
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
    guard(|| {
        // SAFETY: promised by the caller.
        let encoder = unsafe { reference_mut(encoder, "encoder") }?;
        // SAFETY: promised by the caller.
        let strips = unsafe { slice(strips, n_strips, "strips") }?;
        // SAFETY: promised by the caller.
        let lens = unsafe { slice(strip_pixels, n_strips, "strip_pixels") }?;
        // SAFETY: promised by the caller.
        unsafe { encoder.0.push(strips, lens) }
    })
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
        if bytes.is_null() || n_bytes.is_null() {
            return Err(Failure::Null("bytes or n_bytes"));
        }
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
    guard(|| {
        // SAFETY: promised by the caller.
        let encoder = unsafe { reference_mut(encoder, "encoder") }?;
        if sum.is_null() || n_pixels.is_null() {
            return Err(Failure::Null("sum or n_pixels"));
        }
        let total = encoder.0.sum().ok_or_else(|| Failure::Argument("this encoder keeps no sum".into()))?;
        // SAFETY: promised by the caller.
        unsafe { set(sum, total.as_ptr(), "sum") }?;
        // SAFETY: promised by the caller.
        unsafe { set(n_pixels, total.len(), "n_pixels") }
    })
}

/// Ends an encoder.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encoder_free(encoder: *mut Encoder) {
    if !encoder.is_null() {
        guard(|| {
            // SAFETY: made by `dc_encoder_new`, and not used again.
            drop(unsafe { Box::from_raw(encoder) });
            Ok(())
        });
    }
}
