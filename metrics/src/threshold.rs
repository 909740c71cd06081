//! What a threshold takes away, for several thresholds at once: of all counts, and of spots.

use crate::spots::collect;
use crate::{Shape, Spots, SpotsReport};

/// What each threshold of a sweep makes of frames x, from which the dark image was subtracted: pixels below it become 0.
///
/// Spots are found in x, the same for all thresholds: pixels above `floor` that touch each other, also at corners, of which one has at least
/// `peak`. What is lost of them is said by [`Spots`].
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdSweep {
    floor: i32,
    peak: i32,
    n_frames: u64,
    n_pixels: u64,
    counts: i128,
    levels: Vec<Level>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Level {
    threshold: i32,
    n_bright: u64,
    counts_kept: i128,
    spots: Spots,
}

/// What one threshold takes away.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ThresholdLevel {
    /// The smallest value that is kept.
    pub threshold: i32,
    /// Pixels that are kept, of all.
    pub bright: f64,
    /// Σ of the positive pixels that are set to 0, of the Σ of all positive pixels: dark noise, too.
    pub counts_lost: f64,
    /// What is lost of spots, by their brightest pixel; `None` where there are no spots.
    pub spots: Option<SpotsReport>,
}

/// The numbers of [`ThresholdSweep`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ThresholdReport {
    /// Frames.
    pub n_frames: u64,
    /// A spot has pixels above this,
    pub floor: i32,
    /// and one of at least this.
    pub peak: i32,
    /// By the thresholds, in the order in which they were given.
    pub levels: Vec<ThresholdLevel>,
}

impl ThresholdSweep {
    /// A sweep over these thresholds; spots are those above `floor`, which is not negative, with a pixel of at least `peak`.
    #[must_use]
    pub fn new(thresholds: &[i32], floor: i32, peak: i32) -> Self {
        let level = |threshold: &i32| Level { threshold: *threshold, ..Level::default() };
        let levels = thresholds.iter().map(level).collect();
        Self { floor: floor.max(0), peak: peak.max(1), n_frames: 0, n_pixels: 0, counts: 0, levels }
    }

    /// Adds a frame of `shape`.
    pub fn add(&mut self, shape: Shape, x: &[i32]) {
        let positive = |x: &&i32| **x > 0;
        self.n_frames += 1;
        self.n_pixels += x.len() as u64;
        self.counts += x.iter().filter(positive).map(|x| i128::from(*x)).sum::<i128>();
        let spots = self.spots(shape, x);
        let mut after = vec![0; x.len()];
        for level in &mut self.levels {
            let kept = x.iter().filter(|x| **x >= level.threshold);
            let (n, sum) = kept.fold((0, 0_i128), |(n, sum), x| (n + 1, sum + i128::from((*x).max(0))));
            level.n_bright += n;
            level.counts_kept += sum;
            for (after, before) in after.iter_mut().zip(&spots) {
                *after = if *before >= level.threshold { *before } else { 0 };
            }
            level.spots.add(shape, &spots, &after, &[]);
        }
    }

    /// The pixels of spots; 0 elsewhere.
    fn spots(&self, shape: Shape, x: &[i32]) -> Vec<i32> {
        let mut is_open: Vec<bool> = x.iter().map(|x| *x > self.floor).collect();
        let (mut spots, mut spot) = (vec![0; x.len()], Vec::new());
        for first in 0..x.len() {
            // A spot is found from its peak, so that the rest of the frame is left alone.
            if x[first] >= self.peak && is_open[first] {
                collect(shape, first, &mut is_open, &mut spot);
                spot.iter().for_each(|at| spots[*at] = x[*at]);
            }
        }
        spots
    }

