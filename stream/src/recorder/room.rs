//! Room on the disk that a recording keeps: given back when the disk is full, and taken again when there is room.

use std::time::{Duration, Instant};

use darkchunk_hdf5::{ChunkWriter, Error, Result};

use super::noted::file_of;
use crate::reserve::SharedReserve;

/// Between two tries to take the room again.
const RETRY: Duration = Duration::from_secs(1);

/// What stands between a recording and a full disk.
#[derive(Debug)]
pub(super) struct Room {
    /// `None` where none is kept.
    reserve: Option<SharedReserve>,
    tried: Option<Instant>,
    /// Why there was no room the last time.
    reason: Option<Error>,
    /// Frames that were flushed when the room had been given back.
    n_safe: u64,
}

impl Room {
    /// Keeps so many bytes beside the file; none where HDF5 does not write a plain file.
    pub(super) fn keep(chunks: &ChunkWriter, n_bytes: u64) -> crate::Result<Self> {
        let file = file_of(chunks).filter(|_| n_bytes > 0);
        let reserve = file.map(|file| SharedReserve::beside(&file, n_bytes)).transpose()?;
        Ok(Self { reserve, tried: None, reason: None, n_safe: 0 })
    }

    /// Refuses to write chunks where the room has been given back, and is not there again: what is left of it is for closing the file.
    pub(super) fn check(&mut self) -> Result<()> {
        let Some(reserve) = self.reserve.as_ref().filter(|_| !self.is_there()) else { return Ok(()) };
        if let (Some(tried), Some(reason)) = (self.tried, &self.reason)
            && tried.elapsed() < RETRY
        {
            return Err(self.is_full(reason.clone()));
        }
        let taken = reserve.take_again();
        self.tried = Some(Instant::now());
        taken.map_err(|error| {
            let reason = Error::Hdf5 { call: "write", message: error.to_string() };
            self.reason = Some(reason.clone());
            self.is_full(reason)
        })
    }

    /// Whether room is kept, or was never to be.
    pub(super) fn is_there(&self) -> bool {
        self.reserve.as_ref().is_none_or(SharedReserve::is_there)
    }

    /// Has the next [`check`](Self::check) try at once.
    pub(super) fn retry_now(&mut self) {
        self.tried = None;
    }

    /// Gives the room back. Says whether there was any.
    pub(super) fn give_back(&mut self) -> bool {
        self.tried = Some(Instant::now());
        self.reserve.as_ref().is_some_and(SharedReserve::give_back)
    }

    /// The room was given back for this reason, and so many frames are flushed.
    pub(super) fn was_full(&mut self, reason: &Error, n_safe: u64) {
        (self.reason, self.n_safe) = (Some(reason.clone()), n_safe);
    }

    /// `source`, and what is safe.
    pub(super) fn is_full(&self, source: Error) -> Error {
        Error::DiskFull { source: Box::new(source), n_safe: self.n_safe }
    }

    /// The recording has ended.
    pub(super) fn release(&mut self) {
        self.reserve = None;
    }
}
