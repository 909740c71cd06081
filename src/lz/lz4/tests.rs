//! Our blocks against the reference library, both ways.

use super::sequence::is_zeros;
use super::{Encoder, SLACK_BYTES, decode, decode_rows, encode_byte_plane, encode_hc, library, max_encoded_len};
use crate::cpu::Level;
use crate::lz::byte_planes::Search;
use crate::{Error, Result};
use darkchunk_sim::Rng;
use proptest::prelude::*;

/// Runs of zeros, of one byte, of earlier bytes and of noise, of many lengths: as bit planes are, and worse.
fn structured(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let longest = [4, 12, 40, 300, 3000][rng.below(5)];
    let mut bytes: Vec<u8> = Vec::with_capacity(n_bytes);
    while bytes.len() < n_bytes {
        let n = 1 + rng.below(longest).min(n_bytes - bytes.len() - 1);
        match rng.below(6) {
            0..=2 => bytes.resize(bytes.len() + n, 0),
            3 => bytes.resize(bytes.len() + n, rng.next_u64() as u8),
            4 if !bytes.is_empty() => {
                let reach = [40, 9000][rng.below(2)];
                let back = 1 + rng.below(bytes.len().min(reach));
                (0..n).for_each(|_| bytes.push(bytes[bytes.len() - back]));
            }
            _ => bytes.extend((0..n.min(20)).map(|_| rng.next_u64() as u8)),
        }
    }
    bytes
}

/// The whole block, decoded row by row with slack: rows of all sizes that divide it must give the same.
fn decode_by_rows(level: Level, block: &[u8], n_bytes: usize) -> Result<Vec<u8>> {
    let mut results = (1..=n_bytes.min(64)).filter(|n_rows| n_bytes.is_multiple_of(*n_rows)).map(|n_rows| {
        let row_bytes = n_bytes / n_rows;
        let mut dst = vec![0xaa; n_bytes + SLACK_BYTES];
        let n_rows = decode_rows(level, block, &mut dst, n_bytes, row_bytes)?;
        dst.truncate(n_rows * row_bytes);
        while dst.len() < n_bytes {
            dst.extend_from_within(dst.len() - row_bytes..);
        }
        Ok(dst)
    });
    let first = results.next().expect("a block is one row");
    for other in results {
        assert!(other == first, "{level:?}: rows of another size");
    }
    first
}

/// All levels write the same bytes; the library reads them; we read the library's, with and without slack.
fn assert_agrees_with_the_library(encoders: &mut [Encoder], src: &[u8]) {
    let what = format!("{} bytes", src.len());
    let mut reference = vec![0; max_encoded_len(src.len())];
    let n = library::encode(src, &mut reference).expect(&what);
    let mut small = vec![0; max_encoded_len(src.len())];
    let n_small = encode_hc(src, &mut small, 9).expect(&what);
    let mut first = None;
    for (&level, encoder) in Level::available().iter().zip(encoders) {
        let mut block = vec![0; max_encoded_len(src.len())];
        let n_bytes = encoder.encode(src, &mut block).expect(&what);
        block.truncate(n_bytes);
        let mut decoded = vec![0xaa; src.len()];
        library::decode(&block, &mut decoded).expect(&what);
        assert!(decoded == src, "{level:?} {what}: the library decodes something else");
        for block in [&block, &reference[..n], &small[..n_small]] {
            let mut decoded = vec![0xaa; src.len()];
            decode(level, block, &mut decoded).expect(&what);
            assert!(decoded == src, "{level:?} {what}");
            let decoded = decode_by_rows(level, block, src.len()).expect(&what);
            assert!(decoded == src, "{level:?} {what} with slack");
        }
        for room in [n_bytes, n_bytes - 1, n_bytes / 2, 0] {
            let fits = encoder.encode(src, &mut vec![0; room]);
            assert_eq!(fits, (room == n_bytes).then_some(n_bytes), "{level:?} {what} into {room}");
        }
        assert!(*first.get_or_insert(block.clone()) == block, "{level:?} {what}: another level writes other bytes");
    }
}

