//! Which datasets this process writes to: two writers on one dataset would write over each other's chunks.
//!
//! HDF5 numbers the files that are open, each HDF5 library of a process for itself, so the numbers alone do not tell a dataset
//! from one of another library. Nor do the addresses of functions: two tables of one library can have different ones, a
//! program's own stubs and the functions themselves. So a claim leaves a mark in its library, a list of properties with a
//! number that no other claim has; only the same library knows it by its identifier.

#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::api::{Hid, ObjectInfo};
use super::library::{Library, h5};
use super::object::{self, Id};
use crate::{Error, Result};

/// The datasets that are written to now.
static CLAIMED: Mutex<Vec<Claimed>> = Mutex::new(Vec::new());

#[derive(Debug, Clone, Copy)]
struct Claimed {
    /// The file's number and the object's address.
    identity: [u8; 16],
    number: u64,
    mark: Hid,
}

/// The right to write to a dataset, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    number: u64,
    mark: Id,
}

impl Claim {
    /// Claims `dataset`; refused while another claim is there. `None` where the table of functions has none to know a
    /// dataset by.
    pub(super) fn on(dataset: &Id, path: &str) -> Result<Option<Self>> {
        let Some(identity) = identity(dataset)? else { return Ok(None) };
        let claim = Self::new(dataset.library())?;
        let others: Vec<Claimed> = {
            let mut claimed = claimed();
            let others = claimed.iter().filter(|other| other.identity == identity).copied().collect();
            claimed.push(Claimed { identity, number: claim.number, mark: claim.mark.get() });
            others
        };
        // HDF5 is not called under the lock: a caller may hold one of its own meanwhile.
        if others.iter().any(|other| knows(dataset.library(), other)) {
            return Err(Error::InUse { path: path.to_owned() });
        }
        Ok(Some(claim))
    }

    fn new(library: &Library) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mark = object::property_list(library, library.ids().dataset_create)?;
        h5!(library, H5Pset_chunk(mark.get(), 2, dims(number).as_ptr()))?;
        Ok(Self { number, mark })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        claimed().retain(|claimed| claimed.number != self.number);
    }
}

fn claimed() -> MutexGuard<'static, Vec<Claimed>> {
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A shape of chunks that nobody else has. HDF5 before 2.0 takes up to 4 Gi elements.
fn dims(number: u64) -> [u64; 2] {
    [2039, 1 + (number & 0xF_FFFF)]
}

/// Whether a claim is one of a dataset of this library.
fn knows(library: &Library, other: &Claimed) -> bool {
    let mut found = [0; 2];
    h5!(library, H5Pget_chunk(other.mark, 2, found.as_mut_ptr())).is_ok() && found == dims(other.number)
}

/// Which object of which file it is; `None` where HDF5 cannot be asked.
pub(super) fn identity(object: &Id) -> Result<Option<[u8; 16]>> {
    identity_of(object.library(), object.get())
}

/// The same of an object that is somebody else's.
pub(super) fn identity_of(library: &Library, object: Hid) -> Result<Option<[u8; 16]>> {
    const BASIC: u32 = 1;
    let functions = library.functions();
    let known = [("H5Oget_info3", functions.H5Oget_info3), ("H5Oget_info2", functions.H5Oget_info2)];
    let Some((name, get_info)) = known.into_iter().find_map(|(name, function)| Some((name, function?))) else {
        return Ok(None);
    };
    let mut info = ObjectInfo::EMPTY;
    library.call(name, |_| {
        // SAFETY: `Library::new` was promised HDF5's own function, for which `ObjectInfo` has room.
        unsafe { get_info(object, &raw mut info, BASIC) }
    })?;
    Ok(Some(info.identity))
}
