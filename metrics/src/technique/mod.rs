//! What an experiment makes of its frames, before and after: a codec is as good as what it leaves of that.
//!
//! | technique | numbers |
//! |---|---|
//! | small angle scattering, powder | [`Radial`] |
//! | crystallography | [`Peaks`] |
//! | XPCS | [`Correlation`] |
//! | spectroscopy | [`Line`] |
//! | tomography | [`Tomography`] |
//! | velocity map imaging | [`Covariance`] |
//!
//! The covariance map is in the page; the JSON object has its worst pair. Hits and spots of velocity map and coincidence imaging are [`Spots`](crate::Spots).

mod correlation;
mod covariance;
mod line;
mod nothing;
mod peaks;
mod radial;
mod tomography;

use std::sync::Arc;

pub use correlation::{Correlation, Decay, G2, LabelReport};
pub use covariance::{Covariance, CovarianceReport, RingPair, RingSum};
pub use line::{Line, LineReport, LineShape};
pub use peaks::{PeakSearch, Peaks, PeaksReport};
pub use radial::{Radial, RadialReport, Ring};
pub use tomography::{Frc, FrcRing, Scan, SliceReport, Tomography, TomographyReport};

use crate::limits::{check, nothing_measured};
use crate::{Check, Exactness, Limits, NoiseModel, Pair, Pixel, Result, Rules, Shape};

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Technique {
    /// [`Radial`]: the centre's row and column, and the step in pixels.
    Radial {
        /// Row and column.
        centre: (f64, f64),
        /// In pixels.
        step: f64,
    },
    /// [`Peaks`].
    Peaks(PeakSearch),
    /// [`Correlation`]: a label for each pixel, 0 for those that do not count.
    Correlation(Arc<[u32]>),
    /// [`Line`]: the columns, from, to (not included).
    Line(usize, usize),
    /// [`Tomography`].
    Tomography(Scan),
    /// [`Covariance`]: the centre's row and column, and the step in pixels.
    Covariance {
        /// Row and column.
        centre: (f64, f64),
        /// In pixels.
        step: f64,
    },
}

impl Technique {
    /// The same for so many frames, where it must know.
    #[must_use]
    pub fn of_frames(&self, n_frames: u64) -> Self {
        match self {
            Self::Tomography(scan) => Self::Tomography(Scan { n_projections: n_frames, ..scan.clone() }),
            other => other.clone(),
        }
    }
}

/// The accumulator of a technique. Frames are added in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    rules: Rules,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Radial(Radial),
    Peaks(Peaks),
    Correlation(Correlation),
    Line(Line),
    Tomography(Box<Tomography>),
    Covariance(Covariance),
}

/// The numbers of a technique.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TechniqueReport {
    /// Of [`Radial`].
    Radial(RadialReport),
    /// Of [`Peaks`].
    Peaks(PeaksReport),
    /// Of [`Correlation`], for each label.
    Correlation(Vec<LabelReport>),
    /// Of [`Line`].
    Line(LineReport),
    /// Of [`Tomography`].
    Tomography(TomographyReport),
    /// Of [`Covariance`].
    Covariance(CovarianceReport),
}

impl Metrics {
    /// For frames of this shape. Without a model of the noise σ is that of a photon counter.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for what means nothing.
    pub fn new(technique: &Technique, shape: Shape, rules: Rules, noise: Option<NoiseModel>) -> Result<Self> {
        rules.check(shape)?;
        let noise = noise.unwrap_or(NoiseModel::COUNTER);
        let kind = match technique {
            Technique::Radial { centre, step } => Kind::Radial(Radial::new(shape, *centre, *step, noise)?),
            Technique::Peaks(search) => Kind::Peaks(Peaks::new(shape, *search, noise)?),
            Technique::Correlation(labels) => Kind::Correlation(Correlation::new(shape, labels)?),
            Technique::Line(from, to) => Kind::Line(Line::new(shape, (*from, *to))?),
            Technique::Tomography(scan) => Kind::Tomography(Box::new(Tomography::new(shape, scan, noise)?)),
            Technique::Covariance { centre, step } => Kind::Covariance(Covariance::new(shape, *centre, *step)?),
        };
        Ok(Self { rules, kind })
    }

