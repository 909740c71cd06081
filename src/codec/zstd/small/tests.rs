//! The library's frames, whole and damaged: what is decoded here, the library decodes to the same.

use super::output::MAX_BYTES;
use super::{Blocks, Decoder, header_len};
use crate::codec::zstd::context::Encoder;
use crate::cpu::Level;
use crate::lz::vector::dispatch::with_lanes;
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

/// How many bytes the blocks of `frame` from `at` on decode to, at most `n_bytes`: the same on each level, whatever was there
/// before. They are in `decoder` then.
fn run(decoder: &mut Decoder, frame: &[u8], at: usize, n_bytes: usize) -> Option<usize> {
    let mut first = None;
    for (fill, level) in (0x80..).zip(Level::available()) {
        decoder.content.range(0, MAX_BYTES).unwrap().fill(fill);
        decoder.literals.range(0, MAX_BYTES).unwrap().fill(fill + 0x40);
        let written = with_lanes(*level, Blocks { decoder, frame, at, n_bytes, max_coded: MAX_BYTES });
        let outcome = written.map(|written| decoder.content.first(written).to_vec());
        let first = first.get_or_insert_with(|| outcome.clone());
        assert!(outcome == *first, "{level:?} decodes something else from {frame:?}");
    }
    first.flatten().map(|content| content.len())
}

/// What `frame` decodes to here, if it states `n_bytes`.
fn decode(decoder: &mut Decoder, frame: &[u8], n_bytes: usize) -> Option<Vec<u8>> {
    let at = header_len(frame, n_bytes)?;
    let written = run(decoder, frame, at, n_bytes)?;
    (written == n_bytes).then(|| decoder.content.first(n_bytes).to_vec())
}

/// A frame of `blocks` that states `n_bytes`.
fn framed(blocks: &[u8], n_bytes: usize) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0], &(n_bytes as u32).to_le_bytes()[..], blocks].concat()
}

