//! Arbitrary bytes to the Zstd decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::decode::<darkchunk::codec::zstd::Zstd>(data));
