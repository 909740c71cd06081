//! Stored bytes: the same on every machine, at every level, and for ever.
//!
//! `tests/golden` holds a chunk of each format, of the same pixels. Each decodes to these pixels, and what is encoded here
//! gives the same bytes. This file is small, so that Miri runs it too, also as a big-endian machine. Only a change of
//! format may change what lies there: `UPDATE_GOLDEN=1 cargo test --test golden` writes it, in the commit that says why.

use darkchunk::Exec;
use darkchunk::codec::bitshuffle::{Bitshuffle, Compression};
use darkchunk::codec::blosc::{Blosc, Compressor, Shuffle};
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::drle::{Drle, Mode};
use darkchunk::codec::lz4::Lz4;
use darkchunk::codec::zstd::Zstd;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use std::path::PathBuf;

const N_FRAMES: usize = 2;
const HEIGHT: usize = 13;
const WIDTH: usize = 27;
const THRESHOLD: u16 = 20;

/// Dark frames with noise below the threshold and spots above it.
fn pixels() -> Vec<u16> {
    let mut state = 1_u32;
    let mut next = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % n
    };
    let mut pixel = || if next(16) == 0 { 20 + next(2000) } else { next(3) * next(3) } as u16;
    (0..N_FRAMES * HEIGHT * WIDTH).map(|_| pixel()).collect()
}

/// What a lossy codec keeps of them.
fn kept(pixels: &[u16]) -> Vec<u16> {
    pixels.iter().map(|pixel| if *pixel < THRESHOLD { 0 } else { *pixel }).collect()
}

fn bytes_of(pixels: &[u16], order: ByteOrder) -> Vec<u8> {
    let bytes = |pixel: &u16| if order == ByteOrder::Little { pixel.to_le_bytes() } else { pixel.to_be_bytes() };
    pixels.iter().flat_map(bytes).collect()
}

fn layout(class: ElementClass, order: ByteOrder) -> ChunkLayout {
    let element = ElementType { class, n_bytes: 2, base_bytes: 2, order };
    ChunkLayout::new(element, [N_FRAMES, HEIGHT, WIDTH].map(|n| n as u64).to_vec())
}

/// The chunk of `tests/golden/{name}.hex`: two digits a byte.
fn golden(name: &str) -> Vec<u8> {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digits: Vec<u8> = text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"))
}

fn update(name: &str, chunk: &[u8]) {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    std::fs::write(path(name), chunk.chunks(48).map(line).collect::<String>()).expect("tests/golden can be written");
}

/// The golden chunk decodes to `expected`, and is what `src` encodes to, at every level.
fn check<C: Codec>(name: &str, codec: &C, src: &[u8], expected: &[u8]) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        update(name, &encode(codec, Level::SCALAR, src));
    }
    // Blosc hands LZ4 streams to the reference library, which Miri cannot run.
    if !(cfg!(miri) && name.starts_with("blosc-lz4")) {
        check_decoding(name, codec, expected);
    }
    for &level in Level::available() {
        assert!(encode(codec, level, src) == golden(name), "{name} {level:?}: other bytes than were written once");
    }
}

fn check_decoding<C: Codec>(name: &str, codec: &C, expected: &[u8]) {
    let chunk = golden(name);
    assert_eq!(codec.decoded_len(&chunk), Ok(expected.len()), "{name}");
    for &level in Level::available() {
        let mut dst = vec![0xA5; expected.len()];
        codec.decode(level.into(), &chunk, &mut dst).unwrap_or_else(|error| panic!("{name} {level:?}: {error}"));
        assert!(dst == expected, "{name} {level:?}: other pixels than were written once");
        for n_bytes in (0..chunk.len()).step_by(1 + chunk.len() / 16) {
            assert!(
                codec.decode(level.into(), &chunk[..n_bytes], &mut dst).is_err(),
                "{name} {level:?} cut to {n_bytes}"
            );
        }
    }
}

fn encode<C: Codec>(codec: &C, level: Level, src: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(level.into(), src, &mut dst).expect("what fits is encoded");
    dst.truncate(n_bytes);
    dst
}

#[test]
fn drle_is_stored_as_ever() {
    let pixels = pixels();
    let kept = kept(&pixels);
    for (name, class, order, mode) in [
        ("drle-int16-le", ElementClass::Signed, ByteOrder::Little, Mode::Container),
        ("drle-int16-be", ElementClass::Signed, ByteOrder::Big, Mode::Container),
        ("drle-uint16-le", ElementClass::Unsigned, ByteOrder::Little, Mode::Container),
        ("drle-uint16-be", ElementClass::Unsigned, ByteOrder::Big, Mode::Container),
        ("drle-bare", ElementClass::Signed, ByteOrder::Little, Mode::Bare),
        ("drle-packed-int16-le", ElementClass::Signed, ByteOrder::Little, Mode::Packed),
        ("drle-packed-uint16-be", ElementClass::Unsigned, ByteOrder::Big, Mode::Packed),
    ] {
        let codec = Drle::new(THRESHOLD).and_then(|drle| drle.with_mode(mode).for_layout(&layout(class, order)));
        check(name, &codec.expect("parameters"), &bytes_of(&pixels, order), &bytes_of(&kept, order));
    }
}

