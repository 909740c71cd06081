//! Files that have another name until they are finished.

use std::fs;
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

/// Has the disk know the names in the folder of a file.
pub(crate) fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}
