//! The bounded codec keeps its promise, whatever the pixels are.

use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk::kernels::quantise::Bound;
use darkchunk::pipeline::Pipeline;
use darkchunk::salvage::{Verdict, salvage};
use darkchunk::{Error, Exec, Threads};

const TYPES: [(ElementClass, usize, ByteOrder); 10] = [
    (ElementClass::Unsigned, 1, ByteOrder::Little),
    (ElementClass::Signed, 1, ByteOrder::Little),
    (ElementClass::Unsigned, 2, ByteOrder::Little),
    (ElementClass::Unsigned, 2, ByteOrder::Big),
    (ElementClass::Signed, 2, ByteOrder::Little),
    (ElementClass::Signed, 2, ByteOrder::Big),
    (ElementClass::Unsigned, 4, ByteOrder::Little),
    (ElementClass::Unsigned, 4, ByteOrder::Big),
    (ElementClass::Signed, 4, ByteOrder::Little),
    (ElementClass::Signed, 4, ByteOrder::Big),
];

const NONE: u32 = 1;
const MEAN: u32 = 2;
const PREVIOUS: u32 = 3;

/// Parameters as callers give them: all bounds, noise models, options and references.
fn given() -> Vec<Vec<u32>> {
    let all = |start: &[u32], options, reference, saturation| {
        let mut values = start.to_vec();
        values.resize(8, 0);
        values.extend([options, reference, saturation]);
        values
    };
    vec![
        vec![],
        all(&[0], 16, PREVIOUS, 0),
        all(&[0], 4, MEAN, 0),
        vec![1, 1],
        all(&[1, 4], 2, PREVIOUS, 100),
        all(&[1, 300], 1, MEAN, 0),
        all(&[1, u32::MAX], 8 + 16, NONE, 0),
        all(&[1, 7], 4 + 1 + 2, 0, 60_000),
        vec![2, 1],
        all(&[2, 1, 2], 2, MEAN, 0),
        all(&[2, 1, 1, 41, 20, 98, 47, 10], 0, PREVIOUS, 4000),
        all(&[2, 2, 1, 1, 3, (-300_i32).cast_unsigned(), 1000, 7], 1, 0, 0),
        all(&[2, 65_535, 1, 65_535, 1, 0, u32::MAX], 8, 0, 0),
        all(&[2, 1, 65_535], 1 + 2, MEAN, 1),
    ]
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn next(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// About as many counts as a detector has that expects `mean`.
    fn counts(&mut self, mean: u64) -> i64 {
        let spread = mean.isqrt() + 1;
        (mean + self.next(2 * spread) + self.next(2 * spread)).saturating_sub(2 * spread).cast_signed()
    }
}

const IMAGES: [&str; 9] = ["constant", "extremes", "counts", "sparse", "hot", "ramp", "noise", "masked", "negative"];

/// A pixel of a kind of image, in frame `t` at `y`, `x`.
fn pixel(kind: &str, random: &mut Random, (t, y, x): (usize, usize, usize)) -> i64 {
    match kind {
        "constant" => 77,
        "extremes" => {
            if (x + y + t).is_multiple_of(2) {
                i64::MIN
            } else {
                i64::MAX
            }
        }
        "counts" => random.counts(3 + (x * y) as u64),
        "sparse" => {
            if random.next(60) == 0 {
                random.counts(900)
            } else {
                0
            }
        }
        "hot" if random.next(40) == 0 => i64::from(u32::MAX) - 1,
        "ramp" => (x * 2000 + y * 300 + t) as i64 - 20_000,
        "noise" => (random.next(1 << 31) as i64 * 4).wrapping_add(random.next(4) as i64),
        "masked" if x % 11 == 3 || random.next(50) == 0 => i64::from(u32::MAX),
        "negative" if random.next(9) == 0 => -1 - random.next(3).cast_signed(),
        _ => random.counts(20),
    }
}

/// A chunk of a type: values that do not fit are the nearest ones, and every fourth one wraps around.
fn image(kind: &str, element: &ElementType, [n_frames, height, width]: [usize; 3]) -> Vec<u8> {
    let mut random = Random(kind.len() as u64);
    let (least, most) = range(element);
    let mut bytes = Vec::new();
    for t in 0..n_frames {
        for y in 0..height {
            for x in 0..width {
                let pixel = pixel(kind, &mut random, (t, y, x));
                let pixel = if kind == "noise" { pixel } else { pixel.clamp(least, most) };
                let of_pixel = &pixel.to_le_bytes()[..element.n_bytes];
                match element.order {
                    ByteOrder::Little => bytes.extend(of_pixel),
                    ByteOrder::Big => bytes.extend(of_pixel.iter().rev()),
                }
            }
        }
    }
    bytes
}

fn range(element: &ElementType) -> (i64, i64) {
    let n = 1_i64 << (8 * element.n_bytes - 1);
    if element.class == ElementClass::Signed { (-n, n - 1) } else { (0, 2 * n - 1) }
}

fn values(element: &ElementType, bytes: &[u8]) -> Vec<i64> {
    let value = |bytes: &[u8]| {
        let bits = i64::from(element.bits(bytes).expect("an integer"));
        let (_, most) = range(element);
        if bits > most { bits - 2 * (most + 1) } else { bits }
    };
    bytes.chunks(element.n_bytes).map(value).collect()
}

fn element((class, n_bytes, order): (ElementClass, usize, ByteOrder)) -> ElementType {
    ElementType { class, n_bytes, base_bytes: n_bytes, order }
}

fn codec(given: &[u32], element: ElementType, shape: [usize; 3]) -> Bounded {
    let layout = ChunkLayout::new(element, shape.map(|n| n as u64).to_vec());
    let stored = Bounded::localise(given, &layout).unwrap_or_else(|error| panic!("{given:?}: {error}"));
    Bounded::from_cd_values(&stored).expect("what was stored is read")
}

fn encode(codec: &Bounded, src: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(Exec::current(), src, &mut dst).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    dst.truncate(n_bytes);
    dst
}

fn decode(codec: &Bounded, chunk: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.decoded_len(chunk).expect("a sound chunk says its size")];
    codec.decode(Exec::current(), chunk, &mut dst).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    dst
}

