//! `bench`: our codecs, their peers and the machine's limits, raced; the whole of it in one run.
//!
//! * codec level, memory to memory: the program `compare` of `benches/`, one process;
//! * through HDF5: `benches/hdf5/through_h5py.py`, our plugins and hdf5plugin's taking turns;
//! * at the end the goals of the project, and what was measured of them ([`goals`]).
//!
//! `bench talk` records as the DRLE talk did ([`talk`]), `bench record` with the recorder ([`recorder`]), `bench convert` converts
//! whole files ([`convert`]), `bench compare` has the speed of metrics ([`compare`]), `bench read` reads with the
//! reader ([`reader`]), `bench bounded` is about errors within a bound ([`bounded`]), `bench slices` reads sinograms ([`slices`]), `bench robustness` about bad chunks
//! ([`robustness`]), `bench report` about what was recorded before ([`report`]). Peers are built first ([`peers`]).

mod bounded;
mod chart;
mod compare;
mod convert;
mod goals;
mod peers;
mod reader;
mod record;
mod recorder;
mod report;
mod robustness;
mod rows;
mod slices;
mod tables;
mod talk;

use crate::Result;
use crate::dist;
use crate::process::{cargo, output, program, run as run_program};
use crate::workspace::{data, root, target};
use record::{Machine, Part, Row};
use rows::Rows;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "[--quick] [--csv FILE] [--huge-pages] [--only TEXT]: ours, peers and the machine's \
    limits\ntalk [--csv FILE]: recordings as in the DRLE talk, side by side\n\
    record [--quick]: the recorder beside the fused pass alone, and beside what others do\n\
    convert [--quick]: `darkchunk convert` beside a loop over h5py and h5repack, all results compared\n\
    compare [--quick]: each metric of `darkchunk compare`, the whole of it, and numpy\n\
    bounded [--rounds N] [--only TEXT] [--json FILE]: the bounded codec beside others, with and without loss\n\
    read [--quick] [--csv FILE] [--rounds N] [--frames N] [--only TEXT]: the reader beside h5py and others\n\
    slices [--quick] [--mb MB] [--rounds N] [--record FILE]: all sinograms by `darkchunk slices`, h5py, and processes\n\
    robustness [--all] [--json FILE]: bad chunks through hdf5plugin's plugins and ours, in every host\n\
    report [FILE.csv...]: recorded results against the goals; --write: the tables and the chart of the documents";

pub(crate) fn run(arguments: &[String]) -> Result {
    match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("talk", rest)) => talk::run(rest),
        Some(("record", rest)) => recorder::run(rest),
        Some(("convert", rest)) => convert::run(rest),
        Some(("compare", rest)) => compare::run(rest),
        Some(("bounded", rest)) => bounded::run(rest),
        Some(("read", rest)) => reader::run(rest),
        Some(("slices", rest)) => slices::run(rest),
        Some(("robustness", rest)) => robustness::run(rest),
        Some(("report", rest)) => report::run(rest),
        _ => race(arguments),
    }
}

fn race(arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    let (built_peers, folder) = (peers::build()?, peers::folder()?);
    let real = unpack_real(&folder)?;
    dist::build()?;
    let compare = build_compare()?;
    let mut rows = codec_rows(&compare, &options, &built_peers, real.as_deref(), &folder)?;
    if options.only.is_none() {
        rows.extend(hdf5_rows(&compare, &options, &folder)?);
    }
    print(&rows);
    options.csv.as_deref().map_or(Ok(()), |path| record::write(path, Part::Codecs, &rows))
}

/// Prints the rows through HDF5 (those of the codecs were printed as they came), the goals, and the levels.
fn print(rows: &[Row]) {
    println!();
    rows.iter().filter(|row| row.is_h5py()).for_each(|row| rows::print(row, &Rows(rows)));
    println!("\nOne thread, best level, 1024 x 1024 int16 frames:\n");
    let machine = Machine { name: "measured".into(), rows: rows.to_vec() };
    print!("{}\n{}", goals::table(&[machine]), goals::slower_levels(rows));
}

#[derive(Debug, Default)]
struct Options {
    is_quick: bool,
    huge_pages: bool,
    csv: Option<PathBuf>,
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
                "--csv" => options.csv = Some(value()?.into()),
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

fn codec_rows(compare: &Path, options: &Options, peers: &Path, real: Option<&Path>, folder: &Path) -> Result<Vec<Row>> {
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

fn hdf5_rows(compare: &Path, options: &Options, folder: &Path) -> Result<Vec<Row>> {
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

/// The rows that a measuring program wrote.
fn read_rows(path: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let rows: Vec<Value> = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    rows.iter().map(Row::from_json).collect()
}

/// What a number means nothing without: processor, caches, memory, system, compilers.
fn machine() -> Vec<(&'static str, String)> {
    let said = |name: &str, arguments: &[&str]| {
        output(program(name).args(arguments)).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
    };
    let lscpu = said("lscpu", &[]);
    let field = |name: &str| {
        let line = lscpu.lines().find(|line| line.trim_start().starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim()).to_owned()
    };
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory =
        meminfo.lines().next().and_then(|line| line.split_once(':')).map_or("", |(_, kb)| kb.trim()).to_owned();
    let huge_pages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    vec![
        ("processor", field("Model name:")),
        ("family, model", format!("{}, {}", field("CPU family:"), field("Model:"))),
        ("cores", field("CPU(s):")),
        ("virtual", field("Virtualization type:")),
        ("L1d", field("L1d cache:")),
        ("L2", field("L2 cache:")),
        ("L3", field("L3 cache:")),
        ("memory", memory),
        ("huge pages", huge_pages.trim().to_owned()),
        ("kernel", said("uname", &["-sr"])),
        ("rustc", said("rustc", &["--version"])),
        ("gcc", said("gcc", &["-dumpfullversion"])),
        ("commit", said("git", &["describe", "--always", "--dirty"])),
        ("date", said("date", &["-u", "+%Y-%m-%d"])),
    ]
}
