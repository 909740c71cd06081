//! Tomography: what a codec leaves of projections, and of slices that are reconstructed from them.

mod projection;
mod ring;
mod slice;
mod transform;

use crate::{Error, NoiseModel, Pixel, Result, Shape};
use projection::{Half, Ramp, attenuation};
use ring::RingSums;

/// A slice that is reconstructed has no more pixels a side; it is the middle of the field of view.
const MAX_SIDE: usize = 512;

/// Projections that are compared with the one after, and pixels of these a side, from the middle.
const MAX_PAIRS: u64 = 32;
const MAX_PROJECTION_SIDE: usize = 1024;

/// Rows of a detector of which slices are made: they bound the memory and the time.
const MAX_ROWS: usize = 16;

/// The least width of what all projections see.
const MIN_SIDE: usize = 16;

/// How projections were taken: parallel beam, the axis of rotation along the columns, equal steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// Rows of which slices are made; empty: three, at a quarter, a half and three quarters of the height.
    pub rows: Vec<usize>,
    /// The column of the axis of rotation, 0 the centre of the first pixel; `None`: the middle.
    pub axis: Option<f64>,
    /// The angle from the first projection to the one that would come after the last, in degrees.
    pub degrees: f64,
    /// Projections that there are.
    pub n_projections: u64,
}

impl Default for Scan {
    fn default() -> Self {
        Self { rows: Vec::new(), axis: None, degrees: 180.0, n_projections: 0 }
    }
}

/// Projections and slices, before and after.
///
/// | metric | definition |
/// |---|---|
/// | attenuation | −ln(x − offset), less the line between the means of the two ends of a row (a 32nd of it each), which are air |
/// | slice | filtered back projection of a row, with the ramp filter; of even, of odd, and of all projections; up to 512 x 512 pixels in the middle |
/// | FRC of a slice | Fourier ring correlation of the even with the odd half set |
/// | FRC of projections | that of each projection with the next one, of up to 32 pairs, up to 1024 x 1024 pixels in the middle |
/// | resolution | the frequency where the FRC falls below that of half a bit, (0.2071 + 1.9102 / √n) / (1.2071 + 0.9102 / √n) for a ring of n frequencies |
/// | contrast to noise | difference of the means of the two classes into which Otsu's threshold divides the slice of x, over the deviation of (even − odd) / 2 |
/// | SSIM | of the slices of x and y, as of frames; the range is max − min of the slice of x |
///
/// Contrast and SSIM are of the circle that all projections see. Frames are added in their order. A pixel that does not count has the value of the
/// one to its left.
#[derive(Debug, Clone, PartialEq)]
pub struct Tomography {
    scan: Scan,
    shape: Shape,
    offset: f64,
    axis: f64,
    side: usize,
    ramp: Ramp,
    slices: Vec<Slice>,
    n_added: u64,
    projections: Option<Projections>,
}

#[derive(Debug, Clone, PartialEq)]
struct Slice {
    row: usize,
    /// Of even and of odd projections.
    halves: [Half; 2],
}

/// Projections that are compared with the next.
#[derive(Debug, Clone, PartialEq)]
struct Projections {
    /// From row, to row, from column, to column.
    crop: (usize, usize, usize, usize),
    rings: [RingSums; 2],
    first: [Vec<f64>; 2],
}

/// A ring of a Fourier ring correlation.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FrcRing {
    /// In cycles a pixel.
    pub frequency: f64,
    /// Frequencies of the ring, of all pairs.
    pub n: u64,
    /// The threshold.
    pub half_bit: f64,
    /// Of x.
    pub before: f64,
    /// Of y.
    pub after: f64,
}

/// A Fourier ring correlation.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Frc {
    /// The curve.
    pub rings: Vec<FrcRing>,
    /// The resolution of x in cycles a pixel: 0.5 at most. `None` where even the first ring is below the threshold.
    pub before: Option<f64>,
    /// That of y.
    pub after: Option<f64>,
    /// The mean |change| of the rings up to the resolution of x.
    pub mean_change: f64,
}

/// The numbers of a slice.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SliceReport {
    /// The row of the detector.
    pub row: usize,
    /// Pixels a side.
    pub side: usize,
    /// The correlation of the half sets.
    pub frc: Option<Frc>,
    /// Contrast to noise of x; `None` where all is alike, or without noise.
    pub contrast_before: Option<f64>,
    /// That of y.
    pub contrast_after: Option<f64>,
    /// SSIM of both.
    pub ssim: Option<f64>,
    /// Its range: attenuation a pixel.
    pub ssim_range: f64,
    /// The slice of x and that of y, row by row: attenuation a pixel.
    #[serde(skip)]
    pub images: [Vec<f32>; 2],
}

/// The numbers of [`Tomography`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TomographyReport {
    /// Projections that were added.
    pub n_projections: u64,
    /// The correlation of projections with the next.
    pub projections: Option<Frc>,
    /// The slices.
    pub slices: Vec<SliceReport>,
}

