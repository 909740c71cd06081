//! Losses that are put in are found, and where none is there is none.

use crate::common::{pair, poisson, root_quantiser, uniform_quantiser};
use darkchunk_metrics::{Beside, Comparison, Limits, NoiseModel, Pixel, Repeats, Report, Settings, Shape, z_limit};
use darkchunk_sim::Rng;

const SHAPE: Shape = Shape { height: 96, width: 128 };

fn compare(shape: Shape, noise: NoiseModel, x: &[Vec<u16>], y: &[Vec<u16>]) -> Report {
    let settings = Settings { noise: Some(noise), ..Settings::new(shape) };
    let mut comparison = Comparison::new(settings).unwrap();
    for frame in 0..x.len() {
        let previous = frame.checked_sub(1).map(|before| pair(shape, &x[before], &y[before]));
        let beside = Beside { previous, next: x.get(frame + 1).map(Vec::as_slice) };
        comparison.add(frame as u64, &pair(shape, &x[frame], &y[frame])).unwrap();
        comparison.add_to_sample(frame as u64, &pair(shape, &x[frame], &y[frame]), &beside).unwrap();
    }
    comparison.report()
}

/// Projections of a sample that turns, with photon noise.
fn projections(n_frames: usize, shape: Shape, seed: u64) -> Vec<Vec<u16>> {
    let mut rng = Rng::new(seed);
    let frame = |t: usize, rng: &mut Rng| {
        let pixel = |at: usize| {
            let (row, column) = ((at / shape.width) as f64, (at % shape.width) as f64);
            let edge = shape.width as f64 * (0.5 + 0.2 * (t as f64 / 20.0).sin());
            let depth = if (column - edge).abs() < 20.0 { 0.7 } else { 0.1 + 0.002 * row };
            poisson(rng, 12_000.0 * (-depth).exp()) as u16
        };
        (0..shape.n_pixels()).map(pixel).collect()
    };
    (0..n_frames).map(|t| frame(t, &mut rng)).collect()
}

/// Counts of a few photons with hot pixels.
fn photons(n_frames: usize, shape: Shape, mean: f64, hot: usize, seed: u64) -> Vec<Vec<u16>> {
    let mut rng = Rng::new(seed);
    let mut frame = || {
        let mut frame: Vec<u16> = (0..shape.n_pixels())
            .map(|at| poisson(&mut rng, mean * (1.0 + (at % shape.width) as f64 / shape.width as f64)) as u16)
            .collect();
        (0..hot).for_each(|_| frame[rng.below(shape.n_pixels())] = 3000);
        frame
    };
    (0..n_frames).map(|_| frame()).collect()
}

fn map(frames: &[Vec<u16>], of: impl Fn(f64) -> f64) -> Vec<Vec<u16>> {
    frames.iter().map(|frame| frame.iter().map(|x| of(f64::from(*x)) as u16).collect()).collect()
}

fn failed(report: &Report) -> Vec<&'static str> {
    let verdict = Limits::default().judge(report);
    let failed: Vec<_> = verdict.checks.iter().filter(|check| !check.is_kept).map(|check| check.name).collect();
    assert_eq!(verdict.passes, failed.is_empty());
    failed
}

#[test]
fn an_absolute_bound_of_4_on_sparse_photons_fails_as_every_photon_is_gone() {
    let x = photons(4, SHAPE, 0.01, 0, 1);
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |x| uniform_quantiser(x, 4.0)));
    assert!(report.errors.max_error <= 4);
    assert_eq!(report.pixels.sum_after, 0);
    assert_eq!(report.errors.flux, Some(-1.0));
    let failed = failed(&report);
    assert!(failed.contains(&"counts_to_zero") && failed.contains(&"flux"), "{failed:?}");
    let spots = report.sample.spots.unwrap();
    assert_eq!(spots.n_lost, spots.classes.iter().map(|class| class.n).sum::<u64>());
}

#[test]
fn steps_of_one_sigma_pass_on_projections_and_of_three_do_not() {
    let x = projections(5, SHAPE, 2);
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |x| root_quantiser(x, 1.0)));
    let sigma = report.sigma.unwrap();
    assert!((sigma.inflation - (1.0f64 + 1.0 / 12.0).sqrt()).abs() < 0.002, "{}", sigma.inflation);
    assert!(sigma.max < 0.52, "{}", sigma.max);
    assert_eq!(failed(&report), [""; 0]);
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |x| root_quantiser(x, 3.0)));
    let failed = failed(&report);
    assert!(["max_error", "inflation", "worst_tile"].iter().all(|name| failed.contains(name)), "{failed:?}");
}

