//! What is done with a frame that is pushed: admitted or not, and what went wrong told.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use darkchunk_hdf5::FileElement;

use super::Pushed;
use super::buffer::{self, Buffer, Held, Pool};
use super::changes::Changes;
use super::encoded::Checks;
use super::options::Policy;
use super::order::Offer;
use super::shared::Shared;
use super::statistics::Statistics;
use super::threads::Threads;
use crate::{Error, Result};

/// A recorder as the pushing thread has it.
#[derive(Debug)]
pub(super) struct Inner<P, B> {
    pub(super) shared: Arc<Shared<Held<B>>>,
    pub(super) threads: Threads<P, Held<B>>,
    pub(super) pool: Pool,
    pub(super) frame_bytes: usize,
    pub(super) row_bytes: usize,
    pub(super) journal: Option<PathBuf>,
    pub(super) checks: Arc<Checks>,
    pub(super) changes: Arc<Changes<P>>,
    pub(super) policy: Policy,
    pub(super) in_place: bool,
    /// No frame can be pushed any more.
    pub(super) is_ended: bool,
    /// All is stored.
    pub(super) is_finished: bool,
}

/// Whether a frame is to be taken, with this index.
pub(super) enum Admitted {
    Yes(u64),
    No(Pushed),
}

impl<P: FileElement + Into<i64>, B: Buffer> Inner<P, B> {
    /// Refuses a frame of another size.
    pub(super) fn check_size(&self, found: usize) -> Result<()> {
        let expected = self.frame_bytes;
        let size = darkchunk::Error::BufferSize { what: "the frame", expected, found };
        if found == expected { Ok(()) } else { Err(darkchunk_hdf5::Error::from(size).into()) }
    }

    /// Refuses a frame that is to be overwritten and cannot be.
    pub(super) fn check_writable(&self, frame: &mut B) -> Result<()> {
        let text = "in_place: the memory of this frame cannot be written to: give other memory (Buffer::piece_mut)";
        if !self.in_place || buffer::is_writable(frame) { Ok(()) } else { Err(Error::Argument(text.to_owned())) }
    }

    /// Says what is to be done with a frame, and makes room for one that is to be taken.
    pub(super) fn admit(&mut self, number: u64, n_bytes: usize, row: &[u8]) -> Result<Admitted> {
        if !row.is_empty() && row.len() != self.row_bytes {
            return Err(Error::Argument(format!(
                "the metadata of a frame has {} bytes, the columns have {}: give a number for each, or none",
                row.len(),
                self.row_bytes
            )));
        }
        let index = match self.offer(number, n_bytes) {
            Admitted::Yes(index) => index,
            no => return Ok(no),
        };
        if self.has_room(n_bytes) {
            return Ok(Admitted::Yes(index));
        }
        let has_room = self.make_room(index, n_bytes)?;
        // Chunks may have been closed meanwhile.
        let again = self.offer(number, n_bytes);
        if has_room || matches!(again, Admitted::No(_)) {
            return Ok(again);
        }
        if let Some(error) = self.untold() {
            // Frames may be dropped for ever: somebody must hear why.
            return Err(self.not_taken(error));
        }
        self.shared.lock().order.drop_frame(index, n_bytes, Instant::now());
        self.threads.note_dropped(index, row);
        Ok(Admitted::No(Pushed::Dropped))
    }

    fn offer(&self, number: u64, n_bytes: usize) -> Admitted {
        match self.shared.lock().order.offer(number, n_bytes, Instant::now()) {
            Offer::Take(index) => Admitted::Yes(index),
            Offer::Duplicate => Admitted::No(Pushed::Duplicate),
            Offer::Late => Admitted::No(Pushed::Late),
            Offer::OutOfRange => Admitted::No(Pushed::OutOfRange),
        }
    }

    /// Whether there is room for the frame `index`; waits for it where frames are not to be dropped.
    fn make_room(&mut self, index: u64, n_bytes: usize) -> Result<bool> {
        self.threads.store();
        while !self.has_room(n_bytes) {
            if self.close_for_room(index) {
                self.threads.dispatch();
            } else if self.policy == Policy::Drop {
                return Ok(false);
            } else if let Some(error) = self.trouble() {
                return Err(self.not_taken(error));
            } else if !self.threads.help() {
                self.threads.wait();
            }
        }
        Ok(true)
    }

    /// Closes the oldest chunk that waits for other frames than `index`, where nothing else will make room.
    fn close_for_room(&self, index: u64) -> bool {
        let order = &mut self.shared.lock().order;
        order.is_idle() && order.close_oldest_beside(index)
    }

    fn has_room(&self, n_bytes: usize) -> bool {
        self.shared.lock().order.has_room(n_bytes)
    }

    pub(super) fn take(&mut self, index: u64, n_bytes: usize, frame: Held<B>, row: &[u8]) {
        self.shared.lock().order.take(index, n_bytes, Instant::now(), frame, row);
        self.threads.dispatch();
        self.threads.store();
    }

    /// Why there will be no room before HDF5 takes chunks again.
    fn trouble(&self) -> Option<darkchunk_hdf5::Error> {
        let shown = self.shared.lock();
        shown.trouble.clone().filter(|_| shown.order.n_jobs() == 0)
    }

    /// Says what went wrong since somebody was told of it.
    pub(super) fn news(&self) -> Result<()> {
        self.untold().map_or(Ok(()), |error| Err(self.not_stored(error)))
    }

    /// What went wrong since somebody was told of it.
    fn untold(&self) -> Option<darkchunk_hdf5::Error> {
        let mut shown = self.shared.lock();
        if std::mem::take(&mut shown.is_news) { shown.trouble.clone() } else { None }
    }

    pub(super) fn not_stored(&self, error: darkchunk_hdf5::Error) -> Error {
        let Statistics { n_stored, n_held, .. } = self.statistics();
        self.shared.lock().is_news = false;
        darkchunk_hdf5::Error::NotStored { source: Box::new(error), n_stored, n_held }.into()
    }

    pub(super) fn not_abandoned(&self, error: darkchunk_hdf5::Error) -> Error {
        let Statistics { n_stored, n_lost, .. } = self.statistics();
        self.shared.lock().is_news = false;
        darkchunk_hdf5::Error::NotAbandoned { source: Box::new(error), n_stored, n_lost }.into()
    }

    fn not_taken(&self, error: darkchunk_hdf5::Error) -> Error {
        let Statistics { n_stored, n_held, .. } = self.statistics();
        self.shared.lock().is_news = false;
        darkchunk_hdf5::Error::NotTaken { source: Box::new(error), n_taken: 0, n_stored, n_held }.into()
    }

    /// All is stored.
    pub(super) fn end(&mut self) {
        self.is_finished = true;
        self.shared.lock().order.end(Instant::now());
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.shared.lock().order.statistics(Instant::now())
    }
}
