//! `bench talk`: the recordings of the DRLE talk (European HDF5 Users Group 2023), done again beside ours.
//!
//! * (a) PyTables EArray with shuffle and LZO: what the talk's laboratory had;
//! * (b) the talk's own proposal: DRLE in the application, in a PyTables variable-length array, 50 images an entry;
//! * (c) our writer, with one thread and with two.
//!
//! All take the same images from memory (100 MB, repeated), subtract the same dark image, apply the same threshold, keep
//! the sum, and write to the same file system, taking turns; the clock runs from making the file to its
//! close. Beside the wall-clock time stands the processor time of the recording thread: on a machine that others use at the
//! same time, that is the number that can be compared. All three files are then read with PyTables and compared.

use super::record::{self, Part, Row};
use super::{build_compare, goals, peers};
use crate::Result;
use crate::dist;
use crate::process::{cargo, output, program, run as run_program};
use crate::setup::{SYSTEM_PYTHON, System, system};
use crate::workspace::{root, target};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Pixels of a recording: 6000 images of 1.0 Mpixel. The talk recorded 30 000 images of every size; with few, what is done once
/// for a file would count as if it were done for images.
const PIXELS: u64 = 6000 << 20;
const ROUNDS: usize = 2;
/// Turns of each method a round: (c) is over in a moment and would otherwise be measured once.
const TURNS: [(Method, usize); 4] =
    [(Method::Earray, 1), (Method::Vlarray, 1), (Method::Ours(1), 2), (Method::Ours(2), 2)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Earray,
    Vlarray,
    /// With so many threads.
    Ours(usize),
}

impl Method {
    fn by(self) -> &'static str {
        match self {
            Self::Earray => "(a) PyTables EArray, shuffle + LZO",
            Self::Vlarray => "(b) DRLE in the application, VLArray",
            Self::Ours(_) => "darkchunk",
        }
    }

    fn n_threads(self) -> usize {
        if let Self::Ours(n_threads) = self { n_threads } else { 1 }
    }
}

struct Tools {
    ours: PathBuf,
    script: PathBuf,
    folder: PathBuf,
}

/// What one method did in one case.
struct Recording {
    method: Method,
    seconds: f64,
    cpu_seconds: f64,
    file_bytes: u64,
}

pub(crate) fn run(arguments: &[String]) -> Result {
    let csv = match arguments {
        [] => None,
        [option, path] if option == "--csv" => Some(PathBuf::from(path)),
        _ => return Err("usage: bench talk [--csv FILE]".into()),
    };
    system(&[System::Tables])?;
    dist::build()?;
    let tools = tools()?;
    let mut rows = Vec::new();
    let head = ["kHz", "/ (a)", "kHz (CPU)", "/ (a)", "MB"];
    println!(
        "\n{:<14}{:<15}{:<37}{:>8}{:>9} {:>8} {:>10} {:>8} {:>9}",
        "pixels", "bright", "", "threads", head[0], head[1], head[2], head[3], head[4]
    );
    for number in 0..5 {
        let case = prepare(&tools.folder, number)?;
        rows.extend(record_case(&tools, &case)?);
    }
    println!("\n{}", goals::talk_line(rows.clone()));
    fs::remove_dir_all(&tools.folder).map_err(|e| format!("{}: {e}", tools.folder.display()))?;
    csv.map_or(Ok(()), |path| record::write(&path, Part::Talk, &rows))
}

