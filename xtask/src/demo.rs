//! `demo`: the main job. A camera's frames are recorded with the direct-chunk writer, then read back by programs that
//! know nothing of it (h5py, PyTables, h5dump; the plugins come through `HDF5_PLUGIN_PATH`), every frame compared.
//!
//! The camera is simulated, or, with `--input`, the frames are those of a real file. What a recording must hold is made
//! anew for each comparison: by the same seed, or from the same file.

use crate::process::{line, not_started, output, program, run as run_program};
use crate::setup::{self, System};
use crate::workspace::{root, shown, target};
use crate::{Result, dist};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const HELP: &str =
    "record a simulated camera, read it back with h5py, PyTables and h5dump; a table and a picture
--frames N: frames a recording (3000)
--input FILE --dataset PATH [--threshold T]: the frames of a real file instead; pixels below T are set to 0 (1)";

/// Codecs of the table, as `record` names them.
const CODECS: [&str; 4] = ["drle", "bitshuffle-lz4", "blosc", "none"];
const BRIGHT: [&str; 2] = ["0.0056", "0.055"];
const SEED: &str = "1";
/// Frames of 1024 x 1024 that are recorded uncompressed (0.6 GB): 3000 would take 6.3 GB of disk.
const MOST_UNCOMPRESSED: u64 = 300;

/// What is recorded.
enum Source {
    Simulated { bright: &'static str },
    File { path: PathBuf, dataset: String, threshold: String, shape: String, dtype: String },
}

/// One line of the table.
struct Row {
    codec: &'static str,
    source: String,
    n_frames: u64,
    frames_per_s: f64,
    gb_per_s: f64,
    ratio: f64,
    readers: Vec<String>,
}

struct Options {
    n_frames: u64,
    input: Option<PathBuf>,
    dataset: String,
    threshold: Option<String>,
}

/// Programs that were made ready, and where they may write.
struct Tools {
    python: PathBuf,
    record: PathBuf,
    frames: PathBuf,
    folder: PathBuf,
}

pub(crate) fn run(arguments: &[String]) -> Result {
    let options = parse(arguments)?;
    let python = setup::python()?;
    let sources = sources(&options, &python)?;
    let tools = make_ready(python)?;
    let mut rows = Vec::new();
    let mut first_picture = None;
    for source in &sources {
        for codec in CODECS {
            let (row, file) = record(&tools, source, codec, &options)?;
            rows.push(read_back(&tools, source, row, &file)?);
            if codec == "drle" && first_picture.is_none() {
                first_picture = Some(picture(&tools, source, &file)?);
            }
            fs::remove_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        }
    }
    print_table(&rows);
    println!("\npicture: {}", first_picture.map(|png| shown(&png)).unwrap_or_default());
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options { n_frames: 3000, input: None, dataset: String::new(), threshold: None };
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("`{option}` needs a value, or is no option of demo"))?;
        match option.as_str() {
            "--frames" => options.n_frames = number(option, value)?,
            "--input" => options.input = Some(std::path::absolute(value).map_err(|e| format!("{value}: {e}"))?),
            "--dataset" => options.dataset.clone_from(value),
            "--threshold" => options.threshold = Some(number(option, value)?.to_string()),
            _ => return Err(format!("demo has no option `{option}`: {HELP}")),
        }
    }
    if options.input.is_none() && (!options.dataset.is_empty() || options.threshold.is_some()) {
        return Err("--dataset and --threshold go with --input FILE".into());
    }
    Ok(options)
}

fn number(option: &str, value: &str) -> Result<u64> {
    let number = value.parse().ok().filter(|n| (1..=1_000_000).contains(n));
    number.ok_or_else(|| format!("{option} {value}: a whole number from 1 on is expected"))
}

