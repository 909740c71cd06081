//! One HDF5 library, and how it is called.
//!
//! Every call goes through a [`Session`]: it holds the giver's lock, keeps HDF5 from printing to the program's
//! standard error, and turns a negative result into an [`Error::Hdf5`] with the text of HDF5's error stack.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::sync::Arc;

use super::api::{Api, ErrorEntry, Functions, Hid, Ids, PrintFn};
use super::tools::Tools;
use crate::{Error, Result};

/// `H5E_DEFAULT`, `H5P_DEFAULT` and `H5S_ALL`: HDF5's zero.
pub(super) const DEFAULT: Hid = 0;

/// An HDF5 library that was handed in. Clones are the same library.
#[derive(Debug, Clone)]
pub struct Library(Arc<Table>);

#[derive(Debug)]
struct Table {
    functions: Functions,
    tools: Tools,
    ids: Ids,
    enter: Option<unsafe extern "C" fn()>,
    leave: Option<unsafe extern "C" fn()>,
}

/// Calls one HDF5 function of a [`Library`] or [`Session`] by its name.
macro_rules! h5 {
    ($library:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        $library.call(stringify!($name), |functions| {
            // SAFETY: `Library::new` was promised HDF5's own functions; every pointer handed to one of them here
            // belongs to a buffer or string that lives through the call and has the size that HDF5 documents.
            #[allow(unsafe_code)]
            let result = unsafe { (functions.$name)($($argument),*) };
            result
        })
    }};
}
pub(super) use h5;

/// Calls a function that the table need not have; without it an error names it.
macro_rules! h5_optional {
    ($library:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        let library = $library;
        let name = stringify!($name);
        let function = library.functions().$name.ok_or($crate::Error::MissingFunction { name })?;
        library.call(name, |_| {
            // SAFETY: as for `h5!`.
            #[allow(unsafe_code)]
            let result = unsafe { function($($argument),*) };
            result
        })
    }};
}
pub(super) use h5_optional;

/// Calls a function that only an HDF5 found by its names has; without it an error names it.
macro_rules! h5_tool {
    ($library:expr, $name:ident($($argument:expr),* $(,)?)) => {{
        let library = $library;
        let name = stringify!($name);
        let function = library.tools().$name.ok_or($crate::Error::MissingFunction { name })?;
        library.call(name, |_| {
            // SAFETY: as for `h5!`.
            #[allow(unsafe_code)]
            let result = unsafe { function($($argument),*) };
            result
        })
    }};
}
pub(super) use h5_tool;

impl Library {
    /// Takes a table of functions.
    ///
    /// # Errors
    /// [`Error::MissingFunction`].
    ///
    /// # Safety
    /// Every function and identifier in `api` is the one of its name, from one HDF5 library (1.10.3 or later), and that
    /// library stays loaded while anything made from this value lives. Where the library is not thread-safe, `enter`
    /// and `leave` guard it, or everything made from this value, and HDF5 itself, is used by one thread at a time.
    pub unsafe fn new(api: &Api) -> Result<Self> {
        // SAFETY: the caller's promise.
        unsafe { Self::with_tools(api, Tools::default()) }
    }

    /// The same with functions for whole files.
    ///
    /// # Errors
    /// [`Error::MissingFunction`].
    ///
    /// # Safety
    /// As [`new`](Self::new); `tools` are of the same library.
    pub(super) unsafe fn with_tools(api: &Api, tools: Tools) -> Result<Self> {
        let functions = api.functions()?;
        let library = Self(Arc::new(Table { functions, tools, ids: api.ids, enter: api.enter, leave: api.leave }));
        h5!(&library, H5open())?;
        Ok(library)
    }

    pub(super) fn functions(&self) -> &Functions {
        &self.0.functions
    }

    pub(super) fn tools(&self) -> &Tools {
        &self.0.tools
    }

    /// Whether several threads may use it: it has a lock.
    #[must_use]
    pub fn has_lock(&self) -> bool {
        self.0.enter.is_some()
    }

    pub(super) fn ids(&self) -> &Ids {
        &self.0.ids
    }

    /// The library's version.
    ///
    /// # Errors
    /// [`Error::Hdf5`].
    pub fn version(&self) -> Result<(u32, u32, u32)> {
        let (mut major, mut minor, mut release) = (0, 0, 0);
        h5!(self, H5get_libversion(&raw mut major, &raw mut minor, &raw mut release))?;
        Ok((major, minor, release))
    }

