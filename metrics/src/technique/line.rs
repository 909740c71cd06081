//! Spectroscopy: a line's place, width and area.

use crate::{Error, Pixel, Result, Shape};

/// The spectrum of all frames: the sum of each column, of the columns that are chosen. Its baseline is the median of them.
///
/// | metric | definition |
/// |---|---|
/// | area | Σ(S − b) |
/// | centroid | Σ c (S − b) / Σ(S − b), in columns, over the columns where S is above b |
/// | width | the root of the second moment about it |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    shape: Shape,
    columns: (usize, usize),
    /// Of x and y.
    sums: [Vec<i128>; 2],
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct LineShape {
    /// In counts.
    pub area: f64,
    /// In columns.
    pub centroid: f64,
    /// In columns.
    pub width: f64,
}

/// The numbers of [`Line`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LineReport {
    /// The columns: from, to (not included).
    pub columns: (usize, usize),
    /// That of x; `None` where nothing is above the baseline.
    pub before: Option<LineShape>,
    /// That of y.
    pub after: Option<LineShape>,
    /// The spectrum of x.
    pub spectrum_before: Vec<i128>,
    /// The spectrum of y.
    pub spectrum_after: Vec<i128>,
}

impl Line {
    /// For frames of this shape; `columns` from, to (not included).
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than three columns, and columns that frames do not have.
    pub fn new(shape: Shape, columns: (usize, usize)) -> Result<Self> {
        let n = columns.1.saturating_sub(columns.0);
        if n < 3 || columns.1 > shape.width {
            return Err(Error::Setting(format!(
                "a line in columns {} to {}: frames have {}, and it takes three at least",
                columns.0, columns.1, shape.width
            )));
        }
        Ok(Self { shape, columns, sums: [vec![0; n], vec![0; n]] })
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        for (sums, frame) in self.sums.iter_mut().zip([x, y]) {
            for row in 0..self.shape.height {
                let first = row * self.shape.width + self.columns.0;
                for (at, sum) in (first..).zip(sums.iter_mut()) {
                    if valid.is_empty() || valid[at] {
                        *sum += i128::from(frame[at].value());
                    }
                }
            }
        }
    }

    /// Adds what another one, with the same settings, has of other frames.
    pub fn merge(&mut self, other: &Self) {
        for (sums, other) in self.sums.iter_mut().flatten().zip(other.sums.iter().flatten()) {
            *sums += other;
        }
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> LineReport {
        let [before, after] = &self.sums;
        let of = |sums: &[i128]| shape(sums, self.columns.0);
        LineReport {
            columns: self.columns,
            before: of(before),
            after: of(after),
            spectrum_before: before.clone(),
            spectrum_after: after.clone(),
        }
    }
}

fn shape(sums: &[i128], first: usize) -> Option<LineShape> {
    let mut sorted = sums.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let odd = sorted.len() % 2 == 1;
    // In halves of counts, so that it is exact.
    let baseline = if odd { 2 * sorted[middle] } else { sorted[middle - 1] + sorted[middle] };
    let excess = || (first..).zip(sums).map(move |(column, sum)| (column as f64, (2 * sum - baseline) as f64 / 2.0));
    let above = || excess().filter(|(_, excess)| *excess > 0.0);
    let weights: f64 = above().map(|(_, weight)| weight).sum();
    let centroid = above().map(|(column, weight)| column * weight).sum::<f64>() / weights;
    let second = above().map(|(column, weight)| (column - centroid).powi(2) * weight).sum::<f64>() / weights;
    (weights > 0.0).then(|| LineShape {
        area: excess().map(|(_, excess)| excess).sum(),
        centroid,
        width: second.sqrt(),
    })
}
