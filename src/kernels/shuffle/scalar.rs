//! The specification: one byte at a time.

/// See [`super::shuffle`].
pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8]) {
    let n_elements = src.len() / element_size;
    for byte in 0..element_size {
        for element in 0..n_elements {
            dst[byte * n_elements + element] = src[element * element_size + byte];
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
