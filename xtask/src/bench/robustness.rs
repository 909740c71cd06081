//! `bench robustness`: the corpus of bad chunks through hdf5plugin's plugins and ours, in every host.
//!
//! A table for the README: how many chunks crashed the process, hung, brought up foreign bytes, gave wrong data, ended in
//! a clean error or in the right data. The work is `tests/corpus/scoreboard.py`'s.

use crate::process::{program, run as run_program};
use crate::setup::{self, System};
use crate::workspace::root;
use crate::{Result, dist};

pub(crate) fn run(arguments: &[String]) -> Result {
    // Debian's HDF5 is one of the hosts.
    setup::system(&[System::Hdf5Tools])?;
    dist::build()?;
    let mut scoreboard = program(setup::python()?);
    scoreboard.arg(root().join("tests/corpus/scoreboard.py")).arg(dist::plugins());
    run_program(scoreboard.args(absolute(arguments)?))
}

/// The arguments, with a relative file name as the user means it: the program is run in the repository's root.
fn absolute(arguments: &[String]) -> Result<Vec<String>> {
    let here = std::env::current_dir().map_err(|e| e.to_string())?;
    match arguments {
        [] => Ok(Vec::new()),
        [option, rest @ ..] if option == "--all" => Ok([vec![option.clone()], absolute(rest)?].concat()),
        [option, file, rest @ ..] if option == "--json" => {
            let file = here.join(file).display().to_string();
            Ok([vec![option.clone(), file], absolute(rest)?].concat())
        }
        _ => Err(format!("bench robustness takes --json FILE and --all, not `{}`", arguments.join(" "))),
    }
}
