//! Sums of real numbers that do not depend on the order of the summands.

/// A sum in steps of 2^-40. What is added is rounded to a step, so the sum of parts is the sum of all, to the last bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FixedSum(i128);

const STEPS: f64 = (1u64 << 40) as f64;

impl FixedSum {
    /// Adds a number that is finite and below 2^80.
    pub(crate) fn add(&mut self, number: f64) {
        self.0 = self.0.saturating_add((number * STEPS).round() as i128);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    pub(crate) fn value(self) -> f64 {
        self.0 as f64 / STEPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter() {
        let numbers: Vec<f64> = (1..1000).map(|i| 1.0 / f64::from(i)).collect();
        let sum = |numbers: &mut dyn Iterator<Item = &f64>| {
            numbers.fold(FixedSum::default(), |mut sum, number| {
                sum.add(*number);
                sum
            })
        };
        let (forward, mut halves) = (sum(&mut numbers.iter()), sum(&mut numbers[500..].iter().rev()));
        halves.merge(sum(&mut numbers[..500].iter()));
        assert_eq!(forward, halves);
        assert!((forward.value() - numbers.iter().sum::<f64>()).abs() < 1e-9);
    }
}
