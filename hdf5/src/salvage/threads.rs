//! A dataset examined by several threads, each of which takes some chunks in a row, reads them under the library's lock, and
//! decodes them without it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::source::Source;
use super::{Report, walk as walk_chunks};
use crate::Result;

/// Chunks in a row that a thread takes at most.
const MAX_ROW: u64 = 256;

/// Decoded bytes of a dataset that is not worth more than one thread.
const SMALL_BYTES: u64 = 1 << 20;

/// Examines all chunks.
pub(super) fn walk(source: &Source, n_threads: usize, seen: &(dyn Fn(u64) -> Result<()> + Sync)) -> Result<Report> {
    let (grid, n_chunks) = source.grid()?;
    let whole = |report| Report { filters: source.filter_names(), n_chunks, ..report };
    let is_small = n_chunks.saturating_mul(source.chunk_bytes as u64) < SMALL_BYTES;
    let n_threads = if is_small { 1 } else { (n_threads as u64).min(n_chunks) };
    if n_threads < 2 {
        return walk_chunks(source, None, &grid, 0..n_chunks, seen).map(whole);
    }
    let n_row = (n_chunks / (4 * n_threads)).clamp(1, MAX_ROW);
    let (next, done) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let first = next.fetch_add(n_row, Ordering::Relaxed);
            if first >= n_chunks {
                return;
            }
            let report = walk_chunks(source, None, &grid, first..(first + n_row).min(n_chunks), seen);
            if report.is_err() {
                next.store(n_chunks, Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((first, report));
        }
    };
    thread::scope(|scope| {
        (1..n_threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let mut rows = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_unstable_by_key(|(first, _)| *first);
    let mut report = Report::default();
    rows.into_iter().try_for_each(|(_, row)| row.map(|row| report.append(row)))?;
    Ok(whole(report))
}

impl Report {
    /// Adds what was found in the chunks that come next.
    fn append(&mut self, next: Self) {
        self.n_intact += next.n_intact;
        self.n_decoded += next.n_decoded;
        self.n_damaged += next.n_damaged;
        self.n_not_examined += next.n_not_examined;
        self.not_examined = self.not_examined.take().or(next.not_examined);
        self.faults.extend(next.faults);
        for range in next.missing {
            match self.missing.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => self.missing.push(range),
            }
        }
    }
}
