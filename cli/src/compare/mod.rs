//! `compare`: what a codec or a threshold did to the data, and whether that is within limits.

mod arguments;
mod floats;
pub(crate) mod html;
mod limits;
pub(crate) mod picture;
pub(crate) mod plot;
mod sweep;
mod text;

use std::path::PathBuf;

use darkchunk::element::{ElementClass, ElementType};
use darkchunk_hdf5::{Library, load};
use darkchunk_metrics::Limits;
use darkchunk_metrics::technique::{PeakSearch, Technique};
use darkchunk_stream::Reader;
use darkchunk_stream::compare::{self, Data, Options, Test};
use serde_json::{Value, json};

use crate::input::{Input, Jobs, Name};
use crate::output::{Style, print, progress};
use crate::{Found, Outcome};
use arguments::{Codec, NoiseChoice, TechniqueChoice};

/// The version of the JSON object.
const SCHEMA: u32 = 1;

/// Say what a codec did to the data, in sigma, and judge it
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends with 0 if all limits are kept, 1 if not, 2 if it cannot be compared.\n\nExamples:\n  \
    darkchunk compare raw.h5:/entry/data/data lossy.h5:/entry/data/data\n  \
    darkchunk compare raw.h5 --codec bounded:noise=1 --html report.html\n  \
    darkchunk compare raw.h5 --codec bounded:noise=1/2 --noise 2.05,98,9\n  \
    darkchunk compare raw.h5 --codec drle:20 --noise none --json\n  \
    darkchunk compare raw.h5 --sweep --html sweep.html\n  \
    darkchunk compare raw.h5 --sweep --technique saxs=512,498.5\n  \
    darkchunk compare scan.h5 --codec bounded:noise=1 --technique tomography")]
