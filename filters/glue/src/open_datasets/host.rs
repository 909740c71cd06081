//! The questions, as calls of the HDF5 that is calling.
//!
//! They are put in the middle of a read, on the thread that reads, where HDF5 allows its functions to be called (its lock is
//! the thread's own then). None of them reads a file or changes anything, and what fails leaves nothing on the error stack
//! and prints nothing.

use core::ffi::{c_int, c_uint, c_void};
use core::mem::ManuallyDrop;
use core::ptr::{null, null_mut};

use std::collections::HashSet;

use super::{Chunked, Dataset};
use crate::abi::Hid;
use crate::caller::Caller;
use crate::host::{Host, Unknown, function};

/// The first version that compares a decoded size with the chunk's. Later ones may also decode on threads of their own,
/// where nothing may be asked.
const CHECKS_SIZES: (c_uint, c_uint) = (2, 2);

/// The first version in which datasets may be in other places than HDF5's own files.
const HAS_CONNECTORS: (c_uint, c_uint) = (1, 12);

type Address<T> = unsafe extern "C" fn(Hid, *mut T) -> c_int;
type GetObjects = unsafe extern "C" fn(Hid, c_uint, usize, *mut Hid) -> isize;
type GetAuto = unsafe extern "C" fn(Hid, *mut *const c_void, *mut *mut c_void) -> c_int;
type SetAuto = unsafe extern "C" fn(Hid, *const c_void, *mut c_void) -> c_int;
type GetAuto1 = unsafe extern "C" fn(*mut *const c_void, *mut *mut c_void) -> c_int;
type SetAuto1 = unsafe extern "C" fn(*const c_void, *mut c_void) -> c_int;
type Ask<T> = unsafe extern "C" fn(Hid) -> T;

/// `H5E_DEFAULT`: the calling thread's error stack.
const CURRENT_STACK: Hid = 0;

/// `H5F_OBJ_FILE`, `H5F_OBJ_DATASET`, `H5F_OBJ_DATATYPE`, and `H5F_OBJ_ALL`, which as a file also stands for all files.
const FILES: c_uint = 1;
const DATASETS: c_uint = 2;
const DATATYPES: c_uint = 8;
const ALL: c_uint = 0x1f;

/// `H5F_ACC_RDWR` and `H5F_ACC_SWMR_WRITE`.
const WRITING: c_uint = 1 | 0x20;

/// `H5D_layout_t`.
const CHUNKED: c_int = 2;
const VIRTUAL: c_int = 3;

/// `H5T_class_t`: integers, floating-point numbers, bit fields, opaque bytes, enumerations.
const EXACT_CLASSES: [c_int; 5] = [0, 1, 4, 5, 8];

/// There must be fewer open objects of a kind, or none of them is told.
const MOST_OBJECTS: usize = 1 << 16;

/// One HDF5 library, and the functions that questions need. It stays loaded, so that its functions can be kept.
pub(super) struct Inquirer {
    host: ManuallyDrop<Host>,
    functions: Functions,
    has_connectors: bool,
}

#[allow(non_snake_case, reason = "they are HDF5's names")]
struct Functions {
    H5Eauto_is_v2: Address<c_uint>,
    H5Eget_auto2: GetAuto,
    H5Eset_auto2: SetAuto,
    /// Not where HDF5 was built without what is deprecated: then no program has set such a function.
    H5Eget_auto1: Option<GetAuto1>,
    H5Eset_auto1: Option<SetAuto1>,
    H5Eclear2: Ask<c_int>,
    H5Fget_obj_ids: GetObjects,
    H5Fget_intent: Address<c_uint>,
    H5Dget_create_plist: Ask<Hid>,
    H5Dget_type: Ask<Hid>,
    H5Pget_layout: Ask<c_int>,
    H5Pclose: Ask<c_int>,
    H5Tcommitted: Ask<c_int>,
    /// Not in every version that has connectors.
    H5VLobject_is_native: Option<Address<u64>>,
}

/// The function that the program has set for errors, and its argument.
#[derive(Clone, Copy)]
struct Handler {
    /// Whether it takes an error stack, as from HDF5 1.8 on.
    is_v2: bool,
    print: *const c_void,
    data: *mut c_void,
}

