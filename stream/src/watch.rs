//! What a recording that goes on has so far: by the file, which its writer flushes or writes in SWMR's way, and by the journal beside it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::inspect::{self, DatasetInfo};
use darkchunk_hdf5::tree::{self, Entry, Kind};
use darkchunk_hdf5::{File, FrameStatus, Library};

use crate::journal::{Noted, Progress};
use crate::writer::Signs;
use crate::{Options, Reader};

/// What the name of a dataset is followed by in that of the group of what is stored beside it.
const BESIDE: &str = "_darkchunk";

/// A recording that is looked at again and again.
#[derive(Debug)]
pub struct Recording {
    library: Library,
    path: PathBuf,
    dataset: Option<String>,
    journal: Progress,
    /// Whether its writer was seen among the programs of this machine.
    was_seen: bool,
}

/// What there is of a dataset.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// The dataset's path.
    pub dataset: String,
    /// Frames that there are places for: the newest number, and one.
    pub n_frames: u64,
    /// Bytes of the frames that are stored.
    pub n_bytes: u64,
    /// Bytes that they are stored in.
    pub stored_bytes: u64,
    /// How many frames have each status, where the recorder says so.
    pub statuses: Option<[u64; FrameStatus::ALL.len()]>,
    /// Frames of chunks that were never written, where there is no status.
    pub n_missing: u64,
}

/// Whether a recording goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Somebody writes to it, as far as can be seen.
    Open,
    /// Nobody does.
    Ended,
    /// Nobody does, and it was not finished: its journal is there.
    Broken,
}

impl State {
    /// Bytes of frames for each byte that is stored.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.stored_bytes > 0).then(|| self.n_bytes as f64 / self.stored_bytes as f64)
    }

    /// How many frames have a status.
    #[must_use]
    pub fn count(&self, status: FrameStatus) -> u64 {
        match (&self.statuses, status) {
            (Some(counts), status) => counts[status as usize],
            (None, FrameStatus::Missing) => self.n_missing,
            (None, FrameStatus::Written) => self.n_frames.saturating_sub(self.n_missing),
            (None, _) => 0,
        }
    }

    /// Frames that are not stored, though nobody wished them away.
    #[must_use]
    pub fn n_not_stored(&self) -> u64 {
        use FrameStatus::{Dropped, Lost, Missing, Refused};
        [Missing, Dropped, Refused, Lost].iter().map(|status| self.count(*status)).sum()
    }
}

impl Recording {
    /// A file that is being recorded, or will be; all of its datasets that grow unless one is named.
    #[must_use]
    pub fn new(library: &Library, path: &Path, dataset: Option<&str>) -> Self {
        Self {
            library: library.clone(),
            path: path.to_owned(),
            dataset: dataset.map(str::to_owned),
            journal: Progress::of(path),
            was_seen: false,
        }
    }

    /// What there is now of each dataset.
    ///
    /// # Errors
    /// What cannot be read at this moment: the next one may be better, as the writer goes on.
    pub fn look(&mut self) -> Result<Vec<State>, String> {
        let noted = self.journal.read().map_err(|error| error.to_string());
        let text = |error: darkchunk_hdf5::Error| error.to_string();
        let file = File::open_growing(&self.library, &self.path).map_err(text)?;
        let entries = tree::walk(&self.library, file.id(), "/").map_err(text)?;
        let paths = match &self.dataset {
            Some(path) => vec![path.clone()],
            None => self.recorded(&file, &entries)?,
        };
        let (all_names, first) = (tree::other_names(&entries), first_names(&entries));
        let state = |path: &String| {
            let path = first.get(&**path).copied().unwrap_or(path);
            let names = std::iter::once(path).chain(all_names.get(path).into_iter().flatten().copied());
            let names: Vec<&str> = names.collect();
            let path = names.iter().copied().find(|name| has_columns(&entries, name)).unwrap_or(path);
            let info = inspect::dataset(&self.library, file.id(), path).map_err(text)?;
            let mut state = self.stored(&file, path, &info)?;
            if let Some(noted) = self.journal.dataset(&names) {
                add_journal(&mut state, noted, &info);
            }
            Ok(state)
        };
        let states = paths.iter().map(state).collect();
        noted?;
        states
    }

    /// The datasets of two axes or more that can grow, but those beside others; if there are none, the one whose rows have the most bytes.
    fn recorded(&self, file: &File, entries: &[Entry]) -> Result<Vec<String>, String> {
        let datasets = entries.iter().filter(|entry| entry.kind == Kind::Dataset).map(|entry| &entry.path);
        let known = datasets.filter_map(|path| {
            let info = inspect::dataset(&self.library, file.id(), path).ok()?;
            let dims = info.dims.as_ref()?;
            let row = dims.iter().skip(1).fold(info.element_bytes, |n, dim| n.saturating_mul(*dim));
            let grows = info.max_dims.first() == Some(&None);
            Some(((grows, row, info.n_bytes, path.clone()), dims.len() > 1 && grows && !path.contains(BESIDE)))
        });
        let known: Vec<_> = known.collect();
        let shown: Vec<String> =
            known.iter().filter(|(_, is_shown)| *is_shown).map(|((.., path), _)| path.clone()).collect();
        if !shown.is_empty() {
            return Ok(shown);
        }
        let largest = known.into_iter().max().map(|((.., path), _)| vec![path]);
        largest.ok_or_else(|| "there is no dataset yet".to_owned())
    }

