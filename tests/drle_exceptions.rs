//! Sentinels, fill values and pixels above 32767 in DRLE's containers: parameters, stored bytes, damage.

use darkchunk::chunk::{ChunkEncoder, ChunkShape, Filter};
use darkchunk::codec::drle::{Container, Drle, MAX_NAMED_SENTINELS, VERSION, VERSION_WITH_EXCEPTIONS};
use darkchunk::codec::{ChunkLayout, Codec, OpenChunk};
use darkchunk::cpu::Level;
use darkchunk::element::{Element, ElementType, as_bytes, as_bytes_mut};
use darkchunk::kernels::drle::{Correction, FrameCounts};
use darkchunk::{Error, Exec, Result};
use darkchunk_sim::{Rng, regimes};

/// Where a container has its version.
const VERSION_AT: usize = 4;

fn layout(element: ElementType, dims: &[u64]) -> ChunkLayout {
    ChunkLayout::new(element, dims.to_vec())
}

fn codec(given: &[u32], layout: &ChunkLayout) -> Drle {
    Drle::localise(given, layout).and_then(|stored| Drle::from_cd_values(&stored)).unwrap()
}

fn encode(codec: &Drle, src: &[u8]) -> Vec<u8> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(Exec::current(), src, &mut dst).unwrap();
    dst.truncate(n_bytes);
    dst
}

/// Decodes on every level, into zeros and other bytes, all of which must agree.
fn decode(codec: &Drle, chunk: &[u8], n_bytes: usize) -> Result<Vec<u8>> {
    let expected = codec.decoded_len(chunk).and_then(|found| {
        let mut dst = vec![0xA5; n_bytes];
        assert_eq!(found, n_bytes);
        codec.decode(Exec::SCALAR, chunk, &mut dst).map(|()| dst)
    });
    for &level in Level::available() {
        let mut dst = vec![0x5A; n_bytes];
        let found = codec.decode(level.into(), chunk, &mut dst).map(|()| dst);
        assert_eq!(found.as_ref().ok(), expected.as_ref().ok(), "{level:?}");
        let mut dst = vec![0; n_bytes];
        let found = codec.open(chunk).and_then(|open| open.decode_zeroed(level.into(), &mut dst)).map(|()| dst);
        assert_eq!(found.as_ref().ok(), expected.as_ref().ok(), "{level:?}");
    }
    let is_proved = codec.open(chunk).is_ok_and(|mut open| open.prove());
    assert_eq!(is_proved, expected.is_ok(), "what is sound decodes, and nothing else");
    expected
}

/// Three frames of 2 x 5 pixels: with a mask and a pixel above 32767, without either, and with nothing else.
const FRAMES: [[u16; 10]; 3] = [
    [65535, 65535, 3, 700, 40_000, 65535, 65535, 4, 5, 0],
    [0, 0, 9, 0, 0, 32_767, 0, 0, 0, 0],
    [65535, 65535, 65535, 65535, 65535, 32_768, 65_534, 65535, 65535, 65535],
];

fn small() -> (Drle, Vec<u8>, Vec<u8>) {
    let codec = codec(&[5], &layout(ElementType::U16, &[3, 2, 5]));
    let kept = FRAMES.map(|frame| frame.map(|pixel| if pixel < 5 { 0 } else { pixel }));
    let chunk = encode(&codec, as_bytes(FRAMES.as_flattened()));
    (codec, chunk, as_bytes(kept.as_flattened()).to_vec())
}

#[test]
fn masked_pixels_and_those_above_32767_come_back() {
    let (codec, chunk, kept) = small();
    assert_eq!(chunk[VERSION_AT], VERSION_WITH_EXCEPTIONS);
    assert_eq!(decode(&codec, &chunk, kept.len()), Ok(kept.clone()));
    // One frame without the others.
    let container = Container::open(&chunk).unwrap();
    for (index, kept) in kept.chunks(20).enumerate() {
        let mut frame = [0xA5; 20];
        container.decode_segment(Level::current(), index, &mut frame).unwrap();
        assert_eq!(frame, kept, "frame {index}");
    }
}

