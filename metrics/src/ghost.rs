//! A ghost of the frame before: errors that follow the noise of another frame.
//!
//! A codec that predicts from the frame before may leave a part of it in each frame, within its bound. Then e(t) goes with x(t−1) and not with x(t+1). An error
//! that depends on x(t) alone, as that of any quantiser does, goes with neither. So s = (e(t) − ē) d / max(σ², 1) is summed; |Σs| / √Σs² is small by chance, see
//! [`z_limit`]. Here ē is the mean error of pixels of the same bin of x(t) in the frame: a bias by intensity, which few counts have, is no ghost. And
//! d = 2 (b x(t−1) − a x(t+1)) / (a + b), less its mean over the tile, with the sums a and b of x − offset of the tile before and after: a frame that is
//! empty, or light that jumps, is none either.

use crate::bins::{N_BINS, bin_of};
use crate::tiles::TILE_SIDE;
use crate::{NoiseModel, Pair, Pixel, z_limit};

/// False alarms: one data set in a thousand, half of it for frames and half for tiles.
const ALPHA: f64 = 0.5e-3;

/// Three frames that follow each other.
#[derive(Debug, Clone, Copy)]
pub struct Triple<'a, P> {
    /// x of the frame before.
    pub previous: &'a [P],
    /// The frame.
    pub pair: Pair<'a, P>,
    /// x of the frame after.
    pub next: &'a [P],
}

/// A place where something was found.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Found {
    /// The frame.
    pub frame: u64,
    /// The first row of the tile; `None` where it is the whole frame.
    pub row: Option<usize>,
    /// The first column of the tile.
    pub column: Option<usize>,
    /// Σs / √Σs²: positive for the frame before, negative for the frame after.
    pub z: f64,
}

impl Found {
    fn place(&self) -> (u64, Option<usize>, Option<usize>) {
        (self.frame, self.row, self.column)
    }

    /// The one with the larger |z|; of equal ones the first.
    fn worse(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        let order = self.z.abs().total_cmp(&other.z.abs()).then(other.place().cmp(&self.place()));
        if order.is_ge() { self } else { other }
    }
}

/// Whether errors follow the frame before or after.
#[derive(Debug, Clone, PartialEq)]
pub struct Ghost {
    noise: NoiseModel,
    n_frames: u64,
    n_tiles: u64,
    worst_frame: Option<Found>,
    worst_tile: Option<Found>,
    /// Frames and tiles beyond [`SURELY`].
    strong: Vec<Found>,
}

/// Beyond this all frames and tiles are kept, up to [`MAX_KEPT`]; the limit is never lower.
const SURELY: f64 = 4.0;
const MAX_KEPT: usize = 1000;

/// The numbers of [`Ghost`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct GhostReport {
    /// Frames that were examined, and tiles of them.
    pub n_frames: u64,
    /// Tiles.
    pub n_tiles: u64,
    /// What chance does not exceed in a frame, but for one data set in 2000; and in a tile.
    pub limit_frame: f64,
    /// The same for a tile.
    pub limit_tile: f64,
    /// The worst frame.
    pub worst_frame: Option<Found>,
    /// The worst tile.
    pub worst_tile: Option<Found>,
    /// Frames and tiles beyond the limits, in order; at most 1000.
    pub found: Vec<Found>,
}

