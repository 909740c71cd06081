//! DRLE as the plugins and the writer use it: parameters, bare streams, containers.

use darkchunk::codec::drle::{Container, ContainerWriter, Drle, Mode, PixelType};
use darkchunk::codec::{ChunkLayout, Codec, OpenChunk};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk::{Error, Exec, Result};

fn element(class: ElementClass, order: ByteOrder) -> ElementType {
    ElementType { class, order, ..ElementType::I16 }
}

fn layout(element: ElementType, dims: &[u64]) -> ChunkLayout {
    ChunkLayout::new(element, dims.to_vec())
}

fn encode(codec: &Drle, src: &[u8]) -> Result<Vec<u8>> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(Exec::current(), src, &mut dst)?;
    dst.truncate(n_bytes);
    Ok(dst)
}

fn decode(codec: &Drle, src: &[u8]) -> Result<Vec<u8>> {
    let mut dst = vec![0xA5; codec.decoded_len(src)?];
    codec.decode(Exec::current(), src, &mut dst)?;
    Ok(dst)
}

/// Three frames of 2 x 4 pixels, with what is left of them at threshold 5.
const FRAMES: [[i16; 8]; 3] = [[0, 1, 7, 8, 2, 0, 0, 0], [0; 8], [9, 4, 9, 4, 9, -1, i16::MIN, i16::MAX]];
const KEPT: [[i16; 8]; 3] = [[0, 0, 7, 8, 0, 0, 0, 0], [0; 8], [9, 0, 9, 0, 9, 0, 0, i16::MAX]];

fn bytes_of(frames: &[[i16; 8]], order: ByteOrder) -> Vec<u8> {
    let pixels = frames.iter().flatten();
    match order {
        ByteOrder::Little => pixels.flat_map(|pixel| pixel.to_le_bytes()).collect(),
        ByteOrder::Big => pixels.flat_map(|pixel| pixel.to_be_bytes()).collect(),
    }
}

#[test]
fn a_chunk_comes_back_with_its_dark_pixels_zeroed_in_both_byte_orders_and_modes() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for mode in [Mode::Container, Mode::Bare] {
            let layout = layout(element(ElementClass::Signed, order), &[3, 2, 4]);
            let codec = Drle::new(5).unwrap().with_mode(mode).for_layout(&layout).unwrap();
            let chunk = encode(&codec, &bytes_of(&FRAMES, order)).unwrap();
            assert_eq!(decode(&codec, &chunk).unwrap(), bytes_of(&KEPT, order), "{order:?} {mode:?}");
        }
    }
}

#[test]
fn one_frame_comes_out_of_a_chunk() {
    let layout = layout(element(ElementClass::Signed, ByteOrder::Little), &[3, 2, 4]);
    let codec = Drle::new(5).unwrap().for_layout(&layout).unwrap();
    let chunk = encode(&codec, &bytes_of(&FRAMES, ByteOrder::Little)).unwrap();
    let container = Container::open(&chunk).unwrap();
    assert_eq!(container.n_segments(), 3);
    let mut frame = [0xA5; 16];
    container.decode_segment(Level::current(), 2, &mut frame).unwrap();
    assert_eq!(frame[..], bytes_of(&KEPT[2..], ByteOrder::Little));
    assert_eq!(container.segment(2).unwrap().pixels, 16..24);
}

#[test]
fn a_bare_stream_refuses_a_bright_value_over_32767_and_names_pixel_and_value() {
    let layout = layout(element(ElementClass::Unsigned, ByteOrder::NATIVE), &[2, 2, 2]);
    let codec = Drle::new(5).unwrap().with_mode(Mode::Bare).for_layout(&layout).unwrap();
    let pixels = [0_u16, 32767, 4, 5, 6, 32768, 7, 8];
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_ne_bytes()).collect();
    assert_eq!(encode(&codec, &bytes), Err(Error::TooBright { pixel: 5, value: 32768 }));
}

