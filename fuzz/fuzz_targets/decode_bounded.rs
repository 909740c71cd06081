//! Arbitrary bytes to the bounded decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::decode::<darkchunk::codec::bounded::Bounded>(data));
