use super::*;

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> i32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Small numbers as often as large ones.
        (self.0 >> 32) as i32 >> (self.0 >> 27 & 31)
    }

    fn many<T>(&mut self, n: usize, of: impl Fn(i32) -> T) -> Vec<T> {
        (0..n).map(|_| of(self.next())).collect()
    }
}

fn scales() -> Vec<Scale> {
    let scale = |origin, shift, least, most| Scale { origin, shift, least, most };
    vec![
        scale(0, 0, i16::MIN, i16::MAX),
        scale(19_500, 0, -5, 300),
        scale(-3, 5, -100, 100),
        scale(i32::MIN, 12, i16::MIN, i16::MAX),
        scale(1 << 30, 16, -4, 4),
    ]
}

/// Runs `found` at every level, for rows of many lengths, and compares with scalar.
fn compare<T: PartialEq>(what: &str, found: impl Fn(Level, &mut Numbers, usize, &Scale) -> T) {
    let lengths = (0..70).chain([127, 128, 300]).step_by(if cfg!(miri) { 17 } else { 1 });
    for n in lengths {
        for scale in scales() {
            let expected = found(Level::SCALAR, &mut Numbers(n as u64), n, &scale);
            for level in Level::available() {
                let found = found(*level, &mut Numbers(n as u64), n, &scale);
                assert!(found == expected, "{what} at {level:?}: {n} pixels, {scale:?}");
            }
        }
    }
}

#[test]
fn rows_are_the_same_at_every_level() {
    compare("enter", |level, numbers, n, scale| {
        let (levels, mask) = (numbers.many(n, |n| n), numbers.many(n, |n| (n & 3) as u8));
        let (above, mut to) = (numbers.many(n, |n| n as i16), vec![7; 2 * n]);
        let (plain, masked) = to.split_at_mut(n);
        enter(level, scale, &levels, None, plain);
        enter(level, scale, &levels, Some((&mask, &above)), masked);
        to
    });
    compare("tables", |level, numbers, n, _| {
        let (thresholds, sums, mut to) = (numbers.many(n % 16, |n| n), numbers.many(n, |n| n), vec![7; n]);
        tables(level, &thresholds, &sums, &mut to);
        let mut rising = thresholds.clone();
        rising.sort_unstable();
        let mut of_rising = vec![7; n];
        tables(level, &rising, &sums, &mut of_rising);
        assert_eq!(to, of_rising, "{level:?}");
        to
    });
    compare("widen", |level, numbers, n, _| {
        let (bytes, mut to) = (numbers.many(n, |n| n as u8), vec![7; n]);
        (widen(level, &bytes, &mut to), to)
    });
    compare("symbols", |level, numbers, n, scale| {
        let (sums, folded, mut to) = (numbers.many(n, |n| n), numbers.many(n, i32::cast_unsigned), vec![7; n]);
        classes::symbols(level, classes::offset(scale), &sums, &folded, &mut to);
        to
    });
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and takes minutes")]
fn sums_are_the_same_at_every_level() {
    for n_taps in 0..=16 {
        compare("sums", |level, numbers, n, _| {
            let rows: Vec<(Vec<i16>, i16)> =
                (0..n_taps).map(|_| (numbers.many(n, |n| n as i16), numbers.next() as i16)).collect();
            let taps: Vec<(&[i16], i16)> = rows.iter().map(|(row, weight)| (&row[..], *weight)).collect();
            let mut to = vec![7; n];
            sums(level, numbers.next(), &taps, &mut to);
            to
        });
    }
}

#[test]
fn differences_lead_back_to_the_levels() {
    compare("differences", |level, numbers, n, scale| {
        let (sums, levels, mut folded) = (numbers.many(n, |n| n), numbers.many(n, |n| n), vec![7; n]);
        let any = differences(level, scale, &sums, &levels, &mut folded);
        assert_eq!(any, folded.iter().fold(0, |any, folded| any | folded));
        let mut back: Vec<i32> = folded.iter().map(|folded| folded.cast_signed()).collect();
        super::levels(level, scale, &sums, &mut back);
        assert_eq!(back, levels, "{level:?} {scale:?}");
        folded
    });
}

#[test]
#[cfg_attr(miri, ignore = "safe code, and takes minutes")]
fn sums_of_squares_are_the_same_to_the_last_bit() {
    compare("least squares", |level, numbers, n, _| {
        let mut sample = || {
            let columns = std::array::from_fn(|_| f64::from(numbers.next()) / 3.0);
            least_squares::Sample { columns, pixel: f64::from(numbers.next()) }
        };
        let samples: Vec<_> = (0..n).map(|_| sample()).collect();
        let weights: Vec<f64> = (0..n).map(|at| 1.0 / (1 + at) as f64).collect();
        least_squares::sums(level, &samples, &weights)
    });
}
