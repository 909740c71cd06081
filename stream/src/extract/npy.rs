//! The header of a numpy array.

use darkchunk_hdf5::number::NumberType;

/// What stands before the elements, in the order of C.
pub(super) fn header(number: &NumberType, shape: &[u64]) -> Vec<u8> {
    const ALIGNMENT: usize = 64;
    const BEGIN: usize = 10;
    let dims: String = shape.iter().map(|dim| format!("{dim},")).collect();
    let mut text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({dims}), }}", number.numpy());
    let n_bytes = (BEGIN + text.len() + 1).next_multiple_of(ALIGNMENT) - BEGIN;
    text += &" ".repeat(n_bytes - 1 - text.len());
    text.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // 32 axes of 20 digits fit.
    header.extend((n_bytes as u16).to_le_bytes());
    header.extend(text.as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkchunk::element::ByteOrder;
    use darkchunk_hdf5::number::NumberClass;

    #[test]
    fn the_header_is_aligned_and_says_what_follows() {
        let number = NumberType { class: NumberClass::Unsigned, n_bytes: 2, order: ByteOrder::Big };
        for shape in [&[][..], &[5], &[10, 1024, 1024]] {
            let header = header(&number, shape);
            assert_eq!((header.len() % 64, header.last()), (0, Some(&b'\n')));
            assert_eq!(usize::from(u16::from_le_bytes([header[8], header[9]])) + 10, header.len());
        }
        let text = String::from_utf8_lossy(&header(&number, &[5])).into_owned();
        assert!(text.contains("'descr': '>u2'") && text.contains("'shape': (5,)"), "{text}");
    }
}
