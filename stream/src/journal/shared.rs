//! One journal a file, for all that record to it in this process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Journal, check_old, path_of};
use crate::Result;

/// The journals that are written to.
static OPEN: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Entry {
    file: PathBuf,
    journal: Arc<Mutex<Journal>>,
    n_users: usize,
    /// Whether somebody has ended whose file may lack what is in the journal.
    is_needed: bool,
}

/// A journal that others may write to as well. It is removed when all have [finished](Self::finish), and left where one has not.
#[derive(Debug)]
pub(crate) struct SharedJournal {
    file: PathBuf,
    journal: Arc<Mutex<Journal>>,
    is_finished: bool,
}

impl SharedJournal {
    /// Whether [`open`](Self::open) may begin the journal of `file`, or go on with it: nobody else's is there.
    pub(crate) fn check(file: &Path) -> Result<()> {
        let (open, key) = (lock(&OPEN), key_of(file));
        if open.iter().any(|entry| entry.file == key) { Ok(()) } else { check_old(&path_of(file)).map(drop) }
    }

    /// The journal of `file`, begun where there is none in this process.
    pub(crate) fn open(file: &Path) -> Result<Self> {
        let mut open = lock(&OPEN);
        let key = key_of(file);
        let journal = match open.iter_mut().find(|entry| entry.file == key) {
            Some(entry) => {
                entry.n_users += 1;
                Arc::clone(&entry.journal)
            }
            None => {
                let journal = Arc::new(Mutex::new(Journal::create(file)?));
                open.push(Entry { file: key.clone(), journal: Arc::clone(&journal), n_users: 1, is_needed: false });
                journal
            }
        };
        Ok(Self { file: key, journal, is_finished: false })
    }

    /// The journal, to write to.
    pub(crate) fn get(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    /// The file has all that was noted here. May be called again.
    pub(crate) fn finish(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_finished, true) { Ok(()) } else { self.leave(false) }
    }

    fn leave(&self, is_needed: bool) -> Result<()> {
        let mut open = lock(&OPEN);
        let Some(at) = open.iter().position(|entry| entry.file == self.file) else { return Ok(()) };
        open[at].n_users -= 1;
        open[at].is_needed |= is_needed;
        if open[at].n_users > 0 {
            return Ok(());
        }
        if open.swap_remove(at).is_needed { Ok(()) } else { self.get().delete() }
    }
}

impl Drop for SharedJournal {
    fn drop(&mut self) {
        if !self.is_finished {
            // It stays, so that nothing can fail.
            let _ = self.leave(true);
        }
    }
}

fn key_of(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
