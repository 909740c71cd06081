//! Examines a compressed dataset chunk by chunk, and saves what is good of it.
//!
//! ```text
//! salvage verify  FILE DATASET [--json]            what is wrong
//! salvage recover FILE DATASET OUTPUT [--json]     the same; what is good goes to the same path in OUTPUT, a new file
//! salvage scan    FILE OUTPUT [--frame HxW] [--json]
//!                                                  DRLE frames that are found by their bytes, wherever they are in FILE, go to OUTPUT
//! ```
//!
//! Works on chunked datasets whose filters are darkchunk's, gzip, shuffle and fletcher32; needs no plugin. *Intact* is a chunk that a
//! checksum proves; one without a checksum *decodes* or not. Where HDF5 cannot open the file or the dataset, `recover` does
//! what `scan` does. Standard output has a line for each fault and a summary, or one object of JSON. The exit code is 0 where
//! nothing is wrong, 1 where some chunks are damaged (all of them are listed, and the rest is saved) or frames were only found
//! by their bytes, 2 where it could not be done, or where chunks could not be examined: the output, or standard error, says why.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::salvage::{FoundReport, Report, salvage, scan, verify};
use darkchunk_hdf5::{File, Library};
use report::{as_json, as_text, found_as_json, found_as_text};

#[path = "salvage/report.rs"]
mod report;

const USAGE: &str = "salvage verify FILE DATASET [--json], salvage recover FILE DATASET OUTPUT [--json], or \
                     salvage scan FILE OUTPUT [--frame HEIGHTxWIDTH] [--json]";

fn main() -> ExitCode {
    let outcome = run(&std::env::args().skip(1).collect::<Vec<_>>());
    if let Err(error) = &outcome {
        eprintln!("salvage: {error}");
    }
    ExitCode::from(exit_code(&outcome))
}

/// What was found, in a dataset or in the bytes of a file.
enum Outcome {
    Dataset(Report),
    Bytes(FoundReport),
}

/// What a script that calls this goes by.
fn exit_code<E>(outcome: &Result<Outcome, E>) -> u8 {
    match outcome {
        Ok(Outcome::Dataset(report)) if report.is_damaged() => 1,
        Ok(Outcome::Dataset(report)) if report.is_good() => 0,
        Ok(Outcome::Bytes(report)) if report.n_frames > 0 => 1,
        _ => 2,
    }
}

/// Prints and returns what was found.
fn run(arguments: &[String]) -> Result<Outcome, Box<dyn Error>> {
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_json = words.contains(&"--json");
    words.retain(|word| *word != "--json");
    let mut shape = None;
    if let Some(at) = words.iter().position(|word| *word == "--frame") {
        shape = Some(frame_shape(words.get(at + 1).copied().unwrap_or_default())?);
        words.drain(at..at + 2);
    }
    if let Some(option) = words.iter().find(|word| word.starts_with("--")) {
        return Err(format!("unknown option {option}; usage: {USAGE}").into());
    }
    let (outcome, name) = match words[..] {
        ["verify", file, dataset] => (Outcome::Dataset(verify_file(file, dataset)?), dataset),
        ["recover", file, dataset, output] => match recover(file, dataset, output)? {
            outcome @ Outcome::Dataset(_) => (outcome, dataset),
            outcome @ Outcome::Bytes(_) => (outcome, file),
        },
        ["scan", file, output] => (Outcome::Bytes(scan_file(file, output, shape)?), file),
        _ => return Err(format!("usage: {USAGE}").into()),
    };
    match (&outcome, is_json) {
        (Outcome::Dataset(report), true) => println!("{}", as_json(name, report)),
        (Outcome::Dataset(report), false) => print!("{}", as_text(name, report)),
        (Outcome::Bytes(report), true) => println!("{}", found_as_json(name, report)),
        (Outcome::Bytes(report), false) => print!("{}", found_as_text(name, report)),
    }
    Ok(outcome)
}

/// `1024x1280`.
fn frame_shape(text: &str) -> Result<[usize; 2], String> {
    let parts: Vec<_> = text.split('x').map(str::parse).collect();
    match parts[..] {
        [Ok(height), Ok(width)] => Ok([height, width]),
        _ => Err(format!("--frame takes height and width, such as --frame 1024x1280, not {text:?}")),
    }
}

fn verify_file(file: &str, dataset: &str) -> Result<Report, Box<dyn Error>> {
    let library = darkchunk_hdf5::load::library()?;
    let opened = File::open(&library, Path::new(file), false);
    let report = opened.and_then(|opened| verify(&library, opened.id(), dataset));
    report.map_err(|error| match error {
        error if is_unreadable(&error) => {
            format!("{error}; `salvage scan` finds DRLE frames in such a file by their bytes").into()
        }
        error => error.into(),
    })
}

fn recover(file: &str, dataset: &str, output: &str) -> Result<Outcome, Box<dyn Error>> {
    let library = darkchunk_hdf5::load::library()?;
    let recovered = into_new_file(&library, output, |into| {
        let source = File::open(&library, Path::new(file), false)?;
        salvage(&library, source.id(), dataset, into, dataset)
    });
    match recovered {
        Ok(report) => Ok(Outcome::Dataset(report)),
        Err(error) if error.downcast_ref().is_some_and(is_unreadable) && Path::new(file).is_file() => {
            eprintln!("salvage: {error}; looking for DRLE frames by their bytes");
            Ok(Outcome::Bytes(scan_file(file, output, None)?))
        }
        Err(error) => Err(error),
    }
}

