//! What a writer has added since a dataset was opened.
//!
//! HDF5 (1.10 and 2.0 were seen) breaks a dataset that is open by several identifiers when one of them is refreshed: the others have
//! memory that is not theirs then. So nothing is refreshed that anything else in this process has open.

use std::ffi::c_uint;

use super::StoredDataset;
use super::describe::extent;
use crate::api::Hid;
use crate::claim::identity_of;
use crate::library::{Library, h5, h5_optional};
use crate::object::{self, Id};
use crate::{Error, Result};
use darkchunk_hdf5_abi::constants::{H5F_OBJ_ALL, H5F_OBJ_DATASET, H5I_DATASET};

impl StoredDataset {
    /// Asks HDF5 anew what the file has: its extent may have changed.
    ///
    /// # Errors
    /// [`Error::OpenTwice`] where this process has the dataset open by another identifier than the one that [`open`](Self::open) was given, in
    /// this HDF5: nothing was done. An earlier table of functions cannot tell. [`Error::Hdf5`]: what was known stays so; but where HDF5
    /// cannot open the dataset again, all that needs it fails from then on.
    pub fn refresh(&mut self) -> Result<()> {
        let library = &self.dataset.library().clone();
        // Nobody opens it meanwhile, where the library has a lock.
        let _session = library.session();
        if h5!(library, H5Iget_type(self.given)).is_ok_and(|kind| kind == H5I_DATASET) {
            // Not of the own identifier, which is none after a refresh that failed.
            check_alone(library, self.given, &[self.given, self.dataset.get()])?;
            drop(std::mem::replace(&mut self.dataset, Id::new(library, 0)));
            let refreshed = h5_optional!(library, H5Drefresh(self.given));
            let opened = object::open(library, self.given, ".").map(|dataset| self.dataset = dataset);
            refreshed.and(opened)?;
        } else {
            check_alone(library, self.dataset.get(), &[self.dataset.get()])?;
            h5_optional!(library, H5Drefresh(self.dataset.get()))?;
        }
        self.dims = extent(&self.dataset)?;
        Ok(())
    }
}

/// Refuses a dataset that is open by other identifiers than `known`.
fn check_alone(library: &Library, dataset: Hid, known: &[Hid]) -> Result<()> {
    let Some(own) = identity_of(library, dataset)? else { return Ok(()) };
    for other in open_datasets(library)?.into_iter().filter(|id| !known.contains(id)) {
        // Its owner may close it before it is asked.
        if identity_of(library, other).is_ok_and(|other| other == Some(own)) {
            return Err(Error::OpenTwice { path: object::name(library, dataset)?.unwrap_or_default() });
        }
    }
    Ok(())
}

/// Identifiers of all datasets that are open in this HDF5; none where it cannot be asked.
fn open_datasets(library: &Library) -> Result<Vec<Hid>> {
    const ALL_FILES: Hid = H5F_OBJ_ALL as Hid;
    const KINDS: c_uint = H5F_OBJ_DATASET;
    if library.functions().H5Fget_obj_ids.is_none() {
        return Ok(Vec::new());
    }
    let mut room = 64;
    loop {
        let mut ids = vec![0; room];
        let n = h5_optional!(library, H5Fget_obj_ids(ALL_FILES, KINDS, room, ids.as_mut_ptr()))? as usize;
        // Where it is full there may be more.
        if n < room {
            ids.truncate(n);
            return Ok(ids);
        }
        room *= 16;
    }
}
