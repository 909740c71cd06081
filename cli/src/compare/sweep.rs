//! `compare --sweep`: several codecs and bounds side by side, and the largest bound that keeps the limits.

use std::fmt::Write;

use darkchunk_stream::Reader;
use darkchunk_stream::compare::{self, Candidate, Noise, Options, Sweep, Tried};
use serde_json::json;

use super::arguments::Codec;
use super::text::number;
use super::{Arguments, Names, SCHEMA, applied, as_json, html, n_bytes, plot};
use crate::input::Name;
use crate::output::{print, progress, shown, wrapped};
use crate::{Found, Outcome};

/// What is tried where no codec is named: without loss, the fastest first.
const CODECS: [&str; 4] = ["bitshuffle-lz4", "bitshuffle-zstd:3", "blosc:zstd:5:bit", "bounded:exact"];

/// Steps of σ, the smallest first.
const BETAS: [&str; 8] = ["1/4", "1/2", "3/4", "1", "3/2", "2", "3", "4"];

/// Counts, the smallest first: where nothing is known of σ.
const COUNTS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

pub(super) fn run(arguments: &Arguments, reference: Reader, name: &Name, options: &Options) -> Outcome {
    let codecs = match &arguments.codec[..] {
        [] => CODECS.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        codecs => codecs.to_vec(),
    };
    let codecs = candidates(arguments, &codecs)?;
    let bounds = candidates(arguments, &bounds(options)?)?;
    let bar = progress(n_bytes(&reference).saturating_mul((codecs.len() + bounds.len()) as u64), arguments.style);
    let (mut last, mut before) = (String::new(), 0);
    let mut show = |name: &str, done: compare::Progress| {
        if last != name {
            before += if last.is_empty() { 0 } else { done.n_all };
            name.clone_into(&mut last);
            bar.set_message(shown(name).into_owned());
        }
        bar.set_position(before + done.n_done);
    };
    let sweep = compare::sweep(reference, &codecs, &bounds, arguments.chunk_frames, options, &mut show);
    bar.finish_and_clear();
    let sweep = sweep.map_err(|error| format!("{name}: {error}"))?;
    let names = |test: &str| Names { reference: name.clone(), test: test.to_owned() };
    if let Some(file) = &arguments.html {
        let page = page(&names(""), &sweep);
        crate::output::page(file, &page)?;
    }
    if arguments.style.json {
        for Tried { codec, found } in &sweep.tried {
            print(&as_json(
                &names(&applied(&codec.name, codec.filter, &codec.cd_values)),
                &found.data,
                serde_json::to_value(found),
            )?)?;
        }
        print(&format!("{}\n", last_line(&names(""), &sweep)))?;
    } else {
        print(&table(&names(""), &sweep))?;
    }
    Ok(if sweep.largest.is_some() { Found::Nothing } else { Found::Something })
}

/// Those of the bounded codec: in σ where it is known.
fn bounds(options: &Options) -> Result<Vec<Codec>, String> {
    match options.noise {
        Noise::Unknown => COUNTS.iter().map(|counts| format!("bounded:absolute={counts}").parse()).collect(),
        Noise::Model(_) | Noise::Repeats => BETAS.iter().map(|beta| format!("bounded:noise={beta}").parse()).collect(),
    }
}

fn candidates(arguments: &Arguments, codecs: &[Codec]) -> Result<Vec<Candidate>, String> {
    let candidate = |codec: &Codec| {
        let (filter, cd_values) = codec.parameters(&arguments.noise)?;
        Ok(Candidate { name: codec.name().to_owned(), filter, cd_values })
    };
    codecs.iter().map(candidate).collect()
}

/// The answer in a sentence.
fn answer(sweep: &Sweep) -> String {
    match &sweep.largest {
        Some(name) => format!("The largest bound that keeps all limits: {name}"),
        None => "No bound keeps all limits".into(),
    }
}

fn last_line(names: &Names, sweep: &Sweep) -> serde_json::Value {
    let refused = |(name, reason): &(String, String)| json!({"codec": name, "reason": reason});
    json!({
        "verb": "compare",
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "file": names.reference.file,
        "path": names.reference.path,
        "largest_bound": sweep.largest,
        "tried": sweep.tried.iter().map(|tried| &tried.codec.name).collect::<Vec<_>>(),
        "refused": sweep.refused.iter().map(refused).collect::<Vec<_>>(),
    })
}

