//! A recorder of some element type, to one file or to several.

#![allow(unsafe_code)]

use std::ffi::c_void;

use darkchunk_hdf5::FileElement;
use darkchunk_stream::recorder::{Complete, Encoded, Files, NotPushed, Pushed, Recorder, Statistics};

use super::lent::Lent;
use crate::status::{Failure, slice};

/// A recorder of some element type.
pub(crate) trait Recording: Send {
    fn frame_bytes(&self) -> usize;
    fn row_bytes(&self) -> usize;
    fn push(&mut self, number: u64, frame: Lent, row: &[u8]) -> Result<Pushed, Failure>;
    fn push_copy(&mut self, number: u64, frame: &[u8], row: &[u8]) -> Result<Pushed, Failure>;
    fn push_encoded(&mut self, number: u64, kind: Encoded, frame: Lent, row: &[u8]) -> Result<Pushed, Failure>;
    /// # Safety
    /// `values` is as long as `places`, and of the recorder's pixels.
    unsafe fn push_pixels(
        &mut self,
        number: u64,
        places: &[u32],
        values: *const c_void,
        row: &[u8],
    ) -> Result<Pushed, Failure>;
    fn check_every(&self, n_frames: u64);
    /// The number of the first frame that it is of.
    fn set_threshold(&mut self, threshold: u16) -> Result<u64, Failure>;
    /// # Safety
    /// `dark` is null, or has the pixels of a frame.
    unsafe fn set_dark(&mut self, dark: *const c_void) -> Result<u64, Failure>;
    fn poll(&mut self) -> Result<(), Failure>;
    fn flush(&mut self, sync: bool) -> Result<(), Failure>;
    fn finish(&mut self) -> Result<Statistics, Failure>;
    fn abandon(&mut self) -> Result<Statistics, Failure>;
    fn statistics(&self) -> Result<Statistics, Failure>;
    /// Why the last frame that was refused was, or why there is no index of blocks.
    fn fault(&self) -> Result<Option<String>, Failure>;
    /// The files that have become complete.
    fn complete(&self) -> Result<Vec<Complete>, Failure>;
}

/// What both kinds do by the function of the same name.
macro_rules! by_its_own {
    ($kind:ident) => {
        fn frame_bytes(&self) -> usize {
            $kind::frame_bytes(self)
        }

        fn row_bytes(&self) -> usize {
            $kind::row_bytes(self)
        }

        fn push(&mut self, number: u64, frame: Lent, row: &[u8]) -> Result<Pushed, Failure> {
            $kind::push_with(self, number, frame, row).map_err(kept)
        }

        fn push_copy(&mut self, number: u64, frame: &[u8], row: &[u8]) -> Result<Pushed, Failure> {
            Ok($kind::push_copy(self, number, &[frame], row)?)
        }

        fn push_encoded(&mut self, number: u64, kind: Encoded, frame: Lent, row: &[u8]) -> Result<Pushed, Failure> {
            $kind::push_encoded(self, number, kind, frame, row).map_err(kept)
        }

        unsafe fn push_pixels(
            &mut self,
            number: u64,
            places: &[u32],
            values: *const c_void,
            row: &[u8],
        ) -> Result<Pushed, Failure> {
            // SAFETY: the caller's promise.
            let values = unsafe { slice(values.cast::<P>(), places.len(), "values") }?;
            Ok($kind::push_pixels(self, number, places, values, row)?)
        }

        fn check_every(&self, n_frames: u64) {
            $kind::check_every(self, n_frames);
        }

        fn set_threshold(&mut self, threshold: u16) -> Result<u64, Failure> {
            Ok($kind::set_threshold(self, threshold)?)
        }

        unsafe fn set_dark(&mut self, dark: *const c_void) -> Result<u64, Failure> {
            if dark.is_null() {
                return Ok($kind::set_dark(self, None)?);
            }
            // SAFETY: the caller's promise.
            let image = unsafe { slice(dark.cast::<P>(), $kind::frame_pixels(self), "dark") }?;
            Ok($kind::set_dark(self, Some(image.to_vec()))?)
        }

        fn poll(&mut self) -> Result<(), Failure> {
            Ok($kind::poll(self)?)
        }

        fn flush(&mut self, sync: bool) -> Result<(), Failure> {
            Ok($kind::flush(self, sync)?)
        }

        fn statistics(&self) -> Result<Statistics, Failure> {
            Ok($kind::statistics(self)?)
        }

        fn fault(&self) -> Result<Option<String>, Failure> {
            Ok($kind::fault(self)?)
        }
    };
}

impl<P: FileElement + Into<i64>> Recording for Recorder<P, Lent> {
    by_its_own!(Recorder);

    fn finish(&mut self) -> Result<Statistics, Failure> {
        Ok(Recorder::finish(self)?)
    }

    fn abandon(&mut self) -> Result<Statistics, Failure> {
        Ok(Recorder::abandon(self)?)
    }

    fn complete(&self) -> Result<Vec<Complete>, Failure> {
        Ok(Vec::new())
    }
}

impl<P: FileElement + Into<i64> + Clone> Recording for Files<P, Lent> {
    by_its_own!(Files);

    fn finish(&mut self) -> Result<Statistics, Failure> {
        Ok(Files::finish(self)?.0)
    }

    fn abandon(&mut self) -> Result<Statistics, Failure> {
        Ok(Files::abandon(self)?.0)
    }

    fn complete(&self) -> Result<Vec<Complete>, Failure> {
        Ok(Files::complete(self)?)
    }
}

/// A frame that was not taken stays the caller's.
fn kept(refused: NotPushed<Lent>) -> Failure {
    if let Some(mut frame) = refused.frame {
        frame.keep();
    }
    refused.error.into()
}
