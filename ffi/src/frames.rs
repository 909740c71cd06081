//! How frames come in from C: once for `dc_encoder` and `dc_writer`.
//!
//! An object takes frames of one element type ([`Frames`]), which only its maker knew. After its handle it is a [`Push`],
//! which takes pointers. The C functions of both objects are the generic ones below.

#![allow(unsafe_code)]

use std::ffi::c_void;

use darkchunk_core::chunk::FrameElement;
use darkchunk_core::chunk::FrameEncoder;

use crate::status::{Failure, Status, guard, reference_mut, require, set, slice, slice_mut};

/// What takes frames of one element type.
pub(crate) trait Frames {
    type Pixel: FrameElement;

    fn frame_pixels(&self) -> usize;
    fn push_strips(&mut self, strips: &[&[Self::Pixel]]) -> Result<(), Failure>;
    fn push_frames(&mut self, frames: &[&[Self::Pixel]]) -> Result<(), Failure>;
    fn push_frames_in_place(&mut self, frames: &mut [&mut [Self::Pixel]]) -> Result<(), Failure>;
    fn sum(&mut self) -> Option<&[i64]>;
}

impl<P: FrameElement> Frames for FrameEncoder<P> {
    type Pixel = P;

    fn frame_pixels(&self) -> usize {
        self.shape().frame_pixels()
    }

    fn push_strips(&mut self, strips: &[&[P]]) -> Result<(), Failure> {
        Ok(FrameEncoder::push_strips(self, strips)?)
    }

    fn push_frames(&mut self, frames: &[&[P]]) -> Result<(), Failure> {
        Ok(FrameEncoder::push_frames(self, frames)?)
    }

    fn push_frames_in_place(&mut self, frames: &mut [&mut [P]]) -> Result<(), Failure> {
        Ok(FrameEncoder::push_frames_in_place(self, frames)?)
    }

    fn sum(&mut self) -> Option<&[i64]> {
        FrameEncoder::sum(self)
    }
}

/// The same, of whatever element type.
pub(crate) trait Push {
    /// # Safety
    /// `frame` is null or a whole frame.
    unsafe fn push(&mut self, frame: *const c_void) -> Result<(), Failure>;
    /// # Safety
    /// Each of `frames` is null or a whole frame.
    unsafe fn push_frames(&mut self, frames: &[*const c_void]) -> Result<(), Failure>;
    /// # Safety
    /// Each of `strips` is null or as many elements as `lens` says.
    unsafe fn push_strips(&mut self, strips: &[*const c_void], lens: &[usize]) -> Result<(), Failure>;
    /// # Safety
    /// Each of `frames` is null or a whole frame that nobody else uses, none of them another's.
    unsafe fn push_frames_in_place(&mut self, frames: &[*mut c_void]) -> Result<(), Failure>;
    fn sum(&mut self) -> Option<&[i64]>;
}

impl<T: Frames> Push for T {
    unsafe fn push(&mut self, frame: *const c_void) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frame = unsafe { slice(frame.cast::<T::Pixel>(), self.frame_pixels(), "frame") }?;
        Frames::push_strips(self, &[frame])
    }

    unsafe fn push_frames(&mut self, frames: &[*const c_void]) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frames = unsafe { frames_of::<T::Pixel>(frames, self.frame_pixels()) }?;
        Frames::push_frames(self, &frames)
    }

    unsafe fn push_strips(&mut self, strips: &[*const c_void], lens: &[usize]) -> Result<(), Failure> {
        let strips = strips.iter().zip(lens).enumerate().map(|(index, (strip, len))| {
            // SAFETY: the caller's promise.
            unsafe { slice(strip.cast::<T::Pixel>(), *len, format_args!("strips[{index}]")) }
        });
        Frames::push_strips(self, &strips.collect::<Result<Vec<_>, _>>()?)
    }

    unsafe fn push_frames_in_place(&mut self, frames: &[*mut c_void]) -> Result<(), Failure> {
        let n_pixels = self.frame_pixels();
        let frames = frames.iter().enumerate().map(|(index, frame)| {
            // SAFETY: the caller's promise.
            unsafe { slice_mut(frame.cast::<T::Pixel>(), n_pixels, format_args!("frames[{index}]")) }
        });
        Frames::push_frames_in_place(self, &mut frames.collect::<Result<Vec<_>, _>>()?)
    }

    fn sum(&mut self) -> Option<&[i64]> {
        Frames::sum(self)
    }
}

