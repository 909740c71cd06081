//! The questions, as calls of the HDF5 that is calling.
//!
//! They are put in the middle of a read, on the thread that reads, where HDF5 allows its functions to be called (its lock is
//! the thread's own then). None of them changes anything, what fails leaves nothing on the error stack and prints nothing, and
//! only one may read a file: opening an open dataset once more looks at its header, which is in HDF5's cache as a rule. That is
//! not done in an HDF5 for MPI, where reading may take all ranks, nor in another connector's files.

#![allow(unsafe_code)]

use core::ffi::c_uint;
use core::mem::ManuallyDrop;

use std::collections::HashSet;

use darkchunk_hdf5_abi::Hid;
use darkchunk_hdf5_abi::constants::{
    H5D_CHUNKED, H5D_VIRTUAL, H5F_ACC_RDWR, H5F_ACC_SWMR_WRITE, H5F_OBJ_ALL, H5F_OBJ_DATASET, H5F_OBJ_DATATYPE,
    H5F_OBJ_FILE, H5P_DEFAULT,
};
use darkchunk_hdf5_abi::datatype::{Ask, AskParts, is_fixed};

use super::dataset::{Chunked, Dataset};
use super::kept::Hdf5;
use super::quiet::{Errors, Quiet};
use crate::caller::Caller;
use crate::functions::functions;
use crate::host::Host;

/// The first version that compares a decoded size with the chunk's.
const CHECKS_SIZES: (c_uint, c_uint) = (2, 2);

/// The first version that may decode on threads of its own, where nothing may be asked.
const HAS_THREADS: (c_uint, c_uint) = (2, 3);

/// The first version in which datasets may be in other places than HDF5's own files.
const HAS_CONNECTORS: (c_uint, c_uint) = (1, 12);

/// There must be fewer open objects of a kind, or none of them is told: more than any memory holds.
const MAX_OBJECTS: usize = 1 << 28;

/// How a file is open that may change.
const WRITES: c_uint = H5F_ACC_RDWR | H5F_ACC_SWMR_WRITE;

/// All files, where one is asked for.
const ALL_FILES: Hid = H5F_OBJ_ALL as Hid;

functions! {
    /// The functions that questions need.
    struct Functions {
        H5Fget_obj_ids,
        H5Fget_intent,
        H5Iis_valid,
        H5Dopen2,
        H5Dclose,
        H5Dget_create_plist,
        H5Dget_type,
        H5Pget_layout,
        H5Pclose,
        H5Tcommitted,
        ; optional:
        /// Not in every version that has connectors.
        H5VLobject_is_native,
    }
}

/// One HDF5 library. It stays loaded, so that its functions can be kept.
pub(super) struct Inquirer {
    host: ManuallyDrop<Host>,
    functions: Functions,
    errors: Errors,
    checks_sizes: bool,
    has_connectors: bool,
    is_parallel: bool,
}

/// What can be known of chunks' sizes from the calling HDF5.
pub(super) enum Library {
    /// Nothing: it is none, or hides its functions.
    Hidden,
    /// Nothing is asked of it, and it compares sizes itself.
    ChecksSizes,
    Answers(Box<Inquirer>),
}

impl Library {
    pub(super) fn of(caller: Caller) -> Self {
        let Ok(host) = Host::of(caller) else { return Self::Hidden };
        let Some(version) = host.version() else { return Self::Hidden };
        match Inquirer::of(host, version) {
            Some(inquirer) if version < HAS_THREADS => Self::Answers(Box::new(inquirer)),
            _ if version >= CHECKS_SIZES => Self::ChecksSizes,
            _ => Self::Hidden,
        }
    }
}

impl Inquirer {
    fn of(host: Host, version: (c_uint, c_uint)) -> Option<Self> {
        let module = host.module()?;
        let (functions, errors) = (Functions::of(module)?, Errors::of(module)?);
        let is_parallel = module.symbol(c"H5Pset_fapl_mpio").is_some();
        let (checks_sizes, has_connectors) = (version >= CHECKS_SIZES, version >= HAS_CONNECTORS);
        Some(Self { host: ManuallyDrop::new(host), functions, errors, checks_sizes, has_connectors, is_parallel })
    }

    /// Whether it compares sizes itself: then what is wrong does no harm.
    pub(super) fn checks_sizes(&self) -> bool {
        self.checks_sizes
    }

    /// The open objects of some kinds in a file. Their identifiers are still the program's.
    fn objects(&self, file: Hid, kinds: c_uint, n_expected: usize) -> Option<Vec<Hid>> {
        all(n_expected, |ids| {
            // SAFETY: `ids` has room for as many as is said.
            unsafe { (self.functions.H5Fget_obj_ids)(file, kinds, ids.len(), ids.as_mut_ptr()) }
        })
    }