/// The recordings to make. A real file is looked at first, so that a wrong name is told before anything is built.
fn sources(options: &Options, python: &Path) -> Result<Vec<Source>> {
    let Some(path) = &options.input else {
        return Ok(BRIGHT.map(|bright| Source::Simulated { bright }).into());
    };
    let mut describe = program(python);
    describe.arg(script("source.py")).arg("describe").arg(path).arg(&options.dataset);
    let described = output(&mut describe).map_err(|_| format!("{} cannot be recorded, see above", path.display()))?;
    let described: Value = serde_json::from_str(&described).map_err(|e| format!("source.py: {e}"))?;
    let sides = described["shape"].as_array().into_iter().flatten().map(Value::to_string).collect::<Vec<_>>();
    Ok(vec![Source::File {
        path: path.clone(),
        dataset: options.dataset.clone(),
        threshold: options.threshold.clone().unwrap_or_else(|| "1".into()),
        shape: sides.join(","),
        dtype: described["dtype"].as_str().unwrap_or_default().into(),
    }])
}

fn make_ready(python: PathBuf) -> Result<Tools> {
    setup::system(&[System::Hdf5Tools])?;
    println!("== plugins and recorder (an HDF5 is built from source: some minutes, the first time)");
    dist::build()?;
    let examples =
        ["--package", "darkchunk-hdf5", "--package", "darkchunk-sim", "--example", "record", "--example", "frames"];
    run_program(setup::cargo_with_cmake()?.args(["build", "--release"]).args(examples))?;
    let built = target()?.join("release/examples");
    let folder = target()?.join("demo");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let suffix = std::env::consts::EXE_SUFFIX;
    let [record, frames] = ["record", "frames"].map(|name| built.join(format!("{name}{suffix}")));
    Ok(Tools { python, record, frames, folder })
}

fn script(name: &str) -> PathBuf {
    root().join("xtask/python").join(name)
}

/// Records `source` with `codec`; `record` shows the progress and prints a line of JSON.
fn record(tools: &Tools, source: &Source, codec: &'static str, options: &Options) -> Result<(Row, PathBuf)> {
    let file = tools.folder.join(format!("{codec}.h5"));
    let _ = fs::remove_file(&file);
    let mut command = program(&tools.record);
    command.arg("--output").arg(&file).args(["--codec", codec]);
    println!("\n== {codec}, {}", source.name());
    let printed = match source {
        Source::Simulated { bright } => {
            let most = if codec == "none" { MOST_UNCOMPRESSED } else { u64::MAX };
            let n_frames = options.n_frames.min(most).to_string();
            output(command.args(["--frames", &n_frames, "--bright", bright, "--seed", SEED]))?
        }
        Source::File { threshold, shape, dtype, .. } => {
            command.args(["--raw-input", "/dev/stdin", "--shape", shape, "--dtype", dtype, "--threshold", threshold]);
            piped(&mut source.raw(tools, "raw"), &mut command)?
        }
    };
    let text = printed.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
    let json: Value = serde_json::from_str(text).map_err(|e| format!("record printed `{printed}`: {e}"))?;
    let value = |name: &str| json[name].as_f64().ok_or_else(|| format!("record's JSON has no number `{name}`: {text}"));
    let row = Row {
        codec,
        source: source.name(),
        n_frames: value("frames")? as u64,
        frames_per_s: value("frames_per_s")?,
        gb_per_s: value("gb_per_s")?,
        ratio: value("ratio")?,
        readers: Vec::new(),
    };
    Ok((row, file))
}

