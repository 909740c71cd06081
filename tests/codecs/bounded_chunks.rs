//! Chunks for the tests of the bounded codec: types, parameters, images.

#![allow(dead_code, reason = "each test uses a part")]

use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};

pub(crate) const TYPES: [(ElementClass, usize, ByteOrder); 10] = [
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

pub(crate) const NONE: u32 = 1;
pub(crate) const MEAN: u32 = 2;
pub(crate) const PREVIOUS: u32 = 3;

/// Parameters as callers give them: all bounds, noise models, options and references.
pub(crate) fn given() -> Vec<Vec<u32>> {
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
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// About as many counts as a detector has that expects `mean`.
    pub(crate) fn counts(&mut self, mean: u64) -> i64 {
        let spread = mean.isqrt() + 1;
        (mean + self.next(2 * spread) + self.next(2 * spread)).saturating_sub(2 * spread).cast_signed()
    }
}

pub(crate) const IMAGES: [&str; 9] =
    ["constant", "extremes", "counts", "sparse", "hot", "ramp", "noise", "masked", "negative"];

/// A pixel of a kind of image, in frame `t` at `y`, `x`.
pub(crate) fn pixel(kind: &str, random: &mut Random, (t, y, x): (usize, usize, usize)) -> i64 {
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
pub(crate) fn image(kind: &str, element: &ElementType, [n_frames, height, width]: [usize; 3]) -> Vec<u8> {
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

pub(crate) fn range(element: &ElementType) -> (i64, i64) {
    let n = 1_i64 << (8 * element.n_bytes - 1);
    if element.class == ElementClass::Signed { (-n, n - 1) } else { (0, 2 * n - 1) }
}

pub(crate) fn values(element: &ElementType, bytes: &[u8]) -> Vec<i64> {
    let value = |bytes: &[u8]| {
        let bits = i64::from(element.bits(bytes).expect("an integer"));
        let (_, most) = range(element);
        if bits > most { bits - 2 * (most + 1) } else { bits }
    };
    bytes.chunks(element.n_bytes).map(value).collect()
}

pub(crate) fn element((class, n_bytes, order): (ElementClass, usize, ByteOrder)) -> ElementType {
    ElementType { class, n_bytes, base_bytes: n_bytes, order }
}

pub(crate) fn codec(given: &[u32], element: ElementType, shape: [usize; 3]) -> Bounded {
    let layout = ChunkLayout::new(element, shape.map(|n| n as u64).to_vec());
    let stored = Bounded::localise(given, &layout).unwrap_or_else(|error| panic!("{given:?}: {error}"));
    Bounded::from_cd_values(&stored).expect("what was stored is read")
}

pub(crate) fn encode(codec: &Bounded, src: &[u8]) -> Vec<u8> {
    encode_at(codec, Level::current(), src)
}

pub(crate) fn encode_at(codec: &Bounded, level: Level, src: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(level.into(), src, &mut dst).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    dst.truncate(n_bytes);
    dst
}

pub(crate) fn decode(codec: &Bounded, chunk: &[u8]) -> Vec<u8> {
    decode_at(codec, Level::current(), chunk)
}

pub(crate) fn decode_at(codec: &Bounded, level: Level, chunk: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.decoded_len(chunk).expect("a sound chunk says its size")];
    codec.decode(level.into(), chunk, &mut dst).unwrap_or_else(|error| panic!("{codec:?}: {error}"));
    dst
}

pub(crate) const SHAPES: [[usize; 3]; 6] = [[9, 12, 37], [1, 1, 3000], [3, 9, 16], [2, 40, 5], [1, 1, 1], [5, 70, 64]];

pub(crate) fn shapes() -> &'static [[usize; 3]] {
    if cfg!(miri) { &SHAPES[2..3] } else { &SHAPES }
}

/// Calls `check` with every type, image, shape and set of parameters, not all with all: the codec, the element type, the pixels.
pub(crate) fn for_all(mut check: impl FnMut(&Bounded, &[u32], &ElementType, [usize; 3], &[u8])) {
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
