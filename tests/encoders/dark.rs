//! The fused pass: every level does what scalar does, for every start, length and position, and nothing outside its
//! buffers.
#![cfg(unix)]

use crate::guarded::Guarded;
use darkchunk::cpu::Level;
use darkchunk::element::as_bytes;
use darkchunk::kernels::drle::{self, Correction, Encoded, FrameCounts, Pixel};
use darkchunk::{Error, Result};
use darkchunk_sim::Rng;
use proptest::prelude::*;

/// Guarded copies of everything a pass touches.
struct Bench<P> {
    pixels: Guarded<P>,
    dark: Guarded<P>,
    out: Guarded<P>,
    sum: Guarded<u32>,
    tokens: Guarded<u8>,
}

/// What a pass leaves after: the stream, the frame, the sum.
#[derive(Debug, PartialEq)]
struct Outcome<P> {
    encoded: Result<Encoded>,
    stream: Vec<u8>,
    stored: Vec<P>,
    sum: Vec<u32>,
}

impl<P: Pixel> Outcome<P> {
    /// Equality, with a message that says where.
    fn must_be(&self, expected: &Self, what: &str) {
        assert_eq!(self.encoded, expected.encoded, "{what}");
        let stream = self.stream.iter().zip(&expected.stream).enumerate().find(|(_, (a, b))| a != b);
        let stored = self.stored.iter().zip(&expected.stored).enumerate().find(|(_, (a, b))| a != b);
        let sum = self.sum.iter().zip(&expected.sum).enumerate().find(|(_, (a, b))| a != b);
        assert!(stream.is_none() && stored.is_none() && sum.is_none(), "{what}: {stream:?} {stored:?} {sum:?}");
        assert!(self == expected, "{what}: lengths differ");
    }
}

impl<P: Pixel> Bench<P> {
    fn new(n: usize) -> Self {
        let tokens = Guarded::new(2 * n);
        Self { pixels: Guarded::new(n), dark: Guarded::new(n), out: Guarded::new(n), sum: Guarded::new(n), tokens }
    }

    fn encode(&mut self, level: Level, frame: &[P], dark: Option<&[P]>, threshold: u16, in_place: bool) -> Outcome<P> {
        let pixels = self.pixels.at_end(frame);
        let correction = Correction { dark: dark.map(|dark| &*self.dark.at_end(dark)), threshold: Some(threshold) };
        let sum = self.sum.at_end(&vec![7; frame.len()]);
        let tokens = self.tokens.at_end(&vec![0xA5; drle::max_encoded_len(frame.len())]);
        let encoded = if in_place {
            drle::encode_in_place(level, pixels, &correction, Some(sum), tokens)
        } else {
            drle::encode(level, &[pixels], &correction, Some(sum), tokens)
        };
        let n_bytes = encoded.as_ref().map_or(0, |encoded| encoded.n_bytes);
        Outcome { encoded, stream: tokens[..n_bytes].to_vec(), stored: pixels.to_vec(), sum: sum.to_vec() }
    }

    fn correct(&mut self, level: Level, frame: &[P], dark: Option<&[P]>, threshold: Option<u16>) -> Outcome<P> {
        let pixels = self.pixels.at_start(frame);
        let correction = Correction { dark: dark.map(|dark| &*self.dark.at_start(dark)), threshold };
        let sum = self.sum.at_start(&vec![7; frame.len()]);
        let out = self.out.at_end(frame);
        let counts = drle::correct(level, &[pixels], &correction, Some(sum), out).unwrap();
        let encoded = Ok(Encoded { n_bytes: 0, counts });
        Outcome { encoded, stream: Vec::new(), stored: out.to_vec(), sum: sum.to_vec() }
    }

    /// Runs everything on every level.
    fn check(&mut self, frame: &[P], dark: Option<&[P]>, threshold: u16, what: &str) {
        let expected = self.encode(Level::SCALAR, frame, dark, threshold, false);
        let in_place = self.encode(Level::SCALAR, frame, dark, threshold, true);
        if expected.encoded.is_ok() {
            let added = self.correct(Level::SCALAR, frame, dark, Some(threshold)).sum;
            assert!(expected.sum == added, "sum of the stored pixels {what}");
        }
        for level in Level::available() {
            self.encode(*level, frame, dark, threshold, false).must_be(&expected, &format!("{level:?} {what}"));
            let found = self.encode(*level, frame, dark, threshold, true);
            // What is overwritten of a frame that fails is not promised.
            let stored = if found.encoded.is_ok() { found.stored } else { in_place.stored.clone() };
            Outcome { stored, ..found }.must_be(&in_place, &format!("{level:?} in place {what}"));
            for threshold in [Some(threshold), None] {
                let expected = self.correct(Level::SCALAR, frame, dark, threshold);
                let found = self.correct(*level, frame, dark, threshold);
                found.must_be(&expected, &format!("{level:?} correct {threshold:?} {what}"));
            }
            if expected.encoded.is_ok() {
                self.check_decode(*level, &expected.stream, &in_place.stored, what);
            }
        }
    }

