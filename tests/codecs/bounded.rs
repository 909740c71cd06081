//! The bounded codec keeps its promise, whatever the pixels are.

use crate::bounded_chunks::*;
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk::kernels::quantise::Bound;
#[test]
fn no_pixel_is_further_off_than_was_promised() {
    for_all(|codec, given, element, shape, src| {
        let chunk = encode(codec, src);
        let decoded = decode(codec, &chunk);
        let bound = codec.bound();
        assert!(bound != Bound::Exact || decoded == src, "{given:?} {element} {shape:?}");
        let (saturation, options) = (given.get(10).copied().unwrap_or(0), given.get(8).copied().unwrap_or(0));
        let keeps_negative = options & 4 != 0 || element.n_bytes == 4 && options & 8 == 0;
        let sentinel = (element.class == ElementClass::Unsigned && element.n_bytes > 1).then(|| range(element).1);
        for (x, y) in values(element, src).into_iter().zip(values(element, &decoded)) {
            let is_exact = x == 0
                || Some(x) == sentinel
                || saturation > 0 && x >= saturation.into()
                || keeps_negative && x < 0
                || options & 2 != 0 && y == 0;
            let most = if is_exact { 0 } else { bound.tolerance(x) };
            assert!((y - x).abs() <= most, "{given:?} {element} {shape:?}: {x} became {y}, {most} off at most");
        }
    });
}

#[test]
fn the_report_says_what_became_of_the_promise() {
    for_all(|codec, given, element, shape, src| {
        let chunk = encode(codec, src);
        let report = Bounded::report(&chunk).expect("a sound chunk");
        assert_eq!((report.bound, report.n_frames), (codec.bound(), shape[0]));
        let achieved = report.achieved;
        assert!(!achieved.has_failed, "{given:?} {element} {shape:?}");
        let pairs: Vec<_> = values(element, src).into_iter().zip(values(element, &decode(codec, &chunk))).collect();
        let errors = || pairs.iter().map(|(x, y)| y - x);
        // A chunk with raw frames has fewer errors than it says.
        if errors().any(|error| error != 0) && shape[0] == 1 {
            assert_eq!(
                i64::from(achieved.most),
                errors().map(i64::abs).max().unwrap(),
                "{given:?} {element} {shape:?}"
            );
            assert_eq!(achieved.sum, errors().sum::<i64>());
            let squares = errors().map(|error| u128::from(error.unsigned_abs()).pow(2)).sum::<u128>();
            assert_eq!(u128::from(achieved.sum_of_squares), squares.min(u64::MAX.into()));
            assert_eq!(achieved.n_to_zero as usize, pairs.iter().filter(|(x, y)| *x != 0 && *y == 0).count());
        }
        assert!(errors().map(i64::abs).max() <= Some(achieved.most.into()));
        assert_eq!(achieved.n_from_zero, 0, "0 stays 0");
    });
}

#[test]
fn no_chunk_grows_by_more_than_was_said() {
    for_all(|codec, given, element, shape, src| {
        let chunk = encode(codec, src);
        assert!(chunk.len() <= src.len() + 110 + 9 * shape[0], "{given:?} {element} {shape:?}: {} bytes", chunk.len());
    });
}

#[test]
fn a_noise_image_of_sparse_photons_is_sparse() {
    let (element, shape) = (ElementType::U32, if cfg!(miri) { [1, 8, 64] } else { [1, 128, 256] });
    let src = image("sparse", &element, shape);
    let codec = codec(&[], element, shape);
    let chunk = encode(&codec, &src);
    assert!(chunk.len() * if cfg!(miri) { 2 } else { 30 } < src.len(), "{} of {}", chunk.len(), src.len());
}

#[test]
fn a_constant_frame_is_a_few_bytes() {
    let (element, shape) = (ElementType::U32, [3, 100, 100]);
    let codec = codec(&[1, 3], element, shape);
    let src = image("constant", &element, shape);
    assert!(encode(&codec, &src).len() < 250);
    assert_eq!(values(&element, &decode(&codec, &encode(&codec, &src))), [77; 30_000]);
}

/// Bounds whose levels fall on sentinels, in all kinds.
const NEAR: [&[u32]; 7] = [
    &[1, 4],
    &[1, 4, 0, 0, 0, 0, 0, 0, 1],
    &[1, 300, 0, 0, 0, 0, 0, 0, 2],
    &[1, 7, 0, 0, 0, 0, 0, 0, 3, 2],
    &[2, 1],
    &[2, 1, 1, 41, 20, 98, 47, 10, 1, 3],
    &[1, u32::MAX],
];

