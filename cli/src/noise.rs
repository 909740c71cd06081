//! `noise`: of a detector, from its frames.

use darkchunk_hdf5::{Library, load};
use darkchunk_metrics::{Measured, Rules};
use darkchunk_stream::{Options as ReaderOptions, Reader, noise};
use serde_json::json;

use crate::input::Input;
use crate::output::{Style, print, progress, wrapped};
use crate::{Found, Outcome};

/// Measure the noise of a detector from frames that follow each other
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The variance of a pixel by its intensity, from frame to frame, and the line through it: gain, offset and read \
    variance, as `compare --noise` takes them and the bounded codec keeps its bound by. The scene may move slowly. Ends with 1 if there is a \
    doubt that it is the noise of photons.\n\nExamples:\n  darkchunk noise scan.h5:/entry/data/data\n  \
    darkchunk noise scan.h5:/frames --saturation 60000 --json"
)]
pub(crate) struct Arguments {
    /// The dataset
    #[arg(value_name = "FILE:/PATH")]
    input: String,
    /// The first frame
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// As many frames at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    frames: u64,
    /// A value that marks pixels which are no measurements; may be repeated
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    sentinel: Vec<i64>,
    /// Values from here on are saturated
    #[arg(long, value_name = "VALUE")]
    saturation: Option<i64>,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let input = Input::of_dataset(&arguments.input)?;
    let measured = measure(&library, &input, arguments)?;
    print(&if arguments.style.json { json(&input, &measured) } else { text(&measured, arguments.style) })?;
    Ok(if measured.doubts.is_empty() { Found::Nothing } else { Found::Something })
}

fn measure(library: &Library, input: &Input, arguments: &Arguments) -> Result<Measured, String> {
    let file = input.open(library)?;
    input.check(library, &file)?;
    let failed = |error: darkchunk_stream::Error| format!("{}: {error}", input.at(&input.path));
    let reader = Reader::open_whole(library, file.id(), &input.path, ReaderOptions::default()).map_err(failed)?;
    let mut options = noise::Options { first: arguments.first, n_frames: arguments.frames, rules: None };
    let usual = noise::usual_rules(reader.element());
    let usual = if arguments.sentinel.is_empty() {
        usual
    } else {
        Rules { sentinels: arguments.sentinel.clone(), ..Rules::default() }
    };
    options.rules = Some(Rules { saturation: arguments.saturation, ..usual });
    let n_bytes = reader.dims().iter().product::<u64>().saturating_mul(reader.element().n_bytes as u64);
    let bar = progress(n_bytes, arguments.style);
    let measured = noise::of_dataset(reader, &input.path, &options, &mut |n_bytes| bar.inc(n_bytes)).map_err(failed);
    bar.finish_and_clear();
    measured
}

fn json(input: &Input, measured: &Measured) -> String {
    let mut object = json!({ "verb": "noise", "file": input.name(), "path": input.path });
    if let (Some(object), Ok(serde_json::Value::Object(fields))) =
        (object.as_object_mut(), serde_json::to_value(measured))
    {
        object.extend(fields);
    }
    format!("{object}\n")
}

fn text(measured: &Measured, style: Style) -> String {
    let model = &measured.model;
    let mut text = format!(
        "gain {:.4} +- {:.4} counts a photon, offset {:.1}, read variance {:.2}\n--noise {:.4},{:.1},{:.2}\n",
        model.gain,
        measured.gain_error,
        model.offset,
        model.read_variance,
        model.gain,
        model.offset,
        model.read_variance
    );
    if style.verbose {
        text += "\n     counts    variance     +-   by the line\n";
        for point in &measured.points {
            let expected = model.variance(point.mean);
            text += &format!("{:11.1} {:11.2} {:6.2} {:13.2}\n", point.mean, point.variance, point.error, expected);
        }
    }
    for doubt in &measured.doubts {
        text += &wrapped(0, doubt);
    }
    text
}
