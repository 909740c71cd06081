//! Files that have another name until they are finished.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file that goes away unless it is kept.
pub(crate) struct Temporary(pub(crate) Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

impl Temporary {
    /// Has the file on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        fs::File::open(self.path())?.sync_all()
    }

    /// Leaves the file as it is.
    pub(crate) fn keep(mut self) {
        self.0 = None;
    }

    /// The name that it has now.
    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Has the file on the disk, and gives it the name `to` by `publish`, with which it stays.
    pub(crate) fn finish(mut self, to: &Path, publish: fn(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let Some(place) = &self.0 else { return Ok(()) };
        fs::File::open(place)?.sync_all()?;
        publish(place, to)?;
        self.0 = None;
        sync_folder(to)
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Has the disk know the names in the folder of a file.
pub(crate) fn sync_folder(file: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder_of(file))?.sync_all() } else { Ok(()) }
}
