//! Tomography: a phantom whose projections and resolution are known, and what a codec takes from it.

use crate::common::{pair, poisson, root_quantiser};
use darkchunk_metrics::technique::{Frc, FrcRing, Metrics, Scan, Technique, TechniqueReport, TomographyReport};
use darkchunk_metrics::{Limits, NoiseModel, Rules, Shape};
use darkchunk_sim::Rng;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

const SHAPE: Shape = Shape { height: 48, width: 128 };
const N_PROJECTIONS: u64 = 240;

/// Photons of a pixel in air.
const BEAM: f64 = 4000.0;

/// Discs: column and row off the axis, radius, attenuation a pixel.
const DISCS: [(f64, f64, f64, f64); 5] = [
    (0.0, 0.0, 50.0, 0.02),
    (20.0, 10.0, 12.0, 0.02),
    (-22.0, 5.0, 9.0, -0.015),
    (5.0, -25.0, 5.0, 0.03),
    (-8.0, 22.0, 3.0, 0.03),
];

/// Without noise: chords of discs, the same in all rows but for a ripple that goes with the row.
fn ideal(projection: u64) -> Vec<f64> {
    let angle = std::f64::consts::PI * projection as f64 / N_PROJECTIONS as f64;
    let depth = |column: usize| -> f64 {
        let chord = |(across, down, radius, attenuation): &(f64, f64, f64, f64)| {
            let middle = 63.5 + across * angle.cos() - down * angle.sin();
            2.0 * attenuation * (radius * radius - (column as f64 - middle).powi(2)).max(0.0).sqrt()
        };
        DISCS.iter().map(chord).sum()
    };
    let depths: Vec<f64> = (0..SHAPE.width).map(depth).collect();
    let ripple = |row: usize| 1.0 + 0.2 * (row as f64 / 3.0).sin();
    (0..SHAPE.n_pixels()).map(|at| BEAM * (-depths[at % SHAPE.width] * ripple(at / SHAPE.width)).exp()).collect()
}

fn noisy(rng: &mut Rng, projection: u64) -> Vec<u16> {
    ideal(projection).into_iter().map(|mean| poisson(rng, mean) as u16).collect()
}

fn scan() -> Technique {
    let rows = vec![24];
    Technique::Tomography(Scan { rows, n_projections: N_PROJECTIONS, ..Scan::default() })
}

fn report(seed: u64, of: impl Fn(u64, &[u16]) -> Vec<u16>) -> TechniqueReport {
    let mut metrics = Metrics::new(&scan(), SHAPE, Rules::default(), Some(NoiseModel::COUNTER)).unwrap();
    let mut rng = Rng::new(seed);
    for projection in 0..N_PROJECTIONS {
        let x = noisy(&mut rng, projection);
        metrics.add(&pair(SHAPE, &x, &of(projection, &x)));
    }
    metrics.report()
}

fn numbers(report: &TechniqueReport) -> &TomographyReport {
    let TechniqueReport::Tomography(numbers) = report else { panic!("tomography") };
    numbers
}

fn broken(report: &TechniqueReport) -> Vec<&'static str> {
    report.judge(&Limits::default()).iter().filter(|check| !check.is_kept).map(|check| check.name).collect()
}

fn quantised(beta: f64) -> impl Fn(u64, &[u16]) -> Vec<u16> {
    move |_, x| x.iter().map(|x| root_quantiser(f64::from(*x), beta) as u16).collect()
}

#[test]
fn nothing_is_lost_where_nothing_changes() {
    let report = report(1, |_, x| x.to_vec());
    let numbers = numbers(&report);
    let slice = &numbers.slices[0];
    for frc in [numbers.projections.as_ref().unwrap(), slice.frc.as_ref().unwrap()] {
        assert_eq!((frc.before, frc.mean_change), (frc.after, 0.0));
    }
    assert_eq!((slice.contrast_before, slice.ssim), (slice.contrast_after, Some(1.0)));
    assert_eq!(report.judge(&Limits { resolution: Some(0.0), ..Limits::default() }).len(), 4);
    assert!(broken(&report).is_empty());
}

#[test]
fn steps_of_one_sigma_pass_and_of_four_do_not() {
    let fine = report(2, quantised(1.0));
    assert!(broken(&fine).is_empty(), "{:?}", fine.judge(&Limits::default()));
    let coarse = report(2, quantised(4.0));
    let broken = broken(&coarse);
    assert!(["frc", "contrast_to_noise"].iter().all(|name| broken.contains(name)), "{broken:?}");
}

