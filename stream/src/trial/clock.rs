//! The processor time of this thread: what others take of the machine is not in it.

#![allow(unsafe_code)]

use std::time::Duration;

/// The time that this thread was running, from some moment on.
#[cfg(target_os = "linux")]
pub(super) fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is there to be written.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "Linux has this clock");
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Where there is no such clock: that on the wall.
#[cfg(not(target_os = "linux"))]
pub(super) fn now() -> Duration {
    static BEGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    BEGIN.get_or_init(std::time::Instant::now).elapsed()
}

/// How long `work` takes.
pub(super) fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begin = now();
    let result = work();
    (now().saturating_sub(begin), result)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_takes_no_time() {
        let (slept, ()) = time(|| std::thread::sleep(Duration::from_millis(50)));
        assert!(slept < Duration::from_millis(20), "{slept:?}");
        let (worked, _) = time(|| (0..50_000_000_u64).fold(1, |n, k| std::hint::black_box(n ^ k)));
        assert!(worked > Duration::from_micros(100), "{worked:?}");
    }
}
