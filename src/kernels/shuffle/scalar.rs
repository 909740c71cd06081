//! The specification: one byte at a time.

use super::marks::GROUP_ELEMENTS;

/// See [`super::shuffle`].
pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    let n_elements = src.len() / element_size;
    for byte in 0..element_size {
        for element in 0..n_elements {
            dst[byte * n_elements + element] = src[element * element_size + byte];
        }
    }
}

/// See [`super::unshuffle_marked`].
pub(super) fn unshuffle_marked(element_size: usize, marks: &[u64], src: &[u8], dst: &mut [u8]) {
    let n_elements = src.len() / element_size;
    for group in (0..64 * marks.len()).filter(|group| marks[group / 64] >> (group % 64) & 1 != 0) {
        for byte in 0..element_size {
            for element in group * GROUP_ELEMENTS..(group + 1) * GROUP_ELEMENTS {
                dst[element * element_size + byte] = src[byte * n_elements + element];
            }
        }
    }
}

/// See [`super::unshuffle`].
pub(super) fn unshuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    let n_elements = src.len() / element_size;
    for byte in 0..element_size {
        for element in 0..n_elements {
            dst[element * element_size + byte] = src[byte * n_elements + element];
        }
    }
}
