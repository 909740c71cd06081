//! All metrics of pairs of frames, in one pass over all pixels and one over a sample of frames.

use crate::autocorrelation::{ErrorPlane, Lag};
use crate::block::blocks;
use crate::ghost::GhostReport;
use crate::largest::LargeError;
use crate::scatter::Scatter;
use crate::shadow::ShadowReport;
use crate::{
    Autocorrelation, Bias, BiasAtMean, BiasByIntensity, BiasByNeighbours, Dispersion, DispersionReport, Error,
    ErrorInSigma, Exactness, Flux, FluxReport, Ghost, KsTest, Largest, Line, Moments, NoiseModel, Pair, Pixel, Result,
    Rules, Shadow, Shape, Spots, SpotsReport, Ssim, Tiles, TilesReport, Triple, ValueCounts,
};

/// What is compared, and how.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Settings {
    /// Height and width of the frames.
    pub shape: Shape,
    /// Which pixels count.
    pub rules: Rules,
    /// σ; without it nothing is said in σ.
    pub noise: Option<NoiseModel>,
    /// The range for PSNR and SSIM, above 0; without it there is no SSIM, and PSNR is for max x − min x.
    pub data_range: Option<f64>,
}

impl Settings {
    /// Every pixel counts, no σ, no range.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, rules: Rules::default(), noise: None, data_range: None }
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.rules.check(self.shape)?;
        match self.data_range {
            Some(range) if !(range.is_finite() && range > 0.0) => {
                Err(Error::Setting("the range of the data must be above 0".into()))
            }
            _ => Ok(()),
        }
    }
}

/// The frames beside one that is in the sample.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a, P> {
    /// The frame before.
    pub previous: Option<Pair<'a, P>>,
    /// x of the frame after.
    pub next: Option<&'a [P]>,
}

impl<P> Default for Beside<'_, P> {
    fn default() -> Self {
        Self { previous: None, next: None }
    }
}

/// Takes pairs of frames, and gives a [`Report`].
#[derive(Debug, Clone)]
pub struct Comparison {
    settings: Settings,
    n_frames: u64,
    exactness: Exactness,
    moments: Moments,
    largest: Largest,
    bias: BiasByIntensity,
    neighbours: BiasByNeighbours,
    sigma: Option<ErrorInSigma>,
    tiles: Tiles,
    flux: Option<Flux>,
    sample: Sample,
    valid: Vec<bool>,
}

/// What is computed of a sample of frames.
#[derive(Debug, Clone)]
struct Sample {
    n_frames: u64,
    counts: ValueCounts,
    ssim: Option<Ssim>,
    autocorrelation: Autocorrelation,
    dispersion: Dispersion,
    spots: Spots,
    ghost: Ghost,
    shadow: Shadow,
}

impl Comparison {
    /// Nothing compared yet.
    ///
    /// # Errors
    /// [`Error::Setting`] for a mask of another shape, and a range that is not above 0.
    pub fn new(settings: Settings) -> Result<Self> {
        settings.check()?;
        let (shape, noise) = (settings.shape, settings.noise);
        // Without a model a ghost is looked for as in counts of photons.
        let known = noise.unwrap_or(NoiseModel::COUNTER);
        let sample = Sample {
            n_frames: 0,
            counts: ValueCounts::default(),
            ssim: settings.data_range.map(Ssim::new),
            autocorrelation: Autocorrelation::default(),
            dispersion: Dispersion::new(shape),
            spots: Spots::default(),
            ghost: Ghost::new(known),
            shadow: Shadow::new(known),
        };
        Ok(Self {
            settings,
            n_frames: 0,
            exactness: Exactness::default(),
            moments: Moments::default(),
            largest: Largest::default(),
            bias: BiasByIntensity::default(),
            neighbours: BiasByNeighbours::default(),
            sigma: noise.map(ErrorInSigma::new),
            tiles: Tiles::new(shape, noise),
            flux: noise.map(Flux::new),
            sample,
            valid: Vec::new(),
        })
    }

