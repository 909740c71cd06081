//! `dc_writer`: the whole recording, over the HDF5 that the program hands in.

use std::ffi::{c_char, c_int, c_void};

use darkchunk_hdf5::{Api, Dataset, FileElement, Library, Summary, Writer as Core};

use crate::element::{frames_of, with_element};
use crate::status::{Failure, Status, guard, reference, reference_mut, set, slice, slice_mut, text};
use crate::types::{CProcessing, CSummary, Chunk, Plan, processing};

/// `dc_writer`
pub(crate) struct Writer(Box<dyn Frames>);

/// A writer of some element type.
trait Frames {
    /// # Safety
    /// Each strip is as many elements as `lens` says.
    unsafe fn push(&mut self, strips: &[*const c_void], lens: &[usize]) -> Result<(), Failure>;
    /// # Safety
    /// `frame` is a whole frame.
    unsafe fn push_frame(&mut self, frame: *const c_void) -> Result<(), Failure>;
    /// # Safety
    /// Each of `frames` is a whole frame.
    unsafe fn push_frames(&mut self, frames: &[*const c_void]) -> Result<(), Failure>;
    /// # Safety
    /// `frame` is a whole frame that nobody else uses.
    unsafe fn push_in_place(&mut self, frame: *mut c_void) -> Result<(), Failure>;
    fn flush(&mut self) -> Result<(), Failure>;
    fn finish(&mut self) -> Result<Summary, Failure>;
    fn summary(&self) -> Summary;
    fn sum(&mut self) -> Option<&[i64]>;
}

struct Typed<P: FileElement> {
    writer: Core<P>,
    n_pixels: usize,
}

impl<P: FileElement> Frames for Typed<P> {
    unsafe fn push(&mut self, strips: &[*const c_void], lens: &[usize]) -> Result<(), Failure> {
        let strips: Vec<&[P]> = strips
            .iter()
            .zip(lens)
            .map(|(strip, len)| {
                // SAFETY: the caller's promise.
                unsafe { slice(strip.cast::<P>(), *len, "strips[…]") }
            })
            .collect::<Result<_, _>>()?;
        Ok(self.writer.push_strips(&strips)?)
    }

    unsafe fn push_frame(&mut self, frame: *const c_void) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frame = unsafe { slice(frame.cast::<P>(), self.n_pixels, "frame") }?;
        Ok(self.writer.push(frame)?)
    }

    unsafe fn push_frames(&mut self, frames: &[*const c_void]) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frames = unsafe { frames_of::<P>(frames, self.n_pixels) }?;
        Ok(self.writer.push_frames(&frames)?)
    }

    unsafe fn push_in_place(&mut self, frame: *mut c_void) -> Result<(), Failure> {
        // SAFETY: the caller's promise.
        let frame = unsafe { slice_mut(frame.cast::<P>(), self.n_pixels, "frame") }?;
        Ok(self.writer.push_in_place(frame)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.writer.flush()?)
    }

    fn finish(&mut self) -> Result<Summary, Failure> {
        Ok(self.writer.finish()?)
    }

    fn summary(&self) -> Summary {
        self.writer.summary()
    }

    fn sum(&mut self) -> Option<&[i64]> {
        self.writer.sum()
    }
}

/// # Safety
/// `table` is null or a `dc_hdf5` that is filled as `darkchunk.h` says.
unsafe fn library(table: *const Api) -> Result<Library, Failure> {
    if table.is_null() {
        return Err(Failure::Null("hdf5"));
    }
    // SAFETY: the caller's promise.
    let api = unsafe { Api::read(table) };
    // SAFETY: the caller's promise.
    Ok(unsafe { Library::new(&api) }?)
}

/// # Safety
/// `writer` may be written.
unsafe fn hand_out<P: FileElement>(writer: *mut *mut Writer, core: Core<P>) -> Result<(), Failure> {
    let typed = Typed { n_pixels: core.frame_pixels(), writer: core };
    let made = Box::into_raw(Box::new(Writer(Box::new(typed))));
    // SAFETY: the caller's promise.
    unsafe { set(writer, made, "writer") }
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
        if writer.is_null() {
            return Err(Failure::Null("writer"));
        }
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
            compression: plan.compression,
            nexus: nexus != 0,
        };
        // SAFETY: `chunk` was read.
        let element = unsafe { (*chunk).element };
        with_element!(element, P => {
            // SAFETY: promised by the caller.
            let with = unsafe { processing::<P>(with, shape.frame_pixels()) }?;
            let core = Core::create(&library, at, &dataset, with)?;
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
        if writer.is_null() {
            return Err(Failure::Null("writer"));
        }
        // SAFETY: promised by the caller.
        let library = unsafe { library(hdf5) }?;
        // SAFETY: promised by the caller.
        let path = unsafe { text(path, "path") }?;
        with_element!(element, P => {
            // SAFETY: promised by the caller.
            let with = unsafe { processing::<P>(with, n_dark_pixels) }?;
            let core = Core::attach(&library, at, path, with)?;
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
    guard(|| {
        // SAFETY: promised by the caller.
        let writer = unsafe { reference_mut(writer, "writer") }?;
        // SAFETY: promised by the caller.
        unsafe { writer.0.push_frame(frame) }
    })
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
    guard(|| {
        // SAFETY: promised by the caller.
        let writer = unsafe { reference_mut(writer, "writer") }?;
        // SAFETY: promised by the caller.
        let frames = unsafe { slice(frames, n_frames, "frames") }?;
        // SAFETY: promised by the caller.
        unsafe { writer.0.push_frames(frames) }
    })
}

/// Takes a frame and overwrites it with what is stored.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_push_in_place(writer: *mut Writer, frame: *mut c_void) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let writer = unsafe { reference_mut(writer, "writer") }?;
        // SAFETY: promised by the caller.
        unsafe { writer.0.push_in_place(frame) }
    })
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
    guard(|| {
        // SAFETY: promised by the caller.
        let writer = unsafe { reference_mut(writer, "writer") }?;
        // SAFETY: promised by the caller.
        let strips = unsafe { slice(strips, n_strips, "strips") }?;
        // SAFETY: promised by the caller.
        let lens = unsafe { slice(strip_pixels, n_strips, "strip_pixels") }?;
        // SAFETY: promised by the caller.
        unsafe { writer.0.push(strips, lens) }
    })
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
    guard(|| {
        // SAFETY: promised by the caller.
        let writer = unsafe { reference_mut(writer, "writer") }?;
        if sum.is_null() || n_pixels.is_null() {
            return Err(Failure::Null("sum or n_pixels"));
        }
        let total = writer.0.sum().ok_or_else(|| Failure::Argument("this writer keeps no sum".into()))?;
        // SAFETY: promised by the caller.
        unsafe { set(sum, total.as_ptr(), "sum") }?;
        // SAFETY: promised by the caller.
        unsafe { set(n_pixels, total.len(), "n_pixels") }
    })
}

/// Ends a writer.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_writer_free(writer: *mut Writer) {
    if !writer.is_null() {
        guard(|| {
            // SAFETY: made by one of the functions above, and not used again.
            drop(unsafe { Box::from_raw(writer) });
            Ok(())
        });
    }
}
