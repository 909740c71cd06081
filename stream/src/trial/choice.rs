//! Which trials are the best.

use super::{Cost, Trial};

/// What makes pixels less than so much smaller is of no use.
const MIN_RATIO: f64 = 1.1;

/// Ratios that differ by less are the same, and the faster one counts.
const SAME_RATIO: f64 = 1.002;

/// How often what is written once is read.
const READS: f64 = 2.0;

/// The best trials, by their number. All of them keep each pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choice {
    /// The greatest ratio.
    pub size: Option<usize>,
    /// The fastest to encode and decode, of those that make pixels smaller.
    pub speed: Option<usize>,
    /// The least time of one core to write the data once and to read them twice, with what the link takes. `None` where nothing helps.
    pub recommended: Option<usize>,
    /// Within a bound that follows the noise, or the greatest ratio within another: what helps where nothing else does.
    pub bounded: Option<usize>,
}

impl Choice {
    /// That of these trials, for a place that takes and gives so many stored bytes a second.
    #[must_use]
    pub fn of(trials: &[Trial], link: f64) -> Self {
        let exact = || trials.iter().enumerate().filter(|(_, trial)| trial.is_exact);
        let helping = || exact().filter(|(_, trial)| trial.cost.ratio() >= MIN_RATIO);
        let greatest = exact().map(|(_, trial)| trial.cost.ratio()).fold(0.0, f64::max);
        let as_small = exact().filter(|(_, trial)| trial.cost.ratio() * SAME_RATIO >= greatest);
        let lossy =
            || trials.iter().enumerate().filter(|(_, trial)| !trial.is_exact && trial.spec.starts_with("bounded"));
        let by_noise = lossy().find(|(_, trial)| trial.spec.starts_with("bounded:noise")).map(|(at, _)| at);
        Self {
            size: least(as_small, work),
            speed: least(helping(), work),
            recommended: least(helping(), |cost| time(cost, link)),
            bounded: by_noise.or_else(|| least(lossy(), |cost| -cost.ratio())),
        }
    }
}

/// Seconds of a core to encode and decode a byte of pixels.
fn work(cost: &Cost) -> f64 {
    1.0 / cost.encode_rate() + 1.0 / cost.decode_rate()
}

/// Seconds a byte of pixels takes that is written once and read twice.
fn time(cost: &Cost, link: f64) -> f64 {
    1.0 / cost.encode_rate() + READS / cost.decode_rate() + (1.0 + READS) / (cost.ratio() * link)
}

fn least<'a>(trials: impl Iterator<Item = (usize, &'a Trial)>, of: impl Fn(&Cost) -> f64) -> Option<usize> {
    trials.min_by(|(_, one), (_, other)| of(&one.cost).total_cmp(&of(&other.cost))).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn trial(spec: &'static str, is_exact: bool, ratio: f64, encode_gb: f64, decode_gb: f64) -> Trial {
        let n_bytes = 1_000_000_000;
        let time = |rate: f64| Duration::from_secs_f64(1.0 / rate);
        let n_stored = (n_bytes as f64 / ratio) as u64;
        let cost = Cost { n_bytes, n_stored, n_chunks: 1, encode: time(encode_gb), decode: time(decode_gb) };
        Trial { spec, filters: Vec::new(), chunk: vec![1], is_exact, cost, row_bytes: 0, frame_bytes: 0 }
    }

    #[test]
    fn the_best_for_size_and_speed_and_both_are_found_and_a_loss_is_never_recommended() {
        let trials = [
            trial("none", true, 1.0, 9.0, 9.0),
            trial("bitshuffle-lz4", true, 4.0, 2.0, 3.0),
            trial("shuffle-gzip:4", true, 4.6, 0.05, 0.3),
            trial("lz4", true, 1.2, 3.0, 4.0),
            trial("drle:1", false, 90.0, 8.0, 8.0),
            trial("bounded:noise=1", false, 9.0, 0.5, 0.8),
        ];
        let found = Choice::of(&trials, 250e6);
        assert_eq!(found, Choice { size: Some(2), speed: Some(3), recommended: Some(1), bounded: Some(5) });
        // On a slow link size is all that counts.
        assert_eq!(Choice::of(&trials, 1e6).recommended, Some(2));
    }

    #[test]
    fn nothing_is_recommended_for_noise() {
        let trials = [trial("none", true, 1.0, 9.0, 9.0), trial("zstd:3", true, 1.05, 0.5, 1.0)];
        let found = Choice::of(&trials, 250e6);
        assert_eq!((found.size, found.speed, found.recommended, found.bounded), (Some(1), None, None, None));
    }
}
