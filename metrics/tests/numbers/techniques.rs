//! What experiments make of frames: each number is that of a brute force or of a known truth, what was put in is found, and what was not
//! is not.

use darkchunk_metrics::technique::{
    Correlation, Covariance, Metrics, PeakSearch, Peaks, Radial, Scan, Technique, TechniqueReport,
};
use darkchunk_metrics::{Limits, NoiseModel, Pair, Pixel, Rules, Shape};

const SHAPE: Shape = Shape { height: 64, width: 80 };

/// A generator of its own: uniform numbers from 0 to 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.next().max(1e-300).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }

    /// Of this mean; a normal one above 30.
    fn poisson(&mut self, mean: f64) -> u16 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().clamp(0.0, 65_535.0) as u16;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.next(), 0);
        while product > limit {
            product *= self.next();
            n += 1;
        }
        n
    }
}

fn frame(random: &mut Random, mean: impl Fn(f64, f64) -> f64) -> Vec<u16> {
    (0..SHAPE.n_pixels()).map(|at| random.poisson(mean((at / SHAPE.width) as f64, (at % SHAPE.width) as f64))).collect()
}

fn report<P: Pixel>(technique: &Technique, frames: &[(Vec<P>, Vec<P>)]) -> TechniqueReport {
    let mut metrics = Metrics::new(technique, SHAPE, Rules::default(), None).expect("settings");
    for (x, y) in frames {
        metrics.add(&Pair::new(SHAPE, x, y).expect("frames"));
    }
    metrics.report()
}

/// The names of the limits that are broken.
fn broken(report: &TechniqueReport) -> Vec<&'static str> {
    report.judge(&Limits::default()).iter().filter(|check| !check.is_kept).map(|check| check.name).collect()
}

fn rings(seed: u64) -> Vec<u16> {
    let ring = |r: f64, c: f64| 40.0 * (-((r - 31.5).hypot(c - 40.0) - 20.0).powi(2) / 4.0).exp() + 5.0;
    frame(&mut Random(seed), ring)
}

#[test]
fn rings_are_those_of_a_brute_force() {
    let frames: Vec<Vec<u16>> = (0..3).map(rings).collect();
    let step_of = |x: &u16| x / 4 * 4 + 1;
    let noise = NoiseModel::new(2.0, 1.0, 3.0).unwrap();
    let mut radial = Radial::new(SHAPE, (31.5, 40.0), 1.5, noise).unwrap();
    let mut halves = [radial.clone(), radial.clone()];
    for (at, x) in frames.iter().enumerate() {
        let y: Vec<u16> = x.iter().map(step_of).collect();
        radial.add(x, &y, &[]);
        halves[at % 2].add(x, &y, &[]);
    }
    let found = radial.report();
    for ring in &found.rings {
        let is_in = |at: &usize| {
            let radius = ((at / 80) as f64 - 31.5).hypot((at % 80) as f64 - 40.0);
            (radius / 1.5).floor() == (ring.radius / 1.5).floor()
        };
        let pixels: Vec<u16> =
            frames.iter().flat_map(|x| (0..SHAPE.n_pixels()).filter(is_in).map(|at| x[at])).collect();
        let n = pixels.len() as f64;
        let mean = |of: &dyn Fn(u16) -> f64| pixels.iter().map(|x| of(*x)).sum::<f64>() / n;
        let sigma = (mean(&|x| noise.variance(f64::from(x))) / n).sqrt();
        let (before, after) = (mean(&f64::from), mean(&|x| f64::from(step_of(&x))));
        assert_eq!(ring.n, pixels.len() as u64);
        for (found, expected) in [
            (ring.before, before),
            (ring.after, after),
            (ring.sigma, sigma),
            (ring.residual.unwrap(), (after - before) / sigma),
        ] {
            assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} {expected}");
        }
    }
    let [mut first, second] = halves;
    first.merge(&second);
    assert_eq!(first.report(), found);
}

