//! Every number is that of its definition, computed in the plainest way.

use crate::common::{close, pair};
use darkchunk_metrics::{
    Beside, Comparison, NoiseModel, Pixel, Report, Rules, Settings, Shape, TILE_SIDE, bin_of, bin_range,
};
use darkchunk_sim::Rng;

const SHAPE: Shape = Shape { height: 45, width: 70 };
const NOISE: NoiseModel = NoiseModel { gain: 1.5, offset: 20.0, read_variance: 9.0 };

/// Frames of one type: x, y.
struct Frames<P>(Vec<(Vec<P>, Vec<P>)>);

/// A frame in which some pixels are the extremes of the type, and errors are of all sizes.
fn frames<P: Pixel + TryFrom<i64>>(seed: u64, least: i64, most: i64) -> Frames<P> {
    let mut rng = Rng::new(seed);
    let number = |value: i64| P::try_from(value.clamp(least, most)).ok().expect("in the range of the type");
    let one = |rng: &mut Rng| {
        let x: Vec<i64> = (0..SHAPE.n_pixels())
            .map(|_| match rng.below(40) {
                0 => least,
                1 => most,
                2..10 => 0,
                _ => rng.below((most.min(5000) + 1) as usize) as i64 + least.clamp(-50, 0),
            })
            .collect();
        let error = |rng: &mut Rng| match rng.below(60) {
            0 => rng.below(1 << 33) as i64 - (1 << 32),
            1..30 => 0,
            _ => rng.below(9) as i64 - 4,
        };
        let y = x.iter().map(|x| number(x + error(rng))).collect();
        (x.into_iter().map(number).collect(), y)
    };
    Frames((0..3).map(|_| one(&mut rng)).collect())
}

fn rules(seed: u64) -> Rules {
    let mut rng = Rng::new(seed);
    let mask = (0..SHAPE.n_pixels()).map(|_| rng.below(20) == 0).collect();
    Rules {
        sentinels: vec![i64::from(u32::MAX), 65_535, 7],
        saturation: Some(4900),
        negative_is_masked: false,
        mask: Some(mask),
    }
}

/// x, y, row, column, frame of all pixels that count.
fn valid<P: Pixel>(frames: &Frames<P>, rules: &Rules) -> Vec<Pixel5> {
    let mut found = Vec::new();
    for (frame, (x, y)) in frames.0.iter().enumerate() {
        for (at, (x, y)) in x.iter().zip(y).enumerate() {
            let (value, is_masked) = (x.value(), rules.mask.as_ref().is_some_and(|mask| mask[at]));
            if !is_masked && !rules.sentinels.contains(&value) && rules.saturation.is_none_or(|most| value < most) {
                found.push((value as f64, y.value() as f64, at / SHAPE.width, at % SHAPE.width, frame));
            }
        }
    }
    found
}

fn report<P: Pixel>(frames: &Frames<P>, rules: &Rules) -> Report {
    let settings =
        Settings { rules: rules.clone(), noise: Some(NOISE), data_range: Some(5000.0), ..Settings::new(SHAPE) };
    let mut comparison = Comparison::new(settings).unwrap();
    for (frame, (x, y)) in frames.0.iter().enumerate() {
        let previous = frame.checked_sub(1).map(|before| pair(SHAPE, &frames.0[before].0, &frames.0[before].1));
        let next = frames.0.get(frame + 1).map(|next| &next.0[..]);
        comparison.add(frame as u64, &pair(SHAPE, x, y)).unwrap();
        comparison.add_to_sample(frame as u64, &pair(SHAPE, x, y), &Beside { previous, next }).unwrap();
    }
    comparison.report()
}

