//! Examines a compressed dataset chunk by chunk, and saves what is good of it.
//!
//! ```text
//! salvage verify  FILE DATASET [--json]            what is wrong
//! salvage recover FILE DATASET OUTPUT [--json]     the same; what is good goes to the same path in OUTPUT, a new file
//! ```
//!
//! Works on chunked datasets whose filters are darkchunk's, shuffle and fletcher32; needs no plugin. *Intact* is a chunk that a
//! checksum proves; one without a checksum *decodes* or not. Standard output has a line for each fault and a summary, or one
//! object of JSON. The exit code is 0 where nothing is wrong, 1 where some chunks are damaged (all of them are listed, and the
//! rest is saved), 2 where it could not be done, or where chunks could not be examined: the output, or standard error, says why.

use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use darkchunk_hdf5::File;
use darkchunk_hdf5::salvage::{Damage, Fault, FilterName, Report, salvage, verify};
use serde_json::{Value, json};

const USAGE: &str = "salvage verify FILE DATASET [--json], or salvage recover FILE DATASET OUTPUT [--json]";

fn main() -> ExitCode {
    let outcome = run(&std::env::args().skip(1).collect::<Vec<_>>());
    if let Err(error) = &outcome {
        eprintln!("salvage: {error}");
    }
    ExitCode::from(exit_code(&outcome))
}

/// What a script that calls this goes by.
fn exit_code<E>(outcome: &Result<Report, E>) -> u8 {
    match outcome {
        Ok(report) if report.is_damaged() => 1,
        Ok(report) if report.is_good() => 0,
        _ => 2,
    }
}

/// Prints and returns what was found.
fn run(arguments: &[String]) -> Result<Report, Box<dyn Error>> {
    let is_json = arguments.iter().any(|argument| argument == "--json");
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--json").collect();
    if let Some(option) = words.iter().find(|word| word.starts_with("--")) {
        return Err(format!("unknown option {option}; usage: {USAGE}").into());
    }
    let (report, dataset) = match words[..] {
        ["verify", file, dataset] => (verify_file(file, dataset)?, dataset),
        ["recover", file, dataset, output] => (recover(file, dataset, output)?, dataset),
        _ => return Err(format!("usage: {USAGE}").into()),
    };
    if is_json {
        println!("{}", as_json(dataset, &report));
    } else {
        print!("{}", as_text(dataset, &report));
    }
    Ok(report)
}

fn verify_file(file: &str, dataset: &str) -> Result<Report, Box<dyn Error>> {
    let library = darkchunk_hdf5::load::library()?;
    let file = File::open(&library, Path::new(file), false)?;
    Ok(verify(&library, file.id(), dataset)?)
}

fn recover(file: &str, dataset: &str, output: &str) -> Result<Report, Box<dyn Error>> {
    if Path::new(output).exists() {
        return Err(format!("{output} is there already: give the name of a new file").into());
    }
    let library = darkchunk_hdf5::load::library()?;
    let file = File::open(&library, Path::new(file), false)?;
    let into = File::create(&library, Path::new(output))?;
    let saved = salvage(&library, file.id(), dataset, into.id(), dataset);
    let closed = into.close();
    let report = saved.and_then(|report| closed.map(|()| report));
    report.map_err(|error| {
        // A file without the dataset is of no use, and would be in the way of the next attempt.
        let _ = std::fs::remove_file(output);
        error.into()
    })
}

fn as_text(dataset: &str, report: &Report) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(fault_line).collect();
    for missing in &report.missing {
        lines.push(format!("{}: never written\n", name("chunk", missing)));
    }
    let filters: Vec<String> = report.filters.iter().map(filter_name).collect();
    let filters = match &filters[..] {
        [] => "no filter".to_owned(),
        [filter] => format!("filter {filter}"),
        several => format!("filters {}", several.join(" + ")),
    };
    lines.push(format!("{dataset} ({filters}): {}\n", counts(report)));
    lines.extend(report.not_examined.as_ref().map(|reason| format!("{dataset}: not examined: {reason}\n")));
    lines.concat()
}

