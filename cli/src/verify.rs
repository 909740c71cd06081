//! `verify`: whether files are what was written.

use std::collections::BTreeMap;

use darkchunk_hdf5::salvage::{Fault, Report};
use darkchunk_hdf5::tree::Kind;
use darkchunk_hdf5::{File, Library, load};
use darkchunk_stream::compare::proof::{self, Proof};
use darkchunk_stream::verify::{self, State, Verdict};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::input::{Input, Inputs, Jobs, is_hdf5, readable};
use crate::interrupt::Interrupt;
use crate::output::{self, Style, complain, count, print, progress, wrapped};
use crate::{Found, Outcome};

/// Faults of a dataset that are shown as text without -v.
const MAX_FAULTS: usize = 10;

/// Check all datasets of files, without plugins
#[derive(Debug, clap::Args)]
#[command(after_help = "What it says of a dataset:\n  \
    intact        a checksum proves each chunk\n  \
    decodes       all chunks decode; without a checksum a pixel may be wrong\n  \
    readable      it has no chunks and no checksum; all of it was read\n  \
    elsewhere     it is in other files or datasets, or strings: not looked at\n  \
    empty         nothing is stored\n  \
    not examined  it could not be, for the reason that is said: ends with 2\n  \
    damaged       something is wrong, as is said: ends with 1\n\nExamples:\n  \
    darkchunk verify run12.h5\n  darkchunk verify -r /data/2026 -q\n  \
    darkchunk verify -r /data --json | jq 'select(.state == \"damaged\")'")]
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
    let (inputs, style) = (arguments.inputs.all()?, arguments.style);
    let n_bytes = inputs.iter().filter_map(|input| std::fs::metadata(&input.file).ok()).map(|file| file.len()).sum();
    let bar = progress(n_bytes, style);
    let (mut is_damaged, mut is_partial) = (false, false);
    let (interrupt, n_all) = (Interrupt::new()?, inputs.len());
    for (n_done, input) in inputs.into_iter().enumerate() {
        bar.set_message(output::shown(&input.name()).into_owned());
        let state = one_file(&library, &input, arguments.jobs.n_threads(), style, (&bar, &interrupt)).unwrap_or_else(
            |message| {
                bar.suspend(|| complain(&message));
                State::NotExamined
            },
        );
        if let Some(code) = interrupt.code() {
            bar.finish_and_clear();
            complain(&format!("stopped in {}, after {n_done} of {n_all} files; files are only read", input.name()));
            return Ok(Found::Stopped(code));
        }
        is_damaged |= state == State::Damaged;
        is_partial |= state == State::NotExamined;
    }
    bar.finish_and_clear();
    Ok(match (is_damaged, is_partial) {
        (true, _) => Found::Something,
        (false, true) => Found::NotAll,
        (false, false) => Found::Nothing,
    })
}

/// The worst state of what is in a file.
fn one_file(
    library: &Library,
    input: &Input,
    n_threads: usize,
    style: Style,
    (bar, interrupt): (&ProgressBar, &Interrupt),
) -> Result<State, String> {
    readable(&input.file)?;
    let shown = |text: String| bar.suspend(|| print(&text));
    let file = match File::open(library, &input.file, false) {
        Ok(file) => file,
        Err(error) if is_hdf5(&input.file) => {
            let verdict = verify::unopened(library, &error);
            shown(if style.json {
                json_line(input, "/", &verdict, &Ok(None))
            } else {
                dataset_text(&input.name(), &verdict, style, 0) + recover_hint(verdict.state)
            })?;
            return Ok(verdict.state);
        }
        Err(error) => return Err(format!("{}: {error}", input.name())),
    };
    let (mut states, mut n_abroad): (BTreeMap<State, u64>, _) = (BTreeMap::new(), 0);
    let mut text = String::new();
    for entry in input.entries(library, &file)? {
        let seen = |n_bytes| {
            bar.inc(n_bytes);
            if interrupt.is_asked() { Err(darkchunk_hdf5::Error::Stopped) } else { Ok(()) }
        };
        let is_dataset = matches!(entry.kind, Kind::Dataset);
        let verdict = match entry.kind {
            Kind::Dataset => verify::dataset(library, file.id(), &entry.path, n_threads, &seen),
            Kind::Unreadable(error) => verify::unopened(library, &error),
            Kind::External { .. } => {
                n_abroad += 1;
                continue;
            }
            _ => continue,
        };
        if interrupt.is_asked() {
            return Ok(State::NotExamined);
        }
        let proof = if is_dataset && verdict.state < State::NotExamined {
            proof::check(library, file.id(), &entry.path)
        } else {
            Ok(None)
        };
        let verdict = with_proof(verdict, &proof);
        *states.entry(verdict.state).or_default() += 1;
        if style.json {
            shown(json_line(input, &entry.path, &verdict, &proof))?;
        } else if style.verbose || verdict.state >= State::NotExamined {
            text += &dataset_text(&entry.path, &verdict, style, 2);
        }
        if let (Ok(Some(proof)), false) = (&proof, style.json) {
            text += &wrapped(2, &format!("{}: {}", entry.path, proof_text(proof)));
        }
    }
    let worst = states.keys().next_back().copied().unwrap_or(State::Empty);
    if !style.json && (!style.quiet || worst >= State::NotExamined) {
        shown(wrapped(0, &format!("{}: {}", input.name(), summary(&states, n_abroad, worst))) + &text)?;
    }
    Ok(worst)
}

