//! A library that ends the program it is in: that is no good end, whatever code it gives.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::io::Write;
use std::sync::Once;

thread_local! {
    static IS_IN_LIBRARY: Cell<bool> = const { Cell::new(false) };
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

/// From now on an `exit` of the library ends the program with 2, and with words.
pub(super) fn guard() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler has the type that is asked for, and stays as long as the program does.
        let _ = unsafe { libc::atexit(at_exit) };
    });
}

/// Called on the thread that has called `exit`.
extern "C" fn at_exit() {
    if !IS_IN_LIBRARY.get() {
        return;
    }
    let words = "darkchunk: the library has ended the program (exit); what is finished is kept, and --resume goes on with it. With --isolate \
                 no more than that slice would have failed";
    let _ = writeln!(std::io::stderr(), "{words}");
    // SAFETY: it takes a number, and does not return. Nothing else is to happen on the way.
    unsafe { libc::_exit(2) }
}
