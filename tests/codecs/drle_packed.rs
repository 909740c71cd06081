//! Packed DRLE containers: what is packed comes back, whatever it is; what is damaged costs its own segment.

use darkchunk::chunk::{ChunkEncoder, ChunkShape, Filter};
use darkchunk::codec::drle::{Container, Drle, Mode, Packer, VERSION_PACKED, unpack};
use darkchunk::codec::{ChunkLayout, Codec, OpenChunk};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType, as_bytes};
use darkchunk::kernels::drle::Correction;
use darkchunk::{Error, Exec};
use darkchunk_sim::{Rng, regimes};

/// Where a container has its version.
const VERSION_AT: usize = 4;

fn element(class: ElementClass, order: ByteOrder) -> ElementType {
    ElementType { class, order, ..ElementType::I16 }
}

/// The codec for chunks of `dims` pixels, with containers that are packed, or not.
fn codec(threshold: u16, mode: Mode, element: ElementType, dims: &[u64]) -> Drle {
    let layout = ChunkLayout::new(element, dims.to_vec());
    Drle::new(threshold).and_then(|drle| drle.with_mode(mode).for_layout(&layout)).expect("parameters")
}

fn both(threshold: u16, element: ElementType, dims: &[u64]) -> [Drle; 2] {
    [Mode::Container, Mode::Packed].map(|mode| codec(threshold, mode, element, dims))
}

fn encode(codec: &Drle, exec: Exec, src: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(exec, src, &mut dst).expect("it encodes");
    dst.truncate(n_bytes);
    dst
}

fn decode(codec: &Drle, level: Level, chunk: &[u8], n_bytes: usize) -> darkchunk::Result<Vec<u8>> {
    let mut dst = vec![0x5A; n_bytes];
    codec.decode(level.into(), chunk, &mut dst).map(|()| dst)
}

fn pack(plain: &[u8]) -> Vec<u8> {
    Packer::default().pack(Level::current(), plain).expect("sound").to_vec()
}

/// A chunk is packed at every level to the same bytes, decodes at every level to the same pixels as the one that is not, and is
/// unpacked to that one.
fn check(what: &str, [plain, packed]: &[Drle; 2], src: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let expected = encode(plain, Exec::SCALAR, src);
    let pixels = decode(plain, Level::SCALAR, &expected, src.len()).expect("sound");
    let chunk = encode(packed, Exec::SCALAR, src);
    assert!(chunk.len() <= expected.len(), "{what}");
    for &level in Level::available() {
        assert!(encode(packed, level.into(), src) == chunk, "{what} {level:?}: other bytes");
        assert!(decode(packed, level, &chunk, src.len()).as_ref() == Ok(&pixels), "{what} {level:?}: other pixels");
        assert!(unpack(level, &chunk).as_ref() == Ok(&expected), "{what} {level:?}: not what was packed");
        let mut zeroed = vec![0; src.len()];
        packed.open(&chunk).and_then(|open| open.decode_zeroed(level.into(), &mut zeroed)).expect("sound");
        assert!(zeroed == pixels, "{what} {level:?}: other pixels into zeros");
    }
    assert_eq!(packed.decoded_len(&chunk), Ok(src.len()), "{what}");
    (chunk, expected)
}

fn is_packed(chunk: &[u8]) -> bool {
    assert_eq!(chunk[VERSION_AT] == VERSION_PACKED, Container::open(chunk).expect("sound").is_packed());
    chunk[VERSION_AT] == VERSION_PACKED
}

/// Frames of camera spots, as many in each lane as a stream can have.
#[test]
fn frames_of_every_size_come_back() {
    let mut rng = Rng::new(5);
    for (height, width) in [(1, 1), (1, 2), (3, 7), (16, 16), (64, 65), (100, 200), (256, 256), (300, 400)] {
        for bright in [0.0, 0.002, 0.05, 0.4, 1.0] {
            let n = 3 * height * width;
            let pixel = |_| {
                let n_bits = 1 + rng.below(14);
                if rng.uniform() < bright { 20 + rng.below(1 << n_bits) as i16 } else { 0 }
            };
            let pixels: Vec<i16> = (0..n).map(pixel).collect();
            let dims = [3, height as u64, width as u64];
            let name = format!("{height} x {width}, {bright}");
            let (chunk, plain) = check(&name, &both(20, ElementType::I16, &dims), as_bytes(&pixels));
            let n_bright = pixels.iter().filter(|pixel| **pixel > 0).count();
            assert!(is_packed(&chunk) || n_bright < 100, "{name}: {} of {}", chunk.len(), plain.len());
        }
    }
}

