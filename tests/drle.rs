//! DRLE as the plugins and the writer use it: parameters, bare streams, containers.

use darkchunk::codec::drle::{Container, Drle, Mode, PixelType};
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::frame::{ByteOrder, ElementClass, ElementType};
use darkchunk::{Error, Result};

fn element(class: ElementClass, order: ByteOrder) -> ElementType {
    ElementType { class, order, ..ElementType::I16 }
}

fn layout(element: ElementType, dims: &[u64]) -> ChunkLayout {
    ChunkLayout { element, dims: dims.to_vec(), resized_before: false }
}

fn encode(codec: &Drle, src: &[u8]) -> Result<Vec<u8>> {
    let mut dst = vec![0xA5; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(src, &mut dst)?;
    dst.truncate(n_bytes);
    Ok(dst)
}

fn decode(codec: &Drle, src: &[u8]) -> Result<Vec<u8>> {
    let mut dst = vec![0xA5; codec.decoded_len(src)?];
    codec.decode(src, &mut dst)?;
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
fn a_bright_value_over_32767_is_an_error_that_names_pixel_and_value() {
    let layout = layout(element(ElementClass::Unsigned, ByteOrder::NATIVE), &[2, 2, 2]);
    let codec = Drle::new(5).unwrap().for_layout(&layout).unwrap();
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
    let other = Drle::localise(&first, &layout(ElementType::U16, &[10, 4, 4])).unwrap();
    assert_eq!(other, [5, 0, 0, 1, PixelType::U16Le.code().into(), 16, 320]);
    assert_eq!(Drle::localise(&[7, 1, 6], &layout(signed, &[16])).unwrap(), [7, 1, 6, 1, 2, 6, 32]);
}
