//! Numbers of HDF5's interface, by its own names.

use core::ffi::{c_int, c_uint};

use crate::Hid;

/// The default property list.
pub const H5P_DEFAULT: Hid = 0;
/// The whole dataspace.
pub const H5S_ALL: Hid = 0;
/// The calling thread's error stack.
pub const H5E_DEFAULT: Hid = 0;
/// An error stack from the function that was called to the innermost cause.
pub const H5E_WALK_DOWNWARD: c_int = 1;

/// A file that is replaced where it is there.
pub const H5F_ACC_TRUNC: c_uint = 2;
/// A file that is read only.
pub const H5F_ACC_RDONLY: c_uint = 0;
/// A file that is written to.
pub const H5F_ACC_RDWR: c_uint = 1;
/// A file that is written while others read it.
pub const H5F_ACC_SWMR_WRITE: c_uint = 0x20;
/// Reads what a SWMR writer writes.
pub const H5F_ACC_SWMR_READ: c_uint = 0x40;
/// `H5F_SCOPE_LOCAL`: flush this file, not those that are mounted on it.
pub const H5F_SCOPE_LOCAL: c_int = 0;
/// The oldest file format.
pub const H5F_LIBVER_EARLIEST: c_int = 0;
/// What HDF5 1.10 reads.
pub const H5F_LIBVER_V110: c_int = 2;
/// Open files.
pub const H5F_OBJ_FILE: c_uint = 1;
/// Open datasets.
pub const H5F_OBJ_DATASET: c_uint = 2;
/// Open datatypes.
pub const H5F_OBJ_DATATYPE: c_uint = 8;
/// Open objects of every kind; in the place of a file, all files.
pub const H5F_OBJ_ALL: c_uint = 0x1f;

/// An identifier of a group.
pub const H5I_GROUP: c_int = 2;
/// An identifier of a datatype.
pub const H5I_DATATYPE: c_int = 3;
/// An identifier of a dataset.
pub const H5I_DATASET: c_int = 5;

/// A link to an object.
pub const H5L_TYPE_HARD: c_int = 0;
/// A link to a path.
pub const H5L_TYPE_SOFT: c_int = 1;
/// A link to a path in another file.
pub const H5L_TYPE_EXTERNAL: c_int = 64;
/// In the order of names.
pub const H5_INDEX_NAME: c_int = 0;
/// In the order in which they were made.
pub const H5_INDEX_CRT_ORDER: c_int = 1;
/// From the first to the last.
pub const H5_ITER_INC: c_int = 0;
/// In whatever order is the fastest.
pub const H5_ITER_NATIVE: c_int = 2;
/// The order in which they are made is kept.
pub const H5P_CRT_ORDER_TRACKED: c_uint = 1;

/// A copy without attributes.
pub const H5O_COPY_WITHOUT_ATTR_FLAG: c_uint = 0x10;

/// A reference to an object.
pub const H5R_OBJECT: c_int = 0;
/// A reference to a part of a dataset.
pub const H5R_DATASET_REGION: c_int = 1;

