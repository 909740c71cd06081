//! `h5io.h` for a library that is written in Rust: the same structures in the same order.
//!
//! Copy this file, and name your library at its end. [`Library`] is what that has to be; `h5io_library` is the one symbol that a host looks for. No panic leaves a function: it becomes the code [`PANICKED`].

#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

const ABI: u32 = 1;
const MAX_RANK: usize = 32;
/// `h5io_any`: several threads call `process` with one context.
const ANY: i32 = 2;
/// The code of a failure that has left a text.
pub(crate) const FAILED: c_int = 1;
/// The code of a bug.
pub(crate) const PANICKED: c_int = 2;

/// `h5io_global_param_t`
#[repr(C)]
pub(crate) struct Param {
    struct_size: u32,
    abi: u32,
    rank: i32,
    n_ranks: i32,
    worker: i32,
    n_workers: i32,
    has_output: i32,
    n_arguments: i32,
    arguments: *const *const c_char,
    file: *const c_char,
}

impl Param {
    /// Each `name=value` that the user gave.
    fn arguments(&self) -> Vec<String> {
        let n = usize::try_from(self.n_arguments).unwrap_or(0);
        // SAFETY: the host's array of so many strings; it may be NULL where there are none.
        let pointers = if n == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.arguments, n) } };
        // SAFETY: each is a string that lives through the call.
        let text = |at: &*const c_char| unsafe { CStr::from_ptr(*at) }.to_string_lossy().into_owned();
        pointers.iter().map(text).collect()
    }
}

/// `h5io_dataspace_t`
#[repr(C)]
pub(crate) struct Dataspace {
    struct_size: u32,
    pub(crate) kind: i32,
    element_bytes: u64,
    rank: i32,
    is_fixed: i32,
    shape: [i64; MAX_RANK],
    n_slices: i64,
    before: i64,
    n_axes: i64,
    place: [i64; MAX_RANK],
    data: *mut c_void,
}

impl Dataspace {
    /// Its extents.
    pub(crate) fn shape(&self) -> &[i64] {
        &self.shape[..usize::try_from(self.rank).unwrap_or(0).min(MAX_RANK)]
    }

    /// The elements of an input, as single floats.
    ///
    /// # Errors
    /// For a type that is no number.
    pub(crate) fn floats(&self) -> Result<Vec<f32>, String> {
        Ok(match self.kind {
            1 => self.elements::<i8>().iter().map(|value| f32::from(*value)).collect(),
            2 => self.elements::<u8>().iter().map(|value| f32::from(*value)).collect(),
            3 => self.elements::<i16>().iter().map(|value| f32::from(*value)).collect(),
            4 => self.elements::<u16>().iter().map(|value| f32::from(*value)).collect(),
            5 => self.elements::<i32>().iter().map(|value| *value as f32).collect(),
            6 => self.elements::<u32>().iter().map(|value| *value as f32).collect(),
            7 => self.elements::<i64>().iter().map(|value| *value as f32).collect(),
            8 => self.elements::<u64>().iter().map(|value| *value as f32).collect(),
            9 => self.elements::<f32>().to_vec(),
            10 => self.elements::<f64>().iter().map(|value| *value as f32).collect(),
            _ => return Err("an input has elements that are no numbers".into()),
        })
    }

    fn elements<T>(&self) -> &[T] {
        let n = self.shape().iter().product::<i64>().max(0) as usize;
        // SAFETY: the host's array of this type and shape, aligned to 64 bytes, which is there through the call.
        if n == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.data.cast(), n) } }
    }
}

/// What a library has to be: one context, which several threads share.
pub(crate) trait Library: Sized + Sync {
    /// Its name and version.
    const NAME: &CStr;
    const VERSION: &CStr;

    /// With what the user gave.
    fn new(arguments: &[String]) -> Result<Self, String>;
    /// Where the inputs are in the file.
    fn inputs(&self) -> Vec<String>;
    /// How input `index` is sliced, by its shape: an entry for each axis.
    fn map(&mut self, index: usize, shape: &[i64]) -> Result<Vec<i32>, String>;
    /// Where the output is, an array of single floats, and its shape.
    fn output(&self) -> (String, Vec<i64>);
    /// Makes the output of a slice.
    fn process(&self, inputs: &[Dataspace], output: &mut [f32]) -> Result<(), String>;
}

/// A context: the library, and the strings that the host was given.
pub(crate) struct Context<L> {
    library: L,
    inputs: Vec<CString>,
    output: CString,
}

thread_local! {
    /// Why the last call of this thread has failed.
    static WHY: RefCell<Option<CString>> = const { RefCell::new(None) };
}

/// Runs a function of the library; its failure is kept for `get_error_code`.
fn guarded(run: impl FnOnce() -> Result<(), String>) -> c_int {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => 0,
        Ok(Err(why)) => {
            WHY.with(|kept| *kept.borrow_mut() = Some(c_text(&why)));
            FAILED
        }
        Err(_) => PANICKED,
    }
}

fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

/// `h5io_library_t`
#[repr(C)]
pub(crate) struct Table {
    struct_size: u32,
    abi: u32,
    threads: i32,
    reserved: i32,
    name: *const c_char,
    version: *const c_char,
    h5io_init: unsafe extern "C" fn(*mut *mut c_void, *const Param, *mut c_int, *mut c_int) -> c_int,
    request_input: unsafe extern "C" fn(*mut c_void, c_int, *mut *const c_char) -> c_int,
    set_input_slice: unsafe extern "C" fn(*mut c_void, c_int, *const Dataspace, *mut c_int) -> c_int,
    request_output: unsafe extern "C" fn(*mut c_void, c_int, *mut *const c_char, *mut Dataspace) -> c_int,
    process: unsafe extern "C" fn(*mut c_void, i64, c_int, *const Dataspace, c_int, *const Dataspace) -> c_int,
    processing_complete: unsafe extern "C" fn(*mut c_void) -> c_int,
    get_error_code: unsafe extern "C" fn(*mut c_void, c_int) -> *const c_char,
    set_padding: Option<unsafe extern "C" fn(*mut c_void, c_int, *mut c_int, *mut c_int) -> c_int>,
    set_block: Option<unsafe extern "C" fn(*mut c_void, *mut c_int) -> c_int>,
}

