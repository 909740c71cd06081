//! Sentinels and pixels above 32767 in the fused pass: every level does what this file's plain model says, for every place and
//! length of them, and nothing outside its buffers.
#![cfg(unix)]

use crate::guarded::Guarded;
use darkchunk::codec::drle::{Container, ContainerWriter, Header, PixelType};
use darkchunk::cpu::Level;
use darkchunk::element::as_bytes_mut;
use darkchunk::kernels::drle::{self, BatchFrame, Correction, Encoded, Exceptions, FrameCounts, Pixel, Sentinels};
use darkchunk::{Exec, Result, Threads};
use darkchunk_sim::Rng;
use proptest::prelude::*;

const BLOCK: usize = 2048;
const THRESHOLD: u16 = 20;
/// What the sum holds before.
const BEFORE: u32 = 7;

/// A frame, and what is done to it.
#[derive(Debug, Clone)]
struct Case<P> {
    frame: Vec<P>,
    dark: Option<Vec<P>>,
    sentinels: Vec<u16>,
}

/// What a pass leaves after.
#[derive(Debug, Clone, PartialEq)]
struct Outcome<P> {
    stored: Vec<P>,
    counts: FrameCounts,
    sum: Vec<u32>,
}

impl<P: Pixel> Case<P> {
    fn correction(&self) -> Correction<'_, P> {
        Correction { dark: self.dark.as_deref(), threshold: Some(THRESHOLD) }
    }

    /// The specification of this file, pixel by pixel.
    fn expected(&self) -> Outcome<P> {
        let mut stored = self.frame.clone();
        let (mut counts, mut sum) = (FrameCounts::default(), vec![BEFORE; stored.len()]);
        for (at, pixel) in stored.iter_mut().enumerate() {
            if self.sentinels.contains(&u16::from_le_bytes(pixel.to_le_bytes())) {
                counts.n_sentinels += 1;
                continue;
            }
            let difference = pixel.widen() - self.dark.as_ref().map_or(0, |dark| dark[at].widen());
            let is_bright = difference >= THRESHOLD.into();
            *pixel = if is_bright { P::nearest(difference) } else { P::default() };
            counts.n_bright += u64::from(is_bright);
            counts.n_zeroed += u64::from(!is_bright && difference != 0);
            counts.zeroed_sum += if is_bright { 0 } else { i64::from(difference) };
            counts.n_saturated += u64::from(is_bright && pixel.widen() != difference);
            sum[at] += pixel.widen().cast_unsigned();
        }
        Outcome { stored, counts, sum }
    }

    fn header(&self) -> Header {
        let element = if P::SIGNED { PixelType::I16Le } else { PixelType::U16Le };
        let n_pixels = self.frame.len() as u32;
        Header { element, threshold: THRESHOLD, segment_pixels: n_pixels.max(1), n_bytes: 2 * n_pixels }
    }
}

/// Guarded copies of everything a pass touches.
struct Bench<P> {
    pixels: Guarded<P>,
    dark: Guarded<P>,
    sum: Guarded<u32>,
    chunk: Vec<u8>,
}

impl<P: Pixel> Bench<P> {
    fn new(n: usize) -> Self {
        let [pixels, dark] = [n, n].map(Guarded::new);
        Self { pixels, dark, sum: Guarded::new(n), chunk: vec![0; 3 * n + 100] }
    }