/// Builds what is needed, and writes the images of all cases.
fn tools() -> Result<Tools> {
    let folder = peers::folder()?.join("talk");
    run_program(program(build_compare()?).arg("--dump-talk").arg(&folder))?;
    println!("== recorder");
    run_program(cargo().args(["build", "--release", "--package", "darkchunk-hdf5", "--example", "talk"]))?;
    let loops = folder.join("libloops.so");
    let mut gcc = program("gcc");
    gcc.args(["-shared", "-fPIC", "-O3", "-march=native", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&loops);
    run_program(gcc.arg(root().join("benches/talk/loops.c")))?;
    let ours = target()?.join("release/examples").join(format!("talk{}", std::env::consts::EXE_SUFFIX));
    Ok(Tools { ours, script: root().join("benches/talk/talk.py"), folder })
}

/// Completes the description of a case: how many images are recorded, and with which loops.
fn prepare(folder: &Path, number: usize) -> Result<(PathBuf, Value)> {
    let path = folder.join(format!("{number}.json"));
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let mut case: Value =
        serde_json::from_str(&fs::read_to_string(&path).map_err(|e| failed(&e))?).map_err(|e| failed(&e))?;
    let side = |key: &str| case[key].as_u64().ok_or(format!("{}: no {key}", path.display()));
    let n_pixels = side("height")? * side("width")?;
    // A multiple of the 50 images of an entry.
    case["n_frames"] = json!(PIXELS / n_pixels / 50 * 50);
    case["loops"] = json!(folder.join("libloops.so"));
    fs::write(&path, case.to_string()).map_err(|e| failed(&e))?;
    Ok((path, case))
}

fn record_case(tools: &Tools, (path, case): &(PathBuf, Value)) -> Result<Vec<Row>> {
    let mut best: Vec<Recording> = Vec::new();
    for round in 0..ROUNDS {
        for method in TURNS.iter().flat_map(|(method, turns)| std::iter::repeat_n(*method, *turns)) {
            let file = tools.folder.join("recording.h5");
            let recording = record(tools, method, path, &file)?;
            if round == 0 && !best.iter().any(|other| other.method == method) {
                let mut check = program(SYSTEM_PYTHON);
                check.env("HDF5_PLUGIN_PATH", dist::plugins()).arg(&tools.script).arg("check").arg(path).arg(&file);
                output(&mut check)?;
            }
            fs::remove_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            match best.iter_mut().find(|other| other.method == method) {
                Some(other) => {
                    other.seconds = other.seconds.min(recording.seconds);
                    other.cpu_seconds = other.cpu_seconds.min(recording.cpu_seconds);
                }
                None => best.push(recording),
            }
        }
    }
    let rows = best.iter().map(|recording| row(case, recording)).collect::<Result<Vec<_>>>()?;
    for (row, recording) in rows.iter().zip(&best) {
        print(row, case["n_frames"].as_f64().unwrap_or(f64::NAN), recording, &best[0]);
    }
    Ok(rows)
}

fn record(tools: &Tools, method: Method, case: &Path, file: &Path) -> Result<Recording> {
    let mut command = match method {
        Method::Ours(n_threads) => {
            let mut command = program(&tools.ours);
            command.arg(n_threads.to_string());
            command
        }
        Method::Earray | Method::Vlarray => {
            let mut command = program(SYSTEM_PYTHON);
            command.arg(&tools.script).arg(if method == Method::Earray { "earray" } else { "vlarray" });
            command
        }
    };
    let printed = output(command.arg(case).arg(file))?;
    let result: Value = serde_json::from_str(&printed).map_err(|e| format!("{printed}: {e}"))?;
    let number = |key: &str| result[key].as_f64().ok_or_else(|| format!("no {key} in {printed}"));
    let file_bytes = number("file_bytes")? as u64;
    Ok(Recording { method, seconds: number("seconds")?, cpu_seconds: number("cpu_seconds")?, file_bytes })
}

fn row(case: &Value, recording: &Recording) -> Result<Row> {
    let number = |key: &str| case[key].as_f64().ok_or_else(|| format!("a case has no {key}: {case}"));
    let text = |key: &str| case[key].as_str().ok_or_else(|| format!("a case has no {key}: {case}"));
    let raw_bytes = 2.0 * number("height")? * number("width")? * number("n_frames")?;
    let threads = recording.method.n_threads() as u64;
    let is_ours = matches!(recording.method, Method::Ours(_));
    Ok(Row {
        name: format!("talk record {}", text("pixels")?),
        input: text("input")?.to_owned(),
        by: recording.method.by().to_owned(),
        level: if is_ours { "best" } else { "gcc -O3 -march=native, LZO" }.to_owned(),
        threads,
        gb_per_s: raw_bytes / recording.seconds / 1e9,
        // The processor's clock is that of one thread.
        gb_per_s_cpu: (threads == 1).then_some(raw_bytes / recording.cpu_seconds / 1e9),
        ratio: Some(raw_bytes / recording.file_bytes as f64),
        ..Row::default()
    })
}

fn print(row: &Row, n_frames: f64, recording: &Recording, baseline: &Recording) {
    let khz = |seconds: f64| n_frames / seconds / 1e3;
    let by_cpu = row.gb_per_s_cpu.is_some();
    let cpu = |number: f64| if by_cpu { format!("{number:.2}") } else { "-".to_owned() };
    println!(
        "{:<14}{:<15}{:<37}{:>8}{:>9.2} {:>8.2} {:>10} {:>8} {:>9.1}",
        row.name.replace("talk record ", ""),
        row.input,
        row.by,
        row.threads,
        khz(recording.seconds),
        baseline.seconds / recording.seconds,
        cpu(khz(recording.cpu_seconds)),
        cpu(baseline.cpu_seconds / recording.cpu_seconds),
        recording.file_bytes as f64 / 1e6,
    );
}
