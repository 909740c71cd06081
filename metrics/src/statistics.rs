//! Small functions of statistics that several metrics use.

/// a / b, and 0 where b is 0.
pub(crate) fn quotient(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// n Σab − Σa Σb: exact in integers where 128 bits hold it, which they do up to 2^40 pixels of 16 bits.
pub(crate) fn scaled_covariance(n: u64, sum_ab: i128, sum_a: i128, sum_b: i128) -> f64 {
    let exact = || i128::from(n).checked_mul(sum_ab)?.checked_sub(sum_a.checked_mul(sum_b)?);
    exact().map_or_else(|| n as f64 * sum_ab as f64 - sum_a as f64 * sum_b as f64, |exact| exact as f64)
}

/// A covariance and two variances, all with one factor, to Pearson's r.
pub(crate) fn correlation(ab: f64, aa: f64, bb: f64) -> Option<f64> {
    (aa > 0.0 && bb > 0.0).then(|| (ab / aa.sqrt() / bb.sqrt()).clamp(-1.0, 1.0))
}

/// The probability that the limit of √n D is above `t`: 2 Σ (−1)^(k−1) exp(−2 k² t²), as `scipy.special.kolmogorov`.
#[must_use]
pub fn kolmogorov(t: f64) -> f64 {
    if t <= 0.0 {
        return 1.0;
    }
    if t < 1.0 {
        // The same by another series, which converges fast here.
        let c = std::f64::consts::PI * std::f64::consts::PI / (8.0 * t * t);
        let sum: f64 = (0..20).map(|k| (-f64::from(2 * k + 1).powi(2) * c).exp()).sum();
        return (1.0 - (2.0 * std::f64::consts::PI).sqrt() / t * sum).clamp(0.0, 1.0);
    }
    let term = |k: i32| if k % 2 == 1 { 1.0 } else { -1.0 } * (-2.0 * f64::from(k * k) * t * t).exp();
    (2.0 * (1..40).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

/// How large a sum of n_tests self-normalised sums may be by chance: |Σs| / √Σs² stays below it in all of them but for `alpha` of
/// all data sets. That is so for any symmetric summands whatever their distribution, as P(|Σs| / √Σs² ≥ z) ≤ 2 exp(−z² / 2)
/// (Hoeffding's inequality for the signs).
#[must_use]
pub fn z_limit(n_tests: u64, alpha: f64) -> f64 {
    (2.0 * (2.0 * n_tests.max(1) as f64 / alpha).ln()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kolmogorov_has_the_values_of_the_tables() {
        // scipy.special.kolmogorov.
        for (t, expected) in [
            (0.1, 1.0),
            (0.5, 0.963_945_243_664_875_5),
            (0.999_999, 0.270_000_742_152_270_4),
            (1.0, 0.269_999_671_677_355_8),
            (1.358_098_6, 0.050_000_010_577_1),
            (2.0, 6.709_252_557_796_953e-4),
            (5.0, 3.857_499_695_927_835_6e-22),
        ] {
            let found = kolmogorov(t);
            assert!((found - expected).abs() <= 1e-6 * expected, "{t}: {found} {expected}");
        }
        assert_eq!((kolmogorov(0.0), kolmogorov(-1.0), kolmogorov(40.0)), (1.0, 1.0, 0.0));
    }

    #[test]
    fn covariances_of_large_sums_do_not_overflow() {
        let (n, value) = (1u64 << 40, 1i128 << 32);
        let sum = value * i128::from(n);
        let found = scaled_covariance(n, value * sum, sum, sum);
        assert!(found.is_finite() && found.abs() < 1e30);
        assert_eq!(scaled_covariance(3, 14, 6, 6), 6.0);
    }
}
