//! Whole chunks: parameters, bound, encode, decode.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use darkchunk_core::chunk::ChunkEncoder;
use darkchunk_core::chunk::FrameElement;
use darkchunk_core::kernels::drle::{Correction, FrameCounts};
use darkchunk_core::{Error, Threads, chunk::Filter};

use crate::element::with_element;
use crate::frames::frames_of;
use crate::status::{Failure, Status, guard, require, set, set_values, slice, slice_mut};
use crate::types::{CProcessing, Chunk, Counts, Plan, processing};

/// The parameters as they are to be stored.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_cd_values(
    chunk: *const Chunk,
    values: *mut u32,
    capacity: usize,
    n_values: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(chunk) }?;
        let found = plan.filter()?.map(|(_, values)| values).unwrap_or_default();
        // SAFETY: promised by the caller.
        unsafe { set_values(&found, values, capacity, n_values) }
    })
}

/// Bytes that are enough for any encoded chunk.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_max_encoded_len(chunk: *const Chunk, n_bytes: *mut usize) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(chunk) }?;
        let most = plan.filter()?.map_or(plan.n_bytes(), |(filter, _)| filter.max_encoded_len(plan.n_bytes()));
        // SAFETY: promised by the caller.
        unsafe { set(n_bytes, most, "n_bytes") }
    })
}

/// Encodes one chunk from an array of frames.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_encode_chunk(
    chunk: *const Chunk,
    with: *const CProcessing,
    frames: *const *const c_void,
    n_frames: usize,
    sum: *mut u32,
    dst: *mut c_void,
    dst_len: usize,
    n_bytes: *mut usize,
    counts: *mut Counts,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(chunk) }?;
        // SAFETY: promised by the caller.
        let frames = unsafe { slice(frames, n_frames, "frames") }?;
        // SAFETY: promised by the caller.
        let dst = unsafe { slice_mut(dst.cast::<u8>(), dst_len, "dst") }?;
        require(n_bytes, "n_bytes")?;
        let sum = if sum.is_null() {
            None
        } else {
            // SAFETY: promised by the caller.
            Some(unsafe { slice_mut(sum, plan.shape.frame_pixels(), "sum") }?)
        };
        let filter = plan.filter()?.map(|(filter, _)| filter);
        // SAFETY: `chunk` was read.
        let element: c_int = unsafe { (*chunk).element };
        let (found, n) = with_element!(element, P => {
            // SAFETY: promised by the caller.
            unsafe { encode::<P>(&plan, filter, with, frames, sum, dst) }
        })?;
        // SAFETY: promised by the caller.
        unsafe { set(n_bytes, n, "n_bytes") }?;
        if counts.is_null() {
            return Ok(());
        }
        // SAFETY: promised by the caller.
        unsafe { set(counts, found.into(), "counts") }
    })
}

/// # Safety
/// `with` and `frames` are as `darkchunk.h` says, for elements of `P`.
unsafe fn encode<P: FrameElement>(
    plan: &Plan,
    filter: Option<Filter>,
    with: *const CProcessing,
    frames: &[*const c_void],
    mut sum: Option<&mut [u32]>,
    dst: &mut [u8],
) -> Result<(FrameCounts, usize), Failure> {
    let n_pixels = plan.shape.frame_pixels();
    // SAFETY: the caller's promise.
    let with = unsafe { processing::<P>(with, n_pixels) }?;
    let threshold = darkchunk_core::chunk::threshold(with.threshold, filter.as_ref())?;
    let correction = Correction { dark: with.dark.as_deref(), threshold };
    let mut encoder = ChunkEncoder::<P>::new(with.exec, plan.shape, filter)?;
    let before = sum.as_deref().map(<[u32]>::to_vec);
    let mut push_all = || -> Result<(FrameCounts, usize), Failure> {
        // SAFETY: the caller's promise.
        let frames = unsafe { frames_of::<P>(frames, n_pixels) }?;
        let counts = encoder.push_frames(&frames, &correction, sum.as_deref_mut())?;
        let encoded = encoder.encode()?;
        let too_small = Error::OutputTooSmall { needed: encoded.len(), available: dst.len() };
        dst.get_mut(..encoded.len()).ok_or(too_small)?.copy_from_slice(encoded);
        Ok((counts, encoded.len()))
    };
    match push_all() {
        Ok(done) => Ok(done),
        Err(failure) => {
            // The sum is an output, and outputs are for success.
            if let (Some(sum), Some(before)) = (sum, before) {
                sum.copy_from_slice(&before);
            }
            Err(failure)
        }
    }
}

/// Decodes one chunk.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_decode_chunk(
    chunk: *const Chunk,
    src: *const c_void,
    src_len: usize,
    dst: *mut c_void,
    dst_len: usize,
) -> Status {
    // SAFETY: as for this function.
    unsafe { dc_decode_chunk_with(chunk, 1, src, src_len, dst, dst_len) }
}

/// Decodes one chunk with several threads.
///
/// # Safety
/// As `darkchunk.h` says of its arguments.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_decode_chunk_with(
    chunk: *const Chunk,
    n_threads: usize,
    src: *const c_void,
    src_len: usize,
    dst: *mut c_void,
    dst_len: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(chunk) }?;
        // SAFETY: promised by the caller.
        let src = unsafe { slice(src.cast::<u8>(), src_len, "src") }?;
        let (expected, found) = (plan.n_bytes(), dst_len);
        if expected != found {
            return Err(Error::BufferSize { what: "dst", expected, found }.into());
        }
        // SAFETY: promised by the caller.
        let dst = unsafe { slice_mut(dst.cast::<u8>(), dst_len, "dst") }?;
        match plan.filter()? {
            Some((filter, _)) => Ok(filter.decode(Threads::new(n_threads).into(), src, dst)?),
            None if src.len() == dst.len() => {
                dst.copy_from_slice(src);
                Ok(())
            }
            None => Err(Error::WrongSize { expected, found: src.len() }.into()),
        }
    })
}
