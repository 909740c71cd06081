//! What a codec or a threshold did to the data, in the units of the experiment: numbers only, no files.
//!
//! x are the counts that were measured, y those that were decoded, e = y − x. All is computed in 64 or 128 bits or in
//! `f64`, never in the pixel type: an error of 1 in `uint32` is 1.
//!
//! * [`Comparison`] takes pairs of frames in any order and gives a [`Report`]: every metric here, one call a frame.
//! * The accumulators by themselves: [`Moments`], [`Largest`], [`BiasByIntensity`], [`BiasByNeighbours`], [`ErrorInSigma`], [`ValueCounts`] (Kolmogorov-Smirnov),
//!   [`Autocorrelation`], [`Ssim`], [`Tiles`], [`Flux`], [`Dispersion`], [`Spots`], [`Ghost`], [`Shadow`]. Two that were filled
//!   with other frames, by threads or ranks, are [merged](Moments::merge); the result is the same to the last bit, in whatever order.
//! * [`Rules`] say which pixels count: those that are not masked, no sentinels, not saturated. The others must be exact, and are
//!   counted where they are not.
//! * [`technique`]: what an experiment makes of its frames: rings, peaks, correlations in time, lines, half sets and slices of tomography.
//! * [`FloatComparison`]: the same of real numbers, of which no noise is known: errors, range, zeros, what must be exact.
//! * [`ThresholdSweep`] says what several thresholds take from frames, and of their spots.
//! * [`Limits`] judge a report.
//! * [`NoiseModel`] gives σ, [`Repeats`] finds it from frames of a scene that stands still, and [`Transfer`] measures it also where something moves, with errors and doubts.
//!
//! ```
//! use darkchunk_metrics::{Comparison, NoiseModel, Pair, Rules, Settings, Shape};
//!
//! let shape = Shape { height: 2, width: 3 };
//! let (x, y) = ([0u16, 3, 9, 25, 49, 65_535], [0u16, 3, 10, 25, 47, 65_535]);
//! let rules = Rules { sentinels: vec![65_535], ..Rules::default() };
//! let settings = Settings { rules, noise: Some(NoiseModel::COUNTER), ..Settings::new(shape) };
//! let mut comparison = Comparison::new(settings)?;
//! comparison.add(0, &Pair::new(shape, &x, &y)?)?;
//! let report = comparison.report();
//! assert_eq!(report.errors.max_error, 2);
//! assert_eq!(report.pixels.n_valid, 5);
//! assert!((report.sigma.as_ref().unwrap().max - 1.0 / 3.0).abs() < 1e-12);
//! # Ok::<(), darkchunk_metrics::Error>(())
//! ```

#![deny(unsafe_code)]

mod autocorrelation;
mod bias;
mod bins;
mod block;
mod comparison;
mod dispersion;
mod error;
mod fixed;
mod floats;
mod flux;
mod ghost;
mod isa;
mod ks;
mod largest;
mod levels;
mod limits;
mod line;
mod moments;
mod noise;
mod pixel;
mod repeats;
mod rules;
mod scatter;
mod shadow;
mod sigma;
mod spots;
mod spread;
mod ssim;
mod statistics;
pub mod technique;
mod threshold;
mod tiles;
mod transfer;

pub use autocorrelation::{Autocorrelation, Lag};
pub use bias::{Bias, BiasAtMean, BiasByIntensity, BiasByNeighbours, Line};
pub use bins::{N_BINS, bin_of, bin_range};
pub use comparison::{Beside, Comparison, Errors, PixelCounts, Report, SampleReport, Settings, SigmaReport};
pub use dispersion::{Dispersion, DispersionReport};
pub use error::{Error, Result};
pub use floats::{FloatComparison, FloatError, FloatErrors, FloatLimits, FloatPixels, FloatReport};
pub use flux::{Flux, FluxReport};
pub use ghost::{Found, Ghost, GhostReport, Triple};
pub use ks::{KsTest, ValueCounts};
pub use largest::{LargeError, Largest};
pub use limits::{Check, Limits, NOTHING_MEASURED, Verdict};
pub use moments::Moments;
pub use noise::NoiseModel;
pub use pixel::{Pair, Pixel, Shape};
pub use repeats::Repeats;
pub use rules::{Exactness, Rules};
pub use shadow::{Outlier, Shadow, ShadowFrame, ShadowReport};
pub use sigma::ErrorInSigma;
pub use spots::{SpotClass, Spots, SpotsReport};
pub use ssim::Ssim;
pub use statistics::{kolmogorov, z_limit};
pub use threshold::{ThresholdLevel, ThresholdReport, ThresholdSweep};
pub use tiles::{Sums, TILE_SIDE, Tile, Tiles, TilesReport};
pub use transfer::{Measured, Point, Transfer};
