//! `dc_writer`: the whole recording, over the HDF5 that the program hands in.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};

use darkchunk_hdf5::{Api, Dataset, FileElement, Library, Summary, Writer as Core};

use crate::element::with_element;
use crate::frames::{self, Frames, Handle, Push};
use crate::status::{Failure, Status, free, guard, reference, reference_mut, require, set, text};
use crate::types::{CProcessing, CSummary, Chunk, Plan, flush, processing};

/// `dc_writer`
pub(crate) struct Writer(Box<dyn Recording>);

impl Handle for Writer {
    const NAME: &'static str = "writer";

    fn frames(&mut self) -> &mut dyn Push {
        &mut *self.0
    }
}

/// A writer of some element type.
trait Recording: Push {
    fn flush(&mut self) -> Result<(), Failure>;
    fn finish(&mut self) -> Result<Summary, Failure>;
    fn summary(&self) -> Summary;
}

impl<P: FileElement> Recording for Core<P> {
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(Core::flush(self)?)
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        Ok(Core::finish(self)?)
    }

    fn summary(&self) -> Summary {
        Core::summary(self)
    }
}

impl<P: FileElement> Frames for Core<P> {
    type Pixel = P;

    fn frame_pixels(&self) -> usize {
        Core::frame_pixels(self)
    }

    fn push_strips(&mut self, strips: &[&[P]]) -> Result<(), Failure> {
        Ok(Core::push_strips(self, strips)?)
    }

    fn push_frames(&mut self, frames: &[&[P]]) -> Result<(), Failure> {
        Ok(Core::push_frames(self, frames)?)
    }

    fn push_frames_in_place(&mut self, frames: &mut [&mut [P]]) -> Result<(), Failure> {
        Ok(Core::push_frames_in_place(self, frames)?)
    }

    fn sum(&mut self) -> Option<&[i64]> {
        Core::sum(self)
    }
}

/// # Safety
/// `table` is null or a `dc_hdf5` that is filled as `darkchunk.h` says.
unsafe fn library(table: *const Api) -> Result<Library, Failure> {
    require(table, "hdf5")?;
    // SAFETY: the caller's promise.
    let api = unsafe { Api::read(table) };
    // SAFETY: the caller's promise.
    Ok(unsafe { Library::new(&api) }?)
}

/// # Safety
/// `writer` may be written.
unsafe fn hand_out<P: FileElement>(writer: *mut *mut Writer, core: Core<P>) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    unsafe { set(writer, Box::into_raw(Box::new(Writer(Box::new(core)))), "writer") }
}

/// Makes a dataset and a writer to it.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_create(
    hdf5: *const Api,
    at: i64,
    path: *const c_char,
    chunk: *const Chunk,
    nexus: c_int,
    with: *const CProcessing,
    writer: *mut *mut Writer,
) -> Status {
    guard(|| {
        require(writer, "writer")?;
        // SAFETY: promised by the caller.
        let library = unsafe { library(hdf5) }?;
        // SAFETY: promised by the caller.
        let path = unsafe { text(path, "path") }?;
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(chunk) }?;
        let shape = plan.shape;
        let dataset = Dataset {
            path: path.to_owned(),
            height: shape.height,
            width: shape.width,
            frames_per_chunk: shape.n_frames,
            rows_per_chunk: None,
            compression: plan.compression,
            nexus: nexus != 0,
        };
        // SAFETY: `chunk` was read.
        let element = unsafe { (*chunk).element };
        with_element!(element, P => {
            // SAFETY: promised by the caller.
            let processing = unsafe { processing::<P>(with, shape.frame_pixels()) }?;
            // SAFETY: promised by the caller.
            let flush = unsafe { flush(with) }?;
            let core = Core::create(&library, at, &dataset, processing)?.with_flush(flush);
            // SAFETY: promised by the caller.
            unsafe { hand_out(writer, core) }
        })
    })
}

/// A writer to a dataset that is there.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_attach(
    hdf5: *const Api,
    at: i64,
    path: *const c_char,
    element: c_int,
    n_dark_pixels: usize,
    with: *const CProcessing,
    writer: *mut *mut Writer,
) -> Status {
    guard(|| {
        require(writer, "writer")?;
        // SAFETY: promised by the caller.
        let library = unsafe { library(hdf5) }?;
        // SAFETY: promised by the caller.
        let path = unsafe { text(path, "path") }?;
        with_element!(element, P => {
            // SAFETY: promised by the caller.
            let processing = unsafe { processing::<P>(with, n_dark_pixels) }?;
            // SAFETY: promised by the caller.
            let flush = unsafe { flush(with) }?;
            let core = Core::attach(&library, at, path, processing)?.with_flush(flush);
            // SAFETY: promised by the caller.
            unsafe { hand_out(writer, core) }
        })
    })
}

/// Takes a frame.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_push(writer: *mut Writer, frame: *const c_void) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push(writer, frame) }
}

/// Takes several frames.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_push_frames(
    writer: *mut Writer,
    frames: *const *const c_void,
    n_frames: usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push_frames(writer, frames, n_frames) }
}

/// Takes a frame and overwrites it with what is stored.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_push_in_place(writer: *mut Writer, frame: *mut c_void) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push_in_place(writer, frame) }
}

/// Takes several frames and overwrites each with what is stored.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_push_frames_in_place(
    writer: *mut Writer,
    frames: *const *mut c_void,
    n_frames: usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push_frames_in_place(writer, frames, n_frames) }
}

/// Takes a frame that lies in several pieces.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_push_strips(
    writer: *mut Writer,
    strips: *const *const c_void,
    strip_pixels: *const usize,
    n_strips: usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::push_strips(writer, strips, strip_pixels, n_strips) }
}

/// Stores and flushes what was taken.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_flush(writer: *mut Writer) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference_mut(writer, "writer") }?.0.flush()
    })
}

/// Stores everything.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_finish(writer: *mut Writer) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        unsafe { reference_mut(writer, "writer") }?.0.finish().map(drop)
    })
}

/// What has been done so far.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_summary(writer: *const Writer, summary: *mut CSummary) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let found = unsafe { reference(writer, "writer") }?.0.summary();
        // SAFETY: promised by the caller.
        unsafe { set(summary, found.into(), "summary") }
    })
}

/// The sum of all frames so far.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_sum(
    writer: *mut Writer,
    sum: *mut *const i64,
    n_pixels: *mut usize,
) -> Status {
    // SAFETY: promised by the caller.
    unsafe { frames::sum(writer, sum, n_pixels) }
}

/// Ends a writer.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_free(writer: *mut Writer) {
    // SAFETY: made by one of the functions above, and not used again.
    unsafe { free(writer) };
}
