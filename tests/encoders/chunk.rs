//! Chunks put together frame by frame are what the codec makes of the whole chunk, on every level.

use darkchunk::chunk::{ChunkEncoder, ChunkShape, Compression, Filter};
use darkchunk::codec::Codec;
use darkchunk::codec::drle::Drle;
use darkchunk::cpu::Level;
use darkchunk::element::{Element, as_bytes, as_bytes_mut};
use darkchunk::kernels::drle::{Correction, FrameCounts};
use darkchunk::{Error, Exec, Threads};

const SHAPE: ChunkShape = ChunkShape { n_frames: 3, height: 17, width: 29 };
const DARK: i16 = 100;
const THRESHOLD: u16 = 20;

fn frame(index: usize) -> Vec<i16> {
    frame_of(index, SHAPE.frame_pixels())
}

fn frame_of(index: usize, n_pixels: usize) -> Vec<i16> {
    let mut state = index as u32 + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 17) as i16
    };
    (0..n_pixels).map(|_| 95 + (next() & 15) + if next() & 15 == 0 { next() & 2047 } else { 0 }).collect()
}

fn corrected(frame: &[i16]) -> Vec<i16> {
    frame.iter().map(|pixel| if pixel - DARK < THRESHOLD as i16 { 0 } else { pixel - DARK }).collect()
}

fn filter<P: Element>(compression: &Compression) -> Filter {
    let id = compression.filter.expect("a filter");
    let layout = SHAPE.layout(P::TYPE).expect("a layout");
    let values = Filter::localise(id, &compression.values, &layout).expect("parameters");
    Filter::from_cd_values(id, &values).expect("the same parameters")
}

/// DRLE without a container, which refuses pixels above 32767.
fn bare(threshold: u16) -> Compression {
    Compression { values: vec![threshold.into(), 1], ..Compression::drle(threshold) }
}

fn compressions() -> [Compression; 4] {
    let drle = Compression::drle(THRESHOLD);
    [drle, Compression::bitshuffle_lz4(), Compression::lz4(), Compression::zstd(1)]
}

#[test]
fn frames_pushed_one_by_one_are_the_encoded_chunk() {
    let dark = vec![DARK; SHAPE.frame_pixels()];
    let correction = Correction { dark: Some(&dark[..]), threshold: Some(THRESHOLD) };
    for compression in compressions() {
        let filter = filter::<i16>(&compression);
        for &level in Level::available() {
            let mut encoder = ChunkEncoder::new(level.into(), SHAPE, Some(filter.clone())).expect("an encoder");
            let mut sum = vec![0; SHAPE.frame_pixels()];
            // The second round finds what the first one left; the last chunk of a round is padded.
            for n_frames in [3, 1, 2] {
                let mut pixels = vec![0_i16; SHAPE.chunk_pixels()];
                let mut before = sum.clone();
                for index in 0..n_frames {
                    let stored = corrected(&frame(index));
                    pixels[index * SHAPE.frame_pixels()..][..SHAPE.frame_pixels()].copy_from_slice(&stored);
                    before.iter_mut().zip(&stored).for_each(|(sum, pixel)| *sum += *pixel as u32);
                    encoder.push(&[&frame(index)], &correction, Some(&mut sum)).expect("a frame");
                }
                assert_eq!(sum, before, "{compression:?} {level:?}");
                let mut expected = vec![0; filter.max_encoded_len(2 * pixels.len())];
                let n_bytes = filter.encode(Exec::SCALAR, as_bytes(&pixels), &mut expected).expect("encoded");
                let encoded = encoder.encode().expect("encoded");
                let mut decoded = vec![0_i16; SHAPE.chunk_pixels()];
                filter.decode(level.into(), encoded, as_bytes_mut(&mut decoded)).expect("decoded");
                assert_eq!(decoded, pixels, "{compression:?} {level:?} {n_frames} frames");
                if compression.filter == Some(36114) {
                    assert_eq!(encoded, &expected[..n_bytes], "{level:?} {n_frames} frames");
                }
                encoder.clear();
            }
        }
    }
}

