//! Single frames, one function a regime: what detectors deliver, from the easiest to the impossible.
//!
//! All return `height * width` pixels, row by row. Frames of several images are had with a larger height or other seeds.

use crate::camera::Camera;
use crate::rng::{Poisson, Rng};
use crate::spots::SATURATION;
use crate::{Shape, math};

/// The value of a masked pixel in unsigned detector data: all bits set.
pub const MASKED_U32: u32 = u32::MAX;

/// The value of a masked pixel in 16-bit detector data.
pub const MASKED_U16: u16 = u16::MAX;

/// Every pixel 0.
#[must_use]
pub fn all_dark((height, width): Shape) -> Vec<i16> {
    vec![0; height * width]
}

/// Electron spots after dark subtraction and threshold: the fraction `bright` of the pixels, and exact zeros.
/// The usual fractions are 0.001, 0.0056 and 0.055.
#[must_use]
pub fn bright(shape: Shape, bright: f64, seed: u64) -> Vec<i16> {
    let mut frame = all_dark(shape);
    Camera::new(shape, bright, seed).next_thresholded(&mut frame);
    frame
}

/// `n_frames` consecutive frames of [`bright`], one after the other.
#[must_use]
pub fn bright_frames(n_frames: usize, shape: Shape, bright: f64, seed: u64) -> Vec<i16> {
    let n_pixels = shape.0 * shape.1;
    let mut camera = Camera::new(shape, bright, seed);
    let mut frames = vec![0; n_frames * n_pixels];
    frames.chunks_exact_mut(n_pixels.max(1)).for_each(|frame| camera.next_thresholded(frame));
    frames
}

/// Exact zeros, and one row in 64 that is bright all along with noise on it: runs that end, and rows that have none.
#[must_use]
pub fn hot_rows((height, width): Shape, seed: u64) -> Vec<i16> {
    let mut rng = Rng::new(seed);
    let first = rng.below(64.min(height.max(1)));
    let pixel = |i: usize, rng: &mut Rng| {
        let is_hot = (i / width + 64 - first).is_multiple_of(64);
        if is_hot { 500 + rng.below(200) as i16 } else { 0 }
    };
    (0..height * width).map(|i| pixel(i, &mut rng)).collect()
}

/// Independent Poisson counts of `mean` (0 to 600; the usual ones are 0.02, 1 and 100): a photon-counting detector.
#[must_use]
pub fn poisson_u32((height, width): Shape, mean: f64, seed: u64) -> Vec<u32> {
    let (poisson, mut rng) = (Poisson::new(mean), Rng::new(seed));
    (0..height * width).map(|_| poisson.draw(&mut rng)).collect()
}

/// The counts of [`poisson_u32`] as 16-bit pixels.
#[must_use]
pub fn poisson_u16(shape: Shape, mean: f64, seed: u64) -> Vec<u16> {
    poisson_u32(shape, mean, seed).into_iter().map(|counts| counts as u16).collect()
}

/// Twelve random bits a pixel: nothing compresses them below 12 bits.
#[must_use]
pub fn noise_12bit((height, width): Shape, seed: u64) -> Vec<u16> {
    let mut rng = Rng::new(seed);
    (0..height * width).map(|_| (rng.next_u64() >> 52) as u16).collect()
}

/// Whether a pixel is in a gap between modules of 514 x 1030 pixels, which are 37 rows and 10 columns apart.
fn is_in_gap(y: usize, x: usize) -> bool {
    y % 551 >= 514 || x % 1040 >= 1030
}

/// The pixels that a detector of several modules masks: the gaps between these, and one pixel in 5000 that is dead. A frame of
/// 2167 x 2070 has eight modules, some 251 000 masked pixels, and 2900 runs of them.
#[must_use]
pub fn module_mask((height, width): Shape, seed: u64) -> Vec<bool> {
    let mut rng = Rng::new(seed);
    (0..height * width).map(|i| is_in_gap(i / width, i % width) || rng.below(5000) == 0).collect()
}

/// Photons of `mean` as [`poisson_u16`] has them, and [`MASKED_U16`] where [`module_mask`] is.
#[must_use]
pub fn masked_photons_u16(shape: Shape, mean: f64, seed: u64) -> Vec<u16> {
    let mask = module_mask(shape, seed);
    let photons = poisson_u16(shape, mean, seed);
    photons.into_iter().zip(mask).map(|(counts, is_masked)| if is_masked { MASKED_U16 } else { counts }).collect()
}