#[test]
fn a_bias_is_that_of_pixels_with_a_mean_and_found_there() {
    let mut rng = Rng::new(3);
    let mut frame = || (0..SHAPE.n_pixels()).map(|_| poisson(&mut rng, 5.0) as u16).collect();
    let x: Vec<Vec<u16>> = (0..6).map(|_| frame()).collect();
    // Five counts become four: of pixels with a mean of 5 the part that has 5, by one count.
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |x| if x == 5.0 { 4.0 } else { x }));
    let bias = report.bias_by_intensity.iter().find(|bias| bias.range == (5, 5)).unwrap();
    assert_eq!((bias.mean_error, bias.in_sigma), (-1.0, Some(-1.0 / 5f64.sqrt())));
    let probability = (-5f64).exp() * 3125.0 / 120.0;
    let at_five = report.bias_at_mean.iter().find(|bias| bias.mean == 5.0).unwrap();
    let off = at_five.in_sigma + probability / 5f64.sqrt();
    assert!(off.abs() < 4.0 * at_five.error && at_five.error < 0.004, "{at_five:?}");
    let verdict = Limits::default().judge(&report);
    assert!(verdict.checks.iter().any(|check| check.name == "bias" && !check.is_kept));
}

#[test]
fn a_quantiser_that_moves_each_value_has_the_bias_of_its_means() {
    let x = photons(6, SHAPE, 60.0, 0, 3);
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |x| root_quantiser(x, 1.0)));
    assert!(report.bias_by_intensity.iter().any(|bias| bias.n > 500 && bias.in_sigma.unwrap().abs() > 0.12));
    assert!(report.bias_at_mean.len() > 5);
    // What it rounds down is 0.19 counts in the mean.
    let is_small = |bias: &darkchunk_metrics::BiasAtMean| {
        (bias.in_sigma * bias.mean.sqrt() + 0.19).abs() < 0.2 + 4.0 * bias.error * bias.mean.sqrt()
    };
    assert!(report.bias_at_mean.iter().all(is_small), "{:?}", report.bias_at_mean);
}

#[test]
fn a_ghost_of_the_frame_before_is_found_in_its_frame_and_tile() {
    let x = projections(9, SHAPE, 4);
    let mut y = map(&x, |x| root_quantiser(x, 1.0));
    // Frame 5, the tile from row 32, column 64: three tenths of the difference to the frame before, within half a sigma.
    for at in (0..SHAPE.n_pixels()).filter(|at| at / SHAPE.width / 32 == 1 && at % SHAPE.width / 32 == 2) {
        let (now, before) = (f64::from(x[5][at]), f64::from(x[4][at]));
        let bound = (now.sqrt() / 2.0).floor();
        y[5][at] = (now + (0.3 * (before - now)).round().clamp(-bound, bound)) as u16;
    }
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &y);
    assert!(report.sigma.unwrap().max < 0.52);
    let found = &report.sample.ghost.found;
    assert!(found.iter().all(|found| found.frame == 5 && found.z > 0.0), "{found:?}");
    assert!(found.iter().any(|found| (found.row, found.column) == (Some(32), Some(64))), "{found:?}");
    assert_eq!(found.iter().filter(|found| found.row.is_some()).count(), 1, "{found:?}");
    assert_eq!(failed(&report), ["ghosts"]);
}

/// Light on a ramp, and how bright each frame is: photons of that.
fn flashes(shape: Shape, mean: f64, brightness: &[f64], seed: u64) -> Vec<Vec<u16>> {
    let mut rng = Rng::new(seed);
    let mut frame = |brightness: f64| {
        let ramp = |at: usize| 0.2 + 1.6 * (at % shape.width) as f64 / shape.width as f64;
        (0..shape.n_pixels()).map(|at| poisson(&mut rng, mean * brightness * ramp(at)) as u16).collect()
    };
    brightness.iter().map(|brightness| frame(*brightness)).collect()
}

