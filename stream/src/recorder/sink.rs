//! What calls HDF5: encoded chunks into the file, in the order in which they come, and flushes.
//!
//! A chunk that HDF5 does not take is held, and those that come after it; all are tried again, at most ten times a second, and
//! whenever a flush or the end is asked for.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use darkchunk::chunk::Sum;
use darkchunk::kernels::drle::FrameCounts;
use darkchunk_hdf5::{ChunkWriter, Columns, Flush, FrameStatus, Recording, Result};

use super::blocks::Blocks;
use super::changes::Pending;
use super::noted::Noted;
use super::numbers::State;
use super::order::Job;
use super::parked::Parked;
use super::room::Room;
use super::shared::Shared;
use super::work::Done;

/// Between a chunk that HDF5 did not take and the next try.
const RETRY: Duration = Duration::from_millis(100);

/// The file's side of a recorder.
#[derive(Debug)]
pub(super) struct Sink<T> {
    chunks: ChunkWriter,
    columns: Columns,
    recording: Recording,
    journal: Option<Noted>,
    blocks: Option<Blocks>,
    room: Room,
    flush: Flush,
    first_index: Option<u64>,
    counts: FrameCounts,
    n_counted: u64,
    n_unflushed: u64,
    last_flush: Instant,
    waiting: VecDeque<Done<T>>,
    /// Chunks of the first that waits which are written.
    n_written: usize,
    /// Where the next one is to be by the journal; `None` where it is not noted.
    noted: Option<Option<u64>>,
    failed: Option<Instant>,
    /// What became of frames since then that are in no chunk.
    parked: Parked,
    /// Whether frames are in the sum that are not in the file.
    has_lost: bool,
}

impl<T> Sink<T> {
    pub(super) fn new(
        mut chunks: ChunkWriter,
        columns: Columns,
        recording: Recording,
        journal: Option<Noted>,
        blocks: Option<Blocks>,
        room: Room,
        flush: Flush,
    ) -> Self {
        // When the file is flushed is decided here: chunks come in any order.
        chunks.set_flush(Flush::NEVER);
        Self {
            chunks,
            columns,
            recording,
            journal,
            blocks,
            room,
            flush,
            first_index: None,
            counts: FrameCounts::default(),
            n_counted: 0,
            n_unflushed: 0,
            last_flush: Instant::now(),
            waiting: VecDeque::new(),
            n_written: 0,
            noted: None,
            failed: None,
            parked: Parked::default(),
            has_lost: false,
        }
    }

    /// Bytes of a frame's metadata.
    pub(super) fn row_bytes(&self) -> usize {
        self.columns.row_bytes()
    }

    /// Where the journal is.
    pub(super) fn journal(&self) -> Option<PathBuf> {
        self.journal.as_ref().map(|journal| journal.path().to_owned())
    }

    /// Takes a chunk that is encoded, and stores what can be stored.
    pub(super) fn take(&mut self, done: Done<T>, shared: &Shared<T>) {
        let mut shown = shared.lock();
        shown.order.encoded(&done.job, done.n_bytes);
        if done.fault.is_some() {
            shown.fault.clone_from(&done.fault);
        }
        if done.chunks.is_empty() {
            done.job.rows().for_each(|(slot, row)| self.keep(slot.index, status_of(slot.fate), row));
            self.journal.iter().for_each(|journal| journal.rows(&done.job));
            shown.order.settle(done.job, 0);
        } else {
            self.waiting.push_back(done);
        }
        drop(shown);
        shared.progress.notify_all();
        self.go_on(shared);
    }

    /// Notes a frame for which there was no memory, with its metadata.
    pub(super) fn note_dropped(&mut self, index: u64, row: &[u8]) {
        self.keep(index, FrameStatus::Dropped, row);
        // On a full disk many may follow, and the room is for closing the file.
        let journal = self.journal.iter().filter(|_| self.room.is_there());
        journal.for_each(|journal| journal.row(index, FrameStatus::Dropped, row));
    }

    /// Notes what became of a frame that is in no chunk. While HDF5 takes nothing the columns would grow without a limit.
    fn keep(&mut self, index: u64, status: FrameStatus, row: &[u8]) {
        if self.failed.is_some() {
            self.parked.push(index, status, row);
        } else {
            note_row(&mut self.columns, index, status, row);
        }
    }

    /// Hands over what was noted meanwhile. Before any chunk: a frame that was dropped may have come again.
    fn unpark(&mut self, shared: &Shared<T>) -> Result<()> {
        const AT_ONCE: usize = 256;
        shared.not_kept(&mut self.parked);
        while self.parked.front().is_some() {
            for _ in 0..AT_ONCE {
                let Some((index, status, row)) = self.parked.front() else { break };
                note_row(&mut self.columns, index, status, row);
                self.parked.pop();
            }
            self.columns.write_full()?;
        }
        Ok(())
    }

