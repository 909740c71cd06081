//! What tells of a recorder's work, on any thread.

use std::sync::Arc;
use std::time::Instant;

use super::buffer::Held;
use super::shared::Shared;
use super::statistics::Statistics;
use crate::{Error, Result};

/// Tells of a recorder's work, on any thread, also after it has ended.
#[derive(Debug)]
pub struct Monitor<B> {
    shared: Arc<Shared<Held<B>>>,
    /// The process that records.
    process: u32,
}

impl<B> Clone for Monitor<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), process: self.process }
    }
}

impl<B> Monitor<B> {
    pub(super) fn new(shared: &Arc<Shared<Held<B>>>) -> Self {
        Self { shared: Arc::clone(shared), process: std::process::id() }
    }

    /// What has been done so far.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn statistics(&self) -> Result<Statistics> {
        self.check()?;
        Ok(self.shared.lock().order.statistics(Instant::now()))
    }

    /// Why the last frame that was refused was, or why there is no index of blocks; `None` for neither.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn fault(&self) -> Result<Option<String>> {
        self.check()?;
        Ok(self.shared.lock().fault.clone())
    }

    /// A lock may be taken for ever in a process that was forked.
    pub(super) fn check(&self) -> Result<()> {
        if self.process == std::process::id() { Ok(()) } else { Err(Error::Forked) }
    }
}
