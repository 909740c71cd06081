//! Whether a decoded chunk has the right size, and how much memory HDF5 may read of it.
//!
//! HDF5 does not tell a filter how large a chunk is, and before 2.2 it takes what a filter returns for a whole one: after a chunk that
//! decodes to too little it reads on, whatever is there. What the filter's parameters say is a claim: other writers store nothing, or
//! another number, tools copy it to datasets with other chunks, and a hostile file says what it likes. So the HDF5 that is calling is
//! asked for the open datasets with exactly these parameters. One whose chunks may have the decoded size *explains* it.
//!
//! * If one does, the chunk is handed over. It may be a short one of another of them, whose chunks are larger: so it is followed by
//!   zeros, as many as the largest needs. What HDF5 reads there is nobody's.
//! * If none does, and one has chunks of the size that the parameters claim, the claim is true, and the chunk is refused.
//! * If none does, it is also refused if it can be nobody else's. HDF5 decodes for what nobody has opened, too, which then has no
//!   identifier: the sources of a virtual dataset; what `H5Ocopy` copies, which needs a file that is open for writing; what is in a
//!   file that is not told of, or in another connector's, which may work on after a close; a group's links, which may be filtered
//!   and have certain sizes.
//! * Otherwise it is followed by zeros, as many as the largest needs, and as the parameters claim. There is one exception: a shuffle
//!   before this filter copies the chunk alone, so that the zeros are lost. Then files open for writing are no reason to hand it over.
//! * If no dataset with these parameters is open, nothing contradicts: it is of one that nobody has opened.
//!
//! An HDF5 that hides its functions cannot be asked: there a chunk that contradicts its parameters is refused.

mod dataset;
mod host;
mod kept;
mod quiet;
#[cfg(test)]
mod tests;

use core::ffi::{c_int, c_uint};
use std::cell::Cell;

use self::dataset::Sizes;
use self::host::Library;
use self::kept::{Hdf5, Kept};
use crate::caller::Caller;

/// The most libraries a thread remembers; more do not call one plugin.
const MAX_LIBRARIES: usize = 8;

/// What a chunk decodes to, and what its parameters say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoded<'a> {
    pub(crate) filter: c_int,
    pub(crate) values: &'a [c_uint],
    pub(crate) n_bytes: usize,
    /// The size that the parameters claim, where they do.
    pub(crate) claimed: Option<usize>,
}

impl Decoded<'_> {
    /// The claim, where the chunk has another size.
    fn contradicted(&self) -> Option<usize> {
        self.claimed.filter(|claimed| *claimed != self.n_bytes)
    }

    /// The room that this chunk and one of `max_bytes` need, and one of what the parameters claim.
    fn room_beside(&self, max_bytes: u64) -> Room {
        Room::up_to(max_bytes.max(self.claimed.unwrap_or(0) as u64), self.n_bytes)
    }

    /// What is done where nobody can be asked.
    fn believed(&self) -> Result<Room, Refusal> {
        match self.contradicted() {
            None => Ok(Room::exactly(self.n_bytes)),
            Some(claimed) => Err(Refusal { expected: claimed, why: Why::OnlyParameters }),
        }
    }
}

/// Why a chunk of this size is none of the dataset's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Bytes that it should decode to.
    pub(crate) expected: usize,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The parameters say so, and nobody else says anything.
    OnlyParameters,
    /// The parameters say so, and an open dataset has such chunks.
    TrueParameters,
    /// The open datasets have such chunks.
    Datasets,
}

impl Refusal {
    /// What is said of a chunk that decodes to `n_bytes`.
    pub(crate) fn text(&self, n_bytes: usize) -> String {
        let expected = self.expected;
        let known = match self.why {
            Why::OnlyParameters => {
                format!(
                    "the parameters (cd_values) say {expected}, and this HDF5 cannot be asked what its datasets have"
                )
            }
            Why::TrueParameters => {
                format!("the parameters (cd_values) say {expected}, as an open dataset's chunks have")
            }
            Why::Datasets => format!("the chunks of the open datasets with these parameters have {expected}"),
        };
        format!("the chunk decodes to {n_bytes} bytes, {known}")
    }

    #[cfg(test)]
    pub(crate) fn of_parameters(expected: usize) -> Self {
        Self { expected, why: Why::OnlyParameters }
    }
}

