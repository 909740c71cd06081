use super::*;

/// The tolerance by its definition: the greatest t with 4 bd² gd rd t² ≤ bn² (gn rd (x − o) + gd rn), found by trying.
fn tolerance_by_trying(noise: &Noise, x: i64, near: i64) -> i64 {
    let n = |n: u32| i128::from(n);
    let signal = n(noise.gain.0) * n(noise.read_variance.1) * i128::from(x - i64::from(noise.offset));
    let right = n(noise.beta.0).pow(2) * (signal + n(noise.gain.1) * n(noise.read_variance.0));
    let left = |t: i64| 4 * n(noise.beta.1).pow(2) * n(noise.gain.1) * n(noise.read_variance.1) * i128::from(t).pow(2);
    let mut t = near.max(0);
    while t > 0 && left(t) > right {
        t -= 1;
    }
    while t < 1 << 33 && left(t + 1) <= right {
        t += 1;
    }
    t
}

fn noise(beta: (u32, u32), gain: (u32, u32), offset: i32, read_variance: (u32, u32)) -> Noise {
    Noise { beta, gain, offset, read_variance }
}

fn models() -> Vec<Noise> {
    vec![
        noise((1, 1), (1, 1), 0, (0, 1)),
        noise((1, 2), (1, 1), 0, (0, 1)),
        noise((2, 1), (41, 20), 98, (0, 1)),
        noise((1, 1), (41, 20), 98, (47, 10)),
        noise((1, 1), (1, 1), 0, (100, 1)),
        noise((1, 1), (1, 1), -300, (9, 4)),
        noise((3, 1), (65_535, 1), 0, (0, 1)),
        noise((1, 100), (1, 1), 0, (0, 1)),
        noise((65_535, 1), (65_535, 1), i32::MIN, (u32::MAX, 1)),
        noise((1, 65_535), (1, 65_535), i32::MAX, (0, 1)),
    ]
}

fn options() -> [Options; 4] {
    [(false, false), (false, true), (true, false), (true, true)]
        .map(|(unbiased, keep_zero)| Options { unbiased, keep_zero })
}

fn bounds() -> Vec<Bound> {
    let noise = models().into_iter().map(Bound::Noise);
    noise.chain([0, 1, 4, 300, u32::MAX].map(Bound::Absolute)).chain([Bound::Exact]).collect()
}

const RANGES: [(i64, i64); 6] =
    [(0, 255), (-128, 127), (0, 65_535), (-32_768, 32_767), (0, u32::MAX as i64), (i32::MIN as i64, i32::MAX as i64)];

fn domains(range: (i64, i64)) -> Vec<Domain> {
    let domain = Domain { range, saturation: None, keep_negative: false };
    let saturation = Some((range.1 / 3) as u32);
    vec![domain, Domain { saturation, ..domain }, Domain { keep_negative: true, saturation, ..domain }]
}

/// All values of a type of less than `n` of them; of others those about the powers of two, and `n` more.
fn values(range: (i64, i64), n: u64) -> Vec<i64> {
    if range.1 - range.0 < n as i64 {
        return (range.0..=range.1).collect();
    }
    let about = (0..33).flat_map(|n| [-(1_i64 << n), 1 << n]).flat_map(|x| (x - 70)..(x + 70));
    let mut state = 7_u64;
    let any = (0..n).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Small values as often as large ones.
        (range.0 + ((state >> 16) as i64 % (range.1 - range.0 + 1))) >> (state % 30)
    });
    let mut values: Vec<i64> =
        about.chain(any).filter(|x| (range.0..=range.1).contains(x)).chain([range.0, range.1]).collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[test]
fn the_tolerance_is_what_its_definition_says() {
    for model in models() {
        let n = if cfg!(miri) { 50 } else { 250_000 };
        for x in RANGES.iter().skip(2).flat_map(|range| values(*range, n)) {
            let found = Bound::Noise(model).tolerance(x);
            let expected = tolerance_by_trying(&model, x, found).min(1 << 33);
            assert_eq!(found, expected, "{model:?} {x}");
        }
    }
}

/// Calls `check` for each quantiser and each of its values, with the level and what it stands for.
fn for_all(mut check: impl FnMut(&Quantiser, &Domain, i64, i64, i64)) {
    for domain in RANGES.into_iter().flat_map(domains) {
        let n = if cfg!(miri) { 20 } else { 3000 };
        let values = values(domain.range, n);
        for bound in bounds() {
            for options in options() {
                let quantiser = Quantiser::new(bound, options, &domain, Upto::Value(domain.range.1));
                for (n, x) in values.iter().enumerate() {
                    let level = quantiser.level(*x, (n * 40_503) as u16);
                    check(&quantiser, &domain, *x, level, quantiser.value(level));
                }
            }
        }
    }
}

#[test]
fn no_value_is_further_away_than_its_tolerance() {
    for_all(|quantiser, domain, x, level, y| {
        let tolerance = quantiser.bound().tolerance(x);
        assert!((y - x).abs() <= tolerance, "{quantiser:?} {x} {level} {y} {tolerance}");
        assert!((domain.range.0..=domain.range.1).contains(&y));
    });
}

