//! Electron spots: where they fall, how bright they are, and how they are drawn.
//!
//! A spot is what a camera sees of one electron on a phosphor screen after microchannel plates: a Gaussian of deviation
//! 0.8 to 1.2 pixels at any sub-pixel position, its height gamma-distributed (pulse-height distribution of the plates).
//! Electrons lie on the projections of velocity spheres, brighter along the polarisation axis (vertical), and some
//! anywhere between.

use crate::math;
use crate::rng::Rng;
use crate::{CameraPixel, Shape};

/// Pixels from a spot's centre that are still drawn.
const REACH: usize = 5;
const TAPS: usize = 2 * REACH + 1;
/// Positions inside a pixel that are told apart, and deviations.
const POSITIONS: usize = 16;
const DEVIATIONS: usize = 5;
const ONE: i32 = 1 << 14;

/// Mean height of a spot's centre in counts.
const MEAN_HEIGHT: f64 = 600.0;
/// The largest pixel of a 12-bit camera.
pub(crate) const SATURATION: i32 = 4095;

/// Radii of the velocity spheres as a part of half the frame, their share of the electrons, and their anisotropy.
const RINGS: [(f64, f64, f64); 4] = [(0.22, 0.20, 0.3), (0.47, 0.30, 1.6), (0.72, 0.25, 0.9), (0.88, 0.15, -0.5)];
const RING_WIDTH: f64 = 0.008;

/// One-dimensional Gaussian profiles in units of 2^-14, for every deviation and position inside a pixel. A spot is the
/// product of two.
#[derive(Debug, Clone)]
pub(crate) struct Spots {
    profiles: Vec<[i32; TAPS]>,
}

impl Spots {
    pub(crate) fn new() -> Self {
        let profile = |i: usize| {
            let deviation = 0.8 + 0.1 * (i / POSITIONS) as f64;
            let centre = REACH as f64 + (i % POSITIONS) as f64 / POSITIONS as f64 - 0.5;
            std::array::from_fn(|tap| {
                let distance = (tap as f64 - centre) / deviation;
                (math::exp(-0.5 * distance * distance) * f64::from(ONE)).round() as i32
            })
        };
        Self { profiles: (0..DEVIATIONS * POSITIONS).map(profile).collect() }
    }

    /// Draws one random spot into `frame`, saturating at 12 bits. What falls outside the frame is lost.
    pub(crate) fn draw<P: CameraPixel>(&self, frame: &mut [P], (height, width): Shape, rng: &mut Rng) {
        let (y, x) = place(rng);
        let peak = ((rng.exponential() + rng.exponential()) * 0.5 * MEAN_HEIGHT) as i32;
        let deviation = rng.below(DEVIATIONS) * POSITIONS;
        let rows = self.profiles[deviation + rng.below(POSITIONS)];
        let columns = self.profiles[deviation + rng.below(POSITIONS)];
        let half = height.min(width) as f64 / 2.0;
        let top = (height as f64 / 2.0 + y * half) as i64 - REACH as i64;
        let left = (width as f64 / 2.0 + x * half) as i64 - REACH as i64;
        for (row, row_part) in (top..).zip(rows) {
            let scale = (peak.min(4 * SATURATION) * row_part) >> 14;
            if row < 0 || row >= height as i64 || scale == 0 {
                continue;
            }
            let start = row as usize * width;
            for (column, column_part) in (left..).zip(columns) {
                if column >= 0 && column < width as i64 {
                    let pixel = &mut frame[start + column as usize];
                    *pixel = P::from_counts((pixel.counts() + ((scale * column_part) >> 14)).min(SATURATION));
                }
            }
        }
    }
}

/// Where an electron lands: (y, x) in units of half the frame, from its middle.
fn place(rng: &mut Rng) -> (f64, f64) {
    let mut share = rng.uniform();
    for (radius, part, anisotropy) in RINGS {
        if share < part {
            let [x, y, _] = anisotropic_direction(anisotropy, rng);
            let radius = radius + RING_WIDTH * rng.normal();
            return (y * radius, x * radius);
        }
        share -= part;
    }
    let [x, y, _] = rng.direction();
    let radius = 0.97 * rng.uniform().sqrt();
    (y * radius, x * radius)
}

/// A direction with the probability 1 + β·P2(y): the angular distribution of photoelectrons.
fn anisotropic_direction(beta: f64, rng: &mut Rng) -> [f64; 3] {
    let most = if beta > 0.0 { 1.0 + beta } else { 1.0 - beta / 2.0 };
    loop {
        let direction = rng.direction();
        let legendre = (3.0 * direction[1] * direction[1] - 1.0) / 2.0;
        if rng.uniform() * most <= 1.0 + beta * legendre {
            return direction;
        }
    }
}
