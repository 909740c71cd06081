//! `dc_noise`: the noise of a detector, measured from frames.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};

use darkchunk_core::element::Element;
use darkchunk_stream::noise;

use crate::element::with_element;
use crate::status::{Failure, Status, guard, reference_mut, slice, slice_mut};
use crate::types::check_size;

/// `dc_noise`
#[repr(C)]
pub(crate) struct CNoise {
    size: usize,
    gain: f64,
    offset: f64,
    read_variance: f64,
    gain_error: f64,
    variance_at_0: f64,
    variance_at_0_error: f64,
    misfit: f64,
    neighbours: f64,
    n_doubts: usize,
}

/// Measures the noise of frames that follow each other.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_noise_of_frames(
    frames: *const c_void,
    element: c_int,
    n_frames: usize,
    height: usize,
    width: usize,
    sentinels: *const i64,
    n_sentinels: usize,
    saturation: *const i64,
    noise: *mut CNoise,
    doubts: *mut c_char,
    doubts_len: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let noise = unsafe { reference_mut(noise, "noise") }?;
        check_size(noise.size, size_of::<CNoise>(), "dc_noise")?;
        let element = with_element!(element, P => Ok(P::TYPE))?;
        let n_bytes = [n_frames, height, width].iter().try_fold(element.n_bytes, |n, axis| n.checked_mul(*axis));
        let n_bytes = n_bytes.ok_or_else(|| Failure::Argument("the frames are larger than memory".to_owned()))?;
        // SAFETY: promised by the caller.
        let frames: &[u8] = unsafe { slice(frames.cast(), n_bytes, "frames") }?;
        let mut rules = noise::usual_rules(element);
        if !sentinels.is_null() {
            // SAFETY: promised by the caller.
            let values = unsafe { slice(sentinels, n_sentinels, "sentinels") }?;
            rules = noise::Rules { sentinels: values.to_vec(), ..Default::default() };
        }
        // SAFETY: promised by the caller: null, or a number.
        rules.saturation = unsafe { saturation.as_ref() }.copied();
        let found = noise::of_frames(frames, element, noise::Shape { height, width }, Some(rules))?;
        if doubts_len > 0 {
            // SAFETY: promised by the caller.
            put_text(&found.doubts.join("\n"), unsafe { slice_mut(doubts.cast(), doubts_len, "doubts") }?);
        }
        let size = noise.size;
        *noise = CNoise {
            size,
            gain: found.model.gain,
            offset: found.model.offset,
            read_variance: found.model.read_variance,
            gain_error: found.gain_error,
            variance_at_0: found.variance_at_0,
            variance_at_0_error: found.variance_at_0_error,
            misfit: found.misfit,
            neighbours: found.neighbours,
            n_doubts: found.doubts.len(),
        };
        Ok(())
    })
}

/// As much of `text` as there is room for, and a zero.
fn put_text(text: &str, room: &mut [u8]) {
    let most = text.len().min(room.len().saturating_sub(1));
    let n_bytes = (0..=most).rev().find(|n| text.is_char_boundary(*n)).unwrap_or(0);
    room[..n_bytes].copy_from_slice(&text.as_bytes()[..n_bytes]);
    if let Some(end) = room.get_mut(n_bytes) {
        *end = 0;
    }
}