#[test]
fn a_bias_that_no_pixel_shows_breaks_the_limit_of_rings() {
    let technique = Technique::Radial { centre: (31.5, 40.0), step: 2.0 };
    let frames = |of: fn(u16) -> u16| -> Vec<(Vec<u16>, Vec<u16>)> {
        (0..4).map(|seed| (rings(seed), rings(seed).into_iter().map(of).collect())).collect()
    };
    assert!(broken(&report(&technique, &frames(|x| x))).is_empty());
    // Half a count too little in each second pixel: far below the noise of a pixel.
    let cut = report(&technique, &frames(|x| x / 2 * 2));
    assert_eq!(broken(&cut), ["ring_residual", "ring_bias"]);
}

/// A shot: so many molecules, each with a fragment on a ring of 12 pixels and one on a ring of 24, and hits of another kind at 18 pixels.
/// A hit is a spot of 3 x 3 pixels with a faint rim.
fn shot(seed: u64) -> Vec<u16> {
    let (mut random, mut x) = (Random(seed), vec![0u16; SHAPE.n_pixels()]);
    let mut hit = |radius: f64, random: &mut Random| {
        let angle = std::f64::consts::TAU * random.next();
        let (row, column) = ((31.5 + radius * angle.sin()).round(), (40.0 + radius * angle.cos()).round());
        for (r, c) in (0..9).map(|at| (row as usize + at / 3 - 1, column as usize + at % 3 - 1)) {
            let is_middle = (r, c) == (row as usize, column as usize);
            x[r * SHAPE.width + c] += if is_middle { 60 } else { 12 };
        }
    };
    for _ in 0..random.poisson(3.0) {
        hit(12.0, &mut random);
        hit(24.0, &mut random);
    }
    (0..random.poisson(3.0)).for_each(|_| hit(18.0, &mut random));
    x
}

const COVARIANCE: Technique = Technique::Covariance { centre: (31.5, 40.0), step: 3.0 };

#[test]
fn covariances_are_those_of_a_brute_force() {
    let frames: Vec<Vec<u16>> = (0..30).map(shot).collect();
    let mut covariance = Covariance::new(SHAPE, (31.5, 40.0), 3.0).unwrap();
    let mut halves = [covariance.clone(), covariance.clone()];
    let mask: Vec<bool> = (0..SHAPE.n_pixels()).map(|at| at % 7 > 0).collect();
    for (at, x) in frames.iter().enumerate() {
        let y: Vec<u16> = x.iter().map(|x| x / 20 * 20).collect();
        covariance.add(x, &y, &mask);
        halves[at % 2].add(x, &y, &mask);
    }
    let found = covariance.report();
    let side = found.distribution.len();
    let sum = |frame: &[u16], ring: usize, step: u16| -> f64 {
        let is_in = |at: &usize| {
            let radius = ((at / SHAPE.width) as f64 - 31.5).hypot((at % SHAPE.width) as f64 - 40.0);
            mask[*at] && (radius / 3.0) as usize == ring
        };
        (0..SHAPE.n_pixels()).filter(is_in).map(|at| f64::from(frame[at] / step * step)).sum()
    };
    for (map, step) in [(0, 1), (1, 20)] {
        let sums: Vec<Vec<f64>> =
            (0..side).map(|ring| frames.iter().map(|frame| sum(frame, ring, step)).collect()).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        for (i, a) in sums.iter().enumerate() {
            for (j, b) in sums.iter().enumerate() {
                let (mean_a, mean_b) = (mean(a), mean(b));
                let expected = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / 29.0;
                let found = found.maps[map][i * side + j];
                assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{i} {j}: {found} {expected}");
            }
        }
        let at = found.distribution[4];
        assert!((at.radius, if map == 0 { at.before } else { at.after }) == (13.5, mean(&sums[4])), "{at:?}");
    }
    let [mut first, second] = halves;
    first.merge(&second);
    assert_eq!(first.report(), found);
}