#[test]
fn every_element_type_comes_back_with_its_exceptions() {
    let frame: Vec<u16> = regimes::masked_photons_u16((64, 100), 3.0, 1);
    for class in [ElementClass::Signed, ElementClass::Unsigned] {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let bytes =
                |pixel: &u16| if order == ByteOrder::Little { pixel.to_le_bytes() } else { pixel.to_be_bytes() };
            let mut src: Vec<u8> = frame.iter().flat_map(bytes).collect();
            src.extend(frame.iter().map(|pixel| pixel.wrapping_mul(9001)).flat_map(|pixel| bytes(&pixel)));
            for threshold in [1, 5, 32_767] {
                let codecs = both(threshold, element(class, order), &[2, 64, 100]);
                check(&format!("{class:?} {order:?} from {threshold} on"), &codecs, &src);
            }
        }
    }
}

/// Streams with runs that no token holds, of one value, of the greatest, with nothing dark, with every other pixel dark.
#[test]
fn extreme_streams_come_back() {
    let n = 200_000;
    let one = |value: i16| vec![value; n];
    let single = |at: usize| (0..n).map(|n| if n == at { 9 } else { 0 }).collect::<Vec<i16>>();
    let stripes = |period: usize| (0..n).map(|n| if n % period == 0 { (n % 30_000) as i16 + 1 } else { 0 }).collect();
    let inputs: [(&str, Vec<i16>); 10] = [
        ("dark", one(0)),
        ("one value", one(7)),
        ("the greatest value", one(i16::MAX)),
        ("the first pixel", single(0)),
        ("the last pixel", single(n - 1)),
        ("after 32768 pixels", single(32_768)),
        ("after 32769 pixels", single(32_769)),
        ("after 131073 pixels", single(131_073)),
        ("every other pixel", stripes(2)),
        ("each 32770th pixel", stripes(32_770)),
    ];
    for (what, pixels) in inputs {
        let (chunk, plain) = check(what, &both(1, ElementType::I16, &[1, 1, n as u64]), as_bytes(&pixels));
        assert!(!is_packed(&chunk) || chunk.len() < plain.len(), "{what}");
        assert!(chunk.len() * 65_536 >= 2 * n, "{what}: {} bytes are too few to be believed", chunk.len());
    }
}

#[test]
fn dark_frames_are_a_third_shorter_than_their_streams_and_more() {
    let frames = regimes::bright_frames(8, (256, 256), 0.0056, 3);
    let (chunk, plain) = check("spots", &both(1, ElementType::I16, &[8, 256, 256]), as_bytes(&frames));
    assert!(3 * chunk.len() < 2 * plain.len(), "{} of {}", chunk.len(), plain.len());
}

#[test]
fn what_would_not_be_shorter_is_left_as_it_is() {
    let [plain, packed] = both(5, ElementType::I16, &[2, 1, 4]);
    let pixels = [0_i16, 7, 0, 2, 0, 0, 4, 9];
    let chunk = encode(&packed, Exec::SCALAR, as_bytes(&pixels));
    assert_eq!(chunk, encode(&plain, Exec::SCALAR, as_bytes(&pixels)));
    assert!(!is_packed(&chunk));
    assert_eq!(unpack(Level::SCALAR, &chunk), Ok(chunk));
}

