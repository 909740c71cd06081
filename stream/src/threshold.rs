//! Which threshold for DRLE: a sample of frames through several, with what each makes of size, counts and spots.

use std::ops::Range;

use darkchunk::Exec;
use darkchunk::chunk::{Compression, Filter};
use darkchunk::codec::ChunkLayout;
use darkchunk::element::{ElementType, as_bytes};
use darkchunk_hdf5::Library;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::number::{self, NumberType, Scalar};
use darkchunk_metrics::{Shape, ThresholdReport, ThresholdSweep};
use serde::Serialize;

use crate::convert::blocks::in_threads;
use crate::{Error, Options as ReaderOptions, Reader, Result};

/// Thresholds without others: so many σ.
const STEPS: [f64; 12] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 30.0];

/// A spot has pixels above so many σ, and one of at least so many.
const FLOOR: f64 = 2.0;
const PEAK: f64 = 5.0;

/// σ is at least that of a rounded number.
const LEAST_SIGMA: f64 = 0.288_675;

/// σ of pixels whose deviations have this median.
const SIGMA_OF_MEDIAN: f64 = 1.4826;

/// The longer side of a frame that is shown.
const MAX_SIDE: usize = 320;

/// Frames of a dataset.
#[derive(Debug)]
pub struct Frames {
    reader: Reader,
    number: NumberType,
    shape: Shape,
    n_frames: u64,
}

/// What is subtracted from each frame.
#[derive(Debug)]
pub enum Dark<'a> {
    /// Nothing: the dark image was subtracted before.
    None,
    /// The mean of frames, or a single image.
    Frames(&'a Frames, Range<u64>),
}

/// How thresholds are tried.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The thresholds; none: multiples of σ.
    pub thresholds: Vec<u16>,
    /// σ of a dark pixel in counts. `None`: of the dark frames; of a single one or none, from the frames themselves.
    pub sigma: Option<f64>,
    /// Frames of the sample.
    pub n_sampled: u64,
    /// Threads.
    pub n_threads: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Frames of the dataset.
    pub n_frames: u64,
    /// Height and width of a frame.
    pub shape: Shape,
    /// The frames of the sample.
    pub sample: Vec<u64>,
    /// σ of a dark pixel in counts.
    pub sigma: f64,
    /// Where that is from.
    pub sigma_from: &'static str,
    /// Of each threshold: bytes of frames of 16 bits, over those that DRLE takes.
    pub ratios: Vec<f64>,
    /// All else.
    pub report: ThresholdReport,
    /// A frame of the sample, small.
    #[serde(skip)]
    pub shot: Shot,
}

/// A frame, made small: of each square the largest pixel.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shot {
    /// Which frame.
    pub frame: u64,
    /// Pixels that are one here, along each axis.
    pub step: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// The pixels.
    pub pixels: Vec<i32>,
}

impl Frames {
    /// The frames of the dataset `path`: its last two axes are a frame.
    ///
    /// # Errors
    /// As [`Reader::open`]; [`Error::Argument`] for elements that are no integers, or less than two axes.
    pub fn open(library: &Library, file: Hid, path: &str) -> Result<Self> {
        let reader =
            Reader::open_whole(library, file, path, ReaderOptions { n_threads: 1, ..ReaderOptions::default() })?;
        let number = number::of_dataset(library, file, path)?;
        let number = number.filter(|number| number.class != number::NumberClass::Real && number.n_bytes <= 4);
        let refused = || Error::Argument(format!("{path} has no frames of integers of up to 32 bits"));
        let [leading @ .., height, width] = reader.dims() else { return Err(refused()) };
        let n_frames = leading.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim));
        let side = |dim: u64| usize::try_from(dim).ok().filter(|dim| *dim > 0 && *dim < 1 << 24);
        let (Some(height), Some(width), Some(number)) = (side(*height), side(*width), number) else {
            return Err(refused());
        };
        let n_frames = n_frames.filter(|n| *n > 0).ok_or_else(refused)?;
        Ok(Self { reader, number, shape: Shape { height, width }, n_frames })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.n_frames
    }

    /// Whether there is none: it is not so.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n_frames == 0
    }

    fn read(&self, frame: u64, bytes: &mut Vec<u8>, pixels: &mut Vec<i32>) -> Result<()> {
        let dims = self.reader.dims();
        let (mut start, mut count, mut number) = (vec![0; dims.len()], vec![1; dims.len()], frame);
        for axis in (0..dims.len() - 2).rev() {
            start[axis] = number % dims[axis];
            number /= dims[axis];
        }
        count[dims.len() - 2..].copy_from_slice(&dims[dims.len() - 2..]);
        let n_bytes = self.shape.n_pixels() * self.number.n_bytes;
        if bytes.len() < n_bytes {
            *bytes = darkchunk::pipeline::buffer(n_bytes)?;
        }
        self.reader.read(&start, &count, None, &mut bytes[..n_bytes])?;
        let value = |bytes: &[u8]| match self.number.value(bytes) {
            Scalar::Integer(value) => value.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
            Scalar::Real(_) => 0,
        };
        pixels.clear();
        pixels.extend(bytes[..n_bytes].chunks_exact(self.number.n_bytes).map(value));
        Ok(())
    }
}