#[test]
fn fragments_that_come_together_are_seen_and_a_threshold_that_takes_one_breaks_the_limit() {
    let frames = |of: &dyn Fn(usize, u16) -> u16| -> Vec<(Vec<u16>, Vec<u16>)> {
        let changed = |x: Vec<u16>| (x.clone(), x.into_iter().enumerate().map(|(at, x)| of(at, x)).collect());
        (0..200).map(|seed| changed(shot(seed))).collect()
    };
    let found = report(&COVARIANCE, &frames(&|_, x| x));
    assert!(broken(&found).is_empty());
    let TechniqueReport::Covariance(map) = &found else { panic!("covariance") };
    let of = |i: usize, j: usize| map.maps[0][i * map.distribution.len() + j];
    // The rings of 12 and 24 pixels vary together, that of 18 with neither.
    let (together, sigma) = (of(4, 8), (of(4, 4) * of(8, 8) / 199.0).sqrt());
    assert!(together > 8.0 * sigma && of(4, 6).abs() < 4.0 * sigma && of(6, 8).abs() < 4.0 * sigma);
    // The rims are a small part of the covariance of so few shots; a detector that is blind outside is not.
    assert_eq!(broken(&report(&COVARIANCE, &frames(&|_, x| if x < 30 { 0 } else { x }))), ["covariance"]);
    let outside = |at: usize| ((at / SHAPE.width) as f64 - 31.5).hypot((at % SHAPE.width) as f64 - 40.0) > 22.0;
    let blind = report(&COVARIANCE, &frames(&|at, x| if outside(at) { 0 } else { x }));
    let TechniqueReport::Covariance(found) = &blind else { panic!("covariance") };
    let worst = found.worst.expect("a pair");
    assert!(worst.radii.0 < 16.0 && worst.radii.1 > 22.0 && worst.after == 0.0, "{worst:?}");
    assert_eq!(broken(&blind), ["covariance"]);
}

/// Frames with peaks of so many photons on a background of 2, at places that are known.
fn peaks(seed: u64, photons: f64) -> (Vec<u16>, Vec<(usize, usize)>) {
    let mut random = Random(seed);
    let places: Vec<(usize, usize)> = (0..24).map(|at| (8 + at / 6 * 15, 8 + at % 6 * 12)).collect();
    let spots = places.clone();
    let mean = move |r: f64, c: f64| {
        let spot =
            |(row, column): &(usize, usize)| (-((r - *row as f64).powi(2) + (c - *column as f64).powi(2)) / 2.0).exp();
        2.0 + photons / std::f64::consts::TAU * spots.iter().map(spot).sum::<f64>()
    };
    (frame(&mut random, mean), places)
}

#[test]
fn peaks_of_known_charge_are_found_where_they_are_and_nothing_else() {
    let mut peaks_of = Peaks::new(SHAPE, PeakSearch::default(), NoiseModel::COUNTER).unwrap();
    for seed in 0..20 {
        let (x, places) = peaks(seed, 400.0);
        peaks_of.add(&x, &x, &[]);
        let n_before = peaks_of.report().n;
        assert_eq!(n_before, places.len() as u64 * (seed + 1), "seed {seed}");
    }
    let found = peaks_of.report();
    assert_eq!((found.n_lost, found.n_false, found.rms_difference, found.centroid_shift), (0, 0, 0.0, 0.0));
}

