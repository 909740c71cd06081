//! Slices of datasets, in slabs, for a function that several threads call.
//!
//! A *slice* is one place along each slicing axis of the inputs, and all of their other axes ([`Taken`]). A *slab* is a number of slices
//! that follow each other: as many as the chunks are high, so that each chunk is read and decoded once, in threads, straight into memory in
//! which each slice is contiguous. While workers call a [`Process`] for the slices of a slab, the next one is read. [`Plan`] says before
//! anything is read how many bytes will be decoded, and the memory that it takes.
//!
//! What a process makes becomes datasets of a new file ([`write`](fn@write)). What is stored does not depend on the number of threads: slices
//! are written in their order, and so are the first failure and the stop that count.
//!
//! [`h5io`] has processes that are functions of a C library; [`mpi`] hands out the parts of a run.

mod follow;
mod growth;
pub mod h5io;
mod input;
mod manifest;
mod memory;
pub mod mpi;
mod needs;
mod notes;
mod output;
mod parts;
mod plan;
mod rank;
mod results;
mod run;
mod slicing;
mod summary;
mod work;

pub use crate::writer::{Ending, Writer};
pub use follow::{Followed, follow};
pub use input::{Input, Taken, index_path};
pub use needs::MemoryPlan;
pub use output::OutputSpec;
pub use parts::{Part, join_parts, write_part};
pub use plan::{InputPlan, Plan};
pub use rank::Rank;
pub use results::{Provenance, write};
pub use run::run;
pub use slicing::Slicing;
pub use summary::Summary;

/// What a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Threads that read and decode.
    pub n_threads: usize,
    /// Threads that call the process.
    pub n_workers: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// The most slices that are handed to a call. They follow each other along the fastest slicing axis.
    pub max_block: u64,
}

/// Slices of one input for a call, without gaps between them. They begin at a multiple of 64 bytes.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Elements in this machine's byte order.
    pub data: &'a [u8],
    /// How many slices: those of the call, with padding before and after. 1 of an input that has not the fastest slicing axis.
    pub n: u64,
    /// Whether it has the fastest slicing axis.
    pub is_sliced: bool,
    /// Whether it has no slicing axis: then it is the same in every call.
    pub is_fixed: bool,
}

/// A call of a process.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Which worker calls, from 0 on.
    pub worker: usize,
    /// The first slice.
    pub slice: u64,
    /// How many slices.
    pub n: u64,
    /// The place of the first along each slicing axis.
    pub place: &'a [u64],
    /// The inputs.
    pub inputs: &'a [View<'a>],
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Verdict {
    /// Outputs are made.
    Done,
    /// There are no outputs for these slices, and that is well.
    Skip,
    /// Neither for these slices nor for those after them.
    Stop,
    /// What went wrong.
    Failed(String),
}

/// What is done with slices.
pub trait Process: Sync {
    /// Makes the outputs of some slices, all of each; they are zeros before. Several workers call at the same time, each in ascending order.
    fn process(&self, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict;

    /// Whether it is as before after a call that failed: then slices of such a call are tried again one by one.
    fn survives(&self) -> bool {
        false
    }

    /// Whether the run is to end early. It is asked again and again, on the thread that runs.
    fn is_stopped(&self) -> bool {
        false
    }
}

impl<F: Fn(&Call<'_>, &mut [&mut [u8]]) -> Verdict + Sync> Process for F {
    fn process(&self, call: &Call<'_>, outputs: &mut [&mut [u8]]) -> Verdict {
        self(call, outputs)
    }
}

/// What became of a slice, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Its outputs are there.
    Done = 0,
    /// The process left it out.
    Skipped = 1,
    /// The process, or reading it, failed.
    Failed = 2,
    /// It was not reached.
    NotReached = 3,
}