#[test]
fn what_is_to_be_exact_is_exact() {
    for_all(|quantiser, domain, x, _, y| {
        let is_saturated = domain.saturation.is_some_and(|saturation| x >= saturation.into());
        let is_exact = is_saturated || x == 0 || domain.keep_negative && x < 0;
        assert!(!is_exact || x == y, "{quantiser:?} {x} {y}");
        let looks_saturated = domain.saturation.is_some_and(|saturation| y >= saturation.into());
        assert_eq!(is_saturated, looks_saturated, "{quantiser:?} {x} {y}");
        assert!(!quantiser.options.keep_zero || (x == 0) == (y == 0), "{quantiser:?} {x} {y}");
    });
}

#[test]
fn levels_rise_with_the_values_and_0_is_the_level_of_0() {
    let mut last: Option<(Quantiser, i64)> = None;
    for_all(|quantiser, domain, x, level, _| {
        let (low, high) = (quantiser.level(domain.range.0, 0), quantiser.level(domain.range.1, 0));
        assert!(low >= domain.range.0 && high <= domain.range.1, "{quantiser:?}");
        assert_eq!(quantiser.level(0, 0), 0);
        let least = last.as_ref().filter(|(before, _)| before == quantiser).map(|(_, level)| *level);
        assert!(
            quantiser.options.unbiased || x == domain.range.0 || least.is_none_or(|least| least <= level),
            "{quantiser:?} {x}"
        );
        last = Some((quantiser.clone(), level));
    });
}

#[test]
fn a_quantiser_for_fewer_levels_is_the_same_for_these() {
    let domain = Domain { range: (0, u32::MAX.into()), saturation: None, keep_negative: false };
    for bound in bounds() {
        for options in options() {
            let whole = Quantiser::new(bound, options, &domain, Upto::Value(domain.range.1));
            for most in [0, 1, 5, 100, 70_000] {
                let values = Quantiser::new(bound, options, &domain, Upto::Value(most));
                let level = whole.level(most, 0);
                let levels = Quantiser::new(bound, options, &domain, Upto::Level(level));
                assert_eq!(values.level(most, 0), level, "{bound:?} {options:?} {most}");
                assert_eq!(levels.value(level), whole.value(level), "{bound:?} {options:?} {most}");
            }
        }
    }
}

/// The bias of a quantiser in standard deviations, for counts with this mean: a sum over all counts, with the mean of all chances.
fn bias(quantiser: &Quantiser, mean: f64) -> f64 {
    let (from, to) = ((mean - 12.0 * mean.sqrt() - 30.0).max(0.0) as i64, (mean + 12.0 * mean.sqrt() + 30.0) as i64);
    let (mut log_p, mut sum) = (-mean + (1..=from).map(|k| mean.ln() - (k as f64).ln()).sum::<f64>(), 0.0);
    for x in from..=to {
        sum += log_p.exp() * (expected(quantiser, x) - x as f64);
        log_p += mean.ln() - ((x + 1) as f64).ln();
    }
    sum / mean.sqrt()
}

fn expected(quantiser: &Quantiser, x: i64) -> f64 {
    let (low, high) = (quantiser.level(x, u16::MAX), quantiser.level(x, 0));
    if low == high {
        return quantiser.value(low) as f64;
    }
    // The number of chances with which it rises, by halving.
    let (mut yes, mut no) = (0_u32, 1 << 16);
    while no - yes > 1 {
        let middle = u32::midpoint(yes, no);
        if quantiser.level(x, middle as u16) == high { yes = middle } else { no = middle }
    }
    let share = f64::from(no) / 65_536.0;
    quantiser.value(low) as f64 * (1.0 - share) + quantiser.value(high) as f64 * share
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn the_unbiased_one_has_no_bias_at_any_poisson_mean() {
    let domain = Domain { range: (0, u32::MAX.into()), saturation: None, keep_negative: false };
    for beta in [(1, 2), (1, 1), (2, 1)] {
        for (options, most) in [(options()[2], 1e-4), (options()[3], 1e-4)] {
            let bound = Bound::Noise(noise(beta, (1, 1), 0, (0, 1)));
            let quantiser = Quantiser::new(bound, options, &domain, Upto::Value(200_000));
            for step in 0..=140 {
                let mean = 0.01 * 10_f64.powf(f64::from(step) / 20.0);
                let bias = bias(&quantiser, mean);
                assert!(bias.abs() < most, "{beta:?} {options:?} {mean}: {bias}");
            }
        }
    }
}

#[test]
fn tables_say_what_the_quantiser_says() {
    for range in &RANGES[..4] {
        let domain = Domain { range: *range, saturation: Some(100), keep_negative: false };
        for bound in bounds() {
            let quantiser = Quantiser::new(bound, Options::default(), &domain, Upto::Value(range.1));
            let n_bits = if range.1 < 256 { 8 } else { 16 };
            let levels = quantiser.levels_of_bits(n_bits, range.1);
            let (first, last) = (quantiser.level(range.0, 0), quantiser.level(range.1, 0));
            let table = LevelTable::new(quantiser.clone(), first, last);
            for x in (range.0..=range.1).step_by(if cfg!(miri) { 997 } else { 1 }) {
                let level = quantiser.level(x, 0);
                assert_eq!(levels[(x & ((1 << n_bits) - 1)) as usize], level as u16);
                assert_eq!(i64::from(table.value(level)), quantiser.value(level), "{bound:?} {x}");
            }
        }
    }
}
