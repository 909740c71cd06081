//! A shadow round an outlier: errors near a hot pixel or a bright spot that have a sign.
//!
//! A codec that predicts pixels from their neighbours may pull those round an outlier towards it, or away, within its bound. Round each
//! outlier the errors of the pixels up to 3 away, over σ, are summed, less a third of those 5 to 7 away: what is common to both, as
//! the bias of a quantiser, cancels. |Σs| / √Σs² is small by chance, see [`z_limit`].

use crate::{NoiseModel, Pair, Pixel, z_limit};

/// False alarms: one data set in a thousand.
const ALPHA: f64 = 1e-3;

/// A pixel is an outlier if it is so many σ above those that are [`REACH`] away.
const OUTLIER_SIGMA: f64 = 16.0;

/// The inner ring reaches up to here; the outer one from `OUTER.0` to `OUTER.1`.
const INNER: usize = 3;
const OUTER: (usize, usize) = (5, 7);
const REACH: usize = 5;

/// Outliers of a frame, at most.
const MAX_OUTLIERS: usize = 2000;

/// An outlier.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Outlier {
    /// The frame.
    pub frame: u64,
    /// The row.
    pub row: usize,
    /// The column.
    pub column: usize,
    /// Σs / √Σs² round it.
    pub z: f64,
}

/// A frame's sum.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct ShadowFrame {
    /// The frame.
    pub frame: u64,
    /// Its outliers.
    pub n_outliers: u64,
    /// Σs / √Σs² over all of them; positive where decoded pixels are too bright.
    pub z: f64,
    /// The outlier with the strongest shadow.
    pub worst: Outlier,
}

/// Whether errors round outliers have a sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    noise: NoiseModel,
    n_frames: u64,
    n_outliers: u64,
    worst: Option<ShadowFrame>,
    /// Frames beyond 3: the limit is never lower.
    strong: Vec<ShadowFrame>,
}

const SURELY: f64 = 3.0;
const MAX_KEPT: usize = 1000;

/// The numbers of [`Shadow`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ShadowReport {
    /// Frames that have outliers.
    pub n_frames: u64,
    /// Outliers.
    pub n_outliers: u64,
    /// What chance does not exceed, but for one data set in a thousand.
    pub limit: f64,
    /// The worst frame.
    pub worst: Option<ShadowFrame>,
    /// Frames beyond the limit, in order; at most 1000.
    pub found: Vec<ShadowFrame>,
}

impl ShadowReport {
    /// What was found, and where.
    #[must_use]
    pub fn text(&self) -> String {
        let strongest = self.found.iter().max_by(|a, b| a.z.abs().total_cmp(&b.z.abs()));
        let Some(found) = strongest else { return "no shadows round outliers".into() };
        let (kind, worst) = (if found.z > 0.0 { "too bright" } else { "too dark" }, found.worst);
        format!(
            "pixels round outliers are {kind}, most of all in frame {} (z = {:.1}), at row {}, column {}",
            found.frame, found.z, worst.row, worst.column
        )
    }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    s: f64,
    ss: f64,
}

impl Sums {
    fn z(&self) -> f64 {
        if self.ss > 0.0 { self.s / self.ss.sqrt() } else { 0.0 }
    }
}

impl Shadow {
    /// For a model of the noise.
    #[must_use]
    pub fn new(noise: NoiseModel) -> Self {
        Self { noise, n_frames: 0, n_outliers: 0, worst: None, strong: Vec::new() }
    }

