//! What is done to frames and kept of them is the same for every codec, and nothing of a refused frame remains.

use std::sync::Arc;

use darkchunk::chunk::{ChunkShape, Compression, Filter, FrameEncoder, Processing};
use darkchunk::element::{Element, as_bytes_mut};
use darkchunk::kernels::drle::FrameCounts;
use darkchunk::{Error, Exec, Result};

const SHAPE: ChunkShape = ChunkShape { n_frames: 3, height: 17, width: 29 };
const DARK: i16 = 100;
const THRESHOLD: u16 = 20;

fn frame(index: usize) -> Vec<i16> {
    let mut state = index as u32 + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 17) as i16
    };
    (0..SHAPE.frame_pixels()).map(|_| 95 + (next() & 15) + if next() & 15 == 0 { next() & 2047 } else { 0 }).collect()
}

fn corrected(frame: &[i16]) -> Vec<i16> {
    frame.iter().map(|pixel| if pixel - DARK < THRESHOLD as i16 { 0 } else { pixel - DARK }).collect()
}

fn filter<P: Element>(compression: &Compression) -> Option<Filter> {
    let layout = SHAPE.layout(P::TYPE).expect("a layout");
    let values = Filter::localise(compression.filter?, &compression.values, &layout).expect("parameters");
    Some(Filter::from_cd_values(compression.filter?, &values).expect("the same parameters"))
}

fn with_dark() -> Processing<i16> {
    let dark = vec![DARK; SHAPE.frame_pixels()];
    Processing { dark: Some(dark.into()), threshold: Some(THRESHOLD), ..Processing::default() }
}

fn encoder(compression: &Compression) -> FrameEncoder<i16> {
    FrameEncoder::new(SHAPE, filter::<i16>(compression), with_dark()).expect("an encoder")
}

/// A way to push frames.
type Push<'a> = &'a dyn Fn(&mut FrameEncoder<i16>);

/// The pixels of the encoder's chunk.
fn decoded(encoder: &mut FrameEncoder<i16>, filter: Option<&Filter>) -> Vec<i16> {
    let mut pixels = vec![0; SHAPE.chunk_pixels()];
    let chunk = encoder.encode().expect("encoded");
    match filter {
        Some(filter) => filter.decode(Exec::SCALAR, chunk, as_bytes_mut(&mut pixels)).expect("a sound chunk"),
        None => as_bytes_mut(&mut pixels).copy_from_slice(chunk),
    }
    pixels
}

#[test]
fn every_way_to_push_a_frame_gives_the_same_chunk_sum_and_counts() {
    let frames: Vec<Vec<i16>> = (0..3).map(frame).collect();
    let stored: Vec<Vec<i16>> = frames.iter().map(|frame| corrected(frame)).collect();
    let sum: Vec<i64> = (0..SHAPE.frame_pixels()).map(|at| stored.iter().map(|f| i64::from(f[at])).sum()).collect();
    let n_bright = stored.iter().flatten().filter(|pixel| **pixel != 0).count() as u64;
    for compression in [Compression::drle(THRESHOLD), Compression::bitshuffle_lz4(), Compression::NONE] {
        let filter = filter::<i16>(&compression);
        let push: [Push<'_>; 5] = [
            &|encoder| frames.iter().for_each(|frame| encoder.push(frame).expect("a frame")),
            &|encoder| {
                let strips = |frame: &Vec<i16>| encoder.push_strips(&frame.chunks(31).collect::<Vec<_>>());
                frames.iter().try_for_each(strips).expect("strips");
            },
            &|encoder| {
                let frames: Vec<&[i16]> = frames.iter().map(Vec::as_slice).collect();
                encoder.push_frames(&frames).expect("frames");
            },
            &|encoder| {
                for (frame, stored) in frames.iter().zip(&stored) {
                    let mut frame = frame.clone();
                    encoder.push_in_place(&mut frame).expect("a frame");
                    assert_eq!(&frame, stored, "{compression:?}");
                }
            },
            &|encoder| {
                let mut frames = frames.clone();
                let mut all: Vec<&mut [i16]> = frames.iter_mut().map(Vec::as_mut_slice).collect();
                encoder.push_frames_in_place(&mut all).expect("frames");
                assert_eq!(frames, stored, "{compression:?}");
            },
        ];
        for (way, push) in push.iter().enumerate() {
            let mut encoder = encoder(&compression);
            push(&mut encoder);
            assert_eq!(decoded(&mut encoder, filter.as_ref()), stored.concat(), "{compression:?}, way {way}");
            assert_eq!(encoder.sum(), Some(&sum[..]), "{compression:?}, way {way}");
            assert_eq!(encoder.totals().counts.n_bright, n_bright, "{compression:?}, way {way}");
            assert_eq!(encoder.totals().n_frames, 3);
        }
    }
}

