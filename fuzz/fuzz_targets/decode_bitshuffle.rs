//! Arbitrary bytes to the Bitshuffle decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::decode::<darkchunk::codec::bitshuffle::Bitshuffle>(data));