    /// Adds a frame; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, frame: u64, pair: &Pair<'_, P>, valid: &[bool]) {
        let places = self.outliers(pair, valid);
        let mut is_used = if places.is_empty() { Vec::new() } else { vec![false; pair.x.len()] };
        // An outlier's own error is not part of another one's ring.
        places.iter().for_each(|at| is_used[*at] = true);
        let (mut all, mut worst) = (Sums::default(), None::<Outlier>);
        for at in &places {
            let sums = self.round(pair, valid, *at, &mut is_used);
            (all.s, all.ss) = (all.s + sums.s, all.ss + sums.ss);
            let (row, column) = (at / pair.shape.width, at % pair.shape.width);
            let outlier = Outlier { frame, row, column, z: sums.z() };
            if worst.is_none_or(|worst| outlier.z.abs() > worst.z.abs()) {
                worst = Some(outlier);
            }
        }
        let Some(worst) = worst else { return };
        self.n_frames += 1;
        self.n_outliers += places.len() as u64;
        self.take(ShadowFrame { frame, n_outliers: places.len() as u64, z: all.z(), worst });
    }

    fn take(&mut self, found: ShadowFrame) {
        let is_worse =
            |old: ShadowFrame| found.z.abs().total_cmp(&old.z.abs()).then(old.frame.cmp(&found.frame)).is_gt();
        if self.worst.is_none_or(is_worse) {
            self.worst = Some(found);
        }
        if found.z.abs() > SURELY {
            self.strong.push(found);
            if self.strong.len() > 2 * MAX_KEPT {
                self.keep_the_first();
            }
        }
    }

    /// The first ones of all frames, in whatever order these came.
    fn keep_the_first(&mut self) {
        self.strong.sort_by_key(|found| found.frame);
        self.strong.truncate(MAX_KEPT);
    }

    /// Pixels far above those around them, and the highest of their neighbourhood.
    fn outliers<P: Pixel>(&self, pair: &Pair<'_, P>, valid: &[bool]) -> Vec<usize> {
        let (height, width) = (pair.shape.height, pair.shape.width);
        let mut found = Vec::new();
        for row in REACH..height.saturating_sub(REACH) {
            for at in row * width + REACH..((row + 1) * width).saturating_sub(REACH) {
                let (x, left, right) = (pair.x[at], pair.x[at - REACH], pair.x[at + REACH]);
                let is_far = x > left && x > right && self.is_far(pair, at);
                if is_far && (valid.is_empty() || valid[at]) && is_highest(pair, at) {
                    found.push(at);
                    if found.len() == MAX_OUTLIERS {
                        return found;
                    }
                }
            }
        }
        found
    }

    fn is_far<P: Pixel>(&self, pair: &Pair<'_, P>, at: usize) -> bool {
        let away = REACH * pair.shape.width;
        let around = [at - REACH, at + REACH, at - away, at + away].map(|at| pair.x[at].value());
        let most = around.into_iter().max().unwrap_or(0) as f64;
        pair.x[at].value() as f64 > most + OUTLIER_SIGMA * self.noise.sigma(most).max(1.0)
    }

    fn round<P: Pixel>(&self, pair: &Pair<'_, P>, valid: &[bool], at: usize, is_used: &mut [bool]) -> Sums {
        let (height, width) = (pair.shape.height, pair.shape.width);
        let (row, column) = (at / width, at % width);
        let (mut inner, mut outer) = ((Sums::default(), 0.0), (Sums::default(), 0.0));
        for r in row.saturating_sub(OUTER.1)..(row + OUTER.1 + 1).min(height) {
            for c in column.saturating_sub(OUTER.1)..(column + OUTER.1 + 1).min(width) {
                let (distance, place) = (r.abs_diff(row).max(c.abs_diff(column)), r * width + c);
                let ring = if distance <= INNER { &mut inner } else { &mut outer };
                let is_between = distance > INNER && distance < OUTER.0;
                if is_between || is_used[place] || !(valid.is_empty() || valid[place]) {
                    continue;
                }
                is_used[place] = true;
                let x = pair.x[place].value();
                let s = (pair.y[place].value() - x) as f64 / self.noise.sigma(x as f64).max(1.0);
                (ring.0.s, ring.0.ss, ring.1) = (ring.0.s + s, ring.0.ss + s * s, ring.1 + 1.0);
            }
        }
        let weight = if outer.1 > 0.0 { inner.1 / outer.1 } else { 0.0 };
        // A ring that another outlier has used up would leave nothing to compare with.
        if weight == 0.0 || weight > 1.0 {
            return Sums::default();
        }
        Sums { s: inner.0.s - weight * outer.0.s, ss: inner.0.ss + weight * weight * outer.0.ss }
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.n_outliers += other.n_outliers;
        let strong = std::mem::take(&mut self.strong);
        other.worst.into_iter().for_each(|worst| self.take(worst));
        self.strong = strong;
        self.strong.extend(&other.strong);
        self.keep_the_first();
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> ShadowReport {
        let limit = z_limit(self.n_frames, ALPHA);
        let mut found: Vec<ShadowFrame> = self.strong.iter().filter(|found| found.z.abs() > limit).copied().collect();
        found.sort_by_key(|found| found.frame);
        found.truncate(MAX_KEPT);
        ShadowReport { n_frames: self.n_frames, n_outliers: self.n_outliers, limit, worst: self.worst, found }
    }
}

/// Whether no pixel of the 3 x 3 round it is higher, nor as high and before it.
fn is_highest<P: Pixel>(pair: &Pair<'_, P>, at: usize) -> bool {
    let width = pair.shape.width;
    let before = [at - width - 1, at - width, at - width + 1, at - 1];
    let after = [at + 1, at + width - 1, at + width, at + width + 1];
    before.iter().all(|other| pair.x[*other] < pair.x[at]) && after.iter().all(|other| pair.x[*other] <= pair.x[at])
}
