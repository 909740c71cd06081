//! A simulated velocity-map-imaging camera of 12 bits: electron spots and readout noise on a dark image.
//!
//! A frame is dark image + readout noise + electron spots, clipped to 0..=4095. The dark image is an offset of about 100
//! counts with a column pattern and some warm pixels. The noise has a deviation of 3.5 counts; it comes from a pool of
//! 2^18 precomputed values, read from a random position for each row, so that a frame costs little more than its memory
//! traffic: rows of distant frames may share stretches of noise, which no codec here can see.
//!
//! `bright` is the mean fraction of pixels at or above [`threshold`](Camera::threshold) after dark subtraction; the
//! number of electrons a frame that gives it is found once, by drawing frames (Poisson-distributed around it later).

use crate::Shape;
use crate::rng::{Poisson, Rng};
use crate::spots::Spots;

const THRESHOLD: i16 = 20;
const NOISE_DEVIATION: f64 = 3.5;
const POOL: usize = 1 << 18;
/// Above this many electrons a frame, the Poisson number is drawn as a sum of smaller ones.
const POISSON_STEP: f64 = 200.0;

mod sealed {
    pub trait Sealed {}
    impl Sealed for i16 {}
    impl Sealed for u16 {}
}

/// A pixel type the camera delivers: `i16` or `u16`. The values are the same.
pub trait CameraPixel: Copy + sealed::Sealed {
    /// From counts, 0 to 4095.
    fn from_counts(counts: i32) -> Self;
    /// To counts.
    fn counts(self) -> i32;
}

impl CameraPixel for i16 {
    fn from_counts(counts: i32) -> Self {
        counts as Self
    }
    fn counts(self) -> i32 {
        i32::from(self)
    }
}

impl CameraPixel for u16 {
    fn from_counts(counts: i32) -> Self {
        counts as Self
    }
    fn counts(self) -> i32 {
        i32::from(self)
    }
}

/// The camera: an endless, seeded stream of frames.
#[derive(Debug, Clone)]
pub struct Camera {
    shape: Shape,
    seed: u64,
    next: u64,
    dark: Vec<i16>,
    noise: Vec<i16>,
    spots: Spots,
    electrons_per_frame: f64,
}

impl Camera {
    /// A camera of `shape` = (height, width) whose frames have the fraction `bright` (0 to about 0.3) of bright pixels on
    /// average.
    ///
    /// # Panics
    /// If a side is 0 or a row is longer than the noise pool (2^18 pixels), or `bright` is not in 0..=0.3.
    #[must_use]
    pub fn new(shape: Shape, bright: f64, seed: u64) -> Self {
        assert!(shape.0 > 0 && (1..POOL).contains(&shape.1), "a frame of {shape:?} pixels");
        assert!((0.0..=0.3).contains(&bright), "a bright fraction of {bright}");
        let mut rng = Rng::stream(seed, u64::MAX);
        let dark = dark_image(shape, &mut rng);
        let noise = (0..POOL).map(|_| (rng.normal() * NOISE_DEVIATION).round() as i16).collect();
        let mut camera = Self { shape, seed, next: 0, dark, noise, spots: Spots::new(), electrons_per_frame: 0.0 };
        camera.electrons_per_frame = camera.calibrate(bright);
        camera
    }

    /// (height, width) in pixels.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The dark image, `height * width` pixels: what a frame is without electrons and noise.
    #[must_use]
    pub fn dark(&self) -> &[i16] {
        &self.dark
    }

    /// The threshold for dark-subtracted pixels, 20 counts: nearly 6 deviations of the noise.
    #[must_use]
    pub fn threshold(&self) -> i16 {
        THRESHOLD
    }

    /// Electrons a frame, on average.
    #[must_use]
    pub fn electrons_per_frame(&self) -> f64 {
        self.electrons_per_frame
    }

    /// Fills `frame` with the next frame.
    ///
    /// # Panics
    /// If `frame` does not have `height * width` pixels.
    pub fn next_frame<P: CameraPixel>(&mut self, frame: &mut [P]) {
        self.frame_at(self.next, frame);
        self.next += 1;
    }

