//! XPCS: the correlation of intensities in time.

use std::collections::VecDeque;
use std::ops::Range;

use crate::{Error, Pixel, Result, Shape};

/// Frames that a level correlates with.
const LEVEL_LAGS: usize = 16;

/// Levels: lags of up to 2^19 · 16 frames.
const MAX_LEVELS: usize = 20;

/// Pixels of all labels that are followed: they bound the memory, to 2 · 16 · 20 · 8 bytes each.
const MAX_PIXELS: usize = 1 << 16;

/// Labels that there may be.
const MAX_LABELS: usize = 4096;

/// A point of a fit is above this part of the first one.
const FIT_FROM: f64 = 0.2;

/// g2(τ) = ⟨ ⟨I(t) I(t + τ)⟩ / (⟨I(t)⟩ ⟨I(t + τ)⟩) ⟩, the inner means over the pixels of a label, the outer one over t, in multiple-tau form: 16 lags
/// of one frame, then 8 of two frames that are summed, of four, and so on.
///
/// | metric | definition |
/// |---|---|
/// | contrast, correlation time | β and τc of g2 − 1 = β exp(−2 τ / τc): a line through the logarithm of those points from the first on that are above a fifth of it |
///
/// Frames are added in their order. Up to 65536 pixels are followed, spread over each label. A pixel that does not count in a frame has the mean of its label there.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    labels: Vec<Label>,
    places: Vec<usize>,
    /// Of x and y.
    levels: [Vec<Level>; 2],
}

#[derive(Debug, Clone, PartialEq)]
struct Label {
    number: u32,
    pixels: Range<usize>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Level {
    frames: VecDeque<Frame>,
    /// The first of two frames that are summed for the next level.
    half: Option<Vec<f64>>,
    /// Of each lag and label: the sum of correlations, and how many.
    sums: Vec<(f64, u64)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Frame {
    pixels: Vec<f64>,
    /// Of each label.
    means: Vec<f64>,
}

/// A point of g2.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct G2 {
    /// τ, in frames.
    pub lag: u64,
    /// g2 of x.
    pub before: f64,
    /// g2 of y.
    pub after: f64,
}

/// What is fitted to g2.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Decay {
    /// β.
    pub contrast: f64,
    /// τc in frames.
    pub time: f64,
}

/// The numbers of a label.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LabelReport {
    /// Its number.
    pub label: u32,
    /// Pixels that are followed.
    pub n_pixels: usize,
    /// g2.
    pub g2: Vec<G2>,
    /// β and τc of x; `None` where nothing decays.
    pub before: Option<Decay>,
    /// β and τc of y.
    pub after: Option<Decay>,
}

impl Correlation {
    /// For frames of this shape; `labels` has a number for each pixel, 0 for those that do not count.
    ///
    /// # Errors
    /// [`Error::Setting`] for labels of another size, and where all are 0.
    pub fn new(shape: Shape, labels: &[u32]) -> Result<Self> {
        let mut labelled: Vec<(u32, usize)> =
            labels.iter().enumerate().filter(|(_, label)| **label > 0).map(|(at, label)| (*label, at)).collect();
        if labels.len() != shape.n_pixels() || labelled.is_empty() {
            return Err(Error::Setting(format!(
                "{} labels, of which {} are not 0, for frames of {} x {}: there must be one for each pixel, and one that is not 0",
                labels.len(),
                labelled.len(),
                shape.height,
                shape.width
            )));
        }
        labelled.sort_unstable();
        let n_labels = labelled.chunk_by(|a, b| a.0 == b.0).count();
        if n_labels > MAX_LABELS {
            return Err(Error::Setting(format!("there are {n_labels} labels: there may be {MAX_LABELS}")));
        }
        let step = labelled.len().div_ceil(MAX_PIXELS);
        let (mut groups, mut places): (Vec<Label>, Vec<usize>) = (Vec::new(), Vec::new());
        for group in labelled.chunk_by(|a, b| a.0 == b.0) {
            let first = places.len();
            places.extend(group.iter().step_by(step).map(|(_, at)| *at));
            groups.push(Label { number: group[0].0, pixels: first..places.len() });
        }
        Ok(Self { labels: groups, places, levels: [Vec::new(), Vec::new()] })
    }

