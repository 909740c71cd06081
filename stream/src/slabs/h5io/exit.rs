//! A library that ends the program it is in: that is no good end, whatever code it gives.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static IS_IN_LIBRARY: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is the one that begins libraries, whose own `exit` is no library's.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

/// Libraries that have begun and not ended: they may have threads of their own.
static N_AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// While it is there, a library has begun.
#[derive(Debug)]
pub(super) struct AtWork(());

impl AtWork {
    pub(super) fn begin() -> Self {
        N_AT_WORK.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        N_AT_WORK.fetch_sub(1, Ordering::Relaxed);
    }
}

/// While it is there this thread does what the library says.
pub(super) struct InLibrary(());

impl InLibrary {
    pub(super) fn enter() -> Self {
        IS_IN_LIBRARY.set(true);
        Self(())
    }
}

impl Drop for InLibrary {
    fn drop(&mut self) {
        IS_IN_LIBRARY.set(false);
    }
}

/// From now on an `exit` of the library, on whichever thread, ends the program with 2, and with words. An `_exit` nobody sees.
/// This thread is the program's own.
pub(super) fn guard() {
    static ONCE: Once = Once::new();
    IS_OURS.set(true);
    ONCE.call_once(|| {
        // SAFETY: the handler has the type that is asked for, and stays as long as the program does.
        let _ = unsafe { libc::atexit(at_exit) };
    });
}

/// Called on the thread that has called `exit`.
extern "C" fn at_exit() {
    let is_own = IS_OURS.get() && !IS_IN_LIBRARY.get();
    if is_own || N_AT_WORK.load(Ordering::Relaxed) == 0 {
        return;
    }
    let words = "darkchunk: the library has ended the program (exit); what is finished is kept, and --resume goes on with it. With --isolate \
                 no more than that slice would have failed";
    let _ = writeln!(std::io::stderr(), "{words}");
    // SAFETY: it takes a number, and does not return. Nothing else is to happen on the way.
    unsafe { libc::_exit(2) }
}
