//! The files themselves: which one has a frame, when the next is opened, and when one is closed.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use darkchunk_hdf5::{File, FileElement};

use super::{Files, Spread, with_extension};
use crate::recorder::{Buffer, Options, Pushed, Recorder, Share, Statistics};
use crate::{Error, Result, master};

/// A part that is recorded to.
#[derive(Debug)]
pub(super) struct Part<P: FileElement + Into<i64>, B: Buffer> {
    // Before the file, so that it is dropped first.
    pub(super) recorder: Recorder<P, B>,
    pub(super) file: File,
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) share: Share,
    /// Where the part after it begins, once that is known.
    pub(super) end: Option<u64>,
    /// No frame goes there any more.
    pub(super) is_closing: bool,
}

/// Between a part that could not be closed and the next try.
const RETRY: Duration = Duration::from_millis(100);

/// Where a frame goes.
pub(super) enum Way {
    Part(usize),
    No(Pushed),
}

impl<P: FileElement + Into<i64> + Clone, B: Buffer> Files<P, B> {
    /// Opens another part.
    pub(super) fn begin(&mut self, number: u64, share: Share) -> Result<()> {
        let path = master::part_path(&self.master, number);
        if path.exists() {
            let reason = "it is there already: give another name, or move it away".to_owned();
            return Err(Error::Part { path: path.display().to_string(), reason });
        }
        let create = if self.options.swmr { File::create_for_swmr } else { File::create };
        let index = self.options.index.as_ref().map(|_| with_extension(&path, ".index"));
        let options = Options { share: Some(share), index, ..self.options.clone() };
        let processing = Arc::clone(&self.processing);
        let made = create(&self.library, &path).map_err(Error::from).and_then(|file| {
            let mut recorder = Recorder::create(&self.library, file.id(), &self.dataset, processing, options)?;
            self.changed.iter().try_for_each(|wanted| recorder.change_from(0, wanted.clone()).map(drop))?;
            Ok((recorder, file))
        });
        // It was not there before.
        let (recorder, file) = made.inspect_err(|_| drop(std::fs::remove_file(&path)))?;
        (self.frame_bytes, self.row_bytes) = (recorder.frame_bytes(), recorder.row_bytes());
        let check_every = self.check_every.load(Ordering::Relaxed);
        if check_every != u64::MAX {
            recorder.check_every(check_every);
        }
        let end = (share.every == 0 && share.frames > 0).then(|| share.first.saturating_add(share.frames));
        self.open.push(Part { recorder, file, number, path, share, end, is_closing: false });
        Ok(())
    }

    /// Removes the parts that are open, none of which has a frame.
    pub(super) fn remove_open(&mut self) {
        for Part { recorder, file, path, .. } in self.open.drain(..) {
            drop((recorder, file));
            // One that stays is named by the next try.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Which part has a frame; it is made where it is missing.
    pub(super) fn way(&mut self, index: u64) -> Result<Way> {
        if self.made.is_some() || self.open.is_empty() {
            return Err(Error::Finished);
        }
        if index.saturating_sub(self.n_frames) > self.options.max_gap {
            return Ok(Way::No(Pushed::OutOfRange));
        }
        if let Spread::Frames(n) = self.spread {
            self.begin_up_to(index / n, n)?;
        }
        let at = self.open.iter().position(|part| {
            let is_before_end = part.end.is_none_or(|end| index < end);
            !part.is_closing && is_before_end && part.share.place(index).is_some()
        });
        Ok(match at {
            Some(at) => Way::Part(at),
            None if matches!(self.spread, Spread::Turns { .. }) => Way::No(Pushed::OutOfRange),
            None => Way::No(Pushed::Late),
        })
    }

    /// Opens the parts up to this one; of many that are skipped the last ones.
    fn begin_up_to(&mut self, number: u64, n: u64) -> Result<()> {
        const MOST: u64 = 4;
        let Some(last) = self.open.last().filter(|last| last.number < number) else { return Ok(()) };
        for number in (last.number + 1).max(number.saturating_sub(MOST - 1))..=number {
            self.begin(number, Share::row(number * n, n))?;
        }
        Ok(())
    }

    /// Opens the next part where the last one is half full, and closes those that are full.
    pub(super) fn turn_over(&mut self) -> Result<()> {
        match self.spread {
            Spread::Turns { .. } => return Ok(()),
            Spread::Frames(n) => {
                if let Some(last) = self.open.last().filter(|last| self.n_frames > last.share.first + n / 2) {
                    let number = last.number + 1;
                    self.begin(number, Share::row(number.saturating_mul(n), n))?;
                }
            }
            Spread::Bytes(most) => self.set_end(most)?,
        }
        let (n_frames, reorder) = (self.n_frames, self.options.reorder);
        let is_full = |part: &Part<P, B>| part.end.is_some_and(|end| n_frames >= end.saturating_add(reorder));
        if self.failed.is_some_and(|failed| failed.elapsed() < RETRY) {
            return Ok(());
        }
        while self.open.first().is_some_and(is_full) {
            let closed = self.close(0);
            self.failed = closed.is_err().then(Instant::now);
            closed?;
        }
        Ok(())
    }

    /// Says where the last part ends, once most of its bytes are there, and opens the next.
    fn set_end(&mut self, most: u64) -> Result<()> {
        const LOOK_EACH: u64 = 16;
        let n_frames = self.n_frames;
        let Some(last) = self.open.last().filter(|_| n_frames.is_multiple_of(LOOK_EACH)) else { return Ok(()) };
        let Statistics { bytes_stored, n_stored, n_held, .. } = last.recorder.statistics()?;
        let raw = last.recorder.frame_bytes() as u64;
        // Those that are held count as frames of the usual size.
        let frame_bytes = bytes_stored.checked_div(n_stored).unwrap_or(raw).max(1);
        if bytes_stored.saturating_add(n_held.saturating_mul(frame_bytes)) < most / 4 * 3 {
            return Ok(());
        }
        let n_more = (most / frame_bytes).saturating_sub(n_frames - last.share.first);
        let per_chunk = self.dataset.frames_per_chunk as u64;
        let n = (n_frames - last.share.first + n_more).next_multiple_of(per_chunk).max(per_chunk);
        let (number, end) = (last.number + 1, last.share.first + n);
        self.begin(number, Share::row(end, 0))?;
        let before = self.open.len() - 2;
        self.open[before].end = Some(end);
        Ok(())
    }

    /// Finishes a part. One that has no frames is removed.
    pub(super) fn close(&mut self, at: usize) -> Result<()> {
        self.open[at].is_closing = true;
        let statistics = self.open[at].recorder.finish()?;
        self.closed(at, &statistics)
    }

    pub(super) fn closed(&mut self, at: usize, statistics: &Statistics) -> Result<()> {
        let Part { recorder, file, path, .. } = self.open.remove(at);
        self.fault = recorder.fault()?.or(self.fault.take());
        drop(recorder);
        self.done.add(statistics);
        file.close()?;
        if statistics.n_received == 0 && !matches!(self.spread, Spread::Turns { .. }) {
            return std::fs::remove_file(&path)
                .map_err(|error| Error::Part { path: path.display().to_string(), reason: error.to_string() });
        }
        self.hasher.take(&path, statistics.n_stored);
        self.parts.push(path);
        Ok(())
    }
}