    /// Fills `frame` with frame number `index` of the stream, without touching the stream.
    ///
    /// # Panics
    /// If `frame` does not have `height * width` pixels.
    pub fn frame_at<P: CameraPixel>(&self, index: u64, frame: &mut [P]) {
        let (height, width) = self.shape;
        assert_eq!(frame.len(), height * width, "pixels of a frame of {:?}", self.shape);
        let mut rng = Rng::stream(self.seed, index);
        let n_electrons = poisson(self.electrons_per_frame, &mut rng);
        for (row, dark) in frame.chunks_exact_mut(width).zip(self.dark.chunks_exact(width)) {
            let start = rng.below(POOL - width);
            for ((pixel, dark), noise) in row.iter_mut().zip(dark).zip(&self.noise[start..]) {
                *pixel = P::from_counts(i32::from((dark + noise).max(0)));
            }
        }
        for _ in 0..n_electrons {
            self.spots.draw(frame, self.shape, &mut rng);
        }
    }

    /// Fills `frame` with the next frame as it is after dark subtraction and threshold: bright pixels, and exact zeros.
    ///
    /// # Panics
    /// If `frame` does not have `height * width` pixels.
    pub fn next_thresholded<P: CameraPixel>(&mut self, frame: &mut [P]) {
        self.next_frame(frame);
        for (pixel, dark) in frame.iter_mut().zip(&self.dark) {
            let counts = pixel.counts() - i32::from(*dark);
            *pixel = P::from_counts(if counts < i32::from(THRESHOLD) { 0 } else { counts });
        }
    }

    /// Electrons a frame that make the fraction `bright` of the pixels bright, found by drawing: each round draws
    /// with the last estimate and scales it. Overlap makes this more than a division.
    fn calibrate(&self, bright: f64) -> f64 {
        let n_pixels = self.shape.0 * self.shape.1;
        let mut frame = vec![0i16; n_pixels];
        // Small or dark frames hold few electrons: draw several of them for the same precision.
        let mut electrons = (bright * n_pixels as f64 / 20.0).max(1e-9);
        if bright == 0.0 {
            return 0.0;
        }
        for round in 0..6 {
            let mut rng = Rng::stream(self.seed, u64::MAX - 1 - round);
            let n_frames = (4000.0 / electrons).clamp(1.0, 4000.0).ceil();
            let (mut n_bright, mut n_drawn) = (0, 0);
            for _ in 0..n_frames as usize {
                frame.fill(0);
                let n_electrons = poisson(electrons, &mut rng);
                (0..n_electrons).for_each(|_| self.spots.draw(&mut frame, self.shape, &mut rng));
                n_drawn += n_electrons;
                n_bright += frame.iter().filter(|pixel| **pixel >= THRESHOLD).count();
            }
            // By electrons drawn, not by frames: takes the Poisson scatter of their number out.
            let per_electron = n_bright as f64 / n_drawn.max(1) as f64;
            electrons = bright * n_pixels as f64 / per_electron.max(1.0);
        }
        electrons
    }
}

/// An offset of 100 counts, a pattern of the columns and of the amplifiers, and one warm pixel in a thousand.
fn dark_image((height, width): Shape, rng: &mut Rng) -> Vec<i16> {
    let columns: Vec<i16> = (0..width).map(|x| 100 + (rng.normal() * 2.5) as i16 + 4 * (x / 256 % 2) as i16).collect();
    let mut dark = Vec::with_capacity(height * width);
    for _ in 0..height {
        dark.extend(columns.iter().map(|column| {
            let warm = if rng.below(1000) == 0 { 5 + rng.below(60) as i16 } else { 0 };
            column + warm + rng.below(3) as i16
        }));
    }
    dark
}

/// A Poisson number of any mean: the sum of Poisson numbers of parts of the mean.
fn poisson(mean: f64, rng: &mut Rng) -> u32 {
    let n_parts = (mean / POISSON_STEP).ceil().max(1.0);
    let part = Poisson::new(mean / n_parts);
    (0..n_parts as u32).map(|_| part.draw(rng)).sum()
}
