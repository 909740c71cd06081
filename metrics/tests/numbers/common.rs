//! Frames for the tests.

#![allow(dead_code)]

use darkchunk_metrics::{Pair, Pixel, Shape};
use darkchunk_sim::Rng;

/// Poisson counts of any mean, close enough to it for large ones.
pub(crate) fn poisson(rng: &mut Rng, mean: f64) -> f64 {
    if mean > 50.0 {
        return (mean + rng.normal() * mean.sqrt()).round().max(0.0);
    }
    let (limit, mut product, mut n) = ((-mean).exp(), rng.uniform(), 0.0);
    while product > limit {
        product *= rng.uniform();
        n += 1.0;
    }
    n
}

/// What a quantiser of step β σ makes of a count: the middle of its interval on the scale of the square root, exact for 0.
pub(crate) fn root_quantiser(x: f64, beta: f64) -> f64 {
    let level = (2.0 * x.sqrt() / beta).round();
    (level * beta / 2.0).powi(2).round()
}

/// A quantiser of steps 2E + 1 that begin at 0.
pub(crate) fn uniform_quantiser(x: f64, bound: f64) -> f64 {
    ((x + bound) / (2.0 * bound + 1.0)).floor() * (2.0 * bound + 1.0)
}

/// A pair of frames.
pub(crate) fn pair<'a, P: Pixel>(shape: Shape, x: &'a [P], y: &'a [P]) -> Pair<'a, P> {
    Pair::new(shape, x, y).unwrap()
}

/// Equal but for the rounding of real numbers.
#[track_caller]
pub(crate) fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{what}: {found}, expected {expected}");
}
