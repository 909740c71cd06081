//! What became of the slices of a run.

use std::sync::Arc;

use super::growth::Growth;
use crate::Statistics;

/// What became of the slices of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Slices whose outputs are there.
    pub n_done: u64,
    /// Slices that the process left out.
    pub n_skipped: u64,
    /// Slices that failed.
    pub n_failed: u64,
    /// Slices that were not reached, because the process stopped.
    pub n_not_reached: u64,
    /// Slices of these that an earlier run had finished.
    pub n_kept: u64,
    /// The first slice that failed, and why.
    pub failure: Option<(u64, String)>,
    /// What was read and decoded of each input.
    pub statistics: Vec<Statistics>,
    /// What became of each slice, a [`Status`](super::Status); those of other processes are not reached here.
    pub status: Vec<u8>,
    /// Where the last finished slab ends.
    pub(super) finished: u64,
    /// Whether the process wants no more.
    pub(super) is_stopped: bool,
}

/// What an earlier run has finished: what became of the first slices, and the first of them that has failed.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) status: Vec<u8>,
    pub(super) failure: Option<(u64, String)>,
    /// Of inputs that grow: what there is of them.
    pub(super) growth: Option<Arc<Growth>>,
}