impl Inquirer {
    /// `None` where there is nothing to ask.
    pub(super) fn of(caller: Caller) -> Option<Self> {
        let host = Host::of(caller).ok()?;
        let version = host.version().filter(|version| *version < CHECKS_SIZES)?;
        let functions = functions(&host).ok()?;
        Some(Self { host: ManuallyDrop::new(host), functions, has_connectors: version >= HAS_CONNECTORS })
    }

    /// Runs `work` with HDF5's error messages off, and then as they were. `None` where that cannot be.
    pub(super) fn quietly<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let handler = self.handler()?;
        // Where none is set nothing prints, and setting none could hide one that is set in the other way.
        let prints = !handler.print.is_null();
        if prints {
            self.set_handler(Handler { print: null(), ..handler })?;
        }
        let result = work();
        self.ask(self.functions.H5Eclear2, CURRENT_STACK);
        if prints {
            self.set_handler(handler);
        }
        Some(result)
    }

    fn handler(&self) -> Option<Handler> {
        let functions = &self.functions;
        let (mut is_v2, mut print, mut data) = (0, null(), null_mut());
        // SAFETY: a place for one number.
        let status = unsafe { (functions.H5Eauto_is_v2)(CURRENT_STACK, &raw mut is_v2) };
        if status < 0 {
            return None;
        }
        let status = if is_v2 != 0 {
            // SAFETY: places for a function and its argument.
            unsafe { (functions.H5Eget_auto2)(CURRENT_STACK, &raw mut print, &raw mut data) }
        } else {
            // SAFETY: places for a function and its argument.
            unsafe { functions.H5Eget_auto1?(&raw mut print, &raw mut data) }
        };
        (status >= 0).then_some(Handler { is_v2: is_v2 != 0, print, data })
    }

    fn set_handler(&self, handler: Handler) -> Option<()> {
        let Handler { is_v2, print, data } = handler;
        let status = if is_v2 {
            // SAFETY: none, or the one that was set before, with its argument.
            unsafe { (self.functions.H5Eset_auto2)(CURRENT_STACK, print, data) }
        } else {
            // SAFETY: none, or the one that was set before, with its argument.
            unsafe { self.functions.H5Eset_auto1?(print, data) }
        };
        (status >= 0).then_some(())
    }

    pub(super) fn open_datasets(&self) -> Option<Vec<Hid>> {
        self.objects(ALL.into(), DATASETS)
    }

    /// Whether every open object belongs to a file that is open itself, for reading only.
    pub(super) fn all_files_are_known_and_read_only(&self) -> bool {
        let known = || {
            let mut hidden = self.objects(ALL.into(), ALL & !DATATYPES)?;
            let datatypes = self.objects(ALL.into(), DATATYPES)?;
            // Most are in no file.
            hidden.extend(datatypes.into_iter().filter(|id| self.ask(self.functions.H5Tcommitted, *id) != 0));
            for file in self.objects(ALL.into(), FILES)? {
                let mut intent = WRITING;
                // SAFETY: a place for one number.
                let status = unsafe { (self.functions.H5Fget_intent)(file, &raw mut intent) };
                if status < 0 || intent & WRITING != 0 {
                    return None;
                }
                let known: HashSet<Hid> = self.objects(file, ALL)?.into_iter().collect();
                hidden.retain(|id| !known.contains(id));
            }
            hidden.is_empty().then_some(())
        };
        known().is_some()
    }

    /// The open objects of some kinds in a file. Their identifiers are still the program's.
    fn objects(&self, file: Hid, kinds: c_uint) -> Option<Vec<Hid>> {
        all(|ids| {
            // SAFETY: `ids` has room for as many as is said.
            unsafe { (self.functions.H5Fget_obj_ids)(file, kinds, ids.len(), ids.as_mut_ptr()) }
        })
    }

    pub(super) fn dataset(&self, id: Hid) -> Dataset {
        let dcpl = self.ask(self.functions.H5Dget_create_plist, id);
        if dcpl < 0 {
            return Dataset::Unknown;
        }
        let dataset = match self.ask(self.functions.H5Pget_layout, dcpl) {
            CHUNKED => self.chunked(id, dcpl).map_or(Dataset::Unknown, Dataset::Chunked),
            VIRTUAL => Dataset::Virtual,
            layout if layout < 0 => Dataset::Unknown,
            _ => Dataset::Unfiltered,
        };
        self.ask(self.functions.H5Pclose, dcpl);
        dataset
    }

    fn chunked(&self, id: Hid, dcpl: Hid) -> Option<Chunked> {
        let filters = self.host.pipeline(dcpl).ok()?;
        let dims = self.host.chunk(dcpl).ok()?;
        let datatype = self.ask(self.functions.H5Dget_type, id);
        if datatype < 0 {
            return None;
        }
        let element_bytes = self.host.size(datatype) as u64;
        let is_exact = EXACT_CLASSES.contains(&self.host.class(datatype));
        self.host.close_type(datatype);
        let n_bytes = dims.iter().try_fold(element_bytes, |n, dim| n.checked_mul(*dim)).filter(|n| *n > 0)?;
        Some(Chunked { n_bytes, is_exact, is_native: self.is_native(id), filters })
    }

    fn is_native(&self, id: Hid) -> bool {
        let Some(call) = self.functions.H5VLobject_is_native else { return !self.has_connectors };
        let mut is_native = 0;
        // SAFETY: a place for the answer, a truth value, of which it is at least the size.
        let status = unsafe { call(id, &raw mut is_native) };
        status >= 0 && is_native != 0
    }

    fn ask<T>(&self, call: Ask<T>, id: Hid) -> T {
        // SAFETY: one of the library's functions of an identifier; what is not of the right kind gets a negative answer.
        unsafe { call(id) }
    }
}