    /// Encodes a frame and makes a container of it.
    fn encode(&mut self, level: Level, case: &Case<P>, in_place: bool) -> (Vec<u8>, Outcome<P>) {
        let pixels = self.pixels.at_end(&case.frame);
        let dark = case.dark.as_ref().map(|dark| &*self.dark.at_start(dark));
        let correction = Correction { dark, ..case.correction() };
        let sum = self.sum.at_end(&vec![BEFORE; case.frame.len()]);
        let mut exceptions = Exceptions::new(Sentinels::new(case.sentinels.iter().copied()).unwrap());
        let mut writer = ContainerWriter::new(&mut self.chunk, case.header()).unwrap();
        let (noted, tokens) = (Some(&mut exceptions), writer.segment_mut());
        let encoded = if in_place {
            drle::encode_in_place_with(level, pixels, &correction, noted, Some(&mut *sum), tokens)
        } else {
            drle::encode_with(level, &[pixels], &correction, noted, Some(&mut *sum), tokens)
        };
        let Encoded { n_bytes, counts } = encoded.unwrap();
        writer.finish_segment_with(n_bytes, &exceptions).unwrap();
        let n_bytes = writer.finish().unwrap();
        let outcome = Outcome { stored: pixels.to_vec(), counts, sum: sum.to_vec() };
        (self.chunk[..n_bytes].to_vec(), outcome)
    }

    /// Runs everything on every level.
    fn check(&mut self, case: &Case<P>, what: &str) {
        let expected = case.expected();
        let (expected_chunk, _) = self.encode(Level::SCALAR, case, false);
        assert!(expected_chunk.len() <= case.header().max_container_len(), "{what}");
        for &level in Level::available() {
            for in_place in [false, true] {
                let (chunk, found) = self.encode(level, case, in_place);
                let stored = if in_place { expected.stored.clone() } else { case.frame.clone() };
                assert_eq!(found.counts, expected.counts, "{level:?} {in_place} {what}");
                assert!(found.stored == stored && found.sum == expected.sum, "{level:?} {in_place} {what}");
                assert!(chunk == expected_chunk, "{level:?} {in_place} {what}");
            }
            let decoded = self.pixels.at_end(&case.frame);
            decoded.fill(P::nearest(0x5A5A));
            Container::open(&expected_chunk).unwrap().decode(level, as_bytes_mut(decoded)).unwrap();
            // What is decoded is little-endian.
            decoded.iter_mut().for_each(|pixel| *pixel = P::from_ne_bytes(pixel.to_le_bytes()));
            assert!(*decoded == expected.stored, "{level:?} decoded {what}");
        }
    }
}

/// Noise around `base`, and every 40th pixel or so bright.
fn noise<P: Pixel>(rng: &mut Rng, n: usize, base: i32) -> Vec<P> {
    let mut pixel = || base + rng.below(7) as i32 - 3 + if rng.below(40) == 0 { rng.below(3000) as i32 } else { 0 };
    (0..n).map(|_| P::nearest(pixel())).collect()
}

/// Frames with a run of `value` from `start` on, with a dark image and without.
fn with_run<P: Pixel>(n: usize, start: usize, len: usize, value: i32, sentinels: &[u16]) -> [Case<P>; 2] {
    let mut rng = Rng::new((start + len) as u64);
    [0, 100].map(|base| {
        let mut frame = noise(&mut rng, n, base);
        frame[start..start + len].fill(P::nearest(value));
        let dark = (base > 0).then(|| noise(&mut rng, n, base));
        Case { frame, dark, sentinels: sentinels.to_vec() }
    })
}

#[test]
fn masks_of_every_length_and_at_every_place_are_kept() {
    const N: usize = 2 * BLOCK + 300;
    let (mut unsigned, mut signed) = (Bench::new(N), Bench::new(N));
    let edges = [0, 1, 15, 16, 63, 64, 65, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 64, 2 * BLOCK, 2 * BLOCK + 200];
    for start in edges {
        for len in [1, 2, 10, 16, 63, 64, 65, 100] {
            let what = format!("start={start} len={len}");
            for case in with_run::<u16>(N, start, len, 65_535, &[65_535]) {
                unsigned.check(&case, &what);
            }
            for case in with_run::<i16>(N, start, len, -1, &[u16::MAX, 0x8001]) {
                signed.check(&case, &what);
            }
        }
    }
    for (start, len) in [(0, N), (0, BLOCK), (5, N - 6), (BLOCK - 3, BLOCK + 6), (1, 2 * BLOCK)] {
        for case in with_run::<u16>(N, start, len, 65_535, &[65_535]) {
            unsigned.check(&case, &format!("start={start} len={len}"));
        }
    }
}

