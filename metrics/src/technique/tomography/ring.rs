//! Fourier ring correlation: at which frequencies two images that should be alike are.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::transform::Transform;
use super::{Frc, FrcRing};
use crate::statistics::quotient;

/// Sums over the rings of the Fourier transforms of pairs of images, each less its mean and under a Hann window.
///
/// FRC(f) = Re Σ A B* / √(Σ|A|² Σ|B|²) over the ring of frequency f, and over all pairs. Ring k has the frequencies that round to
/// k / side cycles a pixel, where `side` is the shorter one of the images, for k from 1 to side / 2.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RingSums {
    height: usize,
    width: usize,
    along_row: Transform,
    along_column: Transform,
    /// Ring of each frequency; those that are no ring's have `rings.len()`.
    ring_of: Vec<usize>,
    rings: Vec<Sums>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    n: u64,
    both: f64,
    first: f64,
    second: f64,
}

impl RingSums {
    /// For images of this size, of two pixels each way at least.
    pub(super) fn new(height: usize, width: usize) -> Self {
        let side = height.min(width);
        let n_rings = side / 2 + 1;
        let part = |at: usize, n: usize| at.min(n - at) as f64 / n as f64;
        let ring = |at: usize| {
            let frequency = part(at / width, height).hypot(part(at % width, width));
            ((frequency * side as f64).round() as usize).min(n_rings)
        };
        Self {
            height,
            width,
            along_row: Transform::forward(width),
            along_column: Transform::forward(height),
            ring_of: (0..height * width).map(ring).collect(),
            rings: vec![Sums::default(); n_rings],
        }
    }

    /// Adds a pair of images, row by row.
    pub(super) fn add(&mut self, first: &[f64], second: &[f64]) {
        let (first, second) = (self.transform(first), self.transform(second));
        for ((a, b), ring) in first.iter().zip(&second).zip(&self.ring_of) {
            if let Some(sums) = self.rings.get_mut(*ring) {
                sums.n += 1;
                sums.both += a.re * b.re + a.im * b.im;
                sums.first += a.norm_sqr();
                sums.second += b.norm_sqr();
            }
        }
    }

    fn transform(&self, image: &[f64]) -> Vec<Complex64> {
        let mean = quotient(image.iter().sum(), image.len() as f64);
        let (down, across) = (hann(self.height), hann(self.width));
        let weight = |at: usize| down[at / self.width] * across[at % self.width];
        let mut plane: Vec<Complex64> =
            image.iter().enumerate().map(|(at, value)| Complex64::new((value - mean) * weight(at), 0.0)).collect();
        self.along_row.apply(&mut plane);
        let mut column = vec![Complex64::default(); self.height];
        for at in 0..self.width {
            let places = || (at..plane.len()).step_by(self.width);
            column.iter_mut().zip(places()).for_each(|(value, place)| *value = plane[place]);
            self.along_column.apply(&mut column);
            column.iter().zip(places()).for_each(|(value, place)| plane[place] = *value);
        }
        plane
    }

    /// The curves of two sets of pairs, of the same size and number: before and after.
    pub(super) fn compare(before: &Self, after: &Self) -> Option<Frc> {
        let side = before.height.min(before.width) as f64;
        let rings: Vec<FrcRing> = (1..before.rings.len())
            .map(|at| FrcRing {
                frequency: at as f64 / side,
                n: before.rings[at].n,
                half_bit: half_bit(before.rings[at].n),
                before: before.rings[at].correlation(),
                after: after.rings[at].correlation(),
            })
            .collect();
        let has_any = rings.iter().any(|ring| ring.n > 0);
        has_any.then(|| Frc::new(rings))
    }
}

impl Sums {
    fn correlation(&self) -> f64 {
        quotient(self.both, (self.first * self.second).sqrt())
    }
}

