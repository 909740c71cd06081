//! A discrete Fourier transform of one length, planned once.

use std::sync::Arc;

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// Forward or inverse; neither divides by the length.
#[derive(Clone)]
pub(super) struct Transform(Arc<dyn Fft<f64>>);

impl Transform {
    pub(super) fn forward(n: usize) -> Self {
        Self(FftPlanner::new().plan_fft_forward(n))
    }

    pub(super) fn inverse(n: usize) -> Self {
        Self(FftPlanner::new().plan_fft_inverse(n))
    }

    /// Of rows of the length one after the other, in place.
    pub(super) fn apply(&self, rows: &mut [Complex64]) {
        self.0.process(rows);
    }
}

impl std::fmt::Debug for Transform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transform({}, {})", self.0.len(), self.0.fft_direction())
    }
}

impl PartialEq for Transform {
    fn eq(&self, other: &Self) -> bool {
        (self.0.len(), self.0.fft_direction()) == (other.0.len(), other.0.fft_direction())
    }
}