/// What older readers read stays what they read.
#[test]
fn without_exceptions_a_chunk_is_of_version_1_byte_for_byte() {
    let pixels: Vec<u16> = regimes::poisson_u16((40, 50), 3.0, 1);
    let layout = layout(ElementType::U16, &[1, 40, 50]);
    let plain = encode(&codec(&[2], &layout), as_bytes(&pixels));
    assert_eq!(plain[VERSION_AT], VERSION);
    let bare = encode(&codec(&[2, 1], &layout), as_bytes(&pixels));
    assert_eq!(plain[32..], bare);
    let fill = ChunkLayout { fill: Some(1), ..layout.clone() };
    let none = ChunkLayout { fill: Some(0xFFFF), ..layout };
    for (given, layout) in [(&[2, 0, 0, 2, 0, 0, 0, 0, 2, 60_000, 999][..], &none), (&[2], &none)] {
        assert!(encode(&codec(given, layout), as_bytes(&pixels)) == plain, "{given:?}");
    }
    assert_eq!(encode(&codec(&[2], &fill), as_bytes(&pixels))[VERSION_AT], VERSION_WITH_EXCEPTIONS);
}

/// Both ways for parameters: what callers give, and what is stored and given again.
#[test]
fn named_sentinels_are_stored_and_given_again() {
    let (unsigned, signed) = (layout(ElementType::U16, &[3, 2, 4]), layout(ElementType::I16, &[3, 2, 4]));
    let named = [5, 0, 0, 2, 0, 0, 0, 0, 2, 65_534, 40_000];
    let stored = Drle::localise(&named, &unsigned).unwrap();
    assert_eq!(stored, [5, 0, 0, 2, 3, 8, 48, 0, 2, 65_534, 40_000]);
    assert_eq!(Drle::localise(&stored, &unsigned).unwrap(), stored);
    let drle = Drle::from_cd_values(&stored).unwrap();
    assert_eq!(drle.sentinels().values(), [65_534, 40_000], "65535 is not among them");
    assert_eq!(Drle::new(5).unwrap().with_sentinels(&[65_534, 40_000]).unwrap().cd_values(&unsigned).unwrap(), stored);
    assert_eq!(drle.cd_values(&unsigned).unwrap(), stored);
    // Without any, and without the rest.
    let zeros = [5, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    for given in [&zeros[..], &zeros[..9], &zeros[..4], &[5, 0, 0, 1, 0, 0, 0, 0], &[5, 0, 0, 0, 0], &[5, 0, 0]] {
        assert_eq!(Drle::localise(given, &unsigned).unwrap(), [5, 0, 0, 1, 3, 8, 48], "{given:?}");
    }
    // As they are stored where no plugin was found when the dataset was made.
    for stored in [&[20, 0, 0, 0][..], &[20, 0, 0, 0, 0, 0, 0, 0], &[20, 0]] {
        assert_eq!(Drle::from_cd_values(stored), Drle::from_cd_values(&[20, 0, 0]), "{stored:?}");
    }
    // Negative ones, with 16 and with 32 bits.
    let negative = Drle::localise(&[5, 0, 0, 2, 0, 0, 0, 0, 2, 65_535, u32::MAX - 1], &signed).unwrap();
    assert_eq!(negative, [5, 0, 0, 2, 1, 8, 48, 0, 2, 65_535, 65_534]);
    assert_eq!(codec(&[5], &unsigned).sentinels().values(), [65_535]);
    assert_eq!(codec(&[5], &signed).sentinels().values(), [0; 0]);
    assert_eq!(codec(&[5, 1], &unsigned).sentinels().values(), [0; 0], "a bare stream has none");
}

#[test]
fn the_fill_value_is_that_of_the_dataset_or_stays_where_it_is_not_known() {
    let with = |fill| ChunkLayout { fill, ..layout(ElementType::I16, &[3, 2, 4]) };
    let first = Drle::localise(&[5], &with(Some(0xFFFF))).unwrap();
    assert_eq!(first, [5, 0, 0, 2, 1, 8, 48, 0xFFFF, 0]);
    assert_eq!(Drle::localise(&first, &with(None)).unwrap(), first);
    assert_eq!(Drle::localise(&first, &with(Some(0x8001))).unwrap(), [5, 0, 0, 2, 1, 8, 48, 0x8001, 0]);
    assert_eq!(Drle::localise(&first, &with(Some(0))).unwrap(), [5, 0, 0, 1, 1, 8, 48]);
    // What is kept anyhow needs no place.
    assert_eq!(Drle::localise(&[5], &with(Some(5))).unwrap(), [5, 0, 0, 1, 1, 8, 48]);
    assert_eq!(Drle::localise(&[5], &with(Some(4))).unwrap(), [5, 0, 0, 2, 1, 8, 48, 4, 0]);
    let unsigned = ChunkLayout { fill: Some(40_000), ..layout(ElementType::U16, &[3, 2, 4]) };
    assert_eq!(codec(&[5], &unsigned).sentinels().values(), [65_535, 40_000]);
    let usual = ChunkLayout { fill: Some(65_535), ..unsigned };
    assert_eq!(codec(&[5], &usual).sentinels().values(), [65_535], "not twice");
}

#[test]
fn parameters_that_name_nothing_sensible_are_refused() {
    let layout = layout(ElementType::U16, &[3, 2, 4]);
    let refused = |given: &[u32], index: usize| match Drle::localise(given, &layout) {
        Err(Error::Parameter { index: found, what, .. }) => assert!(found == index && !what.is_empty(), "{given:?}"),
        other => panic!("{given:?}: {other:?}"),
    };
    refused(&[5, 0, 0, 3], 3);
    refused(&[5, 1, 0, 2, 0, 0, 0, 0, 1, 7], 1);
    refused(&[5, 1, 0, 2, 0, 0, 0, 7], 1);
    refused(&[5, 0, 0, 2, 0, 0, 0, 65_536], 7);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8], 8);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, u32::MAX], 8);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, 2, 1], 8);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, 1, 0], 9);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, 2, 1, 65_536], 10);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, 1, u32::MAX], 9);
    // More than there is a place for.
    refused(&[5, 0, 0, 7], 3);
    refused(&[5, 0, 0, 0, 7], 3);
    refused(&[5, 0, 0, 1, 3, 8, 48, 7], 7);
    refused(&[5, 0, 0, 2, 0, 0, 0, 0, 1, 65_535, 0, 7], 11);
    let too_many = Drle::new(5).unwrap().with_sentinels(&[1; MAX_NAMED_SENTINELS + 1]);
    assert!(matches!(too_many, Err(Error::Argument(_))), "{too_many:?}");
    assert!(Drle::localise(&[5, 0, 0, 2, 0, 0, 0, 9, 7, 1, 2, 3, 4, 5, 6, 7], &layout).is_ok());
}

