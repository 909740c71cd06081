//! `threshold`: which one for DRLE.

mod page;

use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;

use darkchunk_hdf5::{File, Library, load};
use darkchunk_metrics::SpotsReport;
use darkchunk_stream::threshold::{self, Dark, Found as Swept, Frames, Options};
use serde_json::json;

use crate::input::{Input, Jobs, Name};
use crate::output::{Style, print, shown, wrapped};
use crate::{Found, Outcome};

const HELP: &str = "Spots are pixels above 2 sigma of the dark noise that touch each other, one of \
    which has 5 sigma. A sample of frames is looked at; the ratio is DRLE's for \
    frames of 16 bits.\n\n\
    Examples:\n  darkchunk threshold run12.h5 --dark dark.h5:/entry/data/data\n  \
    darkchunk threshold run12.h5 --dark-frames 0..50 --html thresholds.html\n  \
    darkchunk threshold run12.h5 --thresholds 5,10,20,40 --json | jq .ratios";

/// Show what thresholds take away, and what they save
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The frames; without a path the largest dataset
    #[arg(value_name = "FILE[:/PATH]")]
    file: String,
    /// The dark image, or dark frames
    #[arg(long, value_name = "FILE[:/PATH]")]
    dark: Option<String>,
    /// Dark frames of the dataset itself
    #[arg(long, value_name = "FROM..TO", conflicts_with = "dark", value_parser = range)]
    dark_frames: Option<Range<u64>>,
    /// Default: 1 to 30 times sigma
    #[arg(long, value_name = "N,N,…", value_delimiter = ',')]
    thresholds: Vec<u16>,
    /// sigma of a dark pixel, in counts
    #[arg(long, value_name = "COUNTS")]
    sigma: Option<f64>,
    /// Frames that are looked at
    #[arg(long, value_name = "N", default_value_t = 32)]
    sample: u64,
    /// Write a page with curves and a frame
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let refused = || format!("{text:?} is no range such as 0..50");
    let (from, to) = text.split_once("..").ok_or_else(refused)?;
    let number = |text: &str| text.parse::<u64>().map_err(|_| refused());
    Ok(number(from)?..number(to)?)
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let (frames, name) = open(&library, &arguments.file)?;
    let other = arguments.dark.as_ref().map(|text| open(&library, text)).transpose()?;
    let dark = match (&other, &arguments.dark_frames) {
        (Some((dark, _)), _) => Dark::Frames(dark, 0..dark.len()),
        (None, Some(range)) => Dark::Frames(&frames, range.clone()),
        (None, None) => Dark::None,
    };
    let options = Options {
        thresholds: arguments.thresholds.clone(),
        sigma: arguments.sigma.filter(|sigma| sigma.is_finite()),
        n_sampled: arguments.sample,
        n_threads: arguments.jobs.n_threads(),
    };
    let found = threshold::sweep(&frames, &dark, &options).map_err(|error| format!("{name}: {error}"))?;
    if let Some(path) = &arguments.html {
        let page = page::report(&name, &found);
        crate::output::page(path, &page)?;
    }
    let style = arguments.style;
    if style.json {
        print(&as_json(&name, &found)?)?;
    } else if !style.quiet {
        print(&as_text(&name, &found, style.verbose))?;
    }
    Ok(Found::Nothing)
}

/// The frames that are meant, and what they are called.
fn open(library: &Library, text: &str) -> Result<(Frames, Name), String> {
    let input = Input::parse(text);
    let file: File = input.open(library)?;
    let path = input.largest(library, &file)?;
    let frames = Frames::open(library, file.id(), &path).map_err(|error| format!("{}: {error}", input.name()))?;
    Ok((frames, input.at(&path)))
}

/// What is lost of all spots together.
struct Lost {
    hits: f64,
    charge: f64,
    /// `None` where no spot is left.
    shift: Option<f64>,
}

impl Lost {
    fn of(spots: Option<&SpotsReport>) -> Option<Self> {
        let classes = &spots?.classes;
        let n: u64 = classes.iter().map(|class| class.n).sum();
        let left: u64 = classes.iter().map(|class| class.n - class.n_lost).sum();
        let mean = |sum: f64, n: u64| if n > 0 { sum / n as f64 } else { 0.0 };
        let shift = classes.iter().map(|class| class.centroid_shift * (class.n - class.n_lost) as f64).sum();
        Some(Self {
            hits: mean((n - left) as f64, n),
            charge: mean(classes.iter().map(|class| class.charge_lost * class.n as f64).sum(), n),
            shift: (left > 0).then(|| mean(shift, left)),
        })
    }