/// The frames of `n_pixels` elements that an array of pointers stands for.
///
/// # Safety
/// Each pointer that is not null is to so many elements of `P`, which nobody changes for `'a`.
pub(crate) unsafe fn frames_of<'a, P>(frames: &[*const c_void], n_pixels: usize) -> Result<Vec<&'a [P]>, Failure> {
    let frames = frames.iter().enumerate().map(|(index, frame)| {
        // SAFETY: the caller's promise.
        unsafe { slice(frame.cast::<P>(), n_pixels, format_args!("frames[{index}]")) }
    });
    frames.collect()
}

/// What C has a pointer to, and pushes frames to.
pub(crate) trait Handle {
    /// The name of the argument that it is.
    const NAME: &'static str;

    fn frames(&mut self) -> &mut dyn Push;
}

/// `dc_…_push`
///
/// # Safety
/// As `darkchunk.h` says of the arguments; so everywhere below.
pub(crate) unsafe fn push<H: Handle>(handle: *mut H, frame: *const c_void) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference_mut(handle, H::NAME) }?;
        // SAFETY: promised by the caller.
        unsafe { handle.frames().push(frame) }
    })
}

/// `dc_…_push_in_place`
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn push_in_place<H: Handle>(handle: *mut H, frame: *mut c_void) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference_mut(handle, H::NAME) }?;
        require(frame, "frame")?;
        // SAFETY: promised by the caller.
        unsafe { handle.frames().push_frames_in_place(&[frame]) }
    })
}

/// `dc_…_push_frames_in_place`
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn push_frames_in_place<H: Handle>(
    handle: *mut H,
    frames: *const *mut c_void,
    n_frames: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference_mut(handle, H::NAME) }?;
        // SAFETY: promised by the caller.
        let frames = unsafe { slice(frames, n_frames, "frames") }?;
        // SAFETY: promised by the caller.
        unsafe { handle.frames().push_frames_in_place(frames) }
    })
}

/// `dc_…_push_frames`
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn push_frames<H: Handle>(handle: *mut H, frames: *const *const c_void, n_frames: usize) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference_mut(handle, H::NAME) }?;
        // SAFETY: promised by the caller.
        let frames = unsafe { slice(frames, n_frames, "frames") }?;
        // SAFETY: promised by the caller.
        unsafe { handle.frames().push_frames(frames) }
    })
}

/// `dc_…_push_strips`
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn push_strips<H: Handle>(
    handle: *mut H,
    strips: *const *const c_void,
    strip_pixels: *const usize,
    n_strips: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference_mut(handle, H::NAME) }?;
        // SAFETY: promised by the caller.
        let strips = unsafe { slice(strips, n_strips, "strips") }?;
        // SAFETY: promised by the caller.
        let lens = unsafe { slice(strip_pixels, n_strips, "strip_pixels") }?;
        // SAFETY: promised by the caller.
        unsafe { handle.frames().push_strips(strips, lens) }
    })
}

/// `dc_…_sum`
///
/// # Safety
/// As [`push`].
pub(crate) unsafe fn sum<H: Handle>(handle: *mut H, sum: *mut *const i64, n_pixels: *mut usize) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let handle = unsafe { reference_mut(handle, H::NAME) }?;
        require(sum, "sum")?;
        require(n_pixels, "n_pixels")?;
        let total = handle.frames().sum().ok_or_else(|| Failure::Argument(format!("this {} keeps no sum", H::NAME)))?;
        // SAFETY: promised by the caller.
        unsafe { set(sum, total.as_ptr(), "sum") }?;
        // SAFETY: promised by the caller.
        unsafe { set(n_pixels, total.len(), "n_pixels") }
    })
}
