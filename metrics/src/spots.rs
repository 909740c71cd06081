//! What a threshold took from spots: hits that are lost, charge, centroids.

use crate::fixed::FixedSum;
use crate::{Pixel, Shape, statistics};

/// Frames with a larger part of pixels above 0 have no spots.
const MAX_BRIGHT: f64 = 0.25;

const N_CLASSES: usize = 33;

/// Spots of x: pixels above 0 that touch each other, also at corners. Classes by the brightest pixel of a spot: 1, 2 and 3, 4 to 7, …
///
/// | metric | definition |
/// |---|---|
/// | lost | no pixel of it is above 0 in y |
/// | charge lost | the mean over spots of 1 − Σy / Σx |
/// | centroid shift | the distance of the centroids (weights x; y) in pixels, of those that are not lost |
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spots {
    classes: Vec<Class>,
    n_frames: u64,
    n_frames_too_bright: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Class {
    n: u64,
    n_lost: u64,
    charge: i128,
    charge_after: i128,
    share_lost: FixedSum,
    shift: FixedSum,
    max_shift: f64,
}

/// Spots of one class.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct SpotClass {
    /// The brightest pixel of the spots: from, and to.
    pub peak: (u64, u64),
    /// Spots.
    pub n: u64,
    /// Those that are lost.
    pub n_lost: u64,
    /// Σy / Σx − 1 over the pixels of all of them.
    pub charge_change: f64,
    /// The mean of each spot's part that is lost.
    pub charge_lost: f64,
    /// The mean shift of centroids, in pixels.
    pub centroid_shift: f64,
    /// The largest one.
    pub max_centroid_shift: f64,
}

/// The numbers of [`Spots`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SpotsReport {
    /// Frames that were examined.
    pub n_frames: u64,
    /// Frames in which more than a quarter of the pixels is above 0.
    pub n_frames_too_bright: u64,
    /// Spots a frame.
    pub spots_per_frame: f64,
    /// Spots that are lost, of all.
    pub n_lost: u64,
    /// The classes that have spots.
    pub classes: Vec<SpotClass>,
}

impl SpotsReport {
    /// Which spots are lost.
    #[must_use]
    pub fn text(&self) -> String {
        let lossy = self.classes.iter().filter(|class| class.n_lost > 0);
        let lost: Vec<String> = lossy
            .map(|class| format!("{} of {} with a peak of {} to {}", class.n_lost, class.n, class.peak.0, class.peak.1))
            .collect();
        if lost.is_empty() { "no spot is lost".into() } else { format!("spots lost: {}", lost.join(", ")) }
    }
}

impl Spots {
    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, shape: Shape, x: &[P], y: &[P], valid: &[bool]) {
        self.classes.resize(N_CLASSES, Class::default());
        let zero = P::default();
        let mut is_open: Vec<bool> = x.iter().map(|x| *x > zero).collect();
        is_open.iter_mut().zip(valid).for_each(|(is_open, valid)| *is_open &= valid);
        let n_bright = is_open.iter().filter(|is_open| **is_open).count();
        if n_bright as f64 > MAX_BRIGHT * x.len() as f64 {
            self.n_frames_too_bright += 1;
            return;
        }
        self.n_frames += 1;
        let mut spot = Vec::new();
        for first in 0..x.len() {
            if is_open[first] {
                collect(shape, first, &mut is_open, &mut spot);
                self.add_spot(shape, x, y, &spot);
            }
        }
    }

    fn add_spot<P: Pixel>(&mut self, shape: Shape, x: &[P], y: &[P], spot: &[usize]) {
        let sums = |frame: &[P]| {
            spot.iter().fold((0.0, 0.0, 0.0, 0i128), |(row, column, weights, charge), at| {
                let (value, weight) = (frame[*at].value(), frame[*at].value().max(0) as f64);
                let (r, c) = ((at / shape.width) as f64, (at % shape.width) as f64);
                (row + weight * r, column + weight * c, weights + weight, charge + i128::from(value))
            })
        };
        let peak = spot.iter().map(|at| x[*at].value()).max().unwrap_or(1);
        let ((row, column, before, charge), (row_after, column_after, after, charge_after)) = (sums(x), sums(y));
        let class = &mut self.classes[peak.ilog2() as usize];
        class.n += 1;
        class.charge += charge;
        class.charge_after += charge_after;
        class.share_lost.add(1.0 - charge_after as f64 / charge as f64);
        if after <= 0.0 {
            class.n_lost += 1;
            return;
        }
        let shift = (row / before - row_after / after).hypot(column / before - column_after / after);
        class.shift.add(shift);
        class.max_shift = class.max_shift.max(shift);
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.classes.resize(N_CLASSES, Class::default());
        for (class, other) in self.classes.iter_mut().zip(&other.classes) {
            class.n += other.n;
            class.n_lost += other.n_lost;
            class.charge += other.charge;
            class.charge_after += other.charge_after;
            class.share_lost.merge(other.share_lost);
            class.shift.merge(other.shift);
            class.max_shift = class.max_shift.max(other.max_shift);
        }
        self.n_frames += other.n_frames;
        self.n_frames_too_bright += other.n_frames_too_bright;
    }

    /// The numbers; `None` where there were no spots.
    #[must_use]
    pub fn report(&self) -> Option<SpotsReport> {
        let n: u64 = self.classes.iter().map(|class| class.n).sum();
        let filled = self.classes.iter().enumerate().filter(|(_, class)| class.n > 0);
        (n > 0).then(|| SpotsReport {
            n_frames: self.n_frames,
            n_frames_too_bright: self.n_frames_too_bright,
            spots_per_frame: n as f64 / self.n_frames as f64,
            n_lost: self.classes.iter().map(|class| class.n_lost).sum(),
            classes: filled.map(|(octave, class)| class.report(octave)).collect(),
        })
    }
}

impl Class {
    fn report(&self, octave: usize) -> SpotClass {
        SpotClass {
            peak: (1 << octave, (2 << octave) - 1),
            n: self.n,
            n_lost: self.n_lost,
            charge_change: self.charge_after as f64 / self.charge as f64 - 1.0,
            charge_lost: statistics::quotient(self.share_lost.value(), self.n as f64),
            centroid_shift: statistics::quotient(self.shift.value(), (self.n - self.n_lost) as f64),
            max_centroid_shift: self.max_shift,
        }
    }
}

/// The pixels that are connected with `first`, which are closed.
pub(crate) fn collect(shape: Shape, first: usize, is_open: &mut [bool], spot: &mut Vec<usize>) {
    spot.clear();
    spot.push(first);
    is_open[first] = false;
    let mut next = 0;
    while let Some(at) = spot.get(next).copied() {
        next += 1;
        let (row, column) = (at / shape.width, at % shape.width);
        for r in row.saturating_sub(1)..(row + 2).min(shape.height) {
            for c in column.saturating_sub(1)..(column + 2).min(shape.width) {
                let neighbour = r * shape.width + c;
                if std::mem::take(&mut is_open[neighbour]) {
                    spot.push(neighbour);
                }
            }
        }
    }
}
