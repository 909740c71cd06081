//! `bench robustness`: the corpus of bad chunks through hdf5plugin's plugins and ours, in every host.
//!
//! A table for the README: how many chunks crashed the process, hung, brought up foreign bytes, gave wrong data, ended in
//! a clean error or in the right data. The work is `tests/bad/scoreboard.py`'s.

use crate::process::{program, run as run_program};
use crate::setup::{self, System};
use crate::workspace::root;
use crate::{Result, dist};

pub(crate) fn run(arguments: &[String]) -> Result {
    let json = match arguments {
        [] => None,
        [option, file] if option == "--json" => Some(file),
        _ => return Err(format!("bench robustness takes --json FILE or nothing, not `{}`", arguments.join(" "))),
    };
    // Debian's HDF5 is one of the hosts.
    setup::system(&[System::Hdf5Tools])?;
    dist::build()?;
    let mut scoreboard = program(setup::python()?);
    scoreboard.arg(root().join("tests/bad/scoreboard.py")).arg(dist::plugins());
    if let Some(file) = json {
        scoreboard.arg("--json").arg(file);
    }
    run_program(&mut scoreboard)
}
