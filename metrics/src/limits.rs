//! Limits, and whether they are kept.

use serde::{Deserialize, Serialize};

use crate::{BiasAtMean, Exactness, Report};

/// What may be lost. A limit of `None` is not checked. The defaults are for data that are used pixel by pixel: images, projections.
///
/// Errors within a limit may be too large for an experiment that averages many pixels; see `bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest |e| / σ of a pixel. A quantiser with steps of β σ has β / 2.
    pub max_error: Option<f64>,
    /// κ, by how much the noise of a pixel may grow. A quantiser with steps of σ has 1.041.
    pub inflation: Option<f64>,
    /// |b| / σ of pixels of one mean, less three standard errors. An average over n pixels is off by √n times this.
    pub bias: Option<f64>,
    /// |Σy / Σx − 1| of all pixels.
    pub flux: Option<f64>,
    /// The part of all counts in pixels that became 0.
    pub counts_to_zero: Option<f64>,
    /// Pixels without noise (the zeros of a photon counter) that changed.
    pub changed_without_sigma: Option<u64>,
    /// Masked and saturated pixels that changed, and measurements that became such.
    pub changed_excluded: Option<u64>,
    /// √(Σe² / Σσ²) of the worst tile of 32 x 32 pixels.
    pub worst_tile: Option<f64>,
    /// The largest |ρ| of the errors of pixels near each other, less 3 / √n.
    pub autocorrelation: Option<f64>,
    /// Places where errors follow another frame.
    pub ghosts: Option<u64>,
    /// Frames in which errors round outliers have a sign.
    pub shadows: Option<u64>,
    /// The part of spots that are lost.
    pub spots_lost: Option<f64>,
    /// The part of the charge that spots lose, in the mean.
    pub spot_charge_lost: Option<f64>,
    /// The mean shift of the centroids of spots, in pixels.
    pub centroid_shift: Option<f64>,
    /// Of rings: the largest |residual|.
    pub ring_residual: Option<f64>,
    /// Of rings: |Σ(y − x) / Σx|.
    pub ring_bias: Option<f64>,
    /// Of the covariance map: the largest |residual| of two rings.
    pub covariance: Option<f64>,
    /// The part of peaks that are lost.
    pub peaks_lost: Option<f64>,
    /// False peaks, as a part of those that there are.
    pub peaks_false: Option<f64>,
    /// The root of the mean square of ΔI / σ of peaks.
    pub peak_intensity: Option<f64>,
    /// The mean shift of the centroids of peaks, in pixels.
    pub peak_shift: Option<f64>,
    /// The relative change of the contrast of g2, of any label.
    pub contrast: Option<f64>,
    /// The relative change of the correlation time, of any label.
    pub correlation_time: Option<f64>,
    /// The relative change of a line's area.
    pub line_area: Option<f64>,
    /// The shift of its centroid, in columns.
    pub line_shift: Option<f64>,
    /// The relative change of its width.
    pub line_width: Option<f64>,
    /// The mean change of a Fourier ring correlation up to the resolution.
    pub frc: Option<f64>,
    /// The relative change of the resolution, of projections or a slice. It jumps where the curve runs along the threshold: `frc` does not.
    pub resolution: Option<f64>,
    /// The relative change of contrast to noise in a slice.
    pub contrast_to_noise: Option<f64>,
    /// 1 − SSIM of a slice.
    pub slice_ssim: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_error: Some(1.0),
            inflation: Some(1.05),
            bias: Some(0.05),
            flux: Some(0.01),
            counts_to_zero: Some(0.001),
            changed_without_sigma: Some(0),
            changed_excluded: Some(0),
            worst_tile: Some(0.5),
            autocorrelation: Some(0.1),
            ghosts: Some(0),
            shadows: Some(0),
            spots_lost: None,
            spot_charge_lost: None,
            centroid_shift: None,
            ring_residual: Some(1.0),
            ring_bias: Some(0.001),
            covariance: Some(2.0),
            peaks_lost: Some(0.01),
            peaks_false: Some(0.01),
            peak_intensity: Some(0.5),
            peak_shift: Some(0.1),
            contrast: Some(0.02),
            correlation_time: Some(0.02),
            line_area: Some(0.001),
            line_shift: Some(0.01),
            line_width: Some(0.01),
            frc: Some(0.03),
            resolution: None,
            contrast_to_noise: Some(0.05),
            slice_ssim: Some(0.05),
        }
    }
}