fn check_all<P: Pixel + TryFrom<i64>>(seed: u64, least: i64, most: i64) {
    let frames = frames::<P>(seed, least, most);
    for rules in [rules(seed), Rules::default()] {
        let (pixels, report) = (valid(&frames, &rules), report(&frames, &rules));
        assert_eq!(report.pixels.n_valid, pixels.len() as u64);
        check_errors(&report, &pixels);
        check_counts(&report, &pixels);
        check_sigma(&report, &pixels);
        check_bias(&report, &pixels);
        check_neighbours(&report, &pixels);
        check_tiles(&report, &pixels);
        check_sample(&report, &pixels);
    }
}

type Pixel5 = (f64, f64, usize, usize, usize);
type Pixels = [Pixel5];

/// Frame, row, column.
fn place(pixel: &Pixel5) -> (i64, i64, i64) {
    (pixel.4 as i64, pixel.2 as i64, pixel.3 as i64)
}

fn mean(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    numbers.clone().sum::<f64>() / numbers.count() as f64
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let (a, b) = (mean(pairs.iter().map(|pair| pair.0)), mean(pairs.iter().map(|pair| pair.1)));
    let sum = |of: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|pair| of(pair.0 - a, pair.1 - b)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

fn check_errors(report: &Report, pixels: &Pixels) {
    let errors = &report.errors;
    let e: Vec<f64> = pixels.iter().map(|(x, y, ..)| y - x).collect();
    let mut magnitudes: Vec<u64> = e.iter().map(|e| e.abs() as u64).collect();
    magnitudes.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(
        (errors.max_error, errors.max_error_10th, errors.max_error_100th),
        (magnitudes[0], magnitudes[9], magnitudes[99])
    );
    let (bias, mse) = (mean(e.iter().copied()), mean(e.iter().map(|e| e * e)));
    close(errors.bias, bias, "bias");
    close(errors.mse, mse, "MSE");
    close(errors.rmse, mse.sqrt(), "RMSE");
    let variance = e.iter().map(|e| (e - bias).powi(2)).sum::<f64>() / (e.len() - 1) as f64;
    close(errors.bias_error_if_independent, (variance / e.len() as f64).sqrt(), "standard error");
    let (least, most) =
        pixels.iter().fold((f64::MAX, f64::MIN), |range, pixel| (range.0.min(pixel.0), range.1.max(pixel.0)));
    close(errors.nrmse.unwrap(), mse.sqrt() / (most - least), "NRMSE");
    close(errors.psnr.unwrap(), 20.0 * (5000.0 / mse.sqrt()).log10(), "PSNR");
    close(errors.flux.unwrap(), e.iter().sum::<f64>() / pixels.iter().map(|pixel| pixel.0).sum::<f64>(), "flux");
    close(errors.pearson.unwrap(), correlation(&pixels.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>()), "Pearson");
    let with_error: Vec<_> = pixels.iter().map(|p| (p.0, p.1 - p.0)).collect();
    assert!((errors.error_correlation.unwrap() - correlation(&with_error)).abs() < 1e-9);
}

fn check_counts(report: &Report, pixels: &Pixels) {
    let count = |of: &dyn Fn(f64, f64) -> bool| pixels.iter().filter(|pixel| of(pixel.0, pixel.1)).count() as u64;
    let counts = &report.pixels;
    assert_eq!(counts.n_changed, count(&|x, y| x != y));
    assert_eq!(counts.n_from_zero, count(&|x, y| x == 0.0 && y != 0.0));
    assert_eq!(counts.n_to_zero, count(&|x, y| x != 0.0 && y == 0.0));
    let lost: f64 = pixels.iter().filter(|pixel| pixel.1 == 0.0).map(|pixel| pixel.0).sum();
    assert_eq!(counts.counts_to_zero, lost as i128);
    for number in 0..3 {
        let part = |n: u64| n as f64 / pixels.len() as f64;
        close(counts.p_before[number], part(count(&|x, _| x == number as f64)), "P before");
        close(counts.p_after[number], part(count(&|_, y| y == number as f64)), "P after");
    }
}

fn variance(x: f64) -> f64 {
    (NOISE.gain * (x - NOISE.offset) + NOISE.read_variance).max(0.0)
}

fn check_sigma(report: &Report, pixels: &Pixels) {
    let sigma = report.sigma.as_ref().unwrap();
    let (with, without): (Vec<Pixel5>, Vec<Pixel5>) = pixels.iter().copied().partition(|pixel| variance(pixel.0) > 0.0);
    let mut ratios: Vec<f64> = with.iter().map(|(x, y, ..)| (y - x).abs() / variance(*x).sqrt()).collect();
    ratios.sort_by(f64::total_cmp);
    assert_eq!((sigma.n, sigma.n_without_sigma), (with.len() as u64, without.len() as u64));
    assert_eq!(sigma.n_changed_without_sigma, without.iter().filter(|(x, y, ..)| x != y).count() as u64);
    close(sigma.max, ratios[ratios.len() - 1], "max");
    let exact = ratios[(ratios.len() as f64 * 0.999).ceil() as usize - 1];
    let is_beyond = exact > 32.0;
    assert!(if is_beyond {
        sigma.quantile_999 == sigma.max
    } else {
        (0.0..=1.0 / 64.0).contains(&(sigma.quantile_999 - exact))
    });
    let square = mean(ratios.iter().map(|ratio| ratio * ratio));
    assert!((sigma.rms - square.sqrt()).abs() < 1e-6 * sigma.rms + 1e-6);
    assert!((sigma.inflation - (1.0 + square).sqrt()).abs() < 1e-6 * sigma.inflation);
}

fn check_bias(report: &Report, pixels: &Pixels) {
    assert_eq!(report.bias_by_intensity.iter().map(|bias| bias.n).sum::<u64>(), pixels.len() as u64);
    for bias in &report.bias_by_intensity {
        assert_eq!(bias.range, bin_range(bin_of(bias.range.0)));
        let within = |pixel: &&Pixel5| (bias.range.0 as f64..=bias.range.1 as f64).contains(&pixel.0);
        let e: Vec<f64> = pixels.iter().filter(within).map(|(x, y, ..)| y - x).collect();
        let average = mean(e.iter().copied());
        assert_eq!(bias.n, e.len() as u64);
        close(bias.mean_error, average, "mean error");
        if e.len() > 1 {
            let variance = e.iter().map(|e| (e - average).powi(2)).sum::<f64>() / (e.len() - 1) as f64;
            assert!(
                (bias.standard_error - (variance / e.len() as f64).sqrt()).abs() <= 1e-7 * (1.0 + bias.standard_error)
            );
        }
        let middle = (bias.range.0 + bias.range.1) as f64 / 2.0;
        assert_eq!(bias.in_sigma.is_some(), variance(middle) > 0.0);
        if let Some(in_sigma) = bias.in_sigma {
            close(in_sigma, average / variance(middle).sqrt(), "in sigma");
        }
    }
}

fn check_neighbours(report: &Report, pixels: &Pixels) {
    let values: std::collections::HashMap<_, f64> = pixels.iter().map(|pixel| (place(pixel), pixel.0)).collect();
    let mut bins: std::collections::HashMap<usize, Vec<f64>> = std::collections::HashMap::new();
    for pixel in pixels {
        let (frame, row, column) = place(pixel);
        let beside = |column: i64| values.get(&(frame, row, column));
        if let (Some(left), Some(right)) = (beside(column - 1), beside(column + 1)) {
            let bin = bin_of(((left + right) / 2.0).floor() as i64);
            bins.entry(bin).or_default().push(pixel.1 - pixel.0);
        }
    }
    let middle = |bin: usize| (bin_range(bin).0 + bin_range(bin).1) as f64 / 2.0;
    bins.retain(|bin, e| e.len() >= 30 && variance(middle(*bin)) > 0.0);
    assert_eq!(report.bias_at_mean.len(), bins.len());
    for found in &report.bias_at_mean {
        let e = &bins[&bin_of(found.mean.floor() as i64)];
        assert_eq!(found.n, e.len() as u64);
        close(found.in_sigma, mean(e.iter().copied()) / variance(found.mean).sqrt(), "bias by neighbours");
    }
}

fn check_tiles(report: &Report, pixels: &Pixels) {
    let mut worst = (0.0, 0, 0, 0);
    let mut worst_flux = 0.0f64;
    let (columns, rows) = (SHAPE.width.div_ceil(TILE_SIDE), SHAPE.height.div_ceil(TILE_SIDE));
    let (n_all, bias) = (pixels.len() as f64, mean(pixels.iter().map(|(x, y, ..)| y - x)));
    let (mut spread, mut n_tiles) = (0.0, 0.0);
    for frame in 0..3 {
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let inside = |p: &&Pixel5| (p.4, p.2 / TILE_SIDE, p.3 / TILE_SIDE) == (frame, row, column);
            let tile: Vec<_> = pixels.iter().filter(inside).collect();
            let sum = |of: &dyn Fn(f64, f64) -> f64| tile.iter().map(|pixel| of(pixel.0, pixel.1)).sum::<f64>();
            let n = tile.len() as f64;
            let noise = n * variance(sum(&|x, _| x) / n);
            if noise > 0.0 {
                let rms = (sum(&|x, y| (y - x).powi(2)) / noise).sqrt();
                if rms > worst.0 {
                    worst = (rms, frame, row * TILE_SIDE, column * TILE_SIDE);
                }
                worst_flux = worst_flux.max(sum(&|x, y| y - x).abs() / noise.sqrt());
            }
            spread += (sum(&|x, y| y - x) - n * bias).powi(2);
            n_tiles += 1.0;
        }
    }
    let tiles = &report.tiles;
    let found = tiles.worst.unwrap();
    close(found.value, worst.0, "worst tile");
    assert_eq!((found.frame, found.row, found.column), (Some(worst.1 as u64), worst.2, worst.3));
    close(tiles.worst_flux.unwrap().value.abs(), worst_flux, "worst flux of a tile");
    let expected = (spread * n_tiles / (n_tiles - 1.0)).sqrt() / n_all;
    assert!((tiles.bias_error - expected).abs() < 1e-6 * expected, "{} {expected}", tiles.bias_error);
}

