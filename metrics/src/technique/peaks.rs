//! Crystallography: peaks that are found, and what they integrate to.

use crate::fixed::FixedSum;
use crate::{Error, NoiseModel, Pixel, Result, Shape, statistics};

/// How peaks are found and integrated: the sum of a square less the background, which is the mean of a square ring round it.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PeakSearch {
    /// A peak has at least so many σ of its own intensity.
    pub min_snr: f64,
    /// The square has 2 · radius + 1 pixels a side.
    pub radius: usize,
    /// The ring goes from there to this distance.
    pub outer_radius: usize,
}

impl Default for PeakSearch {
    fn default() -> Self {
        Self { min_snr: 6.0, radius: 2, outer_radius: 4 }
    }
}

/// Peaks of x, and what became of them. A peak is a pixel that none within `radius` exceeds, and whose square has
/// I = Σ(x − b) of `min_snr` σ at least, where b is the mean of the ring and σ² = Σσ² of the square + (n / m)² Σσ² of the ring, of n and m pixels.
///
/// | metric | definition |
/// |---|---|
/// | lost | y has no peak within `radius` of it, by the same search |
/// | false | a peak of y that has none of x within `radius` |
/// | ΔI / σ | (I of y − I of x) / σ of x, both at the place of the peak of x |
/// | centroid shift | the distance of the centroids of x − b and y − b above 0 in the square, in pixels |
#[derive(Debug, Clone, PartialEq)]
pub struct Peaks {
    search: PeakSearch,
    shape: Shape,
    noise: NoiseModel,
    sums: Sums,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    n_frames: u64,
    n: u64,
    n_lost: u64,
    n_false: u64,
    before: FixedSum,
    after: FixedSum,
    difference: FixedSum,
    squares: FixedSum,
    n_centroids: u64,
    shift: FixedSum,
    max_shift: f64,
}

impl Sums {
    fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.n += other.n;
        self.n_lost += other.n_lost;
        self.n_false += other.n_false;
        self.n_centroids += other.n_centroids;
        for (sum, other) in [
            (&mut self.before, other.before),
            (&mut self.after, other.after),
            (&mut self.difference, other.difference),
            (&mut self.squares, other.squares),
            (&mut self.shift, other.shift),
        ] {
            sum.merge(other);
        }
        self.max_shift = self.max_shift.max(other.max_shift);
    }
}

/// The numbers of [`Peaks`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PeaksReport {
    /// How they were found.
    pub search: PeakSearch,
    /// Frames.
    pub n_frames: u64,
    /// Peaks of x.
    pub n: u64,
    /// Those of them that are lost.
    pub n_lost: u64,
    /// Peaks of y that x does not have.
    pub n_false: u64,
    /// Σ I of y / Σ I of x − 1.
    pub intensity_change: f64,
    /// The mean of ΔI / σ.
    pub mean_difference: f64,
    /// The root of the mean square of ΔI / σ.
    pub rms_difference: f64,
    /// The mean shift of centroids, in pixels.
    pub centroid_shift: f64,
    /// The largest one.
    pub max_centroid_shift: f64,
}

/// What a square has.
#[derive(Debug, Clone, Copy)]
struct Integral {
    intensity: f64,
    sigma: f64,
    centroid: Option<(f64, f64)>,
}

impl Peaks {
    /// For frames of this shape.
    ///
    /// # Errors
    /// [`Error::Setting`] for a ring that has no pixels or more than 64 on a side, and an SNR that is not above 0.
    pub fn new(shape: Shape, search: PeakSearch, noise: NoiseModel) -> Result<Self> {
        let PeakSearch { min_snr, radius, outer_radius } = search;
        if !(min_snr > 0.0 && radius < outer_radius && outer_radius <= 32) {
            return Err(Error::Setting(format!(
                "peaks of {min_snr} sigma in squares of radius {radius} with a ring to {outer_radius}: the ring must be larger than the \
                 square, at most 32, and the least SNR above 0"
            )));
        }
        Ok(Self { search, shape, noise, sums: Sums::default() })
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        self.sums.n_frames += 1;
        let (peaks, peaks_after) = (self.find(x, valid), self.find(y, valid));
        for (at, before) in &peaks {
            self.sums.n += 1;
            self.sums.n_lost += u64::from(!self.is_near(*at, &peaks_after));
            let Some(after) = self.integrate(y, valid, *at) else { continue };
            let difference = (after.intensity - before.intensity) / before.sigma;
            self.sums.before.add(before.intensity);
            self.sums.after.add(after.intensity);
            self.sums.difference.add(difference);
            self.sums.squares.add(difference * difference);
            if let (Some(before), Some(after)) = (before.centroid, after.centroid) {
                let shift = (after.0 - before.0).hypot(after.1 - before.1);
                self.sums.n_centroids += 1;
                self.sums.shift.add(shift);
                self.sums.max_shift = self.sums.max_shift.max(shift);
            }
        }
        self.sums.n_false += peaks_after.iter().filter(|(at, _)| !self.is_near(*at, &peaks)).count() as u64;
    }

