//! `bench record`: the recorder beside the fused pass alone, and beside what others do with the same frames, on a file system in
//! memory and on the disk; and what the metadata of a frame costs in Rust, C and Python.

use super::peers;
use crate::Result;
use crate::process::{cargo, output, program, run as run_program};
use crate::setup::{self, System};
use crate::workspace::{root, target};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Seconds of a turn.
const TURN: &str = "1.0";
const QUICK_TURN: &str = "0.2";

/// Turns with and without metadata.
const COLUMN_TURNS: &str = "10";

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
    for (name, place) in &places {
        fs::create_dir_all(place).map_err(|e| format!("{}: {e}", place.display()))?;
        let measured = measure(&ours, turn, name, place);
        // In memory: it must not stay.
        let removed = fs::remove_dir_all(place).map_err(|e| format!("{}: {e}", place.display()));
        measured.and(removed)?;
    }
    let place = &places[0].1;
    fs::create_dir_all(place).map_err(|e| format!("{}: {e}", place.display()))?;
    let measured = columns(place);
    fs::remove_dir_all(place).map_err(|e| format!("{}: {e}", place.display()))?;
    measured
}

/// What 14 numbers a frame cost.
fn columns(place: &Path) -> Result {
    setup::system(&[System::Hdf5Headers])?;
    let (release, python) = (target()?.join("release"), setup::python()?);
    run_program(cargo().args(["build", "--release", "-p", "darkchunk-ffi", "--lib"]))?;
    run_program(cargo().args(["build", "--release", "--package", "darkchunk-stream", "--example", "bench_columns"]))?;
    let (sources, in_c) = (root().join("benches/recorder"), place.join("columns"));
    let mut gcc = program("gcc");
    gcc.args(["-std=c11", "-O2"]).arg(format!("-I{}", root().join("ffi/include").display()));
    gcc.arg(sources.join("columns.c")).arg("-o").arg(&in_c).args(setup::hdf5_flags());
    gcc.arg(format!("-L{}", release.display())).arg("-ldarkchunk").arg(format!("-Wl,-rpath,{}", release.display()));
    run_program(&mut gcc)?;
    let in_rust = release.join("examples").join(format!("bench_columns{}", std::env::consts::EXE_SUFFIX));
    let library = release.join(format!("{}darkchunk{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
    let mut ways = [program(in_rust), program(&in_c), program(&python)];
    ways[0].arg(COLUMN_TURNS).arg(place).env("DARKCHUNK_PYTHON", &python);
    ways[1].arg(COLUMN_TURNS).arg(place.join("columns.h5"));
    ways[2].arg(sources.join("columns.py")).arg(COLUMN_TURNS).arg(place).arg(library);
    println!("\n14 numbers with each frame, processor time a frame\n");
    println!("{:<56}{:>10}{:>10}{:>14}", "", "without", "with", "columns us");
    for way in &mut ways {
        for line in output(way)?.lines() {
            let row: Value = serde_json::from_str(line).map_err(|e| format!("{line}: {e}"))?;
            let number = |key: &str| row[key].as_f64().ok_or_else(|| format!("{line}: no {key}"));
            let (without, with) = (number("without")?, number("with")?);
            let what = row["name"].as_str().unwrap_or("");
            println!("{what:<56}{without:>10.2}{with:>10.2}{:>14.2}", with - without);
        }
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
