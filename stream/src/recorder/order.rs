//! Which frame goes where, and who has it: the recorder's state, without threads, HDF5 or pixels.
//!
//! ```text
//!           offer      take                    next_job        encoded            settle
//!  a frame ──────▶ ? ──────▶ an open chunk ──▶ a ready chunk ──▶ with a worker ──▶ encoded ──▶ in the file
//!                  │
//!                  └▶ duplicate, late, out of range, dropped: counted, and its buffer is the caller's at once
//! ```
//!
//! A chunk is closed, which makes it ready, when all its frames are there, or when a frame comes that is `reorder` frames after
//! its end, or when it is asked for ([`close_oldest`](Order::close_oldest)). A frame for a closed chunk is late. A chunk of one frame
//! is closed by its frame, so there only frames outside of the [window](super::numbers::WINDOW) are late.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use super::numbers::{Numbers, State};
use super::rate::Rate;
use super::share::Numbering;
use super::statistics::Statistics;

/// More frames no dataset has.
const MAX_INDEX: u64 = 1 << 48;

/// What a state machine is told once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) frames_per_chunk: u64,
    pub(super) numbering: Numbering,
    /// How many frames after the end of a chunk others may come before it is closed, at most half of the [window](super::numbers::WINDOW).
    pub(super) reorder: u64,
    /// How far after the newest frame another may be, at most [the window](super::numbers::WINDOW).
    pub(super) max_gap: u64,
    pub(super) max_bytes: usize,
    /// Chunks that may be ready or with workers.
    pub(super) max_jobs: usize,
    /// Bytes of a frame's pixels as the dataset has them.
    pub(super) pixel_bytes: u64,
}

/// What is to be done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// It can be taken, with this index.
    Take(u64),
    Duplicate,
    Late,
    OutOfRange,
}

/// A frame of a chunk.
#[derive(Debug)]
pub(super) struct Slot<T> {
    pub(super) index: u64,
    /// Which of the chunk's bytes of metadata are this frame's.
    row: Range<usize>,
    /// `None` once it was released.
    pub(super) frame: Option<T>,
    pub(super) fate: State,
}

/// A chunk that is to be encoded: its frames by their index.
#[derive(Debug)]
pub(super) struct Job<T> {
    ticket: u64,
    pub(super) chunk: u64,
    pub(super) slots: Vec<Slot<T>>,
    rows: Vec<u8>,
    /// Bytes of the frames.
    n_bytes: usize,
}

impl<T> Job<T> {
    /// Each frame with its row of metadata, which is empty where it has none.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&Slot<T>, &[u8])> {
        self.slots.iter().map(|slot| (slot, &self.rows[slot.row.clone()]))
    }

    /// The frames that were to be stored are lost.
    pub(super) fn lose(&mut self) {
        self.slots.iter_mut().filter(|slot| slot.fate == State::Stored).for_each(|slot| slot.fate = State::Lost);
    }
}