    /// Adds the next frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        for (levels, frame) in self.levels.iter_mut().zip([x, y]) {
            let pixels = followed(&self.labels, &self.places, frame, valid);
            push(levels, 0, pixels, &self.labels);
        }
    }

    /// The numbers of each label.
    #[must_use]
    pub fn report(&self) -> Vec<LabelReport> {
        (0..self.labels.len()).map(|label| self.of_label(label)).collect()
    }

    fn of_label(&self, label: usize) -> LabelReport {
        let n_labels = self.labels.len();
        let mut g2 = Vec::new();
        for (level, (x, y)) in self.levels[0].iter().zip(&self.levels[1]).enumerate() {
            for lag in first_lag(level)..=LEVEL_LAGS {
                let at = (lag - 1) * n_labels + label;
                let (Some((before, n)), Some((after, m))) = (x.sums.get(at), y.sums.get(at)) else { continue };
                if *n > 0 && *m > 0 {
                    let lag = (lag as u64) << level;
                    g2.push(G2 { lag, before: before / *n as f64, after: after / *m as f64 });
                }
            }
        }
        let of = |value: fn(&G2) -> f64| decay(&g2.iter().map(|g2| (g2.lag as f64, value(g2))).collect::<Vec<_>>());
        let (before, after) = (of(|g2| g2.before), of(|g2| g2.after));
        let Label { number, pixels } = &self.labels[label];
        LabelReport { label: *number, n_pixels: pixels.len(), g2, before, after }
    }
}

/// Lags that the level before has are left out.
fn first_lag(level: usize) -> usize {
    if level == 0 { 1 } else { LEVEL_LAGS / 2 + 1 }
}

/// The pixels that are followed; those that do not count have the mean of the others.
fn followed<P: Pixel>(labels: &[Label], places: &[usize], frame: &[P], valid: &[bool]) -> Vec<f64> {
    let mut pixels: Vec<f64> = places.iter().map(|at| frame[*at].value() as f64).collect();
    if valid.is_empty() {
        return pixels;
    }
    for label in labels {
        let counts = || places[label.pixels.clone()].iter().map(|at| valid[*at]);
        let group = &mut pixels[label.pixels.clone()];
        let (sum, n) = group
            .iter()
            .zip(counts())
            .filter(|(_, counts)| *counts)
            .fold((0.0, 0.0), |(sum, n), (value, _)| (sum + value, n + 1.0));
        let mean = if n > 0.0 { sum / n } else { 0.0 };
        group.iter_mut().zip(counts()).filter(|(_, counts)| !counts).for_each(|(value, _)| *value = mean);
    }
    pixels
}

fn push(levels: &mut Vec<Level>, at: usize, pixels: Vec<f64>, labels: &[Label]) {
    if levels.len() == at {
        levels.push(Level { sums: vec![(0.0, 0); LEVEL_LAGS * labels.len()], ..Level::default() });
    }
    let level = &mut levels[at];
    let means = labels.iter().map(|label| mean(&pixels[label.pixels.clone()])).collect();
    let frame = Frame { pixels, means };
    // The newest is the last: it has a lag of 1.
    for (lag, old) in (1..).zip(level.frames.iter().rev()).filter(|(lag, _)| *lag >= first_lag(at)) {
        let sums = &mut level.sums[(lag - 1) * labels.len()..lag * labels.len()];
        for ((sum, label), (now, then)) in sums.iter_mut().zip(labels).zip(frame.means.iter().zip(&old.means)) {
            let both = now * then;
            if both > 0.0 {
                let (now, then) = (&frame.pixels[label.pixels.clone()], &old.pixels[label.pixels.clone()]);
                let product: f64 = now.iter().zip(then).map(|(a, b)| a * b).sum();
                *sum = (sum.0 + product / label.pixels.len() as f64 / both, sum.1 + 1);
            }
        }
    }
    let next = match level.half.take() {
        None => {
            level.half = Some(frame.pixels.clone());
            None
        }
        Some(first) => Some(first.iter().zip(&frame.pixels).map(|(a, b)| a + b).collect()),
    };
    level.frames.push_back(frame);
    if level.frames.len() > LEVEL_LAGS {
        level.frames.pop_front();
    }
    if let Some(next) = next.filter(|_| at + 1 < MAX_LEVELS) {
        push(levels, at + 1, next, labels);
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// β and τc of points (τ, g2).
fn decay(points: &[(f64, f64)]) -> Option<Decay> {
    let first = points.first()?.1 - 1.0;
    let fitted: Vec<(f64, f64)> = points
        .iter()
        .map(|(lag, g2)| (*lag, g2 - 1.0))
        .take_while(|(_, excess)| first > 0.0 && *excess > FIT_FROM * first)
        .map(|(lag, excess)| (lag, excess.ln()))
        .collect();
    let n = fitted.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| fitted.iter().map(of).sum::<f64>();
    let (x, y, xx, xy) = (sum(|p| p.0), sum(|p| p.1), sum(|p| p.0 * p.0), sum(|p| p.0 * p.1));
    let slope = (n * xy - x * y) / (n * xx - x * x);
    (slope < 0.0).then(|| Decay { contrast: ((y - slope * x) / n).exp(), time: -2.0 / slope })
}