fn encoders() -> Vec<Encoder> {
    Level::available().iter().map(|level| Encoder::new(*level)).collect()
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn every_short_length_agrees_with_the_library() {
    let mut encoders = encoders();
    for n_bytes in 1..300 {
        for seed in 0..4 {
            assert_agrees_with_the_library(&mut encoders, &structured(n_bytes, seed));
        }
        assert_agrees_with_the_library(&mut encoders, &vec![0; n_bytes]);
        assert_agrees_with_the_library(&mut encoders, &vec![0x55; n_bytes]);
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn blocks_of_every_kind_agree_with_the_library() {
    let mut encoders = encoders();
    for seed in 0..60 {
        for n_bytes in [1000, 4096, 8192, 65_535, 65_536, 65_537, 200_000] {
            if n_bytes <= 8192 || seed % 10 == 0 {
                assert_agrees_with_the_library(&mut encoders, &structured(n_bytes, seed));
            }
        }
    }
}

/// Rows of noise, and after them rows that are alike, as the high bits of masked or small pixels are.
#[test]
fn what_was_encoded_before_changes_nothing() {
    let encode = |encoder: &mut Encoder, src: &[u8]| {
        let mut dst = vec![0; max_encoded_len(src.len())];
        let n_bytes = encoder.encode(src, &mut dst).unwrap();
        dst.truncate(n_bytes);
        dst
    };
    // Of so few bytes that what stood in one block stands somewhere in the next, too: places of the first would be taken for the second's.
    let block = |seed| structured(4000, seed).iter().map(|byte| 1 + byte % 3).collect::<Vec<u8>>();
    for &level in Level::available() {
        let mut encoder = Encoder::new(level);
        encode(&mut encoder, &block(1));
        assert!(encode(&mut encoder, &block(2)) == encode(&mut Encoder::new(level), &block(2)), "{level:?}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn rows_that_repeat_are_left_out_and_no_others() {
    let mut encoders = encoders();
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let (row_bytes, n_rows) = ([8, 48, 256][rng.below(3)], [8, 16, 32][rng.below(3)]);
        let mut src = structured(row_bytes * (1 + rng.below(n_rows - 1)), seed);
        match rng.below(3) {
            0 => src.resize(src.len() + row_bytes, [0, 0xff, 3][rng.below(3)]),
            1 => src.extend_from_within(src.len() - row_bytes..),
            _ => {}
        }
        while src.len() < row_bytes * n_rows {
            src.extend_from_within(src.len() - row_bytes..);
        }
        src.truncate(row_bytes * n_rows);
        assert_agrees_with_the_library(&mut encoders, &src);
        let at = src.len() - 1 - rng.below(src.len() / 2);
        src[at] ^= 1;
        assert_agrees_with_the_library(&mut encoders, &src);
    }
}

/// Matches of all lengths from all near places, in the middle of a block and near its end, in blocks of short matches and of long.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn matches_of_every_period_and_length_are_copied() {
    let literals: Vec<u8> = (1..=140).collect();
    let lengths = (4..140).chain([255, 272, 273, 274, 275, 528, 529, 530, 2000]);
    for (offset, n_match) in (1..=140).flat_map(|offset| lengths.clone().map(move |n_match| (offset, n_match))) {
        for n_after in [5, 40, 300] {
            let mut expected = literals.clone();
            (0..n_match).for_each(|_| expected.push(expected[expected.len() - offset]));
            let after: Vec<u8> = (0..n_after).map(|i| i as u8).collect();
            expected.extend(&after);
            let block = block_with_match(&literals, offset, n_match, &after);
            for &level in Level::available() {
                let mut dst = vec![0xaa; expected.len()];
                let about = || format!("{level:?} {n_match} bytes from {offset} back, {n_after} after");
                decode(level, &block, &mut dst).unwrap_or_else(|error| panic!("{}: {error}", about()));
                assert!(dst == expected, "{}", about());
                let with_slack = decode_by_rows(level, &block, expected.len());
                assert!(with_slack.as_ref() == Ok(&expected), "{} with slack", about());
            }
        }
    }
}

/// Longer than the blocks of bit planes, as Blosc's streams are: what repeats much is decoded here, the rest by the library.
#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn long_blocks_agree_with_the_library_and_truncated_ones_are_errors() {
    for (seed, n_bytes) in [(0, 65_537), (1, 100_000), (2, 131_072), (3, 262_144)] {
        for apart in [20, 80, 400, 4000, 100_000] {
            let mut rng = Rng::new(seed);
            let mut src = vec![0; n_bytes];
            for _ in 0..n_bytes / apart {
                let (at, n) = (rng.below(n_bytes), 1 + rng.below(if seed == 3 { 400 } else { 9 }));
                src.iter_mut().skip(at).take(n).for_each(|byte| *byte = rng.next_u64() as u8);
            }
            let mut block = vec![0; max_encoded_len(n_bytes)];
            let n = library::encode(&src, &mut block).expect("there is room");
            for &level in Level::available() {
                let mut dst = vec![0xaa; n_bytes];
                decode(level, &block[..n], &mut dst).expect("it is sound");
                assert!(dst == src, "{level:?} {n_bytes} bytes, something every {apart}");
                for cut in [1, 2, 3, n / 2, n - 1] {
                    let result = decode(level, &block[..n - cut], &mut dst);
                    assert!(
                        result.is_err(),
                        "{level:?} {n_bytes} bytes, something every {apart}, without the last {cut}"
                    );
                }
            }
        }
    }
}

proptest! {
    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn any_bytes_agree_with_the_library(src in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 1..500)) {
        assert_agrees_with_the_library(&mut encoders(), &src);
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn all_levels_decode_hostile_bytes_alike(src in prop::collection::vec(any::<u8>(), 0..200), n_bytes in 1usize..600) {
        let mut results = vec![];
        for &level in Level::available() {
            let mut dst = vec![0xaa; n_bytes];
            let result = decode(level, &src, &mut dst);
            results.push((result.clone(), if result.is_ok() { dst } else { vec![] }));
            let with_slack = decode_by_rows(level, &src, n_bytes);
            prop_assert_eq!(with_slack.is_ok(), result.is_ok());
            prop_assert!(result.is_err() || with_slack.as_ref() == Ok(&results[results.len() - 1].1));
        }
        prop_assert!(results.windows(2).all(|pair| pair[0] == pair[1]));
        let mut dst = vec![0xaa; n_bytes];
        if n_bytes > 0 && library::decode(&src, &mut dst).is_ok() && results[0].0.is_ok() {
            prop_assert_eq!(&dst, &results[0].1);
        }
    }
}

/// The bytes that continue a length of `n`, of which the token has counted up to 15.
fn put_long(block: &mut Vec<u8>, n: usize) {
    if n >= 15 {
        block.resize(block.len() + (n - 15) / 255, 255);
        block.push(((n - 15) % 255) as u8);
    }
}

fn put_literals(block: &mut Vec<u8>, literals: &[u8], match_bits: usize) {
    block.push((literals.len().min(15) << 4 | match_bits) as u8);
    put_long(block, literals.len());
    block.extend_from_slice(literals);
}

/// Literals, a match of `n_match` bytes from `offset` back, and literals.
fn block_with_match(before: &[u8], offset: usize, n_match: usize, after: &[u8]) -> Vec<u8> {
    let mut block = vec![];
    put_literals(&mut block, before, (n_match - 4).min(15));
    block.extend_from_slice(&(offset as u16).to_le_bytes());
    put_long(&mut block, n_match - 4);
    put_literals(&mut block, after, 0);
    block
}

/// Long blocks are the library's, which decodes an offset of 0. Its loops for the last 64 bytes and for all before them do
/// so each in its own way: whatever they make of it must be zeros, and not depend on what was there before.
#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn an_offset_of_zero_brings_nothing_to_light() {
    let noise: Vec<u8> = (0..70_000u32).map(|i| (i * 7 % 251 + 1) as u8).collect();
    let near_the_start = (0..9).chain([40]).map(|n| (n, noise.len()));
    let near_the_end = (0..=80).chain([300]).map(|n| (noise.len(), n));
    let mut n_decoded = 0;
    for (before, after) in near_the_start.chain(near_the_end).chain([(noise.len(), noise.len())]) {
        for n_match in [4, 5, 8, 9, 16, 18, 19, 33, 64, 300] {
            let (before, after) = (&noise[..before], &noise[..after]);
            let block = block_with_match(before, 0, n_match, after);
            let expected = [before, &vec![0; n_match], after].concat();
            for held in [0x11, 0xee] {
                let mut dst = vec![held; expected.len()];
                let by_library = library::decode(&block, &mut dst);
                assert!(by_library.is_err() || dst == expected, "{} + {n_match} + {}", before.len(), after.len());
                dst.fill(held);
                let decoded = decode(*Level::available().last().unwrap(), &block, &mut dst);
                assert!(decoded.is_err() || dst == expected, "{} + {n_match} + {}", before.len(), after.len());
                assert_eq!(
                    decoded.is_ok(),
                    by_library.is_ok(),
                    "which decoder has the block depends on its length alone"
                );
                n_decoded += usize::from(decoded.is_ok());
            }
        }
    }
    assert!(n_decoded != 0, "then the library refuses it, and the documents say something else");
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn damaged_blocks_decode_alike_on_all_levels() {
    let src = structured(400, 9);
    let mut block = vec![0; max_encoded_len(src.len())];
    let n_bytes = library::encode(&src, &mut block).expect("there is room");
    for at in 0..n_bytes {
        for value in 0..=255 {
            let mut damaged = block[..n_bytes].to_vec();
            damaged[at] = value;
            let mut first = None;
            for &level in Level::available() {
                let mut dst = vec![0xaa; src.len()];
                let result = decode(level, &damaged, &mut dst).map(|()| dst);
                let with_slack = decode_by_rows(level, &damaged, src.len());
                assert_eq!(with_slack.ok(), result.clone().ok(), "{level:?} byte {at} = {value}");
                assert!(*first.get_or_insert(result.clone()) == result, "{level:?} byte {at} = {value}");
            }
        }
    }
}

/// A block of few bytes for many, cut anywhere: also between the offset of a long match and the byte that continues its
/// length, where fuzzing found a slice that began one byte after the block.
#[test]
fn a_block_that_ends_within_a_long_match_is_truncated() {
    const N_BYTES: usize = 10_240;
    let mut block = vec![];
    for n_match in [9_800, N_BYTES - 9_800 - 2 - 5] {
        put_literals(&mut block, &[1], 15);
        block.extend_from_slice(&[1, 0]);
        put_long(&mut block, n_match - 4);
    }
    put_literals(&mut block, &[1, 1, 1, 1, 1], 0);
    for &level in Level::available() {
        // Rows that are shorter than the match is thought to be then.
        let decode = |block| decode_rows(level, block, &mut vec![0xaa; N_BYTES + SLACK_BYTES], N_BYTES, 8);
        assert!(decode(&block).is_ok(), "{level:?}");
        for n in N_BYTES.div_ceil(255)..block.len() {
            let cut = decode(&block[..n]);
            assert!(matches!(cut, Err(Error::Truncated { .. } | Error::WrongSize { .. })), "{level:?} {n}: {cut:?}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn an_offset_of_zero_in_a_long_block_is_taken_alike_on_all_levels() {
    let block = block_with_match(&[7; 300], 0, 90_000, &[9; 20_000]);
    let results: Vec<_> = Level::available()
        .iter()
        .map(|level| {
            let mut dst = vec![0xaa; 110_300];
            decode(*level, &block, &mut dst).map(|()| dst)
        })
        .collect();
    assert!((110_300 / 240..110_300 / 5).contains(&block.len()), "{} bytes: not a block of runs", block.len());
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn a_block_of_zeros_is_recognised_by_its_exact_size_only() {
    for n_bytes in [64, 278, 279, 280, 281, 5000, 65_536] {
        let mut block = vec![0; 1000];
        let n = encode_byte_plane(&mut Search::new(), Level::SCALAR, 1, &vec![0; n_bytes], &mut block).unwrap();
        assert!(n_bytes % 8 != 0 || is_zeros(&block[..n], n_bytes), "{n_bytes} zeros");
        assert!(!is_zeros(&block[..n], n_bytes - 1) && !is_zeros(&block[..n - 1], n_bytes), "{n_bytes} zeros");
        block[1] = 1;
        assert!(!is_zeros(&block[..n], n_bytes), "{n_bytes} ones");
    }
}