#[test]
fn what_a_codec_takes_from_peaks_is_found() {
    let technique = Technique::Peaks(PeakSearch::default());
    let frames = |photons: f64, of: &dyn Fn(u16) -> u16| -> Vec<(Vec<u16>, Vec<u16>)> {
        (0..8).map(|seed| (peaks(seed, photons).0, peaks(seed, photons).0.into_iter().map(of).collect())).collect()
    };
    assert!(broken(&report(&technique, &frames(400.0, &|x| x))).is_empty());
    let scaled = report(&technique, &frames(400.0, &|x| x - x / 8));
    assert_eq!(broken(&scaled), ["peak_intensity"]);
    let TechniqueReport::Peaks(numbers) = scaled else { panic!("peaks") };
    assert!(numbers.mean_difference < -0.5 && numbers.intensity_change < -0.08, "{numbers:?}");
    // Weak peaks, of which a coarse step leaves few.
    let flat = broken(&report(&technique, &frames(60.0, &|x| x / 12 * 12)));
    assert!(flat.contains(&"peaks_lost"), "{flat:?}");
    let mut hot = frames(400.0, &|x| x);
    hot.iter_mut().for_each(|(_, y)| (20..23).for_each(|at| y[30 * 80 + at] = 200));
    assert_eq!(broken(&report(&technique, &hot)), ["peaks_false"]);
}

/// Speckle of this contrast and correlation time: an intensity that follows two fields which forget themselves.
fn speckle(seed: u64, n_frames: usize, time: f64, mean: f64) -> Vec<Vec<u16>> {
    let mut random = Random(seed);
    let keep = (-1.0 / time).exp();
    let mut fields: Vec<[f64; 2]> = (0..SHAPE.n_pixels()).map(|_| [random.normal(), random.normal()]).collect();
    (0..n_frames)
        .map(|_| {
            let intensity = |field: &mut [f64; 2], random: &mut Random| {
                for part in field.iter_mut() {
                    *part = keep * *part + (1.0 - keep * keep).sqrt() * random.normal();
                }
                random.poisson(mean * (field[0] * field[0] + field[1] * field[1]) / 2.0)
            };
            fields.iter_mut().map(|field| intensity(field, &mut random)).collect()
        })
        .collect()
}

#[test]
fn speckle_has_the_contrast_and_the_time_that_it_was_made_with() {
    let labels: Vec<u32> = (0..SHAPE.n_pixels()).map(|at| u32::from(at % 80 >= 40) + 1).collect();
    let frames: Vec<(Vec<u16>, Vec<u16>)> = speckle(3, 160, 6.0, 8.0).into_iter().map(|x| (x.clone(), x)).collect();
    let TechniqueReport::Correlation(found) = report(&Technique::Correlation(labels.into()), &frames) else {
        panic!("g2")
    };
    assert_eq!(found.len(), 2);
    for label in found {
        let decay = label.before.expect("a decay");
        assert!((decay.contrast - 1.0).abs() < 0.06, "{decay:?}");
        assert!((decay.time - 6.0).abs() < 0.5, "{decay:?}");
        assert_eq!(label.before, label.after);
    }
}

#[test]
fn correlations_are_those_of_a_brute_force() {
    let frames = speckle(5, 90, 10.0, 3.0);
    let labels: Vec<u32> = (0..SHAPE.n_pixels() as u32).map(|at| at % 3).collect();
    let mut correlation = Correlation::new(SHAPE, &labels).unwrap();
    frames.iter().for_each(|x| correlation.add(x, x, &[]));
    for label in correlation.report() {
        let places: Vec<usize> = (0..labels.len()).filter(|at| labels[*at] == label.label).collect();
        assert_eq!(label.n_pixels, places.len());
        let lags: Vec<u64> = label.g2.iter().map(|g2| g2.lag).collect();
        let expected: Vec<u64> =
            (1..=16).chain((18..=32).step_by(2)).chain((36..=64).step_by(4)).chain([72, 80]).collect();
        assert_eq!(lags, expected);
        for g2 in &label.g2 {
            let together = if g2.lag > 16 { (g2.lag as usize - 1).ilog2() - 3 } else { 0 };
            let sums: Vec<Vec<f64>> = frames
                .chunks_exact(1 << together)
                .map(|group| places.iter().map(|at| group.iter().map(|x| f64::from(x[*at])).sum()).collect())
                .collect();
            let lag = g2.lag as usize >> together;
            let mean = |pixels: &[f64]| pixels.iter().sum::<f64>() / pixels.len() as f64;
            let pairs = sums.iter().zip(&sums[lag..]).map(|(a, b)| {
                let product: Vec<f64> = a.iter().zip(b).map(|(a, b)| a * b).collect();
                mean(&product) / mean(a) / mean(b)
            });
            let expected = mean(&pairs.collect::<Vec<_>>());
            assert!((g2.before - expected).abs() < 1e-12, "{g2:?} {expected}");
        }
    }
}

