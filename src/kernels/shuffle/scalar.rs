//! The specification: one byte at a time.

/// Shuffles the elements from `first` on. `first` is how a vector kernel hands over its tail.
pub(super) fn shuffle(element_size: usize, src: &[u8], dst: &mut [u8], first: usize) {
    let n_elements = src.len() / element_size;
    for byte in 0..element_size {
        for element in first..n_elements {
            dst[byte * n_elements + element] = src[element * element_size + byte];
        }
    }
}

/// The inverse of [`shuffle`], for the elements from `first` on.
pub(super) fn unshuffle(element_size: usize, src: &[u8], dst: &mut [u8], first: usize) {
    let n_elements = src.len() / element_size;
    for byte in 0..element_size {
        for element in first..n_elements {
            dst[element * element_size + byte] = src[byte * n_elements + element];
        }
    }
}
