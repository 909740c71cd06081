//! `recover`: what is good of a damaged file, and what a recording that was killed has left.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::copy::Recovered;
use darkchunk_hdf5::load;
use darkchunk_hdf5::salvage::{FoundReport, Report};
use darkchunk_stream::journal;
use darkchunk_stream::recover::{self, Outcome as How, Watch};
use serde_json::json;

use crate::input::{Input, Jobs, readable};
use crate::interrupt::Interrupt;
use crate::output::{Style, complain, count, print, progress, shown, wrapped};
use crate::{Found, Outcome};

mod left;

/// Save what is good of a damaged file, or of a killed recording, into a new one
#[derive(Debug, clap::Args)]
#[command(after_help = "Where a recording was killed it has left FILE.journal: every frame whose chunk was \
    written is in the new file then, with its metadata, also where FILE does not open.\n\nElse all that can be read is copied, with attributes and links. Of a damaged dataset \
    each good block is saved; its attribute darkchunk_damaged_frames says which frames \
    are not as they were measured. Where HDF5 cannot open the file, DRLE frames are \
    looked for by their bytes.\n\nExamples:\n  darkchunk recover run12.h5 -o saved.h5\n  \
    darkchunk recover run12.h5 --in-place")]
pub(crate) struct Arguments {
    /// The damaged file, which is only read
    file: String,
    /// The new file
    #[arg(short, long, required_unless_present = "in_place")]
    output: Option<PathBuf>,
    /// Restore a killed recording under its own name; what it left is kept as FILE.left
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let input = Input::parse(&arguments.file);
    if input.path != "/" {
        return Err("a whole file is recovered: name it without a path in it".to_owned());
    }
    readable(&input.file)?;
    if let Some(output) = arguments.output.as_ref().filter(|output| output.exists()) {
        return Err(format!("{} is there already: give the name of a new file", output.display()));
    }
    if journal::path_of(&input.file).exists() {
        return left::restore(&input, arguments.output.as_deref(), arguments.style);
    }
    let Some(output) = &arguments.output else {
        let journal = journal::path_of(&input.file);
        return Err(format!(
            "there is no {}, which a killed recording leaves: give the name of a new file with -o",
            journal.display()
        ));
    };
    salvage(&input, output, arguments)
}

fn salvage(input: &Input, output: &Path, arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let n_threads = arguments.jobs.n_threads();
    let how =
        watched(input, arguments.style, |watch| recover::recover(&library, &input.file, output, n_threads, watch));
    let how = match how {
        Ok(how) => how,
        Err(outcome) => return outcome,
    };
    let output = output.display().to_string();
    print(&if arguments.style.json { as_json(input, &output, &how) } else { as_text(input, &output, &how) })?;
    Ok(match how {
        How::Objects { recovered, n_cut_off: 0 } if is_all_good(&recovered) => Found::Nothing,
        How::Bytes { found, .. } if found.n_frames == 0 => Found::NotAll,
        _ => Found::Something,
    })
}

