//! How large a chunk should be whose parameters do not say it: what the calling HDF5 tells of the datasets that are open.
//!
//! Other writers of bitshuffle, LZ4 and Zstd do not store a chunk's size, and HDF5 before 2.2 takes what a filter returns
//! for a whole chunk: behind one that is sound but too short it reads on. So HDF5 is asked for the open datasets with
//! exactly these parameters. As much memory as the largest of their chunks needs is handed over, zeroed behind
//! the chunk: whatever HDF5 reads there is nobody's. And where the chunk can be none of theirs and nobody else's, it is refused.
//!
//! HDF5 also decodes for what nobody has opened. A refusal must hit none of that, so there is none where
//! * a virtual dataset is open, whose sources HDF5 opens by itself;
//! * a file is open for writing, as `H5Ocopy` decodes data of variable length, or a file is open that is not told of;
//! * the datasets are not in HDF5's own files, but in those of another connector, which may work on after a close;
//! * the size could be that of a group's links, which may be filtered too;
//! * it is not certain what size the datasets want: types with variable or unknown sizes, filters before ours that
//!   change it.
//!
//! What was asked of a dataset is kept by its identifier, for this thread, as asking costs as much as decoding a small
//! chunk. HDF5 gives no identifier twice, unless a program shuts HDF5 down and starts it again (`H5close`). A refusal
//! never rests on what was kept.

mod host;
#[cfg(test)]
mod tests;

use core::ffi::{c_int, c_uint};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use self::host::Inquirer;
use crate::abi::Hid;
use crate::caller::Caller;
use crate::host::MOST_PARAMETERS;

const SHUFFLE: c_int = 2;
const FLETCHER32: c_int = 3;
const CHECKSUM_BYTES: u64 = 4;

/// The most libraries a thread remembers; more do not call one plugin.
const MOST_LIBRARIES: usize = 8;

/// What a chunk decodes to, by parameters that do not say how much it should be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoded<'a> {
    pub(crate) filter: c_int,
    pub(crate) values: &'a [c_uint],
    pub(crate) n_bytes: usize,
}

/// An open dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Dataset {
    Chunked(Chunked),
    /// Its data are in other datasets, which need not be open.
    Virtual,
    /// Without chunks, and so without filters.
    Unfiltered,
    /// It could not be asked.
    Unknown,
}

/// A dataset with chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chunked {
    /// Bytes of a chunk in memory.
    n_bytes: u64,
    /// Whether they are as many in the file: not so for variable-length data.
    is_exact: bool,
    /// Whether it is HDF5's own file format.
    is_native: bool,
    /// Numbers and parameters in the order of encoding.
    filters: Vec<(c_int, Vec<c_uint>)>,
}

/// What a dataset says of a decoded size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Its chunks are not by these parameters.
    Other,
    /// They are, and may have this size, or any size.
    Fits { most_bytes: u64 },
    /// They are, and have another size, at most this one.
    Contradicts { most_bytes: u64 },
}

impl Chunked {
    fn claim(&self, decoded: &Decoded<'_>) -> Claim {
        let told = &decoded.values[..decoded.values.len().min(MOST_PARAMETERS)];
        let is_it = |filter: &(c_int, Vec<c_uint>)| filter.0 == decoded.filter && filter.1 == told;
        let mut places = self.filters.iter().enumerate().filter(|(_, filter)| is_it(filter)).map(|(at, _)| at);
        let Some(at) = places.next() else { return Claim::Other };
        let before = &self.filters[..at];
        if before.iter().any(|(id, _)| !matches!(*id, SHUFFLE | FLETCHER32)) || places.next().is_some() {
            return Claim::Fits { most_bytes: 0 };
        }
        // A chunk may have skipped a filter.
        let n_checksums = before.iter().filter(|(id, _)| *id == FLETCHER32).count() as u64;
        let sizes = (0..=n_checksums).map(|n| self.n_bytes.saturating_add(CHECKSUM_BYTES * n));
        let most_bytes = sizes.clone().max().unwrap_or(self.n_bytes);
        if !self.is_exact {
            // In the file a string or reference has at most twice the bytes of a pointer.
            return Claim::Fits { most_bytes: most_bytes.saturating_mul(2) };
        }
        if sizes.clone().any(|n_bytes| n_bytes == decoded.n_bytes as u64) {
            Claim::Fits { most_bytes }
        } else {
            Claim::Contradicts { most_bytes }
        }
    }
}

/// How many bytes HDF5 is to be given for a decoded chunk, all but the chunk zeroed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// The chunk, and all that HDF5 may read of it.
    pub(crate) needed: usize,
    /// At least as many, and no more costly to zero.
    pub(crate) cheap: usize,
}

impl Room {
    /// No more than the chunk.
    pub(crate) fn exactly(n_bytes: usize) -> Self {
        Self { needed: n_bytes, cheap: n_bytes }
    }

    /// For a chunk that may be taken for one of `most_bytes`. Its own bytes will be used, the others as a rule not.
    ///
    /// Memory that an allocator has had before must be zeroed: a millisecond for 20 MiB, and HDF5 would keep them in its
    /// cache behind each small chunk. From 32 MiB on glibc takes pages from the system, which are zero and are there only
    /// once they are used: some tens of microseconds in all, as much as some MiB of zeros.
    fn up_to(most_bytes: u64, n_bytes: usize) -> Self {
        const CHEAPLY_ZEROED: usize = 4 << 20;
        const FRESH_PAGES: usize = (32 << 20) + (1 << 20);
        // What has no number cannot be had either.
        let needed = usize::try_from(most_bytes).unwrap_or(usize::MAX).max(n_bytes);
        let cheap = if needed - n_bytes > CHEAPLY_ZEROED { needed.max(FRESH_PAGES) } else { needed };
        Self { needed, cheap }
    }
}

