//! `bench`: our codecs, their peers and the machine's limits, raced; the whole of it in one run.
//!
//! * codec level, memory to memory: the program `compare` of `benches/`, one process;
//! * through HDF5: `benches/hdf5/through_h5py.py`, our plugins and hdf5plugin's taking turns;
//! * at the end the ratios that the project promises, as measured ([`table`]).
//!
//! `bench talk` records as the DRLE talk did ([`talk`]); `bench robustness` is about bad chunks
//! ([`robustness`]). Peers are built first ([`peers`]).

mod peers;
mod robustness;
mod table;
mod talk;

use crate::Result;
use crate::dist;
use crate::process::{cargo, output, program, run as run_program};
use crate::workspace::{data, root, target};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "[--quick] [--json FILE] [--huge-pages] [--only TEXT]: ours, peers and the machine's \
    limits\ntalk [--json FILE]: recordings as in the DRLE talk, side by side\n\
    robustness [--all] [--json FILE]: bad chunks through hdf5plugin's plugins and ours, in every host\n\
    report FILE...: results written with --json, as Markdown";

pub(crate) fn run(arguments: &[String]) -> Result {
    if arguments.first().is_some_and(|argument| argument == "talk") {
        return talk::run(&arguments[1..]);
    }
    if arguments.first().is_some_and(|argument| argument == "robustness") {
        return robustness::run(&arguments[1..]);
    }
    if arguments.first().is_some_and(|argument| argument == "report") {
        return report(&arguments[1..]);
    }
    let options = Options::parse(arguments)?;
    let (built_peers, folder) = (peers::build()?, peers::folder()?);
    let real = unpack_real(&folder)?;
    dist::build()?;
    let compare = build_compare()?;
    let mut rows = codec_rows(&compare, &options, &built_peers, real.as_deref(), &folder)?;
    if options.only.is_none() {
        rows.extend(hdf5_rows(&compare, &options, &folder)?);
    }
    table::print(&rows);
    write_json(options.json.as_deref(), &rows)
}

#[derive(Debug, Default)]
struct Options {
    is_quick: bool,
    huge_pages: bool,
    json: Option<PathBuf>,
    only: Option<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--quick" => options.is_quick = true,
                "--huge-pages" => options.huge_pages = true,
                "--json" => options.json = Some(value()?.into()),
                "--only" => options.only = Some(value()?),
                other => return Err(format!("bench takes no `{other}`: {HELP}")),
            }
        }
        Ok(options)
    }
}

/// Real frames as raw pixels, where the data folder is there; says so where it is not.
fn unpack_real(folder: &Path) -> Result<Option<PathBuf>> {
    let (data, unpacked) = (data(), folder.join("real"));
    if !data.join("mx").exists() {
        println!("skipped: real frames (no folder {}; DARKCHUNK_DATA names another)", data.display());
        return Ok(None);
    }
    let script = root().join("benches/hdf5/unpack.py");
    run_program(program(peers::python()?).arg(script).arg(data).arg(&unpacked))?;
    Ok(Some(unpacked))
}

/// Builds the benchmark program.
pub(crate) fn build_compare() -> Result<PathBuf> {
    run_program(cargo().args(["build", "--release", "--package", "darkchunk-benches", "--bin", "compare"]))?;
    Ok(target()?.join("release").join(format!("compare{}", std::env::consts::EXE_SUFFIX)))
}

fn codec_rows(
    compare: &Path,
    options: &Options,
    peers: &Path,
    real: Option<&Path>,
    folder: &Path,
) -> Result<Vec<Value>> {
    let json = folder.join("codec.json");
    let mut command = program(compare);
    // The wheel of bitshuffle has OpenMP: one thread, as everyone here.
    command.env("OMP_NUM_THREADS", "1").arg("--peers").arg(peers).arg("--json").arg(&json);
    if let Some(real) = real {
        command.arg("--real").arg(real);
    }
    command.args(options.is_quick.then_some("--quick")).args(options.huge_pages.then_some("--huge-pages"));
    if let Some(only) = &options.only {
        command.args(["--only", only]);
    }
    run_program(&mut command)?;
    read_rows(&json)
}

fn hdf5_rows(compare: &Path, options: &Options, folder: &Path) -> Result<Vec<Value>> {
    println!("== through HDF5: h5py with our plugins, h5py with hdf5plugin");
    let (frames, json) = (folder.join("frames"), folder.join("hdf5.json"));
    run_program(program(compare).arg("--dump").arg(&frames))?;
    let memory = Path::new("/dev/shm");
    let scratch = if memory.is_dir() { memory.join("darkchunk-bench") } else { folder.join("scratch") };
    let mut command = program(peers::python()?);
    command.arg(root().join("benches/hdf5/through_h5py.py")).arg("--frames").arg(frames);
    command.arg("--plugins").arg(dist::plugins()).arg("--scratch").arg(&scratch).arg("--json").arg(&json);
    let outcome = run_program(command.args(["--rounds", if options.is_quick { "4" } else { "9" }]));
    // In memory: it must not stay.
    let removed = fs::remove_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()));
    outcome.and(removed)?;
    read_rows(&json)
}

fn read_rows(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Writes the rows, with the machine they were measured on in front.
pub(crate) fn write_json(path: Option<&Path>, rows: &[Value]) -> Result {
    let Some(path) = path else { return Ok(()) };
    let document = json!({ "machine": machine(), "rows": rows });
    let text = serde_json::to_string_pretty(&document).map_err(|e| e.to_string())?;
    fs::write(path, text + "\n").map_err(|e| format!("{}: {e}", path.display()))?;
    println!("\nwritten: {}", path.display());
    Ok(())
}

/// Prints results written earlier as Markdown: the machine of the first, and the rows of all.
fn report(files: &[String]) -> Result {
    let mut documents = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
        documents.push(serde_json::from_str::<Value>(&text).map_err(|e| format!("{file}: {e}"))?);
    }
    let machine = &documents.first().ok_or("bench report FILE...")?["machine"];
    let rows: Vec<Value> = documents.iter().flat_map(|d| d["rows"].as_array().cloned().unwrap_or_default()).collect();
    print!("{}", table::markdown(machine, &rows));
    Ok(())
}

/// What a number means nothing without: processor, caches, memory, system, compilers.
pub(crate) fn machine() -> Value {
    let said = |name: &str, arguments: &[&str]| {
        output(program(name).args(arguments)).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
    };
    let lscpu = said("lscpu", &[]);
    let field = |name: &str| {
        let line = lscpu.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    json!({
        "processor": field("Model name:"),
        "family, model": format!("{}, {}", field("CPU family:"), field("Model:")),
        "cores": field("CPU(s):"),
        "virtual": field("Virtualization type:"),
        "L1d": field("L1d cache:"), "L2": field("L2 cache:"), "L3": field("L3 cache:"),
        "memory": meminfo.lines().next().and_then(|line| line.split_once(':')).map_or("", |(_, kb)| kb.trim()),
        "huge pages": fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default().trim(),
        "kernel": said("uname", &["-sr"]),
        "rustc": said("rustc", &["--version"]),
        "gcc": said("gcc", &["-dumpfullversion"]),
        "commit": said("git", &["describe", "--always", "--dirty"]),
        "date": said("date", &["-u", "+%Y-%m-%d"]),
    })
}
