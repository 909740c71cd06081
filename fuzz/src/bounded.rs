//! What the bounded codec promises, by a stored chunk's own account.

use darkchunk::codec::bounded::{Bounded, Report};
use darkchunk::kernels::quantise::Bound;

/// Where a chunk says what its elements are.
const ELEMENT_AT: usize = 5;

/// Bytes, whether signed, and whether big-endian, by the codes of `docs/format.md`.
const ELEMENTS: [(usize, bool, bool); 12] = [
    (2, true, false),
    (2, true, true),
    (2, false, false),
    (2, false, true),
    (1, true, false),
    (1, false, false),
    (4, true, false),
    (4, true, true),
    (4, false, false),
    (4, false, true),
    (4, false, false),
    (4, false, true),
];

/// Fails where a pixel of `decoded` is further from that of `content` than `chunk` says.
pub fn assert_kept(chunk: &[u8], content: &[u8], decoded: &[u8]) {
    let report = Bounded::report(chunk).expect("the front of an encoded chunk");
    let (n_bytes, is_signed, is_big_endian) = ELEMENTS[usize::from(chunk[ELEMENT_AT]) - 1];
    let value = |pixel: &[u8]| {
        let ordered: Vec<u8> = if is_big_endian { pixel.to_vec() } else { pixel.iter().rev().copied().collect() };
        let first = if is_signed { i64::from(ordered[0].cast_signed()) } else { i64::from(ordered[0]) };
        ordered[1..].iter().fold(first, |value, byte| value << 8 | i64::from(*byte))
    };
    for (x, y) in content.chunks_exact(n_bytes).map(value).zip(decoded.chunks_exact(n_bytes).map(value)) {
        if report.achieved.float.is_some() {
            assert_float_kept(&report, x as u32, y as u32);
        } else {
            assert!((y - x).abs() <= report.bound.tolerance(x), "{x} became {y}, with {:?}", report.bound);
        }
    }
}

/// The same of float32, given as bits.
fn assert_float_kept(report: &Report, x: u32, y: u32) {
    let number = |bits| f64::from(f32::from_bits(bits));
    let most = report.achieved.float.map_or(0.0, |float| float.tolerance);
    if let Bound::AbsoluteFloat(asked) = report.bound {
        assert!(most <= asked, "the chunk allows {most}, with {:?}", report.bound);
    }
    let is_kept = x == y || (number(y) - number(x)).abs() <= most;
    assert!(is_kept, "{} became {}, with {:?}", number(x), number(y), report.bound);
}

#[cfg(test)]
mod tests {
    use super::*;
    use darkchunk::Exec;
    use darkchunk::codec::{ChunkLayout, Codec};
    use darkchunk::element::ElementType;

    #[test]
    #[should_panic(expected = "7 became 12")]
    fn a_pixel_that_is_too_far_off_fails() {
        let values = Bounded::localise(&[1, 4], &ChunkLayout::new(ElementType::U16, vec![1, 4, 4])).unwrap();
        let codec = Bounded::from_cd_values(&values).unwrap();
        let content = [7, 0].repeat(16);
        let mut chunk = vec![0; codec.max_encoded_len(content.len())];
        let n_bytes = codec.encode(Exec::current(), &content, &mut chunk).unwrap();
        let chunk = &chunk[..n_bytes];
        assert_kept(chunk, &content, &[11, 0].repeat(16));
        assert_kept(chunk, &content, &[12, 0].repeat(16));
    }
}
