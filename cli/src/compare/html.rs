//! The report as one HTML file: nothing from a network, both themes, and paper.

use std::fmt::Write;

use darkchunk_metrics::technique::{
    CovarianceReport, G2, Ring, RingSum, SliceReport, TechniqueReport, TomographyReport,
};
use darkchunk_stream::compare::{Found, Preview};

use super::picture::{self, Picture};
use super::text::{self, number};
use super::{Names, plot};

/// Labels that have a plot.
const MAX_LABELS: usize = 12;

pub(crate) const STYLE: &str = "
:root { color-scheme: light dark; --page: #fcfcfb; --text: #1c1c1a; --soft: #62625c; --line: #dededa; --mark: #1f6fb2; --good: #1a7f46; --bad: #b3261e; --box: #f3f3f0 }
@media (prefers-color-scheme: dark) { :root { --page: #171716; --text: #ececea; --soft: #a3a39c; --line: #3a3a37; --mark: #6db3ee; --good: #5cc98a; --bad: #ff8a80; --box: #21211f } }
@media print { :root { --page: #fff; --text: #000; --soft: #444; --line: #ccc; --mark: #1f6fb2; --good: #146c3a; --bad: #a01c16; --box: #f3f3f3 } figure, tr { break-inside: avoid } h2 { break-after: avoid } }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; print-color-adjust: exact }
h1 { font-size: 1.6rem; margin: 0 0 .3rem } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem }
.verdict { padding: .8rem 1rem; border-left: .4rem solid; background: var(--box); font-size: 1.15rem; font-weight: 600 }
.kept { color: var(--good) } .broken { color: var(--bad) }
table { border-collapse: collapse; width: 100% } td, th { padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600; white-space: nowrap } td.kept, td.broken, td.number { white-space: nowrap } .wide tr:first-child th { white-space: normal; overflow-wrap: normal } .verdicts { overflow-wrap: normal; white-space: normal !important } .number { font-variant-numeric: tabular-nums } .meaning { color: var(--soft); font-size: .92rem }
figure { margin: 1rem 0 1.6rem } figcaption { color: var(--soft); font-size: .92rem } svg { width: 100%; height: auto; display: block }
.label { fill: var(--soft); font: 11px system-ui, sans-serif } .grid { stroke: var(--line); stroke-width: .7 } .axis { stroke: var(--soft) }
.limit { fill: none; stroke: var(--bad); stroke-dasharray: 5 4 } .bar, .point { fill: var(--mark) } .open { fill: var(--page); stroke: var(--bad); stroke-width: 1.5 } .error { stroke: var(--mark) } .before, .after { fill: none; stroke: var(--mark); stroke-width: 1.4 } .before { stroke: var(--soft); stroke-width: 3; opacity: .55 }
.frames { display: grid; grid-template-columns: repeat(3, 1fr); gap: .6rem } .frames img, .map { width: 100%; image-rendering: pixelated; display: block } .map { max-width: 32rem }
ul { padding-left: 1.2rem } li { overflow-wrap: anywhere }";

/// A page; the title is escaped already.
pub(super) fn page(title: &str, body: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>darkchunk compare: {title}</title><style>{STYLE}</style></head><body>{body}<p class=\"meaning\">darkchunk {version}. \
         x are the counts of the reference, y those of the test, e = y &minus; x; sigma is the noise of a pixel by the model above.</p>\
         </body></html>\n"
    )
}

/// The report of one comparison.
pub(super) fn report(names: &Names, found: &Found) -> String {
    let reference = escaped(&names.reference.to_string());
    let class = if found.verdict.passes { "kept" } else { "broken" };
    let verdict = escaped(&text::verdict(&found.verdict));
    let mut body = format!("<h1>What was lost</h1><p class=\"verdict {class}\">{verdict}</p>");
    compared(&mut body, &reference, names, found);
    checks(&mut body, found);
    metrics(&mut body, found);
    plots(&mut body, found);
    frames(&mut body, &found.previews);
    page(&reference, &body)
}

fn compared(page: &mut String, reference: &str, names: &Names, found: &Found) {
    let test = escaped(&names.test);
    let _ = write!(page, "<h2>What was compared</h2><ul><li>reference: {reference}</li><li>test: {test}</li>");
    for fact in text::facts(found) {
        let _ = write!(page, "<li>{}</li>", escaped(&fact));
    }
    *page += "</ul>";
}

fn checks(page: &mut String, found: &Found) {
    *page += "<h2>Limits</h2><table><tr><th>limit</th><th></th><th>found</th><th>at most</th><th>what it is</th></tr>";
    for check in &found.verdict.checks {
        let (class, word) = if check.is_kept { ("kept", "kept") } else { ("broken", "broken") };
        let _ = write!(
            page,
            "<tr><th>{}</th><td class=\"{class}\">{word}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"meaning\">{}</td></tr>",
            check.name,
            number(check.found),
            number(check.limit),
            escaped(&check.text)
        );
    }
    *page += "</table>";
}

fn metrics(page: &mut String, found: &Found) {
    *page += "<h2>Numbers</h2><table>";
    for line in text::lines(found) {
        let _ = write!(
            page,
            "<tr><th>{}</th><td><span class=\"number\">{}</span><br><span class=\"meaning\">{}</span></td></tr>",
            line.name,
            escaped(&line.number),
            escaped(&line.meaning)
        );
    }
    *page += "</table>";
}

pub(crate) fn figure(page: &mut String, picture: &str, caption: &str) {
    if !picture.is_empty() {
        let _ = write!(page, "<figure>{picture}<figcaption>{}</figcaption></figure>", escaped(caption));
    }
}

fn plots(page: &mut String, found: &Found) {
    *page += "<h2>Plots</h2>";
    if let Some(found) = &found.technique {
        technique(page, found);
    }
    if found.histogram.iter().any(|n| *n > 0) {
        let caption = "Errors of all pixels over their own sigma. Steps of beta sigma end at beta / 2 on both sides.";
        figure(page, &plot::histogram(&found.histogram), caption);
    }
    let caption = "Bias of pixels with the same mean, with three standard errors; dashed: the limit. An average of n pixels is off by this, \
                   and its own noise is smaller by the root of n.";
    figure(page, &plot::bias(&found.report.bias_at_mean, found.limits.bias), caption);
    figure(page, &error_map(found), &error_map_caption(found));
    if !found.report.sample.autocorrelation.is_empty() {
        let caption = "Autocorrelation of errors, of the frames of the sample. White noise has none; a pattern says that the codec smears or repeats.";
        figure(page, &plot::autocorrelation(&found.report.sample.autocorrelation), caption);
    }
}

/// The plots of a technique: grey before, coloured after.
fn technique(page: &mut String, technique: &TechniqueReport) {
    match technique {
        TechniqueReport::Radial(radial) => {
            let points = |of: fn(&Ring) -> Option<f64>| -> Vec<(f64, f64)> {
                radial.rings.iter().filter_map(|ring| Some((ring.radius, of(ring)?))).collect()
            };
            let profile = [points(|ring| Some(ring.before)), points(|ring| Some(ring.after))];
            let plot = plot::curves(("radius, pixels", "counts a pixel"), &profile, true);
            figure(page, &plot, "Mean of each ring over all frames: grey of the reference, coloured of the test.");
            let residuals = [Vec::new(), points(|ring| ring.residual)];
            let plot = plot::curves(("radius, pixels", "change / sigma"), &residuals, false);
            figure(page, &plot, "Change of each ring's mean, in units of what it is uncertain by.");
        }
        TechniqueReport::Correlation(labels) => {
            for label in labels.iter().take(MAX_LABELS) {
                let points = |of: fn(&G2) -> f64| label.g2.iter().map(|g2| ((g2.lag as f64).log2(), of(g2))).collect();
                let g2 = [points(|g2| g2.before), points(|g2| g2.after)];
                let plot = plot::curves(("log2 of the lag in frames", "g2"), &g2, false);
                let caption = format!("g2 of label {}: grey of the reference, coloured of the test.", label.label);
                figure(page, &plot, &caption);
            }
        }
        TechniqueReport::Line(line) => {
            let points =
                |sums: &[i128]| (line.columns.0..).zip(sums).map(|(at, sum)| (at as f64, *sum as f64)).collect();
            let spectra = [points(&line.spectrum_before), points(&line.spectrum_after)];
            let plot = plot::curves(("column", "counts"), &spectra, false);
            figure(
                page,
                &plot,
                "Sum of each column over all rows and frames: grey of the reference, coloured of the test.",
            );
        }
        TechniqueReport::Peaks(_) => {}
        TechniqueReport::Tomography(report) => tomography(page, report),
        TechniqueReport::Covariance(report) => covariance(page, report),
    }
}

fn tomography(page: &mut String, report: &TomographyReport) {
    const WHAT: &str =
        "Fourier ring correlation of half sets: grey of the reference, coloured of the test; dashed: half a bit.";
    if let Some(frc) = &report.projections {
        figure(page, &plot::correlation(frc), &format!("Projections. {WHAT}"));
    }
    for slice in &report.slices {
        if let Some(frc) = &slice.frc {
            figure(page, &plot::correlation(frc), &format!("Slice of row {}. {WHAT}", slice.row));
        }
        slices(page, slice);
    }
}

/// A slice of both, and their difference.
fn slices(page: &mut String, slice: &SliceReport) {
    let (step, [x, y]) = (slice.side.div_ceil(256), &slice.images);
    let places: Vec<usize> = (0..slice.side).step_by(step).collect();
    let small = |image: &[f32]| -> Vec<f32> {
        places.iter().flat_map(|row| places.iter().map(move |column| image[row * slice.side + column])).collect()
    };
    let (before, after) = (small(x), small(y));
    let least = before.iter().copied().fold(0.0, f32::min);
    let span = high_of(&before) - least;
    let grey = |value: f32| [((value - least) / span.max(f32::MIN_POSITIVE) * 255.0).clamp(0.0, 255.0) as u8; 3];
    let (pictures, most) = beside(places.len(), &before, &after, &grey);
    let caption = format!(
        "Slice of row {}, {side} x {side} pixels: black {}, white {} a pixel. Difference: blue -{most}, red {most}.",
        slice.row,
        number(f64::from(least)),
        number(f64::from(least + span)),
        side = slice.side,
    );
    figure(page, &pictures, &caption);
}

/// Two square images and their difference; and the largest difference.
fn beside(side: usize, before: &[f32], after: &[f32], colour: Colours<'_>) -> (String, String) {
    let change: Vec<f32> = before.iter().zip(after).map(|(x, y)| y - x).collect();
    let most = largest(&change);
    let signed = |value| picture::signed(value, most);
    (three((side, side), [before, after, &change], (colour, &signed)), number(f64::from(most)))
}

/// A reference, a test and their difference, which has colours of its own.
fn three(size: (usize, usize), images: [&[f32]; 3], (colour, signed): (Colours<'_>, Colours<'_>)) -> String {
    let named = [("reference", colour), ("test", colour), ("difference", signed)];
    let shown = images.iter().zip(named).map(|(values, (name, colour))| thumbnail(size, values, colour, name));
    format!("<div class=\"frames\">{}</div>", shown.collect::<String>())
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(f32::MIN_POSITIVE, |most, value| most.max(value.abs()))
}

/// The radial distribution, and the covariance maps without what lies on their diagonal.
fn covariance(page: &mut String, report: &CovarianceReport) {
    let distribution =
        |of: fn(&RingSum) -> f64| report.distribution.iter().map(|ring| (ring.radius, of(ring))).collect();
    let curves = [distribution(|ring| ring.before), distribution(|ring| ring.after)];
    let plot = plot::curves(("radius, pixels", "counts a frame"), &curves, false);
    figure(page, &plot, "Sum of each ring, the mean over all frames: grey of the reference, coloured of the test.");
    let side = report.distribution.len();
    let map = |map: &[f64]| -> Vec<f32> {
        map.iter().enumerate().map(|(at, value)| if at / side == at % side { 0.0 } else { *value as f32 }).collect()
    };
    let [before, after] = report.maps.each_ref().map(|values| map(values));
    let most = largest(&before);
    let (pictures, change) = beside(side, &before, &after, &|value| picture::signed(value, most));
    let caption = format!(
        "Covariance map of the {side} rings, the centre at the top left, without the variances: blue -{most}, red {most}. Difference: blue \
         -{change}, red {change}.",
        most = number(f64::from(most)),
    );
    figure(page, &pictures, &caption);
}

fn most(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(0.0, f64::max)
}

fn error_map(found: &Found) -> String {
    let (height, width) = found.report.tiles.grid;
    let rgb = found.tile_rms.iter().map(|rms| picture::heat(*rms, most(&found.tile_rms))).collect();
    let uri = Picture { height, width, rgb }.data_uri();
    format!("<img class=\"map\" alt=\"Error map\" src=\"{uri}\">")
}

fn error_map_caption(found: &Found) -> String {
    let unit = if found.settings.noise.is_some() { "sigma" } else { "counts" };
    let side = found.report.tiles.side;
    format!(
        "Error map: rms error of each tile of {side} x {side} pixels over all frames, dark 0, yellow {} {unit}. Damage in one place shows here.",
        number(most(&found.tile_rms))
    )
}

fn frames(page: &mut String, previews: &[Preview]) {
    *page += "<h2>Frames</h2>";
    for preview in previews {
        let (most, error) = (high(&preview.x), largest(&preview.e).max(1e-3));
        let intensity = |value| picture::intensity(value, most);
        let signed = |value| picture::signed(value, error);
        let images: [&[f32]; 3] = [&preview.x, &preview.y, &preview.e];
        let pictures = three((preview.height, preview.width), images, (&intensity, &signed));
        let step = preview.step;
        let small = if step > 1 {
            format!(" Each point is {step} x {step} pixels: their mean, and the largest error.")
        } else {
            String::new()
        };
        let caption = format!(
            "Frame {}: black 0, white {} counts and more, by the root. Difference: blue -{}, red {}, in sigma (in counts where there is no sigma).{small}",
            preview.frame,
            number(f64::from(most)),
            number(f64::from(error)),
            number(f64::from(error))
        );
        figure(page, &pictures, &caption);
    }
}

/// The colour of a value.
type Colours<'a> = &'a dyn Fn(f32) -> [u8; 3];

/// A small image with its name.
fn thumbnail((height, width): (usize, usize), values: &[f32], colour: Colours<'_>, name: &str) -> String {
    let rgb = values.iter().map(|value| colour(*value)).collect();
    let uri = Picture { height, width, rgb }.data_uri();
    format!("<div><img alt=\"{name}\" src=\"{uri}\"><span class=\"meaning\">{name}</span></div>")
}

/// The same, but 1 at least.
fn high(values: &[f32]) -> f32 {
    high_of(values).max(1.0)
}

/// What 99.5 % of the pixels are below.
fn high_of(values: &[f32]) -> f32 {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted.get(sorted.len() * 995 / 1000).copied().unwrap_or(1.0)
}

/// Text for a page.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
