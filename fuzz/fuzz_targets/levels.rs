//! Every kernel level encodes to the same bytes.
#![no_main]

use darkchunk_fuzz::levels;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = darkchunk_fuzz::for_one_codec!(data, levels);
});
