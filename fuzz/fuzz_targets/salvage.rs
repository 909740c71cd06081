//! What is saved of damaged chunks, and what is found in bytes that nothing is known of.
#![no_main]

use darkchunk_fuzz::{salvage, scan};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = darkchunk_fuzz::for_one_codec!(data, salvage);
    scan(data);
});