    /// Adds the next frame, of the shape that was said.
    pub fn add<P: Pixel>(&mut self, pair: &Pair<'_, P>) {
        let mut valid = Vec::new();
        if !self.rules.apply(pair, &mut valid, &mut Exactness::default()) {
            valid.clear();
        }
        match &mut self.kind {
            Kind::Radial(radial) => radial.add(pair.x, pair.y, &valid),
            Kind::Peaks(peaks) => peaks.add(pair.x, pair.y, &valid),
            Kind::Correlation(correlation) => correlation.add(pair.x, pair.y, &valid),
            Kind::Line(line) => line.add(pair.x, pair.y, &valid),
            Kind::Tomography(tomography) => tomography.add(pair.x, pair.y, &valid),
            Kind::Covariance(covariance) => covariance.add(pair.x, pair.y, &valid),
        }
    }

    /// The numbers.
    #[must_use]
    pub fn report(&self) -> TechniqueReport {
        match &self.kind {
            Kind::Radial(radial) => TechniqueReport::Radial(radial.report()),
            Kind::Peaks(peaks) => TechniqueReport::Peaks(peaks.report()),
            Kind::Correlation(correlation) => TechniqueReport::Correlation(correlation.report()),
            Kind::Line(line) => TechniqueReport::Line(line.report()),
            Kind::Tomography(tomography) => TechniqueReport::Tomography(tomography.report()),
            Kind::Covariance(covariance) => TechniqueReport::Covariance(covariance.report()),
        }
    }
}

impl TechniqueReport {
    /// Whether the limits of this technique are kept. What cannot be computed of y, though of x, breaks its limit. Where [`nothing`](Self::nothing) was
    /// measured that is broken, and no limit is kept.
    #[must_use]
    pub fn judge(&self, limits: &Limits) -> Vec<Check> {
        let mut checks = Vec::new();
        match self {
            Self::Radial(report) => judge_radial(report, limits, &mut checks),
            Self::Peaks(report) => judge_peaks(report, limits, &mut checks),
            Self::Correlation(labels) => judge_correlation(labels, limits, &mut checks),
            Self::Line(report) => judge_line(report, limits, &mut checks),
            Self::Tomography(report) => judge_tomography(report, limits, &mut checks),
            Self::Covariance(report) => judge_covariance(report, limits, &mut checks),
        }
        if let Some(text) = self.nothing() {
            checks.retain(|check| !check.is_kept);
            checks.insert(0, nothing_measured(&text));
        }
        checks
    }
}

/// The largest |residual|; infinite where something changed that has no σ.
fn largest(worst: Option<f64>, n_changed_without_sigma: u64) -> f64 {
    if n_changed_without_sigma > 0 { f64::INFINITY } else { worst.map_or(0.0, f64::abs) }
}

fn judge_radial(report: &RadialReport, limits: &Limits, checks: &mut Vec<Check>) {
    let found = largest(report.worst.and_then(|ring| ring.residual), report.n_changed_without_sigma);
    check(checks, "ring_residual", limits.ring_residual, found, || match report.worst {
        Some(ring) => format!(
            "|change of I| / its sigma, of the worst of {} rings: that of radius {:.1}",
            report.rings.len(),
            ring.radius
        ),
        None => "no ring has a sigma".into(),
    });
    check(checks, "ring_bias", limits.ring_bias, report.bias.map_or(0.0, f64::abs), || {
        "relative change of the sum of all rings".into()
    });
}

fn judge_peaks(report: &PeaksReport, limits: &Limits, checks: &mut Vec<Check>) {
    let part = |n: u64| if report.n > 0 { n as f64 / report.n as f64 } else { n as f64 };
    check(checks, "peaks_lost", limits.peaks_lost, part(report.n_lost), || {
        format!("{} of {} peaks are lost", report.n_lost, report.n)
    });
    check(checks, "peaks_false", limits.peaks_false, part(report.n_false), || {
        format!("{} peaks are false, and {} true", report.n_false, report.n)
    });
    check(checks, "peak_intensity", limits.peak_intensity, report.rms_difference, || {
        format!("change of a peak's intensity over its sigma, rms; the mean is {:.4}", report.mean_difference)
    });
    check(checks, "peak_shift", limits.peak_shift, report.centroid_shift, || {
        format!("mean shift of a peak's centroid in pixels; the largest is {:.3}", report.max_centroid_shift)
    });
}

/// How much a number changed; infinitely where it is no longer there.
fn change(before: f64, after: Option<f64>) -> f64 {
    after.map_or(f64::INFINITY, |after| (after / before - 1.0).abs())
}

