//! Arbitrary bytes to the Blosc decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::decode::<darkchunk::codec::blosc::Blosc>(data));
