//! The functions, and the variables that hold identifiers.

use core::ffi::{c_char, c_int, c_uint, c_void};

use crate::{ChunkFn, Hid, ObjectInfo, PrintFn, PrintFn1, WalkFn};

/// Hands HDF5's functions with their signatures to the macro named: `required { fn …; } optional { fn …; } others { fn …; }`.
///
/// `required` and `optional` are the table that a program hands in, in its order, which is C's (`dc_hdf5` in `darkchunk.h`)
/// and only ever grows at its end; `others` are those that a plugin asks of the HDF5 that is calling it. The types are those
/// of `core::ffi` and of this crate, which the place of use must have imported.
#[macro_export]
macro_rules! for_each_hdf5_function {
    ($callback:ident) => {
        $callback! {
            required {
                fn H5open() -> c_int;
                fn H5get_libversion(major: *mut c_uint, minor: *mut c_uint, release: *mut c_uint) -> c_int;
                fn H5Eget_auto2(stack: Hid, print: *mut Option<PrintFn>, data: *mut *mut c_void) -> c_int;
                fn H5Eset_auto2(stack: Hid, print: Option<PrintFn>, data: *mut c_void) -> c_int;
                fn H5Eclear2(stack: Hid) -> c_int;
                fn H5Ewalk2(stack: Hid, direction: c_int, visit: Option<WalkFn>, data: *mut c_void) -> c_int;
                fn H5Iget_type(id: Hid) -> c_int;
                fn H5Iget_file_id(id: Hid) -> Hid;
                fn H5Idec_ref(id: Hid) -> c_int;
                fn H5Fcreate(name: *const c_char, flags: c_uint, fcpl: Hid, fapl: Hid) -> Hid;
                fn H5Fopen(name: *const c_char, flags: c_uint, fapl: Hid) -> Hid;
                fn H5Fflush(id: Hid, scope: c_int) -> c_int;
                fn H5Fget_intent(file: Hid, intent: *mut c_uint) -> c_int;
                fn H5Gcreate2(at: Hid, name: *const c_char, lcpl: Hid, gcpl: Hid, gapl: Hid) -> Hid;
                fn H5Oopen(at: Hid, name: *const c_char, lapl: Hid) -> Hid;
                fn H5Olink(object: Hid, at: Hid, name: *const c_char, lcpl: Hid, lapl: Hid) -> c_int;
                fn H5Lexists(at: Hid, name: *const c_char, lapl: Hid) -> c_int;
                fn H5Dcreate2(
                    at: Hid, name: *const c_char, kind: Hid, space: Hid, lcpl: Hid, dcpl: Hid, dapl: Hid,
                ) -> Hid;
                fn H5Dcreate_anon(at: Hid, kind: Hid, space: Hid, dcpl: Hid, dapl: Hid) -> Hid;
                fn H5Dget_space(dataset: Hid) -> Hid;
                fn H5Dget_type(dataset: Hid) -> Hid;
                fn H5Dget_create_plist(dataset: Hid) -> Hid;
                fn H5Dset_extent(dataset: Hid, dims: *const u64) -> c_int;
                fn H5Dread(
                    dataset: Hid, kind: Hid, memory: Hid, file: Hid, dxpl: Hid, data: *mut c_void,
                ) -> c_int;
                fn H5Dwrite(
                    dataset: Hid, kind: Hid, memory: Hid, file: Hid, dxpl: Hid, data: *const c_void,
                ) -> c_int;
                fn H5Dwrite_chunk(
                    dataset: Hid, dxpl: Hid, mask: u32, offset: *const u64, n_bytes: usize, data: *const c_void,
                ) -> c_int;
                fn H5Dget_chunk_storage_size(dataset: Hid, offset: *const u64, n_bytes: *mut u64) -> c_int;
                fn H5Screate(class: c_int) -> Hid;
                fn H5Screate_simple(rank: c_int, dims: *const u64, max_dims: *const u64) -> Hid;
                fn H5Sget_simple_extent_ndims(space: Hid) -> c_int;
                fn H5Sget_simple_extent_dims(space: Hid, dims: *mut u64, max_dims: *mut u64) -> c_int;
                fn H5Pcreate(class: Hid) -> Hid;
                fn H5Pset_libver_bounds(fapl: Hid, low: c_int, high: c_int) -> c_int;
                fn H5Pset_create_intermediate_group(lcpl: Hid, create: c_uint) -> c_int;
                fn H5Pget_layout(dcpl: Hid) -> c_int;
                fn H5Pset_chunk(dcpl: Hid, rank: c_int, dims: *const u64) -> c_int;
                fn H5Pget_chunk(dcpl: Hid, max_rank: c_int, dims: *mut u64) -> c_int;
                fn H5Pget_chunk_opts(dcpl: Hid, options: *mut c_uint) -> c_int;
                fn H5Pset_filter(
                    dcpl: Hid, filter: c_int, flags: c_uint, n_values: usize, values: *const c_uint,
                ) -> c_int;
                fn H5Pget_nfilters(dcpl: Hid) -> c_int;
                fn H5Pget_filter2(
                    dcpl: Hid, index: c_uint, flags: *mut c_uint, n_values: *mut usize, values: *mut c_uint,
                    name_bytes: usize, name: *mut c_char, config: *mut c_uint,
                ) -> c_int;
                fn H5Tcopy(kind: Hid) -> Hid;
                fn H5Tset_size(kind: Hid, n_bytes: usize) -> c_int;
                fn H5Tset_cset(kind: Hid, character_set: c_int) -> c_int;
                fn H5Tget_class(kind: Hid) -> c_int;
                fn H5Tget_size(kind: Hid) -> usize;
                fn H5Tget_sign(kind: Hid) -> c_int;
                fn H5Tget_order(kind: Hid) -> c_int;
                fn H5Aexists(object: Hid, name: *const c_char) -> c_int;
                fn H5Acreate2(
                    object: Hid, name: *const c_char, kind: Hid, space: Hid, acpl: Hid, aapl: Hid,
                ) -> Hid;
                fn H5Aopen(object: Hid, name: *const c_char, aapl: Hid) -> Hid;
                fn H5Aget_space(attribute: Hid) -> Hid;
                fn H5Aread(attribute: Hid, kind: Hid, data: *mut c_void) -> c_int;
                fn H5Awrite(attribute: Hid, kind: Hid, data: *const c_void) -> c_int;
                fn H5Adelete(object: Hid, name: *const c_char) -> c_int;
            }
            optional {
                fn H5Dread_chunk(
                    dataset: Hid, dxpl: Hid, offset: *const u64, mask: *mut u32, data: *mut c_void,
                ) -> c_int;
                fn H5Dread_chunk2(
                    dataset: Hid, dxpl: Hid, offset: *const u64, mask: *mut u32, data: *mut c_void,
                    n_bytes: *mut usize,
                ) -> c_int;
                fn H5Pmodify_filter(
                    dcpl: Hid, filter: c_int, flags: c_uint, n_values: usize, values: *const c_uint,
                ) -> c_int;
                fn H5Tdetect_class(kind: Hid, class: c_int) -> c_int;
                fn H5Tget_precision(kind: Hid) -> usize;
                fn H5Tget_super(kind: Hid) -> Hid;
                fn H5Tis_variable_str(kind: Hid) -> c_int;
                fn H5Tget_nmembers(kind: Hid) -> c_int;
                fn H5Tget_member_type(kind: Hid, index: c_uint) -> Hid;
                fn H5Fget_create_plist(file: Hid) -> Hid;
                fn H5Pget_sizes(fcpl: Hid, address_bytes: *mut usize, length_bytes: *mut usize) -> c_int;
                fn H5Pset_chunk_opts(dcpl: Hid, options: c_uint) -> c_int;
                fn H5Pset_alloc_time(dcpl: Hid, time: c_int) -> c_int;
                fn H5Pset_fill_time(dcpl: Hid, time: c_int) -> c_int;
                // `H5O_info1_t` before HDF5 1.12, `H5O_info2_t` since: both begin with the file's number and the object's
                // address (`ObjectInfo`).
                fn H5Oget_info2(object: Hid, info: *mut ObjectInfo, fields: c_uint) -> c_int;
                fn H5Oget_info3(object: Hid, info: *mut ObjectInfo, fields: c_uint) -> c_int;
                // Only where HDF5 is built for MPI. A truth value, of one byte or four by its version.
                fn H5Fget_mpi_atomicity(file: Hid, is_atomic: *mut c_uint) -> c_int;
                fn H5Pfill_value_defined(dcpl: Hid, status: *mut c_int) -> c_int;
                fn H5Pget_fill_value(dcpl: Hid, kind: Hid, value: *mut c_void) -> c_int;
                fn H5Pget_fill_time(dcpl: Hid, time: *mut c_int) -> c_int;
                fn H5Pget_external_count(dcpl: Hid) -> c_int;
                fn H5Pget_userblock(fcpl: Hid, n_bytes: *mut u64) -> c_int;
                fn H5Pget_driver(fapl: Hid) -> Hid;
                fn H5Pset_fapl_sec2(fapl: Hid) -> c_int;
                fn H5Fget_access_plist(file: Hid) -> Hid;
                fn H5Fget_vfd_handle(file: Hid, fapl: Hid, handle: *mut *mut c_void) -> c_int;
                fn H5Fget_name(object: Hid, name: *mut c_char, n_bytes: usize) -> isize;
                fn H5Sselect_hyperslab(
                    space: Hid, operation: c_int, start: *const u64, stride: *const u64, count: *const u64,
                    block: *const u64,
                ) -> c_int;
                fn H5Dget_offset(dataset: Hid) -> u64;
                fn H5Drefresh(dataset: Hid) -> c_int;
                // Since HDF5 1.10.5.
                fn H5Dget_num_chunks(dataset: Hid, space: Hid, n_chunks: *mut u64) -> c_int;
                fn H5Dget_chunk_info(
                    dataset: Hid, space: Hid, index: u64, offset: *mut u64, mask: *mut c_uint, address: *mut u64,
                    n_bytes: *mut u64,
                ) -> c_int;
                fn H5Dget_chunk_index_type(dataset: Hid, index: *mut c_int) -> c_int;
                // Since HDF5 1.12.3 and 1.14.0.
                fn H5Dchunk_iter(dataset: Hid, dxpl: Hid, visit: Option<ChunkFn>, data: *mut c_void) -> c_int;
                // Since HDF5 1.10.5.
                fn H5Dget_chunk_info_by_coord(
                    dataset: Hid, offset: *const u64, mask: *mut c_uint, address: *mut u64, n_bytes: *mut u64,
                ) -> c_int;
                fn H5Pget_virtual_count(dcpl: Hid, n_mappings: *mut usize) -> c_int;
                fn H5Pget_virtual_vspace(dcpl: Hid, index: usize) -> Hid;
                fn H5Pget_virtual_srcspace(dcpl: Hid, index: usize) -> Hid;
                fn H5Pget_virtual_filename(dcpl: Hid, index: usize, name: *mut c_char, n_bytes: usize) -> isize;
                fn H5Pget_virtual_dsetname(dcpl: Hid, index: usize, name: *mut c_char, n_bytes: usize) -> isize;
                fn H5Pget_virtual_prefix(dapl: Hid, prefix: *mut c_char, n_bytes: usize) -> isize;
                fn H5Dget_access_plist(dataset: Hid) -> Hid;
                fn H5Sget_select_type(space: Hid) -> c_int;
                fn H5Sis_regular_hyperslab(space: Hid) -> c_int;
                fn H5Sget_regular_hyperslab(
                    space: Hid, start: *mut u64, stride: *mut u64, count: *mut u64, block: *mut u64,
                ) -> c_int;
                fn H5Tequal(one: Hid, other: Hid) -> c_int;
                fn H5Pset_fill_value(dcpl: Hid, kind: Hid, value: *const c_void) -> c_int;
                fn H5Fget_filesize(file: Hid, n_bytes: *mut u64) -> c_int;
                fn H5Iget_name(object: Hid, name: *mut c_char, n_bytes: usize) -> isize;
                fn H5Fstart_swmr_write(file: Hid) -> c_int;
                fn H5Pset_virtual(
                    dcpl: Hid, space: Hid, file: *const c_char, dataset: *const c_char, source_space: Hid,
                ) -> c_int;
                fn H5Fget_obj_ids(file: Hid, kinds: c_uint, room: usize, ids: *mut Hid) -> isize;
            }
            others {
                fn H5allocate_memory(n_bytes: usize, zeroed: bool) -> *mut c_void;
                fn H5free_memory(memory: *mut c_void) -> c_int;
                fn H5Eauto_is_v2(stack: Hid, is_v2: *mut c_uint) -> c_int;
                fn H5Eget_auto1(print: *mut Option<PrintFn1>, data: *mut *mut c_void) -> c_int;
                fn H5Eset_auto1(print: Option<PrintFn1>, data: *mut c_void) -> c_int;
                fn H5Eis_paused(stack: Hid, is_paused: *mut bool) -> c_int;
                fn H5Ecreate_stack() -> Hid;
                fn H5Eset_current_stack(stack: Hid) -> c_int;
                fn H5Iis_valid(id: Hid) -> c_int;
                fn H5Dopen2(at: Hid, name: *const c_char, dapl: Hid) -> Hid;
                fn H5Dclose(dataset: Hid) -> c_int;
                fn H5Pclose(list: Hid) -> c_int;
                fn H5Pget_filter_by_id2(
                    dcpl: Hid, filter: c_int, flags: *mut c_uint, n_values: *mut usize, values: *mut c_uint,
                    name_bytes: usize, name: *mut c_char, config: *mut c_uint,
                ) -> c_int;
                fn H5Tclose(kind: Hid) -> c_int;
                fn H5Tcommitted(kind: Hid) -> c_int;
                fn H5Tget_fields(
                    kind: Hid, sign: *mut usize, exponent: *mut usize, exponent_bits: *mut usize, mantissa: *mut usize,
                    mantissa_bits: *mut usize,
                ) -> c_int;
                // A truth value, which has one byte or four by HDF5's version: room for any, set to 0 before.
                fn H5VLobject_is_native(object: Hid, is_native: *mut u64) -> c_int;
            }
        }
    };
}

