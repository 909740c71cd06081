//! `bench record`: the recorder beside the fused pass alone, and beside what others do with the same frames, on a file system in
//! memory and on the disk.

use super::peers;
use crate::Result;
use crate::process::{cargo, output, program, run as run_program};
use crate::workspace::{root, target};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Seconds of a turn.
const TURN: &str = "1.0";
const QUICK_TURN: &str = "0.2";

pub(crate) fn run(arguments: &[String]) -> Result {
    let turn = match arguments {
        [] => TURN,
        [option] if option == "--quick" => QUICK_TURN,
        _ => return Err("usage: bench record [--quick]".into()),
    };
    run_program(cargo().args(["build", "--release", "--package", "darkchunk-stream", "--example", "bench_recorder"]))?;
    let ours = target()?.join("release/examples").join(format!("bench_recorder{}", std::env::consts::EXE_SUFFIX));
    let (folder, memory) = (peers::folder()?.join("recorder"), Path::new("/dev/shm"));
    let mut places = vec![("disk", folder.clone())];
    if memory.is_dir() {
        places.insert(0, ("memory", memory.join("darkchunk-recorder")));
    }
    for (name, place) in places {
        fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
        let measured = measure(&ours, turn, name, &place);
        // In memory: it must not stay.
        let removed = fs::remove_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()));
        measured.and(removed)?;
    }
    Ok(())
}

fn measure(ours: &Path, turn: &str, name: &str, place: &Path) -> Result {
    let raw: PathBuf = place.join("frames.raw");
    // The HDF5 of the same h5py for all.
    let python = peers::python()?;
    let lines = output(program(ours).env("DARKCHUNK_PYTHON", &python).arg(turn).arg(place).arg(&raw))?;
    let script = root().join("benches/recorder/others.py");
    // One thread, as everyone here.
    let others = output(program(&python).env("OMP_NUM_THREADS", "1").arg(script).arg(turn).arg(place).arg(&raw))?;
    println!("\nfiles in {name} ({})\n", place.display());
    println!("{:<56}{:>10}{:>8}{:>14}{:>9}", "", "frames/s", "GB/s", "CPU us/frame", "/ fused");
    let mut fused = None;
    for line in lines.lines().chain(others.lines()) {
        let row: Value = serde_json::from_str(line).map_err(|e| format!("{line}: {e}"))?;
        let number = |key: &str| row[key].as_f64().ok_or_else(|| format!("{line}: no {key}"));
        let (rate, cpu) = (number("frames_per_s")?, number("cpu_us")?);
        let fused = *fused.get_or_insert(rate);
        let (what, gb_per_s) = (row["name"].as_str().unwrap_or(""), rate * 2.0 * 1024.0 * 1024.0 / 1e9);
        println!("{what:<56}{rate:>10.0}{gb_per_s:>8.1}{cpu:>14.1}{:>9.2}", rate / fused);
    }
    Ok(())
}
