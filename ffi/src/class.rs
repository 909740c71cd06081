//! The filters as the tables that HDF5 takes: for `H5Zregister`, and for plugins that ask this library for theirs.

#![allow(unsafe_code)]

use std::ffi::c_void;

use darkchunk_core::codec::bitshuffle::Bitshuffle;
use darkchunk_core::codec::blosc::Blosc;
use darkchunk_core::codec::bounded::Bounded;
use darkchunk_core::codec::drle::Drle;
use darkchunk_core::codec::lz4::Lz4;
use darkchunk_core::codec::zstd::Zstd;
use darkchunk_filter::{Class, Codec, class, prepare};

class!(BITSHUFFLE, Bitshuffle, "libdarkchunk");
class!(BLOSC, Blosc, "libdarkchunk");
class!(BOUNDED, Bounded, "libdarkchunk");
class!(DRLE, Drle, "libdarkchunk");
class!(LZ4, Lz4, "libdarkchunk");
class!(ZSTD, Zstd, "libdarkchunk");

/// The `H5Z_class2_t` of a filter, which stays as it is and where it is; null for a number that is none of ours.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn dc_filter_class(filter: u32) -> *const c_void {
    let class: &'static Class = match filter {
        Bitshuffle::FILTER_ID => &BITSHUFFLE,
        Blosc::FILTER_ID => &BLOSC,
        Bounded::FILTER_ID => &BOUNDED,
        Drle::FILTER_ID => &DRLE,
        Lz4::FILTER_ID => &LZ4,
        Zstd::FILTER_ID => &ZSTD,
        _ => return std::ptr::null(),
    };
    prepare();
    (&raw const *class).cast()
}
