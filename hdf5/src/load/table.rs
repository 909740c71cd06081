//! The table, filled by names.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::NonNull;

use darkchunk_hdf5_abi::{
    Hid, for_each_hdf5_function, for_each_hdf5_tool, for_each_hdf5_variable, signature, tool_signature,
};

use super::lock;
use crate::api::Ids;
use crate::tools::Tools;
use crate::{Api, Error, Result};

/// The first version whose main library has `H5Dwrite_chunk`. Before 1.10 identifiers had 32 bits.
const OLDEST: (u32, u32, u32) = (1, 10, 3);

/// What finds a function or variable by its name.
type LookUp<'a> = &'a dyn Fn(&str) -> Option<NonNull<c_void>>;

macro_rules! function {
    ($look_up:expr, $name:ident) => {
        $look_up(stringify!($name)).map(|address| {
            // SAFETY: the function of this name has this type since HDF5 1.10. `H5get_libversion`, which alone is called of an
            // older one, always had it.
            unsafe { std::mem::transmute::<*mut c_void, signature::$name>(address.as_ptr()) }
        })
    };
}

/// Fills the table of the HDF5 in which `look_up` finds functions and variables by their names, initialises it, and gives it
/// the lock that all tables from here share. `in_program` looks in the main program: one that names a variable of HDF5
/// holds it itself, and the library's own place for it stays unset.
///
/// # Errors
/// [`Error::MissingFunction`]; [`Error::Unsupported`] for HDF5 before 1.10.3.
///
/// # Safety
/// What is found is HDF5's, of one library, which stays loaded until the process ends, also if it is refused: HDF5 has itself
/// called then.
pub unsafe fn table(look_up: LookUp<'_>, in_program: LookUp<'_>) -> Result<Api> {
    let _held = lock::hold();
    check_version(look_up)?;
    let api = Api { enter: Some(lock::enter), leave: Some(lock::leave), ..functions(look_up) };
    let open = api.functions()?.H5open;
    // SAFETY: may be called at any time, any number of times; gives the variables below their values.
    let status = unsafe { open() };
    if status < 0 {
        return Err(Error::Hdf5 { call: "H5open", message: "HDF5 cannot be initialised".to_owned() });
    }
    Ok(Api { ids: ids(look_up, in_program)?, ..api })
}

fn check_version(look_up: LookUp<'_>) -> Result<()> {
    let version = function!(look_up, H5get_libversion).ok_or(Error::MissingFunction { name: "H5get_libversion" })?;
    let (mut major, mut minor, mut release) = (0, 0, 0);
    // SAFETY: three places for three numbers; the function has this type in every HDF5.
    let status = unsafe { version(&raw mut major, &raw mut minor, &raw mut release) };
    if status < 0 || (major, minor, release) < OLDEST {
        return Err(Error::Unsupported(format!("this is HDF5 {major}.{minor}.{release}, 1.10.3 or later is needed")));
    }
    Ok(())
}

macro_rules! fill {
    (required { $(fn $name:ident($($arguments:tt)*) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arguments:tt)*) -> $extra_result:ty;)* }
     others { $($other:tt)* }) => {
        fn functions(look_up: LookUp<'_>) -> Api {
            Api {
                $($name: function!(look_up, $name),)*
                $($extra: function!(look_up, $extra),)*
                ..Api::EMPTY
            }
        }
    };
}

for_each_hdf5_function!(fill);

macro_rules! read {
    ($($field:ident = $variable:ident as $name:literal;)*) => {
        fn ids(look_up: LookUp<'_>, in_program: LookUp<'_>) -> Result<Ids> {
            Ok(Ids {
                $($field: identifier(stringify!($variable), look_up, in_program)?,)*
            })
        }
    };
}

for_each_hdf5_variable!(read);

fn identifier(name: &'static str, look_up: LookUp<'_>, in_program: LookUp<'_>) -> Result<Hid> {
    let read = |address: NonNull<c_void>| {
        // SAFETY: the variable of this name is a `hid_t`, aligned as one, which `H5open` has set.
        unsafe { address.cast::<Hid>().read() }
    };
    let is_set = |id: &Hid| *id > 0;
    let found = look_up(name).map(read).filter(is_set).or_else(|| in_program(name).map(read).filter(is_set));
    found.ok_or(Error::MissingFunction { name })
}

macro_rules! fill_tools {
    ($(fn $name:ident($($arguments:tt)*) -> $result:ty;)*) => {
        /// What there is of the functions for whole files.
        ///
        /// # Safety
        /// As for [`table`], which was called before.
        pub(super) unsafe fn tools(look_up: LookUp<'_>, in_program: LookUp<'_>) -> Tools {
            Tools {
                $($name: look_up(stringify!($name)).map(|address| {
                    // SAFETY: the function of this name has this type in every HDF5 that has it, since 1.10.
                    unsafe { std::mem::transmute::<*mut c_void, tool_signature::$name>(address.as_ptr()) }
                }),)*
                object_copy: identifier("H5P_CLS_OBJECT_COPY_ID_g", look_up, in_program).unwrap_or(0),
            }
        }
    };
}

for_each_hdf5_tool!(fill_tools);
