//! The page: curves, and a frame at three thresholds. Nothing from a network, both themes, and paper.

use std::fmt::Write;

use darkchunk_metrics::SpotClass;
use darkchunk_stream::threshold::{Found, Shot};

use super::{Lost, facts, percent};
use crate::compare::html::{STYLE, escaped, figure};
use crate::compare::picture::{self, Picture};
use crate::compare::plot::{Axis, Plot};
use crate::input::Name;

/// Colours of curves, which are told apart in both themes and by most who see few colours.
const MORE_STYLE: &str = "
.curve { fill: none; stroke-width: 1.8 } .c0 { stroke: #0072b2; fill: #0072b2 } .c1 { stroke: #d55e00; fill: #d55e00 } .c2 { stroke: #009e73; fill: #009e73 } .c3 { stroke: #cc79a7; fill: #cc79a7 } .c4 { stroke: #b58900; fill: #b58900 } .c5 { stroke: #56b4e9; fill: #56b4e9 }
.curve { fill: none !important } .legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .92rem; color: var(--soft) } .legend svg { width: 1.6rem; height: .7rem; display: inline-block; margin-right: .3rem }
td, th { text-align: right } td:first-child, th:first-child { text-align: left } th { white-space: normal; overflow-wrap: normal } th:first-child { white-space: nowrap }";

/// Curves of one plot.
const MAX_CURVES: usize = 6;

/// A curve: its name, and its points.
type Curve = (String, Vec<(f64, f64)>);

pub(super) fn report(name: &Name, found: &Found) -> String {
    let title = escaped(&name.to_string());
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>darkchunk threshold: {title}</title><style>{STYLE}{MORE_STYLE}</style></head><body><h1>What thresholds take away</h1>\
         <ul><li>{title}</li>"
    );
    for fact in facts(found) {
        let _ = write!(page, "<li>{}</li>", escaped(&fact));
    }
    page += "</ul>";
    table(&mut page, found);
    plots(&mut page, found);
    shots(&mut page, found);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        page,
        "<p class=\"meaning\">darkchunk {version}. A pixel below the threshold becomes 0. Counts lost are those of all positive pixels, dark noise too; spots \
         are compared with what they are without a threshold.</p></body></html>"
    );
    page
}

fn table(page: &mut String, found: &Found) {
    *page += "<h2>Numbers</h2><table><tr><th>threshold</th><th>in &sigma;</th><th>ratio</th><th>bright, %</th><th>counts lost, %</th>\
              <th>spots lost, %</th><th>charge of spots lost, %</th><th>centroid shift, pixels</th></tr>";
    for (level, ratio) in found.report.levels.iter().zip(&found.ratios) {
        let lost = Lost::of(level.spots.as_ref());
        let of = |part: fn(&Lost) -> String| lost.as_ref().map_or_else(|| "-".to_owned(), part);
        let cells = [
            level.threshold.to_string(),
            format!("{:.1}", f64::from(level.threshold) / found.sigma),
            format!("{ratio:.1}"),
            percent(level.bright),
            percent(level.counts_lost),
            of(|lost| percent(lost.hits)),
            of(|lost| percent(lost.charge)),
            of(Lost::shift_text),
        ];
        let cells = cells.map(|cell| format!("<td class=\"number\">{cell}</td>")).concat();
        let _ = write!(page, "<tr>{cells}</tr>");
    }
    *page += "</table>";
}

fn plots(page: &mut String, found: &Found) {
    let levels = &found.report.levels;
    let curve = |of: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        (0..levels.len()).map(|at| (f64::from(levels[at].threshold), of(at))).collect()
    };
    *page += "<h2>Size</h2>";
    let ratio = vec![("ratio".to_owned(), curve(&|at| found.ratios[at]))];
    figure(page, &plot("Ratio", "ratio", true, &ratio), "How many times smaller DRLE makes frames of 16 bits.");
    let bright = vec![
        ("pixels that are kept, %".to_owned(), curve(&|at| 100.0 * levels[at].bright)),
        ("counts that are lost, %".to_owned(), curve(&|at| 100.0 * levels[at].counts_lost)),
    ];
    figure(page, &plot("Bright pixels and counts", "%", false, &bright), "Of all pixels, and of all positive counts.");
    *page += "<h2>Spots</h2>";
    for (title, axis, caption, of) in [
        (
            "Charge lost",
            "charge lost, %",
            "The mean part of a spot's charge that is lost, by its brightest pixel.",
            &(|class: &SpotClass| Some(100.0 * class.charge_lost)) as &dyn Fn(&SpotClass) -> Option<f64>,
        ),
        ("Hits lost", "spots lost, %", "Spots of which no pixel is left.", &|class: &SpotClass| {
            Some(100.0 * class.n_lost as f64 / class.n as f64)
        }),
        (
            "Centroid shift",
            "shift, pixels",
            "How far the centroid of a spot moves that is left, in the mean.",
            &|class| (class.n_lost < class.n).then_some(class.centroid_shift),
        ),
    ] {
        figure(page, &plot(title, axis, false, &by_peak(found, of)), caption);
    }
}

