//! Which datasets this process writes to: two writers on one dataset would write over each other's chunks.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::api::ObjectInfo;
use super::object::Id;
use crate::{Error, Result};

/// The datasets that are written to now.
static CLAIMED: Mutex<BTreeSet<Object>> = Mutex::new(BTreeSet::new());

/// An object: HDF5 numbers the files that are open, each HDF5 library of a process for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    /// The library's function that gave `identity`.
    library: usize,
    identity: [u8; 16],
}

/// The right to write to a dataset, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim(Object);

impl Claim {
    /// Claims `dataset`; refused while another claim is there. `None` where the table of functions has none to know a
    /// dataset by.
    pub(super) fn on(dataset: &Id, path: &str) -> Result<Option<Self>> {
        let Some(object) = object(dataset)? else { return Ok(None) };
        if CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).insert(object) {
            Ok(Some(Self(object)))
        } else {
            Err(Error::InUse { path: path.to_owned() })
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn object(dataset: &Id) -> Result<Option<Object>> {
    const BASIC: u32 = 1;
    let functions = dataset.library().functions();
    let known = [("H5Oget_info3", functions.H5Oget_info3), ("H5Oget_info2", functions.H5Oget_info2)];
    let Some((name, get_info)) = known.into_iter().find_map(|(name, function)| Some((name, function?))) else {
        return Ok(None);
    };
    let mut info = ObjectInfo::EMPTY;
    dataset.library().call(name, |_| {
        // SAFETY: `Library::new` was promised HDF5's own function, for which `ObjectInfo` has room.
        unsafe { get_info(dataset.get(), &raw mut info, BASIC) }
    })?;
    Ok(Some(Object { library: get_info as usize, identity: info.identity }))
}