/// A chunk that waits for frames.
#[derive(Debug)]
struct Open<T> {
    chunk: u64,
    since: Instant,
    slots: Vec<Slot<T>>,
    rows: Vec<u8>,
    n_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Order<T> {
    rules: Rules,
    numbers: Numbers,
    /// By their place in the dataset.
    open: VecDeque<Open<T>>,
    ready: VecDeque<Job<T>>,
    /// Since when each chunk that was closed is on its way, by its ticket; `None` where it has arrived.
    under_way: VecDeque<Option<Instant>>,
    first_ticket: u64,
    n_jobs: usize,
    /// One more than the greatest index.
    n_frames: u64,
    counts: Statistics,
    rate: Rate,
    /// When the recording ended: what is said of it changes no more.
    end: Option<Instant>,
    /// Memory of chunks that are done.
    spare: Vec<(Vec<Slot<T>>, Vec<u8>)>,
}

impl<T> Order<T> {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            numbers: Numbers::default(),
            open: VecDeque::new(),
            ready: VecDeque::new(),
            under_way: VecDeque::new(),
            first_ticket: 0,
            n_jobs: 0,
            n_frames: 0,
            counts: Statistics::default(),
            rate: Rate::default(),
            end: None,
            spare: Vec::new(),
        }
    }

    /// Says what is to be done with a frame of this number, and counts those that are not to be taken.
    pub(super) fn offer(&mut self, number: u64, n_bytes: usize, now: Instant) -> Offer {
        let offer = self.judge(number);
        let count = match offer {
            Offer::Take(_) => return offer,
            Offer::Duplicate => &mut self.counts.n_duplicate,
            Offer::Late => &mut self.counts.n_late,
            Offer::OutOfRange => &mut self.counts.n_out_of_range,
        };
        *count += 1;
        self.received(n_bytes, now);
        offer
    }

    fn judge(&self, number: u64) -> Offer {
        let Some(index) = self.rules.numbering.place(number) else { return Offer::OutOfRange };
        if index.saturating_sub(self.n_frames) > self.rules.max_gap || index >= MAX_INDEX {
            return Offer::OutOfRange;
        }
        match self.numbers.get(index) {
            None => Offer::Late,
            Some((State::Stored | State::Vetoed | State::Refused | State::Held | State::Lost, _)) => Offer::Duplicate,
            Some((_, is_open)) if !is_open || self.is_past(index / self.rules.frames_per_chunk) => Offer::Late,
            Some(_) => Offer::Take(index),
        }
    }

    /// Whether frames have come that are so far after a chunk that it is closed, or never opened.
    fn is_past(&self, chunk: u64) -> bool {
        let n = self.rules.frames_per_chunk;
        n > 1 && self.n_frames > (chunk.saturating_add(1)).saturating_mul(n).saturating_add(self.rules.reorder)
    }

    /// Whether there is memory for a frame of so many bytes.
    pub(super) fn has_room(&self, n_bytes: usize) -> bool {
        let held = self.counts.bytes_held;
        self.n_jobs < self.rules.max_jobs && (held == 0 || held.saturating_add(n_bytes) <= self.rules.max_bytes)
    }

    /// Takes a frame that was [offered](Self::offer), with its row of metadata.
    pub(super) fn take(&mut self, index: u64, n_bytes: usize, now: Instant, frame: T, row: &[u8]) {
        self.received(n_bytes, now);
        self.counts.n_held += 1;
        self.counts.bytes_held += n_bytes;
        self.numbers.set(index, State::Held);
        self.n_frames = self.n_frames.max(index + 1);
        let chunk = index / self.rules.frames_per_chunk;
        let at = self.open.partition_point(|open| open.chunk < chunk);
        if self.open.get(at).is_none_or(|open| open.chunk != chunk) {
            let (slots, rows) = self.spare.pop().unwrap_or_default();
            self.open.insert(at, Open { chunk, since: now, slots, rows, n_bytes: 0 });
        }
        let open = &mut self.open[at];
        open.n_bytes += n_bytes;
        let row_start = open.rows.len();
        open.rows.extend_from_slice(row);
        open.slots.push(Slot { index, row: row_start..open.rows.len(), frame: Some(frame), fate: State::Held });
        if open.slots.len() as u64 == self.rules.frames_per_chunk {
            self.close(at);
        }
        while self.open.front().is_some_and(|open| self.is_past(open.chunk)) {
            self.close(0);
        }
    }

    /// Counts a frame that was [offered](Self::offer) and for which there is no memory. It may be offered again.
    pub(super) fn drop_frame(&mut self, index: u64, n_bytes: usize, now: Instant) {
        self.received(n_bytes, now);
        self.counts.n_dropped += 1;
        self.numbers.set(index, State::Dropped);
        self.n_frames = self.n_frames.max(index + 1);
    }

    fn received(&mut self, n_bytes: usize, now: Instant) {
        self.counts.n_received += 1;
        self.counts.bytes_received += n_bytes as u64;
        self.rate.add(now, n_bytes);
    }

    /// Closes the first chunk that waits for frames. Says whether there was one.
    pub(super) fn close_oldest(&mut self) -> bool {
        let is_there = !self.open.is_empty();
        if is_there {
            self.close(0);
        }
        is_there
    }

    /// Closes the first chunk that waits for frames and is not that of the frame `index`. Says whether there was one.
    pub(super) fn close_oldest_beside(&mut self, index: u64) -> bool {
        let own = index / self.rules.frames_per_chunk;
        let at = self.open.iter().position(|open| open.chunk != own);
        at.map(|at| self.close(at)).is_some()
    }

    fn close(&mut self, at: usize) {
        let Some(Open { chunk, since, mut slots, rows, n_bytes }) = self.open.remove(at) else { return };
        let n = self.rules.frames_per_chunk;
        if (slots.len() as u64) < n {
            (chunk * n..(chunk + 1) * n).for_each(|index| self.numbers.close(index));
        }
        slots.sort_unstable_by_key(|slot| slot.index);
        let ticket = self.first_ticket + self.under_way.len() as u64;
        self.under_way.push_back(Some(since));
        self.n_jobs += 1;
        self.ready.push_back(Job { ticket, chunk, slots, rows, n_bytes });
    }

    /// The next chunk that is to be encoded.
    pub(super) fn next_job(&mut self) -> Option<Job<T>> {
        self.ready.pop_front()
    }

    /// Gives a chunk back that no worker could be handed.
    pub(super) fn put_back(&mut self, job: Job<T>) {
        self.ready.push_front(job);
    }

    /// A chunk was encoded to `n_bytes`, and its frames were released.
    pub(super) fn encoded(&mut self, job: &Job<T>, n_bytes: usize) {
        self.n_jobs -= 1;
        self.counts.bytes_held = self.counts.bytes_held - job.n_bytes + n_bytes;
    }

    /// A chunk that was encoded to `n_bytes` is in the file; or it is [lost](Job::lose); or it has no frame that is to be stored, and no
    /// bytes. Says how many frames were stored.
    pub(super) fn settle(&mut self, mut job: Job<T>, n_bytes: usize) -> u64 {
        let (n_before, n_lost) = (self.counts.n_stored, self.counts.n_lost);
        for slot in job.slots.drain(..) {
            self.numbers.set(slot.index, slot.fate);
            self.counts.n_held -= 1;
            match slot.fate {
                State::Vetoed => self.counts.n_vetoed += 1,
                State::Refused => self.counts.n_refused += 1,
                State::Lost => self.counts.n_lost += 1,
                _ => self.counts.n_stored += 1,
            }
        }
        self.counts.bytes_held -= n_bytes;
        if self.counts.n_lost == n_lost {
            self.counts.bytes_stored += n_bytes as u64;
        }
        job.rows.clear();
        self.spare.push((job.slots, job.rows));
        self.under_way[(job.ticket - self.first_ticket) as usize] = None;
        while let Some(None) = self.under_way.front() {
            self.under_way.pop_front();
            self.first_ticket += 1;
        }
        self.counts.n_stored - n_before
    }

    /// All frames that were stored so far cannot be lost by a killed process any more.
    pub(super) fn flushed(&mut self, n_frames: u64) {
        self.counts.n_flushed += n_frames;
    }

    /// Frames that cannot be lost by a killed process any more.
    pub(super) fn n_flushed(&self) -> u64 {
        self.counts.n_flushed
    }

    /// Frames that the dataset is to have: one more than the greatest index.
    pub(super) fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Where the first chunk begins after all frames that have come, and after those before the index `from` of the measurement; and where
    /// that of the oldest frame does that can still come.
    pub(super) fn next_start(&self, from: u64) -> (u64, u64) {
        let Rules { frames_per_chunk: n, numbering, .. } = self.rules;
        let after = self.n_frames.max(numbering.share.place_from(from));
        (after.next_multiple_of(n), self.oldest() / n * n)
    }

    /// The oldest frame that is still to be encoded, or may come.
    fn oldest(&self) -> u64 {
        let n = self.rules.frames_per_chunk;
        self.numbers.first(|index, state, is_open| match state {
            State::Held => true,
            State::Missing | State::Dropped => is_open && !self.is_past(index / n),
            _ => false,
        })
    }

    /// The number of a frame.
    pub(super) fn numbering(&self) -> Numbering {
        self.rules.numbering
    }

    /// Chunks that are ready or with workers.
    pub(super) fn n_jobs(&self) -> usize {
        self.n_jobs
    }

    /// Whether every chunk that was closed is in the file.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The recording has ended.
    pub(super) fn end(&mut self, now: Instant) {
        self.end.get_or_insert(now);
    }

    pub(super) fn statistics(&self, now: Instant) -> Statistics {
        let now = self.end.unwrap_or(now);
        let closed = self.under_way.iter().flatten().copied();
        let oldest = self.open.iter().map(|open| open.since).chain(closed).min();
        Statistics {
            n_missing: self.n_frames - self.numbers.n_known(),
            n_queued: self.n_jobs,
            seconds_behind: oldest.map_or(0.0, |oldest| now.saturating_duration_since(oldest).as_secs_f64()),
            bytes_decoded: self.counts.n_stored * self.rules.pixel_bytes,
            seconds: self.rate.seconds(),
            gb_per_s: self.rate.gb_per_s(now),
            ..self.counts
        }
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
