//! The plugin's filter entry, as HDF5 calls it, with arbitrary everything.
#![no_main]

use darkchunk_fuzz::entry::call;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = darkchunk_fuzz::for_one_codec!(data, call);
});