/// A mask of some columns, dead pixels, and some that are brighter than a token can be.
fn masked_pixels() -> Vec<u16> {
    let masked = |(at, pixel): (usize, u16)| match at % WIDTH {
        9..12 => u16::MAX,
        _ if at % 61 == 17 => u16::MAX,
        _ if at % 97 < 2 => 40_000 + pixel,
        _ if at % 83 == 5 => 65_534,
        _ => pixel,
    };
    pixels().into_iter().enumerate().map(masked).collect()
}

#[test]
fn drle_with_exceptions_is_stored_as_ever() {
    let pixels = masked_pixels();
    for (name, class, order, named) in [
        ("drle-exceptions-uint16-le", ElementClass::Unsigned, ByteOrder::Little, &[][..]),
        ("drle-exceptions-uint16-be", ElementClass::Unsigned, ByteOrder::Big, &[]),
        ("drle-exceptions-int16-le", ElementClass::Signed, ByteOrder::Little, &[65_535, 65_534]),
    ] {
        let is_kept = |pixel: u16| match class {
            ElementClass::Signed => named.contains(&pixel) || (THRESHOLD..=32_767).contains(&pixel),
            _ => pixel >= THRESHOLD,
        };
        let kept: Vec<u16> = pixels.iter().map(|pixel| if is_kept(*pixel) { *pixel } else { 0 }).collect();
        let codec = Drle::new(THRESHOLD).and_then(|drle| drle.with_sentinels(named)?.for_layout(&layout(class, order)));
        check(name, &codec.expect("parameters"), &bytes_of(&pixels, order), &bytes_of(&kept, order));
    }
}

#[test]
fn bitshuffle_is_stored_as_ever() {
    let src = bytes_of(&pixels(), ByteOrder::Little);
    for (name, element_bytes, compression) in [
        ("bitshuffle-plain-1", 1, Compression::None),
        ("bitshuffle-plain-2", 2, Compression::None),
        ("bitshuffle-plain-4", 4, Compression::None),
        ("bitshuffle-plain-12", 12, Compression::None),
        ("bitshuffle-lz4-2", 2, Compression::Lz4),
        ("bitshuffle-lz4-4", 4, Compression::Lz4),
    ] {
        let codec = Bitshuffle::new(element_bytes, compression).with_block_elements(128);
        check(name, &codec, &src, &src);
    }
}

#[test]
fn blosc_is_stored_as_ever() {
    // Elements in groups of 8: others Blosc leaves as they are where bits are to be shuffled.
    let src = &bytes_of(&kept(&pixels())[..696], ByteOrder::Little);
    for (name, compressor, shuffle, effort) in [
        ("blosc-blosclz-byte", Compressor::BloscLz, Shuffle::Byte, 5),
        ("blosc-lz4-byte", Compressor::Lz4, Shuffle::Byte, 5),
        ("blosc-lz4-bit", Compressor::Lz4, Shuffle::Bit, 5),
        ("blosc-lz4-none", Compressor::Lz4, Shuffle::None, 5),
        ("blosc-copy", Compressor::Lz4, Shuffle::Byte, 0),
    ] {
        check(name, &Blosc::new(compressor, shuffle, effort, 2).expect("parameters"), src, src);
    }
}

#[test]
fn lz4_is_stored_as_ever() {
    let src = bytes_of(&kept(&pixels()), ByteOrder::Little);
    check("lz4-one-block", &Lz4::new(0), &src, &src);
    check("lz4-blocks", &Lz4::new(500), &src, &src);
}

