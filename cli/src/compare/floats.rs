//! The comparison of real numbers: what is asked for, and the report.

use darkchunk_metrics::NoiseModel;
use darkchunk_stream::Reader;
use darkchunk_stream::compare::{FoundFloats, Options, Test, run_floats};

use super::text::{data_facts, number, verdict};
use super::{Arguments, Names, NoiseChoice, Tested, as_json, n_bytes, store};
use crate::output::{print, progress, wrapped};
use crate::{Found, Outcome};

/// Refuses what needs counts: nothing is known of the noise of real numbers.
pub(super) fn check(arguments: &Arguments) -> Result<(), String> {
    let has_noise = ![NoiseChoice::None, NoiseChoice::Model(NoiseModel::COUNTER)].contains(&arguments.noise);
    let asked = [
        (arguments.sweep, "--sweep"),
        (arguments.technique.is_some(), "--technique"),
        (arguments.html.is_some(), "--html"),
        (has_noise, "--noise"),
    ];
    match asked.iter().find(|(is_given, _)| *is_given) {
        Some((_, name)) => Err(format!("{name} is for counts, and the reference has real numbers: leave it out")),
        None => Ok(()),
    }
}

pub(super) fn run(
    arguments: &Arguments,
    reference: Reader,
    (test, tested, names): (Test, &Tested, &Names),
    options: &Options,
    library: &darkchunk_hdf5::Library,
) -> Outcome {
    let bar = progress(n_bytes(&reference), arguments.style);
    let found = run_floats(reference, test, options, &mut |progress| bar.set_position(progress.n_done));
    bar.finish_and_clear();
    let found = found.map_err(|error| names.failed(&error))?;
    let json = as_json(names, &found.data, serde_json::to_value(&found))?;
    if arguments.store {
        store(library, tested, &json)?;
    }
    if arguments.style.json {
        print(&json)?;
    } else if !arguments.style.quiet || !found.verdict.passes {
        print(&text(names, &found))?;
    }
    Ok(if found.verdict.passes { Found::Nothing } else { Found::Something })
}

fn text(names: &Names, found: &FoundFloats) -> String {
    let mut text = wrapped(0, &verdict(&found.verdict));
    text += &wrapped(2, &format!("reference: {}", names.reference));
    text += &wrapped(2, &format!("test: {}", names.test));
    for line in data_facts(&found.data) {
        text += &wrapped(2, &line);
    }
    text += &wrapped(2, "real numbers: nothing is known of their noise, and nothing is said in sigma");
    text += &super::text::checks(&found.verdict);
    for line in lines(found) {
        text += &wrapped(2, &line);
    }
    text
}

fn lines(found: &FoundFloats) -> Vec<String> {
    let (errors, pixels) = (&found.report.errors, &found.report.pixels);
    let place = errors
        .largest
        .map_or(String::new(), |at| format!(" in frame {}, row {}, column {}", at.frame, at.row, at.column));
    let share = errors.nrmse.map_or(String::new(), |nrmse| format!(", {} of the range", number(nrmse)));
    let range = |range: Option<(f64, f64)>| {
        range.map_or("none".into(), |(least, most)| format!("{} to {}", number(least), number(most)))
    };
    let psnr = errors.psnr.map_or("infinite".into(), |psnr| format!("{psnr:.2} dB"));
    vec![
        format!("largest error: {}{place}", number(errors.max_error)),
        format!("rms error: {}{share}; mean error {}", number(errors.rmse), number(errors.bias)),
        format!("range: {} before, {} after", range(errors.range_before), range(errors.range_after)),
        format!("pixels: {} of {} changed", pixels.n_changed, pixels.n_valid),
        format!("zeros: {} became another value; {} pixels became 0", pixels.n_from_zero, pixels.n_to_zero),
        format!("masked, NaN or infinite: {}", pixels.excluded.n_masked),
        format!("PSNR: {psnr} for a range of {}", number(errors.psnr_range)),
    ]
}
