//! Threshold and dark image changed in all files of a measurement.

use std::mem::discriminant;
use std::sync::Arc;

use darkchunk_hdf5::FileElement;

use super::Files;
use crate::recorder::Buffer;
use crate::recorder::changes::Wanted;
use crate::{Error, Result};

impl<P: FileElement + Into<i64> + Clone, B: Buffer> Files<P, B> {
    /// Changes the threshold in all files, as [`Recorder::set_threshold`](crate::recorder::Recorder::set_threshold), and in those to come.
    ///
    /// # Errors
    /// As there.
    pub fn set_threshold(&mut self, threshold: u16) -> Result<u64> {
        self.change(Wanted::Threshold(threshold))
    }

    /// Changes the dark image in all files, as [`Recorder::set_dark`](crate::recorder::Recorder::set_dark), and in those to come.
    ///
    /// # Errors
    /// As there.
    pub fn set_dark(&mut self, dark: Option<Vec<P>>) -> Result<u64> {
        self.change(Wanted::Dark(dark.map(Arc::from)))
    }

    fn change(&mut self, wanted: Wanted<P>) -> Result<u64> {
        if self.made.is_some() || self.open.is_empty() {
            return Err(Error::Finished);
        }
        let mut end = self.n_frames;
        for part in self.open.iter_mut().filter(|part| !part.is_closing) {
            end = end.max(part.recorder.change_from(self.n_frames, wanted.clone())?.1);
        }
        self.changed.retain(|before| discriminant(before) != discriminant(&wanted));
        self.changed.push(wanted);
        Ok(self.options.first_number.saturating_add(end))
    }
}
