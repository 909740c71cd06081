//! `prove record`: what the recorder promises, for as long as it takes.

use std::fs;
use std::path::Path;

use super::full;
use crate::Result;
use crate::process::{cargo, output, program};
use crate::setup::{self, System};
use crate::soundness;
use crate::tally::Tally;
use crate::workspace::target;

/// Seconds at 1 kHz, for each place.
const SECONDS: &str = "600";

pub(super) fn run(tally: &mut Tally) -> Result {
    setup::python()?;
    setup::system(&[System::Hdf5Tools])?;
    match soundness::recorder_with_thread_sanitizer() {
        Ok(mut tests) => tally.step("recorder, thread sanitizer", &mut tests),
        Err(message) => drop(tally.check("recorder, thread sanitizer", || Err(message))),
    }
    let tests = ["recorder", "recorder_fork", "recorder_disk", "recorder_soak"];
    tally.step("recorder", full("darkchunk-stream", &tests).args(["--test-threads", "1"]));
    let build = ["build", "--release", "--package", "darkchunk-stream", "--example", "bench_rate"];
    tally.step("1 kHz: built", cargo().args(build));
    let memory = Path::new("/dev/shm");
    let disk = target()?;
    let places = [("memory", memory), ("disk", disk), ("stalls", disk)];
    for (place, parent) in places.into_iter().filter(|(_, parent)| parent.is_dir()) {
        tally.check(&format!("1 kHz, {place}"), || rate(place, &parent.join("darkchunk-rate")));
    }
    Ok(())
}

/// Records at 1 kHz, and shows what was measured.
fn rate(place: &str, folder: &Path) -> Result {
    let seconds = std::env::var("DARKCHUNK_SECONDS").unwrap_or_else(|_| SECONDS.into());
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    let rate = target()?.join("release/examples/bench_rate");
    let line = output(program(rate).args([&seconds]).arg(folder).arg(place).env("DARKCHUNK_PYTHON", setup::python()?));
    // In memory: it must not stay.
    fs::remove_dir_all(folder).map_err(failed)?;
    let line = line?;
    println!("{}", line.trim());
    let found: serde_json::Value = serde_json::from_str(&line).map_err(|e| format!("{line}: {e}"))?;
    match (found["n_dropped"].as_u64(), found["seen_ms"]["n_frames"].as_u64()) {
        (Some(0), Some(seen)) if seen > 0 => Ok(()),
        _ => Err("frames were dropped, or none was read meanwhile".into()),
    }
}