#[test]
fn pixels_above_32767_are_kept_and_added_to_the_sum() {
    const N: usize = BLOCK + 200;
    let mut bench = Bench::new(N);
    for value in [32_767, 32_768, 32_867, 32_868, 40_000, 65_534, 65_535] {
        for (start, len) in [(0, 1), (63, 3), (700, 40), (BLOCK - 2, 4), (N - 1, 1), (0, N)] {
            // Without a sentinel, with one, and with another.
            for sentinels in [&[][..], &[65_535], &[40_000, 5]] {
                for case in with_run::<u16>(N, start, len, value, sentinels) {
                    bench.check(&case, &format!("{value} {sentinels:?} start={start} len={len}"));
                }
            }
        }
    }
}

/// A mask is in the dark image, too, where that is the mean of frames.
#[test]
fn what_is_masked_in_frame_and_dark_image_is_kept() {
    const N: usize = 2 * BLOCK;
    for dark_value in [65_535, 40_000, 65_000] {
        for mut case in with_run::<u16>(N, 500, 2000, 65_535, &[65_535]) {
            if let Some(dark) = &mut case.dark {
                dark[400..2600].fill(dark_value);
            }
            Bench::new(N).check(&case, &format!("dark image of {dark_value}"));
        }
    }
}

#[test]
fn every_sentinel_is_one_whatever_its_value() {
    const N: usize = BLOCK + 77;
    // Dark, bright, equal to the threshold, of both halves of the type; one that never occurs.
    let sentinels: [u16; 8] = [1, 3, 20, 500, 32_767, 32_768, 65_535, 65_000];
    let mut rng = Rng::new(3);
    let frame: Vec<u16> = (0..N).map(|_| sentinels[rng.below(7)].wrapping_add(rng.below(2) as u16)).collect();
    let dark = Some(noise::<u16>(&mut rng, N, 100));
    let signed = frame.iter().map(|pixel| pixel.cast_signed()).collect();
    let signed_dark = Some(noise::<i16>(&mut rng, N, 100));
    for n in 0..=sentinels.len() {
        let what = format!("{n} sentinels");
        for is_corrected in [false, true] {
            let dark = dark.clone().filter(|_| is_corrected);
            let case = Case { frame: frame.clone(), dark, sentinels: sentinels[..n].to_vec() };
            Bench::new(N).check(&case, &what);
            let dark = signed_dark.clone().filter(|_| is_corrected);
            let case: Case<i16> = Case { frame: Vec::clone(&signed), dark, sentinels: sentinels[..n].to_vec() };
            Bench::new(N).check(&case, &what);
        }
    }
}

/// The form of which a segment is the longest, and what is written in its place.
#[test]
fn no_mixture_takes_more_room_than_the_pixels_and_a_few_bytes() {
    for n in [1, 2, 3, 100, 5000, 70_000] {
        let mut bench = Bench::new(n);
        let mut all: Vec<(&str, Vec<u16>)> = vec![
            ("wide and bright", (0..n).map(|at| if at % 2 == 0 { 40_000 } else { 300 }).collect()),
            ("wide and dark", (0..n).map(|at| if at % 2 == 0 { 40_000 } else { 0 }).collect()),
            ("wide", (0..n).map(|at| 33_000 + at as u16 % 1000).collect()),
            ("sentinels and bright", (0..n).map(|at| if at % 2 == 0 { 65_535 } else { 300 }).collect()),
            ("several sentinels", (0..n).map(|at| [65_535, 65_534, 40_000, 5][at % 4]).collect()),
            ("sentinels and wide", (0..n).map(|at| [65_535, 33_000][at % 2]).collect()),
        ];
        for (what, frame) in all.drain(..) {
            let case = Case { frame, dark: None, sentinels: vec![65_535, 65_534, 5] };
            bench.check(&case, what);
            let (chunk, _) = bench.encode(Level::current(), &case, false);
            let n_more = chunk.len().saturating_sub(2 * n + 32);
            assert!(n_more <= 13 + 2 * n.div_ceil(32_768), "{what}: {n_more} bytes more than {n} pixels");
        }
    }
}

