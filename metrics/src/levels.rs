//! Values that stand alone: what a coarse lattice, as that of a quantiser, leaves.

use crate::NoiseModel;

/// The least and the greatest value that is counted.
const RANGE: (i64, i64) = (-(1 << 15), (1 << 16) - 1);

/// A value that occurs so often has neighbours that occur, if it is of counts with noise: by chance both are missing in e^−20 of all cases.
const OFTEN: u32 = 10;

/// How often each value occurs.
#[derive(Debug, Clone)]
pub(crate) struct Levels(Vec<u32>);

impl Levels {
    pub(crate) fn new() -> Self {
        Self(vec![0; (RANGE.1 - RANGE.0 + 1) as usize])
    }

    #[inline]
    pub(crate) fn add(&mut self, value: i64) {
        if let Some(n) = usize::try_from(value - RANGE.0).ok().and_then(|at| self.0.get_mut(at)) {
            *n = n.saturating_add(1);
        }
    }

    /// How many values occur often, with none that occurs within 0.4 σ on either side, and which part of the pixels has one of them.
    /// Steps of less than that hardly add to the noise.
    pub(crate) fn alone(&self, noise: &NoiseModel) -> (usize, f64) {
        let occur: Vec<(f64, u32)> =
            (RANGE.0..).zip(&self.0).filter(|(_, n)| **n > 0).map(|(value, n)| (value as f64, *n)).collect();
        let (mut n_levels, mut n_alone) = (0, 0.0);
        for (at, (value, n)) in occur.iter().enumerate() {
            let gap = (0.4 * noise.variance(*value).sqrt()).max(1.0);
            let beside = [at.checked_sub(1), Some(at + 1)].map(|at| at.and_then(|at| occur.get(at)));
            let is_alone = beside.iter().flatten().all(|(other, _)| (other - value).abs() > gap);
            if *n >= OFTEN && is_alone {
                (n_levels, n_alone) = (n_levels + 1, n_alone + f64::from(*n));
            }
        }
        (n_levels, crate::statistics::quotient(n_alone, occur.iter().map(|(_, n)| f64::from(*n)).sum()))
    }
}