/// Tries thresholds on a sample of frames.
///
/// # Errors
/// [`Error::Argument`] for a dark image of another size, and thresholds that mean nothing; what cannot be read.
pub fn sweep(frames: &Frames, dark: &Dark<'_>, options: &Options) -> Result<Found> {
    let (image, dark_sigma) = dark_image(dark, frames.shape)?;
    let sample = sample(frames.n_frames, options.n_sampled.max(1), dark, frames);
    let (sigma, sigma_from) = match (options.sigma, dark_sigma) {
        (Some(sigma), _) => (sigma, "given"),
        (None, Some(sigma)) => (sigma, "of the dark frames"),
        (None, None) => (sigma_of(frames, &image, &sample)?, "from the frames: the median deviation"),
    };
    let sigma = sigma.max(LEAST_SIGMA);
    let thresholds = thresholds(&options.thresholds, sigma)?;
    let levels: Vec<i32> = thresholds.iter().map(|threshold| i32::from(*threshold)).collect();
    let empty = ThresholdSweep::new(&levels, (FLOOR * sigma).round() as i32, (PEAK * sigma).round().max(2.0) as i32);
    let filters = thresholds.iter().map(|threshold| filter(*threshold, frames.shape)).collect::<Result<Vec<_>>>()?;
    let (mut all, mut encoded) = (empty.clone(), vec![0_u64; filters.len()]);
    in_threads(
        sample.len() as u64,
        options.n_threads.max(1),
        || Ok((Vec::new(), Vec::new())),
        |(bytes, pixels), number| {
            frames.read(sample[number as usize], bytes, pixels)?;
            subtract(pixels, &image);
            let mut part = empty.clone();
            part.add(frames.shape, pixels);
            Ok((part, sizes(&filters, pixels)?))
        },
        |_, (part, sizes): (ThresholdSweep, Vec<u64>)| {
            all.merge(&part);
            encoded.iter_mut().zip(sizes).for_each(|(all, size)| *all += size);
            Ok::<_, Error>(())
        },
    )?;
    let n_bytes = 2.0 * (sample.len() * frames.shape.n_pixels()) as f64;
    Ok(Found {
        n_frames: frames.n_frames,
        shape: frames.shape,
        sigma,
        sigma_from,
        ratios: encoded.iter().map(|encoded| n_bytes / (*encoded).max(1) as f64).collect(),
        report: all.report(),
        shot: shot(frames, &image, sample[sample.len() / 2])?,
        sample,
    })
}

/// The dark image, and σ of its frames where there are several.
fn dark_image(dark: &Dark<'_>, shape: Shape) -> Result<(Vec<i32>, Option<f64>)> {
    let Dark::Frames(frames, range) = dark else { return Ok((Vec::new(), None)) };
    if frames.shape != shape {
        let (found, expected) = (frames.shape, shape);
        return Err(Error::Argument(format!(
            "the dark image has {} x {} pixels, a frame {} x {}",
            found.height, found.width, expected.height, expected.width
        )));
    }
    let (range, mut bytes, mut pixels) = (range.clone(), Vec::new(), Vec::new());
    if range.is_empty() || range.end > frames.n_frames {
        return Err(Error::Argument(format!("there are no dark frames {range:?}: there are {}", frames.n_frames)));
    }
    let n = (range.end - range.start) as f64;
    // Refuses what there is no memory for.
    drop(darkchunk::pipeline::buffer(shape.n_pixels().saturating_mul(16))?);
    let mut sums = vec![(0.0_f64, 0.0_f64); shape.n_pixels()];
    for frame in range {
        frames.read(frame, &mut bytes, &mut pixels)?;
        for ((sum, squares), pixel) in sums.iter_mut().zip(&pixels) {
            *sum += f64::from(*pixel);
            *squares += f64::from(*pixel) * f64::from(*pixel);
        }
    }
    let variance = |(sum, squares): &(f64, f64)| (squares - sum * sum / n).max(0.0) / (n - 1.0);
    let sigma = (n > 1.0).then(|| (sums.iter().map(variance).sum::<f64>() / sums.len() as f64).sqrt());
    Ok((sums.iter().map(|(sum, _)| (sum / n).round() as i32).collect(), sigma))
}