fn fault_line(Fault { chunk, frames, doubtful_frames, damage, .. }: &Fault) -> String {
    let Damage { blocks, lost, doubtful, reason } = damage;
    let blocks = if blocks.is_empty() {
        String::new()
    } else {
        format!(", {}", name("block", &(blocks.start as u64..blocks.end as u64)))
    };
    let lost = match (lost.len(), doubtful.len()) {
        (0, 0) => "nothing lost".to_owned(),
        (0, n_bytes) => format!("{} may be wrong", part(n_bytes, doubtful_frames)),
        (n_bytes, _) => format!("{} lost", part(n_bytes, frames)),
    };
    format!("chunk {chunk}{blocks}: {lost}: {reason}\n")
}

/// So many bytes, and of which frames.
fn part(n_bytes: usize, frames: &Range<u64>) -> String {
    if frames.is_empty() {
        format!("{n_bytes} bytes after the last frame")
    } else {
        format!("{n_bytes} bytes of {}", name("frame", frames))
    }
}

fn filter_name(FilterName { id, name }: &FilterName) -> String {
    name.map_or(id.to_string(), |name| format!("{id}, {name}"))
}

/// How many chunks there are, and how many of each kind that there is.
fn counts(report: &Report) -> String {
    let kinds = [
        (report.n_intact, "intact"),
        (report.n_decoded, "decode (no checksum)"),
        (report.n_damaged, "damaged"),
        (report.n_missing(), "never written"),
        (report.n_not_examined, "not examined"),
    ];
    let kinds = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!(", {n} {kind}"));
    format!("{} chunks{}", report.n_chunks, kinds.collect::<String>())
}

/// `block 3` or `blocks 3 to 5`.
fn name(what: &str, range: &Range<u64>) -> String {
    let (first, last) = (range.start, range.end - 1);
    if first == last { format!("{what} {first}") } else { format!("{what}s {first} to {last}") }
}

fn as_json(dataset: &str, report: &Report) -> Value {
    json!({
        "dataset": dataset,
        "filters": report.filters.iter().map(|filter| filter.id).collect::<Vec<_>>(),
        "chunks": report.n_chunks,
        "intact": report.n_intact,
        "decode": report.n_decoded,
        "damaged": report.n_damaged,
        "missing": report.missing.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
        "not_examined": report.n_not_examined,
        "why_not_examined": report.not_examined,
        "faults": report.faults.iter().map(fault_as_json).collect::<Vec<_>>(),
    })
}

