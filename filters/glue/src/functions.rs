//! Tables of HDF5's functions, filled by name from one library.

#![allow(unsafe_code)]

/// Declares a table of functions with the signatures of `darkchunk_hdf5_abi`, and how it is filled from a module. Those after
/// `optional` are not in every library.
macro_rules! functions {
    ($(#[$attribute:meta])* $visibility:vis struct $table:ident {
        $($name:ident,)*
        $(; optional: $($(#[$extra_attribute:meta])* $extra:ident,)*)?
    }) => {
        $(#[$attribute])*
        #[allow(non_snake_case, reason = "they are HDF5's names")]
        $visibility struct $table {
            $(pub(crate) $name: ::darkchunk_hdf5_abi::signature::$name,)*
            $($($(#[$extra_attribute])* pub(crate) $extra: Option<::darkchunk_hdf5_abi::signature::$extra>,)*)?
        }

        impl $table {
            /// `None` where a function is missing.
            pub(crate) fn of(module: &$crate::caller::Module) -> Option<Self> {
                Some(Self {
                    $($name: $crate::functions::function!(module, $name)?,)*
                    $($($extra: $crate::functions::function!(module, $extra),)*)?
                })
            }
        }
    };
}

/// The function of this name, where a module has it.
macro_rules! function {
    ($module:expr, $name:ident) => {{
        const NAME: &core::ffi::CStr = $crate::functions::c_str(concat!(stringify!($name), "\0").as_bytes());
        $crate::caller::Module::symbol($module, NAME).map(|address| {
            // SAFETY: the function of this name has had this type since HDF5 1.10. Of an older one those alone are called that
            // had it before: `H5get_libversion`, and on Windows the two that allocate and free memory.
            unsafe {
                core::mem::transmute::<*mut core::ffi::c_void, ::darkchunk_hdf5_abi::signature::$name>(address.as_ptr())
            }
        })
    }};
}

pub(crate) use {function, functions};

/// The string that `bytes` are, the NUL at the end included.
pub(crate) const fn c_str(bytes: &'static [u8]) -> &'static core::ffi::CStr {
    match core::ffi::CStr::from_bytes_with_nul(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a name has one NUL, at its end"),
    }
}