    /// Stores chunks that wait, and flushes the file if it is time to; not sooner than [`RETRY`] after a failure.
    pub(super) fn go_on(&mut self, shared: &Shared<T>) {
        if self.failed.is_none_or(|failed| failed.elapsed() >= RETRY) {
            let _ = self.attempt(shared, |sink| {
                sink.store(shared)?;
                if sink.is_flush_due() { sink.flush(shared) } else { Ok(()) }
            });
        }
    }

    /// Stores all chunks that wait, flushes the file, and with `sync` has the system write it to the disk.
    pub(super) fn flush_now(&mut self, sync: bool, shared: &Shared<T>) -> Result<()> {
        self.room.retry_now();
        self.attempt(shared, |sink| {
            sink.store(shared)?;
            sink.flush(shared)?;
            if sync { sink.sync() } else { Ok(()) }
        })
    }

    /// Stores what there is to be stored at the end, and flushes the file: `n_frames` is the length of the dataset, with missing
    /// frames.
    pub(super) fn finish(&mut self, n_frames: u64, sum: Option<Sum>, shared: &Shared<T>) -> Result<()> {
        self.room.retry_now();
        self.attempt(shared, |sink| {
            sink.store(shared)?;
            // Before the sum, which may fail, so that this costs no frames and no rows.
            sink.end(n_frames, shared)?;
            if let Some(mut sum) = sum.filter(|_| !sink.has_lost) {
                sink.room.check()?;
                let first = sink.first_index.unwrap_or(0);
                sink.recording.store_sum_of(&mut sum, first, &sink.chunks)?;
                sink.flush(shared)?;
            }
            sink.close(shared)
        })
    }

    /// Ends without the chunks that HDF5 did not take, whose frames are lost, and without the sum, which has them in it.
    pub(super) fn abandon(&mut self, n_frames: u64, shared: &Shared<T>) -> Result<()> {
        self.room.give_back();
        let mut lost = Vec::new();
        for Done { mut job, n_bytes, .. } in std::mem::take(&mut self.waiting) {
            job.lose();
            self.has_lost = true;
            note_rows(&mut self.columns, &job);
            lost.extend(job.rows().map(|(slot, row)| (slot.index, status_of(slot.fate), row.to_vec())));
            shared.lock().order.settle(job, n_bytes);
        }
        (self.n_written, self.noted) = (0, None);
        let end = |sink: &mut Self| {
            sink.unpark(shared)?;
            sink.end(n_frames, shared)?;
            sink.close(shared)
        };
        let mut ended = self.attempt(shared, end);
        if ended.is_err() && self.parked.front().is_some() {
            // There is not even room for that.
            self.parked.forget();
            ended = self.attempt(shared, end);
        }
        if let (Err(_), Some(journal)) = (&ended, &self.journal) {
            // Who restores the file is to know of these frames, as far as there is room.
            lost.iter().for_each(|(index, status, row)| journal.row(*index, *status, row));
            let _ = journal.flush();
        }
        ended
    }

    /// Gives the dataset its length, and flushes the file.
    fn end(&mut self, n_frames: u64, shared: &Shared<T>) -> Result<()> {
        self.chunks.extend(n_frames)?;
        self.flush(shared)
    }

    /// The file has everything: journal and reserve go, and the index is finished.
    fn close(&mut self, shared: &Shared<T>) -> Result<()> {
        self.journal.as_mut().map_or(Ok(()), Noted::finish)?;
        self.room.release();
        self.index(shared, Blocks::finish);
        self.blocks = None;
        Ok(())
    }

    /// Does something with the index, which goes where that fails.
    fn index(&mut self, shared: &Shared<T>, work: impl FnOnce(&mut Blocks, &ChunkWriter) -> crate::Result<()>) {
        let Some(index) = &mut self.blocks else { return };
        if let Err(error) = work(index, &self.chunks) {
            shared.lock().fault = Some(error.to_string());
            self.blocks = None;
        }
    }

    /// Does something that HDF5 may refuse, and shows how it went. Where the disk is full, what is kept in reserve is given back, and
    /// what is stored is flushed with it.
    fn attempt(&mut self, shared: &Shared<T>, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut result = work(self);
        if let Err(error) = &result
            && error.is_disk_full()
            && self.room.give_back()
        {
            let is_saved = self.flush(shared).is_ok();
            self.room.was_full(error, shared.lock().order.n_flushed());
            if is_saved {
                result = Err(self.room.is_full(error.clone()));
            }
        }
        self.note(result.clone(), shared);
        result
    }

