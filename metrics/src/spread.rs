//! How widely whole numbers are spread round 0, from a histogram of their magnitudes.

/// Magnitudes below this are counted one by one.
const N_EXACT: usize = 128;
/// Above, an octave has so many counters.
const OCTAVE_BITS: u32 = 6;
/// Magnitudes below 2^34: those of a − 2b + c of 32 bits.
const N_COUNTERS: usize = N_EXACT + (34 - 7) * (1 << OCTAVE_BITS);

/// From this median on it says more than the squares: the steps of whole numbers are small beside it.
const MIN_MEDIAN: f64 = 8.0;

/// The median of |x| of a normal distribution, in standard deviations.
const NORMAL_MEDIAN: f64 = 0.674_489_750_196_081_7;

/// Squares count up to so many standard deviations.
const CLIP: f64 = 6.0;

/// A histogram of magnitudes.
#[derive(Debug, Clone)]
pub(crate) struct Spread {
    counts: Vec<u64>,
    n: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: vec![0; N_COUNTERS], n: 0 }
    }
}

fn counter(magnitude: u64) -> usize {
    if magnitude < N_EXACT as u64 {
        return magnitude as usize;
    }
    let octave = magnitude.ilog2();
    let within = (magnitude >> (octave - OCTAVE_BITS)) as usize & ((1 << OCTAVE_BITS) - 1);
    (N_EXACT + ((octave as usize - 7) << OCTAVE_BITS) + within).min(N_COUNTERS - 1)
}

/// Where the magnitudes of a counter begin, and how many there are; whole numbers stand for half of one more at both sides.
fn range(counter: usize) -> (f64, f64) {
    if counter < N_EXACT {
        return ((counter as f64 - 0.5).max(0.0), if counter == 0 { 0.5 } else { 1.0 });
    }
    let (octave, within) = ((counter - N_EXACT) >> OCTAVE_BITS, (counter - N_EXACT) & ((1 << OCTAVE_BITS) - 1));
    let width = f64::from(1 << (octave + 1));
    ((64 + within) as f64 * width - 0.5, width)
}

impl Spread {
    pub(crate) fn add(&mut self, magnitude: u64) {
        self.counts[counter(magnitude)] += 1;
        self.n += 1;
    }

    /// Numbers that were added.
    pub(crate) fn n(&self) -> u64 {
        self.n
    }

    /// The mean square, and its standard error: from the median of a normal distribution where that is finer than whole numbers; else of
    /// the numbers themselves, without outliers.
    pub(crate) fn square(&self) -> (f64, f64) {
        let median = self.median();
        if median >= MIN_MEDIAN {
            // Rounding to whole numbers adds 1/12.
            let square = (median / NORMAL_MEDIAN).powi(2) - 1.0 / 12.0;
            return (square, square * 2.0 * 1.167 / (self.n as f64).sqrt());
        }
        self.clipped()
    }

    fn median(&self) -> f64 {
        let half = self.n as f64 / 2.0;
        let mut before = 0.0;
        for (at, n) in self.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            if before + *n as f64 >= half {
                let (start, width) = range(at);
                return start + width * (half - before) / *n as f64;
            }
            before += *n as f64;
        }
        0.0
    }

    /// The mean square of the numbers within [`CLIP`] of its root, and its error.
    fn clipped(&self) -> (f64, f64) {
        let (mut limit, mut found) = (f64::MAX, (0.0, 0.0));
        for _ in 0..20 {
            let (mut n, mut squares, mut fourths) = (0.0, 0.0, 0.0);
            for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let (start, width) = range(at);
                let middle = if at < N_EXACT { at as f64 } else { start + width / 2.0 };
                if middle <= limit {
                    let (count, square) = (*count as f64, middle * middle);
                    (n, squares, fourths) = (n + count, squares + count * square, fourths + count * square * square);
                }
            }
            let square = squares / n;
            found = (square, ((fourths / n - square * square).max(0.0) / n).sqrt());
            // A few counts are no outliers.
            let next = (CLIP * square.sqrt()).max(6.0);
            if next >= limit {
                break;
            }
            limit = next;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkchunk_sim::Rng;

    fn spread(deviation: f64, n: usize) -> Spread {
        let (mut rng, mut spread) = (Rng::new(3), Spread::default());
        (0..n).for_each(|_| spread.add((deviation * rng.normal()).round().abs() as u64));
        spread
    }

    #[test]
    fn counters_have_no_gaps_and_are_fine() {
        let mut before = 0;
        for magnitude in (0..5000).chain((13..33).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1])) {
            let at = counter(magnitude);
            let (start, width) = range(at);
            assert!((before..before + 2).contains(&at) || magnitude > 5000, "{magnitude}");
            assert!(start <= magnitude as f64 && magnitude as f64 <= start + width, "{magnitude}");
            assert!(width <= 1.0_f64.max(magnitude as f64 / 60.0), "{magnitude}");
            before = at;
        }
    }

    #[test]
    fn normal_numbers_have_their_variance_by_either_way() {
        for deviation in [0.7, 1.0, 3.0, 11.0, 13.0, 40.0, 300.0, 1e6] {
            let (square, error) = spread(deviation, 100_000).square();
            let expected = deviation * deviation + if deviation < 12.0 { 1.0 / 12.0 } else { 0.0 };
            assert!((square - expected).abs() < 4.0 * error + 0.01 * expected, "{deviation}: {square} +- {error}");
        }
    }

    #[test]
    fn outliers_hardly_count() {
        for deviation in [2.0, 50.0] {
            let mut spread = spread(deviation, 100_000);
            let (before, _) = spread.square();
            (0..1000).for_each(|n| spread.add(10_000 + n));
            let (after, _) = spread.square();
            assert!((after / before - 1.0).abs() < 0.05, "{deviation}: {before} became {after}");
        }
    }
}