#[test]
fn a_lone_exception_costs_at_most_8_bytes() {
    for n in [1 << 10, 1 << 20, 5 << 20] {
        let mut bench = Bench::<u16>::new(n);
        let mut size = |frame: &[u16]| {
            let case = Case { frame: frame.to_vec(), dark: None, sentinels: vec![65_535, 7] };
            bench.encode(Level::current(), &case, false).0.len()
        };
        let mut rng = Rng::new(n as u64);
        for (what, mut frame) in [("dark", vec![0; n]), ("bright", vec![300; n]), ("noise", noise(&mut rng, n, 20))] {
            for at in [0, 1, 100, n / 2, n - 1] {
                let pixel = std::mem::replace(&mut frame[at], 0);
                let without = size(&frame);
                for value in [65_535, 32_768, 7] {
                    frame[at] = value;
                    let more = size(&frame) - without;
                    assert!(more <= 8, "{value} at {at} of {n} {what}: {more} bytes");
                }
                frame[at] = pixel;
            }
        }
    }
}

/// Encodes frames at once; each with its exceptions in a container.
fn at_once<P: Pixel>(exec: Exec, cases: &[Case<P>], sum: &mut [u32]) -> Result<Vec<(Vec<u8>, FrameCounts)>> {
    let n_pixels = cases[0].frame.len();
    let mut streams = vec![vec![0; 2 * n_pixels]; cases.len()];
    let mut exceptions: Vec<_> =
        cases.iter().map(|case| Exceptions::new(Sentinels::new(case.sentinels.iter().copied()).unwrap())).collect();
    let strips: Vec<Vec<&[P]>> = cases.iter().map(|case| case.frame.chunks(1500).collect()).collect();
    let mut encoded = vec![Encoded::default(); cases.len()];
    let frames = strips.iter().zip(&mut streams).zip(&mut exceptions);
    let mut batch: Vec<_> = frames
        .map(|((strips, stream), exceptions)| BatchFrame::new(strips, stream).with_exceptions(exceptions))
        .collect();
    // Twice: what the first time left is forgotten.
    let _ = drle::encode_frames(exec, &mut batch, &cases[0].correction(), None, &mut encoded);
    drle::encode_frames(exec, &mut batch, &cases[0].correction(), Some(sum), &mut encoded)?;
    drop(batch);
    let chunks = streams.iter().zip(&exceptions).zip(&encoded).map(|((stream, exceptions), encoded)| {
        let mut chunk = vec![0; cases[0].header().max_container_len()];
        let mut writer = ContainerWriter::new(&mut chunk, cases[0].header()).unwrap();
        writer.segment_mut()[..encoded.n_bytes].copy_from_slice(&stream[..encoded.n_bytes]);
        writer.finish_segment_with(encoded.n_bytes, exceptions).unwrap();
        let n_bytes = writer.finish().unwrap();
        chunk.truncate(n_bytes);
        (chunk, encoded.counts)
    });
    Ok(chunks.collect())
}

fn levels(threads: Threads) -> impl Iterator<Item = Exec> {
    Level::available().iter().map(move |level| Exec { level: *level, threads })
}

