//! `bench read`: the reader beside other ways to the same pixels of the same files. The work is `benches/reader/race.py`'s.

use super::record::{self, Part, Row};
use super::{peers, read_rows, tables};
use crate::Result;
use crate::dist;
use crate::process::{program, run as run_program};
use crate::setup::environment;
use crate::workspace::{data, root};
use std::fs;
use std::path::{Path, PathBuf};

const REQUIREMENTS: &str = "benches/reader/requirements.txt";

#[derive(Default)]
struct Options {
    csv: Option<PathBuf>,
    /// As `race.py` takes them.
    others: Vec<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => options.others.extend(["--rounds", "3", "--frames", "4"].map(String::from)),
                "--csv" => options.csv = Some(value()?.into()),
                "--rounds" | "--frames" | "--only" => options.others.extend([argument.clone(), value()?]),
                other => return Err(format!("bench read takes no `{other}`: {}", super::HELP)),
            }
        }
        Ok(options)
    }
}

pub(super) fn run(arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    let python = environment(&peers::folder()?.join("venv-reader"), &[REQUIREMENTS])?;
    dist::build()?;
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { memory.join("darkchunk-reader") } else { peers::folder()?.join("reader") };
    let raced = race(&python, &scratch, &options);
    // In memory: it must not stay.
    let removed = fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()));
    let rows = raced?;
    removed?;
    println!("\n{}", tables::reader(&rows));
    options.csv.map_or(Ok(()), |path| record::write(&path, Part::Reader, &rows))
}

fn race(python: &Path, scratch: &Path, options: &Options) -> Result<Vec<Row>> {
    fs::create_dir_all(scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    let json = peers::folder()?.join("reader.json");
    let mut race = program(python);
    race.arg(root().join("benches/reader/race.py")).arg("--library").arg(dist::library());
    race.arg("--plugins").arg(dist::plugins()).arg("--scratch").arg(scratch).arg("--json").arg(&json);
    if data().join("mx").exists() {
        race.arg("--data").arg(data());
    } else {
        println!("skipped: real frames (no folder {}; DARKCHUNK_DATA names another)", data().display());
    }
    run_program(race.args(&options.others))?;
    read_rows(&json)
}