    /// What is compared, and how.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn check<P>(&self, pair: &Pair<'_, P>) -> Result<()> {
        let Shape { height, width } = self.settings.shape;
        if pair.shape == self.settings.shape {
            Ok(())
        } else {
            Err(Error::Shape { height, width, n_pixels: pair.x.len() })
        }
    }

    /// Adds a frame to all that goes over every pixel. `frame` is its number, by which it is named.
    ///
    /// # Errors
    /// [`Error::Shape`] for a frame of another shape.
    pub fn add<P: Pixel>(&mut self, frame: u64, pair: &Pair<'_, P>) -> Result<()> {
        self.check(pair)?;
        let mut valid = std::mem::take(&mut self.valid);
        if !self.settings.rules.apply(pair, &mut valid, &mut self.exactness) {
            valid.clear();
        }
        self.n_frames += 1;
        let mut scatter = Scatter::default();
        blocks(pair.x, pair.y, &valid, |block| {
            self.moments.add_block(block);
            self.bias.add_block(block, &mut scatter);
            if let Some(sigma) = &mut self.sigma {
                sigma.add_block(block);
            }
        });
        self.bias.end(&mut scatter);
        self.largest.add(pair.shape, frame, pair.x, pair.y, &valid);
        self.neighbours.add(pair.shape, pair.x, pair.y, &valid);
        let sums = self.tiles.add(frame, pair.x, pair.y, &valid);
        if let Some(flux) = &mut self.flux {
            flux.add(frame, &sums);
        }
        self.valid = valid;
        Ok(())
    }

    /// Adds a frame to what is computed of a sample. It is not added to the rest: that is [`add`](Self::add).
    ///
    /// # Errors
    /// [`Error::Shape`] for frames of another shape.
    pub fn add_to_sample<P: Pixel>(&mut self, frame: u64, pair: &Pair<'_, P>, beside: &Beside<'_, P>) -> Result<()> {
        self.check(pair)?;
        beside.previous.iter().try_for_each(|previous| self.check(previous))?;
        let next = beside.next.map(|next| Pair::new(pair.shape, next, next)).transpose()?;
        let valid = self.valid_of(pair);
        let (shape, x, y) = (pair.shape, pair.x, pair.y);
        self.sample.n_frames += 1;
        self.sample.counts.add(x, y, &valid);
        if let Some(ssim) = &mut self.sample.ssim {
            ssim.add(shape, frame, x, y, &valid);
        }
        self.sample.dispersion.add(x, y, &valid);
        self.sample.spots.add(shape, x, y, &valid);
        self.sample.shadow.add(frame, pair, &valid);
        let plane = ErrorPlane::new(shape, x, y, &valid);
        let before = beside.previous.map(|previous| (previous, self.valid_of(&previous)));
        let before_plane = before.as_ref().map(|(pair, valid)| ErrorPlane::new(shape, pair.x, pair.y, valid));
        self.sample.autocorrelation.add(&plane, before_plane.as_ref());
        if let (Some((previous, valid_before)), Some(next)) = (before, next) {
            let valid = both(&both(&valid, &valid_before), &self.valid_of(&next));
            self.sample.ghost.add(frame, &Triple { previous: previous.x, pair: *pair, next: next.x }, &valid);
        }
        Ok(())
    }

    fn valid_of<P: Pixel>(&self, pair: &Pair<'_, P>) -> Vec<bool> {
        let mut valid = Vec::new();
        if !self.settings.rules.apply(pair, &mut valid, &mut Exactness::default()) {
            valid.clear();
        }
        valid
    }

    /// Adds what another one, with the same settings, has of other frames.
    pub fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.exactness.merge(&other.exactness);
        self.moments.merge(&other.moments);
        self.largest.merge(&other.largest);
        self.bias.merge(&other.bias);
        self.neighbours.merge(&other.neighbours);
        if let (Some(sigma), Some(other)) = (&mut self.sigma, &other.sigma) {
            sigma.merge(other);
        }
        self.tiles.merge(&other.tiles);
        if let (Some(flux), Some(other)) = (&mut self.flux, &other.flux) {
            flux.merge(other);
        }
        self.sample.merge(&other.sample);
    }

    /// The sums of errors of each tile over all frames, and how many rows and columns of tiles there are: the error map.
    #[must_use]
    pub fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    /// The histogram of e / σ, see [`ErrorInSigma::histogram`].
    #[must_use]
    pub fn sigma(&self) -> Option<&ErrorInSigma> {
        self.sigma.as_ref()
    }

    /// All numbers.
    #[must_use]
    pub fn report(&self) -> Report {
        let moments = &self.moments;
        Report {
            n_frames: self.n_frames,
            pixels: PixelCounts::new(moments, self.exactness),
            errors: Errors::new(moments, &self.largest, self.settings.data_range),
            sigma: self.sigma.as_ref().map(SigmaReport::new),
            bias_by_intensity: self.bias.bins(self.settings.noise.as_ref()),
            bias_at_mean: self.settings.noise.map(|noise| self.neighbours.at_means(&noise)).unwrap_or_default(),
            bias_line: self.bias.line(),
            flux: self.flux.as_ref().and_then(Flux::report),
            tiles: self.tiles.report(),
            largest: self.largest.errors().iter().take(10).copied().collect(),
            sample: self.sample.report(),
        }
    }
}

