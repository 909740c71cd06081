//! The bounded codec keeps its promise for float32, whatever the pixels are.

use crate::bounded_chunks::{MEAN, NONE, PREVIOUS, Random, decode, decode_at, encode, encode_at};
use darkchunk::Error;
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementType};
use darkchunk::kernels::quantise::Bound;

const IMAGES: [&str; 14] = [
    "constant",
    "extremes",
    "phase",
    "sparse",
    "outliers",
    "ramp",
    "bits",
    "masked",
    "payloads",
    "subnormal",
    "exponents",
    "counts",
    "zeros",
    "infinities",
];

/// A pixel of a kind of image.
fn pixel(kind: &str, random: &mut Random, (t, y, x): (usize, usize, usize)) -> f32 {
    let smooth = ((x as f32 / 17.0).sin() + (y as f32 / 9.0).cos()) * 0.3 + t as f32 * 0.01;
    let noise = random.next(1 << 20) as f32 / (1 << 20) as f32 - 0.5;
    let any = |random: &mut Random| f32::from_bits((random.next(1 << 31) * 2 + random.next(2)) as u32);
    match kind {
        "constant" => 77.25,
        "extremes" => {
            if (x + y + t).is_multiple_of(2) {
                f32::MIN
            } else {
                f32::MAX
            }
        }
        "sparse" if random.next(60) != 0 => 0.0,
        "outliers" if random.next(300) == 0 => any(random),
        "ramp" => x as f32 * 2000.0 + y as f32 * 300.0 - 20_000.0,
        "bits" => any(random),
        "masked" if x % 11 == 3 || random.next(50) == 0 => f32::NAN,
        "payloads" if random.next(9) == 0 => f32::from_bits(0x7f80_0001 + random.next(50) as u32),
        "subnormal" => f32::from_bits(random.next(1 << 23) as u32 | (random.next(2) as u32) << 31),
        "exponents" => noise * 10_f32.powi(random.next(70) as i32 - 35),
        "counts" => random.counts(20) as f32,
        "zeros" => [0.0, -0.0, 1e-30, -1e-3][random.next(4) as usize],
        "infinities" if random.next(40) == 0 => [f32::INFINITY, f32::NEG_INFINITY][random.next(2) as usize],
        _ => smooth + noise * 0.05,
    }
}

fn image(kind: &str, element: &ElementType, [n_frames, height, width]: [usize; 3]) -> Vec<u8> {
    let mut random = Random(kind.len() as u64);
    let mut bytes = Vec::new();
    for at in 0..n_frames * height * width {
        let number = pixel(kind, &mut random, (at / width / height, at / width % height, at % width));
        bytes.extend(if element.order == ByteOrder::Big { number.to_be_bytes() } else { number.to_le_bytes() });
    }
    bytes
}

fn numbers(element: &ElementType, bytes: &[u8]) -> Vec<f32> {
    let number = |bytes: &[u8; 4]| match element.order {
        ByteOrder::Little => f32::from_le_bytes(*bytes),
        ByteOrder::Big => f32::from_be_bytes(*bytes),
    };
    bytes.as_chunks().0.iter().map(number).collect()
}

fn with(bound: [u32; 3], options: u32, reference: u32) -> Vec<u32> {
    let mut values = bound.to_vec();
    values.resize(8, 0);
    values.extend([options, reference]);
    values
}

fn with_sentinels(bound: [u32; 3], sentinels: &[f32]) -> Vec<u32> {
    let mut values = with(bound, 16, 0);
    values.extend([0, 1, 0, 0, 0, 0, 0, sentinels.len() as u32]);
    values.extend(sentinels.iter().map(|sentinel| sentinel.to_bits()));
    values
}

fn absolute(error: f64) -> [u32; 3] {
    [3, error.to_bits() as u32, (error.to_bits() >> 32) as u32]
}

