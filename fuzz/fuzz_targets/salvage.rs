//! What is saved of damaged chunks.
#![no_main]

use darkchunk_fuzz::salvage;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = darkchunk_fuzz::for_one_codec!(data, salvage);
});