/// Pixels that count in both.
fn both(a: &[bool], b: &[bool]) -> Vec<bool> {
    match (a.is_empty(), b.is_empty()) {
        (_, true) => a.to_vec(),
        (true, false) => b.to_vec(),
        (false, false) => a.iter().zip(b).map(|(a, b)| *a && *b).collect(),
    }
}

impl Sample {
    fn merge(&mut self, other: &Self) {
        self.n_frames += other.n_frames;
        self.counts.merge(&other.counts);
        if let (Some(ssim), Some(other)) = (&mut self.ssim, &other.ssim) {
            ssim.merge(other);
        }
        self.autocorrelation.merge(&other.autocorrelation);
        self.dispersion.merge(&other.dispersion);
        self.spots.merge(&other.spots);
        self.ghost.merge(&other.ghost);
        self.shadow.merge(&other.shadow);
    }

    fn report(&self) -> SampleReport {
        SampleReport {
            n_frames: self.n_frames,
            ks: self.counts.test(),
            ssim: self.ssim.as_ref().and_then(Ssim::mean),
            ssim_worst_frame: self.ssim.as_ref().and_then(Ssim::worst),
            autocorrelation: self.autocorrelation.lags(),
            autocorrelation_worst: self.autocorrelation.worst(),
            dispersion: self.dispersion.report(),
            spots: self.spots.report(),
            ghost: self.ghost.report(),
            shadow: self.shadow.report(),
        }
    }
}

/// All numbers. Their definitions are with the accumulators that they come from.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Report {
    /// Frames.
    pub n_frames: u64,
    /// Which pixels there are, and how many changed.
    pub pixels: PixelCounts,
    /// Errors in counts.
    pub errors: Errors,
    /// Errors in σ; `None` without a model of the noise.
    pub sigma: Option<SigmaReport>,
    /// Bias by intensity.
    pub bias_by_intensity: Vec<Bias>,
    /// Bias by the intensity of a pixel's neighbours, that is by its mean; empty without a model of the noise.
    pub bias_at_mean: Vec<BiasAtMean>,
    /// The line through the bins.
    pub bias_line: Option<Line>,
    /// The flux of frames; `None` without a model of the noise.
    pub flux: Option<FluxReport>,
    /// Errors by tile.
    pub tiles: TilesReport,
    /// The ten largest errors.
    pub largest: Vec<LargeError>,
    /// What is computed of a sample of frames.
    pub sample: SampleReport,
}

/// Which pixels there are, and how many changed.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PixelCounts {
    /// Σx.
    pub sum_before: i128,
    /// Σy.
    pub sum_after: i128,
    /// Pixels that count.
    pub n_valid: u64,
    /// Those that changed.
    pub n_changed: u64,
    /// Zeros that became another value.
    pub n_from_zero: u64,
    /// Other values that became 0.
    pub n_to_zero: u64,
    /// The sum of the values that became 0.
    pub counts_to_zero: i128,
    /// The parts of pixels that are 0, 1 and 2 before.
    pub p_before: [f64; 3],
    /// The parts of pixels that are 0, 1 and 2 after.
    pub p_after: [f64; 3],
    /// What became of the pixels that do not count.
    pub excluded: Exactness,
}

impl PixelCounts {
    fn new(moments: &Moments, excluded: Exactness) -> Self {
        let part = |n: u64| if moments.n > 0 { n as f64 / moments.n as f64 } else { 0.0 };
        Self {
            sum_before: moments.sum_x,
            sum_after: moments.sum_x + moments.sum_e,
            n_valid: moments.n,
            n_changed: moments.n_changed,
            n_from_zero: moments.n_from_zero,
            n_to_zero: moments.n_to_zero,
            counts_to_zero: moments.sum_to_zero,
            p_before: moments.low_x.map(part),
            p_after: moments.low_y.map(part),
            excluded,
        }
    }
}

