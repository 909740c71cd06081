//! The flux of each frame.

use crate::fixed::FixedSum;
use crate::tiles::Sums;
use crate::{NoiseModel, statistics};

/// Σy / Σx − 1 of each frame, in units of its own noise: Σe / √Σσ².
#[derive(Debug, Clone, PartialEq)]
pub struct Flux {
    noise: NoiseModel,
    n_frames: u64,
    /// Σz and Σz² over frames.
    sum: FixedSum,
    sum_of_squares: FixedSum,
    /// The largest |z|: z, Σy / Σx − 1, the frame.
    worst: Option<(f64, f64, u64)>,
}

/// The numbers of [`Flux`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FluxReport {
    /// Frames that have a noise.
    pub n_frames: u64,
    /// The mean over frames of Σe / √Σσ².
    pub mean_in_sigma: f64,
    /// Its root mean square.
    pub rms_in_sigma: f64,
    /// The largest of them.
    pub worst_in_sigma: f64,
    /// Σy / Σx − 1 of that frame.
    pub worst_relative: f64,
    /// Which frame it is.
    pub worst_frame: u64,
}

impl Flux {
    /// For a model of the noise.
    #[must_use]
    pub fn new(noise: NoiseModel) -> Self {
        let zero = FixedSum::default();
        Self { noise, n_frames: 0, sum: zero, sum_of_squares: zero, worst: None }
    }

    /// Adds a frame by its sums.
    pub fn add(&mut self, frame: u64, sums: &Sums) {
        if sums.variance(&self.noise) <= 0.0 {
            return;
        }
        let z = sums.flux_in_sigma(&self.noise);
        let relative = if sums.x != 0 { sums.e as f64 / sums.x as f64 } else { 0.0 };
        self.n_frames += 1;
        self.sum.add(z);
        self.sum_of_squares.add(z * z);
        self.take_worst(Some((z, relative, frame)));
    }

    fn take_worst(&mut self, other: Option<(f64, f64, u64)>) {
        let both = self.worst.into_iter().chain(other);
        self.worst = both.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()).then(b.2.cmp(&a.2)));
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.sum.merge(other.sum);
        self.sum_of_squares.merge(other.sum_of_squares);
        self.take_worst(other.worst);
    }

    /// The numbers; `None` without a frame that has a noise.
    #[must_use]
    pub fn report(&self) -> Option<FluxReport> {
        let (worst_in_sigma, worst_relative, worst_frame) = self.worst?;
        let n = self.n_frames as f64;
        Some(FluxReport {
            n_frames: self.n_frames,
            mean_in_sigma: statistics::quotient(self.sum.value(), n),
            rms_in_sigma: statistics::quotient(self.sum_of_squares.value(), n).sqrt(),
            worst_in_sigma,
            worst_relative,
            worst_frame,
        })
    }
}