fn check_sample(report: &Report, pixels: &Pixels) {
    let sample = &report.sample;
    let d = {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = pixels.iter().map(|pixel| (pixel.0, pixel.1)).unzip();
        x.sort_by(f64::total_cmp);
        y.sort_by(f64::total_cmp);
        // Values from 65536 on are taken together with those near them, so only the others are looked at.
        let at_most =
            |sorted: &[f64], value: f64| sorted.partition_point(|number| *number <= value) as f64 / sorted.len() as f64;
        let values = x.iter().chain(&y).filter(|value| value.abs() < 65_536.0);
        values.map(|value| (at_most(&x, *value) - at_most(&y, *value)).abs()).fold(0.0, f64::max)
    };
    assert!((sample.ks.unwrap().d - d).abs() < 2e-3, "{} {d}", sample.ks.unwrap().d);
    let square = mean(pixels.iter().map(|(x, y, ..)| (y - x).powi(2)));
    let errors: std::collections::HashMap<_, f64> =
        pixels.iter().map(|pixel| (place(pixel), pixel.1 - pixel.0)).collect();
    assert_eq!(sample.autocorrelation.len(), 40 + 81);
    for lag in sample.autocorrelation.iter().step_by(7) {
        let (mut sum, mut n) = (0.0, 0);
        for ((frame, row, column), e) in &errors {
            let other = (frame - i64::from(lag.dt), row + i64::from(lag.dy), column + i64::from(lag.dx));
            if let Some(other) = errors.get(&other) {
                (sum, n) = (sum + e * other, n + 1);
            }
        }
        assert_eq!(lag.n, n, "{lag:?}");
        assert!((lag.rho - sum / f64::from(n as u32) / square).abs() < 1e-6, "{lag:?}");
    }
}