/// Whether HDF5 could not open the file, or the dataset in it.
fn is_unreadable(error: &darkchunk_hdf5::Error) -> bool {
    use darkchunk_hdf5::Error::{CannotOpen, Hdf5};
    matches!(error, CannotOpen { .. } | Hdf5 { call: "H5Fopen", .. })
}

fn scan_file(file: &str, output: &str, shape: Option<[usize; 2]>) -> Result<FoundReport, Box<dyn Error>> {
    let source = std::fs::File::open(file).map_err(|error| format!("{file} cannot be read: {error}"))?;
    let library = darkchunk_hdf5::load::library()?;
    let report = into_new_file(&library, output, |into| scan(&library, source, file, into, shape))?;
    if report.n_frames == 0 {
        std::fs::remove_file(output)?;
    }
    Ok(report)
}

/// Does `save` with a new file, which goes again where that fails: it would be of no use, and in the way of the next attempt.
fn into_new_file<T>(
    library: &Library,
    output: &str,
    save: impl FnOnce(Hid) -> darkchunk_hdf5::Result<T>,
) -> Result<T, Box<dyn Error>> {
    if Path::new(output).exists() {
        return Err(format!("{output} is there already: give the name of a new file").into());
    }
    let into = File::create(library, Path::new(output))?;
    let saved = save(into.id());
    let closed = into.close();
    saved.and_then(|saved| closed.map(|()| saved)).map_err(|error| {
        let _ = std::fs::remove_file(output);
        error.into()
    })
}

#[cfg(test)]
mod tests {
    use darkchunk::chunk::Compression;
    use darkchunk_hdf5::{Dataset, Processing, Writer};

    use darkchunk_hdf5::salvage::{Damage, Fault};

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

    #[test]
    fn scripts_are_told_good_from_damaged_and_both_from_not_done() {
        let good = Report { n_chunks: 1, n_decoded: 1, ..Report::default() };
        let not_examined = Report { not_examined: Some("why".into()), ..good.clone() };
        let damage = Damage { blocks: 0..0, lost: 0..1, doubtful: 0..0, reason: darkchunk_hdf5::Error::ReadOnly };
        let fault = Fault { chunk: 0, offset: vec![0], frames: 0..1, doubtful_frames: 0..0, damage };
        let damaged = Report { faults: vec![fault], ..not_examined.clone() };
        let outcomes = [Ok(good), Ok(damaged), Ok(not_examined), Err("refused")];
        let codes = outcomes.map(|outcome| exit_code(&outcome.map(Outcome::Dataset)));
        assert_eq!(codes, [0, 1, 2, 2]);
        let found = [0, 3].map(|n_frames| FoundReport { n_frames, ..FoundReport::default() });
        assert_eq!(found.map(|report| exit_code(&Ok::<_, ()>(Outcome::Bytes(report)))), [2, 1]);
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
        report::tests::check_words(&verify_file(&file, DATASET).expect("a report"));

        let taken = run_with(&["recover", &file, DATASET, &output]).expect_err("refused");
        assert!(taken.contains("is there already"), "{taken}");
        std::fs::remove_file(&output).expect("it was there");
        assert_eq!(run_with(&["recover", &file, DATASET, &output]), Ok(1));
        assert_eq!(run_with(&["verify", &output, DATASET]), Ok(0));
        [file, output].iter().for_each(|path| std::fs::remove_file(path).expect("it was there"));
    }

    #[test]
    fn a_file_that_hdf5_cannot_open_gives_the_frames_that_are_in_it() {
        const DATASET: &str = "/entry/instrument/detector/data";
        let (file, output) = (recording("overwritten"), recording("found"));
        let taken = run_with(&["scan", &file, &output]).expect_err("refused");
        assert!(taken.contains("is there already"), "{taken}");
        std::fs::remove_file(&output).expect("it was there");

        let mut bytes = std::fs::read(&file).expect("the file");
        bytes[..64].fill(0);
        std::fs::write(&file, &bytes).expect("writable");
        let unreadable = run_with(&["verify", &file, DATASET]).expect_err("no HDF5 file");
        assert!(
            unreadable.ends_with("; `salvage scan` finds DRLE frames in such a file by their bytes"),
            "{unreadable}"
        );
        for words in [
            &["recover", &file, DATASET, &output][..],
            &["scan", &file, &output, "--frame", "30x40"],
            &["scan", &file, &output, "--frame", "7x7", "--json"],
        ] {
            assert_eq!(run_with(words), Ok(1), "{words:?}");
            assert_eq!(run_with(&["verify", &output, "/found/1/frames"]), Ok(0), "{words:?}");
            std::fs::remove_file(&output).expect("it was there");
        }
        std::fs::write(&file, [0; 1000]).expect("writable");
        assert_eq!(run_with(&["recover", &file, DATASET, &output]), Ok(2));
        assert!(!Path::new(&output).exists());
        std::fs::remove_file(file).expect("it was there");
    }

    #[test]
    fn what_cannot_be_done_is_no_report() {
        let file = recording("refused");
        for words in [
            &["verify"][..],
            &["verify", &file, "/x", "--js"],
            &["verify", "/no/file", "/x"],
            &["verify", &file, "/x"],
            &["scan", "/no/file", "/tmp/x"],
            &["scan", &file, "/tmp/x", "--frame"],
            &["scan", &file, "/tmp/x", "--frame", "3"],
        ] {
            assert!(run_with(words).is_err(), "{words:?}");
        }
        let output = format!("{file}.saved");
        let refused = run_with(&["recover", &file, "/nothing", &output]).expect_err("refused");
        assert!(refused.contains("none of this name") && !Path::new(&output).exists(), "{refused}");
        std::fs::remove_file(file).expect("it was there");
    }
}
