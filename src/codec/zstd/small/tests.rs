//! The library's frames, whole and damaged: what is decoded here, the library decodes to the same.

use super::output::MAX_BYTES;
use super::{Blocks, Decoder, header_len};
use crate::codec::lanes::with_lanes;
use crate::codec::zstd::context::Encoder;
use crate::cpu::Level;
use proptest::prelude::*;

/// Contents that take every way through the format: zeros, noise, few and many symbols, long and short distances.
fn content(kind: usize, n_bytes: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut bytes = vec![0; n_bytes];
    for at in 0..n_bytes {
        let bits = random();
        bytes[at] = match kind {
            // Sparse bits, as in rows of bits.
            0 => u8::from(bits.is_multiple_of(9)) << (bits >> 8 & 7),
            1 => bits as u8,
            // Bytes of which some are frequent.
            2 => (bits as u8 & (bits >> 8) as u8 & (bits >> 16) as u8) % 40,
            // Repeats of all distances, one to a few bytes long.
            3 if at > 300 && !bits.is_multiple_of(4) => bytes[at - 1 - (at / 16 * 7) % 290],
            // Runs.
            4 => (at / (1 + seed as usize % 50)) as u8,
            5 => (bits % 3) as u8,
            6 if !bits.is_multiple_of(50) => 0,
            _ => (bits >> 16) as u8,
        };
    }
    bytes
}

fn compressed(content: &[u8], zstd_level: i32) -> Vec<u8> {
    let mut frame = vec![0; zstd_safe::compress_bound(content.len())];
    let n = zstd_safe::compress(&mut frame[..], content, zstd_level).unwrap();
    frame.truncate(n);
    frame
}

/// What each level decodes, the same for all. What was there before must not show.
fn decode(decoder: &mut Decoder, frame: &[u8], n_bytes: usize) -> Option<Vec<u8>> {
    let mut decoded = Level::available().iter().map(|level| {
        decoder.content.range(0, MAX_BYTES).unwrap().fill(0xAA);
        decoder.literals.range(0, MAX_BYTES).unwrap().fill(0xBB);
        let at = header_len(frame, n_bytes)?;
        with_lanes(*level, Blocks { decoder, frame, at, n_bytes, most_coded: MAX_BYTES })?;
        Some(decoder.content.first(n_bytes).to_vec())
    });
    let first = decoded.next().unwrap();
    assert!(decoded.all(|other| other == first), "levels differ");
    first
}

/// Whether it was decoded here, where the library must say the same.
fn agrees_with_the_library(decoder: &mut Decoder, frame: &[u8], n_bytes: usize) -> bool {
    let Some(ours) = decode(decoder, frame, n_bytes) else { return false };
    let mut theirs = vec![0; n_bytes];
    assert_eq!(zstd_safe::decompress(&mut theirs[..], frame), Ok(n_bytes), "the library refuses {frame:?}");
    assert!(ours == theirs, "the library decodes something else from {frame:?}");
    true
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn every_frame_of_the_library_is_decoded_here() {
    let mut decoder = Decoder::default();
    for (seed, kind) in (0..7).flat_map(|kind| (1..4).map(move |seed| (seed * 7919, kind))) {
        for n_bytes in [1, 7, 31, 64, 255, 256, 300, 1000, 4096, 5000, MAX_BYTES - 1, MAX_BYTES] {
            let content = content(kind, n_bytes, seed);
            for zstd_level in [-5, 1, 3, 6, 12, 19, 22] {
                let frame = compressed(&content, zstd_level);
                let decoded = decode(&mut decoder, &frame, n_bytes);
                assert!(decoded.as_ref() == Some(&content), "kind {kind}, {n_bytes} bytes, level {zstd_level}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn zeros_behind_a_frame_are_decoded_here() {
    let mut decoder = Decoder::default();
    let mut content = content(0, 8192, 5);
    content[5000..].fill(0);
    let mut frame = vec![0; 10_000];
    let n = Encoder::for_bit_rows(Level::current(), 1, 8192).encode_block(&content, &mut frame).unwrap();
    assert_eq!(decode(&mut decoder, &frame[..n], 8192), Some(content));
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn other_frames_are_left_to_the_library() {
    let mut decoder = Decoder::default();
    let content = content(2, 8192, 3);
    let frame = compressed(&content, 1);
    for n_bytes in [8191, 8193, 0, usize::MAX] {
        assert_eq!(decode(&mut decoder, &frame, n_bytes), None, "another size: {n_bytes}");
    }
    let mut context = zstd_safe::CCtx::create();
    context.set_parameter(zstd_safe::CParameter::ChecksumFlag(true)).unwrap();
    let mut summed = vec![0; 10_000];
    let n = context.compress2(&mut summed[..], &content).unwrap();
    assert_eq!(decode(&mut decoder, &summed[..n], 8192), None, "a checksum, which is not checked here");
    let two = [&frame[..], &frame].concat();
    assert_eq!(decode(&mut decoder, &two, 8192), None, "two frames");
    let large = vec![7; MAX_BYTES + 1];
    assert_eq!(decode(&mut decoder, &compressed(&large, 1), large.len()), None, "a large frame");
    assert_eq!(decode(&mut decoder, &[], 0), None, "nothing");
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn every_truncation_and_every_other_byte_is_as_the_library_has_it() {
    let mut decoder = Decoder::default();
    let mut n_decoded = 0;
    for (kind, zstd_level) in [(0, 1), (2, 1), (3, 19), (5, 3), (6, 1)] {
        let content = content(kind, 600, 99);
        let frame = compressed(&content, zstd_level);
        for len in 0..frame.len() {
            assert!(!agrees_with_the_library(&mut decoder, &frame[..len], 600), "{len} of {} bytes", frame.len());
        }
        for at in 0..frame.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 255, 3, 0x55] {
                let mut frame = frame.clone();
                frame[at] ^= change;
                n_decoded += usize::from(agrees_with_the_library(&mut decoder, &frame, 600));
            }
        }
    }
    assert!(n_decoded > 100, "damage that decodes: {n_decoded}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 0 } else { 400 }))]
    #[test]
    fn damaged_frames_are_as_the_library_has_them(
        kind in 0..7_usize,
        n_bytes in 1..3000_usize,
        seed in any::<u32>(),
        zstd_level in -3..20_i32,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let content = content(kind, n_bytes, seed);
        let mut frame = compressed(&content, zstd_level);
        let is_whole = changes.is_empty();
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        let is_decoded = agrees_with_the_library(&mut Decoder::default(), &frame, n_bytes);
        prop_assert!(is_decoded || !is_whole);
    }
}
