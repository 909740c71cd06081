//! σ from a model of the noise.

use crate::{Error, Result};

/// The noise of a detector, as the bounded codec defines it: a value x has the variance gain · (x − offset) + read variance, and never
/// less than 0.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct NoiseModel {
    /// Counts a photon.
    pub gain: f64,
    /// Counts without light.
    pub offset: f64,
    /// Variance of the read noise, in counts squared.
    pub read_variance: f64,
}

impl NoiseModel {
    /// A photon counter: the variance is the number of photons.
    pub const COUNTER: Self = Self { gain: 1.0, offset: 0.0, read_variance: 0.0 };

    /// A model, checked.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number that is not finite, and a gain or a variance that is negative, or both 0.
    pub fn new(gain: f64, offset: f64, read_variance: f64) -> Result<Self> {
        let all_finite = [gain, offset, read_variance].iter().all(|number| number.is_finite());
        if !all_finite || gain < 0.0 || read_variance < 0.0 || gain + read_variance <= 0.0 {
            return Err(Error::Setting(format!(
                "no noise model: gain {gain}, offset {offset}, read variance {read_variance}; give a gain above 0, or a variance"
            )));
        }
        Ok(Self { gain, offset, read_variance })
    }

    /// The variance of a value.
    #[inline]
    #[must_use]
    pub fn variance(&self, x: f64) -> f64 {
        (self.gain * (x - self.offset) + self.read_variance).max(0.0)
    }

    /// The standard deviation of a value.
    #[inline]
    #[must_use]
    pub fn sigma(&self, x: f64) -> f64 {
        self.variance(x).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_is_that_of_the_definition_and_never_negative() {
        let camera = NoiseModel::new(2.05, 98.0, 9.0).unwrap();
        assert_eq!(camera.variance(98.0), 9.0);
        assert!((camera.variance(1098.0) - 2059.0).abs() < 1e-9);
        assert_eq!(camera.variance(0.0), 0.0);
        assert_eq!(NoiseModel::COUNTER.sigma(49.0), 7.0);
    }

    #[test]
    fn a_model_without_noise_is_refused() {
        for (gain, offset, variance) in [(0.0, 0.0, 0.0), (-1.0, 0.0, 4.0), (1.0, f64::NAN, 0.0), (1.0, 0.0, -1.0)] {
            assert!(NoiseModel::new(gain, offset, variance).is_err(), "{gain} {offset} {variance}");
        }
        assert!(NoiseModel::new(0.0, 0.0, 4.0).is_ok());
    }
}
