//! Damaged chunks of the bounded codec are errors, and cost the frames that they must.

use crate::bounded_chunks::*;
use darkchunk::codec::bounded::Bounded;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::ElementType;
use darkchunk::pipeline::Pipeline;
use darkchunk::salvage::{Verdict, salvage};
use darkchunk::{Error, Exec, Threads};
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
