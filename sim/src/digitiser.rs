//! Traces of a digitiser: what a scintillator, or a detector of ions by their time of flight, gives after each trigger.

use crate::math;
use crate::rng::Rng;

/// The values end here: 14 bits.
pub const DIGITISER_MAX: u16 = (1 << 14) - 1;

/// The level without a signal, in counts.
const BASELINE: f64 = 1200.0;

/// Standard deviation of the noise of a sample, in counts.
const NOISE: f64 = 2.5;

/// Pulses in 10 000 samples, on average.
const PULSES: f64 = 12.0;

/// Samples in which a pulse rises, and falls, by e.
const RISE: f64 = 3.0;
const FALL: f64 = 45.0;

/// `n_traces` traces of `n_samples` samples of 14 bits, one after the other: white noise on a baseline that moves by some counts from
/// trace to trace, and pulses with a fast rise and a slow fall, at random times, with exponentially distributed heights. The highest
/// saturate.
#[must_use]
pub fn traces(n_traces: usize, n_samples: usize, seed: u64) -> Vec<u16> {
    (0..n_traces).flat_map(|index| trace(n_samples, &mut Rng::stream(seed, index as u64))).collect()
}

fn trace(n_samples: usize, rng: &mut Rng) -> Vec<u16> {
    let mut starts = vec![0.0; n_samples];
    let mut at = rng.exponential() * 10_000.0 / PULSES;
    while let Some(start) = starts.get_mut(at as usize) {
        *start += 900.0 * rng.exponential();
        at += rng.exponential() * 10_000.0 / PULSES;
    }
    let baseline = BASELINE + 4.0 * rng.normal();
    let (keep_fast, keep_slow) = (math::exp(-1.0 / RISE), math::exp(-1.0 / FALL));
    let (mut fast, mut slow) = (0.0, 0.0);
    let mut sample = |start: f64| {
        (fast, slow) = (fast * keep_fast + start, slow * keep_slow + start);
        let value = baseline + slow - fast + NOISE * rng.normal();
        value.round().clamp(0.0, DIGITISER_MAX.into()) as u16
    };
    starts.into_iter().map(&mut sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_noise_on_a_baseline_and_some_pulses() {
        let samples = traces(40, 10_000, 1);
        let near = |sample: &&u16| (f64::from(**sample) - BASELINE).abs() < 25.0;
        let quiet = samples.iter().filter(near).count() as f64 / samples.len() as f64;
        assert!((0.7..0.95).contains(&quiet), "{quiet}");
        let high = samples.iter().max().copied().unwrap_or(0);
        assert!((4000..=DIGITISER_MAX).contains(&high), "{high}");
        assert_eq!(samples, traces(40, 10_000, 1));
        assert_ne!(samples, traces(40, 10_000, 2));
    }

    #[test]
    fn a_trace_does_not_depend_on_how_many_there_are() {
        assert_eq!(traces(3, 500, 7)[..500], traces(1, 500, 7));
    }
}
