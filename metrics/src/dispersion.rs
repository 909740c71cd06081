//! How much pixels vary in time, before and after.

use crate::{Pixel, Shape, statistics};

/// Pixels that are followed, at most.
const MAX_FOLLOWED: usize = 1 << 16;

/// For a scene that stands still: Σ(y − ȳ)² / ȳ / (N − 1) of each pixel over N frames, meaned over up to 65536 pixels that are spread over
/// the frame. 1 for a photon counter, the gain for a camera without offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispersion {
    places: Vec<usize>,
    followed: Vec<Followed>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Followed {
    n: u64,
    /// Of x and y.
    sum: [i128; 2],
    squares: [i128; 2],
}

/// The numbers of [`Dispersion`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct DispersionReport {
    /// Pixels with a mean above 0 in x and y, and two frames at least.
    pub n_pixels: u64,
    /// The mean dispersion of x.
    pub before: f64,
    /// The mean dispersion of y.
    pub after: f64,
}

impl Dispersion {
    /// For frames of this shape.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        let n_pixels = shape.n_pixels();
        let step = n_pixels.div_ceil(MAX_FOLLOWED).max(1);
        // Within each step another place, so that no column or module is preferred.
        let place = |at: usize| at * step + (at.wrapping_mul(0x9e37_79b9) >> 7) % step;
        let places: Vec<usize> = (0..n_pixels / step).map(place).collect();
        Self { followed: vec![Followed::default(); places.len()], places }
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        for (at, followed) in self.places.iter().zip(&mut self.followed) {
            if valid.is_empty() || valid[*at] {
                followed.n += 1;
                for (which, value) in [x[*at].value(), y[*at].value()].into_iter().enumerate() {
                    followed.sum[which] += i128::from(value);
                    followed.squares[which] += i128::from(value) * i128::from(value);
                }
            }
        }
    }

    /// Adds what another one has of other frames of the same shape.
    pub fn merge(&mut self, other: &Self) {
        for (followed, other) in self.followed.iter_mut().zip(&other.followed) {
            followed.n += other.n;
            for which in 0..2 {
                followed.sum[which] += other.sum[which];
                followed.squares[which] += other.squares[which];
            }
        }
    }

    /// The numbers; `None` where no pixel has two frames and a mean above 0.
    #[must_use]
    pub fn report(&self) -> Option<DispersionReport> {
        let usable = |followed: &&Followed| followed.n >= 2 && followed.sum[0] > 0 && followed.sum[1] > 0;
        let of = |which: usize| {
            let dispersions = self.followed.iter().filter(usable).map(|followed| followed.dispersion(which));
            dispersions.sum::<f64>()
        };
        let n_pixels = self.followed.iter().filter(usable).count() as u64;
        let mean = |sum: f64| sum / n_pixels as f64;
        (n_pixels > 0).then(|| DispersionReport { n_pixels, before: mean(of(0)), after: mean(of(1)) })
    }
}

impl Followed {
    /// Σ(y − ȳ)² / ȳ / (N − 1) = (N Σy² − (Σy)²) / Σy / (N − 1).
    fn dispersion(&self, which: usize) -> f64 {
        let scaled = statistics::scaled_covariance(self.n, self.squares[which], self.sum[which], self.sum[which]);
        scaled / self.sum[which] as f64 / (self.n as f64 - 1.0)
    }
}
