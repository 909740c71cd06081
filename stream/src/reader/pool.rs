//! The threads of a reader.
//!
//! They are started when there is work for them, wait for more for a while, and then end; all have ended when the pool is
//! dropped. A process that `fork`ed has none of them: that is seen by its number, and they are started anew there. The calling
//! thread works too and waits for none that has not begun, so a thread that cannot be started costs time and nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

/// How long a thread waits for more work before it ends.
const IDLE: Duration = Duration::from_secs(2);

/// Work that several threads share: each calls it once, and it returns when nothing is left to be taken.
pub(super) trait Share: Send + Sync {
    fn work(&self);
}

#[derive(Default)]
pub(super) struct Pool(Mutex<Option<Started>>);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pool")
    }
}

struct Started {
    process: u32,
    jobs: Sender<Arc<Job>>,
    waiting: Receiver<Arc<Job>>,
    threads: Vec<JoinHandle<()>>,
    n_alive: Arc<AtomicUsize>,
}

/// A share, and who is at work on it.
struct Job {
    share: Arc<dyn Share>,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    n_working: usize,
    /// Whether the caller has all it wants: who comes now is too late.
    is_over: bool,
    panic: Option<Box<dyn Any + Send>>,
}

impl Pool {
    /// Works on `share` with the calling thread and up to `n_helpers` others, and returns when none is at it any more.
    ///
    /// # Panics
    /// With what the share panicked with.
    pub(super) fn run(&self, n_helpers: usize, share: Arc<dyn Share>) {
        if n_helpers == 0 {
            return share.work();
        }
        let job = Arc::new(Job { share, state: Mutex::default(), ended: Condvar::new() });
        self.offer(n_helpers, &job);
        job.work();
        if let Some(panic) = job.wait() {
            std::panic::resume_unwind(panic);
        }
    }

    /// Has up to `n_helpers` threads look at the job.
    fn offer(&self, n_helpers: usize, job: &Arc<Job>) {
        let mut started = match self.0.try_lock() {
            Ok(started) => started,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is just starting some; or one was when this process was forked.
            Err(TryLockError::WouldBlock) => return,
        };
        if started.as_ref().is_some_and(|started| started.process != std::process::id()) {
            // Of the threads there is nothing left here but the handles.
            std::mem::forget(started.take());
        }
        started.get_or_insert_with(Started::new).offer(n_helpers, job);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let started = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(started) = started else { return };
        if started.process != std::process::id() {
            return std::mem::forget(started);
        }
        drop(started.jobs);
        for thread in started.threads {
            // Panics are handed over by the jobs.
            let _ = thread.join();
        }
    }
}

impl Started {
    fn new() -> Self {
        let (jobs, waiting) = unbounded();
        Self { process: std::process::id(), jobs, waiting, threads: Vec::new(), n_alive: Arc::default() }
    }

    fn offer(&mut self, n_helpers: usize, job: &Arc<Job>) {
        self.threads.retain(|thread| !thread.is_finished());
        while self.n_alive.load(Ordering::Acquire) < n_helpers && self.start().is_ok() {}
        let n_helpers = n_helpers.min(self.n_alive.load(Ordering::Acquire));
        for _ in 0..n_helpers {
            // There is a receiver: ours.
            let _ = self.jobs.send(Arc::clone(job));
        }
    }

    fn start(&mut self) -> std::io::Result<()> {
        let (waiting, n_alive) = (self.waiting.clone(), Arc::clone(&self.n_alive));
        self.n_alive.fetch_add(1, Ordering::AcqRel);
        let started = Builder::new().name("darkchunk-read".to_owned()).spawn(move || {
            help(&waiting);
            n_alive.fetch_sub(1, Ordering::AcqRel);
        });
        if started.is_err() {
            self.n_alive.fetch_sub(1, Ordering::AcqRel);
        }
        self.threads.push(started?);
        Ok(())
    }
}

fn help(waiting: &Receiver<Arc<Job>>) {
    loop {
        match waiting.recv_timeout(IDLE) {
            Ok(job) => job.work(),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Job {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        {
            let mut state = self.state();
            if state.is_over {
                return;
            }
            state.n_working += 1;
        }
        let result = catch_unwind(AssertUnwindSafe(|| self.share.work()));
        let mut state = self.state();
        state.n_working -= 1;
        if let Err(panic) = result {
            state.panic.get_or_insert(panic);
        }
        if state.n_working == 0 {
            self.ended.notify_all();
        }
    }

    /// Lets nobody begin any more, and waits for those who have.
    fn wait(&self) -> Option<Box<dyn Any + Send>> {
        let mut state = self.state();
        state.is_over = true;
        while state.n_working > 0 {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.panic.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    struct Meet(Barrier, AtomicUsize);

    impl Share for Meet {
        fn work(&self) {
            self.0.wait();
            self.1.fetch_add(1, Ordering::AcqRel);
        }
    }

    #[test]
    fn as_many_threads_work_as_are_asked_for_also_the_second_time() {
        let pool = Pool::default();
        for n_threads in [3, 2, 4, 1] {
            // Each waits for all others: with fewer threads this would never end.
            let share = Arc::new(Meet(Barrier::new(n_threads), AtomicUsize::new(0)));
            pool.run(n_threads - 1, Arc::clone(&share) as Arc<dyn Share>);
            assert_eq!(share.1.load(Ordering::Acquire), n_threads);
        }
    }

    struct Panics(AtomicUsize);

    impl Share for Panics {
        fn work(&self) {
            if self.0.fetch_add(1, Ordering::AcqRel) == 0 {
                std::panic::panic_any("on purpose");
            }
        }
    }

    #[test]
    fn a_panic_of_any_thread_is_the_callers_and_the_pool_goes_on() {
        let pool = Pool::default();
        for _ in 0..20 {
            let share = Arc::new(Panics(AtomicUsize::new(0)));
            let panic = catch_unwind(AssertUnwindSafe(|| pool.run(2, share))).expect_err("it panics");
            assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        }
        pool.run(1, Arc::new(Meet(Barrier::new(2), AtomicUsize::new(0))));
    }

    #[test]
    fn a_pool_that_another_thread_is_using_makes_nobody_wait() {
        let pool = Pool::default();
        let _held = pool.0.lock();
        let share = Arc::new(Meet(Barrier::new(1), AtomicUsize::new(0)));
        pool.run(3, Arc::clone(&share) as Arc<dyn Share>);
        assert_eq!(share.1.load(Ordering::Acquire), 1);
    }
}