fn relative(share: f64) -> [u32; 3] {
    [4, share.to_bits() as u32, (share.to_bits() >> 32) as u32]
}

fn given() -> Vec<Vec<u32>> {
    vec![
        vec![],
        with([0, 0, 0], 16, PREVIOUS),
        with([0, 0, 0], 0, MEAN),
        vec![1, 2],
        absolute(0.01).to_vec(),
        with(absolute(0.01), 16, MEAN),
        with(absolute(1e-6), 0, PREVIOUS),
        absolute(1e-40).to_vec(),
        absolute(1e300).to_vec(),
        absolute(0.0).to_vec(),
        with(absolute(3e4), 16, NONE),
        relative(1e-3).to_vec(),
        with(relative(1e-2), 16, PREVIOUS),
        with(relative(1e-7), 0, MEAN),
        relative(0.5).to_vec(),
        with(relative(f64::MAX), 0, 0),
    ]
}

const SHAPES: [[usize; 3]; 5] = [[9, 12, 37], [1, 1, 3000], [3, 9, 16], [2, 40, 5], [1, 1, 1]];

fn types() -> [ElementType; 2] {
    [ElementType::float(4, false), ElementType::float(4, true)]
}

fn codec(given: &[u32], element: ElementType, shape: [usize; 3]) -> Bounded {
    let layout = ChunkLayout::new(element, shape.map(|n| n as u64).to_vec());
    let stored = Bounded::localise(given, &layout).unwrap_or_else(|error| panic!("{given:?}: {error}"));
    assert_eq!(Bounded::localise(&stored, &layout), Ok(stored.clone()));
    Bounded::from_cd_values(&stored).expect("what was stored is read")
}

/// Calls `check` with the codec, what it was given, the type, the shape and the pixels.
fn for_all(mut check: impl FnMut(&Bounded, &str, &ElementType, [usize; 3], &[u8])) {
    let shapes = if cfg!(miri) { &SHAPES[2..3] } else { &SHAPES[..] };
    for (n, (shape, kind)) in shapes.iter().flat_map(|shape| IMAGES.map(|kind| (shape, kind))).enumerate() {
        for (m, given) in given().iter().enumerate() {
            if cfg!(miri) && (n + m) % 16 != 3 {
                continue;
            }
            let element = types()[(n + m) % 2];
            let src = image(kind, &element, *shape);
            check(
                &codec(given, element, *shape),
                &format!("{kind} {given:?} {element} {shape:?}"),
                &element,
                *shape,
                &src,
            );
        }
    }
}

/// What a pixel may be off, by the definition of the bound.
fn tolerance(bound: Bound, pixels: &[f32]) -> f64 {
    let finite = || pixels.iter().filter(|pixel| pixel.is_finite()).map(|pixel| f64::from(*pixel));
    match bound {
        Bound::AbsoluteFloat(error) => error,
        Bound::RelativeFloat(share) => share * (finite().fold(f64::MIN, f64::max) - finite().fold(f64::MAX, f64::min)),
        _ => 0.0,
    }
}

/// Whether y − x, as real numbers, is at most `most` away from 0: the difference and what it was rounded by.
fn is_within(x: f32, y: f32, most: f64) -> bool {
    let (x, y) = (f64::from(x), f64::from(y));
    let difference = y - x;
    let of_x = difference - y;
    let rounded_by = (y - (difference - of_x)) + (-x - of_x);
    difference.abs() < most || difference.abs() == most && rounded_by * difference.signum() <= 0.0
}

#[test]
fn no_float_is_further_off_than_was_promised() {
    for_all(|codec, what, element, _, src| {
        let (before, after) = (numbers(element, src), numbers(element, &decode(codec, &encode(codec, src))));
        let most = tolerance(codec.bound(), &before);
        for (x, y) in before.into_iter().zip(after) {
            let is_right = x.to_bits() == y.to_bits() || x.is_finite() && y.is_finite() && is_within(x, y, most);
            assert!(is_right, "{what}: {x:?} ({:08x}) became {y:?}, {most:?} off at most", x.to_bits());
        }
    });
}