#[test]
fn photons_that_a_codec_moves_change_the_contrast() {
    let labels: Vec<u32> = vec![1; SHAPE.n_pixels()];
    let frames: Vec<(Vec<u16>, Vec<u16>)> =
        speckle(7, 60, 5.0, 0.5).into_iter().map(|x| (x.clone(), x.iter().map(|x| x / 2 * 2).collect())).collect();
    let found = broken(&report(&Technique::Correlation(labels.into()), &frames));
    assert!(found.contains(&"contrast"), "{found:?}");
}

#[test]
fn a_line_has_its_place_width_and_area() {
    let line = |_: f64, c: f64| 50.0 * (-(c - 33.25).powi(2) / 2.0 / 9.0).exp() + 1.0;
    let x: Vec<f64> = (0..SHAPE.n_pixels()).map(|at| line(0.0, (at % 80) as f64)).collect();
    let x: Vec<u32> = x.iter().map(|x| (x * 1000.0).round() as u32).collect();
    let technique = Technique::Line(0, 80);
    let TechniqueReport::Line(found) = report(&technique, &[(x.clone(), x.clone())]) else { panic!("a line") };
    let shape = found.before.expect("a line");
    assert!((shape.centroid - 33.25).abs() < 1e-3 && (shape.width - 3.0).abs() < 1e-2, "{shape:?}");
    let area = 50.0 * 3.0 * std::f64::consts::TAU.sqrt() * 1000.0 * 64.0;
    assert!((shape.area / area - 1.0).abs() < 1e-3, "{shape:?} {area}");
    assert_eq!(found.before, found.after);
    let moved: Vec<u32> = x.iter().skip(1).chain([&x[79]]).copied().collect();
    let weak: Vec<u32> = x.iter().map(|x| x / 100 * 99).collect();
    assert_eq!(broken(&report(&technique, &[(x.clone(), moved)])), ["line_shift"]);
    assert_eq!(broken(&report(&technique, &[(x, weak)])), ["line_area"]);
}

