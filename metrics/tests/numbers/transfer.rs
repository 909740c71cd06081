//! The noise that is measured is the one that the frames were made with; and what is no photon noise is said.

use crate::common::root_quantiser;
use darkchunk_metrics::{Measured, Rules, Shape, Transfer};
use darkchunk_sim::Rng;

const SHAPE: Shape = Shape { height: 96, width: 128 };

/// A detector: photons of a scene, with gain, offset and read noise.
struct Detector {
    gain: f64,
    offset: f64,
    read: f64,
}

fn poisson(rng: &mut Rng, mean: f64) -> f64 {
    if mean > 60.0 {
        return (mean + mean.sqrt() * rng.normal()).round().max(0.0);
    }
    let (mut n, mut left) = (0.0, 1.0);
    while {
        left *= rng.uniform();
        left > (-mean).exp()
    } {
        n += 1.0;
    }
    n
}

impl Detector {
    fn frame(&self, rng: &mut Rng, scene: impl Fn(usize, usize) -> f64) -> Vec<i32> {
        let mut pixel = |at: usize| {
            let photons = poisson(rng, scene(at / SHAPE.width, at % SHAPE.width));
            (self.gain * photons + self.offset + self.read * rng.normal()).round() as i32
        };
        (0..SHAPE.n_pixels()).map(&mut pixel).collect()
    }

    fn frames(&self, n_frames: usize, scene: impl Fn(usize, usize, usize) -> f64) -> Vec<Vec<i32>> {
        let mut rng = Rng::new(11);
        (0..n_frames).map(|n| self.frame(&mut rng, |y, x| scene(n, y, x))).collect()
    }
}

/// Photons from `least` to `most` times 20.
fn ramp(least: f64) -> impl Fn(usize, usize, usize) -> f64 {
    move |_, y, x| least * (1.0 + 19.0 * (y * SHAPE.width + x) as f64 / SHAPE.n_pixels() as f64)
}

fn measure(frames: &[Vec<i32>]) -> Measured {
    let mut transfer = Transfer::new(SHAPE, Rules::default()).expect("settings");
    frames.iter().for_each(|frame| transfer.add(frame).expect("a frame"));
    transfer.measure().expect("enough frames")
}

/// The variance that is measured is within 8 % of the true one, from the darkest to the brightest intensity; and the gain is within
/// five errors.
fn assert_found(detector: &Detector, measured: &Measured, what: &str) {
    let Detector { gain, offset, read } = *detector;
    // That of rounding, where there is any.
    let rounding = if gain.fract() == 0.0 && read == 0.0 { 0.0 } else { 1.0 / 12.0 };
    for point in &measured.points {
        let expected = gain * (point.mean - offset) + read * read + rounding;
        let found = measured.model.variance(point.mean);
        assert!((found / expected - 1.0).abs() < 0.08, "{what}: at {} {found}, not {expected}", point.mean);
    }
    let (found, error) = (measured.model.gain, measured.gain_error);
    assert!((found - gain).abs() < 5.0 * error && error < 0.1 * gain, "{what}: gain {found} +- {error}");
}

#[test]
fn gain_offset_and_read_noise_are_those_of_the_detector() {
    for (gain, offset, read, least) in [
        (1.0, 0.0, 0.0, 0.1),
        (1.0, 0.0, 0.0, 3.0),
        (2.05, 98.0, 0.0, 500.0),
        (0.4, 100.0, 2.0, 10.0),
        (12.0, 500.0, 30.0, 40.0),
    ] {
        let detector = Detector { gain, offset, read };
        let measured = measure(&detector.frames(16, ramp(least)));
        let what = format!("gain {gain}, offset {offset}, read noise {read}, {least} photons");
        assert_found(&detector, &measured, &what);
        assert_eq!(measured.doubts, [""; 0], "{what}");
    }
}

