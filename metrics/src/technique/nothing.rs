//! Whether a technique has measured something: a proof must not pass by measuring nothing.

use super::{CovarianceReport, LabelReport, PeaksReport, RadialReport, TechniqueReport, TomographyReport};

impl TechniqueReport {
    /// What was looked for in x and not found; `None` where something was measured.
    #[must_use]
    pub fn nothing(&self) -> Option<String> {
        match self {
            Self::Radial(report) => of_rings(report),
            Self::Peaks(report) => of_peaks(report),
            Self::Correlation(labels) => of_labels(labels),
            Self::Line(report) => report.before.is_none().then(|| {
                let (from, to) = report.columns;
                format!("no line above its baseline in columns {from} to {to}: say which columns have one")
            }),
            Self::Tomography(report) => of_slices(report),
            Self::Covariance(report) => of_pairs(report),
        }
    }
}

fn of_rings(report: &RadialReport) -> Option<String> {
    report.rings.iter().all(|ring| ring.before == 0.0).then(|| {
        format!("no counts in any of {} rings: give frames that have some, and the right centre", report.rings.len())
    })
}

fn of_peaks(report: &PeaksReport) -> Option<String> {
    (report.n == 0).then(|| {
        format!(
            "no peak of {} sigma or more in {} frames: give frames that have peaks, and the noise of the detector",
            report.search.min_snr, report.n_frames
        )
    })
}

fn of_labels(labels: &[LabelReport]) -> Option<String> {
    labels.iter().all(|label| label.before.is_none()).then(|| {
        let n_lags = labels.iter().map(|label| label.g2.len()).max().unwrap_or(0);
        format!(
            "no g2 that decays, of {} labels and {n_lags} lags: give more frames, and labels of pixels that have counts",
            labels.len()
        )
    })
}

fn of_slices(report: &TomographyReport) -> Option<String> {
    let slices = || report.slices.iter();
    let correlations = report.projections.iter().chain(slices().filter_map(|slice| slice.frc.as_ref()));
    let is_resolved = correlations.into_iter().any(|frc| frc.before.is_some());
    let is_measured = is_resolved || slices().any(|slice| slice.contrast_before.is_some() || slice.ssim.is_some());
    (!is_measured).then(|| {
        format!(
            "no structure in {} projections and {} slices: give the projections of a sample, and rows that it is in",
            report.n_projections,
            report.slices.len()
        )
    })
}

fn of_pairs(report: &CovarianceReport) -> Option<String> {
    let is_dark = report.distribution.iter().all(|ring| ring.before == 0.0);
    (is_dark || report.worst.is_none()).then(|| {
        format!(
            "no two rings that vary together, of {} in {} frames: give more frames that have hits, and the right centre",
            report.distribution.len(),
            report.n_frames
        )
    })
}
