//! How many threads a chunk is worked on by: what `DARKCHUNK_THREADS` says, and one where it says nothing.
//!
//! It is read once, when HDF5 loads the plugin: so a process that forks has no half-made value. More threads than the
//! process may use processors are not started: a variable like this one is inherited by everything.

use std::ffi::OsString;
use std::sync::OnceLock;

use darkchunk::{Exec, Threads};

/// How every chunk of this process is worked on.
pub(crate) fn exec() -> Exec {
    static THREADS: OnceLock<Threads> = OnceLock::new();
    (*THREADS.get_or_init(|| Threads::new(number(std::env::var_os("DARKCHUNK_THREADS"), processors)))).into()
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a text that is no number says cannot be known, so it gets what no text gets.
fn number(text: Option<OsString>, most: impl FnOnce() -> usize) -> usize {
    let asked = text.and_then(|text| text.to_str()?.trim().parse().ok());
    match asked {
        None | Some(0 | 1) => 1,
        Some(asked) => most().clamp(1, asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_unless_a_number_says_more() {
        let number = |text: &str| number(Some(text.into()), || 6);
        assert_eq!(super::number(None, || unreachable!("nobody asks for the processors")), 1);
        for (text, expected) in
            [("", 1), ("0", 1), ("1", 1), ("2", 2), (" 5 ", 5), ("6", 6), ("64", 6), ("-2", 1), ("2x", 1), ("all", 1)]
        {
            assert_eq!(number(text), expected, "{text:?}");
        }
        assert_eq!(super::number(Some("3".into()), || 0), 1);
    }
}