/// Frames that are empty or weak, and jumps of the light by 2: how many of these data sets have a ghost.
fn alarms_of_flashes(seed: u64) -> (usize, usize) {
    let shape = Shape { height: 64, width: 96 };
    let courses: [&[f64]; 4] =
        [&[1., 1., 0., 1., 1.], &[1., 1., 2., 2., 1.], &[1., 2., 1., 2., 1.], &[1., 1., 0.01, 0.02, 1.]];
    let (mut n, mut alarms) = (0, 0);
    for (mean, course) in [0.05, 0.3, 3.0, 12.0, 40.0, 300.0].into_iter().flat_map(|mean| courses.map(|c| (mean, c))) {
        let x = flashes(shape, mean, course, seed);
        let quantisers: [&dyn Fn(f64) -> f64; 4] =
            [&|x| root_quantiser(x, 1.0), &|x| root_quantiser(x, 2.0), &|x| uniform_quantiser(x, 4.0), &|x| {
                uniform_quantiser(x, 20.0)
            }];
        for (which, quantiser) in quantisers.into_iter().enumerate() {
            let found = compare(shape, NoiseModel::COUNTER, &x, &map(&x, quantiser)).sample.ghost.found;
            n += 1;
            alarms += usize::from(!found.is_empty());
            if let Some(found) = found.first() {
                println!("seed {seed}, mean {mean}, {course:?}, quantiser {which}: {found:?}");
            }
        }
    }
    (n, alarms)
}

#[test]
fn an_empty_frame_and_a_jump_of_the_light_are_no_ghosts() {
    let n_seeds = if std::env::var_os("DARKCHUNK_PROVE").is_some() { 100 } else { 2 };
    let counts: Vec<_> = (0..n_seeds).map(alarms_of_flashes).collect();
    let (n, alarms) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{alarms} false alarms in {n} data sets");
    assert!(alarms as f64 <= 0.002 * n as f64, "{alarms} false alarms in {n} data sets");
}

/// Two tenths of the difference to the frame before, in frame 3: after it the light is another one than before.
#[test]
fn a_ghost_of_few_counts_is_found_where_the_light_jumps() {
    for (mean, course) in
        [(12.0, [1.0, 1.0, 1.0, 1.0, 1.0]), (12.0, [1.0, 1.0, 1.0, 2.0, 2.0]), (3.0, [2.0, 2.0, 2.0, 2.0, 1.0])]
    {
        let x = flashes(SHAPE, mean, &course, 8);
        let mut y = map(&x, |x| root_quantiser(x, 1.0));
        for at in 0..SHAPE.n_pixels() {
            let (now, before) = (f64::from(x[3][at]), f64::from(x[2][at]));
            let bound = now.sqrt().floor();
            y[3][at] = (now + (0.2 * (before - now)).round().clamp(-bound, bound)) as u16;
        }
        let found = compare(SHAPE, NoiseModel::COUNTER, &x, &y).sample.ghost.found;
        assert!(found.iter().any(|found| found.row.is_none()), "{mean} {course:?}: {found:?}");
        assert!(found.iter().all(|found| found.frame == 3 && found.z > 0.0), "{mean} {course:?}: {found:?}");
    }
}

#[test]
fn a_shadow_round_an_outlier_is_found_at_it() {
    let mut x = projections(6, SHAPE, 5);
    let (row, column) = (40, 20);
    x[3][row * SHAPE.width + column] = 60_000;
    let mut y = map(&x, |x| root_quantiser(x, 1.0));
    for at in 0..SHAPE.n_pixels() {
        let distance = (at / SHAPE.width).abs_diff(row).max((at % SHAPE.width).abs_diff(column));
        if (1..=2).contains(&distance) {
            let bound = (f64::from(x[3][at]).sqrt() / 2.0).floor();
            y[3][at] = (f64::from(x[3][at]) + bound) as u16;
        }
    }
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &y);
    assert!(report.sigma.unwrap().max < 0.52);
    let shadow = &report.sample.shadow;
    assert_eq!((shadow.n_frames, shadow.n_outliers), (1, 1));
    let found = shadow.found.first().expect("the shadow");
    assert_eq!((found.frame, found.worst.row, found.worst.column), (3, row, column));
    assert!(found.z > 0.0);
    assert_eq!(failed(&report), ["shadows"]);
}