impl GhostReport {
    /// What was found, and where.
    #[must_use]
    pub fn text(&self) -> String {
        let strongest = self.found.iter().max_by(|a, b| a.z.abs().total_cmp(&b.z.abs()));
        let Some(found) = strongest else { return "no errors that follow another frame".into() };
        let other = if found.z > 0.0 { "before" } else { "after" };
        let place = match (found.row, found.column) {
            (Some(row), Some(column)) => format!("the tile from row {row}, column {column} of frame {}", found.frame),
            _ => format!("frame {}", found.frame),
        };
        format!("errors follow the frame {other}, most of all in {place} (z = {:.1})", found.z)
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

/// Σe and the number of pixels, by the bin of x.
struct MeanErrors(Vec<(i128, i128)>);

impl MeanErrors {
    fn of<P: Pixel>(pair: &Pair<'_, P>, valid: &[bool]) -> Self {
        let mut bins = vec![(0, 0); N_BINS];
        for (at, (x, y)) in pair.x.iter().zip(pair.y).enumerate() {
            if valid.is_empty() || valid[at] {
                let (sum, n) = &mut bins[bin_of(x.value())];
                *sum += i128::from(y.value() - x.value());
                *n += 1;
            }
        }
        Self(bins)
    }

    /// An error less the mean one; exactly 0 where all are the same.
    fn without(&self, x: i64, error: i64) -> f64 {
        let (sum, n) = self.0[bin_of(x)];
        (i128::from(error) * n - sum) as f64 / n as f64
    }
}

impl Ghost {
    /// For a model of the noise.
    #[must_use]
    pub fn new(noise: NoiseModel) -> Self {
        Self { noise, n_frames: 0, n_tiles: 0, worst_frame: None, worst_tile: None, strong: Vec::new() }
    }

    /// Adds a frame with those before and after it. All pixels count where `valid` is empty; it is for all three.
    pub fn add<P: Pixel>(&mut self, frame: u64, triple: &Triple<'_, P>, valid: &[bool]) {
        let shape = triple.pair.shape;
        let errors = MeanErrors::of(&triple.pair, valid);
        let (mut all, mut places) = (Sums::default(), Vec::new());
        for row in (0..shape.height).step_by(TILE_SIDE) {
            for column in (0..shape.width).step_by(TILE_SIDE) {
                places.clear();
                for row in row..(row + TILE_SIDE).min(shape.height) {
                    let pixels = row * shape.width + column..row * shape.width + (column + TILE_SIDE).min(shape.width);
                    places.extend(pixels.filter(|at| valid.is_empty() || valid[*at]));
                }
                let sums = self.tile(triple, &places, &errors);
                (all.s, all.ss) = (all.s + sums.s, all.ss + sums.ss);
                self.n_tiles += 1;
                let found = Found { frame, row: Some(row), column: Some(column), z: sums.z() };
                self.worst_tile = Some(found.worse(self.worst_tile));
                self.keep(found);
            }
        }
        self.n_frames += 1;
        let found = Found { frame, row: None, column: None, z: all.z() };
        self.worst_frame = Some(found.worse(self.worst_frame));
        self.keep(found);
    }

    fn keep(&mut self, found: Found) {
        if found.z.abs() > SURELY {
            self.strong.push(found);
            if self.strong.len() > 2 * MAX_KEPT {
                self.keep_the_first();
            }
        }
    }

    /// The first ones of all frames, in whatever order these came.
    fn keep_the_first(&mut self) {
        self.strong.sort_by_key(Found::place);
        self.strong.truncate(MAX_KEPT);
    }

    fn tile<P: Pixel>(&self, triple: &Triple<'_, P>, places: &[usize], errors: &MeanErrors) -> Sums {
        let pair = &triple.pair;
        let weights = self.weights(triple, places);
        let change =
            |at: usize| weights.0 * triple.previous[at].value() as f64 - weights.1 * triple.next[at].value() as f64;
        let mean = places.iter().map(|at| change(*at)).sum::<f64>() / places.len().max(1) as f64;
        let mut sums = Sums::default();
        for at in places {
            let x = pair.x[*at].value();
            let error = errors.without(x, pair.y[*at].value() - x);
            let s = error * (change(*at) - mean) / self.noise.variance(x as f64).max(1.0);
            (sums.s, sums.ss) = (sums.s + s, sums.ss + s * s);
        }
        sums
    }

    /// What x of the frames before and after is multiplied with, so that both have as much light; 2 in all.
    fn weights<P: Pixel>(&self, triple: &Triple<'_, P>, places: &[usize]) -> (f64, f64) {
        let light = |frame: &[P]| {
            let light = |at: &usize| frame[*at].value() as f64 - self.noise.offset;
            places.iter().map(light).sum::<f64>().max(0.0)
        };
        let (before, after) = (light(triple.previous), light(triple.next));
        let all = before + after;
        if all > 0.0 { (2.0 * after / all, 2.0 * before / all) } else { (1.0, 1.0) }
    }

    /// Adds what another one has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.n_tiles += other.n_tiles;
        let worse = |found: Option<Found>, other: Option<Found>| found.map(|found| found.worse(other)).or(other);
        self.worst_frame = worse(self.worst_frame, other.worst_frame);
        self.worst_tile = worse(self.worst_tile, other.worst_tile);
        self.strong.extend(&other.strong);
        self.keep_the_first();
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> GhostReport {
        let limits = (z_limit(self.n_frames, ALPHA), z_limit(self.n_tiles, ALPHA));
        let limit = |found: &Found| if found.row.is_none() { limits.0 } else { limits.1 };
        let mut found: Vec<Found> = self.strong.iter().filter(|found| found.z.abs() > limit(found)).copied().collect();
        found.sort_by_key(Found::place);
        found.truncate(MAX_KEPT);
        GhostReport {
            n_frames: self.n_frames,
            n_tiles: self.n_tiles,
            limit_frame: limits.0,
            limit_tile: limits.1,
            worst_frame: self.worst_frame,
            worst_tile: self.worst_tile,
            found,
        }
    }
}