    /// Adds what another one, with the same settings, has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.sums.merge(&other.sums);
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> PeaksReport {
        let sums = &self.sums;
        let n = sums.n as f64;
        let before = sums.before.value();
        PeaksReport {
            search: self.search,
            n_frames: sums.n_frames,
            n: sums.n,
            n_lost: sums.n_lost,
            n_false: sums.n_false,
            intensity_change: if before > 0.0 { sums.after.value() / before - 1.0 } else { 0.0 },
            mean_difference: if sums.n > 0 { sums.difference.value() / n } else { 0.0 },
            rms_difference: statistics::quotient(sums.squares.value(), n).sqrt(),
            centroid_shift: statistics::quotient(sums.shift.value(), sums.n_centroids as f64),
            max_centroid_shift: sums.max_shift,
        }
    }

    fn find<P: Pixel>(&self, frame: &[P], valid: &[bool]) -> Vec<(usize, Integral)> {
        let is_peak = |at: &usize| frame[*at] > P::default() && self.is_largest(frame, valid, *at);
        let integral = |at: usize| self.integrate(frame, valid, at).map(|integral| (at, integral));
        let peaks = (0..frame.len()).filter(is_peak).filter_map(integral);
        peaks.filter(|(_, integral)| integral.intensity >= self.search.min_snr * integral.sigma).collect()
    }

    /// Whether no pixel of the square is larger; of equal ones the first counts.
    fn is_largest<P: Pixel>(&self, frame: &[P], valid: &[bool], at: usize) -> bool {
        let counts = |at: usize| valid.is_empty() || valid[at];
        let beats =
            |other: usize| counts(other) && (frame[other] > frame[at] || (frame[other] == frame[at] && other < at));
        // Most pixels have a neighbour that is larger.
        counts(at)
            && !self.square(at, 1).any(|(other, _)| beats(other))
            && !self.square(at, self.search.radius).any(|(other, _)| beats(other))
    }

    /// Pixels up to so many rows and columns away, and how far they are.
    fn square(&self, at: usize, reach: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Shape { height, width } = self.shape;
        let (row, column) = (at / width, at % width);
        let rows = row.saturating_sub(reach)..(row + reach + 1).min(height);
        rows.flat_map(move |r| {
            let columns = column.saturating_sub(reach)..(column + reach + 1).min(width);
            columns.map(move |c| (r * width + c, r.abs_diff(row).max(c.abs_diff(column))))
        })
    }

    fn integrate<P: Pixel>(&self, frame: &[P], valid: &[bool], at: usize) -> Option<Integral> {
        let (mut inside, mut ring) = ((0.0f64, 0.0f64, 0.0f64), (0.0f64, 0.0f64, 0.0f64));
        for (other, distance) in self.square(at, self.search.outer_radius) {
            if valid.is_empty() || valid[other] {
                let value = frame[other].value() as f64;
                let sums = if distance <= self.search.radius { &mut inside } else { &mut ring };
                *sums = (sums.0 + 1.0, sums.1 + value, sums.2 + self.noise.variance(value));
            }
        }
        let ((n, sum, variance), (m, around, variance_around)) = (inside, ring);
        let variance = variance + (n / m).powi(2) * variance_around;
        let background = around / m;
        (m > 0.0 && variance > 0.0).then(|| Integral {
            intensity: sum - n * background,
            sigma: variance.sqrt(),
            centroid: self.centroid(frame, valid, at, background),
        })
    }

    fn centroid<P: Pixel>(&self, frame: &[P], valid: &[bool], at: usize, background: f64) -> Option<(f64, f64)> {
        let counted = self.square(at, self.search.radius).filter(|(other, _)| valid.is_empty() || valid[*other]);
        let (weights, row, column) = counted.fold((0.0, 0.0, 0.0), |(weights, row, column), (other, _)| {
            let weight = (frame[other].value() as f64 - background).max(0.0);
            let (r, c) = ((other / self.shape.width) as f64, (other % self.shape.width) as f64);
            (weights + weight, row + weight * r, column + weight * c)
        });
        (weights > 0.0).then(|| (row / weights, column / weights))
    }

    fn is_near(&self, at: usize, peaks: &[(usize, Integral)]) -> bool {
        let (radius, width) = (self.search.radius, self.shape.width);
        // Peaks are in the order of their places: only those of these rows may be near.
        let first = peaks.partition_point(|(other, _)| other / width + radius < at / width);
        let rows = peaks[first..].iter().take_while(|(other, _)| other / width <= at / width + radius);
        rows.into_iter().any(|(other, _)| (other % width).abs_diff(at % width) <= radius)
    }
}
