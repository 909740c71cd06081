//! Which pixels are stored: vetoes, formats, what cannot be encoded.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::common::hdf5::library;
use crate::common::path;
use crate::{N_PIXELS, PATH, camera, create, dataset, drle, frames, read, read_sum, stored};
use darkchunk::chunk::{Compression, Processing};
use darkchunk::element::{as_bytes, as_bytes_mut};
use darkchunk_hdf5::File;
use darkchunk_stream::recorder::{Buffer, Candidate, Measures, Options, PixelFormat, Pushed, Recorder, Veto};

#[test]
fn a_veto_keeps_frames_out_of_the_file_and_of_the_sum_and_counts_them() {
    let bright = |number: u64| number.is_multiple_of(3);
    let frame = move |number: u64| {
        let mut frame = vec![3_i16; N_PIXELS];
        if bright(number) {
            frame[number as usize % N_PIXELS] = 700;
        }
        frame
    };
    let by_rule = Veto::AtLeast(Measures { sum: 0, n_bright: 1, maximum: 700 });
    let by_call = Veto::Ask(Arc::new(move |candidate: &Candidate<'_, i16>| {
        assert_eq!(candidate.pixels.concat(), frame(candidate.number));
        assert_eq!(candidate.measures.sum, if bright(candidate.number) { 700 } else { 0 });
        candidate.measures.n_bright == 1 && candidate.number >= 5
    }));
    for (veto, first_number) in [(by_rule, 0), (by_call, 5)] {
        let path = path("recorder_veto");
        let options = Options { veto: Some(veto), first_number, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(2), options);
        for number in 0..20 {
            let expected = if number < first_number { Pushed::OutOfRange } else { Pushed::Taken };
            assert_eq!(recorder.push(number, frame(number)).expect("no trouble"), expected);
        }
        let found = recorder.finish().expect("finished");
        let kept: Vec<u64> = (first_number..20).filter(|number| bright(*number)).collect();
        assert_eq!((found.n_stored, found.n_out_of_range), (kept.len() as u64, first_number));
        assert_eq!((found.n_vetoed, found.n_missing), (20 - first_number - found.n_stored, 0));
        assert_eq!(found.bytes_decoded, found.n_stored * 2 * N_PIXELS as u64);
        let share = found.n_stored as f64 / 20.0;
        let (ratio, of_codec) = (found.ratio().expect("chunks"), found.codec_ratio().expect("chunks"));
        assert!(
            (of_codec / ratio - share).abs() < 1e-9 && found.seconds > 0.0,
            "{found:?}: vetoed frames were delivered"
        );
        drop((recorder, file));
        let frames = frames(&path);
        assert_eq!(frames.len() as u64, 20 - first_number, "vetoed ones keep their numbers");
        for (frame_found, number) in frames.iter().zip(first_number..) {
            let expected = if bright(number) { stored(&frame(number)) } else { vec![0; N_PIXELS] };
            assert_eq!(*frame_found, expected, "{number}");
        }
        assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum")).iter().sum::<i64>(), 700 * kept.len() as i64);
    }
}

#[test]
fn a_veto_that_panics_costs_its_chunk_and_is_told() {
    let path = path("recorder_panic");
    let veto = Veto::Ask(Arc::new(|candidate: &Candidate<'_, i16>| {
        assert!(candidate.number != 7, "on purpose");
        true
    }));
    for n_workers in [0, 1] {
        let options = Options { veto: Some(veto.clone()), n_workers, ..Options::default() };
        let (file, mut recorder) = create(&path, &drle(1), options);
        (0..10).for_each(|number| assert_eq!(recorder.push(number, camera(number)).expect("taken"), Pushed::Taken));
        let found = recorder.finish().expect("finished");
        assert_eq!((found.n_stored, found.n_refused, found.n_held), (9, 1, 0));
        let fault = recorder.fault().expect("ours").expect("told");
        assert!(fault.contains("on purpose") && fault.contains("chunk 7"), "{fault}");
        drop((recorder, file));
        let frames = frames(&path);
        assert_eq!((frames[7] == vec![0; N_PIXELS], frames[8] == stored(&camera(8))), (true, true));
    }
}

#[test]
fn a_frame_that_cannot_be_encoded_is_counted_and_those_beside_it_are_stored() {
    let path = path("recorder_bright");
    // A bare stream, which holds no pixel above 32767.
    let bare = dataset(Compression::filter(36114, &[1, 1]), 3);
    let file = File::create(&library(), &path).expect("a file");
    let mut recorder = Recorder::<u16>::create(&library(), file.id(), &bare, Processing::default(), Options::default())
        .expect("a recorder");
    for number in 0..9_u16 {
        let pixel = if number == 4 { 40_000 } else { number + 1 };
        assert_eq!(recorder.push(number.into(), vec![pixel; N_PIXELS]).expect("taken"), Pushed::Taken);
    }
    let found = recorder.finish().expect("finished");
    assert_eq!((found.n_stored, found.n_refused), (8, 1));
    let fault = recorder.fault().expect("ours").expect("told");
    assert!(fault.contains("frame 4") && fault.contains("40000"), "{fault}");
    drop((recorder, file));
    let firsts: Vec<u16> = read::<u16>(&path, PATH).chunks_exact(N_PIXELS).map(|frame| frame[0]).collect();
    assert_eq!(firsts, [1, 2, 3, 4, 0, 6, 7, 8, 9]);
    assert_eq!(read_sum(&path, &format!("{PATH}_darkchunk/sum"))[0], 40);
}