#[test]
fn numbers_of_uint8_are_those_of_the_definitions() {
    check_all::<u8>(1, 0, 255);
}

#[test]
fn numbers_of_int16_are_those_of_the_definitions() {
    check_all::<i16>(2, -32_768, 32_767);
}

#[test]
fn numbers_of_uint16_are_those_of_the_definitions() {
    check_all::<u16>(3, 0, 65_535);
}

#[test]
fn numbers_of_int32_are_those_of_the_definitions() {
    check_all::<i32>(4, i64::from(i32::MIN), i64::from(i32::MAX));
}

#[test]
fn numbers_of_uint32_are_those_of_the_definitions() {
    check_all::<u32>(5, 0, i64::from(u32::MAX));
    // Values and errors that fit the fast path, and some that do not.
    check_all::<u32>(6, 0, 1 << 21);
}

#[test]
fn frames_in_any_order_and_parts_give_the_same_numbers() {
    let frames = frames::<u16>(7, 0, 65_535);
    let settings = Settings { rules: rules(7), noise: Some(NOISE), data_range: Some(5000.0), ..Settings::new(SHAPE) };
    let part = |numbers: &[usize]| {
        let mut comparison = Comparison::new(settings.clone()).unwrap();
        for at in numbers {
            let (x, y) = &frames.0[*at];
            let previous = at.checked_sub(1).map(|before| pair(SHAPE, &frames.0[before].0, &frames.0[before].1));
            let beside = Beside { previous, next: frames.0.get(at + 1).map(|next| &next.0[..]) };
            comparison.add(*at as u64, &pair(SHAPE, x, y)).unwrap();
            comparison.add_to_sample(*at as u64, &pair(SHAPE, x, y), &beside).unwrap();
        }
        comparison
    };
    let whole = part(&[0, 1, 2]).report();
    for parts in [[vec![2], vec![0, 1]], [vec![1, 0], vec![2]], [vec![], vec![2, 1, 0]]] {
        let mut merged = part(&parts[0]);
        merged.merge(&part(&parts[1]));
        assert_eq!(merged.report(), whole, "{parts:?}");
    }
}

