//! The largest errors, and where they are.

use crate::block::BLOCK_PIXELS;
use crate::isa::widest;
use crate::{Pixel, Shape};

/// How many are kept.
const KEPT: usize = 100;

/// An error and its place. The order is by |e|, then by the place: the first one counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct LargeError {
    /// |e|.
    pub magnitude: u64,
    /// The frame.
    pub frame: u64,
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
}

impl LargeError {
    fn key(&self) -> (std::cmp::Reverse<u64>, u64, usize, usize) {
        (std::cmp::Reverse(self.magnitude), self.frame, self.row, self.column)
    }
}

/// The 100 largest |e|: the k-th largest is robust where the largest is one pixel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Largest {
    /// Sorted, the largest first.
    sorted: Vec<LargeError>,
}

impl Largest {
    /// Adds the valid pixels of a frame; all where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, shape: Shape, frame: u64, x: &[P], y: &[P], valid: &[bool]) {
        for (block, (x, y)) in x.chunks(BLOCK_PIXELS).zip(y.chunks(BLOCK_PIXELS)).enumerate() {
            let floor = if self.sorted.len() < KEPT { 0 } else { self.sorted[KEPT - 1].magnitude };
            let magnitude = |x: &P, y: &P| (y.value() - x.value()).unsigned_abs();
            let most = max_difference(x, y);
            if most <= floor {
                continue;
            }
            let mut found = Vec::new();
            for (index, (x, y)) in x.iter().zip(y).enumerate() {
                let at = block * BLOCK_PIXELS + index;
                let magnitude = magnitude(x, y);
                if magnitude > floor && (valid.is_empty() || valid[at]) {
                    found.push(LargeError { magnitude, frame, row: at / shape.width, column: at % shape.width });
                }
            }
            self.take(found);
        }
    }

    fn take(&mut self, found: Vec<LargeError>) {
        self.sorted.extend(found);
        self.sorted.sort_unstable_by_key(LargeError::key);
        self.sorted.truncate(KEPT);
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.take(other.sorted.clone());
    }

    /// The k-th largest |e|, from 1 on; 0 where there are fewer errors.
    #[must_use]
    pub fn kth(&self, k: usize) -> u64 {
        k.checked_sub(1).and_then(|at| self.sorted.get(at)).map_or(0, |error| error.magnitude)
    }

    /// The largest errors, the largest first.
    #[must_use]
    pub fn errors(&self) -> &[LargeError] {
        &self.sorted
    }
}

widest! {
    fn max_difference<P: Pixel>(x: &[P], y: &[P]) -> u64 {
        P::max_difference(x, y)
    }
}