/// Whether `blocks` are decoded here, in a frame that states just the bytes that they give. The library must say the same.
fn agrees_with_the_library(decoder: &mut Decoder, blocks: &[u8]) -> bool {
    let Some(n_bytes) = run(decoder, &framed(blocks, 0), framed(&[], 0).len(), MAX_BYTES) else { return false };
    let frame = framed(blocks, n_bytes);
    let Some(ours) = decode(decoder, &frame, n_bytes) else { return false };
    let mut theirs = vec![0; n_bytes];
    assert_eq!(zstd_safe::decompress(&mut theirs[..], &frame), Ok(n_bytes), "the library refuses {frame:?}");
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
fn zeros_after_a_frame_are_decoded_here() {
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

/// A block's header, and what follows it.
fn block(is_last: bool, kind: u32, bytes: &[u8]) -> Vec<u8> {
    let header = u32::from(is_last) | kind << 1 | (bytes.len() as u32) << 3;
    [&header.to_le_bytes()[..3], bytes].concat()
}

/// A block with `n` literals `a` and one sequence. Its numbers come from tables of one symbol each, so that of the
/// sequence's `bits` only those belong to it that make the numbers larger.
fn sequence_block(is_last: bool, n: u8, [n_literals, offset, match_len]: [u8; 3], bits: &[u8]) -> Vec<u8> {
    let head = [n << 3 | 1, b'a', 1, 0x54, n_literals, offset, match_len];
    block(is_last, 2, &[&head, bits].concat())
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn frames_made_by_hand_are_as_the_library_has_them() {
    let mut decoder = Decoder::default();
    // Four literals, three bytes from one before, and the literal that is left.
    let good = sequence_block(true, 5, [4, 0, 0], &[1]);
    assert!(agrees_with_the_library(&mut decoder, &good));
    assert_eq!(decode(&mut decoder, &framed(&good, 8), 8), Some(b"aaaaaaaa".to_vec()));
    let none_left = sequence_block(true, 5, [5, 0, 0], &[1]);
    assert!(agrees_with_the_library(&mut decoder, &none_left));
    let plain = block(true, 2, b"\x18abc\x00");
    assert!(agrees_with_the_library(
        &mut decoder,
        &[block(false, 1, &[])[..3].to_vec(), vec![7], good.clone()].concat()
    ));
    let refused = [
        ("more literals than there are", sequence_block(true, 5, [6, 0, 0], &[1])),
        ("an offset of 2^32 - 1 without literals", sequence_block(true, 5, [0, 31, 0], &[0xff; 4])),
        ("the largest offset", sequence_block(true, 5, [4, 31, 0], &[0xff, 0xff, 0xff, 0xff])),
        ("a match before the frame", sequence_block(true, 5, [4, 3, 0], &[0x0f])),
        ("an offset of 0: the last one less one", sequence_block(true, 5, [0, 1, 0], &[0x03])),
        ("bits that nobody reads", sequence_block(true, 5, [4, 0, 0], &[3])),
        ("no bits", sequence_block(true, 5, [4, 0, 0], &[0])),
        ("no such code", sequence_block(true, 5, [36, 0, 0], &[1])),
        ("bytes after no sequences", [block(false, 0, b"0123456789"), block(true, 2, b"\x18abc\x00\x00")].concat()),
        ("a block that is longer than the content", plain),
        ("the reserved kind of block", block(true, 3, b"abc")),
        ("a block that is cut off", good[..good.len() - 1].to_vec()),
        ("no last block", sequence_block(false, 5, [4, 0, 0], &[1])),
        ("bytes after the last block", [&good[..], &[0]].concat()),
        ("literals with the tree of no block", block(true, 2, &[0x53, 0x80, 0x00, 1, 1, 0])),
    ];
    for (what, blocks) in refused {
        assert!(!agrees_with_the_library(&mut decoder, &blocks), "{what}");
    }
    for modes in [0xd4, 0x74, 0x5c, 0xfc, 0x55] {
        // A good frame before it: its tables are there, and must not be used.
        assert!(agrees_with_the_library(&mut decoder, &good));
        let mut own = vec![5 << 3 | 1, b'a', 1, modes];
        own.extend(
            [6, 4, 2].iter().zip([4, 0, 0]).filter(|(shift, _)| modes >> **shift & 3 == 1).map(|(_, code)| code),
        );
        own.push(1);
        assert!(!agrees_with_the_library(&mut decoder, &block(true, 2, &own)), "modes {modes:x}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn offsets_are_remembered_from_block_to_block() {
    let mut decoder = Decoder::default();
    let raw = block(false, 0, b"0123456789");
    // Offset 5 (a value of 8), then the last one again, and the one before that.
    let new = sequence_block(false, 2, [1, 3, 0], &[0b1000]);
    for (code, bits) in [(0, 1), (1, 0b10), (1, 0b11)] {
        let last = sequence_block(true, 2, [1, code, 0], &[bits]);
        let blocks = [&raw[..], &new, &last].concat();
        assert!(agrees_with_the_library(&mut decoder, &blocks), "{code} {bits:b}");
    }
}

/// One frame, with a block for every 2000 bytes.
fn compressed_in_blocks(content: &[u8], zstd_level: i32) -> Vec<u8> {
    let mut context = zstd_safe::CCtx::create();
    context.set_parameter(zstd_safe::CParameter::CompressionLevel(zstd_level)).unwrap();
    context.set_pledged_src_size(Some(content.len() as u64)).unwrap();
    let mut frame = vec![0; 2 * content.len() + 100];
    let mut out = zstd_safe::OutBuffer::around(&mut frame[..]);
    for part in content.chunks(2000) {
        let mut input = zstd_safe::InBuffer::around(part);
        context.compress_stream(&mut out, &mut input).unwrap();
        while context.flush_stream(&mut out).unwrap() > 0 {}
    }
    while context.end_stream(&mut out).unwrap() > 0 {}
    let n = out.pos();
    frame.truncate(n);
    frame
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn blocks_that_use_tables_of_others_are_left_to_the_library() {
    let mut decoder = Decoder::default();
    let (mut n_decoded, mut n_left) = (0, 0);
    for (kind, zstd_level) in (0..7).flat_map(|kind| [1, 3, 9, 19].map(|zstd_level| (kind, zstd_level))) {
        let content = content(kind, MAX_BYTES, 17);
        let frame = compressed_in_blocks(&content, zstd_level);
        let at = header_len(&frame, content.len()).expect("the size is stated");
        let first = at + 3 + (u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], 0]) >> 3) as usize;
        match decode(&mut decoder, &frame, content.len()) {
            Some(decoded) => assert!(decoded == content, "kind {kind}, level {zstd_level}"),
            None => n_left += 1,
        }
        n_decoded += 1;
        // Without the first block its tables are those of another frame: they must not count.
        agrees_with_the_library(&mut decoder, &frame[first..]);
    }
    assert!(n_left > 0 && n_left < n_decoded, "{n_left} of {n_decoded} left to the library");
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn what_the_library_is_faster_at_is_left_to_it() {
    let at_best = *Level::available().last().unwrap();
    let mut memory = None;
    let mut decoded_at = |level, content: &[u8]| {
        let frame = compressed(content, 1);
        super::decode(&mut memory, level, &frame, content.len()).map(|decoded| assert_eq!(decoded, content)).is_some()
    };
    let sparse = content(6, 8192, 3);
    assert!(!decoded_at(Level::SCALAR, &sparse));
    if at_best != Level::SCALAR {
        assert!(decoded_at(at_best, &sparse));
    }
    let noise = content(1, 8192, 3);
    assert!(!decoded_at(at_best, &noise), "a frame as long as its content");
    let few_symbols: Vec<u8> = noise.iter().map(|byte| byte % 8).collect();
    assert!(compressed(&few_symbols, 1).len() < 4096);
    assert!(!decoded_at(at_best, &few_symbols), "all of it in Huffman codes");
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn every_truncation_and_every_other_byte_is_as_the_library_has_it() {
    let mut decoder = Decoder::default();
    let mut n_decoded = 0;
    for (kind, zstd_level) in [(0, 1), (2, 1), (3, 19), (5, 3), (6, 1)] {
        let content = content(kind, 600, 99);
        let frame = compressed(&content, zstd_level);
        let blocks = &frame[header_len(&frame, 600).unwrap()..];
        for len in 0..blocks.len() {
            assert!(!agrees_with_the_library(&mut decoder, &blocks[..len]), "{len} of {} bytes", blocks.len());
        }
        for at in 0..blocks.len() {
            for change in [1, 2, 4, 8, 16, 32, 64, 128, 255, 3, 0x55] {
                let mut blocks = blocks.to_vec();
                blocks[at] ^= change;
                n_decoded += usize::from(agrees_with_the_library(&mut decoder, &blocks));
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
        let frame = compressed(&content, zstd_level);
        let mut blocks = frame[header_len(&frame, n_bytes).unwrap()..].to_vec();
        let is_whole = changes.is_empty();
        for (at, byte) in changes {
            let at = at.index(blocks.len());
            blocks[at] = byte;
        }
        let is_decoded = agrees_with_the_library(&mut Decoder::default(), &blocks);
        prop_assert!(is_decoded || !is_whole);
    }
}
