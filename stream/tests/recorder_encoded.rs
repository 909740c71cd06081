//! Frames that a recorder is given encoded, or as the few pixels that are not 0.

#[path = "../../hdf5/tests/common/mod.rs"]
mod common;

use common::{HEIGHT, N_PIXELS, WIDTH, camera, library, path, read, read_all};
use darkchunk::chunk::{ChunkShape, Compression, Filter, FrameEncoder, Processing};
use darkchunk::codec::drle::Container;
use darkchunk::element::ElementType;
use darkchunk_hdf5::{Dataset, File, FrameStatus};
use darkchunk_stream::Error;
use darkchunk_stream::recorder::{Encoded, Options, Pushed, Recorder, Veto};

const PATH: &str = "data";

fn dataset(compression: Compression) -> Dataset {
    Dataset { path: PATH.into(), nexus: false, ..Dataset::new(HEIGHT, WIDTH, compression) }
}

fn plain() -> Processing<i16> {
    Processing { sum: false, ..Processing::default() }
}

fn recorder(file: &File, compression: Compression) -> Recorder<i16, Vec<u8>> {
    let made = Recorder::create(&library(), file.id(), &dataset(compression), plain(), Options::default());
    made.expect("a recorder")
}

/// A frame as another program encodes it.
fn encoded(compression: &Compression, pixels: &[i16]) -> Vec<u8> {
    let shape = ChunkShape { n_frames: 1, height: HEIGHT, width: WIDTH };
    let layout = shape.layout(ElementType::I16).expect("a layout");
    let filter = compression.filter.map(|id| {
        let values = Filter::localise(id, &compression.values, &layout).expect("parameters");
        Filter::from_cd_values(id, &values).expect("a filter")
    });
    let mut encoder = FrameEncoder::new(shape, filter, plain()).expect("an encoder");
    encoder.push(pixels).expect("a frame");
    encoder.encode().expect("a chunk").to_vec()
}

fn statuses(file: &File) -> Vec<u8> {
    read_all(file, &format!("{PATH}_darkchunk/frame_status")).1
}

#[test]
fn what_is_pushed_encoded_is_stored_byte_by_byte_and_reads_back() {
    for (number, compression) in common::compressions(2).into_iter().enumerate() {
        if compression.filter == Some(36114) && compression.values[0] != 1 {
            continue; // It loses pixels.
        }
        let file = File::create(&library(), &path(&format!("encoded-{number}"))).expect("a file");
        let mut recorder = recorder(&file, compression.clone());
        recorder.check_every(3);
        let mut n_bytes = 0;
        for index in [0, 2, 1, 3] {
            let chunk = encoded(&compression, &camera(index as usize));
            n_bytes += chunk.len() as u64;
            let pushed = recorder.push_encoded(index, Encoded::Chunk, chunk, &[]).expect("taken");
            assert_eq!(pushed, Pushed::Taken, "{compression:?}");
        }
        let statistics = recorder.finish().expect("finished");
        assert_eq!(recorder.fault().expect("this process"), None, "{compression:?}");
        assert_eq!((statistics.n_stored, statistics.n_missing, statistics.bytes_stored), (4, 0, n_bytes));
        let frames = read::<i16>(&file, PATH);
        for (index, frame) in frames.iter().enumerate() {
            assert_eq!(*frame, camera(index), "{compression:?}: frame {index}");
        }
        assert_eq!(statuses(&file), [1; 4]);
    }
}

#[test]
fn a_drle_stream_becomes_a_chunk_of_its_dataset() {
    for compression in [Compression::drle(1), Compression::filter(36114, &[1, 1])] {
        let file = File::create(&library(), &path("encoded-stream")).expect("a file");
        let mut recorder = recorder(&file, compression.clone());
        for index in 0..3 {
            let chunk = encoded(&Compression::drle(1), &camera(index as usize));
            let container = Container::open(&chunk).expect("a container");
            let stream = container.segment(0).expect("a segment").stored.to_vec();
            recorder.push_encoded(index, Encoded::Stream, stream, &[]).expect("taken");
        }
        let statistics = recorder.finish().expect("finished");
        assert_eq!((recorder.fault().expect("this process"), statistics.n_stored), (None, 3), "{compression:?}");
        assert_eq!(read::<i16>(&file, PATH), [camera(0), camera(1), camera(2)], "{compression:?}");
    }
}