#[test]
fn exact_floats_are_the_same_bits() {
    for_all(|codec, what, _, _, src| {
        if codec.bound() == Bound::Exact {
            assert!(decode(codec, &encode(codec, src)) == src, "{what}");
        }
    });
}

#[test]
fn the_report_says_what_became_of_floats() {
    for_all(|codec, what, element, shape, src| {
        let chunk = encode(codec, src);
        let report = Bounded::report(&chunk).expect("a sound chunk");
        assert_eq!((report.bound, report.n_frames), (codec.bound(), shape[0]), "{what}");
        let (achieved, float) = (report.achieved, report.achieved.float.expect("of floats"));
        assert!(!achieved.has_failed, "{what}");
        let (before, after) = (numbers(element, src), numbers(element, &decode(codec, &chunk)));
        assert!(float.tolerance <= tolerance(codec.bound(), &before) && float.most <= float.tolerance, "{what}");
        let pairs = before.iter().zip(&after).filter(|(x, y)| x.to_bits() != y.to_bits());
        let errors: Vec<f64> = pairs.clone().map(|(x, y)| f64::from(*y) - f64::from(*x)).collect();
        let is_close = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * found.abs() + 1e-12 * float.most;
        assert_eq!(float.most, errors.iter().fold(0.0, |most, error| f64::max(most, error.abs())), "{what}");
        let size: f64 = errors.iter().map(|error| error.abs()).sum();
        assert!((float.sum - errors.iter().sum::<f64>()).abs() <= 1e-9 * size, "{what}");
        assert!(is_close(float.sum_of_squares, errors.iter().map(|error| error * error).sum()), "{what}");
        assert_eq!(achieved.n_to_zero as usize, pairs.filter(|(x, y)| **x != 0.0 && **y == 0.0).count(), "{what}");
        assert_eq!(achieved.n_from_zero, 0);
    });
}

#[test]
fn no_chunk_of_floats_grows_by_more_than_was_said() {
    for_all(|codec, what, _, shape, src| {
        let n_bytes = encode(codec, src).len();
        assert!(n_bytes <= src.len() + 110 + 9 * shape[0], "{what}: {n_bytes} bytes of {}", src.len());
    });
}

