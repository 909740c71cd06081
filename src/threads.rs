//! Threads for the parts of one chunk, where they are asked for.
//!
//! Threads are started for a call and are gone when it returns: no pool, nothing that is kept, nothing that a `fork` could
//! leave half done or that could still run when a library is unloaded. The calling thread works too, and takes the part
//! of every thread that could not be started: too few threads are slow, never an error.
//!
//! What is encoded or decoded, and which error is reported, does not depend on the number of threads.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};

/// How many threads may work on one chunk: the calling one, and others that live as long as the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    n_threads: usize,
    min_bytes: Option<usize>,
}

thread_local! {
    /// Whether this thread was started here.
    static IS_HELPER: Cell<bool> = const { Cell::new(false) };
}

/// Parts for each thread, where a chunk has so many: the calling thread is at work before the others are, and no part is
/// as much work as the next.
const PARTS_PER_THREAD: usize = 4;

/// How fast a codec is. To start a thread and wait for its end takes 30 µs, and more where it has to fetch from another
/// core what it works on: so less than so many decoded bytes are not worth a thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as memory: DRLE, and transposes alone.
    Memory,
    /// LZ4 and its kind.
    Fast,
    /// Zstd, zlib, LZ4 HC.
    Slow,
}

impl Pace {
    /// Measured with frames of 0.56 % bright pixels, which are little work, in memory and not in a cache, on two cores: with
    /// so much each, two threads break even or gain a little; with twice as much most codecs are 1.3 times as fast.
    const fn min_bytes(self) -> usize {
        match self {
            Self::Memory => 2 << 20,
            Self::Fast => 1 << 20,
            Self::Slow => 512 << 10,
        }
    }

    /// Its pace where chunks of `n_stored` bytes are decoded to `n_bytes`: that of memory where they are hardly more than
    /// zeros. Measured as above, from frames that are all dark to 0.56 % bright ones: one byte for 81 of LZ4 and for 84 of Zstd is
    /// not worth it, one for 36 of LZ4 and for 55 of Zstd is.
    const fn of_decoding(self, n_stored: usize, n_bytes: usize) -> Self {
        let least = match self {
            Self::Memory => return self,
            Self::Fast => n_bytes / 60,
            Self::Slow => n_bytes / 70,
        };
        if n_stored < least { Self::Memory } else { self }
    }
}

impl Threads {
    /// The calling thread and no other.
    pub const ONE: Self = Self::new(1);

    /// At most `n_threads`, the calling one among them; 0 is taken for 1. A small chunk is worked on by fewer: each thread
    /// gets at least 512 KiB to 2 MiB of the decoded chunk, the more the faster the codec.
    #[must_use]
    pub const fn new(n_threads: usize) -> Self {
        Self { n_threads: if n_threads == 0 { 1 } else { n_threads }, min_bytes: None }
    }

    /// The same with another least number of decoded bytes for each thread, whatever the codec.
    #[must_use]
    pub const fn with_min_bytes(self, min_bytes: usize) -> Self {
        Self { min_bytes: Some(min_bytes), ..self }
    }

    /// How many there may be.
    #[must_use]
    pub const fn n_threads(self) -> usize {
        self.n_threads
    }

    /// Whether the calling thread was started here: what it panics with is reported by the thread that waits for it.
    #[doc(hidden)]
    #[must_use]
    pub fn is_helper() -> bool {
        IS_HELPER.get()
    }

    /// As many of them as are worth starting for `n_bytes`.
    pub(crate) fn worth(self, pace: Pace, n_bytes: usize) -> Self {
        let min_bytes = self.min_bytes.unwrap_or(pace.min_bytes()).max(1);
        Self { n_threads: self.n_threads.min(n_bytes / min_bytes).max(1), ..self }
    }

    /// As many of them as are worth starting to decode a chunk of `n_stored` bytes to `n_bytes`.
    pub(crate) fn worth_decoding(self, pace: Pace, n_stored: usize, n_bytes: usize) -> Self {
        self.worth(pace.of_decoding(n_stored, n_bytes), n_bytes)
    }

    /// How many units of `unit_bytes`, of which `n_bytes` are made up but for a shorter last one, are a part: all of them
    /// where there is one thread. At least 1. There are no more parts than whole units.
    pub(crate) fn units_per_part(self, n_bytes: usize, unit_bytes: usize) -> usize {
        let n_units = n_bytes.div_ceil(unit_bytes).max(1);
        if self.n_threads == 1 {
            return n_units;
        }
        let n_parts = (n_bytes / unit_bytes).min(self.n_threads.saturating_mul(PARTS_PER_THREAD));
        n_units.div_ceil(n_parts.max(1))
    }

    /// Works on all `parts` and returns the results in their order. `worker` makes what one thread works with, and its
    /// working memory.
    ///
    /// # Panics
    /// With what a part panicked with, once no other thread is there any more.
    #[doc(hidden)]
    pub fn run<P, R, W>(self, parts: Vec<P>, worker: impl Fn() -> W + Sync) -> Vec<R>
    where
        P: Send,
        R: Send,
        W: FnMut(P) -> R,
    {
        let n_helpers = self.n_threads.min(parts.len()).saturating_sub(1);
        run_with(n_helpers, || Builder::new().name("darkchunk".to_owned()), parts, worker)
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self::ONE
    }
}

