//! Scalar against the definition, bit by bit; every level against scalar.

use super::*;

/// Bytes that look random and are the same every time (an xorshift generator).
fn noise(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(n_bytes).collect()
}

/// The definition, one bit at a time.
fn by_definition(element_size: usize, src: &[u8]) -> Vec<u8> {
    let n_elements = src.len() / element_size;
    let mut dst = vec![0; src.len()];
    for row in 0..8 * element_size {
        for element in 0..n_elements {
            let bit = src[element * element_size + row / 8] >> (row % 8) & 1;
            dst[row * (n_elements / 8) + element / 8] |= bit << (element % 8);
        }
    }
    dst
}

const SIZES: [usize; 12] = [1, 2, 3, 4, 6, 7, 8, 12, 16, 33, 100, 257];

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn scalar_is_the_definition() {
    for element_size in SIZES {
        for n_groups in [0, 1, 2, 5] {
            let src = noise(n_groups * 8 * element_size, element_size as u64);
            let mut dst = vec![0xA5; src.len()];
            transpose(Level::SCALAR, element_size, &src, &mut dst);
            assert_eq!(dst, by_definition(element_size, &src), "element_size={element_size} n_groups={n_groups}");
            let mut back = vec![0x5A; src.len()];
            inverse(Level::SCALAR, element_size, &dst, &mut back);
            assert_eq!(back, src, "element_size={element_size} n_groups={n_groups}");
        }
    }
}

#[test]
#[should_panic(expected = "no whole groups")]
fn elements_that_fill_no_group_are_refused() {
    transpose(Level::SCALAR, 2, &[0; 18], &mut [0; 18]);
}

#[test]
#[should_panic(expected = "bytes in")]
fn another_output_length_is_refused() {
    inverse(Level::SCALAR, 2, &[0; 16], &mut [0; 32]);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn every_level_agrees_with_scalar() {
    for &level in Level::available() {
        for element_size in (1..=33).chain([64, 100, 255, 256, 300]) {
            let max_groups = if element_size <= 4 { 200 } else { 80 };
            for n_groups in 0..=max_groups {
                let src = noise(n_groups * 8 * element_size, 3);
                let mut expected = vec![0x5A; src.len()];
                scalar::transpose(element_size, &src, &mut expected);
                let mut dst = vec![0xA5; src.len()];
                transpose(level, element_size, &src, &mut dst);
                assert!(dst == expected, "{level:?} element_size={element_size} n_groups={n_groups}");
                dst.fill(0xA5);
                inverse(level, element_size, &expected, &mut dst);
                assert!(dst == src, "inverse {level:?} element_size={element_size} n_groups={n_groups}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn rows_after_the_last_are_like_it_and_are_not_read() {
    for &level in Level::available() {
        for element_size in [1, 2, 3, 4, 8, 12, 17] {
            for n_groups in [1, 17, 64, 65, 200] {
                for (n_rows, fill) in
                    (1..=8 * element_size).flat_map(|n| [None, Some(0), Some(0xFF)].map(|fill| (n, fill)))
                {
                    let mut rows = noise(n_groups * 8 * element_size, 5);
                    let last = (n_rows - 1) * n_groups..n_rows * n_groups;
                    if let Some(fill) = fill {
                        rows[last.clone()].fill(fill);
                    }
                    if fill == Some(0xFF) {
                        rows[..last.start].fill(0);
                    }
                    let mut whole = rows.clone();
                    for row in n_rows..8 * element_size {
                        whole.copy_within(last.clone(), row * n_groups);
                    }
                    let expected = {
                        let mut expected = vec![0x5A; rows.len()];
                        scalar::inverse(element_size, &whole, 8 * element_size, &mut expected);
                        expected
                    };
                    let mut dst = vec![0xA5; rows.len()];
                    inverse_rows(level, element_size, &rows, n_rows, &mut dst);
                    assert!(dst == expected, "{level:?} {element_size} {n_groups} {n_rows} {fill:?}");
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn one_bit_among_zeros_is_found_wherever_it_is() {
    for (&level, element_size) in Level::available().iter().flat_map(|level| [1, 2, 4, 8].map(|size| (level, size))) {
        let mut src = vec![0; 72 * 8 * element_size];
        for at in 0..src.len() {
            src[at] = 1 << ((at + at / 8) % 8);
            let mut expected = vec![0x5A; src.len()];
            scalar::transpose(element_size, &src, &mut expected);
            let mut dst = vec![0xA5; src.len()];
            transpose(level, element_size, &src, &mut dst);
            assert!(dst == expected, "{level:?} element_size={element_size} byte {at}");
            let mut back = vec![0x5A; src.len()];
            inverse(level, element_size, &dst, &mut back);
            assert!(back == src, "{level:?} element_size={element_size} byte {at}, back");
            src[at] = 0;
        }
    }
}

#[cfg(all(unix, not(miri)))]
#[test]
fn no_kernel_touches_a_byte_outside() {
    use crate::kernels::guarded::Guarded;
    let (mut from, mut to) = (Guarded::new(1 << 16), Guarded::new(1 << 16));
    for (&level, at_end) in Level::available().iter().flat_map(|level| [(level, false), (level, true)]) {
        for element_size in [1, 2, 3, 4, 5, 8, 11, 16, 17, 33] {
            for n_groups in [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100] {
                let elements = noise(n_groups * 8 * element_size, 7);
                let src = from.bytes(elements.len(), at_end);
                src.copy_from_slice(&elements);
                let dst = to.bytes(elements.len(), at_end);
                transpose(level, element_size, src, dst);
                inverse(level, element_size, dst, src);
                assert!(src == elements, "{level:?} element_size={element_size} n_groups={n_groups}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn where_a_buffer_starts_does_not_matter() {
    for &level in Level::available() {
        for (start, element_size) in (0..64).flat_map(|start| [1, 2, 3, 4, 8, 16].map(|size| (start, size))) {
            let src = noise(start + 72 * 8 * element_size, 11);
            let mut expected = vec![0; src.len() - start];
            scalar::transpose(element_size, &src[start..], &mut expected);
            let mut dst = vec![0xA5; src.len() + 1];
            transpose(level, element_size, &src[start..], &mut dst[start + 1..]);
            assert!(dst[start + 1..] == expected, "{level:?} start={start} element_size={element_size}");
            assert!(dst[..=start].iter().all(|&byte| byte == 0xA5), "{level:?} start={start}");
        }
    }
}