// SAFETY: its pointers are to constants.
unsafe impl Sync for Table {}

impl Table {
    /// That of a library.
    const fn of<L: Library>() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            abi: ABI,
            threads: ANY,
            reserved: 0,
            name: L::NAME.as_ptr(),
            version: L::VERSION.as_ptr(),
            h5io_init: init::<L>,
            request_input: request_input::<L>,
            set_input_slice: set_input_slice::<L>,
            request_output: request_output::<L>,
            process: process::<L>,
            processing_complete: complete::<L>,
            get_error_code: words,
            set_padding: None,
            set_block: None,
        }
    }
}

unsafe extern "C" fn init<L: Library>(
    context: *mut *mut c_void,
    param: *const Param,
    n_inputs: *mut c_int,
    n_outputs: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: the host's, through the call.
        let param = unsafe { &*param };
        let library = L::new(&param.arguments())?;
        if param.has_output == 0 {
            return Err("say with -o which file the slices go to".into());
        }
        let inputs: Vec<CString> = library.inputs().iter().map(|path| c_text(path)).collect();
        let (n, output) = (inputs.len() as c_int, c_text(&library.output().0));
        let made = Box::into_raw(Box::new(Context { library, inputs, output }));
        // SAFETY: the host's; so are the others.
        unsafe { *context = made.cast() };
        // SAFETY: as above.
        unsafe { *n_inputs = n };
        // SAFETY: as above.
        unsafe { *n_outputs = 1 };
        Ok(())
    })
}

unsafe extern "C" fn request_input<L: Library>(
    context: *mut c_void,
    index: c_int,
    location: *mut *const c_char,
) -> c_int {
    // SAFETY: what `init` made, and nobody changes meanwhile.
    let context = unsafe { &*context.cast::<Context<L>>() };
    let Some(path) = context.inputs.get(index as usize) else { return FAILED };
    // SAFETY: the host's.
    unsafe { *location = path.as_ptr() };
    0
}

unsafe extern "C" fn set_input_slice<L: Library>(
    context: *mut c_void,
    index: c_int,
    space: *const Dataspace,
    map: *mut c_int,
) -> c_int {
    guarded(|| {
        // SAFETY: what `init` made; before the first slice one thread alone has it.
        let context = unsafe { &mut *context.cast::<Context<L>>() };
        // SAFETY: the host's, through the call.
        let shape = unsafe { &*space }.shape();
        // SAFETY: the host's; it has an entry for each axis.
        let places = unsafe { std::slice::from_raw_parts_mut(map, shape.len()) };
        let entries = context.library.map(index as usize, shape)?;
        places.iter_mut().zip(entries).for_each(|(place, entry)| *place = entry);
        Ok(())
    })
}

unsafe extern "C" fn request_output<L: Library>(
    context: *mut c_void,
    _index: c_int,
    location: *mut *const c_char,
    space: *mut Dataspace,
) -> c_int {
    const FLOAT32: i32 = 9;
    // SAFETY: what `init` made, and nobody changes meanwhile.
    let context = unsafe { &*context.cast::<Context<L>>() };
    let shape = context.library.output().1;
    // SAFETY: the host's.
    let space = unsafe { &mut *space };
    (space.kind, space.rank) = (FLOAT32, shape.len() as i32);
    space.shape.iter_mut().zip(shape).for_each(|(place, n)| *place = n);
    // SAFETY: the host's.
    unsafe { *location = context.output.as_ptr() };
    0
}

unsafe extern "C" fn process<L: Library>(
    context: *mut c_void,
    _slice: i64,
    n_inputs: c_int,
    inputs: *const Dataspace,
    _n_outputs: c_int,
    outputs: *const Dataspace,
) -> c_int {
    guarded(|| {
        // SAFETY: what `init` made, which several threads look at and none changes.
        let context = unsafe { &*context.cast::<Context<L>>() };
        // SAFETY: the host's arrays, through the call.
        let inputs = unsafe { std::slice::from_raw_parts(inputs, n_inputs as usize) };
        // SAFETY: as above; there is one output.
        let output = unsafe { &*outputs };
        let n = output.shape().iter().product::<i64>().max(0) as usize;
        // SAFETY: single floats, so many, aligned to 64 bytes, which are this call's alone.
        let output = unsafe { std::slice::from_raw_parts_mut(output.data.cast(), n) };
        context.library.process(inputs, output)
    })
}

unsafe extern "C" fn complete<L: Library>(context: *mut c_void) -> c_int {
    // SAFETY: what `init` made, and nobody uses any more.
    drop(unsafe { Box::from_raw(context.cast::<Context<L>>()) });
    0
}

unsafe extern "C" fn words(_context: *mut c_void, code: c_int) -> *const c_char {
    if code != FAILED {
        return c"a bug in the library: it panicked".as_ptr();
    }
    WHY.with(|kept| kept.borrow().as_ref().map_or(c"no reason given".as_ptr(), |why| why.as_ptr()))
}

static TABLE: Table = Table::of::<crate::Tomo>();

/// The library's table, for hosts that know this ABI.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn h5io_library(host_abi: u32) -> *const Table {
    if host_abi >= ABI { &raw const TABLE } else { std::ptr::null() }
}