    fn stored(&self, file: &File, path: &str, info: &DatasetInfo) -> Result<State, String> {
        let n_frames = info.dims.as_ref().and_then(|dims| dims.first().copied()).unwrap_or(0);
        let frame_bytes = info.n_bytes.checked_div(n_frames).unwrap_or(0);
        let (mut n_missing, mut n_bytes) = (0, info.n_bytes);
        if let (Some(Ok(chunks)), Some(chunk)) = (&info.chunks, &info.chunk) {
            let chunk_bytes = chunk.iter().fold(info.element_bytes, |n, dim| n.saturating_mul(*dim));
            n_bytes = chunk_bytes.saturating_mul(chunks.n_stored).min(info.n_bytes);
            n_missing = (info.n_bytes - n_bytes).checked_div(frame_bytes).unwrap_or(0);
        }
        let statuses = self.statuses(file, &format!("{path}_darkchunk/frame_status"), n_frames)?;
        Ok(State { dataset: path.to_owned(), n_frames, n_bytes, stored_bytes: info.stored_bytes, statuses, n_missing })
    }

    /// How many of the first frames have each status; `None` without the recorder's column.
    fn statuses(
        &self,
        file: &File,
        path: &str,
        n_frames: u64,
    ) -> Result<Option<[u64; FrameStatus::ALL.len()]>, String> {
        let text = |error: crate::Error| error.to_string();
        let Ok(reader) =
            Reader::open_path(&self.library, file.id(), path, Options { n_threads: 1, ..Options::default() })
        else {
            return Ok(None);
        };
        let [n_rows] = *reader.dims() else { return Ok(None) };
        if reader.element().n_bytes != 1 {
            return Ok(None);
        }
        let n = n_rows.min(n_frames);
        let mut bytes =
            darkchunk::pipeline::buffer(usize::try_from(n).unwrap_or(usize::MAX)).map_err(|error| error.to_string())?;
        reader.read(&[0], &[n], None, &mut bytes).map_err(text)?;
        let mut counts = [0; FrameStatus::ALL.len()];
        for status in bytes {
            if let Some(count) = counts.get_mut(usize::from(status)) {
                *count += 1;
            }
        }
        counts[FrameStatus::Missing as usize] += n_frames - n;
        Ok(Some(counts))
    }

    /// Whether somebody writes to it. HDF5's lock and its mark in the file tell, the journal, and, for programs of the same user on this machine,
    /// which files they have open.
    pub fn phase(&mut self) -> Phase {
        let Signs { is_open, is_marked, is_locked, has_journal } = Signs::of(&self.path, self.was_seen);
        self.was_seen |= is_open;
        match (is_open, self.was_seen) {
            (true, _) => Phase::Open,
            (false, true) if has_journal => Phase::Broken,
            (false, true) => Phase::Ended,
            (false, false) if is_marked || is_locked || has_journal => Phase::Open,
            (false, false) => Phase::Ended,
        }
    }
}

/// The first name of each object that has several, by the others.
fn first_names(entries: &[Entry]) -> HashMap<&str, &str> {
    let others = entries.iter().filter_map(|entry| match &entry.kind {
        Kind::Same(first) => Some((&*entry.path, &**first)),
        _ => None,
    });
    others.collect()
}

/// Whether what a recorder stores beside a dataset is beside this name of it.
fn has_columns(entries: &[Entry], name: &str) -> bool {
    entries.iter().any(|entry| entry.path.strip_prefix(name) == Some(BESIDE))
}

/// What the journal has and the file does not show yet.
fn add_journal(state: &mut State, noted: &Noted, info: &DatasetInfo) {
    let n_frames = noted.n_frames();
    if n_frames <= state.n_frames {
        return;
    }
    let dims = info.dims.as_deref().unwrap_or_default();
    let frame_bytes = dims.iter().skip(1).fold(info.element_bytes, |n, dim| n.saturating_mul(*dim));
    let mut counts = *noted.counts();
    let n_noted: u64 = counts.iter().sum();
    counts[FrameStatus::Missing as usize] += n_frames.saturating_sub(n_noted);
    state.n_frames = n_frames;
    state.stored_bytes = state.stored_bytes.max(noted.stored_bytes());
    if n_noted > 0 {
        let n_stored = counts[FrameStatus::Written as usize] + counts[FrameStatus::Incomplete as usize];
        state.n_bytes = state.n_bytes.max(frame_bytes.saturating_mul(n_stored));
        state.statuses = Some(counts);
    } else {
        state.n_bytes = frame_bytes.saturating_mul(n_frames - state.n_missing);
    }
}