impl Tomography {
    /// For projections of this shape. `noise` says what is no light.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than four projections, rows that there are not or more than 16, an axis with fewer than 8 pixels beside it,
    /// and angles that are not above 0.
    pub fn new(shape: Shape, scan: &Scan, noise: NoiseModel) -> Result<Self> {
        let axis = scan.axis.unwrap_or((shape.width as f64 - 1.0) / 2.0);
        let reach = axis.min(shape.width as f64 - 1.0 - axis);
        let has_rows = scan.rows.len() <= MAX_ROWS && scan.rows.iter().all(|row| *row < shape.height);
        let seen = if reach.is_finite() && reach > 0.0 { 2 * reach as usize } else { 0 };
        if !has_rows
            || seen < MIN_SIDE - 2
            || !(scan.degrees.is_finite() && scan.degrees > 0.0)
            || scan.n_projections < 4
        {
            return Err(Error::Setting(format!(
                "tomography of rows {:?}, axis at column {axis}, {} projections over {} degrees, of {} x {} pixels: there must be four \
                 projections, rows within the frame and no more than {MAX_ROWS}, 7 pixels on both sides of the axis, and an angle above 0",
                scan.rows, scan.n_projections, scan.degrees, shape.height, shape.width
            )));
        }
        let side = (seen + 1).min(MAX_SIDE);
        let mut rows = scan.rows.clone();
        if rows.is_empty() {
            rows = [1, 2, 3].map(|quarter| shape.height * quarter / 4).to_vec();
        }
        rows.dedup();
        let slices = rows.into_iter().map(|row| Slice { row, halves: [Half::new(side), Half::new(side)] }).collect();
        let (ramp, projections) = (Ramp::new(shape.width), Projections::new(shape));
        Ok(Self { scan: scan.clone(), shape, offset: noise.offset, axis, side, ramp, slices, n_added: 0, projections })
    }

    /// Adds the next projection; all its pixels count where `valid` is empty.
    pub fn add<P: Pixel>(&mut self, x: &[P], y: &[P], valid: &[bool]) {
        let n = self.scan.n_projections;
        let angle = self.scan.degrees.to_radians() * self.n_added as f64 / n as f64;
        for slice in &mut self.slices {
            let at = slice.row * self.shape.width..(slice.row + 1) * self.shape.width;
            let valid = valid.get(at.clone()).unwrap_or_default();
            let of = |frame: &[P]| self.ramp.apply(&attenuation(held(frame, valid).map(|value| value - self.offset)));
            let filtered: Vec<[f64; 2]> = of(&x[at.clone()]).into_iter().zip(of(&y[at])).map(|(x, y)| [x, y]).collect();
            slice.halves[(self.n_added % 2) as usize].add(&filtered, angle, self.axis);
        }
        if let Some(projections) = &mut self.projections {
            let (pair, step) = (self.n_added / 2, (n / 2).div_ceil(MAX_PAIRS));
            if pair % step == 0 {
                projections.add(self.shape, self.n_added.is_multiple_of(2), [x, y], valid);
            }
        }
        self.n_added += 1;
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> TomographyReport {
        let projections = self.projections.as_ref();
        TomographyReport {
            n_projections: self.n_added,
            projections: projections.and_then(|of| RingSums::compare(&of.rings[0], &of.rings[1])),
            slices: self.slices.iter().map(|slice| slice.report(self.side, self.scan.degrees.to_radians())).collect(),
        }
    }
}

impl Slice {
    fn report(&self, side: usize, radians: f64) -> SliceReport {
        let mut rings = [RingSums::new(side, side), RingSums::new(side, side)];
        let [before, after] = [0, 1].map(|which| self.halves.each_ref().map(|half| half.image(which, radians)));
        for (rings, [even, odd]) in rings.iter_mut().zip([&before, &after]) {
            rings.add(even, odd);
        }
        let images = [&before, &after].map(|[even, odd]| slice::mean(even, odd));
        let circle = slice::circle(side);
        let classes = slice::classes(&images[0], &circle);
        let contrast =
            |image: &[f64], [even, odd]: &[Vec<f64>; 2]| slice::contrast_to_noise(image, even, odd, &classes);
        let ssim_range = slice::range(&images[0], &circle);
        SliceReport {
            row: self.row,
            side,
            frc: RingSums::compare(&rings[0], &rings[1]),
            contrast_before: contrast(&images[0], &before),
            contrast_after: contrast(&images[1], &after),
            ssim: slice::ssim(side, &images[0], &images[1], &circle, ssim_range),
            ssim_range,
            images: images.map(|image| image.into_iter().map(|value| value as f32).collect()),
        }
    }
}

impl Projections {
    fn new(shape: Shape) -> Option<Self> {
        let part = |length: usize| {
            let n = length.min(MAX_PROJECTION_SIDE);
            ((length - n) / 2, (length - n) / 2 + n)
        };
        let ((top, bottom), (left, right)) = (part(shape.height), part(shape.width));
        let rings = || RingSums::new(bottom - top, right - left);
        let first = [Vec::new(), Vec::new()];
        (shape.height >= MIN_SIDE).then(|| Self { crop: (top, bottom, left, right), rings: [rings(), rings()], first })
    }

    fn add<P: Pixel>(&mut self, shape: Shape, is_first: bool, frames: [&[P]; 2], valid: &[bool]) {
        let (top, bottom, left, right) = self.crop;
        let part = |frame: &[P]| -> Vec<f64> {
            (top..bottom)
                .flat_map(|row| {
                    let at = row * shape.width + left..row * shape.width + right;
                    held(&frame[at.clone()], valid.get(at).unwrap_or_default())
                })
                .collect()
        };
        for ((first, rings), frame) in self.first.iter_mut().zip(&mut self.rings).zip(frames) {
            let image = part(frame);
            if is_first {
                *first = image;
            } else {
                rings.add(first, &image);
            }
        }
    }
}

/// The values of a row; a pixel that does not count has that of the one to its left.
fn held<'a, P: Pixel>(row: &'a [P], valid: &'a [bool]) -> impl Iterator<Item = f64> + 'a {
    let counts = move |at: usize| valid.is_empty() || valid[at];
    let first = (0..row.len()).find(|at| counts(*at)).map_or(0.0, |at| row[at].value() as f64);
    (0..row.len()).scan(first, move |last, at| {
        if counts(at) {
            *last = row[at].value() as f64;
        }
        Some(*last)
    })
}