#[test]
fn steps_of_half_a_sigma_break_no_limit() {
    let n_seeds = if std::env::var_os("DARKCHUNK_PROVE").is_some() { 1000 } else { 3 };
    let (shape, n_projections) = (Shape { height: 24, width: SHAPE.width }, 60);
    let rows = SHAPE.width * 12..SHAPE.width * 36;
    let is_alarm = |seed: &u64| {
        let technique = Technique::Tomography(Scan { rows: vec![12], n_projections, ..Scan::default() });
        let mut metrics = Metrics::new(&technique, shape, Rules::default(), Some(NoiseModel::COUNTER)).unwrap();
        let mut rng = Rng::new(1000 + seed);
        for projection in 0..n_projections {
            let ideal = &ideal(projection * N_PROJECTIONS / n_projections)[rows.clone()];
            let x: Vec<u16> = ideal.iter().map(|mean| poisson(&mut rng, *mean) as u16).collect();
            metrics.add(&pair(shape, &x, &quantised(0.5)(projection, &x)));
        }
        !broken(&metrics.report()).is_empty()
    };
    let n = (0..n_seeds).filter(is_alarm).count();
    println!("{n} false alarms in {n_seeds} scans");
    assert!(n as f64 <= 0.002 * n_seeds as f64, "{n} false alarms in {n_seeds} scans");
}

#[test]
fn a_codec_that_smooths_changes_the_correlation_of_half_sets() {
    // The mean of three pixels of a row: less noise, and less of what is fine.
    let smooth = |_, x: &[u16]| -> Vec<u16> {
        (0..x.len())
            .map(|at| {
                let at = at.clamp(1, x.len() - 2);
                ((u32::from(x[at - 1]) + u32::from(x[at]) + u32::from(x[at + 1]) + 1) / 3) as u16
            })
            .collect()
    };
    let found = report(3, smooth);
    let broken = broken(&found);
    assert!(broken.contains(&"frc"), "{broken:?}");
}

/// A pattern: white noise under the kernel 1 2 1 of both axes, of this deviation before it.
fn pattern(rng: &mut Rng, side: usize, deviation: f64) -> Vec<f64> {
    let white: Vec<f64> = (0..side * side).map(|_| deviation * rng.normal()).collect();
    let at = |row: usize, column: usize| white[row % side * side + column % side];
    let across = |row: usize, c: usize| (at(row, c + side - 1) + 2.0 * at(row, c) + at(row, c + 1)) / 4.0;
    let both = |r: usize, c: usize| (across(r + side - 1, c) + 2.0 * across(r, c) + across(r + 1, c)) / 4.0;
    (0..side * side).map(|at| both(at / side, at % side)).collect()
}

/// S / (S + N) of the ring k of that pattern with white noise: the mean of S over the ring is known.
fn known(side: usize, k: usize, noise: f64) -> f64 {
    let cosine = |at: usize| (std::f64::consts::PI * at.min(side - at) as f64 / side as f64).cos().powi(4);
    let radius = |at: usize| (at / side).min(side - at / side) as f64;
    let is_in = |at: &usize| radius(*at).hypot(radius(at % side * side)).round() == k as f64;
    let powers: Vec<f64> = (0..side * side).filter(is_in).map(|at| cosine(at / side) * cosine(at % side)).collect();
    let signal = powers.iter().sum::<f64>() / powers.len() as f64;
    signal / (signal + noise)
}

/// The frequency where a curve that is known falls below the threshold.
fn known_resolution(frc: &Frc, curve: &[f64]) -> f64 {
    let n = frc.rings.iter().zip(curve).take_while(|(ring, value)| **value >= ring.half_bit).count();
    frc.rings[n].frequency
}

#[test]
fn the_resolution_of_projections_is_that_of_known_signal_and_noise_before_and_after() {
    let (side, n) = (192, 32);
    let shape = Shape { height: side, width: side };
    let scan = Scan { rows: vec![0], n_projections: n, ..Scan::default() };
    let mut metrics = Metrics::new(&Technique::Tomography(scan), shape, Rules::default(), None).unwrap();
    let mut rng = Rng::new(11);
    let mut signal = Vec::new();
    for projection in 0..n {
        // Each pair that is compared has a pattern of its own.
        if projection % 2 == 0 {
            signal = pattern(&mut rng, side, 400.0);
        }
        let x: Vec<u16> = signal.iter().map(|value| (20_000.0 + value + 100.0 * rng.normal()).round() as u16).collect();
        // The codec has the same noise again: half of the signal to noise.
        let y: Vec<u16> = x.iter().map(|x| (f64::from(*x) + 100.0 * rng.normal()).round() as u16).collect();
        metrics.add(&pair(shape, &x, &y));
    }
    let found = metrics.report();
    let frc = numbers(&found).projections.as_ref().unwrap();
    for (noise, resolution, of) in [
        (1.0 / 16.0, frc.before, (|ring| ring.before) as fn(&FrcRing) -> f64),
        (2.0 / 16.0, frc.after, |ring| ring.after),
    ] {
        let curve: Vec<f64> = (1..=side / 2).map(|k| known(side, k, noise)).collect();
        for (ring, expected) in frc.rings.iter().zip(&curve).skip(10) {
            assert!((of(ring) - expected).abs() < 0.08, "{ring:?}, expected {expected}");
        }
        let expected = known_resolution(frc, &curve);
        assert!((resolution.unwrap() / expected - 1.0).abs() < 0.03, "{resolution:?}, expected {expected}");
    }
    assert!(broken(&found).contains(&"frc"));
    let limits = Limits { resolution: Some(0.05), ..Limits::default() };
    assert!(found.judge(&limits).iter().any(|check| check.name == "resolution" && !check.is_kept));
}