    fn sync(&mut self) -> Result<()> {
        self.journal.as_ref().map_or(Ok(()), Noted::sync)?;
        self.chunks.sync()
    }

    fn note(&mut self, result: Result<()>, shared: &Shared<T>) {
        let is_new = self.failed.is_some() || result.is_err();
        self.failed = result.is_err().then(Instant::now);
        if is_new {
            shared.note(result);
        }
        shared.progress.notify_all();
    }

    fn store(&mut self, shared: &Shared<T>) -> Result<()> {
        if !self.waiting.is_empty() || !shared.lock().changes.is_empty() {
            self.room.check()?;
        }
        self.store_changes(shared)?;
        self.unpark(shared)?;
        while !self.waiting.is_empty() {
            self.write_first()?;
            self.n_written = 0;
            let Some(done) = self.waiting.pop_front() else { break };
            self.first_index = self.first_index.into_iter().chain(done.ends().map(|(first, _)| first)).min();
            self.counts += done.counts;
            self.n_counted += done.n_frames;
            self.n_unflushed += done.n_frames;
            note_rows(&mut self.columns, &done.job);
            for (number, walked) in done.chunks.iter().filter_map(|chunk| Some((chunk.index, chunk.blocks.as_ref()?))) {
                self.index(shared, |index, _| index.add(number, walked));
            }
            shared.lock().order.settle(done.job, done.n_bytes);
        }
        self.columns.write_full()
    }

    /// Writes the chunks of the first that waits, from the first one that HDF5 has not taken.
    fn write_first(&mut self) -> Result<()> {
        while let Some(done) = self.waiting.front()
            && let Some(chunk) = done.chunks.get(self.n_written)
        {
            let n_frames = done.ends().map_or(0, |(_, last)| last + 1);
            if let Some(journal) = &self.journal {
                let end = self.chunks.file_end();
                // One that HDF5 did not take is noted again only where it is likely to be elsewhere.
                if self.noted != Some(end) {
                    journal.chunk(done, self.n_written, n_frames, end)?;
                    self.noted = Some(end);
                }
            }
            self.chunks.write(chunk.index, n_frames, &chunk.stored.bytes)?;
            (self.n_written, self.noted) = (self.n_written + 1, None);
        }
        Ok(())
    }

    /// Stores what is done to frames from one on, and flushes it: the file of a killed process is to say it of each chunk.
    fn store_changes(&mut self, shared: &Shared<T>) -> Result<()> {
        let mut is_new = false;
        loop {
            let change = shared.lock().changes.front().cloned();
            let Some(Pending { frame, threshold, dark }) = change else { break };
            self.recording.change(frame, threshold, dark.as_deref(), &self.chunks)?;
            shared.lock().changes.pop_front();
            is_new = true;
        }
        if is_new { self.flush(shared) } else { Ok(()) }
    }

    fn is_flush_due(&self) -> bool {
        let Flush { frames, interval } = self.flush;
        let is_first = self.n_unflushed == self.n_counted && self.flush != Flush::NEVER;
        let is_time = interval.is_some_and(|interval| self.last_flush.elapsed() >= interval);
        // Rows of frames that are not stored wait for the time only.
        self.n_unflushed > 0 && (is_first || is_time || frames.is_some_and(|max| self.n_unflushed >= max))
            || is_time && self.columns.n_held() > 0
    }

    fn flush(&mut self, shared: &Shared<T>) -> Result<()> {
        let first = self.first_index.unwrap_or(0);
        self.recording.store_counts_of(&self.counts, self.n_counted, first, &self.chunks)?;
        self.columns.write(self.chunks.n_stored())?;
        self.journal.as_ref().map_or(Ok(()), Noted::flush)?;
        self.chunks.flush()?;
        shared.lock().order.flushed(std::mem::take(&mut self.n_unflushed));
        self.last_flush = Instant::now();
        Ok(())
    }
}

/// Notes what became of the frames of a chunk, with their metadata, in memory.
fn note_rows<T>(columns: &mut Columns, job: &Job<T>) {
    for (slot, row) in job.rows() {
        note_row(columns, slot.index, status_of(slot.fate), row);
    }
}

/// What the column `frame_status` says of a frame that was encoded, or was not.
pub(super) fn status_of(fate: State) -> FrameStatus {
    match fate {
        State::Vetoed => FrameStatus::Vetoed,
        State::Refused => FrameStatus::Refused,
        State::Lost => FrameStatus::Lost,
        _ => FrameStatus::Written,
    }
}

fn note_row(columns: &mut Columns, index: u64, status: FrameStatus, row: &[u8]) {
    // The number and the row's size were looked at when the frame was pushed.
    let noted = columns.set(index, status, row);
    debug_assert!(noted.is_ok(), "{noted:?}");
}