    fn check_decode(&mut self, level: Level, stream: &[u8], stored: &[P], what: &str) {
        let tokens = self.tokens.at_end(stream);
        let out = self.out.at_end(stored);
        let out = darkchunk::element::as_bytes_mut(out);
        out.fill(0xA5);
        drle::decode(level, tokens, out).unwrap();
        let expected: Vec<u8> = stored.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        assert!(*out == expected, "{level:?} decode {what}");
        out.fill(0);
        drle::decode_zeroed(level, tokens, out).unwrap();
        assert!(*out == expected, "{level:?} decode into zeros {what}");
    }
}

/// Pixels of which `per_mille` are bright, in spots a few pixels wide, on noise around 0.
fn spots<P: Pixel>(rng: &mut Rng, n: usize, per_mille: u64) -> Vec<P> {
    let mut pixels: Vec<P> = (0..n).map(|_| P::nearest(rng.next_u64() as i32 % 5 - 2)).collect();
    if per_mille == 0 {
        return pixels;
    }
    let mut at = 0;
    loop {
        at += (rng.next_u64() % (8000 / per_mille)) as usize + 1;
        let width = (rng.next_u64() % 7) as usize;
        let Some(spot) = pixels.get_mut(at..at + width) else { return pixels };
        spot.fill_with(|| P::nearest((rng.next_u64() % 500) as i32 + 5));
        at += width;
    }
}

/// A frame and a dark image at the ends of the type, whose differences fit 16 bits, but for the pixel `odd` of each 64.
fn ends<P: Pixel>(n: usize, odd: Option<usize>) -> (Vec<P>, Vec<P>) {
    let pairs: &[(i32, i32)] = if P::SIGNED {
        &[(32767, 0), (0, 32767), (-32768, 0), (-1, 32767), (16383, -16384), (5, -5), (-16384, 16384), (7, 7)]
    } else {
        &[(32767, 0), (0, 32767), (65535, 32768), (32768, 65535), (40000, 40000), (0, 0), (1, 0), (30000, 62767)]
    };
    let odd_one = if P::SIGNED { (-32768, 1) } else { (0, 32768) };
    let pair = |at: usize| if odd == Some(at % 64) { odd_one } else { pairs[(at * 5 + at / 64) % 8] };
    let value = |(pixel, dark): (i32, i32)| (P::nearest(pixel), P::nearest(dark));
    (0..n).map(|at| value(pair(at))).unzip()
}

fn every_end_of_the_type<P: Pixel>() {
    let mut bench = Bench::<P>::new(6000);
    for threshold in [1, 2, 32766, 32767] {
        for odd in std::iter::once(None).chain((0..64).map(Some)) {
            let (frame, dark) = ends::<P>(4160, odd);
            bench.check(&frame, Some(&dark), threshold, &format!("threshold {threshold} odd {odd:?}"));
        }
        // One pixel of all, at every place of a group.
        for at in 0..64 {
            let (mut frame, mut dark) = (vec![P::nearest(9); 2048], vec![P::nearest(4); 2048]);
            (frame[640 + at], dark[640 + at]) = if P::SIGNED {
                (P::nearest(-32768), P::nearest(32767))
            } else {
                (P::nearest(0), P::nearest(32768 + 3 * at as i32))
            };
            bench.check(&frame, Some(&dark), threshold, &format!("threshold {threshold} one at {at}"));
        }
    }
}

#[test]
fn all_levels_agree_with_scalar_at_the_ends_of_the_types() {
    every_end_of_the_type::<i16>();
    every_end_of_the_type::<u16>();
}

/// Any values at all.
fn anything<P: Pixel>(rng: &mut Rng, n: usize) -> Vec<P> {
    (0..n).map(|_| P::from_ne_bytes((rng.next_u64() as u16).to_ne_bytes())).collect()
}

