//! The encoder's choice of weights: those that make a sample of differences small.
//!
//! Least squares, a few times, with less weight for what is far off. Sums, products and quotients of f64 are the same everywhere, so
//! the weights are, too.

use super::planes::{PAD, Plane, Tap};
use super::tables::log2;
use crate::cpu::Level;
use crate::kernels::predict::WEIGHT_BITS;
use crate::kernels::predict::least_squares::{self, N_COLUMNS, Sums};

/// Pixels of a sample at most.
const N_SAMPLES: usize = 6000;
const N_ROUNDS: usize = 5;

/// The pixels that a model may use, without weights: rows above, and around the pixel in a reference.
fn places(is_mean: bool, has_reference: bool) -> Vec<(bool, i8, i8)> {
    let own = [(1, 0), (1, 1), (1, -1), (1, 2), (1, -2), (2, 0), (2, 1), (2, -1)];
    let mean: &[(i8, i8)] = &[(0, 0), (1, 0), (1, 1), (1, -1), (2, 0)];
    let previous: &[(i8, i8)] = &[(0, 0), (0, 1), (0, -1), (-1, 0), (1, 0), (-1, 1), (-1, -1)];
    let of_reference = match (has_reference, is_mean) {
        (false, _) => &[],
        (true, true) => mean,
        (true, false) => previous,
    };
    let own = own.iter().map(|(dy, dx)| (false, *dy, *dx));
    own.chain(of_reference.iter().map(|(dy, dx)| (true, *dy, *dx))).collect()
}

/// What a fit found.
pub(super) struct Fit {
    pub(super) taps: Vec<Tap>,
    pub(super) bias: i32,
    /// The mean of 65536 · log2 of what differences are, to compare fits.
    pub(super) cost: u64,
}

/// Frames in pairs with the reference of each.
pub(super) struct Sample<'a> {
    pub(super) level: Level,
    pub(super) frames: Vec<(&'a Plane, Option<&'a Plane>)>,
    pub(super) is_mean: bool,
    pub(super) height: usize,
    pub(super) width: usize,
}

type Columns = [f64; N_COLUMNS];

impl Sample<'_> {
    pub(super) fn fit(&self) -> Fit {
        let has_reference = self.frames.iter().any(|(_, reference)| reference.is_some());
        let places = places(self.is_mean, has_reference);
        let rows = self.rows(&places);
        let n = places.len() + 1;
        let mut solution = [0.0; N_COLUMNS];
        let mut weights = vec![1.0; rows.len()];
        for _ in 0..N_ROUNDS {
            solution = solve(least_squares::sums(self.level, &rows, &weights), rows.len(), n);
            for (weight, row) in weights.iter_mut().zip(&rows) {
                *weight = 1.0 / (row.pixel - product(&row.columns, &solution)).abs().max(1.0);
            }
        }
        self.rounded(&places, &solution, &rows)
    }

    /// For each pixel of the sample those at the places, a 1, and the pixel.
    fn rows(&self, places: &[(bool, i8, i8)]) -> Vec<least_squares::Sample> {
        let mut state = 12_345_u64;
        let mut next = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut rows = Vec::new();
        let n_pixels = self.frames.len() * self.height * self.width;
        for _ in 0..N_SAMPLES.min(n_pixels) {
            let ((frame, reference), y, x) =
                (self.frames[next(self.frames.len())], next(self.height), next(self.width));
            if y < 2 {
                continue;
            }
            let mut columns = [0.0; N_COLUMNS];
            for (column, (is_reference, dy, dx)) in columns.iter_mut().zip(places) {
                let plane = if *is_reference { reference.unwrap_or(frame) } else { frame };
                let x = ((x + PAD) as isize - isize::from(*dx)) as usize;
                *column = f64::from(plane.row(y as isize - isize::from(*dy))[x]);
            }
            columns[places.len()] = 1.0;
            rows.push(least_squares::Sample { columns, pixel: f64::from(frame.row(y as isize)[x + PAD]) });
        }
        rows
    }

    fn rounded(&self, places: &[(bool, i8, i8)], solution: &Columns, rows: &[least_squares::Sample]) -> Fit {
        let one = f64::from(1 << WEIGHT_BITS);
        // Sums stay within 32 bits: all weights together are below 8.
        let sum: f64 = solution[..places.len()].iter().map(|weight| weight.abs()).sum();
        let is_sane = sum < 8.0;
        let weight = |at: usize| if is_sane { (solution[at] * one).round() as i16 } else { 0 };
        let taps = places.iter().enumerate().map(|(at, (is_reference, dy, dx))| Tap {
            is_reference: *is_reference,
            dy: *dy,
            dx: *dx,
            weight: weight(at),
        });
        let taps: Vec<Tap> = taps.filter(|tap| tap.weight != 0).collect();
        let bias = if is_sane { solution[places.len()] } else { 0.0 };
        let bias = (bias.clamp(-30_000.0, 30_000.0) * one).round() as i32;
        let solution = if is_sane { *solution } else { [0.0; N_COLUMNS] };
        let cost =
            |row: &least_squares::Sample| log2(2 + (2.0 * (row.pixel - product(&row.columns, &solution)).abs()) as u32);
        let cost = rows.iter().map(cost).sum::<u64>() / (rows.len() as u64).max(1);
        Fit { taps, bias, cost }
    }
}

fn product(a: &Columns, b: &Columns) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Weighted least squares with `n` columns, held back a little where columns are alike.
fn solve(mut sums: Sums, n_samples: usize, n: usize) -> Columns {
    for (at, row) in sums.matrix.iter_mut().enumerate() {
        row[at] += 1e-3 * n_samples as f64 + 1e-9;
    }
    eliminate(&mut sums.matrix, &mut sums.right, n)
}

fn eliminate(matrix: &mut [Columns; N_COLUMNS], right: &mut Columns, n: usize) -> Columns {
    // The matrix is symmetric and positive: no pivots are needed.
    for at in 0..n {
        for below in at + 1..n {
            let factor = matrix[below][at] / matrix[at][at];
            let pivot = matrix[at];
            for (to, from) in matrix[below].iter_mut().zip(&pivot).take(n) {
                *to -= factor * from;
            }
            right[below] -= factor * right[at];
        }
    }
    let mut solution = [0.0; N_COLUMNS];
    for at in (0..n).rev() {
        let known: f64 = (at + 1..n).fold(0.0, |sum, column| sum + matrix[at][column] * solution[column]);
        solution[at] = (right[at] - known) / matrix[at][at];
    }
    solution
}