/// Frames at equal distances, which are not the dark ones.
fn sample(n_frames: u64, n_sampled: u64, dark: &Dark<'_>, frames: &Frames) -> Vec<u64> {
    let dark = match dark {
        Dark::Frames(of, range) if std::ptr::eq(*of, frames) => range.clone(),
        _ => 0..0,
    };
    let (first, dark) = (dark.start.min(n_frames), dark.start.min(n_frames)..dark.end.min(n_frames));
    let n_left = n_frames - (dark.end - dark.start);
    if n_left == 0 {
        return vec![0];
    }
    let n = n_sampled.min(n_left);
    let place = |part: u64| (u128::from(n_left) * (2 * u128::from(part) + 1) / (2 * u128::from(n))) as u64;
    (0..n).map(place).map(|at| if at < first { at } else { at + (dark.end - dark.start) }).collect()
}

fn subtract(pixels: &mut [i32], dark: &[i32]) {
    pixels.iter_mut().zip(dark).for_each(|(pixel, dark)| *pixel = pixel.saturating_sub(*dark));
}

/// σ of most pixels, which are dark.
fn sigma_of(frames: &Frames, dark: &[i32], sample: &[u64]) -> Result<f64> {
    let (mut bytes, mut pixels) = (Vec::new(), Vec::new());
    frames.read(sample[0], &mut bytes, &mut pixels)?;
    subtract(&mut pixels, dark);
    let median = |values: &mut Vec<f64>| {
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    let mut values: Vec<f64> = pixels.iter().map(|pixel| f64::from(*pixel)).collect();
    let centre = median(&mut values);
    values.iter_mut().for_each(|value| *value = (*value - centre).abs());
    Ok(SIGMA_OF_MEDIAN * median(&mut values))
}

fn thresholds(given: &[u16], sigma: f64) -> Result<Vec<u16>> {
    if given.contains(&0) {
        return Err(Error::Argument("a threshold is 1 to 65535".into()));
    }
    let multiples = STEPS.map(|step| (step * sigma).round().clamp(1.0, 65_535.0) as u16);
    let mut thresholds = if given.is_empty() { multiples.to_vec() } else { given.to_vec() };
    thresholds.sort_unstable();
    thresholds.dedup();
    Ok(thresholds)
}

fn filter(threshold: u16, shape: Shape) -> Result<Filter> {
    let Compression { filter, values } = Compression::drle(threshold);
    let layout = ChunkLayout::new(ElementType::U16, vec![1, shape.height as u64, shape.width as u64]);
    let id = filter.unwrap_or_default();
    let stored = Filter::localise(id, &values, &layout)?;
    Ok(Filter::from_cd_values(id, &stored)?)
}

/// Bytes that DRLE takes with each threshold, for pixels of 16 bits.
fn sizes(filters: &[Filter], pixels: &[i32]) -> Result<Vec<u64>> {
    let frame: Vec<u16> = pixels.iter().map(|pixel| (*pixel).clamp(0, 65_535) as u16).collect();
    let bytes = as_bytes(&frame);
    let mut encoded = darkchunk::pipeline::buffer(
        filters.iter().map(|filter| filter.max_encoded_len(bytes.len())).max().unwrap_or(0),
    )?;
    let size = |filter: &Filter| Ok(filter.encode(Exec::default(), bytes, &mut encoded)? as u64);
    filters.iter().map(size).collect()
}

fn shot(frames: &Frames, dark: &[i32], frame: u64) -> Result<Shot> {
    let (mut bytes, mut pixels) = (Vec::new(), Vec::new());
    frames.read(frame, &mut bytes, &mut pixels)?;
    subtract(&mut pixels, dark);
    let Shape { height, width } = frames.shape;
    let step = height.max(width).div_ceil(MAX_SIDE).max(1);
    let mut shot = Shot { frame, step, height: height.div_ceil(step), width: width.div_ceil(step), pixels: Vec::new() };
    shot.pixels = vec![i32::MIN; shot.height * shot.width];
    for (at, pixel) in pixels.iter().enumerate() {
        let small = &mut shot.pixels[at / width / step * shot.width + at % width / step];
        *small = (*small).max(*pixel);
    }
    Ok(shot)
}