#[test]
fn strips_and_frames_in_place_are_the_same_chunk() {
    let correction = Correction::threshold(110);
    for compression in [Compression::drle(110), Compression::bitshuffle_lz4()] {
        let mut chunks = [(); 3].map(|()| {
            ChunkEncoder::<i16>::new(Exec::current(), SHAPE, Some(filter::<i16>(&compression))).expect("an encoder")
        });
        let [whole, strips, in_place] = &mut chunks;
        for index in 0..3 {
            let (frame, mut overwritten) = (frame(index), frame(index));
            let pieces: Vec<&[i16]> = frame.chunks(7 * index + 5).collect();
            let counts: [FrameCounts; 3] = [
                whole.push(&[&frame], &correction, None).expect("a frame"),
                strips.push(&pieces, &correction, None).expect("strips"),
                in_place.push_in_place(&mut overwritten, &correction, None).expect("in place"),
            ];
            assert_eq!(counts, [counts[0]; 3]);
            let stored: Vec<i16> = frame.iter().map(|pixel| if *pixel < 110 { 0 } else { *pixel }).collect();
            assert_eq!(overwritten, stored);
        }
        let [whole, strips, in_place] = chunks.each_mut().map(|chunk| chunk.encode().expect("encoded").to_vec());
        assert!(whole == strips && whole == in_place, "{compression:?}");
    }
}

#[test]
fn frames_pushed_at_once_are_those_pushed_one_by_one() {
    // Several blocks a frame: threads share them.
    let shape = ChunkShape { n_frames: 12, height: 181, ..SHAPE };
    let dark = vec![DARK; shape.frame_pixels()];
    let correction = Correction { dark: Some(&dark[..]), threshold: Some(THRESHOLD) };
    let frames: Vec<Vec<i16>> = (0..12).map(|at| frame_of(at, shape.frame_pixels())).collect();
    let frames: Vec<&[i16]> = frames.iter().map(Vec::as_slice).collect();
    for compression in compressions().into_iter().chain([bare(THRESHOLD)]) {
        let id = compression.filter.expect("a filter");
        let values = Filter::localise(id, &compression.values, &shape.layout(i16::TYPE).expect("a layout"));
        let filter = Filter::from_cd_values(id, &values.expect("parameters")).expect("the same parameters");
        for (level, n_threads) in Level::available().iter().flat_map(|level| [(*level, 1), (*level, 3)]) {
            let threads = Threads::new(n_threads).with_min_bytes(0);
            let mut one_by_one = ChunkEncoder::new(level.into(), shape, Some(filter.clone())).expect("an encoder");
            let exec = Exec { level, threads };
            let mut at_once = ChunkEncoder::new(exec, shape, Some(filter.clone())).expect("an encoder");
            let (mut expected_sum, mut sum) = (vec![0; shape.frame_pixels()], vec![0; shape.frame_pixels()]);
            for batch in [&frames[..1], &frames[1..1], &frames[1..4], &frames[4..]] {
                let mut expected = FrameCounts::default();
                for frame in batch {
                    expected += one_by_one.push(&[frame], &correction, Some(&mut expected_sum)).expect("a frame");
                }
                let counts = at_once.push_frames(batch, &correction, Some(&mut sum)).expect("frames");
                assert_eq!(counts, expected, "{compression:?} {level:?} {threads:?}");
                assert_eq!(sum, expected_sum, "{compression:?} {level:?} {threads:?}");
                let expected = one_by_one.encode().expect("encoded");
                assert!(at_once.encode().expect("encoded") == expected, "{compression:?} {level:?} {threads:?}");
            }
        }
    }
}

#[test]
fn frames_of_which_one_is_refused_leave_chunk_and_sum_as_they_were() {
    let filter = filter::<u16>(&bare(1));
    let good = vec![7_u16; SHAPE.frame_pixels()];
    let mut bright = good.clone();
    bright[9] = 40_000;
    let correction = Correction { dark: None, threshold: None };
    for &level in Level::available() {
        let mut encoder = ChunkEncoder::<u16>::new(level.into(), SHAPE, Some(filter.clone())).expect("an encoder");
        let mut sum = vec![0; SHAPE.frame_pixels()];
        encoder.push(&[&good], &correction, Some(&mut sum)).expect("a frame");
        let mut push = |frames: &[&[u16]]| encoder.push_frames(frames, &correction, Some(&mut sum));
        assert_eq!(push(&[&good, &bright]), Err(Error::TooBright { pixel: 9, value: 40_000 }), "{level:?}");
        assert!(matches!(push(&[&good, &good[1..]]), Err(Error::BufferSize { .. })), "{level:?}");
        assert!(matches!(push(&[&good, &good, &good]), Err(Error::Argument(_))), "{level:?}");
        push(&[&good, &good]).expect("frames");
        assert_eq!((encoder.n_frames(), encoder.n_free()), (3, 0), "{level:?}");
        assert_eq!(sum, vec![21; SHAPE.frame_pixels()], "{level:?}");
        let mut decoded = vec![0_u16; SHAPE.chunk_pixels()];
        filter.decode(level.into(), encoder.encode().expect("encoded"), as_bytes_mut(&mut decoded)).expect("decoded");
        assert_eq!(decoded, vec![7; SHAPE.chunk_pixels()], "{level:?}");
    }
}