    /// Adds what another one of the same sweep has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.n_pixels += other.n_pixels;
        self.counts += other.counts;
        for (level, other) in self.levels.iter_mut().zip(&other.levels) {
            level.n_bright += other.n_bright;
            level.counts_kept += other.counts_kept;
            level.spots.merge(&other.spots);
        }
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> ThresholdReport {
        let part = |n: f64, of: f64| if of > 0.0 { n / of } else { 0.0 };
        let level = |level: &Level| ThresholdLevel {
            threshold: level.threshold,
            bright: part(level.n_bright as f64, self.n_pixels as f64),
            counts_lost: part((self.counts - level.counts_kept) as f64, self.counts as f64),
            spots: level.spots.report(),
        };
        let levels = self.levels.iter().map(level).collect();
        ThresholdReport { n_frames: self.n_frames, floor: self.floor, peak: self.peak, levels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { height: 40, width: 60 };

    /// A spot of 3 x 3 pixels: `peak` in the middle, 40 % beside it, 16 % at the corners, and a pixel more to the right.
    fn draw(frame: &mut [i32], row: usize, column: usize, peak: i32, beside: i32) {
        for (r, c) in (0..3).flat_map(|r| (0..3).map(move |c| (r, c))) {
            let part = [100, 40, 16][usize::from(r != 1) + usize::from(c != 1)];
            frame[(row + r) * SHAPE.width + column + c] = peak * part / 100;
        }
        frame[(row + 1) * SHAPE.width + column + 3] = beside;
    }

    #[test]
    fn what_is_lost_of_spots_of_known_charge_is_found() {
        let mut frame = vec![0; SHAPE.n_pixels()];
        draw(&mut frame, 5, 5, 100, 0);
        draw(&mut frame, 5, 20, 100, 8);
        draw(&mut frame, 20, 5, 1000, 0);
        // Not bright enough to be a spot.
        frame[39 * 60 + 59] = 6;
        let mut sweep = ThresholdSweep::new(&[1, 10, 20, 50, 101, 2000], 0, 10);
        sweep.add(SHAPE, &frame);
        let mut twice = ThresholdSweep::new(&[1, 10, 20, 50, 101, 2000], 0, 10);
        twice.merge(&sweep);
        twice.merge(&sweep);
        let (report, double) = (sweep.report(), twice.report());
        assert_eq!(
            report.levels.iter().map(|level| level.bright).collect::<Vec<_>>(),
            double.levels.iter().map(|level| level.bright).collect::<Vec<_>>()
        );
        let class = |level: usize, at: usize| report.levels[level].spots.as_ref().expect("spots").classes[at];
        let of = |level: usize| {
            (
                class(level, 0).charge_change,
                class(level, 0).n_lost,
                class(level, 1).charge_change,
                class(level, 1).n_lost,
            )
        };
        // Of one spot of 100: 324 counts; the other has 8 more. The large one has 3240.
        let (both, large) = (324.0 + 332.0, 3240.0);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        for (level, kept, lost, kept_large, lost_large) in [
            (0, both, 0, large, 0),
            (1, 648.0, 0, large, 0),
            (2, 520.0, 0, large, 0),
            (3, 200.0, 0, large, 0),
            (4, 0.0, 2, 1000.0 + 1600.0 + 640.0, 0),
            (5, 0.0, 2, 0.0, 1),
        ] {
            let found = of(level);
            assert!(near(found.0, kept / both - 1.0) && near(found.2, kept_large / large - 1.0), "{level}: {found:?}");
            assert_eq!((found.1, found.3), (lost, lost_large), "{level}");
        }
        // Without the 8 counts two pixels beside its middle, the second spot's centroid is where its middle is.
        let shift = 8.0 * 2.0 / 332.0;
        assert!(near(class(1, 0).max_centroid_shift, shift) && near(class(0, 0).max_centroid_shift, 0.0));
        let all = both + large + 6.0;
        assert!(near(report.levels[1].counts_lost, (8.0 + 6.0) / all) && near(report.levels[5].counts_lost, 1.0));
        assert!(near(report.levels[4].bright, 9.0 / 2400.0) && near(report.levels[0].bright, 29.0 / 2400.0));
    }

    #[test]
    fn noise_below_the_floor_is_no_spot_and_no_part_of_one() {
        let mut frame: Vec<i32> = (0..2400).map(|at| at * 7919 % 9 - 4).collect();
        draw(&mut frame, 5, 5, 500, 0);
        let mut sweep = ThresholdSweep::new(&[5], 4, 20);
        sweep.add(SHAPE, &frame);
        let spots = sweep.report().levels.remove(0).spots.expect("one");
        assert_eq!((spots.classes.len(), spots.classes[0].n, spots.classes[0].charge_change), (1, 1, 0.0));
    }
}