/// All identifiers of those that `fill` gives as many of as there is room for, and says how many.
pub(super) fn all(mut fill: impl FnMut(&mut [Hid]) -> isize) -> Option<Vec<Hid>> {
    let mut room = 64;
    loop {
        let mut ids = vec![0; room];
        let n = usize::try_from(fill(&mut ids)).ok()?;
        // If it is full there may be more.
        if n < room {
            ids.truncate(n);
            return Some(ids);
        }
        if room == MOST_OBJECTS {
            return None;
        }
        room = (room * 16).min(MOST_OBJECTS);
    }
}

fn functions(host: &Host) -> Result<Functions, Unknown> {
    let module = host.module().ok_or(Unknown)?;
    let get_auto1 = || Ok::<_, Unknown>(function!(module, c"H5Eget_auto1", GetAuto1));
    let set_auto1 = || Ok::<_, Unknown>(function!(module, c"H5Eset_auto1", SetAuto1));
    let is_native = || Ok::<_, Unknown>(function!(module, c"H5VLobject_is_native", Address<u64>));
    Ok(Functions {
        H5Eauto_is_v2: function!(module, c"H5Eauto_is_v2", Address<c_uint>),
        H5Eget_auto2: function!(module, c"H5Eget_auto2", GetAuto),
        H5Eset_auto2: function!(module, c"H5Eset_auto2", SetAuto),
        H5Eget_auto1: get_auto1().ok(),
        H5Eset_auto1: set_auto1().ok(),
        H5Eclear2: function!(module, c"H5Eclear2", Ask<c_int>),
        H5Fget_obj_ids: function!(module, c"H5Fget_obj_ids", GetObjects),
        H5Fget_intent: function!(module, c"H5Fget_intent", Address<c_uint>),
        H5Dget_create_plist: function!(module, c"H5Dget_create_plist", Ask<Hid>),
        H5Dget_type: function!(module, c"H5Dget_type", Ask<Hid>),
        H5Pget_layout: function!(module, c"H5Pget_layout", Ask<c_int>),
        H5Pclose: function!(module, c"H5Pclose", Ask<c_int>),
        H5Tcommitted: function!(module, c"H5Tcommitted", Ask<c_int>),
        H5VLobject_is_native: is_native().ok(),
    })
}
