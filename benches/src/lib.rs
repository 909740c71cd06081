//! What `cargo xtask bench` measures with: memory pools, inputs, timing, the machine's limits and the peers.
//!
//! Everything runs in one process on the same memory, interleaved, so that what else the machine does falls on all
//! contestants alike: *ratios* within one run mean something, absolute speeds only on the machine and day they were
//! taken. The program is `src/bin/compare.rs`; it is started by `cargo xtask bench`, which builds the peers first.

pub mod inputs;
pub mod limits;
pub mod ours;
pub mod peers;
pub mod pool;
pub mod report;
pub mod tasks;
pub mod timing;

/// What can go wrong in a benchmark: it is reported and ends the run.
pub type Failure = Box<dyn std::error::Error>;
