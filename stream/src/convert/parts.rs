//! A conversion that can go on where it was ended: each dataset that is encoded anew in a file of its own.
//!
//! The folder `.OUT.parts` has these files, and a list of those that are complete and on the disk. Its first line says which
//! file they were made from; parts of another one are thrown away. Where files are merged, each part's line says what other files it was
//! made from. When all are there their chunks are put into the new file, as they are stored, and the folder goes when that file has its
//! name.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::chunk_map::{Storage, StoredDataset};
use darkchunk_hdf5::copy::{NewDataset, NewStorage};
use darkchunk_hdf5::{File, Library, OpenDataset};

use crate::Result;
use crate::identity::state;
use crate::temporary::left_unfinished;

/// The name of the dataset in each part.
pub(super) const NAME: &str = "/data";

/// The parts of a file.
pub(super) struct Parts {
    folder: PathBuf,
    /// A line for each part that is complete, and for one that is begun again. The last of a part counts.
    done: Vec<String>,
}

impl Parts {
    /// The parts of `from` for `to` that an earlier run left.
    pub(super) fn open(from: &Path, to: &Path) -> std::io::Result<Self> {
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = to.with_file_name(format!(".{name}.parts"));
        left_unfinished(to)?.iter().try_for_each(fs::remove_file)?;
        let source = format!("darkchunk parts 2 {}", state(from)?);
        let list = fs::read_to_string(folder.join("list")).unwrap_or_default();
        // A line that was cut off is none.
        let whole = list.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let mut lines = whole.lines().map(str::to_owned);
        if lines.next().as_ref() == Some(&source) {
            return Ok(Self { folder, done: lines.collect() });
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        let parts = Self { folder, done: Vec::new() };
        parts.add_line(&source)?;
        Ok(parts)
    }

    fn add_line(&self, line: &str) -> std::io::Result<()> {
        let mut list = OpenOptions::new().append(true).create(true).open(self.folder.join("list"))?;
        list.write_all(format!("{line}\n").as_bytes())?;
        list.sync_all()
    }

    /// Where the part `number` is.
    pub(super) fn place(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{number}.h5"))
    }

    /// Whether the part of this line is complete.
    pub(super) fn has(&self, number: usize, line: &str) -> bool {
        self.last(number).is_some_and(|last| last == line) && self.place(number).exists()
    }

    /// What the list says last of a part.
    fn last(&self, number: usize) -> Option<&String> {
        let head = format!("{number} ");
        self.done.iter().rfind(|line| line.starts_with(&head))
    }

    /// Notes that the file of the part is written anew, for instance for another target: what the list says of it counts no more.
    pub(super) fn begin(&mut self, number: usize) -> std::io::Result<()> {
        if self.last(number).is_none() {
            return Ok(());
        }
        let line = format!("{number} begun");
        self.add_line(&line)?;
        self.done.push(line);
        Ok(())
    }

    /// Notes that the part is complete.
    pub(super) fn finished(&mut self, number: usize, line: String) -> std::io::Result<()> {
        fs::File::open(self.place(number))?.sync_all()?;
        self.add_line(&line)?;
        self.done.push(line);
        Ok(())
    }

    /// Throws all of it away.
    pub(super) fn remove(self) -> std::io::Result<()> {
        fs::remove_dir_all(self.folder)
    }
}

/// The line of the part `number`. `sources`: what [`sources`] says.
pub(super) fn line(number: usize, path: &str, storage: &NewStorage, sources: &str) -> String {
    let NewStorage { chunk, filters, .. } = storage;
    format!("{number} {chunk:?} {filters:?} {path:?}{sources}")
}

/// The state of each file that has elements of a dataset; `None` where these files cannot be named, so that its part is not to be used
/// again.
pub(super) fn sources(library: &Library, from: &File, path: &str) -> Option<String> {
    let stored = StoredDataset::open_path(library, from.id(), path).ok()?;
    stored.files().ok()?.iter().map(|file| Some(format!("; {file:?} {}", state(file).ok()?))).collect()
}

/// Puts the chunks of a part into the dataset `path` of the new file.
pub(super) fn join(
    library: &Library,
    part: &Path,
    to: &File,
    path: &str,
    seen: &dyn Fn(u64) -> Result<()>,
) -> Result<()> {
    let file = File::open(library, part, false)?;
    let dataset = OpenDataset::open(library, file.id(), NAME)?;
    let stored = StoredDataset::open(library, dataset.id())?;
    let target = NewDataset::open(library, to.id(), path)?;
    let Storage::Chunked { chunk, .. } = stored.storage() else { return Ok(()) };
    for (place, _) in stored.map()?.iter() {
        let offset: Vec<u64> = place.iter().zip(chunk).map(|(place, chunk)| place * chunk).collect();
        seen(0)?;
        if let Some((mask, bytes)) = stored.read_stored(&offset)? {
            target.write(&offset, mask, &bytes)?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_begun_again_is_not_there_until_it_is_finished() {
        let folder = std::env::temp_dir().join(format!("darkchunk-parts-again-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (from, to) = (folder.join("a"), folder.join("b"));
        fs::write(&from, "one").expect("written");
        let open = || Parts::open(&from, &to).expect("a folder of parts");
        let mut parts = open();
        for number in [1, 12] {
            parts.begin(number).expect("noted");
            fs::write(parts.place(number), "zstd").expect("written");
            parts.finished(number, format!("{number} zstd")).expect("noted");
        }
        assert!(open().has(1, "1 zstd") && open().has(12, "12 zstd"));
        // Killed while the file has another target's first bytes.
        parts.begin(1).expect("noted");
        fs::write(parts.place(1), "lz").expect("written");
        assert!(!open().has(1, "1 zstd") && !open().has(1, "1 lz4") && open().has(12, "12 zstd"));
        open().finished(1, "1 lz4".to_owned()).expect("noted");
        let parts = open();
        let found = (parts.has(1, "1 lz4"), parts.has(1, "1 zstd"));
        fs::remove_dir_all(folder).expect("removed");
        assert_eq!(found, (true, false));
    }
}
