//! Room on the disk that is kept for the end of a recording.
//!
//! Where a disk is full, frames can be refused, but to close the file HDF5 still has to write: nodes of its index, sizes, the open
//! chunks of columns. Without room for that the file may not open, although all chunks are in it. So a recording keeps a file of
//! some megabytes beside its own, and removes it when a write fails for the first time: then it writes what is left, flushes and
//! closes. Another program may take the room meanwhile, and a file system that gives room back late, such as Btrfs, may not have it
//! at once.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Room that is kept until it is given back; at the latest when dropped.
#[derive(Debug)]
pub struct Reserve {
    /// The file that takes the room; `None` once it is gone.
    path: Option<PathBuf>,
}

impl Reserve {
    /// Enough for what HDF5 usually keeps in memory of a file, and for some hundred columns.
    pub const DEFAULT_BYTES: u64 = 8 << 20;

    /// Takes `n_bytes` beside the file `beside`, in a file of its name with `.reserve` appended.
    ///
    /// # Errors
    /// [`Error::Reserve`], for instance where there is not so much room: nothing is left then.
    pub fn new(beside: &Path, n_bytes: u64) -> Result<Self> {
        let mut name = beside.as_os_str().to_owned();
        name.push(".reserve");
        let reserve = Self { path: Some(name.into()) };
        match reserve.path.as_deref().map_or(Ok(()), |path| fill(path, n_bytes)) {
            Ok(()) => Ok(reserve),
            Err(error) => Err(Error::Reserve { n_bytes, reason: error.to_string() }),
        }
    }

    /// Gives the room back. Says whether there was any.
    pub fn give_back(&mut self) -> bool {
        self.path.take().is_some_and(|path| std::fs::remove_file(path).is_ok())
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Writes a file of bytes that no file system makes smaller.
fn fill(path: &Path, n_bytes: u64) -> std::io::Result<()> {
    const BLOCK: usize = 1 << 16;
    let (mut file, mut state) = (File::create(path)?, 1_u64);
    let mut n_left = n_bytes;
    while n_left > 0 {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let block: Vec<u8> = (0..BLOCK / 4).flat_map(|_| next().to_le_bytes()).collect();
        let n_now = n_left.min(BLOCK as u64);
        file.write_all(&block[..n_now as usize])?;
        n_left -= n_now;
    }
    Ok(())
}
