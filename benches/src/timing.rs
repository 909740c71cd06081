//! Races: contestants take turns, many times, a short while each.
//!
//! On a shared machine a long measurement of one thing after the other measures the neighbours. Here every contestant
//! runs for a few milliseconds in every round, so that a disturbance hits all, and the best of many rounds is taken.
//! The median of the *paired* ratios of rounds is reported beside it. The clock is the processor time of the thread
//! where the system has one: what others take of the processor is not in it (what they take of the memory's speed is).
//! Where contestants start threads, it is the wall's ([`Clock`]).

use std::time::{Duration, Instant};

/// One thing to be timed: a closure that does one step (one frame) on the slot it is given.
pub struct Contestant<'a> {
    /// Bytes of pixels that one step goes over.
    pub n_bytes: usize,
    step: Box<dyn FnMut(usize) + 'a>,
}

impl<'a> Contestant<'a> {
    /// `step(slot)` goes over `n_bytes` of pixels.
    pub fn new(n_bytes: usize, step: impl FnMut(usize) + 'a) -> Self {
        Self { n_bytes, step: Box::new(step) }
    }
}

/// How long one contestant took for a frame, round by round.
#[derive(Debug, Clone)]
pub struct Times {
    n_bytes: usize,
    seconds: Vec<f64>,
}

impl Times {
    /// The best round, in 10^9 bytes of pixels a second.
    #[must_use]
    pub fn best_gb_per_s(&self) -> f64 {
        self.gb_per_s(self.seconds.iter().copied().fold(f64::INFINITY, f64::min))
    }

    /// The median round, in 10^9 bytes of pixels a second.
    #[must_use]
    pub fn median_gb_per_s(&self) -> f64 {
        self.gb_per_s(median(self.seconds.clone()))
    }

    /// Rounds run.
    #[must_use]
    pub fn n_rounds(&self) -> usize {
        self.seconds.len()
    }

    /// How many times faster than `other`: the median over the rounds, each of which saw the same machine.
    #[must_use]
    pub fn paired_ratio_to(&self, other: &Self) -> f64 {
        let ratios = self.seconds.iter().zip(&other.seconds).map(|(ours, theirs)| theirs / ours);
        median(ratios.collect()) * self.n_bytes as f64 / other.n_bytes as f64
    }

    fn gb_per_s(&self, seconds: f64) -> f64 {
        self.n_bytes as f64 / seconds / 1e9
    }
}

/// Processor time of this thread.
#[cfg(unix)]
fn thread_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to write to; the clock exists on every Unix that Rust's std runs on.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "the thread's clock");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The wall's clock, where threads have none.
#[cfg(not(unix))]
fn thread_seconds() -> f64 {
    wall_seconds()
}

fn wall_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// What time is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The processor time of the calling thread.
    Thread,
    /// The wall's clock: for what is done by several threads. Whoever else uses the machine is in it.
    Wall,
}

impl Clock {
    fn seconds(self) -> f64 {
        match self {
            Self::Thread => thread_seconds(),
            Self::Wall => wall_seconds(),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How long a race may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Of each contestant, all rounds together; at least [`MIN_ROUNDS`](Self::MIN_ROUNDS) rounds are run.
    pub each: Duration,
    /// What the turns are measured by.
    pub clock: Clock,
}

impl Budget {
    /// Rounds that are run even where the time is over.
    pub const MIN_ROUNDS: usize = 3;
    /// One turn of one contestant takes about this long, but not fewer than [`MIN_STEPS`](Self::MIN_STEPS) frames.
    const TURN: Duration = Duration::from_micros(1500);
    const MIN_STEPS: usize = 2;
    const MAX_STEPS: usize = 16;
}

/// Runs all contestants in turns over `n_slots` slots. Each step gets the next slot, whoever runs it: a frame is out of
/// the caches when its turn comes again, and everyone meets every frame.
#[must_use]
pub fn race(contestants: &mut [Contestant<'_>], n_slots: usize, budget: Budget) -> Vec<Times> {
    let mut next_slot = (0..n_slots).cycle();
    let mut turn = |contestant: &mut Contestant<'_>, n_steps: usize| {
        let slots: Vec<usize> = next_slot.by_ref().take(n_steps).collect();
        let start = budget.clock.seconds();
        slots.into_iter().for_each(&mut contestant.step);
        (budget.clock.seconds() - start).max(1e-9) / n_steps as f64
    };
    let steps: Vec<usize> = contestants
        .iter_mut()
        .map(|contestant| {
            let _warm_up = turn(contestant, 1);
            let seconds = turn(contestant, 1);
            let wanted = (Budget::TURN.as_secs_f64() / seconds).ceil() as usize;
            let most = Budget::MAX_STEPS.min(n_slots);
            wanted.clamp(Budget::MIN_STEPS.min(most), most)
        })
        .collect();
    let mut times: Vec<Times> =
        contestants.iter().map(|one| Times { n_bytes: one.n_bytes, seconds: Vec::new() }).collect();
    let end = Instant::now() + budget.each * u32::try_from(contestants.len()).unwrap_or(u32::MAX);
    for round in 0.. {
        if round >= Budget::MIN_ROUNDS && Instant::now() >= end {
            break;
        }
        for ((contestant, n_steps), times) in contestants.iter_mut().zip(&steps).zip(&mut times) {
            times.seconds.push(turn(contestant, *n_steps));
        }
        // Where the steps of a round divide the slots, everyone would meet the same frames for ever.
        let _skipped = turn(&mut Contestant::new(0, |_| ()), 1);
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_runs_every_round_and_meets_every_slot() {
        let seen = std::cell::RefCell::new(vec![[0; 7]; 2]);
        let mut contestants: Vec<Contestant<'_>> = (0..2)
            .map(|i| {
                let seen = &seen;
                Contestant::new(1 + i, move |slot| seen.borrow_mut()[i][slot] += 1)
            })
            .collect();
        let times = race(&mut contestants, 7, Budget { each: Duration::from_millis(20), clock: Clock::Thread });
        assert!(times.iter().all(|one| one.n_rounds() == times[0].n_rounds() && one.n_rounds() >= Budget::MIN_ROUNDS));
        assert!(seen.borrow().iter().flatten().all(|count| *count > 0));
    }

    #[test]
    fn ratios_are_of_speeds() {
        let fast = Times { n_bytes: 100, seconds: vec![1.0, 1.0, 5.0] };
        let slow = Times { n_bytes: 100, seconds: vec![2.0, 2.0, 10.0] };
        assert!((fast.paired_ratio_to(&slow) - 2.0).abs() < 1e-12);
        assert!((fast.best_gb_per_s() - 1e-7).abs() < 1e-12);
    }
}
