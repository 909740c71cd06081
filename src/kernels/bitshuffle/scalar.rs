//! The specification: one group of 8 elements at a time, one 8x8 bit matrix for each byte of the element.

use super::GROUP_ELEMENTS;

/// See [`super::transpose`].
pub(super) fn transpose(element_size: usize, src: &[u8], dst: &mut [u8]) {
    let n_groups = src.len() / (GROUP_ELEMENTS * element_size);
    for byte in 0..element_size {
        for group in 0..n_groups {
            let columns: [u8; GROUP_ELEMENTS] =
                std::array::from_fn(|i| src[(group * GROUP_ELEMENTS + i) * element_size + byte]);
            let rows = transpose_8x8(u64::from_le_bytes(columns)).to_le_bytes();
            for (bit, row) in rows.into_iter().enumerate() {
                dst[(byte * 8 + bit) * n_groups + group] = row;
            }
        }
    }
}

/// See [`super::inverse_rows`].
pub(super) fn inverse(element_size: usize, src: &[u8], n_rows: usize, dst: &mut [u8]) {
    let n_groups = src.len() / (GROUP_ELEMENTS * element_size);
    for byte in 0..element_size {
        for group in 0..n_groups {
            let rows: [u8; 8] = std::array::from_fn(|bit| src[(byte * 8 + bit).min(n_rows - 1) * n_groups + group]);
            let columns = transpose_8x8(u64::from_le_bytes(rows)).to_le_bytes();
            for (i, column) in columns.into_iter().enumerate() {
                dst[(group * GROUP_ELEMENTS + i) * element_size + byte] = column;
            }
        }
    }
}

/// Bit `i` of byte `j` changes places with bit `j` of byte `i`: by 1x1, then 2x2, then 4x4 squares off the diagonal.
fn transpose_8x8(x: u64) -> u64 {
    let x = delta_swap(x, 0x00AA_00AA_00AA_00AA, 7);
    let x = delta_swap(x, 0x0000_CCCC_0000_CCCC, 14);
    delta_swap(x, 0x0000_0000_F0F0_F0F0, 28)
}

/// Exchanges the bits under `mask` with those `shift` places above.
fn delta_swap(x: u64, mask: u64, shift: u32) -> u64 {
    let difference = (x ^ (x >> shift)) & mask;
    x ^ difference ^ (difference << shift)
}