/// One limit, and what was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The limit's name in [`Limits`].
    pub name: &'static str,
    /// What was found.
    pub found: f64,
    /// The limit.
    pub limit: f64,
    /// Whether it is kept.
    pub is_kept: bool,
    /// Where, and what it means.
    pub text: String,
}

/// All checks, and whether all limits are kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether all limits are kept.
    pub passes: bool,
    /// All that were checked.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Adds checks.
    pub fn add(&mut self, checks: Vec<Check>) {
        self.passes &= checks.iter().all(|check| check.is_kept);
        self.checks.extend(checks);
    }
}

impl Limits {
    /// Whether a report keeps these limits.
    ///
    /// Limits in σ are not checked where there is no model of the noise, and those of spots where there are none.
    #[must_use]
    pub fn judge(&self, report: &Report) -> Verdict {
        let mut checks = Vec::new();
        self.judge_sigma(report, &mut checks);
        self.judge_counts(report, &mut checks);
        self.judge_traces(report, &mut checks);
        self.judge_spots(report, &mut checks);
        Verdict { passes: checks.iter().all(|check| check.is_kept), checks }
    }

    fn judge_sigma(&self, report: &Report, checks: &mut Vec<Check>) {
        let Some(sigma) = &report.sigma else { return };
        check(checks, "max_error", self.max_error, sigma.max, || {
            format!("largest |e| / sigma of a pixel; 99.9 % of all pixels have at most {:.3}", sigma.quantile_999)
        });
        check(checks, "inflation", self.inflation, sigma.inflation, || {
            "the noise of a pixel grew by this factor".into()
        });
        let worst = report.bias_at_mean.iter().max_by(|a, b| sure_bias(a).total_cmp(&sure_bias(b)));
        if let Some(bias) = worst {
            check(checks, "bias", self.bias, sure_bias(bias), || {
                format!("|bias| / sigma of pixels with a mean of {} counts, less three standard errors", bias.mean)
            });
        }
        let without = self.changed_without_sigma.map(|limit| limit as f64);
        check(checks, "changed_without_sigma", without, sigma.n_changed_without_sigma as f64, || {
            format!("pixels changed that have no noise, of {}", sigma.n_without_sigma)
        });
        if let Some(tile) = report.tiles.worst {
            check(checks, "worst_tile", self.worst_tile, tile.value, || {
                let (frame, row, column) = (tile.frame.unwrap_or(0), tile.row, tile.column);
                format!("rms error / sigma in the worst tile: frame {frame}, from row {row}, column {column}")
            });
        }
    }

    fn judge_counts(&self, report: &Report, checks: &mut Vec<Check>) {
        if let Some(flux) = report.errors.flux {
            check(checks, "flux", self.flux, flux.abs(), || "sum of all counts, relative change".into());
            let total = report.pixels.sum_before as f64;
            let lost = if total > 0.0 { report.pixels.counts_to_zero as f64 / total } else { 0.0 };
            check(checks, "counts_to_zero", self.counts_to_zero, lost.abs(), || {
                format!("part of all counts, in {} pixels that became 0", report.pixels.n_to_zero)
            });
        } else if report.pixels.n_changed > 0 {
            for (name, limit) in [("flux", self.flux), ("counts_to_zero", self.counts_to_zero)] {
                check(checks, name, limit, f64::INFINITY, || {
                    format!(
                        "{} pixels changed, and the sum of all counts was 0: no change is small",
                        report.pixels.n_changed
                    )
                });
            }
        }
        self.judge_excluded(&report.pixels.excluded, checks);
    }

    pub(crate) fn judge_excluded(&self, excluded: &Exactness, checks: &mut Vec<Check>) {
        let changed = excluded.n_masked_changed + excluded.n_saturated_changed + excluded.n_became_invalid;
        let limit = self.changed_excluded.map(|limit| limit as f64);
        check(checks, "changed_excluded", limit, changed as f64, || {
            format!(
                "masked ({} of {}) and saturated ({} of {}) pixels changed, and {} that became such",
                excluded.n_masked_changed,
                excluded.n_masked,
                excluded.n_saturated_changed,
                excluded.n_saturated,
                excluded.n_became_invalid
            )
        });
    }

