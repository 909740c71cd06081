//! `hash`: of decoded pixels.

use darkchunk_hdf5::tree::Kind;
use darkchunk_hdf5::{File, Library, inspect, load};
use darkchunk_stream::hash;
use indicatif::ProgressBar;
use serde_json::json;

use crate::input::{Input, Inputs, Jobs};
use crate::output::{Style, complain, count, print, progress, shown};
use crate::{Found, Outcome};

/// Print the SHA-256 of decoded pixels: the same whatever the compression
#[derive(Debug, clap::Args)]
#[command(after_help = "It is that of the elements in their order, as \
    hashlib.sha256(dataset[...].tobytes()) gives it with h5py. Strings of variable \
    length, sequences and references have none.\n\nExamples:\n  darkchunk hash run12.h5:/entry/data/data\n  \
    darkchunk hash old.h5 new.h5")]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let inputs = arguments.inputs.all()?;
    let bar = progress(0, arguments.style);
    let mut worst = Found::Nothing;
    for input in inputs {
        let found = one_file(&library, &input, arguments, &bar).unwrap_or_else(|message| {
            bar.suspend(|| complain(&message));
            Found::NotAll
        });
        worst = worst.max(found);
    }
    bar.finish_and_clear();
    Ok(worst)
}

fn one_file(library: &Library, input: &Input, arguments: &Arguments, bar: &ProgressBar) -> Outcome {
    let file = input.open(library)?;
    let mut found = Found::Nothing;
    let entries = input.entries(library, &file)?;
    let n_abroad = entries.iter().filter(|entry| matches!(entry.kind, Kind::External { .. })).count() as u64;
    if n_abroad > 0 && input.folder.is_none() && !arguments.style.quiet && !arguments.style.json {
        let links = count(n_abroad, "link");
        bar.suspend(|| {
            complain(&format!("{}: not followed: {links} to other files, as `darkchunk info` shows them", input.name()))
        });
    }
    for entry in entries {
        let failure = match entry.kind {
            Kind::Dataset => match one_dataset(library, &file, input, &entry.path, arguments, bar) {
                Ok(()) => continue,
                Err(message) => message,
            },
            Kind::Unreadable(error) => error.to_string(),
            _ => continue,
        };
        found = Found::NotAll;
        bar.suspend(|| complain(&format!("{}: {failure}", input.at(&entry.path))));
    }
    Ok(found)
}

fn one_dataset(
    library: &Library,
    file: &File,
    input: &Input,
    path: &str,
    arguments: &Arguments,
    bar: &ProgressBar,
) -> Result<(), String> {
    let info = inspect::dataset(library, file.id(), path).map_err(|error| error.to_string())?;
    let style = arguments.style;
    let is_hashed = !info.refers && info.dims.is_some();
    if info.dims.is_none() && input.path == path {
        return Err("it is empty (of a null dataspace), and has no hash".to_owned());
    }
    if !is_hashed && input.path == path {
        return Err(format!("a dataset of this type has no hash: {}", info.datatype));
    }
    if !is_hashed && !style.verbose {
        return Ok(());
    }
    bar.set_message(shown(path).into_owned());
    let mut seen = |n_bytes| bar.inc(n_bytes);
    let hex = if is_hashed {
        let n_threads = arguments.jobs.n_threads();
        let hash = hash::dataset(library, file.id(), path, n_threads, &mut seen).map_err(|error| error.to_string())?;
        Some(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    } else {
        None
    };
    let text = if style.json {
        let object = json!({ "verb": "hash", "file": input.name(), "path": path, "type": info.datatype, "shape": info.dims, "sha256": hex });
        format!("{object}\n")
    } else {
        let hex = hex.unwrap_or_else(|| format!("{:64}", "none"));
        format!("{hex}  {}\n", shown(&input.at(path).to_string()))
    };
    bar.suspend(|| print(&text))
}
