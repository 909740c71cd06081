//! Frames made small, to be shown.

use darkchunk_metrics::{NoiseModel, Pair, Pixel, Rules};

/// The longer side of a small frame.
const MAX_SIDE: usize = 320;

/// A frame before and after, and its errors, made small.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Which frame.
    pub frame: u64,
    /// Pixels of the frame that are one here, along each axis.
    pub step: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Means of x; NaN where no pixel counts.
    pub x: Vec<f32>,
    /// Means of y.
    pub y: Vec<f32>,
    /// Of each square the error e / σ of the largest magnitude; in counts without σ. Where σ is 0, by a count.
    pub e: Vec<f32>,
}

impl Preview {
    pub(super) fn new<P: Pixel>(frame: u64, pair: &Pair<'_, P>, noise: Option<&NoiseModel>, rules: &Rules) -> Self {
        let shape = pair.shape;
        let step = shape.height.max(shape.width).div_ceil(MAX_SIDE).max(1);
        let (height, width) = (shape.height.div_ceil(step), shape.width.div_ceil(step));
        let empty = || Vec::with_capacity(height * width);
        let mut preview = Self { frame, step, height, width, x: empty(), y: empty(), e: empty() };
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row * step, column * step))) {
            let (mut n, mut x, mut y, mut e) = (0.0, 0.0, 0.0, 0.0f64);
            for r in row..(row + step).min(shape.height) {
                for at in r * shape.width + column..r * shape.width + (column + step).min(shape.width) {
                    let (a, b) = (pair.x[at].value(), pair.y[at].value());
                    if rules.counts(at, a) {
                        (n, x, y) = (n + 1.0, x + a as f64, y + b as f64);
                        let sigma = noise.map_or(1.0, |noise| noise.sigma(a as f64));
                        let error = (b - a) as f64 / if sigma > 0.0 { sigma } else { 1.0 };
                        e = if error.abs() > e.abs() { error } else { e };
                    }
                }
            }
            preview.x.push((x / n) as f32);
            preview.y.push((y / n) as f32);
            preview.e.push(e as f32);
        }
        preview
    }
}