fn every_length<P: Pixel>() {
    let mut rng = Rng::new(1);
    let mut bench = Bench::<P>::new(6000);
    for len in (0..=200).chain([2047, 2048, 2049, 2111, 2112, 4095, 4096, 4097, 5000]) {
        for per_mille in [0, 6, 60, 400] {
            let (frame, dark) = (spots::<P>(&mut rng, len, per_mille), spots::<P>(&mut rng, len, 20));
            let what = format!("len={len} per_mille={per_mille}");
            bench.check(&frame, None, 5, &what);
            bench.check(&frame, Some(&dark), 5, &what);
        }
    }
}

#[test]
fn all_levels_agree_with_scalar_for_every_length() {
    every_length::<i16>();
    every_length::<u16>();
}

#[test]
fn all_levels_agree_with_scalar_for_every_start() {
    let mut rng = Rng::new(2);
    let frame = spots::<i16>(&mut rng, 300, 100);
    let mut bench = Bench::new(300);
    for start in 0..=64 {
        for end in [start, start + 1, start + 63, start + 64, start + 65, start + 130, 300] {
            bench.check(&frame[start..end], None, 3, &format!("start={start} end={end}"));
        }
    }
}

#[test]
fn all_levels_agree_with_scalar_for_a_bright_run_at_every_position() {
    let mut bench = Bench::new(260);
    for start in 0..260 {
        for width in [1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 64, 65, 260] {
            let end = (start + width).min(260);
            let mut frame = [4_i16; 260];
            frame[start..end].fill(5);
            bench.check(&frame, None, 5, &format!("start={start} width={width}"));
            let inverse = frame.map(|pixel| 9 - pixel);
            bench.check(&inverse, None, 5, &format!("inverse start={start} width={width}"));
        }
    }
}

#[test]
fn all_levels_agree_with_scalar_at_the_edges_of_threshold_and_pixel_type() {
    let mut rng = Rng::new(3);
    let edges = [i16::MIN, i16::MIN + 1, -2, -1, 0, 1, 2, 3, i16::MAX - 1, i16::MAX];
    let mut bench = Bench::new(1000);
    let mut unsigned = Bench::new(1000);
    for threshold in [1, 2, 3, 32766, 32767] {
        for round in 0..20 {
            let mut pick = || edges[rng.next_u64() as usize % edges.len()];
            let frame: Vec<i16> = (0..1000).map(|_| pick()).collect();
            let dark: Vec<i16> = (0..1000).map(|_| pick()).collect();
            let what = format!("threshold={threshold} round={round}");
            bench.check(&frame, None, threshold, &what);
            bench.check(&frame, Some(&dark), threshold, &what);
            let frame: Vec<u16> = frame.iter().map(|pixel| pixel.cast_unsigned()).collect();
            let dark: Vec<u16> = dark.iter().map(|pixel| pixel.cast_unsigned() >> (round % 2)).collect();
            unsigned.check(&frame, None, threshold, &what);
            unsigned.check(&frame, Some(&dark), threshold, &what);
        }
    }
}

#[test]
fn all_levels_agree_with_scalar_on_any_values() {
    let mut rng = Rng::new(4);
    let (mut signed, mut unsigned) = (Bench::<i16>::new(5000), Bench::<u16>::new(5000));
    for round in 0..30 {
        let threshold = (rng.next_u64() % 32767) as u16 + 1;
        let n = (rng.next_u64() % 5000) as usize;
        let what = format!("round={round} n={n} threshold={threshold}");
        let (frame, dark) = (anything(&mut rng, n), anything(&mut rng, n));
        signed.check(&frame, None, threshold, &what);
        signed.check(&frame, Some(&dark), threshold, &what);
        let (frame, dark) = (anything(&mut rng, n), anything(&mut rng, n));
        unsigned.check(&frame, Some(&dark), threshold, &what);
        unsigned.check(&dark, None, threshold, &what);
    }
}