#[test]
fn frames_at_once_and_by_threads_are_frames_one_by_one() {
    // Masks across the borders of threads' parts, and pixels above 32767.
    let n = 8 * BLOCK + 100;
    let mut rng = Rng::new(11);
    let dark = noise::<u16>(&mut rng, n, 100);
    let mut case = |runs: &[(usize, usize, u16)]| {
        let mut frame = noise::<u16>(&mut rng, n, 100);
        runs.iter().for_each(|(start, len, value)| frame[*start..start + len].fill(*value));
        Case { frame, dark: Some(dark.clone()), sentinels: vec![65_535, 9] }
    };
    let cases = [
        case(&[(0, n, 65_535)]),
        case(&[]),
        case(&[(BLOCK - 5, 10, 65_535), (3 * BLOCK - 1, 2, 40_000), (n - 1, 1, 9)]),
        case(&[(2 * BLOCK, BLOCK, 65_535), (4 * BLOCK - 7, 3 * BLOCK, 50_000)]),
        case(&[(0, 1, 9), (BLOCK, 1, 65_535), (2 * BLOCK - 1, 1, 33_000)]),
    ];
    let mut bench = Bench::new(n);
    let expected: Vec<_> = cases.iter().map(|case| bench.encode(Level::SCALAR, case, false)).collect();
    let add = |at: usize| expected.iter().map(|(_, outcome)| outcome.sum[at] - BEFORE).sum::<u32>();
    let expected_sum: Vec<u32> = (0..n).map(add).collect();
    for threads in [Threads::ONE, Threads::new(2).with_min_bytes(1), Threads::new(3).with_min_bytes(1)] {
        for exec in levels(threads) {
            let mut sum = vec![0; n];
            let found = at_once(exec, &cases, &mut sum).unwrap();
            for (index, (found, (chunk, outcome))) in found.iter().zip(&expected).enumerate() {
                assert!(found.0 == *chunk && found.1 == outcome.counts, "{exec:?} frame {index}");
            }
            assert!(sum == expected_sum, "{exec:?}");
        }
    }
}

/// Where one part has no room, all of them are taken out of the sum again.
#[test]
fn where_a_frame_does_not_fit_the_sum_is_as_it_was() {
    let n = 8 * BLOCK;
    let mut rng = Rng::new(12);
    let frame: Vec<u16> = (0..n).map(|_| 30_000 + rng.below(5000) as u16).collect();
    for exec in [Threads::ONE, Threads::new(2).with_min_bytes(1)].into_iter().flat_map(levels) {
        let (mut sum, mut stream, strips) = (vec![BEFORE; n], vec![0; n / 2], [&frame[..]]);
        let mut exceptions = Exceptions::new(Sentinels::NONE);
        let mut batch = [BatchFrame::new(&strips, &mut stream).with_exceptions(&mut exceptions)];
        let correction = Correction::threshold(THRESHOLD);
        let mut encoded = [Encoded::default()];
        drle::encode_frames(exec, &mut batch, &correction, Some(&mut sum), &mut encoded).unwrap_err();
        assert!(sum.iter().all(|sum| *sum == BEFORE), "{exec:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn any_frame_with_any_sentinels_is_as_the_model_says(
        seed in any::<u64>(),
        n in 1_usize..3 * BLOCK,
        sentinels in prop::collection::vec(any::<u16>(), 0..8),
        base in prop::option::of(0_i32..500),
        n_runs in 0_usize..60,
    ) {
        let mut rng = Rng::new(seed);
        let mut frame = noise::<u16>(&mut rng, n, base.unwrap_or(0));
        let dark = base.map(|base| noise::<u16>(&mut rng, n, base));
        for _ in 0..n_runs.min(n) {
            let start = rng.below(n);
            let len = 1 + rng.below(150).min(n - start - 1);
            let some = [65_535, 32_768, 50_000, 0, 32_767];
            let value = sentinels.get(rng.below(10)).copied().unwrap_or(some[rng.below(5)]);
            frame[start..start + len].fill(value);
        }
        let signed = |pixels: &[u16]| pixels.iter().map(|pixel| pixel.cast_signed()).collect::<Vec<i16>>();
        let case = Case { frame: signed(&frame), dark: dark.as_deref().map(signed), sentinels: sentinels.clone() };
        Bench::new(n).check(&case, "signed");
        Bench::new(n).check(&Case { frame, dark, sentinels }, "unsigned");
    }
}