#[test]
fn packed_pixels_are_unpacked() {
    let path = path("recorder_packed");
    let pixels: Vec<u16> = (0..N_PIXELS as u16).map(|i| i * 11 % 4096).collect();
    let mono12p: Vec<u8> = pixels
        .chunks(2)
        .flat_map(|pair| [pair[0] as u8, (pair[0] >> 8) as u8 | (pair[1] << 4) as u8, (pair[1] >> 4) as u8])
        .collect();
    let mono16: Vec<u8> = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    let mono8: Vec<u8> = pixels.iter().map(|pixel| *pixel as u8).collect();
    let low: Vec<u16> = mono8.iter().map(|byte| u16::from(*byte)).collect();
    for (format, packed, expected) in [
        (PixelFormat::Mono12p, mono12p, &pixels),
        (PixelFormat::Mono16, mono16, &pixels),
        (PixelFormat::Mono8, mono8, &low),
    ] {
        let file = File::create(&library(), &path).expect("a file");
        let options = Options { format, ..Options::default() };
        let at = (&library(), file.id(), &dataset(Compression::bitshuffle_lz4(), 1));
        let mut recorder =
            Recorder::<u16, Vec<u8>>::create(at.0, at.1, at.2, Processing::default(), options).expect("a recorder");
        assert_eq!(recorder.push(0, packed.clone()).expect("taken"), Pushed::Taken);
        let (left, right) = packed.split_at(101);
        assert_eq!(recorder.push_copy(1, &[left, right], &[]).expect("taken"), Pushed::Taken);
        let found = recorder.finish().expect("finished");
        assert_eq!((found.bytes_received, found.bytes_decoded), (2 * packed.len() as u64, 4 * N_PIXELS as u64));
        drop((recorder, file));
        assert_eq!(read::<u16>(&path, PATH), [&expected[..], expected].concat(), "{format:?}");
    }
}

/// A frame in pieces of so many bytes, whose memory comes back with its number when it is released.
struct Returned {
    number: u64,
    pixels: Vec<i16>,
    piece_bytes: usize,
    back: Sender<(u64, Vec<i16>)>,
}

impl Buffer for Returned {
    fn piece(&self, index: usize) -> Option<&[u8]> {
        as_bytes(&self.pixels).chunks(self.piece_bytes).nth(index)
    }

    fn piece_mut(&mut self, index: usize) -> Option<&mut [u8]> {
        as_bytes_mut(&mut self.pixels).chunks_mut(self.piece_bytes).nth(index)
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        let _ = self.back.send((self.number, std::mem::take(&mut self.pixels)));
    }
}

#[test]
fn frames_that_are_lent_are_overwritten_with_what_is_stored_and_vetoed_ones_are_not() {
    for (compression, piece_bytes) in
        [(Compression::drle(20), 1 << 20), (Compression::drle(20), 77), (Compression::lz4(), 100)]
    {
        let path = path("recorder_in_place");
        let veto: Veto<i16> = Veto::Ask(Arc::new(|candidate: &Candidate<'_, i16>| candidate.number % 5 != 3));
        let options = Options { in_place: true, n_workers: 2, veto: Some(veto), ..Options::default() };
        let file = File::create(&library(), &path).expect("a file");
        let processing =
            Processing { threshold: Some(20), dark: Some(vec![2; N_PIXELS].into()), ..Processing::default() };
        let dataset = dataset(compression, 4);
        let mut recorder: Recorder<i16, Returned> =
            Recorder::create(&library(), file.id(), &dataset, processing, options).expect("a recorder");
        let (back, returned) = channel();
        for number in (0..40).filter(|number| number % 7 != 2) {
            let frame = Returned { number, pixels: camera(number), piece_bytes, back: back.clone() };
            recorder.push(number, frame).expect("taken");
        }
        recorder.finish().expect("finished");
        drop((recorder, file, back));
        let frames = frames(&path);
        let mut n_stored = 0;
        for (number, pixels) in returned {
            let is_stored = number % 5 != 3;
            n_stored += u64::from(is_stored);
            let expected = if is_stored { frames[number as usize].clone() } else { camera(number) };
            assert!(pixels == expected && (!is_stored || pixels != camera(number)), "frame {number}");
        }
        assert_eq!(n_stored, 27, "of 34 frames");
    }
}

#[test]
fn memory_that_cannot_be_written_to_is_refused_where_frames_are_to_be_overwritten() {
    let path = path("recorder_in_place_refused");
    let options = Options { in_place: true, ..Options::default() };
    let (file, mut recorder): (_, Recorder<i16, Arc<[i16]>>) = create(&path, &drle(1), options);
    let refused = recorder.push(0, camera(0).into()).expect_err("shared memory");
    assert!(refused.frame.is_some() && refused.error.to_string().contains("cannot be written to"), "{}", refused.error);
    assert_eq!(recorder.push_copy(0, &[as_bytes(&camera(0))], &[]).expect("a copy can be"), Pushed::Taken);
    drop((recorder, file));
    let options = Options { in_place: true, format: PixelFormat::Mono12p, ..Options::default() };
    let file = File::create(&library(), &path).expect("a file");
    let made = Recorder::<i16>::create(&library(), file.id(), &drle(1), Processing::default(), options);
    assert!(made.expect_err("refused").to_string().contains("give Native"));
}
