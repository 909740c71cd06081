//! What is measured in a slice: contrast to noise, and likeness.

use crate::statistics::quotient;

/// Bins of the histogram that is divided.
const N_BINS: usize = 256;

/// Side of a window of SSIM.
const WINDOW: usize = 7;

/// What all projections see: the circle round the pixel `side / 2` of both axes.
pub(super) fn circle(side: usize) -> Vec<bool> {
    let (centre, radius) = ((side / 2) as f64, (side as f64 - 1.0) / 2.0);
    (0..side * side).map(|at| ((at / side) as f64 - centre).hypot((at % side) as f64 - centre) <= radius).collect()
}

/// The slice of all projections.
pub(super) fn mean(even: &[f64], odd: &[f64]) -> Vec<f64> {
    even.iter().zip(odd).map(|(even, odd)| (even + odd) / 2.0).collect()
}

/// max − min within the circle.
pub(super) fn range(image: &[f64], circle: &[bool]) -> f64 {
    let within = image.iter().zip(circle).filter(|(_, within)| **within).map(|(value, _)| *value);
    let (least, most) =
        within.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(value), most.max(value)));
    (most - least).max(0.0)
}

/// For each pixel: `None` outside the circle, else whether it is above Otsu's threshold, which has the largest variance between the classes.
pub(super) fn classes(image: &[f64], circle: &[bool]) -> Vec<Option<bool>> {
    let least =
        image.iter().zip(circle).filter(|(_, within)| **within).map(|(value, _)| *value).fold(f64::INFINITY, f64::min);
    let range = range(image, circle);
    let bin = |value: f64| (quotient(value - least, range) * N_BINS as f64).clamp(0.0, N_BINS as f64 - 1.0) as usize;
    let mut histogram = [0u64; N_BINS];
    image.iter().zip(circle).filter(|(_, within)| **within).for_each(|(value, _)| histogram[bin(*value)] += 1);
    let last_low = otsu(&histogram);
    image.iter().zip(circle).map(|(value, within)| within.then(|| bin(*value) > last_low)).collect()
}

/// The last bin of the lower class.
fn otsu(histogram: &[u64; N_BINS]) -> usize {
    let moment = |bins: &[u64], first: usize| {
        (first..)
            .zip(bins)
            .fold((0.0, 0.0), |(n, sum), (bin, count)| (n + *count as f64, sum + bin as f64 * *count as f64))
    };
    let between = |last: usize| {
        let ((n_low, low), (n_high, high)) = (moment(&histogram[..=last], 0), moment(&histogram[last + 1..], last + 1));
        n_low * n_high * (quotient(low, n_low) - quotient(high, n_high)).powi(2)
    };
    // Of equal ones the first.
    (0..N_BINS - 1).rev().max_by(|a, b| between(*a).total_cmp(&between(*b))).unwrap_or(0)
}

/// |difference of the means of both classes| over the deviation of half the difference of the half sets; `None` where one of them is 0.
pub(super) fn contrast_to_noise(image: &[f64], even: &[f64], odd: &[f64], classes: &[Option<bool>]) -> Option<f64> {
    let (mut sums, mut noise) = ([(0.0, 0.0); 2], (0.0, 0.0, 0.0));
    for (at, is_high) in classes.iter().enumerate().filter_map(|(at, class)| class.map(|is_high| (at, is_high))) {
        let (n, sum) = &mut sums[usize::from(is_high)];
        (*n, *sum) = (*n + 1.0, *sum + image[at]);
        let half = (even[at] - odd[at]) / 2.0;
        noise = (noise.0 + 1.0, noise.1 + half, noise.2 + half * half);
    }
    let [low, high] = sums.map(|(n, sum)| quotient(sum, n));
    let (n, mean) = (noise.0, quotient(noise.1, noise.0));
    let deviation = (quotient(noise.2, n) - mean * mean).max(0.0).sqrt();
    (sums.iter().all(|(n, _)| *n > 0.0) && deviation > 0.0).then(|| (high - low).abs() / deviation)
}

