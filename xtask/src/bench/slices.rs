//! `bench slices`: all sinograms of a stack of projections, beside other ways to them. The work is `benches/slices/race.py`'s.

use super::peers;
use crate::process::{program, run as run_program};
use crate::workspace::root;
use crate::{Result, dist, setup};
use std::fs;
use std::path::Path;

const QUICK_MB: &str = "100";

pub(super) fn run(arguments: &[String]) -> Result {
    let mut others = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let value = || format!("{argument} needs a value");
        match argument.as_str() {
            "--quick" => others.extend(["--mb", QUICK_MB, "--rounds", "1"].map(String::from)),
            "--mb" | "--rounds" | "--record" => {
                others.extend([argument.clone(), arguments.next().cloned().ok_or_else(value)?]);
            }
            other => return Err(format!("bench slices takes no `{other}`: {}", super::HELP)),
        }
    }
    dist::build()?;
    let memory = Path::new("/dev/shm");
    // Files in memory, so that no disk is measured.
    let folder = if memory.is_dir() { memory.to_owned() } else { peers::folder()? }.join("darkchunk-slices");
    let command = root().join("dist/bin").join(format!("darkchunk{}", std::env::consts::EXE_SUFFIX));
    let mut race = program(setup::python()?);
    race.arg(root().join("benches/slices/race.py")).arg("--command").arg(command);
    race.arg("--plugins").arg(dist::plugins()).arg("--library").arg(dist::library());
    let raced = run_program(race.arg("--folder").arg(&folder).args(others));
    // In memory: it must not stay.
    let removed = fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()));
    raced.and(removed)
}
