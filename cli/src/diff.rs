//! `diff`: what two files differ in.

use darkchunk_hdf5::load;
use darkchunk_stream::diff::{self, Difference, Elements, Options, Side, Summary, Threshold, Watch, What, Which};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::input::{Input, Jobs};
use crate::output::{Style, count, print, progress, shown, wrapped};
use crate::{Found, Outcome};

/// Say what two files differ in: links, types, shapes, attributes, pixels
#[derive(Debug, clap::Args)]
#[command(after_help = "Only differences are printed. What data are stored with (filters, chunks) is no \
    difference. With --within-threshold values below the threshold that are 0 in the \
    other count as equal: that of the dataset's DRLE filter, or N.\n\n\
    Ends with 0 if there is none, 1 if there are some, 2 if something could not be\ncompared.\n\nExamples:\n  \
    darkchunk diff old.h5 new.h5\n  darkchunk diff raw.h5:/entry/data/data drle.h5 --within-threshold\n  \
    darkchunk diff old.h5 new.h5 -q && rm old.h5")]
pub(crate) struct Arguments {
    /// The first file, or what of it is compared
    #[arg(value_name = "A[:/PATH]")]
    a: String,
    /// The second; without a path that of the first
    #[arg(value_name = "B[:/PATH]")]
    b: String,
    /// Take 0 for values below N; without N, DRLE's
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "filter",
        value_parser = threshold)]
    within_threshold: Option<Threshold>,
    /// Memory for pixels, in MB
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    memory: u64,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

fn threshold(text: &str) -> Result<Threshold, String> {
    match text {
        "filter" => Ok(Threshold::OfFilter),
        text => text.parse().map(Threshold::Below).map_err(|_| format!("{text:?} is no threshold")),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let (a, b) = (Input::parse(&arguments.a), Input::parse(&arguments.b));
    // A path that is given counts, also that of all.
    let b = if b.path == "/" && !arguments.b.ends_with(":/") { Input { path: a.path.clone(), ..b } } else { b };
    let (file_a, file_b) = (a.open(&library)?, b.open(&library)?);
    a.check(&library, &file_a)?;
    b.check(&library, &file_b)?;
    let options = Options {
        n_threads: arguments.jobs.n_threads(),
        memory: arguments.memory.saturating_mul(1_000_000),
        within_threshold: arguments.within_threshold.unwrap_or_default(),
    };
    let bar = progress(a.file.metadata().map_or(0, |file| file.len()), arguments.style);
    let mut printer = Printer { a: &a, b: &b, style: arguments.style, bar, noted: None };
    let side = |file, path| Side { file, path, is_merged: false };
    let (side_a, side_b) = (side(&file_a, &a.path), side(&file_b, &b.path));
    let summary = diff::files(&library, side_a, side_b, options, &mut printer);
    printer.bar.finish_and_clear();
    print(&printer.counted())?;
    let summary = summary?;
    printer.end(&summary)?;
    Ok(match summary {
        Summary { n_not_compared: 1.., .. } => Found::NotAll,
        Summary { n_differences: 0, .. } => Found::Nothing,
        _ => Found::Something,
    })
}

struct Printer<'a> {
    a: &'a Input,
    b: &'a Input,
    style: Style,
    bar: ProgressBar,
    /// The object whose attributes of the bounded codec differ, and how many: one line for all.
    noted: Option<(String, u64)>,
}

/// What the names of attributes begin with that say what the bounded codec did.
const NOTES: &str = "bounded_";

impl Watch for Printer<'_> {
    fn begin(&mut self, path: &str) {
        self.bar.set_message(shown(path).into_owned());
    }

    fn seen(&mut self, n_bytes: u64) {
        // What is read is more than what is stored.
        self.bar.inc(n_bytes);
        self.bar.set_length(self.bar.length().unwrap_or(0).max(self.bar.position()));
    }

    fn found(&mut self, difference: Difference) -> Result<(), String> {
        let text = match self.style {
            Style { json: true, .. } => format!("{}\n", self.as_json(&difference)),
            Style { quiet: true, .. } if !matches!(difference.what, What::NotCompared(_)) => return Ok(()),
            Style { verbose: false, .. } => self.folded(&difference),
            _ => as_text(&difference),
        };
        self.bar.suspend(|| print(&text))
    }
}

