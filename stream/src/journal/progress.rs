//! What a journal says of a recording that goes on, read as it grows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use darkchunk_hdf5::FrameStatus;

use super::record::Record;
use super::{MAGIC, path_of};

/// A journal that is read on.
#[derive(Debug)]
pub struct Progress {
    path: PathBuf,
    /// Bytes of whole records that were read.
    n_read: u64,
    datasets: Vec<Noted>,
    /// The dataset of each group of columns.
    groups: Vec<u16>,
}

/// What it says of a dataset.
#[derive(Debug, Default)]
pub struct Noted {
    path: String,
    n_frames: u64,
    /// The bytes of each chunk.
    chunks: HashMap<u64, u64>,
    /// What became of each frame.
    frames: HashMap<u64, FrameStatus>,
    counts: [u64; FrameStatus::ALL.len()],
}

impl Progress {
    /// The journal of `file`, of which nothing was read.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        Self { path: path_of(file), n_read: 0, datasets: Vec::new(), groups: Vec::new() }
    }

    /// Whether it is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Reads what is new. A record that is not whole yet is read the next time.
    ///
    /// # Errors
    /// What the system says, but for a journal that is not there.
    pub fn read(&mut self) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        self.n_read = self.n_read.max(MAGIC.len() as u64);
        file.seek(SeekFrom::Start(self.n_read))?;
        let mut journal = BufReader::with_capacity(1 << 20, file);
        while let Some((record, n_bytes)) = Record::read(&mut journal)? {
            self.take(record);
            self.n_read += n_bytes;
        }
        Ok(())
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Dataset(series) => {
                self.datasets.push(Noted { path: series.dataset.path, ..Noted::default() });
            }
            Record::Group { dataset, .. } => self.groups.push(dataset),
            Record::Chunk(chunk) => {
                let Some(noted) = self.datasets.get_mut(usize::from(chunk.dataset)) else { return };
                noted.n_frames = noted.n_frames.max(chunk.n_frames);
                noted.chunks.insert(chunk.index, chunk.n_bytes);
            }
            Record::Row { group, frame, status, .. } => {
                let dataset = self.groups.get(usize::from(group)).map(|dataset| usize::from(*dataset));
                let Some(noted) = dataset.and_then(|dataset| self.datasets.get_mut(dataset)) else { return };
                if let Some(before) = noted.frames.insert(frame, status) {
                    noted.counts[before as usize] -= 1;
                }
                noted.counts[status as usize] += 1;
            }
        }
    }

    /// What it says of the dataset that has one of these paths in the file. A path that was noted may begin at a group without a name.
    #[must_use]
    pub fn dataset(&self, paths: &[&str]) -> Option<&Noted> {
        let is = |noted: &Noted, path: &str| match path.strip_suffix(noted.path.trim_start_matches('/')) {
            Some(before) => before == "/" || (before.ends_with('/') && !noted.path.starts_with('/')),
            None => false,
        };
        self.datasets.iter().find(|noted| paths.iter().any(|path| is(noted, path)))
    }
}

impl Noted {
    /// Frames that were given to be written.
    #[must_use]
    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Bytes of all chunks, as they are stored.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.chunks.values().fold(0, |n, n_bytes| n.saturating_add(*n_bytes))
    }

    /// How many frames have each status, of those whose rows were noted.
    #[must_use]
    pub fn counts(&self) -> &[u64; FrameStatus::ALL.len()] {
        &self.counts
    }
}
