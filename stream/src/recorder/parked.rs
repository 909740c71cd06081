//! What became of frames that are in no chunk, while HDF5 takes nothing: in memory that is bounded.

use std::collections::VecDeque;
use std::ops::Range;

use darkchunk_hdf5::FrameStatus;

/// Bytes of metadata that are held; of frames after that only what became of them.
const MAX_BYTES: usize = 32 << 20;

/// A row's own memory.
const ROW_BYTES: usize = 64;

/// Rows of frames of which one after the other had the same fate.
const MAX_RUNS: usize = 1 << 16;

/// Frames in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Parked {
    rows: VecDeque<(u64, FrameStatus, Vec<u8>)>,
    n_bytes: usize,
    /// Frames after those, without metadata.
    runs: VecDeque<(Range<u64>, FrameStatus)>,
    /// Frames whose metadata was not kept.
    n_without: u64,
    /// Of these, frames of which nothing was kept.
    n_forgotten: u64,
}

impl Parked {
    pub(super) fn push(&mut self, index: u64, status: FrameStatus, row: &[u8]) {
        if self.runs.is_empty() && self.n_bytes + row.len() + ROW_BYTES <= MAX_BYTES {
            self.n_bytes += row.len() + ROW_BYTES;
            return self.rows.push_back((index, status, row.to_vec()));
        }
        self.n_without += u64::from(!row.is_empty());
        let n_runs = self.runs.len();
        match self.runs.back_mut() {
            Some((run, last)) if run.end == index && *last == status => run.end += 1,
            _ if n_runs < MAX_RUNS => self.runs.push_back((index..index + 1, status)),
            _ => self.n_forgotten += 1,
        }
    }

    /// The frame that came first.
    pub(super) fn front(&self) -> Option<(u64, FrameStatus, &[u8])> {
        let row = self.rows.front().map(|(index, status, row)| (*index, *status, &row[..]));
        row.or_else(|| self.runs.front().map(|(run, status)| (run.start, *status, &[][..])))
    }

    /// Lets go of it.
    pub(super) fn pop(&mut self) {
        if let Some((_, _, row)) = self.rows.pop_front() {
            self.n_bytes -= row.len() + ROW_BYTES;
        } else if let Some((run, _)) = self.runs.front_mut() {
            run.start += 1;
            if run.is_empty() {
                self.runs.pop_front();
            }
        }
    }

    /// Lets go of all, and counts it as forgotten.
    pub(super) fn forget(&mut self) {
        let n_rows = self.rows.len() as u64 + self.runs.iter().map(|(run, _)| run.end - run.start).sum::<u64>();
        self.n_forgotten += n_rows;
        self.n_without += self.rows.len() as u64;
        (self.n_bytes, self.rows, self.runs) = (0, VecDeque::new(), VecDeque::new());
    }

    /// What was not kept since this was asked; `None` where all was.
    pub(super) fn lost(&mut self) -> Option<String> {
        let (n_without, n_forgotten) = (std::mem::take(&mut self.n_without), std::mem::take(&mut self.n_forgotten));
        (n_without + n_forgotten > 0).then(|| {
            format!(
                "HDF5 took nothing for so long that of {n_without} frames which are not stored the metadata was not kept, and of \
                 {n_forgotten} not even what became of them: frame_status says that they are missing"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parked: &mut Parked) -> Vec<(u64, FrameStatus, usize)> {
        let mut all = Vec::new();
        while let Some((index, status, row)) = parked.front() {
            all.push((index, status, row.len()));
            parked.pop();
        }
        all
    }

    #[test]
    fn frames_come_back_in_their_order_the_first_ones_with_their_metadata() {
        let mut parked = Parked::default();
        let row = vec![7; (1 << 20) - ROW_BYTES];
        (0..100).for_each(|index| parked.push(index, FrameStatus::Dropped, &row));
        parked.push(50, FrameStatus::Vetoed, &[]);
        let found = all(&mut parked);
        let mut expected: Vec<_> =
            (0..100).map(|index| (index, FrameStatus::Dropped, if index < 32 { row.len() } else { 0 })).collect();
        expected.push((50, FrameStatus::Vetoed, 0));
        assert_eq!(found, expected);
        assert!(parked.lost().expect("something").contains("of 68 frames"));
        assert_eq!((parked.lost(), parked.n_bytes), (None, 0));
    }

    #[test]
    fn memory_is_bounded_whatever_comes_and_what_is_not_kept_is_counted() {
        let mut parked = Parked::default();
        let n_rows = (MAX_BYTES / (ROW_BYTES + 8)) as u64;
        let n = 3 * n_rows;
        (0..n).for_each(|index| parked.push(2 * index, FrameStatus::Dropped, &[0; 8]));
        assert!(parked.n_bytes <= MAX_BYTES && parked.runs.len() == MAX_RUNS);
        assert_eq!((parked.n_without, parked.n_forgotten), (n - n_rows, n - n_rows - MAX_RUNS as u64));
        parked.forget();
        assert!(parked.front().is_none() && parked.lost().expect("all").contains(&format!("of {n} not even")));
        (0..10 * n_rows).for_each(|index| parked.push(index, FrameStatus::Dropped, &[]));
        assert_eq!((parked.runs.len(), parked.lost()), (1, None), "one after the other");
    }
}