/// Errors in counts: see [`Moments`] and [`Largest`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Errors {
    /// The largest |e|.
    pub max_error: u64,
    /// The 10th and the 100th largest |e|.
    pub max_error_10th: u64,
    /// The 100th largest.
    pub max_error_100th: u64,
    /// The mean error.
    pub bias: f64,
    /// Its standard error if errors are independent.
    pub bias_error_if_independent: f64,
    /// Mean square error.
    pub mse: f64,
    /// Its root.
    pub rmse: f64,
    /// RMSE / (max x − min x).
    pub nrmse: Option<f64>,
    /// The range of PSNR.
    pub psnr_range: f64,
    /// PSNR in dB; `None` without an error.
    pub psnr: Option<f64>,
    /// Correlation of x and y.
    pub pearson: Option<f64>,
    /// Correlation of e and x.
    pub error_correlation: Option<f64>,
    /// Σy / Σx − 1.
    pub flux: Option<f64>,
    /// The line y = a + s x through all pixels: a, s.
    pub line: Option<(f64, f64)>,
    /// Least and greatest x.
    pub range_before: Option<(i64, i64)>,
    /// Least and greatest y.
    pub range_after: Option<(i64, i64)>,
}

impl Errors {
    fn new(moments: &Moments, largest: &Largest, data_range: Option<f64>) -> Self {
        let psnr_range = data_range.unwrap_or(moments.span());
        Self {
            max_error: moments.max_error,
            max_error_10th: largest.kth(10),
            max_error_100th: largest.kth(100),
            bias: moments.bias(),
            bias_error_if_independent: moments.bias_error_if_independent(),
            mse: moments.mse(),
            rmse: moments.rmse(),
            nrmse: moments.nrmse(),
            psnr_range,
            psnr: moments.psnr(psnr_range),
            pearson: moments.pearson(),
            error_correlation: moments.error_correlation(),
            flux: moments.flux(),
            line: moments.line(),
            range_before: moments.range_x,
            range_after: moments.range_y,
        }
    }
}

/// Errors in σ: see [`ErrorInSigma`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct SigmaReport {
    /// The model.
    pub noise: NoiseModel,
    /// Pixels that have a σ.
    pub n: u64,
    /// The largest |e| / σ.
    pub max: f64,
    /// |e| / σ that 99.9 % of the pixels do not exceed.
    pub quantile_999: f64,
    /// √⟨e² / σ²⟩.
    pub rms: f64,
    /// κ.
    pub inflation: f64,
    /// Pixels whose σ is 0.
    pub n_without_sigma: u64,
    /// Those of them that changed.
    pub n_changed_without_sigma: u64,
}

impl SigmaReport {
    fn new(sigma: &ErrorInSigma) -> Self {
        let (n_without_sigma, n_changed_without_sigma) = sigma.n_without_sigma();
        Self {
            noise: *sigma.noise(),
            n: sigma.n(),
            max: sigma.max(),
            quantile_999: sigma.quantile(0.999),
            rms: sigma.mean_square().sqrt(),
            inflation: sigma.inflation(),
            n_without_sigma,
            n_changed_without_sigma,
        }
    }
}

/// What is computed of a sample of frames.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SampleReport {
    /// Frames of the sample.
    pub n_frames: u64,
    /// The test of Kolmogorov and Smirnov.
    pub ks: Option<KsTest>,
    /// SSIM.
    pub ssim: Option<f64>,
    /// SSIM of the worst frame, and which it is.
    pub ssim_worst_frame: Option<(f64, u64)>,
    /// ρ of all lags.
    pub autocorrelation: Vec<Lag>,
    /// The lag that is the least likely by chance.
    pub autocorrelation_worst: Option<Lag>,
    /// Dispersion in time.
    pub dispersion: Option<DispersionReport>,
    /// Spots, where the frames have any.
    pub spots: Option<SpotsReport>,
    /// Whether errors follow the frame before.
    pub ghost: GhostReport,
    /// Whether errors round outliers have a sign.
    pub shadow: ShadowReport,
}
