//! `bench convert`: whole files stored otherwise and compared, by `darkchunk convert`, by a loop over h5py, and by h5repack.

use super::peers;
use crate::process::{program, run as run_program};
use crate::setup::{self, System};
use crate::workspace::root;
use crate::{Result, dist};
use std::fs;
use std::path::Path;

/// MB of pixels.
const MB: &str = "800";
const QUICK_MB: &str = "100";

pub(crate) fn run(arguments: &[String]) -> Result {
    let mb = match arguments {
        [] => MB,
        [option] if option == "--quick" => QUICK_MB,
        _ => return Err("usage: bench convert [--quick]".into()),
    };
    dist::build()?;
    setup::system(&[System::Hdf5Tools])?;
    let memory = Path::new("/dev/shm");
    // Files in memory, so that no disk is measured.
    let folder = if memory.is_dir() { memory.to_owned() } else { peers::folder()? }.join("darkchunk-convert");
    let command = root().join("dist/bin").join(format!("darkchunk{}", std::env::consts::EXE_SUFFIX));
    let mut race = program(setup::python()?);
    race.arg(root().join("benches/convert/race.py"))
        .arg("--command")
        .arg(command)
        .arg("--plugins")
        .arg(dist::plugins());
    race.arg("--folder").arg(&folder).args(["--jobs", "2", "--mb", mb]);
    let raced = run_program(&mut race);
    // In memory: it must not stay.
    let removed = fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()));
    raced.and(removed)
}
