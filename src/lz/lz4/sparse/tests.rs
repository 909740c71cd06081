use super::super::{library, max_encoded_len};
use super::*;

/// Zeros, and now and then a few bytes, some of them again and again. What a stream of them is like changes with `seed`.
fn mostly_zeros(n_bytes: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let mut bytes = vec![0; n_bytes];
    let mut at = 0;
    loop {
        at += random(if seed.is_multiple_of(3) { 2000 } else { 150 }) as usize;
        let (n, period) = (1 + random(if seed.is_multiple_of(2) { 8 } else { 100 }), 1 + random(50));
        for i in 0..n {
            let Some(byte) = bytes.get_mut(at) else { return bytes };
            *byte = if seed.is_multiple_of(5) { random(256) as u8 } else { (i % period) as u8 };
            at += 1;
        }
    }
}

fn assert_all_zero(sparse: &Sparse, about: &str) {
    let n_lines = sparse.bytes.len() / LINE;
    assert!(sparse.bytes.iter().all(|byte| *byte == 0), "{about}");
    assert!((0..n_lines).all(|line| sparse.marks.word(line) == 0), "{about}");
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn every_level_decodes_what_the_library_encodes_and_marks_what_is_not_zero() {
    for &level in Level::available() {
        let mut sparse = Sparse::default();
        for (seed, n_bytes) in (0..60).flat_map(|seed| [(seed, 100_000), (seed, 4096 + seed as usize)]) {
            let expected = mostly_zeros(n_bytes, seed);
            let mut stored = vec![0; max_encoded_len(n_bytes)];
            let n = library::encode(&expected, &mut stored).unwrap();
            // Any line can be the first of it.
            let start = seed as usize % 3 * LINE;
            sparse.reserve(start + n_bytes);
            sparse.decode(level, &stored[..n], start, n_bytes, 100, || ()).unwrap();
            let about = format!("{level:?} seed {seed}, {n_bytes} bytes");
            assert!(sparse.bytes[start..start + n_bytes] == expected, "{about}");
            for (i, line) in sparse.bytes.chunks(LINE).enumerate() {
                let is_marked = sparse.marks.word(i) & 1 != 0;
                assert!(is_marked || line.iter().all(|byte| *byte == 0), "{about}");
            }
            sparse.clear();
            assert_all_zero(&sparse, &about);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn matches_of_every_length_and_offset_are_copied() {
    for &level in Level::available() {
        let mut sparse = Sparse::default();
        for (offset, len) in (1..140).flat_map(|offset| [4, 18, 31, 32, 33, 63, 64, 65, 200].map(|len| (offset, len))) {
            // The literals are not zero at one place, anywhere; the match begins `offset` before their end.
            for place in [0, offset / 2, offset - 1, 139] {
                let mut literals = [0; 140];
                literals[139 - place] = 7;
                let mut stored = vec![0xff, 140 - 15];
                stored.extend(literals);
                stored.extend([offset as u8, 0]);
                if len < 19 {
                    stored[0] = 0xf0 | (len - 4) as u8;
                } else {
                    stored.push((len - 19) as u8);
                }
                stored.extend([0x50, 1, 2, 3, 4, 5]);
                let n_bytes = 140 + len + 5;
                let mut expected = vec![0; n_bytes];
                super::super::decode(Level::SCALAR, &stored, &mut expected).unwrap();
                sparse.reserve(n_bytes);
                sparse.decode(level, &stored, 0, n_bytes, 100, || ()).unwrap();
                assert_eq!(sparse.bytes[..n_bytes], expected, "{level:?} offset {offset}, {len} bytes, {place}");
                sparse.clear();
                assert_all_zero(&sparse, "cleared");
            }
        }
    }
}

/// Appends a sequence to a stored block.
fn put_sequence(stored: &mut Vec<u8>, literals: &[u8], offset: usize, len: usize) {
    let lengths = |n: usize| {
        let mut bytes = vec![255; n.saturating_sub(15) / 255];
        bytes.extend((n >= 15).then_some((n.saturating_sub(15) % 255) as u8));
        (n.min(15) as u8, bytes)
    };
    let ((high, more_literals), (low, more)) = (lengths(literals.len()), lengths(len - 4));
    stored.push(high << 4 | low);
    stored.extend(more_literals);
    stored.extend(literals);
    stored.extend((offset as u16).to_le_bytes());
    stored.extend(more);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn sequences_of_every_kind_between_others_are_decoded() {
    // Lengths of a vector, of one more byte and of 255 more, and where they get too many.
    let lens = [4, 18, 19, 31, 32, 33, 64, 65, 200, 273, 274, 528, 1803, 1804, 2058, 2059, 5000];
    let mut sparse = Sparse::default();
    let offsets = (1..70).chain([95, 96, 97, 140, 144]).chain((2058..2092).step_by(3));
    for (offset, len) in offsets.flat_map(|offset| lens.map(|len| (offset, len))) {
        // One byte is not zero: of the first that are repeated or the last, and in the middle.
        let n_before = if offset > 140 { 2200 } else { 140 };
        for (n_literals, place) in [0, 1, 14, 15].into_iter().flat_map(|n| [0, 60, 101, 139].map(|place| (n, place))) {
            let mut before = vec![0; n_before];
            before[place * (n_before - 1) / 139] = 7;
            let literals: Vec<u8> = (0..n_literals).map(|i| i % 2 * 9).collect();
            let mut stored = Vec::new();
            put_sequence(&mut stored, &before, 1, 4);
            put_sequence(&mut stored, &literals, offset, len);
            put_sequence(&mut stored, &[1, 2, 3], 100, 40);
            stored.extend([0xf0, 40 - 15]);
            stored.extend(1..=40);
            let n_bytes = n_before + 4 + usize::from(n_literals) + len + 43 + 40;
            let mut expected = vec![0; n_bytes];
            super::super::decode(Level::SCALAR, &stored, &mut expected).unwrap();
            for &level in Level::available() {
                sparse.reserve(n_bytes);
                sparse.decode(level, &stored, 0, n_bytes, 100, || ()).unwrap();
                let about = format!("{level:?} offset {offset}, {len} bytes, {n_literals} literals, {place}");
                assert!(sparse.bytes[..n_bytes] == expected, "{about}");
                sparse.clear();
                assert_all_zero(&sparse, &about);
            }
        }
    }
}

/// Tries blocks of two matches of `len` bytes, the first of which can reach 145 back, with `value` in what is copied.
fn matches_that_leave_the_block_are_refused_at(level: Level, value: u8, len: usize) {
    let (start, n_bytes) = (3 * LINE, 144 + 2 * (1 + len) + 256);
    // By a byte and more before the block, into what was decoded before; after the block, and after all memory.
    for (offset, n_matches, is_good) in [
        (145, 2, true),
        (146, 2, false),
        (200, 2, false),
        (140, 2, true),
        (145, 3 + 256 / len, false),
        (140, 1000, false),
    ] {
        let mut stored = Vec::new();
        put_sequence(&mut stored, &[value; 140], 1, 4);
        (0..n_matches).for_each(|_| put_sequence(&mut stored, &[value], offset, len));
        stored.extend([0xf0, 241]);
        stored.extend([9; 256]);
        let mut expected = vec![0; n_bytes];
        let result = super::super::decode(Level::SCALAR, &stored, &mut expected);
        let mut sparse = Sparse::default();
        sparse.reserve(start + n_bytes);
        sparse.bytes[..LINE].fill(3);
        sparse.marks.as_mut().set(0, u32::MAX);
        let decoded = sparse.decode(level, &stored, start, n_bytes, 100, || ());
        let about = format!("{level:?} offset {offset}, {n_matches} matches of {len} bytes, {value}");
        assert_eq!((decoded.is_ok(), result.is_ok()), (is_good, is_good), "{about}");
        assert!(!is_good || sparse.bytes[start..start + n_bytes] == expected, "{about}");
        sparse.clear();
        assert_all_zero(&sparse, &about);
    }
}

#[test]
fn matches_that_leave_the_block_are_refused() {
    let lens: &[usize] = if cfg!(miri) { &[25] } else { &[6, 25, 200, 1799] };
    for &level in Level::available() {
        for (value, len) in [0, 7].into_iter().flat_map(|value| lens.iter().map(move |len| (value, *len))) {
            matches_that_leave_the_block_are_refused_at(level, value, len);
        }
    }
}

/// Enough stands after the match for a sequence as it usually is.
#[test]
fn a_match_may_end_with_the_block_and_not_one_byte_after() {
    for &level in Level::available() {
        for len in [4, 18, 19, 40, 300] {
            let mut stored = Vec::new();
            put_sequence(&mut stored, &[5; 20], 1, 4);
            put_sequence(&mut stored, &[], 10, len);
            put_sequence(&mut stored, &[], 10, 300);
            stored.extend([0xf0, 60]);
            stored.extend([1; 75]);
            for n_bytes in [24 + len - 1, 24 + len] {
                let (mut sparse, mut expected) = (Sparse::default(), vec![0; n_bytes]);
                sparse.reserve(n_bytes);
                let found = sparse.decode(level, &stored, 0, n_bytes, 100, || ());
                assert_eq!(
                    found,
                    super::super::decode(Level::SCALAR, &stored, &mut expected),
                    "{level:?} {len} in {n_bytes}"
                );
                assert!(found.is_err());
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn what_is_to_be_done_meanwhile_is_done_once_a_stretch() {
    let n_bytes = 200_000;
    let mut stored = vec![0; max_encoded_len(n_bytes)];
    let n = library::encode(&mostly_zeros(n_bytes, 2), &mut stored).unwrap();
    assert!(n > 5000, "{n} bytes");
    for &level in Level::available() {
        let mut sparse = Sparse::default();
        sparse.reserve(n_bytes);
        for stretch in [1, 100, 1000, n - 1, n] {
            let mut n_done = 0;
            sparse.decode(level, &stored[..n], 0, n_bytes, stretch, || n_done += 1).unwrap();
            sparse.clear();
            // The last sequence begins before the end.
            assert!((n - 20) / stretch <= n_done && n_done <= n / stretch, "{level:?} {stretch}: {n_done} of {n}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn damaged_blocks_decode_as_elsewhere_and_leave_nothing() {
    let n_bytes = 3000;
    let mut stored = vec![0; max_encoded_len(n_bytes)];
    let n = library::encode(&mostly_zeros(n_bytes, 4), &mut stored).unwrap();
    stored.truncate(n);
    let truncated = (0..n).map(|len| stored[..len].to_vec());
    let changed = (0..n).flat_map(|at| [1, 0x10, 0x80, 0xff].map(|bits| (at, bits))).map(|(at, bits)| {
        let mut stored = stored.clone();
        stored[at] ^= bits;
        stored
    });
    let blocks: Vec<Vec<u8>> = truncated.chain(changed).collect();
    for &level in Level::available() {
        let mut sparse = Sparse::default();
        sparse.reserve(n_bytes);
        for (i, stored) in blocks.iter().enumerate() {
            let mut expected = vec![0; n_bytes];
            let result = super::super::decode(Level::SCALAR, stored, &mut expected);
            assert_eq!(
                sparse.decode(level, stored, 0, n_bytes, 100, || ()).is_ok(),
                result.is_ok(),
                "{level:?} block {i}"
            );
            assert!(result.is_err() || sparse.bytes[..n_bytes] == expected, "{level:?} block {i}");
            sparse.clear();
            assert_all_zero(&sparse, "cleared");
        }
    }
}