/// An edge moves over the frames, as in tomography.
#[test]
fn a_scene_that_moves_hardly_changes_it() {
    let detector = Detector { gain: 2.0, offset: 100.0, read: 0.0 };
    let scene = |n: usize, y: usize, x: usize| {
        let edge = (20.0 + 40.0 * (n as f64 / 6.0).sin()) as usize;
        if (edge..edge + 30).contains(&x) { 4000.0 } else { 9000.0 + 40.0 * y as f64 }
    };
    let measured = measure(&detector.frames(20, scene));
    let found = measured.model.variance(16_000.0);
    assert!((found / (2.0 * 15_900.0) - 1.0).abs() < 0.1, "{found}");
}

#[test]
fn pixels_that_do_not_count_are_left_out() {
    let detector = Detector { gain: 1.0, offset: 0.0, read: 0.0 };
    let mut frames = detector.frames(6, ramp(20.0));
    for (n, frame) in frames.iter_mut().enumerate() {
        frame[n * 7..n * 7 + 60].fill(-1);
        frame[4000..4100].fill(60_000 + n as i32 * 100);
    }
    let rules = Rules { negative_is_masked: true, saturation: Some(60_000), ..Rules::default() };
    let mut transfer = Transfer::new(SHAPE, rules).expect("settings");
    frames.iter().for_each(|frame| transfer.add(frame).expect("a frame"));
    let measured = transfer.measure().expect("enough");
    assert_found(&detector, &measured, "masked");
    assert!(measured.points.iter().all(|point| (0.0..1000.0).contains(&point.mean)));
}

fn doubt(frames: &[Vec<i32>], expected: &str) {
    let doubts = measure(frames).doubts;
    assert!(doubts.iter().any(|doubt| doubt.contains(expected)), "{expected:?} is not in {doubts:#?}");
}

#[test]
fn what_is_no_photon_noise_is_said() {
    let counter = Detector { gain: 1.0, offset: 0.0, read: 0.0 };
    let frames = counter.frames(9, ramp(50.0));
    let of = |change: &dyn Fn(&[i32]) -> Vec<i32>| frames.iter().map(|frame| change(frame)).collect::<Vec<_>>();
    doubt(&of(&|frame| frame.iter().map(|x| x / 8 * 8).collect()), "multiples of 8");
    for beta in [0.5, 1.0, 2.0] {
        let steps = |frame: &[i32]| frame.iter().map(|x| root_quantiser(f64::from(*x), beta) as i32).collect();
        doubt(&of(&steps), "values with gaps on both sides");
    }
    let smooth =
        |frame: &[i32]| (0..frame.len()).map(|at| (frame[at] + frame[(at + 1).min(frame.len() - 1)]) / 2).collect();
    doubt(&of(&smooth), "neighbours is correlated, +0.5");
    // Steps of √x, as a detector that compresses stores them.
    doubt(&of(&|frame| frame.iter().map(|x| (40.0 * f64::from(*x).sqrt()) as i32).collect()), "does not rise");
    let mut rng = Rng::new(2);
    let mut pixel = |at: usize| 500 + at as i32 / 4 + (5.0 * rng.normal()).round() as i32;
    let read_noise: Vec<Vec<i32>> = (0..9).map(|_| (0..SHAPE.n_pixels()).map(&mut pixel).collect()).collect();
    doubt(&read_noise, "an absolute bound of about 2.5 counts");
    let flat: Vec<Vec<i32>> = counter.frames(9, |_, _, _| 300.0);
    doubt(&flat, "too much alike");
}

#[test]
fn what_says_nothing_is_an_error_that_says_why() {
    let counter = Detector { gain: 1.0, offset: 0.0, read: 0.0 };
    let frames = counter.frames(2, ramp(50.0));
    let mut transfer = Transfer::new(SHAPE, Rules::default()).expect("settings");
    frames.iter().for_each(|frame| transfer.add(frame).expect("a frame"));
    assert!(transfer.measure().expect_err("two").to_string().contains("three frames"));
    assert!(transfer.add(&frames[0][1..]).is_err());
    let mut still = Transfer::new(SHAPE, Rules::default()).expect("settings");
    (0..4).for_each(|_| still.add(&frames[0]).expect("a frame"));
    assert!(still.measure().expect_err("no noise").to_string().contains("nothing varies"));
}