    fn chunked(&self, id: Hid, dcpl: Hid) -> Option<Chunked> {
        let filters = self.host.pipeline(dcpl).ok()?;
        let dims = self.host.chunk(dcpl).ok()?;
        let datatype = self.ask(self.functions.H5Dget_type, id);
        if datatype < 0 {
            return None;
        }
        let known = self.host.size(datatype).and_then(|n_bytes| Ok((n_bytes as u64, is_fixed(&*self.host, datatype)?)));
        self.host.close(datatype);
        let (element_bytes, is_exact) = known.ok()?;
        let n_elements = dims.iter().try_fold(1, |n: u64, dim| n.checked_mul(*dim))?;
        n_elements.checked_mul(element_bytes).filter(|n_bytes| *n_bytes > 0)?;
        Some(Chunked { n_elements, element_bytes, is_exact, is_native: self.is_native(id), filters })
    }

    fn is_native(&self, id: Hid) -> bool {
        let Some(call) = self.functions.H5VLobject_is_native else { return !self.has_connectors };
        let mut is_native = 0;
        // SAFETY: a place for the answer, a truth value, of which it is at least the size.
        let status = unsafe { call(id, &raw mut is_native) };
        status >= 0 && is_native != 0
    }

    fn ask<T>(&self, call: unsafe extern "C" fn(Hid) -> T, id: Hid) -> T {
        // SAFETY: one of the library's functions of an identifier; what is not of the right kind gets a negative answer.
        unsafe { call(id) }
    }
}

impl Hdf5 for Inquirer {
    /// It does not fail, and so prints nothing.
    fn open_datasets(&self, n_expected: usize) -> Option<Vec<Hid>> {
        self.objects(ALL_FILES, H5F_OBJ_DATASET, n_expected)
    }

    /// It does not fail, and so prints nothing.
    fn is_open(&self, id: Hid) -> bool {
        self.ask(self.functions.H5Iis_valid, id) > 0
    }

    fn dataset(&self, id: Hid) -> Dataset {
        let dcpl = self.ask(self.functions.H5Dget_create_plist, id);
        if dcpl < 0 {
            return Dataset::Unknown;
        }
        let dataset = match self.ask(self.functions.H5Pget_layout, dcpl) {
            H5D_CHUNKED => self.chunked(id, dcpl).map_or(Dataset::Unknown, Dataset::Chunked),
            H5D_VIRTUAL => Dataset::Virtual,
            layout if layout < 0 => Dataset::Unknown,
            _ => Dataset::Unfiltered,
        };
        self.ask(self.functions.H5Pclose, dcpl);
        dataset
    }

    fn number(&self, id: Hid) -> Option<Hid> {
        if self.is_parallel {
            return None;
        }
        // SAFETY: an identifier, a name that means the object itself, and the default properties.
        let number = unsafe { (self.functions.H5Dopen2)(id, c".".as_ptr(), H5P_DEFAULT) };
        if number < 0 {
            return None;
        }
        self.ask(self.functions.H5Dclose, number);
        Some(number)
    }

    fn all_files_are_known_and_read_only(&self) -> bool {
        let known = || {
            let mut hidden = self.objects(ALL_FILES, H5F_OBJ_ALL & !H5F_OBJ_DATATYPE, 0)?;
            let datatypes = self.objects(ALL_FILES, H5F_OBJ_DATATYPE, 0)?;
            // Most are in no file.
            hidden.extend(datatypes.into_iter().filter(|id| self.ask(self.functions.H5Tcommitted, *id) != 0));
            for file in self.objects(ALL_FILES, H5F_OBJ_FILE, 0)? {
                let mut intent = WRITES;
                // SAFETY: a place for one number.
                let status = unsafe { (self.functions.H5Fget_intent)(file, &raw mut intent) };
                if status < 0 || intent & WRITES != 0 {
                    return None;
                }
                let known: HashSet<Hid> = self.objects(file, H5F_OBJ_ALL, 0)?.into_iter().collect();
                hidden.retain(|id| !known.contains(id));
            }
            hidden.is_empty().then_some(())
        };
        known().is_some()
    }

    fn quietly<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _quiet = Quiet::new(&self.errors)?;
        Some(work())
    }
}

/// All identifiers of those that `fill` gives as many of as there is room for, and says how many.
pub(super) fn all(n_expected: usize, mut fill: impl FnMut(&mut [Hid]) -> isize) -> Option<Vec<Hid>> {
    let mut room = n_expected + 64;
    loop {
        let mut ids = vec![0; room];
        let n = usize::try_from(fill(&mut ids)).ok()?;
        // If it is full there may be more.
        if n < room {
            ids.truncate(n);
            return Some(ids);
        }
        if room == MAX_OBJECTS {
            return None;
        }
        room = (room * 16).min(MAX_OBJECTS);
    }
}