/// Hands the variables in which HDF5 keeps identifiers to the macro named: `field = variable as "name in hdf5.h";`, in the
/// order of the table that a program hands in. They have values once `H5open` has run.
#[macro_export]
macro_rules! for_each_hdf5_variable {
    ($callback:ident) => {
        $callback! {
            native_int8 = H5T_NATIVE_INT8_g as "H5T_NATIVE_INT8";
            native_uint8 = H5T_NATIVE_UINT8_g as "H5T_NATIVE_UINT8";
            native_int16 = H5T_NATIVE_INT16_g as "H5T_NATIVE_INT16";
            native_uint16 = H5T_NATIVE_UINT16_g as "H5T_NATIVE_UINT16";
            native_int32 = H5T_NATIVE_INT32_g as "H5T_NATIVE_INT32";
            native_uint32 = H5T_NATIVE_UINT32_g as "H5T_NATIVE_UINT32";
            native_int64 = H5T_NATIVE_INT64_g as "H5T_NATIVE_INT64";
            native_uint64 = H5T_NATIVE_UINT64_g as "H5T_NATIVE_UINT64";
            native_float = H5T_NATIVE_FLOAT_g as "H5T_NATIVE_FLOAT";
            native_double = H5T_NATIVE_DOUBLE_g as "H5T_NATIVE_DOUBLE";
            c_s1 = H5T_C_S1_g as "H5T_C_S1";
            file_access = H5P_CLS_FILE_ACCESS_ID_g as "H5P_FILE_ACCESS";
            dataset_create = H5P_CLS_DATASET_CREATE_ID_g as "H5P_DATASET_CREATE";
            link_create = H5P_CLS_LINK_CREATE_ID_g as "H5P_LINK_CREATE";
        }
    };
}

macro_rules! declare {
    (required { $(fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arg:ident: $extra_type:ty),* $(,)?) -> $extra_result:ty;)* }
     others { $(fn $other:ident($($other_arg:ident: $other_type:ty),* $(,)?) -> $other_result:ty;)* }) => {
        /// The types of the functions, each by the function's name.
        #[allow(non_camel_case_types, reason = "they are HDF5's names")]
        pub mod signature {
            use super::*;

            $(#[doc = concat!("`", stringify!($name), "`")]
            pub type $name = unsafe extern "C" fn($($arg: $type),*) -> $result;)*
            $(#[doc = concat!("`", stringify!($extra), "`")]
            pub type $extra = unsafe extern "C" fn($($extra_arg: $extra_type),*) -> $extra_result;)*
            $(#[doc = concat!("`", stringify!($other), "`")]
            pub type $other = unsafe extern "C" fn($($other_arg: $other_type),*) -> $other_result;)*
        }

        /// The names of the functions of the table, in its order.
        pub const TABLE: &[&str] = &[$(stringify!($name),)* $(stringify!($extra),)*];
    };
}

for_each_hdf5_function!(declare);
