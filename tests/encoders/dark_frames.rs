//! Several frames in one pass: what they are one after the other, on every level, and nothing outside their buffers.
#![cfg(unix)]

use crate::guarded::Guarded;
use darkchunk::cpu::Level;
use darkchunk::kernels::drle::{self, BatchFrame, Correction, Encoded, Pixel};
use darkchunk::{Error, Exec, Result, Threads};
use darkchunk_sim::Rng;

const ONE: Threads = Threads::ONE;
/// Eight parts and more, of a block each in most tests.
const TWO: Threads = Threads::new(2).with_min_bytes(0);
const MANY: Threads = Threads::new(7).with_min_bytes(0);

fn levels(threads: Threads) -> impl Iterator<Item = Exec> {
    Level::available().iter().map(move |level| Exec { level: *level, threads })
}

/// Pixels around the dark image, some of them bright, some runs of these long.
fn frame<P: Pixel>(rng: &mut Rng, dark: &[P]) -> Vec<P> {
    let mut n_bright = 0;
    let mut pixel = |dark: &P| {
        let random = rng.next_u64();
        n_bright = if random.is_multiple_of(40) { random >> 32 & 31 } else { u64::saturating_sub(n_bright, 1) };
        P::nearest(dark.widen() + (random >> 8) as i32 % 4 + if n_bright > 0 { 50 } else { 0 })
    };
    dark.iter().map(&mut pixel).collect()
}

/// Streams, counts and sum of `frames`, one after the other by the specification; the sum is that of the stored pixels.
fn expected<P: Pixel>(frames: &[Vec<P>], correction: &Correction<'_, P>, sum: &mut [u32]) -> Vec<(Encoded, Vec<u8>)> {
    let one = |frame: &Vec<P>| {
        let mut tokens = vec![0; drle::max_encoded_len(frame.len())];
        let encoded = drle::encode(Level::SCALAR, &[frame], correction, None, &mut tokens).unwrap();
        drle::correct(Level::SCALAR, &[frame], correction, Some(&mut *sum), &mut frame.clone()).unwrap();
        tokens.truncate(encoded.n_bytes);
        (encoded, tokens)
    };
    frames.iter().map(one).collect()
}

/// Encodes `frames` at once, the one at `index` in strips of `strip_len(index)` pixels.
fn at_once<P: Pixel>(
    exec: Exec,
    frames: &[Vec<P>],
    strip_len: impl Fn(usize) -> usize,
    correction: &Correction<'_, P>,
    sum: &mut [u32],
) -> Result<Vec<(Encoded, Vec<u8>)>> {
    let n_pixels = frames.first().map_or(0, Vec::len);
    let mut pixels: Vec<Guarded<P>> = frames.iter().map(|_| Guarded::new(n_pixels)).collect();
    let mut rooms: Vec<Guarded<u8>> = frames.iter().map(|_| Guarded::new(2 * n_pixels)).collect();
    let placed: Vec<&[P]> = pixels
        .iter_mut()
        .zip(frames)
        .enumerate()
        .map(|(index, (to, frame))| &*if index % 2 == 0 { to.at_end(frame) } else { to.at_start(frame) })
        .collect();
    let strips: Vec<Vec<&[P]>> =
        placed.iter().enumerate().map(|(index, frame)| frame.chunks(strip_len(index)).collect()).collect();
    let mut rooms: Vec<&mut [u8]> = rooms.iter_mut().map(|room| room.at_end(&vec![0xA5; 2 * n_pixels])).collect();
    let mut batch: Vec<_> = strips.iter().zip(&mut rooms).map(|(strips, room)| BatchFrame::new(strips, room)).collect();
    let mut encoded = vec![Encoded::default(); frames.len()];
    // What an earlier pass left after does not matter.
    let _ = drle::encode_frames(exec, &mut batch, &Correction::threshold(1), None, &mut encoded);
    drle::encode_frames(exec, &mut batch, correction, Some(sum), &mut encoded)?;
    drop(batch);
    Ok(encoded.into_iter().zip(&rooms).map(|(encoded, room)| (encoded, room[..encoded.n_bytes].to_vec())).collect())
}