/// The threshold of half a bit of information for a ring of n frequencies.
fn half_bit(n: u64) -> f64 {
    let root = (n.max(1) as f64).sqrt();
    (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
}

/// Of the middle of pixels, so that none has the weight 0.
fn hann(n: usize) -> Vec<f64> {
    (0..n).map(|at| (PI * (at as f64 + 0.5) / n as f64).sin().powi(2)).collect()
}

impl Frc {
    pub(super) fn new(rings: Vec<FrcRing>) -> Self {
        let (before, n_before) = crossing(&rings, |ring| ring.before);
        let (after, _) = crossing(&rings, |ring| ring.after);
        let changes: f64 = rings[..n_before].iter().map(|ring| (ring.after - ring.before).abs()).sum();
        Self { mean_change: quotient(changes, n_before as f64), before, after, rings }
    }
}

/// Where the curve falls below the threshold: the frequency, between two rings by a line through both, and how many rings are above.
fn crossing(rings: &[FrcRing], of: fn(&FrcRing) -> f64) -> (Option<f64>, usize) {
    let excess = |ring: &FrcRing| of(ring) - ring.half_bit;
    let n = rings.iter().take_while(|ring| excess(ring) >= 0.0).count();
    let frequency = match (n.checked_sub(1).map(|last| &rings[last]), rings.get(n)) {
        (None, _) => return (None, 0),
        (Some(last), None) => last.frequency,
        (Some(last), Some(below)) => {
            let part = excess(last) / (excess(last) - excess(below));
            last.frequency + part * (below.frequency - last.frequency)
        }
    };
    (Some(frequency), n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_that_of_a_discrete_transform_written_out() {
        let (height, width) = (8, 10);
        let image = |seed: usize| -> Vec<f64> {
            (0..height * width).map(|at| ((at * at * 7 + at * seed + seed) % 23) as f64).collect()
        };
        let (a, b) = (image(3), image(5));
        let mut sums = RingSums::new(height, width);
        sums.add(&a, &b);
        let found = RingSums::compare(&sums, &sums).unwrap();
        assert_eq!(found.rings.len(), 4);
        let windowed = |image: &[f64]| -> Vec<f64> {
            let mean = image.iter().sum::<f64>() / image.len() as f64;
            let window = |at: usize, n: usize| 0.5 - 0.5 * (2.0 * PI * (at as f64 + 0.5) / n as f64).cos();
            (0..image.len())
                .map(|at| (image[at] - mean) * window(at / width, height) * window(at % width, width))
                .collect()
        };
        let (a, b) = (windowed(&a), windowed(&b));
        let of = |image: &[f64], u: i32, v: i32| {
            (0..image.len()).fold((0.0, 0.0), |(re, im), at| {
                let phase = f64::from(u) * (at / width) as f64 / height as f64
                    + f64::from(v) * (at % width) as f64 / width as f64;
                (re + image[at] * (2.0 * PI * phase).cos(), im - image[at] * (2.0 * PI * phase).sin())
            })
        };
        for (k, ring) in (1..).zip(&found.rings) {
            let (mut n, mut ab, mut aa, mut bb) = (0, 0.0, 0.0, 0.0);
            for (u, v) in (-4..4).flat_map(|u| (-5..5).map(move |v| (u, v))) {
                if ((f64::from(u) / 8.0).hypot(f64::from(v) / 10.0) * 8.0).round() == f64::from(k) {
                    let ((ar, ai), (br, bi)) = (of(&a, u, v), of(&b, u, v));
                    n += 1;
                    ab += ar * br + ai * bi;
                    aa += ar * ar + ai * ai;
                    bb += br * br + bi * bi;
                }
            }
            assert_eq!((ring.n, ring.frequency), (n, f64::from(k) / 8.0));
            assert!((ring.before - ab / (aa * bb).sqrt()).abs() < 1e-12, "{ring:?}");
        }
    }

    #[test]
    fn the_resolution_is_where_the_curve_falls_below_half_a_bit() {
        let ring = |at: u32, before: f64| FrcRing {
            frequency: f64::from(at) / 100.0,
            n: 1000,
            half_bit: 0.2,
            before,
            after: before,
        };
        let falling = Frc::new(vec![ring(1, 0.9), ring(2, 0.3), ring(3, 0.1), ring(4, 0.9)]);
        assert!((falling.before.unwrap() - 0.025).abs() < 1e-12);
        assert_eq!(Frc::new(vec![ring(1, 0.9), ring(2, 0.8)]).before, Some(0.02));
        assert_eq!(Frc::new(vec![ring(1, 0.1), ring(2, 0.8)]).before, None);
        assert!((half_bit(1_000_000_000) - 0.1716).abs() < 1e-4 && (half_bit(100) - 0.39812 / 1.29812).abs() < 1e-12);
    }
}
