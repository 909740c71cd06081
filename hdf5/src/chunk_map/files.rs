//! The files that a dataset's elements are in.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use super::sources::{MAX_DEPTH, Source};
use super::{Storage, StoredDataset, locate};
use crate::{Error, Result, object};

/// What was seen of a dataset and those below it.
#[derive(Default)]
struct Seen {
    files: BTreeSet<PathBuf>,
    sources: HashSet<Source>,
}

impl StoredDataset {
    /// All files that its elements are in: its own, and of a virtual dataset those of its sources.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where they cannot be named: external files, and what [`sources`](Self::sources) does not list; [`Error::Hdf5`].
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let mut seen = Seen::default();
        self.add_files(&mut seen, MAX_DEPTH)?;
        Ok(seen.files.into_iter().collect())
    }

    fn add_files(&self, seen: &mut Seen, depth: usize) -> Result<()> {
        let refused = |why: &str| Error::Unsupported(why.to_owned());
        let depth = depth.checked_sub(1).ok_or_else(|| refused("virtual datasets of virtual datasets have no end"))?;
        let own = locate::path_of(self.dataset.library(), &object::file_of(&self.dataset)?)?;
        seen.files.insert(own.clone());
        match &self.storage {
            Storage::Chunked { .. } | Storage::Contiguous => return Ok(()),
            Storage::Other(why) => return Err(refused(why)),
            Storage::Virtual => {}
        }
        for source in self.sources()?.sources {
            let file = source.file.clone().unwrap_or_else(|| own.clone());
            if seen.sources.insert(Source { file: Some(file), ..source.clone() }) {
                self.open_source(&source)?.add_files(seen, depth)?;
            }
        }
        Ok(())
    }
}