const SHAPES: [[usize; 3]; 6] = [[9, 12, 37], [1, 1, 3000], [3, 9, 16], [2, 40, 5], [1, 1, 1], [5, 70, 64]];

fn shapes() -> &'static [[usize; 3]] {
    if cfg!(miri) { &SHAPES[2..3] } else { &SHAPES }
}

/// Calls `check` with every type, image, shape and set of parameters, not all with all: the codec, the element type, the pixels.
fn for_all(mut check: impl FnMut(&Bounded, &[u32], &ElementType, [usize; 3], &[u8])) {
    let given = given();
    for (n, parts) in TYPES.iter().enumerate() {
        let element = element(*parts);
        let cases = shapes().iter().flat_map(|shape| IMAGES.iter().map(move |kind| (*shape, kind)));
        for (m, (shape, kind)) in cases.enumerate() {
            let src = image(kind, &element, shape);
            let step = if cfg!(miri) { given.len() } else { 5 };
            for given in given.iter().skip((n + m) % step).step_by(step) {
                check(&codec(given, element, shape), given, &element, shape, &src);
            }
        }
    }
}

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
fn frames_decode_alone_and_with_threads() {
    let shape = [9, 12, 37];
    for reference in [NONE, MEAN, PREVIOUS] {
        for kind in IMAGES {
            let element = ElementType::U16;
            let src = image(kind, &element, shape);
            let codec = codec(&[1, 2, 0, 0, 0, 0, 0, 0, 0, reference], element, shape);
            let chunk = encode(&codec, &src);
            let whole = decode(&codec, &chunk);
            let threads = Threads::new(3).with_min_bytes(1);
            let mut by_threads = vec![0; whole.len()];
            codec.decode(threads.into(), &chunk, &mut by_threads).unwrap();
            assert!(by_threads == whole, "{kind} {reference}");
            let frame_bytes = whole.len() / shape[0];
            for frames in [0..1, 3..4, 8..9, 2..7, 5..5] {
                let mut some = vec![0; frames.len() * frame_bytes];
                codec.decode_frames(Threads::ONE, &chunk, frames.clone(), &mut some).unwrap();
                assert!(some == whole[frames.start * frame_bytes..frames.end * frame_bytes], "{kind} {frames:?}");
            }
            let too_many = codec.decode_frames(Threads::ONE, &chunk, 8..10, &mut vec![0; 2 * frame_bytes]);
            assert!(matches!(too_many, Err(Error::Argument(_))));
        }
    }
}