/// A dataset in the header of its object.
pub const H5D_COMPACT: c_int = 0;
/// A dataset in one piece.
pub const H5D_CONTIGUOUS: c_int = 1;
/// A dataset in chunks.
pub const H5D_CHUNKED: c_int = 2;
/// A dataset made of parts of others.
pub const H5D_VIRTUAL: c_int = 3;
/// Memory in the file is reserved when the dataset is made.
pub const H5D_ALLOC_TIME_EARLY: c_int = 1;
/// Memory in the file is not filled beforehand.
pub const H5D_FILL_TIME_NEVER: c_int = 1;
/// `H5D_CHUNK_IDX_BTREE`: the index of files in the oldest format.
pub const H5D_CHUNK_IDX_BTREE: c_int = 0;
/// `H5D_CHUNK_IDX_SINGLE`: no index, for a dataset of one chunk.
pub const H5D_CHUNK_IDX_SINGLE: c_int = 1;
/// `H5D_CHUNK_IDX_EARRAY`: the index of a dataset in the format of HDF5 1.10 with one axis that has no limit.
pub const H5D_CHUNK_IDX_EARRAY: c_int = 4;
/// No address: nothing is stored.
pub const HADDR_UNDEF: u64 = u64::MAX;
/// A selection in place of what was selected before.
pub const H5S_SELECT_SET: c_int = 0;
/// A selection that is boxes.
pub const H5S_SEL_HYPERSLABS: c_int = 2;
/// A selection that is everything.
pub const H5S_SEL_ALL: c_int = 3;
/// Chunks that reach over the dataset's edge are not filtered.
pub const H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS: c_uint = 2;
/// `H5D_FILL_VALUE_USER_DEFINED`: a fill value that was set; otherwise there is none, or 0.
pub const H5D_FILL_VALUE_USER_DEFINED: c_int = 2;

/// A dataspace of no elements and no shape.
pub const H5S_NULL: c_int = 2;
/// A dataspace of one element.
pub const H5S_SCALAR: c_int = 0;
/// A dimension without a limit.
pub const H5S_UNLIMITED: u64 = u64::MAX;

/// The most dimensions a dataset has.
pub const H5S_MAX_RANK: usize = 32;

/// Integers.
pub const H5T_INTEGER: c_int = 0;
/// Floating-point numbers.
pub const H5T_FLOAT: c_int = 1;
/// Strings.
pub const H5T_STRING: c_int = 3;
/// Strings that a null byte ends.
pub const H5T_STR_NULLTERM: c_int = 0;
/// Strings that are filled up with spaces.
pub const H5T_STR_SPACEPAD: c_int = 2;
/// Bit fields.
pub const H5T_BITFIELD: c_int = 4;
/// Opaque bytes.
pub const H5T_OPAQUE: c_int = 5;
/// Compounds.
pub const H5T_COMPOUND: c_int = 6;
/// References to other places of the file.
pub const H5T_REFERENCE: c_int = 7;
/// Enumerations.
pub const H5T_ENUM: c_int = 8;
/// Sequences of any length.
pub const H5T_VLEN: c_int = 9;
/// Arrays.
pub const H5T_ARRAY: c_int = 10;
/// Least significant byte first.
pub const H5T_ORDER_LE: c_int = 0;
/// Most significant byte first.
pub const H5T_ORDER_BE: c_int = 1;
/// Unsigned integers.
pub const H5T_SGN_NONE: c_int = 0;
/// Two's complement integers.
pub const H5T_SGN_2: c_int = 1;
/// UTF-8.
pub const H5T_CSET_UTF8: c_int = 1;
/// The size of a string of any length.
pub const H5T_VARIABLE: usize = usize::MAX;

/// `H5PL_TYPE_ERROR`: a plugin that cannot be used.
pub const H5PL_TYPE_ERROR: c_int = -1;
/// `H5PL_TYPE_FILTER`.
pub const H5PL_TYPE_FILTER: c_int = 0;
/// `H5Z_CLASS_T_VERS`.
pub const H5Z_CLASS_T_VERS: c_int = 1;
/// Where the filter fails, HDF5 stores the chunk as it is and marks it so.
pub const H5Z_FLAG_OPTIONAL: c_uint = 0x0001;
/// Decode.
pub const H5Z_FLAG_REVERSE: c_uint = 0x0100;
/// HDF5's own byte shuffle, which keeps the number of bytes.
pub const H5Z_FILTER_SHUFFLE: c_int = 2;
/// HDF5's own checksum, four bytes after the others.
pub const H5Z_FILTER_FLETCHER32: c_int = 3;
/// HDF5's own n-bit filter.
pub const H5Z_FILTER_NBIT: c_int = 5;
/// HDF5's own scale-offset filter.
pub const H5Z_FILTER_SCALEOFFSET: c_int = 6;
