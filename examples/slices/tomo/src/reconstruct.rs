//! Filtered back projection of a parallel beam.

use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// The ramp filter for rows of so many pixels: its kernel in space, 1/4, 0 and −1 / (π n)² (Kak and Slaney, 1988, chapter 3), so that there is
/// no offset, with zeros to twice the length and more, so that the ends do not meet.
pub(crate) struct Filter {
    width: usize,
    response: Vec<f32>,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

impl Filter {
    pub(crate) fn new(width: usize) -> Self {
        let n = (2 * width).next_power_of_two();
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
        let kernel = |at: usize| match at.min(n - at) {
            0 => 0.25,
            distance if distance % 2 == 1 => -1.0 / (std::f64::consts::PI * distance as f64).powi(2),
            _ => 0.0,
        };
        let mut response: Vec<Complex32> = (0..n).map(|at| Complex32::new(kernel(at) as f32, 0.0)).collect();
        forward.process(&mut response);
        // It is even, so its transform is real; and the inverse transform does not divide by n.
        let response = response.iter().map(|value| value.re / n as f32).collect();
        Self { width, response, forward, inverse }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The row under the filter.
    pub(crate) fn apply(&self, pixels: &[f32]) -> Vec<f32> {
        let mut row = vec![Complex32::default(); self.response.len()];
        row.iter_mut().zip(pixels).for_each(|(value, pixel)| value.re = *pixel);
        self.forward.process(&mut row);
        row.iter_mut().zip(&self.response).for_each(|(value, response)| *value *= response);
        self.inverse.process(&mut row);
        row[..pixels.len()].iter().map(|value| value.re).collect()
    }
}

/// How rows were taken.
pub(crate) struct Geometry {
    pub(crate) width: usize,
    /// The column of the axis of rotation.
    pub(crate) centre: f32,
    /// Of each row.
    pub(crate) degrees: Vec<f32>,
}

impl Geometry {
    /// Adds up filtered rows in a slice of `width` x `width` pixels; between two pixels of a row by a line.
    pub(crate) fn back_project(&self, rows: &[Vec<f32>], slice: &mut [f32]) {
        slice.fill(0.0);
        let middle = (self.width / 2) as f32;
        for (row, degrees) in rows.iter().zip(&self.degrees) {
            let (sin, cos) = degrees.to_radians().sin_cos();
            for (down, pixels) in slice.chunks_exact_mut(self.width.max(1)).enumerate() {
                let first = self.centre - middle * cos - (down as f32 - middle) * sin;
                for (across, pixel) in pixels.iter_mut().enumerate() {
                    let place = first + across as f32 * cos;
                    let (at, part) = (place.floor(), place - place.floor());
                    // Beyond the row there is no light that was measured.
                    if at >= 0.0
                        && let Some([left, right]) = row.get(at as usize..at as usize + 2)
                    {
                        *pixel += left + part * (right - left);
                    }
                }
            }
        }
        let step = std::f32::consts::PI / rows.len().max(1) as f32;
        slice.iter_mut().for_each(|pixel| *pixel *= step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disc_off_the_axis_is_where_it_was_with_its_attenuation() {
        let (width, n, centre) = (101, 300, 47.5);
        let filter = Filter::new(width);
        let degrees: Vec<f32> = (0..n).map(|k| 180.0 * k as f32 / n as f32).collect();
        // Of radius 20 and 0.02 a pixel, 5 pixels to the right of the axis and 3 up.
        let row = |degrees: &f32| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let middle = centre + 5.0 * cos + 3.0 * sin;
            let chord = |at: usize| 0.04 * (400.0 - (at as f32 - middle).powi(2)).max(0.0).sqrt();
            filter.apply(&(0..width).map(chord).collect::<Vec<_>>())
        };
        let rows: Vec<_> = degrees.iter().map(row).collect();
        let mut slice = vec![0.0; width * width];
        Geometry { width, centre, degrees }.back_project(&rows, &mut slice);
        let mean = |from: f32, to: f32| {
            let radius = |at: usize| ((at / width) as f32 - 47.0).hypot((at % width) as f32 - 55.0);
            let ring: Vec<f32> =
                (0..slice.len()).filter(|at| (from..to).contains(&radius(*at))).map(|at| slice[at]).collect();
            ring.iter().sum::<f32>() / ring.len() as f32
        };
        assert!((mean(0.0, 18.0) - 0.02).abs() < 2e-4, "{}", mean(0.0, 18.0));
        assert!(mean(22.0, 30.0).abs() < 2e-4, "{}", mean(22.0, 30.0));
    }
}
