//! How fast frames come.

use std::time::{Duration, Instant};

/// From one mark to the next.
const SPAN: Duration = Duration::from_secs(1);

/// When frames came, and how many bytes.
#[derive(Debug, Default)]
pub(super) struct Rate {
    n_bytes: u64,
    /// When the first and the last frame came.
    ends: Option<(Instant, Instant)>,
    /// Times that are [`SPAN`] or more apart, each with the bytes that had come before: the last two.
    marks: Option<[(Instant, u64); 2]>,
}

impl Rate {
    pub(super) fn add(&mut self, now: Instant, n_bytes: usize) {
        let mark = (now, self.n_bytes);
        let [before, last] = self.marks.get_or_insert([mark; 2]);
        if now.saturating_duration_since(last.0) >= SPAN {
            (*before, *last) = (*last, mark);
        }
        self.ends = Some((self.ends.map_or(now, |(first, _)| first), now));
        self.n_bytes += n_bytes as u64;
    }

    /// Seconds from the first frame to the last.
    pub(super) fn seconds(&self) -> f64 {
        self.ends.map_or(0.0, |(first, last)| last.saturating_duration_since(first).as_secs_f64())
    }

    /// GB, 10⁹ bytes, a second, of the last one or two seconds; where none come, of the time since then, too.
    pub(super) fn gb_per_s(&self, now: Instant) -> f64 {
        let Some([(since, n_before), _]) = self.marks else { return 0.0 };
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        if seconds > 0.0 { (self.n_bytes - n_before) as f64 / seconds / 1e9 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of 1 MB, so many a second, for some seconds from one on.
    fn come(rate: &mut Rate, start: Instant, from: u32, seconds: u32, per_second: u32) {
        for frame in 0..seconds * per_second {
            rate.add(start + Duration::from_secs(from.into()) + Duration::from_secs(1) * frame / per_second, 1_000_000);
        }
    }

    #[test]
    fn the_rate_follows_the_source_within_two_seconds_and_ends_with_it() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        assert_eq!((rate.gb_per_s(start), rate.seconds()), (0.0, 0.0));
        rate.add(start, 1_000_000);
        assert_eq!((rate.gb_per_s(start), rate.seconds()), (0.0, 0.0), "of one frame there is none");
        assert!((rate.gb_per_s(at(0.5)) - 0.002).abs() < 1e-9);
        let mut rate = Rate::default();
        come(&mut rate, start, 0, 10, 1000);
        assert!((rate.gb_per_s(at(10.0)) - 1.0).abs() < 0.001 && (rate.seconds() - 9.999).abs() < 1e-6);
        come(&mut rate, start, 10, 2, 4000);
        assert!((rate.gb_per_s(at(12.0)) - 4.0).abs() < 0.01, "{}", rate.gb_per_s(at(12.0)));
        assert!(rate.gb_per_s(at(1200.0)) < 0.01, "none come");
        come(&mut rate, start, 1200, 3, 1000);
        assert!((rate.gb_per_s(at(1203.0)) - 1.0).abs() < 0.01, "they come again");
        assert!((rate.seconds() - 1202.999).abs() < 1e-6);
    }
}