/// Σ|A|² of each ring, under the Hann window.
fn powers(side: usize, image: &[f64]) -> Vec<f64> {
    let window = |at: usize| (std::f64::consts::PI * (at as f64 + 0.5) / side as f64).sin().powi(2);
    let mean = image.iter().sum::<f64>() / image.len() as f64;
    let mut plane: Vec<Complex64> = (0..side * side)
        .map(|at| Complex64::new((image[at] - mean) * window(at / side) * window(at % side), 0.0))
        .collect();
    let transform = FftPlanner::new().plan_fft_forward(side);
    for _ in 0..2 {
        transform.process(&mut plane);
        plane = (0..side * side).map(|at| plane[at % side * side + at / side]).collect();
    }
    let mut rings = vec![0.0; side];
    for (at, value) in plane.iter().enumerate() {
        let radius = |at: usize| at.min(side - at) as f64;
        rings[radius(at / side).hypot(radius(at % side)).round() as usize] += value.norm_sqr();
    }
    rings
}

#[test]
fn the_resolution_of_a_slice_is_that_of_known_signal_and_noise() {
    // y is without noise: so the slices of y and x are the signal, and the noise of all projections, of which a half set has twice.
    let found = report(4, |projection, _| ideal(projection).into_iter().map(|mean| mean.round() as u16).collect());
    let slice = &numbers(&found).slices[0];
    let noise: Vec<f64> = slice.images[0].iter().zip(&slice.images[1]).map(|(x, y)| f64::from(x - y)).collect();
    let signal: Vec<f64> = slice.images[1].iter().copied().map(f64::from).collect();
    let (signal, noise) = (powers(slice.side, &signal), powers(slice.side, &noise));
    let frc = slice.frc.as_ref().unwrap();
    let curve: Vec<f64> = signal.iter().zip(&noise).skip(1).map(|(s, n)| s / (s + 2.0 * n)).collect();
    let off: Vec<f64> = frc.rings.iter().zip(&curve).map(|(ring, expected)| ring.before - expected).collect();
    let rms = (off.iter().map(|off| off * off).sum::<f64>() / off.len() as f64).sqrt();
    assert!(rms < 0.08 && off.iter().sum::<f64>().abs() / (off.len() as f64) < 0.03, "{rms} {off:?}");
    let expected = known_resolution(frc, &curve);
    assert!((frc.before.unwrap() / expected - 1.0).abs() < 0.06, "{:?}, expected {expected}", frc.before);
}

#[test]
fn scans_that_mean_nothing_are_refused() {
    let refused = |scan: Scan| Metrics::new(&Technique::Tomography(scan), SHAPE, Rules::default(), None).is_err();
    let good = Scan { n_projections: 10, ..Scan::default() };
    assert!(!refused(good.clone()));
    assert!(refused(Scan { n_projections: 3, ..good.clone() }));
    assert!(refused(Scan { rows: vec![48], ..good.clone() }));
    assert!(refused(Scan { rows: vec![0; 17], ..good.clone() }));
    for axis in [f64::NAN, f64::INFINITY, -1.0, 0.0, 6.9, 121.0, 1e300] {
        assert!(refused(Scan { axis: Some(axis), ..good.clone() }), "{axis}");
    }
    for degrees in [0.0, -180.0, f64::NAN, f64::INFINITY] {
        assert!(refused(Scan { degrees, ..good.clone() }), "{degrees}");
    }
}

#[test]
fn pixels_that_do_not_count_have_the_value_beside_them() {
    let scan = Technique::Tomography(Scan { n_projections: 8, ..Scan::default() });
    let rules = Rules { sentinels: vec![65_535], ..Rules::default() };
    let run = |bad: u16| {
        let mut metrics = Metrics::new(&scan, SHAPE, rules.clone(), None).unwrap();
        for projection in 0..8 {
            let mut x: Vec<u16> = ideal(projection * 30).into_iter().map(|mean| mean.round() as u16).collect();
            (0..SHAPE.height).for_each(|row| x[row * SHAPE.width] = 4000);
            (0..SHAPE.height).for_each(|row| x[row * SHAPE.width + 1] = bad);
            metrics.add(&pair(SHAPE, &x, &x));
        }
        metrics.report()
    };
    assert_eq!(run(65_535), run(4000));
}
