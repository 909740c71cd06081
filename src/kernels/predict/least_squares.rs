//! The sums that weights are fitted by. Each is added up in the order of the samples, at every level: the weights are the same everywhere.

use crate::kernels::for_each_isa::for_each_isa;

/// Columns of a sample.
pub(crate) const N_COLUMNS: usize = 16;

/// What a pixel may be predicted from, and the pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) columns: [f64; N_COLUMNS],
    pub(crate) pixel: f64,
}

/// The weighted sums of the products of all columns with each other, and with the pixel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sums {
    pub(crate) matrix: [[f64; N_COLUMNS]; N_COLUMNS],
    pub(crate) right: [f64; N_COLUMNS],
}

/// Samples that stay in the first-level cache.
const BLOCK: usize = 64;

for_each_isa! {
    /// The sums over samples, each of which has its weight.
    sums = all_sums(samples: &[Sample], weights: &[f64]) -> Sums
}

#[inline(always)]
fn all_sums(samples: &[Sample], weights: &[f64]) -> Sums {
    const HALF: usize = N_COLUMNS / 2;
    let mut sums = Sums { matrix: [[0.0; N_COLUMNS]; N_COLUMNS], right: [0.0; N_COLUMNS] };
    for (samples, weights) in samples.chunks(BLOCK).zip(weights.chunks(BLOCK)) {
        for row in 0..HALF {
            add::<0>(samples, weights, row, &mut sums.matrix[row]);
            add::<HALF>(samples, weights, row + HALF, &mut sums.matrix[row + HALF]);
        }
        for (sample, weight) in samples.iter().zip(weights) {
            let pixel = sample.pixel * weight;
            sums.right.iter_mut().zip(&sample.columns).for_each(|(sum, column)| *sum += column * pixel);
        }
    }
    let (upper, lower) = sums.matrix.split_at_mut(HALF);
    for (row, to) in lower.iter_mut().enumerate() {
        to.iter_mut().zip(upper.iter()).for_each(|(to, from)| *to = from[HALF + row]);
    }
    sums
}

/// The products of column `row` with those from `FROM` on.
#[inline(always)]
fn add<const FROM: usize>(samples: &[Sample], weights: &[f64], row: usize, to: &mut [f64; N_COLUMNS]) {
    let mut sums = *to;
    for (sample, weight) in samples.iter().zip(weights) {
        let factor = sample.columns[row % N_COLUMNS] * weight;
        for (sum, column) in sums[FROM..].iter_mut().zip(&sample.columns[FROM..]) {
            *sum += factor * column;
        }
    }
    *to = sums;
}
