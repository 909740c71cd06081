//! What a codec did to a dataset: two datasets, or one and a codec that is applied in memory.
//!
//! All pixels are read once, in blocks, while the block before is compared in threads; memory does not grow with the
//! dataset. What costs more ([`darkchunk_metrics::SampleReport`]) is computed of a sample of frames, that is stated, or of all.
//!
//! HDF5 is called on the calling thread only.

mod codec;
mod floats;
pub(crate) mod frames;
mod pass;
mod preview;
pub mod proof;
mod sample;
mod sweep;
mod technique;

use std::sync::Arc;

use darkchunk_metrics::technique::{Technique, TechniqueReport};
use darkchunk_metrics::{Comparison, Limits, NoiseModel, Report, Rules, Settings, Shape, Verdict};
use serde::Serialize;

use crate::{Error, Reader, Result};
use codec::Applied;
pub use floats::{FoundFloats, run_floats};
use frames::{Frames, Stored, for_element};
pub use preview::Preview;
pub use sweep::{Candidate, Sweep, Tried, sweep};

/// What a dataset is compared with.
#[derive(Debug)]
pub enum Test {
    /// Another dataset of the same shape.
    Dataset(Box<Reader>),
    /// What a filter makes of it: its number, its parameters, and how many frames are a chunk (0: as the dataset has them).
    Codec {
        /// The filter's number.
        filter: u32,
        /// Its parameters, as they are given for a dataset.
        cd_values: Vec<u32>,
        /// Frames of a chunk.
        chunk_frames: u64,
    },
}

/// Where σ comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// Nothing is said in σ.
    Unknown,
    /// This model.
    Model(NoiseModel),
    /// From the frames of the sample and those beside them, if the scene stands still.
    Repeats,
}

/// How datasets are compared.
#[derive(Debug, Clone)]
pub struct Options {
    /// σ.
    pub noise: Noise,
    /// Which pixels count. `None`: of unsigned elements not those with all bits set, of `int32` not those below 0.
    pub rules: Option<Rules>,
    /// The range for PSNR and SSIM. `None`: max x − min x of the sample.
    pub data_range: Option<f64>,
    /// Frames of the sample; those beside them are read, too.
    pub n_sampled: u64,
    /// All frames are the sample.
    pub all: bool,
    /// Which frames are the sample.
    pub seed: u64,
    /// What may be lost.
    pub limits: Limits,
    /// What the experiment makes of the frames.
    pub technique: Option<Technique>,
    /// Threads that compare; 0: one for each processor.
    pub n_threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            noise: Noise::Model(NoiseModel::COUNTER),
            rules: None,
            data_range: None,
            n_sampled: 16,
            all: false,
            seed: 1,
            limits: Limits::default(),
            technique: None,
            n_threads: 0,
        }
    }
}

/// What was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Data {
    /// The element type of the reference.
    pub element: String,
    /// Height and width of a frame.
    pub shape: Shape,
    /// Frames.
    pub n_frames: u64,
    /// Bytes of all elements.
    pub n_bytes: u64,
    /// Bytes that the reference is stored in, where that is known.
    pub reference_stored: Option<u64>,
    /// Bytes that the test is stored in.
    pub test_stored: Option<u64>,
    /// CRC-32 (of zlib) of all elements of the reference, the least significant byte first.
    pub reference_crc32: u32,
    /// The same of the test.
    pub test_crc32: u32,
    /// Of a codec that was applied in memory: how fast.
    pub speed: Option<Speed>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// What was compared.
    #[serde(flatten)]
    pub data: Data,
    /// Which pixels counted, σ and the range.
    pub settings: Settings,
    /// How the noise was given.
    pub noise_from: &'static str,
    /// How the range was given.
    pub range_from: &'static str,
    /// The frames of the sample; empty where it was all of them.
    pub sample: Vec<u64>,
    /// All numbers.
    pub report: Report,
    /// Those of the technique.
    pub technique: Option<TechniqueReport>,
    /// What may be lost.
    pub limits: Limits,
    /// Whether that was kept.
    pub verdict: Verdict,
    /// For each tile of 32 x 32 pixels, row by row, over all frames: √(Σe² / Σσ²), in counts without σ.
    #[serde(skip)]
    pub tile_rms: Vec<f64>,
    /// e / σ of all pixels: see [`darkchunk_metrics::ErrorInSigma::histogram`].
    #[serde(skip)]
    pub histogram: Vec<u64>,
    /// Some frames of the sample, small.
    #[serde(skip)]
    pub previews: Vec<Preview>,
}

