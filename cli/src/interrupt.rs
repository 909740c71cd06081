//! Ctrl-C: a verb ends where its file is whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Whether the process is the command's own, so that a second signal may end it at once.
static IS_OWN: AtomicBool = AtomicBool::new(false);

/// From now on a second signal ends the process.
pub(crate) fn own_process() {
    IS_OWN.store(true, Ordering::Relaxed);
}

/// Whether the process is the command's own.
pub(crate) fn is_own_process() -> bool {
    IS_OWN.load(Ordering::Relaxed)
}

/// While it is there, Ctrl-C and SIGTERM ask for an end, and what the process did with them before happens, too.
#[derive(Debug)]
pub(crate) struct Interrupt {
    signal: Arc<AtomicUsize>,
    ids: Vec<SigId>,
}

impl Interrupt {
    pub(crate) fn new() -> Result<Self, String> {
        let (signal, is_second) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut interrupt = Self { signal: Arc::clone(&signal), ids: Vec::new() };
        let failed = |error: std::io::Error| format!("Ctrl-C cannot be caught: {error}");
        for number in [SIGINT, SIGTERM] {
            // In this order: it ends the process only if it was asked for an end before.
            if IS_OWN.load(Ordering::Relaxed) {
                let second = Arc::clone(&is_second);
                interrupt.ids.push(
                    signal_hook::flag::register_conditional_shutdown(number, code(number as usize).into(), second)
                        .map_err(failed)?,
                );
            }
            interrupt.ids.push(signal_hook::flag::register(number, Arc::clone(&is_second)).map_err(failed)?);
            let caught = signal_hook::flag::register_usize(number, Arc::clone(&signal), number as usize);
            interrupt.ids.push(caught.map_err(failed)?);
        }
        Ok(interrupt)
    }

    /// Whether an end was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        self.signal.load(Ordering::Relaxed) != 0
    }

    /// The exit code if an end was asked for: as shells have it.
    pub(crate) fn code(&self) -> Option<u8> {
        let signal = self.signal.load(Ordering::Relaxed);
        (signal != 0).then(|| code(signal))
    }
}

/// 128 and the signal's number.
fn code(signal: usize) -> u8 {
    128_u8.saturating_add(signal as u8)
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_caught_while_a_verb_runs_and_by_no_other_one() {
        let raise = || signal_hook::low_level::raise(SIGTERM).expect("raised");
        let first = Interrupt::new().expect("caught");
        assert_eq!((first.is_asked(), first.code()), (false, None));
        raise();
        assert_eq!((first.is_asked(), first.code()), (true, Some(143)));
        drop(first);
        let second = Interrupt::new().expect("caught");
        assert!(!second.is_asked());
        raise();
        assert!(second.is_asked());
    }
}