fn judge_correlation(labels: &[LabelReport], limits: &Limits, checks: &mut Vec<Check>) {
    type Of = fn(&Decay) -> f64;
    let of: [(&'static str, Option<f64>, Of, &str); 2] = [
        ("contrast", limits.contrast, |decay| decay.contrast, "relative change of the contrast of g2"),
        ("correlation_time", limits.correlation_time, |decay| decay.time, "relative change of the correlation time"),
    ];
    for (name, limit, of, what) in of {
        let changes = labels.iter().filter_map(|label| {
            let before = label.before.as_ref()?;
            Some((label.label, of(before), label.after.as_ref().map(of)))
        });
        let worst = changes.max_by(|a, b| change(a.1, a.2).total_cmp(&change(b.1, b.2)));
        if let Some((label, before, after)) = worst {
            check(checks, name, limit, change(before, after), || {
                let after = after.map_or("none".into(), |after| format!("{after:.5}"));
                format!("{what}: {before:.5} before, {after} after, of label {label}")
            });
        }
    }
}

fn judge_line(report: &LineReport, limits: &Limits, checks: &mut Vec<Check>) {
    let Some(before) = report.before else { return };
    let after = report.after;
    check(checks, "line_area", limits.line_area, change(before.area, after.map(|line| line.area)), || {
        format!("relative change of the line's area: {:.1} before", before.area)
    });
    let shift = after.map_or(f64::INFINITY, |line| (line.centroid - before.centroid).abs());
    check(checks, "line_shift", limits.line_shift, shift, || {
        format!("shift of the line's centroid in columns: {:.3} before", before.centroid)
    });
    check(checks, "line_width", limits.line_width, change(before.width, after.map(|line| line.width)), || {
        format!("relative change of the line's width: {:.3} columns before", before.width)
    });
}

/// All correlations: of projections, and of each slice by its row.
fn correlations(report: &TomographyReport) -> Vec<(String, &Frc)> {
    let projections = report.projections.iter().map(|frc| ("projections".to_owned(), frc));
    let slices =
        report.slices.iter().filter_map(|slice| Some((format!("the slice of row {}", slice.row), slice.frc.as_ref()?)));
    projections.chain(slices).collect()
}

fn judge_tomography(report: &TomographyReport, limits: &Limits, checks: &mut Vec<Check>) {
    let all = correlations(report);
    if let Some((what, frc)) = all.iter().max_by(|a, b| a.1.mean_change.total_cmp(&b.1.mean_change)) {
        check(checks, "frc", limits.frc, frc.mean_change, || {
            format!("mean change of the Fourier ring correlation up to the resolution, of {what}")
        });
    }
    let resolved = all.iter().filter_map(|(what, frc)| Some((what, frc.before?, frc.after)));
    let lost = |before: f64, after: Option<f64>| after.map_or(f64::INFINITY, |after| (before / after - 1.0).abs());
    if let Some((what, before, after)) = resolved.max_by(|a, b| lost(a.1, a.2).total_cmp(&lost(b.1, b.2))) {
        check(checks, "resolution", limits.resolution, lost(before, after), || {
            let after = after.map_or("none".into(), |after| format!("{:.2}", 1.0 / after));
            format!("relative change of the resolution of {what}: {:.2} pixels before, {after} after", 1.0 / before)
        });
    }
    judge_slices(&report.slices, limits, checks);
}

fn judge_covariance(report: &CovarianceReport, limits: &Limits, checks: &mut Vec<Check>) {
    let found = largest(report.worst.and_then(|pair| pair.residual), report.n_changed_without_sigma);
    check(checks, "covariance", limits.covariance, found, || match report.worst {
        Some(pair) => format!(
            "|change of covariance| / its sigma over {} frames, of the worst pair of rings: those of radius {:.1} and {:.1}",
            report.n_frames, pair.radii.0, pair.radii.1
        ),
        None => "no pair of rings has a sigma".into(),
    });
}

fn judge_slices(slices: &[SliceReport], limits: &Limits, checks: &mut Vec<Check>) {
    let contrasts = slices.iter().filter_map(|slice| Some((slice.row, slice.contrast_before?, slice.contrast_after)));
    if let Some((row, before, after)) = contrasts.max_by(|a, b| change(a.1, a.2).total_cmp(&change(b.1, b.2))) {
        check(checks, "contrast_to_noise", limits.contrast_to_noise, change(before, after), || {
            let after = after.map_or("none".into(), |after| format!("{after:.3}"));
            format!("relative change in the slice of row {row}: {before:.3} before, {after} after")
        });
    }
    let likeness = slices.iter().filter_map(|slice| Some((slice, slice.ssim?)));
    if let Some((slice, ssim)) = likeness.min_by(|a, b| a.1.total_cmp(&b.1)) {
        check(checks, "slice_ssim", limits.slice_ssim, 1.0 - ssim, || {
            format!("1 - SSIM of the slice of row {}, for a range of {:.3e} a pixel", slice.row, slice.ssim_range)
        });
    }
}
