//! Ours to the reference implementation and back, and the reference's to ours.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::references::both_ways(data));
