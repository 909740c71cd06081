//! The bounded codec's parameters.

use crate::bounded_chunks::*;
use darkchunk::Error;
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::element::{ElementClass, ElementType};
#[test]
fn stored_parameters_given_again_are_the_same() {
    for element in TYPES.map(element) {
        let mut layout = ChunkLayout::new(element, vec![4, 20, 30]);
        layout.fill = Some(7);
        for given in given() {
            let stored = Bounded::localise(&given, &layout).unwrap();
            assert_eq!(Bounded::localise(&stored, &layout), Ok(stored.clone()));
            let codec = Bounded::from_cd_values(&stored).unwrap();
            assert_eq!(codec.cd_values(&layout), Ok(stored.clone()));
            assert_eq!(codec.chunk_bytes(), Some(4 * 20 * 30 * element.n_bytes));
            let other = Bounded::localise(&stored, &ChunkLayout::new(element, vec![9, 9])).unwrap();
            assert_eq!(&other[13..16], [9, 9, 81 * element.n_bytes as u32]);
        }
    }
}

#[test]
fn named_sentinels_and_the_fill_value_are_kept() {
    let (element, shape) = (ElementType::I16, [2, 9, 20]);
    let mut layout = ChunkLayout::new(element, shape.map(|n| n as u64).to_vec());
    layout.fill = Some(0x7ffe);
    let given = [1, 500, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, (-1_i32).cast_unsigned(), 0xfffe];
    let codec = Bounded::from_cd_values(&Bounded::localise(&given, &layout).unwrap()).unwrap();
    let mut random = Random(3);
    let pixels: Vec<i16> = (0..360).map(|_| [-1, -2, 0x7ffe, -3, 9, 700][random.next(6) as usize]).collect();
    let src: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    let decoded = values(&element, &decode(&codec, &encode(&codec, &src)));
    let kept = pixels.iter().zip(&decoded).filter(|(x, _)| [-1, -2, 0x7ffe].contains(*x));
    assert!(kept.into_iter().all(|(x, y)| i64::from(*x) == *y));
    assert!(decoded.contains(&0), "-3 and 9 are within 500 of it");
}

#[test]
fn sentinels_that_the_elements_cannot_have_are_refused_with_a_text() {
    let float = ElementType { class: ElementClass::Float, ..ElementType::I32 };
    let refused = |element, kind, sentinel| {
        let given = [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, kind, 0, 0, 0, 0, 1, sentinel];
        let stored = Bounded::localise(&given, &ChunkLayout::new(element, vec![4, 20, 30]));
        stored.map(|values| values[18]).map_err(|error| error.to_string())
    };
    let (half, minus) = (0.5_f32.to_bits(), (-1_i32).cast_unsigned());
    for (element, sentinel) in [(ElementType::U16, half), (ElementType::I16, half), (ElementType::U16, minus)] {
        let text = refused(element, 0, sentinel).unwrap_err();
        assert!(text.contains("no value of the element type") && text.contains(&sentinel.to_string()), "{text}");
    }
    assert_eq!(refused(ElementType::I16, 0, minus), Ok(minus));
    assert_eq!(refused(ElementType::I16, 7, 0xffff), Ok(minus), "16 bits are extended");
    assert_eq!(refused(float, 0, half), Ok(half));
    assert_eq!(refused(float, 11, half), Ok(half));
    assert!(refused(ElementType::I32, 11, half).unwrap_err().contains("give them as integers"));
    assert!(refused(float, 7, minus).unwrap_err().contains("give them as float32"));
    assert_eq!(refused(ElementType::I32, 0, half), Ok(half), "their kind is not said");
}

#[test]
fn parameters_that_mean_nothing_are_refused() {
    let layout = ChunkLayout::new(ElementType::U16, vec![4, 20, 30]);
    let wrong: [&[u32]; 11] = [
        &[5],
        &[0, 1],
        &[1, 1, 1],
        &[2, 0],
        &[2, 1, 65_536],
        &[2, 70_000],
        &[2, 1, 1, 1, 1, 0, 0, 65_536],
        &[0, 0, 0, 0, 0, 0, 0, 0, 32],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 4],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8],
    ];
    for given in wrong {
        assert!(matches!(Bounded::localise(given, &layout), Err(Error::Parameter { .. })), "{given:?}");
    }
    assert!(Bounded::localise(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], &layout).is_err());
    let floats = ElementType { class: ElementClass::Other, ..ElementType::I32 };
    let text = Bounded::localise(&[], &ChunkLayout::new(floats, vec![4])).unwrap_err().to_string();
    assert!(text.contains("integers"), "{text}");
    let after = ChunkLayout { resized_before: true, ..layout };
    assert!(Bounded::localise(&[], &after).is_err());
}