/// How fast a codec was on one core, in bytes of pixels a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Speed {
    /// Bytes a second.
    pub encode: f64,
    /// Bytes a second.
    pub decode: f64,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of pixels of the reference that are done.
    pub n_done: u64,
    /// Those that there are.
    pub n_all: u64,
}

impl Data {
    fn of(work: &Work, totals: &pass::Totals) -> Self {
        let reference = &work.reference;
        Self {
            element: reference.reader.element().to_string(),
            shape: reference.shape,
            n_frames: reference.n_frames,
            n_bytes: reference.n_frames * reference.frame_bytes() as u64,
            reference_stored: reference.reader.stored().map(|(_, n_bytes)| n_bytes),
            test_stored: match &work.test {
                Source::Dataset(frames) => frames.reader.stored().map(|(_, n_bytes)| n_bytes),
                Source::Codec(_) => Some(totals.n_encoded),
            },
            reference_crc32: totals.reference_crc32,
            test_crc32: totals.test_crc32,
            speed: totals.speed(),
        }
    }

    /// Bytes of the elements over those that the test is stored in.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.test_stored.filter(|stored| *stored > 0).map(|stored| self.n_bytes as f64 / stored as f64)
    }

    /// Stored bits a pixel.
    #[must_use]
    pub fn bits_a_pixel(&self) -> Option<f64> {
        let n_pixels = self.n_frames as f64 * self.shape.n_pixels() as f64;
        self.test_stored.map(|stored| stored as f64 * 8.0 / n_pixels)
    }
}

