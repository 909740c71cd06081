//! Examines a compressed dataset chunk by chunk, and saves what is good of it.
//!
//! ```text
//! salvage verify  FILE DATASET [--json]            what is wrong
//! salvage recover FILE DATASET OUTPUT [--json]     the same; what is good goes to the same path in OUTPUT, a new file
//! ```
//!
//! Works on datasets with one of darkchunk's filters, or none; needs no plugin. Standard output has a line for each fault and
//! a summary, or one object of JSON. The exit code is 0 where every chunk is intact, 1 where some are damaged (all of
//! them are listed, and the rest is saved), 2 where it could not be done: standard error says why.

use std::error::Error;
use std::ops::Range;
use std::path::Path;
use std::process::ExitCode;

use darkchunk_hdf5::File;
use darkchunk_hdf5::salvage::{Fault, Report, salvage, verify};
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
fn exit_code<E>(outcome: &Result<bool, E>) -> u8 {
    match outcome {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(_) => 2,
    }
}

/// Returns whether every chunk is intact.
fn run(arguments: &[String]) -> Result<bool, Box<dyn Error>> {
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
    Ok(report.is_intact())
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
    let mut lines = Vec::new();
    for Fault { chunk, frames, damage, .. } in &report.faults {
        let blocks =
            if damage.blocks.is_empty() { String::new() } else { format!(", {}", name("block", &damage.blocks)) };
        let (lost, reason) = (damage.lost.len(), &damage.reason);
        let lost = match (lost, frames.is_empty()) {
            (0, _) => "nothing lost".to_owned(),
            (_, true) => format!("{lost} bytes lost, behind the last frame"),
            (_, false) => {
                format!("{lost} bytes of {} lost", name("frame", &(frames.start as usize..frames.end as usize)))
            }
        };
        lines.push(format!("chunk {chunk}{blocks}: {lost}: {reason}\n"));
    }
    for missing in &report.missing {
        lines.push(format!("{}: never written\n", name("chunk", &(missing.start as usize..missing.end as usize))));
    }
    let filter = report.filter.map_or("no filter".to_owned(), |(id, name)| format!("filter {id}, {name}"));
    lines.push(format!(
        "{dataset} ({filter}): {} chunks, {} intact, {} damaged, {} never written\n",
        report.n_chunks,
        report.n_intact,
        report.n_damaged,
        report.n_missing()
    ));
    lines.concat()
}

/// `block 3` or `blocks 3 to 5`.
fn name(what: &str, range: &Range<usize>) -> String {
    if range.len() == 1 {
        format!("{what} {}", range.start)
    } else {
        format!("{what}s {} to {}", range.start, range.end - 1)
    }
}

fn as_json(dataset: &str, report: &Report) -> Value {
    let faults = report.faults.iter().map(|Fault { chunk, offset, frames, damage }| {
        json!({
            "chunk": chunk,
            "offset": offset,
            "frames": [frames.start, frames.end],
            "blocks": [damage.blocks.start, damage.blocks.end],
            "lost_bytes": [damage.lost.start, damage.lost.end],
            "reason": damage.reason.to_string(),
        })
    });
    json!({
        "dataset": dataset,
        "filter": report.filter.map(|(id, _)| id),
        "chunks": report.n_chunks,
        "intact": report.n_intact,
        "damaged": report.n_damaged,
        "missing": report.missing.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
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

    fn run_with(words: &[&str]) -> Result<bool, String> {
        run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).map_err(|error| error.to_string())
    }

    /// The report of a recording whose second chunk, of one frame, has a changed pixel.
    fn check_words(report: &Report) {
        let text = as_text("/x", report);
        let [fault, summary] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let expected = "chunk 1, block 0: 2400 bytes of frame 1 lost: the chunk is damaged: its checksum is 0x";
        assert!(fault.starts_with(expected), "{fault}");
        let filter = "filter 36114, DRLE: dark run-length encoding; see darkchunk, docs/format.md";
        assert_eq!(summary, format!("/x ({filter}): 20 chunks, 19 intact, 1 damaged, 0 never written"));

        let mut words = as_json("/x", report);
        let reason = words["faults"][0]["reason"].take();
        assert!(reason.as_str().is_some_and(|reason| fault.ends_with(reason)), "{reason}");
        let fault = json!({
            "chunk": 1,
            "offset": [1, 0, 0],
            "frames": [1, 2],
            "blocks": [0, 1],
            "lost_bytes": [0, 2400],
            "reason": null,
        });
        let counts = json!({
            "dataset": "/x",
            "filter": 36114,
            "chunks": 20,
            "intact": 19,
            "damaged": 1,
            "missing": [],
            "faults": [fault],
        });
        assert_eq!(words, counts);
    }

    #[test]
    fn scripts_are_told_intact_from_damaged_and_both_from_not_done() {
        assert_eq!([Ok(true), Ok(false), Err("refused")].map(|outcome| exit_code(&outcome)), [0, 1, 2]);
    }

    #[test]
    fn a_byte_that_the_disk_changed_is_found_and_the_rest_is_saved() {
        const DATASET: &str = "/entry/instrument/detector/data";
        let (file, output) = (recording("damaged"), recording("saved"));
        assert_eq!(run_with(&["verify", &file, DATASET]), Ok(true));

        let mut bytes = std::fs::read(&file).expect("the file");
        // The first is in the filter's name.
        let mut places = bytes.windows(4).enumerate().filter(|(_, four)| four == b"DRLE").map(|(at, _)| at);
        let second = places.nth(2).expect("a second chunk");
        bytes[second + 40] ^= 1;
        std::fs::write(&file, bytes).expect("writable");
        assert_eq!(run_with(&["verify", &file, DATASET, "--json"]), Ok(false));
        check_words(&verify_file(&file, DATASET).expect("a report"));

        let taken = run_with(&["recover", &file, DATASET, &output]).expect_err("refused");
        assert!(taken.contains("is there already"), "{taken}");
        std::fs::remove_file(&output).expect("it was there");
        assert_eq!(run_with(&["recover", &file, DATASET, &output]), Ok(false));
        assert_eq!(run_with(&["verify", &output, DATASET]), Ok(true));
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