/// How many bytes HDF5 is given for a decoded chunk, all but the chunk zeroed.
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

    /// For a chunk that may be taken for one of `max_bytes`. Its own bytes will be used, the others as a rule not.
    ///
    /// Memory that an allocator has had before must be zeroed: a millisecond for 20 MiB, and HDF5 would keep them in its
    /// cache after each small chunk. From 32 MiB on glibc takes pages from the system, which are zero and are there only
    /// once they are used: some tens of microseconds in all, as much as some MiB of zeros.
    fn up_to(max_bytes: u64, n_bytes: usize) -> Self {
        const CHEAPLY_ZEROED: usize = 4 << 20;
        const FRESH_PAGES: usize = (32 << 20) + (1 << 20);
        // What has no number cannot be had either.
        let needed = usize::try_from(max_bytes).unwrap_or(usize::MAX).max(n_bytes);
        let cheap = if needed - n_bytes > CHEAPLY_ZEROED { needed.max(FRESH_PAGES) } else { needed };
        Self { needed, cheap }
    }
}

/// What becomes of a chunk. `None` where HDF5 does not tell.
fn asked(hdf5: &impl Hdf5, kept: &mut Kept, decoded: &Decoded<'_>) -> Option<Result<Room, Refusal>> {
    let said = by_what_is_kept(hdf5, kept, decoded)?;
    if said.is_ok() {
        return Some(said);
    }
    // A refusal is not by what was kept: all over again.
    kept.forget();
    by_what_is_kept(hdf5, kept, decoded)
}

fn by_what_is_kept(hdf5: &impl Hdf5, kept: &mut Kept, decoded: &Decoded<'_>) -> Option<Result<Room, Refusal>> {
    kept.look(hdf5)?;
    let n_bytes = decoded.n_bytes;
    let Some(group) = kept.group(decoded.values) else { return Some(Ok(decoded.room_beside(0))) };
    if group.explains(hdf5, n_bytes) {
        return Some(Ok(Room::up_to(group.max_bytes(hdf5, n_bytes), n_bytes)));
    }
    if let Some(expected) = decoded.contradicted().filter(|claimed| group.explains(hdf5, *claimed)) {
        return Some(Err(Refusal { expected, why: Why::TrueParameters }));
    }
    let room = decoded.room_beside(group.max_bytes(hdf5, n_bytes));
    let open = group.open(hdf5);
    let Some(expected) = open.iter().map(Sizes::whole).max() else { return Some(Ok(room)) };
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    let is_refused = is_nobody_elses(hdf5, kept, n_bytes, &open);
    Some(if is_refused { Err(Refusal { expected, why: Why::Datasets }) } else { Ok(room) })
}

/// Whether a chunk that contradicts the `open` datasets can be of none that HDF5 does not tell of; or whether it must be refused
/// as zeros after it would be lost.
fn is_nobody_elses(hdf5: &impl Hdf5, kept: &mut Kept, n_bytes: usize, open: &[Sizes]) -> bool {
    if may_be_links(n_bytes) || kept.may_hide(hdf5) || !open.iter().all(|sizes| sizes.is_native) {
        return false;
    }
    let loses_zeros = open.iter().any(|sizes| !sizes.sees_zeros && sizes.max_bytes > n_bytes as u64);
    loses_zeros || hdf5.quietly(|| hdf5.all_files_are_known_and_read_only()).unwrap_or(false)
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
struct Calling {
    return_address: usize,
    library: Library,
    kept: Kept,
}

impl Calling {
    fn room(&mut self, decoded: &Decoded<'_>) -> Result<Room, Refusal> {
        match &self.library {
            Library::Hidden => decoded.believed(),
            Library::ChecksSizes => Ok(Room::exactly(decoded.n_bytes)),
            Library::Answers(hdf5) => match asked(&**hdf5, &mut self.kept, decoded) {
                None | Some(Ok(_)) if hdf5.checks_sizes() => Ok(Room::exactly(decoded.n_bytes)),
                None => decoded.believed(),
                Some(said) => said,
            },
        }
    }
}

/// How much memory HDF5 is to be given for a decoded chunk.
///
/// # Errors
/// Where it has not the size of any chunk that it can be.
pub(crate) fn room(caller: Caller, decoded: &Decoded<'_>) -> Result<Room, Refusal> {
    thread_local! {
        static CALLING: Cell<Vec<Calling>> = const { Cell::new(Vec::new()) };
    }
    // Gone at the end of a thread, when its thread-locals are: then it is asked anew.
    let mut calling = CALLING.try_with(Cell::take).unwrap_or_default();
    let found = calling.iter().position(|one| one.return_address == caller.address());
    let at = found.unwrap_or_else(|| {
        calling.truncate(MAX_LIBRARIES - 1);
        let (library, kept) = (Library::of(caller), Kept::new(decoded.filter));
        calling.push(Calling { return_address: caller.address(), library, kept });
        calling.len() - 1
    });
    let room = calling[at].room(decoded);
    let _ = CALLING.try_with(|kept| kept.set(calling));
    room
}