#[test]
fn chunks_that_no_reader_can_read_are_refused_marked_and_counted() {
    let lz4 = Compression::bitshuffle_lz4();
    let good = encoded(&lz4, &camera(1));
    let mut damaged = good.clone();
    damaged[12..].iter_mut().for_each(|byte| *byte = 0xFF);
    let small: Vec<u8> = good.iter().enumerate().map(|(at, byte)| if at == 7 { byte / 2 } else { *byte }).collect();
    let wrong = [good[..9].to_vec(), small, damaged, encoded(&Compression::zstd(1), &camera(1)), vec![0; 3]];
    let file = File::create(&library(), &path("encoded-wrong")).expect("a file");
    let mut recorder = recorder(&file, lz4);
    recorder.check_every(1);
    recorder.push_encoded(0, Encoded::Chunk, good, &[]).expect("taken");
    for (index, chunk) in (1..).zip(wrong) {
        recorder.push_encoded(index, Encoded::Chunk, chunk, &[]).expect("taken, as it is looked at later");
    }
    let statistics = recorder.finish().expect("finished");
    assert_eq!((statistics.n_stored, statistics.n_refused), (1, 5));
    assert!(recorder.fault().expect("this process").expect("a reason").contains("frame "));
    let expected: Vec<u8> =
        [FrameStatus::Written].into_iter().chain([FrameStatus::Refused; 5]).map(|status| status as u8).collect();
    assert_eq!(statuses(&file), expected);
}

#[test]
fn the_first_and_each_nth_are_decoded() {
    let lz4 = Compression::bitshuffle_lz4();
    let good = encoded(&lz4, &camera(1));
    let mut damaged = good.clone();
    let last = damaged.len() - 60;
    damaged[last..].iter_mut().for_each(|byte| *byte ^= 0xA5);
    for (every, expected) in [(0, 9), (3, 6), (1, 0)] {
        let file = File::create(&library(), &path("encoded-nth")).expect("a file");
        let options = Options { n_workers: 0, ..Options::default() };
        let made = Recorder::<i16, Vec<u8>>::create(&library(), file.id(), &dataset(lz4.clone()), plain(), options);
        let mut recorder = made.expect("a recorder");
        recorder.check_every(every);
        recorder.push_encoded(0, Encoded::Chunk, good.clone(), &[]).expect("taken");
        for index in 1..10 {
            recorder.push_encoded(index, Encoded::Chunk, damaged.clone(), &[]).expect("taken");
        }
        assert_eq!(recorder.finish().expect("finished").n_stored, 1 + expected, "each {every}");
    }
}

#[test]
fn what_would_have_to_be_done_to_pixels_is_refused_and_the_frame_handed_back() {
    let lz4 = Compression::bitshuffle_lz4();
    let chunk = encoded(&lz4, &camera(0));
    let dark = Processing { dark: Some(vec![1; N_PIXELS].into()), ..plain() };
    let veto = || Options { veto: Some(Veto::AtLeast(Default::default())), ..Options::default() };
    let several = Dataset { frames_per_chunk: 2, ..dataset(lz4.clone()) };
    let cases = [
        (dataset(lz4.clone()), dark, Options::default(), "dark image"),
        (dataset(lz4.clone()), Processing::default(), Options::default(), "without the sum"),
        (dataset(lz4.clone()), plain(), veto(), "veto"),
        (several, plain(), Options::default(), "frames a chunk"),
    ];
    for (dataset, processing, options, words) in cases {
        let file = File::create(&library(), &path("encoded-refused")).expect("a file");
        let made = Recorder::<i16, Vec<u8>>::create(&library(), file.id(), &dataset, processing, options);
        let refused = made.expect("a recorder").push_encoded(0, Encoded::Chunk, chunk.clone(), &[]).expect_err(words);
        assert_eq!(refused.frame.as_ref(), Some(&chunk), "{words}");
        assert!(matches!(&refused.error, Error::Argument(why) if why.contains(words)), "{}", refused.error);
    }
    let file = File::create(&library(), &path("encoded-refused")).expect("a file");
    let mut recorder = recorder(&file, lz4);
    for (kind, bytes) in [(Encoded::Stream, chunk), (Encoded::Chunk, Vec::new())] {
        assert!(recorder.push_encoded(0, kind, bytes, &[]).is_err(), "{kind:?}");
    }
}

#[test]
fn frames_given_as_places_and_values_are_those_frames() {
    let file = File::create(&library(), &path("encoded-pixels")).expect("a file");
    let dataset = Dataset { frames_per_chunk: 2, ..dataset(Compression::drle(20)) };
    let made =
        Recorder::<i16, Vec<u8>>::create(&library(), file.id(), &dataset, Processing::default(), Options::default());
    let mut recorder = made.expect("a recorder");
    recorder.push_pixels(0, &[3, 5, 3], &[100, 7, 300], &[]).expect("taken");
    recorder.push_pixels(1, &[N_PIXELS as u32 - 1], &[32000], &[]).expect("taken");
    recorder.push_pixels(2, &[], &[], &[]).expect("taken");
    for (places, values) in [(&[N_PIXELS as u32][..], &[1][..]), (&[1, 2], &[1])] {
        assert!(matches!(recorder.push_pixels(3, places, values, &[]), Err(Error::Argument(_))), "{places:?}");
    }
    assert_eq!(recorder.finish().expect("finished").n_stored, 3);
    let mut expected = vec![vec![0_i16; N_PIXELS]; 3];
    expected[0][3] = 300;
    expected[1][N_PIXELS - 1] = 32000;
    assert_eq!(read::<i16>(&file, PATH), expected);
}