    fn shift_text(&self) -> String {
        self.shift.map_or_else(|| "-".to_owned(), |shift| format!("{shift:.3}"))
    }
}

/// A part in percent, with as many digits as mean something.
fn percent(part: f64) -> String {
    match 100.0 * part {
        percent if percent >= 9.995 => format!("{percent:.1}"),
        percent if percent >= 0.0995 => format!("{percent:.2}"),
        0.0 => "0".to_owned(),
        percent => format!("{percent:.4}"),
    }
}

/// What was looked at.
fn facts(found: &Swept) -> Vec<String> {
    let shape = found.shape;
    let spots = found.report.levels.first().and_then(|level| level.spots.as_ref());
    let spots = match spots {
        Some(spots) if spots.n_frames_too_bright > 0 => {
            format!(
                "{:.1} spots a frame; {} frames are too bright for spots",
                spots.spots_per_frame, spots.n_frames_too_bright
            )
        }
        Some(spots) => format!("{:.1} spots a frame", spots.spots_per_frame),
        None => "no spots".to_owned(),
    };
    vec![
        format!("{} of {} frames of {} x {} pixels", found.sample.len(), found.n_frames, shape.height, shape.width),
        format!("sigma of a dark pixel: {:.2} counts, {}", found.sigma, found.sigma_from),
        format!("{spots}: pixels above {} with one of {} or more", found.report.floor, found.report.peak),
    ]
}

fn as_text(name: &Name, found: &Swept, is_verbose: bool) -> String {
    let mut text = wrapped(0, &name.to_string());
    facts(found).iter().for_each(|fact| text += &wrapped(2, fact));
    text += "\nthreshold  in sigma    ratio  bright %  counts   spots    charge   centroid\n";
    text += "                                      lost %   lost %   lost %   shift, px\n";
    for (level, ratio) in found.report.levels.iter().zip(&found.ratios) {
        let lost = Lost::of(level.spots.as_ref());
        let of = |part: fn(&Lost) -> f64| lost.as_ref().map_or_else(|| "-".to_owned(), |lost| percent(part(lost)));
        let shift = lost.as_ref().map_or_else(|| "-".to_owned(), Lost::shift_text);
        let (threshold, sigma) = (level.threshold, f64::from(level.threshold) / found.sigma);
        let (bright, counts) = (percent(level.bright), percent(level.counts_lost));
        let (hits, charge) = (of(|lost| lost.hits), of(|lost| lost.charge));
        let _ = writeln!(
            text,
            "{threshold:>9} {sigma:>9.1} {ratio:>8.1} {bright:>9} {counts:>8} {hits:>8} {charge:>8} {shift:>9}"
        );
    }
    if is_verbose {
        found.report.levels.iter().for_each(|level| text += &classes(level.threshold, level.spots.as_ref()));
    }
    shown_lines(&text)
}

/// What is lost of spots by their brightest pixel.
fn classes(threshold: i32, spots: Option<&SpotsReport>) -> String {
    let classes = spots.map_or(&[][..], |spots| &spots.classes);
    if classes.is_empty() {
        return String::new();
    }
    let mut text = format!("\nthreshold {threshold}, by the brightest pixel of a spot:\n");
    for class in classes {
        let (from, to) = class.peak;
        let lost = percent(class.n_lost as f64 / class.n as f64);
        let (charge, shift) = (percent(class.charge_lost), class.centroid_shift);
        text += &wrapped(
            2,
            &format!(
                "{from} to {to}: {} spots, {lost} % lost, {charge} % of the charge lost, centroid shift {shift:.3} px",
                class.n
            ),
        );
    }
    text
}

fn shown_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", shown(line))).collect()
}

fn as_json(name: &Name, found: &Swept) -> Result<String, String> {
    let mut object = json!({ "verb": "threshold", "file": name.file, "path": name.path });
    let found = serde_json::to_value(found).map_err(|error| error.to_string())?;
    if let (serde_json::Value::Object(object), serde_json::Value::Object(found)) = (&mut object, found) {
        object.extend(found);
    }
    Ok(format!("{object}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_the_digits_that_mean_something() {
        for (part, text) in [(0.0, "0"), (1.0, "100.0"), (0.05, "5.00"), (0.0001, "0.0100"), (0.1234, "12.3")] {
            assert_eq!(percent(part), text);
        }
        assert_eq!(range("3..50"), Ok(3..50));
        assert!(range("3").is_err() && range("a..4").is_err());
    }
}