fn run_with<P, R, W>(
    n_helpers: usize,
    builder: impl Fn() -> Builder,
    parts: Vec<P>,
    worker: impl Fn() -> W + Sync,
) -> Vec<R>
where
    P: Send,
    R: Send,
    W: FnMut(P) -> R,
{
    if n_helpers == 0 {
        return parts.into_iter().map(worker()).collect();
    }
    let queue = Mutex::new(parts.into_iter().enumerate());
    // Nothing panics while it holds the lock.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let drain = || {
        let (mut work, mut done) = (worker(), Vec::new());
        while let Some((index, part)) = next() {
            done.push((index, work(part)));
        }
        done
    };
    let finished: Vec<_> = thread::scope(|scope| {
        let help = || {
            IS_HELPER.set(true);
            drain()
        };
        let start = |_| builder().spawn_scoped(scope, help).ok();
        let helpers: Vec<_> = (0..n_helpers).map_while(start).collect();
        let own = catch_unwind(AssertUnwindSafe(drain));
        // Joined one by one: a scope alone waits for what they do, not for their end.
        std::iter::once(own).chain(helpers.into_iter().map(thread::ScopedJoinHandle::join)).collect()
    });
    let mut done = Vec::new();
    for results in finished {
        done.extend(results.unwrap_or_else(|panic| resume_unwind(panic)));
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::Barrier;

    /// A stack that no address space has room for. (2^46 bytes are there under qemu, which keeps tens of GB of notes on them.)
    fn impossible() -> Builder {
        Builder::new().stack_size(1 << 62)
    }

    #[test]
    fn results_come_in_the_order_of_the_parts() {
        for n_threads in [1, 2, 3, 8] {
            for n_parts in [0, 1, 2, 7, 100] {
                let parts: Vec<usize> = (0..n_parts).collect();
                let squares = Threads::new(n_threads).run(parts.clone(), || |part| part * part);
                assert_eq!(squares, parts.iter().map(|part| part * part).collect::<Vec<_>>(), "{n_threads} threads");
            }
        }
    }

    #[test]
    fn as_many_threads_work_as_are_asked_for_and_parts_there_are() {
        for (n_threads, n_parts) in [(3, 3), (8, 3), (2, 2)] {
            // Each waits for all others: with fewer threads this would never end.
            let all = Barrier::new(n_threads.min(n_parts));
            let ids = Threads::new(n_threads).run(vec![(); n_parts], || {
                |()| {
                    all.wait();
                    thread::current().id()
                }
            });
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), n_parts);
            assert!(ids.contains(&thread::current().id()), "the calling thread works too");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri has room for any stack")]
    fn where_no_thread_can_be_started_the_calling_one_does_it_all() {
        let none = thread::scope(|scope| impossible().spawn_scoped(scope, || ()).is_err());
        assert!(none, "what is tested here is a thread that cannot be started");
        let ids = run_with(3, impossible, vec![(); 10], || |()| thread::current().id());
        assert_eq!(ids, vec![thread::current().id(); 10]);
    }

    #[test]
    fn a_panic_of_any_thread_is_the_callers_once_all_others_have_ended() {
        let all = Barrier::new(2);
        let ended = Mutex::new(0);
        let run = |is_callers: bool| {
            Threads::new(2).run(vec![(); 2], || {
                |()| {
                    all.wait();
                    if Threads::is_helper() != is_callers {
                        std::panic::panic_any("on purpose");
                    }
                    *ended.lock().unwrap() += 1;
                }
            })
        };
        for is_callers in [true, false] {
            let panic = catch_unwind(AssertUnwindSafe(|| run(is_callers))).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        }
        assert_eq!(*ended.lock().unwrap(), 2, "the other one has ended each time");
    }

    #[test]
    fn a_programs_own_thread_is_no_helper_whatever_its_name() {
        let own = Builder::new().name("darkchunk".to_owned()).spawn(Threads::is_helper).unwrap();
        assert!(!own.join().unwrap());
    }

    #[test]
    fn no_more_threads_are_started_than_are_worth_it() {
        let n_threads = |threads: Threads, pace, n_bytes| threads.worth(pace, n_bytes).n_threads();
        assert_eq!(n_threads(Threads::new(8), Pace::Fast, (3 << 20) - 1), 2);
        assert_eq!(n_threads(Threads::new(8), Pace::Fast, 100 << 20), 8);
        assert_eq!(n_threads(Threads::new(8), Pace::Memory, (4 << 20) - 1), 1);
        assert_eq!(n_threads(Threads::new(8), Pace::Slow, 0), 1);
        let decoding = |pace, n_stored| Threads::new(8).worth_decoding(pace, n_stored, 2 << 20).n_threads();
        assert_eq!((decoding(Pace::Fast, 36_000), decoding(Pace::Fast, 30_000)), (2, 1), "hardly more than zeros");
        assert_eq!((decoding(Pace::Slow, 35_000), decoding(Pace::Slow, 25_000)), (4, 1));
        assert_eq!(n_threads(Threads::new(8).with_min_bytes(1000), Pace::Memory, 2500), 2);
        assert_eq!(n_threads(Threads::new(8).with_min_bytes(0), Pace::Memory, 3), 3);
        assert_eq!(n_threads(Threads::ONE.with_min_bytes(0), Pace::Memory, 3), 1);
        assert_eq!(Threads::new(0), Threads::ONE);
    }

    #[test]
    fn parts_are_of_whole_units_and_a_few_for_each_thread() {
        let threads = Threads::new(2);
        assert_eq!(Threads::ONE.units_per_part(1 << 30, 1 << 20), 1024);
        assert_eq!(threads.units_per_part(100, 20), 1);
        assert_eq!(threads.units_per_part(1 << 20, 1 << 10), 128, "four parts a thread");
        assert_eq!(threads.units_per_part(5999, 3000), 2, "a second part would be shorter than a unit");
        assert_eq!(threads.units_per_part(6001, 3000), 2, "three units, two parts");
        assert_eq!(threads.units_per_part(0, 20), 1);
        assert_eq!(Threads::new(usize::MAX).units_per_part(100, 20), 1);
    }
}