#[test]
fn equal_frames_have_no_error_of_any_kind() {
    let frames = frames::<i16>(8, -32_768, 32_767);
    let same = Frames(frames.0.iter().map(|(x, _)| (x.clone(), x.clone())).collect());
    let report = report(&same, &Rules::default());
    assert_eq!((report.errors.max_error, report.errors.psnr, report.pixels.n_changed), (0, None, 0));
    assert_eq!(report.sigma.unwrap().max, 0.0);
    assert_eq!(report.sigma.unwrap().n_changed_without_sigma, 0);
    assert_eq!(report.sample.ks.unwrap().d, 0.0);
    assert_eq!(report.sample.ks.unwrap().p, 1.0);
    assert!((report.sample.ssim.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(report.errors.pearson, Some(1.0));
    assert!(report.sample.autocorrelation.is_empty());
    assert!(report.sample.ghost.found.is_empty() && report.sample.shadow.found.is_empty());
}

#[test]
fn frames_of_another_shape_are_refused() {
    let mut comparison = Comparison::new(Settings::new(SHAPE)).unwrap();
    let other = Shape { height: 1, width: 4 };
    let error = comparison.add(0, &pair(other, &[1u8, 2, 3, 4], &[1, 2, 3, 4])).unwrap_err();
    assert!(error.to_string().contains("45 x 70"), "{error}");
    assert!(darkchunk_metrics::Pair::new(other, &[1u8], &[1]).is_err());
    assert!(Comparison::new(Settings { data_range: Some(0.0), ..Settings::new(SHAPE) }).is_err());
}