#[test]
fn stored_parameters_are_idempotent_and_follow_the_layout() {
    let signed = element(ElementClass::Signed, ByteOrder::Big);
    let first = Drle::localise(&[5], &layout(signed, &[3, 2, 4])).unwrap();
    assert_eq!(first, [5, 0, 0, 1, PixelType::I16Be.code().into(), 8, 48]);
    assert_eq!(Drle::localise(&first, &layout(signed, &[3, 2, 4])).unwrap(), first);
    let unsigned = element(ElementClass::Unsigned, ByteOrder::Little);
    let other = Drle::localise(&first, &layout(unsigned, &[10, 4, 4])).unwrap();
    assert_eq!(other, [5, 0, 0, 1, PixelType::U16Le.code().into(), 16, 320]);
    assert_eq!(Drle::localise(&[7, 1, 6], &layout(signed, &[16])).unwrap(), [7, 1, 6, 1, 2, 6, 32]);
}

/// The bytes of the example in `docs/format.md`, the first or the second.
fn documented_example(index: usize) -> Vec<u8> {
    let text = include_str!("../docs/format.md");
    let section = text.split("## DRLE").nth(1).expect("the section on DRLE");
    let rows = section.split("```text").nth(1 + index).and_then(|rest| rest.split("```").next()).expect("its example");
    let hex = |row: &str| {
        row.split_whitespace()
            .map_while(|byte| (byte.len() == 2).then(|| u8::from_str_radix(byte, 16).ok())?)
            .collect::<Vec<u8>>()
    };
    rows.lines().skip(2).flat_map(|row| hex(&row[..24.min(row.len())])).collect()
}

#[test]
fn the_documented_example_is_what_is_written() {
    let layout = layout(element(ElementClass::Signed, ByteOrder::Little), &[2, 1, 4]);
    let codec = Drle::new(5).unwrap().for_layout(&layout).unwrap();
    let pixels = [0_i16, 7, 0, 2, 0, 0, 4, 9];
    let chunk = encode(&codec, &pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect::<Vec<_>>()).unwrap();
    assert_eq!(chunk, documented_example(0));
    let kept = [0_i16, 7, 0, 0, 0, 0, 0, 9].iter().flat_map(|pixel| pixel.to_le_bytes()).collect::<Vec<_>>();
    assert_eq!(decode(&codec, &chunk).unwrap(), kept);
}

#[test]
fn the_documented_example_of_exceptions_is_what_is_written() {
    let layout = layout(element(ElementClass::Unsigned, ByteOrder::Little), &[1, 2, 4]);
    let codec = Drle::new(5).unwrap().for_layout(&layout).unwrap();
    let pixels = [0_u16, 7, 65535, 65535, 65535, 2, 40000, 9];
    let chunk = encode(&codec, &pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect::<Vec<_>>()).unwrap();
    assert_eq!(chunk, documented_example(1), "{chunk:02x?}");
    let kept = [0_u16, 7, 65535, 65535, 65535, 0, 40000, 9].iter().flat_map(|pixel| pixel.to_le_bytes());
    assert_eq!(decode(&codec, &chunk).unwrap(), kept.collect::<Vec<_>>());
}

#[test]
fn every_truncation_is_an_error() {
    for (codec, chunk) in small_chunks() {
        for n_bytes in 0..chunk.len() {
            let found = decode_into(&codec, &chunk[..n_bytes]);
            assert!(found.is_err(), "{:?} {n_bytes} of {}", codec.mode(), chunk.len());
        }
        let longer = [&chunk[..], &[0, 0]].concat();
        assert!(decode_into(&codec, &longer).is_err(), "{:?} two bytes more", codec.mode());
    }
}

/// What a byte is changed by: anything; with Miri, a few.
const MASKS: std::ops::RangeInclusive<u8> = 1..=255;
const MASK_STEP: usize = if cfg!(miri) { 127 } else { 1 };

