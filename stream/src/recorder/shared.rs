//! What all threads of a recorder see.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darkchunk_hdf5::{Error, Result};

use super::changes::Pending;
use super::order::Order;
use super::parked::Parked;

/// What all threads of a recorder share.
#[derive(Debug)]
pub(super) struct Shared<T> {
    state: Mutex<Shown<T>>,
    /// Something was encoded or stored.
    pub(super) progress: Condvar,
}

#[derive(Debug)]
pub(super) struct Shown<T> {
    pub(super) order: Order<T>,
    /// Why the last chunk or flush failed; `None` once one has succeeded.
    pub(super) trouble: Option<Error>,
    /// Whether nobody has been told yet.
    pub(super) is_news: bool,
    /// Why the last frame that was refused was.
    pub(super) fault: Option<String>,
    /// Changes that are to be stored before other chunks are.
    pub(super) changes: VecDeque<Pending>,
}

impl<T> Shared<T> {
    pub(super) fn new(order: Order<T>) -> Self {
        let shown = Shown { order, trouble: None, is_news: false, fault: None, changes: VecDeque::new() };
        Self { state: Mutex::new(shown), progress: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shown<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows how the last chunk or flush went.
    pub(super) fn note(&self, result: Result<()>) {
        let mut shown = self.lock();
        shown.is_news = result.is_err();
        shown.trouble = result.err();
    }

    /// Says what could not be kept of frames that are not stored.
    pub(super) fn not_kept(&self, parked: &mut Parked) {
        if let Some(lost) = parked.lost() {
            self.lock().fault = Some(lost);
        }
    }

    /// Waits until something was encoded or stored, a moment at most.
    pub(super) fn wait<'a>(&self, shown: MutexGuard<'a, Shown<T>>) -> MutexGuard<'a, Shown<T>> {
        const MOMENT: Duration = Duration::from_millis(20);
        self.progress.wait_timeout(shown, MOMENT).unwrap_or_else(PoisonError::into_inner).0
    }
}