/// What a comparison says that is beside the data counts, too: a dataset that is not what was compared is damaged.
fn with_proof(verdict: Verdict, proof: &Result<Option<Proof>, darkchunk_stream::Error>) -> Verdict {
    let (state, reason) = match proof {
        Ok(Some(proof)) if !proof.holds => (State::Damaged, "its elements are not those that were compared".to_owned()),
        Ok(_) => return verdict,
        Err(error) => (State::NotExamined, error.to_string()),
    };
    Verdict { state, reason: Some(reason), ..verdict }
}

/// `compared with raw.h5:/data: all limits were kept`.
fn proof_text(proof: &Proof) -> String {
    let limits = match &proof.broken[..] {
        _ if proof.passes => "all limits were kept".to_owned(),
        broken => format!("limits were broken: {}", broken.join(", ")),
    };
    format!("compared with {} by darkchunk {}: {limits}", proof.reference, proof.version)
}

fn recover_hint(state: State) -> &'static str {
    if state == State::Damaged { "  `darkchunk recover` saves what is good of it\n" } else { "" }
}

/// `sound: 3 datasets: 2 intact, 1 decodes; 1 link to other files, not followed`.
fn summary(states: &BTreeMap<State, u64>, n_abroad: u64, worst: State) -> String {
    let n_datasets = states.values().sum();
    let kinds: Vec<String> = states.iter().rev().map(|(state, n)| format!("{n} {}", state.words())).collect();
    let verdict = match worst {
        State::Damaged => "DAMAGED",
        State::NotExamined => "not all examined",
        _ => "sound",
    };
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    let abroad = if n_abroad == 0 {
        String::new()
    } else {
        format!("; {} to other files, not followed", count(n_abroad, "link"))
    };
    format!("{verdict}: {}{kinds}{abroad}", count(n_datasets, "dataset"))
}

fn dataset_text(name: &str, Verdict { state, report, reason }: &Verdict, style: Style, indent: usize) -> String {
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let chunks = if report.n_chunks > 0 { format!(": {}", counts(report)) } else { String::new() };
    let mut text = wrapped(indent, &format!("{name}: {}{chunks}{reason}", state.words()));
    let n_shown = if style.verbose { usize::MAX } else { MAX_FAULTS };
    for fault in report.faults.iter().take(n_shown) {
        text += &wrapped(indent + 2, &fault_text(fault));
    }
    if let Some(n_more) = report.faults.len().checked_sub(n_shown).filter(|n| *n > 0) {
        text += &wrapped(indent + 2, &format!("{} more; -v lists them", count(n_more as u64, "fault")));
    }
    text
}

/// How many chunks there are, and how many of each kind that there is.
fn counts(report: &Report) -> String {
    let kinds = [
        (report.n_intact, "intact"),
        (report.n_decoded, "decode without a checksum"),
        (report.n_damaged, "damaged"),
        (report.n_missing(), "never written"),
        (report.n_not_examined, "not examined"),
    ];
    let kinds: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
    format!("of {} {}", count(report.n_chunks, "chunk"), kinds.join(", "))
}

fn fault_text(Fault { chunk, frames, doubtful_frames, damage, .. }: &Fault) -> String {
    let range = |frames: &std::ops::Range<u64>| match frames.end - frames.start {
        1 => format!("frame {}", frames.start),
        _ => format!("frames {} to {}", frames.start, frames.end - 1),
    };
    let lost = match (frames.is_empty(), doubtful_frames.is_empty()) {
        (false, _) => format!(" ({})", range(frames)),
        (true, false) => format!(" ({} may be wrong)", range(doubtful_frames)),
        (true, true) => String::new(),
    };
    format!("chunk {chunk}{lost}: {}", damage.reason)
}

fn json_line(
    input: &Input,
    path: &str,
    Verdict { state, report, reason }: &Verdict,
    proof: &Result<Option<Proof>, darkchunk_stream::Error>,
) -> String {
    let proof = proof.as_ref().ok().and_then(Option::as_ref).map(|proof| {
        json!({
            "reference": proof.reference,
            "version": proof.version,
            "passes": proof.passes,
            "broken": proof.broken,
            "holds": proof.holds,
        })
    });
    let faults = report.faults.iter().map(|fault| {
        json!({
            "chunk": fault.chunk,
            "offset": fault.offset,
            "frames": [fault.frames.start, fault.frames.end],
            "doubtful_frames": [fault.doubtful_frames.start, fault.doubtful_frames.end],
            "reason": fault.damage.reason.to_string(),
        })
    });
    let object: Value = json!({
        "verb": "verify",
        "file": input.name(),
        "path": path,
        "state": state.words(),
        "reason": reason,
        "chunks": report.n_chunks,
        "intact": report.n_intact,
        "decode": report.n_decoded,
        "damaged": report.n_damaged,
        "not_examined": report.n_not_examined,
        "missing": report.missing.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "comparison": proof,
    });
    format!("{object}\n")
}