/// A curve for each class of spots, those with the most spots.
fn by_peak(found: &Found, of: &dyn Fn(&SpotClass) -> Option<f64>) -> Vec<Curve> {
    let first = found.report.levels.first().and_then(|level| level.spots.as_ref());
    let mut classes: Vec<(u64, (u64, u64))> =
        first.into_iter().flat_map(|spots| &spots.classes).map(|class| (class.n, class.peak)).collect();
    classes.sort_unstable_by_key(|(n, _)| std::cmp::Reverse(*n));
    classes.truncate(MAX_CURVES);
    classes.sort_unstable_by_key(|(_, peak)| *peak);
    let curve = |(n, peak): (u64, (u64, u64))| {
        let points = found.report.levels.iter().filter_map(|level| {
            let class = level.spots.as_ref()?.classes.iter().find(|class| class.peak == peak)?;
            Some((f64::from(level.threshold), of(class)?))
        });
        (format!("{} to {}: {n} spots", peak.0, peak.1), points.collect())
    };
    classes.into_iter().map(curve).collect()
}

/// Curves over the threshold, with their names.
fn plot(title: &str, label: &str, is_log: bool, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|(_, points)| points);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MIN_POSITIVE, f64::max);
    let least = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
    if points().next().is_none() {
        return String::new();
    }
    let x = Axis { from: 0.0, to: most(|point| point.0) * 1.03, is_log: false };
    let y = if is_log {
        Axis { from: least.max(0.1) / 1.2, to: most(|point| point.1) * 1.2, is_log }
    } else {
        Axis { from: 0.0, to: most(|point| point.1).max(1e-6) * 1.05, is_log }
    };
    let mut plot = Plot::new(title, (x, "threshold, counts"), (y, label));
    for (number, (_, points)) in curves.iter().enumerate() {
        plot.curve(&format!("curve c{number}"), points);
        points.iter().for_each(|point| plot.dot(&format!("c{number}"), *point));
    }
    let names = curves.iter().enumerate().map(|(number, (name, _))| {
        format!(
            "<span><svg viewBox=\"0 0 24 10\"><line class=\"c{number}\" x1=\"0\" y1=\"5\" x2=\"24\" y2=\"5\" stroke-width=\"3\"/></svg>{}</span>",
            escaped(name)
        )
    });
    let legend = if curves.len() > 1 {
        format!("<div class=\"legend\">{}</div>", names.collect::<String>())
    } else {
        String::new()
    };
    plot.end() + &legend
}

/// The same frame at the least, the middle and the greatest threshold.
fn shots(page: &mut String, found: &Found) {
    let Shot { frame, step, height, width, pixels } = &found.shot;
    let levels = &found.report.levels;
    let places = [0, levels.len() / 2, levels.len() - 1];
    let white = high(pixels, found.report.peak);
    let pictures = places.map(|at| {
        let threshold = levels[at].threshold;
        let colour = |pixel: &i32| picture::intensity(if *pixel < threshold { 0.0 } else { *pixel as f32 }, white);
        let uri = Picture { height: *height, width: *width, rgb: pixels.iter().map(colour).collect() }.data_uri();
        format!("<div><img alt=\"Threshold {threshold}\" src=\"{uri}\"><span class=\"meaning\">threshold {threshold}</span></div>")
    });
    *page += "<h2>A frame</h2>";
    let small =
        if *step > 1 { format!(" Each point is the largest of {step} x {step} pixels.") } else { String::new() };
    let caption = format!("Frame {frame}: black 0, white {white} counts and more, by the root.{small}");
    figure(page, &format!("<div class=\"frames\">{}</div>", pictures.concat()), &caption);
}

/// What 99.5 % of the points are below, or a spot at least.
fn high(pixels: &[i32], peak: i32) -> f32 {
    let mut sorted = pixels.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 995 / 1000).copied().unwrap_or(peak).max(peak) as f32
}