    fn judge_traces(&self, report: &Report, checks: &mut Vec<Check>) {
        let sure = |lag: &crate::Lag| (lag.rho.abs() - 3.0 / (lag.n as f64).sqrt()).max(0.0);
        let worst = report.sample.autocorrelation.iter().max_by(|a, b| sure(a).total_cmp(&sure(b)));
        if let Some(lag) = worst {
            check(checks, "autocorrelation", self.autocorrelation, sure(lag), || {
                format!(
                    "errors alike at a distance of {} columns, {} rows, {} frames: rho = {:.3}",
                    lag.dx, lag.dy, lag.dt, lag.rho
                )
            });
        }
        let ghost = &report.sample.ghost;
        if ghost.n_frames > 0 {
            let limit = self.ghosts.map(|limit| limit as f64);
            check(checks, "ghosts", limit, ghost.found.len() as f64, || ghost.text());
        }
        let shadow = &report.sample.shadow;
        if shadow.n_frames > 0 {
            let limit = self.shadows.map(|limit| limit as f64);
            check(checks, "shadows", limit, shadow.found.len() as f64, || shadow.text());
        }
    }

    /// The check that breaks where limits of spots were asked for, and there is none. [`judge`](Self::judge) leaves these limits out then, as covariances may have been
    /// measured of frames that are too bright for spots.
    #[must_use]
    pub fn judge_missing_spots(&self, report: &Report) -> Vec<Check> {
        let is_asked = [self.spots_lost, self.spot_charge_lost, self.centroid_shift].iter().any(Option::is_some);
        if !is_asked || report.sample.spots.is_some() {
            return Vec::new();
        }
        let text = "no spot in the sample of frames: give frames that have hits and dark pixels round them (less than a quarter above 0), or look at more of them";
        vec![nothing_measured(text)]
    }

    fn judge_spots(&self, report: &Report, checks: &mut Vec<Check>) {
        let Some(spots) = &report.sample.spots else { return };
        let n: u64 = spots.classes.iter().map(|class| class.n).sum();
        check(checks, "spots_lost", self.spots_lost, spots.n_lost as f64 / n as f64, || spots.text());
        let mean = |of: fn(&crate::SpotClass) -> (f64, u64)| {
            let parts = spots.classes.iter().map(of);
            let (sum, n) = parts.fold((0.0, 0), |(sum, n), (value, weight)| (sum + value * weight as f64, n + weight));
            if n > 0 { sum / n as f64 } else { 0.0 }
        };
        let charge = mean(|class| (class.charge_lost, class.n));
        check(checks, "spot_charge_lost", self.spot_charge_lost, charge.abs(), || {
            "part of its charge that a spot loses".into()
        });
        let shift = mean(|class| (class.centroid_shift, class.n - class.n_lost));
        check(checks, "centroid_shift", self.centroid_shift, shift, || {
            "mean shift of a spot's centroid, in pixels".into()
        });
    }
}

/// The name of the check that is there only where what was asked for was not found.
pub const NOTHING_MEASURED: &str = "nothing_measured";

/// What was asked for was not found: no limit can be kept by that.
pub(crate) fn nothing_measured(text: &str) -> Check {
    Check {
        name: NOTHING_MEASURED,
        found: 1.0,
        limit: 0.0,
        is_kept: false,
        text: format!("nothing was measured: the reference has {text}"),
    }
}

pub(crate) fn check(
    checks: &mut Vec<Check>,
    name: &'static str,
    limit: Option<f64>,
    found: f64,
    text: impl FnOnce() -> String,
) {
    if let Some(limit) = limit {
        checks.push(Check { name, found, limit, is_kept: found <= limit, text: text() });
    }
}

/// |b| / σ less three standard errors.
fn sure_bias(bias: &BiasAtMean) -> f64 {
    (bias.in_sigma.abs() - 3.0 * bias.error).max(0.0)
}
