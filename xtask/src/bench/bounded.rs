//! `bench bounded`: the bounded codec beside other codecs, with and without loss. The work is `benches/bounded/race.py`'s.

use super::peers;
use crate::Result;
use crate::dist;
use crate::process::{cargo, program, run as run_program};
use crate::setup::environment;
use crate::workspace::{data, root};

const REQUIREMENTS: &str = "benches/bounded/requirements.txt";

pub(crate) fn run(arguments: &[String]) -> Result {
    if let Some(other) = arguments.iter().find(|argument| argument.starts_with("--library")) {
        return Err(format!("bench bounded builds the library itself and takes no `{other}`"));
    }
    let python = environment(&peers::folder()?.join("venv-bounded"), &[REQUIREMENTS])?;
    dist::build()?;
    let traces = peers::folder()?.join("traces.u16");
    let mut make = cargo();
    make.args(["run", "--quiet", "--release", "--package", "darkchunk-sim", "--example", "traces", "--"]);
    run_program(make.args(["512", "10000", "1"]).arg(&traces))?;
    let mut race = program(python);
    race.arg(root().join("benches/bounded/race.py")).arg("--library").arg(dist::library());
    race.arg("--traces").arg(&traces);
    if data().join("mx").exists() {
        race.arg("--data").arg(data());
    } else {
        println!("skipped: real frames (no folder {}; DARKCHUNK_DATA names another)", data().display());
    }
    run_program(race.args(arguments))
}