/// 12 data sets a seed, which have no ghost and no shadow; how many alarms there are.
fn false_alarms(seed: u64) -> (usize, usize) {
    let shape = Shape { height: 64, width: 64 };
    let sets = [
        projections(5, shape, seed),
        photons(5, shape, 0.3, 5, seed),
        photons(5, shape, 3.0, 5, seed),
        photons(5, shape, 40.0, 20, seed),
    ];
    let (mut n, mut alarms) = (0, 0);
    for x in &sets {
        let quantisers: [&dyn Fn(f64) -> f64; 3] =
            [&|x| root_quantiser(x, 1.0), &|x| root_quantiser(x, 2.0), &|x| uniform_quantiser(x, 4.0)];
        for quantiser in quantisers {
            let report = compare(shape, NoiseModel::COUNTER, x, &map(x, quantiser));
            let sample = report.sample;
            n += 1;
            let is_alarm = !sample.ghost.found.is_empty() || !sample.shadow.found.is_empty();
            alarms += usize::from(is_alarm);
            if is_alarm {
                println!("seed {seed}: {:?} {:?}", sample.ghost.found, sample.shadow.found);
            }
        }
    }
    (n, alarms)
}

#[test]
fn where_there_is_no_ghost_and_no_shadow_none_is_found() {
    let n_seeds = if std::env::var_os("DARKCHUNK_PROVE").is_some() { 1000 } else { 10 };
    let counts: Vec<_> = (0..n_seeds).map(|seed| false_alarms(100 + seed)).collect();
    let (n, alarms) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    println!("{alarms} false alarms in {n} data sets");
    assert!(alarms as f64 <= 0.002 * n as f64, "{alarms} false alarms in {n} data sets");
}

#[test]
fn the_limit_of_chance_is_that_of_its_bound() {
    assert!((z_limit(1, 1e-3) - (2.0 * 2000f64.ln()).sqrt()).abs() < 1e-12);
    assert!(z_limit(1_000_000, 1e-3) > 6.5 && z_limit(0, 1e-3) == z_limit(1, 1e-3));
}

#[test]
fn a_threshold_that_is_too_high_says_which_spots_are_lost() {
    let mut x = vec![vec![0u16; SHAPE.n_pixels()]; 2];
    // In each frame ten spots with a peak of 40 and ten of 200, each with a rim of 10.
    for (number, frame) in (0..20).flat_map(|number| (0..2).map(move |frame| (number, frame))) {
        let (row, column) = (5 + number / 10 * 40, 6 + number % 10 * 12);
        let at = |row: usize, column: usize| row * SHAPE.width + column;
        x[frame][at(row, column)] = if number < 10 { 40 } else { 200 };
        x[frame][at(row, column + 1)] = 10;
    }
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |x| if x < 60.0 { 0.0 } else { x }));
    let spots = report.sample.spots.as_ref().unwrap();
    assert_eq!((spots.n_lost, spots.spots_per_frame), (20, 20.0));
    let (weak, strong) = (&spots.classes[0], &spots.classes[1]);
    assert_eq!((weak.peak, weak.n, weak.n_lost), ((32, 63), 20, 20));
    assert_eq!((strong.peak, strong.n, strong.n_lost), ((128, 255), 20, 0));
    assert!((strong.charge_lost - 10.0 / 210.0).abs() < 1e-9 && (strong.charge_change + 10.0 / 210.0).abs() < 1e-12);
    assert!((strong.centroid_shift - 10.0 / 210.0).abs() < 1e-9);
    let limits = Limits { spots_lost: Some(0.01), ..Limits::default() };
    let verdict = limits.judge(&report);
    let check = verdict.checks.iter().find(|check| check.name == "spots_lost").unwrap();
    assert!(!check.is_kept && check.text.contains("20 of 20 with a peak of 32 to 63"), "{check:?}");
}

#[test]
fn dispersion_of_photons_is_one_before_and_grows_with_the_steps() {
    let x = photons(40, Shape { height: 48, width: 64 }, 100.0, 0, 6);
    let y = map(&x, |x| root_quantiser(x, 2.0));
    let dispersion = compare(Shape { height: 48, width: 64 }, NoiseModel::COUNTER, &x, &y).sample.dispersion.unwrap();
    assert!((dispersion.before - 1.0).abs() < 0.02, "{dispersion:?}");
    assert!((dispersion.after - (1.0 + 4.0 / 12.0)).abs() < 0.03, "{dispersion:?}");
}

