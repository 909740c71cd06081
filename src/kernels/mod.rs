//! The inner loops, one folder a kernel, one file an instruction set.
//!
//! `scalar` is the specification: every other file agrees with it for every input. A kernel takes a
//! [`Level`](crate::cpu::Level), which proves that the processor has what the kernel uses, and dispatches once a block
//! or frame by a `match`.

pub mod bitshuffle;
pub mod drle;
pub mod fletcher32;
mod for_each_isa;
#[cfg(all(test, unix, not(miri)))]
pub(crate) mod guarded;
pub(crate) mod predict;
mod prefetch;
pub mod quantise;
pub(crate) mod rans;
pub mod shuffle;
pub(crate) mod zero;