/// What all open datasets say of a decoded size.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// The largest chunk that HDF5 may take the decoded bytes for.
    most_bytes: u64,
    /// The size of the chunks that it should have been, where it is none of theirs.
    expected: Option<u64>,
    /// Whether it is certain that the chunk belongs to one of the datasets, as far as these tell.
    is_certain: bool,
}

fn answer<'a>(decoded: &Decoded<'_>, datasets: impl Iterator<Item = &'a Dataset>) -> Answer {
    let mut answer = Answer { most_bytes: 0, expected: None, is_certain: true };
    let mut fits = false;
    for dataset in datasets {
        let Dataset::Chunked(chunked) = dataset else {
            answer.is_certain &= *dataset == Dataset::Unfiltered;
            continue;
        };
        match chunked.claim(decoded) {
            Claim::Other => continue,
            Claim::Fits { most_bytes } => {
                fits = true;
                answer.most_bytes = answer.most_bytes.max(most_bytes);
            }
            Claim::Contradicts { most_bytes } => {
                answer.expected = answer.expected.max(Some(chunked.n_bytes));
                answer.most_bytes = answer.most_bytes.max(most_bytes);
            }
        }
        answer.is_certain &= chunked.is_native;
    }
    answer.expected = answer.expected.filter(|_| !fits);
    answer
}

/// Whether a group's links may be stored in so many bytes: in blocks of 512 bytes to 64 KiB, each a power of two, and a link
/// of more than 4 KiB by itself.
fn may_be_links(n_bytes: usize) -> bool {
    const SMALLEST_BLOCK: usize = 512;
    const LONG_LINK: usize = 4 << 10;
    const LONGEST_LINK: usize = 128 << 10;
    (SMALLEST_BLOCK..LONG_LINK).contains(&n_bytes) && n_bytes.is_power_of_two()
        || (LONG_LINK..=LONGEST_LINK).contains(&n_bytes)
}

/// A library that calls, and what it has told.
struct Library {
    return_address: usize,
    /// `None` where there is nothing to ask: no HDF5, one that hides its functions, or one that checks sizes itself.
    inquirer: Option<Inquirer>,
    known: HashMap<Hid, Dataset>,
}

impl Library {
    fn of(caller: Caller) -> Self {
        Self { return_address: caller.address(), inquirer: Inquirer::of(caller), known: HashMap::new() }
    }

    fn room(&mut self, decoded: &Decoded<'_>) -> Result<Room, String> {
        let Some(inquirer) = &self.inquirer else { return Ok(Room::exactly(decoded.n_bytes)) };
        let said = inquirer.quietly(|| {
            let ids = inquirer.open_datasets()?;
            let said = ask(inquirer, &ids, &mut self.known, decoded);
            if said.expected.is_none() || !said.is_certain || may_be_links(decoded.n_bytes) {
                return Some(Answer { expected: None, ..said });
            }
            // All over again, as it would be refused.
            self.known.clear();
            let said = ask(inquirer, &ids, &mut self.known, decoded);
            let is_certain = said.is_certain && inquirer.all_files_are_known_and_read_only();
            Some(Answer { expected: said.expected.filter(|_| is_certain), ..said })
        });
        match said.flatten() {
            Some(Answer { expected: Some(expected), .. }) => {
                Err(format!("the chunk decodes to {} bytes, the dataset's chunks have {expected}", decoded.n_bytes))
            }
            Some(said) => Ok(Room::up_to(said.most_bytes, decoded.n_bytes)),
            None => Ok(Room::exactly(decoded.n_bytes)),
        }
    }
}

/// Asks of the datasets what is not known yet, and forgets those that are closed.
fn ask(inquirer: &Inquirer, ids: &[Hid], known: &mut HashMap<Hid, Dataset>, decoded: &Decoded<'_>) -> Answer {
    for id in ids {
        known.entry(*id).or_insert_with(|| inquirer.dataset(*id));
    }
    if known.len() > ids.len() {
        let open: HashSet<&Hid> = ids.iter().collect();
        known.retain(|id, _| open.contains(id));
    }
    answer(decoded, known.values())
}

/// How much memory HDF5 is to be given for a decoded chunk.
///
/// # Errors
/// Where it is certain that no dataset has chunks of this size.
pub(crate) fn room(caller: Caller, decoded: &Decoded<'_>) -> Result<Room, String> {
    thread_local! {
        static LIBRARIES: Cell<Vec<Library>> = const { Cell::new(Vec::new()) };
    }
    // Gone at the end of a thread, when its thread-locals are: then it is asked anew.
    let mut libraries = LIBRARIES.try_with(Cell::take).unwrap_or_default();
    let found = libraries.iter().position(|library| library.return_address == caller.address());
    let at = found.unwrap_or_else(|| {
        libraries.truncate(MOST_LIBRARIES - 1);
        libraries.push(Library::of(caller));
        libraries.len() - 1
    });
    let room = libraries[at].room(decoded);
    let _ = LIBRARIES.try_with(|kept| kept.set(libraries));
    room
}