fn fault_as_json(Fault { chunk, offset, frames, doubtful_frames, damage }: &Fault) -> Value {
    json!({
        "chunk": chunk,
        "offset": offset,
        "frames": [frames.start, frames.end],
        "doubtful_frames": [doubtful_frames.start, doubtful_frames.end],
        "blocks": [damage.blocks.start, damage.blocks.end],
        "lost_bytes": [damage.lost.start, damage.lost.end],
        "doubtful_bytes": [damage.doubtful.start, damage.doubtful.end],
        "reason": damage.reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use darkchunk::chunk::Compression;
    use darkchunk_hdf5::{Dataset, Processing, Writer};

    use super::*;

    /// A recording of 20 frames.
    fn recording(name: &str) -> String {
        let path = std::env::temp_dir().join(format!("darkchunk-{name}-{}.h5", std::process::id()));
        let library = darkchunk_hdf5::load::library().expect("an HDF5");
        let file = File::create(&library, &path).expect("a new file");
        let dataset = Dataset::new(30, 40, Compression::drle(5));
        let mut writer = Writer::create(&library, file.id(), &dataset, Processing::<i16>::default()).expect("a writer");
        (0..20).for_each(|index| writer.push(&[100 + index; 1200]).expect("stored"));
        writer.finish().expect("finished");
        drop(writer);
        file.close().expect("closed");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// The exit code.
    fn run_with(words: &[&str]) -> Result<u8, String> {
        let outcome = run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let code = exit_code(&outcome);
        outcome.map(|_| code).map_err(|error| error.to_string())
    }

    /// The report of a recording whose second chunk, of one frame, has a changed pixel.
    fn check_words(report: &Report) {
        let text = as_text("/x", report);
        let [fault, summary] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let expected = "chunk 1, block 0: 2400 bytes of frame 1 lost: the chunk is damaged: its checksum is 0x";
        assert!(fault.starts_with(expected), "{fault}");
        assert_eq!(summary, "/x (filter 36114, DRLE): 20 chunks, 19 intact, 1 damaged");

        let mut words = as_json("/x", report);
        let reason = words["faults"][0]["reason"].take();
        assert!(reason.as_str().is_some_and(|reason| fault.ends_with(reason)), "{reason}");
        let fault = json!({
            "chunk": 1,
            "offset": [1, 0, 0],
            "frames": [1, 2],
            "doubtful_frames": [1, 1],
            "blocks": [0, 1],
            "lost_bytes": [0, 2400],
            "doubtful_bytes": [0, 0],
            "reason": null,
        });
        let counts = json!({
            "dataset": "/x",
            "filters": [36114],
            "chunks": 20,
            "intact": 19,
            "decode": 0,
            "damaged": 1,
            "missing": [],
            "not_examined": 0,
            "why_not_examined": null,
            "faults": [fault],
        });
        assert_eq!(words, counts);
    }

    #[test]
    fn scripts_are_told_good_from_damaged_and_both_from_not_done() {
        let good = Report { n_chunks: 1, n_decoded: 1, ..Report::default() };
        let not_examined = Report { not_examined: Some("why".into()), ..good.clone() };
        let damage = Damage { blocks: 0..0, lost: 0..1, doubtful: 0..0, reason: darkchunk_hdf5::Error::ReadOnly };
        let fault = Fault { chunk: 0, offset: vec![0], frames: 0..1, doubtful_frames: 0..0, damage };
        let damaged = Report { faults: vec![fault], ..not_examined.clone() };
        let outcomes = [Ok(good), Ok(damaged), Ok(not_examined), Err("refused")];
        assert_eq!(outcomes.map(|outcome| exit_code(&outcome)), [0, 1, 2, 2]);
    }

    #[test]
    fn a_byte_that_the_disk_changed_is_found_and_the_rest_is_saved() {
        const DATASET: &str = "/entry/instrument/detector/data";
        let (file, output) = (recording("damaged"), recording("saved"));
        assert_eq!(run_with(&["verify", &file, DATASET]), Ok(0));

        let mut bytes = std::fs::read(&file).expect("the file");
        // The first is in the filter's name.
        let mut places = bytes.windows(4).enumerate().filter(|(_, four)| four == b"DRLE").map(|(at, _)| at);
        let second = places.nth(2).expect("a second chunk");
        bytes[second + 40] ^= 1;
        std::fs::write(&file, bytes).expect("writable");
        assert_eq!(run_with(&["verify", &file, DATASET, "--json"]), Ok(1));
        check_words(&verify_file(&file, DATASET).expect("a report"));

        let taken = run_with(&["recover", &file, DATASET, &output]).expect_err("refused");
        assert!(taken.contains("is there already"), "{taken}");
        std::fs::remove_file(&output).expect("it was there");
        assert_eq!(run_with(&["recover", &file, DATASET, &output]), Ok(1));
        assert_eq!(run_with(&["verify", &output, DATASET]), Ok(0));
        [file, output].iter().for_each(|path| std::fs::remove_file(path).expect("it was there"));
    }

    #[test]
    fn what_cannot_be_done_is_no_report() {
        let file = recording("refused");
        for words in
            [&["verify"][..], &["verify", &file, "/x", "--js"], &["verify", "/no/file", "/x"], &["verify", &file, "/x"]]
        {
            assert!(run_with(words).is_err(), "{words:?}");
        }
        let output = format!("{file}.saved");
        let refused = run_with(&["recover", &file, "/nothing", &output]).expect_err("refused");
        assert!(refused.contains("none of this name") && !Path::new(&output).exists(), "{refused}");
        std::fs::remove_file(file).expect("it was there");
    }
}