#[test]
fn no_measured_pixel_becomes_a_sentinel() {
    let shape = [2, 9, 32];
    for parts in TYPES {
        let element = element(parts);
        let (least, most) = range(&element);
        for (n, given) in NEAR.iter().enumerate() {
            for named in [None, Some([most - 1, 45]), Some([9, least]), Some([100, 120])] {
                for spread in [3, 12, 1000] {
                    let mut values_given = given.to_vec();
                    values_given.resize(11, 0);
                    let fill = 27;
                    values_given.extend([1, 0, 0, 0, 0, fill]);
                    let named_bits: Vec<u32> = named.iter().flatten().map(|x| *x as u32).collect();
                    values_given.push(named_bits.len() as u32);
                    values_given.extend(&named_bits);
                    let mut layout = ChunkLayout::new(element, shape.map(|n| n as u64).to_vec());
                    layout.fill = Some(fill);
                    let stored = Bounded::localise(&values_given, &layout).unwrap();
                    let codec = Bounded::from_cd_values(&stored).unwrap();
                    let usual = (element.class == ElementClass::Unsigned && element.n_bytes > 1).then_some(most);
                    let mut sentinels: Vec<i64> = named.map_or_else(|| Vec::from_iter(usual), Vec::from);
                    sentinels.push(fill.into());
                    near_sentinels(&codec, &element, &sentinels, (n as u64 * 31 + 7, spread));
                }
            }
        }
    }
}

/// Pixels about the sentinels: these stay, no other becomes one, and all are within the bound.
fn near_sentinels(codec: &Bounded, element: &ElementType, sentinels: &[i64], (seed, spread): (u64, u64)) {
    let mut random = Random(seed);
    let (least, most) = range(element);
    let pixels: Vec<i64> = (0..2 * 9 * 32)
        .map(|_| {
            let near = sentinels[random.next(sentinels.len() as u64) as usize];
            (near + random.next(2 * spread).cast_signed() - spread.cast_signed()).clamp(least, most)
        })
        .collect();
    let bytes = |pixel: &i64| match element.order {
        ByteOrder::Little => pixel.to_le_bytes()[..element.n_bytes].to_vec(),
        ByteOrder::Big => pixel.to_be_bytes()[8 - element.n_bytes..].to_vec(),
    };
    let src: Vec<u8> = pixels.iter().flat_map(bytes).collect();
    let chunk = encode(codec, &src);
    assert!(!Bounded::report(&chunk).unwrap().achieved.has_failed, "{codec:?}");
    for (x, y) in pixels.into_iter().zip(values(element, &decode(codec, &chunk))) {
        let is_kept = |value| sentinels.contains(&value);
        assert!(x == y || !is_kept(x) && !is_kept(y), "{codec:?}: {x} became {y}");
        assert!((x - y).abs() <= codec.bound().tolerance(x), "{codec:?}: {x} became {y}");
    }
}

#[test]
fn a_pixel_next_to_a_sentinel_costs_no_more_than_its_mask() {
    let (element, shape) = (ElementType::U16, [1, 64, 64]);
    let codec = codec(&[1, 4], element, shape);
    let mut random = Random(5);
    let mut pixels: Vec<u16> = (0..64 * 64).map(|_| random.counts(100) as u16).collect();
    let size = |pixels: &[u16]| {
        let src: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
        let chunk = encode(&codec, &src);
        (chunk.len(), values(&element, &decode(&codec, &chunk)))
    };
    let (without, _) = size(&pixels);
    pixels[1000] = 65_534;
    pixels[2000] = 65_535;
    let (with, decoded) = size(&pixels);
    assert_eq!((decoded[1000], decoded[2000]), (65_534, 65_535));
    assert!(with < without + 40, "{with} after {without} bytes");
}

/// Frames large enough for as many lanes as there are, of rows that do not divide by them.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn every_level_stores_the_same_bytes_and_reads_them() {
    let shape = [2, 110, 331];
    for (n, kind) in ["counts", "hot", "masked", "negative", "noise", "sparse"].into_iter().enumerate() {
        for parts in [TYPES[n % 2], TYPES[2 + n % 4], TYPES[6 + n % 4]] {
            let element = element(parts);
            let src = image(kind, &element, shape);
            for given in given().iter().skip(n % 3).step_by(3) {
                let codec = codec(given, element, shape);
                let stored = encode_at(&codec, Level::SCALAR, &src);
                let decoded = decode_at(&codec, Level::SCALAR, &stored);
                for level in Level::available() {
                    let what = format!("{level:?} {kind} {element} {given:?}");
                    assert!(encode_at(&codec, *level, &src) == stored, "stored by {what}");
                    assert!(decode_at(&codec, *level, &stored) == decoded, "read by {what}");
                }
            }
        }
    }
}