impl Printer<'_> {
    /// What is to be printed of a difference. What the bounded codec noted is counted, and is one line before the next.
    fn folded(&mut self, difference: &Difference) -> String {
        let Difference { path, what } = difference;
        if !matches!(what, What::Attribute(name, ..) if name.starts_with(NOTES)) {
            return self.counted() + &as_text(difference);
        }
        match &mut self.noted {
            Some((noted, n)) if noted == path => *n += 1,
            _ => {
                let before = self.counted();
                self.noted = Some((path.clone(), 1));
                return before;
            }
        }
        String::new()
    }

    fn counted(&mut self) -> String {
        self.noted.take().map_or_else(String::new, |(path, n)| {
            let attributes = count(n, "attribute");
            wrapped(0, &format!("{path}: {attributes} of the bounded codec ({NOTES}…) differ: -v lists them"))
        })
    }

    fn as_json(&self, Difference { path, what }: &Difference) -> Value {
        let mut object = json!({ "verb": "diff", "file": self.a.name(), "other": self.b.name(), "path": path });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, fields(what)) {
            object.extend(more);
        }
        object
    }

    fn end(&self, summary: &Summary) -> Result<(), String> {
        let Summary { n_datasets, n_elements, n_within_threshold, n_differences, n_not_compared } = *summary;
        if self.style.json {
            let object = json!({
                "verb": "diff", "file": self.a.name(), "other": self.b.name(), "path": "/", "difference": null,
                "equal": n_differences + n_not_compared == 0, "differences": n_differences,
                "not_compared": n_not_compared, "datasets": n_datasets, "elements": n_elements,
                "within_threshold": n_within_threshold,
            });
            return print(&format!("{object}\n"));
        }
        if !self.style.verbose {
            return Ok(());
        }
        let within = match n_within_threshold {
            0 => String::new(),
            n => format!("; {n} elements are within the threshold"),
        };
        let not = if n_not_compared > 0 { format!(", {n_not_compared} not compared") } else { String::new() };
        let datasets = count(n_datasets, "dataset");
        let text = format!(
            "{}{not}: {datasets} with {n_elements} elements compared{within}",
            count(n_differences, "difference")
        );
        print(&wrapped(0, &text))
    }
}

fn side(which: Which) -> &'static str {
    match which {
        Which::A => "first",
        Which::B => "second",
    }
}

fn as_text(Difference { path, what }: &Difference) -> String {
    let two = |what: &str, a: &str, b: &str| wrapped(0, &format!("{path}: {what}: {a} | {b}"));
    match what {
        What::Only(which, kind) => wrapped(0, &format!("{path}: {kind}, only in the {}", side(*which))),
        What::Kind(a, b) => two("kind", a, b),
        What::Type(a, b) => two("type", a, b),
        What::Shape(a, b) => two("shape", a, b),
        What::MaxShape(a, b) => two("greatest shape", a, b),
        What::Attribute(name, Some(a), Some(b)) => two(&format!("attribute {name}"), a, b),
        What::Attribute(name, a, _) => {
            let which = if a.is_some() { "first" } else { "second" };
            wrapped(0, &format!("{path}: attribute {name}: only in the {which}"))
        }
        What::Elements(found) => wrapped(0, &format!("{path}: {}", elements(found))),
        What::NotCompared(reason) => wrapped(0, &format!("{path}: not compared: {reason}")),
    }
}

fn elements(Elements { n_elements, n_different, n_within_threshold, first, a, b, largest }: &Elements) -> String {
    let largest = largest.map(|largest| format!(", by {largest} at most")).unwrap_or_default();
    let within = match n_within_threshold {
        0 => String::new(),
        n => format!("; {n} more are within the threshold"),
    };
    format!("{n_different} of {n_elements} elements differ{largest}; the first at {first:?}: {a} | {b}{within}")
}

fn fields(what: &What) -> Value {
    let two = |what: &str, a: &str, b: &str| json!({ "difference": what, "a": a, "b": b });
    match what {
        What::Only(which, kind) => json!({ "difference": "only", "in": side(*which), "kind": kind }),
        What::Kind(a, b) => two("kind", a, b),
        What::Type(a, b) => two("type", a, b),
        What::Shape(a, b) => two("shape", a, b),
        What::MaxShape(a, b) => two("max_shape", a, b),
        What::Attribute(name, a, b) => json!({ "difference": "attribute", "attribute": name, "a": a, "b": b }),
        What::NotCompared(reason) => json!({ "difference": "not compared", "reason": reason }),
        What::Elements(found) => json!({
            "difference": "elements", "elements": found.n_elements, "different": found.n_different,
            "within_threshold": found.n_within_threshold, "first": found.first, "a": found.a, "b": found.b,
            "max_difference": found.largest.map(|largest| largest.value()),
        }),
    }
}
