//! The questions, as calls of the HDF5 that is calling.
//!
//! They are put in the middle of a read, on the thread that reads, where HDF5 allows its functions to be called (its lock is
//! the thread's own then). None of them changes anything, what fails leaves nothing on the error stack and prints nothing, and
//! only one may read a file: opening an open dataset once more looks at its header, which is in HDF5's cache as a rule. That is
//! not done in an HDF5 for MPI, where reading may take all ranks, nor in another connector's files.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::mem::ManuallyDrop;
use core::ptr::{null, null_mut};

use std::collections::HashSet;

use super::dataset::{Chunked, Dataset};
use super::kept::Hdf5;
use crate::abi::Hid;
use crate::caller::Caller;
use crate::host::{Host, Unknown, function};

/// The first version that compares a decoded size with the chunk's.
const CHECKS_SIZES: (c_uint, c_uint) = (2, 2);

/// The first version that may decode on threads of its own, where nothing may be asked.
const HAS_THREADS: (c_uint, c_uint) = (2, 3);

/// The first version in which datasets may be in other places than HDF5's own files.
const HAS_CONNECTORS: (c_uint, c_uint) = (1, 12);

type Address<T> = unsafe extern "C" fn(Hid, *mut T) -> c_int;
type GetObjects = unsafe extern "C" fn(Hid, c_uint, usize, *mut Hid) -> isize;
type Open = unsafe extern "C" fn(Hid, *const c_char, Hid) -> Hid;
type GetMember = unsafe extern "C" fn(Hid, c_uint) -> Hid;
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

/// `H5T_class_t`.
const STRING: c_int = 3;
const COMPOUND: c_int = 6;
const ARRAY: c_int = 10;
/// Integers, floating-point numbers, times, bit fields, opaque bytes, enumerations, complex numbers.
const EXACT_CLASSES: [c_int; 7] = [0, 1, 2, 4, 5, 8, 11];

/// So deep may types stand in types.
const MAX_NESTING: usize = 16;

/// There must be fewer open objects of a kind, or none of them is told: more than any memory holds.
const MAX_OBJECTS: usize = 1 << 28;

/// One HDF5 library, and the functions that questions need. It stays loaded, so that its functions can be kept.
pub(super) struct Inquirer {
    host: ManuallyDrop<Host>,
    functions: Functions,
    checks_sizes: bool,
    has_connectors: bool,
    is_parallel: bool,
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
    H5Iis_valid: Ask<c_int>,
    H5Dopen2: Open,
    H5Dclose: Ask<c_int>,
    H5Dget_create_plist: Ask<Hid>,
    H5Dget_type: Ask<Hid>,
    H5Pget_layout: Ask<c_int>,
    H5Pclose: Ask<c_int>,
    H5Tis_variable_str: Ask<c_int>,
    H5Tget_super: Ask<Hid>,
    H5Tget_nmembers: Ask<c_int>,
    H5Tget_member_type: GetMember,
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
        let functions = functions(&host).ok()?;
        let is_parallel = host.module()?.symbol(c"H5Pset_fapl_mpio").is_some();
        let (checks_sizes, has_connectors) = (version >= CHECKS_SIZES, version >= HAS_CONNECTORS);
        Some(Self { host: ManuallyDrop::new(host), functions, checks_sizes, has_connectors, is_parallel })
    }

    /// Whether it compares sizes itself: then what is wrong does no harm.
    pub(super) fn checks_sizes(&self) -> bool {
        self.checks_sizes
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
        let element_bytes = self.host.size(datatype) as u64;
        let is_exact = self.is_exact(datatype, MAX_NESTING);
        self.host.close_type(datatype);
        let n_elements = dims.iter().try_fold(1, |n: u64, dim| n.checked_mul(*dim))?;
        n_elements.checked_mul(element_bytes).filter(|n_bytes| *n_bytes > 0)?;
        Some(Chunked { n_elements, element_bytes, is_exact, is_native: self.is_native(id), filters })
    }

    /// Whether a value has as many bytes in the file as in memory.
    fn is_exact(&self, datatype: Hid, max_nesting: usize) -> bool {
        let functions = &self.functions;
        let is_exact = |part: Hid| {
            let is_exact = part >= 0 && max_nesting > 0 && self.is_exact(part, max_nesting - 1);
            self.host.close_type(part);
            is_exact
        };
        match self.host.class(datatype) {
            STRING => self.ask(functions.H5Tis_variable_str, datatype) == 0,
            ARRAY => is_exact(self.ask(functions.H5Tget_super, datatype)),
            COMPOUND => {
                let n_members = c_uint::try_from(self.ask(functions.H5Tget_nmembers, datatype)).unwrap_or(0);
                // SAFETY: a datatype, and one of its members.
                let member = |index| unsafe { (functions.H5Tget_member_type)(datatype, index) };
                n_members > 0 && (0..n_members).all(|index| is_exact(member(index)))
            }
            class => EXACT_CLASSES.contains(&class),
        }
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

impl Hdf5 for Inquirer {
    /// It does not fail, and so prints nothing.
    fn open_datasets(&self, n_expected: usize) -> Option<Vec<Hid>> {
        self.objects(ALL.into(), DATASETS, n_expected)
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
            CHUNKED => self.chunked(id, dcpl).map_or(Dataset::Unknown, Dataset::Chunked),
            VIRTUAL => Dataset::Virtual,
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
        let number = unsafe { (self.functions.H5Dopen2)(id, c".".as_ptr(), 0) };
        if number < 0 {
            return None;
        }
        self.ask(self.functions.H5Dclose, number);
        Some(number)
    }

    fn all_files_are_known_and_read_only(&self) -> bool {
        let known = || {
            let mut hidden = self.objects(ALL.into(), ALL & !DATATYPES, 0)?;
            let datatypes = self.objects(ALL.into(), DATATYPES, 0)?;
            // Most are in no file.
            hidden.extend(datatypes.into_iter().filter(|id| self.ask(self.functions.H5Tcommitted, *id) != 0));
            for file in self.objects(ALL.into(), FILES, 0)? {
                let mut intent = WRITING;
                // SAFETY: a place for one number.
                let status = unsafe { (self.functions.H5Fget_intent)(file, &raw mut intent) };
                if status < 0 || intent & WRITING != 0 {
                    return None;
                }
                let known: HashSet<Hid> = self.objects(file, ALL, 0)?.into_iter().collect();
                hidden.retain(|id| !known.contains(id));
            }
            hidden.is_empty().then_some(())
        };
        known().is_some()
    }

    fn quietly<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
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
        H5Iis_valid: function!(module, c"H5Iis_valid", Ask<c_int>),
        H5Dopen2: function!(module, c"H5Dopen2", Open),
        H5Dclose: function!(module, c"H5Dclose", Ask<c_int>),
        H5Dget_create_plist: function!(module, c"H5Dget_create_plist", Ask<Hid>),
        H5Dget_type: function!(module, c"H5Dget_type", Ask<Hid>),
        H5Pget_layout: function!(module, c"H5Pget_layout", Ask<c_int>),
        H5Pclose: function!(module, c"H5Pclose", Ask<c_int>),
        H5Tis_variable_str: function!(module, c"H5Tis_variable_str", Ask<c_int>),
        H5Tget_super: function!(module, c"H5Tget_super", Ask<Hid>),
        H5Tget_nmembers: function!(module, c"H5Tget_nmembers", Ask<c_int>),
        H5Tget_member_type: function!(module, c"H5Tget_member_type", GetMember),
        H5Tcommitted: function!(module, c"H5Tcommitted", Ask<c_int>),
        H5VLobject_is_native: is_native().ok(),
    })
}