fn stack(reference: u32) -> (Bounded, Vec<u8>, Vec<u8>) {
    let shape = if cfg!(miri) { [4, 8, 16] } else { [6, 12, 37] };
    let src = image("masked", &ElementType::U16, shape);
    let codec = codec(&[2, 1, 1, 0, 0, 0, 0, 0, 0, reference], ElementType::U16, shape);
    let chunk = encode(&codec, &src);
    (codec, src, chunk)
}

#[test]
fn every_truncation_is_an_error() {
    for reference in [NONE, MEAN, PREVIOUS] {
        let (codec, src, chunk) = stack(reference);
        let mut dst = vec![0; src.len()];
        for n_bytes in (0..chunk.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
            assert!(
                codec.decode(Exec::current(), &chunk[..n_bytes], &mut dst).is_err(),
                "{reference}: {n_bytes} bytes"
            );
        }
        let longer = [&chunk[..], &[0]].concat();
        assert!(codec.decode(Exec::current(), &longer, &mut dst).is_err());
    }
}

#[test]
fn every_changed_byte_is_an_error() {
    for reference in [NONE, MEAN, PREVIOUS] {
        let (codec, src, chunk) = stack(reference);
        let mut dst = vec![0; src.len()];
        for at in (0..chunk.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
            for change in [1, 0x80, 0xff] {
                let mut changed = chunk.clone();
                changed[at] ^= change;
                assert!(codec.decode(Exec::current(), &changed, &mut dst).is_err(), "{reference}: byte {at}");
            }
        }
    }
}

/// With checksums that fit again what is after them is on its own.
#[test]
fn changes_under_checksums_that_fit_end_in_an_error_or_in_pixels() {
    for reference in [NONE, MEAN, PREVIOUS] {
        let (codec, src, chunk) = stack(reference);
        let mut dst = vec![0; src.len()];
        for at in (0..chunk.len()).step_by(if cfg!(miri) { 199 } else { 1 }) {
            for change in [1, 0x40, 0xff] {
                let mut changed = chunk.clone();
                changed[at] ^= change;
                mend(&mut changed);
                let first = codec.decode(Exec::current(), &changed, &mut dst).map(|()| dst.clone());
                dst.fill(0xff);
                let again = codec.decode(Exec::current(), &changed, &mut dst).map(|()| dst.clone());
                assert!(first == again, "{reference}: byte {at}: the output depends on what was there");
            }
        }
    }
}

