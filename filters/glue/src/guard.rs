//! The boundary no panic crosses.
//!
//! A panic is a fault of ours; HDF5 gets a failure with its text. The standard library's hook would print it to the
//! host's stderr as well; a plugin has its own copy of the standard library, so the hook set here is the plugin's
//! own, and even so it only keeps quiet what happens inside of [`guard`], or in a thread that a codec has started: the
//! thread that waits for it panics with the same message, which then has no place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use darkchunk::Threads;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work`; a panic in it becomes an error text.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    // What `work` can leave half done is a buffer of its own that nobody sees again.
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    result.unwrap_or_else(|panic| {
        // Gone at the end of a thread, when its thread-locals are.
        let mut text = PANIC.try_with(RefCell::take).unwrap_or_default();
        if text.is_empty() {
            message(&*panic).clone_into(&mut text);
        }
        Err(format!("internal error, nothing was changed; please report it: {text}"))
    })
}

/// What a panic says, where it says anything.
fn message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref().map(String::as_str)).unwrap_or_default()
}

/// Sends panics inside of [`guard`] to the error text instead of to stderr.
pub(crate) fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if GUARDED.get() {
                let _ = PANIC.try_with(|text| text.replace(panic.to_string().replace('\n', " ")));
            } else if !Threads::is_helper() {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_text_that_says_where() {
        silence();
        let text = guard::<()>(|| panic!("no such thing")).unwrap_err();
        assert!(text.contains("no such thing") && text.contains("guard.rs"), "{text}");
        assert_eq!(guard(|| Ok(3)), Ok(3));
        assert_eq!(guard::<()>(|| Err("a text".to_owned())), Err("a text".to_owned()));
    }
}