/// A scene with noise, in frames large enough to be predicted.
fn scene() -> Vec<u16> {
    let (height, width) = (9, 20);
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u16 % 24
    };
    let pixel = |at: usize| match (at / width % height, at % width) {
        (4, 7) => 65_535,
        (6, 3) => 60_000,
        (y, x) => 100 + 40 * y as u16 + 7 * x as u16 + noise(),
    };
    (0..4 * height * width).map(pixel).collect()
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn bounded_is_stored_as_ever() {
    let src = scene();
    let layout = |order| {
        let element = ElementType { class: ElementClass::Unsigned, n_bytes: 2, base_bytes: 2, order };
        ChunkLayout::new(element, vec![4, 9, 20])
    };
    for (name, order, given) in [
        ("bounded-exact-le", ByteOrder::Little, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..]),
        ("bounded-exact-be", ByteOrder::Big, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3]),
        ("bounded-absolute", ByteOrder::Little, &[1, 3, 0, 0, 0, 0, 0, 0, 2, 2]),
        ("bounded-noise", ByteOrder::Little, &[2, 1, 2, 41, 20, 98, 5, 1, 0, 3, 50_000]),
        ("bounded-unbiased", ByteOrder::Big, &[2, 1, 1, 0, 0, 0, 0, 0, 1, 2]),
    ] {
        let stored = Bounded::localise(given, &layout(order)).expect("parameters");
        let (codec, src) = (Bounded::from_cd_values(&stored).expect("parameters"), bytes_of(&src, order));
        let mut decoded = vec![0; src.len()];
        if std::env::var_os("UPDATE_GOLDEN").is_none() {
            codec.decode(Exec::current(), &golden(name), &mut decoded).expect("a golden chunk");
        } else {
            codec
                .decode(Exec::current(), &encode(&codec, Level::SCALAR, &src), &mut decoded)
                .expect("what was encoded");
        }
        let what_is_kept = bytes_of(&bounded_by(&codec, &src, &decoded, order), order);
        check(name, &codec, &src, &what_is_kept);
    }
    // Runs of zeros, and frames of one value.
    let mut sparse: Vec<u16> = kept(&pixels());
    sparse[N_FRAMES * HEIGHT * WIDTH / 2..].fill(3);
    let stored = Bounded::localise(&[], &self::layout(ElementClass::Unsigned, ByteOrder::Little)).expect("parameters");
    let codec = Bounded::from_cd_values(&stored).expect("parameters");
    let src = bytes_of(&sparse, ByteOrder::Little);
    check("bounded-sparse", &codec, &src, &src);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn bounded_floats_are_stored_as_ever() {
    for (name, is_big_endian, given) in [
        ("bounded-float-exact", true, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3][..]),
        // 0.5, 0.001 of the range, and 0.01 in big-endian.
        ("bounded-float-absolute", false, &[3, 0, 0x3FE0_0000, 0, 0, 0, 0, 0, 0, 2]),
        ("bounded-float-relative", false, &[4, 0xD2F1_A9FC, 0x3F50_624D, 0, 0, 0, 0, 0, 0, 3]),
        ("bounded-float-be", true, &[3, 0x47AE_147B, 0x3F84_7AE1]),
    ] {
        let number = |(at, pixel): (usize, u16)| match (at % 61, pixel) {
            (_, 65_535) => f32::NAN,
            (_, 60_000) => f32::INFINITY,
            (7, _) => -0.0,
            (53, _) if at % 5 == 0 => 1e30,
            _ => f32::from(pixel) / 7.0 - 40.0,
        };
        let bytes = |number: f32| if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
        let src: Vec<u8> = scene().into_iter().enumerate().flat_map(|pixel| bytes(number(pixel))).collect();
        let layout = ChunkLayout::new(ElementType::float(4, is_big_endian), vec![4, 9, 20]);
        let stored = Bounded::localise(given, &layout).expect("parameters");
        let codec = Bounded::from_cd_values(&stored).expect("parameters");
        let (mut decoded, chunk) = (vec![0; src.len()], encode(&codec, Level::SCALAR, &src));
        codec.decode(Exec::current(), &chunk, &mut decoded).expect("what was encoded");
        assert_eq!(decoded == src, name.ends_with("exact"));
        let number =
            |bytes: &[u8; 4]| if is_big_endian { f32::from_be_bytes(*bytes) } else { f32::from_le_bytes(*bytes) };
        let pairs = src.as_chunks().0.iter().map(number).zip(decoded.as_chunks().0.iter().map(number));
        let most = Bounded::report(&chunk).expect("sound").achieved.float.expect("of floats").tolerance;
        for (x, y) in pairs {
            let error = (f64::from(y) - f64::from(x)).abs();
            assert!(x.to_bits() == y.to_bits() || error <= most, "{name}: {x} became {y}, {most} off at most");
        }
        check(name, &codec, &src, &decoded);
    }
}

/// What was decoded, if it keeps the bound.
fn bounded_by(codec: &Bounded, src: &[u8], decoded: &[u8], order: ByteOrder) -> Vec<u16> {
    let pixel = |bytes: &[u8; 2]| {
        if order == ByteOrder::Little { u16::from_le_bytes(*bytes) } else { u16::from_be_bytes(*bytes) }
    };
    let pairs = src.as_chunks().0.iter().map(pixel).zip(decoded.as_chunks().0.iter().map(pixel));
    let keep = |(x, y): (u16, u16)| {
        assert!(i64::from(x.abs_diff(y)) <= codec.bound().tolerance(x.into()), "{x} became {y}");
        y
    };
    pairs.map(keep).collect()
}

/// Bytes that a library compresses may change with its version: only that they decode is for ever.
#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn what_zstd_stored_decodes() {
    let src = bytes_of(&pixels(), ByteOrder::Little);
    let bitshuffle = Bitshuffle::new(2, Compression::Zstd { level: 3 }).with_block_elements(128);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        update("zstd", &encode(&Zstd::new(3), Level::SCALAR, &src));
        update("bitshuffle-zstd-2", &encode(&bitshuffle, Level::SCALAR, &src));
    }
    check_decoding("zstd", &Zstd::new(3), &src);
    check_decoding("bitshuffle-zstd-2", &bitshuffle, &src);
}
