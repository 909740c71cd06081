//! What a program is told to end by, for those who have to tidy up first.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI32, Ordering};

/// The last signal that came, plus this where a program has sent it.
static NOTED: AtomicI32 = AtomicI32::new(0);
const BY_PROGRAM: i32 = 1 << 16;

/// A signal that asks a program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// Whether a program has sent it: what a terminal sends, it sends to all programs that run in it.
    pub is_by_program: bool,
}

/// Until it is dropped, Ctrl-C, `SIGTERM` and `SIGHUP` are noted, and do not end the program.
pub struct Signals {
    /// What was done before.
    #[cfg(target_os = "linux")]
    kept: Vec<(i32, libc::sigaction)>,
}

#[cfg(target_os = "linux")]
impl Signals {
    /// Begins to note them, but for those that are ignored (`nohup`); programs that are started have the system's own way.
    #[must_use]
    pub fn note() -> Self {
        let mut kept = Vec::new();
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: a structure of numbers and a pointer, for all of which zero is a value.
            let mut action = unsafe { std::mem::zeroed::<libc::sigaction>() };
            action.sa_sigaction = take as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
            // SAFETY: as above.
            let mut before = unsafe { std::mem::zeroed::<libc::sigaction>() };
            // SAFETY: it only asks.
            unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut before) };
            if before.sa_sigaction == libc::SIG_IGN {
                continue;
            }
            // SAFETY: `take` has the type that the flag names, and does what a handler may.
            unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
            kept.push((signal, before));
        }
        Self { kept }
    }

    /// Sends a signal to a program that this one has started and not yet waited for.
    pub fn send(&self, program: u32, signal: i32) {
        // SAFETY: it takes two numbers.
        unsafe { libc::kill(program.cast_signed(), signal) };
    }

    /// Ends the program at once: nothing that other threads are doing is waited for.
    pub fn leave(&self, code: i32) -> ! {
        // SAFETY: it takes a number, and does not return.
        unsafe { libc::_exit(code) }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, before) in &self.kept {
            // SAFETY: it is what the system said that it was.
            unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
        }
    }
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Signals")
    }
}

/// Notes a signal: a store is all that a handler may do.
#[cfg(target_os = "linux")]
unsafe extern "C" fn take(number: i32, info: *const libc::siginfo_t, _context: *const std::ffi::c_void) {
    // SAFETY: the system hands in what `SA_SIGINFO` promises.
    let code = unsafe { (*info).si_code };
    // What users' programs send has no positive code.
    NOTED.store(if code <= 0 { number | BY_PROGRAM } else { number }, Ordering::Relaxed);
}

#[cfg(not(target_os = "linux"))]
impl Signals {
    /// Elsewhere nothing is noted: the program ends as it would.
    #[must_use]
    pub fn note() -> Self {
        Self {}
    }

    /// Does nothing.
    pub fn send(&self, _program: u32, _signal: i32) {}

    /// Ends the program.
    pub fn leave(&self, code: i32) -> ! {
        std::process::exit(code)
    }
}

impl Signals {
    /// The last one that came, once.
    #[must_use]
    pub fn take(&self) -> Option<Signal> {
        let noted = NOTED.swap(0, Ordering::Relaxed);
        let is_by_program = noted & BY_PROGRAM != 0;
        (noted != 0).then_some(Signal { number: noted & !BY_PROGRAM, is_by_program })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_noted_once_and_ends_nothing() {
        let signals = Signals::note();
        signals.send(std::process::id(), libc::SIGTERM);
        // The thread that takes it may have to wait for a processor, and without a handler it ends the program: for a minute at least.
        let noted = (0..60_000).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(1));
            signals.take()
        });
        assert_eq!(noted, Some(Signal { number: libc::SIGTERM, is_by_program: true }));
        assert_eq!(signals.take(), None);
    }
}