fn nearly_all_bright<P: Pixel>() {
    let mut rng = Rng::new(9);
    for n in [1, 63, 64, 65, 2047, 2048, 2112, 5003] {
        let mut bench = Bench::<P>::new(n);
        for gap in [0, 1, 2, 63, 64, 65, 200] {
            let mut frame: Vec<P> = (0..n).map(|_| P::nearest(20 + rng.below(4000) as i32)).collect();
            // Some gaps, the first and the last pixel now and then among them, so that blocks stand on both sides of dense.
            for _ in 0..rng.below(1 + n / 200) {
                let start = rng.below(n);
                frame[start..n.min(start + gap)].fill(P::nearest(3));
            }
            if rng.below(2) == 0 {
                frame[n - gap.min(n)..].fill(P::default());
            }
            let dark: Vec<P> = (0..n).map(|_| P::nearest(rng.below(9) as i32)).collect();
            bench.check(&frame, None, 12, &format!("{n} pixels, gaps of {gap}"));
            bench.check(&frame, Some(&dark), 12, &format!("{n} pixels, gaps of {gap}, dark image"));
        }
    }
}

#[test]
fn all_levels_agree_with_scalar_on_frames_that_are_nearly_all_bright() {
    nearly_all_bright::<i16>();
    nearly_all_bright::<u16>();
}

#[test]
fn long_runs_are_cut_into_tokens_of_32768() {
    for (n_dark, expected) in [
        (1, vec![0]),
        (2, vec![-2]),
        (32767, vec![-32767]),
        (32768, vec![-32768]),
        (32769, vec![-32768, 0]),
        (32770, vec![-32768, -2]),
        (65536, vec![-32768, -32768]),
        (100_000, vec![-32768, -32768, -32768, -1696]),
    ] {
        let mut frame = vec![0_i16; n_dark];
        frame.push(9);
        let mut tokens = vec![0; 2 * frame.len()];
        for level in Level::available() {
            let encoded = drle::encode(*level, &[&frame], &Correction::threshold(1), None, &mut tokens).unwrap();
            let stream: Vec<i16> = tokens.as_chunks().0.iter().map(|token| i16::from_le_bytes(*token)).collect();
            let (last, runs) = stream[..encoded.n_bytes / 2].split_last().unwrap();
            assert_eq!((runs, *last), (&expected[..], 9), "{level:?} n_dark={n_dark}");
        }
        Bench::new(frame.len()).check(&frame, None, 1, &format!("n_dark={n_dark}"));
    }
}

#[test]
fn alternating_pixels_take_no_more_than_the_frame() {
    let frame: Vec<i16> = (0..10_000).map(|at| at % 2).collect();
    Bench::new(10_000).check(&frame, None, 1, "alternating");
    let mut tokens = vec![0; drle::max_encoded_len(frame.len())];
    for level in Level::available() {
        let encoded = drle::encode(*level, &[&frame], &Correction::threshold(1), None, &mut tokens).unwrap();
        assert_eq!(tokens[..encoded.n_bytes], *as_bytes(&frame.iter().map(|p| p.to_le()).collect::<Vec<_>>()));
    }
}

#[test]
fn strips_give_what_the_whole_frame_gives() {
    let mut rng = Rng::new(5);
    let (frame, dark) = (spots::<i16>(&mut rng, 9000, 60), spots::<i16>(&mut rng, 9000, 10));
    let correction = Correction { dark: Some(&dark), threshold: Some(5) };
    let (mut expected_sum, mut tokens) = (vec![1; 9000], vec![0; 18_000]);
    let expected = drle::encode(Level::SCALAR, &[&frame], &correction, Some(&mut expected_sum), &mut tokens).unwrap();
    let expected_stream = tokens[..expected.n_bytes].to_vec();
    for strip_len in [1, 7, 63, 64, 65, 1000, 2048, 3000, 9000] {
        let strips: Vec<&[i16]> = frame.chunks(strip_len).collect();
        for level in Level::available() {
            let mut sum = vec![1; 9000];
            let found = drle::encode(*level, &strips, &correction, Some(&mut sum), &mut tokens).unwrap();
            assert_eq!(found, expected, "{level:?} strip_len={strip_len}");
            assert_eq!(tokens[..found.n_bytes], expected_stream, "{level:?} strip_len={strip_len}");
            assert_eq!(sum, expected_sum, "{level:?} strip_len={strip_len}");
            let mut out = vec![0; 9000];
            let counts = drle::correct(*level, &strips, &correction, None, &mut out).unwrap();
            assert_eq!(counts, expected.counts, "{level:?} strip_len={strip_len}");
        }
    }
}