/// The mean SSIM of all windows of 7 x 7 within the circle, sample covariance: as of frames.
pub(super) fn ssim(side: usize, x: &[f64], y: &[f64], circle: &[bool], range: f64) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0u32);
    for (top, left) in
        (0..(side + 1).saturating_sub(WINDOW)).flat_map(|top| (0..=side - WINDOW).map(move |left| (top, left)))
    {
        let corners =
            [(top, left), (top, left + WINDOW - 1), (top + WINDOW - 1, left), (top + WINDOW - 1, left + WINDOW - 1)];
        if corners.iter().all(|(row, column)| circle[row * side + column]) {
            sum += window(side, &x[top * side + left..], &y[top * side + left..], range);
            n += 1;
        }
    }
    (n > 0 && range > 0.0).then(|| sum / f64::from(n))
}

/// SSIM of the window at the front.
fn window(side: usize, x: &[f64], y: &[f64], range: f64) -> f64 {
    let n = (WINDOW * WINDOW) as f64;
    let pairs = || (0..WINDOW).flat_map(|row| (row * side..row * side + WINDOW).map(|at| (x[at], y[at])));
    let (sum_x, sum_y) = pairs().fold((0.0, 0.0), |(sum_x, sum_y), (x, y)| (sum_x + x, sum_y + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs() {
        let (x, y) = (x - mean_x, y - mean_y);
        (xx, yy, xy) = (xx + x * x, yy + y * y, xy + x * y);
    }
    let (xx, yy, xy) = (xx / (n - 1.0), yy / (n - 1.0), xy / (n - 1.0));
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    (2.0 * mean_x * mean_y + c1) * (2.0 * xy + c2) / ((mean_x * mean_x + mean_y * mean_y + c1) * (xx + yy + c2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_two_levels_are_divided_between_them() {
        let image: Vec<f64> =
            (0..33 * 33).map(|at| if at % 33 < 12 { 1.0 } else { 3.0 } + f64::from(at as u32 % 5) * 0.1).collect();
        let found = classes(&image, &circle(33));
        for (at, class) in found.iter().enumerate() {
            assert!(class.is_none_or(|is_high| is_high == (at % 33 >= 12)), "{at}");
        }
        assert_eq!(found[0], None);
        assert_eq!(found[16 * 33 + 16], Some(true));
    }

    #[test]
    fn contrast_to_noise_is_the_difference_of_means_over_the_deviation() {
        let (even, odd) = (vec![1.5, 2.5, 5.5, 6.5], vec![0.5, 3.5, 4.5, 7.5]);
        let classes = [Some(false), Some(false), Some(true), Some(true)];
        // Means 1, 3, 5, 7; half differences 0.5, -0.5, 0.5, -0.5.
        let found = contrast_to_noise(&mean(&even, &odd), &even, &odd, &classes).unwrap();
        assert!((found - 4.0 / 0.5).abs() < 1e-12, "{found}");
        assert_eq!(contrast_to_noise(&even, &even, &even, &classes), None);
        assert_eq!(contrast_to_noise(&even, &even, &odd, &[None, None, Some(true), Some(true)]), None);
    }

    #[test]
    fn likeness_is_one_for_the_same_and_less_for_another() {
        let image: Vec<f64> = (0..21 * 21).map(|at| f64::from(at as u32 % 13)).collect();
        let other: Vec<f64> = image.iter().enumerate().map(|(at, value)| value + f64::from(at as u32 % 3)).collect();
        let circle = circle(21);
        assert_eq!(ssim(21, &image, &image, &circle, 12.0), Some(1.0));
        assert!(ssim(21, &image, &other, &circle, 12.0).unwrap() < 0.97);
        assert_eq!(ssim(5, &image[..25], &other[..25], &circle, 12.0), None);
    }
}