/// Large frames have room for the longest streams, after others as long, with a container and without.
#[test]
fn frames_that_are_bright_throughout_fit_a_chunk_in_any_parts() {
    let shape = ChunkShape { n_frames: 4, height: 257, width: 513 };
    let frame = vec![300_u16; shape.frame_pixels()];
    let correction = Correction { dark: None, threshold: None };
    for values in [vec![1], vec![1, 1]] {
        let layout = shape.layout(u16::TYPE).expect("a layout");
        let values = Filter::localise(Drle::FILTER_ID, &values, &layout).expect("parameters");
        let filter = Filter::from_cd_values(Drle::FILTER_ID, &values).expect("the same parameters");
        for &level in Level::available() {
            let mut encoder = ChunkEncoder::<u16>::new(level.into(), shape, Some(filter.clone())).expect("an encoder");
            encoder.push(&[&frame], &correction, None).expect("a frame");
            encoder.push_frames(&[&frame, &frame, &frame], &correction, None).expect("frames");
            let mut decoded = vec![0_u16; shape.chunk_pixels()];
            let chunk = encoder.encode().expect("encoded");
            filter.decode(level.into(), chunk, as_bytes_mut(&mut decoded)).expect("decoded");
            assert_eq!(decoded, vec![300; shape.chunk_pixels()], "{level:?}");
        }
    }
}

#[test]
fn a_refused_frame_leaves_chunk_and_sum_as_they_were() {
    let filter = filter::<u16>(&bare(1));
    for &level in Level::available() {
        let mut encoder = ChunkEncoder::<u16>::new(level.into(), SHAPE, Some(filter.clone())).expect("an encoder");
        let good = vec![7_u16; SHAPE.frame_pixels()];
        let mut bright = good.clone();
        bright[SHAPE.frame_pixels() - 3] = 40_000;
        let mut sum = vec![0; SHAPE.frame_pixels()];
        let correction = Correction { dark: None, threshold: None };
        let mut push = |frame: &[u16]| encoder.push(&[frame], &correction, Some(&mut sum));
        push(&good).expect("a frame");
        let refused = push(&bright).expect_err("too bright");
        assert_eq!(refused, Error::TooBright { pixel: SHAPE.frame_pixels() - 3, value: 40_000 });
        assert!(matches!(push(&good[1..]), Err(Error::BufferSize { .. })));
        push(&good).expect("a frame");
        push(&good).expect("a frame");
        assert!(matches!(push(&good), Err(Error::Argument(_))), "the chunk is full");
        assert_eq!(sum, vec![21; SHAPE.frame_pixels()], "{level:?}");
        let mut decoded = vec![0_u16; SHAPE.chunk_pixels()];
        filter.decode(level.into(), encoder.encode().expect("encoded"), as_bytes_mut(&mut decoded)).expect("decoded");
        assert_eq!(decoded, vec![7; SHAPE.chunk_pixels()], "{level:?}");
    }
}

#[test]
fn filters_that_are_not_ours_are_refused_by_their_number() {
    let layout = SHAPE.layout(i16::TYPE).expect("a layout");
    let refused = Filter::localise(305, &[], &layout).expect_err("LZO");
    assert!(refused.to_string().contains("filter 305"), "{refused}");
    let empty = ChunkShape { width: 0, ..SHAPE };
    assert!(empty.layout(i16::TYPE).is_err());
    let huge = ChunkShape { width: 1 << 40, ..SHAPE };
    assert!(huge.layout(i16::TYPE).is_err());
}

#[test]
fn a_drle_chunk_that_may_pass_4_gib_with_its_table_is_refused_before_the_first_frame() {
    let new = |shape: ChunkShape| {
        let layout = shape.layout(i16::TYPE).expect("less than 4 GiB of pixels");
        let values = Filter::localise(36114, &[THRESHOLD.into()], &layout).expect("parameters");
        let filter = Filter::from_cd_values(36114, &values).expect("the same parameters");
        ChunkEncoder::<i16>::new(Exec::SCALAR, shape, Some(filter))
    };
    let error = new(ChunkShape { n_frames: 1, height: 1, width: (1 << 31) - 1 }).expect_err("no room for the table");
    assert!(matches!(&error, Error::Argument(text) if text.contains("4 GiB")), "{error}");
}