/// A macromolecular diffraction still: Poisson background that falls off from the beam, Bragg peaks of a few pixels up to
/// 100 000 counts, and masked pixels ([`MASKED_U32`]): the gaps between modules, the beam stop, some dead ones.
#[must_use]
pub fn mx_frame_u32(shape: Shape, seed: u64) -> Vec<u32> {
    let (height, width) = shape;
    let mut rng = Rng::new(seed);
    // The background in 64 steps of distance from the beam: 40 counts there, 0.3 at the corners.
    let rings: Vec<Poisson> = (0..64).map(|i| Poisson::new(0.3 + 40.0 * math::exp(-f64::from(i) / 9.0))).collect();
    let mut frame: Vec<u32> =
        (0..height * width).map(|i| rings[ring(shape, i / width, i % width)].draw(&mut rng)).collect();
    for _ in 0..height * width / 8000 {
        let (y, x) = (rng.below(height), rng.below(width));
        // Intensities over several decades: the product of exponentials.
        let peak = 400.0 * rng.exponential() * rng.exponential() * rng.exponential() * rng.exponential();
        draw_peak(&mut frame, shape, (y, x), peak);
    }
    for (i, pixel) in frame.iter_mut().enumerate() {
        let (y, x) = (i / width, i % width);
        if is_in_gap(y, x) || (ring(shape, y, x) == 0) || rng.below(20_000) == 0 {
            *pixel = MASKED_U32;
        }
    }
    frame
}

/// [`mx_frame_u32`] as a 16-bit detector gives it: clipped at 65534, masked pixels [`MASKED_U16`].
#[must_use]
pub fn mx_frame_u16(shape: Shape, seed: u64) -> Vec<u16> {
    let to_u16 = |counts: u32| if counts == MASKED_U32 { MASKED_U16 } else { counts.min(65_534) as u16 };
    mx_frame_u32(shape, seed).into_iter().map(to_u16).collect()
}

/// Distance from the middle in 64ths of the half diagonal, 0 to 63.
fn ring((height, width): Shape, y: usize, x: usize) -> usize {
    let (dy, dx) = ((2 * y) as f64 - height as f64, (2 * x) as f64 - width as f64);
    let most = ((height * height + width * width) as f64).sqrt();
    ((dy * dy + dx * dx).sqrt() / most * 64.0).min(63.0) as usize
}

fn draw_peak(frame: &mut [u32], (height, width): Shape, (y, x): (usize, usize), peak: f64) {
    for row in y.saturating_sub(3)..(y + 4).min(height) {
        for column in x.saturating_sub(3)..(x + 4).min(width) {
            let distance = (row.abs_diff(y).pow(2) + column.abs_diff(x).pow(2)) as f64;
            frame[row * width + column] += (peak * math::exp(-distance / 2.4)).min(100_000.0) as u32;
        }
    }
}

/// A tomography projection: flat field of about 40 000 counts, two absorbing cylinders and a sphere, and shot noise
/// (normal, deviation the square root of the counts / 4). Smooth, all bits in use.
#[must_use]
pub fn projection((height, width): Shape, seed: u64) -> Vec<u16> {
    let mut rng = Rng::new(seed);
    let turn = rng.uniform();
    let pixel = |i: usize, rng: &mut Rng| {
        let v = (i / width) as f64 / height as f64 - 0.5;
        let u = (i % width) as f64 / width as f64 - 0.5;
        let cylinder = |centre: f64, radius: f64| (radius * radius - (u - centre).powi(2)).max(0.0).sqrt();
        let sphere = (0.04 - (u + 0.1).powi(2) - v * v).max(0.0).sqrt();
        let path = cylinder(0.3 * turn - 0.15, 0.35) + 2.0 * cylinder(0.25 - 0.4 * turn, 0.06) + 1.5 * sphere;
        let counts = 40_000.0 * (1.0 - 0.2 * u * u) * math::exp(-2.0 * path);
        (counts + rng.normal() * (counts / 4.0).sqrt()).clamp(0.0, 65_535.0) as u16
    };
    (0..height * width).map(|i| pixel(i, &mut rng)).collect()
}

/// Twelve-bit pixels of the camera as they leave it: dark image, noise and spots, nothing subtracted.
#[must_use]
pub fn raw_camera(shape: Shape, bright: f64, seed: u64) -> Vec<u16> {
    let mut frame = vec![0; shape.0 * shape.1];
    Camera::new(shape, bright, seed).next_frame(&mut frame);
    debug_assert!(frame.iter().all(|pixel| i32::from(*pixel) <= SATURATION));
    frame
}