/// Compares. `progress` is called on the calling thread, now and then.
///
/// # Errors
/// [`Error::Argument`] for datasets that cannot be compared (of another shape or element type, not of integers: of real numbers see [`run_floats`], empty), and settings that mean
/// nothing; what is wrong with a chunk or a file; what the codec refuses.
pub fn run(reference: Reader, test: Test, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Found> {
    judge(&work(reference, test, options, Frames::new)?, progress)
}

/// All that is compared, as frames that `of` makes.
fn work(reference: Reader, test: Test, options: &Options, of: fn(Reader, &str) -> Result<Frames>) -> Result<Work> {
    let reference = of(reference, "the reference")?;
    let test = match test {
        Test::Dataset(reader) => Source::Dataset(same_kind(&reference, of(*reader, "the test")?)?),
        Test::Codec { filter, cd_values, chunk_frames } => {
            Source::Codec(Applied::new(&reference, filter, &cd_values, chunk_frames)?)
        }
    };
    Ok(Work { reference, test, options: options.clone() })
}

fn judge(work: &Work, progress: &mut dyn FnMut(Progress)) -> Result<Found> {
    for_element!(work.reference.reader.element(), compare(work, progress))
}

fn same_kind(reference: &Frames, test: Frames) -> Result<Frames> {
    let (x, y) = (reference.reader.element(), test.reader.element());
    if reference.reader.dims() != test.reader.dims() {
        return Err(Error::Argument(format!(
            "the reference is {:?} and the test {:?}: they must have the same shape",
            reference.reader.dims(),
            test.reader.dims()
        )));
    }
    if (x.class, x.n_bytes) != (y.class, y.n_bytes) {
        return Err(Error::Argument(format!(
            "the reference has elements of {x} and the test of {y}: they must be the same"
        )));
    }
    Ok(test)
}

/// Where y comes from.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one")]
enum Source {
    Dataset(Frames),
    Codec(Applied),
}

/// All that is compared.
#[derive(Debug)]
struct Work {
    reference: Frames,
    test: Source,
    options: Options,
}

impl Work {
    fn n_threads(&self) -> usize {
        match self.options.n_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    /// Frames that are compared together: those that the codec has in a chunk.
    fn unit_frames(&self) -> u64 {
        match &self.test {
            Source::Dataset(_) => 1,
            Source::Codec(applied) => applied.chunk_frames,
        }
    }

    fn rules(&self) -> Rules {
        let usual = || crate::noise::usual_rules(self.reference.reader.element());
        self.options.rules.clone().unwrap_or_else(usual)
    }
}

fn compare<P: Stored>(work: &Work, progress: &mut dyn FnMut(Progress)) -> Result<Found> {
    // Refuses frames that no memory has room for.
    drop(darkchunk::pipeline::buffer(work.reference.frame_bytes())?);
    let sample = sample::choose(work);
    let rules = work.rules();
    let looked = sample::look::<P>(work, &rules, &sample)?;
    let (noise, noise_from) = match work.options.noise {
        Noise::Unknown => (None, "not given"),
        Noise::Model(model) => (Some(model), "given"),
        Noise::Repeats => (Some(looked.noise()?), from_repeats(work)),
    };
    let (data_range, range_from) = match work.options.data_range {
        Some(range) => (Some(range), "given"),
        None => (looked.range(), "max - min of the sample"),
    };
    let settings = Settings { shape: work.reference.shape, rules, noise, data_range };
    let mut comparison = Comparison::new(settings.clone()).map_err(setting)?;
    let totals = pass::every_pixel::<P, _>(work, &mut comparison, progress)?;
    let previews = sample::add::<P>(work, &sample, &mut comparison)?;
    let report = comparison.report();
    let technique = work.options.technique.as_ref();
    let technique = technique.map(|of| technique::every_frame::<P>(work, of, &settings)).transpose()?;
    let mut verdict = work.options.limits.judge(&report);
    verdict.add(match &technique {
        Some(technique) => technique.judge(&work.options.limits),
        None => work.options.limits.judge_missing_spots(&report),
    });
    let tile_rms = comparison.tiles().sums().iter().map(|sums| sums.rms(noise.as_ref())).collect();
    Ok(Found {
        data: Data::of(work, &totals),
        settings,
        noise_from,
        range_from,
        sample: if work.options.all { Vec::new() } else { sample },
        report,
        technique,
        limits: work.options.limits.clone(),
        verdict,
        tile_rms,
        histogram: comparison.sigma().map(|sigma| sigma.histogram()).unwrap_or_default(),
        previews,
    })
}

/// Where σ is from that was measured.
fn from_repeats(work: &Work) -> &'static str {
    match work.reference.reader.lossy_filter() {
        Some(_) => "from the frames of the sample, which were stored with loss: doubtful, as that is in it",
        None => "from the frames of the sample",
    }
}

fn setting(error: darkchunk_metrics::Error) -> Error {
    Error::Argument(error.to_string())
}

/// A mask from bytes, one a pixel, not 0 where it is masked.
#[must_use]
pub fn mask(bytes: &[u8]) -> Arc<[bool]> {
    bytes.iter().map(|byte| *byte != 0).collect()
}

/// Labels from the bytes of integers of 8, 16 or 32 bits; negative ones are 0, which does not count.
#[must_use]
pub fn labels(bytes: &[u8], element: darkchunk::element::ElementType) -> Arc<[u32]> {
    let is_signed = element.class == darkchunk::element::ElementClass::Signed;
    let is_big = element.order == darkchunk::element::ByteOrder::Big;
    let label = |bytes: &[u8]| {
        let digit = |at: usize| u32::from(bytes[if is_big { bytes.len() - 1 - at } else { at }]) << (8 * at);
        let number = (0..bytes.len()).map(digit).sum::<u32>();
        let is_negative = is_signed && number >> (8 * bytes.len() - 1) == 1;
        if is_negative { 0 } else { number }
    };
    bytes.chunks_exact(element.n_bytes.clamp(1, 4)).map(label).collect()
}