#[test]
fn sum_and_counts_go_on_over_chunks() {
    let mut encoder = encoder(&Compression::drle(THRESHOLD));
    for index in 0..7 {
        if encoder.is_full() {
            encoder.clear();
        }
        encoder.push(&frame(index)).expect("a frame");
    }
    assert_eq!((encoder.n_frames(), encoder.n_free()), (1, 2));
    assert_eq!(encoder.totals().n_frames, 7);
    assert_eq!(encoder.totals().sum.as_ref().map(darkchunk::chunk::Sum::n_frames), Some(7));
    let total: i64 = (0..7).flat_map(|index| corrected(&frame(index))).map(i64::from).sum();
    assert_eq!(encoder.sum().map(|sum| sum.iter().sum::<i64>()), Some(total));
}

#[test]
fn of_frames_at_once_those_before_the_refused_one_are_taken() {
    let mut encoder = encoder(&Compression::drle(THRESHOLD));
    let frames: Vec<Vec<i16>> = (0..3).map(frame).collect();
    let short = &frames[2][1..];
    let refused = encoder.push_frames(&[&frames[0], &frames[1], short]);
    assert!(matches!(refused, Err(Error::BufferSize { what: "the frame", .. })), "{refused:?}");
    assert_eq!((encoder.n_frames(), encoder.totals().n_frames), (2, 2));
    let too_many = encoder.push_frames(&[&frames[2], &frames[0]]).expect_err("one fits");
    assert!(too_many.to_string().contains("all are there"), "{too_many}");
    assert_eq!((encoder.n_frames(), encoder.totals().n_frames), (3, 3));
    let stored: Vec<i16> = frames.iter().flat_map(|frame| corrected(frame)).collect();
    let filter = filter::<i16>(&Compression::drle(THRESHOLD));
    assert_eq!(decoded(&mut encoder, filter.as_ref()), stored);
}

#[test]
fn a_frame_that_is_taken_back_is_stored_as_it_is_and_neither_summed_nor_counted() {
    for compression in [Compression::drle(THRESHOLD), Compression::lz4()] {
        let mut encoder = encoder(&compression);
        let stored = corrected(&frame(0));
        encoder.take_back(&stored).expect("a frame");
        assert_eq!((encoder.n_frames(), encoder.totals().n_frames), (1, 0));
        assert_eq!(encoder.totals().counts, FrameCounts::default());
        assert_eq!(encoder.sum(), Some(&vec![0; SHAPE.frame_pixels()][..]));
        let filter = filter::<i16>(&compression);
        assert_eq!(decoded(&mut encoder, filter.as_ref())[..SHAPE.frame_pixels()], stored, "{compression:?}");
    }
}

#[test]
fn encoders_share_what_they_do_to_frames() {
    let processing = Arc::new(with_dark());
    let new = || FrameEncoder::new(SHAPE, None, Arc::clone(&processing)).expect("an encoder");
    let [first, second] = [new(), new()];
    assert_eq!(first.dark().map(<[i16]>::as_ptr), second.dark().map(<[i16]>::as_ptr), "one dark image");
}

#[test]
fn what_the_element_type_the_shape_or_the_filter_does_not_have_is_refused() {
    fn says<P: Element>(encoder: Result<FrameEncoder<P>>, words: &[&str]) {
        let message = encoder.map(drop).expect_err("refused").to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message:?} does not say {words:?}");
    }
    let drle = || filter::<i16>(&Compression::drle(THRESHOLD));
    let other = Processing::<i16> { threshold: Some(30), ..Processing::default() };
    says(FrameEncoder::new(SHAPE, drle(), other), &["30", "20"]);
    let short = Processing { dark: Some(vec![0_i16; 5].into()), ..Processing::default() };
    says(FrameEncoder::new(SHAPE, drle(), short), &["dark image", "10 bytes"]);
    let threshold = Processing::<u32> { threshold: Some(5), ..Processing::default() };
    says(FrameEncoder::new(SHAPE, None, threshold), &["threshold", "uint32"]);
    let sum = Processing::<u8> { sum: true, ..Processing::default() };
    says(FrameEncoder::new(SHAPE, None, sum), &["sum", "uint8"]);
    let found = FrameEncoder::new(SHAPE, drle(), Processing::<i16>::default()).expect("the filter's threshold");
    assert_eq!(found.threshold(), Some(THRESHOLD));
}