/// Reads the recording and compares every frame: DRLE by all three readers, the others by h5py.
fn read_back(tools: &Tools, source: &Source, mut row: Row, file: &Path) -> Result<Row> {
    let readers: &[&str] = if row.codec == "drle" { &["h5py", "tables", "h5dump"] } else { &["h5py"] };
    for reader in readers {
        let mut check = program(&tools.python);
        check.arg(script("read_back.py")).arg(reader).arg(file).env("HDF5_PLUGIN_PATH", dist::plugins());
        let mut expected = source.expected(tools, row.n_frames);
        let printed = piped(&mut expected, &mut check)?;
        let json: Value = serde_json::from_str(&printed).map_err(|e| format!("read_back.py: {e}"))?;
        let (n_frames, seconds) = (json["frames"].as_u64().unwrap_or(0), json["seconds"].as_f64().unwrap_or(0.0));
        if n_frames != row.n_frames {
            return Err(format!("{reader} read {n_frames} frames where {} were recorded", row.n_frames));
        }
        let rate = n_frames as f64 / seconds.max(1e-9);
        println!("   {reader}: {n_frames} frames read at {rate:.0} frames/s, each pixel as recorded");
        row.readers.push((*reader).into());
    }
    Ok(row)
}

fn picture(tools: &Tools, source: &Source, file: &Path) -> Result<PathBuf> {
    let name = if matches!(source, Source::File { .. }) { "input.png" } else { "camera.png" };
    let png = tools.folder.join(name);
    let mut draw = program(&tools.python);
    draw.arg(script("picture.py")).arg(file).arg(&png).arg(source.name()).env("HDF5_PLUGIN_PATH", dist::plugins());
    run_program(&mut draw)?;
    Ok(png)
}

fn print_table(rows: &[Row]) {
    let pixels = "GB/s of pixels";
    println!(
        "\n{:36} {:14} {:>7} {:>9} {pixels:>15} {:>8}  read back, equal",
        "", "codec", "frames", "frames/s", "ratio"
    );
    for row in rows {
        let numbers = format!("{:7} {:9.0} {:15.2} {:8.2}", row.n_frames, row.frames_per_s, row.gb_per_s, row.ratio);
        let codec = if row.codec == "none" { "uncompressed" } else { row.codec };
        println!("{:36} {codec:14} {numbers}  {}", row.source, row.readers.join(", "));
    }
    println!("dark subtraction, threshold, sum, encoding and writing on one core; making the frames is not counted");
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::Simulated { bright } => {
                let percent = bright.parse::<f64>().unwrap_or(0.0) * 100.0;
                format!("simulated camera, {percent:.2} % bright")
            }
            Self::File { path, dataset, threshold, .. } => {
                let file = path.file_stem().unwrap_or_default().to_string_lossy();
                format!("{file}/{dataset}, threshold {threshold}")
            }
        }
    }

    /// The program that prints what the first `n_frames` frames of the recording must be.
    fn expected(&self, tools: &Tools, n_frames: u64) -> Command {
        match self {
            Self::Simulated { bright } => {
                let mut frames = program(&tools.frames);
                frames.args([bright, SEED, &n_frames.to_string()]);
                frames
            }
            Self::File { threshold, .. } => {
                let mut frames = self.raw(tools, "expected");
                frames.arg(threshold);
                frames
            }
        }
    }

    /// The program that prints a real file's frames.
    fn raw(&self, tools: &Tools, command: &str) -> Command {
        let mut raw = program(&tools.python);
        if let Self::File { path, dataset, .. } = self {
            raw.arg(script("source.py")).arg(command).arg(path).arg(dataset);
        }
        raw
    }
}

/// Runs `from | to` and returns what `to` prints; both must succeed.
fn piped(from: &mut Command, to: &mut Command) -> Result<String> {
    let mut first = from.stdout(Stdio::piped()).spawn().map_err(|e| not_started(from, &e))?;
    let pipe = first.stdout.take().map_or(Stdio::null(), Stdio::from);
    let printed = output(to.stdin(pipe));
    // Ours is the last reading end: drop it, so that `first` ends even where `to` failed.
    to.stdin(Stdio::null());
    let status = first.wait().map_err(|e| e.to_string())?;
    let printed = printed?;
    if status.success() { Ok(printed) } else { Err(format!("`{}` failed ({status})", line(from))) }
}