/// Puts the right checksums into a chunk, as far as its table can be believed.
fn mend(chunk: &mut [u8]) {
    let word =
        |chunk: &[u8], at: usize| chunk.get(at..at + 4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
    let Some(front) = word(chunk, 20) else { return };
    let table = 28 + front as usize;
    let mut start = None;
    // The first segment begins where the table ends: there is no other way to know where that is.
    for n in 1..64 {
        if (0..n).all(|at| {
            word(chunk, table + 8 * at).is_some_and(|end| end as usize >= table + 8 * n && end as usize <= chunk.len())
        }) {
            start = Some((n, table + 8 * n));
        }
    }
    let Some((n, mut from)) = start else { return };
    for index in 0..n {
        let end = word(chunk, table + 8 * index).unwrap_or(0) as usize;
        let Some(bytes) = chunk.get(from..end) else { return };
        let checksum = crc32(bytes).to_le_bytes();
        chunk[table + 8 * index + 4..][..4].copy_from_slice(&checksum);
        from = end;
    }
    let Some(rest) = chunk.get(28..table + 8 * n) else { return };
    let checksum = crc32(&[&chunk[..24], rest].concat()).to_le_bytes();
    chunk[24..28].copy_from_slice(&checksum);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

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
fn parameters_that_mean_nothing_are_refused() {
    let layout = ChunkLayout::new(ElementType::U16, vec![4, 20, 30]);
    let wrong: [&[u32]; 11] = [
        &[3],
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
    let behind = ChunkLayout { resized_before: true, ..layout };
    assert!(Bounded::localise(&[], &behind).is_err());
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

/// Where segment `index` of a chunk of `n` segments begins and ends.
fn segment(chunk: &[u8], index: usize, n: usize) -> std::ops::Range<usize> {
    let word = |at: usize| u32::from_le_bytes(chunk[at..at + 4].try_into().unwrap()) as usize;
    let table = 28 + word(20);
    let start = if index == 0 { table + 8 * n } else { word(table + 8 * (index - 1)) };
    start..word(table + 8 * index)
}

/// The frames that are lost if a byte of a segment changes; all others are as they were.
fn lost_with(reference: u32, index: usize) -> Vec<usize> {
    let (codec, src, mut chunk) = stack(reference);
    let n_frames = if cfg!(miri) { 4 } else { 6 };
    let n_segments = n_frames + usize::from(reference == MEAN);
    let whole = decode(&codec, &chunk);
    let at = segment(&chunk, index, n_segments);
    chunk[(at.start + at.end) / 2] ^= 0x10;
    let layout = ChunkLayout::new(ElementType::U16, if cfg!(miri) { vec![4, 8, 16] } else { vec![6, 12, 37] });
    let pipeline = Pipeline::new([(36_115, &codec.cd_values(&layout).unwrap()[..])]).unwrap();
    let mut dst = vec![0; src.len()];
    let Verdict::Damaged(damage) = salvage(Level::current(), &pipeline, 0, &chunk, &[0xEE], &mut dst) else {
        panic!("a changed byte is damage")
    };
    let frame_bytes = src.len() / n_frames;
    let frames = damage.iter().flat_map(|damage| damage.lost.start / frame_bytes..damage.lost.end / frame_bytes);
    let lost: Vec<usize> = frames.collect();
    for frame in 0..n_frames {
        let bytes = frame * frame_bytes..(frame + 1) * frame_bytes;
        let is_good = dst[bytes.clone()] == whole[bytes.clone()];
        assert_eq!(is_good, !lost.contains(&frame), "frame {frame}");
        assert!(is_good || dst[bytes].iter().all(|byte| *byte == 0xEE));
    }
    lost
}

#[test]
fn a_damaged_frame_costs_itself_and_what_is_predicted_from_it() {
    let n_frames = if cfg!(miri) { 4 } else { 6 };
    assert_eq!(lost_with(NONE, 2), [2]);
    assert_eq!(lost_with(MEAN, 3), [2], "the reference is before it");
    assert_eq!(lost_with(MEAN, 0), (0..n_frames).collect::<Vec<_>>(), "the reference");
    assert_eq!(lost_with(PREVIOUS, 2), (2..n_frames).collect::<Vec<_>>());
}

#[test]
fn a_chunk_without_a_frame_is_refused() {
    let (codec, ..) = stack(NONE);
    let Err(Error::Argument(text)) = codec.encode(Exec::current(), &[], &mut [0; 1000]) else {
        panic!("nothing to encode")
    };
    assert!(text.contains("without a frame"), "{text}");
    for (height, width) in [(1, 1), (8, u32::MAX), (u32::MAX, u32::MAX)] {
        let mut chunk = b"DCBD\x01\x06\0\0".to_vec();
        let front = [0; 11];
        [height, width, 0, front.len() as u32, 0].iter().for_each(|n: &u32| chunk.extend(n.to_le_bytes()));
        chunk.extend(front);
        let checksum = crc32(&[&chunk[..24], &chunk[28..]].concat()).to_le_bytes();
        chunk[24..28].copy_from_slice(&checksum);
        let any = Bounded::exact().unwrap();
        let error = any.decode(Exec::current(), &chunk, &mut []).unwrap_err();
        assert!(matches!(error, Error::Corrupt { at: 16, .. }), "{height} x {width}: {error}");
    }
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
        let src: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
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
