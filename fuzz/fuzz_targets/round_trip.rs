//! What each codec encodes, it decodes.
#![no_main]

use darkchunk_fuzz::round_trip;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = darkchunk_fuzz::for_one_codec!(data, round_trip);
});