#[test]
fn every_mutation_of_a_container_is_an_error_or_the_right_data() {
    let (codec, chunk) = small_chunks().swap_remove(0);
    let expected = decode_into(&codec, &chunk).unwrap();
    for at in 0..chunk.len() {
        for mask in MASKS.step_by(MASK_STEP) {
            let mut mutant = chunk.clone();
            mutant[at] ^= mask;
            match decode_into(&codec, &mutant) {
                Ok(found) => assert_eq!(found, expected, "byte {at} ^ {mask}"),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn every_mutation_of_a_bare_stream_is_an_error_or_pixels_of_the_stream() {
    let (codec, chunk) = small_chunks().swap_remove(1);
    for at in 0..chunk.len() {
        for mask in MASKS.step_by(MASK_STEP) {
            let mut mutant = chunk.clone();
            mutant[at] ^= mask;
            let Ok(found) = decode_into(&codec, &mutant) else { continue };
            let tokens: Vec<i16> = mutant.as_chunks().0.iter().map(|token| i16::from_le_bytes(*token)).collect();
            let expected = tokens.iter().flat_map(|token| match token {
                ..0 => vec![0; usize::from(token.unsigned_abs())],
                0.. => vec![*token],
            });
            assert!(expected.flat_map(i16::to_le_bytes).eq(found), "byte {at} ^ {mask}");
        }
    }
}

/// A small chunk as a container and bare.
fn small_chunks() -> Vec<(Drle, Vec<u8>)> {
    let layout = layout(element(ElementClass::Signed, ByteOrder::Little), &[3, 2, 4]);
    let codecs = [Mode::Container, Mode::Bare].map(|mode| Drle::new(5).unwrap().with_mode(mode));
    let codecs = codecs.map(|codec| codec.for_layout(&layout).unwrap());
    codecs.map(|codec| (codec.clone(), encode(&codec, &bytes_of(&FRAMES, ByteOrder::Little)).unwrap())).to_vec()
}

/// Decodes on every level, which must agree.
fn decode_into(codec: &Drle, chunk: &[u8]) -> Result<Vec<u8>> {
    let decode = |level: &Level| {
        let mut dst = vec![0xA5; 48];
        codec.decode((*level).into(), chunk, &mut dst).map(|()| dst)
    };
    let mut outcomes = Level::available().iter().map(decode);
    let scalar = outcomes.next().unwrap();
    assert!(outcomes.all(|outcome| outcome == scalar));
    let is_proved = codec.open(chunk).is_ok_and(|mut open| open.prove());
    assert_eq!(is_proved, scalar.is_ok(), "what is sound decodes, and nothing else");
    scalar
}

#[test]
fn a_segment_with_a_right_checksum_and_a_pixel_too_few_or_too_many_is_not_sound() {
    let (codec, _) = small_chunks().swap_remove(0);
    let header = codec.header(48).unwrap();
    for (n_dark, is_sound) in [(7_i16, false), (8, true), (9, false), (i16::MAX, false)] {
        let mut chunk = vec![0; header.max_container_len()];
        let mut writer = ContainerWriter::new(&mut chunk, header).unwrap();
        for n_dark in [8, n_dark, 8] {
            writer.append_segment(&(-n_dark).to_le_bytes()).unwrap();
        }
        let n_bytes = writer.finish().unwrap();
        assert_eq!(decode_into(&codec, &chunk[..n_bytes]).is_ok(), is_sound, "{n_dark}");
    }
}

#[test]
fn a_damaged_segment_loses_only_itself() {
    let (codec, chunk) = small_chunks().swap_remove(0);
    let header = codec.header(48).unwrap();
    for damaged in 0..3 {
        let at = Container::open(&chunk).unwrap().segment(damaged).unwrap().bytes.start;
        let mut mutant = chunk.clone();
        mutant[at] ^= 0x10;
        for container in [Container::open(&mutant).unwrap(), Container::salvage(&mutant, header)] {
            for index in 0..3 {
                let mut frame = vec![0xA5; 16];
                let found = container.decode_segment(Level::current(), index, &mut frame);
                if index == damaged {
                    assert!(matches!(found, Err(Error::Checksum { .. })), "{found:?}");
                } else {
                    assert_eq!(frame, bytes_of(&KEPT[index..=index], ByteOrder::Little), "segment {index}");
                }
            }
        }
    }
}

#[test]
fn segments_are_salvaged_from_a_chunk_without_header_or_end() {
    let (codec, chunk) = small_chunks().swap_remove(0);
    let mut rest = chunk[..chunk.len() - 1].to_vec();
    rest[..24].fill(0xFF);
    assert!(Container::open(&rest).is_err());
    let container = Container::salvage(&rest, codec.header(48).unwrap());
    let mut frame = vec![0; 16];
    for index in 0..2 {
        container.decode_segment(Level::current(), index, &mut frame).unwrap();
        assert_eq!(frame, bytes_of(&KEPT[index..=index], ByteOrder::Little), "segment {index}");
    }
    let found = container.decode_segment(Level::current(), 2, &mut frame);
    assert!(matches!(found, Err(Error::Truncated { .. })), "{found:?}");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn noise_takes_no_more_than_the_bound() {
    let mut rng = darkchunk_sim::Rng::new(1);
    let pixels: Vec<u8> = (0..5000).flat_map(|_| ((rng.next_u64() % 32767) as i16 + 1).to_le_bytes()).collect();
    for (mode, n_more) in [(Mode::Bare, 0), (Mode::Container, 24 + 7 * 8)] {
        let layout = layout(element(ElementClass::Signed, ByteOrder::Little), &[5000]);
        let codec = Drle::new(1).unwrap().with_mode(mode).with_segment_pixels(800).for_layout(&layout).unwrap();
        let chunk = encode(&codec, &pixels).unwrap();
        assert_eq!(chunk.len(), 10_000 + n_more);
        assert!(chunk.len() <= codec.max_encoded_len(10_000));
        assert_eq!(decode(&codec, &chunk).unwrap(), pixels);
    }
}

#[test]
fn an_output_that_is_too_small_is_an_error_and_one_that_is_just_enough_is_not() {
    for (codec, chunk) in small_chunks() {
        let pixels = bytes_of(&FRAMES, ByteOrder::Little);
        for available in 0..=chunk.len() {
            let mut dst = vec![0; available];
            match codec.encode(Exec::current(), &pixels, &mut dst) {
                Ok(n_bytes) => assert_eq!((n_bytes, &dst), (chunk.len(), &chunk)),
                Err(error) => assert!(matches!(error, Error::OutputTooSmall { .. }) && available < chunk.len()),
            }
        }
    }
}

#[test]
fn unaligned_pixels_are_pixels() {
    let (codec, chunk) = small_chunks().swap_remove(0);
    let shifted = [&[0][..], &bytes_of(&FRAMES, ByteOrder::Little)].concat();
    assert_eq!(encode(&codec, &shifted[1..]).unwrap(), chunk);
    // One of the two is at an odd address.
    let moved = [&[0, 0][..], &bytes_of(&FRAMES, ByteOrder::Little)].concat();
    assert_eq!(encode(&codec, &moved[2..]).unwrap(), chunk);
}

#[test]
fn parameters_that_mean_nothing_are_refused() {
    let refused = |values: &[u32], index: usize| match Drle::from_cd_values(values) {
        Err(Error::Parameter { index: found, .. }) => assert_eq!(found, index, "{values:?}"),
        other => panic!("{values:?}: {other:?}"),
    };
    refused(&[0], 0);
    refused(&[32768], 0);
    refused(&[5, 3], 1);
    refused(&[5, 0, 0, 4], 3);
    refused(&[5, 0, 0, 1, 5], 4);
    refused(&[5, 0, 0, 1, 0], 4);
    refused(&[5, 0, 0, 1, 1, 0], 5);
    refused(&[5, 0, 0, 1, 1, 8, 47], 6);
    let signed = element(ElementClass::Signed, ByteOrder::Little);
    assert!(matches!(Drle::localise(&[], &layout(signed, &[4])), Err(Error::Argument(_))));
    assert!(matches!(Drle::localise(&[0], &layout(signed, &[4])), Err(Error::Parameter { index: 0, .. })));
    for refused in [ElementType::U8, ElementType::I32, element(ElementClass::Other, ByteOrder::Little)] {
        assert!(matches!(Drle::localise(&[5], &layout(refused, &[4])), Err(Error::Argument(_))), "{refused}");
    }
    let after = ChunkLayout { resized_before: true, ..layout(signed, &[4]) };
    assert!(matches!(Drle::localise(&[5], &after), Err(Error::Argument(_))));
}

#[test]
fn a_chunk_of_another_size_or_element_type_is_refused() {
    let (codec, chunk) = small_chunks().swap_remove(0);
    let larger = codec.for_layout(&layout(element(ElementClass::Signed, ByteOrder::Little), &[4, 2, 4])).unwrap();
    assert_eq!(larger.decode(Exec::current(), &chunk, &mut [0; 64]), Err(Error::WrongSize { expected: 64, found: 48 }));
    let unsigned = codec.for_layout(&layout(element(ElementClass::Unsigned, ByteOrder::Little), &[3, 2, 4])).unwrap();
    assert!(matches!(unsigned.decode(Exec::current(), &chunk, &mut [0; 48]), Err(Error::Corrupt { at: 5, .. })));
    let unknown = Drle::from_cd_values(&[5]).unwrap();
    assert_eq!(decode(&unknown, &chunk).unwrap(), bytes_of(&KEPT, ByteOrder::Little));
}
