//! What a call may use: [`Exec`].

use crate::Threads;
use crate::cpu::Level;
use crate::threads::Pace;

/// With which instructions a call works, and with how many threads. Whatever it says, the same bytes come out.
///
/// ```
/// use darkchunk::cpu::Level;
/// use darkchunk::{Exec, Threads};
///
/// let alone = Exec::current();
/// assert_eq!(alone, Exec { level: Level::current(), threads: Threads::ONE });
/// assert_eq!(Exec::from(Threads::new(4)), Exec { threads: Threads::new(4), ..alone });
/// assert_eq!(Exec::from(Level::SCALAR), Exec::SCALAR);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exec {
    /// The instruction set of the kernels.
    pub level: Level,
    /// How many threads may work on one chunk.
    pub threads: Threads,
}

impl Exec {
    /// Plain Rust, and no other thread.
    pub const SCALAR: Self = Self { level: Level::SCALAR, threads: Threads::ONE };

    /// The best level of this processor, and no other thread.
    #[must_use]
    pub fn current() -> Self {
        Level::current().into()
    }

    /// With as many of its threads as are worth starting for `n_bytes`.
    pub(crate) fn worth(self, pace: Pace, n_bytes: usize) -> Self {
        Self { threads: self.threads.worth(pace, n_bytes), ..self }
    }

    /// With as many of its threads as are worth starting to decode a chunk of `n_stored` bytes to `n_bytes`.
    pub(crate) fn worth_decoding(self, pace: Pace, n_stored: usize, n_bytes: usize) -> Self {
        Self { threads: self.threads.worth_decoding(pace, n_stored, n_bytes), ..self }
    }
}

impl Default for Exec {
    fn default() -> Self {
        Self::current()
    }
}

impl From<Level> for Exec {
    fn from(level: Level) -> Self {
        Self { level, threads: Threads::ONE }
    }
}

impl From<Threads> for Exec {
    fn from(threads: Threads) -> Self {
        Self { level: Level::current(), threads }
    }
}
