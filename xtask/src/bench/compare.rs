//! `bench compare`: each metric by itself on one core, the command `darkchunk compare`, and numpy with the same sums.

use super::peers;
use crate::process::{cargo, program, run as run_program};
use crate::workspace::{root, target};
use crate::{Result, dist, setup};
use std::fs;
use std::path::Path;

/// MB of pixels.
const MB: &str = "800";
const QUICK_MB: &str = "100";

pub(crate) fn run(arguments: &[String]) -> Result {
    let mb = match arguments {
        [] => MB,
        [option] if option == "--quick" => QUICK_MB,
        _ => return Err("usage: bench compare [--quick]".into()),
    };
    dist::build()?;
    run_program(cargo().args(["build", "--release", "--package", "darkchunk-metrics", "--example", "numbers"]))?;
    let memory = Path::new("/dev/shm");
    // Files in memory, so that no disk is measured.
    let folder = if memory.is_dir() { memory.to_owned() } else { peers::folder()? }.join("darkchunk-compare");
    let executable = |name: &str| format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let mut race = program(setup::python()?);
    race.arg(root().join("benches/compare/race.py"));
    race.arg("--command").arg(root().join("dist/bin").join(executable("darkchunk")));
    race.arg("--numbers").arg(target()?.join("release/examples").join(executable("numbers")));
    let raced = run_program(race.arg("--folder").arg(&folder).args(["--mb", mb]));
    // In memory: it must not stay.
    let removed = fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()));
    raced.and(removed)
}
