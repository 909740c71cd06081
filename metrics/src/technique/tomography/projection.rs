//! Filtered back projection of one row of a detector, parallel beam.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::transform::Transform;

/// Pixels at each end of a row that are taken for air are this part of it.
const AIR: usize = 32;

/// The ramp filter of Kak and Slaney for rows of so many pixels: its kernel 1/4, 0 and −1 / (π n)² in space, so that there is no
/// offset, with zeros to twice the length and more, so that the ends do not meet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ramp {
    response: Vec<f64>,
    forward: Transform,
    inverse: Transform,
}

impl Ramp {
    pub(super) fn new(width: usize) -> Self {
        let n = (2 * width).next_power_of_two();
        let (forward, inverse) = (Transform::forward(n), Transform::inverse(n));
        let kernel = |at: usize| match at.min(n - at) {
            0 => 0.25,
            distance if distance % 2 == 1 => -1.0 / (PI * distance as f64).powi(2),
            _ => 0.0,
        };
        let mut response: Vec<Complex64> = (0..n).map(|at| Complex64::new(kernel(at), 0.0)).collect();
        forward.apply(&mut response);
        // It is even, so its transform is real; and the inverse transform does not divide by n.
        Self { response: response.iter().map(|value| value.re / n as f64).collect(), forward, inverse }
    }

    /// The row under the filter.
    pub(super) fn apply(&self, pixels: &[f64]) -> Vec<f64> {
        let mut row = vec![Complex64::default(); self.response.len()];
        row.iter_mut().zip(pixels).for_each(|(value, pixel)| value.re = *pixel);
        self.forward.apply(&mut row);
        row.iter_mut().zip(&self.response).for_each(|(value, response)| *value *= response);
        self.inverse.apply(&mut row);
        row[..pixels.len()].iter().map(|value| value.re).collect()
    }
}

/// The attenuation −ln x of a row, less the line between the means of its two ends, which are taken for air. A count below a half is a half.
pub(super) fn attenuation(counts: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut row: Vec<f64> = counts.map(|count| -count.max(0.5).ln()).collect();
    let n_air = row.len().div_ceil(AIR);
    let mean = |air: &[f64]| air.iter().sum::<f64>() / air.len() as f64;
    let (left, right) = (mean(&row[..n_air]), mean(&row[row.len() - n_air..]));
    let span = (row.len() - n_air).max(1) as f64;
    let middle = (n_air - 1) as f64 / 2.0;
    for (at, value) in row.iter_mut().enumerate() {
        *value -= left + (right - left) * (at as f64 - middle) / span;
    }
    row
}

/// The middle of a slice, before and after, of half of the projections. Its pixel `side / 2` of both axes is on the axis of rotation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Half {
    side: usize,
    n_projections: u64,
    sums: Vec<[f64; 2]>,
}

impl Half {
    pub(super) fn new(side: usize) -> Self {
        Self { side, n_projections: 0, sums: vec![[0.0; 2]; side * side] }
    }

    /// Adds a filtered row of before and after, taken at an angle in radians; `axis` is the column of the axis of rotation. Between two pixels by a line.
    pub(super) fn add(&mut self, row: &[[f64; 2]], angle: f64, axis: f64) {
        self.n_projections += 1;
        let (sin, cos) = angle.sin_cos();
        let centre = (self.side / 2) as f64;
        for (down, pixels) in self.sums.chunks_exact_mut(self.side).enumerate() {
            let first = axis - centre * cos - (down as f64 - centre) * sin;
            for (across, sums) in pixels.iter_mut().enumerate() {
                let place = first + across as f64 * cos;
                if place < 0.0 {
                    continue;
                }
                let (at, part) = (place as usize, place - place.floor());
                if let Some([left, right]) = row.get(at..at + 2) {
                    sums[0] += left[0] + part * (right[0] - left[0]);
                    sums[1] += left[1] + part * (right[1] - left[1]);
                }
            }
        }
    }

    /// Before (0) or after (1): attenuation a pixel.
    pub(super) fn image(&self, which: usize, radians: f64) -> Vec<f64> {
        let scale = radians / self.n_projections.max(1) as f64;
        self.sums.iter().map(|sums| sums[which] * scale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_its_kernel_convolved() {
        let row: Vec<f64> = (0..13u32).map(|at| f64::from(at * at % 7)).collect();
        let kernel = |distance: usize| match distance {
            0 => 0.25,
            odd if odd % 2 == 1 => -1.0 / (PI * PI * (odd * odd) as f64),
            _ => 0.0,
        };
        for (at, found) in Ramp::new(13).apply(&row).into_iter().enumerate() {
            let convolved: f64 = row.iter().enumerate().map(|(from, value)| value * kernel(at.abs_diff(from))).sum();
            assert!((found - convolved).abs() < 1e-12, "{at}");
        }
    }

    #[test]
    fn a_disc_is_reconstructed_with_its_attenuation_and_radius() {
        // Chords of a disc of radius 20 and attenuation 0.02 a pixel, off the axis by 5 pixels to the right and 3 up.
        let (width, n) = (101, 360);
        let (ramp, mut half) = (Ramp::new(width), Half::new(81));
        for k in 0..n {
            let angle = PI * f64::from(k) / f64::from(n);
            let middle = 50.0 + 5.0 * angle.cos() - -3.0 * angle.sin();
            let chord = |at: usize| 0.04 * (400.0 - (at as f64 - middle).powi(2)).max(0.0).sqrt();
            let row: Vec<f64> = (0..width).map(chord).collect();
            let filtered: Vec<[f64; 2]> = ramp.apply(&row).into_iter().map(|value| [value; 2]).collect();
            half.add(&filtered, angle, 50.0);
        }
        let image = half.image(0, PI);
        assert_eq!(image, half.image(1, PI));
        let radius = |at: usize| ((at / 81) as f64 - 37.0).hypot((at % 81) as f64 - 45.0);
        let mean = |from: f64, to: f64| {
            let ring: Vec<f64> =
                (0..image.len()).filter(|at| (from..to).contains(&radius(*at))).map(|at| image[at]).collect();
            ring.iter().sum::<f64>() / ring.len() as f64
        };
        assert!((mean(0.0, 18.0) - 0.02).abs() < 0.0001 && mean(22.0, 32.0).abs() < 0.0001);
        // Half of it at the edge.
        assert!((mean(19.5, 20.5) - 0.01).abs() < 0.001, "{}", mean(19.5, 20.5));
        for (at, value) in image.iter().enumerate().filter(|(at, _)| (radius(*at) - 20.0).abs() > 2.0) {
            let expected = if radius(at) < 20.0 { 0.02 } else { 0.0 };
            assert!((value - expected).abs() < 0.002, "{}: {value}", radius(at));
        }
    }

    #[test]
    fn air_has_no_attenuation_though_the_beam_drifts_and_is_uneven() {
        let beam = |at: u32| 8000.0 * (-0.001 * f64::from(at)).exp();
        let body = |at: u32| if (30..70).contains(&at) { 0.5f64 } else { 0.0 };
        let row = attenuation((0..100).map(|at| beam(at) * (-body(at)).exp()));
        for (at, value) in (0..).zip(row) {
            assert!((value - body(at)).abs() < 1e-9, "{at} {value}");
        }
        assert!(attenuation([0.0, -5.0, 0.25].into_iter()).iter().all(|value| value.abs() < 1e-12));
    }
}
