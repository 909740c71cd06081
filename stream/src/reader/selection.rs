//! Which elements are read, and of which blocks they are.
//!
//! A selection is `count` elements along each axis from `start` on, each `step`-th. A *block* is what is fetched at once: a chunk,
//! or a part of a dataset that has none. Blocks that have no element of the selection are skipped, by arithmetic alone.

use std::ops::Range;

use crate::{Error, Result};

/// One axis of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) start: u64,
    pub(super) count: u64,
    pub(super) step: u64,
    /// Elements of a block along this axis.
    block: u64,
}

/// What a block has of one axis of the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The block's place along this axis.
    pub(super) place: u64,
    /// The first selected element of it, counted from the block's first.
    pub(super) first: u64,
    /// Which element of the selection that is.
    pub(super) index: u64,
    /// Selected elements of it.
    pub(super) count: u64,
}

impl Axis {
    /// Blocks that have selected elements.
    fn n_blocks(&self) -> u64 {
        match self.count {
            0 => 0,
            count if self.step >= self.block => count,
            _ => self.last() / self.block - self.start / self.block + 1,
        }
    }

    /// The last selected element. There is one.
    fn last(&self) -> u64 {
        self.start + (self.count - 1) * self.step
    }

    /// From the first selected element to after the last.
    pub(super) fn range(&self) -> Range<u64> {
        if self.count == 0 { self.start..self.start } else { self.start..self.last() + 1 }
    }

    /// The `i`-th block that has selected elements.
    fn part(&self, i: u64) -> Part {
        if self.step >= self.block {
            let at = self.start + i * self.step;
            return Part { place: at / self.block, first: at % self.block, index: i, count: 1 };
        }
        let place = self.start / self.block + i;
        let begin = place * self.block;
        let index = begin.saturating_sub(self.start).div_ceil(self.step);
        let end = begin.saturating_add(self.block) - self.start;
        let count = end.div_ceil(self.step).min(self.count) - index;
        Part { place, first: self.start + index * self.step - begin, index, count }
    }
}

/// A selection of a dataset in blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    axes: Vec<Axis>,
    n_blocks: u64,
}

impl Selection {
    /// # Errors
    /// [`Error::Argument`] where the dataset `dims` does not have these elements.
    pub(super) fn new(dims: &[u64], block: &[u64], start: &[u64], count: &[u64], step: Option<&[u64]>) -> Result<Self> {
        let rank = dims.len();
        if start.len() != rank || count.len() != rank || step.is_some_and(|step| step.len() != rank) {
            return Err(Error::Argument(format!("the dataset has {rank} axes, the selection has not as many")));
        }
        let mut axes = Vec::with_capacity(rank);
        for axis in 0..rank {
            let step = step.map_or(1, |step| step[axis]);
            let is_inside = match count[axis] {
                0 => start[axis] <= dims[axis],
                n => (n - 1)
                    .checked_mul(step)
                    .and_then(|n| n.checked_add(start[axis]))
                    .is_some_and(|last| last < dims[axis]),
            };
            if step == 0 || !is_inside {
                return Err(Error::Argument(format!(
                    "axis {axis}: {} elements from {} on in steps of {step} are not in 0..{}",
                    count[axis], start[axis], dims[axis]
                )));
            }
            axes.push(Axis { start: start[axis], count: count[axis], step, block: block[axis].max(1) });
        }
        let n_blocks = axes.iter().try_fold(1_u64, |n, axis| n.checked_mul(axis.n_blocks()));
        let n_blocks = n_blocks.ok_or_else(|| Error::Argument("the selection has too many parts".into()))?;
        Ok(Self { axes, n_blocks })
    }

    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Blocks that have elements of the selection.
    pub(super) fn n_blocks(&self) -> u64 {
        self.n_blocks
    }

    /// What the `index`-th of these has, axis by axis. The last axis is the fastest.
    pub(super) fn block(&self, mut index: u64) -> Vec<Part> {
        let mut parts = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            let n_blocks = axis.n_blocks().max(1);
            parts.push(axis.part(index % n_blocks));
            index /= n_blocks;
        }
        parts.reverse();
        parts
    }
}

/// Blocks of about `most_bytes` for a dataset that is not to be fetched as a whole, made of whole `unit`s, with all of the fastest
/// axes and a part of one.
pub(super) fn blocks(dims: &[u64], unit: &[u64], element_bytes: usize, most_bytes: u64) -> Vec<u64> {
    let mut block: Vec<u64> = unit.iter().map(|n| (*n).max(1)).collect();
    let product = |block: &[u64]| block.iter().fold(element_bytes as u64, |n, dim| n.saturating_mul(*dim));
    for axis in (0..dims.len()).rev() {
        let n_units = dims[axis].div_ceil(block[axis]).max(1);
        let fitting = (most_bytes / product(&block).max(1)).clamp(1, n_units);
        block[axis] = block[axis].saturating_mul(fitting);
        if fitting < n_units {
            break;
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every block of an axis, element by element.
    #[test]
    fn the_blocks_of_an_axis_have_every_selected_element_once_and_no_other() {
        for (block, start, step, count) in
            (1..6).flat_map(|b| (0..7).flat_map(move |s| (1..8).flat_map(move |k| (0..9).map(move |n| (b, s, k, n)))))
        {
            let axis = Axis { start, count, step, block };
            let mut found = Vec::new();
            for i in 0..axis.n_blocks() {
                let Part { place, first, index, count } = axis.part(i);
                assert!(count > 0 && index == found.len() as u64, "{axis:?} {i}");
                for k in 0..count {
                    assert!(first + k * step < block, "{axis:?} {i}: outside of its block");
                    found.push(place * block + first + k * step);
                }
            }
            assert_eq!(found, (0..count).map(|k| start + k * step).collect::<Vec<_>>(), "{axis:?}");
        }
    }

    #[test]
    fn a_selection_outside_of_the_dataset_is_refused() {
        let new = |start, count, step| Selection::new(&[10], &[3], &[start], &[count], Some(&[step]));
        for (start, count, step) in [(0, 10, 1), (9, 1, 5), (10, 0, 1), (1, 3, 4)] {
            assert!(new(start, count, step).is_ok(), "{start} {count} {step}");
        }
        for (start, count, step) in
            [(0, 11, 1), (10, 1, 1), (0, 1, 0), (11, 0, 1), (1, 3, 5), (2, u64::MAX, 3), (u64::MAX, 2, u64::MAX)]
        {
            assert!(new(start, count, step).is_err(), "{start} {count} {step}");
        }
        assert!(Selection::new(&[10, 10], &[3, 3], &[0], &[1], None).is_err());
    }

    #[test]
    fn blocks_are_whole_units_of_about_the_size_asked_for() {
        assert_eq!(blocks(&[100, 1000, 1000], &[1, 1, 1], 2, 1 << 20), [1, 524, 1000]);
        assert_eq!(blocks(&[100, 10, 10], &[1, 1, 1], 2, 1 << 20), [100, 10, 10]);
        assert_eq!(blocks(&[100, 1000, 1000], &[1, 600, 1000], 2, 1 << 20), [1, 600, 1000], "a chunk is never cut");
        assert_eq!(blocks(&[7, 1 << 40], &[1, 1], 8, 1 << 20), [1, 1 << 17]);
        assert_eq!(blocks(&[], &[], 8, 1 << 20), Vec::<u64>::new());
    }
}
