//! The command `darkchunk` with an HDF5 and all of darkchunk's filters inside: one file, which needs neither an HDF5 nor plugins.
//!
//! The program exports HDF5's functions: the command takes an HDF5 that the program itself has before any other
//! (`darkchunk_hdf5::load`), and so do the filters, and plugins of others that this HDF5 loads.

#![allow(unsafe_code)]

mod exported;

use std::ffi::{c_int, c_void};
use std::process::ExitCode;

use darkchunk::codec::bitshuffle::Bitshuffle;
use darkchunk::codec::blosc::Blosc;
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::drle::Drle;
use darkchunk::codec::lz4::Lz4;
use darkchunk::codec::zstd::Zstd;
use darkchunk_filter::{Class, class, prepare};
// Links HDF5.
use darkchunk_hdf5_static as _;

class!(BITSHUFFLE, Bitshuffle, "darkchunk-static");
class!(BLOSC, Blosc, "darkchunk-static");
class!(BOUNDED, Bounded, "darkchunk-static");
class!(DRLE, Drle, "darkchunk-static");
class!(LZ4, Lz4, "darkchunk-static");
class!(ZSTD, Zstd, "darkchunk-static");

unsafe extern "C" {
    fn H5Zregister(class: *const c_void) -> c_int;
}

fn main() -> ExitCode {
    if let Err(message) = register() {
        eprintln!("darkchunk: {message}");
        return ExitCode::from(2);
    }
    ExitCode::from(darkchunk_cli::run_as_program(std::env::args_os()))
}

/// Has HDF5 know the filters, for what it decodes itself.
fn register() -> Result<(), String> {
    prepare();
    for class in [&BITSHUFFLE, &BLOSC, &BOUNDED, &DRLE, &LZ4, &ZSTD] {
        let class: *const Class = class;
        // SAFETY: an `H5Z_class2_t` that stays as it is and where it is; no other thread runs yet.
        let status = unsafe { H5Zregister(class.cast()) };
        if status < 0 {
            return Err("HDF5 does not take the filters".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hdf5_has_gzip_and_all_filters_of_darkchunk() {
        #[allow(clashing_extern_declarations, reason = "here it has its argument")]
        unsafe extern "C" {
            fn H5Zfilter_avail(filter: c_int) -> c_int;
        }
        register().expect("they are taken");
        for filter in [1, 2, 3, 32001, 32004, 32008, 32015, 36114, 36115] {
            // SAFETY: any number may be asked for.
            let is_there = unsafe { H5Zfilter_avail(filter) };
            assert!(is_there > 0, "{filter}");
        }
    }
}