    /// Runs `call`, the call of the HDF5 function `name`.
    pub(super) fn call<R: Outcome>(&self, name: &'static str, call: impl FnOnce(&Functions) -> R) -> Result<R> {
        self.session().call(name, call)
    }

    /// Begins several calls in a row.
    pub(super) fn session(&self) -> Session<'_> {
        Session::new(&self.0)
    }
}

/// A result of an HDF5 function: negative means failure.
pub(super) trait Outcome: Copy {
    fn is_failure(self) -> bool;
}

impl Outcome for i32 {
    fn is_failure(self) -> bool {
        self < 0
    }
}

impl Outcome for i64 {
    fn is_failure(self) -> bool {
        self < 0
    }
}

impl Outcome for isize {
    fn is_failure(self) -> bool {
        self < 0
    }
}

/// An address; that there is none is for the caller to see.
impl Outcome for u64 {
    fn is_failure(self) -> bool {
        false
    }
}

impl Outcome for usize {
    fn is_failure(self) -> bool {
        self == 0
    }
}

impl Outcome for *mut std::ffi::c_char {
    fn is_failure(self) -> bool {
        self.is_null()
    }
}

/// The time in which HDF5 is ours: locked, and silent.
pub(super) struct Session<'a> {
    table: &'a Table,
    print: Option<PrintFn>,
    data: *mut c_void,
}

impl<'a> Session<'a> {
    fn new(table: &'a Table) -> Self {
        if let Some(enter) = table.enter {
            // SAFETY: the giver's own lock, promised at `Library::new`.
            unsafe { enter() };
        }
        let mut session = Self { table, print: None, data: std::ptr::null_mut() };
        // SAFETY: both pointers are to fields that live through the call.
        unsafe { (table.functions.H5Eget_auto2)(DEFAULT, &raw mut session.print, &raw mut session.data) };
        // SAFETY: no function means that nothing is printed.
        unsafe { (table.functions.H5Eset_auto2)(DEFAULT, None, std::ptr::null_mut()) };
        session
    }

    pub(super) fn functions(&self) -> &'a Functions {
        &self.table.functions
    }

    /// Runs `call`, the call of the HDF5 function `name`.
    pub(super) fn call<R: Outcome>(&self, name: &'static str, call: impl FnOnce(&Functions) -> R) -> Result<R> {
        let result = call(&self.table.functions);
        if !result.is_failure() {
            return Ok(result);
        }
        Err(Error::Hdf5 { call: name, message: self.error_text() })
    }

    /// What HDF5 says: the failing call, and in parentheses the cause at the bottom of the stack, or what the system said.
    fn error_text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        let (downward, data) = (1, (&raw mut lines).cast());
        // SAFETY: `collect` has the type that HDF5 calls and is handed the `Vec` it expects.
        unsafe { (self.table.functions.H5Ewalk2)(DEFAULT, downward, Some(collect), data) };
        let mut text = lines.first().cloned().unwrap_or_else(|| "HDF5 gives no reason".to_owned());
        let system = lines.iter().rev().find(|line| line.contains("errno = "));
        if let Some(cause) = system.or(lines.last()).filter(|_| lines.len() > 1) {
            let _ = write!(text, " ({cause})");
        }
        text
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // SAFETY: empties the thread's stack, also of what HDF5 notes where it succeeds (a plugin that was not found): 1.10 cannot
        // end in peace when a thread has ended and left something there.
        unsafe { (self.table.functions.H5Eclear2)(DEFAULT) };
        // SAFETY: puts back what `H5Eget_auto2` gave.
        unsafe { (self.table.functions.H5Eset_auto2)(DEFAULT, self.print, self.data) };
        if let Some(leave) = self.table.leave {
            // SAFETY: the partner of `enter`, which has been called.
            unsafe { leave() };
        }
    }
}

/// Takes one entry of the error stack; `H5Ewalk2` calls it.
unsafe extern "C" fn collect(_position: c_uint, entry: *const ErrorEntry, lines: *mut c_void) -> c_int {
    // SAFETY: HDF5 hands in an entry that lives through this call.
    let description = unsafe { (*entry).description };
    // SAFETY: `error_text` handed in its `Vec`, and nothing else uses it meanwhile.
    let lines = unsafe { &mut *lines.cast::<Vec<String>>() };
    if !description.is_null() {
        // SAFETY: HDF5's descriptions are C strings.
        let text = unsafe { CStr::from_ptr(description) };
        // HDF5 puts times in as `ctime` gives them, with the end of the line.
        lines.push(text.to_string_lossy().replace('\n', ""));
    }
    0
}
