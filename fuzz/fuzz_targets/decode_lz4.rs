//! Arbitrary bytes to the Lz4 decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::decode::<darkchunk::codec::lz4::Lz4>(data));