/// A fill value below the threshold, as masks of −1 and netCDF's −32767 are, in chunks that are written in part.
#[test]
fn a_fill_value_below_the_threshold_is_kept_exactly() {
    for fill in [-1_i16, -32_767, i16::MIN, 2] {
        let layout = ChunkLayout { fill: Some(fill.cast_unsigned().into()), ..layout(ElementType::I16, &[3, 20, 30]) };
        let mut pixels = vec![fill; 1800];
        pixels[..600].iter_mut().enumerate().for_each(|(at, pixel)| *pixel = at as i16 % 9 - 4);
        let kept: Vec<i16> = pixels.iter().map(|pixel| if *pixel < 3 && *pixel != fill { 0 } else { *pixel }).collect();
        let codec = codec(&[3], &layout);
        let chunk = encode(&codec, as_bytes(&pixels));
        assert_eq!(decode(&codec, &chunk, 3600).unwrap(), as_bytes(&kept), "{fill}");
        // A reader needs no sentinels.
        let older = Drle::from_cd_values(&[3, 0, 0, 1, 1, 600, 3600]).unwrap();
        assert_eq!(decode(&older, &chunk, 3600).unwrap(), as_bytes(&kept), "{fill}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let (codec, chunk, kept) = small();
    for n_bytes in 0..chunk.len() {
        assert!(decode(&codec, &chunk[..n_bytes], kept.len()).is_err(), "{n_bytes} of {}", chunk.len());
    }
    for more in [&[0][..], &[0, 0]] {
        assert!(decode(&codec, &[&chunk, more].concat(), kept.len()).is_err());
    }
}

/// With Miri, one change of every fifth byte.
const MASK_STEP: usize = if cfg!(miri) { 255 } else { 1 };
const BYTE_STEP: usize = if cfg!(miri) { 5 } else { 1 };

#[test]
fn every_mutation_is_an_error() {
    let (codec, chunk, kept) = small();
    for at in (0..chunk.len()).step_by(BYTE_STEP) {
        for mask in (1..=255).step_by(MASK_STEP) {
            let mut mutant = chunk.clone();
            mutant[at] ^= mask;
            assert!(decode(&codec, &mutant, kept.len()).is_err(), "byte {at} ^ {mask}");
        }
    }
}

/// Where nothing but a segment's own bytes is wrong, and the checksums are right: what no disk does, but somebody may.
#[test]
fn every_mutation_with_right_checksums_is_an_error_or_a_whole_frame() {
    let (codec, chunk, kept) = small();
    let payload = 24 + 3 * 8;
    for at in (payload..chunk.len()).step_by(BYTE_STEP) {
        for mask in (1..=255).step_by(MASK_STEP) {
            let mut mutant = chunk.clone();
            mutant[at] ^= mask;
            let ends: Vec<usize> =
                (0..3).map(|index| Container::open(&chunk).unwrap().segment(index).unwrap().bytes.end).collect();
            let mut start = payload;
            for (index, end) in ends.iter().enumerate() {
                let checksum = crc32fast::hash(&mutant[start..*end]).to_le_bytes();
                mutant[24 + 8 * index + 4..][..4].copy_from_slice(&checksum);
                start = *end;
            }
            let front = crc32fast::hash(&[&mutant[..20], &mutant[24..payload]].concat()).to_le_bytes();
            mutant[20..24].copy_from_slice(&front);
            // `decode` holds all ways against each other; none of them may panic, or decode to another size.
            let _ = decode(&codec, &mutant, kept.len());
        }
    }
}

#[test]
fn a_newer_version_is_refused_with_what_to_do() {
    let (codec, mut chunk, kept) = small();
    chunk[VERSION_AT] = 4;
    let text = decode(&codec, &chunk, kept.len()).unwrap_err().to_string();
    assert!(text.contains("version 4") && text.contains("newer darkchunk"), "{text}");
}

#[test]
fn an_output_that_is_too_small_is_an_error_and_one_that_is_just_enough_is_not() {
    let (codec, chunk, _) = small();
    for available in 0..=chunk.len() {
        let mut dst = vec![0; available];
        match codec.encode(Exec::current(), as_bytes(FRAMES.as_flattened()), &mut dst) {
            Ok(n_bytes) => assert_eq!((n_bytes, &dst), (chunk.len(), &chunk)),
            Err(error) => assert!(matches!(error, Error::OutputTooSmall { .. }) && available < chunk.len()),
        }
    }
}

/// The dataset of an 8-module detector: the gaps and dead pixels of every frame.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn the_mask_of_a_detector_of_eight_modules_costs_less_than_20_kb_a_frame() {
    let (height, width) = (2167, 2070);
    let layout = layout(ElementType::U16, &[1, height as u64, width as u64]);
    let mask = regimes::module_mask((height, width), 4);
    let masked = regimes::masked_photons_u16((height, width), 0.02, 4);
    let unmasked: Vec<u16> = masked.iter().zip(&mask).map(|(pixel, mask)| if *mask { 0 } else { *pixel }).collect();
    let codec = codec(&[1], &layout);
    let [masked, unmasked] = [masked, unmasked].map(|pixels| (encode(&codec, as_bytes(&pixels)), pixels));
    let more = masked.0.len() as isize - unmasked.0.len() as isize;
    assert!(more < 20_000, "{more} bytes for the mask");
    assert!(decode(&codec, &masked.0, 2 * height * width).unwrap() == as_bytes(&masked.1));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn frames_with_masks_are_corrected_counted_and_summed_without_them() {
    let shape = ChunkShape { n_frames: 4, height: 60, width: 71 };
    let n = shape.frame_pixels();
    let values = Filter::localise(Drle::FILTER_ID, &[5], &shape.layout(u16::TYPE).unwrap()).unwrap();
    let filter = Filter::from_cd_values(Drle::FILTER_ID, &values).unwrap();
    let dark = vec![100_u16; n];
    let correction = Correction { dark: Some(&dark), threshold: None };
    let frames: Vec<Vec<u16>> = (0..3)
        .map(|index| {
            let photons = regimes::masked_photons_u16((60, 71), 0.1, index);
            photons.iter().map(|pixel| if *pixel == 65535 { 65535 } else { 100 + 7 * pixel }).collect()
        })
        .map(|mut frame: Vec<u16>| {
            frame[9] = 50_000;
            frame[n - 200..n - 100].fill(65535);
            frame
        })
        .collect();
    let stored = |pixel: u16| match pixel {
        65535 => 65535,
        ..105 => 0,
        _ => pixel - 100,
    };
    let n_masked = frames.iter().flatten().filter(|pixel| **pixel == 65535).count() as u64;
    assert!(n_masked > 300);
    for &level in Level::available() {
        let mut chunks = Vec::new();
        for way in 0..3 {
            let mut encoder = ChunkEncoder::<u16>::new(level.into(), shape, Some(filter.clone())).unwrap();
            let (mut sum, mut counts) = (vec![0; n], FrameCounts::default());
            let views: Vec<&[u16]> = frames.iter().map(Vec::as_slice).collect();
            for frame in &frames {
                match way {
                    0 => counts += encoder.push(&[&frame[..7], &frame[7..]], &correction, Some(&mut sum)).unwrap(),
                    1 => {
                        let mut overwritten = frame.clone();
                        counts += encoder.push_in_place(&mut overwritten, &correction, Some(&mut sum)).unwrap();
                        assert!(
                            overwritten.iter().zip(frame).all(|(found, pixel)| *found == stored(*pixel)),
                            "{level:?}"
                        );
                    }
                    _ => {}
                }
            }
            if way == 2 {
                counts = encoder.push_frames(&views, &correction, Some(&mut sum)).unwrap();
            }
            assert_eq!(counts.n_sentinels, n_masked, "{level:?}");
            for (at, sum) in sum.iter().enumerate() {
                let pixels = frames.iter().map(|frame| frame[at]).filter(|pixel| *pixel != 65535);
                assert_eq!(*sum, pixels.map(|pixel| u32::from(stored(pixel))).sum::<u32>(), "{level:?} pixel {at}");
            }
            chunks.push((encoder.encode().unwrap().to_vec(), counts));
        }
        assert!(chunks[1..].iter().all(|chunk| *chunk == chunks[0]), "{level:?}");
        let mut decoded = vec![7_u16; shape.chunk_pixels()];
        filter.decode(level.into(), &chunks[0].0, as_bytes_mut(&mut decoded)).unwrap();
        let expected = frames.iter().flatten().map(|pixel| stored(*pixel)).chain(vec![0; n]);
        assert!(decoded.into_iter().eq(expected), "{level:?}");
    }
}

/// What a dataset shows after the last frame, should somebody make it longer.
#[test]
fn missing_frames_are_padded_with_the_fill_value() {
    let shape = ChunkShape { n_frames: 3, height: 6, width: 7 };
    let layout = ChunkLayout { fill: Some(0xFFFF), ..shape.layout(i16::TYPE).unwrap() };
    let values = Filter::localise(Drle::FILTER_ID, &[5], &layout).unwrap();
    let filter = Filter::from_cd_values(Drle::FILTER_ID, &values).unwrap();
    let mut encoder = ChunkEncoder::<i16>::new(Exec::current(), shape, Some(filter.clone())).unwrap();
    encoder.push(&[&[9; 42]], &Correction { dark: None, threshold: None }, None).unwrap();
    let mut decoded = vec![0_i16; shape.chunk_pixels()];
    for _ in 0..2 {
        filter.decode(Exec::current(), encoder.encode().unwrap(), as_bytes_mut(&mut decoded)).unwrap();
        assert!(decoded[..42].iter().all(|pixel| *pixel == 9) && decoded[42..].iter().all(|pixel| *pixel == -1));
    }
    encoder.push(&[&[0; 42]], &Correction { dark: None, threshold: None }, None).unwrap();
    filter.decode(Exec::current(), encoder.encode().unwrap(), as_bytes_mut(&mut decoded)).unwrap();
    assert!(decoded[42..84].iter().all(|pixel| *pixel == 0) && decoded[84..].iter().all(|pixel| *pixel == -1));
}

/// The frame of an EIGER 4M, and its mask: four rows of two modules with gaps between them, and dead pixels. 2911 runs.
const EIGER: (usize, usize) = (2167, 2070);
const N_MASK_RUNS: usize = 2911;

fn eiger_mask(rng: &mut Rng) -> Vec<bool> {
    let (height, width) = EIGER;
    let is_gap = |row: usize, column: usize| row % 551 >= 514 || (1030..1040).contains(&column);
    let mut mask: Vec<bool> = (0..height * width).map(|at| is_gap(at / width, at % width)).collect();
    let n_runs = |mask: &[bool]| usize::from(mask[0]) + mask.windows(2).filter(|pair| !pair[0] && pair[1]).count();
    for _ in n_runs(&mask)..N_MASK_RUNS {
        let is_alone = |mask: &[bool], at: usize| !mask[at - 1..at + 2].contains(&true);
        let at =
            (0..).map(|_| 1 + rng.below(height * width - 2)).find(|at| is_alone(&mask, *at)).expect("a free place");
        mask[at] = true;
    }
    assert_eq!(n_runs(&mask), N_MASK_RUNS);
    mask
}

#[test]
#[cfg_attr(miri, ignore = "millions of pixels")]
fn the_mask_of_an_eiger_4m_costs_at_most_20_kb_a_frame() {
    let mut rng = Rng::new(4);
    let (height, width) = EIGER;
    let mask = eiger_mask(&mut rng);
    let n_masked = mask.iter().filter(|is_masked| **is_masked).count();
    assert!((250_000..252_000).contains(&n_masked), "{n_masked}");
    let codec = codec(&[1], &layout(ElementType::U16, &[1, height as u64, width as u64]));
    for rate in [0, 3, 200] {
        let photons = |rng: &mut Rng| if rng.below(1000) < rate { 1 + rng.below(9) as u16 } else { 0 };
        let dark: Vec<u16> = mask.iter().map(|is_masked| if *is_masked { 0 } else { photons(&mut rng) }).collect();
        let mut frame = dark.clone();
        frame.iter_mut().zip(&mask).filter(|(_, is_masked)| **is_masked).for_each(|(pixel, _)| *pixel = 65_535);
        let (without, with) = (encode(&codec, as_bytes(&dark)), encode(&codec, as_bytes(&frame)));
        let cost = with.len() - without.len();
        assert!(cost <= 20_000, "{rate} photons in 1000 pixels: {cost} bytes");
        let mut decoded = vec![0_u16; frame.len()];
        codec.decode(Exec::current(), &with, as_bytes_mut(&mut decoded)).unwrap();
        assert!(decoded == frame, "{rate}");
    }
}

#[test]
fn a_lone_exception_costs_at_most_8_bytes() {
    let (height, width) = if cfg!(miri) { (20, 70) } else { EIGER };
    let codec = codec(&[5], &layout(ElementType::U16, &[1, height as u64, width as u64]));
    let mut rng = Rng::new(8);
    let mut frame: Vec<u16> = (0..height * width).map(|_| if rng.below(50) == 0 { 900 } else { 0 }).collect();
    let mut largest = 0;
    for turn in 0..20 {
        let at = if turn == 0 { frame.len() - 1 } else { rng.below(frame.len()) };
        let before = std::mem::replace(&mut frame[at], 0);
        let dark = encode(&codec, as_bytes(&frame)).len();
        for exception in [65_535, 40_000, 32_768] {
            frame[at] = exception;
            let cost = encode(&codec, as_bytes(&frame)).len() - dark;
            assert!(cost <= 8, "{exception} at pixel {at}: {cost} bytes");
            largest = largest.max(cost);
        }
        frame[at] = before;
    }
    assert!(cfg!(miri) || largest >= 7, "{largest}: none was far from the others");
}
