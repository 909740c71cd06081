//! The lock of a journal: who has it writes to the journal, or restores from it.
//!
//! On Unix it is the lock of an open file, which a process that was forked shares. On Windows, where such a lock would keep others
//! from reading, nobody else can open the file to write.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::unopened;
use crate::{Error, Result};

/// How a journal is opened by the one that writes to it.
pub(super) fn options() -> OpenOptions {
    #[cfg_attr(not(windows), expect(unused_mut, reason = "Windows has more to set"))]
    let mut options = File::options();
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_SHARE_READ: u32 = 1;
        const FILE_SHARE_DELETE: u32 = 4;
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_DELETE);
    }
    options
}

/// Takes the lock of an open journal, until it is closed.
pub(super) fn take(file: &File, path: &Path) -> Result<()> {
    if cfg!(windows) {
        return Ok(());
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(is_written(path)),
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Takes the lock of a journal that is there, until the file that is returned is closed.
pub(super) fn of_left(path: &Path) -> Result<File> {
    const SHARING_VIOLATION: i32 = 32;
    match File::options().read(true).write(cfg!(windows)).open(path) {
        Ok(file) => take(&file, path).map(|()| file),
        Err(error) if cfg!(windows) && error.raw_os_error() == Some(SHARING_VIOLATION) => Err(is_written(path)),
        Err(error) => Err(unopened(path, &error)),
    }
}

pub(super) fn is_written(path: &Path) -> Error {
    let reason = "a recorder writes to it, or another program restores from it, or a process that a recorder has forked still runs: \
                  end that first";
    Error::Journal { path: path.display().to_string(), reason: reason.to_owned() }
}