#[test]
fn a_technique_that_has_measured_nothing_keeps_no_limit() {
    let labels: Vec<u32> = vec![1; SHAPE.n_pixels()];
    let scan = |n_projections| Scan { rows: vec![20], n_projections, ..Scan::default() };
    let techniques = [
        (Technique::Radial { centre: (31.5, 40.0), step: 1.0 }, "no counts in any of"),
        (Technique::Peaks(PeakSearch::default()), "no peak of 6 sigma or more in 8 frames"),
        (Technique::Correlation(labels.into()), "no g2 that decays, of 1 labels and 0 lags"),
        (Technique::Line(10, 70), "no line above its baseline in columns 10 to 70"),
        (Technique::Tomography(scan(8)), "no structure in 8 projections and 1 slices"),
        (Technique::Covariance { centre: (31.5, 40.0), step: 4.0 }, "no two rings that vary together"),
    ];
    let dark = vec![0u16; SHAPE.n_pixels()];
    for (technique, text) in techniques {
        for y in [dark.clone(), vec![3; SHAPE.n_pixels()]] {
            let checks = report(&technique, &vec![(dark.clone(), y); 8]).judge(&Limits::default());
            assert_eq!(checks[0].name, darkchunk_metrics::NOTHING_MEASURED, "{checks:?}");
            assert!(checks.iter().all(|check| !check.is_kept) && checks[0].text.contains(text), "{checks:?}");
        }
    }
    // One frame has no correlation in time, and flat ones have no peaks.
    let (x, labels) = (rings(1), vec![1; SHAPE.n_pixels()]);
    assert_eq!(broken(&report(&Technique::Correlation(labels.into()), &[(x.clone(), x)])), ["nothing_measured"]);
    let flat = vec![40u16; SHAPE.n_pixels()];
    assert_eq!(
        broken(&report(&Technique::Peaks(PeakSearch::default()), &[(flat.clone(), flat)])),
        ["nothing_measured"]
    );
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let refused = |technique| Metrics::new(&technique, SHAPE, Rules::default(), None).is_err();
    for (centre, step) in [((f64::NAN, 0.0), 1.0), ((0.0, 0.0), 0.0), ((0.0, 0.0), -1.0), ((1e12, 0.0), 1.0)] {
        assert!(refused(Technique::Radial { centre, step }), "{centre:?} {step}");
    }
    assert!(refused(Technique::Covariance { centre: (31.5, 40.0), step: 0.05 }));
    for (min_snr, radius, outer_radius) in [(0.0, 2, 4), (6.0, 4, 4), (6.0, 2, 33), (f64::NAN, 2, 4)] {
        assert!(refused(Technique::Peaks(PeakSearch { min_snr, radius, outer_radius })));
    }
    assert!(refused(Technique::Correlation(vec![1; 3].into())));
    assert!(refused(Technique::Correlation(vec![0; SHAPE.n_pixels()].into())));
    assert!(refused(Technique::Correlation((1..=SHAPE.n_pixels() as u32).collect())));
    assert!(refused(Technique::Line(0, 81)) && refused(Technique::Line(5, 7)) && refused(Technique::Line(9, 5)));
}

/// Threes above 14, exact below: no more than a step of a σ, and no bias where few pixels are that dark.
fn fine(x: u16) -> u16 {
    if x < 14 { x } else { (x + 1) / 3 * 3 }
}

#[test]
fn a_fine_step_breaks_no_limit_of_any_technique() {
    let n_seeds = if std::env::var_os("DARKCHUNK_PROVE").is_some() { 1000 } else { 4 };
    let labels: Vec<u32> = vec![1; SHAPE.n_pixels()];
    let line = |_: f64, c: f64| 600.0 * (-(c - 33.25).powi(2) / 18.0).exp() + 20.0;
    let bright = |seed| rings(seed).into_iter().zip(rings(seed + 100_000)).map(|(x, more)| x + more + 20).collect();
    let techniques = [
        ("rings", Technique::Radial { centre: (31.5, 40.0), step: 2.0 }),
        ("peaks", Technique::Peaks(PeakSearch::default())),
        ("correlation in time", Technique::Correlation(labels.into())),
        ("a line", Technique::Line(0, 80)),
        ("covariances", COVARIANCE),
    ];
    for (name, technique) in &techniques {
        let frames = |seed: u64| -> Vec<Vec<u16>> {
            let seeds = 16 * seed..16 * (seed + 1);
            match technique {
                Technique::Radial { .. } => seeds.map(bright).collect(),
                Technique::Peaks(_) => seeds.take(4).map(|seed| peaks(seed, 400.0).0).collect(),
                Technique::Covariance { .. } => seeds.map(bright).collect(),
                Technique::Correlation(_) => speckle(seed, 48, 5.0, 12.0),
                _ => seeds.map(|seed| frame(&mut Random(seed), line)).collect(),
            }
        };
        let is_alarm = |seed: &u64| {
            let pairs = frames(1000 + seed).into_iter().map(|x| (x.clone(), x.into_iter().map(fine).collect()));
            !broken(&report(technique, &pairs.collect::<Vec<_>>())).is_empty()
        };
        let n = (0..n_seeds).filter(is_alarm).count();
        println!("{name}: {n} false alarms in {n_seeds} data sets");
        assert!(n as f64 <= 0.002 * n_seeds as f64, "{name}: {n} false alarms in {n_seeds} data sets");
    }
}
