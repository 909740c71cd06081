//! `master`: one dataset of the files of a measurement.

use std::path::{Path, PathBuf};

use darkchunk_hdf5::load;
use darkchunk_stream::master::{self, Made};
use serde_json::json;

use crate::output::{Style, count, print, wrapped};
use crate::{Found, Outcome};

/// Make one dataset of the files of a measurement
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Virtual datasets of frames and metadata, with relative names: the folder can be moved as a whole. It can be made again at \
    any time, when a part was restored or has come. HDF5 reads what is in no part as the fill value; frame_status is 0 there. Ends with 1 if \
    frames are in no part, or a part is not finished.\n\nExamples:\n  darkchunk master run.h5\n  darkchunk master run.h5 receiver_a.h5 \
    receiver_b.h5"
)]
pub(crate) struct Arguments {
    /// The new file; one that is there is replaced
    master: PathBuf,
    /// The files of the parts; without any those beside it of its name, run_000000.h5 and so on
    parts: Vec<PathBuf>,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let to = &arguments.master;
    let parts = if arguments.parts.is_empty() { master::parts_of(to) } else { Ok(arguments.parts.clone()) };
    let made = parts.and_then(|parts| master::make(&library, &parts, to).map(|made| (parts.len(), made)));
    let (n_parts, made) = made.map_err(|error| format!("{}: {error}", to.display()))?;
    let is_whole = made.gaps.is_empty() && made.unfinished.is_empty();
    if arguments.style.json {
        print(&as_json(to, n_parts, &made))?;
    } else if !arguments.style.quiet || !is_whole {
        print(&as_text(to, n_parts, &made))?;
    }
    Ok(if is_whole { Found::Nothing } else { Found::Something })
}

fn as_text(to: &Path, n_parts: usize, made: &Made) -> String {
    let mut text = wrapped(0, &format!("{}: of {}", to.display(), count(n_parts as u64, "part")));
    let mut line = |words: String| text += &wrapped(2, &words);
    made.datasets.iter().for_each(|(path, n_frames)| line(format!("{path}: {}", count(*n_frames, "frame"))));
    made.gaps.iter().for_each(|gap| line(format!("MISSING: {gap}")));
    for part in &made.unfinished {
        let part = part.display();
        line(format!(
            "NOT FINISHED: {part}: its journal is beside it. Restore it with `darkchunk recover {part} --in-place`, and make the master again"
        ));
    }
    text
}

fn as_json(to: &Path, n_parts: usize, made: &Made) -> String {
    let datasets: Vec<_> =
        made.datasets.iter().map(|(path, n_frames)| json!({ "path": path, "frames": n_frames })).collect();
    let unfinished: Vec<String> = made.unfinished.iter().map(|part| part.display().to_string()).collect();
    let line = json!({
        "verb": "master", "file": to.display().to_string(), "parts": n_parts, "datasets": datasets, "missing": made.gaps,
        "unfinished": unfinished,
    });
    format!("{line}\n")
}