#[test]
fn every_level_stores_the_same_bytes_of_floats_and_reads_them() {
    let shape = if cfg!(miri) { [1, 9, 37] } else { [2, 110, 331] };
    for (n, kind) in IMAGES.into_iter().enumerate() {
        for (m, given) in given().iter().enumerate().filter(|(m, _)| (n + m) % if cfg!(miri) { 16 } else { 5 } == 0) {
            let element = types()[m % 2];
            let (codec, src) = (codec(given, element, shape), image(kind, &element, shape));
            let stored = encode_at(&codec, Level::SCALAR, &src);
            let decoded = decode_at(&codec, Level::SCALAR, &stored);
            for level in Level::available() {
                assert!(encode_at(&codec, *level, &src) == stored, "stored by {level:?} {kind} {given:?}");
                assert!(decode_at(&codec, *level, &stored) == decoded, "read by {level:?} {kind} {given:?}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn noisy_projections_are_small() {
    let (element, shape) = (ElementType::F32, [4, 100, 128]);
    let src = image("phase", &element, shape);
    let size = |given: &[u32]| encode(&codec(given, element, shape), &src).len();
    // Noise of 0.05 in steps of 0.02 has less than 2.7 bits a pixel.
    assert!(size(&absolute(0.01)) * 12 < src.len(), "{} of {}", size(&absolute(0.01)), src.len());
    assert!(size(&[]) * 5 < src.len() * 4, "{} of {}", size(&[]), src.len());
    let masked = image("masked", &element, shape);
    assert!(encode(&codec(&absolute(0.01), element, shape), &masked).len() * 9 < masked.len());
}

#[test]
fn a_float_that_is_no_measurement_is_kept_and_no_other_becomes_one() {
    let (element, shape) = (ElementType::F32, [2, 9, 32]);
    // Level 0 stands for 0: what is near it would become that.
    let (mask, zero, fill) = (-1.0_f32, 0.0_f32, 0.5_f32);
    let values = with_sentinels(absolute(0.25), &[mask, zero, f32::NAN]);
    let layout = ChunkLayout { fill: Some(fill.to_bits()), ..ChunkLayout::new(element, vec![2, 9, 32]) };
    let codec = Bounded::from_cd_values(&Bounded::localise(&values, &layout).expect("parameters")).expect("parameters");
    let mut random = Random(9);
    let pixels: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|at| match at % 100 {
            // Few, so that the chunk is not exact.
            0 => [0.1, -0.2, -1.2, -0.9, 0.7][at / 100 % 5],
            _ => match random.next(8) as usize {
                kept @ 0..4 => [mask, zero, fill, f32::NAN][kept],
                _ => random.next(1000) as f32 / 300.0 + 0.8,
            },
        })
        .collect();
    let src: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    let chunk = encode(&codec, &src);
    let achieved = Bounded::report(&chunk).expect("sound").achieved;
    assert!(!achieved.has_failed && achieved.float.is_some_and(|float| float.tolerance == 0.25 && float.most > 0.1));
    for (x, y) in pixels.iter().zip(numbers(&element, &decode(&codec, &chunk))) {
        let is_kept = |number: f32| [mask, zero, fill].contains(&number) || number.is_nan();
        assert!(x.to_bits() == y.to_bits() || !is_kept(*x) && !is_kept(y) && (x - y).abs() <= 0.25, "{x} became {y}");
    }
}

/// Pixels from -1 to 5, and sentinels among them.
fn with_values_around(sentinels: &[f32], [n_frames, height, width]: [usize; 3], random: &mut Random) -> Vec<u8> {
    let mut pixel = || match random.next(50) as usize {
        at if at < sentinels.len() => sentinels[at],
        _ => 2.0 + random.next(6 << 20) as f32 / (1 << 20) as f32 - 3.0,
    };
    (0..n_frames * height * width).flat_map(|_| pixel().to_ne_bytes()).collect()
}

#[test]
fn sentinels_among_the_values_are_kept_and_no_other_becomes_one() {
    let (element, shape) = (ElementType::F32, if cfg!(miri) { [1, 9, 16] } else { [2, 24, 64] });
    let mut random = Random(21);
    for case in 0..if cfg!(miri) { 4 } else { 60 } {
        let error = [0.25, 0.1, 0.031, 1e-3, 3e-7, 1.0][case % 6];
        // Levels of the longest step there is for such values, and others.
        let level = |k: i64| (k as f64 * (2.0 - 1.0 / 32.0) * error) as f32;
        let sentinels: Vec<f32> = (0..1 + random.next(7))
            .map(|_| {
                if random.next(2) == 0 {
                    level(random.next(40) as i64 - 8)
                } else {
                    random.next(600) as f32 / 100.0 - 1.0
                }
            })
            .collect();
        let codec = codec(&with_sentinels(absolute(error), &sentinels), element, shape);
        let src = with_values_around(&sentinels, shape, &mut random);
        let after = decode(&codec, &encode(&codec, &src));
        for (x, y) in numbers(&element, &src).into_iter().zip(numbers(&element, &after)) {
            let is_right = x.to_bits() == y.to_bits()
                || !sentinels.contains(&x) && !sentinels.contains(&y) && is_within(x, y, error);
            assert!(is_right, "{x:?} became {y:?} with {error} and {sentinels:?}");
        }
        // As HDF5 does with a chunk that is written in pieces.
        assert!(decode(&codec, &encode(&codec, &after)) == after, "{error} {sentinels:?}: pixels drift");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn sentinels_among_the_values_cost_little() {
    let (element, shape) = (ElementType::F32, [2, 100, 128]);
    let len = |named: &[f32], there: &[f32]| {
        let codec = codec(&with_sentinels(absolute(0.25), named), element, shape);
        encode(&codec, &with_values_around(there, shape, &mut Random(3))).len()
    };
    let without = len(&[], &[]);
    // -1 is no level, 63/128 the first one with the longest step, and 0 one with every step.
    for sentinels in [vec![-1.0_f32], vec![63.0 / 128.0], vec![-1.0, 63.0 / 128.0, 2.0, 63.0 / 32.0, 5.0, 4.5, 3.25]] {
        let named = len(&sentinels, &[]);
        println!("{sentinels:?}: {named} bytes, {without} without sentinels");
        assert!(named * 100 <= without * 102, "{sentinels:?}: {named} bytes, {without} without sentinels");
    }
    assert!(len(&[0.0], &[]) > without);
}

#[test]
fn a_chunk_that_is_written_in_pieces_keeps_its_absolute_bound() {
    let (element, shape) = (ElementType::F32, [12, 9, 32]);
    let codec = codec(&absolute(0.5), element, shape);
    let mut random = Random(4);
    let measured: Vec<u8> = (0..12 * 9 * 32)
        .flat_map(|at| (random.next(1 << 20) as f32 / 1000.0 * (at / 288 + 1) as f32).to_ne_bytes())
        .collect();
    let mut chunk = encode(&codec, &vec![0; measured.len()]);
    for piece in measured.chunks(9 * 32 * 4).enumerate() {
        let mut pixels = decode(&codec, &chunk);
        pixels[piece.0 * piece.1.len()..][..piece.1.len()].copy_from_slice(piece.1);
        chunk = encode(&codec, &pixels);
    }
    for (x, y) in numbers(&element, &measured).iter().zip(numbers(&element, &decode(&codec, &chunk))) {
        assert!((f64::from(*x) - f64::from(y)).abs() <= 0.5, "{x} became {y}");
    }
}

#[test]
fn parameters_that_float32_does_not_have_are_refused() {
    let of = |given: &[u32], element| Bounded::localise(given, &ChunkLayout::new(element, vec![4, 20, 30]));
    let nan = f64::NAN.to_bits();
    let wrong: [&[u32]; 9] = [
        &[2, 1],
        &with([0, 0, 0], 1, 0),
        &with([1, 2, 0], 2, 0),
        &with([1, 2, 0], 4, 0),
        &with([1, 2, 0], 8, 0),
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
        &absolute(-1.0),
        &[4, nan as u32, (nan >> 32) as u32],
        &[3, 0, 0, 1],
    ];
    for given in wrong {
        assert!(matches!(of(given, ElementType::F32), Err(Error::Parameter { .. })), "{given:?}");
    }
    assert!(matches!(of(&relative(0.1), ElementType::U16), Err(Error::Parameter { .. })));
    assert!(Bounded::absolute_float(f64::INFINITY).is_err() && Bounded::relative(-0.1).is_err());
    let layout = ChunkLayout::new(ElementType::F32, vec![4, 20, 30]);
    let mut values = Bounded::relative(0.1).and_then(|codec| codec.cd_values(&layout)).expect("parameters");
    values[12] = 3;
    assert!(Bounded::from_cd_values(&values).is_err(), "a relative bound of integers");
}

#[test]
fn an_absolute_bound_fits_integers_and_floats() {
    let of = |given: &[u32], element| codec(given, element, [4, 20, 30]).bound();
    assert_eq!(of(&[1, 3], ElementType::F32), Bound::AbsoluteFloat(3.0));
    assert_eq!(of(&absolute(2.9), ElementType::U16), Bound::Absolute(2));
    assert_eq!(of(&absolute(1e30), ElementType::I32), Bound::Absolute(u32::MAX));
}