#[test]
fn packing_again_changes_nothing_and_what_is_damaged_is_not_packed() {
    let frames = regimes::bright_frames(2, (64, 64), 0.05, 3);
    let [plain, packed] = both(1, ElementType::I16, &[2, 64, 64]);
    let stored = encode(&plain, Exec::SCALAR, as_bytes(&frames));
    let chunk = pack(&stored);
    assert_eq!(chunk, encode(&packed, Exec::SCALAR, as_bytes(&frames)));
    assert_eq!(pack(&chunk), chunk);
    for at in 0..stored.len() {
        let mut damaged = stored.clone();
        damaged[at] ^= 4;
        assert!(
            Packer::default().pack(Level::current(), &damaged).is_err(),
            "byte {at} is damaged, and gets a new checksum"
        );
    }
    for at in 0..chunk.len() {
        let mut damaged = chunk.clone();
        damaged[at] ^= 4;
        assert!(unpack(Level::current(), &damaged).is_err(), "byte {at} is damaged");
        assert!(decode(&packed, Level::current(), &damaged, 2 * frames.len()).is_err(), "byte {at} is damaged");
        assert!(unpack(Level::current(), &chunk[..at]).is_err(), "cut to {at}");
    }
}

#[test]
fn a_frame_comes_out_alone() {
    let frames = regimes::bright_frames(5, (64, 64), 0.05, 8);
    let [_, packed] = both(1, ElementType::I16, &[5, 64, 64]);
    let chunk = encode(&packed, Exec::SCALAR, as_bytes(&frames));
    assert!(is_packed(&chunk));
    let (src, frame_bytes) = (as_bytes(&frames), 2 * 64 * 64);
    let open = packed.open(&chunk).expect("sound");
    let mut part = vec![0; frame_bytes];
    assert_eq!(open.decode_range(Level::current(), 3 * frame_bytes..4 * frame_bytes, &mut part), Ok(1));
    assert_eq!(part, src[3 * frame_bytes..4 * frame_bytes]);
    let mut visited = vec![0; src.len()];
    open.visit(Level::current(), 2, &mut |at, bytes| visited[at..at + bytes.len()].copy_from_slice(bytes))
        .expect("sound");
    assert!(visited == src);
}

#[test]
fn the_encoder_of_chunks_packs_as_the_codec_does() {
    let shape = ChunkShape { n_frames: 4, height: 64, width: 64 };
    let frames = regimes::bright_frames(3, (64, 64), 0.05, 4);
    let packed = codec(1, Mode::Packed, ElementType::I16, &shape.dims());
    let mut encoder =
        ChunkEncoder::new(Exec::current(), shape, Some(Filter::Drle(packed.clone()))).expect("parameters");
    for _ in 0..2 {
        for frame in frames.chunks(64 * 64) {
            encoder.push(&[frame], &Correction { dark: None, threshold: None }, None).expect("a frame");
        }
        let padded = [&frames[..], &[0; 64 * 64]].concat();
        assert!(encoder.encode().expect("a chunk") == encode(&packed, Exec::current(), as_bytes(&padded)));
        encoder.clear();
    }
}

#[test]
fn the_parameters_say_that_containers_are_packed() {
    let layout = ChunkLayout::new(ElementType::U16, vec![3, 2, 4]);
    let stored = Drle::localise(&[5, 2], &layout).expect("parameters");
    assert_eq!(stored, [5, 2, 0, 3, 3, 8, 48]);
    assert_eq!(Drle::localise(&stored, &layout).as_ref(), Ok(&stored));
    let named = Drle::localise(&[5, 2, 0, 2, 0, 0, 0, 0, 1, 65_534], &layout).expect("parameters");
    assert_eq!(named, [5, 2, 0, 3, 3, 8, 48, 0, 1, 65_534]);
    assert_eq!(Drle::localise(&named, &layout).as_ref(), Ok(&named));
    let codec = Drle::from_cd_values(&named).expect("parameters");
    assert_eq!((codec.mode(), codec.sentinels().values()), (Mode::Packed, &[65_534][..]));
    assert_eq!(codec.cd_values(&layout), Ok(named));
    let filled = Drle::localise(&[5, 2], &ChunkLayout { fill: Some(2), ..layout.clone() }).expect("parameters");
    assert_eq!(filled, [5, 2, 0, 3, 3, 8, 48, 2, 0]);
    assert!(matches!(Drle::localise(&[5, 3], &layout), Err(Error::Parameter { index: 1, .. })));
    assert!(matches!(Drle::from_cd_values(&[5, 2, 0, 4, 3, 8, 48]), Err(Error::Parameter { index: 3, .. })));
}