#[test]
fn the_noise_is_found_from_repeats_also_where_the_light_drifts() {
    let mut rng = Rng::new(9);
    let (gain, offset, read) = (2.05, 98.0, 3.0);
    let mut frame = |drift: f64| -> Vec<u16> {
        let mean = |at: usize| (1.0 + (at % 500) as f64 * 10.0) * drift;
        (0..100_000)
            .map(|at| (offset + gain * poisson(&mut rng, mean(at)) + read * rng.normal()).round() as u16)
            .collect()
    };
    let frames: Vec<Vec<u16>> = (0..5).map(|t| frame(1.0 + 0.01 * f64::from(t))).collect();
    let (mut repeats, mut half) = (Repeats::default(), Repeats::default());
    for (at, three) in frames.windows(3).enumerate() {
        let three = [&three[0][..], &three[1], &three[2]];
        if at == 1 { half.add(three, &[]) } else { repeats.add(three, &[]) }
    }
    repeats.merge(&half);
    let model = repeats.model().unwrap();
    assert!((model.gain - gain).abs() < 0.02 * gain, "{model:?}");
    let at_offset = model.variance(1098.0) / (gain * 1000.0 + read * read);
    assert!((at_offset - 1.0).abs() < 0.02, "{model:?}");
    assert_eq!(Repeats::default().model(), None);
}

#[test]
fn ssim_is_that_of_the_definition_where_pixels_are_masked_too() {
    let shape = Shape { height: 17, width: 23 };
    let mut rng = Rng::new(11);
    let x: Vec<u32> = (0..shape.n_pixels()).map(|_| rng.below(4_000_000_000) as u32).collect();
    let y: Vec<u32> = x.iter().map(|x| x - rng.below(1000).min(*x as usize) as u32).collect();
    let valid: Vec<bool> = (0..shape.n_pixels()).map(|at| at != 8 * 23 + 3).collect();
    for valid in [vec![], valid] {
        let mut ssim = darkchunk_metrics::Ssim::new(4e9);
        ssim.add(shape, 0, &x, &y, &valid);
        let mut windows = Vec::new();
        for (row, column) in (0..11).flat_map(|row| (0..17).map(move |column| (row, column))) {
            let places: Vec<usize> = (0..49).map(|i| (row + i / 7) * 23 + column + i % 7).collect();
            if places.iter().all(|at| valid.is_empty() || valid[*at]) {
                windows.push(window_ssim(&places, &x, &y, 4e9));
            }
        }
        let expected = windows.iter().sum::<f64>() / windows.len() as f64;
        assert!((ssim.mean().unwrap() - expected).abs() < 1e-9, "{:?} {expected}", ssim.mean());
    }
}

fn window_ssim<P: Pixel>(places: &[usize], x: &[P], y: &[P], range: f64) -> f64 {
    let of = |frame: &[P]| places.iter().map(|at| frame[*at].value() as f64).collect::<Vec<f64>>();
    let (x, y) = (of(x), of(y));
    let mean = |a: &[f64]| a.iter().sum::<f64>() / 49.0;
    let (mx, my) = (mean(&x), mean(&y));
    let covariance =
        |a: &[f64], b: &[f64], ma: f64, mb: f64| a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>() / 48.0;
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    let (vx, vy, vxy) = (covariance(&x, &x, mx, mx), covariance(&y, &y, my, my), covariance(&x, &y, mx, my));
    (2.0 * mx * my + c1) * (2.0 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
}

#[test]
fn changes_of_frames_without_a_count_fail_as_none_is_small() {
    let x = vec![vec![0_u16; SHAPE.n_pixels()]; 4];
    let report = compare(SHAPE, NoiseModel::COUNTER, &x, &map(&x, |_| 1.0));
    let failed = failed(&report);
    assert!(failed.contains(&"flux") && failed.contains(&"counts_to_zero"), "{failed:?}");
    assert!(Limits::default().judge(&compare(SHAPE, NoiseModel::COUNTER, &x, &x)).passes);
}
