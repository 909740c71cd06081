//! Arbitrary bytes to the Drle decoder.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darkchunk_fuzz::decode::<darkchunk::codec::drle::Drle>(data));