fn frames_at_once_are_frames_one_by_one<P: Pixel>() {
    let mut rng = Rng::new(1);
    for n_pixels in [0, 1, 63, 64, 65, 2047, 2048, 2049, 4500, 9000] {
        let dark: Vec<P> = (0..n_pixels).map(|_| P::nearest((rng.next_u64() % 100) as i32)).collect();
        for n_frames in [0, 1, 2, 3, 8, 17] {
            let frames: Vec<Vec<P>> = (0..n_frames).map(|_| frame(&mut rng, &dark)).collect();
            for dark in [None, Some(&dark[..])] {
                let correction = Correction { dark, threshold: Some(30) };
                let mut sum = vec![5; n_pixels];
                let expected = expected(&frames, &correction, &mut sum);
                for exec in [ONE, TWO, MANY].into_iter().flat_map(levels) {
                    for strips in [[9000; 3], [2048, 64, 1000], [7, 9000, 2049]] {
                        let mut found_sum = vec![5; n_pixels];
                        let strip_len = |index: usize| strips[index % 3];
                        let found = at_once(exec, &frames, strip_len, &correction, &mut found_sum).unwrap();
                        let what = format!("{exec:?} n_pixels={n_pixels} n_frames={n_frames} strips={strips:?}");
                        assert!(found == expected, "{what}: streams or counts");
                        assert!(found_sum == sum, "{what}: sum");
                    }
                }
            }
        }
    }
}

#[test]
fn signed_frames_at_once_are_frames_one_by_one() {
    frames_at_once_are_frames_one_by_one::<i16>();
}

#[test]
fn unsigned_frames_at_once_are_frames_one_by_one() {
    frames_at_once_are_frames_one_by_one::<u16>();
}

/// Runs that pass whole bands of the sum, bright pixels at the borders of these and of groups of tokens, and frames that are
/// bright throughout.
#[test]
fn frames_with_long_runs_are_added_to_the_sum() {
    let n_pixels = 100_000;
    let bright_at = |pixels: &[usize]| {
        let mut frame = vec![0_i16; n_pixels];
        pixels.iter().for_each(|pixel| frame[*pixel] = 100 + (*pixel % 1000) as i16);
        frame
    };
    let every = |step: usize| (0..n_pixels).step_by(step).collect::<Vec<_>>();
    let frames = [
        bright_at(&[]),
        bright_at(&every(1)),
        bright_at(&every(2)),
        bright_at(&[0, 8191, 8192, 16_383, 32_768, 32_769, 99_999]),
        bright_at(&[40_000, 80_000]),
        bright_at(&every(8192)),
        bright_at(&every(33_000)),
        bright_at(&(0..n_pixels).filter(|pixel| pixel % 70 < 17).collect::<Vec<_>>()),
    ];
    let mut sum = vec![u32::MAX; n_pixels];
    let expected = expected(&frames, &Correction::threshold(1), &mut sum);
    for exec in [ONE, TWO].into_iter().flat_map(levels) {
        let mut found_sum = vec![u32::MAX; n_pixels];
        let found = at_once(exec, &frames, |_| n_pixels, &Correction::threshold(1), &mut found_sum).unwrap();
        assert!(found == expected, "{exec:?}");
        assert!(found_sum == sum, "{exec:?}");
    }
}

#[test]
fn where_one_frame_fails_the_sum_is_as_it_was() {
    let (good, dark) = (vec![90_u16; 7000], vec![10_u16; 7000]);
    let correction = Correction { dark: Some(&dark), threshold: Some(1) };
    for exec in [ONE, TWO, MANY].into_iter().flat_map(levels) {
        for (bad, pixel) in [(0, 6999), (2, 3000), (4, 0)] {
            let mut frames = vec![good.clone(); 5];
            frames[bad][pixel] = 40_000;
            let mut sum = vec![3; 7000];
            let found = at_once(exec, &frames, |_| 2500, &correction, &mut sum);
            assert_eq!(found, Err(Error::TooBright { pixel, value: 39_990 }), "{exec:?} bad={bad}");
            assert!(sum.iter().all(|sum| *sum == 3), "{exec:?} bad={bad}");
        }
        let (mut room, mut short, mut sum) = (vec![0; 14_000], vec![0; 13_998], vec![3; 7000]);
        let strips = [&good[..]];
        let mut batch = [BatchFrame::new(&strips, &mut room), BatchFrame::new(&strips, &mut short)];
        let encoded = &mut [Encoded::default(); 2];
        let found = drle::encode_frames(exec, &mut batch, &correction, Some(&mut sum), encoded);
        assert!(matches!(found, Err(Error::OutputTooSmall { available: 13_998, .. })), "{exec:?} {found:?}");
        assert!(sum.iter().all(|sum| *sum == 3), "{exec:?}");
    }
}