/// The numbers of a codec: ratio, bits a pixel, GB/s of encoding and decoding, rms error and largest error in σ (else counts).
fn numbers(tried: &Tried) -> [String; 6] {
    let found = &tried.found;
    let or_none = |number: Option<String>| number.unwrap_or_else(|| "-".into());
    let speed =
        |of: fn(&compare::Speed) -> f64| or_none(found.data.speed.map(|speed| format!("{:.2}", of(&speed) / 1e9)));
    let (rms, max) = errors(tried);
    [
        or_none(found.data.ratio().map(|ratio| format!("{ratio:.2}"))),
        or_none(found.data.bits_a_pixel().map(|bits| format!("{bits:.3}"))),
        speed(|speed| speed.encode),
        speed(|speed| speed.decode),
        number(rms),
        number(max),
    ]
}

/// The rms error and the largest, in σ where it is known, else in counts.
fn errors(tried: &Tried) -> (f64, f64) {
    let report = &tried.found.report;
    match &report.sigma {
        Some(sigma) => ((sigma.inflation.powi(2) - 1.0).max(0.0).sqrt(), sigma.max),
        None => (report.errors.rmse, report.errors.max_error as f64),
    }
}

fn unit(sweep: &Sweep) -> &'static str {
    if sweep.tried.iter().any(|tried| tried.found.report.sigma.is_some()) { "sigma" } else { "counts" }
}

/// `passes`, or the limits that are broken.
fn verdict(tried: &Tried) -> String {
    let broken: Vec<&str> =
        tried.found.verdict.checks.iter().filter(|check| !check.is_kept).map(|check| check.name).collect();
    if broken.is_empty() { "passes".into() } else { broken.join(", ") }
}

fn table(names: &Names, sweep: &Sweep) -> String {
    let mut text = wrapped(0, &answer(sweep));
    text += &wrapped(2, &names.reference.to_string());
    text += &wrapped(2, "Speeds are in GB/s of pixels, on one core here, with what compares running beside.");
    let unit = unit(sweep);
    let _ = writeln!(
        text,
        "{:18}{:>8}{:>8}{:>7}{:>7}{:>9}{:>9}  limits",
        "codec",
        "ratio",
        "bits",
        "enc",
        "dec",
        format!("rms {}", &unit[..3]),
        "largest"
    );
    for tried in &sweep.tried {
        let [ratio, bits, encode, decode, rms, max] = numbers(tried);
        let name = shown(&tried.codec.name);
        let verdict = if tried.found.verdict.passes { "passes" } else { "FAILS" };
        let _ = writeln!(text, "{name:18}{ratio:>8}{bits:>8}{encode:>7}{decode:>7}{rms:>9}{max:>9}  {verdict}");
    }
    for tried in sweep.tried.iter().filter(|tried| !tried.found.verdict.passes) {
        text += &wrapped(2, &format!("{} breaks {}", tried.codec.name, verdict(tried)));
    }
    for (name, reason) in &sweep.refused {
        text += &wrapped(2, &format!("{name} does not take these data: {reason}"));
    }
    text
}

fn page(names: &Names, sweep: &Sweep) -> String {
    let reference = html::escaped(&names.reference.to_string());
    let class = if sweep.largest.is_some() { "kept" } else { "broken" };
    let mut body = format!("<h1>Which bound?</h1><p class=\"verdict {class}\">{}</p>", html::escaped(&answer(sweep)));
    let unit = unit(sweep);
    let _ = write!(
        body,
        "<p>{reference}</p><table class=\"wide\"><tr><th>codec</th><th>ratio</th><th>bits a pixel</th><th>encode GB/s</th><th>decode GB/s</th>\
         <th>rms error, {unit}</th><th>largest, {unit}</th><th>limits</th></tr>"
    );
    for tried in &sweep.tried {
        let class = if tried.found.verdict.passes { "kept" } else { "broken" };
        let cells = numbers(tried).map(|number| format!("<td class=\"number\">{number}</td>")).concat();
        let (name, verdict) = (html::escaped(&tried.codec.name), verdict(tried));
        let _ = write!(body, "<tr><th>{name}</th>{cells}<td class=\"{class} verdicts\">{verdict}</td></tr>");
    }
    body += "</table><p class=\"meaning\">Speeds are of one core, with what compares running beside.</p>";
    let points: Vec<plot::Point<'_>> = sweep
        .tried
        .iter()
        .filter_map(|tried| {
            let (bits, passes) = (tried.found.data.bits_a_pixel()?, tried.found.verdict.passes);
            Some(plot::Point { name: &tried.codec.name, bits, error: errors(tried).0, passes })
        })
        .collect();
    let caption =
        "Stored bits a pixel and rms error of each codec: best is at the lower left. Filled: all limits are kept.";
    html::figure(&mut body, &plot::distortion(&points, unit), caption);
    html::page(&reference, &body)
}
