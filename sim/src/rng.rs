//! The random numbers: xoshiro256++ (Blackman and Vigna), seeded through SplitMix64.

use crate::math;

/// A seeded generator. Two seeds, or two streams of a seed, give unrelated numbers.
#[derive(Debug, Clone)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The generator of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::stream(seed, 0)
    }

    /// One of many independent generators of a seed: one a frame, so that any frame can be made alone.
    #[must_use]
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut state = seed ^ split_mix(stream.wrapping_add(0x6a09_e667_f3bc_c908));
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            split_mix(state)
        }))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `bound` (0 for a bound of 0). The bias is below `bound` / 2^64.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Uniform in (0, 1): never 0, never 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Normal with mean 0 and deviation 1 (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s < 1.0 && s > 0.0 {
                return u * (-2.0 * math::ln(s) / s).sqrt();
            }
        }
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -math::ln(self.uniform())
    }

    /// A random direction: a point on the unit sphere (Marsaglia 1972), by square roots alone.
    pub fn direction(&mut self) -> [f64; 3] {
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s < 1.0 {
                let root = 2.0 * (1.0 - s).sqrt();
                return [u * root, v * root, 1.0 - 2.0 * s];
            }
        }
    }
}

fn split_mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Poisson numbers of one mean, by inverting the distribution: a table of its cumulative probabilities.
#[derive(Debug, Clone)]
pub(crate) struct Poisson {
    cumulative: Vec<f64>,
    /// For each 1/256 of probability, the first count that can be meant: the search starts there.
    guide: [u32; 256],
}

impl Poisson {
    /// For a `mean` of 0 to 600.
    pub(crate) fn new(mean: f64) -> Self {
        let mut probability = math::exp(-mean);
        let mut cumulative = vec![probability];
        let mut sum = probability;
        while sum < 1.0 - 1e-15 && (cumulative.len() as f64) < mean * 4.0 + 60.0 {
            probability *= mean / cumulative.len() as f64;
            sum += probability;
            cumulative.push(sum);
        }
        let guide = std::array::from_fn(|i| cumulative.partition_point(|p| *p < i as f64 / 256.0) as u32);
        Self { cumulative, guide }
    }

    pub(crate) fn draw(&self, rng: &mut Rng) -> u32 {
        let u = rng.uniform();
        let start = self.guide[(u * 256.0) as usize];
        let rest = self.cumulative.get(start as usize..).unwrap_or_default();
        start + rest.iter().take_while(|p| **p < u).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_a_seed_differ_and_repeat() {
        let first = |seed, stream| Rng::stream(seed, stream).next_u64();
        assert_eq!(first(1, 0), first(1, 0));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
    }

    #[test]
    fn poisson_has_its_mean_and_variance() {
        for mean in [0.0, 0.02, 1.0, 17.3, 100.0] {
            let (poisson, mut rng, n) = (Poisson::new(mean), Rng::new(7), 100_000);
            let draws: Vec<f64> = (0..n).map(|_| f64::from(poisson.draw(&mut rng))).collect();
            let average = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / f64::from(n);
            let error = (mean / f64::from(n)).sqrt();
            assert!((average - mean).abs() <= 5.0 * error, "mean {mean}: {average}");
            assert!((variance - mean).abs() <= 0.05 * mean, "mean {mean}: variance {variance}");
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut rng = Rng::new(3);
        let draws: Vec<f64> = (0..100_000).map(|_| rng.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