#[test]
fn where_several_frames_fail_the_error_is_that_of_the_first() {
    let mut frames = vec![vec![1_u16; 30_000]; 20];
    // Frames 2 and 3 may take turns.
    for (frame, pixel) in [(12, 10), (3, 20_000), (2, 25_000)] {
        frames[frame][pixel] = 40_000 + pixel as u16 / 1000;
    }
    for exec in [ONE, TWO, MANY].into_iter().flat_map(levels) {
        let found = at_once(exec, &frames, |_| 30_000, &Correction::threshold(1), &mut vec![0; 30_000]);
        assert_eq!(found, Err(Error::TooBright { pixel: 25_000, value: 40_025 }), "{exec:?}");
    }
}

/// Two threads make eight parts of 30 720 pixels of such a frame: less than the longest run.
#[test]
fn dark_runs_from_one_threads_part_into_the_next_are_one_run() {
    const PART: usize = 15 * 2048;
    let n_pixels = 8 * PART;
    let bright_at = |pixels: &[usize]| {
        let mut frame = vec![0_i16; n_pixels];
        pixels.iter().for_each(|pixel| frame[*pixel] = 100);
        frame
    };
    let every = |step: usize| (0..n_pixels).step_by(step).collect::<Vec<_>>();
    let frames = [
        bright_at(&[]),
        bright_at(&every(1)),
        bright_at(&[PART - 1]),
        bright_at(&[PART]),
        bright_at(&[PART - 1, PART, 2 * PART - 2, 2 * PART]),
        bright_at(&[PART - 2, PART + 32_767, n_pixels - 1]),
        bright_at(&[PART - 2, PART + 32_766, 4 * PART + 32_769]),
        bright_at(&every(PART)),
        bright_at(&every(PART / 2 + 1)),
    ];
    let mut sum = vec![0; n_pixels];
    let expected = expected(&frames, &Correction::threshold(1), &mut sum);
    for exec in levels(TWO) {
        let mut found_sum = vec![0; n_pixels];
        let found = at_once(exec, &frames, |_| n_pixels, &Correction::threshold(1), &mut found_sum).unwrap();
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(found == expected, "{exec:?} frame {index}");
        }
        assert!(found_sum == sum, "{exec:?}");
    }
}

#[test]
fn frames_of_another_length_are_refused() {
    let (long, short) = ([[9_i16; 10].as_slice()], [[9_i16; 9].as_slice()]);
    let (mut first, mut second) = ([0; 20], [0; 20]);
    let mut batch = [BatchFrame::new(&long, &mut first), BatchFrame::new(&short, &mut second)];
    let plain = Correction::threshold(1);
    let found = drle::encode_frames(Exec::current(), &mut batch, &plain, None, &mut [Encoded::default(); 2]);
    assert_eq!(found, Err(Error::BufferSize { what: "a frame", expected: 20, found: 18 }));
    let found = drle::encode_frames(Exec::current(), &mut batch[..1], &plain, None, &mut []);
    assert!(matches!(found, Err(Error::BufferSize { what: "the list of results", .. })), "{found:?}");
    let dark = Correction { dark: Some(&[0; 9][..]), threshold: Some(1) };
    let found = drle::encode_frames(Exec::current(), &mut batch[..1], &dark, None, &mut [Encoded::default()]);
    assert_eq!(found, Err(Error::BufferSize { what: "the dark image", expected: 20, found: 18 }));
    let none = Correction { dark: None, threshold: None };
    let found = drle::encode_frames(Exec::current(), &mut batch[..1], &none, None, &mut [Encoded::default()]);
    assert!(matches!(found, Err(Error::Argument(_))), "{found:?}");
}
