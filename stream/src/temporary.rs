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

/// The name that a file has until it is finished: in the same folder, and of no other process.
pub(crate) fn unfinished(to: &Path) -> Result<PathBuf, String> {
    let name = to.file_name().ok_or_else(|| format!("{} is no name of a file", to.display()))?;
    if !folder_of(to).is_dir() {
        return Err(format!("there is no folder {}, which the new file would be in", folder_of(to).display()));
    }
    Ok(to.with_file_name(format!(".{}.{}.unfinished", name.to_string_lossy(), std::process::id())))
}

/// What runs that were killed left of the file `to`, if none is at work on it now.
///
/// # Errors
/// Where the folder cannot be read.
pub fn left_unfinished(to: &Path) -> io::Result<Vec<PathBuf>> {
    let head = format!(".{}.", to.file_name().unwrap_or_default().to_string_lossy());
    let mut left = Vec::new();
    for entry in fs::read_dir(folder_of(to))? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        let middle = text.strip_prefix(&head).and_then(|rest| rest.strip_suffix(".unfinished"));
        if middle.is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())) {
            left.push(folder_of(to).join(name));
        }
    }
    Ok(left)
}

/// Gives a finished file the owner of the one that it replaces.
#[cfg(unix)]
pub(crate) fn keep_owner(place: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let Ok(old) = fs::metadata(to) else { return Ok(()) };
    let new = fs::metadata(place)?;
    if (old.uid(), old.gid()) == (new.uid(), new.gid()) {
        return Ok(());
    }
    chown(place, Some(old.uid()), Some(old.gid())).map_err(|error| {
        let (user, group) = (old.uid(), old.gid());
        let why = format!("it belongs to user {user} and group {group}, which cannot be given to a new file ({error})");
        io::Error::new(error.kind(), why)
    })
}

#[cfg(not(unix))]
pub(crate) fn keep_owner(_place: &Path, _to: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives a finished file its name, with the rights of the old one.
pub(crate) fn publish(place: &Path, from: &Path, to: &Path) -> io::Result<()> {
    fs::set_permissions(place, fs::metadata(from)?.permissions())?;
    fs::File::open(place)?.sync_all()?;
    fs::rename(place, to)?;
    sync_folder(to)
}
