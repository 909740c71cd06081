//! The functions that whole files need: links, attributes, copies, references. A program that hands in a table has none of them; they are
//! found by their names.

use core::ffi::{c_char, c_int, c_uint, c_void};

use crate::{AttributeFn, Hid, LinkFn, LinkInfo};

/// Hands these functions with their signatures to the macro named. Some are of one version of HDF5 only: a function that has a
/// number at its end since 1.12 (`H5Literate2`) has none before. The types are those of this crate.
#[macro_export]
macro_rules! for_each_hdf5_tool {
    ($callback:ident) => {
        $callback! {
            fn H5Literate(
                group: Hid, index: c_int, order: c_int, next: *mut u64, visit: Option<LinkFn>, data: *mut c_void,
            ) -> c_int;
            fn H5Literate2(
                group: Hid, index: c_int, order: c_int, next: *mut u64, visit: Option<LinkFn>, data: *mut c_void,
            ) -> c_int;
            fn H5Lget_info(at: Hid, name: *const c_char, info: *mut LinkInfo, lapl: Hid) -> c_int;
            fn H5Lget_info2(at: Hid, name: *const c_char, info: *mut LinkInfo, lapl: Hid) -> c_int;
            fn H5Lget_val(at: Hid, name: *const c_char, value: *mut c_void, n_bytes: usize, lapl: Hid) -> c_int;
            fn H5Ldelete(at: Hid, name: *const c_char, lapl: Hid) -> c_int;
            fn H5Lcreate_soft(target: *const c_char, at: Hid, name: *const c_char, lcpl: Hid, lapl: Hid) -> c_int;
            fn H5Lcreate_hard(
                from: Hid, from_name: *const c_char, at: Hid, name: *const c_char, lcpl: Hid, lapl: Hid,
            ) -> c_int;
            fn H5Lcreate_external(
                file: *const c_char, target: *const c_char, at: Hid, name: *const c_char, lcpl: Hid, lapl: Hid,
            ) -> c_int;
            fn H5Ocopy(
                from: Hid, from_name: *const c_char, to: Hid, to_name: *const c_char, ocpl: Hid, lcpl: Hid,
            ) -> c_int;
            fn H5Pset_copy_object(ocpl: Hid, flags: c_uint) -> c_int;
            fn H5Aiterate2(
                object: Hid, index: c_int, order: c_int, next: *mut u64, visit: Option<AttributeFn>,
                data: *mut c_void,
            ) -> c_int;
            fn H5Aget_type(attribute: Hid) -> Hid;
            fn H5Aget_storage_size(attribute: Hid) -> u64;
            fn H5Aget_create_plist(attribute: Hid) -> Hid;
            fn H5Premove_filter(dcpl: Hid, filter: c_int) -> c_int;
            // A truth value, which has one byte or four by HDF5's version.
            fn H5Pset_obj_track_times(ocpl: Hid, track: c_uint) -> c_int;
            fn H5Pset_char_encoding(plist: Hid, character_set: c_int) -> c_int;
            fn H5Gget_create_plist(group: Hid) -> Hid;
            fn H5Pget_link_creation_order(gcpl: Hid, flags: *mut c_uint) -> c_int;
            fn H5Pset_link_creation_order(gcpl: Hid, flags: c_uint) -> c_int;
            fn H5Pset_attr_creation_order(ocpl: Hid, flags: c_uint) -> c_int;
            fn H5Pget_attr_creation_order(ocpl: Hid, flags: *mut c_uint) -> c_int;
            fn H5Dget_storage_size(dataset: Hid) -> u64;
            fn H5Sget_simple_extent_type(space: Hid) -> c_int;
            fn H5Sget_simple_extent_npoints(space: Hid) -> i64;
            fn H5Tget_fields(
                kind: Hid, sign: *mut usize, exponent: *mut usize, exponent_bits: *mut usize, mantissa: *mut usize,
                mantissa_bits: *mut usize,
            ) -> c_int;
            fn H5Tget_member_name(kind: Hid, index: c_uint) -> *mut c_char;
            // A `size_t`, which is never so large.
            fn H5Tget_member_offset(kind: Hid, index: c_uint) -> isize;
            fn H5Tget_array_ndims(kind: Hid) -> c_int;
            fn H5Tget_array_dims2(kind: Hid, dims: *mut u64) -> c_int;
            fn H5Tcommitted(kind: Hid) -> c_int;
            fn H5Tequal(one: Hid, other: Hid) -> c_int;
            fn H5free_memory(memory: *mut c_void) -> c_int;
            fn H5Zfilter_avail(filter: c_int) -> c_int;
            // Places on the search path for plugins.
            fn H5PLsize(n_folders: *mut c_uint) -> c_int;
            fn H5PLget(index: c_uint, folder: *mut c_char, n_bytes: usize) -> isize;
            fn H5PLget_loading_state(flags: *mut c_uint) -> c_int;
            // Since HDF5 1.10.7. The truth values have one byte or four by its version.
            fn H5Pset_file_locking(fapl: Hid, locks: c_uint, ignores_failure: c_uint) -> c_int;
            // Since HDF5 1.10.
            fn H5Pset_metadata_read_attempts(fapl: Hid, n: c_uint) -> c_int;
            fn H5Dvlen_reclaim(kind: Hid, space: Hid, dxpl: Hid, data: *mut c_void) -> c_int;
            // Since HDF5 1.12; one without the deprecated functions has only this one.
            fn H5Treclaim(kind: Hid, space: Hid, dxpl: Hid, data: *mut c_void) -> c_int;
            fn H5Tget_strpad(kind: Hid) -> c_int;
            fn H5Tget_cset(kind: Hid) -> c_int;
            fn H5Rcreate(
                reference: *mut c_void, at: Hid, name: *const c_char, kind: c_int, space: Hid,
            ) -> c_int;
            fn H5Rdereference2(object: Hid, oapl: Hid, kind: c_int, reference: *const c_void) -> Hid;
            fn H5Rget_region(object: Hid, kind: c_int, reference: *const c_void) -> Hid;
        }
    };
}

macro_rules! declare {
    ($(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)*) => {
        /// The types of these functions, each by the function's name.
        #[allow(non_camel_case_types, reason = "they are HDF5's names")]
        pub mod tool_signature {
            use super::*;

            $(#[doc = concat!("`", stringify!($name), "`")]
            pub type $name = unsafe extern "C" fn($($arg: $type),*) -> $result;)*
        }
    };
}

for_each_hdf5_tool!(declare);