pub(crate) struct Arguments {
    /// The dataset as it was measured; without a path the largest of its file
    #[arg(value_name = "REFERENCE[:/PATH]")]
    reference: String,
    /// The dataset to be judged, of the same shape and type
    #[arg(value_name = "TEST[:/PATH]", required_unless_present_any = ["codec", "sweep"], conflicts_with_all = ["codec", "sweep"])]
    test: Option<String>,
    /// In place of TEST: a codec that is applied in memory, as for convert:
    /// bounded:noise=1, drle:20; or a filter's number and parameters, 36115:1,4
    #[arg(long, value_name = "SPEC")]
    codec: Vec<Codec>,
    /// Apply all of --codec (without one, a choice of them) and several bounds,
    /// and say which is the largest that keeps the limits
    #[arg(long)]
    sweep: bool,
    /// Frames of a chunk, for --codec
    #[arg(long, value_name = "N", conflicts_with = "test", default_value_t = 0, hide_default_value = true)]
    chunk_frames: u64,
    /// sigma of a pixel: counter (the root of the counts), GAIN,OFFSET,VARIANCE,
    /// repeats (found from frames of a scene that stands still), or none
    #[arg(long, value_name = "NOISE", default_value = "counter")]
    noise: NoiseChoice,
    /// A value that stands for "no measurement"; may be given several times
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    sentinel: Vec<i64>,
    /// Values from here on are saturated
    #[arg(long, value_name = "VALUE")]
    saturation: Option<i64>,
    /// A dataset of the size of a frame, of bytes; not 0 where a pixel is masked
    #[arg(long, value_name = "FILE:/PATH")]
    mask: Option<String>,
    /// The range of the data, for PSNR and SSIM
    #[arg(long, value_name = "COUNTS")]
    range: Option<f64>,
    /// Frames for SSIM, spots, ghosts, ...: a sample of so many
    #[arg(long, value_name = "N", default_value_t = 16)]
    sample: u64,
    /// All frames for these
    #[arg(long, conflicts_with = "sample")]
    all: bool,
    /// Which frames are the sample
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// What the experiment makes of the frames, beside all else:
    /// saxs=ROW,COLUMN or powder=ROW,COLUMN (rings; ,STEP after it), mx (peaks),
    /// xpcs=FILE:/LABELS, vmi[=ROW,COLUMN] (hits), line=FROM..TO (columns),
    /// tomography (half sets and slices; =ROW+ROW,AXIS,DEGREES: rows,
    /// the column of the axis, the angle of all projections)
    #[arg(long, value_name = "TECHNIQUE")]
    technique: Option<TechniqueChoice>,
    /// Limits of your own: a JSON file, for instance {"bias": 0.005}
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
    /// Put what was found beside TEST: an attribute of the dataset, that verify
    /// shows. Takes room for a copy of the file
    #[arg(long, conflicts_with_all = ["codec", "sweep"])]
    store: bool,
    /// Write a report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

/// What was compared, by name.
struct Names {
    reference: Name,
    test: String,
}

impl Names {
    fn failed(&self, error: &darkchunk_stream::Error) -> String {
        format!("{} and {}: {error}", self.reference, self.test)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let (reference, name) = open(&library, &arguments.reference)?;
    let element = reference.element();
    let is_float = element.class == ElementClass::Float;
    let is_compared = is_float || (element.is_integer() && element.n_bytes <= 4);
    if !is_compared {
        return Err(format!(
            "{name} has elements of {element}: compared are integers of 8, 16 or 32 bits, float32 and float64"
        ));
    }
    if is_float {
        floats::check(arguments)?;
    }
    let options = options(&library, arguments, is_float)?;
    if arguments.sweep {
        return sweep::run(arguments, reference, &name, &options);
    }
    let (test, tested) = test(&library, arguments, &name.path)?;
    let names = Names { reference: name, test: tested.name() };
    if is_float {
        return floats::run(arguments, reference, (test, &tested, &names), &options, &library);
    }
    let bar = progress(n_bytes(&reference), arguments.style);
    bar.set_message(crate::output::shown(&names.test).into_owned());
    let found = compare::run(reference, test, &options, &mut |progress| bar.set_position(progress.n_done));
    bar.finish_and_clear();
    let found = found.map_err(|error| names.failed(&error))?;
    if let Some(path) = &arguments.html {
        crate::output::page(path, &html::report(&names, &found))?;
    }
    if arguments.store {
        store(&library, &tested, &as_json(&names, &found.data, serde_json::to_value(&found))?)?;
    }
    if arguments.style.json {
        print(&as_json(&names, &found.data, serde_json::to_value(&found))?)?;
    } else if !arguments.style.quiet || !found.verdict.passes {
        print(&text::report(&names, &found, arguments.style.verbose))?;
    }
    Ok(if found.verdict.passes { Found::Nothing } else { Found::Something })
}

fn n_bytes(reader: &Reader) -> u64 {
    reader.dims().iter().fold(reader.element().n_bytes as u64, |n, dim| n.saturating_mul(*dim))
}

/// What is judged.
enum Tested {
    Codec(String),
    Dataset(Input),
}

impl Tested {
    fn name(&self) -> String {
        match self {
            Self::Codec(name) => name.clone(),
            Self::Dataset(input) => input.at(&input.path).to_string(),
        }
    }
}

/// Puts the object beside the dataset that was judged, which is closed by now.
fn store(library: &Library, tested: &Tested, json: &str) -> Result<(), String> {
    let Tested::Dataset(input) = tested else { return Ok(()) };
    compare::proof::store(library, &input.file, &input.path, json)
        .map_err(|error| format!("{}: what was found is not stored: {error}", tested.name()))
}

fn test(library: &Library, arguments: &Arguments, reference_path: &str) -> Result<(Test, Tested), String> {
    if let [codec, more @ ..] = &arguments.codec[..] {
        if !more.is_empty() {
            return Err("several codecs at once: add --sweep".into());
        }
        let (filter, cd_values) = codec.parameters(&arguments.noise)?;
        let name = applied(codec.name(), filter, &cd_values);
        return Ok((Test::Codec { filter, cd_values, chunk_frames: arguments.chunk_frames }, Tested::Codec(name)));
    }
    let text = arguments.test.as_deref().unwrap_or_default();
    // Without a path the same as in the reference, where it is there.
    let same = Input { path: reference_path.to_owned(), ..Input::parse(text) };
    let is_whole = Input::parse(text).path == "/";
    let opened =
        if is_whole { open_input(library, &same).or_else(|_| open(library, text)) } else { open(library, text) };
    let (reader, Name { path, .. }) = opened?;
    Ok((Test::Dataset(Box::new(reader)), Tested::Dataset(Input { path, ..same })))
}

/// What a codec is called that was applied in memory.
fn applied(name: &str, filter: u32, cd_values: &[u32]) -> String {
    format!("{name} (filter {filter}, parameters {cd_values:?}), applied in memory")
}

fn options(library: &Library, arguments: &Arguments, is_float: bool) -> Result<Options, String> {
    let limits = arguments.limits.as_ref().map_or(Ok(Limits::default()), |path| limits::read(path, is_float))?;
    let limits = of_technique(limits, arguments.technique.as_ref());
    let technique = arguments.technique.as_ref().map(|choice| technique(library, choice)).transpose()?.flatten();
    let mask = arguments.mask.as_ref().map(|text| mask(library, text)).transpose()?;
    let is_default = arguments.sentinel.is_empty() && arguments.saturation.is_none() && mask.is_none();
    let rules = (!is_default).then(|| darkchunk_metrics::Rules {
        sentinels: arguments.sentinel.clone(),
        saturation: arguments.saturation,
        mask,
        ..darkchunk_metrics::Rules::default()
    });
    Ok(Options {
        noise: arguments.noise.noise(),
        rules,
        data_range: arguments.range,
        n_sampled: arguments.sample,
        all: arguments.all,
        seed: arguments.seed,
        limits,
        technique,
        n_threads: arguments.jobs.n_threads(),
    })
}

/// Limits of hits are checked for velocity map and coincidence imaging.
fn of_technique(mut limits: Limits, technique: Option<&TechniqueChoice>) -> Limits {
    if matches!(technique, Some(TechniqueChoice::Hits(_))) {
        limits.spots_lost.get_or_insert(0.01);
        limits.spot_charge_lost.get_or_insert(0.1);
        limits.centroid_shift.get_or_insert(0.1);
    }
    limits
}

fn technique(library: &Library, choice: &TechniqueChoice) -> Result<Option<Technique>, String> {
    Ok(Some(match choice {
        TechniqueChoice::Rings { centre, step } => Technique::Radial { centre: *centre, step: *step },
        TechniqueChoice::Crystallography => Technique::Peaks(PeakSearch::default()),
        TechniqueChoice::Line(from, to) => Technique::Line(*from, *to),
        TechniqueChoice::Tomography(scan) => Technique::Tomography(scan.clone()),
        TechniqueChoice::Xpcs(text) => Technique::Correlation(labels(library, text)?),
        TechniqueChoice::Hits(Some((centre, step))) => Technique::Covariance { centre: *centre, step: *step },
        TechniqueChoice::Hits(None) => return Ok(None),
    }))
}

fn labels(library: &Library, text: &str) -> Result<std::sync::Arc<[u32]>, String> {
    let (element, bytes) = all_of(library, text)?;
    if !element.is_integer() || ![1, 2, 4].contains(&element.n_bytes) {
        return Err(format!("{text}: labels are integers of 8, 16 or 32 bits, and not {element}"));
    }
    Ok(compare::labels(&bytes, element))
}

fn mask(library: &Library, text: &str) -> Result<std::sync::Arc<[bool]>, String> {
    let (element, bytes) = all_of(library, text)?;
    if element.n_bytes != 1 {
        return Err(format!("{text}: a mask has elements of one byte, and not of {element}"));
    }
    Ok(compare::mask(&bytes))
}

/// All of a dataset that is as large as a frame.
fn all_of(library: &Library, text: &str) -> Result<(ElementType, Vec<u8>), String> {
    let (reader, _) = open(library, text)?;
    let failed = |error: String| format!("{text}: {error}");
    let n_bytes = usize::try_from(n_bytes(&reader)).map_err(|error| failed(error.to_string()))?;
    let mut bytes = darkchunk::pipeline::buffer(n_bytes).map_err(|error| failed(error.to_string()))?;
    let start = vec![0; reader.dims().len()];
    reader.read(&start, reader.dims(), None, &mut bytes).map_err(|error| failed(error.to_string()))?;
    Ok((reader.element(), bytes))
}

/// A reader of what is meant, and what it is called.
fn open(library: &Library, text: &str) -> Result<(Reader, Name), String> {
    open_input(library, &Input::parse(text))
}

fn open_input(library: &Library, input: &Input) -> Result<(Reader, Name), String> {
    let file = input.open(library)?;
    let name = input.at(&input.largest(library, &file)?);
    let options = darkchunk_stream::Options::default();
    let reader =
        Reader::open_whole(library, file.id(), &name.path, options).map_err(|error| format!("{name}: {error}"))?;
    Ok((reader, name))
}

/// One object; what `found` does not have, as of real numbers no noise is known, is null.
fn as_json(names: &Names, data: &Data, found: serde_json::Result<Value>) -> Result<String, String> {
    let mut object = json!({
        "noise_from": null,
        "sample": null,
        "technique": null,
        "verb": "compare",
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "file": names.reference.file,
        "path": names.reference.path,
        "test": names.test,
        "ratio": data.ratio(),
        "bits_a_pixel": data.bits_a_pixel(),
    });
    if let (Value::Object(object), Value::Object(found)) = (&mut object, found.map_err(|error| error.to_string())?) {
        object.extend(found);
    }
    Ok(format!("{object}\n"))
}