/// Does it while it is shown where it stands. Where a signal ended it, or it failed, there is no new file, and the error is the outcome.
fn watched<T, E: Display>(
    input: &Input,
    style: Style,
    work: impl FnOnce(&Watch<'_>) -> Result<T, E>,
) -> Result<T, Outcome> {
    let (bar, interrupt) = (progress(0, style), Interrupt::new().map_err(Err)?);
    let watch = Watch { seen: &|path| bar.set_message(shown(path).into_owned()), is_stopped: &|| interrupt.is_asked() };
    let done = work(&watch);
    bar.finish_and_clear();
    done.map_err(|error| match interrupt.code() {
        Some(code) => {
            complain(&format!("{}: stopped at {}: it is as it was, there is no new file", input.name(), bar.message()));
            Ok(Found::Stopped(code))
        }
        None => Err(format!("{}: {error}", input.name())),
    })
}

fn is_all_good(Recovered { damaged, not_examined, lost, .. }: &Recovered) -> bool {
    damaged.is_empty() && not_examined.is_empty() && lost.is_empty()
}

fn as_text(input: &Input, output: &str, how: &How) -> String {
    let mut text = wrapped(0, &format!("{} -> {output}", input.name()));
    match how {
        How::Objects { recovered, n_cut_off } => {
            if *n_cut_off > 0 {
                text += &wrapped(2, &format!("the file lacks its last {n_cut_off} bytes"));
            }
            text + &objects(recovered)
        }
        How::Bytes { found, reason } => {
            text += &wrapped(2, &format!("HDF5 cannot open it: {reason}"));
            let FoundReport { n_containers, n_frames, n_lost, .. } = found;
            text += &wrapped(
                2,
                &format!("{n_frames} DRLE frames found by their bytes, in {n_containers} containers; {n_lost} lost"),
            );
            if *n_frames == 0 {
                return text + &wrapped(2, "there is no new file");
            }
            let lines = found.datasets.iter().map(|dataset| {
                let (height, width) = (dataset.height, dataset.width);
                wrapped(
                    2,
                    &format!("{}: {} of {height} x {width} pixels", dataset.path, count(dataset.n_frames, "frame")),
                )
            });
            text + &lines.collect::<String>()
        }
    }
}

fn objects(recovered: &Recovered) -> String {
    let mut text = String::new();
    for (path, report) in &recovered.damaged {
        let (lost, doubtful) = frames(report);
        let n_damaged = report.n_damaged;
        text += &wrapped(
            2,
            &format!(
                "{path}: {n_damaged} of {} damaged: {} lost in part or whole, {doubtful} may be wrong",
                count(report.n_chunks, "chunk"),
                count(lost, "frame")
            ),
        );
    }
    for (path, reason) in &recovered.not_examined {
        text += &wrapped(2, &format!("{path}: copied as it is, and may be damaged: {reason}"));
    }
    for (path, error) in &recovered.lost {
        text += &wrapped(2, &format!("{path}: LOST: {error}"));
    }
    recovered.warnings.iter().for_each(|warning| text += &wrapped(2, &format!("warning: {warning}")));
    text + &format!("  {} as before\n", count(recovered.n_whole, "object"))
}

/// Frames that are lost, and that may be wrong.
fn frames(report: &Report) -> (u64, u64) {
    let lost = report.faults.iter().map(|fault| fault.frames.end - fault.frames.start).sum();
    let doubtful = report.faults.iter().map(|fault| fault.doubtful_frames.end - fault.doubtful_frames.start).sum();
    (lost, doubtful)
}

fn as_json(input: &Input, output: &str, how: &How) -> String {
    let base = |path: &str| json!({ "verb": "recover", "file": input.name(), "output": output, "path": path });
    let mut text = String::new();
    let mut add = |mut object: serde_json::Value, more: serde_json::Value| {
        if let (Some(object), serde_json::Value::Object(more)) = (object.as_object_mut(), more) {
            object.extend(more);
        }
        text += &format!("{object}\n");
    };
    match how {
        How::Objects { recovered, n_cut_off } => {
            for (path, report) in &recovered.damaged {
                let ranges = report.faults.iter().flat_map(|fault| [&fault.frames, &fault.doubtful_frames]);
                let ranges: Vec<_> =
                    ranges.filter(|range| !range.is_empty()).map(|range| [range.start, range.end]).collect();
                add(
                    base(path),
                    json!({ "state": "damaged", "chunks": report.n_chunks, "damaged": report.n_damaged, "frames": ranges }),
                );
            }
            for (path, reason) in &recovered.not_examined {
                add(base(path), json!({ "state": "not examined", "reason": reason }));
            }
            for (path, error) in &recovered.lost {
                add(base(path), json!({ "state": "lost", "reason": error.to_string() }));
            }
            add(base("/"), json!({ "whole": recovered.n_whole, "cut_off": n_cut_off, "warnings": recovered.warnings }));
        }
        How::Bytes { found, reason } => {
            add(
                base("/"),
                json!({ "frames_found": found.n_frames, "frames_lost": found.n_lost, "reason": reason.to_string() }),
            );
        }
    }
    text
}
