//! What a technique's numbers are, for both reports.

use darkchunk_metrics::technique::{
    CovarianceReport, Frc, LabelReport, LineReport, PeaksReport, RadialReport, SliceReport, TechniqueReport,
};

use super::{Line, add, number};

/// A number before and after.
fn change(before: f64, after: f64) -> String {
    format!("{} before, {} after", number(before), number(after))
}

/// The numbers of a technique, with their meaning.
pub(super) fn of_technique(technique: &TechniqueReport, lines: &mut Vec<Line>) {
    match technique {
        TechniqueReport::Radial(radial) => of_rings(radial, lines),
        TechniqueReport::Peaks(peaks) => of_peaks(peaks, lines),
        TechniqueReport::Correlation(labels) => labels.iter().for_each(|label| of_label(label, lines)),
        TechniqueReport::Line(line) => of_line(line, lines),
        TechniqueReport::Covariance(covariance) => of_covariance(covariance, lines),
        TechniqueReport::Tomography(tomography) => {
            tomography.projections.iter().for_each(|frc| of_correlation("projections", frc, lines));
            for slice in &tomography.slices {
                slice.frc.iter().for_each(|frc| of_correlation(&format!("slice of row {}", slice.row), frc, lines));
                of_slice(slice, lines);
            }
        }
    }
}

fn of_rings(radial: &RadialReport, lines: &mut Vec<Line>) {
    let worst = radial.worst.map_or(String::new(), |ring| {
        let change = change(ring.before, ring.after);
        format!("; worst at radius {}: {change}, {} sigma", number(ring.radius), number(ring.residual.unwrap_or(0.0)))
    });
    let bias = number(radial.bias.unwrap_or(0.0));
    add(
        lines,
        "rings",
        format!("{} rings; residual rms {} sigma; bias {bias}{worst}", radial.rings.len(), number(radial.rms_residual)),
        "The mean of all pixels of a ring, over all frames; sigma is what that mean is uncertain by.",
    );
}

fn of_peaks(peaks: &PeaksReport, lines: &mut Vec<Line>) {
    let text = format!(
        "{} found, {} lost, {} false; change of intensity {} sigma rms, {} in the mean; shift {} pixels, at most {}",
        peaks.n,
        peaks.n_lost,
        peaks.n_false,
        number(peaks.rms_difference),
        number(peaks.mean_difference),
        number(peaks.centroid_shift),
        number(peaks.max_centroid_shift)
    );
    add(
        lines,
        "peaks",
        text,
        "Peaks found on the reference and integrated on both, less the background of a ring round them.",
    );
}

fn of_line(line: &LineReport, lines: &mut Vec<Line>) {
    let text = match (line.before, line.after) {
        (Some(before), Some(after)) => format!(
            "area {}; centroid {}; width {}",
            change(before.area, after.area),
            change(before.centroid, after.centroid),
            change(before.width, after.width)
        ),
        _ => "none: nothing is above the baseline".into(),
    };
    add(lines, "line", text, "Of the sum of each column, over all rows and frames, less its median.");
}

fn of_covariance(covariance: &CovarianceReport, lines: &mut Vec<Line>) {
    let worst = covariance.worst.map_or(String::new(), |pair| {
        format!(
            "; worst at radii {} and {}: {}, {} sigma",
            number(pair.radii.0),
            number(pair.radii.1),
            change(pair.before, pair.after),
            number(pair.residual.unwrap_or(0.0))
        )
    });
    let text = format!(
        "{} rings, {} frames; residual rms {} sigma{worst}",
        covariance.distribution.len(),
        covariance.n_frames,
        number(covariance.rms_residual)
    );
    add(
        lines,
        "covariance map",
        text,
        "What the sums of two rings do together from frame to frame; sigma is what it is uncertain by over so many frames.",
    );
}

fn of_label(label: &LabelReport, lines: &mut Vec<Line>) {
    let decay = match (label.before, label.after) {
        (Some(before), Some(after)) => format!(
            "contrast {}; correlation time {} frames",
            change(before.contrast, after.contrast),
            change(before.time, after.time)
        ),
        (Some(_), None) => "no decay after, but before".into(),
        (None, _) => "g2 does not decay".into(),
    };
    let text = format!("label {}, {} pixels: {decay}", label.label, label.n_pixels);
    add(
        lines,
        "correlation in time",
        text,
        "The fit g2 - 1 = contrast exp(-2 tau / time). Up to 65536 pixels are followed.",
    );
}

fn of_correlation(what: &str, frc: &Frc, lines: &mut Vec<Line>) {
    let pixels =
        |frequency: Option<f64>| frequency.map_or("none".into(), |frequency| format!("{:.2}", 1.0 / frequency));
    add(
        lines,
        "resolution",
        format!(
            "{what}: {} pixels before, {} after; the correlation changes by {} in the mean",
            pixels(frc.before),
            pixels(frc.after),
            number(frc.mean_change)
        ),
        "Down to which period two half sets say the same: where their Fourier ring correlation falls below half a bit.",
    );
}

fn of_slice(slice: &SliceReport, lines: &mut Vec<Line>) {
    let contrast = match (slice.contrast_before, slice.contrast_after) {
        (Some(before), Some(after)) => change(before, after),
        _ => "none: all is alike, or without noise".into(),
    };
    add(
        lines,
        "contrast to noise",
        format!("slice of row {}: {contrast}", slice.row),
        "What tells two materials apart: the difference of their means over the noise of a pixel, by the difference of the half sets.",
    );
    let ssim = slice.ssim.map_or("none".into(), |ssim| format!("{ssim:.6}"));
    add(
        lines,
        "SSIM of a slice",
        format!("row {}: {ssim} for a range of {} a pixel", slice.row, number(slice.ssim_range)),
        "Likeness of the reconstructed slices; the range is max - min of that of the reference.",
    );
}
