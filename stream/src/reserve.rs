//! Room on the disk that is kept for the end of a recording.
//!
//! Where a disk is full, frames can be refused, but to close the file HDF5 still has to write: nodes of its index, sizes, the open
//! chunks of columns. Without room for that the file may not open, although all chunks are in it. So a recording keeps a file of
//! some megabytes beside its own, and removes it when a write fails for the first time: then it writes what is left, flushes and
//! closes. Another program may take the room meanwhile, and a file system that gives room back late, such as Btrfs, may not have it
//! at once. A process that is killed leaves the file; the next recording to the same file takes it over, and who restores that in place removes it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::{Error, Result};

/// Room that is kept until it is given back; at the latest when dropped.
#[derive(Debug)]
pub struct Reserve {
    /// The file that takes the room.
    path: PathBuf,
    n_bytes: u64,
    is_there: bool,
}

impl Reserve {
    /// Enough for what HDF5 usually keeps in memory of a file, and for some hundred columns.
    pub const DEFAULT_BYTES: u64 = 8 << 20;

    /// Takes `n_bytes` beside the file `beside`, in a file of its name with `.reserve` appended.
    ///
    /// # Errors
    /// [`Error::Reserve`], for instance where there is not so much room: nothing is left then.
    pub fn new(beside: &Path, n_bytes: u64) -> Result<Self> {
        let mut reserve = Self { path: path_of(beside), n_bytes, is_there: false };
        reserve.take_again()?;
        Ok(reserve)
    }

    /// Takes the room once more, after it was [given back](Self::give_back).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn take_again(&mut self) -> Result<()> {
        if !self.is_there {
            fill(&self.path, self.n_bytes).map_err(|error| {
                // Where it was not made there is nothing to remove.
                let _ = std::fs::remove_file(&self.path);
                Error::Reserve { n_bytes: self.n_bytes, reason: error.to_string() }
            })?;
            self.is_there = true;
        }
        Ok(())
    }

    /// Gives the room back. Says whether there was any.
    pub fn give_back(&mut self) -> bool {
        std::mem::take(&mut self.is_there) && std::fs::remove_file(&self.path).is_ok()
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn path_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".reserve");
    name.into()
}

/// Removes what a killed process has left beside a file.
pub(crate) fn remove_left(file: &Path) {
    // Mostly there is none.
    let _ = std::fs::remove_file(path_of(file));
}

/// Writes a file of bytes that no file system makes smaller.
fn fill(path: &Path, n_bytes: u64) -> std::io::Result<()> {
    const BLOCK: usize = 1 << 18;
    let (mut file, mut state, mut block) = (File::create(path)?, 1_u64, vec![0; BLOCK]);
    let mut n_left = n_bytes;
    while n_left > 0 {
        for word in block.chunks_exact_mut(8) {
            // Xorshift: all bits of each word look random.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let n_now = n_left.min(BLOCK as u64);
        file.write_all(&block[..n_now as usize])?;
        n_left -= n_now;
    }
    Ok(())
}

/// The reserves of this process, by the file that they are beside.
static ALL: Mutex<Vec<(PathBuf, Weak<Mutex<Reserve>>)>> = Mutex::new(Vec::new());

/// One reserve a file, for all that record to it in this process. It goes with the last of them.
#[derive(Debug)]
pub(crate) struct SharedReserve(Option<Arc<Mutex<Reserve>>>);

impl SharedReserve {
    /// The reserve beside `file`, taken where there is none in this process.
    pub(crate) fn beside(file: &Path, n_bytes: u64) -> Result<Self> {
        let key = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let mut all = lock(&ALL);
        all.retain(|(_, reserve)| reserve.strong_count() > 0);
        let found = all.iter().find(|(path, _)| *path == key).and_then(|(_, reserve)| reserve.upgrade());
        let reserve = match found {
            Some(reserve) => reserve,
            None => {
                let made = Arc::new(Mutex::new(Reserve::new(file, n_bytes)?));
                all.push((key, Arc::downgrade(&made)));
                made
            }
        };
        Ok(Self(Some(reserve)))
    }

    pub(crate) fn is_there(&self) -> bool {
        self.get().is_some_and(|reserve| reserve.is_there)
    }

    pub(crate) fn take_again(&self) -> Result<()> {
        self.get().map_or(Ok(()), |mut reserve| reserve.take_again())
    }

    pub(crate) fn give_back(&self) -> bool {
        self.get().is_some_and(|mut reserve| reserve.give_back())
    }

    fn get(&self) -> Option<MutexGuard<'_, Reserve>> {
        self.0.as_deref().map(lock)
    }
}

impl Drop for SharedReserve {
    fn drop(&mut self) {
        // While nobody makes one for the same file.
        let _all = lock(&ALL);
        self.0 = None;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
