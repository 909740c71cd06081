//! HDF5's functions that the command and the filters look for by name: kept in the program, though nothing here calls them.

use darkchunk_hdf5_abi::{for_each_hdf5_function, for_each_hdf5_tool};

/// Nothing but an address.
type Function = unsafe extern "C" fn();

/// A function, but for those of other versions and of an HDF5 for MPI, which are not in this library.
macro_rules! linked {
    (H5Dread_chunk) => {
        None
    };
    (H5Dvlen_reclaim) => {
        None
    };
    (H5Eget_auto1) => {
        None
    };
    (H5Eset_auto1) => {
        None
    };
    (H5Fget_mpi_atomicity) => {
        None
    };
    (H5Lget_info) => {
        None
    };
    (H5Literate) => {
        None
    };
    (H5Oget_info2) => {
        None
    };
    ($name:ident) => {
        Some($name)
    };
}

macro_rules! keep {
    ($($name:ident)*) => {
        #[allow(dead_code, reason = "some are not in this library")]
        unsafe extern "C" {
            $(fn $name();)*
        }

        #[used]
        static KEPT: [Option<Function>; [$(stringify!($name)),*].len()] = [$(linked!($name)),*];
    };
}

macro_rules! keep_table {
    (required { $(fn $name:ident($($arguments:tt)*) -> $result:ty;)* }
     optional { $(fn $extra:ident($($extra_arguments:tt)*) -> $extra_result:ty;)* }
     others { $(fn $other:ident($($other_arguments:tt)*) -> $other_result:ty;)* }) => {
        keep!($($name)* $($extra)* $($other)*);
    };
}

macro_rules! keep_tools {
    ($(fn $name:ident($($arguments:tt)*) -> $result:ty;)*) => {
        keep!($($name)*);
    };
}

mod table {
    use super::*;

    for_each_hdf5_function!(keep_table);
}

mod tools {
    use super::*;

    for_each_hdf5_tool!(keep_tools);
}
