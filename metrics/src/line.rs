//! The line through the variances of intensities.

use crate::transfer::Point;

/// Errors are never believed to be less than this part of a variance: the scene moves a little, pixels differ.
const FLOOR: f64 = 0.01;

/// So many errors off the line, a point counts less.
const HUBER: f64 = 2.0;

/// A slope that is not this many times its error above 0 is none.
const MIN_ERRORS: f64 = 3.0;

/// at_0 + slope · mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) at_0: f64,
    pub(crate) at_0_error: f64,
    pub(crate) slope: f64,
    pub(crate) slope_error: f64,
    /// Whether no slope was found: then it is 0.
    pub(crate) is_constant: bool,
}

/// The line for which the points are least off, those that are far off counting less.
pub(crate) fn fit(points: &[Point]) -> Line {
    let mut weights: Vec<f64> = points.iter().map(|point| weight(point, point.variance)).collect();
    let mut line = weighted(points, &weights);
    for _ in 0..20 {
        for (weight_of, point) in weights.iter_mut().zip(points) {
            let expected = line.at_0 + line.slope * point.mean;
            // The error belongs to what is expected: a variance that is low by chance is not better known.
            let own = weight(point, expected.max(point.variance / 4.0));
            let n_errors = (point.variance - expected).abs() * own.sqrt();
            *weight_of = own * (HUBER / n_errors.max(HUBER));
        }
        line = weighted(points, &weights);
    }
    line
}

fn weight(point: &Point, variance: f64) -> f64 {
    let relative = point.error / point.variance.max(f64::MIN_POSITIVE);
    let error = variance * relative.hypot(FLOOR);
    1.0 / (error * error).max(1e-12)
}

fn weighted(points: &[Point], weights: &[f64]) -> Line {
    let total: f64 = weights.iter().sum();
    let mean_of = |of: &dyn Fn(&Point) -> f64| {
        points.iter().zip(weights).map(|(point, weight)| weight * of(point)).sum::<f64>() / total
    };
    let (x, y) = (mean_of(&|point| point.mean), mean_of(&|point| point.variance));
    let xx = mean_of(&|point| (point.mean - x).powi(2));
    let xy = mean_of(&|point| (point.mean - x) * (point.variance - y));
    let slope_error = (1.0 / (total * xx)).sqrt();
    let slope = xy / xx;
    if xx <= 0.0 || points.len() < 2 || slope < MIN_ERRORS * slope_error {
        let error = (1.0 / total).sqrt();
        return Line { at_0: y, at_0_error: error, slope: 0.0, slope_error: error, is_constant: true };
    }
    let at_0_error = (1.0 / total + x * x / (total * xx)).sqrt();
    Line { at_0: y - slope * x, at_0_error, slope, slope_error, is_constant: false }
}