#[test]
fn what_was_zeroed_is_counted_exactly() {
    let frame = [5_i16, 4, 0, -3, i16::MIN, i16::MAX, 10, 10];
    let dark = [0_i16, 0, 0, 0, 1, -1, 10, 4];
    let mut tokens = [0; 16];
    for level in Level::available() {
        let correction = Correction { dark: Some(&dark), threshold: Some(5) };
        let counts = drle::encode(*level, &[&frame], &correction, None, &mut tokens).unwrap().counts;
        let zeroed_sum = 4 - 3 - 32769;
        let expected = FrameCounts { n_bright: 3, n_zeroed: 3, zeroed_sum, n_saturated: 1, ..FrameCounts::default() };
        assert_eq!(counts, expected, "{level:?}");
    }
}

#[test]
fn a_frame_that_fails_leaves_the_sum_as_it_was() {
    let mut frame = vec![9_u16; 7000];
    frame[6900] = 40_000;
    let mut tokens = vec![0; 14_000];
    for level in Level::available() {
        let mut sum = vec![3; 7000];
        let correction = Correction::threshold(1);
        let found = drle::encode(*level, &[&frame], &correction, Some(&mut sum), &mut tokens);
        assert_eq!(found, Err(Error::TooBright { pixel: 6900, value: 40_000 }), "{level:?}");
        let found = drle::encode(*level, &[&frame[..6900]], &correction, Some(&mut sum[..6900]), &mut tokens[..13_798]);
        assert!(matches!(found, Err(Error::OutputTooSmall { available: 13_798, .. })), "{level:?} {found:?}");
        let found = drle::encode_in_place(*level, &mut frame.clone(), &correction, Some(&mut sum), &mut tokens);
        assert_eq!(found, Err(Error::TooBright { pixel: 6900, value: 40_000 }), "{level:?}");
        assert!(sum.iter().all(|sum| *sum == 3), "{level:?}");
    }
}

#[test]
fn a_stream_fits_an_output_of_exactly_its_length_and_no_shorter_one() {
    let mut rng = Rng::new(6);
    let frame = spots::<i16>(&mut rng, 3000, 60);
    let mut guarded = Guarded::new(6000);
    for level in Level::available() {
        let correction = Correction::threshold(5);
        let whole = guarded.at_end(&[0xA5; 6000]);
        let n_bytes = drle::encode(*level, &[&frame], &correction, None, whole).unwrap().n_bytes;
        let expected = whole[..n_bytes].to_vec();
        for available in 0..=n_bytes {
            let tokens = guarded.at_end(&expected[..available]);
            tokens.fill(0xA5);
            let found = drle::encode(*level, &[&frame], &correction, None, tokens);
            if available == n_bytes {
                assert_eq!(tokens, expected, "{level:?}");
            } else {
                assert!(matches!(found, Err(Error::OutputTooSmall { .. })), "{level:?} available={available}");
            }
        }
    }
}

#[test]
fn buffers_of_another_length_are_refused() {
    let frame = [9_i16; 10];
    let dark = [0; 9];
    let mut tokens = [0; 20];
    let short_dark = Correction { dark: Some(&dark[..]), threshold: Some(1) };
    let found = drle::encode(Level::current(), &[&frame], &short_dark, None, &mut tokens);
    assert_eq!(found, Err(Error::BufferSize { what: "the dark image", expected: 20, found: 18 }));
    let plain = Correction::threshold(1);
    let found = drle::encode(Level::current(), &[&frame], &plain, Some(&mut [0; 11]), &mut tokens);
    assert_eq!(found, Err(Error::BufferSize { what: "the sum image", expected: 40, found: 44 }));
    let found = drle::correct(Level::current(), &[&frame], &plain, None, &mut [0; 9]);
    assert_eq!(found, Err(Error::BufferSize { what: "the output frame", expected: 20, found: 18 }));
    for threshold in [Some(0), Some(32768), None] {
        let found = drle::encode(Level::current(), &[&frame], &Correction { dark: None, threshold }, None, &mut tokens);
        assert!(matches!(found, Err(Error::Argument(_))), "{threshold:?} {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn all_levels_agree_with_scalar_on_runs_of_any_length(
        runs in prop::collection::vec((0_usize..90, 0_usize..40, 1_i16..=i16::MAX), 0..60),
        threshold in 1_u16..=500,
        offset in -3_i16..=3,
    ) {
        let frame: Vec<i16> = runs
            .iter()
            .flat_map(|(n_dark, n_bright, value)| [vec![offset; *n_dark], vec![*value; *n_bright]].concat())
            .collect();
        let dark = vec![offset; frame.len()];
        let mut bench = Bench::new(frame.len());
        bench.check(&frame, None, threshold, "runs");
        bench.check(&frame, Some(&dark), threshold, "runs on an offset");
    }
}
